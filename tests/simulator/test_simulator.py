# SPDX-License-Identifier: Apache-2.0
"""The acts: what every object has in common, whatever its own rules."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pyshell.simulator import open_simulator
from simulator.acts import ACL, LUN, TPG, Acts, outcome


def test_a_new_folder_has_the_initial_tree(kernel: Acts) -> None:
    assert kernel.names("") == ["core", "dbroot", "version"]
    assert kernel.names("core") == ["alua"]
    assert stat.S_IMODE(kernel.simulator.folder.stat().st_mode) == 0o700


def test_state_persists_between_openings(kernel: Acts) -> None:
    kernel.tpg()
    again = open_simulator(kernel.simulator.folder)
    assert again.read(f"{again.configfs}/{TPG}/enable") == "0\n"


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("dear")
    with pytest.raises(ValueError, match="holds no simulated kernel"):
        open_simulator(tmp_path)
    assert os.listdir(tmp_path) == ["letter"]


def test_a_file_is_not_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        open_simulator(tmp_path / "file")


def test_a_refusal_names_errno_and_path(kernel: Acts) -> None:
    with pytest.raises(OSError, match="Invalid argument") as caught:
        kernel.mkdir("core/foo_0")
    assert (caught.value.errno, caught.value.filename) == (errno.EINVAL, kernel.path("core/foo_0"))


def test_a_path_outside_the_tree_is_a_value_error(kernel: Acts) -> None:
    with pytest.raises(ValueError, match="is not below"):
        kernel.simulator.mkdir("/tmp/elsewhere")


@pytest.mark.parametrize(
    ("rel", "why"),
    [
        ("core", "EEXIST"),
        ("nosuch", "EINVAL"),
        ("nosuch/x", "ENOENT"),
        ("version/x", "ENOTDIR"),
        ("core/alua/x", "EPERM"),
        ("core/foo_0", "EINVAL"),
        ("x" * 256, "ENAMETOOLONG"),
    ],
)
def test_folders_that_cannot_be_created(kernel: Acts, rel: str, why: str) -> None:
    assert outcome(kernel.mkdir, rel) == why


@pytest.mark.parametrize(
    ("rel", "why"),
    [
        ("", "EPERM"),
        ("core", "EPERM"),
        ("core/alua/lu_gps/default_lu_gp", "EPERM"),
        ("version", "ENOTDIR"),
        ("nosuch", "ENOENT"),
        (f"{TPG}/lun", "EPERM"),
        (f"{ACL}/auth", "EPERM"),
        (ACL, "ENOTEMPTY"),
        (TPG, "ENOTEMPTY"),
        (LUN, "EBUSY"),
        ("core/rd_mcp_0", "ENOTEMPTY"),
        ("core/rd_mcp_0/disk", "EBUSY"),
        ("core/rd_mcp_0/disk/alua/default_tg_pt_gp", "EPERM"),
        (f"{ACL}/lun_0", "ENOTEMPTY"),
        ("iscsi", "ENOTEMPTY"),
    ],
)
def test_folders_that_cannot_be_removed(kernel: Acts, rel: str, why: str) -> None:
    kernel.mapped()
    assert outcome(kernel.rmdir, rel) == why


@pytest.mark.parametrize(
    ("rel", "why"),
    [("version", "EPERM"), ("core", "EISDIR"), ("nosuch", "ENOENT"), (f"{LUN}/link", "ok")],
)
def test_what_can_be_unlinked(kernel: Acts, rel: str, why: str) -> None:
    kernel.exported()
    assert outcome(kernel.unlink, rel) == why


@pytest.mark.parametrize(
    ("rel", "why"),
    [
        ("version", "EACCES"),
        ("core/rd_mcp_0/disk/attrib/hw_block_size", "EACCES"),
        ("core/rd_mcp_0/disk/nosuch", "EACCES"),
        ("nosuch/nosuch", "ENOENT"),
        ("version/x", "ENOTDIR"),
        ("core", "EISDIR"),
    ],
)
def test_what_cannot_be_written(kernel: Acts, rel: str, why: str) -> None:
    kernel.device()
    assert outcome(kernel.write, rel, "1") == why


@pytest.mark.parametrize(
    ("rel", "why"),
    [
        ("core/rd_mcp_0/disk/control", "EACCES"),
        (f"{LUN}/alua_tg_pt_gp", "ENODEV"),
        ("core", "EISDIR"),
        ("nosuch", "ENOENT"),
    ],
)
def test_what_cannot_be_read(kernel: Acts, rel: str, why: str) -> None:
    kernel.device()
    kernel.tpg()
    kernel.mkdir(LUN)
    assert outcome(kernel.read, rel) == why


@pytest.mark.parametrize(
    ("inner", "mode"), [("info", 0o444), ("control", 0o200), ("enable", 0o644), ("attrib", 0o755)]
)
def test_modes_do_not_depend_on_the_umask(kernel: Acts, inner: str, mode: int) -> None:
    old = os.umask(0o077)
    try:
        device = kernel.enabled()
    finally:
        os.umask(old)
    assert stat.S_IMODE(os.stat(kernel.path(f"{device}/{inner}")).st_mode) == mode


def test_an_empty_write_does_nothing(kernel: Acts) -> None:
    device = kernel.enabled()
    kernel.write(f"{device}/attrib/emulate_caw", "")
    assert kernel.read(f"{device}/attrib/emulate_caw") == "1\n"


def test_a_long_write_is_split(kernel: Acts) -> None:
    device = kernel.enabled()
    kernel.write(f"{device}/attrib/emulate_caw", "n" * 4095 + "y")
    assert kernel.read(f"{device}/attrib/emulate_caw") == "1\n"


def test_a_plain_read_sees_what_the_kernel_shows(kernel: Acts) -> None:
    device = kernel.exported()
    assert kernel.plain(f"{device}/info") == kernel.read(f"{device}/info")
    assert kernel.plain(f"{device}/info").startswith("Status: ACTIVATED ")


def test_a_link_reads_as_configfs_writes_it(kernel: Acts) -> None:
    device = kernel.exported()
    assert os.readlink(kernel.path(f"{LUN}/link")) == f"../../../../../../target/{device}"
    assert os.path.realpath(kernel.path(f"{LUN}/link")) == os.path.realpath(kernel.path(device))


@pytest.mark.parametrize(
    ("source", "rel", "why"),
    [
        ("core/rd_mcp_0/disk", f"{TPG}/x", "EPERM"),
        ("core/rd_mcp_0/disk", f"{LUN}/statistics/x", "EPERM"),
        ("core/rd_mcp_0/nosuch", f"{LUN}/x", "ENOENT"),
        ("core/rd_mcp_0/disk/info", f"{LUN}/x", "ENOTDIR"),
        ("core/rd_mcp_0", f"{LUN}/x", "EFAULT"),
        ("core/rd_mcp_0/disk/attrib", f"{LUN}/x", "EFAULT"),
        ("../..", f"{LUN}/x", "EPERM"),
    ],
)
def test_links_that_cannot_be_created(kernel: Acts, source: str, rel: str, why: str) -> None:
    kernel.enabled()
    kernel.tpg()
    kernel.mkdir(LUN)
    assert outcome(kernel.link, source, rel) == why


def test_an_unknown_file_in_the_tree_is_ignored(kernel: Acts) -> None:
    kernel.tpg()
    Path(kernel.path(f"{TPG}/lun/.note")).write_text("by hand")
    Path(kernel.path("iscsi/new_attribute")).write_text("by a newer kernel\n")
    kernel.mkdir(LUN)
    assert kernel.read("iscsi/new_attribute") == "by a newer kernel\n"
    kernel.rmdir(LUN)


def test_no_staged_files_remain(kernel: Acts) -> None:
    kernel.mapped()
    kernel.unlink(f"{ACL}/lun_0/link")
    kernel.rmdir(f"{ACL}/lun_0")
    assert os.listdir(kernel.simulator.folder / "staging") == []


MAKER = """
import sys
from pathlib import Path
from pyshell.simulator import open_simulator
simulator = open_simulator(Path(sys.argv[1]))
for number in range(int(sys.argv[2]), int(sys.argv[2]) + 8):
    hba = f"{simulator.configfs}/core/rd_mcp_{number}"
    simulator.mkdir(hba)
    simulator.mkdir(f"{hba}/disk")
    simulator.write(f"{hba}/disk/control", "rd_pages=1")
    simulator.write(f"{hba}/disk/enable", "1")
"""


def test_two_processes_at_once(kernel: Acts) -> None:
    folder = str(kernel.simulator.folder)
    makers = [subprocess.Popen([sys.executable, "-c", MAKER, folder, n]) for n in ("0", "8")]
    assert [maker.wait(60) for maker in makers] == [0, 0]
    indexes = [kernel.read(f"core/rd_mcp_{n}/disk/statistics/scsi_dev/indx") for n in range(16)]
    assert sorted(int(index) for index in indexes) == list(range(1, 17))


def test_two_processes_can_create_the_folder(tmp_path: Path) -> None:
    makers = [
        subprocess.Popen([sys.executable, "-c", MAKER, str(tmp_path / "new"), n])
        for n in ("0", "8")
    ]
    assert [maker.wait(60) for maker in makers] == [0, 0]


def test_importing_it_loads_neither_rtslib_nor_rich() -> None:
    program = "import sys, pyshell.simulator; print({'rtslib_fb', 'rich'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
