# SPDX-License-Identifier: Apache-2.0
"""The host's side of the writer on the initiator."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from ..guestmachine import BedError
from . import layout
from .cluster import Cluster

UNIT = "writer"
# The last step reads every block that was written.
VERIFY_SECONDS = 1200.0
# So many more acknowledged blocks are proof that the disk is served.
SOME = 40


class Writing:
    """One run of the writer."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._bed = cluster.initiator.bed
        for file in self._bed.glob("writer.*"):
            if file.suffix != ".py":
                file.unlink()
        cluster.initiator.run(
            f"systemd-run -q --collect --unit={UNIT} python3 /bed/writer.py {layout.DISK} /bed"
        )

    def acknowledged(self) -> int:
        """Return how many blocks have been acknowledged so far."""
        return int(self._progress().get("acknowledged", 0))

    def wait_for_more(self, seconds: float, count: int = SOME) -> None:
        """Wait until so many more blocks are acknowledged."""
        wanted = self.acknowledged() + count
        what = f"{count} more acknowledged blocks"
        self._cluster.wait(what, lambda: self.acknowledged() >= wanted, seconds)

    def finish(self) -> dict[str, Any]:
        """End the writing, have all blocks read, and return the summary."""
        (self._bed / "writer.stop").touch()
        summary = self._bed / "writer.json"
        self._cluster.wait("the reading of all blocks", self._has_ended, VERIFY_SECONDS)
        if not summary.exists():
            raise BedError(self._cluster.initiator.run(f"journalctl -u {UNIT} -n 20 --no-pager"))
        found: dict[str, Any] = json.loads(summary.read_text())
        return found

    def _has_ended(self) -> bool:
        if (self._bed / "writer.json").exists():
            return True
        state = self._cluster.initiator.run(f"systemctl is-active {UNIT} || :").strip()
        return state not in ("active", "activating")

    def _progress(self) -> dict[str, Any]:
        # It may be read while it is written.
        with contextlib.suppress(OSError, ValueError):
            found: dict[str, Any] = json.loads((self._bed / "writer.progress").read_text())
            return found
        return {}
