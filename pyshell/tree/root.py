# SPDX-License-Identifier: Apache-2.0
"""The root of the tree: what concerns the whole configuration.

What only some commands need (the branches, saving, sessions) is imported where it is used: a
one-liner pays for its own branch alone.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pyshell import __version__
from pyshell.errors import NotFoundError, PyshellError, UsageError
from pyshell.target import fabrics
from pyshell.target.fabrics import fabric
from pyshell.tree.applying import ApplyingNode
from pyshell.tree.command import BOOL, FILE, NUMBER, TEXT, Param, choice, command
from pyshell.tree.node import Context, Node
from pyshell.tree.results import Lines, Result, Work
from pyshell.tree.rootchecking import CheckingNode

if TYPE_CHECKING:
    from pyshell.saved.document import Document


class RootNode(ApplyingNode, CheckingNode):
    """The root."""

    def __init__(self, context: Context) -> None:
        super().__init__("/", None, context)

    def make_children(self) -> Sequence[Node]:
        """Make the backstores and the fabrics that the kernel can provide."""
        from pyshell.tree.backstores import BackstoresNode
        from pyshell.tree.fabric import FabricNode

        every = map(fabric, fabrics.known())
        machine = self.lio.machine
        return [
            BackstoresNode("backstores", self),
            *(FabricNode(found, self) for found in every if found.is_offered(machine)),
        ]

    def find(self, name: str) -> Node | None:
        """Return the backstores or one fabric."""
        if name == "backstores":
            from pyshell.tree.backstores import BackstoresNode

            return BackstoresNode(name, self)
        if name not in fabrics.known():
            return None
        if not fabric(name).is_offered(self.lio.machine):
            if name not in self.lio.machine.loadable_fabrics():
                hint = f"This kernel cannot provide the fabric {name}."
            else:
                hint = f"This host has no hardware for the fabric {name}."
            raise NotFoundError(f"No such path /{name}", hint)
        from pyshell.tree.fabric import FabricNode

        return FabricNode(fabric(name), self)

    @command("Show the versions of pyshell, of its libraries and of the kernel.")
    def ui_command_version(self) -> Result:
        """Show the version."""
        return Lines([f"pyshell version {__version__}"], {"pyshell": __version__})

    @command(
        "Save the running configuration, so that it comes back at boot.",
        Param("savefile", FILE, "Where to; the file that is restored at boot unless given."),
        Param("force", BOOL, "Replace a file even by an empty configuration.", default=False),
        changes=True,
        examples=("saveconfig",),
    )
    def ui_command_saveconfig(self, savefile: str | None = None, force: bool = False) -> Result:
        """Save the running configuration."""
        path = self._file(savefile)
        document = self._to_save(path, force=force or self.context.compat)

        def run() -> Lines:
            return Lines(self._write(document, path))

        effect: Literal["saved"] | None = "saved" if path == self.default_file else None
        return Work([f"Configuration would be saved to {path}"], run, effect)

    def save(self, path: Path, *, force: bool) -> list[str]:
        """Save to `path` and return what to tell. Raises PyshellError; the old file then stands."""
        return self._write(self._to_save(path, force=force), path)

    def _to_save(self, path: Path, *, force: bool) -> Document:
        from pyshell.saved.document import is_empty
        from pyshell.saved.running import read_running

        document = read_running(self.lio)
        if not force and is_empty(document):
            _refuse_to_empty(path)
        return document

    def _write(self, document: Document, path: Path) -> list[str]:
        from pyshell.saved import store

        said = []
        if path == self.default_file:
            store.make_folder(path.parent)
            keep = int(self.context.preference("max_backup_files"))
            if store.back_up(path, keep) is not None:
                said.append(f"Last {keep} configs saved in {path.parent}/backup/.")
        store.write(document, path)
        return [*said, f"Configuration saved to {path}"]

    def lost_by_saving(self) -> list[str]:
        """Return what the saved file holds, the kernel lacks and no command here deleted."""
        from pyshell.saved import load
        from pyshell.saved.document import object_paths
        from pyshell.saved.running import read_running

        path = self.default_file
        if not path.exists():
            return []
        before = object_paths(load.load(path))
        return sorted(before - object_paths(read_running(self.lio)) - self.context.removed_paths())

    def _file(self, text: str | None) -> Path:
        return Path(os.path.abspath(os.path.expanduser(text))) if text else self.default_file

    @command(
        "Bring a saved configuration back.",
        Param("savefile", FILE, "What to restore; the file that is restored at boot unless given."),
        Param("clear_existing", BOOL, "Clear the running configuration first.", default=False),
        Param("target", TEXT, "Restore only the target of that WWN."),
        Param("storage_object", TEXT, "Restore only the storage object of that name."),
        changes=True,
        details="What cannot be brought back is named, the rest is restored; exit status 1.",
        examples=("restoreconfig clear_existing=true",),
    )
    def ui_command_restoreconfig(
        self,
        savefile: str | None = None,
        clear_existing: bool = False,
        target: str | None = None,
        storage_object: str | None = None,
    ) -> Result:
        """Bring a saved configuration back."""
        from pyshell.saved import load, locations, restore

        path = self._file(savefile)
        if not os.path.exists(path):
            raise locations.missing(self.lio, path, "restoreconfig")
        document = restore.chosen(load.load(path), target, storage_object)
        if not clear_existing:
            restore.refuse_clashes(document)

        def run() -> Lines:
            if clear_existing:
                self._clear()
            result = restore.restore(self.lio, document)
            for note in result.notes:
                self.context.note(note)
            if result.faults:
                count = len(result.faults)
                raise PyshellError(
                    f"Configuration restored, {count} recoverable errors:", faults=result.faults
                )
            return Lines([f"Configuration restored from {path}"])

        part = target is not None or storage_object is not None
        effect: Literal["loaded", "other"] = (
            "loaded" if path == self.default_file and not part else "other"
        )
        return Work([f"Configuration would be restored from {path}"], run, effect)

    @command(
        "Remove the whole running configuration. The saved file stays.",
        Param("confirm", BOOL, "confirm=true is needed.", default=False),
        changes=True,
    )
    def ui_command_clearconfig(self, confirm: bool = False) -> Result:
        """Remove the whole running configuration."""
        if not confirm:
            raise UsageError(
                "As a precaution, confirm=true needs to be set.",
                "clearconfig confirm=true removes all.",
            )

        def run() -> Lines:
            self._clear()
            return Lines(["All configuration cleared"])

        return Work(["All configuration would be cleared"], run, "other")

    def _clear(self) -> None:
        from pyshell.saved import restore

        # In targetcli's manner what was cleared counts as deleted, and is left out of a save on
        # leaving; else leaving asks before the saved file loses it.
        removed = self.context.note_removed if self.context.compat else None
        restore.clear(self.lio, removed)

    @command(
        "Show who is logged in.",
        Param("action", choice("list", "detail"), "list, or detail with LUNs and addresses."),
        Param("sid", NUMBER, "Only the session of that number."),
        examples=("sessions", "sessions detail"),
    )
    def ui_command_sessions(self, action: str = "list", sid: int | None = None) -> Result:
        """Show who is logged in."""
        from pyshell.target.sessions import sessions
        from pyshell.tree.sessiontext import session_data, session_lines

        found = [s for s in sessions(self.lio) if sid is None or s.sid == sid]
        if sid is not None and not found:
            raise NotFoundError(f"no session found with sid {sid}")
        data = [session_data(self.lio, session) for session in found]
        if not found:
            return Lines(["(no open sessions)"], data)
        detail = action == "detail"
        lines = [
            line for session in found for line in session_lines(self.lio, session, detail=detail)
        ]
        return Lines(lines, data)


def _refuse_to_empty(path: Path) -> None:
    from pyshell.saved import load
    from pyshell.saved.document import is_empty

    if not path.exists():
        return
    if not is_empty(load.load(path)):
        raise PyshellError(
            f"The running configuration is empty and {path} is not: it was left as it is.",
            "restoreconfig brings it back; saveconfig force=true replaces it.",
        )
