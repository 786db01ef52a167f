# SPDX-License-Identifier: Apache-2.0
"""Targets, TPGs, LUNs and mapped LUNs: what their names may be, what links do and refuse."""

from __future__ import annotations

import pytest

from simulator.acts import ACL, IQN, LUN, TPG, VOLUME, Acts, outcome


@pytest.mark.parametrize(
    ("rel", "why"),
    [
        ("iscsi2", "EINVAL"),
        ("vhost", "EINVAL"),
        ("iscsi/bad_name", "ok"),
        (f"iscsi/{'n' * 223}", "ok"),
        (f"iscsi/{'n' * 224}", "EINVAL"),
        ("iscsi/discovery_auth", "EEXIST"),
        (f"iscsi/{IQN}/foo", "EINVAL"),
        (f"iscsi/{IQN}/tpgt_x", "EINVAL"),
        (f"iscsi/{IQN}/tpgt_65536", "EINVAL"),
        (f"iscsi/{IQN}/tpgt_0x10", "ok"),
        (f"{TPG}/acls/any name", "ok"),
        (f"{TPG}/lun/lun0", "EINVAL"),
        (f"{TPG}/lun/lun_x", "EINVAL"),
        (f"{TPG}/lun/lun_99999", "ok"),
        (f"{TPG}/lun/lun_18446744073709551616", "ERANGE"),
        (f"{LUN}/x", "EPERM"),
        (f"{LUN}/statistics/x", "ENOSYS"),
    ],
)
def test_valid_names(kernel: Acts, rel: str, why: str) -> None:
    kernel.exported()
    assert outcome(kernel.mkdir, rel) == why


def test_a_link_exports(kernel: Acts) -> None:
    device = kernel.exported()
    assert kernel.read(f"{device}/info").startswith("Status: ACTIVATED ")
    assert kernel.read(f"{LUN}/statistics/scsi_port/indx") == "1\n"
    kernel.unlink(f"{LUN}/link")
    assert kernel.read(f"{device}/info").startswith("Status: DEACTIVATED ")
    assert outcome(kernel.read, f"{LUN}/statistics/scsi_port/indx") == "ENODEV"


def test_a_lun_is_linked_to_one_storage_object(kernel: Acts) -> None:
    device = kernel.exported()
    assert outcome(kernel.link, device, f"{LUN}/second") == "EEXIST"


def test_a_lun_requires_an_enabled_storage_object(kernel: Acts) -> None:
    kernel.tpg()
    kernel.mkdir(LUN)
    assert outcome(kernel.link, kernel.device(), f"{LUN}/link") == "ENODEV"


def test_a_mapped_lun_shows_its_initiator(kernel: Acts) -> None:
    mapped = kernel.mapped()
    name = ACL.rpartition("/")[2]
    assert kernel.read(f"{mapped}/statistics/scsi_auth_intr/intr_name") == f"{name}\n"


@pytest.mark.parametrize(("text", "shown"), [("1", "1\n"), ("0x0", "0\n")])
def test_write_protection(kernel: Acts, text: str, shown: str) -> None:
    mapped = kernel.mapped()
    kernel.write(f"{mapped}/write_protect", text)
    assert kernel.read(f"{mapped}/write_protect") == shown


def test_a_tpg_can_write_protect_all_mapped_luns(kernel: Acts) -> None:
    kernel.exported()
    kernel.write(f"{TPG}/attrib/prod_mode_write_protect", "1")
    kernel.mkdir(ACL, f"{ACL}/lun_0")
    assert kernel.read(f"{ACL}/lun_0/write_protect") == ""
    kernel.link(LUN, f"{ACL}/lun_0/link")
    assert kernel.read(f"{ACL}/lun_0/write_protect") == "1\n"


def test_a_mapped_lun_of_a_read_only_storage_object_is_write_protected(kernel: Acts) -> None:
    kernel.tpg()
    disk = "core/iblock_0/disk"
    kernel.mkdir("core/iblock_0", disk, LUN, ACL, f"{ACL}/lun_0")
    kernel.write(f"{disk}/control", f"udev_path={VOLUME},readonly=1")
    kernel.write(f"{disk}/enable", "1")
    kernel.link(disk, f"{LUN}/link")
    kernel.link(LUN, f"{ACL}/lun_0/link")
    assert kernel.read(f"{ACL}/lun_0/write_protect") == "1\n"


def test_a_mapped_lun_requires_a_linked_lun(kernel: Acts) -> None:
    kernel.tpg()
    kernel.mkdir(LUN, ACL, f"{ACL}/lun_0")
    assert outcome(kernel.link, LUN, f"{ACL}/lun_0/link") == "EINVAL"


def test_a_mapped_lun_stays_in_its_tpg(kernel: Acts) -> None:
    device = kernel.exported()
    other = f"iscsi/{IQN}/tpgt_2"
    kernel.mkdir(other, f"{other}/lun/lun_0", ACL, f"{ACL}/lun_0")
    kernel.link(device, f"{other}/lun/lun_0/link")
    assert outcome(kernel.link, f"{other}/lun/lun_0", f"{ACL}/lun_0/link") == "EINVAL"


def test_unlinking_a_lun_empties_its_mappings(kernel: Acts) -> None:
    mapped = kernel.mapped()
    kernel.unlink(f"{LUN}/link")
    assert outcome(kernel.read, f"{mapped}/statistics/scsi_auth_intr/dev") == "ENODEV"
    assert outcome(kernel.rmdir, LUN) == "EBUSY"
    kernel.unlink(f"{mapped}/link")
    kernel.rmdir(LUN)


def test_port_numbers_of_a_storage_object_are_not_reused(kernel: Acts) -> None:
    device = kernel.exported()
    kernel.unlink(f"{LUN}/link")
    kernel.link(device, f"{LUN}/link")
    assert kernel.read(f"{LUN}/statistics/scsi_port/indx") == "2\n"
