# SPDX-License-Identifier: Apache-2.0
"""Storage objects: what makes them usable, what they show, what they refuse."""

from __future__ import annotations

import pytest

from simulator.acts import VOLUME, Acts, outcome

SERIAL = "wwn/vpd_unit_serial"


def info(kernel: Acts, device: str) -> str:
    """Return a storage object's info with its spaces made single."""
    return " ".join(kernel.read(f"{device}/info").split())


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("foo_0", "EINVAL"),
        ("iblock", "EINVAL"),
        ("iblock_x", "EINVAL"),
        ("rd_mcp_0", "ok"),
        ("iblock_0x1f", "ok"),
        ("i" * 64, "ENAMETOOLONG"),
    ],
)
def test_which_backstores_there_are(kernel: Acts, name: str, why: str) -> None:
    assert outcome(kernel.mkdir, f"core/{name}") == why


@pytest.mark.parametrize(
    ("plugin", "shown"),
    [
        ("iblock", f"iBlock device: dm-0 UDEV PATH: {VOLUME} readonly: 0 Major: 253 Minor: 0"),
        ("fileio", "File: /tmp/image Size: 1048576 Mode: O_DSYNC Async: 0"),
        ("rd_mcp", "PAGES/PAGE_SIZE: 256*4096 SG_table_count: 1 nullio: 0 dummy: 0"),
        ("pscsi", "Channel ID: 0 Target ID: 2 LUN: 0 Host ID: 0 Vendor: SIM Model: Disk Rev: 0001"),
    ],
)
def test_what_info_shows(kernel: Acts, plugin: str, shown: str) -> None:
    text = info(kernel, kernel.enabled(plugin))
    assert text.startswith("Status: DEACTIVATED ")
    assert shown in text


@pytest.mark.parametrize(
    ("plugin", "control", "why"),
    [
        ("iblock", "readonly=0", "EINVAL"),
        ("iblock", "udev_path=/dev/nothing", "ENOENT"),
        ("iblock", "udev_path=/tmp", "ENOTBLK"),
        ("iblock", "udev_path=/dev/st0", "ENOTBLK"),
        ("iblock", "udev_path=/dev/sda1", "EBUSY"),
        ("fileio", "fd_dev_size=1048576", "EINVAL"),
        ("fileio", "fd_dev_name=/tmp/image", "EINVAL"),
        ("fileio", "fd_dev_name=/tmp,fd_dev_size=1", "EISDIR"),
        ("fileio", "fd_dev_name=/nowhere/x,fd_dev_size=1", "ENOENT"),
        ("rd_mcp", "rd_nullio=1", "EINVAL"),
        ("rd_mcp", "rd_pages=-1", "ENOMEM"),
        ("pscsi", "scsi_host_id=0", "EINVAL"),
    ],
)
def test_what_cannot_be_enabled(kernel: Acts, plugin: str, control: str, why: str) -> None:
    device = kernel.device(plugin)
    kernel.write(f"{device}/control", control)
    assert outcome(kernel.write, f"{device}/enable", "1") == why
    assert kernel.read(f"{device}/enable") == "0\n"


@pytest.mark.parametrize(
    ("plugin", "control"),
    [("fileio", "fd_dev_size=many"), ("fileio", "fd_buffered_io=2"), ("fileio", "fd_async_io=0")],
)
def test_what_control_refuses(kernel: Acts, plugin: str, control: str) -> None:
    assert outcome(kernel.write, f"{kernel.device(plugin)}/control", control) == "EINVAL"


def test_control_ignores_what_it_does_not_know(kernel: Acts) -> None:
    device = kernel.device("iblock")
    kernel.write(f"{device}/control", "nonsense,readonly=x,size=1")
    assert "readonly: 0" in info(kernel, device)


