# SPDX-License-Identifier: Apache-2.0
"""`trace` on the real kernel: each hop is broken, named, fixed as printed, and the disk is seen."""

from __future__ import annotations

import json
import shlex
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from ..commands import run, wait_for
from ..initiator import NAME, Initiator
from .export import ADDRESS
from .shell import batch, pyshell

SECRET, ANOTHER = "secret-of-client", "secret-of-another"
FAR, OWN = "10.9.9.9", "192.168.56.105"
ADDRESS_V6 = "fd00::101"
TARGETS = Path("/sys/kernel/config/target")


def trace(*words: str, disk: str | None = "lee", initiator: str = NAME) -> Any:
    """Return what `trace` finds."""
    disks = [disk] if disk is not None else []
    ran = pyshell("-o", "json", "trace", initiator, *disks, *words, status=None)
    found = json.loads(ran.stdout)["result"]
    assert found["visible"] is (ran.returncode < 2)
    return found


def follow(found: Any, *, secret: str = SECRET, **words: str) -> None:
    """Run the printed commands, with real words in place of those in capitals."""
    for printed in found["commands"]:
        command = printed
        for word, real in words.items():
            command = command.replace(word, real)
        for part in command.split(" && "):
            if part.startswith("pyshell "):
                pyshell(*shlex.split(part)[1:], stdin=f"{secret}\n")
            else:
                run("sh", "-c", part.replace("| pyshell", f"| {sys.executable} -m pyshell"))


def named(code: str, found: Any) -> Any:
    """Return what is found; the first broken hop must be this one."""
    assert found["broken"]["code"] == code, found["message"]
    return found


class Disk:
    """The one disk and its target, made by what `trace` prints."""

    def __init__(self, initiator: Initiator, volume: Path) -> None:
        self.initiator = initiator
        found = trace(disk=str(volume))
        assert found["broken"]["code"] == "storage_object.missing"
        follow(found, **{f"to={NAME}": f"to={NAME} name=lee portal={ADDRESS}"})
        self.target = trace()["paths"][0]["target"]
        self.tpg = f"/iscsi/{self.target}/tpg1"
        self.acl = f"{self.tpg}/acls/{NAME}"
        self.folder = TARGETS / f"iscsi/{self.target}/tpgt_1"

    def is_fixed(self, *words: str) -> None:
        """Log in as printed, see the disk, and log out."""
        follow(named("session.missing", trace(*words)), ADDRESS=ADDRESS)
        self.is_seen()

    def is_seen(self) -> None:
        """Check that the logged-in initiator sees the disk, and log it out."""
        found = trace()
        assert found["visible"], found["message"]
        assert found["broken"] is None
        assert self.initiator.disk(self.target).exists()
        self.initiator.logout(self.target)

    def offer(self, **settings: str) -> int:
        """Configure CHAP at the initiator, try to log in and return iscsiadm's status."""
        for name, value in settings.items():
            run("iscsiadm", "-m", "node", "-T", self.target, "-o", "update",
                "-n", f"node.session.auth.{name}", "-v", value)  # fmt: skip
        return self.initiator.try_login(self.target).returncode


def test_each_hop_that_the_kernel_judges_is_named_and_fixed(
    lee: Path, initiator: Initiator
) -> None:
    initiator.start()
    disk = Disk(initiator, lee)
    batch(f"{disk.tpg}/portals delete {ADDRESS} 3260", f"{disk.tpg}/luns delete lun0",
          f"{disk.tpg} disable")  # fmt: skip
    for code in ("portal.missing", "tpg.disabled", "lun.missing"):
        follow(named(code, trace()))
    disk.is_fixed()
    batch(f"{disk.acl} delete mapped_lun=0")
    (disk.folder / f"acls/{NAME}/lun_7").mkdir()
    follow(named("mapping.broken", trace(disk=None)))
    follow(named("mapping.missing", trace()))
    (link,) = (one for one in (disk.folder / "lun/lun_0").iterdir() if one.is_symlink())
    link.unlink()
    follow(named("lun.broken", trace(disk=None)))
    follow(named("lun.missing", trace()))
    disk.is_fixed()
    batch(f"{disk.tpg}/acls delete {NAME}")
    assert initiator.try_login(disk.target).returncode != 0
    found = named("acl.missing", trace())
    assert "the kernel log shows that it tried to log in" in found["message"]
    follow(found)
    disk.is_fixed()


