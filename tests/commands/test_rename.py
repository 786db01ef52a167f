# SPDX-License-Identifier: Apache-2.0
"""`rename` changes a name or number, and nothing else of what a saved configuration holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell
from pyshell.config.document import LISTS, located

DISK = "/backstores/block/lee_block"
ACL = f"{TPG}/acls/{CLIENT}"
OTHER = "iqn.2020-07.192.168.56.101:other"
NEW = "iqn.2020-07.192.168.56.105:new"
SECOND = "iqn.2020-07.192.168.56.106:second"
THIRD = "iqn.2020-07.192.168.56.107:third"
SECRET = "secret-of-client"
RENAMES = {
    "storage object": (f"{DISK} rename data1", [("lee_block", "data1")]),
    "target": (f"/iscsi/{SERVER} rename {OTHER}", [(SERVER, OTHER)]),
    "TPG": (f"{TPG} rename 2", [('"tag": 1', '"tag": 2')]),
    "node ACL": (f"{ACL} rename {NEW}", [(CLIENT, NEW)]),
    "LUN": (
        f"{TPG}/luns/lun33 rename 34",
        [('"index": 33', '"index": 34'), ('"tpg_lun": 33', '"tpg_lun": 34')],
    ),
    "mapped LUN": (f"{ACL}/mapped_lun44 rename lun45", [('"index": 44', '"index": 45')]),
}
"""By kind: the line, and the texts that it replaces in a saved configuration."""
LINES = {kind: line for kind, (line, _) in RENAMES.items()}


@pytest.fixture
def rich(pyshell: Pyshell) -> Pyshell:
    """Return pyshell with a target of which as much as possible is not the default."""
    pyshell.prepare(
        f"/iscsi create {SERVER}",
        "/backstores/block create name=lee_block dev=/dev/mapper/lee-lee.lv wwn=0123456789abcdef"
        " vendor=ACME product=Disk",
        f"{DISK} set attribute emulate_tpu=1 is_nonrot=1",
        f"{DISK}/alua create standby 16",
        f"{DISK}/alua/standby set alua alua_access_state=2 preferred=1",
        "/backstores/ramdisk create memory 1M nullio=true",
        f"{TPG} set attribute default_cmdsn_depth=32 login_timeout=20",
        f"{TPG} set parameter MaxConnections=3",
        f"{TPG}/portals create 192.168.56.101 3261",
        f"{TPG}/acls create {CLIENT}",
        f"{TPG}/acls create {SECOND}",
        f"{TPG}/luns create {DISK} 33 add_mapped_luns=false",
        f"{TPG}/luns create /backstores/ramdisk/memory 0 add_mapped_luns=false",
        f"{TPG}/luns/lun33 set alua alua_tg_pt_gp_name=standby",
        f"{ACL} create 44 33 write_protect=true",
        f"{ACL} create 1 0",
        f"{TPG}/acls/{SECOND} create 7 33",
        f"{ACL} set auth userid=me password={SECRET} mutual_userid=you"
        f" mutual_password={SECRET}-too",
        f"{ACL} set attribute dataout_timeout=7",
        f"{TPG}/acls tag {CLIENT} group",
    )
    return pyshell


def objects(document: Any) -> dict[str, dict[str, Any]]:
    """Return the entries of a document by path, without those below them."""
    lists = {key for keys in LISTS.values() for key in keys}
    found = {}
    for one in located(document):
        entry = {key: value for key, value in one.entry.items() if key not in lists}
        found[f"{one.kind} {one.path}"] = entry
    return found


def saved(pyshell: Pyshell) -> str:
    """Return the running configuration as it would be saved."""
    file = pyshell.folder.parent / "now.json"
    pyshell.must(f"saveconfig {file}")
    return file.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", RENAMES)
def test_everything_else_is_as_before(rich: Pyshell, kind: str) -> None:
    line, replaced = RENAMES[kind]
    before = saved(rich)
    expected = before
    for old, new in replaced:
        assert old in expected
        expected = expected.replace(old, new)
    ran = rich.line(line).done()
    assert objects(json.loads(saved(rich))) == objects(json.loads(expected))
    assert SECRET not in ran.out + ran.err
    rich.must("undo")
    assert objects(json.loads(saved(rich))) == objects(json.loads(before))


@pytest.mark.parametrize("kind", RENAMES)
def test_a_dry_run_shows_the_steps_and_changes_nothing(rich: Pyshell, kind: str) -> None:
    before = rich.tree()
    ran = rich.line(LINES[kind], "--dry-run").done()
    assert "Would delete" in ran.out
    assert SECRET not in ran.out + ran.err
    assert rich.tree() == before


@pytest.mark.parametrize(
    ("kind", "effect"),
    [
        ("storage object", "takes a disk from {}, logged in now"),
        ("target", "terminates the session of {}"),
        ("TPG", "terminates the session of {}"),
        ("node ACL", "terminates the session of {}"),
        ("LUN", "takes a disk from {}, logged in now"),
        ("mapped LUN", "takes a disk from {}, logged in now"),
    ],
)
def test_a_question_names_the_sessions(rich: Pyshell, kind: str, effect: str) -> None:
    rich.must(f"login {CLIENT}")
    before = rich.tree()
    ran = rich(LINES[kind], keyboard=True, stdin="n\n")
    assert f"This {effect.format(CLIENT)}. Continue? [y/N]" in ran.err
    assert rich.tree() == before
    assert CLIENT in rich.line(LINES[kind]).done().out


@pytest.mark.parametrize("kind", RENAMES)
def test_without_sessions_nothing_is_asked(rich: Pyshell, kind: str) -> None:
    assert "Continue?" not in rich(LINES[kind], keyboard=True).err


def test_without_sessions_nothing_is_asked_about_several(rich: Pyshell) -> None:
    ran = rich(f"/iscsi/*/tpg1/acls/{CLIENT} rename {THIRD}", keyboard=True)
    assert "Continue?" not in ran.err
    assert f"to {THIRD}: it was recreated." in ran.out


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"{DISK} rename other", "Storage object block/other already exists"),
        (f"/iscsi/{SERVER} rename {OTHER}", f"Target {OTHER} already exists"),
        (f"{TPG} rename 2", f"TPG 2 of target {SERVER} already exists"),
        (f"{ACL} rename {SECOND}", f"Node ACL {SECOND} of TPG 1 of target {SERVER} already"),
        (f"{TPG}/luns/lun33 rename 0", f"LUN 0 of TPG 1 of target {SERVER} already exists"),
        (f"{ACL}/mapped_lun44 rename 1", f"Mapped LUN 1 of node ACL {CLIENT} of TPG 1"),
    ],
)
def test_a_name_in_use_is_refused(rich: Pyshell, line: str, message: str) -> None:
    rich.must(
        "/backstores/block create other /dev/sdb",
        f"/iscsi create {OTHER}",
        f"/iscsi/{SERVER} create 2",
    )
    before = rich.tree()
    ran = rich.line(line)
    assert ran.status == 5
    assert message in ran.err
    assert rich.tree() == before


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"{DISK} rename a/b", "'a/b'"),
        (f"/iscsi/{SERVER} rename server", "'server'"),
        (f"{TPG} rename 65536", "is not a TPG tag"),
        (f"{ACL} rename client", "'client'"),
        (f"{TPG}/luns/lun33 rename 65536", "is not a LUN"),
        (f"{ACL}/mapped_lun44 rename x", "is not a LUN"),
    ],
)
def test_a_name_that_is_not_valid_is_refused(rich: Pyshell, line: str, message: str) -> None:
    before = rich.tree()
    ran = rich.line(line)
    assert ran.status == 2
    assert message in ran.err
    assert rich.tree() == before


@pytest.mark.parametrize(
    "line",
    [
        f"{DISK} rename lee_block",
        f"/iscsi/{SERVER} rename {SERVER.upper()}",
        f"{TPG} rename tpg1",
        f"{ACL} rename {CLIENT}",
        f"{TPG}/luns/lun33 rename 33",
        f"{ACL}/mapped_lun44 rename 44",
    ],
)
def test_the_same_name_changes_nothing(rich: Pyshell, line: str) -> None:
    before = rich.tree()
    ran = rich.line(line)
    assert ran.status == 0
    assert "This is already the name of" in ran.out
    assert rich.tree() == before


def test_a_product_that_is_the_name_stays(exported: Pyshell) -> None:
    exported.must("set global export_backstore_name_as_model=true", f"{TPG}/luns delete 0")
    exported.must("/backstores/block delete lee_block")
    exported.must(
        "/backstores/block create lee_block /dev/mapper/lee-lee.lv",
        f"{TPG}/luns create {DISK}",
    )
    ran = exported.line(f"{DISK} rename data1").done(noting="Initiators still see the product")
    assert "lee_block" in ran.err
    info = exported("-o", "json", "/backstores/block/data1", "info").json["result"]
    assert info["product"] == "lee_block"


def test_a_ramdisk_is_renamed_only_if_its_data_may_go(target: Pyshell) -> None:
    target.must("/backstores/ramdisk create memory 1M")
    ran = target.line("/backstores/ramdisk/memory rename scratch")
    assert ran.status == 5
    assert "would be lost" in ran.err
    target.must("/backstores/ramdisk/memory rename scratch force=true")
    assert "scratch" in target.line("ls /backstores/ramdisk").out


def test_an_image_file_keeps_its_data(target: Pyshell) -> None:
    target.must("/backstores/fileio create image1 /srv/image1.img 1M write_back=false")
    file = target.simulator.machine.file("/srv/image1.img")
    file.write_bytes(b"data".ljust(1 << 20, b"\0"))
    target.must("/backstores/fileio/image1 rename image2")
    assert file.read_bytes().startswith(b"data")
    info = target("-o", "json", "/backstores/fileio/image2", "info").json["result"]
    assert (info["write_back"], info["size"]) == (False, 1 << 20)


def test_the_nexus_of_a_loopback_target_stays(target: Pyshell) -> None:
    one, two = "naa.5001405000000001", "naa.5001405000000002"
    target.must(
        "/backstores/block create disk /dev/sdb",
        f"/loopback create {one}",
        f"/loopback/{one}/luns create /backstores/block/disk",
    )
    nexus = target.read(f"loopback/{one}/tpgt_1/nexus")
    target.must(f"/loopback/{one} rename {two}")
    assert target.read(f"loopback/{two}/tpgt_1/nexus") == nexus
    assert "lun0" in target.line(f"ls /loopback/{two}/luns").out
    target.must("undo")
    assert target.read(f"loopback/{one}/tpgt_1/nexus") == nexus


def test_all_acls_of_a_tag_get_the_new_number(rich: Pyshell) -> None:
    rich.must(f"{TPG}/acls tag {SECOND} group", f"{TPG}/acls/group/mapped_lun44 rename 45")
    for name in (CLIENT, SECOND):
        assert "mapped_lun45" in rich.line(f"ls {TPG}/acls/{name}").out
    ran = rich.line(f"{TPG}/acls/group rename {NEW}")
    assert ran.status == 2
    assert "group is the tag of 2 node ACLs." in ran.err


def test_reservations_with_aptpl_stay_with_the_storage_object(exported: Pyshell) -> None:
    exported.must(
        f"login {CLIENT}",
        f"reserve {CLIENT} key=0xabc1 type=write_exclusive aptpl=true",
    )
    ran = exported.line(f"{DISK} rename data1").done()
    assert "; it is stored, and restored with the storage object." in ran.out
    info = exported("-o", "json", "/backstores/block/data1", "info").json["result"]
    assert [one["initiator"] for one in info["reservations"]["holders"]] == [CLIENT]


@pytest.mark.parametrize(
    "line",
    [
        f"/iscsi/{SERVER} rename {OTHER}",
        f"{TPG} rename 2",
        f"{ACL} rename {NEW}",
        f"{TPG}/luns/lun0 rename 5",
        f"{ACL}/mapped_lun0 rename 5",
        f"{DISK} rename data1",
    ],
)
def test_dropped_registrations_are_reported(exported: Pyshell, line: str) -> None:
    exported.must(f"login {CLIENT}", f"reserve {CLIENT} key=0xabc1")
    ran = exported.line(line)
    assert ran.status == 0
    assert "must register again" in ran.err


def test_the_saved_file_loses_nothing_but_the_old_name(exported: Pyshell) -> None:
    exported.must("saveconfig", f"{DISK} rename data1")
    found = exported.line("diff")
    assert [line.split() for line in found.lines if line[:2] in ("+ ", "- ")] == [
        ["+", "data1"],
        ["-", "lee_block"],
    ]
    exported.must("saveconfig")
    assert "lee_block" not in {one["name"] for one in exported.document()["storage_objects"]}
    assert exported.line("diff").status == 0


def test_apply_of_the_saved_file_returns_to_the_old_name(exported: Pyshell) -> None:
    exported.must("saveconfig", f"{DISK} rename data1")
    ran = exported.line(f"apply {exported.saved_file}")
    assert "/dev/mapper/lee-lee.lv is in use: storage object block/data1" in ran.err
    exported.must(f"apply {exported.saved_file} prune=true")
    assert exported.line("diff").status == 0


def test_write_protection_is_changed_in_place(exported: Pyshell) -> None:
    exported.must(f"login {CLIENT}")
    line = f"{ACL}/mapped_lun0 set attribute write_protect=1"
    ran = exported(line, keyboard=True).done()
    assert ran.lines == ["Parameter write_protect is now '1'."]
    assert "(ro)" in exported.line(f"ls {ACL}").out


def put_under_control(pyshell: Pyshell) -> Path:
    file = pyshell.config_dir / "cluster" / "disks.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    pyshell.must(f"saveconfig {file} target={SERVER}")
    return file


@pytest.mark.parametrize("kind", RENAMES)
def test_what_a_cluster_starts_is_not_renamed(rich: Pyshell, kind: str) -> None:
    file = put_under_control(rich)
    before = rich.tree()
    ran = rich.line(LINES[kind])
    assert ran.status == 5
    assert f"is under cluster control ({file})." in ran.err
    assert "Let the cluster stop it" in ran.err
    assert rich.tree() == before


@pytest.mark.parametrize("kind", RENAMES)
def test_the_prompt_follows_the_object(rich: Pyshell, kind: str) -> None:
    path, _, rename = LINES[kind].partition(" ")
    ran = rich.batch([f"cd {path}", rename, "pwd", "info"]).done()
    folder, _, old = path.rpartition("/")
    new = rename.split()[1]
    prefix = old.rstrip("0123456789") if kind in ("TPG", "LUN", "mapped LUN") else ""
    assert f"{folder}/{prefix}{new.removeprefix('lun')}" in ran.lines


def test_bookmarks_of_the_object_and_below_follow_it(rich: Pyshell) -> None:
    places = {"disk": DISK, "at": ACL, "root": "/iscsi"}
    rich.must(*(f"{path} bookmarks add {name}" for name, path in places.items()))
    rich.line(f"{DISK} rename data1 --dry-run").done()
    rich.must(f"{DISK} rename data1", f"/iscsi/{SERVER} rename {OTHER}")
    shown = rich.line("bookmarks show").out
    for path in ("/backstores/block/data1", ACL.replace(SERVER, OTHER), "/iscsi"):
        assert path in shown
    assert DISK not in shown
    assert rich.line("@disk pwd").lines == ["/backstores/block/data1"]


def test_a_path_below_the_object_follows_it(rich: Pyshell) -> None:
    ran = rich.batch([f"cd {TPG}/luns", f"/iscsi/{SERVER} rename {OTHER}", "pwd"]).done()
    assert f"/iscsi/{OTHER}/tpg1/luns" in ran.lines
