# SPDX-License-Identifier: Apache-2.0
"""The direction of imports between the rooms, as `pyproject.toml` draws it, is kept."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from driver import ROOT


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Hold the package in `folder` against the contracts of its pyproject.toml."""
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", program, "--no-cache"]
    return subprocess.run(
        command,
        cwd=folder,
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_rooms_import_only_from_those_below() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 kept, 0 broken" in done.stdout


def test_an_import_the_wrong_way_is_found(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "pyshell", tmp_path / "pyshell")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "pyshell" / "errors.py").open("a", encoding="utf-8") as file:
        file.write("\nimport pyshell.tree.root\n")
    done = lint_imports(tmp_path)
    assert done.returncode != 0
    assert "pyshell.errors is not allowed to import pyshell.tree" in done.stdout
