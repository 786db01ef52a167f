# SPDX-License-Identifier: Apache-2.0
"""What README and the pages that it leads to tell people to type does what they say."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from driver import DATA, LONG, ROOT, TPG, Pyshell, run_here
from pyshell.config.document import object_paths
from pyshell.config.running import read_running

README, COMING, GUIDE, CONTRIBUTING = (
    (ROOT / name).read_text(encoding="utf-8")
    for name in ("README.md", "docs/coming-from-targetcli.md", "docs/guide.md", "CONTRIBUTING.md")
)
DOCS = ROOT / "docs"
EXAMPLE = ROOT / "saveconfig.example.json"


def blocks(kind: str, text: str = README + COMING + GUIDE) -> list[str]:
    """Return the blocks of pages that are fenced with ``` and `kind`."""
    parts = re.split(r"^```(\w*)\n", text, flags=re.MULTILINE)[1:]
    # Fences alternate: one that opens a block, with its kind, and one that ends it.
    return [text for opened, text in zip(parts[::4], parts[1::4], strict=True) if opened == kind]


def lines_to_type() -> list[str]:
    """Return the lines of the blocks of commands: the guide goes on from the walk-through."""
    return [line for block in blocks("") for line in block.splitlines()]


def test_the_pages_have_commands() -> None:
    assert len(lines_to_type()) > 15


def test_every_command_runs_in_the_order_in_which_it_stands(pyshell: Pyshell) -> None:
    for line in lines_to_type():
        ran = pyshell.line(line.replace("/tmp/", f"{pyshell.folder}/"))
        differs = line.startswith("diff ") and ran.status == 1 and not ran.err
        assert differs or ran.status == 0, f"{line}: {ran.err}"


def test_every_block_of_lines_runs_as_one(pyshell: Pyshell) -> None:
    pyshell.must(*lines_to_type()[:20])
    for block in blocks("candidate"):
        ran = pyshell.batch(line for line in block.splitlines() if not line.startswith("#"))
        assert ran.status in (0, 1), ran.err
        assert not ran.err, block


def test_every_call_of_pyshell_runs(pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    lines = "".join(blocks("console")).splitlines()
    calls = [shlex.split(line) for line in lines if line.startswith("pyshell ")]
    assert calls
    for call in calls:
        words = [word.replace("/tmp/", f"{pyshell.folder}/") for word in call[1:]]
        assert run_here(words).status == 0, call


def test_every_line_for_roots_shell_runs(pyshell: Pyshell, tmp_path: Path, forked: Path) -> None:
    """In the short form, lines after the first fork pyshell."""
    pyshell.must(f"restoreconfig {pyshell.example}", "saveconfig")
    before = set(object_paths(read_running(pyshell.open())))
    lines = "".join(blocks("sh")).splitlines()
    assert len(lines) > 5
    (tmp_path / "git").mkdir()
    installed = Path(sys.executable).with_name("pyshell")
    for number, line in enumerate(lines):
        program = installed if LONG or not number else forked
        path = f"{program.parent}:{os.environ['PATH']}"
        replaced = (
            line.replace("pyshell ", f"pyshell --simulate={pyshell.folder} ")
            .replace("/srv/git", str(tmp_path / "git"))
            .replace("/etc/target/saveconfig.json", str(pyshell.saved_file))
        )
        done = subprocess.run(
            ["sh", "-c", replaced],
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (line, done.stderr)
        assert object_paths(read_running(pyshell.open())) == before


def test_the_walk_through_is_the_scenarios() -> None:
    scenario = (DATA / "scenario.txt").read_text(encoding="utf-8")
    wanted = re.findall(r"^/> (/.*)", scenario, re.MULTILINE)
    assert lines_to_type()[: len(wanted)] == wanted


NAMED = (
    r"`((?:tests|pyshell|packaging|docs|completions|\.ci)/[\w./]+|[\w.]+\.(?:md|example\.json))`"
)


@pytest.mark.parametrize("text", [GUIDE, CONTRIBUTING])
def test_the_files_that_are_named_are_there(text: str) -> None:
    names = re.findall(NAMED, text)
    assert len(names) > 2
    assert [name for name in names if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{p.name}" for p in DOCS.glob("*.md"))])
def test_links_lead_somewhere(page: str) -> None:
    for link, anchor in re.findall(
        r"\]\(([^)#:]*)(?:#([^)]+))?\)", (ROOT / page).read_text("utf-8")
    ):
        target = (ROOT / page).parent / link if link else ROOT / page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), (link, anchor)


def anchors(page: Path) -> set[str]:
    """Return the names by which a page's headings are linked to, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_simulators_folder_is_where_readme_says() -> None:
    run_here(["--simulate", "pwd"]).done()
    assert (Path(os.environ["XDG_STATE_HOME"]) / "pyshell/simulator/configfs").is_dir()
    assert "`~/.local/state/pyshell/simulator`" in README


def test_the_walk_through_ends_with_the_tree_that_is_shown(pyshell: Pyshell) -> None:
    for line in lines_to_type()[:7]:
        shown = pyshell.line(line).out
    (drawn,) = blocks("text", COMING)
    without_dots = [re.sub(r" \.+ ", " ", line) for line in shown.splitlines()]
    for line in drawn.splitlines():
        assert line.strip() == "…" or re.sub(r" \.+ ", " ", line) in without_dots


def test_readme_is_short() -> None:
    assert len(README.splitlines()) < 80


def test_the_first_commands_start_the_shell_and_run_the_tests_that_ci_runs() -> None:
    start, *tests = (block.strip() for block in blocks("console", README))
    assert start == (
        "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' &&"
        " .venv/bin/pyshell --simulate"
    )
    assert tests == [".venv/bin/python -m pytest", ".venv/bin/python -m pytest tests/kernel"]
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    (pattern,) = re.findall("grep -x '(.*)' README.md", ci)
    assert [line for line in README.splitlines() if re.fullmatch(pattern, line)] == tests


def test_the_example_restores_and_saving_gives_it_back(pyshell: Pyshell) -> None:
    example = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    pyshell.must(f"restoreconfig {pyshell.example}", "saveconfig")
    assert_within(example, json.loads(pyshell.saved_file.read_text(encoding="utf-8")))
    assert "(ro)" in pyshell.line(f"ls {TPG}/acls").out


def assert_within(part: object, whole: object) -> None:
    """See that all that `part` holds stands in `whole` at the same place."""
    if isinstance(part, dict):
        assert isinstance(whole, dict)
        for key, value in part.items():
            assert_within(value, whole[key])
    elif isinstance(part, list):
        assert isinstance(whole, list)
        assert len(part) == len(whole)
        for one, other in zip(part, whole, strict=True):
            assert_within(one, other)
    else:
        assert part == whole
