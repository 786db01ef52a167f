# SPDX-License-Identifier: Apache-2.0
"""The dispatcher: finds the nodes and the command of a line, and runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from pyshell.errors import (
    ConflictError,
    ExistsError,
    NotFoundError,
    NotPermittedError,
    PyshellError,
    UsageError,
)
from pyshell.shell import binding, grammar
from pyshell.shell.console import Console
from pyshell.shell.executor import Executor, marked
from pyshell.shell.options import of_line
from pyshell.shell.secrets import masked, masked_fault, read_indirect, secrets_hidden
from pyshell.tree.command import TOLERANCES, Command
from pyshell.tree.node import Node
from pyshell.tree.preferences import GLOBAL
from pyshell.tree.results import Change, Each, Lines, Nothing, Result, Tree
from pyshell.tree.root import RootNode

if TYPE_CHECKING:
    from pyshell.shell.shell import Shell

# These work without a target and do not load it; doctor and metrics report that it is missing, and
# diff loads it unless it compares two other hosts.
_NEED_NO_TARGET = frozenset(
    {
        "bookmarks",
        "check",
        "diff",
        "doctor",
        "exit",
        "help",
        "history",
        "metrics",
        "pwd",
        "takeover",
        "version",
    }
)


class Dispatcher:
    """Runs lines at the executor's current path."""

    def __init__(
        self, shell: Shell, console: Console, executor: Executor, root: Callable[[], RootNode]
    ) -> None:
        self._shell = shell
        self._console = console
        self._executor = executor
        self._root = root
        self._ready = False

    def run_line(self, text: str) -> None:
        """Run one line. Raises PyshellError; a UsageError of the line has its line and column."""
        self._log(text)
        with secrets_hidden(text):
            self._run(grammar.parse(text, compat=self._console.compat))

    def run_words(
        self, words: Sequence[str], filters_of: grammar.Line | None = None
    ) -> grammar.Line:
        """Run a program's arguments as one line, which is returned. Raises as `run_line` does.

        Its output goes through the filters of another line, if given.
        """
        try:
            line = grammar.parse_arguments(words, compat=self._console.compat)
        except UsageError as error:
            text = error.line or ""
            self._log(text)
            with secrets_hidden(text):
                raise
        self._log(line.text)
        with secrets_hidden(line.text):
            self._run(line, filters_of or line)
        return line

    def _log(self, text: str) -> None:
        if text.strip():
            shown = masked_fault(text.strip(), None)[0]
            self._console.log("verbose", f"Running command line '{shown}'.")

    def _run(self, line: grammar.Line, filters_of: grammar.Line | None = None) -> None:
        if line.empty:
            return
        console = self._console
        if not console.compat and any(word.raw == "--help" for word in line.arguments):
            assert line.command is not None
            asked = replace(line.command, text="help")
            line = replace(line, command=asked, arguments=(line.command,))
        before = console.options
        console.options, arguments = of_line(before, line.arguments)
        line = replace(line, arguments=arguments)
        begun = False
        try:
            with self._piped(filters_of or line):
                begun = True
                self._run_unfiltered(line)
        except PyshellError as error:
            # At the prompt, a wrong filter is a mistake of typing.
            error.as_json = console.options.json and (begun or console.options.way != "prompt")
            if self._shell.candidate is not None:
                self._shell.candidate.point_outside(error)
            raise
        finally:
            console.options = before

    def _piped(self, line: grammar.Line) -> AbstractContextManager[None]:
        if not line.pipes:
            return nullcontext()
        from pyshell.shell.pipes import piped  # most lines have no filters

        return piped(line, self._console, self._shell.running)

    def _run_unfiltered(self, line: grammar.Line) -> None:
        if line.command is None:
            self._run_bare(line)
        else:
            self._run_command(line, line.command)

    def _run_command(self, line: grammar.Line, word: grammar.Word) -> None:
        self._make_ready(word.text)
        nodes = self._with_commands(line, word)
        with self._beside_candidate(nodes) as is_beside:
            if is_beside:
                nodes = self._with_commands(line, word)
            for _, described in nodes:
                self._require_format(described.name, rows=described.rows)
            if nodes:
                self._run_on(nodes, line)

    def _with_commands(self, line: grammar.Line, word: grammar.Word) -> list[tuple[Node, Command]]:
        """Return the nodes of a line, each with its command. Raises PyshellError."""
        nodes = []
        for node in self._nodes(line):
            described = node.commands().get(word.text)
            if described is None:
                raise binding.unknown_command(node, word, line.arguments)
            nodes.append((node, described))
        return nodes

    @contextmanager
    def _beside_candidate(self, nodes: Sequence[tuple[Node, Command]]) -> Iterator[bool]:
        """Let commands work on the running target that do so while a candidate is open.

        Yields whether that is the case. Raises ConflictError for those that need it closed.
        """
        kinds = {described.in_candidate: described.name for _, described in nodes}
        if self._shell.candidate is None or not kinds.keys() & {"running", "refused"}:
            yield False
            return
        if "refused" in kinds:
            what = (
                "A candidate is open already"
                if kinds["refused"] == "begin"
                else (f"{kinds['refused']} does not work while a candidate is open")
            )
            raise ConflictError(f"{what}.", "Run 'commit' or 'abort' first.")
        with self._shell.beside_candidate():
            yield True

    def _run_bare(self, line: grammar.Line) -> None:
        """Go to a path, or list the nodes of a path with `*`."""
        self._require_format("cd", rows=False)
        self._make_ready("cd")
        nodes = self._nodes(line)
        if line.every_child:
            self._executor.take(Each([(node.path, Tree(node.branch())) for node in nodes]))
        else:
            self._executor.go(nodes[0].path)

    def _nodes(self, line: grammar.Line) -> list[Node]:
        here = self._here()
        if line.path is None:
            return [here]
        try:
            if not line.every_child:
                return [here.get_node(line.path.text)]
            nodes = here.matching(self._pattern(line.path.text))
        except NotFoundError as error:
            if not error.path:
                error.path = line.path.text
            if self._console.options.dry_run and not self._shell.commits_itself:
                error.hint += " A dry run does not carry out the lines before this one."
            raise
        if not nodes:
            self._console.note(f"Nothing matches {line.path.text}.")
            if self._console.options.json:
                self._console.show(Lines([], []))
        return nodes

    def _pattern(self, text: str) -> str:
        """Return a path with `*` for matching; in targetcli mode `PATH*` is `PATH/*`."""
        if not self._console.compat or not text.endswith("*"):
            return text
        folder = text.rstrip("*")
        return f"{folder}{'' if folder.endswith('/') or not folder else '/'}*"

    def _here(self) -> Node:
        """Return the current node; if it was removed, its nearest ancestor."""
        path = self._executor.path
        while True:
            try:
                node = self._root().get_node(path)
            except NotFoundError:
                path = path.rpartition("/")[0] or "/"
                continue
            if path != self._executor.path:
                gone, self._executor.path = self._executor.path, path
                self._console.note(f"{gone} no longer exists: the current path is now {path}.")
            return node

    def _make_ready(self, name: str) -> None:
        """Load the target before the first command that needs it."""
        if not self._ready and name not in _NEED_NO_TARGET:
            self._shell.running.ready()
            self._ready = True

    def _absolute(self, line: grammar.Line) -> str:
        """Return a line as typed at the root, with its secrets masked."""
        shown = masked(line.body, line.words).strip()
        path = self._executor.path
        if path == "/" or (line.path is not None and line.path.text[:1] in ("/", "@")):
            return shown
        return f"{path}{' ' if line.path is None else '/'}{shown}"

    def _require_format(self, name: str, *, rows: bool) -> None:
        """Refuse a format of rows for a command that returns something else. Raises UsageError."""
        form = self._console.options.rows
        if form and not rows:
            raise UsageError(
                f"{name} has no output format {form}.",
                "Its formats are text and json. 'list' shows objects in all formats.",
            )

    def _run_on(self, nodes: Sequence[tuple[Node, Command]], line: grammar.Line) -> None:
        """Run a command on one node, or on all that match a `*`: all of it or nothing."""
        arguments = line.arguments
        end = len(line.body.rstrip())
        if any(described.takes_secrets for _, described in nodes):
            # Ask for a secret only if the rest of the line is valid, and once for all nodes.
            for node, described in nodes:
                with _named_in_errors(node, line):
                    values = binding.bind(described, arguments, end, node)
                    described.prepared(node, values)
            stdin = self._console.stdin
            taken = self._console.options.lines_from_stdin and not stdin.isatty()
            new = any(described.changes for _, described in nodes)
            arguments = read_indirect(arguments, None if taken else stdin, twice=new)
        calls = [
            _Call(
                node,
                described,
                described.prepared(node, binding.bind(described, arguments, end, node)),
            )
            for node, described in nodes
        ]
        shown = self._absolute(line)
        if not any(call.changes for call in calls):
            self._executor.take(self._planned(calls, line), shown)
            return
        described = calls[0].described
        given: dict[str, bool] = {}
        for call in calls:
            tolerances = TOLERANCES.get(call.described.name, ())
            given = {one.name: call.values.pop(one.name) for one in tolerances}
        tolerance = _Tolerance(given.get("exist_ok", False), given.get("missing_ok", False))
        if not self._shell.running.may_change:
            raise NotPermittedError(f"{described.name} needs root.", "Run pyshell as root.")
        forced = given.get("force", False)
        with self._executor.changing(forced=forced, ready=self._ready):
            if line.every_child:
                self._executor.take(self._planned(calls, line, tolerance), shown)
                return
            try:
                result = calls[0].run()
                dry_run = self._console.options.dry_run and described.name != "set"
                if dry_run and isinstance(result, Lines):
                    result = replace(result, lines=marked(result.lines))
                self._executor.take(result, shown)
            except (ExistsError, NotFoundError) as error:
                self._tolerate(error, tolerance)

    def _planned(
        self, calls: Sequence[_Call], line: grammar.Line, tolerance: _Tolerance | None = None
    ) -> Result:
        """Return the result of a command on one node, or on each; changes become one change."""
        if not line.every_child:
            return calls[0].run()
        parts: list[tuple[str, Result]] = []
        for call in calls:
            try:
                with _named_in_errors(call.node, line):
                    result = call.run()
                    if tolerance is not None and any(tolerance) and isinstance(result, Change):
                        self._executor.changes.check(result)
            except (ExistsError, NotFoundError) as error:
                if tolerance is None:
                    raise
                self._tolerate(error, tolerance)
            else:
                parts.append((call.node.path, result))
        return _together(calls[0].described.name, parts)

    def _tolerate(self, error: ExistsError | NotFoundError, tolerance: _Tolerance) -> None:
        """Note that there is nothing to do, or raise the error if it is not tolerated."""
        if isinstance(error, ExistsError):
            tolerated = tolerance.exist_ok and error.wanted
        else:
            tolerated = tolerance.missing_ok
        if not tolerated:
            raise error
        self._console.note(f"{error.message.rstrip('.')}: nothing to do.")


