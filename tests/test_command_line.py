# SPDX-License-Identifier: Apache-2.0
"""The command line: options, exit statuses, JSON, dry run, paths, width, and all or nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from driver import CLIENT, SERVER, TIME_LIMIT, TPG, Pyshell, clean_environment, run_here
from pyshell import lio
from pyshell.lio import rtslib_objects
from pyshell.lio.identifiers import Portal, Target
from pyshell.shell import shell
from pyshell.simulator import Simulator

ACL = f"{TPG}/acls/{CLIENT}"
SHARED = "Default portal not created, TPGs within a target cannot share ip:port."

# What a one-liner leaves unsaved


def test_at_a_terminal_it_is_told_what_a_reboot_would_lose(pyshell: Pyshell) -> None:
    line = "/backstores/ramdisk create x 1M"
    assert "not saved. Run 'saveconfig' to save it" in pyshell(*line.split(), keyboard=True).err
    assert pyshell("--save", "/backstores/ramdisk", "create", "y", "1M", keyboard=True).err == ""
    assert pyshell("ls", keyboard=True).err == ""
    assert pyshell("/backstores/ramdisk", "create", "z", "1M").err == ""


# Exit statuses


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("ls", 0),
        ("/backstores/ramdisk create x 1M", 0),
        ("/backstores/block/lee_block set attribute emulate_write_cache=1", 1),
        (f"{TPG} set attribute authentication=9", 2),
        ("clearconfig", 2),
        ("bogus", 2),
        ("ls depth=x", 2),
        ("/bogus ls", 3),
        ("/bogus", 3),
        ("ls /bogus", 3),
        ("/backstores/ramdisk delete nothing", 3),
        ("/backstores/block create x /dev/nothing", 3),
        (f"{TPG}/luns create /backstores/ramdisk/nothing", 3),
        (f"{TPG}/luns delete 7", 3),
        ("/iscsi delete iqn.2020-07.com.example:nothing", 3),
        ("restoreconfig", 3),
        ("@nowhere", 3),
        (f"{TPG} get attribute bogus", 3),
        (f"/iscsi create {SERVER}", 5),
        ("/backstores/block create x /dev/mapper/lee-lee.lv", 5),
        ("/backstores/block create x /dev/sda1", 5),
        (f"{TPG}/portals create 0.0.0.0", 5),
        (f"{TPG}/acls create {CLIENT}", 5),
        (f"{TPG}/luns create /backstores/block/lee_block", 5),
    ],
)
def test_the_exit_status_says_what_went_wrong(exported: Pyshell, line: str, status: int) -> None:
    before = exported.tree()
    ran = exported.line(line)
    assert ran.status == status, ran.err
    assert bool(ran.err) == bool(status)
    if status:
        assert ran.out == ""
        assert exported.tree() == before


def test_status_4_where_the_user_may_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lio.Lio, "ready", lambda _lio: None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    ran = run_here(["saveconfig"])
    assert (ran.out, ran.status) == ("", 4)
    assert "root" in ran.err


def test_a_target_that_the_user_cannot_see_may_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lio, "CONFIGFS", "/nonexistent")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    ran = run_here(["ls"])
    assert ran.status == 4
    assert "it is not loaded, or only root can see it. Run pyshell as root." in ran.err


def test_status_5_where_another_program_holds_the_lock_is_field_failure_46() -> None:
    assert "Exit status: 0 done, 1 failed, 2 usage, 3 not found, 4 not permitted, 5 conflict," in (
        run_here(["--help"]).out
    )


def test_the_exit_status_of_the_program_is_that_of_the_command(pyshell: Pyshell) -> None:
    ran = pyshell.process("/bogus", "ls")
    assert (ran.out, ran.status) == ("", 3)
    assert ran.err == "No such path /bogus. 'ls /' shows what is there.\n"


# Options


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--bogus"], "Unknown option --bogus."),
        (["--bogus", "ls"], "Unknown option --bogus."),
        (["-x"], "Unknown option -x."),
        (["-o", "yaml", "ls"], "-o is one of text, json, table, jsonl, tsv, name, not 'yaml'."),
        (["--output=", "ls"], "--output= needs a value."),
        (["--color", "maybe", "ls"], "--color is one of auto, always, never, not 'maybe'."),
        (["--lock-timeout", "soon", "ls"], "--lock-timeout needs a number of seconds, not 'soon'."),
        (["--lock-timeout=-1", "ls"], "--lock-timeout needs a number of seconds, not '-1'."),
        (["--lock-timeout=nan", "ls"], "--lock-timeout needs a number of seconds, not 'nan'."),
        (["-o"], "-o needs a value."),
        (["--config-dir"], "--config-dir needs a value."),
        (["-f"], "-f needs a value."),
    ],
)
def test_a_bad_option_is_a_usage_error(
    pyshell: Pyshell, arguments: Sequence[str], told: str
) -> None:
    ran = pyshell(*arguments)
    assert (ran.out, ran.status) == ("", 2)
    assert ran.err.startswith(told)
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [["-f", "x", "ls"], ["-f", "x", "-f", "y"], ["--simulate=", "ls"], ["-f="]]
)
def test_what_would_be_ignored_is_refused(pyshell: Pyshell, arguments: list[str]) -> None:
    ran = pyshell(*arguments)
    assert (ran.out, ran.status) == ("", 2)


@pytest.mark.parametrize("arguments", [["--nosuch"], ["--color", "x"], ["--lock-timeout", "x"]])
def test_errors_of_options_are_json_too(arguments: list[str]) -> None:
    ran = run_here(["-o", "json", *arguments, "ls"])
    assert (json.loads(ran.err)["code"], ran.status) == (2, 2)


def test_notes_are_json_too(exported: Pyshell) -> None:
    ran = exported("-o", "json", "/backstores/block", "delete", "lee_block")
    assert json.loads(ran.err)["note"].startswith("It is exported")


def test_an_option_behind_the_path_is_pointed_out(pyshell: Pyshell) -> None:
    assert "Put options before the path:" in pyshell("ls", "--compat").err


@pytest.mark.parametrize("line", ["restoreconfig ''", "saveconfig ''", "restoreconfig savefile="])
def test_no_file_name_at_all_is_no_file_name(exported: Pyshell, line: str) -> None:
    before = exported.tree()
    assert exported.line(line).status == 2
    assert exported.tree() == before


@pytest.mark.parametrize("line", ["set cmd_nothing=1", "set attribute=authentication"])
def test_set_without_its_group_is_no_success(exported: Pyshell, line: str) -> None:
    ran = exported(TPG, *line.split())
    assert (ran.out, ran.status) == ("", 2)
    assert "In which group?" in ran.err


def test_options_end_at_the_path_but_for_those_of_one_line(pyshell: Pyshell) -> None:
    assert pyshell("ls", "'--dry-run'").status == 3  # no option in quotes: a path for `ls`
    ran = pyshell("/backstores/ramdisk", "create", "a", "1M", "--dry-run").done()
    assert ran.lines[0] == "Would create storage object ramdisk/a. (dry run)"
    assert pyshell("/backstores/ramdisk/a", "ls").status == 3
    assert pyshell("--", "pwd").done().out == "/\n"


@pytest.mark.parametrize(
    "line",
    [
        "/backstores/ramdisk create a 1M",
        f"{TPG} disable",
        f"{TPG} set attribute login_timeout=20",
        f"{TPG}/luns delete 0",
        f"/iscsi delete {SERVER}",
        "unshare /dev/mapper/lee-lee.lv",
        "undo",
        "clearconfig confirm=true",
        "saveconfig",
        "bookmarks add here",
        "set global auto_save_on_exit=false",
    ],
)
def test_finding_24_every_line_of_a_dry_run_says_what_would_happen(
    exported: Pyshell, line: str
) -> None:
    lines = exported("--dry-run", *line.split()).done().lines
    assert lines
    for said in lines:
        assert "ould " in said.partition("'")[0]
        assert said.endswith("(dry run)")


@pytest.mark.parametrize("spelling", [["--output", "json"], ["--output=json"], ["-o", "json"]])
def test_an_options_value_may_stand_apart_or_behind_an_equals_sign(
    pyshell: Pyshell, spelling: list[str]
) -> None:
    assert pyshell(*spelling, "pwd").json["result"] == "/"


def test_the_simulators_folder_may_come_from_the_environment(
    pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYSHELL_SIMULATE", str(pyshell.folder))
    assert run_here(["pwd"]).done().out == "/\n"
    assert pyshell.configfs.is_dir()


def test_the_simulators_folder_is_in_the_state_folder_by_default() -> None:
    assert run_here(["--simulate", "pwd"]).done().out == "/\n"
    assert (Path(os.environ["XDG_STATE_HOME"]) / "pyshell/simulator/configfs/target").is_dir()


def test_a_folder_that_holds_something_else_is_no_simulator(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("Dear all,")
    ran = run_here([f"--simulate={tmp_path}", "ls"])
    assert ran.status == 1
    assert f"{tmp_path} is not empty and holds no simulated kernel" in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["letter"]


def test_the_simulators_folder_must_stand_behind_an_equals_sign(tmp_path: Path) -> None:
    ran = run_here(["--simulate", str(tmp_path), "ls"])
    assert (ran.out, ran.status) == ("", 2)
    assert f"Write --simulate={tmp_path}." in ran.err


@pytest.mark.parametrize(
    "table",
    ["{", "[]", "{}", '{"devices": 3, "links": {}, "fabrics": [], "cpus": 1}',
     '{"devices": [3], "links": {}, "fabrics": [], "cpus": 1}',
     '{"devices": [{"path": "/dev/x"}], "links": {}, "fabrics": [], "cpus": 1}'],
)  # fmt: skip
def test_a_damaged_table_of_the_simulator_is_told(pyshell: Pyshell, table: str) -> None:
    pyshell.must("pwd")
    (pyshell.folder / "machine.json").write_text(table)
    ran = pyshell("ls")
    assert (ran.out, ran.status) == ("", 1)
    assert ran.err.startswith(f"{pyshell.folder / 'machine.json'}")
    assert ran.err.count("\n") == 1


def test_a_missing_table_of_the_simulator_can_be_copied(pyshell: Pyshell) -> None:
    pyshell.must("pwd")
    table = pyshell.folder / "machine.json"
    text = table.read_text()
    table.unlink()
    ran = pyshell("ls")
    assert (ran.out, ran.status) == ("", 3)
    assert "Copy machine.json from another one: 'pyshell --simulate=DIR ls'" in ran.err
    table.write_text(text)
    pyshell("ls").done()


def test_the_configurations_folder_can_be_chosen(target: Pyshell, tmp_path: Path) -> None:
    target("--config-dir", str(tmp_path / "etc"), "saveconfig").done()
    assert (tmp_path / "etc" / "saveconfig.json").is_file()
    assert not target.saved_file.exists()


def test_a_simulated_target_writes_no_file_of_the_users(
    pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Finding 37: preferences and bookmarks of a try never reach those of the real target."""
    for name in ("TARGETCLI_HOME", "PYSHELL_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    pyshell.must("set global auto_add_default_portal=false", "/iscsi bookmarks add here")
    assert {path.parent.name for path in pyshell.folder.rglob("preferences.json")} == {"home"}
    assert not list(tmp_path.glob("*_HOME")), "nothing of a try lies in the user's folders"


def test_preferences_hold_for_the_next_run(pyshell: Pyshell) -> None:
    pyshell.must("set global auto_add_default_portal=false")
    pyshell.must(f"/iscsi create {SERVER}")
    assert list((pyshell.configfs / f"iscsi/{SERVER}/tpgt_1/np").iterdir()) == []


def test_no_options_are_needed_for_help(pyshell: Pyshell) -> None:
    ran = pyshell("--help").done()
    assert ran.out.startswith("Usage: pyshell [OPTIONS]")
    for option in ("--simulate", "-f FILE", "--keep-going", "--dry-run", "--yes", "--config-dir"):
        assert option in ran.out


# Results as JSON


@pytest.mark.parametrize(
    "line",
    [
        "ls",
        "ls depth=1",
        f"{TPG} get attribute",
        f"{TPG} get auth userid",
        "get global",
        "get",
        "/iscsi info",
        f"{TPG} info",
        f"{ACL} info",
        f"{ACL}/mapped_lun0 info",
        f"{TPG}/luns/lun0 info",
        f"{TPG}/portals/0.0.0.0:3260 info",
        "/backstores/block/lee_block info",
        f"{TPG} status",
        "sessions",
        "sessions detail",
        "version",
        "help",
        "bookmarks show",
        "/backstores/ramdisk create x 1M",
        f"{TPG} set attribute login_timeout=10 authentication=1",
        "saveconfig",
        "/iscsi create iqn.2020-07.com.example:two",
        f"{TPG}/luns delete 0",
    ],
)
def test_json_is_one_document_with_a_schema(exported: Pyshell, line: str) -> None:
    found = exported("-o", "json", line).done().json
    assert found["schema"] == 1
    assert found.keys() - {"schema"} in ({"tree"}, {"result"})


def test_json_of_ls_is_the_tree(exported: Pyshell) -> None:
    tree = exported("-o", "json", "ls").json["tree"]
    assert [child["name"] for child in tree["children"]] == ["backstores", "iscsi", "loopback"]
    disk = tree["children"][0]["children"][0]["children"][0]
    assert disk["path"] == "/backstores/block/lee_block"
    assert disk["summary"] == "/dev/mapper/lee-lee.lv (20.0GiB) write-thru activated"
    assert disk["healthy"] is True
    text = exported("ls").out
    assert text.count("\n") == count_nodes(tree)


def count_nodes(tree: dict[str, Any]) -> int:
    """Return how many nodes a tree has."""
    return 1 + sum(count_nodes(child) for child in tree["children"])


def test_json_of_ls_ends_at_the_depth(exported: Pyshell) -> None:
    tree = exported("-o", "json", "ls", "depth=1").json["tree"]
    assert all("children" not in child for child in tree["children"])


def test_json_of_get_holds_every_parameter(target: Pyshell) -> None:
    found = target("-o", "json", TPG, "get", "attribute").json["result"]
    folder = target.configfs / f"iscsi/{SERVER}/tpgt_1/attrib"
    assert found == {path.name: path.read_text().strip() for path in folder.iterdir()}


def test_json_of_one_parameter_holds_only_that(target: Pyshell) -> None:
    found = target("-o", "json", TPG, "get", "attribute", "login_timeout").json["result"]
    assert found == {"login_timeout": "15"}


def test_json_of_info_has_numbers_as_numbers(exported: Pyshell) -> None:
    found = exported("-o", "json", f"{ACL}/mapped_lun0", "info").json["result"]
    assert (found["index"], found["tpg_lun"], found["write_protect"]) == (0, 0, False)


def test_json_of_status_is_summary_and_health(exported: Pyshell) -> None:
    found = exported("-o", "json", "/backstores/block", "status").json["result"]
    assert found == {"path": "/backstores/block", "summary": "Storage Objects: 1", "healthy": None}


def test_json_of_no_sessions_is_an_empty_list(target: Pyshell) -> None:
    assert target("-o", "json", "sessions").json["result"] == []
    assert target("sessions").out == "(no open sessions)\n"


def test_json_of_create_holds_the_sentences(pyshell: Pyshell) -> None:
    found = pyshell("-o", "json", "/iscsi", "create", SERVER).json["result"]
    assert found["messages"][0] == f"Created target {SERVER}."
    assert len(found["messages"]) == 4


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["bogus"], 2, "Command not found: bogus."),
        (["/bogus", "ls"], 3, "No such path /bogus"),
        (["/backstores/ramdisk", "create", "x", "1Q"], 2, "'1Q' is not a size."),
        (["-f", "/nothing"], 3, "Cannot read /nothing"),
    ],
)
def test_json_of_an_error_is_an_object_on_standard_error(
    pyshell: Pyshell, arguments: list[str], code: int, message: str
) -> None:
    ran = pyshell("-o", "json", *arguments)
    found = json.loads(ran.err)
    assert (ran.out, ran.status) == ("", code)
    assert found["code"] == code
    assert found["error"].startswith(message)
    assert found.keys() == {
        "schema", "where", "error", "faults", "hint", "path", "step", "errno", "code"
    }  # fmt: skip


