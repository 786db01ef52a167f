# SPDX-License-Identifier: Apache-2.0
"""What may come at the cursor, told from the line alone."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from pyshell.shell.binding import bind
from pyshell.shell.completion import (
    CommandName,
    Expected,
    ParameterName,
    Path,
    Value,
    Wanted,
    expected,
)
from pyshell.shell.grammar import parse
from pyshell.tree.command import BOOL, DEVICE, GROUP, PATH, TEXT, Command, Param

NAME = Param("name", TEXT, "Its name.", required=True)
DEV = Param("dev", DEVICE, "Its device.", required=True, aliases=("device",))
READONLY = Param("readonly", BOOL, "Whether to refuse writes.")
CREATE = Command("create", "Create.", (NAME, DEV, READONLY))
GROUP_PARAM = Param("group", GROUP, "A group.")
SETTING = Param("parameter", TEXT, "A parameter.")
SHOW = Param("show_secrets", TEXT, "Whether to.")
SET = Command("set", "Set.", (GROUP_PARAM,), named_rest=SETTING)
GET = Command("get", "Get.", (GROUP_PARAM,), rest=SETTING, named_rest=SHOW)
LS = Command("ls", "List.", (Param("path", PATH, "Where."),))
PWD = Command("pwd", "Where am I?")
HERE = {c.name: c for c in (SET, GET, LS, PWD)}
BLOCK = {**HERE, "create": CREATE}


def commands_at(path: str | None) -> Mapping[str, Command]:
    return BLOCK if path in ("/block", "a b/block", "@block", "/b/*") else HERE


def value(param: Param, prefix: str, command: Command, name: str = "", /, **given: str) -> Value:
    return Value(param, prefix, command, given, name)


def names(prefix: str, command: Command, **given: str) -> ParameterName:
    return ParameterName(prefix, command, given)


@pytest.mark.parametrize(
    ("line", "start", "kinds"),
    [
        ("", 0, [CommandName(""), Path("")]),
        ("   ", 3, [CommandName(""), Path("")]),
        ("l", 0, [CommandName("l"), Path("l")]),
        ("  l", 2, [CommandName("l"), Path("l")]),
        ("/", 0, [Path("/")]),
        ("/bl", 0, [Path("/bl")]),
        ("iscsi/iqn", 0, [Path("iscsi/iqn")]),
        ("..", 0, [Path("..")]),
        ("@bo", 0, [Path("@bo")]),
        ("portals/[::0]:32", 0, [Path("portals/[::0]:32")]),
        ("'/a b/c", 0, [Path("/a b/c")]),
        ('"/a b/c', 0, [Path("/a b/c")]),
        ('"/a\\', 0, [Path("/a\\")]),
        ("/a\\ b/c", 0, [Path("/a b/c")]),
        ("/a\\", 0, [Path("/a\\")]),
    ],
)
def test_the_first_word(line: str, start: int, kinds: list[Wanted]) -> None:
    assert expected(line, commands_at) == Expected(start, tuple(kinds))


@pytest.mark.parametrize(
    ("line", "start", "path", "prefix"),
    [
        ("/block ", 7, "/block", ""),
        ("/block  cr", 8, "/block", "cr"),
        ("'a b/block' cr", 12, "a b/block", "cr"),
        ("@block cr", 7, "@block", "cr"),
        ("/b/* cr", 5, "/b/*", "cr"),
        ("portals/[::0]:3260 del", 19, "portals/[::0]:3260", "del"),
    ],
)
def test_a_command_after_a_path(line: str, start: int, path: str, prefix: str) -> None:
    assert expected(line, commands_at) == Expected(start, (CommandName(prefix),), path)


@pytest.mark.parametrize(
    ("line", "start", "kinds"),
    [
        ("/block create ", 14, [value(NAME, "", CREATE), names("", CREATE)]),
        ("/block create na", 14, [value(NAME, "na", CREATE), names("na", CREATE)]),
        ("/block create 'n", 14, [value(NAME, "n", CREATE)]),
        ("/block create name=", 19, [value(NAME, "", CREATE)]),
        ("/block create dev=/de", 18, [value(DEV, "/de", CREATE)]),
        ("/block create device=/de", 21, [value(DEV, "/de", CREATE)]),
        ("/block create dev='/dev/a b", 18, [value(DEV, "/dev/a b", CREATE)]),
        ("/block create a ", 16, [value(DEV, "", CREATE, name="a"), names("", CREATE, name="a")]),
        (
            "/block create dev=x ",
            20,
            [value(NAME, "", CREATE, dev="x"), names("", CREATE, dev="x")],
        ),
        (
            "/block create name=a /d",
            21,
            [value(DEV, "/d", CREATE, name="a"), names("/d", CREATE, name="a")],
        ),
        ("/block create a b readonly=t", 27, [value(READONLY, "t", CREATE, name="a", dev="b")]),
        ("/block create a b true ", 23, []),
        ("/block create name=a name=b", 26, []),
        ("/block create nmae=b", 19, []),
        ("ls /b", 3, [value(LS.params[0], "/b", LS), names("/b", LS)]),
        ("pwd ", 4, []),
        ("nonsense ", 9, []),
        ("name=value", 10, []),
    ],
)
def test_arguments(line: str, start: int, kinds: list[Wanted]) -> None:
    found = expected(line, commands_at)
    assert (found.start, found.kinds) == (start, tuple(kinds))


@pytest.mark.parametrize(
    ("line", "kinds"),
    [
        ("set ", [value(GROUP_PARAM, "", SET), names("", SET)]),
        ("set auth ", [names("", SET, group="auth")]),
        ("set auth userid=", [value(SETTING, "", SET, "userid", group="auth")]),
        ("set auth userid=a us", [names("us", SET, group="auth", userid="a")]),
        ("set auth userid=a userid=", []),
        ("get auth ", [value(SETTING, "", GET, group="auth"), names("", GET, group="auth")]),
        (
            "get auth userid pass",
            [
                value(SETTING, "pass", GET, group="auth", userid="userid"),
                names("pass", GET, group="auth", userid="userid"),
            ],
        ),
    ],
)
def test_parameters_of_groups(line: str, kinds: list[Wanted]) -> None:
    assert expected(line, commands_at).kinds == tuple(kinds)


@pytest.mark.parametrize("line", ["#", "ls # c", "ls  #", "# ls /"])
def test_nothing_in_a_comment(line: str) -> None:
    assert expected(line, commands_at) == Expected(len(line))


@pytest.mark.parametrize("line", ["ls a#", "ls '#"])
def test_a_number_sign_within_a_word_is_no_comment(line: str) -> None:
    assert expected(line, commands_at).kinds != ()


@pytest.mark.parametrize(
    "arguments",
    ["a /dev/x", "dev=/dev/x a", "name=a /dev/x true", "readonly=no a /dev/x", "device=/dev/x a"],
)
def test_words_are_given_to_parameters_as_for_running(arguments: str) -> None:
    line = parse(f"create {arguments}")
    bound = bind(CREATE, line.arguments, len(line.text))
    left = [p.name for p in CREATE.params if bound[p.name] is None]
    kinds = expected(f"/block {line.text} ", commands_at).kinds
    offered = [kind.param.name for kind in kinds if isinstance(kind, Value)]
    assert offered == left
    given = next((k.given for k in kinds if isinstance(k, Value)), None)
    assert given is None or set(given) == set(bound) - set(left)
