# SPDX-License-Identifier: Apache-2.0
"""Every backstore on the real kernel: handlers of tcmu-runner, sizes that change, SCSI devices."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..commands import run, wait_for
from ..initiator import Initiator, disk_bytes
from .export import ADDRESS, SERVER, TPG
from .shell import batch, pyshell

SCSI = Path("/sys/class/scsi_device")
LOOPBACK = "naa.5001405000000001"
MEBIBYTE = 1 << 20
SAVED = Path("/etc/target/saveconfig.json")
TAPE = "1\n"


@pytest.fixture
def tcmu_runner() -> Iterator[list[str]]:
    """Start a system bus and tcmu-runner; return the backstores seen while only the bus ran."""
    Path("/run/dbus").mkdir(exist_ok=True)
    run("dbus-daemon", "--system", "--fork")
    before = backstores()
    runner = subprocess.Popen(["tcmu-runner", "-d"], stdout=subprocess.DEVNULL)
    yield before
    runner.kill()
    runner.wait()
    Path("/run/dbus/system_bus_socket").unlink()


def backstores() -> list[str]:
    """Return the names of the backstores, as the tree shows them."""
    lines = pyshell("/backstores", "ls", "depth=1").stdout.splitlines()
    return [line.split()[1] for line in lines[1:]]


def facts(path: str) -> dict[str, str]:
    """Return what `info` tells of a storage object."""
    found: dict[str, str] = json.loads(pyshell("-o", "json", path, "info").stdout)["result"]
    return found


def refuse(*refusals: tuple[str, str]) -> None:
    """Run lines in one process, each of which must fail and say what stands beside it."""
    lines = "".join(f"{line}\n" for line, _ in refusals)
    told = pyshell("--keep-going", stdin=lines, status=None).stderr.splitlines()
    errors = [line for line in told if line.startswith("stdin:")]
    for number, (line, words) in enumerate(refusals, 1):
        assert any(e.startswith(f"stdin:{number}: ") and words in e for e in errors), (line, told)


def hosts_disks(kind: str) -> list[Path]:
    """Return the folders of LIO's own SCSI devices that have a node of the kind."""
    return [
        device
        for device in sorted(SCSI.glob("*/device"))
        if (device / kind).exists() and (device / "vendor").read_text().startswith("LIO-ORG")
    ]


def test_handlers_of_tcmu_runner(tcmu_runner: list[str], tmp_path: Path) -> None:
    kinds = ["block", "fileio", "pscsi", "ramdisk"]
    assert tcmu_runner == kinds  # looking did not start the service
    handlers = [f"user:{name}" for name in ("fbo", "qcow", "rbd", "zbc")]
    wait_for("tcmu-runner", lambda: backstores() == [*kinds, *handlers])

    run("modprobe", "-a", "sd_mod", "sr_mod")
    disc = tmp_path / "disc.iso"
    disc.write_bytes(bytes(range(256)) * 65536)
    zoned = tmp_path / "zoned.img"
    said = batch(
        f"/backstores/user:fbo create disc 16M {disc}",
        f"/backstores/user:zbc create zoned 16M model-HM/zsize-1/conv-1@{zoned}",
        f"/loopback create {LOOPBACK}",
        f"/loopback/{LOOPBACK}/luns create /backstores/user:fbo/disc",
        f"/loopback/{LOOPBACK}/luns create /backstores/user:zbc/zoned",
        "saveconfig",
        "/backstores/user:zbc help create",
    )
    assert f"Created user-backed storage object disc size {16 * MEBIBYTE}.\n" in said
    assert "CFGSTRING FORMAT\n" in said
    assert "Ex:\n  cfgstring=model-HM/" in said
    wait_for("the disc", lambda: len(hosts_disks("block/sr0")) == 1)
    assert Path("/dev/sr0").read_bytes()[: 1 << 16] == disc.read_bytes()[: 1 << 16]
    zbc = next(d for d in SCSI.glob("*/device") if "ZBC" in (d / "model").read_text())
    assert (zbc / "wwid").read_text().strip() == facts("/backstores/user:zbc/zoned")["naa"]
    refuse(
        (f"/backstores/user:fbo changemedium disc 16M {disc}", "No such method"),
        ("/backstores/user:fbo/disc resize 32M", "Operation not supported"),
    )
    tree = batch("/backstores ls")
    saved = SAVED.read_text()
    batch("clearconfig confirm=true", "restoreconfig", "saveconfig")
    # A drawing does not wait for tcmu-runner while that opens what was restored.
    wait_for("the same tree", lambda: batch("/backstores ls") == tree)
    assert SAVED.read_text() == saved
    batch(
        f"/loopback delete {LOOPBACK}",
        "/backstores/user:fbo delete disc",
        "/backstores/user:zbc delete zoned",
    )


