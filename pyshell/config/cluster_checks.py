# SPDX-License-Identifier: Apache-2.0
"""Problems of a document that a cluster applies: what differs between its nodes.

One target moves between nodes with its storage objects. The devices need not be there now: the
node that is asked may be the passive one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pyshell import names
from pyshell.config import document_file, store
from pyshell.config.cluster_addresses import obstacle, other_users, why_not_moved
from pyshell.config.cluster_devices import (
    NETWORK_HANDLERS,
    is_same_everywhere,
    plain,
    why_it_differs,
)
from pyshell.config.document import located
from pyshell.config.positions import DocumentEntry, Place, Problem, error, warning
from pyshell.config.references import CHAP, SUFFIX
from pyshell.config.storage_checks import plugin_of
from pyshell.config.store import clustered
from pyshell.config.target_checks import MOVING_ADDRESS, exported
from pyshell.errors import NotFoundError, PyshellError, UsageError
from pyshell.lio import Lio, listing
from pyshell.lio.configfs import is_below, is_below_any
from pyshell.lio.identifiers import normal_path, normal_wwn, storage_object_path
from pyshell.lio.operations.preconditions import identity
from pyshell.lio.storage_info import is_device_path, keeps_direct_writes
from pyshell.text import counted, did_you_mean, listed

_SHOWN = 3
_STABLE = "Use a name below /dev/drbd/by-res, /dev/disk/by-id or /dev/zvol, or /dev/VG/LV of LVM."
_TEMPORARY = ("/tmp", "/var/tmp", "/run", "/var/run", "/dev/shm", "/dev/hugepages")  # noqa: S108
_IN_MEMORY = frozenset({"tmpfs", "ramfs", "devtmpfs", "hugetlbfs"})


@dataclass(frozen=True)
class Part:
    """The targets of a document that are judged, and the storage objects that they export."""

    targets: tuple[DocumentEntry, ...]
    objects: tuple[DocumentEntry, ...]

    def holds(self, place: Place) -> bool:
        """Return whether a place is in this part of the document, or is not in any target's."""
        if len(place) < 2:
            return True
        return place[:2] in {entry.place for entry in (*self.targets, *self.objects)}


def part_of(document: DocumentEntry, wwn: str | None) -> Part:
    """Return the part of one target, or of all targets."""
    targets = [one for one in document.each("targets") if wwn is None or _is_named(one, wwn)]
    luns = [lun for one in targets for tpg in one.each("tpgs") for lun in tpg.each("luns")]
    paths = {exported(lun) for lun in luns}
    objects = [one for one in document.each("storage_objects") if _path(one) in paths]
    return Part(tuple(targets), tuple(objects))


def _is_named(target: DocumentEntry, wwn: str) -> bool:
    fabric, own = target.text("fabric"), target.text("wwn")
    if fabric is None or own is None:
        return False
    return normal_wwn(fabric, own) == normal_wwn(fabric, wwn)


def _path(entry: DocumentEntry) -> str:
    return storage_object_path(plugin_of(entry) or "", entry.text("name") or "")


def missing_target(document: DocumentEntry, wwn: str) -> Problem:
    """Return the error of a document without the target that is to be judged."""
    known = [one.text("wwn") or "" for one in document.each("targets")]
    hint = did_you_mean(wwn, known) or (f"It has {listed(known, _SHOWN)}." if known else "")
    return error(document.at("targets"), f"no target {wwn} in the file", hint)


def cluster_problems(lio: Lio, document: DocumentEntry, wwn: str | None) -> Iterator[Problem]:
    """Yield what keeps a cluster from using a document, beside the problems of any document.

    `wwn` is the target that the cluster moves, if the document has several.
    """
    part = part_of(document, wwn)
    if wwn is None:
        yield from _one_target(document, part)
    for target in part.targets:
        yield from _target(lio, target)
    for entry in part.objects:
        yield from _storage_object(lio, entry)
    for fabric in document.each("fabric_modules"):
        message = "a cluster applies the target only: these settings have no effect"
        yield warning(fabric.place, message, "Set them on each node.")


