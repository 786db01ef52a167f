# SPDX-License-Identifier: Apache-2.0
"""`clear_reservation` releases a reservation and drops registrations, in the kernel and on disk."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from driver import CLIENT, TPG, Pyshell
from test_faults import refusing

DISK = "/backstores/block/lee_block"
OTHER = "iqn.2020-07.192.168.56.106:other"
THIRD = "iqn.2020-07.192.168.56.107:third"


@pytest.fixture
def cluster(exported: Pyshell) -> Pyshell:
    """Return pyshell with two registered initiators, of which the first reserved the disk."""
    exported.must(
        f"{TPG}/acls create {OTHER}",
        f"login {CLIENT}",
        f"login {OTHER}",
        f"reserve {OTHER} key=0xabc2 aptpl=true",
        f"reserve {CLIENT} key=0xabc1 type=write_exclusive aptpl=true",
    )
    return exported


def reserved(pyshell: Pyshell) -> dict[str, Any]:
    """Return what `info` shows of the reservation."""
    found: dict[str, Any] = pyshell("-o", "json", DISK, "info").json["result"]["reservations"]
    found["registrations"].sort(key=lambda one: one["key"])
    return found


def initiators(pyshell: Pyshell, what: str = "registrations") -> list[str]:
    return [one["initiator"] for one in reserved(pyshell)[what]]


def stored(pyshell: Pyshell) -> str:
    """Return the stored registrations."""
    (file,) = Path(pyshell.folder / "etc/target/pr").iterdir()
    return file.read_text(encoding="utf-8")


def reserve_in_demo_mode(pyshell: Pyshell) -> None:
    """Let an initiator without an ACL reserve the disk."""
    pyshell.must(
        f"{TPG} set attribute generate_node_acls=1",
        f"login {THIRD}",
        f"reserve {THIRD} type=exclusive_access aptpl=true",
    )


def test_the_holder_loses_it_and_the_others_stay_registered(cluster: Pyshell) -> None:
    before = cluster.line(f"ls {TPG}").out
    ran = cluster.line(f"{DISK} clear_reservation").done()
    assert ran.lines == [
        f"Cleared the reservation of block/lee_block held by {CLIENT}.",
        *(
            f"Terminated the session of {one} at {TPG.split('/')[2]}/tpg1, from 192.168.56.105."
            for one in (CLIENT, OTHER)
        ),
    ]
    assert initiators(cluster, "holders") == []
    assert initiators(cluster) == [OTHER]
    assert CLIENT not in stored(cluster)
    assert OTHER in stored(cluster)
    assert cluster.line(f"ls {TPG}").out == before
    cluster.must(f"login {OTHER}", f"reserve {OTHER} type=write_exclusive aptpl=true")
    assert initiators(cluster, "holders") == [OTHER]


def test_undo_refuses_instead_of_undoing_the_command_before(cluster: Pyshell) -> None:
    line = f"{DISK} clear_reservation"
    cluster.must("/backstores/ramdisk create before 1M", line)
    before = cluster.tree()
    for options in ((), ("--dry-run",)):
        ran = cluster("undo", *options)
        assert (ran.out, ran.status) == ("", 5)
        assert ran.err == (
            f"Cannot undo '{line}': only the initiators can restore a reservation or registration"
            " of storage object block/lee_block. 'undo skip=true' removes it; the next undo undoes"
            " the command before it.\n"
        )
    assert cluster.tree() == before
    cluster.must("undo skip=true")
    assert cluster.must("undo")[-1].startswith("Undid '/backstores/ramdisk create before 1M'")


def test_all_registrations_are_removed(cluster: Pyshell) -> None:
    ran = cluster.line(f"{DISK} clear_reservation registrations=true").done()
    assert ran.lines[0] == (
        f"Cleared the reservation of block/lee_block held by {CLIENT} and 2 registrations on"
        " block/lee_block."
    )
    assert initiators(cluster) == []
    assert stored(cluster) == "No Registrations or Reservations\n\0"
    assert "reservation: none" in cluster.line(f"{DISK} info").lines


def test_all_registrants_hold_it(cluster: Pyshell) -> None:
    cluster.must(
        f"{DISK} clear_reservation",
        f"login {OTHER}",
        f"login {CLIENT}",
        f"reserve {OTHER} type=write_exclusive_all_registrants",
        f"reserve {CLIENT}",
    )
    assert sorted(initiators(cluster, "holders")) == [CLIENT, OTHER]
    cluster.must(f"{DISK} clear_reservation")
    assert initiators(cluster) == []


def test_the_holder_has_no_acl(cluster: Pyshell) -> None:
    cluster.must(f"{DISK} clear_reservation")
    reserve_in_demo_mode(cluster)
    assert initiators(cluster) == [THIRD, OTHER]
    before = cluster.line(f"ls {TPG}").out
    cluster.must(f"logout {THIRD}")
    assert initiators(cluster, "holders") == [THIRD]  # as the kernel keeps its ACL
    cluster.must(f"{DISK} clear_reservation")
    assert initiators(cluster) == []
    assert stored(cluster) == "No Registrations or Reservations\n\0"
    assert cluster.line(f"ls {TPG}").out == before


def test_a_dry_run_names_the_holder_and_clears_nothing(cluster: Pyshell) -> None:
    ran = cluster.line(f"{DISK} clear_reservation --dry-run").done()
    assert ran.lines[0] == (
        f"Would clear the reservation of block/lee_block held by {CLIENT}. (dry run)"
    )
    assert initiators(cluster, "holders") == [CLIENT]
    assert "res_holder=1" in stored(cluster)


def test_nobody_holds_one(cluster: Pyshell) -> None:
    cluster.must(f"{DISK} clear_reservation")
    ran = cluster.line(f"{DISK} clear_reservation")
    assert ran.status == 3
    assert "No initiator holds a reservation of" in ran.err
    cluster.must(f"{DISK} clear_reservation registrations=true")
    assert cluster.line(f"{DISK} clear_reservation registrations=true").status == 3


@pytest.mark.parametrize(
    ("act", "dropped"), [("unlink", False), ("rmdir", True), ("mkdir", True), ("symlink", True)]
)
def test_if_it_fails_it_reports_whether_the_kernel_dropped_the_reservation(
    cluster: Pyshell, act: str, dropped: bool
) -> None:
    before, file = reserved(cluster), stored(cluster)
    # The first one disables the TPG.
    number = 1 + ["unlink", "rmdir", "mkdir", "symlink"].index(act)
    with refusing(number, errno.EBUSY) as acts:
        ran = cluster.line(f"{DISK} clear_reservation")
    assert ran.status == 5
    assert acts[number].startswith(f"{act} ")
    assert initiators(cluster, "holders") == ([] if dropped else [CLIENT])
    assert initiators(cluster) == ([OTHER] if dropped else [CLIENT, OTHER])
    if dropped:
        assert ran.err.endswith(
            "Undoing was not complete: could not restore the reservation and registrations of"
            " storage object block/lee_block (the kernel dropped them with the LUN).\n"
        )
        assert CLIENT not in stored(cluster)
        assert f"Cannot undo '{DISK} clear_reservation': only the" in cluster("undo").err
    else:
        assert ran.err.endswith("The steps before it were undone.\n")
        assert (reserved(cluster), stored(cluster)) == (before, file)


def test_undo_does_not_offer_it(cluster: Pyshell) -> None:
    cluster.must(f"{DISK} clear_reservation")
    assert "clear_reservation" not in cluster.line("undo --dry-run").out


def test_what_drops_a_reservation_names_its_holder(cluster: Pyshell) -> None:
    kept = "; it is stored, and restored when the storage object is created again"
    told = f"the reservation of block/lee_block held by {CLIENT}{kept}."
    acl = f"{TPG}/acls delete {CLIENT}"
    for line in ("unshare lee_block", "clearconfig confirm=true", acl, f"{TPG}/luns delete 0"):
        dry = cluster.line(f"{line} --dry-run").done().lines
        assert f"Would drop {told} (dry run)" in dry
    assert "reservation" not in cluster.line(f"{TPG}/acls delete {OTHER} --dry-run").out
    cluster.must("saveconfig")
    assert f"Dropped {told}" in cluster.must("clearconfig confirm=true")
    told = f"Restored the reservation of block/lee_block held by {CLIENT}."
    assert told in cluster.must("restoreconfig")
    assert "reservation" not in cluster.line("restoreconfig clear_existing=true").out


def test_a_reservation_that_is_not_stored_is_dropped_for_good(cluster: Pyshell) -> None:
    cluster.must(f"reserve {CLIENT} key=0xabc3")
    told = f"Dropped the reservation of block/lee_block held by {CLIENT}."
    assert told in cluster.must("unshare lee_block")


def test_check_reports_damaged_registrations_of_what_is_restored(cluster: Pyshell) -> None:
    cluster.must("saveconfig")
    (file,) = Path(cluster.folder / "etc/target/pr").iterdir()
    file.write_text("PR_REG_START: 0\n", encoding="utf-8")
    ran = cluster("check")
    assert ran.status == 1
    assert f"its persistent reservations in {file} cannot be restored: a registration" in ran.out
    copy = cluster.folder.parent / "copy.json"
    copy.write_bytes(cluster.saved_file.read_bytes())
    assert "persistent reservations" not in cluster("check", str(copy)).done().out


def test_registrations_with_aptpl_survive_clear_and_restore(cluster: Pyshell) -> None:
    cluster.must("saveconfig")
    before = reserved(cluster)
    cluster.must("clearconfig confirm=true", "restoreconfig")
    assert reserved(cluster) == before
    cluster.must(f"{DISK} clear_reservation", "clearconfig confirm=true", "restoreconfig")
    assert initiators(cluster, "holders") == []
    assert initiators(cluster) == [OTHER]


def test_they_survive_that_the_storage_object_is_recreated(cluster: Pyshell) -> None:
    before = reserved(cluster)
    assert cluster.line("/backstores/block delete lee_block").status == 0
    cluster.must("undo")
    assert reserved(cluster) == before


def test_without_aptpl_they_are_lost(cluster: Pyshell) -> None:
    cluster.must(f"reserve {OTHER}", "saveconfig", "clearconfig confirm=true", "restoreconfig")
    assert initiators(cluster) == []
    assert reserved(cluster)["aptpl"] is False


def test_a_serial_number_with_a_slash_names_no_file(cluster: Pyshell) -> None:
    registrations = stored(cluster)
    (shown,) = cluster.configfs.glob("core/iblock_*/lee_block/wwn/vpd_unit_serial")
    shown.write_text("T10 VPD Unit Serial Number: x/../../other\n")
    other = cluster.folder / "etc/target/other"
    (cluster.folder / "etc/target/pr/aptpl_x").mkdir()
    other.write_text(registrations)
    cluster.line(f"{DISK} clear_reservation registrations=true").done()
    assert other.read_text() == registrations


def test_a_serial_number_too_long_for_a_file_name_has_no_file(cluster: Pyshell) -> None:
    (shown,) = cluster.configfs.glob("core/iblock_*/lee_block/wwn/vpd_unit_serial")
    shown.write_text(f"T10 VPD Unit Serial Number: {'a' * 254}\n")
    cluster.line(f"{DISK} clear_reservation").done()
    assert initiators(cluster, "holders") == []


def test_the_holder_has_no_acl_and_demo_mode_is_off_again(cluster: Pyshell) -> None:
    cluster.must(f"{DISK} clear_reservation registrations=true")
    reserve_in_demo_mode(cluster)
    cluster.must(f"{TPG} set attribute generate_node_acls=0")
    assert initiators(cluster, "holders") == [THIRD]
    cluster.must(f"{DISK} clear_reservation")
    assert initiators(cluster) == []
    assert THIRD not in stored(cluster)


def test_the_others_that_a_recreated_lun_costs_are_named(cluster: Pyshell) -> None:
    cluster.must(f"{DISK} clear_reservation")
    reserve_in_demo_mode(cluster)
    assert initiators(cluster) == [THIRD, OTHER]
    told = cluster.line(f"{DISK} clear_reservation").done().lines
    assert told[0] == (
        f"Cleared the reservation of block/lee_block held by {THIRD} and all registrations through"
        f" {TPG}/luns/lun0."
    )


def test_registrations_through_another_target_stay_stored(cluster: Pyshell) -> None:
    second = "iqn.2020-07.192.168.56.101:second"
    tpg = f"/iscsi/{second}/tpg1"
    cluster.must(
        f"/iscsi create {second}",
        f"{tpg}/luns create {DISK}",
        f"{tpg}/acls create {CLIENT}",
        f"login {CLIENT} target={second}",
        f"reserve {CLIENT} target={second} key=0xabc3 aptpl=true",
    )
    assert stored(cluster).count("PR_REG_START") == 3
    cluster.must(f"{DISK} clear_reservation")
    kept = stored(cluster)
    assert kept.count("PR_REG_START") == 2
    assert f"target_node={second}" in kept
    assert len(initiators(cluster)) == 2


@pytest.mark.parametrize("text", ["", "odd\n", "0x\n"])
def test_an_odd_generation_breaks_nothing(cluster: Pyshell, text: str) -> None:
    (shown,) = cluster.configfs.glob("core/iblock_*/lee_block/pr/res_pr_generation")
    shown.write_text(text)
    assert reserved(cluster)["generation"] == 0
    assert "Traceback" not in cluster("doctor").err


def test_a_holder_is_cleared_even_if_no_registration_can_be_read(cluster: Pyshell) -> None:
    (shown,) = cluster.configfs.glob("core/iblock_*/lee_block/pr/res_pr_registered_i_pts")
    shown.write_text("SPC-3 PR Registrations:\n")
    cluster.must(f"{DISK} clear_reservation")
    assert initiators(cluster, "holders") == []


def test_a_holder_whose_lun_is_not_known_is_not_said_to_be_cleared(cluster: Pyshell) -> None:
    cluster.must(f"{TPG}/acls delete {CLIENT}", f"{TPG}/acls delete {OTHER}")
    (port,) = cluster.configfs.glob("core/iblock_*/lee_block/pr/res_holder")
    port.write_text(f"SPC-3 Reservation: iSCSI Initiator: {CLIENT},i,0x00023d000001\n")
    cluster.must(f"{TPG}/luns delete lun0")
    ran = cluster.line(f"{DISK} clear_reservation")
    assert ran.status == 5
    assert "Cannot find the LUN through which" in ran.err
