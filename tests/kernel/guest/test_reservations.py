# SPDX-License-Identifier: Apache-2.0
"""Two initiators of a cluster share a disk: persistent reservations, as fence_scsi uses them."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Any

from ..commands import run, wait_for
from ..initiator import NAME, Initiator, disk_bytes
from ..lio import CONFIGFS
from .conftest import LEE
from .export import ADDRESS, SERVER, TPG, export_lee
from .shell import batch, pyshell
from .test_seeing import as_data

OTHER = "iqn.2020-07.192.168.56.106:other"
DISK = "/backstores/block/lee_block"
PR = Path("/etc/target/pr")
A, B = "0xabc1", "0xabc2"
"""The reservation keys of the two."""
WRITE_EXCLUSIVE, REGISTRANTS_ONLY = 1, 5
OWN = re.compile(r"(?<=,i,0x)[0-9a-f]{12}|(?<=Port Identifier Tag: )\d+")
"""Numbers that depend on sessions and targets before: ISIDs, and a port's number (of its TPG from
Linux 6.12 on)."""


def two_disks(initiator: Initiator) -> tuple[Path, Path]:
    """Log in as two initiators, and return the disk as each sees it."""
    initiator.start()
    run("iscsiadm", "-m", "iface", "-I", "other", "-o", "new")
    setting = ("-n", "iface.initiatorname", "-v", OTHER)
    run("iscsiadm", "-m", "iface", "-I", "other", "-o", "update", *setting)
    run("iscsiadm", "-m", "discovery", "-t", "st", "-p", ADDRESS, "-I", "default", "-I", "other")
    return log_in(initiator)


def log_in(initiator: Initiator) -> tuple[Path, Path]:
    """Log in as both, and return the disk as each sees it."""
    initiator.login(SERVER)

    def disks() -> dict[str, Path]:
        found = {
            (session / "initiatorname").read_text().strip(): Path("/dev") / block.name
            for session in Path("/sys/class/iscsi_session").iterdir()
            for block in session.glob("device/target*/*/block/*")
            if disk_bytes(block.name)
        }
        return found if len(found) == 2 else {}

    found = wait_for("two disks", disks)
    return found[NAME], found[OTHER]


def persist(disk: Path, action: str, *words: str) -> None:
    """Send PERSISTENT RESERVE OUT, after a command that takes a unit attention."""
    run("sg_turs", str(disk), check=False)
    run("sg_persist", "--out", f"--{action}", *words, str(disk))


def register(disk: Path, key: str, *words: str) -> None:
    """Register an initiator with a key."""
    persist(disk, "register-ignore", f"--param-sark={key}", *words)


def reserve_6(disk: Path, *, release: bool = False) -> None:
    """Send RESERVE(6) or RELEASE(6)."""
    run("sg_turs", str(disk), check=False)
    run("sg_raw", str(disk), "17" if release else "16", *["00"] * 5)


def can_write(disk: Path) -> bool:
    """Return whether an initiator can write; a conflict with a reservation is EBADE."""
    run("sg_turs", str(disk), check=False)
    words = ("if=/dev/zero", f"of={disk}", "bs=4k", "count=1", "oflag=direct")
    done = run("dd", *words, check=False)
    assert done.returncode == 0 or os.strerror(errno.EBADE) in done.stderr, done.stderr
    return done.returncode == 0


def reservations() -> Any:
    """Return what `info` shows."""
    return as_data(DISK, "info")["reservations"]


def names(of: str) -> list[str]:
    return sorted(one["initiator"] for one in reservations()[of])


def findings() -> list[Any]:
    return [one for one in as_data("doctor", status=None) if one["check"] == "reservations"]


def test_a_cluster_fences_and_its_registrations_survive(
    lee: Path, initiator: Initiator, tmp_path: Path
) -> None:
    export_lee(lee)
    batch(f"{TPG}/acls create {OTHER}", "saveconfig")
    one, other = two_disks(initiator)

    # As fence_scsi does: both register, one reserves, the other fences it.
    register(one, A)
    register(other, B)
    persist(one, "reserve", f"--param-rk={A}", f"--prout-type={REGISTRANTS_ONLY}")
    assert reservations()["type"] == "Write Exclusive Access, Registrants Only"
    assert (names("holders"), names("registrations")) == ([NAME], [NAME, OTHER])
    assert shown(CONFIGFS) == simulated(tmp_path / "simulated")
    assert can_write(other)
    kind = (f"--param-rk={B}", f"--param-sark={A}", f"--prout-type={REGISTRANTS_ONLY}")
    persist(other, "preempt", *kind)
    assert (names("holders"), names("registrations")) == ([OTHER], [OTHER])
    assert not can_write(one)
    assert can_write(other)
    assert findings() == []
    persist(other, "clear", f"--param-rk={B}")
    assert reservations()["registrations"] == []

    see_a_reservation_of_spc_2(one, other)

    # With APTPL, both registrations and the reservation survive.
    register(one, A, "--param-aptpl")
    register(other, B, "--param-aptpl")
    persist(one, "reserve", f"--param-rk={A}", f"--prout-type={WRITE_EXCLUSIVE}")
    detail = pyshell("sessions", "detail").stdout
    assert f"held by {NAME}; registered with key 0x000000000000abc2" in detail
    before = {key: reservations()[key] for key in ("type", "holders", "port", "aptpl")}
    initiator.logout(SERVER)
    batch("clearconfig confirm=true", "restoreconfig")
    assert {key: reservations()[key] for key in before} == before
    assert names("registrations") == [NAME, OTHER]
    (gone,) = findings()
    assert (gone["path"], NAME in gone["message"]) == (DISK, True)
    one, other = log_in(initiator)
    assert not can_write(other)

    # The holder is gone: the reservation is cleared, now and for the next restore.
    pyshell(DISK, "clear_reservation")
    assert (names("holders"), names("registrations")) == ([], [OTHER])
    assert can_write(other)
    initiator.logout(SERVER)
    batch("clearconfig confirm=true", "restoreconfig")
    assert (names("holders"), names("registrations")) == ([], [OTHER])

    # Without the folder, a registration fails; the command that doctor prints creates it.
    one, _ = log_in(initiator)
    PR.rename(PR.with_name("pr.away"))
    refused = run("sg_persist", "--out", "--register", f"--param-sark={A}", str(one), check=False)
    assert refused.returncode != 0
    (missing,) = findings()
    assert missing["path"] == str(PR)
    for command in missing["commands"]:
        run("sh", "-c", command)
    register(one, A)
    assert findings() == []


def see_a_reservation_of_spc_2(one: Path, other: Path) -> None:
    """Reserve the disk with RESERVE, which needs no registration and ends with the session."""
    reserve_6(one)
    assert (reservations()["type"], names("holders")) == ("SPC-2", [NAME])
    assert "reservation: SPC-2, held by this initiator" in pyshell("sessions", "detail").stdout
    assert not can_write(other)
    pyshell(DISK, "clear_reservation", status=5)
    reserve_6(one, release=True)
    assert names("holders") == []
    assert can_write(other)


def shown(configfs: Path) -> dict[str, str]:
    """Return what a kernel's files show of the disk's reservations, without `OWN` numbers."""
    (folder,) = configfs.glob("core/iblock_*/lee_block/pr")
    return {file.name: OWN.sub("N", file.read_text()) for file in folder.iterdir()}


def simulated(folder: Path) -> dict[str, str]:
    """Return the same of a simulated kernel whose initiators do the same."""
    lines = (
        f"/backstores/block create name=lee_block dev={LEE}",
        f"/iscsi create {SERVER}",
        f"{TPG}/luns create /backstores/block/lee_block",
        f"{TPG}/acls create {NAME}",
        f"{TPG}/acls create {OTHER}",
        f"login {NAME}",
        f"login {OTHER}",
        f"reserve {NAME} key={A}",
        f"reserve {OTHER} key={B}",
        f"reserve {NAME} key={A} type=write_exclusive_registrants_only",
    )
    pyshell(f"--simulate={folder}", stdin="\n".join([*lines, ""]))
    return shown(folder / "configfs/target")
