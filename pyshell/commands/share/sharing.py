# SPDX-License-Identifier: Apache-2.0
"""The operations that share a device with initiators. Existing objects are used."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from pyshell import names
from pyshell.commands.share import chap_options
from pyshell.commands.share.chap_options import Chap
from pyshell.errors import ConflictError, NotFoundError, UsageError
from pyshell.lio import Lio, fabrics, listing, sessions, settings, storage_info
from pyshell.lio.configfs import is_on, text_or_none
from pyshell.lio.identifiers import Lun, MappedLun, NodeAcl, Portal, StorageObject, Target, Tpg
from pyshell.lio.operations.base import Operation
from pyshell.lio.operations.mapping import CreateLun, CreateNodeAcl, free_lun
from pyshell.lio.operations.setters import Set
from pyshell.lio.operations.storage import CreateImageFile, CreateStorageObject
from pyshell.lio.operations.targets import CreateDefaultPortal, CreatePortal, CreateTarget
from pyshell.lio.storage_info import refuse_image_among
from pyshell.quoting import argument
from pyshell.text import did_you_mean
from pyshell.tree.backstores import (
    DISCARD,
    IDENTITY,
    BlockNode,
    FileioNode,
    discard_note,
    refuse_discard,
)
from pyshell.tree.command import serial_argument
from pyshell.tree.fabric import default_portal, new_tpg
from pyshell.tree.luns import (
    exporting_lun,
    must_protect,
    nearest,
    new_mapping,
    storage_object_on,
)
from pyshell.tree.results import Change, Lines, Result
from pyshell.tree.storage_object import discard_rescans

if TYPE_CHECKING:
    from pyshell.tree.node import Node

ISCSI = "iscsi"


@dataclass
class Sharing:
    """Collects the operations that a `share` with these arguments needs.

    The portals come last: nobody can log in before everything else exists.
    """

    node: Node
    device: str
    initiators: tuple[str, ...]
    target: str | None
    name: str | None
    lun: int | None
    portals: tuple[tuple[str, int], ...]
    size: int | None
    identity: Mapping[str, Any]
    """Vendor, product … and serial number by the names of the parameters."""
    chap: Chap
    readonly: bool | None
    discard: bool | None

    def __post_init__(self) -> None:
        self._lio = self.node.lio
        self._made: list[Operation] = []
        self._notes: list[str] = []

    def result(self) -> Result:
        """Return the change, or a message that there is nothing to do."""
        exported = self._storage_object()
        tpg, portals = self._tpg(exported)
        acls = [NodeAcl(tpg, wwn) for wwn in self.initiators]
        self._let_in(tpg, acls)
        lun = self._lun(tpg, exported)
        protect = self.readonly
        if protect is None:
            protect = must_protect(self.node, exported, self._made)
        mapped = [self._mapping(acl, lun, protect=protect) for acl in acls]
        self._made += portals
        told = self._told(exported, lun, mapped)
        data = self._data(exported, lun, mapped)
        if not self._made:
            for note in self._notes:
                self.node.context.note(note)
            return Lines([f"{told}: nothing to do."], data, form="sentences")
        hint = f"'{_guide(acls)}' shows the instructions for its host."
        return Change(self._made, advice=f"{told}. {hint}", note=" ".join(self._notes), data=data)

    def _storage_object(self) -> StorageObject:
        found = storage_object_on(self.node, self.device)
        if found is None:
            made, place, note = _new_storage_object(
                self.node, self.device, self.name, self.size, self.identity, self.discard
            )
            self._made += made
            self._notes += [note] if note else []
            return place
        if self.name not in (None, found.name):
            raise ConflictError(
                f"{self.device} has a storage object, {found.path}, already.", "Omit name=."
            )
        if self.size is not None:
            _refuse_other_size(self._lio, found, self.size)
        _refuse_other_identity(self._lio, found, self.identity)
        self._made += self._discarding(found)
        return found

    def _discarding(self, found: StorageObject) -> list[Operation]:
        """Return the operation that changes discard of an existing object, if it is requested."""
        wanted = self.discard
        if wanted is None or storage_info.discards_as(self._lio, found, wanted):
            return []
        rescans = discard_rescans(self._lio, found)
        if not wanted:
            enabled = storage_info.discard_attributes(self._lio, found)
            made: list[Operation] = [Set(found, f"attrib/{name}", "0") for name in enabled]
            made[-1].said = [f"Disabled discard of {found.name}.", *rescans]
            return made
        if found.plugin not in ("block", "fileio"):
            raise UsageError(f"discard= has no effect on {found.path}.", "Omit discard=.")
        refuse_discard(self._lio, found.plugin, storage_info.describe(self._lio, found).device)
        return [Set(found, DISCARD, "1", said=[f"Enabled discard of {found.name}.", *rescans])]

    def _tpg(self, exported: StorageObject) -> tuple[Tpg, list[Operation]]:
        """Return the TPG, planned if it is missing, and the operations for its portals."""
        target = self._target(exported)
        found = listing.tpgs(target)
        exporting = [lun.tpg for lun in self._exports(exported) if lun.tpg.target == target]
        tpg = next(iter([*exporting, *found]), Tpg(target, 1))
        if tpg in found:
            chap_options.refuse_lock_out(
                self._lio, tpg, [NodeAcl(tpg, wwn) for wwn in self.initiators], self.chap
            )
            self._note_of(tpg)
            return tpg, self._portals(tpg)
        if not listing.existing(target):
            self._made.append(CreateTarget(target, said=[f"Created target {target.wwn}."]))
        made = new_tpg(self.node, tpg)
        self._made += [o for o in made if not isinstance(o, CreateDefaultPortal)]
        if self.portals:
            return tpg, self._portals(tpg)
        default = [o for o in made if isinstance(o, CreateDefaultPortal)]
        if default:
            present = listing.portals_at(target.fabric, default[0].place.port)
            if listing.portal_obstacle(default[0].place, present) or listing.portal_in_place_of(
                default[0].place, present
            ):
                return tpg, self._where_others_listen(tpg)
        return tpg, list(default)

    def _where_others_listen(self, tpg: Tpg) -> list[Operation]:
        """Return the operations that create the portals of this host's other targets."""
        every = listing.all_tpgs(self._lio, ISCSI)
        known = dict.fromkeys((p.address, p.port) for t in every for p in listing.portals(t))
        return [_portal(Portal(tpg, *place)) for place in known]

    def _target(self, exported: StorageObject) -> Target:
        """Return the target by the rule in the command's help. Raises PyshellError."""
        fabric = fabrics.fabric(ISCSI, self._lio.root)
        if self.target is not None:
            wwn = self.node.accepted(fabric.normalise(self.target))
            return Target(ISCSI, wwn, self._lio.root)
        exporting = {lun.tpg.target for lun in self._exports(exported)}
        known = sorted(exporting or listing.targets(fabric), key=lambda target: target.wwn)
        if len(known) > 1:
            raise UsageError(
                f"There are {len(known)} targets: {', '.join(t.wwn for t in known)}.",
                "Choose one with target=NAME, or give a new name.",
            )
        if known:
            self._refuse_open(known[0])
            return known[0]
        host = fabric.new_wwn().partition(":")[0]
        # A storage object's name may hold what an iSCSI name may not.
        tail = "".join(c if c.isalnum() or c in ".-" else "-" for c in exported.name.lower())
        return Target(ISCSI, fabric.normalise(f"{host}:{tail}").wwn, self._lio.root)

    def _refuse_open(self, target: Target) -> None:
        """Refuse a target that was not named and allows every initiator."""
        if any(self._is_open(tpg) for tpg in listing.tpgs(target)):
            raise ConflictError(
                f"{target} allows every initiator to log in (demo mode), so all would see it.",
                f"Name it, target={target.wwn}, if that is meant; or give a new name.",
            )

    def _is_open(self, tpg: Tpg) -> bool:
        return is_on(self._lio.kernel, f"{tpg.folder}/attrib/generate_node_acls")

    def _note_of(self, tpg: Tpg) -> None:
        if text_or_none(self._lio.kernel, f"{tpg.folder}/enable") == "0":
            self._notes.append(f"Nobody can log in yet. Run '{tpg.path} enable'.")
        if self._is_open(tpg):
            self._notes.append(f"{tpg} allows every initiator to log in, so all see the disk.")

    def _exports(self, exported: StorageObject) -> list[Lun]:
        return [
            u for u in listing.luns_of(self._lio, exported) if u.tpg.target.fabric_name == ISCSI
        ]

    def _portals(self, tpg: Tpg) -> list[Operation]:
        """Return the operations that create the requested portals."""
        made: list[Operation] = []
        for address, port in self.portals:
            there = listing.portal(tpg, address, port)
            if there is not None:
                continue
            wide = self._listening_for(tpg, address, port)
            if wide is None:
                made.append(_portal(Portal(tpg, address, port)))
            elif not listing.is_wildcard(address):
                self._notes.append(
                    f"{wide.address}:{port} covers {address} already: to listen there alone,"
                    f" first '{tpg.path}/portals delete {wide.address} {port}'."
                )
        if not self.portals and not listing.portals(tpg):
            made.append(default_portal(self.node, tpg))
        return made

    def _listening_for(self, tpg: Tpg, address: str, port: int) -> Portal | None:
        """Return the wildcard portal at which the TPG already listens on an address."""
        v6only = listing.ipv6_only(tpg.target.root)
        for found in listing.portals(tpg):
            wide = found.port == port and listing.is_wildcard(found.address)
            if wide and names.listens_on(found.address, address, v6only=v6only):
                return found
        return None

    def _let_in(self, tpg: Tpg, acls: Sequence[NodeAcl]) -> None:
        chap = self.chap
        notes: list[str] = []
        if chap.wanted and not chap_options.is_enforced(self._lio, tpg):
            self._made += chap_options.of_tpg(tpg)
            notes += chap_options.notes_of_tpg(tpg)
        made_up = False
        for acl in acls:
            if not listing.existing(acl):
                said = [f"Created Node ACL for {acl.wwn}"]
                self._made.append(CreateNodeAcl(acl, said=said))
            credentials, invented = chap_options.of_acl(self._lio, acl, chap)
            self._made += credentials
            notes += chap_options.notes_of_acl(self._lio, acl, chap)
            made_up = made_up or invented
        if made_up:
            self._notes.append(
                f"CHAP secrets were generated: '{_guide(acls)} show_secrets=true' shows them."
            )
        self._notes += notes

    def _lun(self, tpg: Tpg, exported: StorageObject) -> Lun:
        wanted = self.lun
        present = exporting_lun(self._lio, tpg, exported)
        if present is not None:
            if wanted not in (None, present.index):
                raise ConflictError(f"It is already LUN {present.index} there.", "Omit lun=.")
            return present
        place = Lun(tpg, free_lun(tpg, wanted))
        self._made.append(CreateLun(place, exported, said=[f"Created LUN {place.index}."]))
        return place

    def _mapping(self, acl: NodeAcl, lun: Lun, *, protect: bool) -> MappedLun:
        for mapped in listing.mapped_luns(acl):
            if listing.lun_of(mapped) == lun:
                self._made += self._protection(mapped)
                return mapped
        made = new_mapping(acl, lun, lun.index, protect)
        self._made.append(made)
        return made.place

    def _protection(self, mapped: MappedLun) -> list[Operation]:
        """Return the operation that makes a mapping read-only or writable, if it is requested."""
        wanted = self.readonly
        present = is_on(self._lio.kernel, f"{mapped.folder}/write_protect")
        if wanted is None or wanted == present:
            return []
        word = "read-only" if wanted else "writable"
        said = [f"Mapped LUN {mapped.index} of {mapped.acl.wwn} is now {word}."]
        return [Set(mapped, "write_protect", str(int(wanted)), said=said)]

    def _told(self, exported: StorageObject, lun: Lun, mapped: Sequence[MappedLun]) -> str:
        whom = ", ".join(f"{m.acl.wwn} (LUN {m.index})" for m in mapped)
        return f"{exported.path} is shared by {lun.tpg.target.wwn} to {whom}"

    def _data(
        self, exported: StorageObject, lun: Lun, mapped: Sequence[MappedLun]
    ) -> dict[str, Any]:
        return {
            "storage_object": exported.path,
            "target": lun.tpg.target.wwn,
            "lun": lun.path,
            "initiators": [{"wwn": m.acl.wwn, "lun": m.index} for m in mapped],
        }


