# SPDX-License-Identifier: Apache-2.0
"""Parameter groups, as `get` and `set` know them: attribute, parameter, auth, alua, global …"""

from __future__ import annotations

import contextlib
import os
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyshell.errors import NotFoundError, PyshellError, UsageError
from pyshell.expressions import expression
from pyshell.lio import Lio, listing, operations, settings
from pyshell.lio.configfs import text_or_none
from pyshell.lio.fabrics import Fabric
from pyshell.lio.identifiers import (
    AluaGroup,
    FabricPlace,
    Identifier,
    Lun,
    MappedLun,
    NodeAcl,
    StorageObject,
    Tpg,
)
from pyshell.lio.settings import UNEXPORTED, Attribute, boolean
from pyshell.text import did_you_mean, joined
from pyshell.tree.preferences import GLOBAL, PREFERENCES, text

if TYPE_CHECKING:
    from pyshell.lio.operations.base import Operation
    from pyshell.tree.node import Context, Node


@dataclass(frozen=True)
class Entry:
    """A parameter of a group."""

    name: str
    type: str
    help: str
    writable: bool = True
    secret: bool = False
    about: Attribute | None = None
    """Its row in the table of settings, None for pyshell's own."""
    choices: Mapping[str, str] = field(default_factory=dict)
    """Values and their meanings, for completion."""


class Group(ABC):
    """A group of parameters."""

    @abstractmethod
    def entries(self) -> dict[str, Entry]:
        """Return the existing parameters, sorted by name."""

    @abstractmethod
    def read(self, name: str) -> str:
        """Return a value as text. Raises OSError if it cannot be read."""

    def word(self, name: str, value: str) -> str:
        """Return a value as it is shown."""
        return value

    def data(self, name: str, word: str) -> Any:
        """Return a value for JSON, of which `word` is the text."""
        return word

    def obstacle(self, entry: Entry) -> str:
        """Return why a writable parameter cannot be set now, "" if it can."""
        return ""

    def default(self, entry: Entry) -> str | None:
        """Return the value in a new object, None if it is not known beforehand."""
        return None if entry.about is None else entry.about.default_of("")


class PreferenceGroup(Group):
    """The user's preferences."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def entries(self) -> dict[str, Entry]:
        return {
            p.name: Entry(p.name, p.type, p.help, choices=dict.fromkeys(p.kind.choices, ""))
            for p in PREFERENCES.values()
        }

    def read(self, name: str) -> str:
        return text(self.data(name, ""))

    def data(self, name: str, word: str) -> Any:
        return self._context.preference(name)

    def default(self, entry: Entry) -> str | None:
        return text(PREFERENCES[entry.name].default)


class SettingsGroup(Group):
    """A group of parameters of one node."""

    @abstractmethod
    def change(self, name: str, value: str) -> Sequence[Operation]:
        """Return the operations that set a parameter. Raises UsageError."""

    def check(self, values: Mapping[str, str]) -> None:
        """Raise UsageError for values that contradict each other or current ones."""

    def remarks(self, values: Mapping[str, str]) -> Sequence[str]:
        """Return remarks on values that are set together, such as that they have no effect."""
        return ()

    def caution(self, name: str, value: str) -> str:
        """Return a warning about a parameter without effect or a weak value, "" for none."""
        return ""


def groups_of(node: Node) -> dict[str, Group]:
    """Return the groups of a node by name, the preferences first."""
    return {GLOBAL: PreferenceGroup(node.context), **node.groups()}


def entry_of(group: Group, group_name: str, name: str, *, sets: bool = False) -> Entry:
    """Return a group's parameter, which a command `sets` or reads. Raises NotFoundError."""
    entries = group.entries()
    found = entries.get(name)
    if found is None:
        raise NotFoundError(
            f"No parameter '{name}' in group '{group_name}'",
            "Only other kinds of objects or newer kernels have it."
            if settings.is_known(name)
            else did_you_mean(name, entries, f"'get {group_name}' shows them."),
            targetcli=f"{'Unknown' if sets else 'No'} parameter "
            + (
                f"{name} in group '{group_name}'." if sets else f"'{name}' in group '{group_name}'."
            ),
        )
    return found


def value_or_empty(group: Group, name: str) -> str:
    """Return a value, "" if it cannot be read."""
    with contextlib.suppress(OSError):
        return group.read(name)
    return ""


def require_writable(entry: Entry) -> None:
    """Raise UsageError for a read-only parameter."""
    if not entry.writable:
        told = f"Parameter {entry.name} is read-only."
        raise UsageError(told, targetcli=told)


