# SPDX-License-Identifier: Apache-2.0
"""The example's playbook, run on this very machine in place of one that ssh leads to."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from driver import clean_environment
from examples.readmes import EXAMPLES

PROGRAMS = Path(sys.executable).parent
# The inventory's host is this machine, its administrator whoever runs the tests.
HERE = {
    "ansible_connection": "local",
    "ansible_become": "false",
    "ansible_python_interpreter": sys.executable,
}


@dataclass(frozen=True)
class Played:
    """What a run of ansible-playbook left."""

    out: str
    status: int

    @property
    def changed(self) -> int:
        """Return how many tasks changed something."""
        found = re.search(r"changed=(\d+) .* failed=0 ", self.out)
        assert found, self.out
        return int(found.group(1))


class Play:
    """A copy of the example, to be run with a few variables more."""

    def __init__(self, scratch: Path, environment: Mapping[str, str], *options: str) -> None:
        self.folder = scratch / "ansible"
        self.program = PROGRAMS / "pyshell"
        shutil.copytree(EXAMPLES / "ansible", self.folder)
        self._options = [part for pair in HERE.items() for part in ("-e", "=".join(pair))]
        self._options += options
        self._environment = {
            **clean_environment(),
            "PYTHONWARNINGS": "ignore",  # Ansible's own are not ours
            "ANSIBLE_HOME": str(scratch / "ansible-home"),
            "ANSIBLE_LOCAL_TEMP": str(scratch / "ansible-home/tmp"),
            "ANSIBLE_REMOTE_TEMP": str(scratch / "ansible-home/remote"),
            **environment,
        }

    def __call__(self, *options: str) -> Played:
        """Run the playbook."""
        return self.type("ansible-playbook", "site.yml", *options)

    def type(self, program: str, *words: str) -> Played:
        """Run one of Ansible's programs in the example's folder."""
        more = ["-e", f"pyshell_target_program={self.program}", *self._options]
        if program != "ansible-playbook":
            more = []
        done = subprocess.run(
            [PROGRAMS / program, *words, *more], cwd=self.folder, env=self._environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=600, check=False,
        )  # fmt: skip
        return Played(done.stdout, done.returncode)
