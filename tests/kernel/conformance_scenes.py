# SPDX-License-Identifier: Apache-2.0
"""What is done on both kernels: one long list of acts, in scenes that clean up after themselves.

Not among them is what stops the recorded kernel for good: NULL written to `alua_lu_gp` before a
change of ALUA state, 0 as the `data_pages_per_blk` of a user-space object, unmap emulation switched
on before a block device is opened, the removal of a node ACL that has the name of its TPG's nexus.
Nor is a loopback LUN linked before its nexus: the kernel never counts that one off, and the nexus
outlives its TPG.
"""

from __future__ import annotations

from collections.abc import Iterator

from .conformance_acts import Act, mkdir, read, rmdir, symlink, unlink, write

Scene = tuple[str, tuple[Act, ...]]

VOLUME = "/dev/mapper/lee-lee.lv"
MISSING = "/dev/mapper/nothing"
TARGET = "iscsi/iqn.2020-07.192.168.56.101:server"
OTHER = "iscsi/iqn.2020-07.192.168.56.101:other"
TPG = f"{TARGET}/tpgt_1"
CLIENT = "iqn.2020-07.192.168.56.105:client"
ACL = f"{TPG}/acls/{CLIENT}"
NEXUS = "naa.5001405000000002"
GUEST = "naa.5001405000000003"
# The trees are compared here.
LOOK = Act("compare", "")


def device(plugin: str, number: int, name: str, *controls: str) -> Iterator[Act]:
    """Make a storage object and enable it."""
    hba = f"core/{plugin}_{number}"
    yield from (mkdir(hba), mkdir(f"{hba}/{name}"))
    yield from (write(f"{hba}/{name}/control", text) for text in controls)
    yield write(f"{hba}/{name}/enable", "1\n")


def removed(plugin: str, number: int, name: str) -> Iterator[Act]:
    """Remove a storage object."""
    hba = f"core/{plugin}_{number}"
    yield from (rmdir(f"{hba}/{name}"), rmdir(hba))


def ramdisk(number: int, name: str = "disk") -> Iterator[Act]:
    """Make a ramdisk of a mebibyte."""
    return device("rd_mcp", number, name, "rd_pages=256")


def writes(path: str, *values: str) -> Iterator[Act]:
    """Write one value after the other."""
    return (write(path, value) for value in values)


def _tree() -> Iterator[Act]:
    """The file system itself, and the names at the top."""
    yield from (mkdir("core/foo_0"), mkdir("core/iblock"), mkdir("core/iblock_"))
    yield from (mkdir("core/iblock_x"), mkdir("core/iblock_-1"), mkdir("core/rd_0"))
    yield from (mkdir("core/_0"), mkdir("core/IBLOCK_0"), mkdir("core/iblock_0_0"))
    yield from (mkdir("core/iblock_99999999999999999999"), mkdir("core/iblock_ 1"))
    yield from (mkdir(f"core/iblock_{'0' * 60}1"), mkdir(f"core/iblock_{'0' * 250}"))
    yield from (mkdir("core/iblock_4294967296"), mkdir("core/iblock_0x11"), LOOK)
    yield from (rmdir("core/iblock_4294967296"), rmdir("core/iblock_0x11"))
    yield from (mkdir("nosuch"), mkdir("iscsi2"), mkdir("Loopback"), mkdir("x" * 256))
    yield from (mkdir("core"), rmdir("core"), rmdir("core/alua"), rmdir("core/alua/lu_gps"))
    yield from (rmdir("core/alua/lu_gps/default_lu_gp"), mkdir("core/alua/other"))
    yield from (rmdir("nosuch"), rmdir("core/nosuch_0"), rmdir("core/iblock_0/disk"))
    yield from (rmdir("version"), unlink("version"), unlink("core"), unlink("nosuch"))
    yield from (write("version", "x"), write("core", "x"), write("nosuch", "x"))
    yield from (write("core/nosuch", "x"), write("nosuch/nosuch", "x"), write("version/x", "x"))
    yield from (read("version"), read("core"), read("nosuch"), read("version/x"))
    yield from (mkdir("version/x"), mkdir("nosuch/x"), symlink("core", "link"))
    yield from (symlink("core", "core/link"), symlink("core", "core"), symlink("core", "version"))
    yield from writes("dbroot", "/nowhere", "/dev/null", "/etc/target/", "/etc/target")
    yield from (mkdir("core/iblock_0"), mkdir("core/iblock_0"), write("dbroot", "/etc/target\n"))
    yield from (
        mkdir("core/iblock_0/a b"),
        mkdir("core/iblock_0/a b"),
        read("core/iblock_0/hba_mode"),
    )
    yield from (
        write("dbroot", "/etc/target"),
        mkdir("core/iblock_0/second"),
        mkdir("core/iblock_0/a b/attrib/x"),
    )
    yield from (mkdir("core/iblock_0/a b/x"), mkdir("core/iblock_0/a b/wwn/x"))
    yield from (mkdir("core/iblock_0/a b/statistics/x"), mkdir("core/iblock_0/a b/action/x"))
    yield from (mkdir("core/iblock_0/a b/pr/x"), mkdir("core/iblock_0/a b/statistics/scsi_lu/x"))
    yield from (rmdir("core/iblock_0/a b/attrib"), rmdir("core/iblock_0/a b/statistics/scsi_lu"))
    yield from (unlink("core/iblock_0/a b/enable"), symlink("core", "core/iblock_0/a b/x"))
    yield from (write("core/iblock_0/a b/attrib/hw_block_size", "512"), LOOK)
    yield from (read("core/iblock_0/a b/control"), write("core/iblock_0/a b/info", "x"))
    yield from (write("core/iblock_0/a b/nosuch", "x"), mkdir(f"core/iblock_0/{'n' * 200}"))
    yield from (rmdir("core/iblock_0"), rmdir(f"core/iblock_0/{'n' * 200}"))
    yield from (
        rmdir("core/iblock_0/a b"),
        rmdir("core/iblock_0/a b"),
        rmdir("core/iblock_0/second"),
    )
    yield from (write("core/iblock_0/hba_mode", "1"), write("core/iblock_0/hba_mode", "0"))
    yield from (write("core/iblock_0/hba_mode", "x"), rmdir("core/iblock_0"))


