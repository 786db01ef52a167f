# SPDX-License-Identifier: Apache-2.0
"""The Debian packages on a bare Debian with systemd: installed, used, rebooted, removed.

Only the first test with Debian 12 runs always, as each takes some minutes: PYSHELL_TEST_BARE=all
also runs it with Debian 13 and its kernel, and the second one with both.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from . import debianroot
from .debianguest import BareDebian, DebianGuest
from .debianroot import Extras
from .guest.export import ADDRESS, SERVER
from .guest.shell import scenario

RELEASES = ("bookworm", "trixie")
ALL = os.environ.get("PYSHELL_TEST_BARE") == "all"
TARGETCLI = Path(__file__).with_name("debian_targetcli.sh")
THEIRS = "/etc/rtslib-fb-target"
UNITS = ("pyshell-restore.service", "rtslib-fb-targetctl.service")
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


def by_hand(release: str) -> object:
    """Return a parameter of a test that runs if all are asked for."""
    marks = pytest.mark.skipif(not ALL, reason="it takes minutes: PYSHELL_TEST_BARE=all runs it")
    return pytest.param(release, marks=marks)


@contextmanager
def bare(
    release: str, package: Path, folder: Path, patch: pytest.MonkeyPatch, extras: Extras
) -> Iterator[DebianGuest]:
    """Start a guest with a bare Debian of a release, its kernel, and the packages in /bed."""
    if release != debianroot.RELEASE:
        patch.setenv("PYSHELL_BED_KERNEL", release)
    reason = debianroot.missing()
    if reason:
        if os.environ.get("PYSHELL_REQUIRE_KERNEL", "") not in ("", "0"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    disk = debianroot.build(debianroot.dependencies(package), extras)
    bed = folder / "bed"
    bed.mkdir()
    shutil.copy(package, bed / "pyshell.deb")
    (targetcli,) = package.parent.glob("pyshell-targetcli_*.deb")
    shutil.copy(targetcli, bed / "pyshell-targetcli.deb")
    with BareDebian(disk, bed) as guest:
        assert guest.booted() == "running"
        yield guest


@pytest.mark.parametrize("release", [RELEASES[0], by_hand(RELEASES[1])])
def test_the_package_serves_over_a_reboot_and_leaves_only_what_was_saved(
    release: str, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = "debian" if release == debianroot.RELEASE else f"debian-{release}"
    with bare(release, package, tmp_path, monkeypatch, Extras(folder, release=release)) as debian:
        serve_and_leave(debian)


def serve_and_leave(debian: DebianGuest) -> None:
    """Install, use, reboot and purge the package."""
    before = files(debian)
    debian.run("apt-get install -y --no-install-recommends /bed/pyshell.deb")
    assert debian.run("systemctl is-enabled pyshell-restore.service || :") == "disabled\n"
    # No start has to compile it.
    debian.run("ls /usr/lib/python3/dist-packages/pyshell/__pycache__/cli.*.pyc")
    export(debian)
    digest = use(debian)
    use_at_boot(debian)
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
    assert debian.run("systemctl is-enabled rtslib-fb-targetctl.service") == "enabled\n"
    # The line in fstab still names a unit, but there is none, and nothing of it runs.
    assert debian.run("systemctl list-units --no-legend 'pyshell*'") == ""
    assert debian.run("systemctl list-unit-files --no-legend 'pyshell*' || :") == ""
    assert debian.run("ls /sys/kernel/config/target/core") == "alua\n"


@pytest.mark.parametrize("release", [by_hand(release) for release in RELEASES])
def test_pyshell_takes_the_place_of_targetcli_and_gives_it_back(
    release: str, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = ("targetcli-fb", "python3-prometheus-client")
    folder = f"debian-{release}-targetcli"
    extras = Extras(folder, packages, hook=TARGETCLI, release=release)
    with bare(release, package, tmp_path, monkeypatch, extras) as debian:
        make_volume(debian)
        lines = "".join(f"{command}\n" for command, _ in scenario())
        debian.run(f"targetcli <<'END'\n{lines}saveconfig\nEND")
        replace_and_give_back(debian, use(debian))


def replace_and_give_back(debian: DebianGuest, digest: str) -> None:
    """Replace targetcli-fb, which exports a disk that is in use, and install it again."""
    debian.run(f"cp {THEIRS}/saveconfig.json /bed/before.json")
    debian.run("apt-get install -y --no-install-recommends /bed/pyshell.deb /bed/pyshell-target*")
    assert debian.run("readlink /usr/bin/targetcli") == "pyshell\n"
    assert states(debian) == ["enabled", "disabled"]
    debian.run(f"cmp {THEIRS}/saveconfig.json /etc/target/saveconfig.json")
    assert content(debian) == digest
    debian.run("targetcli /backstores/ramdisk create late 1M && targetcli saveconfig")
    tree = debian.run("targetcli ls")
    debian.run("umount /srv/lee")

    assert debian.reboot() == "running"
    assert debian.run("targetcli ls") == tree
    debian.run(f"udevadm wait -t 60 {DISK}-part1 && mount {DISK}-part1 /srv/lee")
    assert content(debian) == digest
    update(debian)
    assert content(debian) == digest

    debian.run("apt-get install -y --no-install-recommends /srv/targetcli-fb_*.deb")
    assert states(debian) == ["disabled", "enabled"]
    debian.run(f"cmp {THEIRS}/saveconfig.json /etc/target/saveconfig.json")
    (backup,) = debian.run(f"find {THEIRS}/backup -name '*.gz'").split()
    debian.run(f"zcat {backup} | cmp - /bed/before.json")
    assert content(debian) == digest  # the target still runs
    debian.run("umount /srv/lee && apt-get purge -y pyshell")

    assert debian.reboot() == "running"
    assert debian.run("systemctl is-active rtslib-fb-targetctl.service") == "active\n"
    assert "o- late" in debian.run("targetcli ls")
    # rtslib's unit does not wait for volumes at boot, and may have left this one out (field failure
    # 3); so it restores again. The initiator's login at boot may have failed or not.
    debian.run(f"iscsiadm -m node -T {SERVER} -u || :")
    debian.run("systemctl restart rtslib-fb-targetctl.service")
    debian.run(f"iscsiadm -m node -T {SERVER} -l")
    debian.run(f"udevadm wait -t 60 {DISK}-part1 && mount {DISK}-part1 /srv/lee")
    assert content(debian) == digest


def update(debian: DebianGuest) -> None:
    """Update pyshell, whose metrics are served, and rtslib, whose unit would clear the target."""
    shown = "systemctl show -P MainPID pyshell-metrics.service"
    debian.run("systemctl start pyshell-metrics.service")
    before = debian.run(shown)
    debian.run("dpkg -i /bed/pyshell.deb")
    after = debian.run(shown)
    assert "0\n" not in (before, after)
    assert after != before
    debian.run("dpkg -i /srv/python3-rtslib-fb_*.deb")
    assert states(debian) == ["enabled", "disabled"]
    assert debian.run("systemctl is-active pyshell-restore.service") == "active\n"


def states(debian: DebianGuest) -> list[str]:
    """Return which units restore the target at boot: pyshell's, and rtslib's."""
    return debian.run(f"systemctl is-enabled {' '.join(UNITS)} || :").split()


def content(debian: DebianGuest) -> str:
    """Return the digest of what was written to the disk, as read from it."""
    debian.run("echo 3 >/proc/sys/vm/drop_caches")
    return debian.run("sha256sum </srv/lee/data").split()[0]


def files(debian: DebianGuest) -> set[str]:
    """Return the paths of all files of the disk."""
    return set(debian.run("find / -xdev").splitlines())


def export(debian: DebianGuest) -> None:
    """Make the volume of the owner's walk-through, and export it by that."""
    make_volume(debian)
    lines = "".join(f"{command}\n" for command, _ in scenario())
    shown = "".join(output for _, output in scenario())
    assert debian.run(f"pyshell <<'END'\n{lines}END").startswith(shown)


