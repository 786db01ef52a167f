# SPDX-License-Identifier: Apache-2.0
"""`saveconfig FILE target=WWN`: the same configuration gives the same bytes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from driver import CLIENT, LONG, SERVER, TPG, Pyshell
from pyshell.lio.listing import natural

OTHER = "iqn.2020-07.192.168.56.105:other"
LV, IMAGE = "/dev/mapper/lee-lee.lv", "/srv/disks/1.img"
ACLS = [f"{TPG}/acls/{CLIENT}", f"{TPG}/acls/{OTHER}"]
# Each list can be run in any order, after those before it.
STEPS = (
    (
        f"/backstores/block create disk1 {LV} wwn=1d2b4f5e-3a52-4e55-9b0a-3f6f1f6b7a01",
        "/backstores/block create disk01 /dev/sdb wwn=2d2b4f5e-3a52-4e55-9b0a-3f6f1f6b7a01",
        "/backstores/block create disk10 /dev/sdc wwn=3d2b4f5e-3a52-4e55-9b0a-3f6f1f6b7a01",
        f"/backstores/fileio create image {IMAGE} 1M write_back=false"
        " wwn=4d2b4f5e-3a52-4e55-9b0a-3f6f1f6b7a01",
        "/backstores/ramdisk create mine 1M",
        f"/iscsi create {SERVER}",
    ),
    (
        "/backstores/block/disk1/alua create standby 7",
        "/backstores/block/disk1/alua create active 3",
        "/backstores/block/disk1 set attribute emulate_caw=0",
        "/backstores/block/disk10 set attribute queue_depth=32",
        "/backstores/fileio/image set attribute emulate_tas=0",
    ),
    (
        f"{TPG} set attribute login_timeout=20",
        f"{TPG} set parameter MaxBurstLength=131072",
        f"{TPG}/portals delete 0.0.0.0 3260",
        f"{TPG}/luns create /backstores/block/disk1 0 add_mapped_luns=false",
        f"{TPG}/luns create /backstores/block/disk10 10 add_mapped_luns=false",
        f"{TPG}/luns create /backstores/block/disk01 2 add_mapped_luns=false",
        f"{TPG}/luns create /backstores/fileio/image 1 add_mapped_luns=false",
        f"{TPG}/acls create {CLIENT} add_mapped_luns=false",
        f"{TPG}/acls create {OTHER} add_mapped_luns=false",
    ),
    (
        "/backstores/block/disk1/alua/standby set alua preferred=1",
        f"{TPG}/portals create 192.168.56.101 3260",
        f"{TPG}/portals create 192.168.56.101 3261",
        f"{TPG}/portals create 192.168.56.101 860",
        *(f"{acl} create {lun} {lun}" for acl in ACLS for lun in (0, 1, 2)),
        f"{ACLS[0]} create 7 10 write_protect=true",
        f"{ACLS[0]} set auth userid=client password=0123456789ab",
        f"{ACLS[1]} set attribute nopin_timeout=20",
        f"{TPG} enable",
    ),
)


def build(folder: Path, steps: Sequence[Sequence[str]] = STEPS) -> Pyshell:
    made = Pyshell(folder)
    lines = [line for step in steps for line in step]
    ran = made.batch(lines)
    assert ran.status == 0, ran.err
    return made


def document_of(pyshell: Pyshell) -> str:
    return pyshell("saveconfig", "-", f"target={SERVER}").done().out


@pytest.fixture
def built(memory: Path) -> Pyshell:
    """Return a target that was built in one order."""
    return build(memory / "first")


shuffled = st.tuples(*(st.permutations(step) for step in STEPS))


@settings(
    max_examples=100 if LONG else 4,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(shuffled)
def test_the_order_of_creation_does_not_matter(
    built: Pyshell, tmp_path_factory: pytest.TempPathFactory, steps: tuple[list[str], ...]
) -> None:
    other = build(tmp_path_factory.mktemp("other") / "simulator", steps)
    assert document_of(other) == document_of(built)


@pytest.mark.parametrize("line", ["apply {file}", "restoreconfig {file}", "apply {whole}"])
def test_apply_and_restore_give_the_same(built: Pyshell, memory: Path, line: str) -> None:
    text = document_of(built)
    file, whole = memory / "one.json", memory / "whole.json"
    built.must(f"saveconfig {file} target={SERVER}", f"saveconfig {whole}")
    assert file.read_text() == text
    other = Pyshell(memory / "second")
    other.must("/backstores/ramdisk create own 1M", "/loopback create naa.5001405000000009")
    image = other.simulator.machine.file(IMAGE)
    image.parent.mkdir(parents=True)
    image.write_bytes(bytes(1 << 20))
    other.must(line.format(file=file, whole=whole))
    assert document_of(other) == text
    assert other("diff", str(file), "running", f"target={SERVER}").status == 0


def devices(pyshell: Pyshell, **values: Any) -> None:
    """Give all devices of the simulated host other limits."""
    pyshell.must("ls /iscsi")
    file = pyshell.folder / "machine.json"
    table = json.loads(file.read_text())
    table["devices"] = [{**one, **values} for one in table["devices"]]
    file.write_text(json.dumps(table))


@pytest.mark.parametrize("route", ["commands", "apply"])
def test_the_limits_of_devices_do_not_matter(built: Pyshell, memory: Path, route: str) -> None:
    """A disk refuses a queue depth above its own: applying that failed on the other host."""
    other = Pyshell(memory / "second")
    limits = {"queue_depth": 64, "max_sectors": 512, "discard_sectors": 4096, "rotational": True}
    devices(other, **limits, discard_granularity=16)
    text = document_of(built)
    if route == "commands":
        assert other.batch([line for step in STEPS for line in step]).status == 0
    else:
        file = memory / "one.json"
        built.must(f"saveconfig {file} target={SERVER}")
        image = other.simulator.machine.file(IMAGE)
        image.parent.mkdir(parents=True)
        image.write_bytes(bytes(1 << 20))
        other.must(f"apply {file} target={SERVER}")
    assert document_of(other) == text
    entries = {one["name"]: one["attributes"] for one in json.loads(text)["storage_objects"]}
    assert entries["disk10"]["queue_depth"] == 32
    assert "queue_depth" not in entries["disk1"]
    assert entries["disk1"]["block_size"] == 512


def test_a_limit_that_was_set_is_kept(built: Pyshell, memory: Path) -> None:
    built.must("/backstores/block/disk1 set attribute max_unmap_lba_count=4096")
    file = memory / "one.json"
    built.must(f"saveconfig {file} target={SERVER}")
    (own,) = [
        one for one in json.loads(file.read_text())["storage_objects"] if one["name"] == "disk1"
    ]
    assert own["attributes"]["max_unmap_lba_count"] == 4096


def test_the_size_of_a_device_is_omitted(target: Pyshell) -> None:
    target.must(
        "/backstores/fileio create disk1 /dev/sdb write_back=false",
        f"{TPG}/luns create /backstores/fileio/disk1",
    )
    (one,) = json.loads(document_of(target))["storage_objects"]
    assert "size" not in one
    assert one["dev"] == "/dev/sdb"


def test_the_history_of_an_alua_state_does_not_matter(built: Pyshell) -> None:
    before = document_of(built)
    group = "/backstores/block/disk1/alua/standby"
    built.must(f"{group} set alua alua_access_state=2", f"{group} set alua alua_access_state=0")
    assert document_of(built) == before


def test_spellings_do_not_matter(target: Pyshell) -> None:
    """Of targetcli or another program, which write to configfs as well."""
    target.must(f"{TPG}/portals delete 0.0.0.0 3260")
    folder = target.configfs / "iscsi" / SERVER / "tpgt_1" / "np"
    target.must(f"{TPG}/portals create fd00::1 3260")
    first = document_of(target)
    (portal,) = (one for one in folder.iterdir() if one.is_dir())
    portal.rename(folder / "[fd00:0:0::1]:3260")
    assert document_of(target) == first
    assert '"[fd00::1]"' in first


def test_names_are_sorted_in_one_order() -> None:
    found = ["disk", "disk001", "disk01", "disk1", "disk02", "disk2", "disk10"]
    for names in (["disk10", "disk2", "disk02", "disk1", "disk01", "disk", "disk001"], found[::-1]):
        assert sorted(names, key=natural) == found


def test_a_save_of_all_keeps_what_rtslib_writes(built: Pyshell) -> None:
    built.must("saveconfig")
    (target,) = built.document()["targets"]
    assert all(lun["alias"] for lun in target["tpgs"][0]["luns"])
