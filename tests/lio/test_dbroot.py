# SPDX-License-Identifier: Apache-2.0
"""The kernel's folders for reservations and ALUA states are created before a change."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from driver import Pyshell
from pyshell.lio import DBROOT_FOLDERS, attach

CREATE = "/backstores/ramdisk create name=one size=1M"


def folders(pyshell: Pyshell) -> list[Path]:
    """Return the two folders, which may be missing."""
    lio = attach(pyshell.folder)
    return [lio.dbroot_folder(name) for name in DBROOT_FOLDERS]


def test_a_change_creates_them_for_root_only(pyshell: Pyshell) -> None:
    pyshell.must("ls")
    pyshell.must(f"{CREATE} --dry-run")
    assert [path.exists() for path in folders(pyshell)] == [False, False]
    pyshell.must(CREATE)
    assert folders(pyshell) == [pyshell.folder / f"etc/target/{name}" for name in ("pr", "alua")]
    assert [stat.S_IMODE(path.stat().st_mode) for path in folders(pyshell)] == [0o700, 0o700]


def test_they_are_created_where_the_kernel_looks_for_them(pyshell: Pyshell) -> None:
    pyshell.must("ls")
    (pyshell.configfs / "dbroot").write_text("/var/target\n", encoding="ascii")
    pyshell.must(CREATE)
    assert folders(pyshell)[0] == pyshell.folder / "files/var/target/pr"
    assert all(path.is_dir() for path in folders(pyshell))


def test_the_change_is_made_even_if_that_fails(pyshell: Pyshell) -> None:
    pyshell.must("ls")
    folders(pyshell)[0].write_text("", encoding="ascii")
    ran = pyshell.batch([CREATE, "/backstores/ramdisk create name=two size=1M"])
    assert ran.status == 0
    assert ran.err.count(f"Without {folders(pyshell)[0]}, initiators cannot register") == 1
    assert folders(pyshell)[1].is_dir()
    assert pyshell("--compat", "/backstores/ramdisk delete two").err == ""


@pytest.mark.parametrize("name", DBROOT_FOLDERS)
def test_none_is_created_where_other_users_could_replace_it(pyshell: Pyshell, name: str) -> None:
    pyshell.must("ls")
    folder = pyshell.folder / "etc/target" / name
    folder.parent.chmod(0o777)
    ran = pyshell(*CREATE.split())
    assert ran.status == 0
    assert f"Without {folder}, " in ran.err
    assert f"Run: chmod go-w {folder.parent}" in ran.err
    assert not folder.exists()