def _block() -> Iterator[Act]:
    """Storage objects on block devices."""
    disk = "core/iblock_3/disk"
    yield from (mkdir("core/iblock_3"), mkdir(disk), *writes(f"{disk}/enable", "0", "foo", "1"))
    yield from writes(f"{disk}/control", "nonsense", "readonly=x", "udev_path=", "force=1", ",,")
    yield from (write(f"{disk}/control", f"udev_path={MISSING}"), write(f"{disk}/enable", "1"))
    yield from (write(f"{disk}/control", "udev_path=/dev/null"), write(f"{disk}/enable", "1"))
    yield from (write(f"{disk}/control", "udev_path=/etc"), write(f"{disk}/enable", "1"))
    yield from (write(f"{disk}/control", f"udev_path={VOLUME},readonly=1\n"), LOOK)
    yield from (write(f"{disk}/udev_path", VOLUME), write(f"{disk}/enable", "1\n"), LOOK)
    yield from writes(f"{disk}/enable", "1", "0")
    yield from writes(f"{disk}/control", f"udev_path={VOLUME}", "readonly=0", "nonsense")
    yield from (read(f"{disk}/info"), *device("iblock", 4, "again", f"udev_path={VOLUME}"))
    yield from (*removed("iblock", 4, "again"), *removed("iblock", 3, "disk"))
    yield from device("iblock", 3, "disk", f"udev_path={VOLUME}", "readonly=0")
    yield from writes(f"{disk}/wwn/vpd_unit_serial", "a-serial\n", "x" * 253, "x" * 254, "x" * 255)
    yield from writes(f"{disk}/wwn/vpd_unit_serial", " spaced ", "e0f1-22", "two words")
    yield from writes(f"{disk}/wwn/vendor_id", "ACME", "123456789", "a\tb", "é")
    yield from writes(f"{disk}/wwn/product_id", "Rocket disk", "x" * 17, "x" * 16)
    yield from writes(f"{disk}/wwn/revision", "1.0", "12345", "1234\n")
    yield from writes(f"{disk}/wwn/company_id", "0x1234", "0x1000000", "0xffffff", "foo", "-1")
    yield from writes(f"{disk}/udev_path", "x" * 511, "x" * 512, "x" * 510, f"{VOLUME}\n")
    yield from writes(f"{disk}/alias", "x" * 511, "x" * 512, "a name\n")
    yield LOOK
    yield from writes(f"{disk}/attrib/emulate_model_alias", "1", "foo", "0", "maybe")
    yield from writes(f"{disk}/attrib/emulate_tpu", "1", "0", "2")
    yield from writes(f"{disk}/attrib/emulate_write_cache", "1", "0")
    yield from writes(f"{disk}/attrib/queue_depth", "0", "129", "128", "64", "x")
    yield from writes(f"{disk}/attrib/block_size", "512", "513", "4096", "512")
    yield from writes(f"{disk}/attrib/optimal_sectors", "0", "8", "4294967296", "16")
    yield from (LOOK, *removed("iblock", 3, "disk"))
    long = "core/iblock_3/a-name-of-21-letters"
    yield from (mkdir("core/iblock_3"), mkdir(long))
    yield from writes(f"{long}/attrib/emulate_model_alias", "1")
    yield from writes(f"{long}/wwn/vendor_id", " A ", "\n", "a b")
    yield from (LOOK, *removed("iblock", 3, "a-name-of-21-letters"))


def _file() -> Iterator[Act]:
    """Storage objects on files."""
    disk = "core/fileio_0/disk"
    yield from (mkdir("core/fileio_0"), mkdir(disk), write(f"{disk}/enable", "1"))
    yield from (write(f"{disk}/control", "fd_dev_name=/run/a.img"), write(f"{disk}/enable", "1"))
    yield from (write(f"{disk}/control", "fd_dev_size=many"), LOOK)
    yield from (write(f"{disk}/control", "fd_dev_name=/nowhere/a.img,fd_dev_size=1048576"), LOOK)
    yield from (write(f"{disk}/enable", "1"), write(f"{disk}/control", "fd_dev_name=/run"))
    yield from (write(f"{disk}/enable", "1"), write(f"{disk}/control", "fd_dev_name=/run/a.img"))
    yield from (
        write(f"{disk}/control", "fd_buffered_io=2"),
        write(f"{disk}/control", "fd_buffered_io=1"),
    )
    yield from (write(f"{disk}/control", "fd_async_io=0"), write(f"{disk}/enable", "1"), LOOK)
    yield from (*writes(f"{disk}/control", "fd_dev_size=2097152", "fd_async_io=1"), LOOK)
    yield from writes(f"{disk}/attrib/emulate_write_cache", "0", "1", "0")
    yield from writes(f"{disk}/attrib/pi_prot_type", "1", "0", "2", "3", "4", "0")
    yield from (LOOK, *removed("fileio", 0, "disk"))
    yield from device(
        "fileio", 0, "disk", "fd_dev_name=/run/b.img,fd_dev_size=512", "fd_async_io=1"
    )
    yield from (LOOK, *removed("fileio", 0, "disk"))
    yield from device("fileio", 1, "disk", f"fd_dev_name={VOLUME}")
    yield from (LOOK, *device("iblock", 3, "disk", f"udev_path={VOLUME}"))
    yield from (*removed("iblock", 3, "disk"), *removed("fileio", 1, "disk"))


def _memory() -> Iterator[Act]:
    """Storage objects in memory."""
    disk = "core/rd_mcp_2/disk"
    yield from (mkdir("core/rd_mcp_2"), mkdir(disk), write(f"{disk}/enable", "1"))
    yield from writes(f"{disk}/control", "rd_pages=0", "rd_pages=x", "rd_pages=-4")
    yield from (write(f"{disk}/enable", "1"), write(f"{disk}/control", "rd_pages=1,rd_nullio=1"))
    yield from (LOOK, write(f"{disk}/enable", "1"), LOOK, write(f"{disk}/control", "rd_pages=9"))
    yield from (write(f"{disk}/enable", "1"), LOOK, *removed("rd_mcp", 2, "disk"))
    for pages in (2047, 2048, 2049, 4096, 5000):
        yield from device("rd_mcp", 2, "disk", f"rd_pages={pages}")
        yield from (LOOK, *removed("rd_mcp", 2, "disk"))


