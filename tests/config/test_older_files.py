# SPDX-License-Identifier: Apache-2.0
"""Files that other releases wrote: they check clean, come back, and are saved the same again.

Field failures 11 and 12 are met with such files and with short ones written by hand.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from driver import DATA, Pyshell

OLDER = DATA / "older"
RELEASES = [OLDER / f"targetcli-{name}.json" for name in ("2.1.fb49", "2.1.53", "3.0.2")]
IMAGE = 64 << 20
# What today's release and kernel have and those releases did not.
NEW_KEYS = {
    "targetcli-2.1.fb49": {
        "alua_support", "authentication", "cmd_completion_affinity", "emulate_pr", "exclusive",
        "parameters", "pgr_support",
    },
    "targetcli-2.1.53": {"cmd_completion_affinity", "exclusive", "parameters"},
    "targetcli-3.0.2": set(),
}  # fmt: skip
# Their CHAP secrets of 17 bytes (finding 40): line, column and place.
LONG_SECRETS = {
    "targetcli-2.1.fb49": "250:39: warning: $.targets[0].tpgs[0].node_acls[0].chap_mutual_password",
    "targetcli-2.1.53": "217:28: warning: $.targets[0].tpgs[0].chap_password",
    "targetcli-3.0.2": "237:39: warning: $.targets[0].tpgs[0].node_acls[0].chap_mutual_password",
}
TOO_LONG = "the secret is longer than 16 bytes. Initiators such as Windows refuse it."


@pytest.fixture
def host(pyshell: Pyshell) -> Pyshell:
    """Return pyshell on a host with the image file that the files name."""
    image = pyshell.simulator.machine.file("/srv/image1.img")
    image.parent.mkdir(parents=True, exist_ok=True)
    with image.open("wb") as file:
        file.truncate(IMAGE)
    return pyshell


def private(file: Path, folder: Path) -> Path:
    """Return a copy that only its owner may read, as a saved file must be."""
    copy = folder / file.name
    copy.write_bytes(file.read_bytes())
    copy.chmod(0o600)
    return copy


def in_order(document: Any) -> Any:
    """Return a document with its storage objects by name: their order has no weight."""
    objects = sorted(document["storage_objects"], key=lambda so: str(so["name"]))
    return {**document, "storage_objects": objects}


def differences(before: Any, after: Any, path: str = "$") -> Iterator[str]:
    """Yield what `after` lacks, has more, or has otherwise."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            if key not in after:
                yield f"{path}.{key} is gone"
            elif key not in before:
                yield f"+{key}"
            else:
                yield from differences(before[key], after[key], f"{path}.{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from differences(one, other, f"{path}[{index}]")
    elif before != after:
        yield f"{path}: {before} -> {after}"


@pytest.mark.parametrize("file", RELEASES, ids=lambda file: file.stem)
def test_a_file_of_another_release_has_only_a_warning_about_its_long_secret(
    host: Pyshell, file: Path, tmp_path: Path
) -> None:
    copy = private(file, tmp_path)
    ran = host("check", str(copy)).done()
    assert ran.lines == [
        f"{copy}:{LONG_SECRETS[file.stem]}: {TOO_LONG}",
        f"{copy}: no errors, 1 warning",
    ]


@pytest.mark.parametrize("file", sorted(OLDER.glob("*.json")), ids=lambda file: file.stem)
def test_no_file_of_another_release_has_an_error(host: Pyshell, file: Path) -> None:
    assert ": error: " not in host("check", str(file)).done().out


@pytest.mark.parametrize("file", RELEASES, ids=lambda file: file.stem)
def test_a_file_of_another_release_is_restored_and_saved_unchanged(
    host: Pyshell, file: Path, tmp_path: Path
) -> None:
    copy = private(file, tmp_path)
    ran = host("restoreconfig", str(copy)).done()
    assert ran.lines == [f"Configuration restored from {copy}"]
    host.must("saveconfig")
    before = in_order(json.loads(file.read_text()))
    found = set(differences(before, in_order(host.document())))
    # The kernel caches the ACLs that it generates, whatever an old file says (finding 63).
    cached = {f"$.targets[0].tpgs[{n}].attributes.cache_dynamic_acls: 0 -> 1" for n in (0, 1)}
    assert found - cached <= {f"+{key}" for key in NEW_KEYS[file.stem]}
    again = host("-o", "json", "apply", str(copy)).done().json["result"]
    assert again["changed"] is False


def test_a_file_of_the_installed_release_is_saved_byte_for_byte(
    host: Pyshell, tmp_path: Path
) -> None:
    file = private(OLDER / "targetcli-3.0.2.json", tmp_path)
    host.must(f"restoreconfig {file}", "saveconfig")
    assert host.saved_file.read_bytes() == file.read_bytes()


def test_field_failure_11_read_only_settings_cause_no_warning(
    host: Pyshell, tmp_path: Path
) -> None:
    """Attributes that are fixed once exported, or that say what they said before."""
    file = private(OLDER / "targetcli-3.0.2.json", tmp_path)
    ran = host("restoreconfig", str(file))
    assert (ran.err, ran.status) == ("", 0)
    assert "skipped" not in ran.out


def test_field_failure_11_an_attribute_that_this_kernel_lacks_is_a_note(
    host: Pyshell, tmp_path: Path
) -> None:
    document = json.loads((OLDER / "targetcli-3.0.2.json").read_text())
    document["storage_objects"][1]["attributes"]["emulate_tomorrow"] = 1
    acl = document["targets"][0]["tpgs"][0]["node_acls"][0]
    acl["chap_mutual_password"] = "storage1-secret"
    file = tmp_path / "newer.json"
    file.write_text(json.dumps(document))
    file.chmod(0o600)
    assert host("check", str(file)).done().lines[1:] == [f"{file}: no errors, 1 warning"]
    ran = host("restoreconfig", str(file))
    assert ran.status == 0
    assert ran.err.count("\n") == 1
    assert "emulate_tomorrow" in ran.err
    assert "skipped" not in ran.err


GROUP = {"name": "standby", "tg_pt_gp_id": 3, "alua_access_state": 2}
SHORT = {
    "storage_objects": [
        {"name": "a", "plugin": "ramdisk", "size": 1 << 20, "alua_tpgs": [GROUP]},
    ]
}


def test_field_failure_12_a_short_file_needs_no_optional_keys(
    pyshell: Pyshell, tmp_path: Path
) -> None:
    file = tmp_path / "short.json"
    file.write_text(json.dumps(SHORT))
    assert pyshell("check", str(file)).done().lines == [f"{file}: no errors"]
    pyshell("restoreconfig", str(file)).done()
    pyshell.must("saveconfig")
    (made,) = pyshell.document()["storage_objects"]
    (group,) = [one for one in made["alua_tpgs"] if one["name"] == "standby"]
    assert {key: group[key] for key in GROUP} == GROUP
    assert group["trans_delay_msecs"] == 0


@pytest.mark.parametrize("key", ["name", "tg_pt_gp_id"])
def test_field_failure_12_a_missing_key_is_reported_with_file_and_place(
    pyshell: Pyshell, tmp_path: Path, key: str
) -> None:
    document = json.loads(json.dumps(SHORT))
    del document["storage_objects"][0]["alua_tpgs"][0][key]
    file = tmp_path / "short.json"
    file.write_text(json.dumps(document, indent=2))
    ran = pyshell("check", str(file))
    assert ran.status == 1
    place = f"$.storage_objects[0].alua_tpgs[0].{key}"
    assert ran.out.startswith(f"{file}:8:9: error: {place}: is missing")
