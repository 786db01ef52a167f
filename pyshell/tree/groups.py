# SPDX-License-Identifier: Apache-2.0
"""Parameter groups, as `get` and `set` know them: attribute, parameter, auth, alua, global …"""

from __future__ import annotations

import contextlib
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyshell.errors import BusyError, NotFoundError, PyshellError, UsageError
from pyshell.lio import attributes, listing, sessions, settings
from pyshell.lio.attach import Lio
from pyshell.lio.attributes import UNEXPORTED, Attribute, boolean
from pyshell.lio.configfs import files, text_or_none
from pyshell.lio.identifiers import (
    AluaGroup,
    FabricPlace,
    Lun,
    MappedLun,
    NodeAcl,
    Place,
    StorageObject,
    Tpg,
)
from pyshell.lio.operations.base import Operation
from pyshell.lio.operations.mapping import SetLunAluaGroup, alua_group_name
from pyshell.lio.operations.setters import Set
from pyshell.lio.operations.targets import UseFabric
from pyshell.text import did_you_mean


@dataclass(frozen=True)
class Entry:
    """A parameter of a group."""

    name: str
    type: str
    help: str
    writable: bool = True
    secret: bool = False
    about: Attribute | None = None
    """Its row in the table of settings, None for what is pyshell's own."""


class Group(ABC):
    """A group of parameters of one node."""

    @abstractmethod
    def entries(self) -> dict[str, Entry]:
        """Return the parameters that are there, sorted by name."""

    @abstractmethod
    def read(self, name: str) -> str:
        """Return a parameter's value as text. Raises OSError where the kernel will not tell."""

    def word(self, name: str, value: str) -> str:
        """Return a value as it is shown."""
        return value

    def obstacle(self, entry: Entry) -> str:
        """Return why a writable parameter cannot be written now, "" where it can."""
        return ""

    def default(self, entry: Entry) -> str | None:
        """Return what a parameter has in a new object, None where nobody knows before."""
        return None if entry.about is None else entry.about.default_of("")

    @abstractmethod
    def change(self, name: str, value: str) -> Sequence[Operation]:
        """Return the operations that set a parameter. Raises UsageError."""

    def check(self, values: Mapping[str, str]) -> None:  # noqa: B027 - most groups take all
        """Raise UsageError for values that cannot be set together, or beside the present ones."""

    def remarks(self, values: Mapping[str, str]) -> Sequence[str]:
        """Return what to know of values that are set together: that they have no effect yet."""
        return ()

    def caution(self, name: str, value: str) -> str:
        """Return what to know of a parameter that has no effect here, or of a value that is weak.

        "" where there is nothing.
        """
        return ""


def entry_of(group: Group, group_name: str, name: str, *, sets: bool = False) -> Entry:
    """Return a group's parameter, which a command `sets` or reads. Raises NotFoundError."""
    entries = group.entries()
    found = entries.get(name)
    if found is None:
        raise NotFoundError(
            f"No parameter '{name}' in group '{group_name}'",
            did_you_mean(name, entries, f"'get {group_name}' shows them."),
            targetcli=f"{'Unknown' if sets else 'No'} parameter "
            + (
                f"{name} in group '{group_name}'." if sets else f"'{name}' in group '{group_name}'."
            ),
        )
    return found


def value_or_empty(group: Group, name: str) -> str:
    """Return a value, "" where the kernel will not tell it."""
    with contextlib.suppress(OSError):
        return group.read(name)
    return ""


def require_writable(entry: Entry) -> None:
    """Raise UsageError for a read-only parameter."""
    if not entry.writable:
        told = f"Parameter {entry.name} is read-only."
        raise UsageError(told, targetcli=told)


_MEMBER = re.compile(r"([^/]+)/([^/]+)/tpgt_(\d+)/lun_(\d+)")


