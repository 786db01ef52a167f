# SPDX-License-Identifier: Apache-2.0
"""/backstores/user:HANDLER, with handlers of the simulator's table and of a private bus."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from driver import CLIENT, TIME_LIMIT, TPG, Pyshell
from handlerservice import HandlerService, bus
from pyshell.host import handlers
from pyshell.host.real_machine import RealMachine
from pyshell.simulator.simulated_machine import SimulatedMachine

CREATED = "/backstores/user:file create name=disk size=16M cfgstring=/srv/disk.img"
INFO = "Config: file//srv/disk.img Size: 16777216"


@pytest.fixture
def handled(pyshell: Pyshell) -> Pyshell:
    """Return pyshell on a simulated machine with two handlers."""
    assert pyshell.simulator.configfs
    table = pyshell.folder / "machine.json"
    machine = json.loads(table.read_text(encoding="utf-8"))
    machine["handlers"] = {"file": "A path, as\n/srv/disk.img\n", "other": ""}
    table.write_text(json.dumps(machine), encoding="utf-8")
    return pyshell


@pytest.fixture
def on_bus(
    pyshell: Pyshell, _folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[HandlerService]:
    """Let the simulated machine ask a private bus for its handlers, and run some there."""
    if shutil.which("dbus-daemon") is None:
        pytest.skip("dbus-daemon is missing: handlers over D-Bus are not tested (apt install dbus)")
    for name in ("user_handlers", "check_config", "change_medium"):
        monkeypatch.setattr(SimulatedMachine, name, vars(RealMachine)[name])
    # The tree would be shown without handlers if the bus were slow, as on a busy machine.
    monkeypatch.setattr(handlers, "_LOOK_SECONDS", float(TIME_LIMIT))
    with bus(_folder) as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        service = HandlerService(address)
        yield service
        service.close()


def names(ran_lines: list[str]) -> list[str]:
    """Return the names in a drawn tree, one level below its root."""
    return [line.split()[1] for line in ran_lines if line.startswith("  o- ")]


def test_handlers_stand_after_the_other_backstores(handled: Pyshell) -> None:
    kinds = names(handled.must("/backstores ls"))
    assert kinds == ["block", "fileio", "pscsi", "ramdisk", "user:file", "user:other"]


def test_field_failure_71_without_handlers_nothing_of_them_is_shown(pyshell: Pyshell) -> None:
    assert names(pyshell.must("/backstores ls")) == ["block", "fileio", "pscsi", "ramdisk"]
    ran = pyshell.line(CREATED)
    assert (ran.status, ran.out) == (3, "")
    assert ran.err == (
        "No such path /backstores/user:file. tcmu-runner offers the handlers:"
        " 'systemctl status tcmu-runner'.\n"
    )


def test_a_storage_object_is_created_shown_and_deleted(handled: Pyshell) -> None:
    assert handled.must(CREATED) == ["Created user-backed storage object disk size 16777216."]
    assert INFO in handled.read("core/user_0/disk/info")
    assert handled.must("/backstores/user:file/disk status") == [
        "Status for /backstores/user:file/disk: /srv/disk.img (16.0MiB) deactivated"
    ]
    assert handled.must("/backstores/user:other status")[0].endswith("Storage Objects: 0")
    assert handled.line("/backstores/user:other/disk status").status == 3
    assert handled.must("/backstores/user:file delete disk") == ["Deleted storage object disk."]
    assert not (handled.configfs / "core/user_0").exists()


def test_what_the_kernel_is_told_of_limits(handled: Pyshell) -> None:
    handled.must(
        f"{CREATED} wwn=1-2-3 hw_max_sectors=64 control=max_data_area_mb=16,hw_block_size=4096"
    )
    info = " ".join(handled.read("core/user_0/disk/info").split())
    assert "SectorSize: 4096 HwMaxSectors: 64" in info
    assert "MaxDataAreaMB: 16" in info
    handled.must("saveconfig")
    (entry,) = handled.document()["storage_objects"]
    assert entry["plugin"] == "user"
    assert (entry["config"], entry["size"], entry["wwn"]) == (
        "file//srv/disk.img",
        16 << 20,
        "1-2-3",
    )
    assert entry["hw_max_sectors"] == 64
    assert entry["control"] == "max_data_area_mb=16,hw_block_size=4096,data_pages_per_blk=1"


@pytest.mark.parametrize(
    ("given", "control", "valid"),
    [
        (0, "", False),
        (-5, "", False),
        (7, "", False),
        (8, "", True),
        (1, "hw_block_size=4096", True),
        (1 << 31, "", False),
        (None, "hw_max_sectors=7", False),
    ],
)
def test_a_limit_that_the_kernel_refuses_or_rounds_to_none(
    handled: Pyshell, tmp_path: Path, given: int | None, control: str, valid: bool
) -> None:
    entry = {"plugin": "user", "name": "disk", "size": 1 << 20, "config": "file//srv/disk.img"}
    limit = {} if given is None else {"hw_max_sectors": given}
    file = tmp_path / "wanted.json"
    file.write_text(json.dumps({"storage_objects": [{**entry, **limit, "control": control}]}))
    file.chmod(0o600)
    words = "".join(f" {name}={value}" for name, value in limit.items())
    words += f" control={control}" if control else ""
    for ran in (
        *([handled("check", str(file))] if given is not None else []),
        handled("--dry-run", "apply", str(file)),
        handled("--dry-run", *f"{CREATED}{words}".split()),
    ):
        assert (ran.status == 0) == valid, ran
        assert ("hw_max_sectors" in ran.out + ran.err) != valid


def test_a_limit_of_none_is_not_saved(handled: Pyshell) -> None:
    handled.must(CREATED)
    info = handled.configfs / "core/user_0/disk/info"
    info.write_text(info.read_text().replace("HwMaxSectors: 128", "HwMaxSectors: 0"))
    assert "HwMaxSectors: 0" in info.read_text()
    handled.must("saveconfig")
    assert "hw_max_sectors" not in handled.document()["storage_objects"][0]


def test_it_is_exported_saved_cleared_and_restored(target: Pyshell, handled: Pyshell) -> None:
    handled.must(
        CREATED,
        f"{TPG}/acls create {CLIENT}",
        f"{TPG}/luns create /backstores/user:file/disk",
        "saveconfig",
    )
    saved, tree = handled.saved_file.read_bytes(), handled.must("ls")
    assert handled.document()["targets"][0]["tpgs"][0]["luns"][0]["storage_object"] == (
        "/backstores/user/disk"
    )
    handled.must("clearconfig confirm=true", "restoreconfig", "saveconfig")
    assert handled.saved_file.read_bytes() == saved
    assert handled.must("ls") == tree


def test_it_comes_back_and_is_shown_while_its_handler_is_away(handled: Pyshell) -> None:
    handled.must(CREATED, "saveconfig", "clearconfig confirm=true")
    table = handled.folder / "machine.json"
    table.write_text(json.dumps({**json.loads(table.read_text()), "handlers": {}}))
    handled.must("restoreconfig")
    assert names(handled.must("/backstores ls"))[-1] == "user:file"
    ran = handled.line("/backstores/user:file create again 1M /srv/again.img")
    assert ran.status == 3
    assert ran.err.startswith("No handler file is running. Start the program that offers it")
    handled.must("/backstores/user:file delete disk")


def test_the_name_in_saved_files_is_a_path_as_well(handled: Pyshell) -> None:
    handled.must(CREATED, "/iscsi create iqn.2020-07.com.example:t")
    tpg = "/iscsi/iqn.2020-07.com.example:t/tpg1"
    assert handled.must(f"{tpg}/luns create /backstores/user/disk") == ["Created LUN 0."]


@pytest.mark.parametrize(
    ("cfgstring", "told"),
    [
        ("/srv/a,b", "holds a comma"),
        ("a:b", "holds a colon"),
        ("x" * 256, "longer than 255 bytes"),
    ],
)
def test_a_cfgstring_that_the_kernel_would_cut_is_refused(
    handled: Pyshell, cfgstring: str, told: str
) -> None:
    before = handled.tree()
    ran = handled.line(f"/backstores/user:file create disk 1M {cfgstring}")
    assert ran.status == 2
    assert told in ran.err
    assert handled.tree() == before


@pytest.mark.parametrize(
    "control", ["data_pages_per_blk=0", "max_data_area_mb", "hw_block_size=x", "dev_size=1"]
)
def test_control_settings_that_stop_kernels_are_refused(handled: Pyshell, control: str) -> None:
    before = handled.tree()
    ran = handled.line(f"{CREATED} control={control}")
    assert (ran.status, ran.out) == (2, "")
    assert "control" in ran.err
    assert handled.tree() == before


def test_a_cfgstring_with_blanks_arrives_whole(handled: Pyshell) -> None:
    handled.must("/backstores/user:file create disk 1M '/srv/my disk.img'")
    assert "/srv/my disk.img (1.0MiB)" in handled.must("/backstores/user:file/disk status")[0]


def test_help_tells_what_the_handler_says(handled: Pyshell) -> None:
    shown = handled.must("/backstores/user:file help create")
    assert shown[-4:] == ["CFGSTRING FORMAT", "================", "A path, as", "/srv/disk.img"]
    assert handled.must("/backstores/user:other help create")[-1] == "No description."
    assert "CFGSTRING FORMAT" not in handled.must("/backstores/user:file help ls")


def test_a_medium_that_cannot_be_changed_is_told(handled: Pyshell) -> None:
    handled.must(CREATED)
    ran = handled.line("/backstores/user:file changemedium disk 1M /srv/other.img")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith("ChangeMedium failed: No such method")
    assert handled.line("/backstores/user:file changemedium none 1M /srv/x").status == 3


def test_over_a_bus_the_handlers_are_shown_and_asked(
    pyshell: Pyshell, on_bus: HandlerService
) -> None:
    assert names(pyshell.must("/backstores ls"))[-2:] == ["user:file", "user:plain"]
    pyshell.must(CREATED)
    assert ("CheckConfig", ("file//srv/disk.img",)) in on_bus.asked
    ran = pyshell.line("/backstores/user:file create other 1M bad")
    assert (ran.status, ran.err.partition(".")[0]) == (1, "cfgstring invalid: no such image")
    assert pyshell.must("/backstores/user:file changemedium disk 2M /srv/other.img") == [
        "Medium Changed."
    ]
    assert on_bus.asked[-1] == ("ChangeMedium", ("disk", 2 << 20, "file//srv/other.img"))


def test_commands_elsewhere_do_not_ask_the_bus(pyshell: Pyshell, on_bus: HandlerService) -> None:
    pyshell.must("/backstores/ramdisk create disk 1M", "/backstores/ramdisk ls", "saveconfig")
    assert on_bus.asked == []
