# SPDX-License-Identifier: Apache-2.0
"""Every act of a command on the kernel is refused in turn: what is left then, and what is said.

Afterwards the target is as before, or the error names what differs; either way the command (or
`apply` of the saved file) works once nothing is refused any more. Here some acts of each command
are refused; all of them, with each error, are by

    PYSHELL_TEST_FAULTS=all python -m pytest tests/test_faults.py
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell
from foldercopy import Copy, Snapshot
from pyshell.simulator import Simulator

ACL = f"{TPG}/acls/{CLIENT}"
OTHER = "iqn.2020-07.com.example:other"
NAA = "naa.5001405000000001"
ACTS = ("write", "mkdir", "rmdir", "symlink", "unlink")
ALL = os.environ.get("PYSHELL_TEST_FAULTS") == "all"
ERRORS = (errno.EBUSY, errno.EIO, errno.EINVAL) if ALL else (errno.EBUSY,)
COMMANDS = {
    "share": "share /dev/sdb to=iqn.2020-07.com.example:third target=iqn.2020-07.com.example:new",
    "unshare": "unshare /dev/mapper/lee-lee.lv",
    "delete storage object": "/backstores/ramdisk delete memory",
    "delete ALUA group": "/backstores/ramdisk/memory/alua delete group",
    "delete LUN": f"{TPG}/luns delete 0",
    "delete mapped LUN": f"{ACL} delete 3",
    "delete node ACL": f"{TPG}/acls delete {CLIENT}",
    "delete portal": f"{TPG}/portals delete 0.0.0.0 3260",
    "delete TPG": f"/iscsi/{SERVER} delete 1",
    "delete target": f"/iscsi delete {SERVER}",
    "delete nexus target": f"/loopback delete {NAA}",
    "rename storage object": "/backstores/block/lee_block rename other",
    "rename target": f"/iscsi/{SERVER} rename {OTHER}",
    "rename nexus target": f"/loopback/{NAA} rename naa.5001405000000002",
    "rename TPG": f"{TPG} rename 2",
    "rename node ACL": f"{ACL} rename iqn.2020-07.192.168.56.105:new",
    "rename LUN": f"{TPG}/luns/lun3 rename 4",
    "rename mapped LUN": f"{ACL}/mapped_lun3 rename 4",
    "replace": "/backstores/block/lee_block replace dev=/dev/sdb force=true",
    "apply": "apply {other} prune=true",
    "rollback": "rollback 1",
    "restore": "restoreconfig {other} clear_existing=true",
    "undo": "undo",
    "undo several": "undo 16",
}


def made(pyshell: Pyshell) -> Path:
    """Make a target to change, a revision and an undo entry; return another configuration."""
    saved = pyshell.saved_file
    pyshell.prepare(
        f"/iscsi create {SERVER}",
        "/backstores/block create name=lee_block dev=/dev/mapper/lee-lee.lv",
        f"{TPG}/acls create {CLIENT}",
        f"{TPG}/luns create /backstores/block/lee_block lun=0",
        "saveconfig",
        "/backstores/ramdisk create memory 1M",
        "/backstores/ramdisk/memory/alua create group 5",
        f"{TPG}/luns create /backstores/ramdisk/memory 3",
        f"{TPG}/luns/lun3 set alua alua_tg_pt_gp_name=group",
        f"{ACL} delete 3",
        f"{ACL} create 3 3 write_protect=true",
        f"/loopback create {NAA}",
        f"/loopback/{NAA}/luns create /backstores/ramdisk/memory",
        f"{TPG} set attribute login_timeout=20",
        "saveconfig",
        f"/iscsi delete {SERVER}",
        f"apply {saved}",
    )
    other = pyshell.folder.parent / "other.json"
    document = saved.read_text()
    other.touch(0o600)
    other.write_text(document.replace(SERVER, OTHER).replace('"group"', '"another"'))
    return other


@contextmanager
def refusing(number: int, code: int, *, lasting: bool = False) -> Iterator[list[str]]:
    """Refuse the act of that number, counted from 0, or all from there on; yield those asked for.

    The simulator refuses it as the kernel would, before it has done anything.
    """
    acts: list[str] = []
    kept = {name: getattr(Simulator, name) for name in ACTS}

    def guarded(name: str) -> Callable[..., Any]:
        def act(simulator: Simulator, *words: str) -> Any:
            path = words[0] if name != "symlink" else words[1]
            acts.append(f"{name} {path}")
            here = len(acts) - 1
            if here == number or (lasting and here > number):
                raise OSError(code, os.strerror(code), path)
            return kept[name](simulator, *words)

        return act

    for name in ACTS:
        setattr(Simulator, name, guarded(name))
    try:
        yield acts
    finally:
        for name in ACTS:
            setattr(Simulator, name, kept[name])


class Tries:
    """One command, tried again and again from the same state."""

    def __init__(self, pyshell: Pyshell, name: str) -> None:
        self.other = made(pyshell)
        self._pyshell = pyshell
        self._kept = Copy(Snapshot.of(pyshell.folder), pyshell.folder)
        self.line = COMMANDS[name].format(other=self.other)
        self.before = tree(pyshell)
        with refusing(-1, 0) as acts:
            assert self._pyshell.line(self.line).status == 0
        self.acts = len(acts)
        self.after = tree(pyshell)

    def again(self) -> None:
        """Return to the state before the command."""
        self._kept.restore()


def tree(pyshell: Pyshell) -> dict[str, str]:
    """Return what a running configuration comes to: all of configfs but counters and numbers.

    The members of a group have no order of their own.
    """
    found = pyshell.tree()
    left_out = ("statistics/", "fabric_statistics/", "/nexus", "inst", "indx")
    return {
        path: _sorted(text) if path.endswith("/members") else text
        for path, text in found.items()
        if not any(w in path for w in left_out)
    }


def _sorted(text: str) -> str:
    """Return a file's mode and lines with the lines sorted."""
    mode, _, lines = text.partition(" ")
    return "\n".join([mode, *sorted(lines.split("\n"))])