def misplaced(lio: Lio, path: Path) -> Iterator[Problem]:
    """Yield an error for a file that does not put its target under cluster control."""
    folder = lio.config_dir / clustered.FOLDER
    own = os.path.realpath(path)
    if any(os.path.realpath(file) == own for file in clustered.files(lio.config_dir)):
        return
    if os.path.realpath(path.absolute().parent) == os.path.realpath(folder):
        message = f"the name of a document in {folder} must end in {clustered.ENDING}"
        hint = f"Rename it to {path.stem.lstrip('.') or 'disks'}{clustered.ENDING}."
    else:
        message = f"it is not in {folder}: this host would restore its target at boot"
        hint = f"Move it to {folder}, on all nodes."
    yield error((), message, hint)


def defined_elsewhere(lio: Lio, part: Part, path: Path | None) -> Iterator[Problem]:
    """Yield what the boot file, or another document of the cluster, has as well."""
    yield from _restored_at_boot(lio, part)
    if path is not None:
        yield from in_others(lio, part, path)


def in_others(lio: Lio, part: Part, path: Path) -> Iterator[Problem]:
    """Yield what another document of the cluster than that of a path has as well."""
    own = os.path.realpath(path)
    for file in clustered.files(lio.config_dir):
        if os.path.realpath(file) == own:
            continue
        try:
            document = document_file.load(file)
        except PyshellError:
            continue  # a save reports it
        yield from _in_another(lio, part, file, DocumentEntry(document, ()))


def _in_another(lio: Lio, part: Part, file: Path, document: DocumentEntry) -> Iterator[Problem]:
    """Yield the targets, devices and serial numbers that another document has as well."""
    hint = "Two nodes could export one disk. Remove it from one of the documents."
    there = {_target_path(one) for one in document.each("targets")}
    for target in part.targets:
        if _target_path(target) in there:
            yield error(target.at("wwn"), f"{file} defines this target, too", hint)
    objects = list(document.each("storage_objects"))
    paths = {_path(one) for one in objects}
    devices = {_used_by(lio, one): _path(one) for one in objects}
    serials = {one.fit_text("wwn"): _path(one) for one in objects}
    for one in part.objects:
        used, serial = _used_by(lio, one), one.fit_text("wwn")
        if _path(one) in paths:
            yield error(one.at("name"), f"{file} defines this storage object, too", hint)
        elif used is not None and used in devices:
            yield error(one.at("name"), f"{file} has {devices[used]} on the same device", hint)
        elif serial and serial in serials:
            message = f"{file} has {serials[serial]} with the same serial number"
            yield error(one.at("wwn"), message, "Initiators take both disks for one.")


def _target_path(target: DocumentEntry) -> str | None:
    fabric, wwn = target.text("fabric"), target.text("wwn")
    return f"/{fabric}/{normal_wwn(fabric, wwn)}" if fabric and wwn else None


def _one_target(document: DocumentEntry, part: Part) -> Iterator[Problem]:
    number = len(part.targets)
    if number != 1:
        message = f"the file has {counted(number, 'target') if number else 'no target'}"
        hint = "target=WWN chooses one." if number else "saveconfig FILE target=WWN writes one."
        yield error(document.at("targets"), f"{message}: a cluster moves one", hint)
        return
    for entry in document.each("storage_objects"):
        if entry not in part.objects:
            message = "the target does not export it: the cluster does not create it"
            yield warning(entry.place, message)


# Targets


def _target(lio: Lio, target: DocumentEntry) -> Iterator[Problem]:
    fabric = target.text("fabric")
    is_iscsi = fabric == "iscsi"
    if fabric is not None and not is_iscsi:
        message = f"initiators reach a target of {fabric} at one node only"
        yield warning(target.at("fabric"), message, "Its name or its initiators are of that node.")
    yield from _reached(target, is_iscsi=is_iscsi)
    for tpg in target.each("tpgs"):
        for portal in tpg.each("portals"):
            yield from _portal(lio, target, portal)
        yield from _secret_files(tpg)
        for acl in tpg.each("node_acls"):
            yield from _secret_files(acl)
            if acl.data.get("mapped_luns") is None and tpg.data.get("luns"):
                message = "is missing: the initiator sees no disk, as nothing is mapped by itself"
                yield warning(acl.at("mapped_luns"), message, "Give index and tpg_lun of each.")


