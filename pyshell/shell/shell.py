# SPDX-License-Identifier: Apache-2.0
"""The shell: takes a line, finds the node and runs the command."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

from configshell_fb import ConfigShell

from pyshell.errors import ExistsError, NotFoundError, NotPermittedError, UsageError
from pyshell.shell import binding, grammar
from pyshell.shell.effects import Effects
from pyshell.shell.lock import locked
from pyshell.shell.options import of_line
from pyshell.shell.secrets import masked, masked_fault, read_indirect, without_secrets
from pyshell.tree.command import TOLERANCES, Command
from pyshell.tree.node import Node
from pyshell.tree.results import Tree

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
        try:
            line = grammar.parse(text)
            if not line.empty:
                self._run(line)
        except UsageError as error:
            error.line, error.column = masked_fault(text, error.column)
            error.message = without_secrets(error.message, text)
            raise

    def _run(self, line: grammar.Line) -> None:
        if line.command is None:
            self._run_bare(line)
            return
        before = self.options
        self.options, arguments = of_line(before, line.arguments)
        try:
            self._run_command(replace(line, arguments=arguments), line.command)
        finally:
            self.options = before

    def _run_command(self, line: grammar.Line, word: grammar.Word) -> None:
        name = word.text
        self._make_ready(name)
        for node in self._nodes(line):
            described = node.commands().get(name)
            if described is None:
                raise binding.unknown_command(node, word)
            if line.every_child and not self.options.json:
                self.print_lines([f"[{node.path}]"])
            self._run_on(node, described, line)

    def _run_bare(self, line: grammar.Line) -> None:
        """A path alone goes there, and prints nothing; `PATH/*` alone lists the children."""
        self._make_ready("cd")
        if line.every_child:
            for node in self._nodes(line):
                if not self.options.json:
                    self.print_lines([f"[{node.path}]"])
                self.show(Tree(node.branch()))
            return
        assert line.path is not None
        self.go(self._nodes(line)[0].path)

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

    def _run_on(self, node: Node, described: Command, line: grammar.Line) -> None:
        arguments = line.arguments
        if described.takes_secrets:
            # A secret is asked for only where the rest of the line stands.
            values = binding.bind(described, arguments, len(line.text.rstrip()))
            node.require(described.name, values)
            taken = self.options.lines_from_stdin and not self.stdin.isatty()
            secrets_in = None if taken else self.stdin
            arguments = read_indirect(arguments, secrets_in)
        values = binding.bind(described, arguments, len(line.text.rstrip()))
        preferences_only = described.name == "set" and values.get("group") in (None, "global")
        if not described.changes or preferences_only:
            self.take(node.run(described.name, **values))
            return
        given = {p.name: values.pop(p.name) for p in TOLERANCES.get(described.name, ())}
        exist_ok, missing_ok = given.get("exist_ok", False), given.get("missing_ok", False)
        self.forced = given.get("force", False)
        if not self.lio.may_change:
            raise NotPermittedError(f"{described.name} needs root.", "Run pyshell as root.")
        self.line = self._absolute(line)
        held = locked(self.lio.lock_file, self.options.lock_timeout, self.note)
        try:
            with nullcontext() if self.options.dry_run else held as self._held:
                self.take(node.run(described.name, **values))
        except ExistsError as error:
            if not exist_ok or not error.wanted:
                raise
            self.note(f"{error.message.rstrip('.')}: nothing to do.")
        except NotFoundError as error:
            if not missing_ok:
                raise
            self.note(f"{error.message.rstrip('.')}: nothing to do.")