def test_json_of_a_kernels_refusal_names_step_errno_and_path(
    pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Simulator, "mkdir", refused)
    found = json.loads(pyshell("-o", "json", "/iscsi", "create", SERVER).err)
    assert found["errno"] == 12
    assert found["step"] == f"create target {SERVER}"
    assert found["path"].startswith(str(pyshell.configfs))


def refused(_simulator: Simulator, path: str) -> None:
    """Stand in for an act of a kernel that is short of memory."""
    raise OSError(12, os.strerror(12), path)


# Dry run

CHANGES = [
    "/backstores/ramdisk create x 1M",
    "/backstores/block create x /dev/sdb",
    "/backstores/fileio create x /srv/x.img 1M",
    "/backstores/pscsi create x /dev/sdc",
    "/backstores/block delete lee_block",
    "/backstores/block/lee_block set attribute emulate_caw=0",
    "/iscsi create iqn.2020-07.com.example:two",
    f"/iscsi delete {SERVER}",
    "/iscsi set discovery_auth userid=me password=hunter2 enable=true",
    f"/iscsi/{SERVER} create 2",
    f"/iscsi/{SERVER} delete 1",
    f"{TPG} disable",
    f"{TPG} set attribute authentication=1 login_timeout=10",
    f"{TPG} set parameter MaxConnections=4",
    f"{TPG} set auth userid=me password=hunter2",
    f"{TPG}/acls create iqn.2020-07.com.example:initiator",
    f"{TPG}/acls delete {CLIENT}",
    f"{ACL} create 7 0 write_protect=true",
    f"{ACL} delete 0",
    f"{TPG}/luns create /dev/sdb",
    f"{TPG}/luns delete 0",
    f"{TPG}/portals create 192.0.2.1 3261",
    f"{TPG}/portals delete 0.0.0.0 3260",
    "/loopback create naa.5001405000000001",
    "saveconfig",
    "clearconfig confirm=true",
    "set global auto_cd_after_create=true",
    "bookmarks add here",
]
REFUSED = [
    "/backstores/ramdisk create x 1Q",
    "/backstores/block create x /dev/nothing",
    "/backstores/block create x /dev/st0",
    "/backstores/block create x /dev/mapper/lee-lee.lv",
    "/backstores/block create x /dev/sda",
    "/backstores/block create lee_block /dev/sdb",
    "/backstores/fileio create x /srv/none.img",
    "/backstores/block delete nothing",
    f"/iscsi create {SERVER}",
    "/iscsi delete iqn.2020-07.com.example:nothing",
    f"/iscsi/{SERVER} create 1",
    f"/iscsi/{SERVER} delete 7",
    f"{TPG} set attribute bogus=1",
    f"{TPG} set bogus x=1",
    f"{TPG} set auth password={'x' * 256}",
    f"{TPG}/acls create {CLIENT}",
    f"{TPG}/acls delete iqn.2020-07.com.example:nothing",
    f"{ACL} create 0 0",
    f"{ACL} create 1 7",
    f"{ACL} delete 7",
    f"{TPG}/luns create /backstores/block/nothing",
    f"{TPG}/luns create /backstores/block/lee_block",
    f"{TPG}/luns delete 7",
    f"{TPG}/portals create 0.0.0.0",
    f"{TPG}/portals create 192.0.2.1",
    f"{TPG}/portals delete 192.0.2.1 3260",
    "/loopback create iqn.2020-07.com.example:x",
    "restoreconfig",
    "clearconfig",
    "set global bogus=1",
    "set global auto_cd_after_create=maybe",
    "bookmarks del nothing",
]


