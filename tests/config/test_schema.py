# SPDX-License-Identifier: Apache-2.0
"""The JSON Schema file says what the document's types say, and editors can use it."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import pyshell.config
from driver import DATA, ROOT, Pyshell
from pyshell.config import document
from pyshell.config.document_types import known_keys

FILE = Path(pyshell.config.__file__).with_name("saveconfig.schema.json")
EXAMPLE = ROOT / "saveconfig.example.json"


@pytest.fixture(scope="module")
def shipped() -> dict[str, Any]:
    """Return the schema that is shipped."""
    found: dict[str, Any] = json.loads(FILE.read_text())
    return found


def test_the_schema_file_is_generated_from_the_types(shipped: dict[str, Any]) -> None:
    made = runpy.run_path(str(ROOT / "packaging" / "schema.py"))
    assert shipped == made["schema"](), "run packaging/schema.py"
    assert FILE.read_text() == made["text"]()


def test_the_schema_is_valid(shipped: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(shipped)


def test_every_key_is_described(shipped: dict[str, Any]) -> None:
    for name, kind in {**shipped["$defs"], "Document": shipped}.items():
        assert kind["description"]
        keys = set(kind["properties"]) - {"$schema"}
        assert keys == set(known_keys(vars(document).get(f"{name}Entry", document.Document)))
        assert all(entry.get("description") for entry in kind["properties"].values()), name


@pytest.mark.parametrize(
    "path", [EXAMPLE, *sorted((DATA / "older").glob("*.json"))], ids=lambda path: path.stem
)
def test_the_example_and_files_of_older_releases_are_valid(
    shipped: dict[str, Any], path: Path
) -> None:
    jsonschema.validate(json.loads(path.read_text()), shipped)


def test_a_file_can_refer_to_its_schema(shipped: dict[str, Any]) -> None:
    jsonschema.validate({"$schema": "saveconfig.schema.json", "targets": []}, shipped)


def test_what_pyshell_saves_is_valid(exported: Pyshell, shipped: dict[str, Any]) -> None:
    exported.must("saveconfig")
    jsonschema.validate(exported.document(), shipped)


@pytest.mark.parametrize("name", ["size-is-text", "wwn-is-missing", "unknown-keys"])
def test_wrong_types_and_unknown_keys_are_invalid(shipped: dict[str, Any], name: str) -> None:
    broken = json.loads((DATA / "broken" / f"{name}.json").read_text())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, shipped)
