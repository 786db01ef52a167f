# SPDX-License-Identifier: Apache-2.0
"""What completion offers of the host: its free block devices, its addresses."""

from __future__ import annotations

from collections.abc import Iterator

from pyshell import names
from pyshell.host.machine import BlockDevice
from pyshell.lio.attach import Lio
from pyshell.lio.unused_devices import free
from pyshell.shell.completion.candidate import Candidate


def devices(lio: Lio, typed: str) -> Iterator[Candidate]:
    """Yield block devices that nobody uses, neither this host nor a storage object."""
    folder = typed[: typed.rfind("/") + 1]
    for found in free(lio, folder):
        yield Candidate(found.path, _told(found))


def _told(found: BlockDevice) -> str:
    words = [names.size_text(found.size), found.model, "read-only" if found.read_only else ""]
    return " ".join(word for word in words if word)


def addresses(lio: Lio) -> Iterator[Candidate]:
    """Yield the addresses that a portal can listen on: all of this host's, then those for all."""
    for address, interface in lio.machine.addresses():
        yield Candidate(address, interface)
    yield Candidate(names.WILDCARD_V4, "all IPv4 addresses of this host")
    yield Candidate(names.WILDCARD_V6, "all addresses of this host, IPv4 and IPv6")
