# SPDX-License-Identifier: Apache-2.0
"""What is asked at a terminal before sessions are cut or LUNs go, and told of that in a dry run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from pyshell.errors import PyshellError
from pyshell.shell.voice import Voice
from pyshell.target.attach import Lio
from pyshell.tree.results import Change, Work

if TYPE_CHECKING:
    from pyshell.target.operations.base import Operation
    from pyshell.target.sessions import Session


class Asking(Voice):
    """A voice that knows whom a change disturbs."""

    lio: Lio
    forced: bool
    """Whether the command at work was told not to ask before it cuts sessions."""

    def ask_before_change(self, change: Change) -> None:
        """Ask before sessions are cut or LUNs go; raises PyshellError for a no."""
        if not self._may_ask():
            return
        cuts = self.cut_by(change.operations)
        for session in cuts:
            self.note(f"  {session}")
        if cuts:
            self._ask_whether_to_cut(session.initiator for session in cuts)
        elif taken := change.takes():
            self._go_on_only_if(f"Delete it with {taken}? [y/N] ")

    def ask_before_work(self, work: Work) -> None:
        """Ask before sessions are cut; raises PyshellError for a no."""
        if self._may_ask() and (initiators := work.cuts()):
            self._ask_whether_to_cut(initiators)

    def losses(self, change: Change, cuts: Sequence[Session]) -> Iterator[str]:
        """Yield what would be asked about, as a dry run tells it."""
        yield from (f"It would cut off {session}" for session in cuts)
        if taken := change.takes():
            yield f"With it would go {taken}"

    def cut_by(self, operations: Sequence[Operation]) -> list[Session]:
        """Return the sessions that operations cut."""
        from pyshell.target.impact import cut_sessions

        return cut_sessions(self.lio, operations)

    def _may_ask(self) -> bool:
        answered = self.compat or self.options.yes or self.forced
        return not answered and self.stdin.isatty() and self.err.isatty()

    def _ask_whether_to_cut(self, initiators: Iterable[str]) -> None:
        self._go_on_only_if(f"This cuts off {', '.join(sorted(set(initiators)))}. Go on? [y/N] ")

    def _go_on_only_if(self, question: str) -> None:
        if not self.confirmed(question):
            raise PyshellError("Nothing was changed.", "--yes or force=true answers for you.")