def _alua() -> Iterator[Act]:
    """Groups of ALUA, and LUNs that move between them."""
    disk, group = "core/rd_mcp_0/disk", "core/rd_mcp_0/disk/alua/group"
    lun = f"{TPG}/lun/lun_0"
    yield from (*ramdisk(0), mkdir("iscsi"), mkdir(TARGET), mkdir(TPG), mkdir(group), mkdir(group))
    yield from (rmdir(f"{disk}/alua/default_tg_pt_gp"), rmdir(f"{disk}/alua"), LOOK)
    yield from (mkdir(f"{group}/x"), write(f"{group}/alua_access_state", "1"))
    yield from writes(f"{group}/tg_pt_gp_id", "65536", "-1", "x", "0", "5", "6", "5")
    yield from (mkdir(f"{disk}/alua/twin"), *writes(f"{disk}/alua/twin/tg_pt_gp_id", "1", "5", "9"))
    yield from writes(f"{group}/alua_access_state", "0", "1", "2", "3", "4", "9", "14", "15", "0")
    yield from (
        write(f"{group}/alua_support_standby", "0"),
        write(f"{group}/alua_access_state", "2"),
    )
    yield from (
        write(f"{group}/alua_support_offline", "0"),
        write(f"{group}/alua_access_state", "14"),
    )
    yield from (write(f"{group}/alua_support_active_nonoptimized", "0"), LOOK)
    yield from writes(f"{group}/alua_access_state", "1", "3", "0")
    yield from (write(f"{group}/alua_support_active_optimized", "0"), LOOK)
    yield from writes(f"{group}/alua_access_state", "0", "3")
    yield from writes(f"{group}/alua_support_active_optimized", "1", "2", "foo")
    yield from writes(f"{group}/alua_access_type", "0", "4")
    yield from writes(f"{group}/alua_access_state", "0")
    yield from writes(f"{group}/alua_access_type", "2")
    yield from writes(f"{group}/alua_access_state", "0")
    yield from writes(f"{group}/alua_access_type", "1")
    yield from writes(f"{group}/alua_access_state", "0")
    yield from writes(f"{group}/alua_access_status", "0", "1", "2", "3")
    yield from writes(f"{group}/preferred", "1", "2", "0")
    yield from writes(f"{group}/nonop_delay_msecs", "0", "1000", "1001")
    yield from (LOOK, mkdir(lun), *writes(f"{lun}/alua_tg_pt_gp", "group", "NULL"))
    yield from (symlink(disk, f"{lun}/link"), LOOK, read(f"{lun}/alua_tg_pt_gp"))
    yield from (*writes(f"{lun}/alua_tg_pt_gp", "group", "group", "nosuch", "x" * 300), LOOK)
    yield from (write(f"{group}/alua_access_state", "3"), LOOK)
    yield from (write(f"{lun}/alua_tg_pt_gp", "twin\n"), LOOK)
    yield from (write(f"{lun}/alua_tg_pt_gp", "NULL"), LOOK)
    yield from (*writes(f"{lun}/alua_tg_pt_offline", "1", "2", "0"), LOOK)
    yield from (
        *writes(f"{lun}/alua_tg_pt_offline", "1"),
        LOOK,
        write(f"{lun}/alua_tg_pt_offline", "0"),
    )
    yield from (*writes(f"{lun}/alua_tg_pt_status", "1", "3", "2"), LOOK)
    yield from (*writes(f"{lun}/alua_tg_pt_write_md", "1", "2", "0"), LOOK)
    yield from (write(f"{lun}/alua_tg_pt_gp", "group"), rmdir(group), LOOK)
    yield from (unlink(f"{lun}/link"), LOOK, symlink(disk, f"{lun}/link"), LOOK)
    yield from (unlink(f"{lun}/link"), rmdir(lun), rmdir(f"{disk}/alua/twin"))
    units = "core/alua/lu_gps/units"
    yield from (mkdir(units), mkdir(units), *writes(f"{units}/lu_gp_id", "0", "65536", "7", "8"))
    yield from (mkdir("core/alua/lu_gps/more"), *writes("core/alua/lu_gps/more/lu_gp_id", "7", "1"))
    yield from (*writes(f"{disk}/alua_lu_gp", "units", "nosuch", "x" * 300, "units\n"), LOOK)
    yield from (write(f"{disk}/alua_lu_gp", "more"), LOOK, rmdir("core/alua/lu_gps/more"), LOOK)
    yield from (write(f"{disk}/alua_lu_gp", "default_lu_gp"), LOOK, rmdir(units))
    yield from (rmdir(TPG), rmdir(TARGET), *removed("rd_mcp", 0, "disk"))


