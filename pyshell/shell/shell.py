# SPDX-License-Identifier: Apache-2.0
"""The shell: takes a line, finds the node and runs the command."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from configshell_fb import ConfigShell

from pyshell.errors import (
    ExistsError,
    NotFoundError,
    NotPermittedError,
    PyshellError,
    UsageError,
)
from pyshell.shell import binding, grammar
from pyshell.shell.effects import Effects, marked
from pyshell.shell.lock import locked
from pyshell.shell.options import of_line
from pyshell.shell.secrets import masked, masked_fault, read_indirect, without_secrets
from pyshell.tree.command import TOLERANCES, Command
from pyshell.tree.node import Node
from pyshell.tree.results import Change, Each, Lines, Nothing, Result, Tree

# `doctor` and `metrics` tell of a target that is not there, and bring none up.
_NEED_NO_TARGET = frozenset(
    ("pwd", "version", "help", "exit", "bookmarks", "check", "doctor", "metrics", "takeover")
)


class Shell(Effects, ConfigShell):  # type: ignore[misc]
    """One run of pyshell: the current path, preferences, and where output goes.

    configshell's constructor is left out: it builds a second grammar, loads a pickle and readline.
    """

    _ready = False

    def run_line(self, text: str) -> None:
        """Run one line. Raises PyshellError; an error of the line itself knows line and column."""
        if text.strip():
            self.log("verbose", f"Running command line '{masked_fault(text.strip(), None)[0]}'.")
        try:
            line = grammar.parse(text)
            if not line.empty:
                self._run(line)
        except UsageError as error:
            error.line, error.column = masked_fault(text, error.column)
            error.message = without_secrets(error.message, text)
            error.hint = without_secrets(error.hint, text)
            if error.targetcli:
                error.targetcli = without_secrets(error.targetcli, text)
            raise

    def _run(self, line: grammar.Line) -> None:
        if line.command is None:
            self._run_bare(line)
            return
        before = self.options
        if not self.compat and any(word.raw == "--help" for word in line.arguments):
            asked = replace(line.command, text="help")
            self._run_command(replace(line, command=asked, arguments=(line.command,)), asked)
            return
        self.options, arguments = of_line(before, line.arguments)
        try:
            self._run_command(replace(line, arguments=arguments), line.command)
        finally:
            self.options = before

    def _run_command(self, line: grammar.Line, word: grammar.Word) -> None:
        self._make_ready(word.text)
        nodes = []
        for node in self._nodes(line):
            described = node.commands().get(word.text)
            if described is None:
                raise binding.unknown_command(node, word)
            nodes.append((node, described))
        if nodes:
            self._run_on(nodes, line)

    def _run_bare(self, line: grammar.Line) -> None:
        """Go to a path, printing nothing; of a path with `*` list the nodes."""
        self._make_ready("cd")
        nodes = self._nodes(line)
        if line.every_child:
            self.take(Each([(node.path, Tree(node.branch())) for node in nodes]))
        else:
            self.go(nodes[0].path)

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
            if self.options.dry_run:
                error.hint += " In a dry run no line before this one has been done."
            raise
        if not nodes:
            self.note(f"Nothing matches {line.path.text}.")
            if self.options.json:
                self.show(Lines([], []))
        return nodes

    def _pattern(self, text: str) -> str:
        """Return a path with `*` as nodes match it; to targetcli `PATH*` is `PATH/*`."""
        if not self.compat or not text.endswith("*"):
            return text
        folder = text.rstrip("*")
        return f"{folder}{'' if folder.endswith('/') or not folder else '/'}*"

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

    def _make_ready(self, name: str) -> None:
        """Bring the target up before the first command that looks at it."""
        if not self._ready and name not in _NEED_NO_TARGET:
            self.lio.ready()
            self._ready = True

    def _absolute(self, line: grammar.Line) -> str:
        """Return a line as it could be typed at the root, with its secrets masked."""
        words = [word for word in (line.path, line.command, *line.arguments) if word is not None]
        shown = masked(line.text, words).strip()
        if self.path == "/" or (line.path is not None and line.path.text[:1] in ("/", "@")):
            return shown
        return f"{self.path}{' ' if line.path is None else '/'}{shown}"

    def _run_on(self, nodes: Sequence[tuple[Node, Command]], line: grammar.Line) -> None:
        """Run a command on a node, or on all that a path with `*` names: all of it, or nothing."""
        arguments = line.arguments
        end = len(line.text.rstrip())
        if any(described.takes_secrets for _, described in nodes):
            # A secret is asked for only if the rest of the line is right, and once for all nodes.
            for node, described in nodes:
                with _named_in_errors(node, line):
                    values = binding.bind(described, arguments, end, node)
                    node.require(described.name, node.settled(described.name, values))
            taken = self.options.lines_from_stdin and not self.stdin.isatty()
            arguments = read_indirect(arguments, None if taken else self.stdin)
        calls = [
            _Call(
                node,
                described,
                node.settled(described.name, binding.bind(described, arguments, end, node)),
            )
            for node, described in nodes
        ]
        if not any(call.changes for call in calls):
            self.take(self._planned(calls, line))
            return
        described = calls[0].described
        given: dict[str, bool] = {}
        for call in calls:
            tolerances = TOLERANCES.get(call.described.name, ())
            given = {one.name: call.values.pop(one.name) for one in tolerances}
        tolerance = _Tolerance(given.get("exist_ok", False), given.get("missing_ok", False))
        self.forced = given.get("force", False)
        if not self.lio.may_change:
            raise NotPermittedError(f"{described.name} needs root.", "Run pyshell as root.")
        self.line = self._absolute(line)
        held = locked(self.lio.lock_file, self.options.lock_timeout, self.note)
        with nullcontext() if self.options.dry_run else held as self._held:
            if self._ready and not self.options.dry_run:
                self.lio.prepare_change()
            if line.every_child:
                self.take(self._planned(calls, line, tolerance))
                return
            try:
                result = calls[0].run()
                if self.options.dry_run and isinstance(result, Lines) and described.name != "set":
                    result = replace(result, lines=marked(result.lines))
                self.take(result)
            except (ExistsError, NotFoundError) as error:
                self._tolerate(error, tolerance)

    def _planned(
        self, calls: Sequence[_Call], line: grammar.Line, tolerance: _Tolerance | None = None
    ) -> Result:
        """Return what a command returns on one node, or on each; changes become one change."""
        if not line.every_child:
            return calls[0].run()
        parts: list[tuple[str, Result]] = []
        for call in calls:
            try:
                with _named_in_errors(call.node, line):
                    result = call.run()
                    if tolerance is not None and any(tolerance) and isinstance(result, Change):
                        self.check(result)
            except (ExistsError, NotFoundError) as error:
                if tolerance is None:
                    raise
                self._tolerate(error, tolerance)
            else:
                parts.append((call.node.path, result))
        return _together(calls[0].described.name, parts)

    def _tolerate(self, error: ExistsError | NotFoundError, tolerance: _Tolerance) -> None:
        """Note that there is nothing to do; raises an error that is not tolerated."""
        if isinstance(error, ExistsError):
            tolerated = tolerance.exist_ok and error.wanted
        else:
            tolerated = tolerance.missing_ok
        if not tolerated:
            raise error
        self.note(f"{error.message.rstrip('.')}: nothing to do.")


class _Tolerance(NamedTuple):
    """What a command was told to accept."""

    exist_ok: bool
    missing_ok: bool


@dataclass
class _Call:
    """A command with the node and the values that it runs with."""

    node: Node
    described: Command
    values: dict[str, Any]

    @property
    def changes(self) -> bool:
        """Whether it may change the target; a preference is none of it."""
        if self.described.name == "set" and self.values.get("group") in (None, "global"):
            return False
        return self.described.changes

    def run(self) -> Result:
        """Run it. Raises PyshellError."""
        return self.node.run(self.described.name, **self.values)


@contextmanager
def _named_in_errors(node: Node, line: grammar.Line) -> Iterator[None]:
    """Have errors name the node, if it is one of several."""
    try:
        yield
    except PyshellError as error:
        if line.every_child and node.path not in error.message:
            error.message = f"{node.path}: {error.message}"
        raise


def _together(name: str, parts: Sequence[tuple[str, Result]]) -> Result:
    """Return what several nodes returned as one result; changes become one change.

    Raises UsageError for what makes sense for one node only.
    """
    changes = [(path, part) for path, part in parts if isinstance(part, Change | Lines)]
    if any(isinstance(part, Change) for _, part in changes) and len(changes) == len(parts):
        return Change(
            [o for _, part in changes if isinstance(part, Change) for o in part.operations],
            note=" ".join(p.note for _, p in changes if isinstance(p, Change) and p.note),
            named=[path for _, p in changes if isinstance(p, Change) for path in p.named or ()],
            parts=changes,
        )
    if name == "set" and parts:
        return parts[0][1]  # a preference is no node's
    if len(parts) > 1 and not all(isinstance(p, Lines | Tree | Nothing) for _, p in parts):
        raise UsageError(
            f"{name} runs on one node at a time, and the path names {len(parts)}.",
            "Run it for each of them.",
        )
    return Each(parts)
