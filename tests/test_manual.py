# SPDX-License-Identifier: Apache-2.0
"""The manual's pages: made from what pyshell knows, without a fault, and their examples run."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from driver import ROOT, Pyshell, run_here, tool
from pyshell.lio import settings
from pyshell.shell.options import OPTIONS
from pyshell.tree.preferences import PREFERENCES
from pyshell.tree.root import kinds

FOLDER = ROOT / "packaging/man"
PAGES = ("pyshell-restore.service.8", "pyshell.8", "saveconfig.json.5")
OURS = re.compile(
    "referenced manual not found: Xr (pyshell|saveconfig|systemctl)|outdated mandoc.db"
)


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    """Return the script that writes the pages."""
    spec = importlib.util.spec_from_file_location("generate", FOLDER / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def plain(name: str) -> str:
    """Return a page as it is read, without its marks."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    return text.replace("\\-", "-").replace("\\&", "").replace("\\(dq", '"').replace("\\e", "\\")


def test_the_pages_are_up_to_date(generator: ModuleType) -> None:
    made = generator.pages()
    assert sorted(made) == sorted(PAGES)
    for name, text in made.items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, "run packaging/man/generate.py"
    reference = generator.REFERENCE.read_text(encoding="utf-8")
    assert reference == generator.reference(), "run packaging/man/generate.py"


@pytest.mark.parametrize("name", PAGES)
def test_mandoc_finds_no_fault(name: str) -> None:
    done = subprocess.run(
        [tool("mandoc", "mandoc"), "-T", "lint", FOLDER / name],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    told = (done.stdout + done.stderr).splitlines()
    assert [line for line in told if not OURS.search(line)] == []


def test_every_command_option_setting_and_preference_is_there(generator: ModuleType) -> None:
    page = plain("pyshell.8")
    reference = generator.reference()
    for kind in kinds():
        for described in kind.commands().values():
            assert f'"{described.signature}"' in page, kind
            assert f"- **`{described.signature}`** {described.summary}" in reference, kind
    found = [name for _, of in generator.SETTINGS for name in settings.of_kind(of)]
    for name in [*(option.syntax for option in OPTIONS), *found, *PREFERENCES]:
        assert f'"{name}"' in page, name
        assert f"- **`{name}`** " in reference, name
    assert len(found) > 120


@pytest.mark.parametrize("example", re.findall(r"\.Bd -literal\n(.*?)\.Ed", plain(PAGES[1]), re.S))
def test_the_examples_run(target: Pyshell, example: str) -> None:
    target.prepare("clearconfig confirm=true")
    ran = target.batch(example.replace("/tmp/", f"{target.folder}/").splitlines())
    assert (ran.status, ran.err) == (0, "")
    if "apply" in example:
        would = "Would change /backstores/ramdisk/scratch: emulate_caw: 0 -> 1 [online] (dry run)"
        assert would in ran.lines


def test_the_example_of_a_file_is_faultless(pyshell: Pyshell, tmp_path: Path) -> None:
    (example,) = re.findall(r"\.Bd -literal\n(.*?)\.Ed", plain("saveconfig.json.5"), re.S)
    file = tmp_path / "example.json"
    file.touch(0o600)
    file.write_text(example)
    assert run_here([f"--simulate={pyshell.folder}", "check", str(file)]).err == ""
    pyshell.must(f"restoreconfig {file}")
    assert "Mapped LUNs: 1" in pyshell("ls").out
