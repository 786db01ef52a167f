# SPDX-License-Identifier: Apache-2.0
"""Refused logins in the kernel's log. The lines are those of Linux 6.1 with open-iscsi."""

from __future__ import annotations

import pytest

from driver import CLIENT, SERVER
from pyshell.host.real_machine import RealMachine
from pyshell.lio import sessions

END = "[   87.587256] iSCSI Login negotiation failed.\n"
STRANGER = (
    f"[   87.580439] iSCSI Initiator Node: {CLIENT} is not authorized to access iSCSI target"
    " portal group: 1.\n"
)
CASES = {
    STRANGER: "unauthorized",
    "[  114.007948] Initiator is requesting CSG: 1, has not been successfully authenticated, and"
    " the Target is enforcing iSCSI Authentication, login failed.\n": "chap_missing",
    "[  133.567524] scsi host0: iSCSI Initiator over TCP/IP\n"
    "[  133.783836] Security negotiation failed.\n": "chap_secret",
    "[  135.144796] CHAP_N values do not match!\n"
    "[  135.145374] Security negotiation failed.\n": "chap_name",
    "[  143.814021] CHAP user or password not set for Initiator ACL\n"
    "[  143.814474] Security negotiation failed.\n": "chap_unset",
    f"[  200.115022] Unable to locate Target Portal Group on {SERVER}\n": "disabled",
    "[  166.548356] scsi host0: iSCSI Initiator over TCP/IP\n": "negotiation",
}


def machine(monkeypatch: pytest.MonkeyPatch, **logs: str) -> RealMachine:
    """Return a host whose programs print logs."""
    found = RealMachine()
    monkeypatch.setattr(RealMachine, "ask", staticmethod(lambda *words: logs.get(words[0])))
    return found


@pytest.mark.parametrize(("lines", "reason"), CASES.items(), ids=range(len(CASES)))
def test_the_reason_of_each_refused_login_is_read(
    monkeypatch: pytest.MonkeyPatch, lines: str, reason: str
) -> None:
    read = sessions.RefusedLogins(machine(monkeypatch, dmesg=f"{lines}{END}")).reasons
    assert read == [reason]


def test_a_connection_that_ended_before_its_login_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    aborted = "[  210.000001] rx_data returned 0, expecting 48.\n"
    host = machine(monkeypatch, dmesg=f"{STRANGER}{END}{aborted}{END}")
    assert sessions.RefusedLogins(host).reasons == ["unauthorized"]
    host = machine(monkeypatch, dmesg=f"{aborted}{STRANGER}{END}")  # interleaved
    assert sessions.RefusedLogins(host).reasons == ["unauthorized"]


def test_the_last_refused_login_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    log = "".join(f"{lines}{END}[    1.0]  connection3:0: detected conn error\n" for lines in CASES)
    host = machine(monkeypatch, dmesg=log)
    assert sessions.RefusedLogins(host).reasons == [*CASES.values()][::-1]
    assert sessions.RefusedLogins(host).initiators == [CLIENT]


def test_the_journal_is_read_by_users_who_may_not_read_the_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = machine(monkeypatch, journalctl=f"{STRANGER}{END}")
    assert sessions.RefusedLogins(host).initiators == [CLIENT]
    assert sessions.RefusedLogins(machine(monkeypatch)).reasons == []