def test_chap_as_the_kernel_refused_it_is_named_and_fixed(lee: Path, initiator: Initiator) -> None:
    initiator.start()
    disk = Disk(initiator, lee)
    initiator.discover(ADDRESS)
    batch(f"{disk.tpg} set attribute authentication=1")
    follow(named("chap.unset", trace()))
    assert disk.offer() != 0
    found = named("chap.missing", trace())
    assert f"from {OWN}, was refused" in found["message"]
    (command,) = found["commands"]
    assert SECRET in pyshell(*shlex.split(command)[1:]).stdout
    assert disk.offer(authmethod="CHAP", username="client", password=ANOTHER) != 0
    follow(named("chap.secret", trace()), secret=ANOTHER)
    assert disk.offer() == 0
    disk.is_seen()
    assert disk.offer(password=SECRET) != 0
    run("dmesg", "--clear")  # which alone has the reason
    follow(named("chap.refused", trace()))
    assert disk.offer() == 0
    disk.is_seen()
    assert disk.offer(username="stranger") != 0
    found = named("chap.name", trace())
    assert SECRET not in json.dumps(found)
    follow(found, NAME="stranger")
    assert disk.offer() == 0
    disk.is_seen()
    batch(f"{disk.tpg} set attribute authentication=0")
    assert disk.offer() != 0
    found = named("chap.negotiation", trace())
    assert "which is not required here" in found["message"]
    follow(found)
    assert disk.offer() == 0
    disk.is_seen()


def block() -> None:
    """Refuse connections to portals."""
    chain = "{ type filter hook input priority 0; }"
    run("nft", "add table inet filter")
    run("nft", f"add chain inet filter input {chain}")
    run("nft", "add rule inet filter input tcp dport 3260 reject with tcp reset")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((ADDRESS, 3260)).close()


def test_the_network_and_the_device_are_those_of_the_host(lee: Path, initiator: Initiator) -> None:
    initiator.start()
    disk = Disk(initiator, lee)
    batch(f"{disk.tpg}/portals delete {ADDRESS} 3260")
    # As by a program in a container without the host's network.
    run("unshare", "--net", "mkdir", str(disk.folder / f"np/{ADDRESS}:3260"))
    follow(named("portal.closed", trace()))
    block()
    follow(named("firewall.blocked", trace(f"from={OWN}")))
    disk.is_fixed(f"from={OWN}")
    run("nft", "delete table inet filter")
    run("ip", "addr", "add", f"{ADDRESS_V6}/128", "dev", "lo")
    follow(named("address.family", trace(f"from={ADDRESS_V6}")), ADDRESS=ADDRESS_V6)
    disk.is_fixed(f"from={ADDRESS_V6}")
    batch(f"{disk.tpg}/portals delete {ADDRESS_V6} 3260")
    run("ip", "addr", "del", f"{ADDRESS_V6}/128", "dev", "lo")
    run("ip", "addr", "add", "192.168.56.109/32", "dev", "lo")
    batch(f"{disk.tpg}/portals delete {ADDRESS} 3260",
          f"{disk.tpg}/portals create 192.168.56.109")  # fmt: skip
    run("ip", "addr", "del", "192.168.56.109/32", "dev", "lo")
    follow(named("address.missing", trace()), ADDRESS=ADDRESS)
    batch(f"{disk.tpg}/portals delete 192.168.56.109 3260")
    run("ip", "route", "add", "192.168.57.0/24", "dev", "lo")
    follow(named("route.missing", trace(f"from={FAR}")), GATEWAY="192.168.57.1")
    named("session.missing", trace(f"from={FAR}"))
    image, moved = Path("/run/traced.img"), Path("/run/moved.img")
    (TARGETS / "core/fileio_77/image").mkdir(parents=True)
    follow(named("storage_object.unconfigured", trace(disk="image")))
    pyshell("share", str(image), "size=16M", f"to={NAME}", f"target={disk.target}", "name=image")
    image.rename(moved)
    follow(named("device.missing", trace(disk="image")), **{"/NEW/PATH": str(moved)})
    named("session.missing", trace(disk="image"))
    disk.is_fixed()
    moved.unlink()


def test_a_nexus_is_named_and_set(clean_lio: None, tmp_path: Path) -> None:
    target = "naa.5001405000000001"
    batch("/backstores/ramdisk create name=memory size=8M", f"/loopback create {target}")
    nexus = TARGETS / f"loopback/{target}/tpgt_1/nexus"
    name = nexus.read_text().strip()
    nexus.write_text("NULL")
    found = named("nexus.missing", trace(initiator=name, disk="memory"))
    follow(found, FILE=str(tmp_path / "file"))
    generated = nexus.read_text().strip()
    follow(named("lun.missing", trace(initiator=generated, disk="memory")))
    wait_for("the disk", lambda: "memory" in scsi_models())
    found = named("nexus.other", trace(initiator=name, disk="memory"))
    assert found["commands"] == [f"pyshell trace {generated} /backstores/ramdisk/memory"]
    follow(found)


def scsi_models() -> list[str]:
    """Return the models of the host's SCSI devices."""
    found = Path("/sys/class/scsi_device").glob("*/device/model")
    return [model.read_text().strip() for model in found]
