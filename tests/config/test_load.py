# SPDX-License-Identifier: Apache-2.0
"""Reading a saved configuration: each fault told with its place, before anything is changed."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from driver import Pyshell
from pyshell.config.document import is_empty, object_paths
from pyshell.config.document_file import DocumentError, from_bytes, load, parse
from pyshell.errors import NotFoundError, PyshellError

EXAMPLE = Path(__file__).parents[2] / "saveconfig.example.json"


def test_an_empty_document_is_a_document() -> None:
    assert parse("{}", "x") == {}
    assert is_empty(parse("{}", "x"))


def test_unknown_keys_are_kept() -> None:
    text = json.dumps(
        {"new": 1, "storage_objects": [{"name": "a", "plugin": "ramdisk", "tomorrow": [1, 2]}]}
    )
    assert parse(text, "x") == json.loads(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the-file is empty"),
        ("{", "is not JSON: line 1, column 2"),
        ('{\n  "targets": [,]\n}', "is not JSON: line 2, column 15"),
        ("[]", "line 1, column 1: must be an object"),
        ('{"targets": 1}', "$.targets"),
        ('{"targets": [{"wwn": "x"}]}', "$.targets[0].fabric"),
        ('{"targets": [{"fabric": "iscsi"}]}', "$.targets[0].wwn"),
        ('{"storage_objects": [{"plugin": "block"}]}', "$.storage_objects[0].name"),
        ('{"storage_objects": [{"name": "a", "plugin": "block", "size": "big"}]}',
         "$.storage_objects[0].size"),
        ('{"storage_objects": [{"name": "a", "plugin": "block", "attributes": [1]}]}',
         "$.storage_objects[0].attributes"),
        ('{"targets": [{"fabric": "iscsi", "wwn": "x", "tpgs": [{"luns": [{"index": "a"}]}]}]}',
         "$.targets[0].tpgs[0].luns[0].index"),
        ('{"targets": [{"fabric": "iscsi", "wwn": "x", "tpgs": [{"portals": [{"port": 1}]}]}]}',
         "$.targets[0].tpgs[0].portals[0].ip_address"),
    ],
)  # fmt: skip
def test_a_problem_is_reported_with_its_place(text: str, told: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse(text, "the-file")
    assert told in str(caught.value)
    assert "the-file" in str(caught.value)


def test_a_small_packed_file_that_would_fill_the_memory_is_refused() -> None:
    bomb = gzip.compress(b" " * ((64 << 20) + 1), 1)
    with pytest.raises(PyshellError, match="is larger than 64 MiB when unpacked"):
        from_bytes(bomb, "x.gz")


def test_a_large_configuration_can_be_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyshell.config.document_file._PACKED", 1 << 10)
    luns = [{"index": one, "storage_object": f"/backstores/block/{one}"} for one in range(1000)]
    target = {"fabric": "iscsi", "wwn": "x", "tpgs": [{"tag": 1, "luns": luns}]}
    text = json.dumps({"targets": [target]})
    assert from_bytes(gzip.compress(text.encode()), "x.gz") == json.loads(text)


def test_every_problem_is_found() -> None:
    with pytest.raises(DocumentError) as caught:
        parse('{"targets": [{"wwn": 1, "fabric": "iscsi"}, {"wwn": "x"}]}', "x")
    assert len(caught.value.faults) == 2
    assert str(caught.value).startswith("x is not a saved configuration: line 1, column 22: $")


def test_deep_nesting_is_reported() -> None:
    with pytest.raises(DocumentError, match="nested deeper than"):
        parse("[" * 100_000, "x")


def test_missing_and_unreadable_files_are_different_errors(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        load(tmp_path / "none.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe")
    with pytest.raises(DocumentError, match="UTF-8"):
        load(tmp_path / "binary.json")


def test_an_invalid_file_is_not_restored_even_in_part(pyshell: Pyshell, tmp_path: Path) -> None:
    pyshell.must("/backstores/ramdisk create before 1M")
    document = json.loads(EXAMPLE.read_text())
    del document["targets"][1]["wwn"]
    faulty = tmp_path / "faulty.json"
    faulty.write_text(json.dumps(document))
    before = pyshell.tree()
    ran = pyshell("restoreconfig", str(faulty), "clear_existing=true")
    assert (ran.out, ran.status) == ("", 1)
    assert "$.targets[1].wwn" in ran.err
    assert pyshell.tree() == before


def test_the_paths_of_a_documents_objects_are_those_of_the_tree(
    pyshell: Pyshell, tmp_path: Path
) -> None:
    pyshell.must(f"restoreconfig {pyshell.example}")
    for path in object_paths(load(EXAMPLE)):
        pyshell.must(f"{path} pwd")
    assert len(object_paths(load(EXAMPLE))) == 13
