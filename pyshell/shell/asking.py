# SPDX-License-Identifier: Apache-2.0
"""What a change costs: the question before it at a terminal, and what is told of it.

One rule for all commands, by effect: a question comes before sessions are terminated or lose a
disk, and before objects are removed that the command line does not name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pyshell.errors import PyshellError
from pyshell.lio.attach import Lio
from pyshell.shell.voice import Voice
from pyshell.tree.results import Change, Work

if TYPE_CHECKING:
    from pyshell.lio.impact import Disturbed
    from pyshell.lio.operations.base import Operation
    from pyshell.lio.sessions import Session


class Asking(Voice):
    """A voice that knows whom a change disturbs."""

    lio: Lio
    forced: bool
    """Whether the command at work was told not to ask."""

    def ask_before(
        self, change: Change | Work, operations: Callable[[], Sequence[Operation]]
    ) -> None:
        """Ask before sessions are disturbed or unnamed objects removed.

        Raises PyshellError if the answer is no.
        """
        if not self._may_ask():
            return
        every = operations()
        disturbed = self.disturbed_by(every)
        for one in disturbed:
            self.note(f"  {one.session}")
        if effect := _effect(disturbed, every, change.named):
            self._go_on_only_if(f"This {effect}. Continue? [y/N] ")

    def foretold(
        self, change: Change, operations: Sequence[Operation], disturbed: Sequence[Disturbed]
    ) -> list[str]:
        """Return what would be asked about, as a dry run tells it."""
        from pyshell.commands.save_losses import beside

        told = [one.told("Would terminate", "Would take") for one in disturbed]
        if removed := beside(operations, change.named):
            told.append(f"Would {'also ' if change.named else ''}remove {removed}.")
        return told

    def disturbed_by(self, operations: Sequence[Operation]) -> list[Disturbed]:
        """Return the sessions that operations terminate or take a disk from."""
        from pyshell.lio.impact import disturbed

        return disturbed(self.lio, operations)

    def _may_ask(self) -> bool:
        answered = self.compat or self.options.yes or self.forced
        return not answered and self.stdin.isatty() and self.err.isatty()

    def _go_on_only_if(self, question: str) -> None:
        if not self.confirmed(question):
            raise PyshellError("Nothing was changed.", "--yes answers such questions in advance.")


def _effect(
    disturbed: Sequence[Disturbed], operations: Sequence[Operation], named: Sequence[str] | None
) -> str:
    """Return what is asked about: "terminates the session of iqn… and removes 1 LUN"."""
    from pyshell.commands.save_losses import beside

    told = []
    ended = [one.session for one in disturbed if one.ended]
    bereft = [one.session for one in disturbed if not one.ended]
    if ended:
        told.append(f"terminates the session{'s' * (len(ended) > 1)} of {_who(ended)}")
    if bereft:
        told.append(f"takes a disk from {_who(bereft)}, logged in now")
    if removed := beside(operations, named):
        told.append(f"{'also ' if named else ''}removes {removed}")
    return " and ".join(told)


def _who(sessions: Sequence[Session]) -> str:
    return ", ".join(sorted({session.initiator for session in sessions}))
