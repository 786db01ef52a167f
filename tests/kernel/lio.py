# SPDX-License-Identifier: Apache-2.0
"""Empties LIO's configfs with plain system calls, so that no test depends on what it tests."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

CONFIGFS = Path("/sys/kernel/config/target")
SAVED_STATE = (Path("/etc/target"), Path("/var/target"))


def clear() -> None:
    """Remove all targets, storage objects and saved files, as after a fresh boot."""
    if CONFIGFS.is_dir():
        for fabric in _folders(CONFIGFS):
            if fabric.name != "core":
                _clear_fabric(fabric)
        _clear_core(CONFIGFS / "core")
    for folder in SAVED_STATE:
        for path in sorted(folder.rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            else:
                path.unlink()


def _clear_fabric(fabric: Path) -> None:
    for wwn in _folders(fabric):
        if wwn.name == "discovery_auth":
            _forget_discovery_auth(wwn)
            continue
        for tpg in _folders(wwn):
            if tpg.name.startswith("tpgt_"):
                _clear_tpg(tpg)
        wwn.rmdir()
    fabric.rmdir()


def _clear_tpg(tpg: Path) -> None:
    # Not every fabric can be switched off.
    with contextlib.suppress(OSError):
        (tpg / "enable").write_text("0")
    for acl in _folders(tpg / "acls"):
        for mapped_lun in _folders(acl):
            if mapped_lun.name.startswith("lun_"):
                _remove_with_links(mapped_lun)
        acl.rmdir()
    for lun in _folders(tpg / "lun"):
        _remove_with_links(lun)
    for portal in _folders(tpg / "np"):
        portal.rmdir()
    tpg.rmdir()


def _forget_discovery_auth(folder: Path) -> None:
    # The kernel keeps these beyond the fabric's folder; NULL is its word for "none".
    blank = dict.fromkeys(("userid", "password", "userid_mutual", "password_mutual"), "NULL")
    for name, value in {**blank, "enforce_discovery_auth": "0"}.items():
        # All fabrics have the folder, only iSCSI has the files.
        if (folder / name).exists():
            (folder / name).write_text(value)


def _clear_core(core: Path) -> None:
    for group in _folders(core / "alua/lu_gps"):
        if group.name != "default_lu_gp":
            group.rmdir()
    for hba in _folders(core):
        if hba.name == "alua":
            continue
        for storage_object in _folders(hba):
            for group in _folders(storage_object / "alua"):
                if group.name != "default_tg_pt_gp":
                    group.rmdir()
            storage_object.rmdir()
        hba.rmdir()


def _remove_with_links(folder: Path) -> None:
    for entry in os.scandir(folder):
        if entry.is_symlink():
            os.unlink(entry.path)
    folder.rmdir()


def _folders(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from [Path(entry) for entry in os.scandir(folder) if entry.is_dir()]
