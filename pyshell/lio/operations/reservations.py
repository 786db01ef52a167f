# SPDX-License-Identifier: Apache-2.0
"""SCSI reservations of storage objects: who holds one, and who is registered.

Read from the files in `pr/` (Linux 6.1 and 6.12, target_core_configfs.c). The kernel does not
report the target port of a registration, only that of the holder's, and lists at most a page of
them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyshell.errors import ConflictError, PyshellError
from pyshell.expressions import expression
from pyshell.files import reading, writing
from pyshell.lio import Lio, listing, storage_info
from pyshell.lio.configfs import is_on, text_or_none
from pyshell.lio.identifiers import Lun, MappedLun, NodeAcl, StorageObject, Target
from pyshell.lio.operations.base import Deletion, Foreseen, Operation, must_exist
from pyshell.lio.operations.mapping import DeleteLun, UnmapLun
from pyshell.lio.operations.storage import CreateStorageObject
from pyshell.lio.sessions import Session
from pyshell.text import listed

_SHOWN = 3
"""How many holders a sentence names."""
SPC2 = "SPC-2"
"""The type of a reservation by RESERVE, which ends with its session."""
_ALL_REGISTRANTS = "All Registrants"
_FOR_REGISTERED = (_ALL_REGISTRANTS, "Registrants Only")
_HOLDER = expression(
    r"(SPC-[23]) Reservation: \S+ Initiator: (.*?)(?:,i,0x([0-9a-f]*))?\n?", re.DOTALL
)
_PORT = expression(
    r"Target Node Endpoint: (.*)\n.*Portal Group Tag: (\d+) .*Logical Unit: (\d+)", re.DOTALL
)
_GENERATION = expression(r"(0x[0-9a-f]{1,8})\b")
_REGISTRATION = expression(
    r"^\S+ Node: (.*?)(?:,i,0x([0-9a-f]*))? Key: (0x[0-9a-f]+) PRgen: 0x[0-9a-f]+$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class InitiatorPort:
    """An initiator, and on iSCSI the id of its session (ISID), else ""."""

    initiator: str
    isid: str = ""


@dataclass(frozen=True)
class Registration(InitiatorPort):
    """An initiator port that is registered for persistent reservations."""

    key: str = ""
    """Its reservation key, as 0x and 16 hexadecimal digits."""


@dataclass(frozen=True)
class Reservations:
    """The reservation of a storage object, if any, and the registrations."""

    holder: InitiatorPort | None = None
    type: str = ""
    """The kernel's name of the type, `SPC2`, or "" if there is no reservation."""
    target: str = ""
    """WWN of the target through which the holder registered, with TPG and LUN."""
    tpg: int = 0
    lun: int = 0
    generation: int = 0
    """PRGENERATION: counts registrations, preemptions and clears."""
    aptpl: bool = False
    """Whether the kernel stores the registrations in a file, so that they survive a restart."""
    registrations: tuple[Registration, ...] = ()

    @property
    def holders(self) -> Collection[InitiatorPort]:
        """Return the initiator ports that hold the reservation: of some types, all registered."""
        if self.holder is None:
            return []
        everyone = self.registrations if self.type.endswith(_ALL_REGISTRANTS) else ()
        return everyone or [self.holder]

    @property
    def names(self) -> list[str]:
        """Return the names of the initiators that hold the reservation."""
        return list(dict.fromkeys(one.initiator for one in self.holders))

    @property
    def names_text(self) -> str:
        """Return the names of the holders, as part of a sentence."""
        return listed(self.names, _SHOWN)

    @property
    def admits_registered(self) -> bool:
        """Return whether all registered initiators can write, not only the holder."""
        return self.type.endswith(_FOR_REGISTERED)

    def is_holder(self, session: Session) -> bool:
        """Return whether the initiator of a session holds the reservation."""
        return any(_is_of(session, one) for one in self.holders)

    def key_of(self, session: Session) -> str:
        """Return the key with which the initiator of a session is registered, "" if it is not."""
        return next((one.key for one in self.registrations if _is_of(session, one)), "")


def read(lio: Lio, place: StorageObject) -> Reservations | None:
    """Return the reservations of a storage object, None if the kernel does not manage them.

    Its device does for pscsi, and nobody if `emulate_pr` is off.
    """
    with lio.kernel.within(f"{place.folder}/pr") as text_of:
        try:
            return _parsed(*(text_of(f"res_{name}") for name in _FILES))
        except OSError:
            return None