def _iscsi_names() -> Iterator[Act]:
    """Names of targets, TPGs and ACLs, and what may stand where."""
    yield from (mkdir("iscsi"), mkdir(TARGET), mkdir(TARGET), mkdir("iscsi/bad_name"))
    yield from (mkdir("iscsi/foo"), mkdir(f"iscsi/{'n' * 223}"), mkdir(f"iscsi/{'n' * 224}"))
    yield from (rmdir("iscsi/foo"), rmdir("iscsi/bad_name"), rmdir(f"iscsi/{'n' * 223}"))
    yield from (rmdir(f"iscsi/{'n' * 224}"), mkdir("iscsi/IQN.2020-07.UPPER:case"), LOOK)
    yield from (rmdir("iscsi/IQN.2020-07.UPPER:case"), mkdir("iscsi/discovery_auth"))
    yield from (mkdir("iscsi/discovery_auth/x"), rmdir("iscsi/discovery_auth"))
    yield from (mkdir(f"{TARGET}/tpgt_"), mkdir(f"{TARGET}/tpgt_x"), mkdir(f"{TARGET}/tpg_1"))
    yield from (mkdir(f"{TARGET}/foo"), mkdir(f"{TARGET}/tpgt_-1"), mkdir(f"{TARGET}/tpgt_65536"))
    yield from (mkdir(f"{TARGET}/tpgt_1 "), mkdir(f"{TARGET}/tpgt_99999999999999999999"))
    yield from (
        mkdir(f"{TARGET}/tpgt_0"),
        mkdir(f"{TARGET}/tpgt_65535"),
        mkdir(f"{TARGET}/tpgt_0x10"),
    )
    yield from (
        mkdir(TPG),
        mkdir(TPG),
        mkdir(f"{TARGET}/tpgt_01"),
        LOOK,
        rmdir(TARGET),
        rmdir("iscsi"),
    )
    yield from (
        rmdir(f"{TARGET}/tpgt_0"),
        rmdir(f"{TARGET}/tpgt_65535"),
        rmdir(f"{TARGET}/tpgt_0x10"),
    )
    yield from (
        rmdir(f"{TARGET}/tpgt_01"),
        rmdir(f"{TARGET}/param"),
        rmdir(f"{TARGET}/fabric_statistics"),
    )
    yield from (mkdir(f"{TARGET}/param/x"), mkdir(f"{TARGET}/fabric_statistics/x"))
    yield from (mkdir(f"{TPG}/attrib/x"), mkdir(f"{TPG}/param/x"), mkdir(f"{TPG}/auth/x"))
    yield from (mkdir(f"{TPG}/x"), rmdir(f"{TPG}/lun"), rmdir(f"{TPG}/acls"), rmdir(f"{TPG}/np"))
    yield from (
        mkdir(ACL),
        mkdir(ACL),
        mkdir(f"{TPG}/acls/any name"),
        mkdir(f"{TPG}/acls/{'n' * 223}"),
    )
    yield from (mkdir(f"{TPG}/acls/{'n' * 224}"), mkdir(f"{TPG}/acls/{'n' * 225}"), LOOK)
    yield from (rmdir(f"{TPG}/acls/any name"), rmdir(f"{TPG}/acls/{'n' * 223}"))
    yield from (rmdir(f"{TPG}/acls/{'n' * 224}"), rmdir(f"{TPG}/acls/{'n' * 225}"))
    yield from (mkdir(f"{ACL}/attrib/x"), mkdir(f"{ACL}/auth/x"), mkdir(f"{ACL}/param/x"))
    yield from (
        mkdir(f"{ACL}/x"),
        mkdir(f"{ACL}/lun_"),
        mkdir(f"{ACL}/lun_x"),
        mkdir(f"{ACL}/lun0"),
    )
    yield from (mkdir(f"{ACL}/lun_-1"), mkdir(f"{ACL}/attrib"))
    yield from (mkdir(f"{ACL}/lun_4294967296"), mkdir(f"{ACL}/lun_18446744073709551616"))
    yield from (
        rmdir(f"{ACL}/lun_4294967296"),
        mkdir(f"{ACL}/lun_65536"),
        mkdir(f"{ACL}/lun_4294967295"),
        rmdir(TPG),
        LOOK,
    )
    yield from (rmdir(ACL), rmdir(f"{ACL}/lun_65536"), rmdir(f"{ACL}/lun_4294967295"))
    yield from (rmdir(f"{ACL}/auth"), unlink(f"{ACL}/info"), write(f"{ACL}/info", "x"))
    yield from (mkdir(f"{TPG}/lun/lun0"), mkdir(f"{TPG}/lun/x"), mkdir(f"{TPG}/lun/lun_"))
    yield from (mkdir(f"{TPG}/lun/lun_x"), mkdir(f"{TPG}/lun/lun_-1"))
    yield from (mkdir(f"{TPG}/lun/lun_18446744073709551616"), mkdir(f"{TPG}/lun/lun_1 "))
    yield from (mkdir(f"{TPG}/lun/lun_18446744073709551615"), mkdir(f"{TPG}/lun/lun_65536"))
    yield from (mkdir(f"{TPG}/lun/lun_99999"), mkdir(f"{TPG}/lun/lun_0"), mkdir(f"{TPG}/lun/lun_0"))
    yield from (mkdir(f"{TPG}/lun/lun_00"), mkdir(f"{TPG}/lun/lun_0x1f"), LOOK, rmdir(TPG))
    yield from (mkdir(f"{TPG}/lun/lun_0/x"), rmdir(f"{TPG}/lun/lun_0/statistics"))
    yield from (
        mkdir(f"{TPG}/lun/lun_0/statistics/x"),
        rmdir(f"{TPG}/lun/lun_0/statistics/scsi_port"),
    )
    names = ("18446744073709551615", "65536", "99999", "0", "00", "0x1f")
    yield from (rmdir(f"{TPG}/lun/lun_{name}") for name in names)
    yield from (rmdir(ACL), rmdir(TPG), rmdir(TARGET))


def _portals() -> Iterator[Act]:
    """Portals: what is an address, and which stand in each other's way."""
    np, other = f"{TPG}/np", f"{OTHER}/tpgt_1/np"
    yield from (mkdir(TARGET), mkdir(TPG), mkdir(OTHER), mkdir(f"{OTHER}/tpgt_1"))
    bad = (
        *("300.1.1.1:99", "1.2.3.4", "1.2.3.4:", "1.2.3.4:x", "1.2.3.4:65536", "1.2.3.4:-1"),
        *("host:3260", ":3260", "1.2.3:3260", "1.2.3.4.5:3260", "001.2.3.4:3306x", "::1:3260"),
        *("[::1]", "[::1", "[::1]:", "[::1]:x", "[::1]:65536", "[::g]:3260", "[]:3260"),
        *("[1.2.3.4:3260", "a[::1]:3260b", " 1.2.3.4:3260", "1.2.3.4:3260 ", "x" * 256),
        *(
            "[fe80::1]:3399",
            "[::1]x:3306",
            "[fe80::1%nosuch]:3399",
            "127.0.0.1:0x",
            "0.0.0.0:3260:1",
        ),
    )
    yield from (mkdir(f"{np}/{name}") for name in bad)
    good = ("127.0.0.1:3300", "[::1]:3301", "[::]:3302", "0.0.0.0:3303", "192.168.56.101:3304")
    yield from (mkdir(f"{np}/{name}") for name in good)
    yield from (mkdir(f"{np}/127.0.0.1:0xce8"), mkdir(f"{np}/09.9.9.9:3305"), LOOK)
    yield from (mkdir(f"{np}/{name}") for name in good)
    yield from (mkdir(f"{other}/127.0.0.1:3300"), mkdir(f"{other}/[::1]:3301"))
    yield from (mkdir(f"{np}/[0:0:0:0:0:0:0:1]:3301"), mkdir(f"{np}/[::0]:3302"))
    yield from (mkdir(f"{np}/0.0.0.0:3300"), mkdir(f"{np}/127.0.0.1:3303"), LOOK)
    yield from (mkdir(f"{np}/[::]:3303"), mkdir(f"{np}/0.0.0.0:3302"), mkdir(f"{np}/[::]:3304"))
    yield from (mkdir(f"{np}/127.0.0.1:3302"), mkdir(f"{np}/[::1]:3303"))
    yield from (mkdir(f"{TARGET}/tpgt_2"), mkdir(f"{TARGET}/tpgt_2/np/127.0.0.1:3300"))
    yield from (mkdir(f"{TARGET}/tpgt_2/np/127.0.0.1:3310"), LOOK)
    yield from (mkdir(f"{np}/[::1]:3301/x"), write(f"{np}/[::1]:3301/cxgbit", "1"))
    yield from (*writes(f"{np}/[::1]:3301/cxgbit", "0", "2", "x"), unlink(f"{np}/[::1]:3301/iser"))
    yield from writes(f"{np}/[::1]:3301/iser", "0", "2", "x")
    yield from (rmdir(TPG), write(f"{TPG}/enable", "1"), mkdir(f"{np}/127.0.0.1:3320"))
    yield from (rmdir(f"{np}/127.0.0.1:3320"), write(f"{TPG}/enable", "0"), rmdir(f"{np}/nosuch:1"))
    everything = (*good, "0.0.0.0:3300", "127.0.0.1:3303", "[::]:3303", "0.0.0.0:3302", "[::]:3304")
    more = ("127.0.0.1:0xce8", "09.9.9.9:3305", "127.0.0.1:3302", "[::1]:3303")
    yield from (rmdir(f"{np}/{name}") for name in (*everything, *more))
    yield from (rmdir(f"{np}/[0:0:0:0:0:0:0:1]:3301"), rmdir(f"{np}/[::0]:3302"))
    yield from (rmdir(f"{other}/127.0.0.1:3300"), rmdir(f"{other}/[::1]:3301"))
    yield from (
        rmdir(f"{TARGET}/tpgt_2/np/127.0.0.1:3310"),
        rmdir(f"{TARGET}/tpgt_2/np/127.0.0.1:3300"),
    )
    yield from (LOOK, rmdir(f"{TARGET}/tpgt_2"), rmdir(TPG), rmdir(TARGET))
    yield from (rmdir(f"{OTHER}/tpgt_1"), rmdir(OTHER))


