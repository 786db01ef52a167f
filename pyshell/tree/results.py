# SPDX-License-Identifier: Apache-2.0
"""What commands return: values, which `render` turns into text or JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, overload

if TYPE_CHECKING:
    from pyshell.errors import PyshellError
    from pyshell.lio.operations.base import Operation
    from pyshell.tree.node import Node
    from pyshell.tree.topology import Topology


@dataclass(eq=False)
class Branch:
    """A node as the drawn tree shows it. `healthy` is None where there is nothing to judge."""

    name: str
    path: str
    summary: str
    healthy: bool | None
    children: Callable[[], Sequence[Branch]]
    """Makes the children; a long sequence makes each only when it is looked at."""
    off: bool = False
    """Whether it is there and switched off."""
    trouble: Callable[[], str] = str
    """Tells what is wrong with what is not healthy."""

    @property
    def label(self) -> str:
        """Return what stands in the brackets."""
        if self.summary:
            return self.summary
        return {True: "OK", False: "ERROR", None: "..."}[self.healthy]


class Branches(Sequence[Branch]):
    """The branches of many nodes, each made only when it is looked at."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = nodes

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[Branch]:
        return (node.branch() for node in self._nodes)

    @overload
    def __getitem__(self, place: int) -> Branch: ...
    @overload
    def __getitem__(self, place: slice) -> Branches: ...

    def __getitem__(self, place: int | slice) -> Branch | Branches:
        if isinstance(place, slice):
            return Branches(self._nodes[place])
        return self._nodes[place].branch()


@dataclass(eq=False)
class Tree:
    """A drawn tree, `depth` levels below its root, all where it is None."""

    branch: Branch
    depth: int | None = None


@dataclass(eq=False)
class Lines:
    """Lines of text, and the same as data for `-o json`.

    `status` is the exit status of a run in which nothing failed. `failure` is raised once the lines
    are shown, where they tell of something that failed.
    """

    lines: Sequence[str]
    data: Any = None
    status: int = 0
    failure: PyshellError | None = None
    idle: bool = False
    """Whether the work found all as it was to be, so that there is nothing to undo."""
    table: Table | None = None
    """The same as a table, for a terminal."""
    form: Literal["plain", "help", "markdown"] = "plain"
    """What a terminal may make of the lines: heads of help, or Markdown."""


@dataclass(eq=False)
class Table:
    """Rows under headings; the last `numbers` columns are aligned to the right.

    `title` is a line above the headings; `data` is the same for `-o json`.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: int = 0
    title: str = ""
    data: Any = None


@dataclass(eq=False)
class Stream:
    """Tables that come one after the other; at a terminal each takes the place of the last.

    They come until they end or somebody stops them, but in a pipe only `in_pipe` of them, unless
    that is None.
    """

    tables: Iterator[Table]
    in_pipe: int | None = None


@dataclass(eq=False)
class Change:
    """Operations to carry out. `made` is the path of what they create.

    A dry run shows `would`; unless it is given, the sentences of the operations.
    """

    operations: Sequence[Operation]
    made: str | None = None
    after: Callable[[], Sequence[str]] = tuple
    """Sentences that are only known when all is done, as a value that the kernel has rounded."""
    would: Sequence[str] | None = None
    note: str = ""
    """What to tell beside the result, once it is there."""
    before: Sequence[str] = ()
    """Sentences of what is about to be done, which targetcli's manner has where it fails, too."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """What `-o json` shows beside the sentences."""
    way: str = ""
    """What a save of what it leaves is said to come from; that of the run unless given."""
    undoable: bool = True
    """Whether `undo` may take it back."""
    undoes: str = ""
    """The command that it undoes, which its errors name; "" for none."""
    named: Sequence[str] | None = ()
    """Paths of the objects that the command line names for removal; None if it names them all.

    Before any other object is removed, a question is asked at a terminal.
    """
    parts: Sequence[tuple[str, Change | Lines]] = ()
    """The changes that it is made of, each with the path of its node: for a path with `*`."""


@dataclass(eq=False)
class Preference:
    """A preference to store, and the sentence that says so.

    A `value` that depends on the one before is a function of that.
    """

    name: str
    value: Any
    said: Sequence[str] = ()
    would: Sequence[str] = ()
    """Sentences that a dry run shows in place of `said`."""


@dataclass(eq=False)
class Work:
    """Work that is no list of operations (saving): `run` does it, `would` tells of it.

    `effect` relates the running configuration to the file that is restored at boot: it was
    `saved` there, `loaded` from there, or is now some `other`; None where it did neither.
    """

    would: Sequence[str]
    run: Callable[[], Lines]
    effect: Literal["saved", "loaded", "other"] | None = None
    foresee: Callable[[], Lines] | None = None
    """For a dry run: tells of the steps and of their failures, or raises what speaks against it."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """What `-o json` shows beside the sentences of a dry run."""
    operations: Callable[[], Sequence[Operation]] = tuple
    """Returns what it will do, of which terminated sessions and removed objects are asked about."""
    named: Sequence[str] | None = ()
    """As `Change.named`."""
    undone_by: list[Operation] = field(default_factory=list)
    """What takes the work back, in that order: filled by `run`, where it has no `effect`."""


@dataclass(eq=False)
class Picture:
    """A topology to draw as `form` (svg, mermaid, dot), into `file` where one is given."""

    topology: Topology
    form: str
    file: str | None = None


@dataclass(eq=False)
class Go:
    """Change the current path."""

    path: str


@dataclass(eq=False)
class Pick:
    """Let the user choose a path, and go there; where nobody can, go to the root."""


@dataclass(eq=False)
class Leave:
    """Leave the shell."""


@dataclass(eq=False)
class Nothing:
    """Nothing to show."""


@dataclass(eq=False)
class Sequential:
    """Results one after the other."""

    results: Sequence[Result] = field(default_factory=tuple)


@dataclass(eq=False)
class Each:
    """What a command returned on each node that a path with `*` names, with that node's path."""

    parts: Sequence[tuple[str, Result]]


Shown = Tree | Lines | Stream | Picture
Result = Shown | Change | Preference | Work | Go | Pick | Leave | Nothing | Sequential | Each
