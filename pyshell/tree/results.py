# SPDX-License-Identifier: Apache-2.0
"""What commands return: values, which `render` turns into text or JSON."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pyshell.names import MASK

if TYPE_CHECKING:
    from pyshell.config.document import Document
    from pyshell.errors import PyshellError
    from pyshell.lio.operations.base import Operation
    from pyshell.tree.node import Node
    from pyshell.tree.topology import Topology


class SecretSentence(str):
    """A sentence with a secret, as targetcli prints it; `logged` is the same without the secret."""

    logged: str

    @classmethod
    def of(cls, form: str, secret: str) -> SecretSentence:
        """Return the sentence in which `form` has a `{}` for the secret."""
        made = cls(form.format(secret))
        made.logged = form.format(MASK)
        return made


@dataclass(eq=False)
class Branch:
    """A node as the drawn tree shows it. `healthy` is None if it has no state."""

    name: str
    path: str
    summary: str
    healthy: bool | None
    children: Callable[[], Collection[Branch]]
    """Returns the children, each of which is created only when it is drawn."""
    off: bool = False
    """Whether it exists and is switched off."""
    trouble: Callable[[], str] = str
    """Returns the problem if it is not healthy."""
    mark: str = ""
    """While a candidate is open: what was changed in it, `+`, `~`, `-` or a blank."""

    @property
    def label(self) -> str:
        """The text in the brackets."""
        if self.summary:
            return self.summary
        return {True: "OK", False: "ERROR", None: "..."}[self.healthy]


class Branches(Collection[Branch]):
    """The branches of nodes, each created only when it is needed."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = nodes

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[Branch]:
        return (node.branch() for node in self._nodes)

    def __contains__(self, branch: object) -> bool:
        return branch in list(self)


@dataclass(eq=False)
class Tree:
    """A drawn tree, `depth` levels below its root, None for all."""

    branch: Branch
    depth: int | None = None


@dataclass(eq=False)
class Lines:
    """Lines of text, and the same as data for `-o json`.

    `status` is the exit status if nothing fails. `failure` is raised after the lines are shown.
    """

    lines: Sequence[str]
    data: Any = None
    status: int = 0
    failure: PyshellError | None = None
    idle: bool = False
    """Whether the work changed nothing, so there is nothing to undo."""
    table: Table | None = None
    """The same as a table, for a terminal."""
    form: Literal["plain", "sentences", "help", "markdown"] = "plain"
    """How a terminal may format the lines.

    Sentences and their columns are wrapped, except commands, which are indented by four blanks.
    """


@dataclass(eq=False)
class Table:
    """Rows under headings; the last `numbers` columns, and those in `right`, are aligned right.

    `title` is a line above the headings; `data` is the same for `-o json`.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: int = 0
    title: str = ""
    data: Any = None
    right: Collection[int] = ()
    optional: Collection[int] = ()
    """The columns that a terminal omits if they are empty."""


RowKind = Literal["text", "number", "size", "flag", "time", "list"]
"""The kind of a column's values; None if there is no value.

