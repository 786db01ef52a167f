# SPDX-License-Identifier: Apache-2.0
"""The import contracts in `pyproject.toml` are kept, and an import against them is found."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from driver import ROOT, TIME_LIMIT, clean_environment

CONTRACTS = (
    "Each package imports only from those below it in this list",
    "Only the rtslib adapter knows rtslib",
    "Only render knows rich",
    "Only prompt knows prompt_toolkit",
)


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on a copy of the project."""
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", program, "--no-cache"],
        cwd=root,
        env={
            **clean_environment(),
            "PYTHONPATH": str(root),
            "PYTHONWARNINGS": "",
            "COLUMNS": "200",
        },
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the project, to be broken."""
    shutil.copytree(
        ROOT / "pyshell", tmp_path / "pyshell", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_contracts_are_kept() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout
    for contract in CONTRACTS:
        assert f"{contract} KEPT" in done.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("names.py", "import pyshell.tree.node", CONTRACTS[0]),
        ("tree/node.py", "import rtslib_fb", CONTRACTS[1]),
        ("lio/listing.py", "import rtslib_fb", CONTRACTS[1]),
    ],
)
def test_an_import_against_the_order_is_found(
    copy: Path, module: str, line: str, contract: str
) -> None:
    file = copy / "pyshell" / module
    file.write_text(f"{file.read_text()}\n{line}\n")
    done = lint(copy)
    assert done.returncode == 1, done.stdout
    assert f"{contract} BROKEN" in done.stdout


def test_every_package_is_in_the_order() -> None:
    packages = {path.parent.name for path in (ROOT / "pyshell").glob("*/__init__.py")}
    order = (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("layers = [")[2]
    assert packages
    assert packages <= set(re.findall(r"pyshell\.(\w+)", order.partition("]")[0]))
