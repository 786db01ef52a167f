# SPDX-License-Identifier: Apache-2.0
"""Changes that are reverted unless confirmed, by systemd's timer, while an initiator writes."""

from __future__ import annotations

import json
import os
import random
import signal
from pathlib import Path
from typing import Any

import pexpect
import pytest

from driver import end
from pyshell import cli

from ..commands import run, wait_for
from ..initiator import Initiator
from .export import ADDRESS, SERVER, TPG, export_lee
from .shell import TIME_LIMIT, killed_after, pyshell
from .systemd import Systemd, booted
from .test_applying import Writer
from .test_prompt import EDITING, terminal

FILE = Path("/run/after.json")
RECORD = Path("/run/pyshell/confirm/state.json")
SAVED = Path("/etc/target/saveconfig.json")
OTHER = "iqn.2020-07.192.168.56.106:other"
RENAMED = "iqn.2020-07.192.168.56.107:renamed"
CANDIDATE = (
    "begin",
    "/backstores/ramdisk create more 1M",
    f"{TPG}/luns create /backstores/ramdisk/more add_mapped_luns=false",
    f"{TPG}/acls/{OTHER} rename {RENAMED}",
    f"{TPG} set attribute login_timeout=20",
)
"""The lines that change a candidate as FILE does."""
DEADLINE = 8
"""Seconds: about as long as a change takes here."""
ALL = os.environ.get("PYSHELL_TEST_FAULTS") == "all"
KILLS, SEEDS = (20, 5) if ALL else (6, 1)


def prepare(volume: Path) -> Any:
    """Export the volume and return the running configuration.

    FILE has it with another LUN, another name of an ACL that nobody uses, and an attribute changed.
    """
    export_lee(volume)
    pyshell(f"{TPG}/acls", "create", OTHER)
    before = configuration()
    document = json.loads(json.dumps(before))
    document["storage_objects"].append({"name": "more", "plugin": "ramdisk", "size": 1 << 20})
    tpg = document["targets"][0]["tpgs"][0]
    tpg["luns"].append({"index": 1, "storage_object": "/backstores/ramdisk/more"})
    tpg["attributes"]["login_timeout"] = 20
    (acl,) = [one for one in tpg["node_acls"] if one["node_wwn"] == OTHER]
    acl["node_wwn"] = RENAMED
    FILE.touch(0o600)
    FILE.write_text(json.dumps(document))
    return before


def configuration() -> Any:
    """Return the running configuration."""
    return json.loads(pyshell("saveconfig", "-").stdout)


def line(seconds: int = DEADLINE) -> list[str]:
    """Return the words of the change."""
    return ["apply", str(FILE), "prune=true", f"confirm={seconds}"]


def record() -> Any:
    """Return what is on record about the last change with a deadline."""
    return json.loads(RECORD.read_text())


def is_reverted(before: Any, name: str, systemd: Systemd) -> None:
    """Wait for the end of a change, which must leave the configuration as before."""
    wait_for("the timer", lambda: record()["state"] == "reverted", TIME_LIMIT)
    assert record()["id"] == name
    assert configuration() == before
    reverted = f"Reverted, as it was not confirmed: '{record()['line']}'"
    wait_for("the journal", lambda: systemd.journal().count(reverted))
    assert systemd("is-active", f"pyshell-confirm-{name}.timer").stdout.strip() == "inactive"


def at_terminal(systemd: Systemd) -> tuple[pexpect.spawn[str], str]:
    """Make the change at a prompt; return the prompt and the id of the change."""
    shell = terminal(*systemd.enter)
    shell.send(" ".join([*line(), "--yes"]) + "\r")
    shell.expect_exact("It is reverted at ")
    shell.expect_exact(EDITING)
    return shell, record()["id"]


def test_what_is_not_confirmed_is_reverted_and_no_session_drops(
    lee: Path, initiator: Initiator
) -> None:
    with booted(wait=0) as systemd:
        before = prepare(lee)
        saved = SAVED.read_bytes()
        initiator.start()
        initiator.discover(ADDRESS)
        initiator.login(SERVER)
        (session,) = run("iscsiadm", "-m", "session").stdout.splitlines()
        writer = Writer(initiator.disk(SERVER))
        writer.start()

        systemd.shell(f"pyshell {' '.join(line())}")
        assert {one["node_wwn"] for one in acls()} >= {RENAMED}
        assert pyshell("saveconfig", status=5).stderr.startswith("Not saved: 'apply ")
        is_reverted(before, record()["id"], systemd)

        shell, name = at_terminal(systemd)
        assert acls() != before["targets"][0]["tpgs"][0]["node_acls"]
        os.kill(child_of(shell.pid), signal.SIGKILL)
        is_reverted(before, name, systemd)
        end(shell)

        shell, name = at_terminal(systemd)
        shell.close(force=False)  # its processes get SIGHUP
        is_reverted(before, name, systemd)

        shell = terminal(*systemd.enter)
        for command in CANDIDATE:
            shell.send(f"{command}\r")
            shell.expect_exact(EDITING)
        shell.send(f"commit confirm={DEADLINE} --yes\r")
        shell.expect_exact("It is reverted at ")
        name = record()["id"]
        assert {one["node_wwn"] for one in acls()} >= {RENAMED}
        is_reverted(before, name, systemd)
        end(shell)

        writer.stop()
        assert writer.error is None
        assert run("iscsiadm", "-m", "session").stdout.splitlines() == [session]
        assert "I/O error" not in run("dmesg").stdout
        assert writer.is_read_back()
        assert SAVED.read_bytes() == saved
        initiator.stop()


def child_of(pid: int) -> int:
    """Return the process that another one waits for."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text())


def acls() -> Any:
    """Return the running ACLs."""
    return configuration()["targets"][0]["tpgs"][0]["node_acls"]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_after_a_kill_at_any_moment_the_record_says_what_runs(lee: Path, seed: int) -> None:
    """Without systemd: the expiry is killed, too, as its timer runs it again."""
    before = prepare(lee)
    saved = SAVED.read_bytes()
    dice = random.Random(seed)
    ends: dict[str, int] = {}
    for number in range(KILLS):
        if number % 2:
            assert cli.main(line(3600)) == 0
            expire = ("--expire", overdue(), "--config-dir=/etc/target")
            killed_after(dice.uniform(0.0, 1.2), *expire)
        else:
            RECORD.unlink(missing_ok=True)
            killed_after(dice.uniform(0.2, 3.0), *line(3600))
        ended = "nothing began" if not RECORD.exists() else record()["state"]
        if ended not in ("nothing began", "starting", "reverted"):
            assert cli.main(["--expire", overdue(), "--config-dir=/etc/target"]) == 0
            assert record()["state"] == "reverted"
        ends[ended] = ends.get(ended, 0) + 1
        assert configuration() == before, (number, ended)
    print(ends)  # noqa: T201 - shown with the test's output
    assert sum(ends.values()) == KILLS
    assert SAVED.read_bytes() == saved


def overdue() -> str:
    """Put the deadline of the change on record into the past, and return its id."""
    found = record()
    found["expires"] -= 3601
    RECORD.write_text(json.dumps(found))
    return str(found["id"])