class _Tolerance(NamedTuple):
    """Whether the command may find its object existing, or missing."""

    exist_ok: bool
    missing_ok: bool


@dataclass
class _Call:
    """A command, the node that it runs on, and its values."""

    node: Node
    described: Command
    values: dict[str, Any]

    @property
    def changes(self) -> bool:
        """Whether it may change the target; preferences are not part of it."""
        if self.described.name == "set" and self.values.get("group") in (None, GLOBAL):
            return False
        if self.described.name == "saveconfig" and self.values.get("savefile") == "-":
            return False  # it prints: a reader of its output, such as apply, may hold the lock
        return self.described.changes

    def run(self) -> Result:
        """Run it. Raises PyshellError."""
        return self.node.run(self.described.name, **self.values)


@contextmanager
def _named_in_errors(node: Node, line: grammar.Line) -> Iterator[None]:
    """Add the node to errors, if it is one of several."""
    try:
        yield
    except PyshellError as error:
        if line.every_child:
            error.message = f"{node.path}: {error.message}"
        raise


def _together(name: str, parts: Sequence[tuple[str, Result]]) -> Result:
    """Return the results of several nodes as one; changes become one change.

    Raises UsageError for results that make sense for one node only.
    """
    changes = [(path, part) for path, part in parts if isinstance(part, Change | Lines)]
    if any(isinstance(part, Change) for _, part in changes) and len(changes) == len(parts):
        from pyshell.shell.changes import named_by  # only changes need it

        return Change(
            [o for _, part in changes if isinstance(part, Change) for o in part.operations],
            note=" ".join(p.note for _, p in changes if isinstance(p, Change) and p.note),
            named=[path for _, p in changes if isinstance(p, Change) for path in named_by(p)],
            parts=changes,
        )
    if name == "set" and parts:
        return parts[0][1]  # a preference belongs to no node
    if len(parts) > 1 and not all(isinstance(p, Lines | Tree | Nothing) for _, p in parts):
        raise UsageError(
            f"{name} runs on one node at a time, and the path names {len(parts)}.",
            "Run it for each of them.",
        )
    return Each(parts)
