# SPDX-License-Identifier: Apache-2.0
"""What a restore neither reads nor writes, as new objects have it anyhow."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from driver import Pyshell
from pyshell.config import document_file, restoration
from pyshell.config.running import read_running
from pyshell.lio import Lio, attach
from pyshell.simulator import Simulator

DISKS = ("disk0", "disk1", "disk2", "disk3")


@pytest.fixture
def whole(pyshell: Pyshell) -> Path:
    """Return a file with all settings of some like disks; the last has others than the rest."""
    for disk in DISKS:
        pyshell.must(f"/backstores/ramdisk create {disk} 1M")
    last = f"/backstores/ramdisk/{DISKS[-1]}"
    pyshell.must(f"{last} set attribute emulate_caw=0", f"{last} set attribute emulate_3pc=0")
    file = pyshell.folder.parent / "whole.json"
    pyshell.must(f"saveconfig {file}", "clearconfig confirm=true")
    return file


@pytest.fixture
def touched(monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[str, str, str]]:
    """Count reads and writes of attributes by storage object and name."""
    found: Counter[tuple[str, str, str]] = Counter()
    for act in ("read", "write"):
        real = getattr(Simulator, act)

        def counted(
            simulator: Simulator, path: str, *text: str, act: str = act, real: object = real
        ) -> object:
            parts = path.split("/")
            if parts[-2] == "attrib":
                found[act, parts[-3], parts[-1]] += 1
            return real(simulator, path, *text)  # type: ignore[operator]

        monkeypatch.setattr(Simulator, act, counted)
    return found


def restored(pyshell: Pyshell, file: Path) -> Lio:
    lio = attach(pyshell.folder)
    assert restoration.restore(lio, document_file.load(file)).skipped == []
    return lio


def test_each_default_is_read_from_one_object_only(
    pyshell: Pyshell, whole: Path, touched: Counter[tuple[str, str, str]]
) -> None:
    restored(pyshell, whole)
    names = {disk: {n for act, d, n in touched if act == "read" and d == disk} for disk in DISKS}
    assert len(names["disk0"]) > 10
    # What is written is compared first, and what depends on a device is each object's own.
    assert names["disk1"] == names["disk2"] == {"emulate_model_alias", "optimal_sectors"}


def test_only_differing_settings_are_written(
    pyshell: Pyshell, whole: Path, touched: Counter[tuple[str, str, str]]
) -> None:
    restored(pyshell, whole)
    written = {(disk, name) for act, disk, name in touched if act == "write"}
    own = {(disk, "emulate_model_alias") for disk in DISKS}
    assert written == {*own, (DISKS[-1], "emulate_caw"), (DISKS[-1], "emulate_3pc")}


def test_the_result_is_the_saved_configuration(pyshell: Pyshell, whole: Path) -> None:
    lio = restored(pyshell, whole)
    running = json.loads(json.dumps(read_running(lio)))
    assert running["storage_objects"] == json.loads(whole.read_text())["storage_objects"]
