# SPDX-License-Identifier: Apache-2.0
"""SCSI reservations of storage objects: who holds one, and who is registered.

Read from the files in `pr/` (Linux 6.1 and 6.12, target_core_configfs.c). The kernel does not
report the target port of a registration, only that of the holder's, and lists at most a page of
them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyshell.files import reading, writing
from pyshell.lio import Lio, listing, storage_info
from pyshell.lio.configfs import is_on
from pyshell.lio.identifiers import Lun, NodeAcl, StorageObject, Target
from pyshell.lio.operations.base import Deletion, Foreseen, Operation, must_exist
from pyshell.lio.operations.mapping import DeleteLun, UnmapLun
from pyshell.lio.sessions import Session
from pyshell.text import listed

_SHOWN = 3
"""How many holders a sentence names."""
SPC2 = "SPC-2"
"""The type of a reservation by RESERVE, which ends with its session."""
_ALL_REGISTRANTS = "All Registrants"
_FOR_REGISTERED = (_ALL_REGISTRANTS, "Registrants Only")
_HOLDER = re.compile(
    r"(SPC-[23]) Reservation: \S+ Initiator: (.*?)(?:,i,0x([0-9a-f]*))?\n?", re.DOTALL
)
_PORT = re.compile(
    r"Target Node Endpoint: (.*)\n.*Portal Group Tag: (\d+) .*Logical Unit: (\d+)", re.DOTALL
)
_REGISTRATION = re.compile(
    r"^\S+ Node: (.*?)(?:,i,0x([0-9a-f]*))? Key: (0x[0-9a-f]+) PRgen: 0x[0-9a-f]+$",
    re.MULTILINE,
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
        if self.type.endswith(_ALL_REGISTRANTS):
            return self.registrations
        return [self.holder] if self.holder is not None else []

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
        generation=int(generation, 16),
        aptpl="Activated" in aptpl,
        registrations=tuple(
            Registration(one[1], one[2] or "", one[3]) for one in _REGISTRATION.finditer(registered)
        ),
    )


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


def ports(lio: Lio, place: StorageObject, found: Reservations, *, every: bool) -> list[Lun]:
    """Return the LUNs through which the holders registered, or may have: only a holder's is known.

    With `every`, those of all registrations.
    """
    luns = listing.luns_of(lio, place)
    if every or len(found.holders) != 1:
        return luns
    at = (found.target.lower(), found.tpg, found.lun)
    return [lun for lun in luns if (kernel_name(lun.tpg.target), lun.tpg.tag, lun.index) == at]


@dataclass
class DropStoredRegistrations(Operation):
    """Remove registrations from the file from which they would be restored."""

    place: StorageObject
    names: Sequence[str] | None
    """The initiators, None for all."""
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
        file = _file(lio, self.place)
        if file is None or not file.is_file():
            return None
        before = reading.read(file).data.decode("utf-8", "surrogateescape")
        try:
            after = stored_without(before, self.names)
        except ValueError:
            after = before  # damaged: the kernel replaces it, and a restore reports it
        if after == before:
            return None
        writing.replace(file, after.encode("utf-8", "surrogateescape"))
        return StoreRegistrations(self.place, before)


@dataclass
class StoreRegistrations(Operation):
    """Write back the file with the registrations."""

    place: StorageObject
    text: str

    def step(self) -> str:
        return f"restore the registrations of {self.place}"

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        must_exist(foreseen, self.place)

    def do(self, lio: Lio) -> Operation | None:
        if file := _file(lio, self.place):
            writing.replace(file, self.text.encode("utf-8", "surrogateescape"))
        return None


def _file(lio: Lio, place: StorageObject) -> Path | None:
    """Return the file with the registrations, None if the serial number is no part of a name."""
    serial = storage_info.serial(lio.kernel, place)
    return None if "/" in serial else lio.dbroot_folder("pr") / f"aptpl_{serial}"


_NONE_STORED = "No Registrations or Reservations"
"""What the kernel writes if there is no registration."""
_RECORD = re.compile(r"PR_REG_START: .*?\nPR_REG_END: [0-9]+(?:\n|\Z)", re.DOTALL)
_NODE = re.compile(r"^initiator_node=(.*)$", re.MULTILINE)


def stored(text: str) -> list[str]:
    """Return the registrations in a file of the kernel. Raises ValueError if it is damaged.

    An empty file has none: the kernel does not sync it, and a power failure may empty it.
    """
    found = _RECORD.findall(text)
    known = "".join(found).rstrip("\n") if found else _NONE_STORED
    if text.rstrip("\0\n") not in (known, ""):
        raise ValueError("a registration in it is not complete")
    return found


def stored_without(text: str, names: Collection[str] | None) -> str:
    """Return the text of such a file without some initiators, None for all; `text` if unchanged.

    Raises ValueError.
    """
    found = stored(text)
    kept = [one for one in found if names is not None and _initiator(one) not in names]
    if len(kept) == len(found):
        return text
    return f"{''.join(kept) or f'{_NONE_STORED}{chr(10)}'}\0"


def _initiator(record: str) -> str:
    found = _NODE.search(record)
    return found[1] if found else ""


def clear(
    lio: Lio, place: StorageObject, found: Reservations, told: str, *, every: bool
) -> list[Operation]:
    """Return operations that clear the reservation, with `every` also all registrations.

    `told` is what is cleared, for a question.
    """
    names = {one.initiator.lower() for one in (found.registrations if every else found.holders)}
    made: list[Operation] = []
    for lun in ports(lio, place, found, every=every):
        made += _renewed(lio, lun, names)
    everyone = every or any(isinstance(one, DeleteLun) for one in made)
    return [DropStoredRegistrations(place, None if everyone else found.names, told), *made]


def _renewed(lio: Lio, lun: Lun, names: Collection[str]) -> list[Operation]:
    """Return operations that delete and create again what initiators registered through.

    That is their mapped LUNs; if one of them has no ACL (demo mode), the LUN.
    """
    acls = {kernel_name(acl) for acl in listing.node_acls(lun.tpg)}
    admits = is_on(lio.kernel, f"{lun.tpg.folder}/attrib/generate_node_acls")
    whole = admits and not acls.issuperset(names)
    deletions: list[Deletion] = [
        UnmapLun(one) for one in listing.mappings_of(lun) if whole or kernel_name(one.acl) in names
    ]
    deletions += [DeleteLun(lun)] if whole else []
    again = [one for deletion in reversed(deletions) for one in deletion.again(lio)]
    return [*deletions, *again]
