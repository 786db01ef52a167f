# SPDX-License-Identifier: Apache-2.0
"""Sessions that nobody logs in for real."""

from __future__ import annotations

import pytest
import rtslib_fb

from pyshell.lio.rtslib import simulate
from pyshell.simulator import ChapCredentials, LoginRefusedError
from simulator.acts import ACL, CLIENT, IQN, TPG, Acts

ADDRESS = "192.168.56.105"
COUNT = f"iscsi/{IQN}/fabric_statistics/iscsi_instance/sessions"
ALONE = f"No active iSCSI Session for Initiator Endpoint: {CLIENT}\n"


@pytest.fixture
def ready(kernel: Acts) -> Acts:
    """Return a kernel with an enabled TPG and a node ACL in it."""
    kernel.tpg()
    kernel.mkdir(ACL)
    kernel.write(f"{TPG}/attrib/authentication", "0")
    kernel.write(f"{TPG}/enable", "1")
    return kernel


def test_a_session_shows_in_the_node_acl(ready: Acts) -> None:
    ready.simulator.login(IQN, 1, CLIENT, ADDRESS)
    simulate(ready.simulator)
    acl = rtslib_fb.NodeACL(
        rtslib_fb.TPG(rtslib_fb.Target(rtslib_fb.FabricModule("iscsi"), IQN), 1), CLIENT
    )
    connection = {"cid": 0, "cstate": "LOGGED_IN", "address": ADDRESS, "transport": "TCP"}
    assert (
        acl.session.items() >= {"type": "Normal", "state": "LOGGED_IN", "alias": "client"}.items()
    )
    assert acl.session["connections"] == [connection]


def test_negotiated_parameters_are_shown_during_a_session(ready: Acts) -> None:
    ready.simulator.login(IQN, 1, CLIENT, ADDRESS)
    assert (ready.read(f"{ACL}/param/MaxBurstLength"), ready.read(COUNT)) == ("262144\n", "1\n")
    ready.simulator.logout(IQN, 1, CLIENT)
    assert ready.read(f"{ACL}/param/MaxBurstLength") == "No Active iSCSI Session\n"
    assert (ready.read(f"{ACL}/info"), ready.read(COUNT)) == (ALONE, "0\n")


def test_a_tpg_shows_initiators_without_acl(ready: Acts) -> None:
    ready.rmdir(ACL)
    ready.write(f"{TPG}/attrib/generate_node_acls", "1")
    ready.simulator.login(IQN, 1, CLIENT, ADDRESS)
    assert ready.read(f"{TPG}/dynamic_sessions") == f"{CLIENT}\n\0"


def test_disabling_a_tpg_ends_its_sessions(ready: Acts) -> None:
    ready.simulator.login(IQN, 1, CLIENT, ADDRESS)
    ready.write(f"{TPG}/enable", "0")
    assert ready.read(f"{ACL}/info") == ALONE


def test_removing_an_acl_ends_its_session(ready: Acts) -> None:
    ready.simulator.login(IQN, 1, CLIENT, ADDRESS)
    ready.rmdir(ACL)
    assert ready.read(COUNT) == "0\n"
    ready.mkdir(ACL)
    assert ready.read(f"{ACL}/info") == ALONE


@pytest.mark.parametrize(
    ("enabled", "initiator", "error"),
    [("0", CLIENT, ConnectionRefusedError), ("1", "iqn.2020-07.org.example:x", PermissionError)],
)
def test_refused_logins(ready: Acts, enabled: str, initiator: str, error: type[OSError]) -> None:
    ready.write(f"{TPG}/enable", enabled)
    with pytest.raises(error):
        ready.simulator.login(IQN, 1, initiator, ADDRESS)


def test_a_second_login_or_logout_is_an_error(ready: Acts) -> None:
    with pytest.raises(FileNotFoundError):
        ready.simulator.logout(IQN, 1, CLIENT)
    ready.simulator.login(IQN, 1, CLIENT, ADDRESS)
    with pytest.raises(FileExistsError):
        ready.simulator.login(IQN, 1, CLIENT, ADDRESS)
    with pytest.raises(FileNotFoundError):
        ready.simulator.login(IQN, 7, CLIENT, ADDRESS)


