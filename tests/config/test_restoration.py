# SPDX-License-Identifier: Apache-2.0
"""Restoring: each fault is told, and all that is sound comes back."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell, Ran
from pyshell.lio.rtslib_older import KNOWS_EXCLUSIVE
from pyshell.simulator import Simulator

EXAMPLE = Path(__file__).parents[2] / "saveconfig.example.json"
ACL = f"{TPG}/acls/{CLIENT}"
LOOPBACK = "/loopback/naa.5001405000000001"

Document = dict[str, Any]


@pytest.fixture
def document() -> Document:
    """Return the example, to be changed."""
    found: Document = json.loads(EXAMPLE.read_text())
    return found


def restored(pyshell: Pyshell, document: Document, *options: str) -> Ran:
    """Restore a document."""
    pyshell.must("pwd")
    pyshell.saved_file.write_text(json.dumps(document))
    pyshell.saved_file.chmod(0o600)
    return pyshell("restoreconfig", *options)


def there(pyshell: Pyshell, *paths: str) -> list[bool]:
    """Tell which paths are there."""
    return [pyshell(path).status == 0 for path in paths]


def tpg_of(document: Document) -> Document:
    """Return the entry of the iSCSI target's TPG."""
    found: Document = document["targets"][0]["tpgs"][0]
    return found


# The example


def test_the_example_is_restored(pyshell: Pyshell) -> None:
    assert pyshell.must(f"restoreconfig {pyshell.example}") == [
        f"Configuration restored from {pyshell.example}"
    ]
    assert all(
        there(
            pyshell,
            "/backstores/block/lee_block",
            "/backstores/ramdisk/scratch",
            f"{TPG}/luns/lun1",
            f"{TPG}/portals/192.168.56.101:3260",
            f"{ACL}/mapped_lun1",
            f"{LOOPBACK}/luns/lun0",
        )
    )
    assert "(ro)" in pyshell(f"{ACL}/mapped_lun1", "status").out


def test_saving_writes_the_example_again(pyshell: Pyshell) -> None:
    pyshell.must(f"restoreconfig {pyshell.example}", "saveconfig")
    example = json.loads(EXAMPLE.read_text())
    if not KNOWS_EXCLUSIVE:
        for entry in example["storage_objects"]:
            entry.pop("exclusive", None)
    assert_contains(pyshell.document(), example, "$")


def assert_contains(whole: Any, part: Any, place: str) -> None:
    """Assert that a document holds all of another, list by list in the same order."""
    if isinstance(part, dict):
        for name, value in part.items():
            assert name in whole, f"{place}.{name}"
            assert_contains(whole[name], value, f"{place}.{name}")
    elif isinstance(part, list):
        known = [
            key for key in ("name", "wwn", "index", "tag", "node_wwn") if part and key in part[0]
        ]
        order = (lambda entry: entry[known[0]]) if known else str
        assert len(whole) == len(part), place
        for one, other in zip(sorted(whole, key=order), sorted(part, key=order), strict=True):
            assert_contains(one, other, f"{place}[]")
    else:
        assert whole == part, place


def test_the_text_of_the_example_is_as_pyshell_writes_it() -> None:
    text = EXAMPLE.read_text()
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"


# Faults, each with the rest restored


def no_device(document: Document) -> None:
    document["storage_objects"][0]["dev"] = "/dev/mapper/gone"


def device_in_use(document: Document) -> None:
    document["storage_objects"][0]["dev"] = "/dev/sda1"


def unknown_backstore(document: Document) -> None:
    document["storage_objects"][0]["plugin"] = "punchcard"


def bad_name(document: Document) -> None:
    document["storage_objects"][0]["name"] = "../lee_block"


def no_size(document: Document) -> None:
    document["storage_objects"][0] = {"name": "lee_block", "plugin": "ramdisk"}


def no_image_file(document: Document) -> None:
    document["storage_objects"][0] = {
        "name": "lee_block",
        "plugin": "fileio",
        "dev": "/srv/none.img",
        "size": 1 << 20,
    }


