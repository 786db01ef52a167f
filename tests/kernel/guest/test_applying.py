# SPDX-License-Identifier: Apache-2.0
"""Applying a configuration while an initiator writes: what is the same is not disturbed."""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
from pathlib import Path
from typing import Any

from pyshell import cli

from ..commands import run, wait_for
from ..initiator import Initiator
from .export import ADDRESS, SERVER, export_lee
from .shell import batch, killed_after, pyshell

OTHER = "iqn.2020-07.192.168.56.101:other"
THIRD = "iqn.2020-07.192.168.56.101:third"
SAVED = Path("/etc/target/saveconfig.json")
BLOCK = 1 << 16
BLOCKS = 64
PAUSE = 0.05  # an emulated processor has others to serve, too


class Writer(threading.Thread):
    """Writes a disk from its start, block by block and past the cache, until it is stopped."""

    def __init__(self, disk: Path) -> None:
        super().__init__(daemon=True)
        self.disk = disk
        self.written = 0
        self.error: OSError | None = None
        self._block = os.urandom(BLOCK)
        self._stop_it = threading.Event()

    def run(self) -> None:
        descriptor = os.open(self.disk, os.O_WRONLY | os.O_SYNC)
        try:
            while not self._stop_it.is_set():
                os.pwrite(descriptor, self._block, self.written % BLOCKS * BLOCK)
                self.written += 1
                time.sleep(PAUSE)
        except OSError as error:
            self.error = error
        finally:
            os.close(descriptor)

    def stop(self) -> None:
        self._stop_it.set()
        self.join(60)

    def is_read_back(self) -> bool:
        """Tell whether the disk holds, behind the caches, what was written."""
        Path("/proc/sys/vm/drop_caches").write_text("3\n")
        with self.disk.open("rb") as disk:
            return all(disk.read(BLOCK) == self._block for _ in range(min(self.written, BLOCKS)))


def three_targets(volume: Path) -> None:
    """Export the volume, and make two targets more."""
    export_lee(volume)
    batch(
        f"/iscsi create {OTHER}",
        f"/iscsi create {THIRD}",
        "saveconfig",
    )


def change(document: Any) -> None:
    """Add a LUN to the first target, change an attribute of the second, remove the third."""
    document["storage_objects"].append({"name": "more", "plugin": "ramdisk", "size": 1 << 20})
    targets = {target["wwn"]: target for target in document["targets"]}
    lun = {"index": 1, "storage_object": "/backstores/ramdisk/more"}
    targets[SERVER]["tpgs"][0]["luns"].append(lun)
    targets[OTHER]["tpgs"][0]["attributes"]["login_timeout"] = 20
    document["targets"] = [targets[SERVER], targets[OTHER]]


def test_applying_and_going_back_cuts_no_session_and_loses_no_write(
    lee: Path, initiator: Initiator, tmp_path: Path
) -> None:
    three_targets(lee)
    before = tmp_path / "before.json"
    before.write_bytes(SAVED.read_bytes())
    document = json.loads(before.read_text())
    change(document)
    after = tmp_path / "after.json"
    after.write_text(json.dumps(document))
    initiator.start()
    initiator.discover(ADDRESS)
    initiator.login(SERVER)
    (session,) = run("iscsiadm", "-m", "session").stdout.splitlines()
    writer = Writer(initiator.disk(SERVER))
    writer.start()
    done = pyshell("apply", str(after), "prune=true").stdout.splitlines()
    amid = writer.written
    assert done[-1].startswith(f"Applied {after}: 2 created, 1 changed, 0 recreated, 2 deleted")
    pyshell("saveconfig")
    assert "1 changed, 0 recreated" in pyshell("rollback", "2").stdout
    pyshell("apply", str(after), "prune=true")
    writer.stop()
    assert writer.error is None
    assert 0 < amid < writer.written
    assert run("iscsiadm", "-m", "session").stdout.splitlines() == [session]
    assert "I/O error" not in run("dmesg").stdout
    assert writer.is_read_back()
    assert "0 created, 0 changed" in pyshell("apply", str(after), "prune=true").stdout


