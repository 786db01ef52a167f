# SPDX-License-Identifier: Apache-2.0
"""Words for what the root's commands name wherever it is: targets, initiators, shared disks."""

from __future__ import annotations

from collections.abc import Iterator

from pyshell.lio import listing
from pyshell.lio.attach import Lio
from pyshell.lio.configfs import text_or_none
from pyshell.lio.fabrics import fabric
from pyshell.lio.identifiers import StorageObject, Target
from pyshell.shell.completion.candidate import Candidate
from pyshell.shell.completion.engine import Value
from pyshell.shell.completion.host_values import devices
from pyshell.shell.completion.initiators import initiators_of

ISCSI = "iscsi"
_TREE = "/backstores/"
_ISCSI_ONLY = ("guide", "share", "unshare")


def targets(wanted: Value) -> Iterator[Candidate]:
    """Yield the targets that there are, of those fabrics that the command knows."""
    for found in _targets(wanted):
        count = len(listing.tpgs(found))
        yield Candidate(found.wwn, f"{found.fabric_name}, {count} TPG{'s' * (count != 1)}")


def _targets(wanted: Value) -> list[Target]:
    alone = wanted.command.name in _ISCSI_ONLY
    fabrics = [fabric(ISCSI)] if alone else listing.fabrics_in_use()
    return [target for one in fabrics for target in listing.targets(one)]


def initiators(lio: Lio, wanted: Value) -> Iterator[Candidate]:
    """Yield initiators; the last of several with commas between stands behind those before it.

    Those who were refused are offered where a disk is shared only.
    """
    head = wanted.prefix[: wanted.prefix.rfind(",") + 1]
    before = {word.lower() for word in head.split(",")}
    named = wanted.given.get("target", "").removeprefix("/iscsi/").rstrip("/")
    every = _targets(wanted)
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
    for place in listing.storage_objects():
        if not takes_back or any(
            lun.tpg.target.fabric_name == ISCSI for lun in listing.luns_of(place)
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