BROKEN_DISKS = [no_device, device_in_use, unknown_backstore, bad_name, no_size, no_image_file]


@pytest.mark.parametrize("fault", BROKEN_DISKS, ids=lambda fault: fault.__name__)
def test_a_missing_disk_affects_only_its_luns(
    pyshell: Pyshell, document: Document, fault: Callable[[Document], None]
) -> None:
    fault(document)
    ran = restored(pyshell, document)
    assert (ran.out, ran.status) == ("", 1)
    assert ran.err.startswith("Configuration restored, ")
    assert "skipped" in ran.err
    assert there(
        pyshell,
        "/backstores/block/lee_block",
        f"{TPG}/luns/lun0",
        f"{ACL}/mapped_lun0",
        "/backstores/ramdisk/scratch",
        f"{TPG}/luns/lun1",
        f"{ACL}/mapped_lun1",
        f"{TPG}/portals/192.168.56.101:3260",
        f"{LOOPBACK}/luns/lun0",
    ) == [False, False, False, True, True, True, True, True]
    assert pyshell.read(f"iscsi/{SERVER}/tpgt_1/enable") == "1\n"
    assert pyshell.read(f"iscsi/{SERVER}/tpgt_1/acls/{CLIENT}/auth/userid") == "client\n"


def bad_portal(document: Document) -> None:
    tpg_of(document)["portals"].insert(0, {"ip_address": "somewhere", "port": 3260})


def bad_port(document: Document) -> None:
    tpg_of(document)["portals"].insert(0, {"ip_address": "192.0.2.1", "port": 123456})


def bad_acl(document: Document) -> None:
    tpg_of(document)["node_acls"].insert(0, {"node_wwn": "iqn.2020-07.com.example:a b"})


def acl_twice(document: Document) -> None:
    acls = tpg_of(document)["node_acls"]
    acls.append({"node_wwn": acls[0]["node_wwn"]})


def bad_lun(document: Document) -> None:
    lun = {"index": 70000, "storage_object": "/backstores/ramdisk/scratch"}
    tpg_of(document)["luns"].insert(0, lun)


def lun_of_nothing(document: Document) -> None:
    tpg_of(document)["luns"].insert(0, {"index": 9, "storage_object": "/backstores/block/none"})


def lun_of_nonsense(document: Document) -> None:
    tpg_of(document)["luns"].insert(0, {"index": 9, "storage_object": "nonsense"})


def lun_of_a_bad_name(document: Document) -> None:
    tpg_of(document)["luns"].insert(0, {"index": 9, "storage_object": "/backstores/block/a b"})


def lun_twice(document: Document) -> None:
    tpg_of(document)["luns"].append({"index": 1, "storage_object": "/backstores/ramdisk/local"})


def mapping_of_nothing(document: Document) -> None:
    mapped = tpg_of(document)["node_acls"][0]["mapped_luns"]
    mapped.insert(0, {"index": 9, "tpg_lun": 9})


def unknown_alua_group(document: Document) -> None:
    tpg_of(document)["luns"][0]["alua_tg_pt_gp_name"] = "none"


def bad_secret(document: Document) -> None:
    tpg_of(document)["chap_password"] = "x" * 256


def bad_tpg(document: Document) -> None:
    tpg = {"tag": 70000}
    document["targets"][0]["tpgs"].insert(0, tpg)


def bad_target(document: Document) -> None:
    target = {"fabric": "iscsi", "wwn": "iqn.2020-11.com.example/x", "tpgs": [{"tag": 1}]}
    document["targets"].insert(0, target)


def unknown_fabric(document: Document) -> None:
    document["targets"].insert(0, {"fabric": "telepathy", "wwn": "x", "tpgs": []})


def absent_fabric(document: Document) -> None:
    document["targets"].insert(0, {"fabric": "vhost", "wwn": "naa.5001405000000001", "tpgs": []})


