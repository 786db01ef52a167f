# SPDX-License-Identifier: Apache-2.0
"""What a save would lose: objects in the saved file that could not be restored.

Objects are identified by their paths in the tree. Objects below another one, or made of it (the
LUNs of a storage object), depend on it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from pyshell.config import document_file
from pyshell.config.compare import settable
from pyshell.config.document import IDENTITY, Document
from pyshell.config.model import (
    NAMES_ONLY,
    Items,
    items,
    secret_paths,
    tree_path,
)
from pyshell.config.running import read_running
from pyshell.files import reading
from pyshell.lio import Lio
from pyshell.lio.identifiers import parents


def same(one: bytes, other: bytes) -> bool:
    """Return whether two files contain the same configuration, in any order and layout."""
    if one == other:
        return True
    try:
        return bool(
            _plain(reading.parse_json(one, any_string=True))
            == _plain(reading.parse_json(other, any_string=True))
        )
    except ValueError:
        return False


def _plain(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _plain(value) for key, value in data.items()}
    if isinstance(data, list):
        return sorted(map(_plain, data), key=lambda entry: json.dumps(entry, sort_keys=True))
    return data


def tree_paths(document: Document) -> set[str]:
    """Return the paths of all valid objects of a document, and of secrets.

    A reference to a secret's file counts as that secret.
    """
    return _paths(_read(document)[0])


def _paths(found: Items) -> set[str]:
    return {*found, *secret_paths(found)}


def running_paths(lio: Lio) -> set[str]:
    """Return the paths in the tree of all running objects."""
    return set(_read(read_running(lio))[0])


def missing(
    document: Document, runs: Collection[str], reasons: Mapping[str, str]
) -> dict[str, str]:
    """Return the objects of a document that are not running, with the reasons.

    `runs` are the paths of running objects. `reasons` has those of objects that could not be
    created; dependents refer to them. Objects that are created along with their owner are not
    included.
    """
    wanted, refused = _read(document)
    gone = set(wanted).difference(runs)
    secrets = {
        path: reasons.get(path, "not read from its file")
        for path in secret_paths(wanted, only_unread=True)
        if path not in runs
    }
    impossible = {path: text for path, text in refused.items() if path not in runs}
    reported = [path for path, item in wanted.items() if path in gone and not item.implied]
    return impossible | {path: _reason(path, wanted, gone, reasons) for path in reported} | secrets


def lost(marked: Collection[str], before: bytes, document: Document) -> list[str]:
    """Return those of `marked` that the file with these bytes has and the new document lacks."""
    if not marked:
        return []
    found, refused = _of_file(before)
    held = {*_paths(found), *refused}
    kept = tree_paths(document)
    return [path for path in marked if path in held and path not in kept]


def lost_identity(lio: Lio, before: Document, document: Document) -> list[str]:
    """Return the parts of disks' identity that are lost, as this kernel does not have them."""
    identified = [
        entry
        for entry in before.get("storage_objects", ())
        if not IDENTITY.keys().isdisjoint(entry.get("attributes", {}))
    ]
    if not identified:
        return []
    had = items({"storage_objects": identified}, lio.root, {})
    has = items({"storage_objects": document.get("storage_objects", [])}, lio.root, {})
    # What is kept of the file is equal, for example other objects if one of them is saved.
    _, lacking = settable(
        lio, had, {path: one for path, one in has.items() if one != had.get(path)}
    )
    return [f"the {name} of {path}" for path, names in lacking.items() for name in names]


def not_named(paths: Sequence[str], named: Collection[str], before: bytes) -> list[str]:
    """Return those of `paths` that are not in `named` and do not depend on one of these."""
    held, _ = _of_file(before)
    chosen = frozenset(named)
    return [p for p in paths if p not in chosen and not _goes_with(p, chosen, held)]


def first(paths: Sequence[str], before: bytes) -> list[str]:
    """Return those of `paths` that do not depend on another of them."""
    held, _ = _of_file(before)
    return [path for path in paths if not _goes_with(path, frozenset(paths), held)]


def highest(paths: Sequence[str]) -> list[str]:
    """Return those of `paths` that are not below another of them."""
    chosen = frozenset(paths)
    return [path for path in paths if not any(above in chosen for above in _needed(path, {}))]


def _goes_with(path: str, chosen: frozenset[str], held: Items) -> bool:
    """Return whether an object is below one of `chosen`, or made of one."""
    return any(n in chosen or _goes_with(n, chosen, held) for n in _needed(path, held))


def _needed(path: str, held: Items) -> Iterator[str]:
    """Yield the paths that an object is made of, then those above it, the nearest first."""
    if path in held:
        yield from held[path].links
    yield from parents(path)


def _reason(path: str, wanted: Items, gone: set[str], reasons: Mapping[str, str]) -> str:
    if path in reasons:
        return reasons[path]
    needed = next((other for other in _needed(path, wanted) if other in gone), None)
    return f"needs {needed}" if needed else "not running"


def _read(document: Document) -> tuple[Items, dict[str, str]]:
    """Return items by their paths in the tree, and the paths of invalid entries with reasons."""
    refused: dict[str, str] = {}
    found = items(document, NAMES_ONLY, refused)
    return {tree_path(item): item for item in found.values()}, refused


def _of_file(data: bytes) -> tuple[Items, dict[str, str]]:
    """Return the same of a file, nothing if it is not a saved configuration."""
    try:
        return _read(document_file.from_bytes(data, "saveconfig.json"))
    except document_file.DocumentError:
        return {}, {}
