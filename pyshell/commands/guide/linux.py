# SPDX-License-Identifier: Apache-2.0
"""The guide for Linux with open-iscsi, from packages to a line in fstab."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from pyshell.commands.guide.facts import Credentials, Disk, Way
from pyshell.commands.guide.steps import Step, step
from pyshell.names import size_text

_XFS_LEAST = 300 << 20
"""mkfs.xfs makes none that is smaller."""
_NODE = "node.session.auth"
_DISCOVERY = "discovery.sendtargets.auth"


def steps(way: Way) -> Iterator[Step]:
    """Yield the steps. Each line is a command for root's shell."""
    yield _packages(way)
    if way.initiator:
        yield step(
            "The name by which the target lets this host in. Sessions that are open keep theirs.",
            f"echo {quote(f'InitiatorName={way.initiator}')} > /etc/iscsi/initiatorname.iscsi",
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
            f"Discovery, which must name {way.target}", f"iscsiadm -m discovery -t st -p {portal}"
        )
        return
    known = f"iscsiadm -m discoverydb -t st -p {portal}"
    yield step(
        f"Discovery, for which the target wants CHAP, too. It must name {way.target}",
        f"{known} -o new",
        *_chap(known, _DISCOVERY, way.discovery),
        f"{known} --discover",
    )


def _chap(start: str, prefix: str, chap: Credentials) -> Iterator[str]:
    values = {"authmethod": "CHAP", "username": chap.userid, "password": chap.password}
    if chap.mutual_userid:
        values |= {"username_in": chap.mutual_userid, "password_in": chap.mutual_password}
    for name, value in values.items():
        yield f"{start} -o update -n {prefix}.{name} -v {quote(value)}"


def _multipath() -> Step:
    return step(
        "Several ways to the disk, joined to one (Fedora, RHEL: first 'mpathconf --enable')",
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
    """Return the names of a disk by the ways to it."""
    return [
        f"/dev/disk/by-path/ip-{address}:{port}-iscsi-{way.target}-lun-{disk.lun}"
        for address, port in way.portals
    ]


def by_id(way: Way, disk: Disk) -> str:
    """Return the name of a disk that stays the same whatever the ways to it."""
    if disk.naa is None:
        return by_path(way, disk)[0]
    if way.several:
        return f"/dev/disk/by-id/dm-uuid-mpath-3{disk.naa}"
    return f"/dev/disk/by-id/wwn-0x{disk.naa}"


def _disk(way: Way, disk: Disk) -> Iterator[Step]:
    size = f", {size_text(disk.size)}" if disk.size else ""
    name, kind = by_id(way, disk), _kind(disk)
    folder = f"/mnt/{disk.name}"
    yield step(
        f"LUN {disk.lun} is {disk.path}{size}. Its names here, by way and for good",
        *(f"ls -l {quote(path)}" for path in by_path(way, disk)),
        f"ls -l {quote(name)}",
    )
    about = []
    if disk.others:
        about.append(f"{', '.join(disk.others)} can have this disk, too:")
        about.append("only one host at a time may mount such a file system.")
    if disk.read_only:
        about.append("It can only be read. Mount the file system that is on it, if there is one")
    else:
        about.append("A file system on all of it, where it holds nothing yet")
        yield step(about, f"blkid -p {quote(name)} || mkfs.{kind} {quote(name)}")
        about = ["Mount it, now and at boot once the network is up"]
    options = "ro,_netdev" if disk.read_only else "_netdev"
    # Pasted again, or after a step that failed, it leaves no line twice and none of what is absent.
    seen = "blkid -p" if disk.read_only else "test -b"
    line = quote(f"{name} {_in_fstab(folder)} {kind} {options} 0 0")
    once = f"grep -qF {quote(f'{name} ')} /etc/fstab || echo {line} >> /etc/fstab"
    yield step(
        about,
        f"mkdir -p {quote(folder)}",
        f"{seen} {quote(name)} && {{ {once}; }}",
        "mount -a",
    )


def _in_fstab(text: str) -> str:
    """Return a path as fstab wants it: a backslash begins the number of a character."""
    return text.replace("\\", "\\134").replace(" ", "\\040")
