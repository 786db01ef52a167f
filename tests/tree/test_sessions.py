# SPDX-License-Identifier: Apache-2.0
"""Sessions: those of node ACLs, and the dynamic ones of demo mode (field failure 54)."""

from __future__ import annotations

from pathlib import Path

import pytest

from driver import CLIENT, SERVER, Pyshell

INFO = (
    f"InitiatorName: {CLIENT}\n"
    "InitiatorAlias: client\n"
    "LIO Session ID: 7   ISID: 0x00 02 3d 00 00 00  TSIH: 1  SessionType: Normal\n"
    "Session State: TARG_SESS_STATE_LOGGED_IN\n"
    "---------------------[iSCSI Session Values]-----------------------\n"
    "  CmdSN/WR  :  CmdSN/WC  :  ExpCmdSN  :  MaxCmdSN  :     ITT    :     TTT\n"
    " 0x00000080   0x00000080   0x0000001b   0x0000009a   0x1b000000   0x00000001\n"
    "----------------------[iSCSI Connections]-------------------------\n"
    "CID: 0  Connection State: TARG_CONN_STATE_LOGGED_IN\n"
    "   Address 192.168.56.105 TCP  StatSN: 0x7cb3c1a2\n"
)
DYNAMIC = "iqn.2020-07.com.example:guest"


@pytest.fixture
def busy(exported: Pyshell) -> Pyshell:
    """Return pyshell where one initiator is logged in by its ACL, and one without."""
    tpg = exported.configfs / f"iscsi/{SERVER}/tpgt_1"
    put(tpg / "acls" / CLIENT / "info", INFO)
    put(tpg / "dynamic_sessions", f"{DYNAMIC}\n\0")
    return exported


def put(path: Path, text: str) -> None:
    """Give a file of the simulated kernel a text, whatever its mode."""
    path.unlink()
    path.write_text(text)


def test_field_failure_54_sessions_are_listed_with_dynamic_ones(busy: Pyshell) -> None:
    assert busy("sessions").done().lines == [
        "alias: client\tsid: 7 type: Normal session-state: LOGGED_IN",
        f"alias: -\tsid: - type: Normal session-state: LOGGED_IN (dynamic: {DYNAMIC})",
    ]


def test_sessions_in_detail(busy: Pyshell) -> None:
    assert busy("sessions", "detail").done().lines[:4] == [
        "alias: client\tsid: 7 type: Normal session-state: LOGGED_IN",
        f"    name: {CLIENT} (NOT AUTHENTICATED)",
        "    mapped-lun: 0 backstore: block/lee_block mode: rw",
        "    address: 192.168.56.105 (TCP)  cid: 0 connection-state: LOGGED_IN",
    ]


def test_sessions_as_data(busy: Pyshell) -> None:
    first, second = busy("-o", "json", "sessions").json["result"]
    assert (first["initiator"], first["sid"], first["dynamic"]) == (CLIENT, 7, False)
    assert first["mapped_luns"] == [{"index": 0, "storage_object": "block/lee_block", "mode": "rw"}]
    assert first["connections"][0]["address"] == "192.168.56.105"
    assert (second["initiator"], second["dynamic"]) == (DYNAMIC, True)


def test_one_session_by_its_number(busy: Pyshell) -> None:
    assert len(busy("sessions", "list", "7").done().lines) == 1
    ran = busy("sessions", "list", "9")
    assert (ran.status, ran.err) == (3, "no session found with sid 9.\n")
