# SPDX-License-Identifier: Apache-2.0
"""The executor: carries out what commands return."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pyshell.characters import one_line
from pyshell.errors import ExistsError, InterruptedStepsError, PyshellError
from pyshell.lio.operations.base import Operation, carry_out, check, interrupts_held
from pyshell.lio.settings import secret_path
from pyshell.render.output import data_of
from pyshell.shell import confirmation
from pyshell.shell.console import Console
from pyshell.shell.lock import Held, locked
from pyshell.shell.options import BOOT
from pyshell.shell.saving import Saving, settle_marks
from pyshell.shell.undo_memory import UndoMemory
from pyshell.tree.node import Context, Node
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
    Sequential,
    Stream,
    Tree,
    Work,
)
from pyshell.tree.root import RootNode

if TYPE_CHECKING:
    from pyshell.lio.impact import Disturbed


class Executor:
    """Carries out results: changes, output, movements in the tree."""

    def __init__(
        self, context: Context, console: Console, saving: Saving, root: Callable[[], RootNode]
    ) -> None:
        self.lio = context.lio
        self.path = "/"
        self.previous_path = "/"
        self.pick: Callable[[Node, str], str | None] | None = None
        """Lets the user choose a path from the tree; None if there is no way to."""
        self.left = False
        self.status = 0
        """The first exit status that a result asked for, such as that of a difference found."""
        self.removed: set[str] = set()
        """Paths that commands of this run deleted."""
        self._context = context
        self._console = console
        self._saving = saving
        self._root = root
        self._memory = UndoMemory(self.lio, console)
        self._line = ""
        self._forced = False
        self._way = ""
        self._held: Held | None = None

    @property
    def way(self) -> str:
        """The source of the changes: that of the last change, or of the run."""
        return self._way or self._console.options.way

    @contextmanager
    def changing(self, line: str, *, forced: bool, ready: bool) -> Iterator[None]:
        """Hold the lock while a command changes the target; a dry run takes none.

        `line` is what `undo` shows, with secrets masked. `forced` answers questions in advance.
        `ready` tells that the target is up. Raises LockedError.
        """
        self._line, self._forced = line, forced
        console = self._console
        if console.options.dry_run:
            yield
            return
        with locked(self.lio.lock_file, console.options.lock_timeout, console.note) as self._held:
            if ready:
                self.lio.prepare_change()
            yield

    def lock_lent(self, until: float) -> AbstractContextManager[None]:
        """Release the lock of the running command while it only waits."""
        return self._held.lent(until) if self._held is not None else nullcontext()

    def note_removed(self, operations: Iterable[Operation]) -> None:
        """Record what operations deleted: a save that omits it loses nothing.

        What was missing since a restore and is now created or deleted is no longer missing.
        """
        made: set[str] = set()
        deleted: set[str] = set()
        for operation in operations:
            path = getattr(getattr(operation, "place", None), "path", None)
            if path is not None:
                (deleted if operation.step().startswith("delete ") else made).add(path)
                made.add(secret_path(path, getattr(operation, "file", "")) or path)
        self.removed |= deleted
        settle_marks(self._context, made, deleted)

    def take(self, result: Result) -> None:
        """Carry out a result. Raises PyshellError."""
        with self._console.progress_shown(self.lio.progress):
            self._take(result)

    def _tell_progress(self, operation: Operation, index: int, total: int) -> None:
        self.lio.progress(index, total)

    def _take(self, result: Result) -> None:
        for one in result.results if isinstance(result, Sequential) else [result]:
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
                assert isinstance(one, Nothing | Sequential)

    def _show_one(self, one: Tree | Lines | Stream | Picture | Each) -> None:
        if isinstance(one, Picture):
            self._draw(one)
        elif isinstance(one, Stream):
            self._console.show_stream(one)
        elif isinstance(one, Each):
            self._show_each(one)
        else:
            self._console.show(one)
            self.status = self.status or (one.status if isinstance(one, Lines) else 0)
            if isinstance(one, Lines) and one.failure is not None:
                raise one.failure

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

    def check(self, change: Change) -> None:
        """Validate the preconditions of a change. Raises PyshellError."""
        with _of_whole(change):
            check(self.lio, change.operations)

    def _change(self, change: Change) -> None:
        if self._console.options.dry_run:
            self.check(change)
            self._foretell(change)
            return
        if self._may_ask():
            confirmation.confirm(self._console, self.lio, change.operations, change.named)
        disturbed = self._disturbed(change)
        with interrupts_held() as interrupted:
            try:
                with _of_whole(change):
                    outcome = carry_out(self.lio, change.operations, self._tell_progress)
            except PyshellError:
                if self._console.compat and not self._console.options.json:
                    self._console.say(list(change.before))
                raise
            if change.undoable and outcome.undo:
                self._memory.keep_operations(self._line, outcome.undo)
            outcome.interrupted = outcome.interrupted or interrupted()
        self._way = change.way
        self._saving.note_change(changed=outcome.changed)
        self.note_removed(change.operations)
        names = {"cut": confirmation.initiators(disturbed)} if disturbed else {}
        self._tell(change, _sentences, confirmation.has_disturbed(disturbed), names)
        self._note_of(change)
        if change.way:  # undo and the like read the whole target, and may end at what is saved
            self._saving.settle(unchanged=change.way == "apply")
        if outcome.interrupted:
            raise InterruptedStepsError("Interrupted when it was done", outcome.interrupted)
        if change.made is not None and self._console.preference("auto_cd_after_create"):
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
            self._console.say([*sentences(change), *more], {**(data or {}), **change.data})
            return
        lines, parts = [], []
        for path, part in change.parts:
            said = sentences(part) if isinstance(part, Change) else list(part.lines)
            lines += [f"[{path}]", *said]
            own = part.data if isinstance(part, Change) else {}
            parts.append({"path": path, "messages": said, **own})
        messages = [*lines, *more]
        self._console.show(Lines(messages, {"messages": messages, "nodes": parts, **(data or {})}))

    def _foretell(self, change: Change) -> None:
        """Show what a change would do."""
        disturbed = self._disturbed(change)
        names = {"cut": confirmation.initiators(disturbed)}
        if _tells_of_objects(change):
            names = {}
            losses = []
        else:
            losses = marked(confirmation.would_disturb(disturbed, change.operations, change.named))
        self._tell(change, _would, losses, names)
        self._note_of(change)

    def _disturbed(self, change: Change) -> list[Disturbed]:
        """Return the sessions to report, unless the change reports each object anyway."""
        if self._console.compat or _tells_of_objects(change):
            return []
        return confirmation.disturbed_by(self.lio, change.operations)

    def _note_of(self, change: Change) -> None:
        if change.note:
            self._console.note(change.note)

    def _may_ask(self) -> bool:
        return not self._forced and confirmation.can_ask(self._console)

    def _work(self, work: Work) -> None:
        console = self._console
        if console.options.dry_run:
            foreseen = work.foresee() if work.foresee is not None else Lines([])
            console.say(marked([*foreseen.lines, *work.would]), work.data)
            if foreseen.failure is not None:
                raise foreseen.failure
            return
        if self._may_ask():
            confirmation.confirm(console, self.lio, work.operations(), work.named)
        at_boot = console.options.way == BOOT
        disturbed = [] if console.compat or at_boot else self._disturbed_by_work(work)
        changes = work.effect in ("loaded", "other")
        remembered = changes and not at_boot
        if remembered:
            self._memory.keep_running(self._line)
        try:
            shown = work.run()
        except BaseException:
            if remembered:
                self._memory.forget_if_unchanged(self._line)
            self._saving.unsaved = self._saving.unsaved or changes
            raise
        if shown.idle and remembered:
            self._memory.forget(self._line)
        if work.undone_by and not at_boot:
            self._memory.keep_operations(self._line, work.undone_by)
        if work.effect is not None:
            self._saving.note_effect(work.effect)
        if disturbed:
            shown = replace(shown, lines=[*shown.lines, *confirmation.has_disturbed(disturbed)])
        for line in shown.lines:
            console.log("info", line)
        console.show(shown)
        if shown.failure is not None:
            raise shown.failure

    def _disturbed_by_work(self, work: Work) -> list[Disturbed]:
        from pyshell.lio.sessions import sessions

        if next(iter(sessions(self.lio)), None) is None:
            return []  # saves making a plan
        return confirmation.disturbed_by(self.lio, work.operations())

    def _prefer(self, preference: Preference) -> None:
        console = self._console
        if console.options.dry_run:
            console.say(marked(preference.would))
            return
        console.preferences.set(preference.name, preference.value)
        console.say(list(preference.said))

    def _pick(self) -> None:
        """Go to the path that the user chooses, if any."""
        if self.pick is None:
            self.go("/")
            return
        found = self.pick(self._root(), self.path)
        if found is not None:
            self.go(found)

    def go(self, path: str) -> None:
        """Change the current path."""
        self.previous_path, self.path = self.path, path


def _sentences(change: Change) -> list[str]:
    """Return what tells that a change was made."""
    said = [sentence for operation in change.operations for sentence in operation.said]
    return [*change.before, *said, *change.after()]


def _would(change: Change) -> list[str]:
    """Return what a change would do, as a dry run tells it."""
    from pyshell.commands import change_text

    return marked(change_text.steps(change.operations) if change.would is None else change.would)


def marked(sentences: Iterable[str]) -> list[str]:
    """Mark each line of a dry run."""
    return [f"{sentence} (dry run)" for sentence in sentences]


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