# Finding 42. What follows was compared with open-iscsi on kernel 6.1.

RIGHT = ChapCredentials("u1", "secret-number1")
WRONG = ChapCredentials("u1", "secret-number2")
MUTUAL = ChapCredentials("u1", "secret-number1", "m1", "mutual-secret1")
STATISTICS = f"iscsi/{IQN}/fabric_statistics/iscsi_login_stats"


def _set_secrets(kernel: Acts, owner: str, *, mutual: bool = False) -> None:
    secrets = {"userid": "u1", "password": "secret-number1"}
    if mutual:
        secrets |= {"userid_mutual": "m1", "password_mutual": "mutual-secret1"}
    for name, text in secrets.items():
        kernel.write(f"{owner}/auth/{name}", text)


@pytest.mark.parametrize(
    ("at_tpg", "at_acl", "secrets", "chap", "refused"),
    [
        ("0", "-1", "none", RIGHT, "negotiate"),
        ("0", "-1", "own", RIGHT, "negotiate"),
        ("0", "-1", "own", WRONG, "negotiate"),
        ("0", "-1", "own", MUTUAL, "negotiate"),
        ("0", "-1", "own", None, ""),
        ("1", "-1", "own", RIGHT, ""),
        ("1", "-1", "own", WRONG, "authenticate"),
        ("1", "-1", "own", ChapCredentials("u2", "secret-number1"), "authenticate"),
        ("1", "-1", "own", None, "authenticate"),
        ("1", "-1", "own", MUTUAL, "negotiate"),
        ("1", "-1", "mutual", RIGHT, ""),
        ("1", "-1", "mutual", MUTUAL, ""),
        (
            "1",
            "-1",
            "mutual",
            ChapCredentials("u1", "secret-number1", "m1", "mutual-secret2"),
            "negotiate",
        ),
        ("1", "0", "own", None, ""),
        ("1", "0", "own", RIGHT, ""),
        ("1", "-1", "none", RIGHT, "authenticate"),
        ("1", "-1", "tpg", RIGHT, "authenticate"),
        ("1", "-1", "demo", RIGHT, ""),
        ("1", "-1", "demo", WRONG, "authenticate"),
        ("1", "-1", "demo", None, "authenticate"),
        ("0", "-1", "demo", None, ""),
    ],
)
def test_chap_ends_as_with_a_real_initiator(
    ready: Acts, at_tpg: str, at_acl: str, secrets: str, chap: ChapCredentials | None, refused: str
) -> None:
    if secrets == "demo":
        ready.rmdir(ACL)
        ready.write(f"{TPG}/attrib/generate_node_acls", "1")
    else:
        ready.write(f"{ACL}/attrib/authentication", at_acl)
    ready.write(f"{TPG}/attrib/authentication", at_tpg)
    if secrets in ("tpg", "demo"):
        _set_secrets(ready, TPG)
    elif secrets != "none":
        _set_secrets(ready, ACL, mutual=secrets == "mutual")
    if not refused:
        ready.simulator.login(IQN, 1, CLIENT, ADDRESS, chap)
        assert ready.read(COUNT) == "1\n"
        return
    with pytest.raises(LoginRefusedError):
        ready.simulator.login(IQN, 1, CLIENT, ADDRESS, chap)
    assert ready.read(COUNT) == "0\n"
    counted = {name: ready.read(f"{STATISTICS}/{name}_fails") for name in (refused, "negotiate")}
    assert set(counted.values()) == {"1\n"}


def test_a_new_acl_takes_over_the_session_of_its_initiator(ready: Acts) -> None:
    ready.rmdir(ACL)
    ready.write(f"{TPG}/attrib/generate_node_acls", "1")
    ready.simulator.login(IQN, 1, CLIENT, ADDRESS)
    ready.write(f"{TPG}/attrib/generate_node_acls", "0")
    assert ready.read(COUNT) == "1\n"
    ready.mkdir(ACL)
    assert ready.read(f"{TPG}/dynamic_sessions") == ""
    assert ready.read(f"{ACL}/info") != ALONE
    assert ready.read(COUNT) == "1\n"


