# SPDX-License-Identifier: Apache-2.0
"""Carries out what commands return, and tracks and saves what a run changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Literal

from pyshell.config import store
from pyshell.errors import PyshellError, UsageError
from pyshell.lio import Lio, listing
from pyshell.lio.configfs import is_below
from pyshell.render import data_of
from pyshell.shell.console import Console
from pyshell.shell.lock import Held, locked
from pyshell.text import one_line
from pyshell.tree.node import Context, Node
from pyshell.tree.results import (
    Change,
    Each,
    Edit,
    Go,
    Leave,
    Lines,
    Nothing,
    Pick,
    Picture,
    Preference,
    Result,
    Rows,
    Sequential,
    Stream,
    Tree,
    Work,
)
from pyshell.tree.root import RootNode

if TYPE_CHECKING:
    from pyshell.shell.changes import Changes


@dataclass
class Batch:
    """Lines that run together: a file, standard input, or a pasted block."""

    first: int | None = None
    """The number of its first change."""


class Executor:
    """Carries out results: changes, output, movements in the tree."""

    def __init__(
        self, context: Context, console: Console, saving: Saving, root: Callable[[], RootNode]
    ) -> None:
        self.path = "/"
        self.previous_path = "/"
        self.pick: Callable[[Node], str | None] | None = None
        """Lets the user choose a path from the tree; None if there is no way to."""
        self.left = False
        self.status = 0
        """The first exit status that a result asked for, such as that of a difference found."""
        self._context = context
        self._console = console
        self._saving = saving
        self._root = root
        self._line = ""
        self._forced = False
        self._held: Held | None = None
        self.batch: Batch | None = None
        """The batch whose lines are running."""
        self._noted: set[str] = set()
        self._prepared: Changes | None = None
        """The changes of the open candidate."""

    @property
    def lio(self) -> Lio:
        """The target that commands work on."""
        return self._context.lio

    @property
    def changes(self) -> Changes:
        """Carries out changes, and remembers what was deleted."""
        candidate = self._context.candidate
        if candidate is None or self.lio is not candidate.lio:
            return self._own_changes
        if self._prepared is None or self._prepared.lio is not self.lio:
            from pyshell.shell.changes import CandidateChanges

            unsaved = Saving(self.lio, self._console, self._root)
            self._prepared = CandidateChanges(self._context, self._console, unsaved, candidate)
        return self._prepared

    @cached_property
    def _own_changes(self) -> Changes:
        from pyshell.shell.changes import Changes  # most commands only read

        return Changes(self._context, self._console, self._saving, lambda: self.batch)

    @contextmanager
    def in_batch(self) -> Iterator[None]:
        """Run lines in the block that `undo batch=true` undoes together."""
        self.batch = Batch()
        try:
            yield
        finally:
            self.batch = None

    @contextmanager
    def changing(self, *, forced: bool, ready: bool) -> Iterator[None]:
        """Hold the lock while a command changes the target; a dry run takes none.

        `forced` answers questions in advance. `ready` means that the target is up. Raises
        LockedError.
        """
        self._forced = forced
        console = self._console
        if console.options.dry_run:
            yield
            return
        with locked(self.lio.lock_file, console.options.lock_timeout, console.note) as self._held:
            if ready:
                self._prepare_change()
            yield

    def _prepare_change(self) -> None:
        """Prepare the target for changes; note once what failed: the change may work all the same.

        In targetcli mode `doctor` alone reports it.
        """
        for failed in self.lio.prepare_change():
            if failed not in self._noted and not self._console.compat:
                self._noted.add(failed)
                self._console.note(failed)

    def lock_lent(self, until: float) -> AbstractContextManager[None]:
        """Release the lock of the running command while it only waits."""
        return self._held.lent(until) if self._held is not None else nullcontext()

    def take(self, result: Result, line: str = "") -> None:
        """Carry out a result. Raises PyshellError.

        `line` is what `undo` shows, with secrets masked.
        """
        self._line = line
        with self._console.progress_shown(self.lio.progress):
            self._take(result)

    def _take(self, result: Result) -> None:
        for one in result.results if isinstance(result, Sequential) else [result]:
            match one:
                case Change():
                    self._change(one)
                case Work():
                    self.changes.work(one, self._line, forced=self._forced)
                case Edit():
                    self._edit(one)
                case Preference():
                    self._prefer(one)
                case Go() | Pick() | Leave():
                    self._move(one)
                case Picture():
                    self._draw(one)
                case Stream():
                    self._console.show_stream(one)
                case Each():
                    self._show_each(one)
                case Tree() | Lines() | Rows():
                    self._show(one)
                case _:
                    assert isinstance(one, Nothing | Sequential)

    def _show(self, result: Tree | Lines | Rows) -> None:
        if isinstance(result, Rows):
            self._console.show_rows(result)
            return
        if self._console.options.rows and isinstance(result, Lines):
            raise UsageError(
                f"This has no output format {self._console.options.rows}.",
                "Its formats are text and json.",
            )
        self._console.show(result)
        if isinstance(result, Lines):
            self.status = self.status or result.status
            if result.failure is not None:
                raise result.failure

    def _show_each(self, each: Each) -> None:
        """Show what each node returned below its path; as JSON, one list."""
        as_json = self._console.options.json
        if as_json:
            shown = [(p, part) for p, part in each.parts if isinstance(part, Tree | Lines)]
            data = [{"path": path, "result": data_of(part)} for path, part in shown]
            self._console.show(Lines([], data))
        for path, part in each.parts:
            if not as_json:
                self._console.print_lines([f"[{one_line(path)}]"])
            if not as_json or not isinstance(part, Tree | Lines):
                self._take(part)

    def _draw(self, picture: Picture) -> None:
        from pyshell.render.pictures import drawn  # only `graph` needs it

        console = self._console
        console.show(drawn(picture, dry_run=console.options.dry_run))
        on_terminal = not picture.file and not console.options.json and console.out.isatty()
        if on_terminal and picture.form == "svg":
            console.note("This is SVG, for a browser: 'graph /tmp/target.svg' writes a file.")

    def _change(self, change: Change) -> None:
        self.changes.change(change, self._line, forced=self._forced)
        dry_run = self.changes.is_dry_run()
        if change.moved is not None and not dry_run:
            self.path = _moved(self.path, *change.moved)
            self.previous_path = _moved(self.previous_path, *change.moved)
            self._move_bookmarks(*change.moved)
        goes = change.made is not None and not dry_run
        if goes and self._console.preference("auto_cd_after_create"):
            self.go(str(change.made))

    def _move_bookmarks(self, old: str, new: str) -> None:
        """Let bookmarks of a node that has moved, and below it, follow."""
        preferences = self._console.preferences
        if not any(is_below(path, old) for path in preferences.bookmarks.values()):
            return

        def follow(known: dict[str, str] | None) -> dict[str, str]:
            return {name: _moved(path, old, new) for name, path in (known or {}).items()}

        try:
            preferences.set({"bookmarks": follow})
        except PyshellError as error:
            self._console.note(f"Bookmarks below {old} still have the old name: {error}")

    def _edit(self, edit: Edit) -> None:
        from pyshell.shell.editing import Editing  # only `edit` needs it

        lent = partial(self.lock_lent, 0)
        Editing(edit, self._console, self.changes, lent).run(self._line, forced=self._forced)

    def _prefer(self, preference: Preference) -> None:
        console = self._console
        if console.options.dry_run:
            console.say(marked(preference.would))
            return
        before = console.preferences.set(preference.values)
        if preference.undoable and self.lio.may_change and not console.compat:
            changed = any(preference.values[name] != value for name, value in before.items())
            self._own_changes.records.keep_preferences(self._line, before if changed else {})
        console.say(list(preference.said))

    def _move(self, result: Go | Pick | Leave) -> None:
        if isinstance(result, Go):
            self.go(self.previous_path if result.path == "<" else result.path)
        elif isinstance(result, Pick):
            self._pick()
        else:
            self.left = True

    def _pick(self) -> None:
        """Go to the path that the user chooses, if any."""
        if self.pick is None:
            self.go("/")
            return
        found = self.pick(self._root())
        if found is not None:
            self.go(found)

    def go(self, path: str) -> None:
        """Change the current path."""
        self.previous_path, self.path = self.path, path


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
        """Forget changes if the running configuration is as saved, for example after `undo`.

        This reads all of both, so only commands that do that anyway call it. It does nothing if
        this run has changed nothing, unless `unchanged`. What was restored or cleared is never a
        change that `auto_save_on_exit` saves.
        """
        if (
            self._console.compat
            or self._lio.is_candidate
            or not (unchanged or self.changed or self.unsaved)
        ):
            return
        with suppress(PyshellError):  # if the file cannot be read, the changes are not in it
            self.unsaved = self._differs()
            self.changed = self.changed and self.unsaved

    def save(self, *, asked: bool = False) -> list[str]:
        """Save if this run changed something, and return what to print.

        If a save was `asked` for, earlier unsaved changes are also saved when a command found
        nothing to change. Raises PyshellError instead of overwriting a file with objects that are
        not running and were not deleted by a command here (field failure 1), or a file that
        something else changed (field failure 8).
        """
        if not self.changed and not (asked and self.may_have_changed and self._differs()):
            return []
        from pyshell.commands.save import save_on_leaving
        from pyshell.shell.recording import Records, note_save

        console = self._console
        with locked(self._lio.lock_file, console.options.lock_timeout, console.note):
            said, revisions = save_on_leaving(self._root())
            note_save(Records(self._lio, console), revisions)
        self.changed = self.unsaved = False
        return said

    def leave(self, *, save: bool, half_done: str = "") -> None:
        """Finish a run of several lines: save if wanted, and report what was or is not saved.

        `half_done` replaces the note that proposes to save, if lines failed.
        Raises PyshellError if saving would lose saved objects.
        """
        if save and self._console.preference("auto_save_on_exit"):
            if self.changed and (text := unconfirmed_text(self._lio)):
                self._console.note(f"Not saved: {text}")
                return
            said = self.save()
            self._console.say(["Global pref auto_save_on_exit=true", *said] if said else [])
        self.report_unsaved(half_done)

    def report_unsaved(self, half_done: str = "") -> None:
        """Note unsaved changes, unless the user has switched automatic saving off."""
        if self._console.compat or not self._console.preference("auto_save_on_exit"):
            return
        if text := self.unsaved_text(half_done):
            self._console.note(text)

    def unsaved_text(self, half_done: str = "") -> str:
        """Return a note on unsaved changes, "" if there are none."""
        if not self.unsaved:
            return ""
        if text := unconfirmed_text(self._lio):
            return text
        if listing.is_empty(self._lio):
            if not store.default_file(self._lio).exists():
                return ""  # it will be empty after a reboot, too
            return (
                "The running configuration is empty, and not saved like that. 'undo' restores the"
                " previous configuration, 'restoreconfig' the saved one."
            )
        if not self._is_to_save():
            return ""
        return half_done or "The running configuration is not saved. Run 'saveconfig' to save it."

    def _is_to_save(self) -> bool:
        """Return False if only what is under cluster control differs, which is never saved."""
        from pyshell.config.store import clustered

        try:
            return not clustered.read(self._lio.config_dir).targets or self._differs()
        except PyshellError:
            return True

    def _differs(self) -> bool:
        from pyshell.config.store.boot_file import is_unsaved  # most commands need not compare

        return is_unsaved(self._lio)


def unconfirmed_text(lio: Lio) -> str:
    """Return a note on a change that a timer reverts unless it is confirmed, "" without one."""
    if not store.has_deadline(lio):
        return ""
    from pyshell.config.store import unconfirmed  # few changes have a deadline

    with suppress(PyshellError):
        found = unconfirmed.current(lio)
        if found is not None:
            return f"{found.what} {found.reverts}. Run 'confirm' to keep it."
    return ""


def marked(sentences: Iterable[str]) -> list[str]:
    """Mark each line of a dry run."""
    return [f"{sentence} (dry run)" for sentence in sentences]


def _moved(path: str, old: str, new: str) -> str:
    """Return a path as it is after a node has moved."""
    return f"{new}{path.removeprefix(old)}" if is_below(path, old) else path
