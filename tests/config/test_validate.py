# SPDX-License-Identifier: Apache-2.0
"""`check` tells every fault of a file with its place; nothing is touched, nothing traces back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from driver import DATA, ROOT, SERVER, TPG, Pyshell
from pyshell.config.positions import DocumentEntry
from pyshell.config.storage_checks import device_problems
from pyshell.files.reading import LARGE
from pyshell.host import BlockDevice
from pyshell.lio import Lio

EXAMPLE = ROOT / "saveconfig.example.json"
BROKEN = sorted((DATA / "broken").glob("*.json"))
MIB = 1 << 20

Document = dict[str, Any]


@pytest.fixture
def document() -> Document:
    """Return the example, to be changed."""
    found: Document = json.loads(EXAMPLE.read_text())
    return found


def checked(pyshell: Pyshell, tmp_path: Path, document: Any) -> list[dict[str, Any]]:
    """Return what `check` finds in a document."""
    file = tmp_path / "checked.json"
    file.touch(0o600)
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    found: list[dict[str, Any]] = pyshell("-o", "json", "check", str(file)).json["result"]
    return found


def messages(found: list[dict[str, Any]]) -> list[str]:
    return [f"{one['level']} {one['path']}: {one['message']}" for one in found]


def make_image(pyshell: Pyshell, path: str = "/srv/image1.img", size: int = 64 * MIB) -> None:
    """Give the simulated host an image file."""
    image = pyshell.simulator.machine.file(path)
    image.parent.mkdir(parents=True, exist_ok=True)
    with image.open("wb") as file:
        file.truncate(size)


# The hand-broken files


@pytest.mark.parametrize("file", BROKEN, ids=lambda file: file.stem)
def test_every_problem_of_a_broken_file_is_reported_with_path_and_line(
    pyshell: Pyshell, tmp_path: Path, file: Path
) -> None:
    make_image(pyshell)
    before = pyshell.files()
    kept = tmp_path / "kept.json"
    kept.touch(0o600)
    kept.write_bytes(file.read_bytes())
    ran = pyshell("-o", "json", "check", str(kept))
    found = ran.json["result"]
    told = [f"{one['line']}:{one['column']} {one['level']} {one['path']}" for one in found]
    assert told == file.with_suffix(".faults").read_text().splitlines()
    assert all(one["message"] for one in found)
    assert ran.status == any(one["level"] == "error" for one in found)
    assert pyshell.files() == before


@pytest.mark.parametrize("file", BROKEN, ids=lambda file: file.stem)
def test_a_broken_file_is_restored_in_part_or_refused_and_never_traces_back(
    pyshell: Pyshell, file: Path
) -> None:
    make_image(pyshell)
    pyshell.must("ls")
    empty = pyshell.tree()
    ran = pyshell("restoreconfig", str(file))
    assert "Traceback" not in ran.err
    assert ran.status in (0, 1)
    if "is not a saved configuration" in ran.err or "not JSON" in ran.err or "UTF-8" in ran.err:
        assert (ran.out, ran.status) == ("", 1)
        assert pyshell.tree() == empty


def test_there_are_broken_files_of_every_kind() -> None:
    assert len(BROKEN) >= 40
    assert {file.stem for file in BROKEN} == {
        file.stem for file in (DATA / "broken").glob("*.faults")
    }


def test_a_wrong_type_never_reaches_the_kernel(pyshell: Pyshell) -> None:
    pyshell.must("ls")
    empty = pyshell.tree()
    for file in BROKEN:
        if "type" in file.stem or file.stem in ("size-is-text", "nul-and-half-characters"):
            ran = pyshell("restoreconfig", str(file))
            assert "is not a saved configuration" in ran.err
            assert pyshell.tree() == empty


# Text, JSON, exit status


def test_a_line_has_file_line_column_level_and_json_path(pyshell: Pyshell) -> None:
    file = DATA / "broken" / "mapping-to-no-lun.json"
    ran = pyshell("check", str(file))
    assert ran.lines == [
        f"{file}:15:35: error: $.targets[0].tpgs[0].node_acls[0].mapped_luns[0].tpg_lun: "
        "the TPG has no LUN 1. Its LUNs: 0."
    ]
    assert (ran.err, ran.status) == (f"{file} has 1 error.\n", 1)


def test_a_file_with_only_warnings_passes(pyshell: Pyshell) -> None:
    ran = pyshell("check", str(DATA / "broken" / "chap-secret-short.json")).done()
    assert ": warning: " in ran.out


def test_errors_and_warnings_are_counted(pyshell: Pyshell) -> None:
    ran = pyshell("check", str(DATA / "broken" / "everything-at-once.json"))
    assert ran.err.endswith("has 9 errors and 2 warnings.\n")


def test_json_output_is_a_list_of_problems(pyshell: Pyshell) -> None:
    ran = pyshell("-o", "json", "check", str(DATA / "broken" / "unknown-backstore.json"))
    assert ran.json == {
        "schema": 1,
        "result": [
            {
                "path": "$.storage_objects[0].plugin",
                "line": 3,
                "column": 33,
                "level": "error",
                "message": "no such backstore: blok",
                "hint": "Did you mean block?",
            }
        ],
    }


def test_a_valid_file_has_no_problems(pyshell: Pyshell) -> None:
    example = str(pyshell.example)
    assert pyshell("check", example).done().lines == [f"{example}: no errors"]
    assert pyshell("-o", "json", "check", example).done().json["result"] == []


@pytest.mark.parametrize(("mode", "told"), [(0o640, True), (0o604, True), (0o600, False)])
def test_secrets_that_other_users_can_read_are_a_warning(
    pyshell: Pyshell, mode: int, told: bool
) -> None:
    pyshell.example.chmod(mode)
    lines = pyshell("check", str(pyshell.example)).done().lines
    warning = (
        f"{pyshell.example}:1:1: warning: its mode {mode:04o} lets other users read"
        " the secrets"
        f" in it. chmod 600 {pyshell.example} fixes it."
    )
    assert lines == [
        *[warning] * told,
        f"{pyshell.example}: no errors{', 1 warning' * told}",
    ]


def test_a_file_without_secrets_can_be_readable_by_all(pyshell: Pyshell, tmp_path: Path) -> None:
    file = tmp_path / "open.json"
    file.write_text('{"storage_objects": [], "targets": []}')
    file.chmod(0o644)
    assert pyshell("check", str(file)).done().lines == [f"{file}: no errors"]


def test_a_file_that_a_restore_refuses_is_a_warning(pyshell: Pyshell, tmp_path: Path) -> None:
    file = tmp_path / "writable.json"
    file.write_text('{"storage_objects": [], "targets": []}')
    file.chmod(0o666)
    assert pyshell("check", str(file)).done().lines == [
        f"{file}:1:1: warning: restoreconfig and apply refuse it: {file} is not trusted: other"
        f" users can write to it. Check what it holds, then run: chmod go-w {file}",
        f"{file}: no errors, 1 warning",
    ]
    assert pyshell("apply", str(file)).status == 4


def test_the_file_that_is_restored_at_boot_is_checked_by_default(exported: Pyshell) -> None:
    exported.must("saveconfig")
    assert exported.line("check").done().lines == [f"{exported.saved_file}: no errors"]


def test_a_saved_running_configuration_has_no_problems(exported: Pyshell) -> None:
    assert exported.line("/backstores/fileio create image2 /dev/sdb").status == 0
    exported.must(
        "/backstores/fileio create image1 /srv/image1.img 16M",
        "/backstores/pscsi create tape /dev/st0",
        "/backstores/ramdisk create scratch 1M",
        "/loopback create naa.5001405000000001",
        f"{TPG}/luns create /backstores/fileio/image1",
        "saveconfig",
    )
    assert exported.must("check") == [f"{exported.saved_file}: no errors"]


def test_no_message_contains_a_secret(pyshell: Pyshell, tmp_path: Path, document: Document) -> None:
    acl = document["targets"][0]["tpgs"][0]["node_acls"][0]
    for number, text in enumerate(("xyzzy1", "NULLxyzzy2", " xyzzy3", "xyzzy4\0", "xyzzy5" * 60)):
        acl["chap_password"], acl["chap_mutual_password"] = text, f"{text}{number}"
        assert "xyzzy" not in json.dumps(checked(pyshell, tmp_path, document))
    acl["chap_password"] = ["xyzzy"]
    assert "xyzzy" not in json.dumps(checked(pyshell, tmp_path, document))


def test_an_invalid_file_is_a_failure_in_a_batch(pyshell: Pyshell) -> None:
    file = DATA / "broken" / "size-zero.json"
    ran = pyshell.batch([f"check {file}", "pwd"])
    assert ran.status == 1
    assert ran.err.startswith("stdin:1: ")
    assert "/" not in ran.lines


def test_check_needs_no_target(pyshell: Pyshell, tmp_path: Path) -> None:
    ran = pyshell("--config-dir", str(tmp_path), "check")
    assert ran.status == 3
    assert "not found" in ran.err


@pytest.mark.parametrize("name", ["folder", "gone/x.json", "n" * 300])
def test_a_file_that_cannot_be_read_is_an_error(
    pyshell: Pyshell, tmp_path: Path, name: str
) -> None:
    (tmp_path / "folder").mkdir()
    ran = pyshell("check", str(tmp_path / name))
    assert ran.out == ""
    assert ran.status in (1, 3)
    assert ran.err.count("\n") == 1


def test_an_endless_file_is_not_read_to_its_end(pyshell: Pyshell, tmp_path: Path) -> None:
    endless = tmp_path / "huge.json"
    with endless.open("wb") as file:
        file.truncate(LARGE + 1)
    ran = pyshell("check", str(endless))
    assert ran.lines[0].endswith("larger than 256 MiB, which no saved configuration is")
    assert pyshell("restoreconfig", str(endless)).status == 1


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        ("fabric", "discovery_password"),
        ("tpg", "chap_password"),
        ("acl", "chap_password"),
        ("acl", "chap_password_file"),
    ],
)
def test_half_of_a_surrogate_pair_in_a_secret_is_an_error_of_the_file(
    pyshell: Pyshell, tmp_path: Path, entry: str, key: str
) -> None:
    secret = {key: "/tmp/a long \ud800 secret"}
    acl: Any = {"node_wwn": "iqn.2020-07.com.example:b", **(secret if entry == "acl" else {})}
    tpg: Any = {"tag": 1, "node_acls": [acl], **(secret if entry == "tpg" else {})}
    document: Any = {
        "fabric_modules": [{"name": "iscsi", **(secret if entry == "fabric" else {})}],
        "targets": [{"fabric": "iscsi", "wwn": SERVER, "tpgs": [tpg]}],
    }
    file = tmp_path / "x.json"
    file.touch(0o600)
    file.write_text(json.dumps(document))
    ran = pyshell("check", str(file))
    assert f"{key}: contains NUL or half of a surrogate pair" in ran.out
    assert "Traceback" not in ran.out + ran.err


# What depends on this host


def test_a_device_of_its_own_running_storage_object_is_not_busy(
    pyshell: Pyshell, tmp_path: Path
) -> None:
    disk = {"name": "a", "plugin": "block", "dev": "/dev/mapper/lee-lee.lv"}
    pyshell.must("/backstores/block create a /dev/mapper/lee-lee.lv")
    assert checked(pyshell, tmp_path, {"storage_objects": [disk]}) == []
    linked = {**disk, "dev": "/dev/lee/lee.lv"}
    assert checked(pyshell, tmp_path, {"storage_objects": [linked]}) == []


def test_a_device_of_another_storage_object_is_busy(pyshell: Pyshell, tmp_path: Path) -> None:
    pyshell.must("/backstores/block create a /dev/sdb")
    for plugin in ("block", "fileio"):
        disk = {"name": "b", "plugin": plugin, "dev": "/dev/sdb"}
        (found,) = checked(pyshell, tmp_path, {"storage_objects": [disk]})
        assert found["level"] == "error"
        assert "is in use: storage object block/a" in found["message"]


def test_an_image_file_of_another_size_is_reported(pyshell: Pyshell, tmp_path: Path) -> None:
    make_image(pyshell, size=MIB)
    disk = {"name": "a", "plugin": "fileio", "dev": "/srv/image1.img", "size": MIB}
    assert checked(pyshell, tmp_path, {"storage_objects": [disk]}) == []
    for size in (MIB // 2, 2 * MIB):
        (found,) = checked(pyshell, tmp_path, {"storage_objects": [{**disk, "size": size}]})
        assert found["level"] == "warning"
        assert f"the image file has {MIB}" in found["message"]


def test_an_image_file_that_is_a_folder_is_reported(pyshell: Pyshell, tmp_path: Path) -> None:
    pyshell.simulator.machine.file("/srv/folder").mkdir(parents=True)
    disk = {"name": "a", "plugin": "fileio", "dev": "/srv/folder"}
    found = checked(pyshell, tmp_path, {"storage_objects": [disk]})
    assert [one["path"] for one in found] == ["$.storage_objects[0].size",
                                              "$.storage_objects[0].dev"]  # fmt: skip


def test_a_fabric_that_this_kernel_lacks_is_a_warning(pyshell: Pyshell, tmp_path: Path) -> None:
    target = {"fabric": "vhost", "wwn": "naa.5001405000000001"}
    (found,) = checked(pyshell, tmp_path, {"targets": [target]})
    assert messages([found]) == ["warning $.targets[0].fabric: this kernel has no fabric vhost"]


def test_a_lun_can_export_a_running_storage_object_but_not_at_boot(
    pyshell: Pyshell, tmp_path: Path
) -> None:
    pyshell.must("/backstores/ramdisk create a 1M")
    lun = {"index": 0, "storage_object": "/backstores/ramdisk/a"}
    document = {"targets": [{"fabric": "iscsi", "wwn": SERVER, "tpgs": [{"luns": [lun]}]}]}
    (found,) = checked(pyshell, tmp_path, document)
    assert found["level"] == "warning"
    pyshell.saved_file.parent.mkdir(parents=True, exist_ok=True)
    pyshell.saved_file.write_text(json.dumps(document))
    assert "error: $.targets[0].tpgs[0].luns[0].storage_object" in pyshell("check").out


# Single rules that no broken file shows


def first_acl(document: Document) -> dict[str, Any]:
    acl: dict[str, Any] = document["targets"][0]["tpgs"][0]["node_acls"][0]
    return acl


def test_the_schema_key_of_editors_is_known(
    pyshell: Pyshell, tmp_path: Path, document: Document
) -> None:
    assert checked(pyshell, tmp_path, {"$schema": "saveconfig.schema.json", **document}) == []
    first_acl(document)["$schema"] = "x"
    assert len(checked(pyshell, tmp_path, document)) == 1


def test_a_misspelt_setting_is_a_warning(
    pyshell: Pyshell, tmp_path: Path, document: Document
) -> None:
    tpg = document["targets"][0]["tpgs"][0]
    tpg["attributes"] = {"authentcation": 1}
    tpg["node_acls"][0]["attributes"] = {"dataout_timout": 3}
    found = checked(pyshell, tmp_path, document)
    unknown = "unknown setting, it has no effect unless the kernel has it"
    assert messages(found) == [
        f"warning $.targets[0].tpgs[0].attributes.authentcation: {unknown}",
        f"warning $.targets[0].tpgs[0].node_acls[0].attributes.dataout_timout: {unknown}",
    ]
    assert [one["hint"] for one in found] == [
        "Did you mean authentication?",
        "Did you mean dataout_timeout?",
    ]


def test_old_names_of_backstores_are_known(pyshell: Pyshell, tmp_path: Path) -> None:
    document = {
        "storage_objects": [
            {"name": "a", "plugin": "iblock", "dev": "/dev/sdb"},
            {"name": "b", "plugin": "rd_mcp", "size": MIB},
        ],
        "targets": [
            {
                "fabric": "iscsi",
                "wwn": SERVER,
                "tpgs": [
                    {
                        "luns": [
                            {"index": 0, "storage_object": "/backstores/iblock/a"},
                            {"index": 1, "storage_object": "/backstores/ramdisk/b"},
                        ]
                    }
                ],
            }
        ],
    }
    assert checked(pyshell, tmp_path, document) == []


def test_targets_can_share_a_portal_but_not_overlap(pyshell: Pyshell, tmp_path: Path) -> None:
    def two(first: str, second: str, port: int = 3260) -> Document:
        made = [
            {
                "fabric": "iscsi",
                "wwn": f"{SERVER}{number}",
                "tpgs": [{"portals": [{"ip_address": address, "port": there}]}],
            }
            for number, (address, there) in enumerate([(first, 3260), (second, port)])
        ]
        return {"targets": made}

    for pair in (("0.0.0.0", "0.0.0.0"), ("192.0.2.1", "192.0.2.1"), ("192.0.2.1", "192.0.2.2")):
        assert checked(pyshell, tmp_path, two(*pair)) == []
    assert checked(pyshell, tmp_path, two("0.0.0.0", "[2001:db8::1]")) == []
    assert checked(pyshell, tmp_path, two("0.0.0.0", "192.0.2.1", 3261)) == []
    (found,) = checked(pyshell, tmp_path, two("0.0.0.0", "192.0.2.1"))
    assert "overlap" in found["message"]
    # The kernel takes the IPv6 wildcard for any other target's portal at that port (finding 58).
    assert checked(pyshell, tmp_path, two("[::0]", "0.0.0.0")) == []
    (found,) = checked(pyshell, tmp_path, two("192.0.2.1", "[::]"))
    assert found["level"] == "warning"
    assert "reached only at 192.0.2.1" in found["message"]


def overlap_as_the_kernel_sees_it(pyshell: Pyshell, addresses: list[str]) -> bool:
    """Tell whether the (simulated) kernel refuses the second of two portals."""
    for number, address in enumerate(addresses):
        wwn = f"{SERVER}{number}"
        tpg = f"/iscsi/{wwn}/tpg1"
        pyshell.must("set global auto_add_default_portal=false", f"/iscsi create {wwn}")
        ran = pyshell.line(f"{tpg}/portals create {address} 3260")
    return ran.status != 0


@pytest.mark.parametrize(
    "addresses",
    [["0.0.0.0", "192.0.2.1"], ["192.0.2.1", "0.0.0.0"], ["::0", "192.0.2.1"],
     ["0.0.0.0", "2001:db8::1"], ["192.0.2.1", "192.0.2.2"], ["::0", "0.0.0.0"], ["::0", "::1"]],
    ids=" ".join,
)  # fmt: skip
def test_portals_overlap_as_in_the_kernel(
    pyshell: Pyshell, tmp_path: Path, addresses: list[str]
) -> None:
    targets = [
        {
            "fabric": "iscsi",
            "wwn": f"{SERVER}{number}",
            "tpgs": [{"portals": [{"ip_address": address, "port": 3260}]}],
        }
        for number, address in enumerate(addresses)
    ]
    found = checked(pyshell, tmp_path, {"targets": targets})
    assert bool(found) == overlap_as_the_kernel_sees_it(pyshell, addresses)


def test_authentication_without_credentials_is_reported(
    pyshell: Pyshell, tmp_path: Path, document: Document
) -> None:
    acl = first_acl(document)
    for key in [key for key in acl if key.startswith("chap_")]:
        del acl[key]
    (found,) = checked(pyshell, tmp_path, document)
    assert "authentication is on" in found["message"]
    acl["attributes"] = {"authentication": 0}
    assert checked(pyshell, tmp_path, document) == []


@pytest.mark.parametrize(
    ("device", "told"),
    [
        (BlockDevice("/dev/x", "x", MIB, True, 0, ""), "warning: /dev/x is read-only"),
        (BlockDevice("/dev/x", "x", 0, False, 0, ""), "error: /dev/x has size 0"),
        (BlockDevice("/dev/x", "x", MIB, False, 5, ""), "error: /dev/x is not a disk"),
        (BlockDevice("/dev/x", "x", MIB, False, 0, "used as swap"), "error: /dev/x is in use"),
    ],
)
def test_a_device_that_does_not_fit_is_reported(
    lio: Lio, monkeypatch: pytest.MonkeyPatch, device: BlockDevice, told: str
) -> None:
    monkeypatch.setattr(type(lio.machine), "block_device", lambda self, path: device)
    monkeypatch.setattr(type(lio.machine), "in_use", lambda self, path: bool(device.holder))
    disk = {"name": "a", "plugin": "block", "dev": "/dev/x", "readonly": False}
    (fault,) = device_problems(lio, DocumentEntry({"storage_objects": [disk]}, ()))
    assert f"{fault.level}: {fault.message}".startswith(told)


def test_a_missing_file_is_reported_as_such(pyshell: Pyshell) -> None:
    ran = pyshell("check", "/nonexistent.json")
    assert (ran.err, ran.status) == ("No such file: /nonexistent.json. Check the name.\n", 3)


SIZED = [
    {"plugin": "fileio", "dev": "/srv/image1.img"},
    {"plugin": "ramdisk"},
    {"plugin": "user", "config": "file/srv/a"},
]


@pytest.mark.parametrize("entry", SIZED, ids=lambda entry: entry["plugin"])
@pytest.mark.parametrize("size", [0, -1, 511])
def test_finding_13_a_size_that_no_disk_can_have_is_refused(
    pyshell: Pyshell, tmp_path: Path, entry: dict[str, Any], size: int
) -> None:
    """The kernel rounds the size of a ramdisk up to a page."""
    make_image(pyshell)
    document = {"storage_objects": [{"name": "a", "size": size, **entry}]}
    found = [one for one in checked(pyshell, tmp_path, document) if one["level"] == "error"]
    file = str(tmp_path / "checked.json")
    applied = pyshell("apply", file)
    if size > 0 and entry["plugin"] == "ramdisk":
        assert (found, applied.status) == ([], 0)
        return
    told = "must be at least one block of 512 bytes" if size > 0 else "must be greater than 0"
    assert messages(found) == [f"error $.storage_objects[0].size: {told}"]
    assert (applied.out, applied.status != 0) == ("", True)
    assert "Nothing was changed" in applied.err
    restored = pyshell("restoreconfig", file)
    assert restored.status == 1
    assert f"/backstores/{entry['plugin']}/a: size: {told}, skipped" in restored.err


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("a\u200bb", "error"),
        ("a\u202eb", "error"),
        ("a\x85b", "error"),
        ("a ", "error"),
        ("x" * 256, "error"),
        ("NULL", "error"),
        ("x" * 255, None),
        ("\u0430lpha", "warning"),
        ("a b", None),
    ],
)
def test_names_of_alua_groups_follow_the_rules_of_storage_objects(
    pyshell: Pyshell, tmp_path: Path, name: str, level: str | None
) -> None:
    """Finding 50: what cannot be seen is refused, what looks like another name is noted."""
    group = {"name": name, "tg_pt_gp_id": 7}
    one = {"name": "a", "plugin": "ramdisk", "size": MIB, "alua_tpgs": [group]}
    found = checked(pyshell, tmp_path, {"storage_objects": [one]})
    assert [fault["level"] for fault in found] == ([level] if level else [])
    applied = pyshell("apply", str(tmp_path / "checked.json"))
    assert (applied.status != 0) is (level == "error")
    assert pyshell("clearconfig", "confirm=true").status == 0


@pytest.mark.parametrize(("length", "fits"), [(252, True), (253, False)])
def test_finding_7_a_serial_number_fits_into_the_kernels_buffer(
    pyshell: Pyshell, tmp_path: Path, length: int, fits: bool
) -> None:
    one = {"name": "a", "plugin": "ramdisk", "size": MIB, "wwn": "x" * length}
    assert (checked(pyshell, tmp_path, {"storage_objects": [one]}) == []) is fits
    assert (pyshell("apply", str(tmp_path / "checked.json")).status == 0) is fits


@pytest.mark.parametrize("size", [1, 512, 2048, 4097])
def test_finding_63_a_ramdisk_of_partial_pages_is_applied_once(
    pyshell: Pyshell, tmp_path: Path, size: int
) -> None:
    document = {"storage_objects": [{"name": "a", "plugin": "ramdisk", "size": size}]}
    checked(pyshell, tmp_path, document)
    pyshell("apply", str(tmp_path / "checked.json")).done()
    again = pyshell("-o", "json", "apply", str(tmp_path / "checked.json")).done()
    assert again.json["result"]["changed"] is False


LINE = "a\n/backstores/ramdisk create injected 1M\n#"


@pytest.mark.parametrize("text", [LINE, "a\x1b[2J", "a\u2028b", "a\u202eb"])
def test_a_text_for_the_kernel_is_one_line(
    pyshell: Pyshell, tmp_path: Path, document: Document, text: str
) -> None:
    target = document["targets"][0]
    target["parameters"] = {"TargetAlias": text}
    tpg = target["tpgs"][0]
    tpg.setdefault("parameters", {})["FutureParameter"] = text
    tpg["node_acls"][0]["tag"] = text
    document["storage_objects"][0]["dev"] = f"/dev/{text}"
    found = checked(pyshell, tmp_path, document)
    wrong = {one["path"] for one in found if one["level"] == "error"}
    acl = "$.targets[0].tpgs[0].node_acls[0].tag"
    assert wrong >= {
        "$.targets[0].parameters.TargetAlias",
        "$.targets[0].tpgs[0].parameters.FutureParameter",
        "$.storage_objects[0].dev",
        acl,
    }
    assert "\x1b" not in str(found[0]["message"])


@pytest.mark.parametrize("tag", ["../x", "a/b", "NULL1", LINE])
def test_a_tag_of_a_file_is_one_name_on_one_line(
    pyshell: Pyshell, tmp_path: Path, document: Document, tag: str
) -> None:
    acl = document["targets"][0]["tpgs"][0]["node_acls"][0]
    acl["tag"] = tag
    file = tmp_path / "tagged.json"
    file.touch(0o600)
    file.write_text(json.dumps(document))
    assert pyshell("apply", str(file)).status != 0
    pyshell("restoreconfig", str(file))
    shown = pyshell(f"{TPG}/acls/{acl['node_wwn']}", "info")
    assert shown.status == 0, "only the tag is left out, not the ACL"
    assert "injected" not in shown.out + pyshell("export").out


@pytest.mark.parametrize(
    ("key", "value", "is_error"),
    [
        ("tag", "x" * 63, False),
        ("tag", "x" * 64, True),
        ("tag", "NULL", True),
        ("tcq_depth", 512, False),
        ("tcq_depth", "", False),
        ("tcq_depth", 0, True),
        ("tcq_depth", 513, True),
        ("tcq_depth", "64 ", True),
        ("tcq_depth", "0x10", True),
    ],
)
def test_invalid_settings_of_an_acl_are_errors_and_the_rest_is_applied_once(
    pyshell: Pyshell, tmp_path: Path, key: str, value: object, is_error: bool
) -> None:
    """Findings 7 and 63; a restore leaves out the setting, not the ACL."""
    acl = {"node_wwn": "iqn.2020-07.com.example:c", key: value}
    target = {"fabric": "iscsi", "wwn": "iqn.2020-07.com.example:t", "tpgs": [{"node_acls": [acl]}]}
    found = checked(pyshell, tmp_path, {"targets": [target]})
    assert [one["path"].rpartition(".")[2] for one in found if one["level"] == "error"] == (
        [key] if is_error else []
    )
    file = str(tmp_path / "checked.json")
    assert (pyshell("apply", file).status != 0) is is_error
    if is_error:
        assert pyshell("restoreconfig", file).status == 1
        assert pyshell("/iscsi/iqn.2020-07.com.example:t/tpg1/acls", "ls").out.count(":c ") == 1
    else:
        again = pyshell("-o", "json", "apply", file).done()
        assert again.json["result"]["changed"] is False


@pytest.mark.parametrize("alias", ["x" * 256, "alua_tg_pt_gp", "statistics", "write_protect"])
def test_an_invalid_alias_is_an_error(pyshell: Pyshell, tmp_path: Path, alias: str) -> None:
    """Finding 7: the dry run accepted it and the kernel refused it."""
    lun = {"index": 0, "storage_object": "/backstores/ramdisk/a", "alias": alias}
    target = {"fabric": "iscsi", "wwn": "iqn.2020-07.com.example:t", "tpgs": [{"luns": [lun]}]}
    one = {"name": "a", "plugin": "ramdisk", "size": MIB}
    found = checked(pyshell, tmp_path, {"storage_objects": [one], "targets": [target]})
    assert [fault["path"].rpartition(".")[2] for fault in found] == ["alias"]
