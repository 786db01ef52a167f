# SPDX-License-Identifier: Apache-2.0
"""The short guide for Windows, in PowerShell."""

from __future__ import annotations

from collections.abc import Iterator

from pyshell.commands.guide.facts import Credentials, Disk, Way
from pyshell.commands.guide.steps import Step, step
from pyshell.names import size_text


def steps(way: Way) -> Iterator[Step]:
    """Yield the steps, for PowerShell as administrator."""
    yield step(
        "The service, in PowerShell as administrator",
        "Set-Service MSiSCSI -StartupType Automatic",
        "Start-Service MSiSCSI",
    )
    if way.initiator:
        yield step(
            "The name by which the target lets this host in",
            "Get-InitiatorPort | Where-Object ConnectionType -eq iSCSI |"
            f" Set-InitiatorPort -NewNodeAddress {_quoted(way.initiator)}",
        )
    if way.several:
        yield step(
            "Several ways to the disk, joined to one (a restart may be needed)",
            "Install-WindowsFeature Multipath-IO",
            "Enable-MSDSMAutomaticClaim -BusType iSCSI",
        )
    yield step("Discovery", *(_portal(a, port, way.discovery) for a, port in way.portals))
    if way.chap and way.chap.mutual_userid:
        yield step(
            "The target's CHAP secret",
            f"Set-IscsiChapSecret -ChapSecret {_quoted(way.chap.mutual_password)}",
        )
    yield step("Log in, now and at boot", *(_connection(way, a, port) for a, port in way.portals))
    for disk in way.disks:
        size = f", {size_text(disk.size)}" if disk.size else ""
        about = [f"LUN {disk.lun} is {disk.path}{size}."]
        if not disk.naa:
            about.append(f"Get-Disk tells its number: put that in place of {_placeholder(disk)}.")
        if not disk.read_only:
            about.append("Where it has no partitions: a file system on it. That erases the disk.")
        yield step(
            about,
            f"$disk = Get-Disk | Where-Object {_told_by(disk)}",
            "$disk | Set-Disk -IsOffline $false",
            *(() if disk.read_only else _format(disk.name)),
        )


def _told_by(disk: Disk) -> str:
    """Return what tells a disk from others; one that has a name of its own only its number."""
    if disk.naa:
        return f"UniqueId -eq {_quoted(disk.naa.upper())}"
    return f"Number -eq {_placeholder(disk)}"


def _placeholder(disk: Disk) -> str:
    """Return what matches no disk, so that nothing happens where it is left as it is."""
    return f"NUMBER_OF_LUN_{disk.lun}"


def _format(name: str) -> tuple[str, ...]:
    """Return what goes on only with a disk that was raw, and so with none that is in use."""
    return (
        "$disk | Where-Object PartitionStyle -eq RAW |"
        " Initialize-Disk -PartitionStyle GPT -PassThru |"
        " New-Partition -AssignDriveLetter -UseMaximumSize |"
        f" Format-Volume -NewFileSystemLabel {_quoted(name[:32])}",
    )


def _portal(address: str, port: int, chap: Credentials | None) -> str:
    start = f"New-IscsiTargetPortal -TargetPortalAddress {address} -TargetPortalPortNumber {port}"
    return start + _chap(chap)


def _connection(way: Way, address: str, port: int) -> str:
    multipath = " -IsMultipathEnabled $true" if way.several else ""
    return (
        f"Connect-IscsiTarget -NodeAddress {_quoted(way.target)} -TargetPortalAddress {address}"
        f" -TargetPortalPortNumber {port} -IsPersistent $true{multipath}{_chap(way.chap)}"
    )


def _chap(chap: Credentials | None) -> str:
    if chap is None:
        return ""
    kind = "MUTUALCHAP" if chap.mutual_userid else "ONEWAYCHAP"
    return (
        f" -AuthenticationType {kind} -ChapUsername {_quoted(chap.userid)}"
        f" -ChapSecret {_quoted(chap.password)}"
    )


def _quoted(text: str) -> str:
    """Return a text as PowerShell takes it for itself."""
    doubled = text.replace("'", "''")
    return f"'{doubled}'"