def test_a_committed_candidate_cuts_no_session_and_loses_no_write(
    lee: Path, initiator: Initiator
) -> None:
    three_targets(lee)
    renamed = f"{initiator.name}:renamed"
    tpg, other = f"/iscsi/{SERVER}/tpg1", f"/iscsi/{OTHER}/tpg1"
    batch(
        f"{other}/acls create {initiator.name}", f"{other}/luns create /backstores/block/lee_block"
    )
    initiator.start()
    initiator.discover(ADDRESS)
    initiator.login(SERVER)
    (session,) = run("iscsiadm", "-m", "session").stdout.splitlines()
    before = kernel_files()
    writer = Writer(initiator.disk(SERVER))
    writer.start()
    lines = (
        "begin",
        "/backstores/ramdisk create name=more size=1M",
        f"{tpg}/luns create /backstores/ramdisk/more",
        f"{other}/acls/{initiator.name} rename {renamed}",
        f"{tpg} set attribute login_timeout=20",
        "ls",
    )
    shown = batch(*lines, "sessions", "abort")
    assert "session-state: LOGGED_IN" in shown
    assert kernel_files() == before
    amid = writer.written
    done = batch(*lines, "commit comment='More disks'").splitlines()
    (told,) = (line for line in done if line.startswith("Committed"))
    assert told.startswith("Committed the candidate: 5 created, 1 changed, 0 recreated, 2 deleted")
    assert not any("disrupting" in line for line in done)
    assert "Undid '" in batch("undo")
    batch(*lines, "commit")
    writer.stop()
    assert writer.error is None
    assert 0 < amid < writer.written
    assert run("iscsiadm", "-m", "session").stdout.splitlines() == [session]
    assert "I/O error" not in run("dmesg").stdout
    assert writer.is_read_back()


