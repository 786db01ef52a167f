# SPDX-License-Identifier: Apache-2.0
"""The Debian package on a bare Debian 12 with systemd: installed, used, rebooted, removed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import debianroot
from .debianguest import BareDebian, DebianGuest
from .guest.export import ADDRESS, SERVER
from .guest.shell import scenario

DISK = f"/dev/disk/by-path/ip-{ADDRESS}:3260-iscsi-{SERVER}-lun-0"
KEY = "0x123abc"
# Where an administrator's own doings leave files, beside what is forgotten or logged anyway.
OTHERS = (
    "/bed/",
    "/etc/iscsi/",
    "/etc/lvm/",
    "/srv/",
    "/tmp/",
    "/var/",
    "/etc/systemd/system/open-",
    # takeover disabled the service of Debian's rtslib, on which the package depends.
    *(f"/etc/rc{level}.d/K01rtslib-fb-targetctl" for level in range(2, 6)),
)
# On a host that is its own initiator, the login at boot is not to be waited for: the target comes
# after it, as what it exports may lie on disks of other targets.
LOGIN_MEANWHILE = """\
[Service]
Type=exec
ExecStart=
ExecStart=/sbin/iscsiadm -m node --loginall=automatic
"""


@pytest.fixture
def debian(package: Path, tmp_path: Path) -> Iterator[DebianGuest]:
    """Return a guest with a bare Debian that has booted, and the package in /bed."""
    reason = debianroot.missing()
    if reason:
        if os.environ.get("PYSHELL_REQUIRE_KERNEL", "") not in ("", "0"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    disk = debianroot.build(debianroot.dependencies(package))
    bed = tmp_path / "bed"
    bed.mkdir()
    shutil.copy(package, bed / "pyshell.deb")
    with BareDebian(disk, bed) as guest:
        assert guest.booted() == "running"
        yield guest


def test_the_package_serves_over_a_reboot_and_leaves_only_what_was_saved(
    debian: DebianGuest,
) -> None:
    before = files(debian)
    debian.run("apt-get install -y --no-install-recommends /bed/pyshell.deb")
    assert debian.run("systemctl is-enabled pyshell-restore.service || :") == "disabled\n"
    export(debian)
    digest = use(debian)
    debian.run("pyshell takeover")
    debian.run("systemctl enable --now pyshell-save.service")
    debian.run("pyshell /backstores/ramdisk create late 1M")

    assert debian.reboot() == "running"
    assert debian.run("systemctl is-active pyshell-restore.service") == "active\n"
    debian.run("pyshell /backstores/ramdisk/late status")  # saved at shutdown
    debian.run("pyshell diff running saved")
    saved = debian.run("cat /etc/target/saveconfig.json")
    assert f"Target: {SERVER} " in debian.run("iscsiadm -m session -P 1")
    assert debian.run("findmnt -n -o FSTYPE /srv/lee && sha256sum /srv/lee/data").split() == [
        "xfs", digest, "/srv/lee/data",
    ]  # fmt: skip
    # The kernel forgets registrations with the storage object, unless they are to persist.
    shown = debian.run(f"sg_persist --in --read-full-status {DISK}")
    assert f"Key={KEY}" in shown
    assert "type: Write Exclusive, registrants only" in shown

    debian.run("umount /srv/lee && iscsiadm -m node -u")
    debian.run("apt-get purge -y pyshell")
    left = [path for path in files(debian) - before if not path.startswith(OTHERS)]
    # What the save at shutdown replaced, and the registrations.
    kept = ("/etc/target/backup", "/etc/target/revisions", "/etc/target/pr")
    assert sorted(path for path in left if not path.startswith(kept)) == [
        "/etc/target", "/etc/target/saveconfig.json",
    ]  # fmt: skip
    assert debian.run("cat /etc/target/saveconfig.json") == saved
    # The line in fstab still names a unit, but there is none, and nothing of it runs.
    assert debian.run("systemctl list-units --no-legend 'pyshell*'") == ""
    assert debian.run("systemctl list-unit-files --no-legend 'pyshell*' || :") == ""
    assert debian.run("ls /sys/kernel/config/target/core") == "alua\n"


def files(debian: DebianGuest) -> set[str]:
    """Return the paths of all files of the disk."""
    return set(debian.run("find / -xdev").splitlines())


def export(debian: DebianGuest) -> None:
    """Make the volume of the owner's walk-through, and export it by that."""
    debian.run("pvcreate -q /dev/vdb && vgcreate -q lee /dev/vdb")
    debian.run("lvcreate -q -y -L 20G -n lee.lv lee")
    lines = "".join(f"{command}\n" for command, _ in scenario())
    shown = "".join(output for _, output in scenario())
    assert debian.run(f"pyshell <<'END'\n{lines}END").startswith(shown)


def use(debian: DebianGuest) -> str:
    """Log in for good, mount a file system for good, and return the digest of what is written."""
    found = debian.run(f"iscsiadm -m discovery -t st -p {ADDRESS}")
    assert found == f"{ADDRESS}:3260,1 {SERVER}\n"
    debian.run(f"iscsiadm -m node -T {SERVER} -o update -n node.startup -v automatic")
    dropin = "/etc/systemd/system/open-iscsi.service.d"
    debian.run(f"mkdir {dropin} && cat >{dropin}/meanwhile.conf <<'END'\n{LOGIN_MEANWHILE}END")
    debian.run(f"iscsiadm -m node -T {SERVER} -l && udevadm wait -t 60 {DISK}")
    debian.run(f"echo ,,L | sfdisk -q {DISK} && udevadm wait -t 60 {DISK}-part1")
    debian.run(f"mkfs.xfs -q {DISK}-part1 && mkdir /srv/lee")
    # As README says of a mount of the host's own disks.
    options = "_netdev,x-systemd.requires=pyshell-restore.service"
    debian.run(f"echo {DISK}-part1 /srv/lee xfs {options} 0 0 >>/etc/fstab")
    debian.run("systemctl daemon-reload && mount /srv/lee")
    debian.run("head -c 8M /dev/urandom >/srv/lee/data")
    debian.run(f"sg_persist --out --register --param-sark={KEY} --param-aptpl {DISK}")
    debian.run(f"sg_persist --out --reserve --param-rk={KEY} --prout-type=5 {DISK}")
    return debian.run("sha256sum </srv/lee/data").split()[0]
