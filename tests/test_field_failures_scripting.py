# SPDX-License-Identifier: Apache-2.0
"""Field failures that scripts and half-broken targets meet; each test names its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from driver import CLIENT, SERVER, TIME_LIMIT, TPG, Pyshell, clean_environment
from pyshell import names
from pyshell.shell.lock import locked
from pyshell.simulator import Simulator

DISK = "/loopback/naa.5001405000000001"


# Scripts


@pytest.mark.parametrize("manner", [[], ["--compat"]])
def test_field_failure_21_a_wrong_delete_of_nothing_is_no_success(
    exported: Pyshell, manner: list[str]
) -> None:
    exported.prepare("/loopback create naa.5001405000000001")
    ran = exported(*manner, f"{DISK}/luns/lun0", "delete")
    assert ran.status == (1 if manner else 3)
    assert "No such path" in ran.err


def test_field_failure_21_a_command_of_another_node_is_no_success(exported: Pyshell) -> None:
    ran = exported(f"{TPG}/luns/lun0", "delete")
    assert ran.status == 2
    assert ran.err.startswith("Command not found: delete.")


def test_field_failure_22_a_batch_ends_with_its_first_failures_status(pyshell: Pyshell) -> None:
    ran = pyshell.batch(["pwd", "bogus", "/nowhere ls"], "--keep-going")
    assert ran.status == 2
    assert [line.partition(": ")[0] for line in ran.err.splitlines() if line[0] == "s"] == [
        "stdin:2",
        "stdin:3",
    ]


@pytest.mark.parametrize(
    "line", ["ls", f"{TPG} ls", f"{TPG} info", f"{TPG} get attribute", "sessions", "/iscsi status"]
)
def test_field_failure_23_whatever_is_read_can_be_had_as_json(exported: Pyshell, line: str) -> None:
    assert exported("-o", "json", line).json["schema"] == 1


@pytest.mark.parametrize("old", ["iblock", "rd_mcp"])
def test_field_failure_25_old_names_of_backstores_are_understood(
    pyshell: Pyshell, old: str
) -> None:
    made_of = "1M" if old == "rd_mcp" else "/dev/sdb"
    ran = pyshell(f"/backstores/{old}", "create", "x", made_of)
    assert ran.status == 0
    assert f"{old} is called " in ran.err


def test_field_failure_25_old_names_of_parameters_are_understood(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/fileio create x /srv/x.img 1M buffered=false")
    assert "write-thru" in pyshell("/backstores/fileio/x", "status").out


def test_field_failure_25_versions_are_data(pyshell: Pyshell) -> None:
    found = pyshell("-o", "json", "version").json["result"]
    assert {"pyshell", "rtslib-fb", "configshell-fb", "kernel"} <= set(found)


def test_field_failure_27_one_command_can_save_what_it_changed(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/ramdisk create x 1M")
    assert not pyshell.saved_file.exists()
    assert "is not saved" in pyshell("status").out
    ran = pyshell("--save", "/backstores/ramdisk", "create", "y", "1M")
    assert ran.lines[-1] == f"Configuration saved to {pyshell.saved_file}"
    assert "The running configuration is saved in" in pyshell("status").out
    assert pyshell("-o", "json", "status").json["result"]["saved"] is True


def test_field_failure_27_what_changed_nothing_saves_nothing(pyshell: Pyshell) -> None:
    pyshell("--save", "ls").done()
    assert not pyshell.saved_file.exists()


def test_field_failure_31_runs_at_once_lose_no_preference(pyshell: Pyshell) -> None:
    pyshell.must("pwd")
    values = {"auto_add_mapped_luns": "false", "max_backup_files": "7", "tree_max_depth": "3"}
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "pyshell", f"--simulate={pyshell.folder}", "set", "global",
             f"{name}={value}"],
            env=clean_environment(), stdout=subprocess.DEVNULL,
        )
        for name, value in values.items()
    ]  # fmt: skip
    assert [one.wait(TIME_LIMIT) for one in running] == [0, 0, 0]
    for name, value in values.items():
        assert pyshell("get", "global", name).out == f"{name}={value} \n"


# Half-broken targets


def test_field_failure_35_a_half_made_object_is_shown_and_goes_away(exported: Pyshell) -> None:
    kernel = exported.simulator
    for folder in ("core/user_30", "core/user_30/foo", "core/iblock_31", "core/iblock_31/bar"):
        kernel.mkdir(str(exported.configfs / folder))
    shown = exported("ls").done().out
    assert shown.count("[INCOMPLETE: never configured]") == 2
    exported.line("/backstores/block delete bar").done()
    exported.line("clearconfig confirm=true").done()
    assert not list(exported.configfs.glob("core/user_*"))


@pytest.mark.parametrize("place", ["iscsi", f"iscsi/{SERVER}", f"iscsi/{SERVER}/tpgt_1", "core"])
def test_field_failure_36_unknown_files_of_a_newer_kernel_do_no_harm(
    exported: Pyshell, place: str
) -> None:
    (exported.configfs / place / "cpus_allowed_of_tomorrow").write_text("0-7\n")
    exported.must("ls", "saveconfig", f"{TPG} info")
    exported.line("/backstores/block delete lee_block").done(noting="It is exported")
    exported.must(f"/iscsi delete {SERVER}")


def test_field_failure_40_what_fails_midway_is_undone(
    exported: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported.must("/backstores/ramdisk create two 1M")
    before = exported.tree()
    symlink = Simulator.symlink

    def broken(simulator: Simulator, target: str, path: str) -> None:
        if "/acls/" in path:
            raise TypeError("as a library of another version would")
        symlink(simulator, target, path)

    monkeypatch.setattr(Simulator, "symlink", broken)
    with pytest.raises(TypeError):
        exported(f"{TPG}/luns", "create", "/backstores/ramdisk/two")
    monkeypatch.undo()
    texts = ("/statistics/", "/info", "index")  # what counts from the kernel's start
    assert {p: v for p, v in exported.tree().items() if not any(t in p for t in texts)} == {
        p: v for p, v in before.items() if not any(t in p for t in texts)
    }


def test_field_failure_44_others_are_told_who_hangs_and_wait_no_longer_than_they_like(
    exported: Pyshell,
) -> None:
    with locked(exported.open().lock_file):
        ran = exported("--lock-timeout", "0.2", "/backstores/block", "delete", "lee_block")
        assert ran.status == 5
        assert "pid" in ran.err
        assert "running for" in ran.err
        exported.must("ls", "sessions")


# Names


def test_field_failure_58_a_name_in_capitals_is_one_name(pyshell: Pyshell) -> None:
    typed = "iqn.2020-07.com.example:TEST001"
    ran = pyshell("/iscsi", "create", typed)
    assert "Created target iqn.2020-07.com.example:test001." in ran.lines
    assert "The name was changed to iqn.2020-07.com.example:test001." in ran.err
    assert pyshell(f"/iscsi/{typed}/tpg1", "status").status == 0
    assert pyshell("/iscsi", "delete", typed).lines == [
        "Deleted Target iqn.2020-07.com.example:test001."
    ]
    assert "Targets: 0" in pyshell("/iscsi", "status").out


def test_field_failure_58_an_initiators_name_in_capitals_is_one_name(exported: Pyshell) -> None:
    typed = CLIENT.upper().replace("IQN", "iqn")
    assert exported(f"{TPG}/acls", "create", typed).status == 5
    exported.must(f"{TPG}/acls delete {typed}")
    assert json.loads(exported("-o", "json", f"{TPG}/acls", "ls").out)["tree"]["children"] == []


def test_field_failure_60_names_of_fibre_channel_ports_in_every_form() -> None:
    kinds = ("naa",)
    forms = ["21:00:00:24:ff:12:34:56", "0x21000024ff123456", "21000024FF123456",
             "naa.21000024ff123456"]  # fmt: skip
    assert {names.wwn(text, kinds).wwn for text in forms} == {"naa.21000024ff123456"}
    assert names.wwn("naa.c003ff0000000001", kinds).wwn == "naa.c003ff0000000001"


def test_the_tests_of_all_field_failures_are_there() -> None:
    """Every row of the list that today's shells fail has a test that names it."""
    here = Path(__file__).parent
    text = "\n".join(p.read_text() for p in sorted(here.rglob("test_*.py")))
    wanted = {*range(1, 47), *range(52, 74)}
    missing = [n for n in sorted(wanted) if f"field_failure_{n}_" not in text]
    assert missing == []
