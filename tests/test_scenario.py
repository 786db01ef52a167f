# SPDX-License-Identifier: Apache-2.0
"""The scenario that pyshell exists for: each command and each line of output, byte for byte."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from driver import DATA, LONG, Pyshell, run_process

_PROMPT = "/> "
_WIDTH = "101"


def _scenario() -> list[tuple[str, str]]:
    """Return each command of the scenario with its output."""
    steps: list[tuple[str, list[str]]] = []
    for line in (DATA / "scenario.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith(_PROMPT):
            steps.append((line.removeprefix(_PROMPT), []))
        else:
            steps[-1][1].append(f"{line}\n")
    return [(command, "".join(output)) for command, output in steps]


SCENARIO = _scenario()
COMMANDS = "".join(f"{command}\n" for command, _ in SCENARIO)
OUTPUT = "".join(output for _, output in SCENARIO)


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", _WIDTH)


def test_the_scenario_is_the_owners() -> None:
    assert len(SCENARIO) == 12
    assert sum(command == "ls" for command, _ in SCENARIO) == 6
    assert OUTPUT.count("\n") == 105


def test_one_liner_by_one_liner(pyshell: Pyshell, forked: Path) -> None:
    """In the short form, lines after the first three fork pyshell."""
    for number, (command, output) in enumerate(SCENARIO):
        program = [sys.executable, "-m", "pyshell"] if LONG or number < 3 else [str(forked)]
        ran = run_process([*program, f"--simulate={pyshell.folder}", *shlex.split(command)])
        assert (ran.out, ran.err, ran.status) == (output, "", 0), command


def test_one_liners_whose_command_is_one_argument(pyshell: Pyshell) -> None:
    for command, output in SCENARIO:
        assert pyshell.line(command).done().out == output, command


def test_one_batch_from_standard_input(pyshell: Pyshell) -> None:
    # A batch that changed something saves at its end, and says so.
    pyshell.must("set global auto_save_on_exit=false")
    ran = pyshell.process(stdin=COMMANDS)
    assert (ran.out, ran.err, ran.status) == (OUTPUT, "", 0)


def test_one_batch_from_a_file(pyshell: Pyshell, tmp_path: Path) -> None:
    pyshell.must("set global auto_save_on_exit=false")
    batch = tmp_path / "scenario.batch"
    batch.write_text(COMMANDS, encoding="utf-8")
    ran = pyshell.process("-f", str(batch))
    assert (ran.out, ran.err, ran.status) == (OUTPUT, "", 0)


def test_a_batch_saves_at_its_end_and_says_so(pyshell: Pyshell) -> None:
    ran = pyshell.batch(COMMANDS.splitlines()).done()
    saved = f"Global pref auto_save_on_exit=true\nConfiguration saved to {pyshell.saved_file}\n"
    assert ran.out == OUTPUT + saved


def test_in_targetclis_manner_too(pyshell: Pyshell) -> None:
    pyshell.program = "targetcli"
    for command, output in SCENARIO:
        assert pyshell.line(command).done().out == output, command


def test_with_the_option_for_targetclis_manner(pyshell: Pyshell, tmp_path: Path) -> None:
    pyshell.must("set global auto_save_on_exit=false")
    batch = tmp_path / "scenario.batch"
    batch.write_text(COMMANDS, encoding="utf-8")
    assert pyshell("--compat", "-f", str(batch)).done().out == OUTPUT


def test_called_through_a_link_named_targetcli(pyshell: Pyshell, tmp_path: Path) -> None:
    program = tmp_path / "targetcli"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nfrom pyshell.cli import main\nsys.exit(main())\n"
    )
    program.chmod(0o755)
    environment = {"PYSHELL_SIMULATE": str(pyshell.folder)}
    for command, output in SCENARIO[:3]:
        ran = run_process([str(program), command], environment=environment)
        assert (ran.out, ran.err, ran.status) == (output, "", 0), command


def test_the_configuration_comes_back_at_boot(pyshell: Pyshell) -> None:
    pyshell.batch(COMMANDS.splitlines()).done()
    pyshell.must("clearconfig confirm=true", "restoreconfig")
    assert pyshell.line("ls").done().out == SCENARIO[-1][1]


def test_ls_through_a_pipe_loads_nothing_that_only_a_terminal_needs(pyshell: Pyshell) -> None:
    ran = pyshell.process("ls", python=("-X", "importtime"))
    assert ran.out == SCENARIO[0][1]
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in ran.err.splitlines()}
    assert "pyshell" in loaded
    assert not loaded & {"rich", "prompt_toolkit", "voluptuous", "pygments", "asyncio"}
