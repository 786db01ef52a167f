# SPDX-License-Identifier: Apache-2.0
"""What the simulated kernel counts."""

from __future__ import annotations

import pytest

from driver import CLIENT, SERVER, Pyshell

TPG = f"iscsi/{SERVER}/tpgt_1"
MAPPED = f"{TPG}/acls/{CLIENT}/lun_0"
DEVICE = "core/iblock_0/lee_block"
STATISTICS = f"iscsi/{SERVER}/fabric_statistics"
ADDRESS = "192.168.56.105"


def transfer(pyshell: Pyshell, rel: str, commands: int, **sizes: int) -> None:
    """Let commands go through a LUN or mapped LUN."""
    pyshell.simulator.transfer(str(pyshell.configfs / rel), commands, **sizes)


def test_commands_are_counted_by_mapped_lun_lun_and_storage_object(exported: Pyshell) -> None:
    transfer(exported, MAPPED, 3, read=5 << 20, written=1_500_000)
    transfer(exported, MAPPED, 1, written=1_500_000)
    for folder, commands in (
        (f"{MAPPED}/statistics/scsi_auth_intr", "num_cmds"),
        (f"{TPG}/lun/lun_0/statistics/scsi_tgt_port", "in_cmds"),
        (f"{DEVICE}/statistics/scsi_lu", "num_cmds"),
    ):
        assert exported.read(f"{folder}/{commands}") == "4\n"
        assert exported.read(f"{folder}/read_mbytes") == "5\n"
        # Two times less than two MiB are, whole, two.
        assert exported.read(f"{folder}/write_mbytes") == "2\n"


def test_commands_without_an_acl_are_counted_by_the_lun(exported: Pyshell) -> None:
    transfer(exported, f"{TPG}/lun/lun_0", 2, read=1 << 20)
    assert exported.read(f"{DEVICE}/statistics/scsi_lu/read_mbytes") == "1\n"
    assert exported.read(f"{MAPPED}/statistics/scsi_auth_intr/num_cmds") == "0\n"


def test_no_commands_without_an_export(exported: Pyshell) -> None:
    with pytest.raises(FileNotFoundError):
        transfer(exported, f"{TPG}/lun/lun_7", 1)


def test_logins_are_counted(exported: Pyshell) -> None:
    exported.simulator.login(SERVER, 1, CLIENT, ADDRESS)
    assert exported.read(f"{STATISTICS}/iscsi_login_stats/accepts") == "1\n"
    exported.simulator.logout(SERVER, 1, CLIENT)
    assert exported.read(f"{STATISTICS}/iscsi_login_stats/accepts") == "1\n"
    assert exported.read(f"{STATISTICS}/iscsi_logout_stats/normal_logouts") == "1\n"


def test_refused_logins_are_counted_by_reason(exported: Pyshell) -> None:
    exported.simulator.refuse(SERVER, 1, CLIENT, ADDRESS)
    with pytest.raises(PermissionError):
        exported.simulator.login(SERVER, 1, "iqn.2020-07.com.example:x", "fe80::1")
    told = {
        name: exported.read(f"{STATISTICS}/iscsi_tgt_attr/{name}").strip()
        for name in ("login_fails", "last_fail_type", "fail_intr_name", "fail_intr_addr_type")
    }
    assert told == {
        "login_fails": "4",  # each counts twice
        "last_fail_type": "6",
        "fail_intr_name": "Unknown",  # as the kernel has it of whom it does not let in
        "fail_intr_addr_type": "ipv6",
    }
    for reason, number in {"authenticate": 1, "authorize": 1, "negotiate": 2}.items():
        text = exported.read(f"{STATISTICS}/iscsi_login_stats/{reason}_fails")
        assert text == f"{number}\n"


def test_a_mapped_lun_shows_the_session_that_uses_it(exported: Pyshell) -> None:
    place = f"{MAPPED}/statistics/scsi_att_intr_port"
    exported.simulator.login(SERVER, 1, CLIENT, ADDRESS)
    assert exported.read(f"{place}/port_ident") == f"{CLIENT}+i+00023d000001\n"
    assert exported.read(f"{place}/indx").strip().isdigit()
    exported.simulator.logout(SERVER, 1, CLIENT)
    with pytest.raises(OSError, match="No such device"):
        exported.simulator.read(str(exported.configfs / place / "indx"))


LOOPBACK = "loopback/naa.5001405000000001/tpgt_1"


def test_probing_commands_of_the_own_host_are_counted(pyshell: Pyshell) -> None:
    pyshell.must(
        "/backstores/ramdisk create memory 8M",
        "/loopback create naa.5001405000000001",
        "/loopback/naa.5001405000000001/luns create /backstores/ramdisk/memory",
    )
    lun = f"{LOOPBACK}/lun/lun_0/statistics/scsi_tgt_port"
    assert pyshell.read(f"{lun}/in_cmds") == "17\n"
    assert pyshell.read(f"{lun}/read_mbytes") == "0\n"
    assert pyshell.read("core/rd_mcp_0/memory/statistics/scsi_lu/num_cmds") == "18\n"


def test_an_iscsi_lun_begins_at_nothing(exported: Pyshell) -> None:
    assert exported.read(f"{TPG}/lun/lun_0/statistics/scsi_tgt_port/in_cmds") == "0\n"