def _reached(target: DocumentEntry, *, is_iscsi: bool) -> Iterator[Problem]:
    """Yield why initiators would find nothing, although the cluster started the target."""
    tpgs = list(target.each("tpgs"))
    enabled = [tpg for tpg in tpgs if tpg.flag("enable") is not False]
    if not tpgs:
        yield error(target.at("tpgs"), "there is none: initiators find nothing", "Add one.")
    elif not enabled:
        message = "the TPG is disabled: initiators cannot log in"
        yield error(tpgs[0].at("enable"), message, "Set it to true.")
    elif is_iscsi and not any(tpg.data.get("portals") for tpg in enabled):
        message = "there are none: initiators cannot reach the target"
        yield error(enabled[0].at("portals"), message, "Add the address that moves with it.")
    if enabled and not any(tpg.data.get("luns") for tpg in enabled):
        message = "there are none: initiators find no disk"
        yield error(enabled[0].at("luns"), message, "Add the disks.")


def _portal(lio: Lio, target: DocumentEntry, portal: DocumentEntry) -> Iterator[Problem]:
    """Yield an error for an address that cannot move, or who else uses it."""
    fabric, wwn = target.text("fabric"), target.text("wwn")
    try:
        address = names.address(portal.text("ip_address") or "")
    except UsageError:
        return  # reported for any document
    place = portal.at("ip_address")
    if why := why_not_moved(address):
        yield error(place, f"a cluster cannot move {address}: {why}", MOVING_ADDRESS)
        return
    if not (wwn and fabric == "iscsi"):
        return
    path, port = f"/{fabric}/{normal_wwn(fabric, wwn)}", portal.number("port")
    for user in other_users(lio, path, address):
        message = f"{user} uses {address}, too: it loses the address when this target moves"
        yield warning(place, message, "Give each target its own.")
    if port is not None and (other := obstacle(lio, path, address, port)):
        message = f"{other} runs here: the kernel refuses this portal then"
        yield warning(place, message, "Give the other target an address of its own.")


def _secret_files(entry: DocumentEntry) -> Iterator[Problem]:
    for key in CHAP:
        if entry.text(f"{key}{SUFFIX}"):
            message = "another node may not have this file, and the checksum does not cover it"
            hint = "Write the secret itself, or install the same file on each node."
            yield warning(entry.at(f"{key}{SUFFIX}"), message, hint)


# Storage objects


def _storage_object(lio: Lio, entry: DocumentEntry) -> Iterator[Problem]:
    plugin = plugin_of(entry)
    if plugin == "ramdisk":
        message = "a ramdisk keeps its data in one node's memory: it is lost in a takeover"
        yield error(entry.at("plugin"), message, "Use a device or file that moves.")
        return
    if plugin not in (None, "pscsi") and not entry.fit_text("wwn").strip():
        yield error(
            entry.at("wwn"),
            "is missing: each node would generate another serial number",
            "Initiators would take it for another disk after a takeover. 'saveconfig FILE"
            " target=WWN' writes the serial number.",
        )
    if plugin == "fileio":
        yield from _acknowledged(lio, entry)
    if plugin == "user":
        yield from _handler(lio, entry)
    elif path := entry.fit_text("dev"):
        if plugin == "fileio" and not is_device_path(path):
            yield from _file(lio, entry.at("dev"), path, running=_is_running(lio, entry))
        elif plugin is not None:
            yield from _device(lio, entry.at("dev"), path)


def _acknowledged(lio: Lio, entry: DocumentEntry) -> Iterator[Problem]:
    """Yield the caches that lose acknowledged writes when their node is fenced."""
    if entry.flag("write_back"):
        message = "a takeover loses acknowledged writes in the memory of the failed node"
        yield error(entry.at("write_back"), message, "Set write_back to false.")
    elif entry.flag("aio") and keeps_direct_writes(lio, entry.fit_text("dev")):
        message = "the kernel does not flush these writes: a takeover loses acknowledged ones"
        yield error(entry.at("aio"), message, "Set aio to false.")


