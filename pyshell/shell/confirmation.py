# SPDX-License-Identifier: Apache-2.0
"""The question before a change that disturbs initiators or removes objects that are not named.

One rule for all commands, by effect: a question comes before sessions are terminated or lose a
disk, and before objects are removed that the command line does not name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from pyshell.errors import PyshellError
from pyshell.lio import impact, listing
from pyshell.lio.attach import Lio
from pyshell.lio.identifiers import (
    AluaGroup,
    Lun,
    MappedLun,
    NodeAcl,
    Place,
    Portal,
    StorageObject,
    Target,
    Tpg,
)
from pyshell.lio.impact import Disturbed
from pyshell.lio.operations.base import Deletion
from pyshell.shell.console import Console

if TYPE_CHECKING:
    from pyshell.lio.operations.base import Operation
    from pyshell.lio.sessions import Session

_NAMED = 3
"""How many storage objects a question names."""
_COUNTED: tuple[type[Place], ...] = (
    Target, Tpg, StorageObject, AluaGroup, Lun, NodeAcl, MappedLun, Portal,
)  # fmt: skip
"""The kinds of objects that a question counts, in its order."""


def can_ask(console: Console) -> bool:
    """Tell whether questions are asked: at a terminal, without --yes, and not in targetcli mode."""
    answered = console.compat or console.options.yes
    return not answered and console.stdin.isatty() and console.err.isatty()


def confirm(
    console: Console, lio: Lio, operations: Sequence[Operation], named: Sequence[str] | None
) -> None:
    """Ask before operations disturb sessions or remove objects that are not `named`.

    Raises PyshellError if the answer is no.
    """
    disturbed = disturbed_by(lio, operations)
    for one in disturbed:
        console.note(f"  {one.session}")
    effect = _effect(disturbed, operations, named)
    if effect and not console.confirmed(f"This {effect}. Continue? [y/N] "):
        raise PyshellError("Nothing was changed.", "--yes answers such questions in advance.")


def disturbed_by(lio: Lio, operations: Sequence[Operation]) -> list[Disturbed]:
    """Return the sessions that operations terminate or take a disk from."""
    return impact.disturbed(lio, operations)


def would_disturb(
    disturbed: Sequence[Disturbed], operations: Sequence[Operation], named: Sequence[str] | None
) -> list[str]:
    """Return what would be asked, as sentences of a dry run."""
    sentences = [one.told("Would terminate", "Would take") for one in disturbed]
    if removed := _removed_beside(operations, named):
        sentences.append(f"Would {'also ' if named else ''}remove {removed}.")
    return sentences


def has_disturbed(disturbed: Iterable[Disturbed]) -> list[str]:
    """Return the sentences that report terminated and diminished sessions."""
    return [one.told("Terminated", "Took") for one in disturbed]


def initiators(disturbed: Iterable[Disturbed]) -> list[str]:
    """Return the initiators of sessions, sorted, each once."""
    return sorted({one.session.initiator for one in disturbed})


def _effect(
    disturbed: Sequence[Disturbed], operations: Sequence[Operation], named: Sequence[str] | None
) -> str:
    """Return what is asked about: "terminates the session of iqn… and removes 1 LUN"."""
    effects = []
    ended = [one.session for one in disturbed if one.ended]
    bereft = [one.session for one in disturbed if not one.ended]
    if ended:
        effects.append(f"terminates the session{'s' * (len(ended) > 1)} of {_names_of(ended)}")
    if bereft:
        effects.append(f"takes a disk from {_names_of(bereft)}, logged in now")
    if removed := _removed_beside(operations, named):
        effects.append(f"{'also ' if named else ''}removes {removed}")
    return " and ".join(effects)


def _names_of(sessions: Sequence[Session]) -> str:
    return ", ".join(sorted({session.initiator for session in sessions}))


def _removed_beside(operations: Sequence[Operation], named: Sequence[str] | None) -> str:
    """Return what operations remove beside the objects with the paths `named`, "" for nothing.

    None for `named` means that all of it is named.
    """
    if named is None:
        return ""
    gone = [operation.place for operation in operations if isinstance(operation, Deletion)]
    tops = {place.path for place in gone if isinstance(place, Target | Tpg | StorageObject)}
    along = [p for p in gone if p.path not in named and not _is_part(p, tops)]
    return _joined(list(_counts(along, named)))


def _is_part(place: Place, tops: Collection[str]) -> bool:
    """Whether an object is made with another that is removed, and is nothing without it."""
    if isinstance(place, Tpg):
        return place.target.path in tops
    if isinstance(place, Portal):
        return place.tpg.path in tops
    return isinstance(place, AluaGroup) and place.storage_object.path in tops


def _counts(along: Sequence[Place], named: Sequence[str]) -> Iterator[str]:
    for kind in _COUNTED:
        found = [place for place in along if type(place) is kind]
        if found:
            words = f"{len(found)} {kind.kind.noun}{'' if len(found) == 1 else 's'}"
            yield f"{words}{_exported(found, named)}"


def _exported(places: Sequence[Place], named: Sequence[str]) -> str:
    """Return the storage objects of LUNs, unless the command names them."""
    luns = [place for place in places[:_NAMED] if isinstance(place, Lun)]
    exported = [found for lun in luns if (found := listing.storage_object_of(lun))]
    told = [f"{one.plugin}/{one.name}" for one in exported if one.path not in named]
    more = ["…"] if len(places) > _NAMED else []
    return f" ({', '.join([*told, *more])})" if told else ""


def _joined(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
