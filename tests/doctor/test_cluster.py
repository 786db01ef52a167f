# SPDX-License-Identifier: Apache-2.0
"""`doctor` on targets under cluster control."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from driver import SERVER, TPG, Pyshell, tool
from pyshell.files import paths as files_paths
from pyshell.host.programs import Systemd
from pyshell.simulator.simulated_machine import SimulatedMachine

from .findings import doctor, follow, gone, host_file, only

TARGET = f"/iscsi/{SERVER}"
ADDRESS = "192.168.56.101"


@pytest.fixture
def file(exported: Pyshell) -> Path:
    """Return the document of a target that a cluster runs here, without problems."""
    exported.must(
        f"{TPG}/portals delete 0.0.0.0 3260",
        f"{TPG}/portals create {ADDRESS}",
    )
    folder = exported.config_dir / "cluster"
    folder.mkdir(parents=True)
    made = folder / "disks.json"
    exported.must(f"saveconfig {made} target={SERVER}")
    return made


def cluster(pyshell: Pyshell) -> list[Any]:
    return [one for one in doctor(pyshell) if one["check"] == "cluster"]


def levels(pyshell: Pyshell) -> list[str]:
    return [one["level"] for one in doctor(pyshell) if one["level"] != "info"]


def test_it_is_known(exported: Pyshell, file: Path) -> None:
    (found,) = cluster(exported)
    assert (found["level"], found["path"]) == ("info", TARGET)
    assert found["message"] == f"it is under cluster control ({file}) and runs here"
    assert levels(exported) == []
    exported.must(f"clearconfig confirm=true target={SERVER}")
    (found,) = cluster(exported)
    assert found["message"].endswith("and does not run here")
    assert levels(exported) == []


def test_nothing_need_be_restored_at_boot(
    exported: Pyshell, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool("systemctl", "systemd")
    host_file(exported, "/run/systemd/system/none")
    root = str(exported.simulator.machine.file("/"))
    monkeypatch.setattr(SimulatedMachine, "services", lambda _machine: Systemd(root))
    assert levels(exported) == []
    exported.must("/backstores/ramdisk create own 1M")
    assert any(one["check"] == "boot" for one in doctor(exported))


def test_the_boot_file_has_it(exported: Pyshell, file: Path) -> None:
    aside = file.rename(file.with_suffix(".aside"))
    exported.must("saveconfig")
    aside.rename(file)
    (found,) = cluster(exported)
    assert (found["level"], found["path"]) == ("error", TARGET)
    assert f"{exported.saved_file} has it, too" in found["message"]
    assert [one for one in doctor(exported) if one["check"] == "saving"] == []
    assert found["commands"] == []
    exported("saveconfig")
    assert [one["level"] for one in cluster(exported)] == ["info"]


def test_it_fails_the_check(exported: Pyshell, file: Path) -> None:
    file.write_text(file.read_text().replace(f'"{ADDRESS}"', '"0.0.0.0"'))
    exported.must(f"clearconfig confirm=true target={SERVER}")
    (command,) = only(exported, "cluster", str(file), "a cluster cannot use this document: 1 error")
    assert command.endswith(f"check {file} cluster=true")
    assert levels(exported) == ["warning"]


def test_it_differs_from_what_is_running(exported: Pyshell, file: Path) -> None:
    exported.must("/backstores/block/lee_block set attribute emulate_caw=0")
    (command,) = only(exported, "cluster", TARGET, f"it differs from {file}")
    words = command.split()
    assert words[-4:] == ["diff", str(file), "running", f"target={SERVER}"]
    assert "emulate_caw" in exported(*words[-4:]).out
    exported.must(f"apply {file} target={SERVER}")
    assert levels(exported) == []


def test_other_users_can_read_it(exported: Pyshell, file: Path) -> None:
    file.chmod(0o644)
    fix = only(exported, "cluster", str(file), "other users can read it (mode 0644)")
    follow(exported, fix)
    assert levels(exported) == []


def test_it_does_not_belong_to_root(
    exported: Pyshell, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = files_paths.file_faults

    def given_away(found: os.stat_result, descriptor: int, path: str) -> list[files_paths.Fault]:
        fault = files_paths.Fault("it belongs to nobody", f"chown root {path}")
        return [fault] if path == str(file) else real(found, descriptor, path)

    monkeypatch.setattr(files_paths, "file_faults", given_away)
    found = cluster(exported)
    assert {(one["level"], one["path"]) for one in found} == {("error", str(file))}
    (message,) = (one["message"] for one in found)
    assert "is not trusted: it belongs to" in message


@pytest.mark.parametrize("folder", [False, True])
def test_other_users_can_write_to_it(exported: Pyshell, file: Path, folder: bool) -> None:
    place = file.parent if folder else file
    place.chmod(0o777 if folder else 0o606)
    found = cluster(exported)
    assert found[0]["level"] == "error"
    assert found[0]["message"].startswith("the cluster cannot start its target: ")
    assert not any("a cluster cannot use this document" in one["message"] for one in found)
    for one in found:
        follow(exported, one["commands"])
    assert levels(exported) == []


def test_another_target_has_its_address(exported: Pyshell, file: Path) -> None:
    other = "iqn.2020-07.com.example:other"
    exported.must(
        f"/iscsi create {other}",
        f"/iscsi/{other}/tpg1/portals create {ADDRESS} 3261",
    )
    told = f"uses its address {ADDRESS}, too, and loses it when this target moves"
    (found,) = cluster(exported)
    assert (found["level"], found["path"]) == ("warning", TARGET)
    assert found["message"] == f"the running /iscsi/{other} {told}"
    second = file.with_name("other.json")
    exported.must(f"saveconfig {second} target={other}", f"/iscsi delete {other}")
    found = [one for one in cluster(exported) if one["message"].endswith(told)]
    assert [one["message"] for one in found] == [
        f"/iscsi/{other} in {second} {told}",
        f"the running {TARGET} {told}",
        f"{TARGET} in {file} {told}",
    ]


@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_it_is_damaged(exported: Pyshell, file: Path, text: str) -> None:
    file.write_text(text)
    (found,) = cluster(exported)
    assert (found["level"], found["path"]) == ("warning", str(file))
    assert "a cluster cannot use this document" in found["message"]


def test_it_is_a_broken_link(exported: Pyshell, file: Path) -> None:
    file.unlink()
    file.symlink_to("nowhere")
    (found,) = cluster(exported)
    assert (found["level"], found["path"]) == ("error", str(file))


def test_its_unsaved_changes_are_not_reported(exported: Pyshell, file: Path) -> None:
    exported.must("/backstores/ramdisk create own 1M")
    exported("saveconfig")
    exported.must(f"{TPG} set attribute login_timeout=20")
    assert gone(exported, "saving")
    assert [
        one["name"] for one in json.loads(exported.saved_file.read_text())["storage_objects"]
    ] == ["own"]


def test_a_target_of_no_document_is_nothing(exported: Pyshell) -> None:
    (exported.config_dir / "cluster").mkdir(parents=True)
    assert gone(exported, "cluster")


def test_another_node_has_another_document(
    exported: Pyshell, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = hashlib.sha256(file.read_bytes()).hexdigest()
    values = {"node1": own, "node2": own, os.uname().nodename: "0" * 64, "node3": ""}
    asked: list[tuple[str, ...]] = []

    def ask(self: SimulatedMachine, *command: str) -> str | None:
        if command[0] != "attrd_updater":
            return None
        asked.append(command)
        lines = (f'name="{command[2]}" host="{host}" value="{v}"' for host, v in values.items())
        return "\n".join(lines)

    monkeypatch.setattr(SimulatedMachine, "ask", ask)
    assert levels(exported) == []
    assert {command[2] for command in asked} == {f"pyshell-document-{SERVER}"}
    values["node2"] = "1" * 64
    (found,) = cluster(exported)
    assert (found["level"], found["path"]) == ("warning", TARGET)
    assert found["message"].startswith(f"node2 has another document than {file} here")


def test_another_target_exports_its_disk(exported: Pyshell, file: Path) -> None:
    other = "iqn.2020-07.192.168.56.101:other"
    exported.must(f"/iscsi create {other}")
    exported.must(f"/iscsi/{other}/tpg1/luns create /backstores/block/lee_block")
    aside = file.rename(file.with_suffix(".aside"))
    exported.must("saveconfig")
    aside.rename(file)
    lun = f"/iscsi/{other}/tpg1/luns/lun0"

    def found() -> Any:
        return [one for one in cluster(exported) if one["path"] == lun]

    (one,) = found()
    assert one["level"] == "error"
    assert "two hosts can write to this disk" in one["message"]
    check = exported("check", str(file), "cluster=true")
    assert f"{lun} exports it there: delete that LUN." in check.out + check.err
    exported.must(f"{lun.rpartition('/')[0]} delete lun0")
    (one,) = found()
    assert "saveconfig removes it" in one["message"]
    exported("saveconfig")
    assert found() == []
    assert exported("check", str(file), "cluster=true").status == 0


def test_another_document_defines_it_too(exported: Pyshell, file: Path) -> None:
    other = file.with_name("other.json")
    exported.must(f"saveconfig {other} target={SERVER}")
    found = [one for one in cluster(exported) if one["level"] == "error"]
    assert {one["path"] for one in found} == {TARGET}
    texts = [one["message"] for one in found]
    assert f"{file}: $.targets[0].wwn: {other} defines this target, too" in texts
    assert f"{other}: $.targets[0].wwn: {file} defines this target, too" in texts


def test_a_file_with_another_ending_is_no_document(exported: Pyshell, file: Path) -> None:
    other = file.rename(file.with_name("disks.conf"))
    (found,) = cluster(exported)
    assert (found["level"], found["path"]) == ("warning", str(other))
    assert found["message"].startswith("its name does not end in .json")
