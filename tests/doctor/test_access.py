# SPDX-License-Identifier: Apache-2.0
"""Findings about TPGs, ACLs, CHAP and refused logins."""

from __future__ import annotations

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell
from pyshell.simulator import ChapCredentials

from .findings import (
    ACL,
    ADDRESS,
    GLOBAL,
    PUBLIC,
    doctor,
    follow,
    gone,
    listen_at,
    only,
)


@pytest.mark.parametrize(
    ("line", "place", "told"),
    [
        (f"{TPG} disable", TPG, "disabled"),
        (f"{TPG}/portals delete 0.0.0.0 3260", TPG, "no portal"),
        (f"{TPG}/luns delete lun0", TPG, "no LUN"),
        (f"{ACL} delete mapped_lun=0", ACL, "maps no LUN"),
    ],
)
def test_a_missing_part_of_a_target_is_reported(
    healthy: Pyshell, line: str, place: str, told: str
) -> None:
    healthy.must(line)
    follow(healthy, only(healthy, "targets", place, told))
    assert gone(healthy, "targets")


def test_a_tpg_has_no_lun_and_there_is_nothing_to_export(target: Pyshell) -> None:
    target.must(f"{TPG}/acls create {CLIENT}")
    (choice,) = only(target, "targets", TPG, "no LUN")
    assert choice.endswith(f"{TPG}/luns create STORAGE_OBJECT")


def test_a_tpg_has_no_acl(healthy: Pyshell) -> None:
    healthy.must(f"{TPG}/acls delete {CLIENT}")
    (command,) = only(healthy, "targets", TPG, "no ACL")
    follow(healthy, [command.replace("INITIATOR", CLIENT)])
    assert gone(healthy, "targets")


def test_demo_mode_on_a_public_address(healthy: Pyshell) -> None:
    healthy.must(f"{TPG} set attribute generate_node_acls=1")
    healthy.give_addresses("127.0.0.1", "192.168.56.101", PUBLIC)
    listen_at(healthy, "00000000:0CBC")
    assert gone(healthy, "access")
    healthy.give_addresses("127.0.0.1", GLOBAL)
    follow(healthy, only(healthy, "access", TPG, f"demo mode allows every initiator, and {GLOBAL}"))
    assert all("demo mode" not in one["message"] for one in doctor(healthy))


def test_no_chap_on_a_public_address(healthy: Pyshell) -> None:
    healthy.give_addresses(GLOBAL)
    listen_at(healthy, "00000000:0CBC")
    commands = only(healthy, "access", TPG, "CHAP is not required")
    assert "password=-" in commands[0]
    follow(healthy, commands)
    assert gone(healthy, "access")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("userid=u password=short", "shorter than 12 bytes"),
        (
            "userid=u password=of-both-the-same mutual_userid=m mutual_password=of-both-the-same",
            "the same as password",
        ),
    ],
)
def test_secrets_that_are_weak(healthy: Pyshell, given: str, told: str) -> None:
    healthy.prepare(f"{TPG} set attribute authentication=1")
    healthy("--compat", ACL, "set", "auth", *given.split()).done()  # which takes any secret
    commands = only(healthy, "access", ACL, told)
    assert "of-both" not in healthy("doctor").out
    follow(healthy, commands)
    assert gone(healthy, "access")


def test_two_initiators_have_the_same_secret(healthy: Pyshell) -> None:
    other = f"{TPG}/acls/iqn.2020-07.com.example:other"
    healthy.must(f"{TPG}/acls create iqn.2020-07.com.example:other")
    healthy.must(f"{TPG} set attribute authentication=1")
    for acl in (ACL, other):
        healthy.must(f"{acl} set auth userid=u password=of-both-the-same")
    (finding,) = [one for one in doctor(healthy) if one["check"] == "access"]
    assert {finding["path"]} < {ACL, other}
    follow(healthy, finding["choices"])
    assert gone(healthy, "access")


def test_secrets_that_are_not_required(healthy: Pyshell) -> None:
    """Finding 22."""
    said = healthy.line(f"{ACL} set auth userid=u password=of-both-the-same")
    assert f"CHAP is off. '{TPG} set attribute authentication=1' turns it on." in said.err
    follow(healthy, only(healthy, "access", TPG, "authentication is 0: they are not required"))
    assert gone(healthy, "access")
    assert "CHAP is off" not in healthy.line(f"{ACL} set auth userid=v").err


def test_enabling_chap_is_not_suggested_if_it_would_lock_others_out(healthy: Pyshell) -> None:
    healthy.must(
        f"{TPG}/acls create iqn.2020-07.com.example:other",
        f"{ACL} set auth userid=u password=of-both-the-same",
    )
    (finding,) = [one for one in doctor(healthy) if one["check"] == "access"]
    assert "initiators without a secret could not log in" in finding["message"]
    assert finding["commands"] == []


def test_a_required_secret_is_removed(healthy: Pyshell) -> None:
    healthy.must(
        f"{ACL} set auth userid=u password=of-twelve-bytes",
        f"{TPG} set attribute authentication=1",
    )
    assert gone(healthy, "access")
    said = healthy.line(f"{ACL} set auth password=")
    assert "CHAP is required: without password, this initiator cannot log in." in said.err
    commands = only(healthy, "access", ACL, "CHAP is required, but no password is set")
    assert "userid" not in commands[0]
    follow(healthy, commands)
    assert gone(healthy, "access")