str, int, int (bytes), bool, str as `2020-07-01T12:00:00Z`, or a list of str.
"""


@dataclass(eq=False)
class Row:
    """One object: its name for scripts, and a function that reads its values."""

    name: str
    values: Callable[[], Sequence[Any]]


@dataclass(eq=False)
class Rows:
    """Objects as rows of values; `columns` are names and kinds. They have all output formats."""

    columns: Sequence[tuple[str, RowKind]]
    rows: Sequence[Row]
    headings: bool = True
    """Whether tables and tsv begin with the names of the columns."""
    optional: Collection[str] = ()
    """The columns that a table omits if they are empty."""
    unshown: Collection[str] = ()
    """The columns that a table omits."""


@dataclass(eq=False)
class Stream:
    """Tables shown one after the other, at a terminal each in place of the last, until Ctrl-C.

    In a pipe only the first `in_pipe` are shown, all if it is None.
    """

    tables: Iterator[Table]
    in_pipe: int | None = None


@dataclass(eq=False)
class Reversal:
    """What an undo or redo is about."""

    action: str
    """For questions and errors: such as `undo 'LINE'`."""
    numbers: Sequence[int]
    """The changes that it undoes or does again."""
    keep: Callable[[Sequence[tuple[Operation, Operation | None]], int], None]
    """Records that it is done, given each operation with its inverse, and its own number."""
    again: bool = False
    """Whether it does the changes again."""
    hint: str = ""
    """Added to errors."""


@dataclass(eq=False)
class Change:
    """Operations to carry out. `made` is the path of what they create.

    A dry run shows `would`, by default the steps of the operations.
    """

    operations: Sequence[Operation]
    made: str | None = None
    after: Callable[[], Sequence[str]] = tuple
    """Sentences known only afterwards, such as a value that the kernel has rounded."""
    would: Sequence[str] | None = None
    note: str = ""
    """Printed after the result."""
    advice: str = ""
    """The last sentence of the result: what to do next. Also printed if only a commit reports."""
    before: Sequence[str] = ()
    """Sentences printed first; in targetcli mode also if the change fails."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """More of the JSON result."""
    way: str = ""
    """The source of the change that a later save records; by default that of the run."""
    reversal: Reversal | None = None
    """What it undoes or does again, None for any other change."""
    logged: bool = False
    """Whether it is in the history although it has no operations."""
    running_before: Callable[[], Document] | None = None
    """The running configuration before it, to which `undo` returns if pyshell is killed meanwhile.

    None if the steps done so far need no undo as a whole.
    """
    named: Sequence[str] | None = ()
    """Paths of the objects that the command line names for removal; None if it names them all.

    Before any other object is removed, a question is asked at a terminal.
    """
    confirm: int | None = None
    """Seconds after which a timer reverts it, unless it is confirmed before; None for no timer."""
    asks: str = ""
    """What is asked about in any case, as "changes …"; "" for nothing."""
    moved: tuple[str, str] | None = None
    """The path of a node before and after, if it gets another name: the prompt follows it."""
    parts: Sequence[tuple[str, Change | Lines]] = ()
    """For a path with `*`: the change of each node, with the node's path."""


@dataclass(eq=False)
class Preference:
    """Preferences to store, and the sentences that say so.

    A value that depends on the one before is a function of that; None removes it.
    """

    values: Mapping[str, Any]
    said: Sequence[str] = ()
    would: Sequence[str] = ()
    """Sentences that a dry run shows in place of `said`."""
    undoable: bool = True
    """Whether `undo` undoes it."""


@dataclass(eq=False)
class Work:
    """Work that is not a list of operations, such as saving: `run` does it, `would` describes it.

    `effect` relates the running configuration to the boot file: it was `saved` there, `loaded`
    from there, or is now some `other`; None for neither.
    """

    would: Sequence[str]
    run: Callable[[], Lines]
    effect: Literal["saved", "loaded", "other"] | None = None
    foresee: Callable[[], Lines] | None = None
    """For a dry run: returns the steps and their failures, or raises why it cannot be done."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """More of the JSON result of a dry run."""
    operations: Callable[[], Sequence[Operation]] = tuple
    """Returns what it will do, for questions about sessions and removed objects."""
    named: Sequence[str] | None = ()
    """As `Change.named`."""
    asks: str = ""
    """More that is asked about, as "deletes …"; "" for nothing."""
    doubts: Callable[[], Sequence[str]] = tuple
    """Returns what is printed above a question: what of the work will fail."""
    undone_by: list[Operation] = field(default_factory=list)
    """The operations that undo the work, in order: filled by `run` if it has no `effect`."""
    touched: list[str] = field(default_factory=list)
    """The paths of the objects that it touched: filled by `run`."""
    revisions: list[int] = field(default_factory=list)
    """The revisions that it kept of what was saved before: filled by `run`."""


@dataclass(eq=False)
class Edited:
    """What an edited text would change, with the difference as lines."""

    change: Change
    difference: Sequence[str]


@dataclass(eq=False)
class Edit:
    """Let the user edit the configuration at a path as text, and apply the result.

    `read` returns the present text. `judge` returns what a text would change, None if nothing; it
    raises DocumentError with positions, or another PyshellError. `difference` returns how the
    configuration differs from an earlier text, as lines.
    """

    path: str
    read: Callable[[], str]
    judge: Callable[[str], Edited | None]
    difference: Callable[[str], Sequence[str]]


@dataclass(eq=False)
class Picture:
    """A topology to draw as `form` (svg, mermaid, dot), into `file` if given."""

    topology: Topology
    form: str
    file: str | None = None


@dataclass(eq=False)
class Go:
    """Change the current path."""

    path: str


@dataclass(eq=False)
class Pick:
    """Let the user choose a path and go there; without a screen for that, go to the root."""


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
    """The results of each node that a path with `*` names, with the node's path."""

    parts: Sequence[tuple[str, Result]]


Shown = Tree | Lines | Rows | Stream | Picture
Result = Shown | Change | Preference | Work | Edit | Go | Pick | Leave | Nothing | Sequential | Each