@pytest.mark.parametrize("line", [*CHANGES, *REFUSED])
def test_a_dry_run_changes_nothing_and_ends_as_the_real_run(exported: Pyshell, line: str) -> None:
    before = exported.files(), everything_at_home(exported)
    dry = exported.line(line, "--dry-run")
    assert (exported.files(), everything_at_home(exported)) == before
    assert "hunter2" not in dry.out + dry.err
    real = exported.line(line)
    assert (dry.status, dry.err) == (real.status, real.err)
    assert (real.status == 0) == (line in CHANGES)
    if line in CHANGES:
        assert (exported.files(), everything_at_home(exported)) != before
        assert dry.lines
        assert all(said.endswith(" (dry run)") for said in dry.lines)


def everything_at_home(ran: Pyshell) -> dict[str, bytes]:
    """Return all files of the user, who has some in the simulator's folder, too."""
    homes = Path(os.environ["HOME"]), ran.folder / "home"
    files = (path for home in homes for path in home.rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in files}


def test_a_dry_run_refuses_to_save_an_empty_configuration_over_another(exported: Pyshell) -> None:
    exported.must("saveconfig", "clearconfig confirm=true")
    dry, real = exported("--dry-run", "saveconfig"), exported("saveconfig")
    assert (dry.status, dry.err) == (real.status, real.err)
    assert real.status == 1


