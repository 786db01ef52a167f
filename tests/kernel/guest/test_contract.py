# SPDX-License-Identifier: Apache-2.0
"""The contract of `targetcli` on the real kernel: call by call, and by programs that call it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from contractcases import CALLS
from driver import run_here
from examples.agents import PATH

from ..dropin import agents


def test_every_call_of_the_contract_in_its_order(
    lee: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TARGETCLI_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PYSHELL_SIMULATE", raising=False)
    places = {"DEV": str(lee), "FILE": str(tmp_path / "saved.json")}
    for number, call in enumerate(CALLS):
        argv, out = list(call.argv), call.out
        for word, path in places.items():
            argv = [text.replace(word, path) for text in argv]
            out = out.replace(word, re.escape(path))
        ran = run_here(argv, call.stdin, "/usr/bin/targetcli")
        told = f"{number}: {argv}: {ran}"
        assert ran.status == call.status, told
        assert re.fullmatch(out, ran.out), told
        if call.err:
            assert re.fullmatch(call.err, ran.err), told


@pytest.fixture
def installed(resource_agents: Path, forked: Path, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Return the environment of Debian's agents, in the folders of their package."""
    copied = [Path("/usr/lib/ocf"), Path("/usr/share/resource-agents")]
    for folder in copied:
        shutil.copytree(resource_agents / folder.relative_to("/"), folder, dirs_exist_ok=True)
    # Where they take locks; they wait for ever if it is missing.
    Path("/run/resource-agents").mkdir(exist_ok=True)
    (tmp_path / "targetcli").symlink_to(forked)
    yield {**os.environ, "PATH": f"{tmp_path}:{PATH}", "HOME": str(tmp_path)}
    for folder in copied:
        shutil.rmtree(folder)


@pytest.mark.parametrize("name", agents.TRIALS)
def test_debians_resource_agents_run_pyshell_as_targetcli(
    name: str, installed: dict[str, str], resource_agents: Path, lee: Path
) -> None:
    trial = agents.TRIALS[name]
    tester = str(resource_agents / "usr/sbin" / agents.TESTER)
    done = subprocess.run(
        ["/bin/sh", "-c", f"{trial.line(tester, disk=str(lee))} 2>&1"],
        env=installed, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert agents.outcome(done.stdout) == "passed", done.stdout