def _device(lio: Lio, place: Place, path: str) -> Iterator[Problem]:
    """Yield an error for a device name that can mean another device on another node."""
    why = why_it_differs(path)
    if not why:
        return
    normal = plain(path)
    lasting = normal if is_same_everywhere(normal) else lio.machine.lasting_name(path)
    hint = f"Use {lasting}." if lasting else _STABLE
    yield error(place, f"{path} {why}", hint)


def _file(lio: Lio, place: Place, path: str, *, running: bool) -> Iterator[Problem]:
    """Yield what is known of an image file: it can lie on a file system not mounted here now."""
    if not path.startswith("/"):
        yield error(place, f"{path} is not an absolute path", "Nodes need the same.")
        return
    plain = os.path.normpath(path)
    temporary = next((one for one in _TEMPORARY if plain.startswith(f"{one}/")), None)
    mounted, kind = _mount(lio, plain)
    if temporary or kind in _IN_MEMORY:
        message = f"{path} is in {temporary or mounted}, which no other node has"
        yield error(place, message, "Use a file system that moves with the target.")
    elif mounted == "/" and (running or lio.machine.host_file(path).exists()):
        message = f"{path} is on the root file system of this node, which no other node has"
        yield warning(place, message, "Use a file system that moves with the target.")


def _mount(lio: Lio, path: str) -> tuple[str, str]:
    """Return where the file system of a path is mounted, and its type; "" if unknown."""
    found = "", ""
    for line in lio.machine.text("/proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        fields, kinds = before.split(" "), after.split(" ")
        if len(fields) < 5 or not kinds[0]:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), fields[4])
        if is_below(path, point) and len(point) >= len(
            found[0]
        ):  # the last of several hides the others
            found = point, kinds[0]
    return found


def _is_running(lio: Lio, entry: DocumentEntry) -> bool:
    plugin, name = plugin_of(entry), entry.text("name")
    return bool(plugin and name and listing.storage_object(lio, plugin, name))


def _handler(lio: Lio, entry: DocumentEntry) -> Iterator[Problem]:
    """Yield problems of what a handler in user space opens."""
    handler, _, opened = entry.fit_text("config").partition("/")
    place = entry.at("config")
    if opened.startswith("/"):
        if is_device_path(opened):
            yield from _device(lio, place, opened)
        else:
            yield from _file(lio, place, opened, running=_is_running(lio, entry))
    elif handler and handler not in NETWORK_HANDLERS:
        message = f"whether the data of the handler {handler} moves to another node is not known"
        yield warning(place, message)


# The file that is restored at boot


def _restored_at_boot(lio: Lio, part: Part) -> Iterator[Problem]:
    """Yield what the boot file has as well: this node would export it outside the cluster."""
    path = store.default_file(lio)
    try:
        document = document_file.load(path)
    except NotFoundError:
        return
    except PyshellError as found:
        message = f"whether it is restored at boot is not known: {found.message.rstrip('.')}"
        yield warning((), message)
        return
    saved = {one.path for one in located(document)}
    devices = {}
    for entry in DocumentEntry(document, ()).each("storage_objects"):
        devices[_used_by(lio, entry)] = _path(entry)
    own = {_target_path(one) or "" for one in part.targets} - {""}
    luns = {
        normal_path(one.entry["storage_object"]): one.path
        for one in located(document)
        if one.kind == "luns" and not is_below_any(one.path, own)
    }
    message = f"{path} has it, too, and is restored at boot, outside the cluster"
    hint = f"Put this file into {path.parent / clustered.FOLDER}, then run saveconfig."
    for target in part.targets:
        if _target_path(target) in saved:
            yield error(target.at("wwn"), message, hint)
    for one in part.objects:
        used = _used_by(lio, one)
        if _path(one) in saved:
            lun = luns.get(_path(one))
            told = f"{lun} exports it there: delete that LUN. {hint}" if lun else hint
            yield error(one.at("name"), message, told)
        elif used is not None and used in devices:
            told = f"{path} has {devices[used]} on the same device, and is restored at boot"
            yield error(one.at("name"), told, "Remove that object, then run saveconfig.")


def _used_by(lio: Lio, entry: DocumentEntry) -> object | None:
    """Return what identifies the device or file of a storage object, None for a ramdisk."""
    return identity(lio, plugin_of(entry) or "", entry.fit_text("dev") or entry.fit_text("config"))
