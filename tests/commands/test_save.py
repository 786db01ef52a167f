# SPDX-License-Identifier: Apache-2.0
"""Saving at the command line, and looking at what was saved."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell
from pyshell.shell import lock

ACL = f"{TPG}/acls/{CLIENT}"
DISK = "/backstores/ramdisk create"


def test_a_revision_tells_time_user_way_objects_and_comment(
    exported: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "lee")
    exported.must("saveconfig comment='before the move'", f"{DISK} disk1 1M", "saveconfig")
    heading, saved, first, backup = exported.must("revisions")
    assert heading.split() == ["revision", "saved", "at", "by", "way", "objects", "comment"]
    assert saved.split()[0] == "saved"
    assert "2 storage objects, 1 target, 1 LUN, 1 ACL" in saved
    assert first.split()[0] == "1"
    assert first.split()[4:6] == ["lee", "one-liner"]
    assert "1 storage object, 1 target, 1 LUN, 1 ACL " in first
    assert first.endswith("  before the move")
    assert backup.startswith("saveconfig-")
    assert backup.endswith("  same as revision 1")


def test_revisions_as_json_are_one_document(exported: Pyshell) -> None:
    exported.must("saveconfig comment=why", f"{DISK} disk1 1M", "saveconfig")
    saved, first, backup = exported("-o", "json", "revisions").done().json["result"]
    assert (saved["revision"], first["revision"]) == ("saved", "1")
    assert first["comment"] == "why"
    assert first["counts"] == {"storage_objects": 1, "targets": 1, "luns": 1, "acls": 1}
    assert backup["file"].startswith(str(exported.config_dir / "backup"))


def test_where_nothing_is_saved_there_are_no_revisions(pyshell: Pyshell) -> None:
    assert pyshell.must("revisions") == ["(nothing saved)"]
    assert pyshell("-o", "json", "revisions").done().json["result"] == []


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_revision_is_shown_without_its_secrets(exported: Pyshell, form: str) -> None:
    exported.prepare(f"{ACL} set auth userid=me password=verysecret", "saveconfig")
    exported.must(f"{TPG} disable", "saveconfig")
    for word in ("1", "saved", exported.must("revisions")[-1].split()[0]):
        shown = exported("-o", form, "revisions", "show", word).done().out
        assert "lee_block" in shown
        assert "********" in shown
        assert "verysecret" not in shown


def test_a_comment_cannot_break_the_list(exported: Pyshell) -> None:
    exported("saveconfig", "comment=two\nlines \x1b[31m").done()
    assert len(exported.must("revisions")) == 2
    assert "\x1b" not in exported.line("revisions show saved").done().out


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("revisions show", 2),
        ("revisions show 7", 3),
        ("revisions list 7", 2),
        ("revisions drop 7", 2),
        ("saveconfig /tmp/x.json comment=why", 2),
        ("saveconfig /tmp/x.json without=/iscsi", 2),
        ("saveconfig without=/backstores/block/none", 3),
    ],
)
def test_what_makes_no_sense_is_refused(exported: Pyshell, line: str, status: int) -> None:
    ran = exported.line(line)
    assert (ran.out, ran.status) == ("", status)
    assert ran.err.count("\n") <= 3  # a caret may point at the word
    assert not exported.saved_file.exists()


def test_a_batch_and_its_end_are_remembered_as_such(pyshell: Pyshell) -> None:
    pyshell.batch([f"{DISK} disk1 1M"]).done()
    assert pyshell.must("revisions")[1].split()[5] == "batch"


def test_preferences_bound_the_revisions(pyshell: Pyshell) -> None:
    pyshell.must("set global max_revisions=2")
    for number in range(5):
        pyshell.must(f"{DISK} disk{number} 1M", "saveconfig")
    words = [line.split()[0] for line in pyshell.must("revisions")]
    assert [word for word in words if word.isdigit()] == ["4", "3"]


def test_a_dry_run_of_a_save_judges_it_and_keeps_nothing(exported: Pyshell) -> None:
    exported.must("saveconfig")
    exported.saved_file.write_text("{}")
    before = exported.files()
    assert exported.line("saveconfig", "--dry-run").status == 5
    assert exported.line("saveconfig force=true", "--dry-run").status == 0
    assert exported.files() == before


def test_another_file_is_written_without_revisions(exported: Pyshell, tmp_path: Path) -> None:
    elsewhere = tmp_path / "x.json"
    exported.must(f"saveconfig {elsewhere}", f"{TPG} disable", f"saveconfig {elsewhere}")
    assert json.loads(elsewhere.read_text())["targets"]
    assert not (exported.config_dir / "revisions").exists()


@pytest.mark.parametrize(("mode", "mend"), [(0o666, "chmod go-w"), (0o602, "chmod go-w")])
def test_a_file_that_others_may_write_is_not_restored(
    exported: Pyshell, mode: int, mend: str
) -> None:
    exported.prepare("saveconfig", "clearconfig confirm=true")
    exported.saved_file.chmod(mode)
    before = exported.tree()
    ran = exported.line("restoreconfig")
    assert (ran.out, ran.status) == ("", 4)
    assert f"{mend} {exported.saved_file}" in ran.err
    assert exported.tree() == before
    exported.saved_file.chmod(0o600)
    exported.must("restoreconfig")


def test_secrets_that_others_may_read_are_warned_of(exported: Pyshell) -> None:
    exported.must(f"{ACL} set auth userid=me password=verysecret", "saveconfig")
    exported.must("clearconfig confirm=true")
    exported.saved_file.chmod(0o644)
    warning = f"{exported.saved_file} contains secrets that other users can read"
    exported.line("restoreconfig").done(noting=warning)


# One target


def test_field_failure_5_one_target_is_saved_and_restored_with_its_storage(
    exported: Pyshell, tmp_path: Path
) -> None:
    other = "iqn.2020-07.com.example:other"
    exported.must(
        "/backstores/ramdisk create spare 1M",
        f"/iscsi create {other}",
        f"/iscsi/{other}/tpg1/luns create /backstores/ramdisk/spare",
    )
    file = tmp_path / "one.json"
    exported.must(f"saveconfig {file} target={SERVER}")
    document = json.loads(file.read_text())
    assert [entry["name"] for entry in document["storage_objects"]] == ["lee_block"]
    assert [entry["wwn"] for entry in document["targets"]] == [SERVER]
    exported.must("clearconfig confirm=true", f"restoreconfig {file} target={SERVER}")
    assert exported(f"{TPG}/luns/lun0").status == 0
    assert exported("diff", "running", str(file)).done().out == ""


def test_field_failure_5_of_a_whole_file_one_target_takes_its_storage_along(
    exported: Pyshell, tmp_path: Path
) -> None:
    file = tmp_path / "whole.json"
    exported.must(f"saveconfig {file}", "clearconfig confirm=true")
    exported.must(f"restoreconfig {file} target={SERVER}")
    assert exported(f"{TPG}/luns/lun0").status == 0


def test_a_target_that_does_not_run_cannot_be_saved(exported: Pyshell, tmp_path: Path) -> None:
    ran = exported("saveconfig", str(tmp_path / "one.json"), "target=iqn.2020-07.com.example:none")
    assert (ran.err.splitlines(), ran.status) == (
        ["No such target: iqn.2020-07.com.example:none. Run 'ls' to list targets."],
        3,
    )
    assert list(tmp_path.iterdir()) == []


def test_what_is_restored_at_boot_is_never_cut_to_one_target(exported: Pyshell) -> None:
    exported.must("saveconfig")
    before = exported.saved_file.read_bytes()
    for words in (["saveconfig"], ["saveconfig", str(exported.saved_file)]):
        ran = exported(*words, f"target={SERVER}")
        assert ran.status == 2
        assert "would hold one target alone" in ran.err
    assert exported.saved_file.read_bytes() == before


# What a save is written to (findings 46 and 61)


def test_a_dash_prints_the_configuration(exported: Pyshell) -> None:
    exported.must(f"{ACL} set auth userid=me password=verysecret", "saveconfig")
    ran = exported("saveconfig", "-").done()
    assert json.loads(ran.out) == exported.document()
    assert not Path("-").exists()


def test_a_terminal_is_shown_no_secrets(exported: Pyshell) -> None:
    exported.must(f"{ACL} set auth userid=me password=verysecret")
    ran = exported("saveconfig", "-", terminal=True)
    assert "verysecret" not in ran.out
    assert "masked" in ran.err


@pytest.mark.parametrize("line", ["saveconfig", "/backstores/block/lee_block saveconfig"])
@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_what_is_no_regular_file_stays_as_it_is(
    exported: Pyshell, tmp_path: Path, line: str, options: tuple[str, ...]
) -> None:
    special = [tmp_path / "pipe"]
    os.mkfifo(special[0])
    if os.geteuid() == 0:
        special.append(tmp_path / "null")
        os.mknod(special[1], stat.S_IFCHR | 0o666, os.makedev(1, 3))
    for path in special:
        ran = exported(*options, *line.split(), str(path))
        assert ran.status == 5
        assert "not a regular file" in ran.err
        assert not path.is_file()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_another_users_file_is_not_taken_over_by_a_partial_save(
    exported: Pyshell, tmp_path: Path
) -> None:
    file = tmp_path / "disks.json"
    exported.must(f"saveconfig {file}")
    os.chown(file, 65534, 65534)
    before = file.read_text()
    ran = exported.line(f"/backstores/block/lee_block saveconfig {file}")
    assert ran.status == 4
    assert "it belongs to nobody" in ran.err
    assert file.read_text() == before


# A damaged boot file


@pytest.fixture
def damaged(exported: Pyshell) -> Pyshell:
    """Return a target whose boot file was cut off, with one good revision."""
    exported.prepare("saveconfig", f"{DISK} disk1 1M", "saveconfig")
    text = exported.saved_file.read_text()
    exported.saved_file.write_text(text[: len(text) // 2])
    return exported


def test_a_save_does_not_overwrite_a_damaged_file_and_names_what_helps(damaged: Pyshell) -> None:
    before = damaged.saved_file.read_bytes()
    ran = damaged("saveconfig")
    assert (ran.status, ran.out) == (5, "")
    assert ran.err.startswith(f"Not saved: {damaged.saved_file} is not JSON: line ")
    assert "'rollback 1' returns to the last good revision." in ran.err
    assert "saveconfig force=true replaces the file" in ran.err
    assert damaged.saved_file.read_bytes() == before


def test_a_damaged_file_that_is_replaced_is_kept_and_listed_as_damaged(damaged: Pyshell) -> None:
    before = damaged.saved_file.read_text()
    assert "damaged" in damaged.must("revisions")[1]
    damaged("saveconfig", "force=true").done(noting=f"{damaged.saved_file} has been changed")
    newest = damaged.must("revisions")[2]
    assert newest.split()[0] == "2"
    assert "damaged" in newest
    kept = json.loads((damaged.config_dir / "revisions" / "2.json").read_text())
    assert kept["pyshell_revision"]["text"] == before


def test_the_state_is_shown_if_the_saved_file_is_damaged(damaged: Pyshell) -> None:
    ran = damaged("status")
    assert ran.status == 1
    assert ran.out.startswith("Status for /:")
    assert "'doctor' shows what to do." in ran.out
    assert f"{damaged.saved_file} is not JSON" in ran.err
    shown = damaged("-o", "json", "status")
    assert json.loads(shown.out)["result"]["healthy"] is False


@pytest.mark.parametrize("line", ["status", "diff", "check", "revisions show saved"])
def test_reading_a_damaged_file_does_not_say_that_nothing_was_changed(
    damaged: Pyshell, line: str
) -> None:
    ran = damaged.line(line)
    assert ran.status
    assert ran.err
    assert "Nothing was changed" not in ran.err
    assert "$:" not in ran.out


# Files that cannot be opened


@pytest.mark.parametrize("line", ["saveconfig", "restoreconfig", "apply", "check", "diff", "-f"])
def test_the_error_of_a_folder_says_what_to_give(
    pyshell: Pyshell, tmp_path: Path, line: str
) -> None:
    ran = pyshell(line, str(tmp_path))
    assert ran.err.endswith(": Is a directory (EISDIR). It is a folder: give the name of a file.\n")


@pytest.mark.parametrize(
    ("line", "hint"),
    [("saveconfig", "No such folder: /nodir. Create it first.")]
    + [(line, "No such folder: /nodir.") for line in ("restoreconfig", "check", "-f")],
)
def test_the_error_of_a_missing_folder_names_it(pyshell: Pyshell, line: str, hint: str) -> None:
    assert pyshell(line, "/nodir/x").err.endswith(f". {hint}\n")


def test_targetcli_mode_prints_no_such_hint(pyshell: Pyshell, tmp_path: Path) -> None:
    ran = pyshell("--compat", "saveconfig", str(tmp_path))
    assert ran.err == f"Cannot write {tmp_path}: Is a directory (EISDIR).\n"


def test_printing_takes_no_lock(exported: Pyshell) -> None:
    with lock.locked(exported.open().lock_file):
        ran = exported("--lock-timeout", "0", "saveconfig", "-").done()
        assert "lee_block" in ran.out
        assert exported("--lock-timeout", "0", "saveconfig").status != 0
