# SPDX-License-Identifier: Apache-2.0
"""The commands of a simulated target that play the initiator (finding 42)."""

from __future__ import annotations

from pathlib import Path

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell
from pyshell.tree.root import RootNode, SimulatedRootNode

OTHER = "iqn.2020-07.org.example:other"
ACL = f"{TPG}/acls/{CLIENT}"
SECRET = "secret-number1"


def logged_in(ran: Pyshell) -> list[str]:
    """Return the initiators that are logged in."""
    return [session["initiator"] for session in ran("-o", "json", "sessions").json["result"]]


def test_a_real_target_has_no_such_commands() -> None:
    own = set(SimulatedRootNode.commands()) - set(RootNode.commands())
    assert own == {"login", "logout", "refuse", "reserve", "simulate", "traffic"}


def test_an_initiator_logs_in_and_out(exported: Pyshell) -> None:
    assert exported.must(f"login {CLIENT}") == [f"{CLIENT} logged in to {SERVER}/tpg1"]
    assert logged_in(exported) == [CLIENT]
    assert exported("login", CLIENT).status == 5
    assert exported.must(f"logout {CLIENT}") == [f"{CLIENT} logged out of {SERVER}/tpg1"]
    assert logged_in(exported) == []
    assert exported("logout", CLIENT).status == 3


def test_a_session_goes_on_when_its_portal_is_deleted(exported: Pyshell) -> None:
    """As seen with open-iscsi on kernel 6.1: I/O goes on, but nobody can log in there."""
    exported.must(f"login {CLIENT}")
    told = exported("-o", "json", f"{TPG}/portals", "delete", "0.0.0.0", "3260")
    assert told.json["result"]["messages"] == ["Deleted network portal 0.0.0.0:3260"]
    assert logged_in(exported) == [CLIENT]
    exported.must(f"logout {CLIENT}")
    assert exported("login", CLIENT).status != 0


def test_nobody_logs_in_without_a_secret_that_a_restore_could_not_read(
    exported: Pyshell, tmp_path: Path
) -> None:
    exported.must(
        f"{ACL} set auth userid=u password={SECRET}",
        f"{TPG} set attribute authentication=1",
        f"saveconfig {tmp_path}/git.json secret_files={tmp_path}/secrets",
        "clearconfig confirm=true",
    )
    for file in (tmp_path / "secrets").iterdir():
        file.unlink()
    assert exported("restoreconfig", f"{tmp_path}/git.json").status == 1
    assert exported("login", CLIENT).status == 4
    assert exported("login", CLIENT, "userid=u", f"password={SECRET}").status == 4


def test_a_dry_run_logs_nobody_in(exported: Pyshell) -> None:
    assert exported.must(f"login {CLIENT} --dry-run") == [
        f"{CLIENT} would log in to {SERVER}/tpg1 (dry run)"
    ]
    assert logged_in(exported) == []


def test_a_session_is_no_change_of_the_configuration(exported: Pyshell) -> None:
    exported.must("saveconfig", f"login {CLIENT}", f"traffic {CLIENT} read=1M")
    assert exported("diff").status == 0
    assert "luns create" in exported("undo").done().out, "undo goes back to the last change"


def test_who_has_no_acl_is_refused_and_counted(exported: Pyshell) -> None:
    refused = exported("login", OTHER)
    assert (refused.status, refused.err) == (
        4, "Login refused: the initiator has no ACL, and generate_node_acls is 0.\n",
    )  # fmt: skip
    fails = exported.configfs / f"iscsi/{SERVER}/fabric_statistics/iscsi_login_stats"
    assert (fails / "authorize_fails").read_text() == "1\n"


@pytest.mark.parametrize(
    "name", ["x/../y", "\x1b[2Jred", "two words", "a\nb", "\u202egnp", "../../../../etc"]
)
def test_demo_mode_lets_any_name_in(exported: Pyshell, name: str) -> None:
    exported.prepare(f"{TPG} set attribute generate_node_acls=1")
    exported("login", name).done()
    shown = (exported.configfs / f"iscsi/{SERVER}/tpgt_1/dynamic_sessions").read_text()
    assert name in shown
    exported("logout", name).done() if name.split() == [name] else None
    exported("/iscsi", "delete", SERVER).done()


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 224])
def test_what_no_initiator_can_be_called(exported: Pyshell, name: str) -> None:
    assert exported("login", name).status == 2