_FILES = (
    "holder", "pr_type", "pr_holder_tg_port", "pr_generation", "aptpl_active",
    "pr_registered_i_pts",
)  # fmt: skip


def _parsed(
    holder: str, kind: str, port: str, generation: str, aptpl: str, registered: str
) -> Reservations | None:
    if not aptpl:
        return None
    held = _HOLDER.fullmatch(holder)
    at = _PORT.search(port)
    return Reservations(
        holder=InitiatorPort(held[2], held[3] or "") if held else None,
        type="" if not held else SPC2 if held[1] == SPC2 else kind.partition(": ")[2].strip(),
        target=at[1].strip() if at else "",
        tpg=int(at[2]) if at else 0,
        lun=int(at[3]) if at else 0,
        generation=int(counted[1], 16) if (counted := _GENERATION.match(generation)) else 0,
        aptpl="Activated" in aptpl,
        registrations=tuple(
            Registration(one[1], one[2] or "", one[3]) for one in _REGISTRATION.finditer(registered)
        ),
    )


def restore(lio: Lio, place: StorageObject) -> None:
    """Restore the registrations that the kernel stored for a new storage object, if any.

    Raises PyshellError if they are damaged: without them, a fenced initiator could write.
    """
    file = _file(lio, place)
    if file is None or not os.path.isfile(file):
        return
    try:
        found = stored_in(file)
    except ValueError as error:
        raise PyshellError(
            f"Cannot restore the persistent reservations of {place} from {file}: {error}.",
            "Move that file away to create the storage object without them.",
        ) from None
    for one in found:
        _, *fields, _ = one.lines.rstrip("\n").split("\n")
        lio.kernel.write(f"{place.folder}/pr/res_aptpl_metadata", ",".join(fields))


def _text(file: Path) -> str:
    return reading.read(file).data.decode("utf-8", "surrogateescape")


def as_data(found: Reservations) -> dict[str, Any]:
    """Return reservations for JSON."""
    port = {"target": found.target, "tpg": found.tpg, "lun": found.lun} if found.target else None
    return {
        "type": found.type or None,
        "holders": [{"initiator": one.initiator, "isid": one.isid} for one in found.holders],
        "port": port,
        "registrations": [
            {"initiator": one.initiator, "isid": one.isid, "key": one.key}
            for one in found.registrations
        ],
        "generation": found.generation,
        "aptpl": found.aptpl,
    }


def _is_of(session: Session, port: InitiatorPort) -> bool:
    """Return whether a session is of an initiator port.

    An initiator that logs in again with another ISID, as after its restart, is not registered; the
    kernel keeps no ISID if `enforce_pr_isids` is off.
    """
    own = session.initiator if session.acl is None else kernel_name(session.acl)
    if own.lower() != port.initiator.lower():
        return False
    return not (session.isid and port.isid) or session.isid == port.isid


def kernel_name(place: NodeAcl | Target) -> str:
    """Return a WWN as the kernel spells it, in lower case."""
    return os.path.basename(place.folder).lower()


def held(lio: Lio, places: Iterable[StorageObject]) -> dict[StorageObject, Reservations]:
    """Return the persistent reservations of storage objects that have one."""
    found = {}
    for place in places:
        if (text_or_none(lio.kernel, f"{place.folder}/pr/res_holder") or "").startswith("SPC-3"):
            reserved = read(lio, place)
            if reserved is not None and reserved.holder is not None:
                found[place] = reserved
    return found


def dropped(lio: Lio, operations: Iterable[Operation]) -> list[str]:
    """Return the reservations that the kernel drops with what operations delete, for a sentence.

    It drops one with the storage object, and with the LUN or mapped LUN through which its holder
    registered. That of All Registrants ends with the last of them.
    """
    operations = list(operations)
    gone: dict[StorageObject, set[tuple[_Port, str] | None]] = {}
    again = [o.arguments.get("wwn") for o in operations if isinstance(o, CreateStorageObject)]
    for operation in operations:
        if isinstance(operation, DropStoredRegistrations):
            return []  # clear_reservation reports it
        if isinstance(operation, Deletion) and isinstance(operation.place, StorageObject):
            gone.setdefault(operation.place, set()).add(None)
        elif isinstance(operation, DeleteLun | UnmapLun):
            lun = operation.place if isinstance(operation, DeleteLun) else None
            name = ""
            if isinstance(operation, UnmapLun):
                lun, name = listing.lun_of(operation.place), kernel_name(operation.place.acl)
            exported = listing.storage_object_of(lun) if lun is not None else None
            if lun is not None and exported is not None:
                gone.setdefault(exported, set()).add((_port(lun), name))
    stored = {
        place: _RESTORED if storage_info.serial(lio.kernel, place) in again else _STORED
        for place in gone
    }
    return [
        f"{_described(place, found)}{stored[place] if found.aptpl else ''}"
        for place, found in held(lio, gone).items()
        if gone[place] & _ends_with(found)
    ]


