# SPDX-License-Identifier: Apache-2.0
"""The other host of the owner's scenario: open-iscsi, driven as an administrator would."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .commands import run, wait_for

NAME = "iqn.2020-07.192.168.56.105:client"
FOLDER = Path("/etc/iscsi")
BLOCK_DEVICES = Path("/sys/class/block")
# The daemon's socket has no file, only a name in the kernel's list.
SOCKETS = Path("/proc/net/unix")
SOCKET = "@ISCSIADM_ABSTRACT_NAMESPACE"


@dataclass(frozen=True)
class Chap:
    """What one side has to know to be let in by the other."""

    user: str
    password: str


@dataclass(frozen=True)
class Session:
    """What `iscsiadm -m session -P 3` tells of one session."""

    target: str
    portal: str
    initiator: str
    connection_state: str
    session_state: str
    disks: Mapping[str, str]


class Initiator:
    """open-iscsi with its daemon; start it, and stop it whatever happened."""

    def __init__(self, name: str = NAME) -> None:
        self.name = name
        self._daemon: subprocess.Popen[bytes] | None = None

    def start(self, chap: Chap | None = None, chap_of_target: Chap | None = None) -> None:
        """Start the daemon; `chap` lets us in, `chap_of_target` is what we ask of the target."""
        run("modprobe", "-a", "iscsi_tcp", "sd_mod")
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / "initiatorname.iscsi").write_text(f"InitiatorName={self.name}\n")
        self.configure(chap, chap_of_target)
        # A group of its own: at its end iscsid sends SIGTERM to the whole group.
        self._daemon = subprocess.Popen(["iscsid", "-f"], start_new_session=True)
        wait_for("iscsid's socket", lambda: SOCKET in SOCKETS.read_text())

    def configure(self, chap: Chap | None = None, chap_of_target: Chap | None = None) -> None:
        """Write what nodes get that are discovered from now on."""
        lines = [
            "node.startup = manual",
            # A refusal is to be told at once.
            "node.session.initial_login_retry_max = 1",
            "node.conn[0].timeo.login_timeout = 15",
        ]
        if chap:
            lines += [
                "node.session.auth.authmethod = CHAP",
                f"node.session.auth.username = {chap.user}",
                f"node.session.auth.password = {chap.password}",
            ]
        if chap_of_target:
            lines += [
                f"node.session.auth.username_in = {chap_of_target.user}",
                f"node.session.auth.password_in = {chap_of_target.password}",
            ]
        path = FOLDER / "iscsid.conf"
        path.touch(mode=0o600)
        path.write_text("\n".join([*lines, ""]))

    def stop(self) -> None:
        """Log out of everything, forget all nodes and interfaces, and end the daemon."""
        if self._daemon is None:
            return
        run("iscsiadm", "-m", "node", "-u", check=False)
        run("iscsiadm", "-m", "node", "-o", "delete", check=False)
        # One for another initiator's name would log in with that in the next test, too.
        shutil.rmtree(FOLDER / "ifaces", ignore_errors=True)
        self._daemon.terminate()
        try:
            self._daemon.wait(10)
        except subprocess.TimeoutExpired:
            self._daemon.kill()
            self._daemon.wait()
        self._daemon = None

    def discover(self, address: str) -> list[str]:
        """Ask a portal for its targets; return iscsiadm's lines."""
        return run("iscsiadm", "-m", "discovery", "-t", "st", "-p", address).stdout.splitlines()

    def try_login(self, target: str) -> subprocess.CompletedProcess[str]:
        """Try to log in; the status is iscsiadm's."""
        return run("iscsiadm", "-m", "node", "-T", target, "-l", check=False)

    def login(self, target: str) -> None:
        """Log in to a target that was discovered."""
        run("iscsiadm", "-m", "node", "-T", target, "-l")

    def logout(self, target: str) -> None:
        """Log out of a target."""
        run("iscsiadm", "-m", "node", "-T", target, "-u")

    def sessions(self) -> list[Session]:
        """List the sessions with their disks."""
        # Without a session iscsiadm's status is 21.
        return parse_sessions(run("iscsiadm", "-m", "session", "-P", "3", check=False).stdout)

    def disk(self, target: str) -> Path:
        """Wait for a session's first disk to be running, and return its device file."""
        return wait_for(f"a disk of {target}", lambda: self._running_disk(target))

    def _running_disk(self, target: str) -> Path | None:
        for session in self.sessions():
            for name, state in session.disks.items():
                if session.target == target and state == "running" and disk_bytes(name):
                    return Path("/dev") / name
        return None


def disk_bytes(name: str) -> int:
    """Return the size of a block device, by its name below /dev; 0 where there is none."""
    size = BLOCK_DEVICES / name / "size"
    # The kernel counts in sectors of 512 bytes whatever the disk's own are.
    return int(size.read_text()) * 512 if size.exists() else 0


def parse_sessions(text: str) -> list[Session]:
    """Read what `iscsiadm -m session -P 3` prints."""
    sessions = []
    for part in re.split(r"^Target: ", text, flags=re.MULTILINE)[1:]:
        disks = re.findall(r"Attached scsi disk (\S+)\s+State: (\S+)", part)
        sessions.append(
            Session(
                target=part.split()[0],
                portal=_field("Current Portal", part),
                initiator=_field("Iface Initiatorname", part),
                connection_state=_field("iSCSI Connection State", part),
                session_state=_field("iSCSI Session State", part),
                disks=dict(disks),
            )
        )
    return sessions


def _field(name: str, text: str) -> str:
    found = re.search(rf"{name}:\s+(.*\S)", text)
    return found.group(1) if found else ""
