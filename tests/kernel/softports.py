# SPDX-License-Identifier: Apache-2.0
"""Ports of fabrics that need hardware, made of software: FCoE and InfiniBand over nothing.

Debian's kernel runs FCoE without a switch (VN2VN) and InfiniBand's transport over Ethernet (RoCE)
on any network interface, so tcm_fc and srpt find ports; sbp takes names without any hardware.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import commands
from .commands import wait_for

# Locally administered addresses: the ports' names follow from them.
_INTERFACES = {"port0": "02:00:00:00:00:0a", "port1": "02:00:00:00:00:0b"}
_FCOE = Path("/sys/module/libfcoe/parameters")
MODULES = ("dummy", "rdma_rxe", "ib_srpt", "libfcoe", "fcoe", "tcm_fc", "sbp_target")


@contextmanager
def made() -> Iterator[None]:
    """Make two ports of InfiniBand and one of Fibre Channel, and take them away again."""
    commands.run("modprobe", "-a", *MODULES)
    for number, (name, address) in enumerate(_INTERFACES.items()):
        commands.run("ip", "link", "add", name, "address", address, "type", "dummy")
        commands.run("ip", "link", "set", name, "up")
        commands.run("rdma", "link", "add", f"rxe{number}", "type", "rxe", "netdev", name)
    (_FCOE / "create_vn2vn").write_text("port0")
    wait_for("the port of Fibre Channel", lambda: fc_names() or None)
    wait_for("the ports of InfiniBand", lambda: len(gids()) == len(_INTERFACES) or None)
    yield
    (_FCOE / "destroy").write_text("port0")
    for number, name in enumerate(_INTERFACES):
        commands.run("rdma", "link", "delete", f"rxe{number}")
        commands.run("ip", "link", "delete", name)


def gids() -> list[str]:
    """Return the names of the InfiniBand ports, as 32 hexadecimal digits."""
    found = sorted(Path("/sys/class/infiniband").glob("rxe*/ports/1/gids/0"))
    return [file.read_text().strip().replace(":", "") for file in found]


def fc_names() -> list[str]:
    """Return the names of the Fibre Channel ports, as 16 hexadecimal digits."""
    found = sorted(Path("/sys/class/fc_host").glob("host*/port_name"))
    return [file.read_text().strip().removeprefix("0x") for file in found]
