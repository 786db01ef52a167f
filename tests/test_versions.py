# SPDX-License-Identifier: Apache-2.0
"""The runner of other versions: what it tries, and that it tells what it does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.version import Version

from driver import ROOT
from versions import __main__ as versions
from versions import kernels, pythons, runs, sets
from versions.kernels import KernelOutcome
from versions.runs import Outcome, Run
from versions.sets import libraries

HERE = Path(sys.executable)


def test_every_library_is_in_every_set() -> None:
    assert sorted(one.name for one in libraries()) == sorted(sets.NAMES)


@pytest.mark.parametrize("name", sets.DISTRIBUTIONS)
def test_the_libraries_of_a_distribution_are_allowed(name: str) -> None:
    there = sets.DISTRIBUTIONS[name].versions
    for one in libraries():
        assert one.name == "prometheus-client" or one.specifier.contains(there[one.name])


def test_the_lower_bounds_are_the_oldest_of_the_distributions() -> None:
    for name, lowest in sets.oldest("3.11").versions.items():
        known = [one.versions.get(name) for one in sets.DISTRIBUTIONS.values()]
        there = [version for version in known if version]
        assert min(map(Version, there)) == Version(lowest), name


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


def test_a_missing_release_of_python_is_replaced_by_the_one_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = {"3.10": HERE, "3.12": HERE}
    monkeypatch.setattr(pythons, "find", there.get)
    assert [pythons.nearest(name) for name in ("3.9", "3.10", "3.11", "3.12", "3.14")] == [
        None, "3.10", "3.10", "3.12", "3.12",
    ]  # fmt: skip


def test_each_distribution_is_tried_and_the_newest_with_the_other_releases_of_python(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(versions, "own", lambda: "3.11")
    chosen = sets.choose(pythons.wanted(), "3.11")
    assert [*chosen] == [*sets.DISTRIBUTIONS, "newest-3.10"]
    assert chosen["newest-3.10"].constraints() == []
    assert "rtslib-fb==2.1.75" in chosen["debian12"].constraints()
    monkeypatch.setattr(versions, "find", {"3.11": HERE}.get)
    monkeypatch.setattr(versions, "nearest", lambda release: "3.11")
    planned, missing = versions.plan([*chosen])
    assert [(run.name, run.release) for run in planned] == [
        (name, "3.11") for name in sets.DISTRIBUTIONS
    ]
    assert missing == ["newest-3.10"]
    assert [run.name for run in versions.plan(["fedora44"])[0]] == ["fedora44"]


def run_of(name: str, release: str) -> Run:
    return Run(name, sets.DISTRIBUTIONS[name], release, HERE)


def test_what_failed_and_what_is_not_there_is_told() -> None:
    names = [one.name for one in libraries()]
    outcomes = [
        Outcome(run_of("debian12", "3.11"), names, True, "9 passed in 1s"),
        Outcome(run_of("fedora44", "3.13"), names, False, "1 failed in 1s"),
    ]
    head, first, second, third = versions.table(outcomes, ["newest-3.10"])
    assert head.split() == ["set", "Python", *names, "tests"]
    assert first.startswith("debian12  3.11 ")
    assert first.endswith("passed: 9 passed in 1s")
    assert second.startswith("fedora44  3.13 (for 3.14)  ")
    assert second.endswith("FAILED: 1 failed in 1s")
    assert third == "newest-3.10: NOT TRIED, its Python is not on this machine"


def test_an_unknown_set_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        versions.main(["debian11"])
    assert "no such set: debian11" in capsys.readouterr().err


@pytest.mark.parametrize(("passed", "status"), [(True, 0), (False, 1)])
def test_the_exit_status_tells_of_a_failure(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    passed: bool,
    status: int,
) -> None:
    def outcome(run: Run) -> Outcome:
        return Outcome(run, ["1"] * len(libraries()), passed, "told", "the tests' output\n")

    monkeypatch.setattr(versions, "carry_out", outcome)
    monkeypatch.setattr(versions, "nearest", lambda release: pythons.own())
    assert versions.main(["debian12"]) == status
    assert capsys.readouterr().out.startswith("the tests' output\nset")


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
    monkeypatch.setattr(kernels, "environment", lambda run: program)
    found = kernels.carry_out()
    passed = told.startswith("passed")
    assert found == KernelOutcome(passed, f"Linux 6.12.1 and the oldest libraries: {told}", output)


def test_the_core_of_the_tests_is_there() -> None:
    names = (*runs.CORE, *kernels.FILES)
    assert [name for name in names if not (ROOT / "tests" / name).is_file()] == []