def _portal(place: Portal) -> Operation:
    return CreatePortal(place, said=[f"Created network portal {place.address}:{place.port}."])


def _guide(acls: Sequence[NodeAcl]) -> str:
    """Return the command that prints the instructions for the first initiator's host."""
    first = acls[0]
    target = first.tpg.target
    alone = {*acls, *_acls_of(target)} == {first}
    return f"guide {target.wwn}" if alone else f"guide {target.wwn} {first.wwn}"


def _acls_of(target: Target) -> list[NodeAcl]:
    """Return the existing ACLs of a target."""
    return [acl for tpg in listing.tpgs(target) for acl in listing.node_acls(tpg)]


def initiator_named(lio: Lio, name: str) -> names.Normalised:
    """Return an iSCSI initiator's name, normalised.

    Raises UsageError, with a similar name if there is one.
    """
    try:
        return fabrics.fabric(ISCSI).normalise(name)
    except UsageError as error:
        known = dict.fromkeys(session.initiator for session in sessions.sessions(lio))
        for tpg in listing.all_tpgs(lio, ISCSI):
            known |= dict.fromkeys(acl.wwn for acl in listing.node_acls(tpg))
        if near := did_you_mean(name, known):
            raise UsageError(error.message, near) from error
        raise


def _new_storage_object(
    node: Node,
    device: str,
    name: str | None,
    size: int | None,
    identity: Mapping[str, Any],
    discard: bool | None,
) -> tuple[list[Operation], StorageObject, str]:
    """Return the operations that create a storage object, the object, and a note.

    With a size, an image file is created. Raises PyshellError.
    """
    machine = node.lio.machine
    chosen = name or names.storage_object_name(
        names.plain(os.path.basename(device.rstrip("/")), "a storage object's name")
    )
    block = node.get_node("/backstores/block")
    fileio = node.get_node("/backstores/fileio")
    assert isinstance(block, BlockNode)
    assert isinstance(fileio, FileioNode)
    path = os.path.abspath(os.path.expanduser(device))
    if machine.block_device(device) is not None:
        if size is not None:
            raise UsageError(f"{device} is a block device: it has its size.", "Omit size=.")
        if discard is None:
            discard = block.discards_unasked(device)
        found = block.ui_command_create(chosen, device, discard=discard, **identity)
    elif size is not None or machine.host_file(path).is_file():
        if discard is None:
            discard = fileio.discards_unasked(path)
        found = fileio.ui_command_create(chosen, path, size, discard=discard, **identity)
    else:
        refuse_image_among(node.lio, path)
        bare = nearest(node, device) or "'ls /backstores' shows storage objects."
        raise NotFoundError(
            f"{device} is not a block device, image file or storage object.",
            f"size=10G makes an image file {path}." if "/" in device else bare,
        )
    change = cast(Change, found)
    made = list(change.operations)
    if any(isinstance(operation, CreateImageFile) for operation in made):
        made[-1].said = [*made[-1].said, f"Its image file is {path}."]
    place = next(o.place for o in made if isinstance(o, CreateStorageObject))
    if discard:
        made[-1].said = [*made[-1].said, discard_note(device)]
    return made, place, change.note


