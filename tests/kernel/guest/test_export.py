# SPDX-License-Identifier: Apache-2.0
"""The owner's scenario from the initiator's side: an exported volume is a disk that keeps data."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from .. import lio
from ..commands import run, wait_for
from ..initiator import NAME, Chap, Initiator, disk_bytes
from .export import ADDRESS, SERVER, export_lee
from .shell import batch, pyshell

CLIENT_CHAP = Chap("client", "secret-of-client")
TARGET_CHAP = Chap("target", "secret-of-target")
LEE_BYTES = 20 << 30
# iscsiadm's statuses: the target refuses the initiator, the initiator refuses the target.
NOT_AUTHORISED = 24
LOGIN_FAILED = 19
MEBIBYTE = 1 << 20


def test_initiator_partitions_formats_and_uses_the_disk(
    lee: Path, initiator: Initiator, tmp_path: Path
) -> None:
    export_lee(lee)
    initiator.start()
    assert initiator.discover(ADDRESS) == [f"{ADDRESS}:3260,1 {SERVER}"]

    initiator.login(SERVER)
    disk = initiator.disk(SERVER)
    (session,) = initiator.sessions()
    assert session.connection_state == session.session_state.replace("_", " ") == "LOGGED IN"
    assert (session.portal, session.initiator) == (f"{ADDRESS}:3260,1", NAME)
    assert disk_bytes(disk.name) == LEE_BYTES
    info = lio.CONFIGFS / "iscsi" / SERVER / "tpgt_1/acls" / NAME / "info"
    assert "Address 192.168.56.105 TCP" in info.read_text()

    run("fdisk", str(disk), stdin="n\np\n1\n\n\nw\n")
    partition = Path(f"{disk}1")
    wait_for("the partition", partition.exists)
    run("mkfs.xfs", "-q", str(partition))
    written = os.urandom(8 * MEBIBYTE)
    run("mount", str(partition), str(tmp_path))
    (tmp_path / "data").write_bytes(written)
    # What a second mount reads comes from the disk, not from memory.
    run("umount", str(tmp_path))
    run("mount", str(partition), str(tmp_path))
    assert (tmp_path / "data").read_bytes() == written
    assert os.statvfs(tmp_path).f_blocks * os.statvfs(tmp_path).f_frsize > LEE_BYTES * 0.99
    run("umount", str(tmp_path))

    initiator.logout(SERVER)
    assert initiator.sessions() == []


def test_initiators_see_what_was_set_and_a_restore_keeps_it(
    clean_lio: None, initiator: Initiator, tmp_path: Path
) -> None:
    """The identity is what open-iscsi, sysfs and udev read."""
    path, tpg = "/backstores/ramdisk/disk", f"/iscsi/{SERVER}/tpg1"
    batch(
        "/backstores/ramdisk create disk 8M wwn='AbC-12 3' vendor=ACME product='A  Disk/x'"
        " revision=0001 company_id=00:a0:98",
        f"/iscsi create {SERVER}",
        f"{tpg}/luns create {path}",
        f"{tpg}/acls create {NAME}",
    )
    refused = pyshell(path, "set", "wwn", "vendor_id=B", status=5)
    assert f"cannot change while a LUN exports it ({tpg}/luns/lun0)" in refused.stderr
    shown = json.loads(pyshell("-o", "json", path, "info").stdout)["result"]

    run("/lib/systemd/systemd-udevd", "--daemon")
    initiator.start()
    initiator.discover(ADDRESS)
    initiator.login(SERVER)
    disk = initiator.disk(SERVER)
    run("udevadm", "settle")
    device = Path("/sys/class/block") / disk.name / "device"
    names = {"vendor": "vendor", "model": "product", "rev": "revision", "wwid": "naa"}
    for name, fact in names.items():
        assert (device / name).read_text().strip() == shown[fact]
    serial = (device / "vpd_pg80").read_bytes()[4:].rstrip(b"\0")
    assert serial.decode() == shown["serial"]
    for link in (shown["by_id"], shown["by_id_scsi"], shown["by_id_vendor"]):
        assert Path(link).resolve() == disk, os.listdir("/dev/disk/by-id")
    initiator.logout(SERVER)
    run("udevadm", "control", "--exit")

    saved = tmp_path / "saved.json"
    pyshell("saveconfig", str(saved))
    pyshell("clearconfig", "confirm=true")
    pyshell("restoreconfig", str(saved))
    assert pyshell("diff", "running", str(saved)).stdout == ""
    assert pyshell(path, "get", "wwn", "vendor_id").stdout == "vendor_id=ACME \n"


@pytest.mark.parametrize("chap_of_target", [None, TARGET_CHAP], ids=["one way", "mutual"])
def test_right_secrets_are_let_in(
    lee: Path, initiator: Initiator, chap_of_target: Chap | None
) -> None:
    export_lee(lee, CLIENT_CHAP, chap_of_target)
    initiator.start(CLIENT_CHAP, chap_of_target)
    initiator.discover(ADDRESS)
    initiator.login(SERVER)
    assert [session.target for session in initiator.sessions()] == [SERVER]


@pytest.mark.parametrize(
    ("chap", "chap_of_target", "status"),
    [
        (None, None, NOT_AUTHORISED),
        (Chap(CLIENT_CHAP.user, "not-the-secret-x"), None, NOT_AUTHORISED),
        (CLIENT_CHAP, Chap(TARGET_CHAP.user, "not-the-secret-y"), LOGIN_FAILED),
    ],
    ids=["no secret", "client's wrong", "target's wrong"],
)
def test_wrong_secrets_are_refused(
    lee: Path,
    initiator: Initiator,
    chap: Chap | None,
    chap_of_target: Chap | None,
    status: int,
) -> None:
    export_lee(lee, CLIENT_CHAP, TARGET_CHAP)
    initiator.start(chap, chap_of_target)
    initiator.discover(ADDRESS)
    assert initiator.try_login(SERVER).returncode == status
    assert initiator.sessions() == []