def _exports() -> Iterator[Act]:
    """LUNs and mapped LUNs, and in which order they come and go."""
    lun, second, far = f"{TPG}/lun/lun_0", f"{TPG}/lun/lun_1", f"{OTHER}/tpgt_1/lun/lun_0"
    disk = "core/rd_mcp_0/disk"
    yield from (*ramdisk(0), mkdir("core/rd_mcp_1"), mkdir("core/rd_mcp_1/raw"))
    yield from (mkdir(TARGET), mkdir(TPG), mkdir(OTHER), mkdir(f"{OTHER}/tpgt_1"), mkdir(ACL))
    yield from (mkdir(lun), mkdir(second), mkdir(far), mkdir(f"{ACL}/lun_0"), mkdir(f"{ACL}/lun_7"))
    yield from (symlink("core/rd_mcp_1/raw", f"{lun}/a"), symlink("core/rd_mcp_0", f"{lun}/a"))
    yield from (symlink(f"{disk}/alua/default_tg_pt_gp", f"{lun}/a"), symlink(TARGET, f"{lun}/a"))
    yield from (symlink(f"{disk}/attrib", f"{lun}/a"), symlink(f"{disk}/info", f"{lun}/a"))
    yield from (symlink("core/rd_mcp_0/nosuch", f"{lun}/a"), symlink("/tmp", f"{lun}/a"))
    yield from (
        symlink("/nowhere", f"{lun}/a"),
        symlink("core", f"{lun}/a"),
        symlink(second, f"{lun}/a"),
    )
    yield from (symlink(disk, f"{TPG}/a"), symlink(disk, f"{TPG}/lun/a"), symlink(disk, f"{ACL}/a"))
    yield from (symlink(disk, f"{lun}/statistics/a"), symlink(disk, f"{lun}/statistics"))
    yield from (symlink(lun, f"{ACL}/lun_0/a"), symlink(disk, f"{ACL}/lun_0/a"), LOOK)
    yield from (*writes(f"{ACL}/lun_0/write_protect", "1", "0", "2", "x"), LOOK)
    yield from (
        symlink(disk, f"{lun}/a"),
        symlink(disk, f"{lun}/a"),
        symlink(disk, f"{lun}/b"),
        LOOK,
    )
    yield from (symlink(disk, f"{second}/a"), symlink(disk, f"{far}/a"), LOOK)
    yield from (rmdir(disk), rmdir("core/rd_mcp_0"), rmdir(lun), unlink(lun))
    yield from (symlink(far, f"{ACL}/lun_0/a"), symlink("core/rd_mcp_0", f"{ACL}/lun_0/a"))
    yield from (symlink(lun, f"{ACL}/lun_0/a"), symlink(lun, f"{ACL}/lun_0/b"), LOOK)
    yield from (symlink(second, f"{ACL}/lun_0/b"), symlink(lun, f"{ACL}/lun_7/a"), LOOK)
    yield from (symlink(f"{ACL}/lun_0", f"{ACL}/lun_7/b"), symlink("nosuch", f"{ACL}/lun_7/b"))
    yield from (*writes(f"{ACL}/lun_0/write_protect", "1", "2", "foo"), LOOK)
    yield from (rmdir(lun), rmdir(f"{ACL}/lun_0"), rmdir(ACL), rmdir(TPG), rmdir(disk))
    yield from writes(f"{disk}/wwn/vpd_unit_serial", "new\n")
    yield from writes(f"{disk}/attrib/block_size", "4096", "99999999999")
    yield from writes(f"{disk}/attrib/queue_depth", "64")
    yield from writes(f"{disk}/attrib/emulate_tas", "0")
    yield from writes(f"{disk}/attrib/emulate_caw", "2", "0", "foo", "1")
    yield from (write(f"{TPG}/attrib/prod_mode_write_protect", "1"), LOOK, unlink(f"{ACL}/lun_7/a"))
    yield from (symlink(second, f"{ACL}/lun_7/a"), LOOK, unlink(f"{lun}/a"), LOOK)
    yield from (unlink(f"{lun}/a"), unlink(f"{lun}/alua_tg_pt_gp"), rmdir(lun))
    yield from (symlink(disk, f"{lun}/again"), LOOK, unlink(f"{ACL}/lun_0/a"), LOOK)
    yield from (symlink(lun, f"{ACL}/lun_0/a"), unlink(f"{ACL}/lun_0/a"), rmdir(f"{ACL}/lun_0"))
    yield from (unlink(f"{lun}/again"), rmdir(lun), unlink(f"{far}/a"), rmdir(far), LOOK)
    yield from (rmdir(second), unlink(f"{ACL}/lun_7/a"), rmdir(second), unlink(f"{second}/a"))
    yield from (rmdir(second), rmdir(f"{ACL}/lun_7"), rmdir(ACL), LOOK, rmdir(TPG), rmdir(TARGET))
    yield from (rmdir(f"{OTHER}/tpgt_1"), rmdir(OTHER), rmdir("core/rd_mcp_1"))
    yield from (*removed("rd_mcp", 1, "raw"), *removed("rd_mcp", 0, "disk"))


