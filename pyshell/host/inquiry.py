# SPDX-License-Identifier: Apache-2.0
"""Looks at the host that change nothing: programs that answer, names of disks, addresses."""

from __future__ import annotations

import ipaddress
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pyshell import names
from pyshell.errors import UsageError
from pyshell.host import programs

if TYPE_CHECKING:
    from pyshell.host.machine import Machine

BY_ID = "/dev/disk/by-id/"
_SECONDS = 10
# Names that tell the disk itself, best first; others may tell of the way to it or its content.
_BEST = ("dm-name-", "wwn-", "nvme-eui.", "nvme-", "scsi-", "ata-", "virtio-", "md-name-")
_LISTENING, _ESTABLISHED = "0A", "01"
_MOVING = re.compile(
    r"/dev/((sd|vd|xvd|hd)[a-z]+\d*|nvme\d+n\d+(p\d+)?|md\d+(p\d+)?|dm-\d+|loop\d+(p\d+)?"
    r"|sr\d+|s?r?g\d+|n?st\d+|mmcblk\d+(p\d+)?|z?r(am|bd)\d+(p\d+)?|nbd\d+(p\d+)?)",
    re.ASCII,
)
_UNAUTHORIZED = re.compile(r"iSCSI Initiator Node: (\S+) is not authorized to access")
_LOCAL = re.compile(r"\|-- (\S+)\n\s+/32 host LOCAL")


def ask(*command: str) -> str | None:
    """Run a program that only looks; None where it is not there, fails or takes too long."""
    try:
        done = programs.run(*command, seconds=_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def refused_initiators(machine: Machine) -> list[str]:
    """Return the initiators without an ACL that the kernel's log names, the last one first.

    The kernel shows these names nowhere else. An initiator chooses its name, so it may be invalid.
    """
    found = _UNAUTHORIZED.findall(machine.ask("dmesg") or "")
    return list(dict.fromkeys(reversed(found)))


def moves_between_boots(path: str) -> bool:
    """Return whether the kernel gives a device's name anew at each boot, in order of appearance."""
    return _MOVING.fullmatch(path) is not None


def lasting_name(path: str, folder: str = BY_ID) -> str | None:
    """Return the best name in a folder of links that leads to the device at `path`."""
    device = os.path.realpath(path)
    try:
        found = [name for name in os.listdir(folder) if os.path.realpath(folder + name) == device]
    except OSError:
        return None
    found.sort(key=lambda name: (*(not name.startswith(best) for best in _BEST), name))
    return folder + found[0] if found else None


def addresses(machine: Machine) -> frozenset[str] | None:
    """Return the host's addresses as `names.address` spells them, None where none can be read."""
    four = _read(machine.host_file("/proc/net/fib_trie"))
    if four is None:
        return None
    found = set(_LOCAL.findall(four))
    for line in (_read(machine.host_file("/proc/net/if_inet6")) or "").splitlines():
        digits = line.split()[0]
        found.add(names.address(str(ipaddress.IPv6Address(int(digits, 16)))))
    return frozenset(found)


def spelt(address: str) -> str:
    """Return a portal's address as `addresses` and `listening` spell it, without an IPv6 zone."""
    try:
        return names.address(address.partition("%")[0])
    except UsageError:
        return address


def listening(machine: Machine) -> frozenset[tuple[str, int]] | None:
    """Return the addresses and TCP ports that the host listens at, None where that is not told."""
    table = _sockets(machine)
    if table is None:
        return None
    return frozenset(_place(local) for local, _, state in table if state == _LISTENING)


def connections(machine: Machine) -> list[tuple[int, str]]:
    """Return the host's TCP connections: its own port, and the address at the other end."""
    return [
        (_place(local)[1], _place(remote)[0])
        for local, remote, state in _sockets(machine) or ()
        if state == _ESTABLISHED
    ]


def _sockets(machine: Machine) -> list[tuple[str, str, str]] | None:
    """Return the host's TCP sockets: both ends and the state, as the kernel writes them."""
    four = _read(machine.host_file("/proc/net/tcp"))
    if four is None:
        return None
    six = _read(machine.host_file("/proc/net/tcp6")) or ""
    rows = [line.split() for line in (*four.splitlines()[1:], *six.splitlines()[1:])]
    return [(row[1], row[2], row[3]) for row in rows if len(row) > 3]


def _place(text: str) -> tuple[str, int]:
    digits, port = text.split(":")
    return _address(digits), int(port, 16)


def _address(digits: str) -> str:
    """Read an address as the kernel prints it: words of the machine's own byte order."""
    words = [int(digits[start : start + 8], 16) for start in range(0, len(digits), 8)]
    packed = b"".join(word.to_bytes(4, sys.byteorder) for word in words)
    return names.address(str(ipaddress.ip_address(packed)))


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
