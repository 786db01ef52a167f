# SPDX-License-Identifier: Apache-2.0
"""The smallest list of steps from the running configuration to a wanted one.

Equal objects are not touched, so their sessions stay. An object with other creation arguments is
deleted and recreated, along with its dependents (the LUNs of a storage object, the mapped LUNs of a
LUN); all other changes are made in place.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pyshell.config import object_operations
from pyshell.config.compare import (
    Difference,
    compare,
    keeping_chap,
    keeping_identity,
    merged,
    settable,
)
from pyshell.config.model import (
    ENABLED,
    Item,
    Items,
    in_order,
    refuse,
    tree_path,
)
from pyshell.config.object_operations import SetKnown
from pyshell.lio import Lio, identifiers, listing, operations, settings
from pyshell.lio.operations.base import Operation
from pyshell.lio.operations.setters import PauseTpg, SetEnabled
from pyshell.lio.operations.targets import SetNexus, disable_tpg
from pyshell.lio.storage_info import ARGUMENTS

_OPEN_ENDED = ("attrib", "param")
"""Groups of settings that differ between kernels."""


@dataclass(frozen=True)
class PlanStep:
    """An operation of a plan, with the path of its object."""

    path: str
    operation: Operation


@dataclass
class Plan:
    """Steps in order, and their result.

    Paths are as in the tree; objects that follow from others are omitted.
    """

    steps: list[PlanStep] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    changed: list[Difference] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    unchanged: int = 0
    kept: list[str] = field(default_factory=list)
    """Running objects that the document lacks: they stay unless pruned."""
    kept_identity: list[str] = field(default_factory=list)
    """Storage objects that keep the running vendor, product …, which the document omits."""
    kept_chap: list[str] = field(default_factory=list)
    """Objects that keep running CHAP settings, which the document omits."""
    lacking: dict[str, list[str]] = field(default_factory=dict)
    """Settings that this kernel does not have, by path."""

    @property
    def operations(self) -> list[Operation]:
        """Return the operations of the steps."""
        return [step.operation for step in self.steps]

    def note_lacking(self) -> None:
        """Add to `lacking` what new objects turned out to lack."""
        for step in self.steps:
            if isinstance(step.operation, SetKnown) and step.operation.unknown:
                self._lacks(step.path, step.operation.file)

    def _lacks(self, path: str, file: str) -> None:
        names = self.lacking.setdefault(path, [])
        name = file.rpartition("/")[2]
        if name not in names:  # that of a recreated object is known beforehand
            names.append(name)


def plan(
    lio: Lio,
    running: Items,
    wanted: Items,
    *,
    prune: bool = False,
    keep: bool = False,
    refused: dict[str, str] | None = None,
    hbas: listing.HbaNumbers | None = None,
) -> Plan:
    """Return the steps from `running` to `wanted`; `prune` deletes what is only running.

    `hbas` are the numbers of storage objects, if other operations follow.

    With `keep`, running CHAP settings and identities of storage objects that the document of
    `wanted` omits are kept.

    An object that cannot be created, for example a LUN of a missing storage object, is skipped and
    added to `refused`, as by `items`.
    """
    kept_chap: list[str] = []
    kept_identity: list[str] = []
    if keep:
        wanted, kept_chap = keeping_chap(wanted, running)
        wanted, kept_identity = keeping_identity(wanted, running)
    wanted, lacking = settable(lio, wanted, running)
    for path, names in _unknown(running, wanted).items():
        lacking.setdefault(path, []).extend(names)
    # Steps follow the order of these two, and either can have been merged from several.
    running, wanted = in_order(running), in_order(wanted)
    wanted = _possible(running, wanted, prune, refused)
    differences = compare(running, wanted, unread=False)
    gone = [d.path for d in differences if d.sign == "-"]
    deleted = gone if prune else []
    created = [d.path for d in differences if d.sign == "+"]
    changed = [d for d in differences if d.sign == "~"]
    again = _with_dependents(running, _to_replace(changed), deleted)
    recreated = again | _with_dependents(running, _to_lift(running, changed), deleted)
    changed = [d for d in changed if d.path not in again]
    touched = recreated | {d.path for d in changed}
    # Equal objects need no step and no merging.
    target = running | {
        path: merged(lio, running[path], item) if path in running else item
        for path, item in wanted.items()
        if path in touched or path not in running
    }
    steps = _Steps(lio, running, target, hbas or listing.HbaNumbers(lio)).all(
        {*created}, recreated, {*deleted}, {d.path: d for d in changed}
    )
    done = [step.operation for step in steps]
    pauses = operations.disturbance.pauses(lio, done) if done else []
    for index, pause in reversed(pauses):
        # It goes with the first step that needs it, or the last one.
        with_step = index - 1 if isinstance(pause, PauseTpg) and pause.enabled else index
        steps.insert(index, PlanStep(steps[with_step].path, pause))
    every = {**running, **wanted}

    def reported(paths: Iterable[str]) -> list[str]:
        items = (every[path] for path in paths)
        return [*dict.fromkeys(tree_path(item) for item in items if not item.implied)]

    return Plan(
        steps,
        created=reported(created),
        changed=[replace(d, path=tree_path(every[d.path])) for d in changed],
        replaced=reported(path for path in running if path in recreated),
        deleted=reported(deleted),
        unchanged=len(reported(set(wanted) & set(running) - touched)),
        kept=[] if prune else reported(gone),
        kept_chap=reported(kept_chap),
        kept_identity=reported(kept_identity),
        lacking=lacking,
    )


def _unknown(running: Items, wanted: Items) -> dict[str, list[str]]:
    """Return the wanted attributes and parameters that running objects do not have, by path."""
    found: dict[str, list[str]] = {}
    for path, item in wanted.items():
        if path not in running:
            continue
        for file in item.settings.keys() - running[path].settings.keys():
            group, _, name = file.partition("/")
            if group in _OPEN_ENDED and not os.path.exists(f"{running[path].place.folder}/{file}"):
                found.setdefault(tree_path(item), []).append(name)
    return {path: sorted(names) for path, names in found.items()}


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
        known = ARGUMENTS[place.plugin] if isinstance(place, identifiers.StorageObject) else {}
        in_place = {name for name, argument in known.items() if argument.in_place}
        if any(change.name not in in_place for change in difference.facts):
            found.add(difference.path)
    return found


def _to_lift(running: Items, changed: Sequence[Difference]) -> set[str]:
    """Return the LUNs to recreate, as their storage object cannot be changed while exported."""
    stiff = {
        d.path
        for d in changed
        for c in d.changes
        if d.after and (c.name == "wwn" or settings.is_fixed_while_exported(d.after.place, c.name))
    }
    return {path for path, item in running.items() if stiff & set(item.links)}


def _with_dependents(running: Items, paths: set[str], deleted: Sequence[str]) -> set[str]:
    """Return `paths` with all their dependents that are not deleted anyway."""
    found = set(paths)
    for path, item in running.items():  # in the order of creation: one pass is enough
        above = getattr(item.place, "storage_object", None)
        if found & set(item.links) or (above is not None and above.path in found):
            found.add(path)
    return found - set(deleted)


def _steps(item: Item, made: Iterable[Operation]) -> list[PlanStep]:
    return [PlanStep(tree_path(item), operation) for operation in made]


class _Steps:
    """Collects the steps of a plan, with identifiers of this kernel."""

    def __init__(self, lio: Lio, running: Items, target: Items, hbas: listing.HbaNumbers) -> None:
        self._lio = lio
        self._running = running
        self._target = target
        self._numbers = hbas
        self._found: list[PlanStep] = []
        self._settings_of_luns: list[PlanStep] = []

    def all(
        self,
        created: Collection[str],
        again: Collection[str],
        deleted: Collection[str],
        changes: Mapping[str, Difference],
    ) -> list[PlanStep]:
        """Return deletions, innermost first, then creations and changes, then enabling."""
        for item in self._running.values():
            if isinstance(item.place, identifiers.Tpg) and item.path in deleted:
                self._add(item, disable_tpg(item.place))
        for item in reversed(list(self._running.values())):
            if item.path in again or item.path in deleted:
                self._sweep_below(item)
                self._delete(self._placed(item))
        self._sweep(created)
        last: list[PlanStep] = []
        for item in sorted(self._target.values(), key=lambda item: item.rank):
            is_new = item.path in created or item.path in again
            change = changes.get(item.path)
            if not (is_new or change or isinstance(item.place, identifiers.Tpg)):
                continue
            placed = self._placed(item)
            if is_new:
                self._create(item, placed)
            elif change:
                self._add(item, object_operations.follow(placed, [c.name for c in change.facts]))
                self._add(item, object_operations.change(placed, [c.name for c in change.settings]))
            if not isinstance(placed.place, identifiers.Tpg):
                continue
            if item.path not in deleted and listing.half_made(self._lio, placed.place):
                self._add(item, [SetNexus(placed.place)])
            enabled = item.settings.get(ENABLED)
            before = None if is_new else self._running.get(item.path)
            if enabled not in (None, before.settings.get(ENABLED) if before else None):
                last.append(PlanStep(tree_path(item), SetEnabled(placed.place, enabled == "1")))
        return [*self._found, *self._settings_of_luns, *last]

    def _create(self, item: Item, placed: Item) -> None:
        """Create an object with its settings, but all LUNs before the settings of any.

        They are created in parallel if nothing else is between them.
        """
        made = list(object_operations.create(placed, self._exported(item)))
        if isinstance(placed.place, identifiers.Lun):
            self._add(item, made[:1])
            self._settings_of_luns += _steps(item, made[1:])
        else:
            self._found += self._settings_of_luns
            self._settings_of_luns = []
            self._add(item, made)

    def _sweep(self, created: Collection[str]) -> None:
        """Delete half-made objects, left by a killed program, in the place of new ones."""
        new = [item for p, item in self._target.items() if p in created and p not in self._running]
        placed = [self._placed(item) for item in sorted(new, key=lambda item: item.rank)]
        for item in reversed(placed):
            if listing.half_made(self._lio, item.place):
                self._delete(item)

    def _sweep_below(self, item: Item) -> None:
        """Delete half-made objects below an object that is to be deleted."""
        found: Iterable[identifiers.Lun | identifiers.MappedLun] = ()
        if isinstance(item.place, identifiers.Tpg):
            found = listing.luns(item.place)
        elif isinstance(item.place, identifiers.NodeAcl):
            found = listing.mapped_luns(item.place)
        for place in found:
            if listing.half_made(self._lio, place):
                self._add(item, object_operations.delete(Item(place)))

    def _delete(self, item: Item) -> None:
        self._add(item, object_operations.delete(item))
        self._numbers.forget(item.path)

    def _add(self, item: Item, made: Iterable[Operation]) -> None:
        self._found += _steps(item, made)

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
