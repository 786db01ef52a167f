# SPDX-License-Identifier: Apache-2.0
"""Comparing configurations and bringing the running one to another."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell
from pyshell.simulator import Simulator
from pyshell.target import sessions
from pyshell.target.places import NodeAcl, Target, Tpg

ACL = f"{TPG}/acls/{CLIENT}"
EXAMPLE = Path(__file__).parents[2] / "saveconfig.example.json"
SECRET = "change-this-secret-1"


@pytest.fixture
def saved(pyshell: Pyshell) -> Pyshell:
    """Return a target that runs the example, which is also saved."""
    pyshell.must(f"restoreconfig {pyshell.example}", "saveconfig")
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
    assert ran.lines == [
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
    assert "There is no file" in ran.err


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


def test_applying_what_runs_changes_nothing_and_says_so(saved: Pyshell) -> None:
    before = saved.tree()
    assert saved("apply", str(EXAMPLE)).done().lines == [
        f"Applied {EXAMPLE}: 0 created, 0 changed, 0 made anew, 0 deleted, 14 unchanged."
    ]
    assert saved.tree() == before


def changed_example(tmp_path: Path) -> Path:
    document = json.loads(EXAMPLE.read_text())
    document["storage_objects"].append({"name": "new", "plugin": "ramdisk", "size": 1 << 20})
    document["targets"][0]["tpgs"][0]["attributes"]["login_timeout"] = 20
    document["targets"] = document["targets"][:1]
    file = tmp_path / "wanted.json"
    file.write_text(json.dumps(document))
    return file


def test_what_the_file_lacks_stays_unless_pruned(saved: Pyshell, tmp_path: Path) -> None:
    file = changed_example(tmp_path)
    lines = saved("apply", str(file)).done().lines
    assert lines[:2] == [
        "created /backstores/ramdisk/new",
        f"changed {TPG}: login_timeout: 15 -> 20",
    ]
    assert "3 not in the file and kept" in lines[-1]
    assert saved("/loopback/naa.5001405000000001").status == 0
    lines = saved("apply", str(file), "prune=true").done().lines
    assert "deleted /loopback/naa.5001405000000001" in lines
    assert saved("/loopback/naa.5001405000000001").status == 3
    assert saved("diff", "running", str(file)).status == 0


def test_a_dry_run_shows_the_same_and_changes_nothing(saved: Pyshell, tmp_path: Path) -> None:
    file = changed_example(tmp_path)
    before = saved.tree()
    dry = saved("--dry-run", "apply", str(file), "prune=true").done().lines
    assert saved.tree() == before
    assert [line.removesuffix(" (dry run)") for line in dry] == saved(
        "apply", str(file), "prune=true"
    ).done().lines


def test_one_target_is_applied_with_its_storage_objects(pyshell: Pyshell) -> None:
    pyshell.must(f"apply {EXAMPLE} target={SERVER}")
    assert pyshell(f"{TPG}/luns/lun1").status == 0
    assert pyshell("/backstores/ramdisk/local").status == 3
    assert pyshell("/loopback ls").done().out.count("naa.") == 0


def test_pruning_one_target_leaves_the_others_alone(saved: Pyshell, tmp_path: Path) -> None:
    document = json.loads(EXAMPLE.read_text())
    document["targets"][0]["tpgs"][0]["node_acls"] = []
    file = tmp_path / "wanted.json"
    file.write_text(json.dumps(document))
    saved.must(f"apply {file} target={SERVER} prune=true")
    assert saved(ACL).status == 3
    assert saved("/loopback/naa.5001405000000001/luns/lun0").status == 0
    assert saved("/backstores/ramdisk/local").status == 0


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
    file = tmp_path / "wanted.json"
    file.write_text(json.dumps(document))
    ran = saved("apply", str(file))
    assert (ran.out, ran.status) == ("", 1)
    assert ran.err.startswith(f"{TPG}/luns/lun0: there is no /backstores/block/none.")
    assert saved("diff").status == 0


def test_a_disk_on_another_device_is_made_anew_with_what_is_made_of_it(
    saved: Pyshell, tmp_path: Path
) -> None:
    document = json.loads(EXAMPLE.read_text())
    document["storage_objects"][0]["dev"] = "/dev/sdb"
    file = tmp_path / "wanted.json"
    file.write_text(json.dumps(document))
    lines = saved("apply", str(file)).done().lines
    assert lines[:-1] == [
        "made anew /backstores/block/lee_block",
        f"made anew {TPG}/luns/lun0",
        f"made anew {ACL}/mapped_lun0",
    ]
    assert "/dev/sdb" in saved(f"{TPG}/luns/lun0", "status").out


def test_what_the_kernel_fixes_while_exported_lifts_the_luns_for_a_moment(
    saved: Pyshell, tmp_path: Path
) -> None:
    document = json.loads(EXAMPLE.read_text())
    document["storage_objects"][2]["attributes"] = {"block_size": 4096}
    file = tmp_path / "wanted.json"
    file.write_text(json.dumps(document))
    lines = saved("apply", str(file)).done().lines
    assert lines[:-1] == [
        "changed /backstores/ramdisk/scratch: block_size: 512 -> 4096",
        f"made anew {TPG}/luns/lun1",
        f"made anew {ACL}/mapped_lun1",
    ]


# Whom it cuts off


@pytest.fixture
def logged_in(saved: Pyshell, monkeypatch: pytest.MonkeyPatch) -> Pyshell:
    """Return the example with its client logged in."""
    tpg = Tpg(Target("iscsi", SERVER), 1)
    session = sessions.Session(tpg, CLIENT, NodeAcl(tpg, CLIENT))
    monkeypatch.setattr("pyshell.target.impact.sessions", lambda lio: iter([session]))
    return saved


CUTTING = [
    f"/iscsi delete {SERVER}",
    f"/iscsi/{SERVER} delete 1",
    f"{TPG} disable",
    f"{TPG}/acls delete {CLIENT}",
    f"{TPG}/luns delete 0",
    f"{TPG}/portals delete 192.168.56.101 3260",
    f"{ACL} delete 0",
    "/backstores/block delete lee_block",
]


@pytest.mark.parametrize("line", CUTTING)
def test_field_failure_45_at_a_terminal_a_cut_is_asked_about(logged_in: Pyshell, line: str) -> None:
    before = logged_in.tree()
    ran = logged_in(*line.split(), stdin="n\n", keyboard=True)
    assert f"This cuts off {CLIENT}. Go on? [y/N]" in ran.err
    assert ran.status == 1
    assert logged_in.tree() == before
    assert logged_in(*line.split(), stdin="y\n", keyboard=True).status == 0
    assert logged_in.tree() != before


@pytest.mark.parametrize("line", CUTTING)
def test_nothing_is_asked_in_a_script_or_after_yes(logged_in: Pyshell, line: str) -> None:
    assert "cuts off" not in logged_in(*line.split()).err


def test_the_option_yes_answers(logged_in: Pyshell) -> None:
    ran = logged_in("--yes", *CUTTING[0].split(), keyboard=True)
    assert ("cuts off" in ran.err, ran.status) == (False, 0)


@pytest.mark.parametrize(
    "line", [f"{TPG} set attribute login_timeout=20", "/backstores/ramdisk create x 1M",
             f"{TPG}/acls create iqn.2020-07.com.example:new"]
)  # fmt: skip
def test_what_cuts_nobody_is_not_asked_about(logged_in: Pyshell, line: str) -> None:
    ran = logged_in(*line.split(), keyboard=True)
    assert ("cuts off" in ran.err, ran.status) == (False, 0)


def test_a_dry_run_of_apply_names_whom_it_cuts(logged_in: Pyshell, tmp_path: Path) -> None:
    document = json.loads(EXAMPLE.read_text())
    document["targets"][0]["tpgs"][0]["node_acls"] = []
    file = tmp_path / "wanted.json"
    file.write_text(json.dumps(document))
    lines: Sequence[str] = logged_in("--dry-run", "apply", str(file), "prune=true").done().lines
    assert f"It cuts the sessions or disks of: {CLIENT} (dry run)" in lines
