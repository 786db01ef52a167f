# SPDX-License-Identifier: Apache-2.0
"""The files under the simulated kernel: built aside, changed in one step, kept when unseen."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from pyshell.simulator.recorded import RecordedFile, Template
from pyshell.simulator.tree_files import TreeFiles

GROUP = Template(
    ("attrib",), {"attrib/x": RecordedFile(0o444, "{x}\n"), "y": RecordedFile(0o644, "")}
)


@pytest.fixture
def tree(_folder: Path) -> TreeFiles:
    """Return a tree with one group in it."""
    tree = TreeFiles(_folder)
    tree.prepare()
    tree.grow("", Template(), {})
    tree.grow("group", GROUP, {"x": 7})
    return tree


def test_a_group_appears_whole(tree: TreeFiles) -> None:
    assert tree.text("group/attrib/x") == "7\n"
    assert (tree.mode("group/attrib/x"), tree.mode("group/y")) == (0o444, 0o644)
    assert (tree.groups("group"), tree.groups("nothing")) == (["attrib"], [])


@pytest.mark.parametrize("texts", [("8\n", "", "9\n"), ("a long text\n", "b\n"), ("é", "")])
def test_a_text_is_replaced_and_the_mode_kept(tree: TreeFiles, texts: tuple[str, ...]) -> None:
    for text in texts:
        tree.put("group/attrib/x", text)
        assert (tree.text("group/attrib/x"), tree.mode("group/attrib/x")) == (text, 0o444)


def test_an_open_file_keeps_the_old_text(tree: TreeFiles) -> None:
    with open(tree.path("group/attrib/x"), encoding="utf-8") as file:
        tree.put("group/attrib/x", "a longer text\n")
        assert file.read() == "7\n"


def test_the_same_text_is_not_written(tree: TreeFiles) -> None:
    before = os.stat(tree.path("group/attrib/x"))
    tree.put("group/attrib/x", "7\n")
    assert os.stat(tree.path("group/attrib/x")) == before


def test_removing_a_group_removes_its_hidden_facts(tree: TreeFiles) -> None:
    tree.remember("group", {"a": 1})
    tree.remember("group/below/it", {"b": 2})
    tree.fell("group")
    assert not tree.exists("group")
    assert (tree.facts("group"), tree.facts("group/below/it")) == ({}, {})


def test_a_new_group_inherits_nothing_from_a_half_removed_one(tree: TreeFiles) -> None:
    tree.remember("new", {"links": ["left over"]})
    tree.grow("new", GROUP, {"x": 1})
    assert tree.facts("new") == {}


def test_links_lead_up_to_the_mount(tree: TreeFiles) -> None:
    tree.link("group", "group/attrib/link")
    assert os.readlink(tree.path("group/attrib/link")) == "../../../target/group"
    assert tree.source("group/attrib/link") == "group"
    assert (tree.links("group/attrib"), tree.is_group("group/attrib/link")) == (["link"], False)


def test_counters_never_return_a_number_twice(tree: TreeFiles) -> None:
    assert [tree.count("a"), tree.count("a"), tree.count("b")] == [1, 2, 1]


def test_only_the_owner_can_read_hidden_facts(tree: TreeFiles) -> None:
    tree.remember("group", {"secret": 1})
    hidden = Path(tree.configfs).parents[1] / "hidden" / "group.json"
    assert stat.S_IMODE(hidden.stat().st_mode) == 0o600
