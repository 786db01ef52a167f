# SPDX-License-Identifier: Apache-2.0
"""The smallest list of steps from the running configuration to a wanted one.

Equal objects are not touched, so their sessions stay. An object with other creation arguments is
deleted and recreated, along with its dependents (the LUNs of a storage object, the mapped LUNs of a
LUN); all other changes are made in place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pyshell.config import object_operations
from pyshell.config.compare import Difference, compare, keeping_chap, merged
from pyshell.config.model import (
    ENABLED,
    Item,
    Items,
    in_order,
    refuse,
    tree_path,
)
from pyshell.lio import Lio, identifiers, listing, settings
from pyshell.lio.operations.base import Operation
from pyshell.lio.operations.setters import SetEnabled
from pyshell.lio.operations.targets import SetNexus, disable_tpg

# Arguments that can be changed in place, so that a ramdisk keeps its data.
_FOLLOWED = {
    "block": frozenset({"wwn"}),
    "fileio": frozenset({"size", "wwn"}),
    "ramdisk": frozenset({"wwn"}),
    "user": frozenset({"wwn"}),
}


@dataclass(frozen=True)
class PlanStep:
    """An operation of a plan, with the path of its object."""

    path: str
    operation: Operation


@dataclass
class Plan:
    """Steps in order, and their result."""

    steps: list[PlanStep] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    changed: list[Difference] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    unchanged: int = 0
    kept: list[str] = field(default_factory=list)
    """Running objects that the document lacks: they stay unless pruned."""
    kept_chap: list[str] = field(default_factory=list)
    """Objects that keep running CHAP settings, which the document omits."""

    implied: frozenset[str] = frozenset()
    """Paths that are not reported."""

    in_tree: Mapping[str, str] = field(default_factory=dict)
    """Paths in the tree of objects that share a path with another one."""

    @property
    def operations(self) -> list[Operation]:
        """Return the operations of the steps."""
        return [step.operation for step in self.steps]

    def reported(self, paths: Iterable[str]) -> list[str]:
        """Return `paths` as in the tree, without those that follow from others."""
        return [*dict.fromkeys(self.shown(path) for path in paths if path not in self.implied)]

    def shown(self, path: str) -> str:
        """Return a path as in the tree."""
        return self.in_tree.get(path, path)


def plan(
    lio: Lio,
    running: Items,
    wanted: Items,
    *,
    prune: bool = False,
    keep_chap: bool = False,
    refused: dict[str, str] | None = None,
) -> Plan:
    """Return the steps from `running` to `wanted`; `prune` deletes what is only running.

    With `keep_chap`, running CHAP settings that the document of `wanted` omits are kept.

    An object that cannot be created, for example a LUN of a missing storage object, is skipped and
    added to `refused`, as by `items`.
    """
    found = Plan()
    if keep_chap:
        wanted, found.kept_chap = keeping_chap(wanted, running)
    # Steps follow the order of these two, and either can have been merged from several.
    running, wanted = in_order(running), in_order(wanted)
    wanted = _possible(running, wanted, prune, refused)
    every = {**running, **wanted}
    found.implied = frozenset(path for path, item in every.items() if item.implied)
    found.in_tree = {p: shown for p, item in every.items() if (shown := tree_path(item)) != p}
    differences = compare(running, wanted, unread=False)
    gone = [d.path for d in differences if d.sign == "-"]
    found.kept = [] if prune else gone
    found.deleted = gone if prune else []
    found.created = [d.path for d in differences if d.sign == "+"]
    changed = [d for d in differences if d.sign == "~"]
    again = _with_dependents(running, _to_replace(changed), found.deleted)
    lifted = _with_dependents(running, _to_lift(running, changed), found.deleted) - again
    found.replaced = [path for path in running if path in again or path in lifted]
    found.changed = [d for d in changed if d.path not in again]
    touched = again | lifted | {d.path for d in found.changed}
    found.unchanged = len(found.reported(set(wanted) & set(running) - touched))
    # Equal objects need no step and no merging.
    other = again | lifted | {d.path for d in differences if d.sign != "-"}
    target = {
        **running,
        **{p: _merged(running.get(p), item) for p, item in wanted.items() if p in other},
    }
    _Steps(lio, found, running, target).add(again | lifted)
    return found


def _possible(running: Items, wanted: Items, prune: bool, refused: dict[str, str] | None) -> Items:
    """Return the wanted items whose links exist or are created."""
    found: Items = {}
    for path, item in wanted.items():
        gone = [link for link in item.links if link not in found and (prune or link not in running)]
        if gone:
            refuse(refused, path, f"no such object: {gone[0]}")
        elif not _is_bare_group(running, item):
            found[path] = item
    return found


def _is_bare_group(running: Items, item: Item) -> bool:
    """Return whether an ALUA group belongs to a running storage object that supports none."""
    if not isinstance(item.place, identifiers.AluaGroup) or item.path in running:
        return False
    owner = item.place.storage_object.path
    return owner in running and f"{owner}/alua/{identifiers.DEFAULT_GROUP}" not in running


def _to_replace(changed: Sequence[Difference]) -> set[str]:
    """Return the paths of objects that must be recreated."""
    found = set()
    for difference in changed:
        place = difference.after.place if difference.after else None
        followed: frozenset[str] = frozenset()
        if isinstance(place, identifiers.StorageObject):
            followed = _FOLLOWED.get(place.plugin, followed)
        if any(change.name not in followed for change in difference.facts):
            found.add(difference.path)
    return found


def _to_lift(running: Items, changed: Sequence[Difference]) -> set[str]:
    """Return the LUNs to recreate, as their storage object cannot be changed while exported."""
    fixed = {
        f"attrib/{row.name}"
        for row in settings.of_kind("storage_object").values()
        if row.write == settings.UNEXPORTED
    }
    fixed.add("wwn")
    stiff = {d.path for d in changed if any(c.name in fixed for c in d.changes)}
    return {path for path, item in running.items() if stiff & set(item.links)}


def _with_dependents(running: Items, paths: set[str], deleted: Sequence[str]) -> set[str]:
    """Return `paths` with all their dependents that are not deleted anyway."""
    found = set(paths)
    for path, item in running.items():  # in the order of creation: one pass is enough
        above = getattr(item.place, "storage_object", None)
        if found & set(item.links) or (above is not None and above.path in found):
            found.add(path)
    return found - set(deleted)


def _merged(running: Item | None, wanted: Item) -> Item:
    return wanted if running is None else merged(running, wanted)


class _Steps:
    """Adds the steps of a plan, with identifiers of this kernel."""

    def __init__(self, lio: Lio, found: Plan, running: Items, target: Items) -> None:
        self._lio = lio
        self._plan = found
        self._running = running
        self._target = target
        self._numbers = listing.HbaNumbers(lio)

    def add(self, again: set[str]) -> None:
        """Add deletions, innermost first, then creations and changes, then enabling."""
        created, deleted = set(self._plan.created) | again, set(self._plan.deleted)
        for item in self._running.values():
            if isinstance(item.place, identifiers.Tpg) and item.path in deleted:
                self._add(item.path, disable_tpg(item.place))
        for item in reversed(list(self._running.values())):
            if item.path in again or item.path in deleted:
                self._sweep_below(item)
                self._add(item.path, object_operations.delete(self._placed(item)))
                self._numbers.forget(item.path)
        self._sweep(created)
        changes = {d.path: d for d in self._plan.changed}
        last: list[PlanStep] = []
        for item in sorted(self._target.values(), key=lambda item: item.rank):
            if item.path not in created and item.path not in changes and not _is_tpg(item):
                continue
            placed = self._placed(item)
            if item.path in created:
                self._add(item.path, object_operations.create(placed, self._exported(item)))
            elif item.path in changes:
                facts = [change.name for change in changes[item.path].facts]
                self._add(item.path, object_operations.follow(placed, facts))
                names = [change.name for change in changes[item.path].settings]
                self._add(item.path, object_operations.change(placed, names))
            if not isinstance(placed.place, identifiers.Tpg):
                continue
            if item.path not in deleted and listing.half_made(self._lio, placed.place):
                self._add(item.path, [SetNexus(placed.place)])
            enabled = item.settings.get(ENABLED)
            before = None if item.path in created else self._running.get(item.path)
            if enabled not in (None, before.settings.get(ENABLED) if before else None):
                last.append(PlanStep(item.path, SetEnabled(placed.place, enabled == "1")))
        self._plan.steps += last

    def _sweep(self, created: set[str]) -> None:
        """Delete half-made objects, left by a killed program, in the place of new ones."""
        new = [item for p, item in self._target.items() if p in created and p not in self._running]
        placed = [self._placed(item) for item in sorted(new, key=lambda item: item.rank)]
        for item in reversed(placed):
            if listing.half_made(self._lio, item.place):
                self._add(item.path, object_operations.delete(item))
                self._numbers.forget(item.path)

    def _sweep_below(self, item: Item) -> None:
        """Delete half-made objects below an object that is to be deleted."""
        found: Iterable[identifiers.Lun | identifiers.MappedLun] = ()
        if isinstance(item.place, identifiers.Tpg):
            found = listing.luns(item.place)
        elif isinstance(item.place, identifiers.NodeAcl):
            found = listing.mapped_luns(item.place)
        for place in found:
            if listing.half_made(self._lio, place):
                self._add(item.path, object_operations.delete(Item(place)))

    def _add(self, path: str, operations: Iterable[Operation]) -> None:
        self._plan.steps += [PlanStep(path, operation) for operation in operations]

    def _placed(self, item: Item) -> Item:
        place = self._place(item.place)
        return item if place is item.place else replace(item, place=place)

    def _place(self, place: identifiers.Identifier) -> identifiers.Identifier:
        """Return an identifier with the HBA number of its storage object."""
        if isinstance(place, identifiers.AluaGroup):
            owner = self._numbers.current(place.storage_object)
            return place if owner is place.storage_object else replace(place, storage_object=owner)
        return (
            self._numbers.current(place) if isinstance(place, identifiers.StorageObject) else place
        )

    def _exported(self, item: Item) -> identifiers.Identifier | None:
        """Return what a LUN or mapped LUN exports, None for other objects."""
        if not item.links:
            return None
        made_of = self._target.get(item.links[0])
        return self._place(made_of.place) if made_of else None


def _is_tpg(item: Item) -> bool:
    return isinstance(item.place, identifiers.Tpg)
