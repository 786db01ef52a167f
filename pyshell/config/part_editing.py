# SPDX-License-Identifier: Apache-2.0
"""A part of a document that is edited by hand: all objects at or below a path in the tree.

The part is itself a document. Objects above the path have only the keys that identify them, as the
target and the TPG in `{"targets": [{"fabric": …, "wwn": …, "tpgs": [{"tag": 1, "luns": […]}]}]}`.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, cast

from pyshell.config.document import LISTS, Document, Located, is_secret, located, without_secrets
from pyshell.config.positions import Place, Problem, error
from pyshell.lio.configfs import is_below
from pyshell.names import MASK

_IDENTITY = {
    "storage_objects": ("plugin", "name"),
    "targets": ("fabric", "wwn"),
    "tpgs": ("tag",),
    "node_acls": ("node_wwn",),
}
"""The keys of an object above the part, by the list that holds it."""
_FOLDERS = {"luns": "luns", "portals": "portals", "acls": "node_acls", "alua": "alua_tpgs"}
"""The lists of the folders in the tree, by the folder's name."""


def part(document: Document, path: str) -> Document:
    """Return the part at a normalised path; lists that could hold its objects are there."""
    found: dict[str, Any] = {}
    made: dict[Place, dict[str, Any]] = {(): found}
    above = found
    for one in located(document):
        inside = is_below(one.path, path)
        if not (inside or _is_above(one, path)):
            continue
        entry = _own(one) if inside else {k: one.entry[k] for k in _identity(one)}
        made[one.place[:-2]].setdefault(one.kind, []).append(entry)
        made[one.place] = entry
        above = above if inside else entry
    if (folder := path.rpartition("/")[2]) in _FOLDERS and above is not found:
        above.setdefault(_FOLDERS[folder], [])
    if path == "/" or is_below(path, "/backstores"):
        found.setdefault("storage_objects", [])
    if not is_below(path, "/backstores"):
        found.setdefault("targets", [])
    return cast(Document, found)


def merged(edited: Document, running: Document, path: str) -> Document:
    """Return the running document with the part at a path replaced by an edited one.

    The places of the part's entries are those in `edited`.
    """
    found = cast(dict[str, Any], deepcopy(edited))
    present: dict[tuple[str, str], dict[str, Any]] = {}
    for one in located(cast(Document, found)):
        present.setdefault((one.kind, one.path), one.entry)
    owners: dict[Place, dict[str, Any]] = {(): found}
    for one in located(running):
        if is_below(one.path, path):
            continue
        entry = present.get((one.kind, one.path))
        if entry is None:
            entry = {}
            owners[one.place[:-2]].setdefault(one.kind, []).append(entry)
        for key, value in _own(one).items():
            entry.setdefault(key, value)
        owners[one.place] = entry
    for key, value in running.items():
        found.setdefault(key, value if key not in LISTS[""] else [])
    return cast(Document, found)


def outside(edited: Document, path: str) -> list[Problem]:
    """Return an error for each entry, or key, that is not of the part at a path."""
    found = []
    for one in located(edited):
        if is_below(one.path, path):
            continue
        if not _is_above(one, path):
            found.append(error(one.place, f"{one.path} is not at or below {path}"))
            continue
        known = {*_IDENTITY[one.kind], *LISTS[one.kind]}
        found += [
            error((*one.place, key), f"{one.path} is above {path}: only its name is expected")
            for key in one.entry
            if key not in known
        ]
    return found


def masked(document: Document) -> Document:
    """Return a document with the mask for each secret."""
    return cast(Document, without_secrets(document, MASK))


def unmasked(edited: Document, running: Document) -> tuple[Document, list[Problem]]:
    """Return a document in which each mask is the running secret of the same object.

    The second result has an error for each mask without a secret.
    """
    found = deepcopy(edited)
    known = {(one.kind, one.path): one.entry for one in located(running)}
    problems = []
    for one in located(found):
        for key in [key for key, value in one.entry.items() if is_secret(key) and value == MASK]:
            secret = known.get((one.kind, one.path), {}).get(key)
            if secret:
                one.entry[key] = secret
            else:
                message = f"{MASK} stands for the present secret, and {one.path} has none"
                problems.append(error((*one.place, key), message, "Enter a secret."))
    return found, problems


def _is_above(one: Located, path: str) -> bool:
    return one.kind in _IDENTITY and one.path != path and is_below(path, one.path)


def _identity(one: Located) -> list[str]:
    return [key for key in _IDENTITY[one.kind] if key in one.entry]


def _own(one: Located) -> dict[str, Any]:
    """Return an entry without the objects below it, as a reader expects it: its name first."""
    lists = LISTS.get(one.kind, ())
    names = _identity(one) if one.kind in _IDENTITY else []
    rest = sorted(one.entry.keys() - set(names), key=lambda key: (key in lists, key))
    return {key: [] if key in lists else deepcopy(one.entry[key]) for key in (*names, *rest)}