def test_a_dry_run_of_a_batch_saves_nothing(exported: Pyshell) -> None:
    before = exported.files()
    exported.batch(["/backstores/ramdisk create x 1M", f"{TPG} disable"], "--dry-run").done()
    assert exported.files() == before


# Paths


def test_a_bare_path_prints_nothing(target: Pyshell) -> None:
    for path in ("/", "/iscsi", "/iscsi/", f"{TPG}/portals/0.0.0.0:3260"):
        assert target(path).done().out == ""
    assert target("/iscsi/nothing").status == 3


def test_a_star_stands_for_every_child(target: Pyshell) -> None:
    ran = target(f"{TPG}/*", "status").done()
    assert ran.lines == [
        f"[{TPG}/acls]",
        f"Status for {TPG}/acls: ACLs: 0",
        f"[{TPG}/luns]",
        f"Status for {TPG}/luns: LUNs: 0",
        f"[{TPG}/portals]",
        f"Status for {TPG}/portals: Portals: 1",
    ]


def test_a_star_changes_every_child(target: Pyshell) -> None:
    target.must(f"/iscsi/{SERVER} create 2", f"/iscsi/{SERVER}/* set attribute login_timeout=7")
    for tag in (1, 2):
        assert target.read(f"iscsi/{SERVER}/tpgt_{tag}/attrib/login_timeout") == "7\n"