_RESTORED = "; it is stored, and restored with the storage object"
_STORED = "; it is stored, and restored when the storage object is created again"


def restored(
    before: Collection[StorageObject], after: Mapping[StorageObject, Reservations]
) -> list[str]:
    """Return the reservations that storage objects have now and did not have before."""
    known = {place.path for place in before}
    return [_described(place, found) for place, found in after.items() if place.path not in known]


def _described(place: StorageObject, found: Reservations) -> str:
    return f"the reservation of {place.plugin}/{place.name} held by {found.names_text}"


def _ends_with(found: Reservations) -> set[tuple[_Port, str] | None]:
    """Return what ends a reservation: None is the storage object, "" any initiator."""
    if found.holder is None or found.type.endswith(_ALL_REGISTRANTS):
        return {None}
    port = (found.target.lower(), found.tpg, found.lun)
    return {None, (port, ""), (port, found.holder.initiator.lower())}


@dataclass
class DropStoredRegistrations(Operation):
    """Remove registrations from the file from which they would be restored."""

    place: StorageObject
    luns: Sequence[Lun]
    """Those of all initiators through these LUNs."""
    mapped: Sequence[MappedLun]
    """Those of the initiators of these mapped LUNs, through their LUN."""
    every: bool
    """All, whatever they came through."""
    told: str
    """What that is for: what is cleared, for a question and a dry run."""

    @property
    def effect(self) -> str:
        return f"clears {self.told}"

    def step(self) -> str:
        return f"clear {self.told}"

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        must_exist(foreseen, self.place)

    def do(self, lio: Lio) -> Operation | None:
        registered = _registered(lio, self.place)
        return StoreRegistrations(self.place, registered, self._remove_stored(lio))

    def _remove_stored(self, lio: Lio) -> str | None:
        """Return what the file contained, None if it is unchanged."""
        file = _file(lio, self.place)
        if file is None or not os.path.isfile(file):
            return None
        before = _text(file)
        try:
            after = stored_without(before, self._drops())
        except ValueError:
            return None  # damaged: the kernel replaces it, and a restore reports it
        if after == before:
            return None
        writing.replace(file, after.encode("utf-8", "surrogateescape"))
        return before

    def _drops(self) -> Callable[[Stored], bool]:
        whole = {_port(lun) for lun in self.luns}
        own = {
            (_port(lun), kernel_name(one.acl))
            for one in self.mapped
            if (lun := listing.lun_of(one)) is not None
        }
        return lambda one: self.every or one.port in whole or (one.port, one.initiator) in own


@dataclass
class StoreRegistrations(Operation):
    """Write back the file with the registrations, unless the kernel has dropped one meanwhile."""

    place: StorageObject
    registered: Sequence[Registration] | None = None
    """Those that the kernel had."""
    stored: str | None = None
    """What the file had, None if it was not changed."""

    def step(self) -> str:
        return f"restore the reservation and registrations of {self.place}"

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        """Refuse to undo a finished command: it has dropped a registration."""
        raise ConflictError(
            f"only the initiators can restore a reservation or registration of {self.place}"
        )

    def do(self, lio: Lio) -> Operation | None:
        # A LUN that is created again has none, and nobody but the initiator can register again.
        if _registered(lio, self.place) != self.registered:
            raise ConflictError("the kernel dropped them with the LUN")
        if self.stored is not None and (file := _file(lio, self.place)):
            writing.replace(file, self.stored.encode("utf-8", "surrogateescape"))
        return None


def _registered(lio: Lio, place: StorageObject) -> Sequence[Registration] | None:
    found = read(lio, place)
    return None if found is None else found.registrations


def _file(lio: Lio, place: StorageObject) -> Path | None:
    return file_of(lio, storage_info.serial(lio.kernel, place))


def file_of(lio: Lio, serial: str) -> Path | None:
    """Return the file with the registrations, None if the serial number is no part of a name."""
    return None if "/" in serial else lio.dbroot_folder("pr") / f"aptpl_{serial}"


