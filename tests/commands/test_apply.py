# SPDX-License-Identifier: Apache-2.0
"""Comparing configurations and bringing the running one to another."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import pytest

from driver import CLIENT, DATA, SERVER, TPG, Pyshell
from pyshell.config.store.undo import KEPT
from pyshell.errors import PyshellError
from pyshell.lio import Lio, sessions
from pyshell.lio.identifiers import NodeAcl, Target, Tpg
from pyshell.lio.operations.mapping import DeleteLun
from pyshell.simulator import Simulator
from pyshell.simulator.hardware import SimulatedPort

ACL = f"{TPG}/acls/{CLIENT}"
EXAMPLE = Path(__file__).parents[2] / "saveconfig.example.json"
SECRET = "change-this-to-1"
LEE = "/dev/mapper/lee-lee.lv"


@pytest.fixture
def saved(pyshell: Pyshell) -> Pyshell:
    """Return a target that runs the example, which is also saved."""
    pyshell.prepare(f"restoreconfig {pyshell.example}", "saveconfig")
    return pyshell


# diff


def test_what_was_just_saved_does_not_differ(saved: Pyshell) -> None:
    ran = saved("diff")
    assert (ran.out, ran.err, ran.status) == ("", "", 0)


def test_the_example_does_not_differ_from_what_it_was_restored_to(saved: Pyshell) -> None:
    assert saved("diff", str(EXAMPLE)).done().out == ""


def test_what_differs_is_drawn_and_the_status_says_so(saved: Pyshell) -> None:
    saved.must(
        "/backstores/ramdisk create new 1M",
        f"{TPG} set attribute login_timeout=20",
        f"{ACL} delete 1",
    )
    ran = saved("diff")
    assert (ran.err, ran.status) == ("", 1)
    assert ran.lines[:2] == [f"--- saved ({saved.saved_file})", "+++ running"]
    assert ran.lines[2:] == [
        "  backstores",
        "    ramdisk",
        "+     new",
        "  iscsi",
        f"    {SERVER}",
        "~     tpg1",
        "          login_timeout: 15 -> 20",
        "        acls",
        f"          {CLIENT}",
        "-           mapped_lun1",
    ]


def test_the_order_of_the_two_turns_the_signs(saved: Pyshell) -> None:
    saved.must("/backstores/ramdisk create new 1M")
    assert "-     new" in saved("diff", "running", "saved").lines


def test_a_part_can_be_compared(saved: Pyshell) -> None:
    saved.must("/backstores/ramdisk create new 1M")
    assert saved("diff", "path=/iscsi").status == 0
    assert saved("diff", "path=/backstores").status == 1


@pytest.mark.parametrize("path", ["/nosuch", "/iscsi/iqn.2020-07.com.example:none", "iscsi/x"])
def test_a_part_that_is_nowhere_cannot_be_compared(saved: Pyshell, path: str) -> None:
    ran = saved("diff", f"path={path}")
    assert (ran.out, ran.status) == ("", 2)
    assert ran.err.startswith("No such path ")


def test_a_part_that_is_there_and_empty_is_the_same(saved: Pyshell) -> None:
    assert saved("diff", "path=/backstores/pscsi").done().out == ""


def test_an_unset_secret_is_null_in_json(saved: Pyshell) -> None:
    saved.must(f"{ACL} set auth mutual_userid='' mutual_password=''")
    (found,) = saved("-o", "json", "diff").json["result"]
    secret = next(one for one in found["settings"] if one["name"] == "auth/password_mutual")
    assert (secret["before"], secret["after"]) == ("********", None)


def test_a_difference_has_paths_that_can_be_typed(saved: Pyshell) -> None:
    empty = private(saved.folder.parent / "empty.json")
    empty.write_text("{}")
    told = saved("-o", "json", "diff", str(empty)).json["result"]
    paths = [one["path"] for one in told]
    assert "/loopback/naa.5001405000000001" in paths
    assert len(set(paths)) == len(paths)
    for path in paths:
        assert saved(path, "ls").status == 0, path
    assert [word for word in saved("diff", str(empty)).out.split() if word == "tpg1"] == ["tpg1"]
    lines = saved("apply", str(empty), "prune=true", "--dry-run").done().lines[:-1]
    assert {line.split()[2] for line in lines} == set(paths)


def test_secrets_differ_without_being_shown(saved: Pyshell) -> None:
    saved.must(f"{ACL} set auth password='another good secret'")
    for options in ([], ["-o", "json"]):
        ran = saved(*options, "diff")
        assert ran.status == 1
        assert "password" in ran.out
        assert "secret" not in ran.out


def test_differences_as_data(saved: Pyshell) -> None:
    saved.must(f"{TPG} set attribute login_timeout=20")
    assert saved("-o", "json", "diff").json["result"] == [
        {
            "path": TPG,
            "change": "changed",
            "settings": [{"name": "attrib/login_timeout", "before": "15", "after": "20"}],
        }
    ]


@pytest.mark.parametrize("word", ["/nothing", "runing"])
def test_what_cannot_be_compared_ends_with_2(saved: Pyshell, word: str) -> None:
    ran = saved("diff", word)
    assert (ran.out, ran.status) == ("", 2)
    assert "No such file" in ran.err


def test_that_nothing_is_saved_yet_is_told(exported: Pyshell) -> None:
    told = exported("status").lines
    assert told[-2:] == [
        "The running configuration is not saved: it will be lost at reboot.",
        "'saveconfig' saves it.",
    ]


def test_nothing_saved_yet_ends_with_2(exported: Pyshell) -> None:
    ran = exported("diff")
    assert (ran.out, ran.status) == ("", 2)
    assert "saveconfig writes it." in ran.err


def test_a_difference_in_a_batch_is_its_status_and_no_failure(saved: Pyshell) -> None:
    saved.must("/backstores/ramdisk create new 1M")
    ran = saved.batch(["diff", "pwd"])
    assert (ran.lines[-1], ran.err, ran.status) == ("/", "", 1)


def test_the_commands_that_a_difference_stands_for_bring_it_about(saved: Pyshell) -> None:
    saved.must(
        "/backstores/ramdisk create new 1M",
        f"{TPG}/luns create /backstores/ramdisk/new",
        f"{TPG} set attribute login_timeout=20",
        f"{TPG} disable",
        f"{TPG}/portals create 192.0.2.1",
        f"{ACL} delete 1",
    )
    lines = saved("diff", "running", "saved", "form=commands").lines
    saved.must(*lines)
    assert saved("diff").status == 0


# apply


def test_field_failure_7_applying_what_runs_changes_nothing_and_says_so(saved: Pyshell) -> None:
    before = saved.tree()
    assert saved("apply", str(saved.example)).done().lines == [
        f"Applied {saved.example}: 0 created, 0 changed, 0 recreated, 0 deleted, 13 unchanged."
    ]
    assert saved.tree() == before


def private(file: Path) -> Path:
    """Make a file as one keeps it that holds secrets."""
    file.touch(0o600)
    return file


def changed_example(tmp_path: Path) -> Path:
    document = json.loads(EXAMPLE.read_text())
    document["storage_objects"].append({"name": "new", "plugin": "ramdisk", "size": 1 << 20})
    document["targets"][0]["tpgs"][0]["attributes"]["login_timeout"] = 20
    document["targets"] = document["targets"][:1]
    file = private(tmp_path / "wanted.json")
    file.write_text(json.dumps(document))
    return file


@pytest.mark.parametrize("index", [0, 2])
def test_finding_56_a_mapping_that_moved_between_luns_is_applied_to_one_target(
    exported: Pyshell, tmp_path: Path, index: int
) -> None:
    exported.must(
        "/backstores/ramdisk create other 1M",
        f"{TPG}/luns create /backstores/ramdisk/other lun=1 add_mapped_luns=false",
        "/backstores/ramdisk create third 1M",
        f"{TPG}/luns create /backstores/ramdisk/third lun={index + 2} add_mapped_luns=false",
        "saveconfig",
    )
    document = exported.document()
    (entry,) = document["targets"]
    (tpg,) = entry["tpgs"]
    tpg["luns"] = [lun for lun in tpg["luns"] if lun["index"] != 0]
    (acl,) = tpg["node_acls"]
    acl["mapped_luns"] = [{"index": index, "tpg_lun": 1, "write_protect": False}]
    wanted = tmp_path / "wanted.json"
    wanted.touch(0o600)
    wanted.write_text(json.dumps(document))
    exported.must(f"apply {wanted} prune=true target={SERVER}")
    exported.must("saveconfig")
    (again,) = exported.document()["targets"][0]["tpgs"]
    assert [lun["index"] for lun in again["luns"]] == [1, index + 2]
    assert [m["tpg_lun"] for m in again["node_acls"][0]["mapped_luns"]] == [1]


def test_field_failure_6_what_the_file_lacks_stays_unless_pruned(
    saved: Pyshell, tmp_path: Path
) -> None:
    file = changed_example(tmp_path)
    lines = saved("apply", str(file)).done().lines
    assert lines[:2] == [
        "created /backstores/ramdisk/new [online]",
        f"changed {TPG}: login_timeout: 15 -> 20 [online]",
    ]
    assert lines[-1].endswith(
        "2 not in the file and kept (/loopback/naa.5001405000000001,"
        " /loopback/naa.5001405000000001/luns/lun0; prune=true removes what it lacks)."
    )
    assert saved("/loopback/naa.5001405000000001").status == 0
    lines = saved("apply", str(file), "prune=true").done().lines
    assert "deleted /loopback/naa.5001405000000001 [online]" in lines
    assert saved("/loopback/naa.5001405000000001").status == 3
    assert saved("diff", "running", str(file)).status == 0


def test_field_failure_7_a_dry_run_shows_the_same_and_changes_nothing(
    saved: Pyshell, tmp_path: Path
) -> None:
    file = changed_example(tmp_path)
    before = saved.tree()
    dry = saved("--dry-run", "apply", str(file), "prune=true").done().lines
    assert saved.tree() == before
    done = saved("apply", str(file), "prune=true").done().lines
    for told, line in zip(dry[:-1], done[:-1], strict=True):
        verb, _, rest = told.removeprefix("Would ").removesuffix(" (dry run)").partition(" ")
        assert line == f"{verb}d {rest}"
    assert dry[-1].startswith(f"Would apply {file}: ")
    assert dry[-1].endswith(" unchanged. (dry run)")
    assert re.findall(r"\d+", dry[-1]) == re.findall(r"\d+", done[-1])


def test_field_failure_6_one_target_is_applied_beside_what_runs_with_its_storage_objects(
    pyshell: Pyshell,
) -> None:
    pyshell.must(f"apply {pyshell.example} target={SERVER}")
    assert pyshell(f"{TPG}/luns/lun1").status == 0
    assert pyshell("/backstores/ramdisk/local").status == 3
    assert pyshell("/loopback ls").done().out.count("naa.") == 0


def test_pruning_one_target_leaves_the_others_alone(saved: Pyshell, tmp_path: Path) -> None:
    document = json.loads(EXAMPLE.read_text())
    document["targets"][0]["tpgs"][0]["node_acls"] = []
    file = private(tmp_path / "wanted.json")
    file.write_text(json.dumps(document))
    saved.must(f"apply {file} target={SERVER} prune=true")
    assert saved(ACL).status == 3
    assert saved("/loopback/naa.5001405000000001/luns/lun0").status == 0
    assert saved("/backstores/ramdisk/local").status == 0


def test_a_dash_is_no_file(saved: Pyshell) -> None:
    assert "/dev/stdin is standard input." in saved("apply", "-").err


def test_a_target_that_the_file_lacks_is_an_error(saved: Pyshell) -> None:
    assert saved("apply", str(EXAMPLE), "target=iqn.2020-07.com.example:none").status == 3


def test_where_a_step_fails_all_is_undone(
    saved: Pyshell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = changed_example(tmp_path)
    before = saved.tree()
    write = Simulator.write

    def choosy(simulator: Simulator, path: str, text: str) -> None:
        if path.endswith("login_timeout") and text.strip() == "20":
            raise OSError(22, "Invalid argument", path)
        write(simulator, path, text)

    monkeypatch.setattr(Simulator, "write", choosy)
    ran = saved("apply", str(file), "prune=true")
    assert (ran.out, ran.status) == ("", 1)
    assert "login_timeout" in ran.err
    monkeypatch.undo()
    assert saved("diff").done().out == ""
    assert {path for path in saved.tree() if "/statistics/" not in path} == {
        path for path in before if "/statistics/" not in path
    }


def test_a_lun_of_nothing_is_told_and_nothing_done(saved: Pyshell, tmp_path: Path) -> None:
    document = json.loads(EXAMPLE.read_text())
    document["targets"][0]["tpgs"][0]["luns"][0]["storage_object"] = "/backstores/block/none"
    file = private(tmp_path / "wanted.json")
    file.write_text(json.dumps(document))
    ran = saved("apply", str(file))
    assert (ran.out, ran.status) == ("", 1)
    assert ran.err.startswith(f"{TPG}/luns/lun0: no such object: /backstores/block/none.")
    assert saved("diff").status == 0
    assert f"The error is at {file}:1:" in ran.err


def test_all_faults_of_a_file_are_told_with_their_places(saved: Pyshell, tmp_path: Path) -> None:
    file = private(tmp_path / "wanted.json")
    file.write_bytes((DATA / "broken" / "values-that-nothing-has.json").read_bytes())
    before = saved.tree()
    ran = saved("apply", str(file))
    assert ran.out == ""
    assert ran.err.startswith(f"{file} has 9 errors:\n{file}:3:34: $.storage_objects[0].")
    assert ran.err.endswith("Nothing was changed.\n")
    assert saved.tree() == before


def test_more_errors_than_those_of_the_types_are_counted(saved: Pyshell, tmp_path: Path) -> None:
    file = private(tmp_path / "wanted.json")
    objects = [{"plugin": "block", "name": "a", "dev": 5}, {"plugin": "none", "name": "b c"}]
    file.write_text(json.dumps({"storage_objects": objects}))
    ran = saved("apply", str(file))
    assert "dev: must be text" in ran.err
    assert ran.err.endswith(f"'check {file}' lists 2 more errors. Nothing was changed.\n")
    assert saved("check", str(file)).out.count(": error: ") == 3
    assert "more error" in saved("restoreconfig", str(file)).err
    file.write_text(json.dumps({"storage_objects": objects[:1]}))
    assert "more error" not in saved("apply", str(file)).err


def test_a_value_of_another_spelling_is_no_difference(saved: Pyshell, tmp_path: Path) -> None:
    document = json.loads(EXAMPLE.read_text())
    attributes = document["storage_objects"][0].setdefault("attributes", {})
    attributes |= {"emulate_caw": "yes", "emulate_tpu": False}
    file = private(tmp_path / "wanted.json")
    file.write_text(json.dumps(document))
    assert saved("diff", str(file)).done().out == ""


def test_settings_that_the_kernel_lacks_are_named(saved: Pyshell, tmp_path: Path) -> None:
    document = json.loads(EXAMPLE.read_text())
    new = {**document["storage_objects"][2], "name": "new", "attributes": {"emulate_cawx": 1}}
    new["wwn"] = new["wwn"].replace("b64e", "c64e")
    document["storage_objects"].append(new)
    document["targets"][0]["tpgs"][0]["attributes"]["authentcation"] = 1
    file = private(tmp_path / "wanted.json")
    file.write_text(json.dumps(document))
    lacking = {TPG: ["authentcation"]}
    for line in (f"apply {file}", f"restoreconfig {file} clear_existing=true"):
        dry = saved("--dry-run", *line.split())
        assert "authentcation" in dry.out + dry.err, line
    ran = saved("-o", "json", "apply", str(file)).done()
    assert ran.json["result"]["skipped_settings"] == {
        **lacking,
        "/backstores/ramdisk/new": ["emulate_cawx"],
    }
    assert f"authentcation of {TPG}; emulate_cawx of /backstores/ramdisk/new skipped" in ran.out
    again = saved("apply", str(file)).done()
    assert again.out.endswith(" skipped: this kernel has none.\n")
    restored = saved("restoreconfig", str(file), "clear_existing=true")
    assert restored.err.count("authentcation, ignored") == 1
    assert restored.err.count("emulate_cawx, ignored") == 1


def test_what_the_kernel_would_take_for_false_is_not_restored(
    pyshell: Pyshell, tmp_path: Path
) -> None:
    document = json.loads(EXAMPLE.read_text())
    document["targets"][0]["tpgs"][0]["attributes"]["authentication"] = "maybe"
    file = private(tmp_path / "wanted.json")
    file.write_text(json.dumps(document))
    ran = pyshell("restoreconfig", str(file))
    assert ran.status == 1
    told = f"/iscsi/{SERVER}/tpg1: 'maybe' is not a valid value of authentication, skipped"
    assert told in ran.err.splitlines()


def test_a_disk_on_another_device_is_made_anew_with_what_is_made_of_it(
    saved: Pyshell, tmp_path: Path
) -> None:
    document = json.loads(EXAMPLE.read_text())
    document["storage_objects"][0]["dev"] = "/dev/sdb"
    file = private(tmp_path / "wanted.json")
    file.write_text(json.dumps(document))
    smaller = (
        "/dev/sdb (8.0GiB) is smaller than the 20.0GiB of storage object block/lee_block now: its"
        " file systems may be truncated."
    )
    assert smaller in saved("--dry-run", "apply", str(file)).done().err
    ran = saved("apply", str(file)).done()
    assert smaller in ran.err
    assert ran.lines[:-1] == [
        "recreated /backstores/block/lee_block [replacing]",
        f"recreated {TPG}/luns/lun0 [replacing]",
        f"recreated {ACL}/mapped_lun0 [replacing]",
    ]
    assert "/dev/sdb" in saved(f"{TPG}/luns/lun0", "status").out


def test_what_the_kernel_fixes_while_exported_lifts_the_luns_for_a_moment(
    saved: Pyshell, tmp_path: Path
) -> None:
    document = json.loads(EXAMPLE.read_text())
    document["storage_objects"][2]["attributes"] = {"block_size": 4096}
    file = private(tmp_path / "wanted.json")
    file.write_text(json.dumps(document))
    lines = saved("apply", str(file)).done().lines
    assert lines[:-1] == [
        "changed /backstores/ramdisk/scratch: block_size: 512 -> 4096 [online]",
        f"recreated {TPG}/luns/lun1 [replacing]",
        f"recreated {ACL}/mapped_lun1 [replacing]",
    ]


def test_a_serial_number_is_changed_in_place_and_its_luns_lifted_for_a_moment(
    saved: Pyshell, tmp_path: Path
) -> None:
    document = json.loads(EXAMPLE.read_text())
    document["storage_objects"][2]["wwn"] = "a-new-number"
    file = private(tmp_path / "wanted.json")
    file.write_text(json.dumps(document))
    lines = saved("apply", str(file)).done().lines
    before = "b64e1a97-5d08-4c3b-a7f2-09e8d3716c45"
    assert lines[:-1] == [
        f"changed /backstores/ramdisk/scratch: wwn: {before} -> a-new-number [online]",
        f"recreated {TPG}/luns/lun1 [replacing]",
        f"recreated {ACL}/mapped_lun1 [replacing]",
    ]
    assert saved("diff", "running", str(file)).status == 0
    saved("undo").done()
    assert saved("diff").status == 0


# Whom it cuts off


@pytest.fixture
def logged_in(saved: Pyshell, monkeypatch: pytest.MonkeyPatch) -> Pyshell:
    """Return the example with its client logged in."""
    tpg = Tpg(Target("iscsi", SERVER, saved.open().root), 1)
    session = sessions.Session(tpg, CLIENT, NodeAcl(tpg, CLIENT))
    monkeypatch.setattr("pyshell.lio.sessions.sessions", lambda lio: iter([session]))
    return saved


CUTTING = [
    f"/iscsi delete {SERVER}",
    f"/iscsi/{SERVER} delete 1",
    f"{TPG} disable",
    f"{TPG}/acls delete {CLIENT}",
    f"{TPG}/luns delete 0",
    f"{ACL} delete 0",
    "/backstores/block delete lee_block",
]
TAKING = [
    line for line in CUTTING if "/luns" in line or line.endswith(" delete 0") or "block" in line
]
"""A session goes on without the disk when a LUN or a mapping is deleted."""


@pytest.mark.parametrize("line", CUTTING)
def test_field_failure_45_at_a_terminal_a_cut_is_asked_about(logged_in: Pyshell, line: str) -> None:
    before = logged_in.tree()
    ran = logged_in(*line.split(), stdin="n\n", keyboard=True)
    verb = "takes LUN 0 from" if line in TAKING else "terminates the session of"
    assert f"This {verb} {CLIENT}" in ran.err
    assert ran.err.count("Continue? [y/N]") == 1
    assert ran.status == 1
    assert logged_in.tree() == before
    assert logged_in(*line.split(), stdin="y\n", keyboard=True).status == 0
    assert logged_in.tree() != before


@pytest.mark.parametrize("line", CUTTING)
def test_nothing_is_asked_in_a_script_or_after_yes(logged_in: Pyshell, line: str) -> None:
    ran = logged_in(*line.split())
    assert "[y/N]" not in ran.err
    verb = "Took LUN 0 from" if line in TAKING else "Terminated the session of"
    (said,) = (one for one in ran.lines if one.startswith(f"{verb} {CLIENT} at {SERVER}/tpg1"))
    assert ("return zeros" in said) is (line in TAKING)


def test_the_option_yes_answers(logged_in: Pyshell) -> None:
    ran = logged_in("--yes", *CUTTING[0].split(), keyboard=True)
    assert ("[y/N]" in ran.err, ran.status) == (False, 0)


@pytest.mark.parametrize(
    "line", [f"{TPG} set attribute login_timeout=20", "/backstores/ramdisk create x 1M",
             f"{TPG}/portals delete 192.168.56.101 3260",  # seen on kernel 6.1: sessions continue
             f"{TPG}/acls create iqn.2020-07.com.example:new"]
)  # fmt: skip
def test_what_cuts_nobody_is_not_asked_about(logged_in: Pyshell, line: str) -> None:
    ran = logged_in(*line.split(), keyboard=True)
    assert ("[y/N]" in ran.err, ran.status) == (False, 0)
    assert "session" not in ran.out


@pytest.mark.parametrize("line", CUTTING)
def test_a_dry_run_names_whom_it_would_cut_off(logged_in: Pyshell, line: str) -> None:
    ran = logged_in("--dry-run", *line.split())
    assert ran.status == 0
    verb = "take LUN 0 from" if line in TAKING else "terminate the session of"
    assert any(one.startswith(f"Would {verb} {CLIENT} at {SERVER}/tpg1") for one in ran.lines)
    told = logged_in("-o", "json", "--dry-run", *line.split()).json
    assert told["result"]["cut"] == [CLIENT]


def test_a_dry_run_names_nobody_where_nobody_is_cut(logged_in: Pyshell) -> None:
    ran = logged_in("--dry-run", "/backstores/ramdisk", "create", "x", "1M")
    assert (ran.status, ran.err) == (0, "")


def test_clearing_names_whom_it_cuts_off_and_a_dry_run_whom_it_would(
    logged_in: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    tpg = Tpg(Target("iscsi", SERVER, logged_in.open().root), 1)
    session = sessions.Session(tpg, CLIENT, NodeAcl(tpg, CLIENT))
    for module in ("lio.sessions", "commands.restore"):
        monkeypatch.setattr(f"pyshell.{module}.sessions", lambda lio: iter([session]))
    assert logged_in("--dry-run", "clearconfig", "confirm=true").done().lines == [
        f"Would terminate the session of {CLIENT} at {SERVER}/tpg1. (dry run)",
        "All configuration would be cleared (dry run)",
    ]
    for module in ("lio.sessions", "commands.restore"):
        monkeypatch.setattr(f"pyshell.{module}.sessions", lambda lio: iter([session]))
    ran = logged_in("clearconfig", "confirm=true")
    assert ran.lines == [
        "All configuration cleared",
        f"Terminated the session of {CLIENT} at {SERVER}/tpg1.",
    ]


def test_apply_marks_whom_each_step_disturbs(logged_in: Pyshell, tmp_path: Path) -> None:
    document = json.loads(EXAMPLE.read_text())
    document["storage_objects"][0]["dev"] = "/dev/sdb"
    document["targets"][0]["tpgs"][0]["node_acls"][0]["mapped_luns"].pop()
    file = private(tmp_path / "wanted.json")
    file.write_text(json.dumps(document))
    lines = logged_in("--dry-run", "apply", str(file), "prune=true").done().lines
    assert lines[:-1] == [
        "Would recreate /backstores/block/lee_block [replacing] (dry run)",
        f"Would recreate {TPG}/luns/lun0 [replacing, disrupting {CLIENT}] (dry run)",
        f"Would recreate {ACL}/mapped_lun0 [replacing, disrupting {CLIENT}] (dry run)",
        f"Would delete {ACL}/mapped_lun1 [disrupting {CLIENT}] (dry run)",
    ]


def test_a_change_of_another_target_is_not_marked(saved: Pyshell) -> None:
    other, late = "iqn.2020-07.com.example:other", "iqn.2020-07.com.example:late"
    saved.must(
        f"share /backstores/ramdisk/scratch to={CLIENT} target={other}",
        f"{TPG} set attribute authentication=0",
        "saveconfig",
        f"share /backstores/block/lee_block to={late} target={SERVER}",
        f"/iscsi/{other}/tpg1/acls/{CLIENT} set auth userid=client password=another-secret",
    )
    saved.simulator.login(SERVER, 1, late, "192.168.56.105")
    lines = saved("--dry-run", "rollback", "saved").done().lines
    assert [one for one in lines if "disrupting" in one] == [
        f"Would delete {TPG}/acls/{late} [disrupting {late}] (dry run)",
        f"Would delete {TPG}/acls/{late}/mapped_lun0 [disrupting {late}] (dry run)",
    ]


def test_another_portal_disturbs_nobody(saved: Pyshell, tmp_path: Path) -> None:
    saved.must(f"{TPG} set attribute authentication=0")
    saved.simulator.login(SERVER, 1, CLIENT, "192.168.56.105")
    saved.must(f"saveconfig {tmp_path / 'new.json'}")
    file = tmp_path / "new.json"
    file.write_text(file.read_text().replace('"192.168.56.101"', '"192.168.56.102"'))
    ran = saved("apply", str(file), "prune=true").done(noting="The running")
    assert ran.lines[:2] == [
        f"created {TPG}/portals/192.168.56.102:3260 [online]",
        f"deleted {TPG}/portals/192.168.56.101:3260 [online]",
    ]
    assert [one.initiator for one in sessions.sessions(saved.open())] == [CLIENT]


def test_steps_as_data(logged_in: Pyshell, tmp_path: Path) -> None:
    file = changed_example(tmp_path)
    ran = logged_in("-o", "json", "apply", str(file))
    assert ran.json["result"]["changed"] is True
    assert ran.json["result"]["objects"][1] == {
        "path": TPG,
        "change": "changed",
        "effect": "online",
        "settings": [{"name": "attrib/login_timeout", "before": "15", "after": "20"}],
        "sessions": [],
    }
    assert logged_in("-o", "json", "apply", str(file)).json["result"]["changed"] is False


# What may be fed to the kernel


def test_a_file_that_others_may_write_is_not_applied(saved: Pyshell, tmp_path: Path) -> None:
    file = changed_example(tmp_path)
    file.chmod(0o666)
    ran = saved("apply", str(file))
    assert (ran.out, ran.status) == ("", 4)
    assert f"chmod go-w {file}" in ran.err
    assert saved("diff").status == 0


# Revisions


@pytest.fixture
def revised(saved: Pyshell) -> Pyshell:
    """Return the example with one revision: what was saved before the TPG's time was changed."""
    saved.prepare(f"{TPG} set attribute login_timeout=20", "saveconfig comment='a longer time'")
    return saved


