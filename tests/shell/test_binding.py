# SPDX-License-Identifier: Apache-2.0
"""Binding the words of a line to a command's parameters."""

from __future__ import annotations

from typing import Any

import pytest

from pyshell.errors import UsageError
from pyshell.shell.binding import bind, nearest
from pyshell.shell.grammar import split
from pyshell.tree.command import BOOL, NUMBER, TEXT, Command, Param

CREATE = Command(
    "create",
    "",
    (
        Param("name", TEXT, "", required=True),
        Param("size", NUMBER, "", required=True),
        Param("sparse", BOOL, "", default=True, aliases=("thin",)),
    ),
)
GET = Command("get", "", (Param("group", TEXT, ""),), rest=Param("parameter", TEXT, ""))
SET = Command("set", "", (Param("group", TEXT, ""),), named_rest=Param("parameter", TEXT, ""))


def bound(described: Command, line: str) -> dict[str, Any]:
    """Bind the words of a line."""
    return bind(described, split(line), len(line))


@pytest.mark.parametrize(
    "line",
    [
        "a 5",
        "a size=5",
        "name=a size=5",
        "size=5 name=a",
        "size=5 a",
        "name=a 5",
        "a 5 true",
        "a 5 sparse=yes",
        "a 5 thin=on",
        "'a' '5'",
    ],
)
def test_values_by_place_and_by_name(line: str) -> None:
    assert bound(CREATE, line) == {"name": "a", "size": 5, "sparse": True}


def test_the_rest_is_gathered() -> None:
    assert bound(GET, "attribute a b") == {"group": "attribute", "rest": ["a", "b"]}
    assert bound(GET, "") == {"group": None, "rest": []}


def test_named_words_are_gathered() -> None:
    found = bound(SET, "auth userid=a password='b c'")
    assert found == {"group": "auth", "named": {"userid": "a", "password": "b c"}}


@pytest.mark.parametrize(
    ("described", "line", "column", "message"),
    [
        (CREATE, "", 0, "Missing required parameters name, size."),
        (CREATE, "a", 1, "Missing required parameter size."),
        (CREATE, "a 5 true x", 9, "'x' is one argument too many for create."),
        (CREATE, "a 5 siz=3", 4, "create has no parameter 'siz'."),
        (CREATE, "a size=5 size=6", 9, "size is given twice."),
        (CREATE, "a 5 sparse=1 thin=1", 13, "sparse is given twice."),
        (CREATE, "a x", 2, "size: 'x' is not a number."),
        (CREATE, "a size=x", 7, "size: 'x' is not a number."),
        (CREATE, "a 5 perhaps", 4, "sparse: 'perhaps' is neither true nor false."),
        (SET, "auth a=1 a=2", 9, "a is given twice."),
        (SET, "auth more", 5, "'more' is one argument too many for set."),
    ],
)
def test_a_fault_is_told_with_its_column(
    described: Command, line: str, column: int, message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        bound(described, line)
    assert (caught.value.message, caught.value.column) == (message, column)


def test_the_nearest_word_is_offered() -> None:
    assert nearest("crate", ["create", "delete"]) == "Did you mean create?"
    assert nearest("zzz", ["create", "delete"]) == ""
