# SPDX-License-Identifier: Apache-2.0
"""Parts of a document that are edited by hand."""

from __future__ import annotations

import copy
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings

from pyshell.config.document import Document, located
from pyshell.config.model import NAMES_ONLY, items
from pyshell.config.part_editing import masked, merged, outside, part, unmasked
from pyshell.lio.configfs import is_below
from pyshell.names import MASK

from .documents import documents

TARGET = "/iscsi/iqn.2020-07.com.example:one"
DRAWN = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FOLDERS = ("luns", "portals", "acls")


def paths_of(document: Document) -> list[str]:
    """Return all paths of the tree that a document has objects at, above or below."""
    found = {"/", "/backstores", "/backstores/block", "/iscsi"}
    for one in located(document):
        found.add(one.path)
        if one.kind == "tpgs":
            found.update(f"{one.path}/{folder}" for folder in FOLDERS)
    return sorted(found)


@DRAWN
@given(documents())
def test_every_part_without_a_change_gives_the_whole_again(drawn: Any) -> None:
    document = cast(Document, drawn)
    before = copy.deepcopy(document)
    for path in paths_of(document):
        found = part(document, path)
        assert outside(found, path) == []
        assert items(merged(found, document, path), NAMES_ONLY) == items(document, NAMES_ONLY)
        below = {one.path for one in located(document) if is_below(one.path, path)}
        above = {one.path for one in located(found)} - below
        assert all(is_below(path, one) for one in above)
        assert {one.path for one in located(found)} >= below
    assert document == before


@DRAWN
@given(documents())
def test_an_empty_part_removes_what_is_below_and_nothing_else(drawn: Any) -> None:
    document = cast(Document, drawn)
    for path in paths_of(document):
        left = {one.path for one in located(merged({}, document, path))}
        assert left == {one.path for one in located(document) if not is_below(one.path, path)}


@DRAWN
@given(documents())
def test_an_edited_entry_keeps_its_place(drawn: Any) -> None:
    document = cast(Document, drawn)
    for path in paths_of(document):
        found = part(document, path)
        places = {(one.kind, one.path): one.place for one in located(found)}
        whole = {(one.kind, one.path): one.place for one in located(merged(found, document, path))}
        assert places.items() <= whole.items()


def one_target(**tpg: Any) -> Document:
    """Return a document with one target of one TPG."""
    entry: Any = {"fabric": "iscsi", "wwn": TARGET.rpartition("/")[2], "tpgs": [{"tag": 1, **tpg}]}
    return {"targets": [entry]}


def test_a_folder_without_objects_shows_where_they_go() -> None:
    document = one_target(enable=True, attributes={"login_timeout": 15})
    assert part(document, f"{TARGET}/tpg1/luns") == one_target(luns=[])
    assert part(document, f"{TARGET}/tpg1/acls") == one_target(node_acls=[])
    assert part({}, "/backstores/ramdisk") == {"storage_objects": []}
    assert part({}, "/iscsi") == {"targets": []}
    assert part({}, "/") == {"storage_objects": [], "targets": []}


@pytest.mark.parametrize(
    ("edited", "place"),
    [
        (one_target(enable=False), ("targets", 0, "tpgs", 0, "enable")),
        (one_target(portals=[{"ip_address": "192.0.2.1", "port": 3260}]), None),
        ({"targets": [{"fabric": "iscsi", "wwn": "iqn.2020-07.com.example:two"}]}, None),
        ({"storage_objects": [{"plugin": "ramdisk", "name": "x", "size": 512}]}, None),
        ({"fabric_modules": [{"name": "iscsi", "discovery_enable_auth": True}]}, None),
        (one_target(tag=2, luns=[]), None),
    ],
)
def test_what_is_not_of_the_part_is_refused(edited: Any, place: Any) -> None:
    found = outside(edited, f"{TARGET}/tpg1/luns")
    assert found
    if place:
        assert [one.place for one in found] == [place]


def test_a_mask_is_the_secret_of_the_same_object_only() -> None:
    acls = [{"node_wwn": f"iqn.2020-07.com.example:{name}"} for name in "ab"]
    acls[0]["chap_password"] = "a long secret"
    document = one_target(node_acls=acls)
    shown: Any = masked(document)
    entries = shown["targets"][0]["tpgs"][0]["node_acls"]
    assert entries[0]["chap_password"] == MASK
    assert unmasked(shown, document) == (document, [])
    entries[1]["chap_password"] = MASK
    _, problems = unmasked(shown, document)
    assert [one.place[-3:] for one in problems] == [("node_acls", 1, "chap_password")]
    entries[1]["chap_password"] = "another secret"
    assert unmasked(shown, document)[1] == []