class KernelGroup(Group):
    """The files of a folder (`attrib`, `param`) of one or several equal objects."""

    def __init__(
        self,
        lio: Lio,
        places: Sequence[Place],
        folder: str,
        kind: str,
    ) -> None:
        self._lio = lio
        self._places = places
        self._folder = folder
        self._kind = kind

    def entries(self) -> dict[str, Entry]:
        """Return the parameters that are there, sorted by name."""
        every, writable = settings.names_in(self._places[0].folder, self._folder)
        rows = ((attributes.row(self._kind, name), name in writable) for name in every)
        return {row.name: _entry(row, writable) for row, writable in rows}

    def read(self, name: str) -> str:
        """Return the value that the kernel holds now."""
        return settings.read(self._lio.kernel, self._places[0].folder, f"{self._folder}/{name}")

    def default(self, entry: Entry) -> str | None:
        """Return what a new object of this backstore or fabric has."""
        return entry.about.default_of(self._places[0].owner) if entry.about else None

    def obstacle(self, entry: Entry) -> str:
        """Tell where a LUN keeps a setting of its storage object as it is."""
        if entry.about is None or entry.about.write != UNEXPORTED:
            return ""
        exported = [p for p in self._places if _exported(self._lio, p)]
        return "not while a LUN exports it" if exported else ""

    def change(self, name: str, value: str) -> Sequence[Operation]:
        """Return operations that write it to each object.

        Raises UsageError for a value that it cannot take, BusyError where a LUN is in the way.
        """
        row = attributes.row(self._kind, name)
        wanted = row.check(value, self.read)
        if wanted != self.read_or_none(name):
            if row.write == "fixed":
                raise UsageError(f"{name} is the backstore's own and cannot be changed.")
            self._refuse_exported(row)
        return [Set(place, f"{self._folder}/{name}", wanted) for place in self._places]

    def caution(self, name: str, value: str) -> str:
        """Return what to know of a parameter that the fabric does not mind."""
        place = self._places[0]
        return place.target.fabric.caution(name) if isinstance(place, Tpg) else ""

    def read_or_none(self, name: str) -> str | None:
        """Return the value that the kernel holds now, None where it does not tell."""
        try:
            return self.read(name)
        except OSError:
            return None

    def _refuse_exported(self, row: Attribute) -> None:
        if row.write != UNEXPORTED:
            return
        for place in self._places:
            if isinstance(place, StorageObject) and _exported(self._lio, place):
                paths = ", ".join(lun.path for lun in listing.luns_of(self._lio, place))
                raise BusyError(
                    f"{row.name} of {place} cannot change while a LUN exports it ({paths}).",
                    "Delete the LUN, set it, and create the LUN again.",
                )


def _entry(row: Attribute, writable: bool) -> Entry:
    return Entry(row.name, _type(row), row.text, writable, about=row)


def _type(row: Attribute) -> str:
    """Return the kind of a setting's values, in targetcli's word where it has another."""
    return "string" if row.type == "text" else row.type


def _exported(lio: Lio, place: Place) -> bool:
    return isinstance(place, StorageObject) and listing.is_exported(lio, place)


class AuthGroup(Group):
    """CHAP names and secrets of a TPG or ACL, or those for discovery of a fabric."""

    def __init__(self, lio: Lio, places: Sequence[Place | FabricPlace], folder: str) -> None:
        self._lio = lio
        self._places = places
        self._folder = folder

    def entries(self) -> dict[str, Entry]:
        """Return the CHAP settings, and for discovery whether they are enforced."""
        names = [*settings.AUTH_FILES, *(["enable"] if self._folder == "discovery_auth" else [])]
        rows = [attributes.row("auth", name) for name in sorted(names)]
        return {
            row.name: Entry(
                row.name, _type(row), row.text, secret=row.name.endswith("password"), about=row
            )
            for row in rows
        }

    def read(self, name: str) -> str:
        """Return the value that the kernel holds, "" where it holds none."""
        folder = self._places[0].folder
        if not os.path.isdir(folder):
            return "0" if name == "enable" else ""
        return settings.read(self._lio.kernel, folder, self._file(name))

    def word(self, name: str, value: str) -> str:
        """Return whether discovery is guarded in targetcli's words."""
        return str(value == "1") if name == "enable" else value

    def change(self, name: str, value: str) -> Sequence[Operation]:
        """Return operations that write it to each object."""
        if name == "enable":
            value = "1" if boolean(value) else "0"
        else:
            settings.check_auth(name, value)
        made: list[Operation] = []
        for place in self._places:
            if isinstance(place, FabricPlace):
                made.append(UseFabric(place.fabric))  # it has a folder only once it is in use
            made.append(Set(place, self._file(name), value))
        return made

    def caution(self, name: str, value: str) -> str:
        """Return what speaks against a secret that many initiators refuse."""
        told = settings.secret_caution(value) if name.endswith("password") else ""
        return f"The {name} {told}" if told else ""

    def check(self, values: Mapping[str, str]) -> None:
        """Refuse the same secret for both directions, of each object as it will be."""
        for place in self._places:
            secrets = [self._later(place, name, values) for name in ("password", "mutual_password")]
            settings.refuse_equal_secrets(*secrets)

    def remarks(self, values: Mapping[str, str]) -> Sequence[str]:
        """Return whether the credentials have no effect, as nobody is asked for them."""
        place = self._places[0]
        userid = self._later(place, "userid", values)
        if isinstance(place, FabricPlace):
            if self._later(place, "enable", values) in ("1", "True", "true") and not userid:
                return [
                    f"{place} asks for CHAP at discovery, and has no userid: no one can log in."
                ]
            return ()
        given = any(values.get(name) for name in settings.AUTH_FILES)
        if not given or not isinstance(place, Tpg | NodeAcl):
            return ()
        tpg = place if isinstance(place, Tpg) else place.tpg
        asks = text_or_none(self._lio.kernel, f"{tpg.folder}/attrib/authentication") == "1"
        if isinstance(place, NodeAcl):
            asks = sessions.asks_for_chap(self._lio, place)
        if asks:
            return ()
        command = f"{tpg.path} set attribute authentication=1"
        return [f"The credentials have no effect: CHAP is off. '{command}' turns it on."]

    def _later(self, place: Place | FabricPlace, name: str, values: Mapping[str, str]) -> str:
        """Return a setting as it will be."""
        if name in values:
            return values[name]
        found = text_or_none(self._lio.kernel, f"{place.folder}/{self._file(name)}") or ""
        return "" if found.startswith("NULL") else found

    def _file(self, name: str) -> str:
        own = "enforce_discovery_auth" if name == "enable" else settings.AUTH_FILES[name]
        return f"{self._folder}/{own}"


