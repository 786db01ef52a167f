# SPDX-License-Identifier: Apache-2.0
"""Kinds of values, and what is known of every command."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Annotated, Any

import pytest

from pyshell import tree
from pyshell.errors import UsageError
from pyshell.lio import settings
from pyshell.shell.grammar import parse
from pyshell.tree import command
from pyshell.tree.command import TOLERANCES, Command, Param
from pyshell.tree.node import Node
from pyshell.tree.root import kinds


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (settings.boolean, "true", True),
        (settings.boolean, " OFF ", False),
        (command.number, "0", 0),
        (command.number, "0042", 42),
        (command.lun_number, "3", 3),
        (command.lun_number, "lun3", 3),
        (command.lun_number, "LUN65535", 65535),
        (command.lun_number, "mapped_lun7", 7),
        (command.tag_number, "1", 1),
        (command.tag_number, "tpg65535", 65535),
        (command.plain_text, " as it is ", " as it is "),
        (command.choice("a", "b").parse, "b", "b"),
        (command.SIZE_TEXT.parse, "1M", (1 << 20, "1M")),
    ],
)
def test_values_are_read(read: Callable[[str], Any], text: str, value: object) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (settings.boolean, ""),
        (settings.boolean, "truee"),
        (command.number, ""),
        (command.number, "-1"),
        (command.number, "1.0"),
        (command.number, "٣"),
        (command.lun_number, "65536"),
        (command.lun_number, "lun"),
        (command.lun_number, "lun-1"),
        (command.lun_number, "lunx"),
        (command.tag_number, "0"),
        (command.tag_number, "65536"),
        (command.tag_number, "tpg"),
        (command.choice("a", "b").parse, "c"),
    ],
)
def test_what_is_no_value_is_refused(read: Callable[[str], Any], text: str) -> None:
    with pytest.raises(UsageError):
        read(text)


def test_an_incomplete_annotation_is_named() -> None:
    @command.command()
    def half(node: Node, ratio: Annotated[float, "A ratio."]) -> None:
        """Do something."""

    @command.command()
    def bare(node: Node, count: int) -> None:
        """Do something."""

    for function, parameter in ((half, "ratio"), (bare, "count")):
        with pytest.raises(TypeError, match=f"parameter {parameter}: write Annotated"):
            command.declaration(function)


def test_the_signature_tells_the_syntax() -> None:
    described = Command(
        "create",
        "",
        (Param("name", command.TEXT, "", required=True), Param("size", command.SIZE, "")),
        rest=Param("more", command.TEXT, ""),
        named_rest=Param("option", command.TEXT, ""),
    )
    assert described.signature == "create name [size] [more...] [option=value...]"


# Every command of every kind of node


for _found in pkgutil.iter_modules(tree.__path__, "pyshell.tree."):
    importlib.import_module(_found.name)  # a run loads only the kinds that it shows


COMMANDS: dict[str, tuple[type[Node], Command]] = {
    f"{kind.__name__} {described.name}": (kind, described)
    for kind in kinds()
    for described in kind.commands().values()
}


@pytest.mark.parametrize(("kind", "described"), COMMANDS.values(), ids=COMMANDS)
def test_a_command_is_described_as_its_method_is_written(
    kind: type[Node], described: Command
) -> None:
    _, *named = inspect.signature(kind.commands().function(described.name)).parameters
    own = [name.rstrip("_") for name in named]  # from_ for a word of Python
    tolerated = {p.name for every in TOLERANCES.values() for p in every}  # the shell sees to these
    wanted = {p.name for p in described.params if p.name in own or p.name not in tolerated}
    wanted |= {"rest"} if described.rest else set()
    wanted |= {"named"} if described.named_rest else set()
    assert set(own) == wanted
    assert described.summary.endswith(".")
    assert all(param.help.endswith(".") for param in described.params)


EXAMPLES = [
    (described, example) for _, described in COMMANDS.values() for example in described.examples
]


@pytest.mark.parametrize(("described", "example"), EXAMPLES, ids=[text for _, text in EXAMPLES])
def test_an_example_is_a_line_of_its_command(described: Command, example: str) -> None:
    line = parse(example)
    assert line.command is not None
    assert line.command.text == described.name


def test_the_kinds_of_node_are_all_known() -> None:
    names = {kind.__name__ for kind, _ in COMMANDS.values()}
    assert {"RootNode", "BlockNode", "TargetNode", "NodeAclNode", "PortalNode"} <= names


def test_every_method_of_a_command_is_described() -> None:
    for kind in kinds():
        methods = {name for name in vars(kind) if name.startswith("ui_command_")}
        assert methods <= {f"ui_command_{name}" for name in kind.commands()}
