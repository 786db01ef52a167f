# SPDX-License-Identifier: Apache-2.0
"""The target side of the owner's scenario, made in one place for all tests that need it."""

from __future__ import annotations

from pathlib import Path

from ..initiator import NAME, Chap
from .shell import batch

SERVER = "iqn.2020-07.192.168.56.101:server"
TPG = f"/iscsi/{SERVER}/tpg1"
ADDRESS = "192.168.56.101"


def export_lee(
    volume: Path,
    chap: Chap | None = None,
    chap_of_target: Chap | None = None,
    config: Path | None = None,
) -> None:
    """Export a volume as LUN 0 of SERVER at ADDRESS to the initiator, with or without secrets."""
    lines = [
        f"/backstores/block create name=lee_block dev={volume}",
        f"/iscsi create wwn={SERVER}",
        f"{TPG}/acls create wwn={NAME}",
        f"{TPG}/luns create storage_object=/backstores/block/lee_block lun=lun0",
        f"{TPG}/portals delete ip_address=0.0.0.0 ip_port=3260",
        f"{TPG}/portals create {ADDRESS}",
    ]
    acl = f"{TPG}/acls/{NAME}"
    if chap:
        lines.append(f"{TPG} set attribute authentication=1")
        lines.append(f"{acl} set auth userid={chap.user} password={chap.password}")
    if chap_of_target:
        lines.append(
            f"{acl} set auth mutual_userid={chap_of_target.user}"
            f" mutual_password={chap_of_target.password}"
        )
    batch(*lines, config=config or Path("/etc/target"))
