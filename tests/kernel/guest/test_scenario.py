# SPDX-License-Identifier: Apache-2.0
"""The owner's walk-through on the real kernel: the target's side line for line, and data kept."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pexpect

from ..commands import COMMAND_SECONDS, run, wait_for
from ..initiator import Initiator
from .export import ADDRESS, SERVER, export_lee
from .shell import WIDTH, scenario, started

MEBIBYTE = 1 << 20


def test_each_one_liner_prints_what_the_scenario_shows(lee: Path) -> None:
    for command, output in scenario():
        assert started(*command.split()).stdout == output, command


def test_the_scenario_as_one_batch_prints_the_same(lee: Path) -> None:
    lines = "".join(f"{command}\n" for command, _ in scenario())
    expected = "".join(output for _, output in scenario())
    saved = (
        "Global pref auto_save_on_exit=true\nConfiguration saved to /etc/target/saveconfig.json\n"
    )
    assert started(stdin=lines).stdout == expected + saved


def test_the_disk_keeps_its_bytes_over_save_clear_and_restore(
    lee: Path, initiator: Initiator, tmp_path: Path
) -> None:
    export_lee(lee)
    initiator.start()
    assert initiator.discover(ADDRESS) == [f"{ADDRESS}:3260,1 {SERVER}"]
    initiator.login(SERVER)
    disk = initiator.disk(SERVER)
    run("fdisk", str(disk), stdin="n\np\n1\n\n\nw\n")
    partition = Path(f"{disk}1")
    wait_for("the partition", partition.exists)
    run("mkfs.xfs", "-q", str(partition))
    written = os.urandom(8 * MEBIBYTE)
    run("mount", str(partition), str(tmp_path))
    (tmp_path / "data").write_bytes(written)
    run("umount", str(tmp_path))
    assert "session-state: LOGGED_IN" in started("sessions", "detail").stdout
    initiator.logout(SERVER)

    started("saveconfig")
    started("clearconfig", "confirm=true")
    assert os.listdir("/sys/kernel/config/target/core") == ["alua"]  # the kernel's own
    started("restoreconfig")

    initiator.login(SERVER)
    partition = Path(f"{initiator.disk(SERVER)}1")
    wait_for("the partition", partition.exists)
    run("mount", str(partition), str(tmp_path))
    try:
        assert (tmp_path / "data").read_bytes() == written
    finally:
        run("umount", str(tmp_path))


def test_the_scenario_typed_at_a_terminal_shows_the_same(lee: Path) -> None:
    # An editing prompt announces that it takes marked pastes, and takes that back after Enter.
    editing, running = "\x1b[?2004h", "\x1b[?2004l"
    terminal = pexpect.spawn(
        sys.executable,
        ["-m", "pyshell"],
        env={**os.environ, "TERM": "xterm", "NO_COLOR": "1"},
        dimensions=(50, WIDTH),
        timeout=COMMAND_SECONDS,
        encoding="utf-8",
    )
    terminal.expect_exact(editing)
    for command, output in scenario():
        terminal.expect_exact("/> ")
        terminal.send(f"{command}\r")
        terminal.expect_exact(running)
        terminal.expect_exact(editing)
        assert terminal.before.replace("\r\n", "\n") == output, command
    terminal.send("exit\r")
    terminal.expect_exact("Save, leave without saving, or stay (Esc)?")
    terminal.send("save\r")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0