def test_a_disabled_tpg_refuses(exported: Pyshell) -> None:
    exported.must(f"{TPG} disable")
    refused = exported("login", CLIENT)
    assert (refused.status, refused.err) == (
        5, f"Login refused: {SERVER}/tpg1 is disabled. Run '{TPG} enable' first.\n",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("portal", "given", "reached"),
    [
        ("0.0.0.0 3260", None, True),
        ("0.0.0.0 3260", "192.168.56.101", True),
        ("0.0.0.0 3260", "192.168.56.101:3261", False),
        ("0.0.0.0 3260", "192.168.56.77", False),
        ("0.0.0.0 3260", "[::1]:3260", False),
        ("::0 3260", "[::1]:3260", True),
        ("::0 3260", "192.168.56.101:3260", True),
        ("192.168.56.101 3261", None, True),
        ("192.168.56.101 3261", "192.168.56.101:3261", True),
        ("192.168.56.101 3261", "127.0.0.1:3261", False),
        ("192.168.56.77 3260", None, False),
    ],
)
def test_a_portal_must_be_reachable(
    exported: Pyshell, portal: str, given: str | None, reached: bool
) -> None:
    exported.prepare(f"{TPG}/portals delete 0.0.0.0 3260")
    exported(f"{TPG}/portals", "create", *portal.split())
    ran = exported("login", CLIENT, *([f"portal={given}"] if given else []))
    assert (ran.status == 0) == reached, ran
    if not reached:
        assert ran.err.startswith(f"Connection refused: nothing listens for {SERVER}")
        assert ran.status == 3


def test_chap_is_required_as_the_target_is_set(exported: Pyshell) -> None:
    exported.must(
        f"{TPG} set attribute authentication=1",
        f"{ACL} set auth userid=u1 password={SECRET}",
        f"{ACL} set auth mutual_userid=m1 mutual_password=other-secret1",
    )
    right = f"login {CLIENT} userid=u1 password={SECRET}"
    for line, status in (
        (f"login {CLIENT}", 4),
        (f"login {CLIENT} userid=u1 password=wrong-secret-1", 4),
        (f"login {CLIENT} userid=u1", 2),
        (f"{right} mutual_userid=m1 mutual_password=wrong-secret-1", 4),
        (f"{right} mutual_userid=m1 mutual_password=other-secret1", 0),
        (f"logout {CLIENT}", 0),
        (right, 0),
    ):
        ran = exported.line(line)
        assert ran.status == status, (line, ran)
        assert "secret" not in ran.out + ran.err.replace("CHAP secret", "").replace(
            "or secret is wrong", ""
        ).replace("its secret", ""), line


def test_traffic_is_counted(exported: Pyshell) -> None:
    exported.must(f"login {CLIENT}", f"traffic {CLIENT} read=20M written=5M")
    metrics = "\n".join(exported.must("metrics"))
    assert 'pyshell_lun_read_bytes_total{name="' in metrics
    assert " 20971520\n" in metrics
    assert " 5242880\n" in metrics


def test_traffic_needs_a_session_and_a_lun_that_may_be_written(exported: Pyshell) -> None:
    assert exported("traffic", CLIENT, "read=1M").status == 3
    exported.must(f"login {CLIENT}")
    assert exported("traffic", CLIENT, "read=1M", "lun=7").status == 3
    exported.must(f"{ACL} delete 0", f"{ACL} create 0 lun0 true")
    assert exported("traffic", CLIENT, "read=1M").status == 0
    refused = exported("traffic", CLIENT, "written=1M")
    assert (refused.status, refused.err) == (1, f"LUN 0 of {CLIENT} is read-only.\n")


def test_a_question_is_asked_before_a_simulated_session_ends(exported: Pyshell) -> None:
    exported.must(f"login {CLIENT}")
    (cut,) = [line for line in exported.must(f"{TPG} disable --dry-run") if CLIENT in line]
    assert "dry run" in cut
    exported.must(f"{TPG}/acls delete {CLIENT}")
    assert logged_in(exported) == []
