# SPDX-License-Identifier: Apache-2.0
"""Names, addresses and times of the suite, and the cluster's configuration made of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FILES = Path(__file__).with_name("files")
# What exports the disk: resources for the group.
PYSHELL, STOCK = "target-pyshell.xml", "target-stock.xml"
NODES = ("node1", "node2")
INITIATOR = "initiator"
CLUSTER_ADDRESSES = {"node1": "192.168.57.11", "node2": "192.168.57.12"}
ADDRESSES = {"node1": "192.168.56.11", "node2": "192.168.56.12", INITIATOR: "192.168.56.105"}
SERVICE_ADDRESS = "192.168.56.101"
TARGET = "iqn.2020-07.192.168.56.101:server"
INITIATOR_NAME = "iqn.2020-07.192.168.56.105:client"
OTHER_INITIATOR_NAME = "iqn.2020-07.192.168.56.106:client"
SERIAL = "8d2b4f5e-0001-4000-8000-000000000001"
DOCUMENT = "/etc/target/cluster/disk1.json"
STATE = "/srv/disk1-state"
DISK = f"/dev/disk/by-path/ip-{SERVICE_ADDRESS}:3260-iscsi-{TARGET}-lun-0"
DATA_MEGABYTES = 96
STATE_MEGABYTES = 32
GROWTH_MEGABYTES = 16


@dataclass(frozen=True)
class Times:
    """Seconds that decide how long a takeover takes; a record names them."""

    token: float = 20.0
    # sbd's: a node resets itself after the first, the other believes it after the second.
    watchdog: int = 15
    message: int = 30
    # The initiator's.
    replacement: int = 600

    @property
    def stonith(self) -> int:
        """Seconds that Pacemaker waits for a fence."""
        return self.message * 2 + 30


def hardware_address(guest: str, card: int) -> str:
    """Return the hardware address of a guest's network card."""
    number = [*NODES, INITIATOR].index(guest) + 1
    return f"52:54:00:00:{card:02x}:{number:02x}"


def filled(name: str, times: Times, export: str = PYSHELL) -> str:
    """Return a file of the nodes with its fields filled in; `export` has the target's resources."""
    resources = (FILES / export).read_text()
    # targetcli, which the stock agents run, refuses an address that the node does not have yet.
    slots = {
        "@BEFORE_ADDRESS@": resources if export == PYSHELL else "",
        "@AFTER_ADDRESS@": resources if export != PYSHELL else "",
    }
    fields = {
        "TOKEN": f"{times.token * 1000:.0f}",
        "CLUSTER1": CLUSTER_ADDRESSES["node1"],
        "CLUSTER2": CLUSTER_ADDRESSES["node2"],
        "STONITH": str(times.stonith),
        "SERVICE_ADDRESS": SERVICE_ADDRESS,
        "TARGET": TARGET,
        "INITIATOR": INITIATOR_NAME,
        "SERIAL": SERIAL,
        "DOCUMENT": DOCUMENT,
        "STATE": STATE,
    }
    text = (FILES / name).read_text()
    for slot, content in slots.items():
        text = text.replace(slot, content)
    return re.sub(r"@([A-Z0-9_]+)@", lambda found: fields[found[1]], text)
