# SPDX-License-Identifier: Apache-2.0
"""What initiators do to the simulated target: nobody is there, so whoever wants it says so."""

from __future__ import annotations

from contextlib import suppress

from pyshell.simulator import counting, sessions
from pyshell.simulator.kernel import Kernel
from pyshell.simulator.sessions import Chap
from pyshell.simulator.tree import Tree


class Initiators:
    """The part of the simulator that plays the other host."""

    _tree: Tree
    _kernel: Kernel

    def login(
        self, target: str, tag: int, initiator: str, address: str, chap: Chap | None = None
    ) -> None:
        """Log an initiator at `address` in, which offers CHAP if it is given.

        Raises ConnectionRefusedError if the TPG is not enabled, LoginRefusedError if the initiator
        is refused (or refuses the target), FileNotFoundError and FileExistsError.
        """
        with self._tree.locked():
            sessions.login(self._kernel, f"iscsi/{target}/tpgt_{tag}", initiator, address, chap)

    def logout(self, target: str, tag: int, initiator: str) -> None:
        """End an initiator's session; FileNotFoundError where it has none."""
        with self._tree.locked():
            sessions.logout(self._kernel, f"iscsi/{target}/tpgt_{tag}", initiator)

    def refuse(
        self, target: str, tag: int, initiator: str, address: str, reason: str = "authenticate"
    ) -> None:
        """Count a login that is refused, by default for want of the right CHAP secret.

        `reason` may be authorize, negotiate and other, too.
        """
        with self._tree.locked(), suppress(PermissionError):
            sessions.refuse(self._kernel, f"iscsi/{target}/tpgt_{tag}", initiator, address, reason)

    def transfer(self, path: str, commands: int, *, read: int = 0, written: int = 0) -> None:
        """Count commands, and bytes, of the initiator of a mapped LUN, or of a LUN's in demo mode.

        Raises FileNotFoundError where nothing is exported there.
        """
        with self._tree.locked():
            counting.count_commands(
                self._kernel, self._tree.inside(path), commands, read=read, written=written
            )
