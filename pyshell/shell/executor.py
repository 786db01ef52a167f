# SPDX-License-Identifier: Apache-2.0
"""The executor: carries out what commands return."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING

from pyshell.characters import one_line
from pyshell.lio.operations.base import Operation
from pyshell.render.output import data_of
from pyshell.shell.console import Console
from pyshell.shell.lock import Held, locked
from pyshell.shell.saving import Saving, marked
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
    from pyshell.shell.changes import Changes


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
        self._context = context
        self._console = console
        self._saving = saving
        self._root = root
        self._line = ""
        self._forced = False
        self._held: Held | None = None

    @property
    def removed(self) -> set[str]:
        """Paths that commands of this run deleted."""
        return self._changes.removed

    @cached_property
    def _changes(self) -> Changes:
        from pyshell.shell.changes import Changes  # most commands only read

        return Changes(self._context, self._console, self._saving)

    def check(self, change: Change) -> None:
        """Validate the preconditions of a change. Raises PyshellError."""
        self._changes.check(change)

    def note_removed(self, operations: Iterable[Operation]) -> None:
        """Record what operations deleted: a save that omits it loses nothing."""
        self._changes.note_removed(operations)

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

    def take(self, result: Result) -> None:
        """Carry out a result. Raises PyshellError."""
        with self._console.progress_shown(self.lio.progress):
            self._take(result)

    def _take(self, result: Result) -> None:
        for one in result.results if isinstance(result, Sequential) else [result]:
            if isinstance(one, Change):
                self._change(one)
            elif isinstance(one, Work):
                self._changes.work(one, self._line, forced=self._forced)
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

    def _change(self, change: Change) -> None:
        self._changes.change(change, self._line, forced=self._forced)
        goes = change.made is not None and not self._console.options.dry_run
        if goes and self._console.preference("auto_cd_after_create"):
            self.go(str(change.made))

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
