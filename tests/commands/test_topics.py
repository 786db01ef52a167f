# SPDX-License-Identifier: Apache-2.0
"""The topics of help: each can be read, and its examples do what they show."""

from __future__ import annotations

import re

import pytest

from driver import Pyshell
from pyshell.commands import help, topics
from pyshell.tree.node import Node
from pyshell.tree.root import RootNode, kinds

EXAMPLES = {
    name: re.search(r"^```\n(.*?)^```$", topics.text(name), re.MULTILINE | re.DOTALL)
    for name in topics.names()
}


@pytest.mark.parametrize("name", topics.names())
def test_the_examples_of_a_topic_run(pyshell: Pyshell, name: str) -> None:
    found = EXAMPLES[name]
    assert found is not None
    lines = found.group(1).splitlines()
    assert len(lines) > 2
    pyshell.batch(lines).done()


@pytest.mark.parametrize("word", ["chap", "CHAP", "acl", "TPG", "demo_mode", "portals", "wwn"])
def test_a_topic_has_more_than_one_name(pyshell: Pyshell, word: str) -> None:
    known = topics.known(word)
    assert known is not None
    assert pyshell("help", word).done().out == topics.text(known)


def test_help_lists_the_topics(pyshell: Pyshell) -> None:
    assert f"Topics: {', '.join(topics.names())}." in pyshell("help").done().lines


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("help attribute block_size", "  attribute block_size, of /backstores/BACKSTORE/NAME"),
        ("help block_size", "  attribute block_size, of /backstores/BACKSTORE/NAME"),
        ("/iscsi help write_protect", "of /FABRIC/TARGET/tpgN/acls/INITIATOR/mapped_lunN"),
        ("help create", "  /FABRIC create [wwn] ["),
        ("/backstores help luns", "# LUNs"),
        ("help auto_save_on_exit", "  auto_save_on_exit (true by default)"),
        ("help discovery_auth enable", "auth enable, of"),
        ("/backstores/block help unshare", "  / unshare device [to]"),
        ("help fstrim", "  discard: "),
        ("help /iscsi create", "create [wwn] ["),
        ("/iscsi help ../backstores/block", "Commands at /backstores/block:"),
        ("help read-only", "# Read-only disks"),
        ("help replacing a disk", "# Replacing a disk"),
        ("help candidate", "`abort` drops the candidate."),
        ("help moving", "saves it with the targets that export it"),
        ("help identity", "cannot both be kept"),
        ("help vendor", "# Identity of a disk"),
        ("help serial", "# Identity of a disk"),
        ("help reservations", "`reserve INITIATOR type=write_exclusive` reserves the disk"),
        ("help targetcli", "`create` enables discard"),
        ("help coming from targetcli", "# Coming from targetcli"),
        ("share --help", "share device to "),
        ("/iscsi create wwn=x --help", "create [wwn] ["),
    ],
)
def test_help_finds_commands_settings_and_topics_from_anywhere(
    pyshell: Pyshell, line: str, told: str
) -> None:
    """Finding 32."""
    assert told in pyshell.line(line).done().out


def test_every_kind_of_node_is_found_by_help() -> None:
    known = set(help._NODES)
    offering = {kind.__name__ for kind in kinds(Node) if kind.commands()}
    assert known <= offering
    private = {
        "MergedTargetNode",
        "BackstoreNode",
        "_AllUserNode",
        "SimulatedRootNode",
        "ObjectNode",
    }
    inner = {kind.__name__ for kind in RootNode.__mro__} - {"RootNode"}
    assert offering - known - private - inner == set()


def test_a_mistyped_word_is_corrected(pyshell: Pyshell) -> None:
    ran = pyshell.line("help blok_size")
    assert (ran.status, "Did you mean block_size?" in ran.err) == (3, True)


def test_what_is_neither_command_nor_topic_is_told(pyshell: Pyshell) -> None:
    ran = pyshell("help", "nosuch")
    assert ran.status == 3
    assert "Cannot find help topic nosuch." in ran.err
    assert "'help' lists commands and topics." in ran.err


def test_at_a_terminal_a_topic_is_laid_out(
    pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    out = pyshell("help", "chap", terminal=True).done().out
    assert "CHAP" in out
    assert "# CHAP" not in out
    assert "`" not in out