_MEMBER = expression(r"([^/]+)/([^/]+)/tpgt_(\d+)/lun_(\d+)")


class KernelGroup(SettingsGroup):
    """The files of a folder (`attrib`, `param`, or "" for its own) of one or several equal objects.

    `writable` are the names of those that can be set, if not all that the kernel allows; `only`
    the names of those that belong to it, if not all.
    """

    def __init__(
        self,
        lio: Lio,
        places: Sequence[Identifier],
        folder: str,
        kind: str,
        writable: Collection[str] | None = None,
        only: Collection[str] | None = None,
    ) -> None:
        self._lio = lio
        self._places = places
        self._folder = folder
        self._kind = kind
        self._writable = writable
        self._only = only

    def entries(self) -> dict[str, Entry]:
        every, writable = settings.names_in(self._places[0].folder, self._folder)
        if self._writable is not None:
            writable = [name for name in writable if name in self._writable]
        if self._only is not None:
            every = [name for name in every if name in self._only]
        return {name: _entry(settings.row(self._kind, name), name in writable) for name in every}

    def read(self, name: str) -> str:
        return settings.read(self._lio.kernel, self._places[0].folder, self._file(name))

    def _file(self, name: str) -> str:
        return f"{self._folder}/{name}" if self._folder else name

    def default(self, entry: Entry) -> str | None:
        return entry.about.default_of(self._places[0].owner) if entry.about else None

    def obstacle(self, entry: Entry) -> str:
        if entry.about is None or entry.about.write != UNEXPORTED:
            return ""
        exported = [p for p in self._places if _exported(self._lio, p)]
        return "not while a LUN exports it" if exported else ""

    def change(self, name: str, value: str) -> Sequence[Operation]:
        """Raises UsageError for an invalid value, BusyError while a LUN exports the object."""
        row = settings.row(self._kind, name)
        wanted = row.check(value, self.read)
        if wanted != self.read_or_none(name):
            if row.write == "fixed":
                raise UsageError(f"{name} is the backstore's own and cannot be changed.")
            self._refuse_exported(row)
        return [operations.setters.Set(place, self._file(name), wanted) for place in self._places]

    def caution(self, name: str, value: str) -> str:
        place = self._places[0]
        return place.target.fabric.caution(name) if isinstance(place, Tpg) else ""

    def read_or_none(self, name: str) -> str | None:
        """Return the current value, None if it cannot be read."""
        try:
            return self.read(name)
        except OSError:
            return None

    def _refuse_exported(self, row: Attribute) -> None:
        if row.write != UNEXPORTED:
            return
        for place in self._places:
            if isinstance(place, StorageObject):
                operations.preconditions.refuse_exported(self._lio, None, place, row.name)


_CHOICES = {"boolean": {"1": "on", "0": "off"}, "yesno": {"Yes": "", "No": ""}}
"""Values and their meanings, by the type of a setting."""


def _entry(row: Attribute, writable: bool = True) -> Entry:
    kind = "string" if row.type == "text" else row.type  # as targetcli names it
    choices = row.values or _CHOICES.get(row.type, {})
    return Entry(row.name, kind, row.text, writable, row.name.endswith("password"), row, choices)


def _exported(lio: Lio, place: Identifier) -> bool:
    return isinstance(place, StorageObject) and listing.is_exported(lio, place)


