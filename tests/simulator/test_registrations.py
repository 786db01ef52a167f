# SPDX-License-Identifier: Apache-2.0
"""Simulated initiators register for and hold reservations, as on the real kernel."""

from __future__ import annotations

import errno

import pytest

from driver import CLIENT, TPG, Pyshell

OTHER = "iqn.2020-07.192.168.56.106:other"
PR = "core/iblock_0/lee_block/pr"


@pytest.fixture
def two(exported: Pyshell) -> Pyshell:
    """Return pyshell with two initiators that are logged in."""
    exported.must(f"{TPG}/acls create {OTHER}", f"login {CLIENT}", f"login {OTHER}")
    return exported


def test_what_the_kernels_files_show(two: Pyshell) -> None:
    two.must(
        f"reserve {CLIENT} key=0xabc3",
        f"reserve {CLIENT} key=0xabc1 aptpl=true",
        f"reserve {OTHER} key=0xabc2 aptpl=true",
        f"reserve {CLIENT} key=0xabc1 type=write_exclusive_registrants_only",
    )
    server = TPG.split("/")[2]
    shown = {
        "res_aptpl_active": "APTPL Bit Status: Activated\n",
        "res_aptpl_metadata": "Ready to process PR APTPL metadata..\n",
        "res_holder": f"SPC-3 Reservation: iSCSI Initiator: {CLIENT},i,0x00023d000001\n",
        "res_pr_all_tgt_pts": "SPC-3 Reservation: Single Target Port registration\n",
        "res_pr_generation": "0x00000003\n",
        "res_pr_holder_tg_port": f"SPC-3 Reservation: iSCSI Target Node Endpoint: {server}\n"
        "SPC-3 Reservation: Relative Port Identifier Tag: 1 iSCSI Portal Group Tag: 1 iSCSI"
        " Logical Unit: 0\n",
        "res_pr_registered_i_pts": "SPC-3 PR Registrations:\n"
        f"iSCSI Node: {CLIENT},i,0x00023d000001 Key: 0x000000000000abc1 PRgen: 0x00000001\n"
        f"iSCSI Node: {OTHER},i,0x00023d000001 Key: 0x000000000000abc2 PRgen: 0x00000002\n",
        "res_pr_type": "SPC-3 Reservation Type: Write Exclusive Access, Registrants Only\n",
        "res_type": "SPC3_PERSISTENT_RESERVATIONS\n",
    }
    assert {name: two.read(f"{PR}/{name}") for name in shown} == shown


def test_a_second_reservation_conflicts(two: Pyshell) -> None:
    two.must(f"reserve {CLIENT} type=write_exclusive")
    ran = two.line(f"reserve {OTHER} type=write_exclusive")
    assert (ran.status, "Reservation conflict" in ran.err) == (5, True)
    assert OTHER not in two.read(f"{PR}/res_pr_registered_i_pts")


def test_without_the_folder_a_registration_is_made_and_fails(two: Pyshell) -> None:
    (two.folder / "etc/target/pr").rmdir()
    ran = two.line(f"reserve {CLIENT}")
    assert "Logical unit communication failure" in ran.err
    assert CLIENT in two.read(f"{PR}/res_pr_registered_i_pts")


@pytest.mark.parametrize("what", [f"{TPG}/acls/{CLIENT} delete 0", f"{TPG}/acls delete {CLIENT}"])
def test_a_registration_ends_with_its_mapped_lun(two: Pyshell, what: str) -> None:
    two.must(f"reserve {CLIENT} type=write_exclusive", f"reserve {OTHER}", what)
    assert two.read(f"{PR}/res_holder") == "No SPC-3 Reservation holder\n"
    assert CLIENT not in two.read(f"{PR}/res_pr_registered_i_pts")
    assert OTHER in two.read(f"{PR}/res_pr_registered_i_pts")


def test_nothing_is_restored_to_an_exported_storage_object(two: Pyshell) -> None:
    path = str(two.configfs / PR / "res_aptpl_metadata")
    record = "initiator_node=iqn.a,target_node=iqn.b,sa_res_key=1,tpgt=1"
    two.simulator.before_change = lambda _: None
    with pytest.raises(OSError, match=r".") as refused:
        two.simulator.write(path, record)
    assert refused.value.errno == errno.EINVAL
    two.must("/backstores/ramdisk create name=one size=1M")
    two.simulator.write(str(two.configfs / "core/rd_mcp_1/one/pr/res_aptpl_metadata"), record)
