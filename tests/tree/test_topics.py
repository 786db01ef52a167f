# SPDX-License-Identifier: Apache-2.0
"""The topics of help: each can be read, and its examples do what they show."""

from __future__ import annotations

import re

import pytest

from driver import Pyshell
from pyshell.tree import topics

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


def test_what_is_neither_command_nor_topic_is_told(pyshell: Pyshell) -> None:
    ran = pyshell("help", "nosuch")
    assert ran.status == 3
    assert "Cannot find help topic nosuch." in ran.err
    assert "chap" in ran.err


def test_at_a_terminal_a_topic_is_laid_out(
    pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    out = pyshell("help", "chap", terminal=True).done().out
    assert "CHAP" in out
    assert "# CHAP" not in out
    assert "`" not in out
