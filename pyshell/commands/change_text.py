# SPDX-License-Identifier: Apache-2.0
"""A plan as text and for JSON: each changed object, and whom that disturbs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from pyshell.config.compare import Changed, Difference, shown
from pyshell.lio import operations
from pyshell.text import listed
from pyshell.tree.node import split_path

if TYPE_CHECKING:
    from pyshell.config.plan import Plan
    from pyshell.lio import Lio
    from pyshell.lio.operations.base import Operation


_NAMED = 3
# Kinds of changes as the JSON names them, and their verbs.
_VERBS = {
    "created": "create",
    "changed": "change",
    "made anew": "recreate",
    "deleted": "delete",
}


@dataclass(frozen=True)
class Touched:
    """An object that a plan changes, and the initiators that lose sessions or disks."""

    path: str
    change: str
    """created, changed, made anew or deleted."""
    settings: tuple[Changed, ...]
    sessions: Sequence[str]

    @property
    def effect(self) -> str:
        """`replacing`, `disrupting`, or `online` if it disturbs nobody."""
        if self.change == "made anew":
            return "replacing"
        return "disrupting" if self.sessions else "online"

    @property
    def line(self) -> str:
        """A line such as `deleted /iscsi/… [disrupting iqn.…]`."""
        return self._line(f"{_VERBS[self.change]}d")

    @property
    def would(self) -> str:
        """A line of a dry run: `Would delete /iscsi/… [disrupting iqn.…]`."""
        return self._line(f"Would {_VERBS[self.change]}")

    def _line(self, change: str) -> str:
        settings = "; ".join(change.text for change in self.settings)
        marks = [self.effect, *([", ".join(self.sessions)] if self.sessions else [])]
        if self.effect == "replacing" and self.sessions:
            marks = ["replacing, disrupting", *marks[1:]]
        return f"{change} {self.path}{f': {settings}' if settings else ''} [{' '.join(marks)}]"

    @property
    def data(self) -> dict[str, Any]:
        """Return it for `-o json`."""
        return {
            "path": self.path,
            "change": self.change,
            "effect": self.effect,
            "settings": [changed_data(change) for change in self.settings],
            "sessions": list(self.sessions),
        }


def touched(lio: Lio, plan: Plan) -> list[Touched]:
    """Return the objects that a plan will change."""
    cut: dict[str, set[str]] = {}
    if plan.steps:
        each = operations.disturbance.cut_by_each(lio, plan.operations)
        for step, names in zip(plan.steps, each, strict=True):
            cut.setdefault(step.path, set()).update(names)
    return [
        Touched(path, change, settings, sorted(cut.get(path, ())))
        for path, change, settings in _objects(plan)
    ]


def _objects(plan: Plan) -> Iterator[tuple[str, str, tuple[Changed, ...]]]:
    yield from ((path, "created", ()) for path in plan.created)
    yield from ((one.path, "changed", one.changes) for one in plan.changed)
    yield from ((path, "made anew", ()) for path in plan.replaced)
    yield from ((path, "deleted", ()) for path in plan.deleted)


def summary(plan: Plan, objects: Sequence[Touched], title: str, *, would: bool = False) -> str:
    """Return how many objects of each kind there are, or `would` be, after `title`."""
    counts = [
        f"{sum(o.change == word for o in objects)} {f'to {verb}' if would else f'{verb}d'}"
        for word, verb in _VERBS.items()
    ]
    counts.append(f"{plan.unchanged} unchanged")
    return f"{title}: {', '.join([*counts, *_kept(plan.kept), *_chap(plan)])}."


def _chap(plan: Plan) -> Iterator[str]:
    if plan.kept_chap:
        paths = _first(plan.kept_chap)
        yield f"CHAP of {paths} not in the file and kept (keep_omitted=false clears it)"
    if plan.kept_identity:
        paths = _first(plan.kept_identity)
        yield f"identity of {paths} not in the file and kept (keep_omitted=false resets it)"
    if plan.lacking:
        lacking: dict[str, list[str]] = {}
        for path, names in plan.lacking.items():
            lacking.setdefault(", ".join(sorted(names)), []).append(path)
        skipped = "; ".join(f"{names} of {_first(paths)}" for names, paths in lacking.items())
        yield f"{skipped} skipped: this kernel has none"


def _kept(paths: Sequence[str]) -> Iterator[str]:
    """Yield how many objects are kept, and what would remove them."""
    if paths:
        yield (
            f"{len(paths)} not in the file and kept ({_first(paths)}; prune=true removes what it"
            " lacks)"
        )


def _first(paths: Sequence[str]) -> str:
    return listed(paths, _NAMED)


def data(plan: Plan, objects: Sequence[Touched]) -> dict[str, Any]:
    """Return a plan for `-o json`."""
    return {
        "changed": bool(plan.steps),
        "objects": [found.data for found in objects],
        "unchanged": plan.unchanged,
        "kept": plan.kept,
        "kept_chap": plan.kept_chap,
        "kept_identity": plan.kept_identity,
        "skipped_settings": plan.lacking,
    }


def steps(made: Iterable[Operation]) -> Iterator[str]:
    """Yield what operations would do; several settings of one object as their number."""
    setting = operations.setters.Set
    for place, group in groupby(made, lambda one: one.place if isinstance(one, setting) else one):
        found = list(group)
        if len(found) == 1:
            yield f"Would {found[0].full_step}."
        else:
            yield f"Would set {len(found)} settings of {place}."


_WORDS = {"+": "added", "-": "removed", "~": "changed"}


def tree_lines(differences: Iterable[Difference]) -> Iterator[str]:
    """Yield a tree of differences: `+` only in the second, `-` only in the first, `~` in both."""
    above: list[str] = []
    for difference in sorted(shown(differences), key=lambda one: split_path(one.path)):
        parts = split_path(difference.path)
        common = 0
        while common < min(len(above), len(parts) - 1) and above[common] == parts[common]:
            common += 1
        for depth in range(common, len(parts) - 1):
            yield f"  {'  ' * depth}{parts[depth]}"
        yield f"{difference.sign} {'  ' * (len(parts) - 1)}{parts[-1]}"
        for change in difference.changes:
            yield f"  {'  ' * (len(parts) + 1)}{change.text}"
        above = parts


def changes_data(differences: Iterable[Difference]) -> list[dict[str, Any]]:
    """Return the differences for JSON, without the values of secrets."""
    return [
        {
            "path": difference.path,
            "change": _WORDS[difference.sign],
            "settings": [changed_data(change) for change in difference.changes],
        }
        for difference in shown(differences)
    ]


def changed_data(change: Changed) -> dict[str, Any]:
    """Return a changed setting for JSON, without the values of secrets."""
    return {
        "name": change.name,
        "before": _value(change, change.before),
        "after": _value(change, change.after),
    }


def _value(change: Changed, value: Any) -> Any:
    """Return a value for JSON: secrets masked, None if there is none."""
    if change.secret:
        return change.shown(value) if value else None
    return value
