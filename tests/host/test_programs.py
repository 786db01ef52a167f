# SPDX-License-Identifier: Apache-2.0
"""Other programs are started in one way, which nothing of the caller's reaches (finding 43)."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from driver import ROOT, Pyshell, clean_environment
from pyshell.errors import PyshellError
from pyshell.host import programs
from pyshell.prompt import toolbar

HOSTILE = ("contextlib.py", "json.py", "sitecustomize.py", "usercustomize.py",
           "pyshell/__main__.py", "pyshell/__init__.py", "pyshell/cli.py",
           "rtslib_fb/__init__.py")  # fmt: skip


@pytest.fixture
def proof(tmp_path: Path) -> Path:
    """Return a file that exists once anything of the attacker's has run."""
    return tmp_path / "attacked"


@pytest.fixture
def hostile(tmp_path: Path, proof: Path) -> Path:
    """Return the folder of an attacker: modules and programs, each of which leaves the proof."""
    folder = tmp_path / "hostile"
    for name in HOSTILE:
        module = folder / name
        module.parent.mkdir(parents=True, exist_ok=True)
        module.write_text(f"open({str(proof)!r}, 'w').close()\n", encoding="utf-8")
    for name in ("modprobe", "dmesg", "nft", "systemctl", "gcc", "ldconfig", "ls"):
        program = folder / name
        program.write_text(f"#!/bin/sh\n: > {proof}\n", encoding="utf-8")
        program.chmod(0o755)
    return folder


@pytest.fixture
def attacked(hostile: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put this process into the attacker's folder and environment."""
    monkeypatch.chdir(hostile)
    monkeypatch.setenv("PATH", f".:{hostile}:{os.environ['PATH']}")
    for name in ("PYTHONPATH", "PYTHONUSERBASE", "HOME", "LD_LIBRARY_PATH"):
        monkeypatch.setenv(name, str(hostile))
    monkeypatch.setenv("PYTHONSTARTUP", str(hostile / "json.py"))
    monkeypatch.setenv("MODPROBE_OPTIONS", f"-C {hostile}")
    return hostile


def test_the_comparison_beside_the_prompt_runs_nothing_from_the_callers_folder(
    pyshell: Pyshell, attacked: Path, proof: Path
) -> None:
    pyshell.must("/backstores/ramdisk create one 1M")
    assert toolbar.differs_by_process(pyshell.open())
    assert not proof.exists()


@pytest.mark.parametrize("relative", [True, False])
def test_it_finds_the_target_from_any_folder(
    pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch, relative: bool
) -> None:
    pyshell.must("/backstores/ramdisk create one 1M", "saveconfig")
    monkeypatch.chdir(pyshell.folder.parent)
    folder = Path(pyshell.folder.name) if relative else pyshell.folder
    from pyshell.lio import attach

    assert not toolbar.differs_by_process(attach(folder))


def test_programs_are_found_in_the_systems_folders_only(attacked: Path, proof: Path) -> None:
    assert programs.run("ls", "/").returncode == 0
    assert programs.ask("ls", "/") is not None
    assert not proof.exists()


def test_a_program_that_changes_nothing_is_run() -> None:
    assert programs.ask("echo", "yes") == "yes\n"
    assert programs.ask("false") is None
    assert programs.ask("no-such-program-here") is None


def test_a_program_gets_an_environment_and_folder_of_its_own(attacked: Path) -> None:
    assert programs.run("pwd").stdout == "/\n"
    names = {line.partition("=")[0] for line in programs.run("env").stdout.splitlines()}
    assert names <= {"PATH", "LC_ALL", "PWD", "SHLVL", "_"}


def test_a_missing_program_raises_an_os_error(attacked: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        programs.run("no-such-program")


def test_rtslib_loads_modules_the_same_way(
    attacked: Path, proof: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import rtslib_fb

    from pyshell.lio import rtslib

    monkeypatch.setattr(programs, "SEARCH_PATH", "/nowhere")
    with pytest.raises(rtslib_fb.RTSLibError, match="cannot run modprobe"):
        rtslib.modprobe("x; touch /tmp/x")
    assert not proof.exists()


def _launched(folder: Path, *launcher: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*launcher, "--version"],
        cwd=folder,
        env={**clean_environment(), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_isolated_launcher_runs_nothing_from_the_caller(hostile: Path, proof: Path) -> None:
    done = _launched(
        hostile, sys.executable, "-I", "-m", "pyshell", PYTHONPATH=str(hostile), HOME=str(hostile)
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not proof.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="it protects root")
def test_roots_import_path_has_neither_the_current_folder_nor_pythonpath(hostile: Path) -> None:
    code = (
        "import os, sys; from pyshell.__main__ import start; sys.argv[1:] = ['--version']; start();"
        "print(sys.path, os.environ['PATH'])"
    )
    (hostile / "sitecustomize.py").unlink()
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=hostile.parent,
        env={**clean_environment(), "PYTHONPATH": f"{ROOT}::relative:{hostile.parent}/elsewhere"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    *_, last = done.stdout.splitlines()
    assert last.endswith(f" {programs.SEARCH_PATH}")
    for entry in ("''", "relative", "elsewhere", f"'{ROOT}'", f"'{hostile.parent}'"):
        assert entry not in last


@pytest.mark.skipif(os.geteuid() != 0, reason="it protects root")
def test_root_ignores_the_bus_and_boot_of_the_callers_environment() -> None:
    code = (
        "import os, sys; from pyshell.__main__ import start; sys.argv[1:] = ['--version']; start();"
        "print([name in os.environ for name in ('DBUS_SYSTEM_BUS_ADDRESS', 'PYSHELL_WAY')])"
    )
    chosen = {"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/tmp/bus", "PYSHELL_WAY": "boot"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**clean_environment(), **chosen},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.splitlines()[-1] == "[False, False]"


def test_no_other_module_starts_processes() -> None:
    """Keep it one runner: what starts a process elsewhere would inherit the caller's world."""
    found = set()
    for file in (ROOT / "pyshell").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            name = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
            if name.startswith(("subprocess.run", "subprocess.Popen", "subprocess.check")):
                found.add(file.name)
            if name in ("os.system", "os.popen") or name.startswith(("os.exec", "os.spawn")):
                found.add(file.name)
    assert found == {"programs.py"}


def test_a_timer_of_systemd_runs_this_pyshell_by_absolute_paths(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran: list[tuple[str, ...]] = []

    def run(*command: str, **_: object) -> subprocess.CompletedProcess[str]:
        ran.append(command)
        return subprocess.CompletedProcess(command, 1 if len(ran) > 1 else 0, "", "No bus.\n")

    monkeypatch.setattr(programs, "run", run)
    timer = programs.Systemd()
    timer.start_timer("pyshell-confirm-1", [240, 300], ["1", "--config-dir=/etc/a$b"])
    options, command = ran[0], ran[0][ran[0].index("--") + 1 :]
    assert ran[0][0] == "systemd-run"
    assert "--unit=pyshell-confirm-1" in options
    assert [one for one in options if one.startswith("--on-active")] == [
        "--on-active=240s",
        "--on-active=300s",
    ]
    assert command[0] == sys.executable
    assert command[1:3] == ("-I", "-c")
    assert command[4:] == (str(ROOT), "--expire", "1", "--config-dir=/etc/a$$b")
    with pytest.raises(PyshellError, match="Cannot start the timer: systemd-run failed: No bus"):
        timer.start_timer("pyshell-confirm-1", [300], ["1"])