def test_field_failure_67_initiators_see_new_sizes_after_a_rescan(
    initiator: Initiator, tmp_path: Path
) -> None:
    image, under = tmp_path / "image", tmp_path / "under"
    with under.open("wb") as file:
        file.truncate(8 * MEBIBYTE)
    run("modprobe", "loop")
    loop = run("losetup", "--find", "--show", str(under)).stdout.strip()
    batch(
        f"/backstores/fileio create image {image} 16M",
        f"/backstores/block create device {loop}",
        f"/iscsi create {SERVER}",
        f"{TPG}/luns create /backstores/fileio/image",
        f"{TPG}/luns create /backstores/block/device",
        f"{TPG} set attribute authentication=0 generate_node_acls=1 demo_mode_write_protect=0",
    )
    initiator.start()
    initiator.discover(ADDRESS)
    initiator.login(SERVER)
    first = initiator.disk(SERVER).name
    disks = sorted(initiator.sessions()[0].disks)
    wait_for("both disks", lambda: len(initiator.sessions()[0].disks) == 2)
    disks = sorted(initiator.sessions()[0].disks)
    assert first in disks
    # Field failure 56: the name by which the initiator knows the disk (VPD page 0x83).
    wwids = [Path(f"/sys/class/block/{d}/device/wwid").read_text().strip() for d in disks]
    paths = ("/backstores/fileio/image", "/backstores/block/device")
    shown = [facts(path) for path in paths]
    assert sorted(wwids) == sorted(one["naa"] for one in shown)
    _discard_and_cache(disks, [image, under], shown)

    refuse(("/backstores/block/device resize 24M", "Resize that first"))
    said = batch("/backstores/fileio/image resize 32M")
    assert said.startswith(
        "Storage object fileio/image is now 32.0MiB.\n"
        "On each initiator: iscsiadm -m session --rescan\n"
    )
    assert image.stat().st_size == 32 * MEBIBYTE
    with under.open("r+b") as file:
        file.truncate(24 * MEBIBYTE)
    run("losetup", "-c", loop)
    assert "is 24.0MiB, the size of its device." in batch("/backstores/block/device resize")
    assert sorted(map(disk_bytes, disks)) == [8 * MEBIBYTE, 16 * MEBIBYTE]
    run("iscsiadm", "-m", "session", "--rescan")
    wanted = [24 * MEBIBYTE, 32 * MEBIBYTE]
    wait_for("the new sizes", lambda: sorted(map(disk_bytes, disks)) == wanted)

    tree = batch("/backstores ls")
    assert "(32.0MiB) write-back activated" in tree
    assert "(24.0MiB) write-thru activated" in tree
    refuse(
        ("/backstores/fileio/image resize 16M", "would truncate"),
        # Field failure 68: a cache that is there cannot be hidden.
        ("/backstores/fileio/image set attribute emulate_write_cache=0", "write_back=true"),
    )
    initiator.stop()
    batch(f"/iscsi delete {SERVER}", "/backstores/block delete device")
    run("losetup", "-d", loop)


def _discard_and_cache(disks: list[str], files: list[Path], shown: list[dict[str, str]]) -> None:
    """Check that UNMAP frees the files' blocks, and that `info` has what initiators see."""
    assert [one["discard_text"][:3] for one in shown] == ["on:", "on:"]
    for disk in disks:
        run("dd", "if=/dev/urandom", f"of=/dev/{disk}", "bs=1M", "count=1", "oflag=direct")
    run("sync")
    assert [file.stat().st_blocks >= 2048 for file in files] == [True, True]
    for disk in disks:
        run("blkdiscard", f"/dev/{disk}")
    assert [file.stat().st_blocks for file in files] == [0, 0]
    # A loop device has a volatile cache, which the kernel reports of a block object.
    assert [one["cache_text"].partition(":")[0] for one in shown] == [
        "write-back", "write-back, the device's own",
    ]  # fmt: skip
    caches = [Path(f"/sys/class/block/{disk}/queue/write_cache").read_text() for disk in disks]
    assert caches == ["write back\n"] * 2


def test_field_failure_39_disks_tapes_and_their_other_names_are_passed_through_or_refused() -> None:
    run("modprobe", "-a", "sd_mod", "st", "sg")
    run("modprobe", "-r", "scsi_debug", check=False)
    run("modprobe", "scsi_debug", "dev_size_mb=8")
    address = wait_for("the disk", lambda: debugging("block"))
    disk = f"/dev/{next((SCSI / address / 'device/block').iterdir()).name}"
    generic = f"/dev/{next((SCSI / address / 'device/scsi_generic').iterdir()).name}"
    said = batch(f"/backstores/pscsi create one {address}", "/backstores/pscsi ls")
    assert said.startswith(f"Created pscsi storage object one using {address}\n")
    assert f"[{disk} deactivated]" in said
    refuse(
        (f"/backstores/pscsi create two {disk}", "storage object pscsi/one"),
        (f"/backstores/pscsi create two {generic}", f"use {disk}"),
        ("/backstores/pscsi create two /dev/nosuch", "There is no SCSI device /dev/nosuch"),
        ("/backstores/pscsi create two 9:9:9:9", "There is no SCSI device 9:9:9:9"),
        ("/backstores/pscsi create two /dev/null", "/dev/null is not a SCSI device"),
        (f"/backstores/block create two {generic}", "is not a block device"),
        (f"/backstores/fileio create two {generic} 1M", "is a SCSI device"),
        (f"/backstores/fileio create two {disk}", "storage object pscsi/one"),
    )
    batch("/backstores/pscsi delete one")

    run("modprobe", "-r", "scsi_debug")
    run("modprobe", "scsi_debug", "ptype=1")
    address = wait_for("the tape", lambda: debugging("scsi_tape"))
    batch(
        f"/backstores/pscsi create tape {address}",
        f"/loopback create {LOOPBACK}",
        f"/loopback/{LOOPBACK}/luns create /backstores/pscsi/tape",
        "saveconfig",
    )
    types = [path.read_text() for path in SCSI.glob("*/device/type")]
    assert types.count(TAPE) == 2  # the tape, and the one that the target makes of it
    said = batch("clearconfig confirm=true", "restoreconfig", "/backstores/pscsi ls")
    assert "[/dev/st0 activated]" in said
    refuse(("/backstores/block create x /dev/st0", "is not a block device"))
    batch("clearconfig confirm=true")
    run("modprobe", "-r", "scsi_debug")


def debugging(kind: str) -> str | None:
    """Return the H:C:T:L of a scsi_debug device with a node of the kind."""
    for device in SCSI.glob("*/device"):
        if (device / kind).exists() and "scsi_debug" in (device / "model").read_text():
            return device.parent.name
    return None
