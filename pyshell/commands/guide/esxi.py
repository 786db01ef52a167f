# SPDX-License-Identifier: Apache-2.0
"""The short guide for VMware ESXi, in its shell."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from pyshell.commands.guide.facts import Way
from pyshell.commands.guide.steps import Step, step
from pyshell.names import size_text

_FIND = "A=$(esxcli iscsi adapter list | awk '$2 == \"iscsi_vmk\" {print $1; exit}')"


def steps(way: Way) -> Iterator[Step]:
    """Yield the steps."""
    yield step(
        "The software adapter, in the ESXi shell",
        "esxcli iscsi software set --enabled=true",
        _FIND,
    )
    if way.initiator:
        yield step(
            "The name by which the target lets this host in",
            f'esxcli iscsi adapter set --adapter="$A" --name={quote(way.initiator)}',
        )
    chap = way.chap
    if chap:
        start = 'esxcli iscsi adapter auth chap set --adapter="$A" --level=required'
        lines = [
            f"{start} --direction=uni --authname={quote(chap.userid)}"
            f" --secret={quote(chap.password)}"
        ]
        if chap.mutual_userid:
            lines.append(
                f"{start} --direction=mutual --authname={quote(chap.mutual_userid)}"
                f" --secret={quote(chap.mutual_password)}"
            )
        yield step("CHAP", *lines)
    start = 'esxcli iscsi adapter discovery sendtarget add --adapter="$A"'
    yield step(
        "Discovery and login; several ways to a disk are joined by themselves",
        *(f"{start} --address={address}" for address in way.addresses),
        'esxcli storage core adapter rescan --adapter="$A"',
    )
    for disk in way.disks:
        size = f", {size_text(disk.size)}" if disk.size else ""
        name = f"naa.{disk.naa}" if disk.naa else f"DISK_OF_LUN_{disk.lun}"
        about = [f"LUN {disk.lun} is {disk.path}{size}."]
        if not disk.naa:
            about.append(f"'esxcli storage core device list' tells what {name} stands for.")
        if not disk.read_only:
            about.append("A datastore on it is made in the Host Client: Storage, New datastore.")
            about.append("That erases the disk.")
        yield step(
            about,
            f"esxcli storage core device list --device={quote(name)}",
        )