class AuthGroup(SettingsGroup):
    """CHAP names and secrets of a TPG or ACL, or those for discovery of a fabric."""

    def __init__(self, lio: Lio, places: Sequence[Identifier], folder: str) -> None:
        self._lio = lio
        self._places = places
        self._folder = folder

    def entries(self) -> dict[str, Entry]:
        names = [*settings.AUTH_FILES, *(["enable"] if self._folder == "discovery_auth" else [])]
        return {name: _entry(settings.row("auth", name)) for name in sorted(names)}

    def read(self, name: str) -> str:
        folder = self._places[0].folder
        if not os.path.isdir(folder):
            return "0" if name == "enable" else ""
        return settings.read(self._lio.kernel, folder, self._file(name))

    def word(self, name: str, value: str) -> str:
        return str(value == "1") if name == "enable" else value

    def change(self, name: str, value: str) -> Sequence[Operation]:
        if name == "enable":
            value = "1" if boolean(value) else "0"
        else:
            settings.check_auth(name, value)
        made: list[Operation] = []
        for place in self._places:
            if isinstance(place, FabricPlace):  # it has a folder only once it is in use
                made.append(operations.targets.UseFabric(place.fabric))
            made.append(operations.setters.Set(place, self._file(name), value))
        return made

    def caution(self, name: str, value: str) -> str:
        told = settings.secret_caution(value) if name.endswith("password") else ""
        return f"The {name} {told}" if told else ""

    def check(self, values: Mapping[str, str]) -> None:
        """Refuse equal secrets for both directions, for each object as it will be."""
        for place in self._places:
            secrets = [self._later(place, name, values) for name in ("password", "mutual_password")]
            settings.refuse_equal_secrets(*secrets)

    def remarks(self, values: Mapping[str, str]) -> Sequence[str]:
        """Return a remark if the credentials have no effect, or if a required one is removed."""
        place = self._places[0]
        userid = self._later(place, "userid", values)
        if isinstance(place, FabricPlace):
            if self._later(place, "enable", values) in ("1", "True", "true") and not userid:
                return [
                    f"{place} asks for CHAP at discovery, and has no userid: no one can log in."
                ]
            return ()
        if not isinstance(place, Tpg | NodeAcl):
            return ()
        if settings.asks_for_chap(self._lio.kernel, place):
            removed = [name for name in ("userid", "password") if values.get(name) == ""]
            if removed and isinstance(place, NodeAcl):
                lost = joined(removed)
                return [f"CHAP is required: without {lost}, this initiator cannot log in."]
            return ()
        if not any(values.get(name) for name in settings.AUTH_FILES):
            return ()
        tpg = place if isinstance(place, Tpg) else place.tpg
        command = f"{tpg.path} set attribute authentication=1"
        return [f"The credentials have no effect: CHAP is off. '{command}' turns it on."]

    def _later(self, place: Identifier, name: str, values: Mapping[str, str]) -> str:
        """Return a setting as it will be after the change."""
        if name in values:
            return values[name]
        found = text_or_none(self._lio.kernel, f"{place.folder}/{self._file(name)}") or ""
        return "" if found.startswith("NULL") else found

    def _file(self, name: str) -> str:
        own = "enforce_discovery_auth" if name == "enable" else settings.AUTH_FILES[name]
        return f"{self._folder}/{own}"


class AluaGroupSettings(KernelGroup):
    """The settings of an ALUA group.

    Those that rtslib does not save are read-only, so that nothing set here is lost.
    """

    def __init__(self, lio: Lio, place: AluaGroup) -> None:
        super().__init__(lio, [place], "", "alua_group", settings.ALUA_FILES)

    def word(self, name: str, value: str) -> str:
        """Return members in targetcli's form; the kernel ends each with a NUL."""
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


class LunAluaGroup(SettingsGroup):
    """The ALUA group of a LUN."""

    _NAME = "alua_tg_pt_gp_name"

    def __init__(self, lio: Lio, place: Lun) -> None:
        self._lio = lio
        self._place = place

    def entries(self) -> dict[str, Entry]:
        return {self._NAME: _entry(settings.row("lun_alua", self._NAME))}

    def read(self, name: str) -> str:
        return listing.alua_group_of(self._lio, self._place) or ""

    def obstacle(self, entry: Entry) -> str:
        return "" if self.read(entry.name) else "its backstore has no ALUA groups"

    def change(self, name: str, value: str) -> Sequence[Operation]:
        row = settings.row("lun_alua", name)
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
        return [operations.mapping.SetLunAluaGroup(self._place, wanted)]


def mapped_lun_group(lio: Lio, places: Sequence[MappedLun]) -> KernelGroup:
    """Return the settings of a mapped LUN, or of those of all ACLs with one tag."""
    return KernelGroup(lio, places, "", "mapped_lun")


def queue_group(lio: Lio, places: Sequence[NodeAcl]) -> dict[str, SettingsGroup]:
    """Return the queue settings of one ACL, or of all with one tag, if the fabric has any."""
    if not os.path.isfile(f"{places[0].folder}/cmdsn_depth"):
        return {}
    return {"queue": KernelGroup(lio, places, "", "node_acl_queue", only=("cmdsn_depth",))}


def access_groups(
    lio: Lio, fabric: Fabric, places: Sequence[Identifier], kind: str
) -> dict[str, SettingsGroup]:
    """Return parameters, attributes (of `kind`) and CHAP settings of a TPG or ACLs, if any."""
    found: dict[str, SettingsGroup] = {}
    folder = places[0].folder
    for name, sub, of in (("parameter", "param", "tpg_parameter"), ("attribute", "attrib", kind)):
        if settings.names_in(folder, sub)[0]:
            found[name] = KernelGroup(lio, places, sub, of)
    if fabric.has("auth") and os.path.isdir(f"{folder}/auth"):
        found["auth"] = AuthGroup(lio, places, "auth")
    return found
