# SPDX-License-Identifier: Apache-2.0
"""The question before a change that disturbs initiators or removes objects that are not named.

One rule for all commands, by effect: a question comes before sessions are terminated or lose a
disk, and before objects are removed that the command line does not name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pyshell.errors import PyshellError
from pyshell.lio.attach import Lio
from pyshell.shell.console import Console

if TYPE_CHECKING:
    from pyshell.lio.impact import Disturbed
    from pyshell.lio.operations.base import Operation
    from pyshell.lio.sessions import Session


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
    from pyshell.lio.impact import disturbed  # reads sessions: only changes need it

    return disturbed(lio, operations)


def would_disturb(
    disturbed: Sequence[Disturbed], operations: Sequence[Operation], named: Sequence[str] | None
) -> list[str]:
    """Return what would be asked, as sentences of a dry run."""
    from pyshell.commands.save import beside

    sentences = [one.told("Would terminate", "Would take") for one in disturbed]
    if removed := beside(operations, named):
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
    from pyshell.commands.save import beside

    effects = []
    ended = [one.session for one in disturbed if one.ended]
    bereft = [one.session for one in disturbed if not one.ended]
    if ended:
        effects.append(f"terminates the session{'s' * (len(ended) > 1)} of {_names_of(ended)}")
    if bereft:
        effects.append(f"takes a disk from {_names_of(bereft)}, logged in now")
    if removed := beside(operations, named):
        effects.append(f"{'also ' if named else ''}removes {removed}")
    return " and ".join(effects)


def _names_of(sessions: Sequence[Session]) -> str:
    return ", ".join(sorted({session.initiator for session in sessions}))
