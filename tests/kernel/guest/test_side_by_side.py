# SPDX-License-Identifier: Apache-2.0
"""pyshell in targetcli's manner does what targetcli 3.0.2 did, line by line, on a real kernel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .. import bus, lio, snapshot
from ..sidebyside import comparing, programs, recorded, scenes
from ..sidebyside.comparing import Did, Played
from ..sidebyside.programs import PLACE, Program
from ..sidebyside.scenes import Scene

SCENES = scenes.read()


@pytest.fixture(scope="module")
def system_bus() -> Iterator[None]:
    """Have a system D-Bus."""
    with bus.running():
        yield


@pytest.fixture(scope="module")
def targetcli(system_bus: None) -> Iterator[Program]:
    """Return targetcli 3.0.2."""
    with programs.targetcli() as program:
        yield program


@pytest.fixture(scope="module")
def ours(system_bus: None) -> Iterator[Program]:
    """Return pyshell, called by a link of the name targetcli."""
    with programs.pyshell() as program:
        yield program


@pytest.fixture(scope="module")
def disk() -> Iterator[snapshot.Names]:
    """Return the name and address of a SCSI disk."""
    with programs.scsi_disk() as names:
        yield names


@pytest.fixture(scope="module")
def theirs() -> dict[str, Played]:
    """Return what targetcli made of each scene, as it was recorded."""
    return recorded.read(SCENES)


def transcript(scene: Scene, done: list[Did]) -> str:
    """Return what pyshell printed, for the reader of a failure."""
    seconds = sum(did.seconds for did in done)
    parts = [f"### {len(done)} lines, {seconds:.0f} seconds\n"]
    for step, did in zip(scene.steps, done, strict=True):
        parts.append(f">>> {step.text}\n{did.stdout}{did.stderr}=== {did.status}\n")
    return "".join(parts)


@pytest.mark.parametrize("scene", SCENES, ids=[scene.name for scene in SCENES])
def test_a_scene_goes_as_with_targetcli(
    scene: Scene,
    lee: Path,
    disk: snapshot.Names,
    theirs: dict[str, Played],
    ours: Program,
    results: Path,
) -> None:
    our = ours.play(scene, disk, results / "pyshell.line")
    (results / "pyshell.txt").write_text(transcript(scene, our.done))
    wrong = comparing.compare(scene, theirs[scene.name], our)
    (results / "differences.txt").write_text("\n".join(wrong))
    print(f"{len(scene.steps)} lines compared")  # noqa: T201
    assert not wrong, "\n".join(wrong)


def test_the_list_is_long_enough() -> None:
    lines = sum(len(scene.steps) for scene in SCENES)
    print(f"{lines} lines in {len(SCENES)} scenes")  # noqa: T201
    assert lines >= 150


TARGET = "iqn.2020-07.org.example:t"
TPG = f"/iscsi/{TARGET}/tpg1"
ACL = f"{TPG}/acls/iqn.2020-07.org.example:i"
# A configuration that has something of everything, other than the defaults.
EVERYTHING = (
    "/backstores/block create lee /dev/mapper/lee-lee.lv",
    f"/backstores/fileio create image {PLACE}/image 4M write_back=false",
    "/backstores/ramdisk create memory 1M vendor=ACME product=A_Disk revision=01 company_id=00a098",
    "/backstores/ramdisk create void 1M nullio=true",
    "/backstores/block/lee set attribute emulate_tpu=1 emulate_caw=0",
    "/backstores/ramdisk/memory/alua create group 1",
    "/backstores/ramdisk/memory/alua/group set alua alua_access_state=1 preferred=1",
    f"/iscsi create {TARGET}",
    f"{TPG}/acls create iqn.2020-07.org.example:i",
    f"{TPG}/acls create iqn.2020-07.org.example:j",
    f"{TPG}/luns create /backstores/block/lee",
    f"{TPG}/luns create /backstores/fileio/image 5 add_mapped_luns=false",
    f"{TPG}/luns create /backstores/ramdisk/memory add_mapped_luns=false",
    f"{TPG}/luns/lun1 set alua alua_tg_pt_gp_name=group",
    f"{ACL} create 7 lun5 write_protect=1",
    f"{TPG} set attribute authentication=1 demo_mode_write_protect=0",
    f"{TPG} set parameter MaxConnections=3 ImmediateData=No",
    f"{TPG} set auth userid=tu password=tp mutual_userid=tmu mutual_password=tmp",
    f"{ACL} set auth userid=u password=p mutual_userid=mu mutual_password=mp",
    f"{ACL} set attribute dataout_timeout=10",
    f"{TPG}/acls tag iqn.2020-07.org.example:j tagged",
    f"{TPG}/portals delete ::0 3260",
    f"{TPG}/portals create 192.168.56.101",
    f"{TPG}/portals create ::1 3261",
    f"/iscsi/{TARGET} create 2",
    f"/iscsi/{TARGET}/tpg2 disable",
    "/iscsi set discovery_auth userid=du password=dp enable=1",
    "/loopback create naa.5001405000000001",
    "/loopback/naa.5001405000000001/luns create /backstores/ramdisk/void",
    "/vhost create naa.5001405000000002",
    "/vhost/naa.5001405000000002/tpg1/luns create /backstores/ramdisk/memory",
)

# What is set of it: targetcli restores it, but does not save it.
IDENTITY = {
    "vendor_id": "ACME", "product_id": "A_Disk", "revision": "01", "company_id": "0x00a098"
}  # fmt: skip


@pytest.mark.parametrize("saving_one", ["targetcli", "pyshell"])
def test_each_restores_what_the_other_saved(
    saving_one: str, lee: Path, targetcli: Program, ours: Program, results: Path
) -> None:
    saving, restoring = (targetcli, ours) if saving_one == "targetcli" else (ours, targetcli)
    ours.start()
    for line in EVERYTHING:
        status, _, stderr = ours.run_line(line.split())
        assert status == 0, f"{line}\n{stderr}"
    before = snapshot.take()
    file = results / f"{saving_one}.json"
    assert saving.run_line(["saveconfig", str(file)])[0] == 0
    lost = IDENTITY if saving is targetcli else {}
    status, told, _ = ours.run_line(["diff", "running", str(file)])
    assert (status, [name for name in IDENTITY if f"{name}: " in told]) == (bool(lost), [*lost])
    by_its_writer, by_the_other = [restored(program, file) for program in (saving, restoring)]
    assert snapshot.differences(by_its_writer, by_the_other) == {}
    assert len(by_the_other) == len(before)
    # Its folder in configfs has another number now.
    (wwn,) = [path for path in by_the_other if path.endswith("/memory/wwn")]
    has = {name: by_the_other[f"{wwn}/{name}"] for name in IDENTITY}
    assert (has == IDENTITY) == (not lost)
    assert not lost or not IDENTITY.items() & has.items()


def restored(program: Program, file: Path) -> snapshot.Tree:
    """Return what a program makes of a saved file."""
    lio.clear()
    (lio.CONFIGFS / "iscsi").mkdir()
    status, stdout, stderr = program.run_line(["restoreconfig", str(file)])
    assert (status, stdout) == (0, f"Configuration restored from {file}\n"), stderr
    # Nothing but link names is drawn by lot here.
    return snapshot.plain_tree(snapshot.take(), "\n".join(EVERYTHING))
