# SPDX-License-Identifier: Apache-2.0
"""What a run does with the results of its commands, and what it owes to the saved file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from pyshell.characters import one_line
from pyshell.commands.save import settle_marks
from pyshell.config.model import secret_path
from pyshell.errors import ExistsError, InterruptedStepsError, PyshellError
from pyshell.lio.attach import Lio
from pyshell.render.output import data_of
from pyshell.shell.asking import Asking
from pyshell.shell.lock import Held, locked
from pyshell.shell.options import BOOT, Options
from pyshell.shell.preference_files import Preferences
from pyshell.shell.undo_memory import UndoMemory
from pyshell.tree.node import Node
from pyshell.tree.results import (
    Change,
    Each,
    Go,
    Leave,
    Lines,
    Nothing,
    Pick,
    Picture,
    Preference,
    Result,
    Several,
    Stream,
    Tree,
    Work,
)
from pyshell.tree.root import RootNode, SimulatedRootNode

if TYPE_CHECKING:
    from pyshell.lio.impact import Disturbed
    from pyshell.lio.operations.base import Operation


class Effects(Asking):
    """Takes results: carries out changes, shows what there is to show, goes where it is sent."""

    def __init__(
        self,
        lio: Lio,
        preferences: Preferences,
        options: Options,
        out: TextIO,
        err: TextIO,
        stdin: TextIO,
    ) -> None:
        super().__init__(preferences, options, out, err, stdin)
        self.lio = lio
        self._way = ""
        self.path = "/"
        self.previous_path = "/"
        self.pick: Callable[[Node, str], str | None] | None = None
        """How a path is chosen from the tree, None where that cannot be."""
        self.left = False
        self.changed = False
        """Whether commands of this run changed objects: what `auto_save_on_exit` saves."""
        self.unsaved = False
        """Whether this run left the running configuration other than the file restored at boot."""
        self.may_have_changed = False
        """Whether a command of this run could have changed objects, if there had been need."""
        self.forced = False
        self.line = ""
        """The line that is being run, with its secrets masked."""
        self.status = 0
        """The first exit status that a result asked for, as a difference that was found."""
        self.memory = UndoMemory(lio, options, self.note)
        self._removed: set[str] = set()
        self._held: Held | None = None

    @property
    def way(self) -> str:
        """Return what a save is said to come from: the last change's own way, or the run's."""
        return self._way or self.options.way

    @property
    def is_shown(self) -> bool:
        """Return whether output goes to a terminal."""
        return self.out.isatty()

    @property
    def bookmarks(self) -> dict[str, str]:
        """Return the user's bookmarks."""
        return self.prefs.bookmarks

    def log_file(self, name: str) -> Path:
        """Return where a log is written: the simulated host's stay in the simulator's folder."""
        file = super().log_file(name)
        if self.lio.simulated is None:
            return file
        inside = self.lio.machine.host_file(os.path.abspath(file))
        inside.parent.mkdir(parents=True, exist_ok=True)
        return inside

    def root(self) -> RootNode:
        """Return a fresh tree."""
        if self.lio.simulated is not None:
            return SimulatedRootNode(self)
        return RootNode(self)

    def removed_paths(self) -> set[str]:
        """Return the paths that commands of this run deleted."""
        return self._removed

    def note_removed(self, operations: Iterable[Operation]) -> None:
        """Remember what operations deleted: it is no loss where a save leaves it out.

        What was missing since a restore and was now made or deleted is so no more.
        """
        made: set[str] = set()
        deleted: set[str] = set()
        for operation in operations:
            path = getattr(getattr(operation, "place", None), "path", None)
            if path is not None:
                (deleted if operation.step().startswith("delete ") else made).add(path)
                made.add(secret_path(path, getattr(operation, "file", "")) or path)
        self._removed |= deleted
        settle_marks(self, made, deleted)

    def lock_lent(self, until: float) -> AbstractContextManager[None]:
        """Let others have the lock of the command at work while it only waits."""
        return self._held.lent(until) if self._held is not None else nullcontext()

    def take(self, result: Result) -> None:
        """Do what a result asks for. Raises PyshellError."""
        with self.progress_shown(self.lio.progress):
            self._take(result)

    def _tell_progress(self, operation: Operation, index: int, total: int) -> None:
        self.lio.progress(index, total)

    def _take(self, result: Result) -> None:
        for one in result.results if isinstance(result, Several) else [result]:
            if isinstance(one, Change):
                self._change(one)
            elif isinstance(one, Work):
                self._work(one)
            elif isinstance(one, Preference):
                self._prefer(one)
            elif isinstance(one, Go):
                self.go(self.previous_path if one.path == "<" else one.path)
            elif isinstance(one, Pick):
                self._pick()
            elif isinstance(one, Leave):
                self.left = True
            elif isinstance(one, Tree | Lines | Stream | Picture | Each):
                self._show_one(one)
            else:
                assert isinstance(one, Nothing | Several)

    def _show_one(self, one: Tree | Lines | Stream | Picture | Each) -> None:
        if isinstance(one, Picture):
            self._draw(one)
        elif isinstance(one, Stream):
            self.show_stream(one)
        elif isinstance(one, Each):
            self._show_each(one)
        else:
            self.show(one)
            self.status = self.status or (one.status if isinstance(one, Lines) else 0)
            if isinstance(one, Lines) and one.failure is not None:
                raise one.failure

    def _show_each(self, each: Each) -> None:
        """Show what each node returned under its path; as JSON one list."""
        if self.options.json:
            shown = [(p, part) for p, part in each.parts if isinstance(part, Tree | Lines)]
            data = [{"path": path, "result": data_of(part)} for path, part in shown]
            self.show(Lines([], data))
        for path, part in each.parts:
            if not self.options.json:
                self.print_lines([f"[{one_line(path)}]"])
            if not self.options.json or not isinstance(part, Tree | Lines):
                self._take(part)

    def _draw(self, picture: Picture) -> None:
        from pyshell.shell.drawing import drawn

        self.show(drawn(picture, dry_run=self.options.dry_run))
        on_terminal = not picture.file and not self.options.json and self.out.isatty()
        if on_terminal and picture.form == "svg":
            self.note("This is SVG, for a browser: 'graph /tmp/target.svg' writes a file.")

    def check(self, change: Change) -> None:
        """Raise what speaks against a change now."""
        from pyshell.lio.operations.base import check

        with _of_whole(change):
            check(self.lio, change.operations)

    def _change(self, change: Change) -> None:
        from pyshell.lio.operations.base import carry_out, interrupts_held

        if self.options.dry_run:
            self.check(change)
            self._foretell(change)
            return
        self.ask_before(change, lambda: change.operations)
        disturbed = self._disturbed(change)
        with interrupts_held() as interrupted:
            try:
                with _of_whole(change):
                    outcome = carry_out(self.lio, change.operations, self._tell_progress)
            except PyshellError:
                if self.compat and not self.options.json:
                    self.say(list(change.before))
                raise
            if change.undoable and outcome.undo:
                self.memory.keep_operations(self.line, outcome.undo)
            outcome.interrupted = outcome.interrupted or interrupted()
        self._way = change.way
        self.changed = self.changed or outcome.changed
        self.unsaved = self.unsaved or outcome.changed
        self.note_removed(change.operations)
        names = {"cut": _initiators(disturbed)} if disturbed else {}
        self._tell(change, _sentences, _disturbed_lines(disturbed), names)
        self._note_of(change)
        self.may_have_changed = True
        if change.way:  # undo and the like read the whole target, and may end at what is saved
            self.settle_unsaved(unchanged=change.way == "apply")
        if outcome.interrupted:
            raise InterruptedStepsError("Interrupted when it was done", outcome.interrupted)
        if change.made is not None and self.preference("auto_cd_after_create"):
            self.go(change.made)

    def _tell(
        self,
        change: Change,
        sentences: Callable[[Change], list[str]],
        more: Sequence[str] = (),
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """Show what a change has done or would do; of several nodes each under its path."""
        if not change.parts:
            self.say([*sentences(change), *more], {**(data or {}), **change.data})
            return
        lines, parts = [], []
        for path, part in change.parts:
            said = sentences(part) if isinstance(part, Change) else list(part.lines)
            lines += [f"[{path}]", *said]
            own = part.data if isinstance(part, Change) else {}
            parts.append({"path": path, "messages": said, **own})
        messages = [*lines, *more]
        self.show(Lines(messages, {"messages": messages, "nodes": parts, **(data or {})}))

    def _foretell(self, change: Change) -> None:
        """Show what a change would do."""
        disturbed = self._disturbed(change)
        names = {"cut": _initiators(disturbed)}
        if _tells_of_objects(change):
            names = {}
            losses = []
        else:
            losses = marked(self.foretold(change, change.operations, disturbed))
        self._tell(change, _would, losses, names)
        self._note_of(change)

    def _disturbed(self, change: Change) -> list[Disturbed]:
        """Return the sessions to tell of; what tells of each object tells of them, too."""
        if self.compat or _tells_of_objects(change):
            return []
        return self.disturbed_by(change.operations)

    def _note_of(self, change: Change) -> None:
        if change.note:
            self.note(change.note)

    def _work(self, work: Work) -> None:
        if self.options.dry_run:
            foreseen = work.foresee() if work.foresee is not None else Lines([])
            self.say(marked([*foreseen.lines, *work.would]), work.data)
            if foreseen.failure is not None:
                raise foreseen.failure
            return
        self.ask_before(work, work.operations)
        at_boot = self.options.way == BOOT
        disturbed = [] if self.compat or at_boot else self._disturbed_by_work(work)
        changes = work.effect in ("loaded", "other")
        remembered = changes and not at_boot
        if remembered:
            self.memory.keep_running(self.line)
        try:
            shown = work.run()
        except BaseException:
            if remembered:
                self.memory.forget_if_unchanged(self.line)
            self.unsaved = self.unsaved or changes
            raise
        if shown.idle and remembered:
            self.memory.forget(self.line)
        if work.undone_by and not at_boot:
            self.memory.keep_operations(self.line, work.undone_by)
        if work.effect == "saved":
            self.changed = self.unsaved = False
        elif work.effect is not None:
            self.unsaved = self.changed or work.effect == "other"
            self.settle_unsaved()
        told = _disturbed_lines(disturbed)
        shown = replace(shown, lines=[*shown.lines, *told]) if told else shown
        for line in shown.lines:
            self.log("info", line)
        self.show(shown)
        if shown.failure is not None:
            raise shown.failure

    def _disturbed_by_work(self, work: Work) -> list[Disturbed]:
        from pyshell.lio.sessions import sessions

        if next(iter(sessions(self.lio)), None) is None:
            return []  # no plan is made for nothing
        return self.disturbed_by(work.operations())

    def _prefer(self, preference: Preference) -> None:
        if not self.options.dry_run:
            self.prefs.set(preference.name, preference.value)
        self.say(marked(preference.would) if self.options.dry_run else list(preference.said))

    def _pick(self) -> None:
        """Go where the user chooses; stay where nothing is chosen."""
        if self.pick is None:
            self.go("/")
            return
        found = self.pick(self.root(), self.path)
        if found is not None:
            self.go(found)

    def go(self, path: str) -> None:
        """Change the current path."""
        self.previous_path, self.path = self.path, path

    def _differs(self) -> bool:
        from pyshell.config.store.saved_file import is_unsaved

        return is_unsaved(self.lio)

    def settle_unsaved(self, *, unchanged: bool = False) -> None:
        """Forget changes that left the running configuration as it is saved, as `undo` does.

        Reads all of both, so it is for what reads or asks anyway, not for each change. It does so
        after a run that has changed something, or with `unchanged` in any case. What was restored
        or cleared is never a change that `auto_save_on_exit` saves.
        """
        if self.compat or not (unchanged or self.changed or self.unsaved):
            return
        with suppress(PyshellError):  # if the file cannot be read, the changes are not in it
            self.unsaved = self._differs()
            self.changed = self.changed and self.unsaved

    def save_on_leaving(self) -> list[str]:
        """Save as `auto_save_on_exit` asks, and return what to tell.

        Only where this run changed something, and never over a file that holds objects which the
        running configuration lacks and no command here deleted (field failure 1), or that
        something else changed (field failure 8): for those PyshellError is raised and nothing
        saved.
        """
        if not self.preference("auto_save_on_exit"):
            return []
        said = self.save_what_changed()
        return ["Global pref auto_save_on_exit=true", *said] if said else []

    def save_what_changed(self, *, asked: bool = False) -> list[str]:
        """Save if this run changed something, and return what to tell; raises as above.

        If a save was `asked` for, a command that found nothing to change saves, too, what is not
        saved yet.
        """
        if not self.changed and not (asked and self.may_have_changed and self._differs()):
            return []
        from pyshell.commands.save import save_on_leaving

        with locked(self.lio.lock_file, self.options.lock_timeout, self.note):
            said = save_on_leaving(self.root())
        self.changed = self.unsaved = False
        return said

    def leave(self, *, save: bool) -> None:
        """Finish a run of several lines: save where wanted, and say so, or that nothing is saved.

        Raises PyshellError where saving would lose saved objects.
        """
        if save:
            self.say(self.save_on_leaving())
        self.tell_unsaved()

    def tell_unsaved(self) -> None:
        """Tell of changes that no file holds."""
        # Who has switched saving off need not be told each time.
        if self.compat or not self.preference("auto_save_on_exit"):
            return
        if told := self.unsaved_text():
            self.note(told)

    def unsaved_text(self) -> str:
        """Return what to tell of changes that no file holds, "" where there are none."""
        if not self.unsaved:
            return ""
        from pyshell.config.store import saved_file
        from pyshell.lio import listing

        if listing.is_empty():
            if not saved_file.default_file(self.lio).exists():
                return ""  # as it comes back at boot
            return (
                "Nothing is running now, and that is not saved: 'undo' brings back what ran,"
                " restoreconfig what is saved."
            )
        return "The running configuration is changed and not saved: saveconfig saves it."


def _sentences(change: Change) -> list[str]:
    """Return what tells that a change was made."""
    said = [sentence for operation in change.operations for sentence in operation.said]
    return [*change.before, *said, *change.after()]


def _would(change: Change) -> list[str]:
    """Return what a change would do, as a dry run tells it."""
    from pyshell.commands import plan_text

    return marked(plan_text.steps(change.operations) if change.would is None else change.would)


def marked(sentences: Iterable[str]) -> list[str]:
    """Mark each line of a dry run."""
    return [f"{sentence} (dry run)" for sentence in sentences]


def _disturbed_lines(disturbed: Iterable[Disturbed]) -> list[str]:
    return [one.told("Terminated", "Took") for one in disturbed]


def _initiators(disturbed: Iterable[Disturbed]) -> list[str]:
    return sorted({one.session.initiator for one in disturbed})


def _tells_of_objects(change: Change) -> bool:
    return "objects" in change.data


@contextmanager
def _of_whole(change: Change) -> Iterator[None]:
    """See that an existing part, as a LUN's storage object, is not taken for the whole.

    An error of an undo names the command that was to be undone.
    """
    try:
        if change.undoes:
            from pyshell.config.store import undo

            with undo.named_if_it_fails(change.undoes):
                yield
        else:
            yield
    except ExistsError as error:
        error.wanted = error.wanted and error.object == change.made
        raise