def unknown_fabrics_settings(document: Document) -> None:
    document["fabric_modules"] = [{"name": "telepathy"}]


def bad_alua_group(document: Document) -> None:
    document["storage_objects"][0]["alua_tpgs"] = [{"name": "extra", "tg_pt_gp_id": 0}]


ISOLATED = [
    bad_portal,
    bad_port,
    bad_acl,
    acl_twice,
    bad_lun,
    lun_of_nothing,
    lun_of_nonsense,
    lun_of_a_bad_name,
    lun_twice,
    mapping_of_nothing,
    unknown_alua_group,
    bad_secret,
    bad_tpg,
    bad_target,
    unknown_fabric,
    absent_fabric,
    unknown_fabrics_settings,
    bad_alua_group,
]


@pytest.mark.parametrize("fault", ISOLATED, ids=lambda fault: fault.__name__)
def test_an_error_is_reported_and_the_rest_restored(
    pyshell: Pyshell, document: Document, fault: Callable[[Document], None]
) -> None:
    pyshell.must(f"restoreconfig {pyshell.example}", "saveconfig")
    sound = pyshell.document()
    pyshell.must("clearconfig confirm=true")
    fault(document)
    ran = restored(pyshell, document)
    assert (ran.out, ran.status) == ("", 1)
    faults = ran.err.splitlines()[1:]
    assert len(faults) == 1
    assert faults[0].endswith(", skipped")
    assert "x" * 256 not in ran.err
    assert pyshell.line("saveconfig force=true").status == 0
    assert without_secret(pyshell.document()) == without_secret(sound)


def without_secret(document: Document) -> Document:
    """Return a document without what a faulty file could not bring."""
    for tpg in document["targets"][0]["tpgs"]:
        tpg.pop("chap_password", None)
    return document


