# SPDX-License-Identifier: Apache-2.0
"""Builds, removes and reads a shape by nothing but the system calls that it takes: the limit.

As a program, with no library but Python's own:

python -m tests.bench.raw build|teardown LUNS TARGETS ACLS
"""

from __future__ import annotations

import os
import sys

from .shapes import SIZE, Shape, alias, serial

TARGET = "/sys/kernel/config/target"
CORE = f"{TARGET}/core"
ISCSI = f"{TARGET}/iscsi"
PAGE = 4096


def write(path: str, text: str) -> None:
    """Write a value in one call."""
    descriptor = os.open(path, os.O_WRONLY)
    os.write(descriptor, text.encode())
    os.close(descriptor)


def build(shape: Shape) -> None:
    """Make a shape: storage objects, then each target, enabled last."""
    for number in range(shape.targets * shape.luns):
        hba = f"{CORE}/rd_mcp_{number}"
        place = f"{hba}/{shape.disk(0, number)}"
        os.mkdir(hba)
        os.mkdir(place)
        write(f"{place}/control", f"rd_pages={SIZE // PAGE}")
        write(f"{place}/control", "rd_nullio=1")
        write(f"{place}/enable", "1")
        write(f"{place}/wwn/vpd_unit_serial", serial(number))
    if not os.path.isdir(ISCSI):
        os.mkdir(ISCSI)
    for target in range(shape.targets):
        _build_target(shape, target)


def _build_target(shape: Shape, target: int) -> None:
    tpg = f"{ISCSI}/{shape.wwn(target)}/tpgt_1"
    os.mkdir(os.path.dirname(tpg))
    os.mkdir(tpg)
    for n in range(shape.luns):
        number = target * shape.luns + n
        os.mkdir(f"{tpg}/lun/lun_{n}")
        disk = f"{CORE}/rd_mcp_{number}/{shape.disk(0, number)}"
        os.symlink(disk, f"{tpg}/lun/lun_{n}/{alias('lun', n)}")
    os.mkdir(f"{tpg}/np/127.0.0.1:{shape.port(target)}")
    for acl in range(shape.acls):
        place = f"{tpg}/acls/{shape.initiator(acl)}"
        os.mkdir(place)
        for n in range(shape.luns):
            os.mkdir(f"{place}/lun_{n}")
            os.symlink(f"{tpg}/lun/lun_{n}", f"{place}/lun_{n}/{alias('map', n)}")
            write(f"{place}/lun_{n}/write_protect", "0")
    write(f"{tpg}/enable", "1")


def teardown(shape: Shape) -> None:
    """Remove a shape, innermost first."""
    for target in range(shape.targets):
        _remove_target(shape, target)
    for number in range(shape.targets * shape.luns):
        hba = f"{CORE}/rd_mcp_{number}"
        os.rmdir(f"{hba}/{shape.disk(0, number)}")
        os.rmdir(hba)


def _remove_target(shape: Shape, target: int) -> None:
    tpg = f"{ISCSI}/{shape.wwn(target)}/tpgt_1"
    write(f"{tpg}/enable", "0")
    for acl in range(shape.acls):
        place = f"{tpg}/acls/{shape.initiator(acl)}"
        for n in range(shape.luns):
            os.unlink(f"{place}/lun_{n}/{alias('map', n)}")
            os.rmdir(f"{place}/lun_{n}")
        os.rmdir(place)
    for n in range(shape.luns):
        os.unlink(f"{tpg}/lun/lun_{n}/{alias('lun', n)}")
        os.rmdir(f"{tpg}/lun/lun_{n}")
    os.rmdir(f"{tpg}/np/127.0.0.1:{shape.port(target)}")
    os.rmdir(tpg)
    os.rmdir(os.path.dirname(tpg))


if __name__ == "__main__":
    _luns, _targets, _acls = map(int, sys.argv[2:5])
    {"build": build, "teardown": teardown}[sys.argv[1]](Shape(_luns, _targets, _acls))
