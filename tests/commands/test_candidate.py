# SPDX-License-Identifier: Apache-2.0
"""`begin`, `commit` and `abort`: changes are prepared in a copy, and made all at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell, Ran, clean_environment

OTHER = "iqn.2020-07.192.168.56.106:other"
LUNS = f"{TPG}/luns"
ACL = f"{TPG}/acls/{CLIENT}"


@pytest.fixture
def target(pyshell: Pyshell) -> Pyshell:
    """Return a target with a disk, a LUN and an ACL."""
    pyshell.prepare(
        "set global auto_save_on_exit=false",
        "/backstores/ramdisk create name=one size=4M",
        f"/iscsi create wwn={SERVER}",
        f"{LUNS} create /backstores/ramdisk/one",
        f"{TPG}/acls create {CLIENT}",
    )
    return pyshell


def trace(pyshell: Pyshell) -> dict[str, str]:
    """Return all files of the target but those that every run may touch."""
    files = pyshell.files()
    return {
        name: text
        for name, text in files.items()
        if name not in ("lock", "run", "run/candidates") and not name.startswith("home")
    }


def without_folders(pyshell: Pyshell) -> None:
    assert list((pyshell.folder / "run" / "candidates").iterdir()) == []


PREPARE = (
    "begin",
    "/backstores/ramdisk create name=two size=8M wwn=0123456789",
    f"{LUNS} create /backstores/ramdisk/two",
    f"{TPG}/acls create {OTHER}",
    f"{TPG} set attribute login_timeout=20",
)


def test_commands_change_a_copy_until_commit(target: Pyshell) -> None:
    before = target.tree()
    ran = target.batch([*PREPARE, f"ls {LUNS}", "abort", f"ls {LUNS}"]).done()
    inside, after = ran.out.split("Dropped the candidate with 7 changes.")
    assert "lun1" in inside
    assert "lun1" not in after
    assert target.tree() == before


def test_commit_makes_all_changes_at_once(target: Pyshell) -> None:
    ran = target.batch([*PREPARE, "commit"]).done()
    assert ran.lines[-1] == (
        "Committed the candidate: 6 created, 1 changed, 0 recreated, 0 deleted, 6 unchanged."
    )
    assert target.read(f"iscsi/{SERVER}/tpgt_1/attrib/login_timeout") == "20\n"
    assert target("-o", "json", f"{LUNS} ls").done()
    without_folders(target)
    before = target.tree()
    assert target.must("undo")[-1].startswith("Undid 'commit'")
    assert "lun1" not in target("ls").out
    assert target.tree() != before


def test_abort_leaves_no_trace(target: Pyshell) -> None:
    before = trace(target)
    target.batch(
        [
            *PREPARE,
            "/backstores/fileio create name=image file_or_dev=/srv/new/image.img size=1M",
            "/backstores/fileio/image resize size=2M",
            f"{LUNS} create /backstores/fileio/image",
            "rollback saved | count" if target.saved_file.exists() else "ls",
            "clearconfig confirm=true",
            "undo",
            "abort",
        ]
    ).done()
    assert trace(target) == before


def test_an_image_file_is_created_at_commit(target: Pyshell) -> None:
    image = target.folder / "files" / "srv" / "image.img"
    target.batch(
        [
            "begin",
            "/backstores/fileio create name=image file_or_dev=/srv/image.img size=1M",
            "/backstores/fileio/image resize size=2M",
            f"{LUNS} create /backstores/fileio/image",
            "abort",
        ]
    ).done()
    assert not image.exists()
    target.batch(
        [
            "begin",
            "/backstores/fileio create name=image file_or_dev=/srv/image.img size=1M",
            "/backstores/fileio/image resize size=2M",
            "commit",
        ]
    ).done()
    assert image.stat().st_size == 2 << 20


def test_an_existing_image_file_is_resized_at_commit_only(target: Pyshell) -> None:
    target.must("/backstores/fileio create name=image file_or_dev=/srv/image.img size=1M")
    image = target.folder / "files" / "srv" / "image.img"
    image.write_bytes(b"content".ljust(1 << 20, b"\0"))
    lines = ["begin", "/backstores/fileio/image resize size=2M"]
    target.batch([*lines, "abort"]).done()
    assert image.stat().st_size == 1 << 20
    target.batch([*lines, "commit"]).done()
    assert image.stat().st_size == 2 << 20
    assert image.read_bytes()[:7] == b"content"


def test_devices_of_running_objects_are_free_for_their_copies_only(target: Pyshell) -> None:
    device = "/dev/mapper/lee-lee.lv"
    target.must(f"/backstores/block create name=disk dev={device}")
    ran = target.batch(["begin", f"/backstores/block create name=again dev={device}"])
    assert f"{device} is in use: storage object block/disk" in ran.err
    ran = target.batch(
        [
            "begin",
            "/backstores/block delete disk",
            f"/backstores/block create name=again dev={device}",
            "commit",
        ]
    ).done()
    assert "created /backstores/block/again [online]" in ran.lines
    ran = target.batch(["begin", "/backstores/block create name=root dev=/dev/sda1"])
    assert "mounted on /" in ran.err


def test_a_gone_device_does_not_prevent_a_candidate(target: Pyshell) -> None:
    device = "/dev/mapper/lee-lee.lv"
    target.must(f"/backstores/block create name=disk dev={device}")
    target.simulator.machine.remove(device)
    before = target.tree()
    ran = target.batch([*PREPARE, "diff", "commit"])
    assert "  block" not in ran.lines
    assert ran.lines[-1].startswith("Committed the candidate: 6 created")
    assert (
        target.tree().items()
        >= {name: text for name, text in before.items() if name.startswith("core/iblock")}.items()
    )


# Changes of others meanwhile


def between(target: Pyshell, before: list[str], others: list[str], after: list[str]) -> Ran:
    """Run a batch, and one-liners of another program in between."""

    def lines() -> Iterator[str]:
        yield from before
        target.must(*others)
        yield from after

    return target.batch(lines())


def test_commit_stops_if_others_changed_the_configuration(target: Pyshell) -> None:
    others = ["/backstores/ramdisk create name=theirs size=1M", f"{TPG} set attribute t10_pi=1"]
    ran = between(target, [*PREPARE], others, ["commit", "abort"])
    assert ran.status == 5
    lines = ran.err.splitlines()
    assert any("The running configuration has changed since 'begin':" in line for line in lines)
    assert "+ /backstores/ramdisk/theirs" in ran.err
    assert "t10_pi: 0 -> 1" in ran.err
    assert "two" not in target("ls /backstores").out


def test_diff_shows_what_commit_changes_and_notes_changes_of_others(target: Pyshell) -> None:
    others = ["/backstores/ramdisk create name=theirs size=1M", f"{TPG} set attribute t10_pi=1"]
    after = ["diff", "diff form=commands", "diff second=running", "diff running candidate", "abort"]
    ran = between(target, [*PREPARE, "pwd"], others, after)
    _, _, shown = ran.out.partition("--- running at 'begin'\n+++ candidate\n")
    own, _, moved = shown.partition("--- running at 'begin'\n+++ running\n")
    moved, _, now = moved.partition("--- running\n+++ candidate\n")
    assert "two" in own
    assert "theirs" not in own
    assert "t10_pi" not in own
    assert "theirs" in moved
    assert "two" not in moved
    assert "theirs" in now
    assert "two" in now
    note = "The running configuration has changed since 'begin': 'diff second=running' shows how."
    assert ran.err.splitlines().count(note) == 2


def test_diff_in_a_candidate_without_changes_is_empty(target: Pyshell) -> None:
    ran = target.batch(["begin", "diff", "abort"]).done()
    assert len(ran.lines) == 2
    assert ran.err == ""


def test_a_forced_commit_keeps_what_others_changed(target: Pyshell) -> None:
    others = [
        "/backstores/ramdisk create name=theirs size=1M",
        f"{TPG} set attribute t10_pi=1",
        f"{TPG} set attribute login_timeout=25",
    ]
    between(target, [*PREPARE], others, ["commit force=true"]).done()
    ramdisks = target("ls /backstores/ramdisk depth=1").out
    assert "theirs" in ramdisks
    assert "two" in ramdisks
    assert target.read(f"iscsi/{SERVER}/tpgt_1/attrib/t10_pi") == "1\n"
    assert target.read(f"iscsi/{SERVER}/tpgt_1/attrib/login_timeout") == "20\n"


def test_a_forced_commit_restores_what_its_changes_need(target: Pyshell) -> None:
    others = [f"/iscsi delete {SERVER}"]
    between(target, [*PREPARE], others, ["commit force=true"]).done()
    assert f"{TPG}/luns/lun1" in str(target("-o", "json", "ls").json)


def test_a_forced_commit_deletes_what_others_added_to_a_deleted_object(target: Pyshell) -> None:
    other = "/loopback/naa.5001405000000001"
    others = [
        "/loopback create wwn=naa.5001405000000001",
        f"{other}/luns create /backstores/ramdisk/one lun=5",
    ]
    ran = between(
        target, ["begin", "/backstores/ramdisk delete one"], others, ["commit force=true"]
    )
    assert ran.status == 0
    assert f"deleted {other}/luns/lun5 [online]" in ran.lines
    assert "lun5" not in target("ls").out


def test_a_commit_that_fails_leaves_the_candidate_open(target: Pyshell) -> None:
    others = ["/backstores/ramdisk create name=two size=1M"]
    ran = between(target, [*PREPARE], others, ["commit"])
    assert ran.status == 5
    assert "The candidate was not committed: 7 changes dropped." in ran.err


# The life of a candidate


def test_a_candidate_needs_more_lines(target: Pyshell) -> None:
    ran = target("begin")
    assert ran.status == 2
    assert ran.err.startswith("A candidate ends with its command line: begin needs more lines.")
    assert target("commit").err.startswith("No candidate is open. Run 'begin' first")
    assert target("abort").status == 5
    ran = target.batch(["begin"], "--compat")
    assert "There is no candidate in targetcli-compatible mode" in ran.out + ran.err


def test_a_batch_without_commit_changes_nothing(target: Pyshell) -> None:
    before = target.tree()
    ran = target.batch([*PREPARE])
    assert ran.status == 1
    assert ran.err.splitlines()[-1] == "The candidate was not committed: 7 changes dropped."
    ran = target.batch([*PREPARE, "nonsense", "commit"])
    assert ran.status == 2
    assert "The candidate was not committed: 7 changes dropped." in ran.err
    assert target.batch(["begin", "ls"]).done()
    assert target.tree() == before
    without_folders(target)


def test_a_dry_run_of_commit_shows_the_changes(target: Pyshell) -> None:
    before = target.tree()
    ran = target.batch([*PREPARE, "commit --dry-run", "abort"]).done()
    assert f"Would create {LUNS}/lun1 [online] (dry run)" in ran.lines
    assert ran.lines[-1] == "Dropped the candidate with 7 changes."
    assert target.tree() == before


def test_commit_says_that_a_session_reads_zeros(target: Pyshell) -> None:
    target.must(f"login {CLIENT}")
    ran = target.batch(["begin", f"{LUNS} delete 0", "commit --dry-run", "commit"]).done()
    for told in ("Would take LUN 0 from", "Took LUN 0 from"):
        assert [line for line in ran.lines if line.startswith(told) and "zeros" in line], ran.out


def test_nothing_to_commit(target: Pyshell) -> None:
    ran = target.batch(["begin", "commit", "begin", "commit"]).done()
    told = "Nothing to commit: the candidate has no changes. It is closed."
    assert ran.lines[1::2] == [told, told]
    assert "'commit'" not in target("undo --dry-run").out


def test_undo_in_a_candidate_undoes_its_last_command(target: Pyshell) -> None:
    before = target.tree()
    ran = target.batch([*PREPARE, "undo", "undo", "diff | count", "abort"])
    assert "Undid" in ran.out
    assert ran.lines[-1] == "Dropped the candidate with 3 changes."
    assert target.tree() == before


@pytest.mark.parametrize("line", ["begin", "saveconfig", "restoreconfig", "takeover"])
def test_some_commands_need_the_candidate_closed(target: Pyshell, line: str) -> None:
    ran = target.batch(["begin", line])
    assert ran.status == 5
    assert "Run 'commit' or 'abort' first." in ran.err


def test_commands_about_sessions_show_the_running_target(target: Pyshell) -> None:
    target.must(f"login {CLIENT}")
    ran = target.batch(["begin", f"{TPG}/acls delete {CLIENT}", "sessions", "abort"]).done()
    assert CLIENT in ran.out.partition("Deleted")[2]
    ran = target.batch(["begin", f"{TPG}/acls delete {CLIENT}", "commit"]).done()
    assert f"deleted {ACL} [disrupting {CLIENT}]" in ran.lines


def test_a_killed_run_leaves_a_folder_that_the_next_one_removes(target: Pyshell) -> None:
    command = [sys.executable, "-m", "pyshell", f"--simulate={target.folder}"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=clean_environment()
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdin.write(b"begin\n")
        running.stdin.flush()
        assert running.stdout.readline().startswith(b"Opened a candidate")
        folder = target.folder / "run" / "candidates"
        (left,) = folder.iterdir()
        assert left.stat().st_mode & 0o777 == 0o700
        target.batch(["begin", "abort"]).done()
        assert list(folder.iterdir()) == [left]  # it is in use
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
    target.batch(["begin", "abort"]).done()
    without_folders(target)


def test_secrets_are_committed_and_not_shown(target: Pyshell) -> None:
    secret = "secret123456"
    lines = ["begin", f"{ACL} set auth userid=user password={secret}", "diff", "commit"]
    ran = target.batch(lines)
    assert "password: none -> " in ran.out
    assert secret not in ran.out.partition("+++")[2]
    assert target.read(f"iscsi/{SERVER}/tpgt_1/acls/{CLIENT}/auth/password") == f"{secret}\n"


def test_attributes_that_only_the_running_kernel_has_can_be_set(target: Pyshell) -> None:
    (attributes,) = target.configfs.glob("core/rd_mcp_*/one/attrib")
    (attributes / "emulate_rsoc_new").write_text("1\n", encoding="ascii")
    ran = target.batch(
        ["begin", "/backstores/ramdisk/one set attribute emulate_rsoc_new=0", "commit --dry-run"]
    )
    assert "emulate_rsoc_new: 1 -> 0" in ran.out, ran.err


def test_attributes_that_the_running_kernel_lacks_cannot_be_set(target: Pyshell) -> None:
    for attribute in target.configfs.glob("core/rd_mcp_*/one/attrib/emulate_caw"):
        attribute.unlink()
    for disk in ("one", "new"):
        ran = target.batch(
            [
                "begin",
                "/backstores/ramdisk create name=new size=1M",
                f"/backstores/ramdisk/{disk} set attribute emulate_caw=0",
            ]
        )
        assert ran.status != 0
        assert "emulate_caw" in ran.err


def test_a_folder_without_room_is_reported(
    target: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = os.statvfs(target.folder)
    values = list(room)
    values[7] = 100  # f_favail
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(values))
    ran = target.batch(["begin"])
    assert ran.status == 1
    assert "A candidate needs about" in ran.err
    assert "has room for 100." in ran.err
    without_folders(target)
