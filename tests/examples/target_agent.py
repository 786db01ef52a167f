# SPDX-License-Identifier: Apache-2.0
"""Runs the resource agent ocf:pyshell:Target as a cluster's executor would."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from driver import ROOT, Ran
from examples.agents import PATH, RUNNING

PYSHELL = Path(sys.executable).with_name("pyshell")
AGENT = ROOT / "packaging/ocf/Target"


class TargetAgent:
    """The agent with its parameters, on one node; `ocf` is what resource-agents has in /usr/lib.

    `folder` gets what the agent keeps of what it serves, and pyshell's home.
    """

    def __init__(
        self, ocf: Path, folder: Path, parameters: Mapping[str, str], **environment: str
    ) -> None:
        self.run_dir = folder / "run"
        self.run_dir.mkdir()
        self.parameters = {"pyshell": str(PYSHELL), **parameters}
        self.environment = {
            "PATH": PATH,
            "HOME": str(folder),
            "PYSHELL_HOME": str(folder / "home"),
            "OCF_ROOT": str(ocf),
            "OCF_FUNCTIONS_DIR": str(ocf / "lib/heartbeat"),
            "HA_RSCTMP": str(self.run_dir),
            "OCF_RA_VERSION_MAJOR": "1",
            "OCF_RESOURCE_INSTANCE": "target_disk1",
            "OCF_RESOURCE_TYPE": "Target",
            # An action that is repeated is no probe.
            "OCF_RESKEY_CRM_meta_interval": "10000",
            **environment,
        }

    def __call__(self, action: str, *, depth: int = 0, **more: str) -> Ran:
        """Run an action and return what it printed; `more` are parameters."""
        done = subprocess.run(
            ["/bin/sh", AGENT, action],
            env={**self._all(more), "OCF_CHECK_LEVEL": str(depth)},
            capture_output=True, text=True, timeout=400, check=False,
        )  # fmt: skip
        return Ran(done.stdout, done.stderr, done.returncode)

    def must(self, action: str, *, depth: int = 0, **more: str) -> str:
        """Run an action, which must succeed, and return its log."""
        ran = self(action, depth=depth, **more)
        assert ran.status == RUNNING, (action, ran.err)
        return ran.err

    def begin(self, action: str, **environment: str) -> subprocess.Popen[bytes]:
        """Begin an action in a process group of its own, which can be killed."""
        return subprocess.Popen(
            ["/bin/sh", AGENT, action],
            env={**self._all({}), **environment},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip

    def _all(self, more: Mapping[str, str]) -> dict[str, str]:
        given = {**self.parameters, **more}
        named = {f"OCF_RESKEY_{name}": value for name, value in given.items()}
        return {**self.environment, **named}


def was_killed(process: subprocess.Popen[bytes]) -> bool:
    """Wait for an action's end and return whether it was killed."""
    return process.wait(400) == -signal.SIGKILL