def test_revisions_can_be_compared(revised: Pyshell) -> None:
    assert "login_timeout: 15 -> 20" in revised("diff", "1").out
    assert revised("diff", "1", "saved").status == 1
    assert revised("diff", "saved", "running").status == 0


def test_a_revision_that_is_not_there_ends_with_2(revised: Pyshell) -> None:
    ran = revised("diff", "7")
    assert (ran.out, ran.status) == ("", 2)
    assert ran.err.startswith("No such revision: 7.")


def test_a_rollback_brings_a_revision_back_by_the_smallest_change(revised: Pyshell) -> None:
    revised.must("/backstores/ramdisk create new 1M")
    assert revised("rollback", "1").done().lines == [
        f"changed {TPG}: login_timeout: 20 -> 15 [online]",
        "deleted /backstores/ramdisk/new [online]",
        "Rolled back to revision 1: 0 created, 1 changed, 0 recreated, 1 deleted, 12 unchanged.",
    ]
    assert revised("diff", "1").done().out == ""
    assert revised("rollback", "1").done().lines == [
        "Rolled back to revision 1: 0 created, 0 changed, 0 recreated, 0 deleted, 13 unchanged."
    ]


def test_a_rollback_leaves_the_saved_file_to_a_save(revised: Pyshell) -> None:
    before = revised.saved_file.read_bytes()
    revised.must("rollback 1")
    assert revised.saved_file.read_bytes() == before
    revised.must("rollback saved")
    assert revised("diff").done().out == ""


