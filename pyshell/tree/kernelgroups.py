# SPDX-License-Identifier: Apache-2.0
"""The parameter groups that are files of the kernel."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from pyshell.errors import UsageError
from pyshell.target import settings
from pyshell.target.attach import Lio
from pyshell.target.kernel import files
from pyshell.target.operations.base import Operation
from pyshell.target.operations.luns import SetLunAluaGroup, alua_group_name
from pyshell.target.operations.settings import FabricPlace, Set, UseFabric
from pyshell.target.places import Lun, Place, Tpg
from pyshell.tree.command import BOOL, boolean
from pyshell.tree.groups import Entry, Group


class KernelGroup(Group):
    """The files of a folder (`attrib`, `param`) of one or several equal objects."""

    def __init__(
        self,
        lio: Lio,
        places: Sequence[Place],
        folder: str,
        described: Mapping[str, tuple[str, str]],
    ) -> None:
        self._lio = lio
        self._places = places
        self._folder = folder
        self._described = described

    def entries(self) -> dict[str, Entry]:
        """Return the parameters that are there, sorted by name."""
        every, writable = settings.names_in(self._places[0].folder, self._folder)
        return {name: self._entry(name, name in writable) for name in every}

    def _entry(self, name: str, writable: bool) -> Entry:
        kind, text = self._described.get(name, ("text", f"The {name} setting."))
        return Entry(name, kind, text, writable)

    def read(self, name: str) -> str:
        """Return the value that the kernel holds now."""
        return settings.read(self._lio.kernel, self._places[0].folder, f"{self._folder}/{name}")

    def change(self, name: str, value: str) -> Sequence[Operation]:
        """Return operations that write it to each object. Raises UsageError for no value."""
        if not value:  # the kernel would take no notice of it
            raise UsageError(f"{name} needs a value.")
        return [Set(place, f"{self._folder}/{name}", value) for place in self._places]

    def caution(self, name: str) -> str:
        """Return what to know of a parameter that the fabric does not mind."""
        place = self._places[0]
        return place.target.fabric.caution(name) if isinstance(place, Tpg) else ""


class AuthGroup(Group):
    """CHAP names and secrets of a TPG or ACL, or those for discovery of a fabric."""

    def __init__(self, lio: Lio, places: Sequence[Place | FabricPlace], folder: str) -> None:
        self._lio = lio
        self._places = places
        self._folder = folder

    def entries(self) -> dict[str, Entry]:
        """Return the CHAP settings, and for discovery whether they are enforced."""
        found = {name: _AUTH_ENTRIES[name] for name in settings.AUTH_FILES}
        if self._folder == "discovery_auth":
            found["enable"] = Entry("enable", BOOL.name, "Refuse discovery without authentication.")
        return dict(sorted(found.items()))

    def read(self, name: str) -> str:
        """Return the value that the kernel holds, "" where it holds none."""
        folder = self._places[0].folder
        if not os.path.isdir(folder):
            return "0" if name == "enable" else ""
        return settings.read(self._lio.kernel, folder, self._file(name))

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

    def _file(self, name: str) -> str:
        own = "enforce_discovery_auth" if name == "enable" else settings.AUTH_FILES[name]
        return f"{self._folder}/{own}"


_AUTH_ENTRIES = {
    "userid": Entry("userid", "text", "Name by which the initiator proves itself."),
    "password": Entry(
        "password", "text", "Secret by which the initiator proves itself.", secret=True
    ),
    "mutual_userid": Entry("mutual_userid", "text", "Name by which the target proves itself."),
    "mutual_password": Entry(
        "mutual_password", "text", "Secret by which the target proves itself.", secret=True
    ),
}


class FilesGroup(Group):
    """Files that lie in an object's own folder, as those of an ALUA group."""

    def __init__(self, lio: Lio, place: Place, described: Mapping[str, tuple[str, str]]) -> None:
        self._lio = lio
        self._place = place
        self._described = described

    def entries(self) -> dict[str, Entry]:
        """Return those of the described files that are there and can be read."""
        readable = files(self._place.folder, readable=True)
        writable = files(self._place.folder, writable=True)
        return {
            name: Entry(name, kind, text, name in writable)
            for name, (kind, text) in sorted(self._described.items())
            if name in readable
        }

    def read(self, name: str) -> str:
        """Return the value that the kernel holds now."""
        return settings.read(self._lio.kernel, self._place.folder, name)

    def change(self, name: str, value: str) -> Sequence[Operation]:
        """Return the operation that writes it."""
        return [Set(self._place, name, value)]


class LunAluaGroup(Group):
    """The ALUA group of a LUN."""

    _NAME = "alua_tg_pt_gp_name"

    def __init__(self, lio: Lio, place: Lun) -> None:
        self._lio = lio
        self._place = place

    def entries(self) -> dict[str, Entry]:
        """Return the one parameter."""
        return {self._NAME: Entry(self._NAME, "text", "ALUA group that the LUN is in.")}

    def read(self, name: str) -> str:
        """Return the group's name."""
        return alua_group_name(self._lio, self._place) or ""

    def change(self, name: str, value: str) -> Sequence[Operation]:
        """Return the operation that puts the LUN into a group."""
        return [SetLunAluaGroup(self._place, value)]