class AluaGroupSettings(Group):
    """The settings of an ALUA group, which lie in its own folder.

    What rtslib's saved form has no place for is shown only, so that nothing set here is lost.
    """

    def __init__(self, lio: Lio, place: AluaGroup) -> None:
        self._lio = lio
        self._place = place

    def entries(self) -> dict[str, Entry]:
        """Return the settings that can be read."""
        writable = files(self._place.folder, readable=True, writable=True)
        return {
            name: _entry(
                attributes.row("alua_group", name),
                name in writable and name in settings.ALUA_FILES,
            )
            for name in files(self._place.folder, readable=True)
        }

    def read(self, name: str) -> str:
        """Return the value that the kernel holds now."""
        return settings.read(self._lio.kernel, self._place.folder, name)

    def word(self, name: str, value: str) -> str:
        """Return the members in targetcli's form; the kernel ends each with a NUL."""
        if name != "members":
            return value
        found = (_MEMBER.fullmatch(line.strip("\0")) for line in value.split("\n"))
        return str(
            [
                {"driver": m[1], "target": m[2], "tpgt": int(m[3]), "lun": int(m[4])}
                for m in found
                if m is not None
            ]
        )

    def change(self, name: str, value: str) -> Sequence[Operation]:
        """Return the operation that writes it. Raises UsageError."""
        wanted = attributes.row("alua_group", name).check(value, self.read)
        return [Set(self._place, name, wanted)]


class LunAluaGroup(Group):
    """The ALUA group of a LUN."""

    _NAME = "alua_tg_pt_gp_name"

    def __init__(self, lio: Lio, place: Lun) -> None:
        self._lio = lio
        self._place = place

    def entries(self) -> dict[str, Entry]:
        """Return the one parameter."""
        return {self._NAME: _entry(attributes.row("lun_alua", self._NAME), writable=True)}

    def read(self, name: str) -> str:
        """Return the group's name."""
        return alua_group_name(self._lio, self._place) or ""

    def obstacle(self, entry: Entry) -> str:
        """Tell where the backstore has no groups."""
        return "" if self.read(entry.name) else "its backstore has no ALUA groups"

    def change(self, name: str, value: str) -> Sequence[Operation]:
        """Return the operation that puts the LUN into a group. Raises PyshellError."""
        row = attributes.row("lun_alua", name)
        wanted = row.check(value, self.read)
        if not self.read(name):
            raise PyshellError(
                f"{self._place} has no ALUA groups: its backstore does not support them."
            )
        exported = listing.storage_object_of(self._place)
        if exported is None or not listing.existing(AluaGroup(exported, wanted)):
            raise NotFoundError(
                f"{exported or self._place} has no ALUA group {wanted}.",
                f"'ls {exported.path}/alua' shows them." if exported else "",
            )
        return [SetLunAluaGroup(self._place, wanted)]


class MappedLunSettings(Group):
    """The settings of a mapped LUN, or of those of all ACLs with one tag."""

    _NAME = "write_protect"

    def __init__(self, lio: Lio, places: Sequence[MappedLun]) -> None:
        self._lio = lio
        self._places = places

    def entries(self) -> dict[str, Entry]:
        """Return the one parameter."""
        return {self._NAME: _entry(attributes.row("mapped_lun", self._NAME), writable=True)}

    def read(self, name: str) -> str:
        """Return the value that the kernel holds now."""
        return settings.read(self._lio.kernel, self._places[0].folder, name)

    def change(self, name: str, value: str) -> Sequence[Operation]:
        """Return the operations that write it, while initiators are logged in, too."""
        wanted = attributes.row("mapped_lun", name).check(value, self.read)
        return [Set(place, name, wanted) for place in self._places]
