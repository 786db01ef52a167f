# SPDX-License-Identifier: Apache-2.0
"""The prompt on the real kernel: with an initiator logged in, nothing is cut without a yes."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pexpect

from driver import end

from ..commands import run, wait_for
from ..initiator import NAME as CLIENT
from ..initiator import Initiator
from .export import ADDRESS, SERVER, TPG, export_lee
from .shell import WIDTH, pyshell

EDITING = "\x1b[?2004h"
PATIENCE = 120  # seconds: the guest's processor is emulated
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def terminal(*before: str, **environment: str) -> pexpect.spawn[str]:
    """Return pyshell at a pseudo-terminal, at its first prompt; `before` are words before it."""
    first, *words = [*before, sys.executable, "-m", "pyshell"]
    made = pexpect.spawn(
        first,
        words,
        env={**os.environ, "TERM": "xterm", "NO_COLOR": "1", **environment},
        dimensions=(50, WIDTH),
        timeout=PATIENCE,
        encoding="utf-8",
    )
    made.expect_exact(EDITING)
    return made


def editing(script: Path) -> None:
    """Edit a setting, whose session goes on, and one that would end it: the answer is no."""
    attribute = Path(f"/sys/kernel/config/target/iscsi/{SERVER}/tpgt_1/attrib/login_timeout")
    script.write_text('#!/bin/sh\nsed -i \'s/"login_timeout": 15/"login_timeout": 20/\' "$1"\n')
    script.chmod(0o700)
    shell = terminal(EDITOR=str(script))
    shell.send(f"edit {TPG}\r")
    shell.expect_exact("login_timeout: 15 -> 20")
    shell.expect_exact("This changes 1 object.")
    shell.expect_exact("[y/N]")
    shell.send("y\r")
    shell.expect_exact("1 changed")
    shell.expect_exact(EDITING)
    assert attribute.read_text() == "20\n"
    script.write_text('#!/bin/sh\nsed -i \'s/"enable": true/"enable": false/\' "$1"\n')
    shell.send(f"edit {TPG}\r")
    shell.expect_exact(f"terminates the session of {CLIENT}")
    shell.expect_exact("[y/N]")
    shell.send("n\r")
    shell.expect_exact("Your text is kept in")
    shell.expect_exact(EDITING)
    shell.send("undo\r")
    shell.expect_exact("Undid 'edit")
    assert attribute.read_text() == "15\n"
    (kept,) = Path("/run/pyshell/edit").glob("*/configuration.jsonc")
    assert '"enable": false' in kept.read_text()
    end(shell)


def test_field_failure_45_a_no_at_the_prompt_leaves_all_as_it_was(
    lee: Path, initiator: Initiator, tmp_path: Path
) -> None:
    export_lee(lee)
    pyshell("saveconfig")
    initiator.start()
    initiator.discover(ADDRESS)
    initiator.login(SERVER)
    disk = initiator.disk(SERVER)
    before = pyshell("-o", "json", "ls").stdout
    editing(tmp_path / "editor")
    assert initiator.disk(SERVER) == disk

    shell = terminal()
    shell.send(f"{TPG}/luns delete 0\r")
    shell.expect_exact(f"This takes LUN 0 from {CLIENT}")
    told = _ESCAPE.sub("", shell.before)
    assert f"{CLIENT} at {SERVER}/tpg1, from " in told
    shell.send("n\r")
    shell.expect_exact("Nothing was changed.")
    assert pyshell("-o", "json", "ls").stdout == before
    assert initiator.disk(SERVER) == disk
    run("dd", f"if={disk}", "of=/dev/null", "bs=4k", "count=1", "iflag=direct")

    shell.expect_exact(EDITING)
    shell.send(f"{TPG}/luns delete 0\r")
    shell.expect_exact("[y/N]")
    shell.send("y\r")
    shell.expect_exact("Deleted LUN 0.")
    shell.expect_exact(EDITING)
    shell.send("exit\r")
    shell.expect_exact("[SAVE/leave/stay]")
    shell.send("leave\r")
    shell.expect(pexpect.EOF)
    assert "lun0" not in pyshell("ls", f"{TPG}/luns").stdout


def test_who_was_refused_is_offered_where_an_acl_is_made(lee: Path, initiator: Initiator) -> None:
    export_lee(lee)
    pyshell(f"{TPG}/acls", "delete", CLIENT)
    initiator.start()
    initiator.discover(ADDRESS)
    run("iscsiadm", "-m", "node", "-T", SERVER, "-l", check=False, timeout=PATIENCE)
    # The kernel's log alone has the name of an initiator without an ACL.
    refused = f"iSCSI Initiator Node: {CLIENT} is not authorized to access"
    wait_for("the refusal", lambda: refused in run("dmesg").stdout)

    shell = terminal()
    shell.send(f"{TPG}/acls create iqn\t")
    # What was typed of it stands there already: only the rest is drawn.
    shell.expect_exact(CLIENT.removeprefix("iqn"))
    end(shell)