def test_a_save_tells_that_it_comes_from_a_rollback(revised: Pyshell) -> None:
    revised("--save", "rollback", "1").done()
    assert revised("revisions").lines[1].split()[5] == "rollback"


def test_a_rollback_to_no_revision_changes_nothing(revised: Pyshell) -> None:
    before = revised.tree()
    ran = revised("rollback", "9")
    assert (ran.err.splitlines(), ran.status) == (
        ["No such revision: 9. Run 'revisions' to list them."],
        3,
    )
    assert revised.tree() == before


def test_a_revision_that_others_may_write_is_not_rolled_back_to(revised: Pyshell) -> None:
    (revised.config_dir / "revisions" / "1.json").chmod(0o666)
    assert revised("rollback", "1").status == 4


def test_a_file_may_hold_only_what_changes_of_an_object_that_runs(
    saved: Pyshell, tmp_path: Path
) -> None:
    file = private(tmp_path / "part.json")
    entry = {"plugin": "ramdisk", "name": "scratch", "wwn": "0123456789abcdef0123456789abcdef"}
    file.write_text(json.dumps({"storage_objects": [entry]}))
    saved("check", str(file)).done()
    saved("apply", str(file)).done()
    told = saved.must("/backstores/ramdisk/scratch info")
    assert any("0123456789abcdef0123456789abcdef" in line for line in told)
    file.write_text(json.dumps({"storage_objects": [{**entry, "name": "new"}]}))
    refused = saved("apply", str(file))
    assert (refused.out, refused.status) == ("", 2)
    assert refused.err.startswith("A ramdisk storage object needs its size. The error is at ")