def test_a_star_alone_lists_the_children(target: Pyshell) -> None:
    ran = target(f"{TPG}/*").done()
    assert [line.split()[1] for line in ran.lines if line.startswith("o-")] == [
        "acls",
        "luns",
        "portals",
    ]


def test_bookmarks_stand_for_paths(target: Pyshell) -> None:
    target.must(f"{TPG} bookmarks add here")
    assert target("@here/portals", "pwd").done().out == f"{TPG}/portals\n"
    assert target("ls", "@here", "depth=0").done().out.startswith("o- tpg1 ")
    target.must("bookmarks del here")
    assert target("@here", "pwd").status == 3


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("/backstores/block crate x /dev/sdb", "create"),
        ("sesions", "sessions"),
        ("saveconfg", "saveconfig"),
        ("/backstores/ramdisk create nam=x size=1M", "name"),
        ("/backstores/ramdisk create x siz=1M", "size"),
        (f"{ACL} create 1 0 write_protec=true", "write_protect"),
        ("get global show_secret=true", "show_secrets"),
    ],
)
def test_an_unknown_word_is_answered_with_the_nearest(
    exported: Pyshell, line: str, meant: str
) -> None:
    ran = exported.batch([line])
    assert ran.status == 2
    assert f"Did you mean {meant}?" in ran.err


