# SPDX-License-Identifier: Apache-2.0
"""One-liners import what they use: the start of a program is most of their time.

`python -m tests.bench.start --renew` records new counts. Do so after a change that is worth its
price to all commands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import start
from driver import ROOT, clean_environment

READING = (
    "pwd", "ls", "status", "/iscsi info", "get global", "list luns", "sessions", "history", "diff",
    "check", "export", "help create", f"/iscsi/{start.TARGET}/tpg1 get attribute",
)  # fmt: skip
# What only changes, reports of wrong files, terminals and the prompt need.
NEEDLESS = frozenset(
    {"rtslib_fb", "rtslib", "configshell", "pyparsing", "voluptuous", "pydantic", "rich"}
    | {"prompt_toolkit", "argparse"}
)

Run = Callable[..., start.Start]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return what starts pyshell on a prepared target."""
    scratch = tmp_path_factory.mktemp("start")
    environment = {**clean_environment(), "HOME": str(scratch)}
    start.prepare(scratch / "simulator", environment, scratch)
    return lambda *arguments: start.started(arguments, environment, scratch)


@pytest.fixture(scope="module")
def simulator(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of that target."""
    return next(tmp_path_factory.getbasetemp().glob("start*")) / "simulator"


@pytest.mark.parametrize("line", READING)
def test_a_command_that_reads_imports_nothing_needless(
    run: Run, simulator: Path, line: str
) -> None:
    loaded = run(f"--simulate={simulator}", *line.split()).modules
    assert "pyshell.shell.shell" in loaded
    assert not loaded & NEEDLESS


def test_completion_imports_nothing_needless(run: Run, simulator: Path) -> None:
    loaded = run(*start.arguments_of("complete", simulator)).modules
    assert "pyshell.shell.completion" in loaded
    assert not loaded & NEEDLESS


def test_a_change_imports_only_what_makes_it(run: Run, simulator: Path) -> None:
    loaded = run(
        f"--simulate={simulator}", *["/backstores/ramdisk", "create", "other", "1M"]
    ).modules
    assert "rtslib_fb" in loaded
    assert not loaded & {"configshell", "pyparsing", "voluptuous", "rich", "prompt_toolkit"}


def test_counts_are_not_larger_than_recorded() -> None:
    recorded = json.loads(start.RECORDED.read_text(encoding="utf-8"))
    # Python's own modules differ between its releases.
    whats = ["own modules"] if recorded["python"] != start.python() else None
    found = start.measure()
    assert list(found) == list(recorded["commands"])
    for name, counts in found.items():
        for what in whats or counts:
            limit = start.MORE * recorded["commands"][name][what]
            assert counts[what] <= limit, f"{name}: {what}; see the docstring of this file"


def test_no_module_compiles_expressions_when_it_is_imported() -> None:
    """Those of `expressions` are compiled when they are first used."""
    early = re.compile(r"^_?[A-Z_]+ = re\.compile", re.M)
    found = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "pyshell").rglob("*.py")
        if early.search(path.read_text(encoding="utf-8"))
    }
    assert found == set()
