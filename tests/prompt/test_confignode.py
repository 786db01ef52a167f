# SPDX-License-Identifier: Apache-2.0
"""At the prompt, the nodes of the tree are configshell's as well; elsewhere they are not."""

from __future__ import annotations

import pytest
from configshell import ConfigNode

from driver import Pyshell
from pyshell.prompt.confignode import as_configshell
from pyshell.tree import root
from pyshell.tree.node import Node


@pytest.fixture
def at_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nodes created as at the prompt."""
    monkeypatch.setattr(Node, "kind", as_configshell)


@pytest.mark.usefixtures("at_prompt")
@pytest.mark.parametrize("kind", list(root.kinds()))
def test_each_class_has_a_derived_one(kind: type[Node]) -> None:
    made = as_configshell(kind)
    assert issubclass(made, kind)
    assert issubclass(made, ConfigNode)
    assert as_configshell(made) is as_configshell(kind) is made
    assert list(made.commands()) == list(kind.commands())


@pytest.mark.usefixtures("at_prompt")
def test_derived_classes_are_no_kinds_of_nodes() -> None:
    before = list(root.kinds())
    for kind in before:
        as_configshell(kind)
    assert list(root.kinds()) == before


def test_commands_print_the_same(target: Pyshell, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ("ls /", "/iscsi status", "help", "/iscsi info", "get global")
    before = target.must(*lines)
    monkeypatch.setattr(Node, "kind", as_configshell)
    assert target.must(*lines) == before
