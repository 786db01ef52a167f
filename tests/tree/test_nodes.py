# SPDX-License-Identifier: Apache-2.0
"""Nodes: views that are made when a path is walked, and what each kind of node does."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell
from pyshell.lio import listing
from pyshell.tree.node import split_path

ACL = f"{TPG}/acls/{CLIENT}"
ACL_FOLDER = f"iscsi/{SERVER}/tpgt_1/acls/{CLIENT}"


@pytest.mark.parametrize(
    ("path", "parts"),
    [("/", []), ("", []), ("/a/b", ["a", "b"]), ("a//b/", ["a", "b"]), ("../.", ["..", "."])],
)
def test_paths_are_split_at_their_slashes(path: str, parts: list[str]) -> None:
    assert split_path(path) == parts


@pytest.mark.parametrize(
    ("typed", "path"),
    [
        ("/", "/"),
        ("/..", "/"),
        ("/iscsi/.", "/iscsi"),
        ("/iscsi/../backstores", "/backstores"),
        (f"{TPG}/luns/../acls", f"{TPG}/acls"),
        (f"/iscsi/{SERVER.upper()}", f"/iscsi/{SERVER}"),
        (f"{TPG}/acls/{CLIENT.upper()}", ACL),
        (f"{TPG}/portals/::0:3260", f"{TPG}/portals/0.0.0.0:3260"),
    ],
)
def test_a_path_leads_to_a_node(exported: Pyshell, typed: str, path: str) -> None:
    assert exported(typed, "pwd").done().out == f"{path}\n"


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/backstores/user",
        "/backstores/block/nothing",
        "/backstores/block/lee_block/alua/none",
        "/iscsi/nothing",
        "/iscsi/discovery_auth",
        f"/iscsi/{SERVER}/tpg2",
        f"/iscsi/{SERVER}/tpgx",
        f"{TPG}/luns/lun1",
        f"{TPG}/luns/0",
        f"{TPG}/acls/nobody",
        f"{ACL}/mapped_lun1",
        f"{ACL}/lun0",
        f"{TPG}/portals/0.0.0.0",
        f"{TPG}/portals/0.0.0.0:3261",
        "/vhost",
        "/iscsi/x/y/z",
    ],
)
def test_a_path_that_leads_nowhere_is_told(exported: Pyshell, path: str) -> None:
    ran = exported(path, "ls")
    assert (ran.out, ran.status) == ("", 3)
    assert "No such path" in ran.err


def test_a_star_in_a_path_that_is_an_argument_is_explained(pyshell: Pyshell) -> None:
    ran = pyshell.line("ls '/iscsi/iqn*'")
    assert (ran.status, ran.out) == (3, "")
    assert "'*' matches only in the path before a command" in ran.err


def test_a_command_reads_only_what_its_path_names(
    exported: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_arguments: object) -> None:
        raise AssertionError("all were listed")

    for name in ("storage_objects", "targets", "tpgs", "node_acls", "portals"):
        monkeypatch.setattr(listing, name, never)
    exported.must(f"{ACL} get attribute", f"{TPG}/luns/lun0 info", f"{ACL}/mapped_lun0 status")


# Summaries


@pytest.mark.parametrize(
    ("lines", "path", "summary"),
    [
        ([], "/", "..."),
        ([], "/backstores", "..."),
        ([], "/backstores/block", "Storage Objects: 1"),
        ([], "/backstores/block/lee_block/alua", "ALUA Groups: 1"),
        ([], "/iscsi", "Targets: 1"),
        ([], f"/iscsi/{SERVER}", "TPGs: 1"),
        ([], TPG, "no-gen-acls, no-auth"),
        ([f"{TPG} disable"], TPG, "disabled"),
        ([f"{TPG} set attribute authentication=1"], TPG, "no-gen-acls, auth per-acl"),
        ([f"{TPG} set attribute generate_node_acls=1"], TPG, "gen-acls, no-auth"),
        ([f"{TPG} set attribute generate_node_acls=1 authentication=1"], TPG,
         "gen-acls, tpg-auth, no credentials"),
        ([], ACL, "Mapped LUNs: 1"),
        ([f"{TPG} set attribute authentication=1"], ACL, "auth, no credentials, Mapped LUNs: 1"),
        ([f"{TPG} set attribute authentication=1",
          f"{ACL} set auth userid=a password=0123456789ab"], ACL,
          "1-way auth, Mapped LUNs: 1"),
        ([f"{TPG} set attribute authentication=1 generate_node_acls=1"], ACL,
         "auth via tpg, Mapped LUNs: 1"),
        ([f"{TPG} set attribute authentication=1",
          f"{ACL} set auth mutual_userid=a mutual_password=b"], ACL,
         "auth, no credentials, Mapped LUNs: 1"),
        ([], f"{ACL}/mapped_lun0", "lun0 block/lee_block (rw)"),
        ([], f"{TPG}/luns/lun0", "block/lee_block (/dev/mapper/lee-lee.lv) (default_tg_pt_gp)"),
        ([], f"{TPG}/portals", "Portals: 1"),
        (["/iscsi set discovery_auth enable=1"], "/iscsi",
         "disc auth, no credentials, Targets: 1"),
        (["/iscsi set discovery_auth enable=1 mutual_userid=a mutual_password=b"], "/iscsi",
         "disc auth, no credentials, Targets: 1"),
        (["/iscsi set discovery_auth enable=1 userid=c password=d",
          "/iscsi set discovery_auth mutual_userid=a mutual_password=b"], "/iscsi",
          "mutual disc auth, Targets: 1"),
        ([], "/loopback", "Targets: 0"),
    ],
)  # fmt: skip
def test_the_summary_of_a_node(
    exported: Pyshell, lines: list[str], path: str, summary: str
) -> None:
    for line in lines:
        assert exported.line(line).status == 0  # some note that credentials are missing
    assert exported("-o", "json", path, "status").json["result"]["summary"] == summary


@pytest.mark.parametrize(
    ("lines", "path", "healthy"),
    [
        ([], f"{TPG}/luns/lun0", True),
        ([], f"{ACL}/mapped_lun0", True),
        ([], TPG, None),
        ([f"{TPG} disable"], TPG, False),
        ([f"{TPG} set attribute authentication=1"], ACL, False),
        ([f"{TPG} set attribute authentication=1", f"{ACL} set auth userid=a password=b"], ACL,
         True),
        (["/iscsi set discovery_auth enable=1"], "/iscsi", False),
        (["/iscsi set discovery_auth enable=1 userid=a password=b"], "/iscsi", True),
    ],
)  # fmt: skip
def test_the_health_of_a_node(
    exported: Pyshell, lines: list[str], path: str, healthy: bool | None
) -> None:
    for line in lines:
        assert exported.line(line).status == 0  # some note that credentials are missing
    assert exported("-o", "json", path, "status").json["result"]["healthy"] is healthy


# ACLs that share a tag


@pytest.fixture
def tagged(exported: Pyshell) -> Pyshell:
    """Return pyshell where two initiators share the tag `cluster`."""
    exported.prepare(f"{TPG}/acls create iqn.2020-07.com.example:two")
    for name in (CLIENT, "iqn.2020-07.com.example:two"):
        folder = exported.configfs / f"iscsi/{SERVER}/tpgt_1/acls/{name}"
        exported.simulator.write(str(folder / "tag"), "cluster")
    return exported


def test_acls_of_one_tag_are_one_node(tagged: Pyshell) -> None:
    tree = tagged("ls", f"{TPG}/acls").done().out
    assert "o- cluster " in tree
    assert "[(group of 2), Mapped LUNs: 1]" in tree
    assert "[ACLs: 1]" in tree
    assert CLIENT not in tree


def test_a_change_of_a_tag_is_one_of_all_its_acls(tagged: Pyshell) -> None:
    tagged.must(
        f"{TPG}/acls/cluster delete 0",
        f"{TPG}/acls/cluster set auth userid=both",
        f"{TPG}/acls/cluster create 5 0 write_protect=true",
    )
    for name in (CLIENT, "iqn.2020-07.com.example:two"):
        folder = f"iscsi/{SERVER}/tpgt_1/acls/{name}"
        assert tagged.read(f"{folder}/auth/userid") == "both\n"
        assert tagged.read(f"{folder}/lun_5/write_protect") == "1\n"
    tagged.must(f"{TPG}/acls/cluster delete 5")
    assert tagged("-o", "json", f"{TPG}/acls/cluster", "info").json["result"]["wwns"] == [
        CLIENT,
        "iqn.2020-07.com.example:two",
    ]


# Commands


def test_a_lun_of_a_device_makes_its_storage_object(target: Pyshell) -> None:
    assert target.must(f"{TPG}/luns create /dev/sdb") == [
        "Created storage object sdb.",
        "Created LUN 0.",
    ]
    assert "block/sdb" in target(f"{TPG}/luns/lun0", "status").out


def test_a_lun_of_an_image_file_makes_its_storage_object(target: Pyshell) -> None:
    (target.folder / "files/srv/x.img").write_bytes(b"\0" * 1024)
    target.must(f"{TPG}/luns create /srv/x.img")
    assert "fileio/x.img" in target(f"{TPG}/luns/lun0", "status").out


def test_a_storage_object_may_be_named_from_where_one_is(exported: Pyshell) -> None:
    exported.must("/backstores/ramdisk create disk 1M")
    exported.batch(["cd /backstores", f"{TPG}/luns create /backstores/ramdisk/disk"]).done()
    assert "ramdisk/disk" in exported(f"{TPG}/luns/lun1", "status").out


def test_luns_and_mappings_take_the_lowest_free_numbers(exported: Pyshell) -> None:
    exported.must(*(f"/backstores/ramdisk create d{n} 1M" for n in range(3)))
    exported.must(f"{TPG}/luns create /backstores/ramdisk/d0 5", f"{ACL} delete 0")
    assert exported.must(f"{TPG}/luns create /backstores/ramdisk/d1") == [
        "Created LUN 1.",
        f"Created LUN 1->0 mapping in node ACL {CLIENT}",
    ]


def test_mappings_are_made_only_where_they_are_wanted(target: Pyshell) -> None:
    target.must("/backstores/ramdisk create d 1M", f"{TPG}/acls create {CLIENT}")
    assert target.must(f"{TPG}/luns create /backstores/ramdisk/d add_mapped_luns=false") == [
        "Created LUN 0."
    ]
    target.must("set global auto_add_mapped_luns=false")
    assert target.must(f"{TPG}/acls create iqn.2020-07.com.example:x") == [
        "Created Node ACL for iqn.2020-07.com.example:x"
    ]


def test_a_mapping_may_name_a_storage_object(exported: Pyshell) -> None:
    exported.must("/backstores/ramdisk create d 1M")
    assert exported.must(f"{ACL} create 4 /backstores/ramdisk/d") == [
        "Created LUN 1.",
        "Created Mapped LUN 4.",
    ]


def test_a_second_mapping_of_a_lun_is_told(exported: Pyshell) -> None:
    ran = exported(ACL, "create", "4", "0")
    assert (ran.status, ran.lines) == (
        0,
        ["Warning: TPG LUN 0 already mapped to this NodeACL", "Created Mapped LUN 4."],
    )


def test_an_image_file_is_used_by_one_storage_object(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/fileio create a /srv/x.img 1M")
    ran = pyshell.line("/backstores/fileio create b /srv/../srv/x.img")
    assert ran.status == 5
    assert "used by storage object a" in ran.err


def test_an_existing_image_file_keeps_its_size(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/fileio create a /srv/x.img 1M", "/backstores/fileio delete a")
    ran = pyshell.line("/backstores/fileio create a /srv/x.img 2M")
    assert ran.lines == [
        "/srv/x.img exists, using its size (1048576 bytes) instead",
        "Created fileio a with size 1048576",
    ]


def test_a_deleted_storage_object_leaves_its_image_file(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/fileio create a /srv/x.img 1M", "/backstores/fileio delete a")
    assert (pyshell.folder / "files/srv/x.img").stat().st_size == 1 << 20


def test_a_lun_can_be_moved_to_another_alua_group(exported: Pyshell) -> None:
    ran = exported.line(f"{TPG}/luns/lun0 set alua alua_tg_pt_gp_name=none")
    assert ran.status != 0
    assert exported.must(f"{TPG}/luns/lun0 get alua alua_tg_pt_gp_name") == [
        "alua_tg_pt_gp_name=default_tg_pt_gp "
    ]


def test_an_alua_groups_settings_can_be_set(exported: Pyshell) -> None:
    group = "/backstores/block/lee_block/alua/default_tg_pt_gp"
    exported.must(f"{group} set alua alua_access_state=1 preferred=1")
    assert "Active/non-optimized" in exported(group, "status").out
    assert exported.must(f"{group} get alua preferred") == ["preferred=1 "]


def test_a_second_tpg_without_a_portal_of_its_own(target: Pyshell) -> None:
    said = target.must(f"/iscsi/{SERVER} create")
    assert said == [
        "Created TPG 2.",
        "Default portal not created, TPGs within a target cannot share ip:port.",
    ]


def test_two_targets_share_the_default_portal(target: Pyshell) -> None:
    said = target.must("/iscsi create iqn.2020-07.com.example:two")
    assert said[-1] == "Created default portal listening on all IPs (0.0.0.0), port 3260."
    assert target.line("ls").done().out.count("o- 0.0.0.0:3260 ") == 2


def test_the_default_portal_may_be_that_of_all_families(pyshell: Pyshell) -> None:
    pyshell.must("set global default_portal_address=::")
    assert pyshell.must(f"/iscsi create {SERVER}")[-1] == (
        "Created default portal listening on all IPs (::0), port 3260."
    )
    assert (pyshell.configfs / f"iscsi/{SERVER}/tpgt_1/np/[::0]:3260").is_dir()


def test_a_portal_beside_the_wildcard_is_refused_with_the_way_out(target: Pyshell) -> None:
    ran = target.line(f"{TPG}/portals create 192.0.2.1")
    assert ran.status == 5
    assert f"First: {TPG}/portals delete 0.0.0.0 3260" in ran.err
    target.must(f"{TPG}/portals create 192.0.2.1 3261")


def test_a_new_tpg_may_stay_disabled(pyshell: Pyshell) -> None:
    pyshell.must("set global auto_enable_tpgt=false", f"/iscsi create {SERVER}")
    assert pyshell(TPG, "status").out.endswith(": disabled\n")


def test_names_of_storage_objects_are_models_by_preference(pyshell: Pyshell) -> None:
    pyshell.must("set global export_backstore_name_as_model=false")
    pyshell.must("/backstores/ramdisk create a 1M")
    pyshell.must("set global export_backstore_name_as_model=true")
    pyshell.must("/backstores/ramdisk create b 1M")
    shown = [pyshell.read(f"core/rd_mcp_{n}/{name}/attrib/emulate_model_alias")
             for n, name in ((0, "a"), (1, "b"))]  # fmt: skip
    assert shown == ["0\n", "1\n"]


def test_a_loopback_target_is_one_with_its_tpg(pyshell: Pyshell) -> None:
    pyshell.must(
        "/loopback create naa.5001405000000001",
        "/backstores/ramdisk create d 1M",
        "/loopback/naa.5001405000000001/luns create /backstores/ramdisk/d",
    )
    tree = pyshell("ls", "/loopback").done().lines
    assert [line.split("o- ")[1].split(" ")[0] for line in tree] == [
        "loopback",
        "naa.5001405000000001",
        "luns",
        "lun0",
    ]
    pyshell.must("/loopback delete naa.5001405000000001")
    assert pyshell.must("/loopback status") == ["Status for /loopback: Targets: 0"]


def test_deleting_a_target_leaves_its_disks(exported: Pyshell) -> None:
    exported.must(f"/iscsi delete {SERVER}")
    assert "deactivated" in exported("/backstores/block/lee_block", "status").out


def test_a_fabric_that_the_kernel_lacks_is_not_shown(pyshell: Pyshell) -> None:
    assert "vhost" not in pyshell("ls").out


# Help


@pytest.mark.parametrize("path", ["/", "/backstores/block", "/iscsi", TPG, ACL, f"{TPG}/luns"])
def test_help_lists_the_commands_of_a_node(exported: Pyshell, path: str) -> None:
    names = exported("-o", "json", path, "help").json["result"]
    shown = exported(path, "help").done().out
    assert f"Commands at {path}:" in shown
    for name in names:
        assert f"\n  {name} " in shown
        assert exported(path, "help", name).done().lines[0].startswith(name)


@pytest.mark.parametrize(
    ("path", "group"),
    [(TPG, "attribute"), (TPG, "parameter"), (ACL, "attribute"),
     ("/backstores/block/lee_block", "attribute")],
)  # fmt: skip
def test_every_parameter_is_described(exported: Pyshell, path: str, group: str) -> None:
    shown = exported(path, "get", group).done().lines
    assert shown[0] == f"{group.upper()} CONFIG GROUP"
    undescribed = [line for line in shown if line.startswith("The ") and line.endswith(" setting.")]
    assert undescribed == []


@pytest.mark.parametrize("secret", ["short", "elevenbytes"])
@pytest.mark.parametrize("node", [TPG, ACL, "/iscsi"])
def test_a_short_secret_is_taken_with_a_note(exported: Pyshell, node: str, secret: str) -> None:
    group = "discovery_auth" if node == "/iscsi" else "auth"
    ran = exported.line(f"{node} set {group} mutual_password={secret}")
    assert (ran.status, ran.out) == (0, "Parameter mutual_password is now '********'.\n")
    notes = [line for line in ran.err.splitlines() if "have no effect" not in line]  # CHAP is off
    assert notes == [
        "The mutual_password is shorter than 12 bytes: it can be guessed, and initiators such as"
        " Windows take 12 to 16 only."
    ]


@pytest.mark.parametrize(
    ("secret", "told"),
    [
        ("twelve-bytes", ""),
        ("", "CHAP is required: without password, this initiator cannot log in.\n"),
    ],
)
def test_a_secret_of_twelve_bytes_needs_no_note(exported: Pyshell, secret: str, told: str) -> None:
    exported.prepare(f"{TPG} set attribute authentication=1")
    assert exported.line(f"{ACL} set auth userid=u password='{secret}'").err == told
    assert exported.line(f"{ACL} set auth password=short", "--compat").err == ""


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            f"/iscsi delete {SERVER[:-1]}",
            f"No such target: {SERVER[:-1]}. Did you mean {SERVER}? Run 'ls /iscsi' to list them.",
        ),
        (
            f"{TPG}/acls delete {CLIENT[:-1]}",
            f"No such node ACL: {CLIENT[:-1]}. Did you mean {CLIENT}? Run 'ls {TPG}/acls'"
            " to list them.",
        ),
    ],
)
def test_a_mistyped_name_to_delete_is_told_with_the_near_one(
    exported: Pyshell, line: str, told: str
) -> None:
    ran = exported.line(line)
    assert (ran.status, ran.err) == (3, f"{told}\n")


def test_in_targetcli_mode_an_acl_without_credentials_is_shown_as_there(exported: Pyshell) -> None:
    """Finding 41."""
    exported.must(f"{TPG} set attribute authentication=1")
    assert exported.line("/iscsi set discovery_auth enable=1").status == 0
    exported.program = "targetcli"
    assert "[1-way auth, Mapped LUNs: 1]" in exported.line("ls").out
    assert "[1-way disc auth, Targets: 1]" in exported.line("ls").out


# Finding 33: what is meant without doubt is accepted


def test_set_finds_the_only_group_that_has_the_parameters(exported: Pyshell) -> None:
    exported.must(f"{TPG} set authentication=1", f"{ACL} set userid=u password=0123456789ab")
    assert exported.must(f"{TPG} get attribute authentication") == ["authentication=1 "]
    assert exported.must(f"{ACL} get auth userid") == ["userid=u "]
    assert exported.must("set auto_save_on_exit=false")
    ran = exported.line(f"{TPG} set authentication=1 auto_save_on_exit=true")
    assert (ran.status, "In which group?" in ran.err) == (2, True)
    assert "Did you mean authentication?" in exported.line(f"{TPG} set autentication=1").err
    before = exported.tree()
    exported.program = "targetcli"
    exported.line(f"{TPG} set authentication=0")
    assert exported.tree() == before


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/saveconfig", "write '/ saveconfig'"),
        ("/exit", "write '/ exit'"),
        ("/ls", "write '/ ls'"),
        ("/iscsi/create", "write '/iscsi create'"),
        (f"{TPG}/enable", f"write '{TPG} enable'"),
    ],
)
def test_a_command_written_as_a_path_is_explained(exported: Pyshell, path: str, hint: str) -> None:
    ran = exported.line(path)
    assert (ran.status, hint in ran.err) == (3, True)


def test_a_portal_takes_its_port_behind_the_address(target: Pyshell) -> None:
    portals = f"{TPG}/portals"
    target.must(f"{portals} delete 0.0.0.0:3260", f"{portals} create 127.0.0.1:3261")
    target.must(f"{portals} create [::1]:3262")
    assert target.line(f"ls {portals}").out.count("[OK]") == 2
    assert target.line(f"{portals} create 127.0.0.1:3263 3264").status == 2
    assert target.line(f"{portals} create 127.0.0.1:0").status == 2
    assert "ip_port" in target.line(f"{portals} delete 127.0.0.2").err
    target.must(f"{portals} delete [::1]:3262", f"{portals} delete 127.0.0.1 3261")


def test_a_lun_is_made_of_a_storage_object_s_name_or_device(target: Pyshell) -> None:
    luns = f"{TPG}/luns"
    target.must("/backstores/block create disk /dev/sdb", f"{luns} create disk", f"{luns} delete 0")
    target.must(f"{luns} create /dev/sdb")
    for line in (f"{luns} create /dev/sdb", f"{luns} create disk", f"{luns} create block/disk"):
        ran = target.line(f"{line} exist_ok=true")
        assert (ran.status, "nothing to do" in ran.err) == (0, True), line
        assert target.line(line).status == 5
    assert "Did you mean /backstores/block/disk?" in target.line(f"{luns} create dis").err


@pytest.mark.parametrize("line", ["share disk to=client", "unshare disk to=client"])
def test_a_short_name_of_an_initiator_is_completed(exported: Pyshell, line: str) -> None:
    ran = exported.line(line.replace("disk", "lee_block"))
    assert (ran.status, f"Did you mean {CLIENT}?" in ran.err) == (2, True)


def test_a_naa_id_becomes_the_serial_number_that_gives_it(target: Pyshell) -> None:
    naa = "60014050123456789abcdef012345678"
    for number, text in enumerate((f"naa.{naa}", f"0x{naa.upper()}", f"wwn-0x{naa}")):
        target.must("clearconfig confirm=true")
        target.must(f"/backstores/ramdisk create d{number} 1M wwn={text}")
        assert f"naa: naa.{naa}" in target.must(f"/backstores/ramdisk/d{number} info")
    for text in ("naa.5001405000000001", f"naa.{naa}9", "iqn.2020-07.com.example:x", "eui.00"):
        assert target.line(f"/backstores/ramdisk create bad 1M wwn={text}").status == 2


# Finding 13


@pytest.mark.parametrize("name", ["x/y", "a b", "a*", "@", "''"])
def test_a_bookmark_has_a_name_that_a_path_can_hold(pyshell: Pyshell, name: str) -> None:
    assert pyshell("bookmarks", "add", name).status == 2
    assert "No bookmarks yet." in pyshell.must("bookmarks show")


def test_exist_ok_accepts_the_same_image_file(target: Pyshell) -> None:
    line = "/backstores/fileio create image1 /srv/image1.img 64M exist_ok=true"
    assert target.line(line).status == 0
    again = target.line(line)
    assert (again.status, "nothing to do" in again.err) == (0, True)
    assert target.line("/backstores/fileio create other /srv/image1.img exist_ok=true").status == 5


# Finding 31


def test_a_mapping_is_made_read_only_in_place(exported: Pyshell) -> None:
    exported.simulator.login(SERVER, 1, CLIENT, "192.168.56.105")
    mapping = f"{ACL}/mapped_lun0"
    assert exported.must(f"{mapping} set write_protect=true") == [
        "Parameter write_protect is now '1'."
    ]
    assert exported.line(f"{mapping} status").out.endswith("(ro)\n")
    assert CLIENT in exported.line("sessions").out
    exported.must("saveconfig", f"{mapping} set attribute write_protect=0", "undo")
    assert exported.line("diff").status == 0
    assert exported.line(f"{mapping} set write_protect=maybe").status == 2
    exported.program = "targetcli"
    assert exported.line(f"{mapping} get").lines[-1] == "global"


def test_all_mappings_of_a_tag_change(exported: Pyshell) -> None:
    exported.must(f"{TPG}/acls create {CLIENT}2", f"{TPG}/acls tag {CLIENT} both")
    exported.must(
        f"{TPG}/acls tag {CLIENT}2 both", f"{TPG}/acls/both/mapped_lun0 set write_protect=1"
    )
    for name in (CLIENT, f"{CLIENT}2"):
        assert exported.read(f"iscsi/{SERVER}/tpgt_1/acls/{name}/lun_0/write_protect") == "1\n"


def test_share_maps_read_only(pyshell: Pyshell) -> None:
    line = f"share /dev/sdb to={CLIENT} target={SERVER}"
    pyshell.must(f"{line} readonly=true")
    protect = f"iscsi/{SERVER}/tpgt_1/acls/{CLIENT}/lun_0/write_protect"
    assert pyshell.read(protect) == "1\n"
    assert pyshell.line(line).done().out.endswith("nothing to do.\n")
    pyshell.must(f"{line} readonly=false")
    assert pyshell.read(protect) == "0\n"
    pyshell.must("undo")
    assert pyshell.read(protect) == "1\n"


# Finding 40


def test_info_of_a_block_device_has_its_size_and_users(exported: Pyshell) -> None:
    shown = exported.must("/backstores/block/lee_block info")
    assert "size: 21474836480 (20.0GiB)" in shown
    assert f"luns: {TPG}/luns/lun0" in shown
    assert f"initiators: {CLIENT}" in shown
    data = exported("-o", "json", "/backstores/block/lee_block", "info").json["result"]
    assert (data["size"], data["luns"]) == (21474836480, [f"{TPG}/luns/lun0"])
    exported.program = "targetcli"
    assert not any(
        line.startswith(("size", "luns"))
        for line in exported.must("/backstores/block/lee_block info")
    )


def test_a_difference_names_its_sides(exported: Pyshell) -> None:
    exported.must("saveconfig", f"{TPG} set login_timeout=9")
    assert exported.line("diff").lines[:2] == [f"--- saved ({exported.saved_file})", "+++ running"]
    exported.must("saveconfig")
    assert exported.line("diff 1 running").lines[:2] == ["--- revision 1", "+++ running"]
    assert exported.line("diff").out == ""


def test_times_are_local_with_their_zone_and_utc_in_json(
    exported: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported.must("saveconfig", f"{TPG} set login_timeout=9")
    monkeypatch.setenv("TZ", "XYZ-5")
    time.tzset()
    try:
        lines = exported.must("revisions")
        told = exported.must("undo")[0]
        data = exported("-o", "json", "revisions").json["result"]
    finally:
        monkeypatch.undo()
        time.tzset()
    assert " XYZ " in lines[1]
    assert " XYZ)" in told
    utc = datetime.strptime(data[0]["time"], "%Y-%m-%dT%H:%M:%SZ")
    assert f"{utc + timedelta(hours=5):%Y-%m-%d %H:%M:%S} XYZ" in lines[1]


def test_sessions_are_a_table_at_a_terminal_and_lines_elsewhere(
    exported: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    exported.simulator.login(SERVER, 1, CLIENT, "192.168.56.105")
    assert exported.line("sessions").out.startswith("alias: ")
    shown = exported("sessions", terminal=True).lines
    # Its start is unknown, and a column without values is not shown.
    assert shown[0].split() == ["Initiator", "Target", "State", "Address", "SID", "LUNs"]
    row = " ".join(shown)
    assert all(word in row for word in ("192.168.56.105", "LOGGED_IN", "tpg1"))
    exported.program = "targetcli"
    assert exported("sessions", terminal=True).out.startswith("alias: ")
