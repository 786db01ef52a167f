# SPDX-License-Identifier: Apache-2.0
"""The resource agents of Debian that run targetcli, each by the tester of their own package."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

SERVER = "iqn.2020-07.com.example:server"
CLIENT = "iqn.2020-07.com.example:client"
ADDRESS = "192.168.56.101"
FOLDER = "/usr/lib/ocf/resource.d/heartbeat"
TESTER = "ocf-tester"
PASSED = "passed all tests"


@dataclass(frozen=True)
class Trial:
    """One run of the tester: an agent, the resource's name, and its parameters."""

    agent: str
    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    before: str = ":"
    """A line of shell that makes what the agent expects; {disk} is a block device."""

    def command(self, tester: str, **places: str) -> list[str]:
        """Return the tester's command line; `places` fill in the parameters."""
        given = {"implementation": "lio-t", **self.parameters}
        options = [f"{name}={value.format(**places)}" for name, value in given.items()]
        words = [word for option in options for word in ("-o", option)]
        return [tester, "-v", "-n", self.name, *words, f"{FOLDER}/{self.agent}"]

    def line(self, tester: str = TESTER, **places: str) -> str:
        """Return the same as a line of shell, with what is to be there before."""
        # The tester leaves the resource started.
        clear = "targetcli clearconfig confirm=True"
        return f"{clear} && {self.before} && {shlex.join(self.command(tester, **places))}"


_TARGET = f"targetcli /iscsi create {SERVER}"
TRIALS = {
    "iSCSITarget, demo mode": Trial("iSCSITarget", "target1", {"iqn": SERVER}),
    "iSCSITarget, portal, two initiators, CHAP": Trial(
        "iSCSITarget",
        "target2",
        {
            "iqn": SERVER,
            "portals": f"{ADDRESS}:3260",
            "allowed_initiators": f"{CLIENT}1 {CLIENT}2",
            "incoming_username": "user",
            "incoming_password": "secret-of-user",
        },
    ),
    "iSCSILogicalUnit, block": Trial(
        "iSCSILogicalUnit",
        "lun1",
        {
            **{"target_iqn": SERVER, "lun": "1", "path": "{disk}", "scsi_sn": "8d2b4f5e"},
            **{"emulate_tpu": "1", "emulate_3pc": "1", "emulate_caw": "0"},
        },
        _TARGET,
    ),
    "iSCSILogicalUnit, fileio, one initiator": Trial(
        "iSCSILogicalUnit",
        "lun2",
        {
            **{"target_iqn": SERVER, "lun": "0", "path": "/var/tmp/lun2.img"},
            **{"liot_bstype": "fileio", "allowed_initiators": f"{CLIENT}1"},
        },
        f"truncate -s 64M /var/tmp/lun2.img && {_TARGET}",
    ),
}


def outcome(output: str) -> str:
    """Return `passed`, or what the tester found."""
    found = [line for line in output.splitlines() if line.startswith("* rc=")]
    if not found and PASSED in output:
        return "passed"
    return f"failed: {' '.join(found) or output[-200:]}"
