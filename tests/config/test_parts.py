# SPDX-License-Identifier: Apache-2.0
"""One storage object saved into a file that holds others."""

from __future__ import annotations

from typing import Any

from pyshell.config.document import Document
from pyshell.config.parts import with_storage_object


def configuration(*disks: str, size: int = 1, wwn: str = "naa.5001405000000001") -> Document:
    """Return a document with block devices, of which one target exports each to an initiator."""
    indexes = range(len(disks))
    luns = [{"index": i, "storage_object": f"/backstores/block/{disks[i]}"} for i in indexes]
    mapped = [{"index": i, "tpg_lun": i} for i in indexes]
    acl = {"node_wwn": "naa.5001405000000002", "mapped_luns": mapped}
    target: Any = {"fabric": "loopback", "wwn": wwn, "tpgs": [{"luns": luns, "node_acls": [acl]}]}
    storage: Any = [{"name": name, "plugin": "block", "size": size} for name in disks]
    return {"storage_objects": storage, "targets": [target]}


def test_an_empty_file_gets_the_object_with_its_target() -> None:
    found = with_storage_object({}, configuration("one"), "block", "one")
    assert found == configuration("one")


def test_other_storage_objects_are_unchanged() -> None:
    found = with_storage_object(
        configuration("one", "two"), configuration("one", "two", size=2), "block", "two"
    )
    assert [(so["name"], so["size"]) for so in found["storage_objects"]] == [("one", 1), ("two", 2)]


def test_luns_of_objects_missing_in_the_file_are_omitted_with_their_mappings() -> None:
    found = with_storage_object(configuration("one"), configuration("one", "two"), "block", "one")
    assert found == configuration("one")


def test_targets_that_do_not_export_it_are_unchanged() -> None:
    other = configuration("one", wwn="naa.5001405000000009")
    running = configuration("one", "two")
    found = with_storage_object(other, running, "block", "two")
    assert found["targets"][0] == other["targets"][0]
    assert [t["wwn"] for t in found["targets"]] == ["naa.5001405000000009", "naa.5001405000000001"]


def test_an_object_that_is_not_running_is_removed_with_its_luns() -> None:
    found = with_storage_object(configuration("one", "two"), configuration("one"), "block", "two")
    assert found == configuration("one")


def test_backstores_of_older_releases_are_found_by_their_old_names() -> None:
    old = configuration("one")
    old["storage_objects"][0]["plugin"] = "iblock"
    found = with_storage_object(old, configuration("one"), "block", "one")
    assert found == configuration("one")


def test_the_saved_document_is_not_modified() -> None:
    saved, running = configuration("one", "two"), configuration("one")
    with_storage_object(saved, running, "block", "two")
    assert saved == configuration("one", "two")