@pytest.mark.parametrize(("text", "why"), [("0", "EINVAL"), ("foo", "EINVAL"), ("1", "EEXIST")])
def test_enabling_is_permanent(kernel: Acts, text: str, why: str) -> None:
    assert outcome(kernel.write, f"{kernel.enabled()}/enable", text) == why


def test_a_device_is_used_by_one_storage_object(kernel: Acts) -> None:
    kernel.enabled("iblock")
    other = kernel.device("iblock", 1)
    kernel.write(f"{other}/control", f"udev_path={VOLUME}")
    assert outcome(kernel.write, f"{other}/enable", "1") == "EBUSY"
    kernel.rmdir("core/iblock_0/disk")
    assert outcome(kernel.write, f"{other}/enable", "1") == "ok"


def test_what_uses_a_device(kernel: Acts) -> None:
    kernel.enabled("iblock")
    holder = kernel.simulator.holder
    assert holder(VOLUME) == "storage object iblock_0/disk"
    assert holder("/dev/sda1") == "mounted on /"
    assert (holder("/dev/sdb"), holder("/dev/nothing")) == (None, "no such device")


def test_a_storage_object_keeps_a_removed_device(kernel: Acts) -> None:
    device = kernel.enabled("iblock")
    before = kernel.read(f"{device}/info")
    kernel.simulator.machine.remove(VOLUME)
    assert kernel.read(f"{device}/info") == before
    kernel.write(f"{device}/attrib/queue_depth", "64")
    assert "iBlock device: dm-0" in info(kernel, device)


def test_a_large_sector_shows(kernel: Acts) -> None:
    device = kernel.device("iblock")
    kernel.write(f"{device}/control", "udev_path=/dev/nvme0n1")
    kernel.write(f"{device}/enable", "1")
    assert kernel.read(f"{device}/attrib/hw_block_size") == "4096\n"
    assert "SectorSize: 4096" in info(kernel, device)


def test_an_image_file_is_created_on_the_simulated_host(kernel: Acts) -> None:
    kernel.enabled("fileio")
    assert kernel.simulator.machine.file("/tmp/image").is_file()


@pytest.mark.parametrize(
    ("inner", "text"),
    [
        (SERIAL, "new"),
        ("attrib/block_size", "4096"),
        ("attrib/queue_depth", "64"),
        ("attrib/emulate_tas", "0"),
        ("attrib/emulate_model_alias", "1"),
        ("wwn/vendor_id", "ACME"),
    ],
)
def test_what_cannot_change_while_exported(kernel: Acts, inner: str, text: str) -> None:
    device = kernel.exported()
    before = kernel.read(f"{device}/{inner}")
    assert outcome(kernel.write, f"{device}/{inner}", text) == "EINVAL"
    assert kernel.read(f"{device}/{inner}") == before


@pytest.mark.parametrize(
    ("inner", "text", "shown"),
    [
        (SERIAL, "a-serial\n", "T10 VPD Unit Serial Number: a-serial\n"),
        ("attrib/emulate_caw", "foo", "0\n"),
        ("attrib/emulate_dpo", "0", "1\n"),
        ("attrib/max_unmap_lba_count", "0x10", "16\n"),
        ("wwn/company_id", "0x1234", "0x001234\n"),
        ("wwn/vendor_id", " ACME \n", "ACME\n"),
        ("udev_path", "/dev/x\n", "/dev/x\n"),
        ("alias", "x", "x\n"),
    ],
)
def test_what_a_write_leaves(kernel: Acts, inner: str, text: str, shown: str) -> None:
    device = kernel.enabled()
    kernel.write(f"{device}/{inner}", text)
    assert kernel.read(f"{device}/{inner}") == shown


