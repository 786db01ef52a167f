# SPDX-License-Identifier: Apache-2.0
"""`simulate` and `refuse`: sessions, `top`, questions and `trace` without a kernel."""

from __future__ import annotations

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell

OTHER = "iqn.2020-07.org.example:other"
ACL = f"{TPG}/acls/{CLIENT}"
SECRET = "secret-number1"


def test_a_session_is_simulated_from_login_to_logout(exported: Pyshell) -> None:
    assert exported.must(f"simulate login {CLIENT} {SERVER}") == [
        f"{CLIENT} logged in to {SERVER}/tpg1"
    ]
    assert exported("trace", CLIENT).status == 0
    assert exported.must(f"simulate traffic {CLIENT} read=1M") == [
        f"Counted 16 commands of {CLIENT}"
    ]
    read = [line for line in exported.must("metrics") if "object_read_bytes_total{" in line]
    assert float(read[0].split()[-1]) == 1 << 20
    ran = exported(f"{TPG}/luns delete 0", stdin="n\n", keyboard=True)
    assert f"  {CLIENT} at {SERVER}/tpg1, from 192.168.56.105\n" in ran.err
    assert "Continue? [y/N]" in ran.err
    assert exported.must(f"simulate reserve {CLIENT} key=0xabc1") == [
        f"{CLIENT} registered at LUN 0"
    ]
    assert exported.must(f"simulate logout {CLIENT}") == [f"{CLIENT} logged out of {SERVER}/tpg1"]
    assert exported("trace", CLIENT).status == 2


def test_the_target_can_be_given_by_position_in_all_forms(exported: Pyshell) -> None:
    for line in (
        f"login {CLIENT} {SERVER}",
        f"traffic {CLIENT} {SERVER} read=1M",
        f"logout {CLIENT} {SERVER}",
        f"refuse {CLIENT} /iscsi/{SERVER}",
        f"simulate refuse {CLIENT} target={SERVER}",
    ):
        exported(line).done()


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("simulate logout {} portal=192.0.2.1", "Write 'simulate logout INITIATOR'."),
        ("simulate traffic {} userid=x", "It takes lun, read, written and seconds."),
        ("simulate login {} reason=name", "It takes portal, address, userid"),
    ],
)
def test_a_parameter_of_another_action_is_refused(exported: Pyshell, line: str, hint: str) -> None:
    ran = exported.line(line.format(CLIENT))
    assert ran.status == 2
    assert hint in ran.err


def test_a_secret_can_be_read_from_standard_input(exported: Pyshell) -> None:
    exported.must(
        f"{ACL} set auth userid=u password={SECRET}", f"{TPG} set attribute authentication=1"
    )
    exported("simulate", "login", CLIENT, "userid=u", "password=-", stdin=f"{SECRET}\n").done()


@pytest.mark.parametrize(
    ("before", "refused", "why", "broken"),
    [
        ([], f"refuse {OTHER}", "the initiator has no ACL", "acl.missing"),
        ([], f"refuse {CLIENT}", "the initiator offers CHAP", "chap.negotiation"),
        (["auth"], f"refuse {CLIENT}", "the CHAP name or secret is wrong", "chap.secret"),
        (["auth"], f"refuse {CLIENT} reason=name", "the CHAP name or secret is wrong", "chap.name"),
        (["auth"], f"refuse {CLIENT} reason=missing", "the target requires CHAP", "chap.missing"),
        (["required"], f"refuse {CLIENT}", "the ACL has no CHAP name and secret", "chap.unset"),
    ],
)
def test_a_refusal_is_found_by_trace(
    exported: Pyshell, before: list[str], refused: str, why: str, broken: str
) -> None:
    if before:
        exported.must(f"{TPG} set attribute authentication=1")
    if before == ["auth"]:
        exported.must(f"{ACL} set auth userid=u password={SECRET}")
    (said,) = exported.must(f"simulate {refused}")
    assert said.startswith(f"{SERVER}/tpg1 refused ")
    assert why in said
    initiator = refused.split()[1]
    ran = exported("-o", "json", "trace", initiator, "lee_block")
    assert f'"{broken}"' in ran.out
    assert exported("-o", "json", "sessions").json["result"] == []


def test_what_would_be_accepted_is_not_refused(exported: Pyshell) -> None:
    ran = exported.line(f"refuse {CLIENT} reason=missing")
    assert (ran.status, "accepts" in ran.err) == (5, True)
    exported.must(f"login {CLIENT}")
    assert exported.line(f"refuse {CLIENT}").status == 5
    exported.must(f"logout {CLIENT}", f"{TPG} disable")
    assert "is disabled" in exported.line(f"refuse {CLIENT}").err


def test_a_dry_run_refuses_nobody(exported: Pyshell) -> None:
    before = exported.tree()
    assert exported.must(f"simulate refuse {CLIENT} --dry-run") == [
        f"{SERVER}/tpg1 would refuse {CLIENT} (dry run)"
    ]
    assert exported.tree() == before