def numbers(acts: int, *, lasting: bool) -> list[int]:
    """Return which acts to refuse: all if asked for, else one in the middle, and the last."""
    if ALL:
        return list(range(acts))
    return [acts // 2] if lasting else sorted({acts // 2, acts - 1})


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "lasting"])
@pytest.mark.parametrize("name", COMMANDS)
def test_finding_57_after_a_refused_act_the_target_is_as_before_or_the_error_names_it(
    pyshell: Pyshell, name: str, lasting: bool
) -> None:
    tries = Tries(pyshell, name)
    assert tries.acts > 0
    for code in ERRORS[:1] if lasting else ERRORS:
        for number in numbers(tries.acts, lasting=lasting):
            tries.again()
            with refusing(number, code, lasting=lasting) as acts:
                ran = pyshell.line(tries.line)
            what = f"{tries.line}: act {number} of {tries.acts} refused ({acts[number]}): {ran}"
            assert "Traceback" not in ran.err, what
            left = tree(pyshell)
            if ran.status == 0:
                assert differing(tries.after, left) == [], what
            elif differing(tries.before, left):
                assert lasting or name == "restore", what
                assert any(words in ran.err for words in NAMING), what
            pyshell.must(f"apply {pyshell.saved_file} prune=true")
            again = pyshell.line("diff")
            assert again.status == 0, (what, again.out)


# How an error tells what differs: from "could not delete LUN 3 of …", "…, and LUN 3 of … exports
# nothing now", "/iscsi/…: cannot …, skipped".
NAMING = ("Undoing was not complete: could not ", ", and ", ", skipped")


def differing(one: dict[str, str], other: dict[str, str]) -> list[str]:
    """Return the paths that are different, but for serial numbers and adapters without an object.

    An adapter that cannot be removed is in nobody's way, and the command says that it is left.
    """
    found = sorted(p for p in one.keys() | other.keys() if one.get(p) != other.get(p))
    return [p for p in found if "/hba_" not in p and p.count("/") > 1 and "/wwn/" not in p]