# restoreconfig


def test_a_dry_run_of_a_restore_tells_each_object(saved: Pyshell) -> None:
    saved.must(f"{ACL} delete 1", f"{TPG} set attribute login_timeout=20")
    assert saved("restoreconfig", "clear_existing=true", "--dry-run").done().lines == [
        f"Would create {ACL}/mapped_lun1 [online] (dry run)",
        f"Would change {TPG}: login_timeout: 20 -> 15 [online] (dry run)",
        f"Configuration would be restored from {saved.saved_file} (dry run)",
    ]


@pytest.fixture
def early(saved: Pyshell) -> Pyshell:
    """Return a host on which one disk of the saved configuration is not there, nothing running."""
    saved.prepare("clearconfig confirm=true")
    saved.simulator.machine.remove(LEE)
    return saved


def test_a_dry_run_of_a_restore_counts_the_faults_of_the_real_one(early: Pyshell) -> None:
    dry, real = early("restoreconfig", "--dry-run"), early("restoreconfig")
    assert (dry.status, real.status) == (1, 1)
    assert "saveconfig.json would be restored in part, 3 errors:" in dry.err.splitlines()[0]
    assert dry.err.splitlines()[1:4] == real.err.splitlines()[1:4]
    assert "Would create /backstores/ramdisk/scratch [online] (dry run)" in dry.lines
    assert "lee_block" not in dry.out
    assert "Configuration would be restored" not in dry.out


