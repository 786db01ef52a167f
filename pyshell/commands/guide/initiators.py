# SPDX-License-Identifier: Apache-2.0
"""The steps on an initiator: Linux, Windows, VMware ESXi and FreeBSD."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from pyshell.commands.guide.ways import Credentials, Disk, Step, Way, step
from pyshell.quoting import shell_word

_DEFAULT_NAMES = {
    "iqn.1991-05.com.microsoft": "windows",
    "iqn.1994-09.org.freebsd": "freebsd",
    "iqn.1998-01.com.vmware": "esxi",
}
"""Naming authorities of the initiators' default names, with their systems."""
_ONE_MOUNTS = "only one host at a time may mount such a file system."
_ONE_ONLINE = "format it on one host only. Without a cluster, only one host may have it online."
_FIND = "A=$(esxcli iscsi adapter list | awk '$2 == \"iscsi_vmk\" {print $1; exit}')"


def system_of(initiator: str) -> str:
    """Return the system that an initiator's name is the default of, else linux."""
    return _DEFAULT_NAMES.get(initiator.partition(":")[0], "linux")


def _others(disk: Disk, rule: str) -> list[str]:
    """Return lines of a comment about the other initiators of a disk, if any."""
    return [f"{', '.join(disk.others)} can have this disk, too:", rule] if disk.others else []


def esxi_steps(way: Way) -> Iterator[Step]:
    """Yield the steps."""
    yield step(
        "The software adapter, in the ESXi shell",
        "esxcli iscsi software set --enabled=true",
        _FIND,
    )
    if way.initiator:
        yield step(
            "Set the initiator name that the target allows",
            f'esxcli iscsi adapter set --adapter="$A" --name={shell_word(way.initiator)}',
        )
    chap = way.chap
    if chap:
        start = 'esxcli iscsi adapter auth chap set --adapter="$A" --level=required'
        lines = [
            f"{start} --direction=uni --authname={shell_word(chap.userid)}"
            f" --secret={shell_word(chap.password)}"
        ]
        if chap.mutual_userid:
            lines.append(
                f"{start} --direction=mutual --authname={shell_word(chap.mutual_userid)}"
                f" --secret={shell_word(chap.mutual_password)}"
            )
        yield step("CHAP", *lines)
    start = 'esxcli iscsi adapter discovery sendtarget add --adapter="$A"'
    yield step(
        "Discovery and login; several paths to a disk are combined automatically",
        *(f"{start} --address={address}" for address in way.addresses),
        'esxcli storage core adapter rescan --adapter="$A"',
    )
    for disk in way.disks:
        name = f"naa.{disk.naa}" if disk.naa else f"DISK_OF_LUN_{disk.lun}"
        about = [disk.about, *_others(disk, "create the datastore on one host only.")]
        if not disk.naa:
            about.append(f"'esxcli storage core device list' shows what {name} stands for.")
        if not disk.read_only:
            about.append("Create a datastore on it in the Host Client: Storage, New datastore.")
            about.append("That erases the disk.")
        yield step(
            about,
            f"esxcli storage core device list --device={shell_word(name)}",
        )


