# SPDX-License-Identifier: Apache-2.0
"""Findings about the restore at boot and the saved file; each is fixed by its commands."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from driver import TPG, Pyshell, tool
from pyshell.host.programs import Systemd
from pyshell.simulator.simulated_machine import SimulatedMachine

from .findings import (
    ACL,
    UNIT,
    doctor,
    follow,
    gone,
    host_file,
    only,
)


@pytest.fixture
def with_systemd(healthy: Pyshell, monkeypatch: pytest.MonkeyPatch) -> Pyshell:
    """Return a target on a host with systemd, whose units are files of the simulated host."""
    tool("systemctl", "systemd")
    healthy.simulator.machine.file("/run/systemd/system").mkdir(parents=True)
    root = str(healthy.simulator.machine.file("/"))
    monkeypatch.setattr(SimulatedMachine, "services", lambda _machine: Systemd(root))
    return healthy


def test_nothing_restores_at_boot(with_systemd: Pyshell) -> None:
    healthy = with_systemd
    host_file(healthy, "/usr/lib/systemd/system/pyshell-restore.service", UNIT)
    commands = only(healthy, "boot", "pyshell-restore.service", "no unit restores")
    assert commands == ["systemctl enable pyshell-restore.service"]
    root = healthy.simulator.machine.file("/")
    follow(healthy, [commands[0].replace("systemctl ", f"systemctl --root={root} ")])
    assert gone(healthy, "boot")


def test_two_units_restore_at_boot(with_systemd: Pyshell) -> None:
    healthy = with_systemd
    wants = "/etc/systemd/system/multi-user.target.wants"
    for name in ("pyshell-restore.service", "target.service"):
        host_file(healthy, f"/usr/lib/systemd/system/{name}", UNIT)
        host_file(healthy, f"{wants}/.keep")
        healthy.simulator.machine.file(f"{wants}/{name}").symlink_to(
            f"/usr/lib/systemd/system/{name}"
        )
    (command,) = only(healthy, "boot", "target.service", "both")
    root = healthy.simulator.machine.file("/")
    follow(healthy, [command.replace("systemctl ", f"systemctl --root={root} ")])
    assert gone(healthy, "boot")


def test_a_host_without_systemd_is_reported(healthy: Pyshell) -> None:
    ran = healthy("doctor").done()
    assert "skipped: boot: systemd is not running" in ran.out


def test_the_running_configuration_is_not_saved(exported: Pyshell) -> None:
    path = str(exported.saved_file)
    follow(exported, only(exported, "saving", path, "is not saved"))
    assert gone(exported, "saving")
    exported.must(f"{TPG} set attribute login_timeout=20")
    follow(exported, only(exported, "saving", path, f"the changes, of {TPG}"))
    assert gone(exported, "saving")


def test_errors_are_to_be_fixed_before_a_save(healthy: Pyshell) -> None:
    healthy.must(f"{TPG} disable")
    (first, last) = doctor(healthy)
    assert (first["code"], last["check"]) == ("tpg.disabled", "saving")
    assert "Fix the errors before you save" in last["message"]
    assert last["commands"] == []
    assert [one.split()[2:] for one in last["choices"]] == [["apply", "saved"], ["saveconfig"]]
    follow(healthy, last["choices"][:1])
    assert doctor(healthy) == []
    healthy.saved_file.unlink()
    healthy.must(f"{TPG} disable")
    assert [one.split()[2:] for one in doctor(healthy)[-1]["choices"]] == [["saveconfig"]]


def test_the_saved_configuration_is_not_running(healthy: Pyshell) -> None:
    healthy.must("clearconfig confirm=true")
    follow(healthy, only(healthy, "saving", str(healthy.saved_file), "it is not running"))
    assert gone(healthy, "saving")


def test_others_can_read_the_saved_file(healthy: Pyshell) -> None:
    healthy.saved_file.chmod(0o644)
    follow(healthy, only(healthy, "saving", str(healthy.saved_file), "mode 0644"))
    assert stat.S_IMODE(healthy.saved_file.stat().st_mode) == 0o600
    assert gone(healthy, "saving")


def test_a_secret_that_cannot_be_read_is_reported_once(healthy: Pyshell, tmp_path: Path) -> None:
    document = json.loads(healthy.saved_file.read_text(encoding="utf-8"))
    (acl,) = document["targets"][0]["tpgs"][0]["node_acls"]
    acl |= {"chap_userid": "user", "chap_password_file": str(tmp_path / "secret")}
    healthy.saved_file.write_text(json.dumps(document), encoding="utf-8")
    assert healthy("restoreconfig", "clear_existing=true").status == 1
    (found,) = [one for one in doctor(healthy) if one["path"].startswith(ACL)]
    assert found["message"].startswith("its CHAP secret cannot be restored at boot: Cannot read")
    (tmp_path / "secret").write_text("0123456789ab", encoding="utf-8")
    follow(healthy, only(healthy, "saving", f"{ACL}/chap_password", "cannot read"))
    assert gone(healthy, "saving")


def test_the_saved_file_is_damaged(healthy: Pyshell) -> None:
    healthy.saved_file.write_text("{", encoding="utf-8")
    follow(healthy, only(healthy, "saving", str(healthy.saved_file), "cannot be restored"))
    assert gone(healthy, "saving")


def test_a_damaged_file_can_be_replaced_by_the_last_good_revision(healthy: Pyshell) -> None:
    healthy.must("/backstores/ramdisk create name=other size=1M", "saveconfig")
    healthy.saved_file.write_text("{", encoding="utf-8")
    (found,) = [one for one in doctor(healthy) if one["path"] == str(healthy.saved_file)]
    assert [one.split()[2:] for one in found["choices"]] == [
        ["rollback", "1"],
        ["saveconfig", "force=true"],
    ]
    follow(healthy, found["choices"])
    assert gone(healthy, "saving")
    assert "other" not in healthy.saved_file.read_text(encoding="utf-8")


def test_a_folder_in_place_of_the_saved_file_can_be_moved(healthy: Pyshell) -> None:
    healthy.saved_file.unlink()
    healthy.saved_file.mkdir()
    (found,) = [one for one in doctor(healthy) if one["path"] == str(healthy.saved_file)]
    assert found["message"].startswith("a folder has the name of the saved file")
    assert found["choices"] == [f"mv {healthy.saved_file} {healthy.saved_file}.folder"]
    assert healthy.must("revisions") == ["(nothing saved)"]


def test_the_last_restore_skipped_an_object(healthy: Pyshell) -> None:
    healthy.must("clearconfig confirm=true")
    machine = healthy.simulator.machine
    device = machine.device("/dev/mapper/lee-lee.lv")
    assert device is not None
    machine.remove(device.path)
    assert healthy("restoreconfig").status == 1
    missing = [one for one in doctor(healthy) if "it could not be restored" in one["message"]]
    assert "/backstores/block/lee_block" in [one["path"] for one in missing]
    assert [one["commands"] for one in missing] == [[]] * len(missing)
    machine.add(device)
    (commands, *_) = [one["commands"] for one in doctor(healthy) if one["check"] == "saving"]
    follow(healthy, commands)
    assert gone(healthy, "saving")


def test_an_object_whose_device_is_lost_is_restored_on_another(healthy: Pyshell) -> None:
    saved = healthy.document()["storage_objects"][0]
    healthy.must("clearconfig confirm=true")
    healthy.simulator.machine.remove("/dev/mapper/lee-lee.lv")
    assert healthy("restoreconfig").status == 1
    (found, *others) = [one for one in doctor(healthy) if "not be restored" in one["message"]]
    assert found["path"] == "/backstores/block/lee_block"
    assert [one["choices"] for one in others] == [[]] * len(others)
    moves, saves = found["choices"]
    follow(healthy, [moves.replace("/dev/disk/by-id/NEW-DEVICE", "/dev/sdb"), saves])
    assert gone(healthy, "saving")
    (now,) = healthy.document()["storage_objects"]
    assert now == {**saved, "dev": "/dev/sdb"} | _own_of(now)
    assert len(healthy.document()["targets"][0]["tpgs"][0]["luns"]) == 1


def _own_of(entry: dict[str, object]) -> dict[str, object]:
    """Return what an entry takes from its device."""
    return {"attributes": entry["attributes"]}