def test_a_question_says_what_of_the_file_cannot_be_restored(early: Pyshell) -> None:
    early.must("/backstores/ramdisk create other 1M")
    line = "restoreconfig clear_existing=true"
    before = early.tree()
    ran = early(line, stdin="n\n", keyboard=True)
    dry = early(line, "--dry-run")
    assert ran.err.splitlines()[:4] == dry.err.splitlines()[:4]
    assert "restored in part, 3 errors:" in ran.err
    assert "This removes 1 storage object. Continue? [y/N]" in ran.err
    assert early.tree() == before


def test_apply_of_a_missing_image_file_names_the_command_that_restores_the_rest(
    pyshell: Pyshell,
) -> None:
    pyshell.must(
        f"share /srv/a.img size=1M to={CLIENT} target={SERVER}", f"share {LEE} to={CLIENT}"
    )
    file = pyshell.folder / "disks.json"
    pyshell.must(f"saveconfig {file}", "clearconfig confirm=true")
    pyshell.simulator.machine.file("/srv/a.img").unlink()
    ran = pyshell.line(f"apply {file}")
    rest = re.search(r"'(restoreconfig .*)' restores the rest. Nothing was changed.$", ran.err)
    assert (ran.status, ran.out) == (3, "")
    assert rest is not None
    assert pyshell.line(rest[1]).status == 6
    assert "lee-lee.lv" in pyshell.line(f"ls {TPG}/luns").out
    pyshell.saved_file.write_bytes(file.read_bytes())
    ran = pyshell.line("apply saved")
    assert f"'restoreconfig {pyshell.saved_file}' restores the rest." in ran.err


def test_apply_of_a_target_with_a_missing_image_file_names_a_command_that_works(
    pyshell: Pyshell,
) -> None:
    pyshell.must(
        f"share /srv/a.img size=1M to={CLIENT} target={SERVER}", f"share {LEE} to={CLIENT}"
    )
    file = pyshell.folder / "disks.json"
    pyshell.must(f"saveconfig {file}", "clearconfig confirm=true")
    pyshell.simulator.machine.file("/srv/a.img").unlink()
    ran = pyshell.line(f"apply {file} target={SERVER}")
    rest = f"restoreconfig {file} target={SERVER}"
    assert f" '{rest}' restores the rest." in ran.err
    assert pyshell.line(rest).status == 1
    assert "lee-lee.lv" in pyshell.line(f"ls {TPG}/luns").out
    # It would be refused now, as the target runs.
    assert "restores the rest" not in pyshell.line(f"apply {file} target={SERVER}").err


def test_a_part_of_a_target_under_cluster_control_is_not_to_be_restored(pyshell: Pyshell) -> None:
    pyshell.must(f"share /srv/a.img size=1M to={CLIENT} target={SERVER}")
    file = pyshell.config_dir / "cluster/disks.json"
    file.parent.mkdir(parents=True)
    pyshell.must(f"saveconfig {file} target={SERVER}")
    pyshell("clearconfig", "confirm=true")
    pyshell.simulator.machine.file("/srv/a.img").unlink()
    for line in (f"apply {file}", f"apply {file} target={SERVER}"):
        ran = pyshell.line(line)
        assert (ran.status, "restores the rest" in ran.err) == (3, False)


def test_a_dry_run_of_what_is_missing_tells_what_still_is(early: Pyshell) -> None:
    early("restoreconfig")
    dry = early("restoreconfig", "missing_only=true", "--dry-run")
    assert dry.status == 6
    assert f"There is no block device {LEE}" in dry.err


