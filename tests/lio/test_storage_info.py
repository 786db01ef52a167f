# SPDX-License-Identifier: Apache-2.0
"""What the kernel tells of a storage object, and the arguments that would make it again."""

from __future__ import annotations

import pytest

from driver import Pyshell
from pyshell.lio import storage_info
from pyshell.lio.configfs import changing
from pyshell.lio.identifiers import StorageObject
from pyshell.lio.rtslib_older import KNOWS_EXCLUSIVE

EXCLUSIVE = {"exclusive": True} if KNOWS_EXCLUSIVE else {}
CREATED = [
    ("block", "create x /dev/sdb", {"dev": "/dev/sdb", "readonly": False, **EXCLUSIVE}),
    ("block", "create x /dev/sdb readonly=true", {"dev": "/dev/sdb", "readonly": True}),
    ("block", "create x /dev/nvme0n1", {"dev": "/dev/nvme0n1"}),
    ("fileio", "create x /srv/x.img 1M", {"dev": "/srv/x.img", "size": 1 << 20, "aio": False}),
    ("fileio", "create x /srv/x.img 1M write_back=no", {"write_back": False}),
    ("fileio", "create x /srv/x.img 1M", {"write_back": True}),
    ("fileio", "create x /srv/x.img 1M aio=true", {"aio": True}),
    ("fileio", "create x /dev/sdb", {"dev": "/dev/sdb", "size": 8 << 30}),
    ("ramdisk", "create x 5M", {"size": 5 << 20}),
    ("ramdisk", "create x 5M nullio=true", {"nullio": True}),
    ("pscsi", "create x /dev/sdc", {"dev": "/dev/sdc"}),
    ("pscsi", "create x 0:0:2:0", {"dev": "/dev/sdc"}),
    ("block", "create x /dev/sdb wwn=1-2-3", {"wwn": "1-2-3"}),
]


@pytest.mark.parametrize(("plugin", "line", "wanted"), CREATED)
def test_an_object_tells_what_it_was_made_of_and_comes_back_as_it_was(
    pyshell: Pyshell, plugin: str, line: str, wanted: dict[str, object]
) -> None:
    pyshell(f"/backstores/{plugin}", line)
    found = storage_info.creation_arguments(
        pyshell.open(), StorageObject(plugin, "x", 0, str(pyshell.configfs))
    )
    assert found is not None
    assert {name: found[name] for name in wanted} == wanted
    pyshell.must("saveconfig")
    before = pyshell.saved_file.read_bytes()
    pyshell.must("clearconfig confirm=true", "restoreconfig", "saveconfig")
    assert pyshell.saved_file.read_bytes() == before
    (entry,) = pyshell.document()["storage_objects"]
    assert wanted.items() <= entry.items()


@pytest.mark.parametrize(
    ("plugin", "line", "summary"),
    [
        ("block", "create x /dev/sdb", "/dev/sdb (8.0GiB) write-thru deactivated"),
        ("block", "create x /dev/sdb readonly=1", "/dev/sdb (8.0GiB) ro write-thru deactivated"),
        ("fileio", "create x /srv/x.img 1536k", "/srv/x.img (1.5MiB) write-back deactivated"),
        ("fileio", "create x /srv/x.img 1M write_back=0",
         "/srv/x.img (1.0MiB) write-thru deactivated"),
        ("ramdisk", "create x 16M", "(16.0MiB) deactivated"),
        ("ramdisk", "create x 16M nullio=1", "nullio (16.0MiB) deactivated"),
        ("pscsi", "create x /dev/sdc", "/dev/sdc deactivated"),
    ],
)  # fmt: skip
def test_the_summary_in_the_tree(pyshell: Pyshell, plugin: str, line: str, summary: str) -> None:
    pyshell(f"/backstores/{plugin}", line)
    assert pyshell.line(f"/backstores/{plugin}/x status").out == (
        f"Status for /backstores/{plugin}/x: {summary}\n"
    )


def test_a_half_made_object_has_no_arguments(pyshell: Pyshell) -> None:
    folder = pyshell.configfs / "core" / "rd_mcp_0"
    lio = pyshell.open()
    with changing():
        lio.kernel.mkdir(str(folder))
    with changing():
        lio.kernel.mkdir(str(folder / "x"))
    assert (
        storage_info.creation_arguments(
            lio, StorageObject("ramdisk", "x", 0, str(pyshell.configfs))
        )
        is None
    )


def test_a_half_made_object_is_shown_and_can_be_deleted(pyshell: Pyshell) -> None:
    folder = pyshell.configfs / "core" / "rd_mcp_0"
    lio = pyshell.open()
    with changing():
        lio.kernel.mkdir(str(folder))
    with changing():
        lio.kernel.mkdir(str(folder / "x"))
    assert "[INCOMPLETE: never configured]" in pyshell.line("ls").done().out
    pyshell.must("saveconfig", "/backstores/ramdisk/x info", "/backstores/ramdisk delete x")
    assert not folder.exists()


def test_clearing_removes_folders_that_hold_nothing(pyshell: Pyshell) -> None:
    with changing():
        pyshell.open().kernel.mkdir(str(pyshell.configfs / "core" / "rd_mcp_0"))
    pyshell.must("clearconfig confirm=true")
    assert not (pyshell.configfs / "core" / "rd_mcp_0").exists()