_Port = tuple[str, int, int]
"""A target's WWN, a TPG's tag and a LUN's number."""
_NONE_STORED = "No Registrations or Reservations"
"""What the kernel writes if there is no registration."""
_RECORD = expression(
    r"PR_REG_START: .*?\ntarget_lun=([0-9]+)\nPR_REG_END: [0-9]+(?:\n|\Z)", re.DOTALL
)
_FIELDS = expression(
    r"\ninitiator_node=(.*?)\n(?:initiator_sid|sa_res_key)=.*\ntarget_node=(.*?)\ntpgt=([0-9]+)\n",
    re.DOTALL,
)


@dataclass(frozen=True)
class Stored:
    """A registration in a file of the kernel, with the lines that hold it."""

    lines: str
    initiator: str
    port: _Port


def stored_in(file: Path) -> list[Stored]:
    """Return the registrations in a file of the kernel, as `stored` does. Raises PyshellError."""
    return stored(_text(file))


def stored(text: str) -> list[Stored]:
    """Return the registrations in a file of the kernel. Raises ValueError if it is damaged.

    An empty file has none: the kernel does not sync it, and a power failure may empty it.
    """
    found = list(_RECORD.finditer(text))
    fields = [_FIELDS.search(one[0]) for one in found]
    known = "".join(one[0] for one in found).rstrip("\n") if found else _NONE_STORED
    if None in fields or text.rstrip("\0\n") not in (known, ""):
        raise ValueError("a registration in it is not complete")
    return [
        Stored(one[0], at[1].lower(), (at[2].lower(), int(at[3]), int(one[1])))
        for one, at in zip(found, fields, strict=True)
        if at is not None
    ]


def stored_without(text: str, drops: Callable[[Stored], bool]) -> str:
    """Return the text of such a file without some registrations; `text` if unchanged.

    Raises ValueError.
    """
    found = stored(text)
    kept = [one.lines for one in found if not drops(one)]
    if len(kept) == len(found):
        return text
    return f"{''.join(kept) or f'{_NONE_STORED}{chr(10)}'}\0"


def _port(lun: Lun) -> _Port:
    return kernel_name(lun.tpg.target), lun.tpg.tag, lun.index


@dataclass(frozen=True)
class Renewal:
    """What is deleted and created again, so that the kernel drops registrations through it."""

    luns: Sequence[Lun]
    mapped: Sequence[MappedLun]

    def operations(
        self, lio: Lio, place: StorageObject, told: str, *, every: bool
    ) -> list[Operation]:
        """Return the operations; `told` is what is cleared, for a question."""
        made: list[Operation] = [
            DropStoredRegistrations(place, self.luns, self.mapped, every, told)
        ]
        parts: list[list[Deletion]] = [
            [*map(UnmapLun, listing.mappings_of(lun)), DeleteLun(lun)] for lun in self.luns
        ]
        parts += [[UnmapLun(one)] for one in self.mapped]
        for deletions in parts:
            again = [one for deletion in reversed(deletions) for one in deletion.again(lio)]
            made += [*deletions, *again]
        return made


def renewal(lio: Lio, place: StorageObject, found: Reservations, *, every: bool) -> Renewal:
    """Return what clears the reservation, or with `every` all registrations.

    These are the mapped LUNs of the initiators, or, if one has no ACL (demo mode), whole LUNs. The
    kernel tells through which LUN a single holder registered, but not through which LUN others did.
    Raises ConflictError if nothing fits.
    """
    names = {one.initiator.lower() for one in (found.registrations if every else found.holders)}
    luns = listing.luns_of(lio, place)
    at = (found.target.lower(), found.tpg, found.lun)
    single = not every and len(found.holders) == 1
    known = [lun for lun in luns if single and _port(lun) == at]
    acls = {lun: set(map(kernel_name, listing.node_acls(lun.tpg))) for lun in luns}
    demo = [lun for lun in luns if is_on(lio.kernel, f"{lun.tpg.folder}/attrib/generate_node_acls")]
    if known:
        whole = [lun for lun in known if not names <= acls[lun]]
    else:
        whole = [] if names <= set().union(*acls.values()) else demo or luns
    mapped = [
        one
        for lun in known or luns
        if lun not in whole
        for one in listing.mappings_of(lun)
        if every or kernel_name(one.acl) in names
    ]
    if not whole and not mapped:
        raise ConflictError(
            f"Cannot find the LUN through which {found.names_text} registered with {place}.",
            "Delete the LUNs of the storage object and create them again.",
        )
    return Renewal(whole, mapped)