def test_discovery_requires_chap_without_credentials(healthy: Pyshell) -> None:
    """Finding 22."""
    said = healthy.line("/iscsi set discovery_auth enable=true")
    assert "asks for CHAP at discovery, and has no userid" in said.err
    follow(healthy, only(healthy, "access", "/iscsi", "discovery requires CHAP"))
    assert gone(healthy, "access")


@pytest.mark.parametrize(
    "given",
    [
        "password=of-both-the-same mutual_password=of-both-the-same",
        "mutual_password=first-of-these",
    ],
)
@pytest.mark.parametrize("place", [ACL, f"{TPG}"])
def test_the_same_secret_for_both_directions_is_refused(
    healthy: Pyshell, place: str, given: str
) -> None:
    """Finding 53."""
    healthy.must(f"{place} set auth userid=u password=first-of-these mutual_userid=m")
    before = healthy.tree()
    ran = healthy.line(f"{place} set auth {given}")
    assert (ran.status, ran.out) == (2, "")
    assert "password and mutual_password must differ" in ran.err
    assert "of-" not in ran.err
    assert healthy.tree() == before
    swapped = "password=second-of-these mutual_password=first-of-these"
    healthy.must(f"{place} set auth {swapped}")


@pytest.mark.parametrize(("length", "told"), [(11, "shorter"), (12, ""), (16, ""), (17, "longer")])
def test_lengths_of_secrets_that_initiators_refuse(
    healthy: Pyshell, length: int, told: str
) -> None:
    """Finding 40."""
    healthy.prepare(f"{TPG} set attribute authentication=1")
    ran = healthy.line(f"{ACL} set auth userid=u password={'x' * length}")
    assert ran.status == 0
    assert (f"The password is {told} than" in ran.err) == bool(told)
    assert bool(ran.err) == bool(told)


def codes(pyshell: Pyshell) -> list[str]:
    """Return the codes of refused logins."""
    return [one["code"] for one in doctor(pyshell) if one["check"] == "logins"]


def test_a_login_is_refused_by_chap(healthy: Pyshell) -> None:
    healthy.must(f"{TPG} set attribute authentication=1")
    healthy.simulator.refuse(SERVER, 1, CLIENT, ADDRESS)
    told = f"refused 1 login, the last one by {CLIENT} from {ADDRESS}: CHAP"
    assert codes(healthy) == ["chap.secret"]
    follow(healthy, only(healthy, "logins", f"/iscsi/{SERVER}", told))
    auth = healthy.configfs / f"iscsi/{SERVER}/tpgt_1/acls/{CLIENT}/auth"
    chap = ChapCredentials(
        (auth / "userid").read_text().strip(), (auth / "password").read_text().strip()
    )
    healthy.simulator.login(SERVER, 1, CLIENT, ADDRESS, chap)
    assert gone(healthy, "logins")


@pytest.mark.parametrize("required", [True, False])
def test_a_refused_login_whose_reason_is_gone_is_not_reported(
    healthy: Pyshell, required: bool
) -> None:
    auth = f"{ACL} set auth userid=client password=of-twelve-bytes"
    healthy.must(f"{TPG} set attribute authentication=1", *([] if required else [auth]))
    offered = ChapCredentials("client", "of-twelve-bytes") if required else None
    with pytest.raises(PermissionError):
        healthy.simulator.login(SERVER, 1, CLIENT, ADDRESS, offered)
    told = "was not set here" if required else "it offers none"
    assert only(healthy, "logins", f"/iscsi/{SERVER}", told)
    healthy.must(auth if required else f"{TPG} set attribute authentication=0")
    assert gone(healthy, "logins")
    assert "refused" not in healthy("trace", CLIENT).out


def test_a_login_is_refused_without_an_acl(healthy: Pyshell) -> None:
    stranger = "iqn.2020-07.com.example:stranger"
    for _ in range(2):
        with pytest.raises(PermissionError):
            healthy.simulator.login(SERVER, 1, stranger, ADDRESS)
    told = f"refused 2 logins, the last one by {stranger} from {ADDRESS}: it has no ACL"
    assert codes(healthy) == ["acl.missing"]
    follow(healthy, only(healthy, "logins", f"/iscsi/{SERVER}", told))
    healthy.simulator.login(SERVER, 1, stranger, ADDRESS)
    assert gone(healthy, "logins")


def test_every_refused_initiator_is_named(healthy: Pyshell) -> None:
    """Finding 20: the kernel's counters keep the last one, and no name without an ACL."""
    strangers = [f"iqn.2020-07.com.example:stranger{number}" for number in (1, 2, 3)]
    for name in (*strangers, "iqn.2020-07.com.example:a\u202eb", "notaname"):
        with pytest.raises(PermissionError):
            healthy.simulator.login(SERVER, 1, name, ADDRESS)
    healthy.simulator.refuse(SERVER, 1, CLIENT, ADDRESS)
    (finding,) = [one for one in doctor(healthy) if one["check"] == "logins"]
    for name in (*strangers, "notaname", CLIENT, "1 by CHAP, 5 without an ACL"):
        assert name in finding["message"]
    created = [line for line in finding["choices"] if " create " in line]
    assert [line.split()[-1] for line in created] == strangers[::-1]
    healthy.simulator.login(SERVER, 1, CLIENT, ADDRESS)
    assert strangers[0] in doctor(healthy)[0]["message"]
