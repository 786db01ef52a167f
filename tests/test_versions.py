# SPDX-License-Identifier: Apache-2.0
"""The runner of other versions: what it tries, and that it tells what it does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from driver import ROOT
from pyproject import bound
from versions import __main__ as versions
from versions import kernels, pythons, runs
from versions.kernels import KernelOutcome
from versions.runs import Outcome, Run

HERE = Path(sys.executable)


def test_every_library_has_a_lower_bound_and_is_tried_with_it() -> None:
    assert [bound(one, ">=") for one in runs.libraries()].count(None) == 0
    assert "rtslib-fb==2.2.4" in runs.constraints()
    assert len(runs.constraints()) == len(runs.libraries())


def test_the_releases_of_python_are_those_that_pyproject_names() -> None:
    assert pythons.wanted() == ["3.10", "3.11", "3.12", "3.13"]


def test_the_python_that_runs_it_is_found() -> None:
    found = pythons.find(pythons.own())
    assert found is not None
    told = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    assert told.startswith(f"Python {pythons.own()}.")


def test_a_wrapper_without_its_python_is_not_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapper = tmp_path / "python3.9"
    wrapper.write_text("#!/bin/sh\nexit 127\n")
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert pythons.find("3.9") is None


def test_its_own_python_has_the_oldest_libraries_and_the_others_the_newest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = {"3.10": HERE, pythons.own(): HERE}
    monkeypatch.setattr(versions, "find", there.get)
    planned, missing = versions.plan(["3.10", pythons.own(), "3.13"])
    assert {run.release: run.lowest for run in planned} == {
        name: name == pythons.own() for name in there
    }
    assert missing == [name for name in ("3.10", "3.13") if name not in there]


def test_what_failed_and_what_is_not_there_is_told() -> None:
    names = [one.name for one in runs.libraries()]
    outcomes = [
        Outcome(Run("3.11", HERE, lowest=True), names, True, "9 passed in 1s"),
        Outcome(Run("3.12", HERE, lowest=False), names, False, "1 failed in 1s"),
    ]
    head, first, second, third = versions.table(outcomes, ["3.13"])
    assert head.split() == ["Python", "libraries", *names, "tests"]
    assert first.startswith("3.11    oldest")
    assert first.endswith("passed: 9 passed in 1s")
    assert second.endswith("FAILED: 1 failed in 1s")
    assert third == "Python 3.13: NOT TRIED, there is none on this machine"


@pytest.mark.parametrize(("passed", "status"), [(True, 0), (False, 1)])
def test_the_exit_status_tells_of_a_failure(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    passed: bool,
    status: int,
) -> None:
    def outcome(run: Run) -> Outcome:
        return Outcome(run, ["1"] * len(runs.libraries()), passed, "told", "the tests' output\n")

    monkeypatch.setattr(versions, "carry_out", outcome)
    assert versions.main(["--only", pythons.own()]) == status
    assert capsys.readouterr().out.startswith("the tests' output\nPython")


def test_a_kernel_that_cannot_be_booted_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def missing() -> str:
        asked.append(os.environ["PYSHELL_BED_KERNEL"])
        return "there is no QEMU"

    monkeypatch.setattr("kernel.image.missing", missing)
    told = "Linux of Debian trixie: NOT TRIED, there is no QEMU"
    assert kernels.carry_out() == KernelOutcome(True, told)
    assert asked == ["trixie"]
    assert "PYSHELL_BED_KERNEL" not in os.environ


@pytest.mark.parametrize(
    ("script", "told", "output"),
    [
        ("print('4 passed in 9s')", "passed: 4 passed in 9s", ""),
        ("raise SystemExit('bad')", "FAILED: status 1", "bad\n"),
        ("while True: pass", "FAILED: ended after 1 seconds", ""),
    ],
)
def test_what_came_of_a_kernel_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, told: str, output: str
) -> None:
    monkeypatch.setattr(runs, "RUN_SECONDS", 1 if "ended" in told else 60)
    program = tmp_path / "python"
    program.write_text(f"#!{sys.executable}\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr("kernel.image.missing", lambda: None)
    monkeypatch.setattr("kernel.image.version", lambda: "6.12.1")
    monkeypatch.setattr("sys.executable", str(program))
    found = kernels.carry_out()
    passed = told.startswith("passed")
    assert found == KernelOutcome(passed, f"Linux 6.12.1: {told}", output)


def test_the_core_of_the_tests_is_there() -> None:
    names = (*runs.CORE, kernels.FILE)
    assert [name for name in names if not (ROOT / "tests" / name).is_file()] == []
