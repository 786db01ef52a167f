# SPDX-License-Identifier: Apache-2.0
"""The shell: takes a line, finds the node, runs the command and shows what it returned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, TextIO

from configshell_fb import ConfigShell

from pyshell.errors import (
    ExistsError,
    InterruptedStepsError,
    NotFoundError,
    NotPermittedError,
    PyshellError,
    UsageError,
)
from pyshell.render.output import Format, error_lines, note_line, render, wants_colour, width
from pyshell.shell import binding, grammar
from pyshell.shell.lock import locked
from pyshell.shell.options import Options
from pyshell.shell.preferences import Preferences
from pyshell.shell.secrets import masked_fault, read_indirect
from pyshell.target.attach import Lio
from pyshell.tree.command import Command
from pyshell.tree.node import Node
from pyshell.tree.results import (
    Change,
    Go,
    Leave,
    Lines,
    Nothing,
    Preference,
    Result,
    Several,
    Tree,
    Work,
)
from pyshell.tree.root import RootNode
from pyshell.tree.saving import settle_marks

if TYPE_CHECKING:
    from pyshell.target.operations.base import Operation


class Shell(ConfigShell):  # type: ignore[misc]
    """One run of pyshell: the current path, preferences, and where output goes.

    configshell's constructor is left out: it builds a second grammar, loads a pickle and readline.
    """

    def __init__(
        self,
        lio: Lio,
        preferences: Preferences,
        options: Options,
        out: TextIO,
        err: TextIO,
        stdin: TextIO,
    ) -> None:
        self.lio = lio
        self.prefs = preferences
        self.options = options
        self.out = out
        self.err = err
        self.stdin = stdin
        self.compat = options.compat
        self.way = options.way
        self.path = "/"
        self.previous_path = "/"
        self.left = False
        self.changed = False
        """Whether commands of this run changed objects: what `auto_save_on_exit` saves."""
        self.unsaved = False
        """Whether this run left the running configuration other than the file restored at boot."""
        self.status = 0
        """The first exit status that a result asked for, as a difference that was found."""
        self.ask: Callable[[str], str] = self._ask
        """How a question is put; a session at a prompt has its own way."""
        self._removed: set[str] = set()
        self._ready = False

    # What nodes ask for

    def preference(self, name: str) -> Any:
        """Return a preference; pyshell's manner and targetcli's differ in none of them."""
        return self.prefs.get(name)

    @property
    def bookmarks(self) -> dict[str, str]:
        """Return the user's bookmarks."""
        return self.prefs.bookmarks

    def note(self, text: str) -> None:
        """Tell the user something that is not the command's result, on standard error."""
        if self.options.json:
            self.err.write(f"{note_line(text)}\n")
            return
        self.err.write(f"{self._painted('note', text)}\n")

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
        self._removed |= deleted
        settle_marks(self, made, deleted)

    # Running lines

    def root(self) -> RootNode:
        """Return a fresh tree."""
        return RootNode(self)

    def run_line(self, text: str) -> None:
        """Run one line. Raises PyshellError; an error of the line itself knows line and column."""
        try:
            line = grammar.parse(text)
            if not line.empty:
                self._run(line)
        except UsageError as error:
            error.line, error.column = masked_fault(text, error.column)
            raise

    def _run(self, line: grammar.Line) -> None:
        if line.command is None:
            self._run_bare(line)
            return
        name = line.command.text
        self._make_ready(name)
        for node in self._nodes(line):
            described = node.commands().get(name)
            if described is None:
                raise self._unknown(node, line.command)
            if line.every_child and not self.options.json:
                self._print([f"[{node.path}]"])
            self._run_on(node, described, line)

    def _run_bare(self, line: grammar.Line) -> None:
        """A path alone goes there, and prints nothing; `PATH/*` alone lists the children."""
        self._make_ready("cd")
        if line.every_child:
            for node in self._nodes(line):
                if not self.options.json:
                    self._print([f"[{node.path}]"])
                self._show(Tree(node.branch()))
            return
        assert line.path is not None
        self._go(self._nodes(line)[0].path)

    def _nodes(self, line: grammar.Line) -> list[Node]:
        here = self._here()
        if line.path is None:
            return [here]
        try:
            if line.every_child:
                return list(here.get_node(line.path.text.rstrip("*") or ".").children)
            return [here.get_node(line.path.text)]
        except NotFoundError as error:
            if not error.path:
                error.path = line.path.text
            if self.options.dry_run:
                error.hint += " In a dry run no line before this one has been done."
            raise

    def _here(self) -> Node:
        """Return the current node; where another program removed it, the nearest that is left."""
        path = self.path
        while True:
            try:
                node = self.root().get_node(path)
            except NotFoundError:
                path = path.rpartition("/")[0] or "/"
                continue
            if path != self.path:
                self.note(f"{self.path} is gone: the current path is now {path}.")
                self.path = path
            return node

    def _unknown(self, node: Node, word: grammar.Word) -> UsageError:
        if node.find(word.text) is not None:
            hint = f"It is a node below {node.path}: write {word.text}/ and then the command."
        elif word.text in RootNode.commands() and word.text not in node.commands():
            hint = f"It is a command of the root: / {word.text}"
        else:
            hint = binding.nearest(word.text, node.commands())
        return UsageError(
            f"Command not found {word.text}.",
            hint or f"Commands at {node.path}: {', '.join(node.commands())}.",
            column=word.start,
        )

    def _make_ready(self, name: str) -> None:
        """Bring the target up before the first command that looks at it."""
        if not self._ready and name not in ("pwd", "version", "help", "exit", "bookmarks", "check"):
            self.lio.ready()
            self._ready = True

    def _run_on(self, node: Node, described: Command, line: grammar.Line) -> None:
        arguments = line.arguments
        if described.named_rest:
            # A secret is asked for only where the rest of the line stands.
            values = binding.bind(described, arguments, len(line.text.rstrip()))
            node.require(described.name, values)
            arguments = read_indirect(arguments, self.stdin)
        values = binding.bind(described, arguments, len(line.text.rstrip()))
        preferences_only = described.name == "set" and values.get("group") in (None, "global")
        if not described.changes or preferences_only:
            self._take(node.run(described.name, **values))
            return
        exist_ok, missing_ok = values.pop("exist_ok", False), values.pop("missing_ok", False)
        if not self.lio.may_change:
            raise NotPermittedError(f"{described.name} needs root.", "Run pyshell as root.")
        held = locked(self.lio.lock_file, self.options.lock_timeout, self.note)
        try:
            with nullcontext() if self.options.dry_run else held:
                self._take(node.run(described.name, **values))
        except ExistsError as error:
            if not exist_ok or not error.wanted:
                raise
            self.note(f"{error.message.rstrip('.')}: nothing to do.")
        except NotFoundError as error:
            if not missing_ok:
                raise
            self.note(f"{error.message.rstrip('.')}: nothing to do.")

    # Taking results

    def _take(self, result: Result) -> None:
        for one in result.results if isinstance(result, Several) else [result]:
            if isinstance(one, Change):
                self._change(one)
            elif isinstance(one, Work):
                self._work(one)
            elif isinstance(one, Preference):
                self._prefer(one)
            elif isinstance(one, Go):
                self._go(self.previous_path if one.path == "<" else one.path)
            elif isinstance(one, Leave):
                self.left = True
            elif isinstance(one, Tree | Lines):
                self._show(one)
                self.status = self.status or (one.status if isinstance(one, Lines) else 0)
                if isinstance(one, Lines) and one.failure is not None:
                    raise one.failure
            else:
                assert isinstance(one, Nothing | Several)

    def _change(self, change: Change) -> None:
        from pyshell.target.operations.base import carry_out, check

        if self.options.dry_run:
            check(self.lio, change.operations)
            sentences = change.would
            if sentences is None:
                said = [s for operation in change.operations for s in operation.said]
                sentences = [*change.before, *said]
            self._say([f"{s} (dry run)" for s in sentences] or _steps(change.operations))
            self._note_of(change)
            return
        self._ask_before_cutting(change.operations)
        try:
            outcome = carry_out(self.lio, change.operations)
        except PyshellError as error:
            if isinstance(error, ExistsError):
                # That a part is there, as a LUN's storage object, does not mean the whole is.
                error.wanted = error.wanted and error.object == change.made
            if self.compat and not self.options.json:
                self._say(list(change.before))
            raise
        self.changed = self.changed or outcome.changed
        self.unsaved = self.unsaved or outcome.changed
        self.note_removed(change.operations)
        self._say([*change.before, *outcome.sentences, *change.after()])
        self._note_of(change)
        if outcome.interrupted:
            raise InterruptedStepsError("Interrupted when it was done", outcome.interrupted)
        if change.made is not None and self.preference("auto_cd_after_create"):
            self._go(change.made)

    def _ask_before_cutting(self, operations: Sequence[Operation]) -> None:
        """Ask, at a terminal, before sessions are cut. Raises PyshellError for a no."""
        if self.compat or self.options.yes or not (self.stdin.isatty() and self.err.isatty()):
            return
        from pyshell.target.impact import cut

        cuts = cut(self.lio, operations)
        if cuts and not self.confirmed(f"This cuts off {', '.join(cuts)}. Go on? [y/N] "):
            raise PyshellError("Nothing was changed.", "--yes answers for you.")

    def confirmed(self, question: str) -> bool:
        """Ask a question at the terminal; no answer is a no."""
        try:
            return self.ask(question).strip().lower() in ("y", "yes")
        except (EOFError, KeyboardInterrupt):
            return False

    def _ask(self, question: str) -> str:
        self.err.write(question)
        self.err.flush()
        return self.stdin.readline()

    def _note_of(self, change: Change) -> None:
        if change.note:
            self.note(change.note)

    def _work(self, work: Work) -> None:
        if self.options.dry_run:
            self._say([f"{line} (dry run)" for line in work.would])
            return
        try:
            shown = work.run()
        except BaseException:
            self.unsaved = self.unsaved or work.effect in ("loaded", "other")
            raise
        if work.effect == "saved":
            self.changed = self.unsaved = False
        elif work.effect is not None:
            self.unsaved = self.changed or work.effect == "other"
        self._show(shown)

    def _prefer(self, preference: Preference) -> None:
        if not self.options.dry_run:
            self.prefs.set(preference.name, preference.value)
        suffix = " (dry run)" if self.options.dry_run else ""
        self._say([sentence + suffix for sentence in preference.said])

    def _go(self, path: str) -> None:
        self.previous_path, self.path = self.path, path

    # Output

    def _say(self, sentences: list[str]) -> None:
        """Show sentences; as JSON they are one document."""
        if sentences:
            self._show(Lines(sentences, {"messages": sentences}))

    def _show(self, result: Tree | Lines) -> None:
        self._print(render(result, self._format()))

    def _format(self) -> Format:
        return Format(self.options.json, width(self.out), self._colour(self.out), self.preference)

    def _print(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.out.write(f"{line}\n")
        self.out.flush()

    def show_error(self, error: PyshellError, where: str = "") -> None:
        """Show an error on standard error; `where` says in which line of a batch it happened."""
        lines = error_lines(error, as_json=self.options.json, caret=not self.compat, where=where)
        self.out.flush()
        for line in lines:
            self.err.write(f"{self._painted('error', line)}\n")
        self.err.flush()

    def _painted(self, part: str, text: str) -> str:
        if not self._colour(self.err):
            return text
        from pyshell.render.colour import paint

        return paint(part, text)

    def _colour(self, stream: TextIO) -> bool:
        if self.options.colour == "auto" and not stream.isatty():
            return False  # the usual pipe needs no look at the preferences
        preferred = bool(self.preference("color_mode"))
        return wants_colour(self.options.colour, stream, preferred=preferred)

    # Leaving

    def save_on_leaving(self) -> list[str]:
        """Save as `auto_save_on_exit` asks, and return what to tell.

        Only where this run changed something, and never over a file that holds objects which the
        running configuration lacks and no command here deleted (field failure 1), or that
        something else changed (field failure 8): for those PyshellError is raised and nothing
        saved.
        """
        if not self.changed or not self.preference("auto_save_on_exit"):
            return []
        with locked(self.lio.lock_file, self.options.lock_timeout, self.note):
            said = self.root().save_on_leaving()
        self.changed = self.unsaved = False
        return ["Global pref auto_save_on_exit=true", *said]

    def leave(self, *, save: bool) -> None:
        """Finish a run of several lines: save where wanted, and say so, or that nothing is saved.

        Raises PyshellError where saving would lose saved objects.
        """
        if save:
            self._say(self.save_on_leaving())
        # Who has switched saving off need not be told each time.
        if self.unsaved and not self.compat and self.preference("auto_save_on_exit"):
            self.note(self.unsaved_text())

    def unsaved_text(self) -> str:
        """Return what to tell of changes that no file holds, "" where there are none."""
        if not self.unsaved:
            return ""
        if is_nothing_running():
            return (
                "Nothing is running now, and that is not saved: restoreconfig brings the saved"
                " configuration back."
            )
        return "The running configuration is changed and not saved: saveconfig saves it."


def is_nothing_running() -> bool:
    """Tell whether there is neither a storage object nor a target."""
    from pyshell.target import listing

    running = any(listing.targets(fabric) for fabric in listing.fabrics_in_use())
    return not running and not listing.storage_objects()


def _steps(operations: Iterable[Operation]) -> list[str]:
    return [f"Would {operation.step()} (dry run)" for operation in operations]
