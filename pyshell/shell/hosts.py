# SPDX-License-Identifier: Apache-2.0
"""What completion offers of the host: its free block devices, its addresses."""

from __future__ import annotations

from collections.abc import Iterator

from pyshell.shell.candidate import Candidate
from pyshell.target import listing, names
from pyshell.target.attach import Lio
from pyshell.target.kernel import text_or_none
from pyshell.target.machine import BlockDevice


def devices(lio: Lio, typed: str) -> Iterator[Candidate]:
    """Yield block devices that nobody uses, neither this host nor a storage object."""
    taken = _exported(lio)
    folder = typed[: typed.rfind("/") + 1]
    for path in lio.machine.block_devices(folder):
        found = lio.machine.block_device(path)
        if found is not None and found.size and not found.holder and found.name not in taken:
            yield Candidate(path, _told(found))


def _told(found: BlockDevice) -> str:
    words = [names.size_text(found.size), found.model, "read-only" if found.read_only else ""]
    return " ".join(word for word in words if word)


def _exported(lio: Lio) -> set[str]:
    """Return the kernel's names of the devices that block storage objects are made of."""
    found = set()
    for place in listing.storage_objects("block"):
        path = text_or_none(lio.kernel, f"{place.folder}/udev_path")
        device = lio.machine.block_device(path) if path else None
        if device is not None:
            found.add(device.name)
    return found


def addresses(lio: Lio) -> Iterator[Candidate]:
    """Yield the addresses that a portal can listen on: all of this host's, then those for all."""
    for address, interface in lio.machine.addresses():
        yield Candidate(address, interface)
    yield Candidate(names.WILDCARD_V4, "all IPv4 addresses of this host")
    yield Candidate(names.WILDCARD_V6, "all addresses of this host, IPv4 and IPv6")
