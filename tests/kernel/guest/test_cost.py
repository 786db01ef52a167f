# SPDX-License-Identifier: Apache-2.0
"""A command's cost follows what it touches: system calls and structure, at small sizes."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from bench import raw, running, start
from bench.shapes import Shape

from .. import commands, lio, snapshot

PYSHELL = str(Path(sys.executable).with_name("pyshell"))
SMALL, LARGE = Shape(0), Shape(60)
TPG = f"/iscsi/{SMALL.wwn(0)}/tpg1"
RECORDED = Path(__file__).parents[2] / "data/system_calls.json"
PROBE = "/backstores/ramdisk create probe 1M nullio=true"


@pytest.fixture(autouse=True)
def fabric(clean_lio: None) -> None:
    """Have the fabric's folder, which stays once it is there."""
    (lio.CONFIGFS / "iscsi").mkdir(exist_ok=True)


def calls(line: str) -> int:
    """Return how many system calls a one-liner makes."""
    return running.system_calls([PYSHELL, *line.split()])


def test_one_liners_make_no_more_system_calls_than_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Renew the file after a change that is worth its price; other Pythons make other calls."""
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))
    if recorded["python"] != start.python():
        pytest.skip(f"recorded with Python {recorded['python']}")
    # As the packages install it, pyshell is compiled.
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path / "compiled"))
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    raw.build(Shape(1))
    file = saved(Shape(1), tmp_path)
    found = {}
    for line in recorded["calls"]:
        words = line.replace("FILE", file)
        calls(words)  # compiles it
        found[line] = calls(words)
    print(json.dumps(found))  # noqa: T201
    for line, most in recorded["calls"].items():
        assert found[line] <= most * start.MORE, line


def saved(shape: Shape, folder: Path) -> str:
    """Return a file that holds a shape."""
    file = folder / f"{shape.luns}.json"
    file.touch(0o600)
    file.write_text(json.dumps(shape.document()))
    return str(file)


def test_a_lun_costs_the_same_beside_many_others() -> None:
    found = {}
    for shape in (SMALL, LARGE):
        lio.clear()
        (lio.CONFIGFS / "iscsi").mkdir(exist_ok=True)
        raw.build(shape)
        commands.run(PYSHELL, *PROBE.split())
        lines = {
            "pwd": "pwd",
            "status": f"{TPG} status",
            "set attribute": "/backstores/ramdisk/probe set attribute emulate_caw=0",
            "luns create": f"{TPG}/luns create /backstores/ramdisk/probe",
        }
        found[shape] = {name: calls(line) for name, line in lines.items()}
    print(found)  # noqa: T201
    for name, few in found[SMALL].items():
        assert found[LARGE][name] == pytest.approx(few, rel=0.1), name


def test_restored_is_what_the_bare_calls_build(results: Path) -> None:
    raw.build(LARGE)
    bare = snapshot.plain_tree(snapshot.take())
    raw.teardown(LARGE)

    file = saved(LARGE, results)
    commands.run(PYSHELL, "restoreconfig", file)
    assert snapshot.differences(bare, snapshot.plain_tree(snapshot.take())) == {}

    whole = results / "whole.json"
    commands.run(PYSHELL, "saveconfig", str(whole))
    commands.run(PYSHELL, "clearconfig", "confirm=true")
    assert os.listdir(raw.CORE) == ["alua"]
    commands.run(PYSHELL, "restoreconfig", str(whole))
    assert snapshot.differences(bare, snapshot.plain_tree(snapshot.take())) == {}


def test_restore_and_clear_are_linear(results: Path) -> None:
    found = {}
    # The first time, folders and files are created that stay, as those of the history.
    commands.run(PYSHELL, "restoreconfig", saved(Shape(2), results))
    commands.run(PYSHELL, "clearconfig", "confirm=true")
    # LUNs are created in up to 8 threads, each of which takes system calls of its own to start.
    for shape in (Shape(10), Shape(20), Shape(50)):
        file = saved(shape, results)
        found[shape.luns] = (calls(f"restoreconfig {file}"), calls("clearconfig confirm=true"))
    print(found)  # noqa: T201
    for first, second, third in zip(*found.values(), strict=True):
        assert (third - second) / 30 == pytest.approx((second - first) / 10, rel=0.1)


def test_saving_reads_each_file_once(results: Path) -> None:
    raw.build(Shape(5))
    listed = results / "opened"
    command = [sys.executable, "-m", "bench.tracing", str(listed), "saveconfig", "/run/tmp/s.json"]
    commands.run("env", f"PYTHONPATH={Path(__file__).parents[2]}", *command)
    opened = Counter(listed.read_text().splitlines())
    assert len(opened) > 5 * 40
    assert {line: count for line, count in opened.items() if count > 1 and _is_many(line)} == {}


def _is_many(line: str) -> bool:
    """Tell whether a file or link is one of those of which a configuration has many."""
    kind, _, path = line.partition(" ")
    # The first object's folders of settings are listed twice: what may be read, what be written.
    return kind != "folder" and ("/core/rd_mcp_" in path or "/lun_" in path)
