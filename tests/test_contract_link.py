# SPDX-License-Identifier: Apache-2.0
"""The contract, through a link that is called `targetcli` and through nothing else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from contractcases import CALLS
from driver import LONG, TIME_LIMIT, Pyshell, clean_environment


@pytest.fixture
def link(tmp_path: Path) -> Path:
    """Return a link named targetcli to the installed program."""
    program = shutil.which("pyshell", path=str(Path(sys.executable).parent))
    assert program is not None, "pyshell is not installed beside this Python"
    made = tmp_path / "targetcli"
    made.symlink_to(program)
    return made


def test_every_call_of_the_contract_in_its_order(
    link: Path, pyshell: Pyshell, tmp_path: Path, forked: Path
) -> None:
    """In the short form, calls between the first and the last fork the program."""
    pyshell.must("pwd")
    quick = tmp_path / "quick" / "targetcli"
    quick.parent.mkdir()
    quick.symlink_to(forked)
    environment = {
        **clean_environment(),
        "PYSHELL_SIMULATE": str(pyshell.folder),
    }
    places = {"DEV": "/dev/sdb", "FILE": str(tmp_path / "saved.json")}
    for number, call in enumerate(CALLS):
        argv = list(call.argv)
        out = call.out
        for word, path in places.items():
            argv = [text.replace(word, path) for text in argv]
            out = out.replace(word, re.escape(path))
        program = quick if 2 < number < len(CALLS) - 1 and not LONG else link
        ran = subprocess.run(
            [str(program), *argv], input=call.stdin, capture_output=True, text=True,
            env=environment, timeout=TIME_LIMIT, check=False,
        )  # fmt: skip
        told = f"{number}: {argv}: {ran}"
        assert ran.returncode == call.status, told
        assert re.fullmatch(out, ran.stdout), told
        if call.err:
            assert re.fullmatch(call.err, ran.stderr), told
    assert os.listdir(pyshell.folder / "home")