def freebsd_steps(way: Way) -> Iterator[Step]:
    """Yield the steps."""
    nick = re.sub(r"[^a-z0-9]+", "_", way.target.rpartition(":")[2].lower()).strip("_") or "target"
    names = [f"{nick}{n or ''}" for n in range(len(way.portals))]
    entries = [
        line
        for name, address in zip(names, way.addresses, strict=True)
        for line in _entry(way, name, address)
    ]
    yield step(
        "How to reach the target, and the initiator name that it allows",
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
        label = re.sub(r"[^A-Za-z0-9_-]", "_", disk.name)[:31]
        placeholder = f"DISK_OF_LUN_{disk.lun}"
        about = [
            disk.about,
            *_others(disk, _ONE_MOUNTS),
            f"iscsictl -L shows its device: insert it for {placeholder}.",
        ]
        if way.several:
            about.append("Combine several paths to it with 'gmultipath label'.")
        lines = [f"mkdir -p {shell_word(f'/mnt/{label}')}"]
        if not disk.read_only:
            about.append("If the disk is new: create a file system on all of it. That erases it.")
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


_XFS_LEAST = 300 << 20
"""The smallest XFS that mkfs.xfs creates."""
_NODE = "node.session.auth"
_DISCOVERY = "discovery.sendtargets.auth"


def linux_steps(way: Way) -> Iterator[Step]:
    """Yield the steps. Each line is a command for root's shell."""
    yield _packages(way)
    if way.initiator:
        yield step(
            "Set the initiator name that the target allows. Open sessions keep theirs.",
            f"echo {shell_word(f'InitiatorName={way.initiator}')} > /etc/iscsi/initiatorname.iscsi",
        )
    yield step(
        "The service, now and at boot (Fedora, RHEL, SUSE: iscsi in place of open-iscsi)",
        "systemctl enable iscsid open-iscsi",
        "systemctl restart iscsid",
    )
    yield from _discovery(way)
    if way.chap:
        yield step("CHAP", *_chap(f"iscsiadm -m node -T {way.target}", _NODE, way.chap))
    yield step(
        "Log in, now and at boot",
        f"iscsiadm -m node -T {way.target} -o update -n node.startup -v automatic",
        f"iscsiadm -m node -T {way.target} --login",
        "udevadm settle",
    )
    if way.several:
        yield _multipath()
    for disk in way.disks:
        yield from _disk(way, disk)


def _packages(way: Way) -> Step:
    tools = sorted({f"{_kind(disk)}progs".replace("ext4", "e2fs") for disk in way.disks})
    words = ["open-iscsi", *(["multipath-tools"] if way.several else []), *tools]
    also = " device-mapper-multipath" if way.several else ""
    return step(
        f"Packages (Fedora, RHEL: dnf install iscsi-initiator-utils{also})",
        f"apt-get install -y {' '.join(words)}",
    )


def _discovery(way: Way) -> Iterator[Step]:
    portal = way.addresses[0]
    if way.discovery is None:
        yield step(
            f"Discovery, which must list {way.target}", f"iscsiadm -m discovery -t st -p {portal}"
        )
        return
    known = f"iscsiadm -m discoverydb -t st -p {portal}"
    yield step(
        f"Discovery, for which the target requires CHAP, too. It must list {way.target}",
        f"{known} -o new",
        *_chap(known, _DISCOVERY, way.discovery),
        f"{known} --discover",
    )


def _chap(start: str, prefix: str, chap: Credentials) -> Iterator[str]:
    values = {"authmethod": "CHAP", "username": chap.userid, "password": chap.password}
    if chap.mutual_userid:
        values |= {"username_in": chap.mutual_userid, "password_in": chap.mutual_password}
    for name, value in values.items():
        yield f"{start} -o update -n {prefix}.{name} -v {shell_word(value)}"


def _multipath() -> Step:
    return step(
        "Combine several paths to the disk (Fedora, RHEL: first 'mpathconf --enable')",
        r"test -e /etc/multipath.conf ||"
        r" printf 'defaults {\n  find_multipaths yes\n}\n' > /etc/multipath.conf",
        "systemctl enable multipathd",
        "systemctl restart multipathd",
        "udevadm settle",
        "multipath -ll",
    )


def _kind(disk: Disk) -> str:
    return "xfs" if disk.size is None or disk.size >= _XFS_LEAST else "ext4"


def by_path(way: Way, disk: Disk) -> list[str]:
    """Return the names of a disk by its paths."""
    return [
        f"/dev/disk/by-path/ip-{address}:{port}-iscsi-{way.target}-lun-{disk.lun}"
        for address, port in way.portals
    ]


def by_id(way: Way, disk: Disk) -> str:
    """Return the name of a disk that does not depend on the path."""
    if disk.naa is None:
        return by_path(way, disk)[0]
    if way.several:
        return f"/dev/disk/by-id/dm-uuid-mpath-3{disk.naa}"
    return f"/dev/disk/by-id/wwn-0x{disk.naa}"


def _disk(way: Way, disk: Disk) -> Iterator[Step]:
    name, kind = by_id(way, disk), _kind(disk)
    folder = f"/mnt/{disk.name}"
    yield step(
        f"{disk.about} Its names here, by path and persistent",
        *(f"ls -l {shell_word(path)}" for path in by_path(way, disk)),
        f"ls -l {shell_word(name)}",
    )
    about = _others(disk, _ONE_MOUNTS)
    if disk.read_only:
        about.append("It is read-only. Mount its file system, if there is one")
    else:
        about.append("Create a file system on all of it, if it is empty")
        yield step(about, f"blkid -p {shell_word(name)} || mkfs.{kind} {shell_word(name)}")
        about = ["Mount it, now and at boot once the network is up"]
    options = "ro,_netdev" if disk.read_only else "_netdev"
    # Pasted again, or after a step that failed, it leaves no line twice and none of what is absent.
    seen = "blkid -p" if disk.read_only else "test -b"
    line = shell_word(f"{name} {_in_fstab(folder)} {kind} {options} 0 0")
    once = f"grep -qF {shell_word(f'{name} ')} /etc/fstab || echo {line} >> /etc/fstab"
    yield step(
        about,
        f"mkdir -p {shell_word(folder)}",
        f"{seen} {shell_word(name)} && {{ {once}; }}",
        "mount -a",
    )


def _in_fstab(text: str) -> str:
    """Return a path for fstab, where a backslash begins the code of a character."""
    return text.replace("\\", "\\134").replace(" ", "\\040")


def windows_steps(way: Way) -> Iterator[Step]:
    """Yield the steps, for PowerShell as administrator."""
    yield step(
        "The service, in PowerShell as administrator",
        "Set-Service MSiSCSI -StartupType Automatic",
        "Start-Service MSiSCSI",
    )
    if way.initiator:
        yield step(
            "Set the initiator name that the target allows",
            "Get-InitiatorPort | Where-Object ConnectionType -eq iSCSI |"
            f" Set-InitiatorPort -NewNodeAddress {_for_powershell(way.initiator)}",
        )
    if way.several:
        yield step(
            "Combine several paths to the disk (a restart may be needed)",
            "Install-WindowsFeature Multipath-IO",
            "Enable-MSDSMAutomaticClaim -BusType iSCSI",
        )
    yield step("Discovery", *(_portal(a, port, way.discovery) for a, port in way.portals))
    if way.chap and way.chap.mutual_userid:
        yield step(
            "The target's CHAP secret",
            f"Set-IscsiChapSecret -ChapSecret {_for_powershell(way.chap.mutual_password)}",
        )
    yield step("Log in, now and at boot", *(_connection(way, a, port) for a, port in way.portals))
    for disk in way.disks:
        about = [disk.about, *_others(disk, _ONE_ONLINE)]
        if not disk.naa:
            about.append(f"Get-Disk shows its number: insert it for {_placeholder(disk)}.")
        if not disk.read_only:
            about.append("If it has no partitions: create a file system. That erases the disk.")
        yield step(
            about,
            f"$disk = Get-Disk | Where-Object {_told_by(disk)}",
            "$disk | Set-Disk -IsOffline $false",
            *(() if disk.read_only else _format(disk.name)),
        )


def _told_by(disk: Disk) -> str:
    """Return the condition that selects a disk: by its number if it has no NAA id."""
    if disk.naa:
        return f"UniqueId -eq {_for_powershell(disk.naa.upper())}"
    return f"Number -eq {_placeholder(disk)}"


def _placeholder(disk: Disk) -> str:
    """Return a placeholder that matches no disk: nothing happens if it is not replaced."""
    return f"NUMBER_OF_LUN_{disk.lun}"


def _format(name: str) -> tuple[str, ...]:
    """Return the command that formats a disk only if it has no partitions."""
    return (
        "$disk | Where-Object PartitionStyle -eq RAW |"
        " Initialize-Disk -PartitionStyle GPT -PassThru |"
        " New-Partition -AssignDriveLetter -UseMaximumSize |"
        f" Format-Volume -NewFileSystemLabel {_for_powershell(name[:32])}",
    )


def _portal(address: str, port: int, chap: Credentials | None) -> str:
    start = f"New-IscsiTargetPortal -TargetPortalAddress {address} -TargetPortalPortNumber {port}"
    return start + _windows_chap(chap)


def _connection(way: Way, address: str, port: int) -> str:
    multipath = " -IsMultipathEnabled $true" if way.several else ""
    return (
        f"Connect-IscsiTarget -NodeAddress {_for_powershell(way.target)}"
        f" -TargetPortalAddress {address}"
        f" -TargetPortalPortNumber {port} -IsPersistent $true{multipath}{_windows_chap(way.chap)}"
    )


def _windows_chap(chap: Credentials | None) -> str:
    if chap is None:
        return ""
    kind = "MUTUALCHAP" if chap.mutual_userid else "ONEWAYCHAP"
    return (
        f" -AuthenticationType {kind} -ChapUsername {_for_powershell(chap.userid)}"
        f" -ChapSecret {_for_powershell(chap.password)}"
    )


def _for_powershell(text: str) -> str:
    """Return a text quoted for PowerShell."""
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


STEPS: dict[str, Callable[[Way], Iterator[Step]]] = {
    "linux": linux_steps,
    "windows": windows_steps,
    "esxi": esxi_steps,
    "freebsd": freebsd_steps,
}
"""By the operating system of the initiator."""
