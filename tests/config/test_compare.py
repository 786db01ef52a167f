# SPDX-License-Identifier: Apache-2.0
"""What counts as a difference: omitted defaults, what the kernel rounds, other spellings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell

SERIAL = "a5b5d0a8-3a52-4e55-9b0a-3f6f1f6b7a01"


def ramdisk(**more: Any) -> dict[str, Any]:
    """Return the entry of a ramdisk."""
    return {"name": "ram", "plugin": "ramdisk", "size": 1 << 20, "wwn": SERIAL, **more}


def target(**tpg: Any) -> dict[str, Any]:
    """Return the entry of a target with one TPG."""
    return {"fabric": "iscsi", "wwn": SERVER, "tpgs": [{"tag": 1, **tpg}]}


def written(folder: Path, *storage: Any, targets: Any = (), name: str = "wanted") -> str:
    """Return a file that holds a document."""
    file = folder / f"{name}.json"
    file.touch(0o600)
    file.write_text(json.dumps({"storage_objects": storage, "targets": list(targets)}))
    return str(file)


def changes(pyshell: Pyshell, file: str) -> bool:
    """Apply a file and tell whether that changed anything."""
    return bool(pyshell("-o", "json", "apply", file).done().json["result"]["changed"])


def at_rest(pyshell: Pyshell, file: str) -> bool:
    """Apply a file, and tell whether a second time changes nothing and nothing differs."""
    pyshell("apply", file).done()
    return not changes(pyshell, file) and pyshell("diff", file, "running").status == 0


def test_finding_60_nullio_of_a_ramdisk_is_compared(pyshell: Pyshell, tmp_path: Path) -> None:
    pyshell.must(f"/backstores/ramdisk create ram 1M wwn={SERIAL} nullio=true")
    file = written(tmp_path, ramdisk())
    assert "nullio: True -> False" in pyshell("diff", "running", file).out
    assert at_rest(pyshell, file)
    assert "nullio: 0" in pyshell.read("core/rd_mcp_0/ram/info")


@pytest.mark.parametrize(
    ("entry", "changed"),
    [
        ({"plugin": "block", "dev": "/dev/sdb", "readonly": True}, "readonly: True -> False"),
        (
            {"plugin": "fileio", "dev": "/srv/x.img", "size": 1 << 20, "write_back": True},
            "write_back: True -> False",
        ),
    ],
)
def test_finding_60_an_omitted_key_means_its_default(
    pyshell: Pyshell, tmp_path: Path, entry: dict[str, Any], changed: str
) -> None:
    image = pyshell.simulator.machine.file("/srv/x.img")
    image.parent.mkdir(parents=True, exist_ok=True)
    image.write_bytes(bytes(1 << 20))
    entry = {"name": "disk", "wwn": SERIAL, **entry}
    pyshell("apply", written(tmp_path, entry, name="before")).done()
    without = {k: v for k, v in entry.items() if k not in ("readonly", "write_back")}
    file = written(tmp_path, without)
    assert changed in pyshell("diff", "running", file).out
    assert at_rest(pyshell, file)


def test_finding_60_an_omitted_queue_depth_means_the_default(exported: Pyshell) -> None:
    exported.must("saveconfig")
    acl = exported.configfs / f"iscsi/{SERVER}/tpgt_1/acls/{CLIENT}/cmdsn_depth"
    exported.simulator.write(str(acl), "32")
    assert "cmdsn_depth: 64 -> 32" in exported("diff").out
    assert at_rest(exported, str(exported.saved_file))
    assert acl.read_text() == "64\n"


def test_finding_60_an_omitted_alua_group_means_the_default_one(
    exported: Pyshell, tmp_path: Path
) -> None:
    exported.must("saveconfig", "/backstores/block/lee_block/alua create slow 7")
    exported.must(f"{TPG}/luns/lun0 set alua alua_tg_pt_gp_name=slow")
    document = exported.document()
    del document["targets"][0]["tpgs"][0]["luns"][0]["alua_tg_pt_gp_name"]
    file = written(tmp_path, *document["storage_objects"], targets=document["targets"])
    assert "alua_tg_pt_gp: slow -> default_tg_pt_gp" in exported("diff", "running", file).out
    assert [changes(exported, file), changes(exported, file)] == [True, False]


@pytest.mark.parametrize("said", [0, False, "no", "0", "off"])
def test_finding_59_a_cache_is_never_hidden_from_initiators(
    pyshell: Pyshell, tmp_path: Path, said: Any
) -> None:
    image = pyshell.simulator.machine.file("/srv/x.img")
    image.parent.mkdir(parents=True, exist_ok=True)
    image.write_bytes(bytes(1 << 20))
    entry = {"name": "x", "plugin": "fileio", "dev": "/srv/x.img", "size": 1 << 20}
    entry |= {"write_back": True, "attributes": {"emulate_write_cache": said}}
    file = written(tmp_path, entry)
    for line in (("check", file), ("apply", file), ("--dry-run", "apply", file)):
        ran = pyshell(*line)
        assert ran.status != 0
        assert "write_back" in ran.out + ran.err
    assert pyshell.simulator.configfs.joinpath("core/fileio_0").exists() is False
    assert pyshell("restoreconfig", file).status == 1
    assert pyshell.read("core/fileio_0/x/attrib/emulate_write_cache") == "1\n"


@pytest.mark.parametrize("size", [4096, 5000, (1 << 20) + 1, (1 << 20) + 4095])
def test_finding_63_a_ramdisk_is_compared_by_whole_pages(
    pyshell: Pyshell, tmp_path: Path, size: int
) -> None:
    assert at_rest(pyshell, written(tmp_path, ramdisk(size=size)))


@pytest.mark.parametrize(
    "attributes",
    [
        {"emulate_dpo": 0},
        {"emulate_fua_read": 0},
        {"emulate_rest_reord": 1},
        {"alua_support": 0},
        {"pi_prot_verify": 1},
        {"hw_max_sectors": 1, "hw_block_size": 4096},
        {"emulate_tas": "010"},
        {"emulate_tpu": "no"},
        {"max_unmap_lba_count": "010"},
    ],
    ids=str,
)
def test_finding_63_values_that_the_kernel_ignores_or_converts_are_applied_once(
    pyshell: Pyshell, tmp_path: Path, attributes: dict[str, Any]
) -> None:
    file = written(tmp_path, ramdisk(attributes=attributes))
    if pyshell("apply", file).status == 0:
        assert at_rest(pyshell, file)
    else:
        assert ": error: " in pyshell("check", file).out


@pytest.mark.parametrize("fabric", ["loopback", "vhost"])
def test_finding_63_a_fabric_without_that_state_cannot_be_disabled(
    pyshell: Pyshell, tmp_path: Path, fabric: str
) -> None:
    pyshell.simulator.machine.edit(fabrics=[fabric])
    entry = {"fabric": fabric, "wwn": "naa.5001405000000001", "tpgs": [{"enable": False}]}
    assert at_rest(pyshell, written(tmp_path, targets=[entry]))


@pytest.mark.parametrize("control", ["max_data_area_mb=64", "hw_block_size=512", "", None])
def test_finding_10_some_of_the_control_words_are_applied_once(
    pyshell: Pyshell, tmp_path: Path, control: str | None
) -> None:
    pyshell.simulator.machine.edit(handlers={"file": "a path"})
    entry = {"name": "app", "plugin": "user", "size": 1 << 20, "config": "file//srv/app"}
    file = written(tmp_path, {**entry, "wwn": SERIAL, "control": control})
    assert at_rest(pyshell, file)


def test_finding_10_an_omitted_block_size_means_the_default(
    pyshell: Pyshell, tmp_path: Path
) -> None:
    pyshell.simulator.machine.edit(handlers={"file": "a path"})
    entry = {"name": "app", "plugin": "user", "size": 1 << 20, "config": "file//srv/app"}
    entry |= {"wwn": SERIAL}
    big = {**entry, "control": "hw_block_size=4096,max_data_area_mb=64"}
    pyshell("apply", written(tmp_path, big, name="before")).done()
    file = written(tmp_path, {**entry, "control": "max_data_area_mb=64"})
    assert "hw_block_size: 4096 -> 512" in pyshell("diff", "running", file).out
    assert at_rest(pyshell, file)


@pytest.mark.parametrize(
    "wwn", ["iqn.2020-00.com.example:a", "iqn.2020-07.com.example:a_b", "iqn.2020-07.com.example:Ü"]
)
def test_finding_9_a_name_refused_for_new_objects_is_a_warning(
    exported: Pyshell, tmp_path: Path, wwn: str
) -> None:
    acls = exported.configfs / f"iscsi/{SERVER}/tpgt_1/acls"
    exported.simulator.mkdir(f"{acls}/{wwn}")
    for line in ("saveconfig", "diff", "apply saved", "export", "status"):
        assert exported.line(line).status == 0, line
    assert ": error: " not in exported.line("check").out
    exported.must("clearconfig confirm=true", "restoreconfig")
    assert (acls / wwn).is_dir() or (acls / wwn.lower()).is_dir()
    assert exported.line(f"{TPG}/acls create {wwn}2").status != 0 or wwn.endswith("Ü")


def test_finding_4_another_spelling_of_a_name_is_the_same_name(
    exported: Pyshell, tmp_path: Path
) -> None:
    exported.must("/backstores/ramdisk create ram 1M", "saveconfig")
    exported.must(f"{TPG}/luns create /backstores/ramdisk/ram", "saveconfig")
    text = exported.saved_file.read_text()
    text = text.replace(SERVER, SERVER.upper()).replace(CLIENT, CLIENT.upper())
    text = text.replace('"ramdisk"', '"rd_mcp"').replace("/ramdisk/", "/rd_mcp/")
    exported.saved_file.write_text(text)
    assert exported.line("diff").status == 0
    file = tmp_path / "one.json"
    for command in (
        f"apply saved target={SERVER}",
        f"apply saved target={SERVER.upper()}",
        f"saveconfig {file} target={SERVER.upper()}",
    ):
        assert exported.line(command).status == 0, command
    ran = exported.batch([f"{TPG} set attribute login_timeout=20"], "-f", "-")
    assert "not running" not in ran.err
    for name in (SERVER, SERVER.upper()):
        exported.must("clearconfig confirm=true", f"restoreconfig target={name}")
        assert (exported.configfs / f"iscsi/{SERVER}").is_dir()


def test_finding_67_what_pyshell_creates_and_saves_passes_its_check(pyshell: Pyshell) -> None:
    pyshell.simulator.machine.edit(fabrics=["xen-pvscsi"])
    pyshell.must("/xen-pvscsi create", "saveconfig")
    assert ": error: " not in pyshell("check").done().out
    assert at_rest(pyshell, str(pyshell.saved_file))


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (
            {"plugin": "block", "dev": "/dev/sdb", "attributes": {"queue_depth": 4096}},
            "queue_depth",
        ),
        (
            {"plugin": "block", "dev": "/dev/sdb", "attributes": {"emulate_write_cache": 1}},
            "emulate_write_cache can only be 0",
        ),
        (
            {"plugin": "block", "dev": "/dev/sdd", "attributes": {"emulate_tpu": 1}},
            "cannot discard",
        ),
        (ramdisk(size=-1), "size"),
        (ramdisk(size=0), "size"),
        (ramdisk(size=1 << 63), " "),
        (ramdisk(attributes={"emulate_tpu": 1}), "emulate_tpu"),
        (ramdisk(attributes={"block_size": "0x200"}), "block_size"),
        (ramdisk(attributes={"queue_depth": ""}), "queue_depth"),
        (ramdisk(name="a\nb"), "name"),
    ],
)
def test_finding_7_errors_of_check_are_neither_applied_nor_restored(
    pyshell: Pyshell, tmp_path: Path, entry: dict[str, Any], told: str
) -> None:
    file = written(tmp_path, {"name": "x", **entry}, ramdisk(name="sound"))
    assert told in pyshell("check", file).out
    for line in (("apply", file), ("--dry-run", "apply", file)):
        ran = pyshell(*line)
        assert ran.status != 0
        assert told in ran.err
    assert not (pyshell.configfs / "core").joinpath("rd_mcp_0").exists()
    ran = pyshell("restoreconfig", file)
    assert ran.status == 1
    assert told in ran.err
    assert list((pyshell.configfs / "core").glob("rd_mcp_*/sound"))


@pytest.mark.parametrize(("device", "discards"), [("/dev/sdc", 1), ("/dev/sdd", 0)])
def test_an_object_on_another_device_discards_if_that_can(
    pyshell: Pyshell, tmp_path: Path, device: str, discards: int
) -> None:
    pyshell.must("/backstores/block create x /dev/sdb", "saveconfig")
    file = written(tmp_path, {"name": "x", "plugin": "block", "dev": device})
    pyshell("apply", file).done()
    (entry,) = pyshell("saveconfig", "-").json["storage_objects"]
    assert (entry["dev"], entry["attributes"]["emulate_tpu"]) == (device, discards)


def test_an_object_is_restored_without_the_discard_that_its_device_lost(
    pyshell: Pyshell, tmp_path: Path
) -> None:
    file = written(
        tmp_path,
        {"name": "x", "plugin": "block", "dev": "/dev/sdd", "attributes": {"emulate_tpu": 1}},
    )
    ran = pyshell("restoreconfig", file)
    assert ran.status == 1
    assert "emulate_tpu can only be 0: the device of this host cannot discard, skipped" in ran.err
    (entry,) = pyshell("saveconfig", "-").json["storage_objects"]
    assert (entry["dev"], entry["attributes"]["emulate_tpu"]) == ("/dev/sdd", 0)


def test_finding_62_a_duplicate_key_is_refused_and_reported(
    pyshell: Pyshell, tmp_path: Path
) -> None:
    file = Path(written(tmp_path, ramdisk()))
    file.write_text(file.read_text().replace('"size": 1048576', '"size": 4096, "size": 1048576'))
    assert "duplicate key" in pyshell("check", str(file)).out
    assert "duplicate key" in pyshell("apply", str(file)).err
    ran = pyshell("restoreconfig", str(file))
    assert (ran.status, "duplicate key" in ran.err) == (1, True)


@pytest.mark.parametrize("second", ["/dev/lee/lee.lv", "/dev/mapper/lee-lee.lv"])
@pytest.mark.parametrize("plugin", ["block", "fileio"])
def test_finding_8_two_objects_on_one_device_are_an_error_under_any_name(
    pyshell: Pyshell, tmp_path: Path, plugin: str, second: str
) -> None:
    first = {"name": "one", "plugin": "fileio", "dev": "/dev/mapper/lee-lee.lv"}
    other = {"name": "two", "plugin": plugin, "dev": second, "wwn": SERIAL}
    file = written(tmp_path, first, other)
    assert "is used twice" in pyshell("check", file).out
    for line in (("apply", file), ("--dry-run", "apply", file), ("restoreconfig", file)):
        assert pyshell(*line).status != 0


def test_finding_67_a_dry_run_finds_a_used_alua_number(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/ramdisk create ram 1M", "/backstores/ramdisk/ram/alua create one 7")
    for options in ((), ("--dry-run",)):
        ran = pyshell.line("/backstores/ramdisk/ram/alua create two 7", *options)
        assert ran.status != 0
        assert "7 already" in ran.err