def _settings() -> Iterator[Act]:
    """Attributes, parameters and secrets of iSCSI."""
    yield from (mkdir(TARGET), mkdir(TPG), mkdir(ACL), *writes(f"{TPG}/enable", "1", "1", "0", "0"))
    yield from writes(f"{TPG}/enable", "2", "yes", "x", "no")
    for name, values in {
        "authentication": ("0", "1", "2", "x", "-1", "0"),
        "generate_node_acls": ("1", "2", "0"),
        "cache_dynamic_acls": ("1", "0", "3"),
        "default_cmdsn_depth": ("0", "1", "512", "513", "16"),
        "demo_mode_write_protect": ("0", "1", "x"),
        "prod_mode_write_protect": ("1", "0", "5"),
        "login_timeout": ("4", "5", "30", "31"),
        "netif_timeout": ("1", "2", "15", "16"),
        "default_erl": ("0", "2", "3"),
        "t10_pi": ("1", "0", "2"),
        "fabric_prot_type": ("0", "1", "2", "3", "4", "0"),
        "tpg_enabled_sendtargets": ("0", "1", "2"),
        "nosuch": ("0",),
    }.items():
        yield from writes(f"{TPG}/attrib/{name}", *values)
    yield LOOK
    for name, values in {
        "AuthMethod": ("None", "CHAP", "CHAP,None", "None,CHAP", "Chap", "", "CHAP,", "SRP"),
        "HeaderDigest": ("None", "CRC32C", "CRC32C,None", "crc32c", "None,None"),
        "MaxBurstLength": ("511", "512", "16777215", "16777216", "x", "4096x", "0x400"),
        "MaxConnections": ("0", "1", "65535", "65536", "2 "),
        "MaxOutstandingR2T": ("0", "16", "-1"),
        "ErrorRecoveryLevel": ("0", "3", "foo", "2"),
        "DefaultTime2Wait": ("3600", "3601", "2"),
        "ImmediateData": ("Yes", "No", "yes", "1", "Yes\n", "No\n\n"),
        "TargetAlias": ("My Target", "a,b", "x" * 255, "x" * 256, "a=b", "LIO Target"),
        "IFMarkInt": ("2048~65535", "1,2"),
    }.items():
        yield from writes(f"{TPG}/param/{name}", *values)
    yield LOOK
    for folder in (f"{TPG}/auth", f"{ACL}/auth", "iscsi/discovery_auth"):
        yield from writes(f"{folder}/userid", "user", "NULL", "x" * 255, "x" * 256, "name\n")
        yield from (write(f"{folder}/password", "secret"), LOOK)
        yield from (write(f"{folder}/userid_mutual", "back"), read(f"{folder}/authenticate_target"))
        yield from (write(f"{folder}/password_mutual", "mutual"), LOOK)
        yield from (write(f"{folder}/userid_mutual", "NULL"), LOOK)
        yield from writes(f"{folder}/authenticate_target", "1")
        yield from (write(f"{folder}/{word}", "NULL") for word in ("userid", "password"))
        yield from (write(f"{folder}/password_mutual", "NULLify"), LOOK)
    yield from writes("iscsi/discovery_auth/enforce_discovery_auth", "1", "2", "x", "0")
    yield from writes("iscsi/cpus_allowed_list", "0", "0-1", "99", "x", "1", "0,1", "0-1\n")
    yield from writes(f"{TARGET}/param/cmd_completion_affinity", "0", "-1", "-2", "-3", "99", "x")
    for name, values in {
        "dataout_timeout": ("1", "2", "60", "61"),
        "dataout_timeout_retries": ("0", "1", "15", "16"),
        "nopin_timeout": ("0", "2", "3", "60", "61"),
        "nopin_response_timeout": ("2", "3", "60", "61"),
        "authentication": ("0", "1", "-1", "-2", "2"),
        "random_r2t_offsets": ("1", "2", "0"),
        "default_erl": ("1", "3"),
    }.items():
        yield from writes(f"{ACL}/attrib/{name}", *values)
    yield from writes(f"{ACL}/cmdsn_depth", "0", "1", "512", "513", "x", "32")
    yield from writes(
        f"{ACL}/tag", "group", "x" * 63, "x" * 64, "x" * 300, "NULL", "again\n", "NULL\n"
    )
    yield from (*writes(f"{ACL}/param/MaxConnections", "1"), LOOK)
    yield from (write(f"{TPG}/attrib/default_cmdsn_depth", "48"), mkdir(f"{TPG}/acls/later"), LOOK)
    yield from (rmdir(f"{TPG}/acls/later"), rmdir(ACL), rmdir(TPG), rmdir(TARGET))
    for word in ("userid", "password", "userid_mutual", "password_mutual"):
        yield write(f"iscsi/discovery_auth/{word}", "NULL")