def test_what_did_nothing_is_no_step_of_undo(saved: Pyshell) -> None:
    saved.must("clearconfig confirm=true", "clearconfig confirm=true")
    saved.must("restoreconfig", "restoreconfig clear_existing=true")
    saved.must("undo", "undo")
    assert saved("diff").done().out == ""


# undo


def running(pyshell: Pyshell) -> object:
    """Return what runs, as it would be saved."""
    file = pyshell.folder.parent / "running.json"
    pyshell.must(f"saveconfig {file} force=true")
    return json.loads(file.read_text())


UNDOABLE = [
    "/backstores/ramdisk create new 1M",
    "/backstores/fileio create new /new.img 1M",
    "/backstores/block delete lee_block",
    "/iscsi create iqn.2020-07.com.example:new",
    f"/iscsi delete {SERVER}",
    f"{TPG} set attribute login_timeout=20",
    f"{TPG} disable",
    f"{TPG}/portals create 192.0.2.1",
    f"{TPG}/acls create iqn.2020-07.com.example:new",
    f"{TPG}/acls delete {CLIENT}",
    f"{TPG}/luns delete 0",
    f"{ACL} delete 1",
    f"{ACL} set auth password='another good secret'",
    "/backstores/ramdisk/scratch/alua create fast 5",
    "clearconfig confirm=true",
]


@pytest.mark.parametrize("line", UNDOABLE)
def test_undo_takes_the_last_command_back(saved: Pyshell, line: str) -> None:
    before = running(saved)
    assert saved.line(line).status == 0
    assert running(saved) != before
    ran = saved("undo")
    assert ran.status == 0, ran.err
    assert ran.lines[-1].startswith(f"Undid '{line.partition(' password')[0]}")
    assert "another good secret" not in ran.out
    assert running(saved) == before


