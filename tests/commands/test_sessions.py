# SPDX-License-Identifier: Apache-2.0
"""Sessions: those of node ACLs, and the dynamic ones of demo mode (field failure 54)."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell
from pyshell.simulator import SimulatedPort

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
    client = "alias: client\tsid: 7 type: Normal session-state: LOGGED_IN"
    dynamic = "alias: -\tsid: - type: Normal session-state: LOGGED_IN (dynamic: "
    at = f"at {SERVER}/tpg1"
    assert busy("sessions").done().lines == [
        f"{client} ({CLIENT} {at}, from 192.168.56.105)",
        f"{dynamic}{DYNAMIC} {at})",
    ]
    assert busy("--compat", "sessions").done().lines == [client, f"{dynamic}{DYNAMIC})"]


def test_sessions_in_detail(busy: Pyshell) -> None:
    assert busy("sessions", "detail").done().lines[:4] == [
        f"alias: client\tsid: 7 type: Normal session-state: LOGGED_IN ({CLIENT} at {SERVER}/tpg1,"
        " from 192.168.56.105)",
        f"    name: {CLIENT} (no CHAP is asked of it)",
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


def test_of_one_target_initiator_or_storage_object(busy: Pyshell) -> None:
    def names(*words: str) -> list[str]:
        return [one["initiator"] for one in busy("-o", "json", "sessions", *words).json["result"]]

    assert names(f"initiator={CLIENT.upper()}") == [CLIENT]
    assert names(f"target={SERVER}") == [CLIENT, DYNAMIC]
    for word in ("lee_block", "block/lee_block", "/backstores/block/lee_block"):
        assert names(f"storage_object={word}") == [CLIENT, DYNAMIC]


def test_a_session_without_acl_has_all_luns_of_its_tpg(busy: Pyshell) -> None:
    _, dynamic = busy("-o", "json", "sessions").json["result"]
    assert [seen["mode"] for seen in dynamic["mapped_luns"]] == ["r"]
    busy.must(f"{TPG} set attribute demo_mode_write_protect=0")
    assert "    mapped-lun: 0 backstore: block/lee_block mode: rw" in busy("sessions", "detail").out


def test_whether_an_initiator_had_to_prove_itself(busy: Pyshell) -> None:
    def proven() -> list[bool]:
        return [one["authenticated"] for one in busy("-o", "json", "sessions").json["result"]]

    assert proven() == [False, False]
    busy.must(f"{TPG} set attribute authentication=1")
    assert proven() == [True, True]
    assert f"    name: {CLIENT} (authenticated)" in busy("sessions", "detail").lines
    # targetcli means the target by that, and asks for no CHAP of it here.
    told = busy("--compat", "sessions", "detail").lines
    assert f"    name: {CLIENT} (NOT AUTHENTICATED)" in told


def test_the_one_initiator_of_a_loopback_target(busy: Pyshell) -> None:
    busy.must("/loopback create naa.5001405000000001")
    nexus = busy.read("loopback/naa.5001405000000001/tpgt_1/nexus").strip()
    told = f"alias: -\tsid: - type: Nexus session-state: LOGGED_IN (loopback: {nexus} at "
    told += "naa.5001405000000001/tpg1)"
    assert busy("sessions").done().lines[-1] == told
    (found,) = busy("-o", "json", "sessions", "target=naa.5001405000000001").json["result"]
    assert (found["fabric"], found["type"], found["dynamic"]) == ("loopback", "Nexus", False)
    assert told not in busy("--compat", "sessions").out


@pytest.mark.parametrize("fabric", ["srpt", "qla2xxx"])
def test_field_failure_55_sessions_of_fabrics_that_tell_little(
    pyshell: Pyshell, fabric: str
) -> None:
    port = {
        "srpt": SimulatedPort("srpt", "fe80:0000:0000:0000:0002:c903:000e:8acd"),
        "qla2xxx": SimulatedPort("qla2xxx", "21:00:00:24:ff:12:34:56"),
    }[fabric]
    initiator = {
        "srpt": "ib.00000000000000000002c903000e8acf",
        "qla2xxx": "naa.21000024ff999999",
    }[fabric]
    pyshell.simulator.machine.add_port(port)
    pyshell.must("/backstores/ramdisk create name=disk size=8M", f"/{fabric} create")
    wwn = str(pyshell("-o", "json", f"/{fabric}", "ls").json["tree"]["children"][0]["name"])
    node = f"/{fabric}/{wwn}"
    pyshell.must(f"{node}/luns create /backstores/ramdisk/disk", f"{node}/acls create {initiator}")
    (tpg,) = pyshell.configfs.glob(f"{fabric}/*/tpgt_1")
    assert (tpg / "dynamic_sessions").exists() == (fabric == "qla2xxx")
    assert pyshell("sessions").done().lines == ["(no open sessions)"]
    (index,) = pyshell.configfs.glob(
        f"{fabric}/*/tpgt_1/acls/*/lun_0/statistics/scsi_att_intr_port/indx"
    )
    put(index, "3\n")
    told = pyshell("sessions", "detail", f"initiator={initiator}").done().lines
    assert told == [
        f"alias: -\tsid: 3 type: Normal session-state: LOGGED_IN ({initiator} at {wwn}/tpg1)",
        f"    name: {initiator} (the fabric has no authentication)",
        "    mapped-lun: 0 backstore: ramdisk/disk mode: rw",
    ]


def host_file(pyshell: Pyshell, path: str, text: str) -> None:
    """Write a file of the simulated host."""
    place = pyshell.simulator.machine.file(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")


def start_thread(pyshell: Pyshell, number: int, seconds: int) -> None:
    """Give the simulated host a thread of an iSCSI connection, so many seconds after boot."""
    host_file(pyshell, f"/proc/{number}/comm", "iscsi_trx\n")
    fields = ["S", *["0"] * 18, str(seconds * os.sysconf("SC_CLK_TCK"))]
    host_file(pyshell, f"/proc/{number}/stat", f"{number} (iscsi_trx) {' '.join(fields)}\n")


def test_since_when_a_session_is_open(exported: Pyshell, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
    monkeypatch.setattr("pyshell.lio.sessions.time", SimpleNamespace(time=now.timestamp))
    put(exported.configfs / f"iscsi/{SERVER}/tpgt_1/acls" / CLIENT / "info", INFO)
    (found,) = exported("-o", "json", "sessions").json["result"]
    assert found["since"] is None
    host_file(exported, "/proc/uptime", "5000.00 9000.00\n")
    start_thread(exported, 71, 1400)
    (found,) = exported("-o", "json", "sessions").json["result"]
    begun = datetime.strptime(found["since"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    assert (now - begun).total_seconds() == 3600
    shown = f"{begun.astimezone():%Y-%m-%d %H:%M:%S %Z}"
    assert f"    since: {shown}" in exported("sessions", "detail").out
    assert "since" not in exported("--compat", "sessions", "detail").out


def test_where_it_is_in_doubt_no_time_is_told(busy: Pyshell) -> None:
    host_file(busy, "/proc/uptime", "5000.00 9000.00\n")
    for number in (71, 72):
        start_thread(busy, number, number)
    both = busy("-o", "json", "sessions").json["result"]
    assert [one["since"] for one in both] == [None, None]


def test_from_where_a_dynamic_session_comes(busy: Pyshell) -> None:
    head = "  sl  local_address rem_address   st\n"
    line = "   0: 6538A8C0:0CBC {}:C001 01 0\n"
    one, other = "6938A8C0", "6A38A8C0"  # 192.168.56.105 and .106, as the kernel writes them
    host_file(busy, "/proc/net/tcp", head + line.format(one) + line.format(other))
    _, dynamic = busy("-o", "json", "sessions").json["result"]
    assert dynamic["address"] == "192.168.56.106"
    host_file(busy, "/proc/net/tcp", head + line.format(one) + line.format(other) * 2)
    _, dynamic = busy("-o", "json", "sessions").json["result"]
    assert dynamic["address"] is None


@pytest.mark.parametrize("given", ["target=iqn.2020-07.com.example:nope", "storage_object=nope"])
def test_a_name_that_does_not_exist_is_not_one_without_sessions(
    exported: Pyshell, given: str
) -> None:
    ran = exported("sessions", given)
    assert ran.status == 3
    assert given.partition("=")[2] in ran.err


@pytest.mark.parametrize("given", [f"target={SERVER}", "storage_object=lee_block"])
def test_what_exists_may_have_no_sessions(exported: Pyshell, given: str) -> None:
    assert exported("sessions", given).done().lines == ["(no open sessions)"]


def test_who_has_no_session_is_told_who_has(busy: Pyshell) -> None:
    ran = busy("sessions", "initiator=iqn.2020-07.com.example:nope")
    assert (ran.status, ran.out) == (3, "")
    assert ran.err == (
        "There is no session of iqn.2020-07.com.example:nope, and no ACL of that name."
        f" Logged in: {CLIENT}, {DYNAMIC}.\n"
    )
    other = "iqn.2020-07.com.example:other"
    busy.must(f"{TPG}/acls create {other}")
    told = busy("sessions", f"initiator={other}").done().out
    assert told == f"(no open session of {other}) Logged in: {CLIENT}, {DYNAMIC}.\n"
    assert busy("-o", "json", "sessions", f"initiator={other}").done().json["result"] == []


def test_where_nobody_is_logged_in_that_is_told(exported: Pyshell) -> None:
    told = exported("sessions", f"initiator={CLIENT}").done().out
    assert told == f"(no open session of {CLIENT}) Nobody is logged in.\n"


def test_a_session_that_does_not_fit_all_that_was_asked(busy: Pyshell) -> None:
    busy.must("/backstores/ramdisk create memory 1M")
    given = (f"initiator={CLIENT}", "storage_object=memory")
    assert busy("sessions", *given).done().out == f"(no such session of {CLIENT})\n"


FORGED = (
    "x\nLIO Session ID: 99   ISID: 0x00  TSIH: 1  SessionType: Discovery\n"
    "Session State: TARG_SESS_STATE_FREE\n"
    "CID: 0  Connection State: TARG_CONN_STATE_FREE\n   Address 10.9.9.9 TCP  StatSN: 0x0"
)


@pytest.mark.parametrize(
    "alias",
    [
        b"a\x0bSession State: TARG_SESS_STATE_FREE", b"a\x0cAddress b", b"a\xc2\x85Address",
        "a\u2028CID: x TARG_CONN_STATE_".encode(), b"\xff\xfe", b"", FORGED.encode(),
        b"No active iSCSI Session", b"LIO Session ID: none", b"x\nInitiatorName: y",
    ],
)  # fmt: skip
def test_no_alias_hides_a_session_or_forges_its_address(busy: Pyshell, alias: bytes) -> None:
    """Finding 47: the initiator chooses its alias, and so any line of its `info`."""
    info = busy.configfs / f"iscsi/{SERVER}/tpgt_1/acls/{CLIENT}/info"
    info.unlink()
    info.write_bytes(INFO.encode().replace(b"Alias: client", b"Alias: " + alias))
    found = busy("-o", "json", "sessions").json["result"][0]
    assert (found["initiator"], found["sid"], found["state"]) == (CLIENT, 7, "LOGGED_IN")
    assert [one["address"] for one in found["connections"]] == ["192.168.56.105"]
    assert busy("metrics").done().out.count('kind="acl"} 1\n') == 1
    assert CLIENT in busy(f"{TPG}/acls", "delete", CLIENT, "--dry-run").out


def test_a_session_that_is_not_understood_is_still_a_session(busy: Pyshell) -> None:
    put(busy.configfs / f"iscsi/{SERVER}/tpgt_1/acls" / CLIENT / "info", "What is this?\n")
    found = busy("-o", "json", "sessions").json["result"][0]
    assert (found["initiator"], found["sid"], found["connections"]) == (CLIENT, None, [])
    assert f"sid: - type: - session-state: - ({CLIENT}" in busy("sessions").done().out


def test_reservations_are_shown_in_detail(exported: Pyshell) -> None:
    other = "iqn.2020-07.192.168.56.106:other"
    exported.must(
        f"{TPG}/acls create {other}",
        f"login {CLIENT}",
        f"login {other}",
        f"reserve {CLIENT} key=0xabc1 type=exclusive_access",
    )
    lines = exported("sessions", "detail").done().lines
    kind = "        reservation: Exclusive Access, held by"
    assert [line for line in lines if "reservation" in line] == [
        f"{kind} this initiator; registered with key 0x000000000000abc1",
        f"{kind} {CLIENT}",
    ]
    assert "reservation" not in exported("--compat", "sessions", "detail").out
    holder, second = exported("-o", "json", "sessions", "detail").json["result"]
    found = holder["mapped_luns"][0]["reservations"]
    assert (found["is_holder"], found["key"]) == (True, "0x000000000000abc1")
    assert second["mapped_luns"][0]["reservations"]["key"] is None
    assert holder["isid"] == found["holders"][0]["isid"] == "00023d000001"
