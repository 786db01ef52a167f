# SPDX-License-Identifier: Apache-2.0
"""Flags are given by name: only what targetcli takes as a bare word may be one (finding 16)."""

from __future__ import annotations

import pytest

from driver import Pyshell
from pyshell.commands import help
from pyshell.tree.command import BOOL

BARE_IN_TARGETCLI = {
    "acls create add_mapped_luns",
    "block create exclusive",
    "block create readonly",
    "clearconfig confirm",
    "delete save",
    "fileio create sparse",
    "fileio create write_back",
    "luns create add_mapped_luns",
    "mapped_lun create write_protect",
    "ramdisk create nullio",
    "restoreconfig clear_existing",
}


@pytest.mark.parametrize("word", ["true", "false", "yes"])
def test_a_bare_word_does_not_turn_takeover_round(pyshell: Pyshell, word: str) -> None:
    pyshell.prepare("pwd")
    before = pyshell.files()
    ran = pyshell.line(f"takeover {word}")
    assert (ran.status, pyshell.files()) == (2, before)


def test_flags_are_named_unless_targetcli_takes_them_bare() -> None:
    bare = {
        f"{where} {described.name} {param.name}"
        for where, described in help._commands()
        for param in described.params
        if param.kind is BOOL and not (param.named_only or param.required)
    }
    known = {tuple(one.split()[-2:]) for one in BARE_IN_TARGETCLI}
    assert {tuple(one.split()[-2:]) for one in bare} - known == set()


@pytest.mark.parametrize(
    "line",
    ["apply FILE true", "saveconfig FILE true", "export / true", "/backstores/block/a resize 1G 1"],
)
def test_dangerous_flags_are_never_a_bare_word(pyshell: Pyshell, line: str) -> None:
    pyshell.prepare("/backstores/block create a /dev/sdb", "saveconfig")
    before = pyshell.tree()
    ran = pyshell.line(line.replace("FILE", str(pyshell.saved_file)))
    assert (ran.status, pyshell.tree()) == (2, before)
