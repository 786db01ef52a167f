# SPDX-License-Identifier: Apache-2.0
"""Every setting of the real kernel survives save, clear, restore, save."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import rtslib_fb

from pyshell.config import document_file, object_operations, restoration
from pyshell.config.running import read_running
from pyshell.errors import PyshellError
from pyshell.lio import Lio, attach, listing, settings
from pyshell.lio.fabrics import fabric
from pyshell.lio.identifiers import FabricPlace, Identifier
from pyshell.lio.operations.base import carry_out
from pyshell.lio.operations.setters import Set

from .export import SERVER, TPG, export_lee
from .shell import batch

# Tried in this order until the kernel takes one that differs from what is there.
VALUES = ("1", "0", "2", "3", "Yes", "No", "5", "15", "60", "512", "4096", "65536", "name")
# What cannot be kept: written once to format a device; the state that this would bring about.
NOT_KEPT = {"attrib/pi_prot_format", "alua_access_status"}


def everything(lio: Lio) -> list[Identifier]:
    """Return every object that has settings."""
    found: list[Identifier] = []
    for storage_object in listing.storage_objects(lio):
        found += [storage_object, *listing.alua_groups(storage_object)]
    for target in listing.targets(fabric("iscsi", lio.root)):
        found.append(target)
        for tpg in listing.tpgs(target):
            found += [tpg, *listing.node_acls(tpg)]
    return found


def change_all(lio: Lio) -> int:
    """Give every setting another value where the kernel takes one; return how many took."""
    changed = 0
    for place in everything(lio):
        for file in settings.own_files(place):
            if file in NOT_KEPT:
                continue
            for value in (f"secret-{file[-9:]}",) if file.startswith("auth/") else VALUES:
                before = settings.read(lio.kernel, place.folder, file)
                with contextlib.suppress(PyshellError):
                    carry_out(lio, [Set(place, file, value)])
                if settings.read(lio.kernel, place.folder, file) != before:
                    changed += 1
                    break
    return changed


def test_all_settings_come_back(lee: Path, tmp_path: Path) -> None:
    export_lee(lee)
    image = tmp_path / "image"
    batch(
        f"/backstores/fileio create image {image} 8M write_back=false",
        "/backstores/ramdisk create memory 8M",
        f"{TPG}/luns create /backstores/fileio/image 5",
        f"{TPG}/acls/iqn.2020-07.192.168.56.105:client create 9 lun5 write_protect=true",
        f"/iscsi/{SERVER} create 2",
        "/iscsi set discovery_auth userid=du password=dp mutual_userid=dmu mutual_password=dmp",
        "/iscsi set discovery_auth enable=true",
        "/loopback create naa.5001405000000001",
        "/loopback/naa.5001405000000001/luns create /backstores/ramdisk/memory",
    )
    lio = attach()
    lio.ready()
    assert change_all(lio) > 60

    before = document_file.to_text(read_running(lio))
    object_operations.clear(lio)
    assert listing.storage_objects(lio) == []
    result = restoration.restore(lio, json.loads(before))
    assert result.skipped == []
    assert document_file.to_text(read_running(lio)) == before


def test_the_document_is_rtslibs(lee: Path) -> None:
    export_lee(lee)
    batch("/loopback create naa.5001405000000001", "/backstores/ramdisk create memory 8M")
    lio = attach()
    lio.ready()
    ours = json.loads(document_file.to_text(read_running(lio)))
    theirs = json.loads(json.dumps(rtslib_fb.RTSRoot().dump()))
    for document in (ours, theirs):
        document["storage_objects"].sort(key=lambda entry: entry["name"])
        document["targets"].sort(key=lambda entry: entry["wwn"])
    assert ours == theirs


def test_clearing_takes_discovery_credentials_away(clean_lio: None) -> None:
    batch("/iscsi create", "/iscsi set discovery_auth userid=du password=dp")
    lio = attach()
    lio.ready()
    object_operations.clear(lio)
    place = FabricPlace(fabric("iscsi", lio.root))
    assert settings.read(lio.kernel, place.folder, "discovery_auth/userid") == ""
