# SPDX-License-Identifier: Apache-2.0
"""A program that is imported once and forked for each command line: see forking.py."""

from __future__ import annotations

import json
import os
import pkgutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import pyshell

SECONDS = 120
"""What one command line may take, unless told otherwise."""
_FORKING = Path(__file__).with_name("forking.py")
# What a command line does not need, or what is no module to import.
_LATE = (
    *("pyshell.simulator", "pyshell.prompt", "pyshell.__main__"),
    "pyshell.commands.metrics_application",  # its library need not be there
)


class Forked:
    """A program, started with the first command line.

    `python` is its own, `entry` the MODULE:FUNCTION of its console script, `modules` what to import
    beside, `argv0` the name by which it is called. `folder` is for what it reads and prints.
    """

    def __init__(
        self, python: str, entry: str, modules: Sequence[str], argv0: str, folder: Path
    ) -> None:
        self.argv0 = argv0
        self.folder = folder
        self._command = [python, str(_FORKING), entry, *modules]
        self._parent: subprocess.Popen[str] | None = None

    def run(
        self,
        arguments: Sequence[str],
        where: Path,
        stdin: str = "",
        environment: Mapping[str, str] | None = None,
        seconds: int = SECONDS,
    ) -> tuple[int, str, str]:
        """Run a command line in a folder; return the exit status and both outputs.

        The status is that of SIGALRM, negative, where it took more than so many seconds.
        """
        texts = {name: self.folder / name for name in ("stdin", "stdout", "stderr")}
        texts["stdin"].write_text(stdin)
        asked = {
            "argv": [self.argv0, *arguments],
            "folder": str(where),
            "environment": dict(environment or {}),
            "seconds": seconds,
            **{name: str(path) for name, path in texts.items()},
        }
        status = int(self._answer(json.dumps(asked)))
        return status, texts["stdout"].read_text(), texts["stderr"].read_text()

    def _answer(self, asked: str) -> str:
        if self._parent is None:
            self._parent = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                # Which pyshell heeds and targetcli does not; pytest's runners set it.
                env={name: value for name, value in os.environ.items() if name != "COLUMNS"},
            )  # fmt: skip
        to: IO[str] | None = self._parent.stdin
        answers: IO[str] | None = self._parent.stdout
        assert to is not None
        assert answers is not None
        try:
            to.write(f"{asked}\n")
            to.flush()
            return answers.readline()
        except BaseException:
            self.end()  # else the next one would get this one's answer
            raise

    def end(self) -> None:
        """End it; the next command line starts it anew."""
        if self._parent is not None:
            self._parent.kill()
            self._parent.communicate()
            self._parent = None


def modules_of_pyshell() -> list[str]:
    """Return the modules that its one-liners import."""
    return [
        module.name
        for module in pkgutil.walk_packages(pyshell.__path__, "pyshell.")
        if not module.name.startswith(_LATE)
    ]
