# SPDX-License-Identifier: Apache-2.0
"""Whether the changes of a run are saved, and saving them when it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Literal

from pyshell.config.store import saved_file
from pyshell.errors import PyshellError
from pyshell.lio import listing
from pyshell.lio.attach import Lio
from pyshell.shell.console import Console
from pyshell.shell.lock import locked
from pyshell.tree.root import RootNode


class Saving:
    """The changes of a run, compared with the file that is restored at boot."""

    def __init__(self, lio: Lio, console: Console, root: Callable[[], RootNode]) -> None:
        self._lio = lio
        self._console = console
        self._root = root
        self._way = ""
        self.changed = False
        """Whether commands of this run changed objects: what `auto_save_on_exit` saves."""
        self.unsaved = False
        """Whether this run left the running configuration different from the saved one."""
        self.may_have_changed = False
        """Whether a command that changes objects has run, even if there was nothing to change."""

    @property
    def way(self) -> str:
        """The source of the changes: that of the last change, or of the run."""
        return self._way or self._console.options.way

    def note_change(self, *, changed: bool, way: str) -> None:
        """Record that a command that changes objects has run, and whether it changed any.

        `way` is the source of the change, "" for that of the run.
        """
        self._way = way
        self.changed = self.changed or changed
        self.unsaved = self.unsaved or changed
        self.may_have_changed = True

    def note_effect(self, effect: Literal["saved", "loaded", "other"]) -> None:
        """Record how work related the running configuration to the saved file."""
        if effect == "saved":
            self.changed = self.unsaved = False
            return
        self.unsaved = self.changed or effect == "other"
        self.settle()

    def settle(self, *, unchanged: bool = False) -> None:
        """Forget changes that left the running configuration as it is saved, as `undo` does.

        It reads all of both, so it is for commands that read or ask anyway, not for each change.
        It does nothing if this run has changed nothing, unless `unchanged`. What was restored or
        cleared is never a change that `auto_save_on_exit` saves.
        """
        if self._console.compat or not (unchanged or self.changed or self.unsaved):
            return
        with suppress(PyshellError):  # if the file cannot be read, the changes are not in it
            self.unsaved = self._differs()
            self.changed = self.changed and self.unsaved

    def save(self, *, asked: bool = False) -> list[str]:
        """Save if this run changed something, and return what to print.

        If a save was `asked` for, a command that found nothing to change also saves what is not
        saved yet. A file is never overwritten that holds objects which the running configuration
        lacks and no command here deleted (field failure 1), or that something else changed (field
        failure 8): then PyshellError is raised.
        """
        if not self.changed and not (asked and self.may_have_changed and self._differs()):
            return []
        from pyshell.commands.save import save_on_leaving

        console = self._console
        with locked(self._lio.lock_file, console.options.lock_timeout, console.note):
            said = save_on_leaving(self._root())
        self.changed = self.unsaved = False
        return said

    def leave(self, *, save: bool) -> None:
        """Finish a run of several lines: save if wanted, and report what was or is not saved.

        Raises PyshellError if saving would lose saved objects.
        """
        if save and self._console.preference("auto_save_on_exit"):
            said = self.save()
            self._console.say(["Global pref auto_save_on_exit=true", *said] if said else [])
        self.report_unsaved()

    def report_unsaved(self) -> None:
        """Note unsaved changes, unless the user has switched automatic saving off."""
        if self._console.compat or not self._console.preference("auto_save_on_exit"):
            return
        if text := self.unsaved_text():
            self._console.note(text)

    def unsaved_text(self) -> str:
        """Return a note on unsaved changes, "" if there are none."""
        if not self.unsaved:
            return ""
        if listing.is_empty(self._lio):
            if not saved_file.default_file(self._lio).exists():
                return ""  # as it will be after a reboot
            return (
                "The running configuration is empty, and not saved like that. 'undo' restores the"
                " previous configuration, 'restoreconfig' the saved one."
            )
        return "The running configuration is not saved. Run 'saveconfig' to save it."

    def _differs(self) -> bool:
        return saved_file.is_unsaved(self._lio)


def marked(sentences: Iterable[str]) -> list[str]:
    """Mark each line of a dry run."""
    return [f"{sentence} (dry run)" for sentence in sentences]
