# SPDX-License-Identifier: Apache-2.0
"""The base of all nodes: like a configshell node, but built together with the path to it, only.

configshell's own nodes hold their children and compare all siblings when one is added. pyshell's
are views: `find` creates one child by its name, `children` creates all, each time. At the prompt
they are configshell's as well, see `Node.kind`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from keyword import iskeyword
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar, cast

from pyshell.errors import NotFoundError
from pyshell.lio import Lio
from pyshell.lio.identifiers import Identifier, normal_path
from pyshell.names import MASK, Normalised, size_text, whole
from pyshell.text import did_you_mean
from pyshell.tree.command import Command, declaration, is_declared
from pyshell.tree.results import Branch, Branches, Lines, Result, Table

if TYPE_CHECKING:
    from typing_extensions import Self

    from pyshell.config.candidate import Candidate
    from pyshell.lio.operations.base import Operation
    from pyshell.tree.groups import SettingsGroup


_LOOKED_AMONG = 500
"""How many names a mistyped one is compared with, at most."""
_COMMANDS: dict[type[Node], Commands] = {}
"""By class of node: they never change."""


class Context(Protocol):
    """What nodes need of the shell."""

    compat: bool

    @property
    def lio(self) -> Lio:
        """The target that commands work on: while a candidate is open, the candidate."""

    @property
    def candidate(self) -> Candidate | None:
        """The open candidate, if any."""

    @property
    def continues(self) -> bool:
        """Whether more lines can follow in this run."""

    @property
    def commits_itself(self) -> bool:
        """Whether the candidate is committed after the last of several lines, all or none."""

    def begin_candidate(self) -> None:
        """Open a candidate. Raises PyshellError."""

    def end_candidate(self) -> None:
        """Drop the candidate."""

    @property
    def way(self) -> str:
        """The source of a change: prompt, one-liner, batch, cluster, boot, apply, rollback, edit,
        commit, undo.
        """

    @property
    def bookmarks(self) -> dict[str, str]:
        """The user's bookmarks: name to path."""

    @property
    def is_shown(self) -> bool:
        """Whether output goes to a terminal."""

    def preference(self, name: str) -> Any:
        """Return a preference."""

    def set_preferences(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Store preferences of the user (None: the default), and return those before."""

    def note(self, text: str) -> None:
        """Print a note beside the command's result."""

    def removed_paths(self) -> set[str]:
        """Return the paths that commands of this run deleted."""

    def lock_lent(self, until: float) -> AbstractContextManager[None]:
        """Release the lock of the running command while it only waits."""

    def note_removed(self, operations: Iterable[Operation]) -> None:
        """Record what operations deleted."""


@dataclass(frozen=True)
class MoreHelp:
    """Help on a command that depends on the node."""

    title: str
    key: str
    """Its name in JSON."""
    text: str


class Node:
    """A node. Its commands are methods `ui_command_NAME`, declared by `command`, and `more`."""

    ui_command_method_prefix: ClassVar[str] = "ui_command_"
    kind: ClassVar[Callable[[type[Node]], type[Node]] | None] = None
    """Returns the class to use instead of one of pyshell's: the prompt sets it to configshell's.

    One-liners do not import configshell: it takes a third of their time, most of it for a grammar.
    """

    more: ClassVar[Mapping[str, str]] = {
        "bookmarks": "pyshell.commands.navigate",
        "cd": "pyshell.commands.navigate",
        "edit": "pyshell.commands.edit",
        "exit": "pyshell.commands.navigate",
        "get": "pyshell.commands.parameters",
        "help": "pyshell.commands.help",
        "history": "pyshell.commands.history",
        "ls": "pyshell.commands.navigate",
        "pwd": "pyshell.commands.navigate",
        "redo": "pyshell.commands.undo",
        "refresh": "pyshell.commands.navigate",
        "set": "pyshell.commands.parameters",
        "status": "pyshell.commands.navigate",
        "undo": "pyshell.commands.undo",
    }
    """Commands that are functions of other modules, imported when one runs: name to module."""
    counted: ClassVar[str] = ""
    """What the summary of a folder counts, such as LUNs."""

    def __new__(cls, *_: object, **__: object) -> Self:
        """Create a node of this class, or of the class that `kind` has for it."""
        chosen = Node.kind(cls) if Node.kind is not None else cls
        return cast("Self", object.__new__(chosen))

    def __init__(
        self, name: str, parent: Node | None = None, context: Context | None = None
    ) -> None:
        # configshell's constructor is left out: it wants all siblings and a shell of its own.
        self._name = name
        self._parent = parent
        self._context = context
        self._path = "" if parent else "/"
        self._made: Sequence[Node] | None = None

    @property
    def context(self) -> Context:
        """The shell, which the root holds."""
        node = self
        while node._parent is not None:
            node = node._parent
        assert node._context is not None
        return node._context

    @property
    def lio(self) -> Lio:
        """The target that the tree shows."""
        return self.context.lio

    def accepted(self, found: Normalised) -> str:
        """Return a WWN for a new object, and note if it is not as given."""
        if found.changed:
            self.context.note(f"The name was changed to {found.wwn}.")
        return found.wwn

    @property
    def name(self) -> str:
        """The name, the last part of the path."""
        return self._name

    @property
    def parent(self) -> Node | None:
        """The node above, None for the root."""
        return self._parent

    @property
    def path(self) -> str:
        """The path from the root."""
        if not self._path:
            assert self._parent is not None
            self._path = f"{self._parent.path.rstrip('/')}/{self._name}"
        return self._path

    @property
    def children(self) -> Sequence[Node]:
        """All children, in the tree's order, as they were when they were first read."""
        if self._made is None:
            self._made = self.make_children()
        return self._made

    def make_children(self) -> Sequence[Node]:
        """Create all children."""
        return ()

    def find(self, name: str) -> Node | None:
        """Return the child of that name; nodes with many children read only that one."""
        for child in self.make_children():
            if child.name == name:
                return child
        return None

    def summary(self) -> tuple[str, bool | None]:
        """Return the summary in the tree, and whether the object is healthy, if it can be."""
        return f"{self.counted}: {len(self.children)}" if self.counted else "", None

    def branch(self) -> Branch:
        """Return the node for a drawing; its children are created when they are drawn."""
        text, healthy = self.summary()
        return Branch(
            str(self.name),
            self.path,
            text,
            healthy,
            lambda: Branches(self.children),
            self.is_off(),
            self.trouble,
        )

    def is_off(self) -> bool:
        """Return whether it exists and is switched off."""
        return False

    def trouble(self) -> str:
        """Return the problem of an unhealthy node, "" if its summary says all."""
        return ""

    def get_node(self, path: str) -> Node:
        """Return the node at a path: absolute, relative to this one, or `@bookmark`.

        Raises NotFoundError.
        """
        node, parts = self._start_of(path)
        for part in parts:
            node = node._step(part)
        return node

    def absolute(self, path: str) -> str:
        """Return a path from the root, spelled as the tree spells it, whether or not it exists.

        Raises NotFoundError for a bookmark that does not exist.
        """
        node, parts = self._start_of(path)
        for number, part in enumerate(parts):
            try:
                node = node._step(part)
            except NotFoundError:
                missing = os.path.normpath(os.path.join(node.path, *parts[number:]))
                return normal_path(missing)
        return node.path

    def matching(self, pattern: str) -> list[Node]:
        """Return the nodes that a path with `*` in any of its parts names, in the tree's order.

        A part without `*` behind one with it need not exist everywhere. Raises NotFoundError for a
        part that matches nothing, unless it is `*` alone.
        """
        start, parts = self._start_of(pattern)
        found = [start]
        several = False
        for part in parts:
            if "*" in part and (several or part == "*" or found[0].find(part) is None):
                several = True
                is_meant = re.compile(re.escape(part).replace(r"\*", ".*")).fullmatch
                found = [c for node in found for c in node.children if is_meant(str(c.name))]
            elif several:
                found = [c for node in found if (c := node._step_or_none(part)) is not None]
            else:
                found = [found[0]._step(part)]
            if not found:
                if part == "*":
                    return []
                raise NotFoundError(f"Nothing matches {part} in {pattern}")
        return list({node.path: node for node in found}.values())

    def _start_of(self, path: str) -> tuple[Node, list[str]]:
        """Return the node where a path begins, and its parts. Raises NotFoundError."""
        if path.startswith("@"):
            bookmark, _, below = path[1:].partition("/")
            start = self.context.bookmarks.get(bookmark)
            if start is None:
                raise NotFoundError(f"No such bookmark {bookmark}", "'bookmarks show' lists them.")
            path = f"{start}/{below}"
        node: Node = self
        if path.startswith("/"):
            while node._parent is not None:
                node = node._parent
        return node, split_path(path)

    def _step_or_none(self, part: str) -> Node | None:
        return self._step(part) if part in (".", "..") else self.find(part)

    def _step(self, part: str) -> Node:
        if part == ".":
            return self
        if part == "..":
            return self._parent or self
        found = self.find(part)
        if found is None:
            hint = self.nearest(part, f"'ls {self.path}' shows what is there.")
            if part in self.commands():
                hint = f"{part} is a command: write '{self.path} {part}'."
            if "*" in part:
                hint = "'*' matches only in the path before a command, as in '/iscsi/* ls'."
            missing = f"No such path {self.path.rstrip('/')}/{part}"
            raise NotFoundError(missing, hint, targetcli=missing)
        return found

    def nearest(self, part: str, then: str) -> str:
        """Return `then`, preceded by "Did you mean …?" if a child has a similar name.

        Very many children are not compared.
        """
        names = [str(child.name) for child in self.children]
        return did_you_mean(part, names, then) if len(names) <= _LOOKED_AMONG else then

    # Commands and groups

    @classmethod
    def commands(cls) -> Commands:
        """Return the commands of this kind of node, sorted by name."""
        known = _COMMANDS.get(cls)
        if known is None:
            known = _COMMANDS[cls] = Commands(cls)
        return known

    def groups(self) -> dict[str, SettingsGroup]:
        """Return the parameter groups (`get`, `set`) by name."""
        return {}

    def obstacle(self, name: str) -> str:
        """Return in few words why a command would fail now, "" if nothing is known."""
        return "nothing to delete" if name == "delete" and self.is_empty() else ""

    def is_empty(self) -> bool:
        """Return whether there are no children; nodes that may have very many read only one."""
        return not self.children

    def more_help(self, name: str) -> MoreHelp | None:
        """Return help on a command beyond its declaration, if any."""
        return None

    def run(self, name: str, /, **values: Any) -> Result:
        """Run a command of this node with values that fit its declaration."""
        fitting = {f"{key}_" if iskeyword(key) else key: value for key, value in values.items()}
        found: Result = self.commands().function(name)(self, **fitting)
        return found


T = TypeVar("T", bound=Identifier)


class ObjectNode(Node, Generic[T]):
    """A node of an object, or the folder `name` below it."""

    def __init__(self, place: T, parent: Node, name: str = "") -> None:
        super().__init__(name or place.path.rpartition("/")[2], parent)
        self.place = place


class Commands(Mapping[str, Command]):
    """The commands of a class of node, sorted by name; each is described when it is needed."""

    def __init__(self, kind: type[Node]) -> None:
        prefix = kind.ui_command_method_prefix
        own = {
            name.removeprefix(prefix): method
            for name in dir(kind)
            if name.startswith(prefix) and is_declared(method := getattr(kind, name))
        }
        self._functions: dict[str, str | Callable[..., Any]] = dict(
            sorted({**own, **kind.more}.items())
        )

    def function(self, name: str) -> Callable[..., Any]:
        """Return the function of a command, which takes the node first; its module is imported."""
        found = self._functions[name]
        if isinstance(found, str):
            module = vars(import_module(found))
            # One that would hide a function of Python's has a `_` behind its name.
            self._functions[name] = found = module.get(f"{name}_") or module[name]
        return found

    def __getitem__(self, name: str) -> Command:
        return declaration(self.function(name))

    def __contains__(self, name: object) -> bool:
        return name in self._functions

    def __iter__(self) -> Iterator[str]:
        return iter(self._functions)

    def __len__(self) -> int:
        return len(self._functions)


def numbered(name: str, prefix: str) -> int | None:
    """Return the number in a child's name such as lun3, None for other names."""
    return whole(name.removeprefix(prefix)) if name.startswith(prefix) else None


def split_path(path: str) -> list[str]:
    """Split a path at its slashes; doubled and trailing ones do not count."""
    return [part for part in path.split("/") if part]


_SIZES = frozenset({"size", "file_size", "file_allocated", "file_system_free"})


def shown_facts(entry: Mapping[str, Any], *, secrets: bool, units: bool = False) -> Lines:
    """Return `name: value` of everything but lists and objects, sorted; masks secrets unless asked.

    With `units`, sizes are shown in bytes and in units.
    """
    facts = {
        name: MASK if "password" in name and not secrets else value
        for name, value in sorted(entry.items())
        if not isinstance(value, dict | list)
    }
    rows = [
        (name, _with_unit(value) if units and name in _SIZES else str(value))
        for name, value in facts.items()
    ]
    lines = [f"{name}: {value}" for name, value in rows]
    return Lines(lines, facts, table=Table(("Fact", "Value"), rows))


def running_facts(lio: Lio, place: Identifier) -> dict[str, Any]:
    """Return an object's entry in the running configuration, without the objects below it."""
    from pyshell.config import running

    return running.facts(lio, place)


def _with_unit(value: Any) -> str:
    return f"{value} ({size_text(value)})" if isinstance(value, int) else str(value)
