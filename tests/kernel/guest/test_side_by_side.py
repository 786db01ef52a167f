# SPDX-License-Identifier: Apache-2.0
"""pyshell in targetcli's manner does what targetcli 3.0.2 does, line by line, on a real kernel."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .. import bus, commands, lio, snapshot
from ..forked import modules_of_pyshell
from ..sidebyside import comparing, scenes
from ..sidebyside.comparing import Did, Program
from ..sidebyside.scenes import Scene

SCENES = scenes.read()
# Where both programs work: the same path for both, empty at the start of each scene.
PLACE = Path("/run/tmp/side-by-side")


def own_folder(name: str) -> Path:
    """Return an empty folder for a program's preferences and outputs, in the guest's memory."""
    folder = PLACE.with_name(f"own-{name}")
    commands.run("rm", "-rf", str(folder))
    folder.mkdir(parents=True)
    return folder


@pytest.fixture(scope="module")
def system_bus() -> Iterator[None]:
    """Have a system D-Bus."""
    with bus.running():
        yield


@pytest.fixture(scope="module")
def targetcli(system_bus: None) -> Iterator[Program]:
    """Return targetcli 3.0.2."""
    python = os.environ["PYSHELL_PEER"]
    if not python.startswith("/"):
        pytest.fail(python)
    folder = own_folder("targetcli")
    program = Program(python, "targetcli.targetcli_shell:main", (), "targetcli", folder)
    yield program
    program.end()


@pytest.fixture(scope="module")
def ours() -> Iterator[Program]:
    """Return pyshell, called by a link of the name targetcli."""
    folder = own_folder("pyshell")
    (folder / "bin").mkdir()
    link = folder / "bin/targetcli"
    link.symlink_to(Path(sys.executable).with_name("pyshell"))
    modules = modules_of_pyshell()
    program = Program(sys.executable, "pyshell.cli:main", modules, str(link), folder)
    yield program
    program.end()


@pytest.fixture(scope="module")
def disk() -> Iterator[dict[str, str]]:
    """Return the name and address of a SCSI disk, which is made of memory."""
    commands.run("modprobe", "sd_mod")
    commands.run("modprobe", "-r", "scsi_debug", check=False)  # another test may have used it up
    commands.run("modprobe", "scsi_debug", "dev_size_mb=8")
    folder = Path("/sys/bus/pseudo/drivers/scsi_debug")

    def disk() -> Path | None:
        return next(folder.glob("adapter0/host*/target*/*:*/block/*"), None)

    found = commands.wait_for("a SCSI disk", disk)
    yield {"DISK": f"/dev/{found.name}", "ADDRESS": found.parents[1].name}
    commands.run("modprobe", "-r", "scsi_debug")


@pytest.fixture(autouse=True)
def place(clean_lio: None, lee: Path, targetcli: Program, ours: Program) -> None:
    """Give both programs a fresh start."""


def start(program: Program) -> None:
    """Empty the kernel, the program's preferences and the place where it works."""
    # The folder stays where a configuration was cleared; so does what lio writes into it.
    for _ in range(2):
        lio.clear()
        (lio.CONFIGFS / "iscsi").mkdir(exist_ok=True)
    commands.run("rm", "-rf", str(PLACE))
    PLACE.mkdir(parents=True)
    (PLACE / "there.img").write_bytes(bytes(1 << 20))
    (PLACE / "folder").mkdir()
    program.forget()
    if program.argv0 != "targetcli":
        status, *_ = program.run_line(["set", "global", "default_portal_address=::0"], PLACE)
        assert status == 0


def transcript(program: str, scene: Scene, done: list[Did]) -> str:
    """Return what a program printed, for the reader of a failure."""
    seconds = sum(did.seconds for did in done)
    parts = [f"### {program}: {len(done)} lines, {seconds:.0f} seconds\n"]
    for step, did in zip(scene.steps, done, strict=True):
        parts.append(f">>> {step.text}\n{did.stdout}{did.stderr}=== {did.status}\n")
    return "".join(parts)


@pytest.mark.parametrize("scene", SCENES, ids=[scene.name for scene in SCENES])
def test_a_scene_goes_as_with_targetcli(
    scene: Scene, disk: dict[str, str], targetcli: Program, ours: Program, results: Path
) -> None:
    done: list[list[Did]] = []

    for program in (targetcli, ours):
        start(program)
        name = "targetcli" if program is targetcli else "pyshell"
        hanging = results / f"{name}.line"
        done.append(list(comparing.play(program, scene, PLACE, disk, hanging)))
        (results / f"{name}.txt").write_text(transcript(name, scene, done[-1]))
    wrong = comparing.compare(scene, *done)
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
    "/backstores/ramdisk create memory 1M",
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


@pytest.mark.parametrize("saving_one", ["targetcli", "pyshell"])
def test_each_restores_what_the_other_saved(
    saving_one: str, targetcli: Program, ours: Program, results: Path
) -> None:
    saving, restoring = (targetcli, ours) if saving_one == "targetcli" else (ours, targetcli)
    start(ours)
    for line in EVERYTHING:
        status, _, stderr = ours.run_line(line.split(), PLACE)
        assert status == 0, f"{line}\n{stderr}"
    before = snapshot.take()
    file = results / f"{saving_one}.json"
    assert saving.run_line(["saveconfig", str(file)], PLACE)[0] == 0
    by_its_writer, by_the_other = [restored(program, file) for program in (saving, restoring)]
    assert snapshot.differences(by_its_writer, by_the_other) == {}
    assert len(by_the_other) == len(before)


def restored(program: Program, file: Path) -> snapshot.Tree:
    """Return what a program makes of a saved file."""
    lio.clear()
    (lio.CONFIGFS / "iscsi").mkdir()
    status, stdout, stderr = program.run_line(["restoreconfig", str(file)], PLACE)
    assert (status, stdout) == (0, f"Configuration restored from {file}\n"), stderr
    # Nothing but link names is drawn by lot here.
    return snapshot.plain_tree(snapshot.take(), "\n".join(EVERYTHING))