def test_what_a_failed_clearing_removed_comes_back_by_undo(
    saved: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = saved("ls").out

    def refused(operation: DeleteLun, lio: Lio) -> None:
        raise PyshellError("The kernel did not let go.")

    with monkeypatch.context() as patched:
        patched.setattr(DeleteLun, "do_for_good", refused)
        ran = saved("clearconfig", "confirm=true")
    assert ran.status == 1
    assert "The kernel did not let go. 'undo' restores the removed objects." in ran.err
    assert saved("ls").out != before
    saved("undo").done()
    assert (saved("ls").out, saved("diff").status) == (before, 0)


def test_undo_goes_back_command_by_command(saved: Pyshell) -> None:
    states = [running(saved)]
    for name in ("one", "two", "three"):
        saved.must(f"/backstores/ramdisk create {name} 1M")
        states.append(running(saved))
    for state in states[-2::-1]:
        saved.must("undo")
        assert running(saved) == state


def test_undo_of_a_restore_asks_and_names_it_and_what_it_removes(pyshell: Pyshell) -> None:
    pyshell.must(f"restoreconfig {pyshell.example}")
    before = pyshell.tree()
    ran = pyshell("undo", keyboard=True)
    assert ran.status == 1
    assert ran.err.startswith(
        f"This undoes 'restoreconfig {pyshell.example}' and removes 2 targets, "
    )
    assert pyshell.tree() == before
    assert pyshell("undo", "--yes", keyboard=True).status == 0


def test_undo_of_one_command_asks_only_about_sessions(saved: Pyshell) -> None:
    saved.must("/backstores/ramdisk create new 1M")
    assert saved("undo", keyboard=True).done().err == ""


def test_undo_does_not_pass_over_a_preference(saved: Pyshell) -> None:
    saved.must("/backstores/ramdisk create new 1M", "set global tree_max_depth=3")
    line = "set global auto_enable_tpgt=false tree_max_depth=4"
    saved.must(line)
    assert saved("undo", "--dry-run").done().lines[:2] == [
        "Would set the preference auto_enable_tpgt to its default. (dry run)",
        "Would set the preference tree_max_depth to '3'. (dry run)",
    ]
    lines = saved.must("undo")
    assert lines[:2] == [
        "Parameter auto_enable_tpgt has its default again.",
        "Parameter tree_max_depth is now '3'.",
    ]
    assert lines[2].startswith(f"Undid '{line}' (")
    assert saved.must("get global tree_max_depth") == ["tree_max_depth=3 "]
    assert saved.must("get global auto_enable_tpgt") == ["auto_enable_tpgt=true "]
    saved.must("undo")
    saved.must("bookmarks add here")
    assert saved.must("undo")[-1].startswith("Undid '/backstores/ramdisk create new 1M'")


def test_a_preference_that_has_the_value_leaves_nothing_to_undo(saved: Pyshell) -> None:
    saved.must("set global tree_max_depth=3", "set global tree_max_depth=3", "undo")
    assert saved.must("get global tree_max_depth") == ["tree_max_depth=0 "]


def test_undo_does_not_change_the_preferences_of_another_user(
    saved: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved.must("/backstores/ramdisk create new 1M")
    monkeypatch.setenv("SUDO_USER", "lee")
    saved.must("set global tree_max_depth=3")
    monkeypatch.setenv("SUDO_USER", "kim")
    ran = saved("undo")
    assert (ran.out, ran.status) == ("", 5)
    assert "changed preferences of lee, not of kim. 'undo skip=true' removes it" in ran.err


def test_undo_of_an_incomplete_object_is_refused(saved: Pyshell) -> None:
    saved.must("/backstores/ramdisk create new 1M")
    folder = saved.configfs / "core/rd_mcp_7/broken"
    saved.simulator.mkdir(str(folder.parent))
    saved.simulator.mkdir(str(folder))
    saved.must("/backstores/ramdisk delete broken")
    before = saved.tree()
    ran = saved("undo")
    assert (ran.out, ran.status) == ("", 5)
    assert "Cannot undo '/backstores/ramdisk delete broken': what it deleted was" in ran.err
    assert saved.tree() == before


def test_undo_of_nothing_is_told(pyshell: Pyshell) -> None:
    ran = pyshell("undo")
    assert (ran.out, ran.status) == ("", 3)
    assert ran.err.startswith("There is nothing to undo.")


def test_a_dry_run_of_undo_tells_its_steps(saved: Pyshell) -> None:
    saved.must("/backstores/ramdisk create new 1M")
    before = saved.tree()
    lines = saved("--dry-run", "undo").done().lines
    assert lines[0] == "Would delete storage object ramdisk/new. (dry run)"
    assert lines[1].startswith("Would undo '/backstores/ramdisk create new 1M'")
    assert saved.tree() == before
    assert saved("undo").status == 0


def test_a_dry_run_of_undo_counts_the_settings_of_what_comes_back(saved: Pyshell) -> None:
    saved.must(f"/iscsi delete {SERVER}")
    lines = saved("undo", "--dry-run").done().lines
    assert f"Would set 39 settings of TPG 1 of target {SERVER}. (dry run)" in lines
    assert len(lines) < 20


def test_what_was_added_late_is_taken_back_alone(saved: Pyshell) -> None:
    late = saved.simulator.machine.device(LEE)
    assert late is not None
    saved.must("clearconfig confirm=true")
    saved.simulator.machine.remove(late.path)
    assert saved("restoreconfig", "wait=0").status == 6
    without = saved.tree()
    saved.simulator.machine.add(late)
    saved.must("restoreconfig missing_only=true")
    assert saved("diff").status == 0
    saved.must("undo")
    assert saved.tree() == without


def test_what_a_unit_did_at_boot_is_nothing_to_undo(
    saved: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved.must("clearconfig confirm=true", "/backstores/ramdisk create before 1M")
    monkeypatch.setenv("PYSHELL_WAY", "boot")
    saved.must("restoreconfig")
    monkeypatch.delenv("PYSHELL_WAY")
    told = saved("undo", "--dry-run").out
    assert "Would undo '/backstores/ramdisk create before 1M'" in told


def test_undo_never_removes_an_image_file(pyshell: Pyshell) -> None:
    pyshell("/backstores/fileio create new /new.img 1M")
    assert "The image file /new.img is kept." in pyshell("undo").done().lines
    assert pyshell("/backstores/fileio create new /new.img").status == 0


def test_undo_refuses_where_another_program_built_on_what_was_made(saved: Pyshell) -> None:
    saved.must("/iscsi create iqn.2020-07.com.example:new")
    iqn = "iscsi/iqn.2020-07.com.example:new"
    saved.simulator.mkdir(str(saved.configfs / iqn / "tpgt_1/acls/iqn.2020-07.com.example:other"))
    before = saved.tree()
    ran = saved("undo")
    assert (ran.out, ran.status) == ("", 5)
    assert "iqn.2020-07.com.example:other" in ran.err
    assert saved.tree() == before


def test_what_undo_needs_is_for_root_alone(saved: Pyshell) -> None:
    saved.must(f"{ACL} set auth password='another good secret'")
    folder = saved.folder / "run" / "undo"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    kept = list(folder.iterdir())
    assert {stat.S_IMODE(file.stat().st_mode) for file in kept} == {0o600}
    assert all("another good secret" not in file.read_text() for file in kept)


def test_only_so_many_commands_can_be_undone(pyshell: Pyshell) -> None:
    lines = [f"/backstores/ramdisk create disk{number} 1M" for number in range(KEPT + 3)]
    pyshell.batch(lines).done()
    assert len(list((pyshell.folder / "run" / "undo").iterdir())) == KEPT


def test_undo_finds_storage_objects_that_were_created_again_under_other_numbers(
    pyshell: Pyshell,
) -> None:
    empty = running(pyshell)
    luns, backstore = f"{TPG}/luns", "/backstores/ramdisk"
    states = [empty]
    for line in (
        f"{backstore} create zz 1M",
        f"{backstore} create aa 1M",
        f"{backstore}/zz/alua create fast 5",
        f"/iscsi create {SERVER}",
        f"{luns} create {backstore}/zz",
        f"{luns} create {backstore}/aa",
        f"{luns} delete 0",
        f"{backstore} delete zz",
    ):
        pyshell.must(line)
        states.append(running(pyshell))
    for state in states[:0:-1]:
        pyshell.must("clearconfig confirm=true", "undo")  # creates them in alphabetical order
        assert running(pyshell) == state
        pyshell.must("undo")
    assert running(pyshell) == empty


def test_a_command_that_cannot_be_undone_is_named_and_can_be_skipped(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/ramdisk create old 1M", "/backstores/ramdisk create new 1M")
    pyshell.must("/backstores/ramdisk delete new")
    records = pyshell.folder / "run" / "undo"
    max(records.iterdir(), key=lambda file: int(file.stem)).unlink()
    ran = pyshell("undo")
    assert (ran.out, ran.status) == ("", 3)
    assert "Cannot undo '/backstores/ramdisk create new 1M': " in ran.err
    assert "There is no storage object ramdisk/new." in ran.err
    assert "'undo skip=true' removes it" in ran.err
    assert pyshell("undo", "--dry-run").err == ran.err
    forgotten = "'/backstores/ramdisk create new 1M'"
    dry = pyshell("undo", "skip=true", "--dry-run").done()
    assert dry.lines == [f"Would forget {forgotten}. (dry run)"]
    assert pyshell.must("undo skip=true") == [f"Forgot {forgotten}: nothing was undone."]
    assert pyshell.must("undo")[-1].startswith("Undid '/backstores/ramdisk create old 1M'")
    assert pyshell("undo", "skip=true").status == 3


def test_a_damaged_record_can_be_skipped(saved: Pyshell) -> None:
    saved.must("/backstores/ramdisk create one 1M", "/backstores/ramdisk create two 1M")
    records = saved.folder / "run" / "undo"
    max(records.iterdir(), key=lambda file: int(file.stem)).write_text("{}")
    assert "'undo skip=true' removes it" in saved("undo").err
    saved.must("undo skip=true")
    assert saved.must("undo")[-1].startswith("Undid '/backstores/ramdisk create one 1M'")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"line": 1, "about": {}}'])
def test_a_damaged_record_is_told_and_nothing_undone(saved: Pyshell, text: str) -> None:
    saved.must("/backstores/ramdisk create new 1M")
    record = max((saved.folder / "run" / "undo").iterdir(), key=lambda f: int(f.stem))
    record.write_text(text)
    before = saved.tree()
    ran = saved("undo")
    assert (ran.out, ran.status) == ("", 1)
    assert f"{record} is damaged" in ran.err
    assert saved.tree() == before


def test_json_tells_by_one_field_whether_anything_changes(pyshell: Pyshell) -> None:
    for options, changed in (
        (("--dry-run",), True),
        ((), True),
        (("--dry-run",), False),
        ((), False),
    ):
        ran = pyshell(*options, "-o", "json", "apply", str(pyshell.example)).done()
        assert ran.json["result"]["changed"] is changed


@pytest.mark.parametrize(
    ("running", "wanted", "changed"),
    [
        ({}, {"generate_node_acls": 1, "cache_dynamic_acls": 0}, True),
        ({"generate_node_acls": 1}, {"cache_dynamic_acls": 0}, False),
        ({"generate_node_acls": 1}, {"cache_dynamic_acls": "no", "generate_node_acls": 1}, False),
        ({"generate_node_acls": 1}, {"cache_dynamic_acls": 0, "generate_node_acls": 0}, True),
    ],
)
def test_a_cache_of_acls_that_the_kernel_decides_on_comes_to_rest(
    saved: Pyshell, tmp_path: Path, running: dict[str, object], wanted: object, changed: bool
) -> None:
    """Finding 63: demo mode turns the cache on, and 0 is ignored as long as it lasts."""
    for name, value in running.items():
        saved.must(f"{TPG} set attribute {name}={value}")
    tpg = {"tag": 1, "attributes": wanted}
    file = tmp_path / "cache.json"
    file.write_text(json.dumps({"targets": [{"fabric": "iscsi", "wwn": SERVER, "tpgs": [tpg]}]}))
    first = saved("-o", "json", "apply", str(file)).json["result"]
    assert first["changed"] is changed
    second = saved("-o", "json", "apply", str(file)).json["result"]
    assert second["changed"] is False


def test_a_configuration_comes_through_a_pipe(pyshell: Pyshell) -> None:
    ran = pyshell.process("apply", "/dev/stdin", stdin=pyshell.example.read_text()).done()
    assert ran.lines[-1].startswith("Applied /dev/stdin: 13 created, ")
    assert pyshell("diff", str(pyshell.example), "running").status == 0


def test_all_faults_of_what_comes_through_a_pipe_are_told(pyshell: Pyshell) -> None:
    document = pyshell.example.read_text()
    faulty = document.replace("/dev/mapper/lee-lee.lv", "/dev/absent").replace(SERVER, "disk1")
    ran = pyshell.process("apply", "/dev/stdin", stdin=faulty)
    assert ran.status == 1
    assert ran.err.startswith("/dev/stdin has 2 errors:\n/dev/stdin:")
    assert "there is no block device /dev/absent" in ran.err
    assert "'disk1' is not an iSCSI qualified name" in ran.err


def test_a_restore_and_apply_name_keys_that_have_no_effect(
    pyshell: Pyshell, tmp_path: Path
) -> None:
    file = tmp_path / "mistyped.json"
    file.touch(0o600)
    file.write_text('{"storage_object": []}')
    line, summary = pyshell("check", str(file)).lines
    assert summary == f"{file}: no errors, 1 warning"
    assert "Did you mean storage_objects?" in line
    for command in ("restoreconfig", "apply"):
        ran = pyshell(command, str(file))
        assert (ran.status, ran.err) == (0, f"{line}\n")
    assert pyshell("--compat", "restoreconfig", str(file)).err == ""


def test_a_firewire_target_without_luns_is_not_enabled_and_a_dry_run_says_so(
    pyshell: Pyshell, tmp_path: Path
) -> None:
    pyshell.simulator.machine.edit(fabrics=["iscsi", "sbp"])
    pyshell.simulator.machine.add_port(SimulatedPort("sbp", "0011223344556677"))
    wanted = tmp_path / "wanted.json"
    tpg = {"tag": 1, "enable": True, "luns": []}
    target = {"fabric": "sbp", "wwn": "eui.0011223344556677", "tpgs": [tpg]}
    wanted.write_text(json.dumps({"storage_objects": [], "targets": [target]}))
    for command in ("--dry-run apply", "apply"):
        ran = pyshell(*command.split(), str(wanted))
        assert ran.status == 5
        assert "has no LUN" in ran.err
    assert pyshell("ls", "/sbp").done().lines[0].endswith("[Targets: 0]")


def test_one_configuration_of_a_handler_is_exported_once_even_if_its_file_is_missing(
    pyshell: Pyshell, tmp_path: Path
) -> None:
    pyshell.simulator.machine.edit(handlers={"file": "a path"})
    wanted = tmp_path / "wanted.json"
    entry = {"plugin": "user", "size": 1 << 20, "config": "file//srv/none"}
    entries = [{**entry, "name": name} for name in ("one", "two")]
    wanted.write_text(json.dumps({"storage_objects": entries, "targets": []}))
    for command in ("--dry-run apply", "apply"):
        ran = pyshell(*command.split(), str(wanted))
        assert ran.status != 0
        assert "file//srv/none is in use: storage object user/one" in ran.err
    ran = pyshell("restoreconfig", str(wanted))
    assert ran.status == 1
    assert "file//srv/none is in use" in ran.err


_BLOCK = {"plugin": "block", "name": "one", "dev": "/dev/sdb"}
_FILEIO = {"plugin": "fileio", "name": "disk", "dev": "/dev/sdd", "size": 4 << 30}


def _portal_with(key: str) -> dict[str, object]:
    portal = {"ip_address": "0.0.0.0", "port": 3260, key: True}
    return {"fabric": "iscsi", "wwn": SERVER, "tpgs": [{"tag": 1, "portals": [portal]}]}


@pytest.mark.parametrize(
    ("storage_objects", "targets", "told"),
    [
        (
            [{**_FILEIO, "attributes": {"optimal_sectors": 16385}}],
            [],
            "16385 is out of the range of optimal_sectors",
        ),
        (
            [{**_BLOCK, "name": "two", "dev": "/dev/nvme0n1", "exclusive": False}],
            [],
            "one storage object only",
        ),
        ([], [_portal_with("offload")], "this host has no Chelsio adapter"),
        (
            [],
            [{"fabric": "loopback", "wwn": "naa.5001405000000001", "tpgs": [{"tag": 32}]}],
            "32 is not a TPG tag. It is 0 to 31.",
        ),
        (
            [],
            [{"fabric": "srpt", "wwn": "ib.6e6bf27583d149488b300d662b43ae75", "tpgs": []}],
            "is not a port of this host",
        ),
        (
            [],
            [{"fabric": "srpt", "wwn": "ib.fe800000000000000002c903000f1366", "tpgs": []}],
            "",
        ),
    ],
)
def test_a_dry_run_refuses_what_the_kernel_would(
    pyshell: Pyshell,
    tmp_path: Path,
    storage_objects: list[object],
    targets: list[object],
    told: str,
) -> None:
    pyshell.simulator.machine.edit(fabrics=["iscsi", "loopback", "srpt"])
    pyshell.simulator.machine.add_port(SimulatedPort("srpt", "fe800000000000000002c903000f1366"))
    pyshell.must("/backstores/block create one /dev/sdb")
    wanted = tmp_path / "wanted.json"
    document = {"storage_objects": [_BLOCK, *storage_objects], "targets": targets}
    wanted.write_text(json.dumps(document))
    for command in ("--dry-run apply", "apply"):
        ran = pyshell(*command.split(), str(wanted))
        assert (ran.status == 0, told in ran.err) == (not told, True), ran.err


def test_a_dry_run_on_an_empty_target_refuses_to_share_a_device(
    pyshell: Pyshell, tmp_path: Path
) -> None:
    wanted = tmp_path / "wanted.json"
    block = {**_BLOCK, "dev": "/dev/nvme0n1", "exclusive": False}
    wanted.write_text(json.dumps({"storage_objects": [block], "targets": []}))
    for command in ("--dry-run apply", "apply"):
        ran = pyshell(*command.split(), str(wanted))
        assert ran.status == 2
        assert "This kernel opens a block device for one storage object only" in ran.err


def test_outer_blanks_of_a_value_are_no_change(pyshell: Pyshell, tmp_path: Path) -> None:
    wanted = tmp_path / "wanted.json"
    tpg = {"tag": 1, "parameters": {"TargetAlias": " the alias ", "IFMarkInt": "Reject "}}
    target = {"fabric": "iscsi", "wwn": SERVER, "tpgs": [tpg]}
    wanted.write_text(json.dumps({"storage_objects": [], "targets": [target]}))
    pyshell("apply", str(wanted)).done()
    assert "0 changed, 0 recreated, 0 deleted" in pyshell("apply", str(wanted)).done().out
    shown = pyshell.must(f"/iscsi/{SERVER}/tpg1 get parameter TargetAlias")
    assert shown == ["TargetAlias=the alias "]


def test_a_limit_that_the_kernel_rounds_to_pages_is_no_change(
    pyshell: Pyshell, tmp_path: Path
) -> None:
    wanted = tmp_path / "wanted.json"
    entry = {"plugin": "user", "name": "one", "size": 1 << 20, "config": "file//srv/one"}
    for limit, control, kept in ((127, "", 120), (127, "hw_block_size=4096", 127)):
        made = {**entry, "hw_max_sectors": limit, "control": control}
        wanted.write_text(json.dumps({"storage_objects": [made], "targets": []}))
        pyshell("apply", str(wanted)).done()
        assert "1 unchanged" in pyshell("apply", str(wanted)).done().out
        shown = pyshell.must("/backstores/user:file/one get attribute hw_max_sectors")
        assert [line.split() for line in shown] == [[f"hw_max_sectors={kept}", "[ro]"]]
