# SPDX-License-Identifier: Apache-2.0
"""Vendor, product, revision, company id and serial number of a storage object."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell
from pyshell.simulator.recorded import template

DISK = "/backstores/ramdisk/disk"
CREATE = "/backstores/ramdisk create disk 1M"
GIVEN = "vendor=ACME product='My Disk' revision=0001 company_id=00:a0:98"
SET = {
    "company_id": "0x00a098", "product_id": "My Disk", "revision": "0001", "vendor_id": "ACME"
}  # fmt: skip
NEW = {
    "company_id": "0x001405", "product_id": "disk", "revision": "4.0", "vendor_id": "LIO-ORG"
}  # fmt: skip


def identity(pyshell: Pyshell, path: str = DISK) -> dict[str, str]:
    """Return the group wwn without the serial number."""
    found: dict[str, str] = json.loads(pyshell("-o", "json", path, "get", "wwn").done().out)[
        "result"
    ]
    del found["vpd_unit_serial"]
    return found


def saved(pyshell: Pyshell) -> dict[str, Any]:
    """Return the attributes of the first saved storage object."""
    found = json.loads(pyshell.saved_file.read_text())["storage_objects"][0]["attributes"]
    assert isinstance(found, dict)
    return found


def without_identity(pyshell: Pyshell, file: Path) -> Path:
    """Write the saved configuration as targetcli saves it, without the identity."""
    document = json.loads(pyshell.saved_file.read_text())
    for entry in document["storage_objects"]:
        own = entry["attributes"]
        entry["attributes"] = {name: own[name] for name in own if not name.startswith("..")}
    file.write_text(json.dumps(document))
    file.chmod(0o600)
    return file


@pytest.fixture
def disk(pyshell: Pyshell) -> Pyshell:
    """Return pyshell with a saved disk that has an identity of its own."""
    pyshell.must("set global export_backstore_name_as_model=true", f"{CREATE} {GIVEN}")
    pyshell.must("saveconfig")
    return pyshell


@pytest.mark.parametrize("create", [
    "block create disk /dev/sdb", "fileio create disk /srv/disk.img 1M", "ramdisk create disk 1M",
])  # fmt: skip
def test_create_sets_it_and_undo_deletes_the_object(pyshell: Pyshell, create: str) -> None:
    pyshell.must("set global export_backstore_name_as_model=true", f"/backstores/{create} {GIVEN}")
    path = f"/backstores/{create.split(maxsplit=1)[0]}/disk"
    assert identity(pyshell, path) == SET
    pyshell.must("undo", f"/backstores/{create}")
    assert identity(pyshell, path) == NEW


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("vendor=ACMEACME9", "The vendor_id 'ACMEACME9' is longer than 8 characters."),
        ("product=abcdefghijklmnopq", "is longer than 16 characters."),
        ("revision=00001", "is longer than 4 characters."),
        ("vendor=' A'", "without a blank at its beginning or end"),
        ("vendor='A '", "without a blank at its beginning or end"),
        ("product=Größe", "It is printable ASCII"),
        ("vendor=''", "vendor_id needs a value."),
        ("company_id=001405f", "It is six hexadecimal digits"),
        ("company_id=5157", "It is six hexadecimal digits"),
        ("company_id=0x1000000", "It is six hexadecimal digits"),
        ("company_id=00:14-05", "It is six hexadecimal digits"),
    ],
)
def test_a_value_that_the_kernel_would_refuse_or_change_is_refused(
    pyshell: Pyshell, word: str, told: str
) -> None:
    ran = pyshell.line(f"{CREATE} {word}")
    assert ran.status == 2
    assert told in ran.err
    assert pyshell.line(f"{DISK} info").status == 3
    pyshell.must(CREATE)
    name, _, value = word.partition("=")
    name = f"{name}_id" if name in ("vendor", "product") else name
    assert told in pyshell.line(f"{DISK} set wwn {name}={value}").err


@pytest.mark.parametrize("typed", ["0x00A098", "0xa098", "00a098", "00:A0:98", "00-a0-98"])
def test_a_company_id_is_hexadecimal_in_any_spelling(pyshell: Pyshell, typed: str) -> None:
    pyshell.must(CREATE, f"{DISK} set wwn company_id={typed}")
    assert identity(pyshell)["company_id"] == "0x00a098"


def test_it_cannot_change_while_exported_and_the_luns_are_named(disk: Pyshell) -> None:
    disk.must(f"/iscsi create {SERVER}", f"{TPG}/luns create {DISK}")
    for word in (
        "vendor_id=B",
        "product_id=B",
        "revision=B",
        "company_id=0xb",
        "vpd_unit_serial=b",
    ):
        ran = disk.line(f"{DISK} set wwn {word}")
        name = word.partition("=")[0]
        assert ran.status == 5
        assert ran.err.startswith(
            f"{name} of storage object ramdisk/disk cannot change while a LUN exports it"
            f" ({TPG}/luns/lun0)."
        )
    assert identity(disk) == SET
    disk.must(f"{DISK} set wwn vendor_id=ACME")  # it has that
    shown = disk.must(f"{DISK} get wwn vendor_id verbose=true")
    assert "  can be set: no: not while a LUN exports it" in shown


def test_a_group_of_settings_is_undone(disk: Pyshell) -> None:
    disk.must(f"{DISK} set wwn vendor_id=B product_id=C vpd_unit_serial=0123")
    assert identity(disk) == {**SET, "vendor_id": "B", "product_id": "C"}
    disk.must("undo")
    assert identity(disk) == SET


def test_a_serial_number_is_set_as_a_naa_id(disk: Pyshell) -> None:
    disk.must(f"{DISK} set wwn vpd_unit_serial=naa.6001405{'1a' * 12}b")
    assert disk.must(f"{DISK} get wwn vpd_unit_serial") == [f"vpd_unit_serial={'1a' * 12}b "]
    assert "cannot hold a slash" in disk.line(f"{DISK} set wwn vpd_unit_serial=a/b").err


def test_undo_of_a_model_alias_restores_the_product(disk: Pyshell) -> None:
    disk.must(f"{DISK} set attribute emulate_model_alias=1")
    assert identity(disk)["product_id"] == "disk"
    disk.must("undo")
    assert identity(disk) == SET


def test_undo_of_a_deletion_restores_it(disk: Pyshell) -> None:
    disk.must("/backstores/ramdisk delete disk", "undo")
    assert identity(disk) == SET


def test_exist_ok_needs_the_same_identity(disk: Pyshell) -> None:
    for given in (GIVEN, "vendor=ACME"):
        assert "nothing to do" in disk.line(f"{CREATE} {given} exist_ok=true").err
    assert disk.line(f"{CREATE} vendor=OTHER exist_ok=true").status == 5
    serial = disk.must(f"{DISK} get wwn vpd_unit_serial")[0].partition("=")[2].strip()
    assert "nothing to do" in disk.line(f"{CREATE} wwn={serial} exist_ok=true").err
    assert disk.line(f"{CREATE} wwn=other exist_ok=true").status == 5


def test_the_naa_id_of_another_company_is_explained(disk: Pyshell) -> None:
    naa = f"naa.600a098{'1a' * 12}b"
    parts = f"company_id=0x00a098 wwn={'1a' * 12}b"
    ran = disk.line(f"/backstores/ramdisk create moved 1M wwn={naa}")
    assert (ran.status, ran.out) == (2, "")
    assert f"For this ID: {parts}." in ran.err
    disk.must(f"/backstores/ramdisk create moved 1M {parts}")
    assert f"naa: {naa}" in disk.must("/backstores/ramdisk/moved info")
    ran = disk.line(f"{DISK} set wwn vpd_unit_serial={naa}")
    assert ran.status == 2
    assert parts.replace("wwn=", "vpd_unit_serial=") in ran.err


def test_a_serial_number_that_is_too_short_for_a_naa_id_is_reported(disk: Pyshell) -> None:
    note = "The NAA ID is padded with zeros: the serial number has {} of its 25 hexadecimal digits."
    create = "/backstores/ramdisk create x 1M wwn="
    assert disk.line(f"{create}{'1a' * 12}").err == f"{note.format(24)}\n"
    assert disk.line(create.replace("x", "y") + "xyz").err == f"{note.format(0)}\n"
    assert disk.line(create.replace("x", "z") + "1a" * 13).err == ""
    assert disk.must(f"{DISK} set wwn vpd_unit_serial=ab")[0] == note.format(2)
    assert disk.line(create.replace("x", "compat") + "xyz", "--compat").err == ""


def test_another_company_makes_another_disk_of_the_same_serial_number(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/ramdisk create one 1M wwn=abc")
    told = pyshell.line("/backstores/ramdisk create two 1M wwn=abc company_id=0x00a098")
    assert "initiators take the two for one disk" not in told.err
    pyshell.must("saveconfig")
    assert "used twice" not in pyshell("check").out
    told = pyshell.line("/backstores/ramdisk create three 1M wwn=ab-c company_id=0x00a098")
    assert "/backstores/ramdisk/two has the same id (naa.600a098abc0" in told.err
    pyshell.must("saveconfig")
    assert "used twice" in pyshell("check").out


def test_passed_through_objects_have_their_own(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/pscsi create raw /dev/sdc")
    assert "read-only" in pyshell.line("/backstores/pscsi/raw set wwn vendor_id=B").err
    assert pyshell.line("/backstores/pscsi create x /dev/sdc vendor=B").status == 2


def test_targetcli_mode_lists_no_group(disk: Pyshell) -> None:
    assert "wwn" not in "\n".join(disk("--compat", f"{DISK} get").done().lines)
    assert "Unknown configuration group: wwn" in disk("--compat", f"{DISK} get wwn").err


# The saved file


def test_a_file_has_only_what_is_not_the_default(disk: Pyshell) -> None:
    own = {name: value for name, value in saved(disk).items() if "wwn" in name}
    assert own == {f"../wwn/{name}": value for name, value in SET.items()}
    # rtslib would write it after the product, which the kernel would replace.
    assert "emulate_model_alias" not in saved(disk)
    disk.must("/backstores/ramdisk delete disk", CREATE, "saveconfig force=true")
    assert not [name for name in saved(disk) if "wwn" in name]
    assert saved(disk)["emulate_model_alias"] == 1


def test_a_long_name_as_the_product_is_not_a_product_of_its_own(pyshell: Pyshell) -> None:
    pyshell.must("set global export_backstore_name_as_model=true")
    for name in ("a_name_of_twenty_chars", "abcdefghijklmnop"):
        pyshell.must(f"/backstores/ramdisk create {name} 1M")
        assert identity(pyshell, f"/backstores/ramdisk/{name}")["product_id"] == name[:15]
        pyshell.must("saveconfig")
        assert saved(pyshell)["emulate_model_alias"] == 1
        pyshell.must(f"/backstores/ramdisk delete {name}")


def test_it_survives_save_restore_apply_diff_and_export(disk: Pyshell) -> None:
    before = disk.saved_file.read_bytes()
    lines = disk("export").done().lines
    assert [line for line in lines if "wwn " in line] == [
        f"{DISK} set wwn vendor_id=ACME product_id='My Disk' revision=0001 company_id=0x00a098"
    ]
    for again in (["restoreconfig"], ["apply saved"], [line for line in lines if "/" in line]):
        disk.must("clearconfig confirm=true", *again)
        assert identity(disk) == SET
        assert disk.line("diff").out == ""
        disk.must("saveconfig force=true")
        assert disk.saved_file.read_bytes() == before


def test_a_file_that_lost_it_is_reported_and_does_not_change_the_disk(
    disk: Pyshell, tmp_path: Path
) -> None:
    file = without_identity(disk, tmp_path / "lost.json")
    told = disk(f"diff saved {file}").lines
    assert "          vendor_id: ACME -> LIO-ORG" in told
    assert "          company_id: 0x00a098 -> 0x001405" in told
    summary = disk.must(f"apply {file}")[-1]
    assert f"identity of {DISK} not in the file and kept (keep_omitted=false resets it)" in summary
    assert identity(disk) == SET
    disk.must(f"apply {file} keep_omitted=false")
    assert identity(disk) == {**NEW, "product_id": "RAMDISK-MCP"}
    assert disk.line(f"diff running {file}").out == ""
    disk.saved_file.write_bytes(file.read_bytes())
    disk.must("undo")
    told = disk("doctor").lines
    assert any(f"initiators would take {DISK} for another disk" in one for one in told)


def test_apply_lifts_the_luns_of_an_exported_disk(disk: Pyshell) -> None:
    disk.must(f"/iscsi create {SERVER}", f"{TPG}/luns create {DISK}", f"{TPG}/acls create {CLIENT}")
    disk.must("saveconfig")
    text = disk.saved_file.read_text().replace('"ACME"', '"OTHER"')
    disk.saved_file.write_text(text)
    disk.must("apply saved")
    assert identity(disk)["vendor_id"] == "OTHER"
    assert disk.line("diff").out == ""


def test_a_part_that_the_kernel_lacks_is_skipped_and_not_lost(disk: Pyshell) -> None:
    disk.must(f"/iscsi create {SERVER}", f"{TPG}/luns create {DISK}", "saveconfig")
    disk.must("clearconfig confirm=true", "restoreconfig")
    (disk.configfs / "core/rd_mcp_0/disk/wwn/company_id").unlink()
    summary = disk.must("apply saved")[-1]
    assert "0 changed, 0 recreated, 0 deleted" in summary
    assert f"company_id of {DISK} skipped: this kernel has none" in summary
    told = disk("doctor").out
    assert "this kernel cannot set its company_id" in told
    assert "'diff' shows the changes" not in told
    assert "is saved in" in disk("status").out
    disk.must("/backstores/ramdisk create other 1M")
    (found,) = [
        one
        for one in disk("-o", "json", "doctor").json["result"]
        if "'diff' shows the changes" in one["message"]
    ]
    assert f"A save would drop the company_id of {DISK}" in found["message"]
    assert not found["commands"]


@pytest.fixture
def without_company_id(disk: Pyshell, monkeypatch: pytest.MonkeyPatch) -> Pyshell:
    """Return pyshell on a kernel before Linux 5.14, with a file from a newer one."""
    disk.must("clearconfig confirm=true")
    monkeypatch.delitem(template("device", "rd_mcp").files, "wwn/company_id")
    return disk


@pytest.mark.parametrize("restore", ["restoreconfig", "restoreconfig clear_existing=true"])
def test_what_the_kernel_lacks_is_reported_when_it_is_restored_and_when_it_is_lost(
    without_company_id: Pyshell, restore: str
) -> None:
    pyshell = without_company_id
    if "clear_existing" in restore:
        pyshell.line("restoreconfig").done(noting="storage object")
    ran = pyshell.line(restore)
    assert ran.status == 0
    assert re.fullmatch(r"\S.* has no company_id, ignored\n", ran.err)
    lost = f"{pyshell.saved_file} no longer has the company_id of {DISK}, which this kernel"
    pyshell.line("saveconfig").done(noting=lost)
    assert "../wwn/vendor_id" in saved(pyshell)
    assert "../wwn/company_id" not in saved(pyshell)
    assert pyshell.line("saveconfig").done().err == ""


def test_apply_reports_what_a_new_disk_lacks(without_company_id: Pyshell) -> None:
    ran = without_company_id("-o", "json", "apply", "saved").done()
    assert f"company_id of {DISK} skipped: this kernel has none" in ran.out
    assert ran.json["result"]["skipped_settings"] == {DISK: ["company_id"]}
    assert "skipped" not in without_company_id.must("undo")[-1]


def test_saving_another_storage_object_keeps_what_the_kernel_lacks(
    without_company_id: Pyshell,
) -> None:
    pyshell = without_company_id
    pyshell.line("restoreconfig").done(noting="storage object")
    pyshell.must("/backstores/ramdisk create other 1M")
    file = str(pyshell.saved_file)
    assert pyshell("/backstores/ramdisk/other", "saveconfig", file).done().err == ""
    assert "../wwn/company_id" in saved(pyshell)
    pyshell(DISK, "saveconfig", file).done(noting=f"{file} no longer has the company_id of {DISK}")


@pytest.mark.parametrize(
    ("key", "value", "level", "told"),
    [
        ("vendor_id", "ACMEACME9", "error", "longer than 8 characters"),
        ("vendor_id", " A", "error", "without a blank"),
        ("revision", 1, "", ""),
        ("revision", "00001", "error", "longer than 4 characters"),
        ("company_id", "0x00a098", "", ""),
        ("company_id", "00a098", "error", 'Write "0x00a098"'),
        ("company_id", "0xA098", "", ""),
        ("company_id", 5157, "error", "six hexadecimal digits"),
        ("product_id", "A", "warning", "has no effect: the product is set"),
        ("nosuch", "A", "error", "cannot be the name of a setting"),
    ],
)
def test_check_of_a_file(
    pyshell: Pyshell, tmp_path: Path, key: str, value: object, level: str, told: str
) -> None:
    entry = {"name": "disk", "plugin": "ramdisk", "size": 1 << 20}
    attributes = {f"../wwn/{key}": value, "emulate_model_alias": 0}
    file = tmp_path / "checked.json"
    file.write_text(json.dumps({"storage_objects": [{**entry, "attributes": attributes}]}))
    file.chmod(0o600)
    ran = pyshell("check", str(file))
    assert (ran.status == 0) == (level != "error")
    assert told in ran.out + ran.err
    assert not level or f" {level}: " in ran.out + ran.err
    assert (pyshell("apply", str(file)).status == 0) == (level != "error")


def test_an_identity_of_a_passed_through_object_has_no_effect(
    pyshell: Pyshell, tmp_path: Path
) -> None:
    pyshell.must("/backstores/pscsi create raw /dev/sdc", "saveconfig")
    text = pyshell.saved_file.read_text()
    assert "wwn/" not in text
    document = json.loads(text)
    document["storage_objects"][0]["attributes"]["../wwn/vendor_id"] = "ACME"
    pyshell.saved_file.write_text(json.dumps(document))
    assert "has no effect on a pscsi storage object" in pyshell("check").out
    pyshell.must("apply saved")
    assert pyshell.line("diff").out == ""


# share


def test_share_sets_it_on_a_new_storage_object(pyshell: Pyshell) -> None:
    line = f"share /dev/sdb to={CLIENT} name=disk {GIVEN}"
    pyshell.must(line)
    assert identity(pyshell, "/backstores/block/disk") == SET
    assert "nothing to do" in "\n".join(pyshell.must(line))
    ran = pyshell.line(f"share /dev/sdb to={CLIENT} vendor=OTHER")
    assert ran.status == 5
    assert "already exists and has the vendor 'ACME'" in ran.err
    assert "set wwn vendor_id=OTHER" in ran.err


def test_share_names_what_has_an_identity_of_its_own(disk: Pyshell) -> None:
    disk.must("/backstores/pscsi create raw /dev/sdc")
    ran = disk.line(f"share /backstores/pscsi/raw to={CLIENT} vendor=OTHER")
    assert ran.err.startswith("The device of /backstores/pscsi/raw has its own vendor.")
    company = disk.configfs / "core/rd_mcp_0/disk/wwn/company_id"
    company.write_text("00a098\n")  # as some kernels show it
    share = f"share {DISK} to={CLIENT} company_id=0x00a098"
    assert disk.line(share, "--dry-run").status == 0
    company.write_text("\n")
    assert "has the company_id ''" in disk.line(share).err
    company.unlink()
    assert disk.line(share).err.startswith("This kernel cannot set the company_id.")


def test_commands_say_that_an_exported_disk_keeps_its_identity(
    disk: Pyshell, tmp_path: Path
) -> None:
    disk.must(f"/iscsi create {SERVER}", f"{TPG}/luns create {DISK}", "saveconfig")
    file = tmp_path / "other.json"
    file.write_text(disk.saved_file.read_text().replace('"ACME"', '"OTHER"'))
    assert disk.line(f"diff running {file} form=commands").lines == [
        f"# {DISK} is exported: delete its LUNs first, or use 'apply'.",
        f"{DISK} set wwn vendor_id=OTHER",
    ]


@pytest.mark.parametrize("name", ["wwn/vendor_id", "foo/bar"])
def test_check_refuses_an_attribute_of_another_folder(
    pyshell: Pyshell, tmp_path: Path, name: str
) -> None:
    entry = {"name": "disk", "plugin": "ramdisk", "size": 1 << 20, "attributes": {name: "A"}}
    file = tmp_path / "checked.json"
    file.write_text(json.dumps({"storage_objects": [entry]}))
    file.chmod(0o600)
    for command in ("check", "apply"):
        ran = pyshell(command, str(file))
        assert ran.status != 0
        assert f"'{name}' cannot be the name of a setting" in ran.out + ran.err


# What initiators see


def test_info_shows_what_initiators_see(disk: Pyshell) -> None:
    disk.must(f"{DISK} set wwn vpd_unit_serial='AbC-12 3' product_id='A  Disk/x'")
    found = json.loads(disk("-o", "json", DISK, "info").done().out)["result"]
    names = ("by_id", "by_id_scsi", "by_id_vendor", "vendor", "product", "revision", "serial")
    shown = {name: found.get(name) for name in (*names, "naa", "eui")}
    naa = "600a098abc1230000000000000000000"
    assert shown == {
        "vendor": "ACME",
        "product": "A  Disk/x",
        "revision": "0001",
        "serial": "AbC-12 3",
        "naa": f"naa.{naa}",
        "by_id": f"/dev/disk/by-id/wwn-0x{naa}",
        "by_id_scsi": f"/dev/disk/by-id/scsi-3{naa}",
        "by_id_vendor": "/dev/disk/by-id/scsi-SACME_A_Disk/x_AbC-12_3",
        "eui": None,
    }


@pytest.mark.parametrize(
    ("wwid", "name"),
    [
        ("naa.5000c500a1b2c3d4", "scsi-35000c500a1b2c3d4"),
        ("eui.0025385b71b0a1c2", "scsi-20025385b71b0a1c2"),
        ("t10.ATA     disk", ""),
    ],
)
def test_info_shows_the_id_of_a_passed_through_disk(pyshell: Pyshell, wwid: str, name: str) -> None:
    pyshell.must("/backstores/pscsi create raw /dev/sdc")
    hctl = "0:0:2:0"
    file = pyshell.simulator.machine.file(f"/sys/class/scsi_device/{hctl}/device/wwid")
    file.parent.mkdir(parents=True)
    file.write_text(f"{wwid}\n")
    found = json.loads(pyshell("-o", "json", "/backstores/pscsi/raw", "info").done().out)["result"]
    kind = wwid.partition(".")[0]
    assert found.get(kind) == (wwid if name else None)
    assert found.get("by_id_scsi") == (f"/dev/disk/by-id/{name}" if name else None)
    assert found["vendor"] == "SIM"