def test_undo_of_a_batch_and_redo_return_to_the_same_kernel() -> None:
    tpg = f"/iscsi/{THIRD}/tpg1"
    batch("/backstores/ramdisk create name=kept size=1M", f"/iscsi create {THIRD}")
    before = kernel_files()
    batch(
        "/backstores/ramdisk create name=one size=1M",
        f"{tpg}/luns create /backstores/ramdisk/one",
        f"{tpg}/acls create {OTHER}",
        f"{tpg}/acls/{OTHER} set auth userid=lee password=a-long-secret",
        f"{tpg} set attribute login_timeout=20",
        f"{tpg}/luns create /backstores/ramdisk/kept",
        "/backstores/ramdisk/one rename other force=true",
    )
    after = kernel_files()
    assert pyshell("undo", "batch=true").stdout.count("Undid '") == 7
    assert kernel_files() == before
    pyshell("redo")
    assert kernel_files() == after
    listed = json.loads(pyshell("-o", "json", "history", f"path={tpg}").stdout)["result"]
    assert [one["command"] for one in listed[:2]] == ["redo", "undo batch=true"]
    log = Path("/var/log/pyshell/changes.jsonl")
    assert (log.stat().st_mode & 0o777, log.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert "a-long-secret" not in log.read_text()
    pyshell("clearconfig", "confirm=true")
    pyshell("undo", str(next(one["undo"] for one in listed if one["undo"])))
    pyshell("redo")
    pyshell("undo")
    assert kernel_files() == after


def kernel_files() -> dict[str, str]:
    """Return the settings in configfs that can be read, without what counts."""
    found = {}
    for path in Path("/sys/kernel/config/target").rglob("*"):
        if path.is_file() and "statistics" not in str(path):
            try:
                found[str(path)] = path.read_text(errors="replace")
            except OSError:
                found[str(path)] = ""
    left_out = ("/info", "/hba_info", "/wwn")  # the HBA gets another number when it is recreated
    return {name: text for name, text in found.items() if not name.endswith(left_out)}


def test_another_serial_number_gives_a_ramdisk_another_id_and_keeps_what_it_holds(
    initiator: Initiator, tmp_path: Path
) -> None:
    batch(
        "/backstores/ramdisk create name=scratch size=8M",
        f"/iscsi create {OTHER}",
        f"/iscsi/{OTHER}/tpg1/acls create {initiator.name}",
        f"/iscsi/{OTHER}/tpg1/luns create /backstores/ramdisk/scratch",
    )
    initiator.start()
    initiator.discover(ADDRESS)
    initiator.login(OTHER)
    block = os.urandom(BLOCK)
    before = initiator.disk(OTHER)
    ids = [page_83(before)]
    before.write_bytes(block)
    os.sync()
    initiator.logout(OTHER)
    serial = "0123456789abcdef0123456789abcdef"
    entry = {"plugin": "ramdisk", "name": "scratch", "wwn": serial}
    done = pyshell("apply", "/dev/stdin", stdin=json.dumps({"storage_objects": [entry]})).stdout
    assert "1 changed" in done
    initiator.login(OTHER)
    disk = initiator.disk(OTHER)
    with disk.open("rb") as file:
        assert file.read(BLOCK) == block
    ids.append(page_83(disk))
    told = pyshell("-o", "json", "/backstores/ramdisk/scratch", "info").stdout
    naa = json.loads(told)["result"]["naa"].removeprefix("naa.")
    assert bytes.fromhex(naa) in ids[1]
    assert bytes.fromhex(naa) not in ids[0]
    pyshell("undo")
    assert serial not in pyshell("/backstores/ramdisk/scratch", "info").stdout


def page_83(disk: Path) -> bytes:
    """Return by what the initiator's kernel knows a disk."""
    return Path("/sys/block", disk.name, "device", "vpd_pg83").read_bytes()


KILLS = 20


def test_after_a_kill_at_any_moment_the_next_apply_converges(lee: Path, tmp_path: Path) -> None:
    three_targets(lee)
    saved = SAVED.read_bytes()
    document = json.loads(saved)
    change(document)
    after = tmp_path / "after.json"
    after.touch(0o600)
    after.write_text(json.dumps(document))
    wanted = [str(after), str(SAVED)]
    dice = random.Random(4)
    lines = []
    for number in range(KILLS):
        file = wanted[number % 2]
        killed_after(dice.uniform(0.1, 1.5), "apply", file, "prune=true")
        if number % 4 > 1 and newest_state() == "unfinished":
            pyshell("undo")
            assert cli.main(["diff", "running", wanted[number % 2 - 1]]) == 0
        # The next one converges to the same, from wherever the killed one came to.
        assert cli.main(["apply", file, "prune=true"]) == 0
        assert cli.main(["diff", "running", file]) == 0
        lines.append(SAVED.read_bytes() == saved and SAVED.stat().st_mode & 0o777)
    assert lines == [0o600] * KILLS


def test_undo_returns_from_a_rename_that_was_killed_at_any_moment(lee: Path) -> None:
    three_targets(lee)
    dice = random.Random(5)
    unfinished = 0
    rename = f"/iscsi/{SERVER}", "rename", f"{SERVER}-new"
    begun = time.monotonic()
    assert cli.main([*rename]) == 0
    duration = time.monotonic() - begun
    pyshell("undo")
    for _ in range(KILLS):
        killed_after(dice.uniform(0, duration), *rename)
        unfinished += newest_state() == "unfinished"
        if "rename" in newest()["command"]:
            pyshell("undo")
        assert cli.main(["diff"]) == 0
    assert unfinished > 0


def newest() -> dict[str, str]:
    """Return the last change of the history."""
    told = pyshell("history", "limit=1", "-o", "json").stdout
    found: dict[str, str] = json.loads(told)["result"][0]
    return found


def newest_state() -> str:
    return newest()["state"]


def test_rtslibs_own_restore_cuts_the_session(lee: Path, initiator: Initiator) -> None:
    """For the record: why there is another way."""
    three_targets(lee)
    initiator.start()
    initiator.discover(ADDRESS)
    initiator.login(SERVER)
    before = lost_connections()
    script = "import rtslib_fb; rtslib_fb.RTSRoot().restore_from_file(clear_existing=True)"
    run(sys.executable, "-c", script)
    # It may be back already: the initiator tries again and again.
    wait_for("the end of the session", lambda: lost_connections() > before)


def lost_connections() -> int:
    """Return how often the initiator's kernel has lost a connection since its start."""
    return run("dmesg").stdout.count("detected conn error")