@pytest.mark.parametrize(
    ("inner", "text", "why"),
    [
        ("attrib/emulate_caw", "2", "EINVAL"),
        ("attrib/block_size", "513", "EINVAL"),
        ("attrib/queue_depth", "129", "EINVAL"),
        ("attrib/queue_depth", "4294967296", "ERANGE"),
        ("attrib/pgr_support", "0", "ENOSYS"),
        ("wwn/vendor_id", "123456789", "EOVERFLOW"),
        ("wwn/vendor_id", "é", "EINVAL"),
        (SERIAL, "x" * 254, "EOVERFLOW"),
        ("udev_path", "x" * 512, "EINVAL"),
        ("lba_map", "0 1", "EINVAL"),
    ],
)
def test_what_a_write_refuses(kernel: Acts, inner: str, text: str, why: str) -> None:
    assert outcome(kernel.write, f"{kernel.enabled()}/{inner}", text) == why


def test_a_model_alias_is_the_objects_name(kernel: Acts) -> None:
    device = kernel.enabled()
    kernel.write(f"{device}/attrib/emulate_model_alias", "1")
    assert kernel.read(f"{device}/wwn/product_id") == "disk\n"
    kernel.write(f"{device}/attrib/emulate_model_alias", "0")
    assert kernel.read(f"{device}/wwn/product_id") == "RAMDISK-MCP\n"


def test_a_passed_through_disk_keeps_its_serial(kernel: Acts) -> None:
    device = kernel.enabled("pscsi")
    assert kernel.read(f"{device}/{SERIAL}") == "T10 VPD Unit Serial Number: sim-sdc\n"
    assert outcome(kernel.write, f"{device}/{SERIAL}", "x") == "ENOTSUP"


@pytest.mark.parametrize(
    ("folder", "why"), [("/nowhere", "ENOENT"), ("/tmp/file", "ENOTDIR"), ("/tmp", "ok")]
)
def test_dbroot_is_a_folder(kernel: Acts, folder: str, why: str) -> None:
    kernel.simulator.machine.file("/tmp/file").touch()
    assert outcome(kernel.write, "dbroot", f"{folder}\n") == why


def test_dbroot_cannot_change_once_there_is_a_storage_object(kernel: Acts) -> None:
    kernel.device()
    assert outcome(kernel.write, "dbroot", "/tmp\n") == "EINVAL"


def _disk(kernel: Acts, path: str) -> str:
    device = kernel.device("iblock")
    kernel.write(f"{device}/control", f"udev_path={path}")
    kernel.write(f"{device}/enable", "1")
    return device


@pytest.mark.parametrize("name", ["emulate_tpu", "emulate_tpws", "unmap_zeroes_data"])
def test_discard_is_refused_if_the_device_cannot(kernel: Acts, name: str) -> None:
    """Finding 42. Compared with kernel 6.1: brd and ramdisks refuse, dm and files accept."""
    device = _disk(kernel, "/dev/sdd")
    assert outcome(kernel.write, f"{device}/attrib/{name}", "1") == "ENOSYS"
    assert outcome(kernel.write, f"{device}/attrib/{name}", "0") == "ok"
    assert kernel.read(f"{device}/attrib/{name}") == "0\n"


@pytest.mark.parametrize("name", ["emulate_tpu", "emulate_tpws", "unmap_zeroes_data"])
def test_discard_is_offered_if_the_device_can(kernel: Acts, name: str) -> None:
    for device in (_disk(kernel, VOLUME), kernel.enabled("fileio")):
        kernel.write(f"{device}/attrib/max_unmap_block_desc_count", "0")
        kernel.write(f"{device}/attrib/{name}", "1")
        assert kernel.read(f"{device}/attrib/{name}") == "1\n"
        assert kernel.read(f"{device}/attrib/max_unmap_block_desc_count") == "1\n"


def test_a_ramdisk_offers_discard_once_a_limit_is_set(kernel: Acts) -> None:
    device = kernel.enabled("rd_mcp")
    assert outcome(kernel.write, f"{device}/attrib/emulate_tpu", "1") == "ENOSYS"
    kernel.write(f"{device}/attrib/max_unmap_block_desc_count", "1")
    assert outcome(kernel.write, f"{device}/attrib/emulate_tpu", "1") == "ok"
