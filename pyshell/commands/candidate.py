# SPDX-License-Identifier: Apache-2.0
"""`begin`, `commit` and `abort`: prepare changes in a copy, and make them all at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from pyshell.commands import change_text
from pyshell.config.model import items
from pyshell.config.running import read_running
from pyshell.errors import ConflictError, NotPermittedError, UsageError
from pyshell.lio.identifiers import parents
from pyshell.lio.listing import natural
from pyshell.lio.operations.base import check
from pyshell.text import counted
from pyshell.tree.command import DEADLINE, DEADLINE_HELP, command
from pyshell.tree.node import Node
from pyshell.tree.results import Branch, Change, Lines, Result, Work

if TYPE_CHECKING:
    from pyshell.config.candidate import Candidate
    from pyshell.config.compare import Difference
    from pyshell.config.document import Document
    from pyshell.config.plan import Plan

_HOW = "Run 'begin' first: the commands after it change a copy, which 'commit' applies."


@command(examples=("begin",), in_candidate="refused")
def begin(node: Node) -> Result:
    """Open a candidate: a copy of the configuration for the next commands.

    Commands then change the candidate, with all their checks, and the running configuration stays
    as it is. ls marks what is new (+), changed (~) and removed (-), and diff shows the changes.
    commit applies the changes in one step, abort drops them.

    sessions, top, trace, doctor, metrics, guide and takeover are about the running configuration.
    Preferences (set global) are not part of the candidate.

    A candidate belongs to this run of pyshell: it ends with the prompt, or with the last line of a
    file. For a whole file, use 'pyshell --atomic -f FILE'.
    """
    context = node.context
    if context.compat:
        raise UsageError(
            "There is no candidate in targetcli-compatible mode.", "Run pyshell without --compat."
        )
    if not node.lio.may_change:
        raise NotPermittedError("begin needs root.", "Run pyshell as root.")
    if not context.continues:
        raise UsageError(
            "A candidate ends with its command line: begin needs more lines.",
            "Run begin at the prompt, or 'pyshell --atomic -f FILE'.",
        )

    def run() -> Lines:
        context.begin_candidate()
        told = "Opened a candidate: commands change it until 'commit' or 'abort'."
        return Lines([told], {"messages": [told]})

    return Work(["Would open a candidate."], run)


@command(examples=("abort",), in_candidate="running")
def abort(node: Node) -> Result:
    """Drop the candidate. The running configuration stays as it is."""
    changes = len(_open(node).differences())
    had = f"with {counted(changes, 'change')}" if changes else "without changes"
    return _dropped(node, f"Dropped the candidate {had}.")


@command(
    changes=True,
    examples=("commit", "commit comment='Add disks for mail'", "commit confirm=5min"),
    in_candidate="running",
)
def commit(
    node: Node,
    *,
    comment: Annotated[str | None, "The reason of the change, which 'undo' shows."] = None,
    force: Annotated[
        bool,
        "Commit although the running configuration has changed since begin. The candidate counts"
        " if both changed the same.",
    ] = False,
    confirm: Annotated[int | None, DEADLINE, DEADLINE_HELP] = None,
) -> Result:
    """Apply the changes of the candidate to the running configuration.

    All changes are made in one step with the fewest operations, or none. Unchanged objects are not
    touched, and their sessions continue. A commit closes the candidate, also if it has no changes.
    If the commit fails, the candidate stays open.

    If the running configuration has changed since begin, the differences are shown and nothing is
    changed. With force=true, these changes are kept as well.

    'undo' undoes a commit as a whole. --dry-run shows the changes.
    """
    candidate = _open(node)
    document = read_running(node.lio)
    running = items(document, node.lio.root)
    moved = candidate.moved(running)
    if moved and not force:
        raise _conflict(moved, candidate.differences())
    found = candidate.plan(running)
    if not found.operations:
        return _dropped(node, "Nothing to commit: the candidate has no changes. It is closed.")
    check(node.lio, found.operations)
    change = _committed(node, candidate, found, document)
    change.confirm = confirm
    return change


def _open(node: Node) -> Candidate:
    candidate = node.context.candidate
    if candidate is None:
        raise ConflictError("No candidate is open.", _HOW)
    if node.context.commits_itself:
        raise UsageError("These lines are committed after the last one.", "Omit this line.")
    return candidate


def _dropped(node: Node, told: str) -> Work:
    """Return the work of dropping the candidate."""

    def run() -> Lines:
        node.context.end_candidate()
        return Lines([told], {"messages": [told]})

    return Work(["Would drop the candidate."], run)


def _committed(node: Node, candidate: Candidate, found: Plan, running: Document) -> Change:
    objects = change_text.touched(node.lio, found)
    titles = ("Committed the candidate", "Would commit the candidate")

    def after() -> list[str]:
        node.context.end_candidate()
        found.note_lacking()
        done = [*(one.line for one in objects), change_text.summary(found, objects, titles[0])]
        return [*done, *candidate.advice]

    foretold = change_text.summary(found, objects, titles[1], would=True)
    return Change(
        found.operations,
        after=after,
        would=[*(one.would for one in objects), foretold],
        data=change_text.data(found, objects),
        way="commit",
        running_before=lambda: running,
        named=sorted(candidate.named),
    )


def _conflict(moved: Iterable[Difference], own: Iterable[Difference]) -> ConflictError:
    """Return the error of changes that others made meanwhile."""
    ours = {one.path for one in own}
    error = ConflictError(
        "The running configuration has changed since 'begin':",
        "'commit force=true' keeps these changes; if both changed the same, the candidate's value"
        " is used. 'abort' drops the candidate.",
        unchanged=True,
    )
    error.faults = [line for one in moved for line in _told(one, also=one.path in ours)]
    return error


def _told(difference: Difference, *, also: bool) -> Iterator[str]:
    changes = "; ".join(change.text for change in difference.changes)
    own = " (also in the candidate)" if also else ""
    yield f"{difference.sign} {difference.path}{f': {changes}' if changes else ''}{own}"


def marked(branch: Branch, differences: Iterable[Difference]) -> Branch:
    """Return a branch of a candidate's tree with a mark on each changed node.

    Removed objects are children again; what was below them is not shown.
    """
    found = {one.path: one.sign for one in differences}
    gone: dict[str, list[str]] = {}
    for path, sign in found.items():
        above = path.rpartition("/")[0] or "/"
        if sign == "-" and not any(found.get(one) == "-" for one in (above, *parents(above))):
            gone.setdefault(above, []).append(path)
    return _marked(branch, found, gone)


def _marked(branch: Branch, found: Mapping[str, str], gone: Mapping[str, list[str]]) -> Branch:
    return replace(
        branch,
        mark=found.get(branch.path, " "),
        children=lambda: _MarkedBranches(branch.children(), found, gone, branch.path),
    )


class _MarkedBranches(Collection[Branch]):
    """The children of a node with marks, and those that the candidate has removed."""

    def __init__(
        self,
        children: Collection[Branch],
        found: Mapping[str, str],
        gone: Mapping[str, list[str]],
        path: str,
    ) -> None:
        self._children = children
        self._found = found
        self._gone = gone
        self._removed = sorted(gone.get(path, ()), key=natural)

    def __len__(self) -> int:
        return len(self._children) + len(self._removed)

    def __iter__(self) -> Iterator[Branch]:
        left = list(self._removed)
        for child in self._children:
            while left and natural(left[0]) < natural(child.path):
                yield _removed(left.pop(0))
            yield _marked(child, self._found, self._gone)
        yield from map(_removed, left)

    def __contains__(self, branch: object) -> bool:
        return branch in list(self)


def _removed(path: str) -> Branch:
    name = path.rpartition("/")[2]
    return Branch(name, path, "removed", None, tuple, off=True, mark="-")