@pytest.mark.parametrize(("depth", "left"), [("32", "0\n"), ("64", "1\n")])
def test_another_queue_depth_ends_the_session(ready: Acts, depth: str, left: str) -> None:
    ready.simulator.login(IQN, 1, CLIENT, ADDRESS)
    ready.write(f"{ACL}/cmdsn_depth", depth)
    assert ready.read(COUNT) == left
    assert ready.read(f"{ACL}/cmdsn_depth") == f"{depth}\n"


def test_a_session_continues_without_portal_and_luns(ready: Acts) -> None:
    ready.mkdir(f"{TPG}/np/192.168.56.101:3260", f"{TPG}/lun/lun_0")
    device = ready.enabled("rd_mcp")
    ready.link(device, f"{TPG}/lun/lun_0/x")
    ready.simulator.login(IQN, 1, CLIENT, ADDRESS)
    ready.unlink(f"{TPG}/lun/lun_0/x")
    ready.rmdir(f"{TPG}/lun/lun_0", f"{TPG}/np/192.168.56.101:3260")
    assert ready.read(COUNT) == "1\n"


def test_a_removed_tpg_ends_the_sessions_without_acl(ready: Acts) -> None:
    ready.rmdir(ACL)
    ready.write(f"{TPG}/attrib/generate_node_acls", "1")
    ready.simulator.login(IQN, 1, CLIENT, ADDRESS)
    ready.rmdir(TPG)
    assert ready.read(COUNT) == "0\n"


@pytest.mark.parametrize("name", ["x/../y", "..", "a\nb", "\x1b[2J"])
def test_the_name_of_an_initiator_without_acl_need_not_be_a_valid_path(
    ready: Acts, name: str
) -> None:
    ready.write(f"{TPG}/attrib/generate_node_acls", "1")
    ready.simulator.login(IQN, 1, name, ADDRESS)
    assert ready.read(f"{TPG}/dynamic_sessions") == f"{name}\n\0"
    assert ready.read(f"{ACL}/info") == ALONE
    ready.simulator.logout(IQN, 1, name)


def test_a_generated_acl_stays_cached_after_demo_mode(ready: Acts) -> None:
    ready.rmdir(ACL)
    ready.write(f"{TPG}/attrib/generate_node_acls", "1")
    ready.simulator.login(IQN, 1, CLIENT, ADDRESS)
    ready.simulator.logout(IQN, 1, CLIENT)
    ready.write(f"{TPG}/attrib/generate_node_acls", "0")
    ready.simulator.login(IQN, 1, CLIENT, ADDRESS)
    assert ready.read(f"{TPG}/dynamic_sessions") == f"{CLIENT}\n\0"
    with pytest.raises(LoginRefusedError):
        ready.simulator.login(IQN, 1, "iqn.2020-07.org.example:new", ADDRESS)


def test_demo_mode_turns_the_cache_of_acls_on(ready: Acts) -> None:
    cache = f"{TPG}/attrib/cache_dynamic_acls"
    ready.write(f"{TPG}/attrib/generate_node_acls", "1")
    assert ready.read(cache) == "1\n"
    ready.write(cache, "0")
    assert ready.read(cache) == "1\n", "as long as it lasts"
    ready.write(f"{TPG}/attrib/generate_node_acls", "0")
    assert ready.read(cache) == "1\n"
    ready.write(cache, "0")
    assert ready.read(cache) == "0\n"


def test_each_session_has_a_number_of_its_own(ready: Acts) -> None:
    other = f"{CLIENT}2"
    ready.mkdir(f"{TPG}/acls/{other}")
    for name in (CLIENT, other):
        ready.simulator.login(IQN, 1, name, ADDRESS)
    for number, name in enumerate((CLIENT, other), 1):
        assert f"LIO Session ID: {number} " in ready.read(f"{TPG}/acls/{name}/info")
    ready.simulator.logout(IQN, 1, CLIENT)
    ready.simulator.login(IQN, 1, CLIENT, ADDRESS)
    assert "LIO Session ID: 3 " in ready.read(f"{ACL}/info")
    assert "LIO Session ID: 2 " in ready.read(f"{TPG}/acls/{other}/info")