def _nexus(fabric: str) -> Iterator[Act]:
    """A fabric whose TPG has a nexus: names, the nexus, LUNs."""
    top = f"{fabric}/naa.5001405000000001"
    tpg = f"{top}/tpgt_1"
    lun = f"{tpg}/lun/lun_0"
    yield from (
        mkdir(fabric),
        mkdir(f"{fabric}/foo"),
        mkdir(f"{fabric}/naa."),
        mkdir(f"{fabric}/5001"),
    )
    yield from (mkdir(f"{fabric}/naa.{'5' * 252}"), mkdir(f"{fabric}/discovery_auth"))
    yield from (mkdir(f"{fabric}/iqn.2020-07.a:b"), mkdir(f"{fabric}/fc.5001"), LOOK)
    yield from (
        rmdir(f"{fabric}/iqn.2020-07.a:b"),
        rmdir(f"{fabric}/fc.5001"),
        rmdir(f"{fabric}/naa."),
    )
    yield from (mkdir(top), mkdir(f"{top}/tpgt_32"), mkdir(f"{top}/tpgt_x"), mkdir(f"{top}/foo"))
    yield from (mkdir(f"{top}/tpgt_31"), mkdir(f"{top}/tpgt_0"), rmdir(f"{top}/tpgt_31"))
    yield from (rmdir(f"{top}/tpgt_0"), mkdir(tpg), mkdir(tpg), LOOK, read(f"{tpg}/nexus"))
    yield from (mkdir(f"{tpg}/acls/{GUEST}"), mkdir(f"{tpg}/np/127.0.0.1:3260"), mkdir(f"{tpg}/x"))
    yield from writes(f"{tpg}/nexus", "foo", "NULL", "iqn.2020-07.a:b", "naa." + "5" * 300)
    yield from (*ramdisk(0), mkdir(lun))
    if fabric == "vhost":
        yield from (symlink("core/rd_mcp_0/disk", f"{lun}/a"), LOOK, unlink(f"{lun}/a"))
    yield from (*writes(f"{tpg}/nexus", NEXUS, NEXUS), LOOK)
    yield from (symlink("core/rd_mcp_0/disk", f"{lun}/a"), LOOK, write(f"{tpg}/nexus", "NULL"))
    yield from (rmdir(tpg), rmdir(lun), rmdir("core/rd_mcp_0/disk"), unlink(f"{tpg}/nexus"))
    yield from (*writes(f"{tpg}/transport_status", "foo", "offline", "online", "1"), LOOK)
    yield from (
        *writes(f"{tpg}/attrib/fabric_prot_type", "1", "2", "0"),
        write(f"{tpg}/address", "1"),
    )
    yield from (unlink(f"{lun}/a"), write(f"{tpg}/nexus", "NULL"), rmdir(lun), rmdir(tpg))
    yield from (rmdir(f"{tpg}/acls/{GUEST}"), rmdir(tpg), LOOK)
    yield from (mkdir(tpg), mkdir(f"{tpg}/acls/{GUEST}"), write(f"{tpg}/nexus", NEXUS), mkdir(lun))
    yield from (symlink("core/rd_mcp_0/disk", f"{lun}/a"), mkdir(f"{tpg}/acls/{GUEST}/lun_0"), LOOK)
    yield from (symlink(lun, f"{tpg}/acls/{GUEST}/lun_0/a"), write(f"{tpg}/nexus", "NULL"), LOOK)
    yield from (unlink(f"{tpg}/acls/{GUEST}/lun_0/a"), rmdir(f"{tpg}/acls/{GUEST}/lun_0"))
    yield from (rmdir(f"{tpg}/acls/{GUEST}"), unlink(f"{lun}/a"), write(f"{tpg}/nexus", "NULL"))
    yield from (
        rmdir(lun),
        rmdir(tpg),
        LOOK,
        mkdir(tpg),
        write(f"{tpg}/nexus", f"{NEXUS}\n"),
        LOOK,
        write(f"{tpg}/nexus", "NULL"),
    )
    yield from (LOOK, write(f"{tpg}/nexus", "NULL"), rmdir(tpg), rmdir(top), LOOK)
    yield from removed("rd_mcp", 0, "disk")


def adapter(fabric: str, target: str, initiator: str) -> tuple[Act, ...]:
    """A fabric whose targets have the names of ports; which there are, only the machine knows."""
    top = f"{fabric}/{target}"
    tpg = f"{top}/tpgt_1"
    lun, acl = f"{tpg}/lun/lun_0", f"{tpg}/acls/{initiator}"
    digits = target.removeprefix("0x")
    wrong = [f"{digits}00", digits[:-1], digits.replace(":", "-"), f"x{digits[1:]}", f"{digits} "]
    if fabric != "sbp":
        wrong.append(digits.replace(":", "") if ":" in digits else digits[:16])
    # srpt makes a TPG of whatever name; nobody asks it for one.
    odd = () if fabric == "srpt" else ("tpgt_65536", "tpgt_x")
    folded = [*wrong, digits.upper().replace("0", "A")]
    return (
        *(mkdir(fabric), *(mkdir(f"{fabric}/{name}") for name in folded), mkdir(top), mkdir(top)),
        *(LOOK, *(mkdir(f"{top}/{name}") for name in odd), mkdir(f"{top}/tpgt_2")),
        *(rmdir(f"{top}/tpgt_2"), mkdir(tpg), mkdir(tpg), LOOK),
        *(mkdir(f"{tpg}/np/127.0.0.1:3260"), write(f"{tpg}/nexus", NEXUS)),
        *(write(f"{tpg}/enable", "x"), write(f"{tpg}/enable", "1"), mkdir(f"{tpg}/acls/foo"), LOOK),
        *(*ramdisk(0), mkdir(lun), symlink("core/rd_mcp_0/disk", f"{lun}/a"), LOOK),
        *(write(f"{tpg}/enable", "1"), write(f"{tpg}/enable", "1"), read(f"{tpg}/enable")),
        *(write(f"{tpg}/directory_id", "1"), mkdir(acl), mkdir(acl), mkdir(f"{acl}/lun_0")),
        *(symlink(lun, f"{acl}/lun_0/a"), *writes(f"{acl}/lun_0/write_protect", "1"), LOOK),
        *(rmdir(acl), rmdir(tpg), rmdir(top), unlink(f"{acl}/lun_0/a"), rmdir(f"{acl}/lun_0")),
        *(rmdir(acl), *writes(f"{tpg}/enable", "0", "0"), unlink(f"{lun}/a"), rmdir(lun)),
        *(write(f"{tpg}/directory_id", "1"), rmdir(tpg), rmdir(top), LOOK),
        *removed("rd_mcp", 0, "disk"),
    )


