# SPDX-License-Identifier: Apache-2.0
"""`history NUMBER` shows all that is recorded about a change, and how to undo it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell
from pyshell.config.store.change_log import ChangeLog

NEW = "/backstores/ramdisk create {} 1M"
ACL = f"{TPG}/acls/{CLIENT}"


def data(pyshell: Pyshell, number: int) -> dict[str, Any]:
    found: dict[str, Any] = pyshell("history", str(number), "-o", "json").done().json["result"]
    return found


def test_it_shows_the_command_who_ran_it_and_what_undoes_it(
    pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "lee")
    pyshell.must(NEW.format("a"), f"/iscsi create {SERVER}")
    lines = pyshell("history", "1").done().lines
    assert lines[:3] == ["Change 1", f"  command    {NEW.format('a')}", "  state      done"]
    assert "  user       lee" in lines
    assert "  source     one-liner" in lines
    assert "  objects    /backstores/ramdisk/a" in lines
    assert "'undo 1' undoes it and 1 later change." in lines
    assert "'undo 1 alone=true' undoes it alone, if no later change depends on it." in lines
    assert lines[-1] == "  - delete storage object ramdisk/a"
    assert "'undo' undoes it." in pyshell("history", "2").done().lines


def test_it_shows_earlier_values_and_no_secrets(pyshell: Pyshell) -> None:
    pyshell.must(f"/iscsi create {SERVER}", f"{TPG}/acls create {CLIENT}")
    for secret in ("firstsecret12", "secondsecret12"):
        pyshell.must(f"{ACL} set auth userid=u password={secret}")
    pyshell.must(f"{TPG} set attribute login_timeout=20")
    out = pyshell("history", "4").done().out + pyshell("history", "4", "-o", "json").done().out
    assert "set password of node ACL" in out
    assert "secret12" not in out
    (step,) = data(pyshell, 5)["undo_steps"]
    assert step.startswith("set login_timeout of TPG 1")
    assert step.endswith(" to 15")


def test_it_shows_what_was_undone_and_by_what(pyshell: Pyshell) -> None:
    pyshell.must(NEW.format("a"), NEW.format("b"), "undo 1")
    assert data(pyshell, 3)["undid"] == [2, 1]
    assert data(pyshell, 1)["undone_by"] == 3
    lines = pyshell("history", "1").done().lines
    assert "  undone by  change 3" in lines
    assert "'redo 1' does it again." in lines
    assert data(pyshell, 1)["redo_steps"][0] == "create storage object ramdisk/a"
    pyshell.must("redo")
    assert data(pyshell, 4)["redid"] == [1, 2]
    assert data(pyshell, 1)["undone_by"] is None


def test_the_device_of_a_recreated_disk_is_named(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/block create b /dev/sdb", "/backstores/block/b replace /dev/sdc")
    assert "create storage object block/b using /dev/sdb" in data(pyshell, 2)["undo_steps"]
    shown = pyshell("undo", "2", "--dry-run").done().lines
    assert "Would create storage object block/b using /dev/sdb. (dry run)" in shown
    assert not [line for line in shown if "remove" in line]


def test_a_batch_lists_its_changes(pyshell: Pyshell) -> None:
    pyshell.batch([NEW.format("a"), NEW.format("b")]).done()
    assert data(pyshell, 2)["batch_changes"] == [1, 2]
    assert "  batch      changes 1 and 2" in pyshell("history", "1").done().lines


def test_changes_without_a_record_say_what_to_do(pyshell: Pyshell) -> None:
    pyshell.must(NEW.format("a"), "saveconfig", NEW.format("b"), "saveconfig")
    lines = pyshell("history", "4").done().lines
    assert "'rollback 1' returns to what was saved before." in lines
    for file in (pyshell.open().run_dir / "undo").iterdir():
        file.unlink()  # as a reboot does
    last = pyshell("history", "1").done().lines[-1]
    assert last.startswith("How to undo it is not recorded, or no longer, as after a reboot.")


def test_a_clear_is_undone_by_what_was_before(pyshell: Pyshell) -> None:
    pyshell.must(NEW.format("a"), "clearconfig confirm=true")
    assert (
        "It is undone by returning to the configuration before it."
        in pyshell("history", "2").done().lines
    )


@pytest.mark.parametrize("words", [("9",), ("1", "user=x"), ("1", "-o", "tsv")])
def test_it_is_refused_otherwise(pyshell: Pyshell, words: tuple[str, ...]) -> None:
    pyshell.must(NEW.format("a"))
    ran = pyshell("history", *words)
    assert ran.status in (2, 3)
    assert ran.out == ""


def test_an_object_of_that_name_needs_a_path(pyshell: Pyshell, tmp_path: Path) -> None:
    pyshell.must(NEW.format("1"))
    assert pyshell("/backstores/ramdisk", "history", "./1", "-o", "name").done().lines == ["1"]
    assert ChangeLog(pyshell.open()).highest() == 1