def _refuse_other_size(lio: Lio, place: StorageObject, size: int) -> None:
    """Raise ConflictError if an existing storage object does not have the requested size."""
    found = storage_info.describe(lio, place).size
    if found is None or found == size:
        return
    grows = place.plugin == "fileio" and size > found
    raise ConflictError(
        f"{place.path} already exists and has {names.size_text(found)}.",
        f"'{place.path} resize size={_typed(size)}' grows it." if grows else "Omit size=.",
    )


def _refuse_other_identity(lio: Lio, place: StorageObject, identity: Mapping[str, Any]) -> None:
    """Raise ConflictError if initiators see another vendor, serial … than the requested one."""
    files = {**IDENTITY, "wwn": settings.SERIAL}
    wanted = {files[name]: value for name, value in identity.items() if value is not None}
    names_of = {file: name for name, file in files.items()}
    for file in wanted:
        if place.plugin not in storage_info.IDENTIFIED:
            name = names_of[file]
            raise UsageError(f"The device of {place.path} has its own {name}.", f"Omit {name}=.")
    for file, found in storage_info.other_identity(lio.kernel, place, wanted).items():
        name = names_of[file]
        if found is None:
            raise UsageError(f"This kernel cannot set the {name}.", f"Omit {name}=.")
        value = serial_argument(wanted[file]) if name == "wwn" else wanted[file]
        raise ConflictError(
            f"{place.path} already exists and has the {name} '{found}'.",
            f"Without LUNs, '{place.path} set wwn {argument(file[4:], value)}' changes it.",
        )


def _typed(size: int) -> str:
    """Return a size as it is typed, in the largest unit without a fraction."""
    for shift, unit in ((40, "T"), (30, "G"), (20, "M"), (10, "K")):
        if size and size % (1 << shift) == 0:
            return f"{size >> shift}{unit}"
    return str(size)
