# SPDX-License-Identifier: Apache-2.0
"""`list`: objects as rows, with columns, comparisons, an order and output formats."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell, Ran
from pyshell.commands.tables import list_
from pyshell.commands.tables.kinds import KINDS
from pyshell.lio.configfs import Kernel
from pyshell.shell.completion.sources import complete
from pyshell.shell.options import Options
from pyshell.shell.preference_files import Preferences
from pyshell.shell.shell import Shell
from pyshell.tree.command import declaration

RAMDISKS = {"one": "1M", "two": "2M", "three": "3M"}


@pytest.fixture
def several(exported: Pyshell) -> Pyshell:
    """Return pyshell where there are ramdisks, of which the first is exported, too."""
    exported.prepare(
        *(f"/backstores/ramdisk create {name} {size}" for name, size in RAMDISKS.items()),
        f"{TPG}/luns create /backstores/ramdisk/one",
    )
    return exported


def rows(ran: Ran) -> list[list[str]]:
    """Return what tsv has printed."""
    return [line.split("\t") for line in ran.done().lines]


def listed(pyshell: Pyshell, *words: str) -> list[str]:
    """Return the first column of rows without headings."""
    return [row[0] for row in rows(pyshell("-o", "tsv", "list", *words, "headings=false"))]


@pytest.mark.parametrize("kind", KINDS)
def test_every_column_of_every_kind_has_a_value_of_its_kind(several: Pyshell, kind: str) -> None:
    several.must(f"login {CLIENT}")
    columns = KINDS[kind].columns
    found = several("-o", "json", "list", kind, f"columns={','.join(columns)}").done().json
    assert found["schema"] == 1
    assert found["result"]
    types = {"text": str, "number": int, "size": int, "flag": bool}
    for row in found["result"]:
        assert list(row) == list(columns)
        for name, value in row.items():
            assert value is None or type(value) is types[columns[name].kind]
            assert isinstance(value, str) or name != KINDS[kind].name


def test_columns_are_shown_as_given(several: Pyshell) -> None:
    ran = several("-o", "tsv", "list", "luns", "columns=size,lun,storage_object")
    assert rows(ran) == [
        ["size", "lun", "storage_object"],
        ["21474836480", "0", "block/lee_block"],
        ["1048576", "1", "ramdisk/one"],
    ]


def test_a_table_has_headings_and_sizes_in_units(
    several: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("list", "luns", "columns=lun,size,storage_object")
    assert several(*words).done().lines == [
        "lun     size  storage_object",
        "  0  20.0GiB  block/lee_block",
        "  1   1.0MiB  ramdisk/one",
    ]
    assert several("-o", "table", *words).done() == several("-o", "text", *words).done()
    assert len(several(*words, "headings=false").done().lines) == 2
    monkeypatch.setenv("TERM", "xterm")
    at_terminal = several(*words, "headings=false", terminal=True).done().lines
    assert at_terminal == several(*words, terminal=True).done().lines[2:]


def test_jsonl_has_a_document_on_each_line(several: Pyshell) -> None:
    lines = several("list", "acls", "-o", "jsonl", "columns=initiator,mappings").done().lines
    assert [json.loads(line) for line in lines] == [{"initiator": CLIENT, "mappings": 2}]


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("luns", [f"{TPG}/luns/lun0", f"{TPG}/luns/lun1"]),
        ("targets", [f"/iscsi/{SERVER}"]),
        ("tpgs", [TPG]),
        ("acls", [f"{TPG}/acls/{CLIENT}"]),
        ("mappings", [f"{TPG}/acls/{CLIENT}/mapped_lun{n}" for n in (0, 1)]),
        ("portals", [f"{TPG}/portals/0.0.0.0:3260"]),
        ("sessions", []),
    ],
)
def test_name_prints_only_paths(several: Pyshell, kind: str, names: list[str]) -> None:
    lines = several("-o", "name", "list", kind).done().lines
    assert lines == names
    for line in lines:
        several(line, "pwd").done()


def test_nothing_is_an_empty_list(pyshell: Pyshell) -> None:
    assert pyshell("-o", "json", "list", "luns").done().json == {"schema": 1, "result": []}
    for form in ("jsonl", "name"):
        assert pyshell("-o", form, "list", "luns").done().out == ""
    assert len(pyshell("-o", "tsv", "list", "luns").done().lines) == 1
    assert pyshell("list", "luns", "headings=false").done().out == ""


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("name=two", ["two"]),
        ("name!=two", ["lee_block", "one", "three"]),
        ("name~^T", ["three", "two"]),
        ("name!~^T", ["lee_block", "one"]),
        ("size>1M", ["lee_block", "three", "two"]),
        ("size>=2M,size<=3MiB", ["three", "two"]),
        ("size<2097152", ["one"]),
        ("size=1M", ["one"]),
        ("luns=0", ["three", "two"]),
        ("device=", ["one", "three", "two"]),
        ("device!=", ["lee_block"]),
        ("name~^(one|two\\,)$", ["one"]),
        ("name~a\\,b", []),
        (" plugin = block , luns > 0 ", ["lee_block"]),
    ],
)
def test_where_chooses_objects(several: Pyshell, where: str, found: list[str]) -> None:
    assert listed(several, "storage_objects", "columns=name", f"where={where}") == found


@pytest.mark.parametrize("name", ["one", "ramdisk/one", "/backstores/ramdisk/one"])
def test_where_knows_the_names_of_storage_objects(several: Pyshell, name: str) -> None:
    assert listed(several, "luns", "columns=lun", f"where=storage_object={name}") == ["1"]
    assert listed(several, "luns", "columns=lun", f"where=storage_object!={name}") == ["0"]
    assert listed(several, "mappings", "columns=lun", f"where=storage_object={name}") == ["1"]


def test_where_knows_the_case_of_wwns(several: Pyshell) -> None:
    where = f"where=initiator={CLIENT.upper()},target={SERVER.upper()}"
    assert listed(several, "acls", "columns=initiator", where) == [CLIENT]


def test_where_knows_flags(several: Pyshell) -> None:
    assert listed(several, "acls", "where=logged_in=true") == []
    assert len(listed(several, "acls", "where=logged_in=no")) == 1


@pytest.mark.parametrize(
    ("sort", "found"),
    [
        ("size", ["one", "two", "three", "lee_block"]),
        ("-size", ["lee_block", "three", "two", "one"]),
        ("name", ["lee_block", "one", "three", "two"]),
        ("device,-name", ["lee_block", "two", "three", "one"]),
        ("-device,size", ["lee_block", "one", "two", "three"]),
    ],
)
def test_sort_orders_objects_those_without_a_value_last(
    several: Pyshell, sort: str, found: list[str]
) -> None:
    assert listed(several, "storage_objects", "columns=name", f"sort={sort}") == found


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("lun", "Did you mean luns?"),
        ("luns columns=sise", "columns: there is no column 'sise'. Did you mean size?"),
        ("luns columns=", "columns: there is no column ''."),
        ("luns columns=lun,lun", "columns: lun is given twice."),
        ("luns where=sise=1", "where: there is no column 'sise'. Did you mean size?"),
        ("luns where=size", "where: 'size' is not a comparison."),
        ("luns where=", "where: '' is not a comparison."),
        ("luns where=size=1,", "where: '' is not a comparison."),
        ("luns where=size>big", "where: size: 'big' is not a size."),
        ("luns where=lun>1M", "where: lun: '1M' is not a number."),
        ("luns where=target>a", "where: target: '>' compares numbers and sizes."),
        ("luns where=target~(", "where: target: The regular expression is not valid"),
        ("acls where=logged_in=maybe", "where: logged_in: "),
        ("luns sort=+size", "sort: there is no column '+size'."),
        ("luns size", "Unexpected argument 'size'"),
    ],
)
def test_bad_input_is_one_line_with_a_hint(pyshell: Pyshell, words: str, told: str) -> None:
    ran = pyshell("list", *words.split(" "))
    assert (ran.status, ran.out) == (2, "")
    assert told in ran.err.splitlines()[0]


def test_an_error_of_a_line_with_json_is_json(pyshell: Pyshell) -> None:
    ran = pyshell("list", "luns", "columns=x", "-o", "json")
    assert (json.loads(ran.err)["code"], ran.status) == (2, 2)
    lines = pyshell.batch(["list luns columns=x -o json"]).err.splitlines()
    assert json.loads(lines[0])["where"] == "stdin:1"


def test_hostile_text_stays_on_its_line(several: Pyshell) -> None:
    info = several.configfs / f"iscsi/{SERVER}/tpgt_1/dynamic_sessions"
    info.unlink()
    info.write_text("iqn.x\ty\\z\x1b[31m\0")
    (line,) = several("-o", "tsv", "list", "sessions", "headings=false").done().lines
    assert line.split("\t")[0] == r"iqn.x\ty\\z\x1b[31m"
    for form in ("table", "name", "jsonl", "json"):
        assert "\x1b" not in several("-o", form, "list", "sessions").done().out


@pytest.mark.parametrize("form", ["table", "jsonl", "tsv", "name"])
def test_other_commands_refuse_formats_of_rows_before_they_run(several: Pyshell, form: str) -> None:
    for line in ("ls", "/backstores/ramdisk delete one", "/iscsi", "/iscsi/*", "sessions"):
        ran = several("-o", form, *line.split(" "))
        assert (ran.status, ran.out) == (2, "")
        assert f"has no output format {form}" in ran.err
    assert several("-o", "name", "list", "luns").done().out


def test_a_prompt_needs_no_format_of_rows(several: Pyshell) -> None:
    ran = several("-o", "tsv", terminal=True, keyboard=True)
    assert (ran.status, "list luns -o tsv" in ran.err) == (2, True)


def test_only_what_is_needed_is_read(several: Pyshell) -> None:
    """Links of LUNs and facts of storage objects are read for columns that need them only."""
    read: list[str] = []
    kind = type(several.open().kernel)
    original = kind.read

    def noted(self: Kernel, path: str) -> str:
        read.append(path)
        return original(self, path)

    with patch.object(kind, "read", noted):
        several("list", "luns", "columns=target,tpg,lun,storage_object").done()
        assert [path for path in read if "/lun/" in path or "/core/" in path] == []
        several("-o", "name", "list", "luns").done()
        assert [path for path in read if "/lun/" in path or "/core/" in path] == []
        several("list", "luns", "columns=lun,size", "where=lun=1").done()
        assert {path.split("/core/")[1].split("/")[1] for path in read if "/core/" in path} == {
            "one"
        }


def test_help_and_completion_have_every_column(several: Pyshell) -> None:
    details = declaration(list_).details
    lio = several.open()
    preferences = Preferences(several.folder / "home", lio.config_dir, print)
    root = Shell(lio, preferences, Options(), sys.stdout, sys.stderr, sys.stdin).root()

    def offered(line: str) -> list[str]:
        return [one.text for _, one in complete(line, root, "/")]

    for kind, of in KINDS.items():
        assert offered(f"list {kind} columns=") == list(of.columns)
        assert offered(f"list {kind} where=") == [f"{name}=" for name in of.columns]
        for name, column in of.columns.items():
            assert f"{name} ({column.help})" in details
    assert offered("list luns columns=size,l") == ["size,lun"]
    assert offered("list luns sort=-si") == ["-size"]
    assert offered("list luns where=lun=0,si") == ["lun=0,size="]
    assert "luns" in offered("list ")
    formats = ["text", "json", "table", "jsonl", "tsv", "name"]
    assert offered("list luns -o ") == offered("list -o ") == formats
    assert offered("list luns --output=ts") == ["tsv"]
    assert offered("ls -o ") == ["text", "json"]
    assert offered("list -o tsv luns columns=lun,storage") == ["lun,storage_object"]


def test_the_manual_has_every_column() -> None:
    manual = Path(__file__).parents[2] / "packaging" / "man" / "pyshell.8"
    text = manual.read_text(encoding="utf-8")
    for kind in KINDS:
        assert f"Columns of {kind}" in text.replace("\\", "")


def test_rows_can_be_filtered_and_saved(several: Pyshell, tmp_path: Path) -> None:
    assert several("list luns -o name | match lun1").done().out == f"{TPG}/luns/lun1\n"
    several(f"list luns -o tsv headings=false | save {tmp_path / 'out'}").done()
    assert len((tmp_path / "out").read_text().splitlines()) == 2
