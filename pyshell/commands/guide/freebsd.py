# SPDX-License-Identifier: Apache-2.0
"""The short guide for FreeBSD with iscsid and iscsictl."""

from __future__ import annotations

import re
from collections.abc import Iterator
from shlex import quote

from pyshell.commands.guide.facts import Way
from pyshell.commands.guide.steps import Step, step
from pyshell.names import size_text


def steps(way: Way) -> Iterator[Step]:
    """Yield the steps."""
    nick = re.sub(r"[^a-z0-9]+", "_", way.target.rpartition(":")[2].lower()).strip("_") or "target"
    names = [f"{nick}{n or ''}" for n in range(len(way.portals))]
    entries = [
        line
        for name, address in zip(names, way.addresses, strict=True)
        for line in _entry(way, name, address)
    ]
    yield step(
        "How to reach the target, with the name by which it lets this host in",
        "touch /etc/iscsi.conf && chmod 600 /etc/iscsi.conf",
        "cat >> /etc/iscsi.conf <<'END'",
        *entries,
        "END",
    )
    yield step(
        "Log in, now and at boot",
        "sysrc iscsid_enable=YES iscsictl_enable=YES iscsictl_flags=-Aa",
        "service iscsid start",
        *(f"iscsictl -A -n {name}" for name in names),
        "iscsictl -L",
    )
    for disk in way.disks:
        size = f", {size_text(disk.size)}" if disk.size else ""
        label = re.sub(r"[^A-Za-z0-9_-]", "_", disk.name)[:31]
        placeholder = f"DISK_OF_LUN_{disk.lun}"
        about = [
            f"LUN {disk.lun} is {disk.path}{size}.",
            f"iscsictl -L tells its device: put that in place of {placeholder}.",
        ]
        if way.several:
            about.append("Several ways to it are joined by 'gmultipath label'.")
        lines = [f"mkdir -p {quote(f'/mnt/{label}')}"]
        if not disk.read_only:
            about.append("Where the disk is new: a file system on all of it. That erases it.")
            lines.insert(0, f"newfs -U -L {label} /dev/{placeholder}")
        options = "ro,late" if disk.read_only else "rw,late"
        entry = f"/dev/ufs/{label} /mnt/{label} ufs {options} 0 0"
        # Without its file system, a line in fstab would stop the next boot.
        lines.append(f"test -e /dev/ufs/{label} && echo '{entry}' >> /etc/fstab")
        yield step(about, *lines, f"mount /mnt/{label}")


def _entry(way: Way, name: str, address: str) -> Iterator[str]:
    yield f"{name} {{"
    yield f"  TargetAddress = {address}"
    yield f"  TargetName = {way.target}"
    if way.initiator:
        yield f"  InitiatorName = {way.initiator}"
    if way.chap:
        yield "  AuthMethod = CHAP"
        yield f"  chapIName = {_quoted(way.chap.userid)}"
        yield f"  chapSecret = {_quoted(way.chap.password)}"
        if way.chap.mutual_userid:
            yield f"  tgtChapName = {_quoted(way.chap.mutual_userid)}"
            yield f"  tgtChapSecret = {_quoted(way.chap.mutual_password)}"
    yield "}"


def _quoted(text: str) -> str:
    return f'"{text}"'
