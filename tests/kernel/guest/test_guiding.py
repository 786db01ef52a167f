# SPDX-License-Identifier: Apache-2.0
"""Every command of `guide` for Linux, as printed, on a host with systemd, udev and open-iscsi."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ..commands import run
from ..initiator import NAME
from .export import ADDRESS, SERVER
from .shell import pyshell
from .systemd import UNITS, Systemd, booted

OTHER_ADDRESS = "192.168.56.105"
FSTAB = Path("/etc/fstab")
ISCSID_CONF = "/etc/iscsi/iscsid.conf"
MULTIPATH = Path("/etc/multipath.conf")
_UNITS = ("iscsid.service", "iscsid.socket", "open-iscsi.service", "multipathd.service",
          "multipathd.socket")  # fmt: skip
# The bed's systemd takes itself for one in a container, which multipathd has no business in.
_NO_CONTAINER = "[Unit]\nConditionVirtualization=\n"


@pytest.fixture
def host(clean_lio: None) -> Iterator[Systemd]:
    """Return a host without a session, whose /etc is as before afterwards."""
    fstab = FSTAB.read_text() if FSTAB.exists() else ""
    FSTAB.write_text("")
    _install_configuration()
    with booted(wait=1, more=_UNITS) as systemd:
        dropin = UNITS / "multipathd.service.d"
        dropin.mkdir()
        (dropin / "bed.conf").write_text(_NO_CONTAINER)
        systemd("daemon-reload")
        try:
            yield systemd
        finally:
            for line in (
                "umount -a -t xfs,ext4", "multipath -F", "iscsiadm -m node -u",
                "iscsiadm -m node -o delete", "systemctl stop multipathd iscsid",
            ):  # fmt: skip
                with contextlib.suppress(AssertionError):
                    systemd.shell(line)
            Path(ISCSID_CONF).unlink()
            FSTAB.write_text(fstab)
            MULTIPATH.unlink(missing_ok=True)


def _install_configuration() -> None:
    """Put open-iscsi's own configuration, which the bed hides, where its package has it."""
    with TemporaryDirectory() as folder:
        run("mount", "--bind", "/", folder)  # without what is mounted over parts of it
        shutil.copy(f"{folder}{ISCSID_CONF}", ISCSID_CONF)
        run("umount", folder)


def follow(host: Systemd, *options: str) -> list[str]:
    """Run each line of the guide as it is printed, and return the lines."""
    lines = pyshell("guide", SERVER, "show_secrets=true", *options).stdout.splitlines()
    commands = [line for line in lines if line and not line.startswith("#")]
    for command in commands:
        host.shell(command)
    return commands


def keeps_data(host: Systemd, folder: str, kind: str) -> None:
    """See that a file system is mounted, as fstab alone mounts it again, and keeps its data."""
    assert host.shell(f"findmnt -n -o FSTYPE {folder}").stdout.strip() == kind
    host.shell(f"echo written > {folder}/file && umount {folder}")
    (line,) = FSTAB.read_text().splitlines()
    assert line.split()[1:4] == [folder, kind, "_netdev"]
    host.shell("mount -a")
    assert host.shell(f"cat {folder}/file").stdout == "written\n"


def test_each_command_for_linux_runs_and_ends_in_a_mounted_disk(lee: Path, host: Systemd) -> None:
    pyshell("share", str(lee), f"to={NAME}", "name=lee_block", f"target={SERVER}",
            f"portal={ADDRESS}", "chap=mutual")  # fmt: skip
    commands = follow(host)
    assert any("password_in" in command for command in commands)
    keeps_data(host, "/mnt/lee_block", "xfs")
    for command in commands[-3:]:  # pasted again, they neither erase it nor write a line twice
        host.shell(command)
    (formatting,) = [command for command in commands if "mkfs" in command]
    assert 'TYPE="xfs"' in host.shell(formatting).stdout
    assert host.shell("cat /mnt/lee_block/file").stdout == "written\n"
    assert len(FSTAB.read_text().splitlines()) == 1
    assert "terminate the session" in pyshell("--dry-run", "unshare", str(lee)).stdout


def test_each_command_runs_where_two_ways_lead_to_a_disk(host: Systemd) -> None:
    run("modprobe", "-a", "dm_multipath", "dm_service_time")
    pyshell("share", "/run/small.img", "size=64M", f"to={NAME}", f"target={SERVER}",
            f"portal={ADDRESS},{OTHER_ADDRESS}", "name=small")  # fmt: skip
    secrets = "userid=finder password=a-long-secret mutual_userid=me mutual_password=b-long-secret"
    pyshell("/iscsi", "set", "discovery_auth", "enable=true", *secrets.split())
    try:
        commands = follow(host)
        assert any("discoverydb" in command for command in commands)
        ways = host.shell("multipath -ll").stdout
        assert ways.count("active ready running") == 2, ways
        keeps_data(host, "/mnt/small", "ext4")
    finally:
        pyshell("/iscsi", "set", "discovery_auth", "enable=false", "userid=", "password=",
                "mutual_userid=", "mutual_password=")  # fmt: skip
