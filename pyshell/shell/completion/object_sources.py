# SPDX-License-Identifier: Apache-2.0
"""Completion of initiators, targets, disks, and the devices and addresses of the host."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from pyshell import names
from pyshell.errors import UsageError
from pyshell.host.machine import BlockDevice
from pyshell.lio import listing
from pyshell.lio.attach import Lio
from pyshell.lio.configfs import text_or_none
from pyshell.lio.fabrics import fabric
from pyshell.lio.identifiers import StorageObject, Target, Tpg
from pyshell.lio.sessions import of_tpg
from pyshell.lio.storage_info import unused_devices
from pyshell.shell.completion.engine import Candidate, Value

_FAILED = "fabric_statistics/iscsi_tgt_attr"
"""Where the kernel tells of the last login that it refused, of iscsi's targets only."""
ISCSI = "iscsi"
_TREE = "/backstores/"
_ISCSI_ONLY = ("guide", "share", "unshare")
_NOBODY = ("", "None", "NONE", "Unknown")


def initiators_for(lio: Lio, here: Tpg) -> Iterator[Candidate]:
    """Yield initiators without an ACL at `here`, the likeliest first, each once."""
    seen = {acl.wwn for acl in listing.node_acls(here)}
    for name, told in _likely(lio, here):
        if name not in seen:
            seen.add(name)
            yield Candidate(name, told)


def initiators_of(lio: Lio, targets: Sequence[Target], *, refused: bool) -> Iterator[Candidate]:
    """Yield initiators of targets, each once, those logged in first, then those refused."""
    seen = set()
    came = list(_logged_in(lio, targets))
    denied = _refused(lio, targets, None) if refused else ()
    for name, told in itertools.chain(came, denied, _with_acl(targets)):
        if name not in seen:
            seen.add(name)
            yield Candidate(name, told)


def _likely(lio: Lio, here: Tpg) -> Iterator[tuple[str, str]]:
    for session in of_tpg(lio, here):
        yield session.initiator, "logged in now, without an ACL"
    every = [here.target, *(t for t in listing.targets(here.target.fabric) if t != here.target)]
    yield from _refused(lio, every, here.target)
    yield from _logged_in(lio, every)
    yield from _with_acl(every)


def _refused(lio: Lio, targets: Sequence[Target], here: Target | None) -> Iterator[tuple[str, str]]:
    """Yield who was refused, as the targets tell and then the log; `here` needs not be named."""
    for target in targets:
        name = text_or_none(lio.kernel, f"{target.folder}/{_FAILED}/fail_intr_name") or ""
        if name not in _NOBODY:
            address = text_or_none(lio.kernel, f"{target.folder}/{_FAILED}/fail_intr_addr") or ""
            at = "" if target == here else f" at {target.wwn}"
            origin = f" from {address}" if address[:1].isalnum() else ""
            yield name, f"was refused{at}{origin}"
    for name in lio.machine.refused_initiators():
        if _is_valid(name):
            yield name, "was refused, according to the kernel's log"


def _is_valid(name: str) -> bool:
    """Return whether a name that an initiator chose may become that of an ACL."""
    try:
        names.wwn(name, ("iqn", "naa", "eui"))
    except UsageError:
        return False
    return True


def _logged_in(lio: Lio, targets: Sequence[Target]) -> Iterator[tuple[str, str]]:
    for target in targets:
        for tpg in listing.tpgs(target):
            for session in of_tpg(lio, tpg):
                yield session.initiator, f"logged in now at {_at(tpg)}"


def _with_acl(targets: Sequence[Target]) -> Iterator[tuple[str, str]]:
    for target in targets:
        for tpg in listing.tpgs(target):
            for acl in listing.node_acls(tpg):
                yield acl.wwn, f"has an ACL at {_at(tpg)}"


def _at(tpg: Tpg) -> str:
    return f"{tpg.target.wwn}/tpg{tpg.tag}"


def targets(lio: Lio, wanted: Value) -> Iterator[Candidate]:
    """Yield the targets that there are, of those fabrics that the command knows."""
    for found in _targets(lio, wanted):
        count = len(listing.tpgs(found))
        yield Candidate(found.wwn, f"{found.fabric_name}, {count} TPG{'s' * (count != 1)}")


def _targets(lio: Lio, wanted: Value) -> list[Target]:
    alone = wanted.command.name in _ISCSI_ONLY
    fabrics = [fabric(ISCSI, lio.root)] if alone else listing.fabrics_in_use(lio)
    return [target for one in fabrics for target in listing.targets(one)]


def initiators(lio: Lio, wanted: Value) -> Iterator[Candidate]:
    """Yield initiators; the last of several with commas between stands behind those before it.

    Those who were refused are offered where a disk is shared only.
    """
    head = wanted.prefix[: wanted.prefix.rfind(",") + 1]
    before = {word.lower() for word in head.split(",")}
    named = wanted.given.get("target", "").removeprefix("/iscsi/").rstrip("/")
    every = _targets(lio, wanted)
    chosen = [target for target in every if target.wwn == target.fabric.known_wwn(named or "-")]
    shares = wanted.command.name == "share"
    for one in initiators_of(lio, every if shares else chosen or every, refused=shares):
        if one.text.lower() not in before:
            yield Candidate(head + one.text, one.description)


def disks(lio: Lio, wanted: Value) -> Iterator[Candidate]:
    """Yield what can be shared: free devices, and storage objects; or what is shared already."""
    takes_back = wanted.command.name == "unshare"
    if not takes_back:
        yield from devices(lio, wanted.prefix)
    for place in listing.storage_objects(lio):
        if not takes_back or any(
            lun.tpg.target.fabric_name == ISCSI for lun in listing.luns_of(lio, place)
        ):
            told = f"storage object {place.plugin}/{place.name}"
            yield Candidate(_called(lio, place, wanted.prefix), told)


def _called(lio: Lio, place: StorageObject, typed: str) -> str:
    """Return a storage object's name, path or device: what was typed may begin any of them."""
    if typed and "/" not in typed:
        return place.name
    if len(typed) > 1 and _TREE.startswith(typed[: len(_TREE)]):
        return place.path
    path = text_or_none(lio.kernel, f"{place.folder}/udev_path") or ""
    return path if path.startswith("/") else place.path


def devices(lio: Lio, typed: str) -> Iterator[Candidate]:
    """Yield block devices that nobody uses, neither this host nor a storage object."""
    folder = typed[: typed.rfind("/") + 1]
    for found in unused_devices(lio, folder):
        yield Candidate(found.path, _told(found))


def _told(found: BlockDevice) -> str:
    words = [names.size_text(found.size), found.model, "read-only" if found.read_only else ""]
    return " ".join(word for word in words if word)


def addresses(lio: Lio) -> Iterator[Candidate]:
    """Yield the addresses that a portal can listen on: all of this host's, then those for all."""
    for address, interface in lio.machine.addresses().items():
        yield Candidate(address, interface)
    yield Candidate(names.WILDCARD_V4, "all IPv4 addresses of this host")
    yield Candidate(names.WILDCARD_V6, "all addresses of this host, IPv4 and IPv6")