def make_volume(debian: DebianGuest) -> None:
    """Make the volume of the owner's walk-through."""
    debian.run("pvcreate -q /dev/vdb && vgcreate -q lee /dev/vdb")
    debian.run("lvcreate -q -y -L 20G -n lee.lv lee")


def use(debian: DebianGuest) -> str:
    """Log in for good, mount a file system, and return the digest of what is written."""
    found = debian.run(f"iscsiadm -m discovery -t st -p {ADDRESS}")
    assert found == f"{ADDRESS}:3260,1 {SERVER}\n"
    debian.run(f"iscsiadm -m node -T {SERVER} -o update -n node.startup -v automatic")
    dropin = "/etc/systemd/system/open-iscsi.service.d"
    debian.run(f"mkdir {dropin} && cat >{dropin}/meanwhile.conf <<'END'\n{LOGIN_MEANWHILE}END")
    debian.run(f"iscsiadm -m node -T {SERVER} -l && udevadm wait -t 60 {DISK}")
    debian.run(f"echo ,,L | sfdisk -q {DISK} && udevadm wait -t 60 {DISK}-part1")
    debian.run(f"mkfs.xfs -q {DISK}-part1 && mkdir /srv/lee")
    debian.run(f"mount {DISK}-part1 /srv/lee && head -c 8M /dev/urandom >/srv/lee/data && sync")
    return debian.run("sha256sum </srv/lee/data").split()[0]


def use_at_boot(debian: DebianGuest) -> None:
    """Mount the file system for good, and reserve the disk for good."""
    # As README says of a mount of the host's own disks.
    options = "_netdev,x-systemd.requires=pyshell-restore.service"
    debian.run(f"echo {DISK}-part1 /srv/lee xfs {options} 0 0 >>/etc/fstab")
    debian.run("umount /srv/lee && systemctl daemon-reload && mount /srv/lee")
    debian.run(f"sg_persist --out --register --param-sark={KEY} --param-aptpl {DISK}")
    debian.run(f"sg_persist --out --reserve --param-rk={KEY} --prout-type=5 {DISK}")