def test_a_command_of_the_root_is_pointed_to(pyshell: Pyshell) -> None:
    assert "It is a command of the root: / saveconfig" in pyshell("/iscsi", "saveconfig").err


# Width


def test_a_pipe_is_132_columns_wide(pyshell: Pyshell) -> None:
    assert {len(line) for line in pyshell("ls").lines} == {132}


def test_columns_sets_the_width_of_a_pipe(
    pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    for columns in (60, 101, 200):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert {len(line) for line in pyshell("ls").lines} == {columns}


@pytest.mark.parametrize("columns", ["0", "-5", "wide", ""])
def test_a_senseless_width_is_no_width(
    pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert {len(line) for line in pyshell("ls").lines} == {132}


def test_text_is_never_cut(exported: Pyshell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    lines = exported("ls").done().lines
    assert f"  | o- {SERVER} . [TPGs: 1]" in lines


# Streams


def test_a_reader_that_goes_away_is_no_bug(exported: Pyshell) -> None:
    command = f"{sys.executable} -m pyshell --simulate={exported.folder} ls | true; :"
    done = subprocess.run(
        ["sh", "-c", command],
        env=clean_environment(),
        capture_output=True,
        timeout=TIME_LIMIT,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == (b"", b"", 0)


def test_a_one_liner_reads_no_standard_input(pyshell: Pyshell) -> None:
    def never() -> Any:
        raise AssertionError("standard input was read")
        yield ""

    assert pyshell("pwd", stdin=never()).done().out == "/\n"


def test_a_bug_is_told_with_its_traceback(
    pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(shell, "run_one", broken)
    with pytest.raises(ZeroDivisionError):
        pyshell("pwd")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_a_closed_stream_is_no_bug(pyshell: Pyshell, closed: str) -> None:
    pyshell.must("pwd")
    line = f'"$0" -m pyshell --simulate="$1" /backstores/ramdisk create x 1M {closed}'
    done = subprocess.run(
        ["/bin/sh", "-c", line, sys.executable, str(pyshell.folder)],
        capture_output=True,
        text=True,
        env=clean_environment(),
        timeout=TIME_LIMIT,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (pyshell.configfs / "core/rd_mcp_0/x").is_dir()


# All or nothing


def test_a_failing_step_undoes_those_before_it_and_is_named(
    pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    pyshell.must("/iscsi create iqn.2020-07.com.example:other")
    pyshell.must("/iscsi delete iqn.2020-07.com.example:other")
    before = pyshell.tree()

    def refuse(_place: Portal) -> None:
        raise OSError(99, os.strerror(99))

    monkeypatch.setitem(rtslib_objects._CREATE, Portal, refuse)
    ran = pyshell("/iscsi", "create", SERVER)
    assert (ran.out, ran.status) == ("", 1)
    assert "create portal 0.0.0.0:3260" in ran.err
    assert "EADDRNOTAVAIL" in ran.err
    assert "The steps before it were undone." in ran.err
    assert pyshell.tree() == before


def test_a_failing_set_puts_back_what_was_set_before_it(
    target: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = target.tree()
    write = Simulator.write

    def choosy(simulator: Simulator, path: str, text: str) -> None:
        if path.endswith("/login_timeout"):
            raise OSError(22, os.strerror(22), path)
        write(simulator, path, text)

    monkeypatch.setattr(Simulator, "write", choosy)
    ran = target(TPG, "set", "attribute", "authentication=1", "login_timeout=10")
    assert (ran.out, ran.status) == ("", 1)
    assert "login_timeout" in ran.err
    assert target.tree() == before


def test_a_failed_creation_leaves_no_image_file(
    pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    pyshell.line("/backstores/ramdisk delete none")  # the first change makes folders of the kernel
    before = pyshell.files()

    def refuse(*_arguments: object) -> None:
        raise OSError(12, os.strerror(12))

    monkeypatch.setattr(rtslib_objects, "create_storage_object", refuse)
    assert pyshell.line("/backstores/fileio create x /srv/x.img 1M").status == 1
    own = ("files/var/log", "run")  # the log has the failure
    left = {path: text for path, text in pyshell.files().items() if not path.startswith(own)}
    assert left == before


def test_what_cannot_be_undone_is_told(pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError(16, os.strerror(16))

    monkeypatch.setitem(rtslib_objects._CREATE, Portal, refuse)
    monkeypatch.setitem(rtslib_objects._FOUND, Target, refuse)
    ran = pyshell("/iscsi", "create", SERVER)
    assert ran.status == 5
    assert f"Undoing was not complete: could not delete target {SERVER}" in ran.err


def test_a_secret_that_is_one_word_too_many_is_not_told(exported: Pyshell) -> None:
    ran = exported.line(f"{ACL} set auth password=first hushhush")
    assert (ran.out, ran.status) == ("", 2)
    assert "hush" not in ran.err