def test_a_refused_setting_is_reported_and_the_rest_restored(
    pyshell: Pyshell, document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    document["storage_objects"][0]["attributes"] = {"emulate_caw": 0, "emulate_tas": 0}
    write = Simulator.write

    def choosy(simulator: Simulator, path: str, text: str) -> None:
        if path.endswith("/emulate_caw"):
            raise OSError(22, os.strerror(22), path)
        write(simulator, path, text)

    monkeypatch.setattr(Simulator, "write", choosy)
    ran = restored(pyshell, document)
    assert ran.status == 1
    assert "emulate_caw" in ran.err
    assert "EINVAL" in ran.err
    assert pyshell.read("core/iblock_0/lee_block/attrib/emulate_tas") == "0\n"
    assert all(there(pyshell, f"{TPG}/luns/lun0", f"{ACL}/mapped_lun0", f"{LOOPBACK}/luns/lun0"))


def test_an_unknown_setting_is_a_note_not_an_error(pyshell: Pyshell, document: Document) -> None:
    document["storage_objects"][0]["attributes"] = {"of_tomorrow": 1}
    tpg_of(document)["parameters"] = {"OfTomorrow": "Yes"}
    ran = restored(pyshell, document)
    assert (ran.out, ran.status) == (f"Configuration restored from {pyshell.saved_file}\n", 0)
    assert len(ran.err.splitlines()) == 2
    assert "of_tomorrow, ignored" in ran.err


def test_a_setting_that_has_its_value_is_not_written(pyshell: Pyshell, document: Document) -> None:
    document["storage_objects"][0]["attributes"] = {"hw_block_size": 512}  # nobody may write it
    assert restored(pyshell, document).done().out


def test_several_errors_are_all_reported(pyshell: Pyshell, document: Document) -> None:
    mapping_of_nothing(document)
    bad_target(document)
    unknown_fabric(document)
    ran = restored(pyshell, document)
    assert ran.err.startswith("Configuration restored, 3 recoverable errors:\n")
    assert len(ran.err.splitlines()) == 4


# Over a running configuration


def test_a_clash_is_refused_and_nothing_changed(pyshell: Pyshell) -> None:
    pyshell.must(f"restoreconfig {pyshell.example}")
    before = pyshell.tree()
    ran = pyshell("restoreconfig", str(pyshell.example))
    assert (ran.out, ran.status) == ("", 5)
    assert "nothing was restored" in ran.err
    assert pyshell.tree() == before


def test_clearing_first_restores_over_anything(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/ramdisk create other 1M", f"restoreconfig {pyshell.example}")
    pyshell.must(f"restoreconfig {pyshell.example} clear_existing=true")
    assert there(pyshell, "/backstores/ramdisk/other", f"{ACL}/mapped_lun0") == [False, True]


def test_objects_that_do_not_clash_are_unchanged(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/ramdisk create other 1M", f"restoreconfig {pyshell.example}")
    assert all(there(pyshell, "/backstores/ramdisk/other", f"{ACL}/mapped_lun0"))


def test_clearing_removes_discovery_credentials_too(target: Pyshell) -> None:
    target.must("/iscsi set discovery_auth userid=me password=x enable=1", "clearconfig confirm=1")
    found = target("-o", "json", "/iscsi", "get", "discovery_auth", "show_secrets=true").json
    assert found["result"] == {
        "enable": "False",
        "mutual_password": "",
        "mutual_userid": "",
        "password": "",
        "userid": "",
    }


# A part of a file


def test_one_target_is_restored_alone(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/ramdisk create local 1M")
    pyshell.must(f"restoreconfig {pyshell.example} target=naa.5001405000000001")
    assert there(pyshell, f"{LOOPBACK}/luns/lun0", f"/iscsi/{SERVER}") == [True, False]


def test_one_storage_object_is_restored_alone(pyshell: Pyshell) -> None:
    pyshell.must(f"restoreconfig {pyshell.example} storage_object=scratch")
    assert there(pyshell, "/backstores/ramdisk/scratch", "/backstores/ramdisk/local") == [
        True,
        False,
    ]


@pytest.mark.parametrize("part", ["target=naa.5001405000000009", "storage_object=nothing"])
def test_a_part_that_the_file_lacks_is_an_error(pyshell: Pyshell, part: str) -> None:
    ran = pyshell("restoreconfig", str(pyshell.example), part)
    assert (ran.out, ran.status) == ("", 3)
    assert "nothing was restored" in ran.err


def test_a_refused_portal_is_reported_with_the_likely_cause(
    target: Pyshell,
) -> None:
    target.must(
        f"{TPG}/portals delete 0.0.0.0 3260", f"{TPG}/portals create ::1", "saveconfig",
        "clearconfig confirm=true",
    )  # fmt: skip
    target.simulator.machine.edit(ipv6=False)
    ran = target("restoreconfig")
    assert ran.status == 1
    assert "skipped (Is IPv6 on ('ip -6 address'), and the address not taken" in ran.err


# Image files


def test_only_targetcli_mode_creates_missing_image_files(
    pyshell: Pyshell, document: Document
) -> None:
    entry = {"plugin": "fileio", "name": "new", "size": 1 << 20, "write_back": True}
    document["storage_objects"] = [
        {**entry, "dev": "/srv/new.img"},
        {**entry, "dev": "/dev/none", "name": "none"},
    ]
    document["targets"] = []
    ran = restored(pyshell, document)
    assert "There is no image file /srv/new.img" in ran.err
    assert there(pyshell, "/backstores/fileio/new") == [False]
    assert pyshell("--compat", "--dry-run", "restoreconfig").status == 1
    assert there(pyshell, "/backstores/fileio/new") == [False]

    ran = pyshell("--compat", "restoreconfig")
    assert ran.status == 1
    assert "There is no image file /dev/none" in ran.err
    assert "new.img" not in ran.err
    assert there(pyshell, "/backstores/fileio/new", "/backstores/fileio/none") == [True, False]
    file = pyshell.folder / "files/srv/new.img"
    assert (file.stat().st_size, file.stat().st_mode & 0o777) == (1 << 20, 0o600)