def _scenario() -> Iterator[Act]:
    """The owner's own walk-through, step by step."""
    disk, lun = "core/iblock_0/lee_block", f"{TPG}/lun/lun_0"
    yield from device("iblock", 0, "lee_block", f"udev_path={VOLUME}", "readonly=0", "exclusive=1")
    yield from (write(f"{disk}/udev_path", VOLUME), write(f"{disk}/wwn/vpd_unit_serial", "a1b2\n"))
    yield from (LOOK, mkdir(TARGET), mkdir(TPG), mkdir(f"{TPG}/np/0.0.0.0:3260"), LOOK)
    yield from (write(f"{TPG}/attrib/authentication", "0"), write(f"{TPG}/enable", "1"), mkdir(ACL))
    yield from (LOOK, mkdir(lun), symlink(disk, f"{lun}/0123456789"), mkdir(f"{ACL}/lun_0"))
    yield from (symlink(lun, f"{ACL}/lun_0/9876543210"), write(f"{ACL}/lun_0/write_protect", "0"))
    yield from (LOOK, rmdir(f"{TPG}/np/0.0.0.0:3260"), mkdir(f"{TPG}/np/192.168.56.101:3260"), LOOK)
    yield from (
        write(f"{TPG}/enable", "0"),
        unlink(f"{ACL}/lun_0/9876543210"),
        rmdir(f"{ACL}/lun_0"),
    )
    yield from (rmdir(ACL), unlink(f"{lun}/0123456789"), rmdir(lun))
    yield from (rmdir(f"{TPG}/np/192.168.56.101:3260"), rmdir(TPG), rmdir(TARGET))
    yield from (LOOK, *removed("iblock", 0, "lee_block"), LOOK)


def passthrough(hctl: str, path: str) -> tuple[Act, ...]:
    """A SCSI disk that is passed through; which one there is, only the machine knows."""
    host, channel, target, lun = hctl.split(":")
    disk, other = "core/pscsi_0/disk", "core/pscsi_1/again"
    exported = f"{TPG}/lun/lun_0"
    address = f"scsi_host_id={host},scsi_channel_id={channel},scsi_target_id={target}"
    return (
        *(mkdir("core/pscsi_0"), mkdir(disk), write(f"{disk}/enable", "1")),
        *writes(f"{disk}/control", address, "scsi_lun_id=x", "scsi_virtual_id=0"),
        *(LOOK, write(f"{disk}/enable", "1"), write(f"{disk}/control", "scsi_lun_id=99")),
        *(write(f"{disk}/enable", "1"), write(f"{disk}/udev_path", path)),
        *(write(f"{disk}/enable", "1"), write(f"{disk}/control", f"scsi_lun_id={lun}")),
        *(write(f"{disk}/udev_path", MISSING), write(f"{disk}/enable", "1")),
        *(write(f"{disk}/udev_path", path), write(f"{disk}/enable", "1\n"), LOOK),
        *(write(f"{disk}/enable", "1"), *writes(f"{disk}/wwn/vpd_unit_serial", "mine\n")),
        *writes(f"{disk}/wwn/vendor_id", "ACME"),
        *writes(f"{disk}/attrib/alua_support", "0", "1", "x"),
        *writes(f"{disk}/attrib/pgr_support", "0", "1"),
        *writes(f"{disk}/attrib/emulate_pr", "0", "1"),
        *(write(f"{disk}/alua_lu_gp", "default_lu_gp"), LOOK),
        *(mkdir("core/pscsi_1"), mkdir(other), write(f"{other}/udev_path", path)),
        *(write(f"{other}/control", f"{address},scsi_lun_id={lun}"), write(f"{other}/enable", "1")),
        *(mkdir(TARGET), mkdir(TPG), mkdir(exported), symlink(disk, f"{exported}/link"), LOOK),
        *writes(f"{exported}/alua_tg_pt_gp", "default_tg_pt_gp", "NULL"),
        *writes(f"{exported}/alua_tg_pt_offline", "1", "0"),
        *writes(f"{exported}/alua_tg_pt_status", "1", "0"),
        *writes(f"{exported}/alua_tg_pt_write_md", "1", "0"),
        *(read(f"{exported}/alua_tg_pt_gp"), LOOK, rmdir(disk), rmdir(other)),
        *(unlink(f"{exported}/link"), rmdir(exported), rmdir(TPG), rmdir(TARGET), LOOK),
        *(rmdir("core/pscsi_1"), *removed("pscsi", 0, "disk")),
    )


def _user() -> Iterator[Act]:
    """Storage objects that a program would answer for, of which none runs."""
    disk, lun = "core/user_3/disk", f"{TPG}/lun/lun_0"
    yield from (mkdir("core/user_3"), mkdir(disk), LOOK)
    yield from writes(f"{disk}/control", "nonsense", "dev_size=x", "dev_config=", "dev_size=")
    yield from writes(f"{disk}/control", "hw_block_size=0", "hw_max_sectors=-1", "hw_max_sectors=0")
    yield from writes(f"{disk}/control", "max_data_area_mb=0", "cmd_ring_size_mb=0", ",,")
    yield from writes(f"{disk}/control", "max_data_area_mb=16,hw_block_size=4096,hw_max_sectors=65")
    yield from (write(f"{disk}/control", "dev_config=handler/a b,dev_size=1048576"), LOOK)
    yield from (write(f"{disk}/attrib/dev_config", "handler/c"), LOOK)
    yield from (write(f"{disk}/attrib/dev_size", "2097152"), write(f"{disk}/enable", "1"), LOOK)
    yield from writes(f"{disk}/enable", "1", "0")
    yield from writes(
        f"{disk}/control", "max_data_area_mb=8", "dev_size=4194304", "hw_block_size=x"
    )
    yield from (LOOK, write(f"{disk}/attrib/dev_size", "8388608"))
    yield from writes(f"{disk}/wwn/vpd_unit_serial", "a-serial\n")
    yield from (mkdir("iscsi"), mkdir(TARGET), mkdir(TPG), mkdir(lun))
    yield from (symlink(disk, f"{lun}/link"), LOOK, rmdir(disk))
    yield from writes(f"{disk}/attrib/cmd_time_out", "60")
    yield from (unlink(f"{lun}/link"), rmdir(lun), rmdir(TPG), rmdir(TARGET), rmdir("iscsi"))
    yield from removed("user", 3, "disk")
    yield from device("user", 4, "bare")
    yield from (LOOK, *removed("user", 4, "bare"))


SCENES: tuple[Scene, ...] = (
    ("tree", tuple(_tree())),
    ("block", tuple(_block())),
    ("file", tuple(_file())),
    ("memory", tuple(_memory())),
    ("user", tuple(_user())),
    ("alua", tuple(_alua())),
    ("iscsi names", tuple(_iscsi_names())),
    ("portals", tuple(_portals())),
    ("exports", tuple(_exports())),
    ("settings", tuple(_settings())),
    ("loopback", tuple(_nexus("loopback"))),
    ("vhost", tuple(_nexus("vhost"))),
    ("scenario", tuple(_scenario())),
)
