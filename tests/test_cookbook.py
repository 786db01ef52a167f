# SPDX-License-Identifier: Apache-2.0
"""The cookbook's jobs, one after the other, print what is shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import transcripts
from driver import ROOT
from pyshell.simulator.simulated_machine import SimulatedMachine

COOKBOOK = (ROOT / "docs/cookbook.md").read_text(encoding="utf-8")
JOBS = re.findall(r"^## (\d+)\. ", COOKBOOK, re.MULTILINE)


def test_there_are_twenty_jobs() -> None:
    assert [*map(int, JOBS)] == [*range(1, 21)]


def test_each_job_is_a_few_lines() -> None:
    typed = {block.heading: len([*block.typed()]) for block in transcripts.blocks(COOKBOOK)}
    assert len(typed) == len(JOBS)
    assert max(typed.values()) <= 8


def test_the_jobs_print_what_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"COLUMNS": "100", "TERM": "xterm", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    # A simulated host has the space of this machine, which can be less than job 5 takes.
    monkeypatch.setattr(SimulatedMachine, "free_space", lambda self, path: 100 << 30)
    blocks = transcripts.blocks(COOKBOOK)
    run(blocks, tmp_path)
    found = [f"{one.heading}: shown is {one.difference}" for one in blocks if one.difference]
    assert not found, "\n".join(found)


def run(blocks: list[transcripts.Block], folder: Path) -> None:
    """Run blocks with the cookbook's hosts and folders below a test's own folder."""
    hosts = {name: folder / name for name in ("storage1", "storage2")}
    own = {"/tmp/": f"{folder}/", "/root/": f"{Path.home()}/"}
    Path.home().mkdir(exist_ok=True)
    transcripts.run(blocks, hosts, own)
