# SPDX-License-Identifier: Apache-2.0
"""`trace` on the real kernel: each hop is broken, named, fixed as printed, and the disk is seen."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from ..commands import run
from ..initiator import NAME, Initiator
from .export import ADDRESS
from .shell import batch, pyshell

SECRET = "secret-of-client"
FAR = "10.9.9.9"


def trace(*words: str, disk: str = "lee") -> Any:
    """Return what `trace` finds."""
    ran = pyshell("-o", "json", "trace", NAME, disk, *words, status=None)
    found = json.loads(ran.stdout)["result"]
    assert found["visible"] is (ran.returncode < 2)
    return found


def follow(found: Any, **words: str) -> None:
    """Run the printed commands, with real words in place of those in capitals."""
    for printed in found["commands"]:
        command = printed
        for word, real in words.items():
            command = command.replace(word, real)
        if command.startswith("pyshell "):
            pyshell(*shlex.split(command)[1:], stdin=f"{SECRET}\n")
        else:
            run("sh", "-c", command.replace("| pyshell", "| .venv/bin/python -m pyshell"))


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

    def is_fixed(self) -> None:
        """Log in as printed, see the disk, and log out."""
        found = trace()
        assert found["broken"]["code"] == "session.missing", found["message"]
        follow(found, ADDRESS=ADDRESS)
        found = trace()
        assert found["visible"], found["message"]
        assert found["broken"] is None
        assert self.initiator.disk(self.target).exists()
        self.initiator.logout(self.target)

    def is_named(self, code: str) -> Any:
        """Return what is found; the first broken hop must be this one."""
        found = trace()
        assert found["broken"]["code"] == code, found["message"]
        return found

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
        follow(disk.is_named(code))
    disk.is_fixed()
    batch(f"{disk.acl} delete mapped_lun=0")
    follow(disk.is_named("mapping.missing"))
    batch(f"{disk.tpg}/acls delete {NAME}")
    assert initiator.try_login(disk.target).returncode != 0
    found = disk.is_named("acl.missing")
    assert "the kernel log shows that it tried to log in" in found["message"]
    follow(found)
    disk.is_fixed()


def test_chap_as_the_kernel_refused_it_is_named_and_fixed(lee: Path, initiator: Initiator) -> None:
    initiator.start()
    disk = Disk(initiator, lee)
    initiator.discover(ADDRESS)
    batch(f"{disk.tpg} set attribute authentication=1")
    follow(disk.is_named("chap.unset"))
    assert disk.offer() != 0
    found = disk.is_named("chap.missing")
    assert "from 192.168.56.105, was refused" in found["message"]
    (command,) = found["commands"]
    assert SECRET in pyshell(*shlex.split(command)[1:]).stdout
    assert disk.offer(authmethod="CHAP", username="client", password="secret-of-another") != 0
    disk.is_named("chap.secret")
    assert disk.offer(username="stranger", password=SECRET) != 0
    found = disk.is_named("chap.name")
    assert SECRET not in json.dumps(found)
    assert disk.offer(username="client") == 0
    assert trace()["broken"] is None
    initiator.logout(disk.target)
    batch(f"{disk.tpg} set attribute authentication=0")
    assert disk.offer() != 0
    assert "which is not required here" in disk.is_named("chap.negotiation")["message"]


def test_address_route_and_device_are_those_of_the_host(lee: Path, initiator: Initiator) -> None:
    initiator.start()
    disk = Disk(initiator, lee)
    run("ip", "addr", "add", "192.168.56.109/32", "dev", "lo")
    batch(f"{disk.tpg}/portals delete {ADDRESS} 3260",
          f"{disk.tpg}/portals create 192.168.56.109")  # fmt: skip
    run("ip", "addr", "del", "192.168.56.109/32", "dev", "lo")
    follow(disk.is_named("address.missing"), ADDRESS=ADDRESS)
    batch(f"{disk.tpg}/portals delete 192.168.56.109 3260")
    run("ip", "route", "add", "192.168.57.0/24", "dev", "lo")
    found = trace(f"from={FAR}")
    assert found["broken"]["code"] == "route.missing"
    follow(found, GATEWAY="192.168.57.1")
    assert trace(f"from={FAR}")["broken"]["code"] == "session.missing"
    image, moved = Path("/run/traced.img"), Path("/run/moved.img")
    pyshell("share", str(image), "size=16M", f"to={NAME}", f"target={disk.target}", "name=image")
    image.rename(moved)
    found = trace(disk="image")
    assert found["broken"]["code"] == "device.missing"
    follow(found, **{"/NEW/PATH": str(moved)})
    assert trace(disk="image")["broken"]["code"] == "session.missing"
    disk.is_fixed()
    moved.unlink()
