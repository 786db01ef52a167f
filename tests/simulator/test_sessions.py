# SPDX-License-Identifier: Apache-2.0
"""Sessions that nobody logs in for real."""

from __future__ import annotations

import pytest
import rtslib_fb

from pyshell.simulator.attach import attach
from simulator.acts import ACL, CLIENT, IQN, TPG, Acts

ADDRESS = "192.168.56.105"
COUNT = f"iscsi/{IQN}/fabric_statistics/iscsi_instance/sessions"
ALONE = f"No active iSCSI Session for Initiator Endpoint: {CLIENT}\n"


@pytest.fixture
def ready(kernel: Acts) -> Acts:
    """Return a kernel with an enabled TPG and a node ACL in it."""
    kernel.tpg()
    kernel.mkdir(ACL)
    kernel.write(f"{TPG}/enable", "1")
    return kernel


def test_a_session_shows_in_the_node_acl(ready: Acts) -> None:
    ready.simulator.login(IQN, 1, CLIENT, ADDRESS)
    attach(ready.simulator)
    acl = rtslib_fb.NodeACL(
        rtslib_fb.TPG(rtslib_fb.Target(rtslib_fb.FabricModule("iscsi"), IQN), 1), CLIENT
    )
    connection = {"cid": 0, "cstate": "LOGGED_IN", "address": ADDRESS, "transport": "TCP"}
    assert (
        acl.session.items() >= {"type": "Normal", "state": "LOGGED_IN", "alias": "client"}.items()
    )
    assert acl.session["connections"] == [connection]


def test_negotiated_parameters_show_while_it_lasts(ready: Acts) -> None:
    ready.simulator.login(IQN, 1, CLIENT, ADDRESS)
    assert (ready.read(f"{ACL}/param/MaxBurstLength"), ready.read(COUNT)) == ("262144\n", "1\n")
    ready.simulator.logout(IQN, 1, CLIENT)
    assert ready.read(f"{ACL}/param/MaxBurstLength") == "No Active iSCSI Session\n"
    assert (ready.read(f"{ACL}/info"), ready.read(COUNT)) == (ALONE, "0\n")


def test_an_initiator_without_acl_shows_in_the_tpg(ready: Acts) -> None:
    ready.rmdir(ACL)
    ready.write(f"{TPG}/attrib/generate_node_acls", "1")
    ready.simulator.login(IQN, 1, CLIENT, ADDRESS)
    assert ready.read(f"{TPG}/dynamic_sessions") == f"{CLIENT}\n\0"


def test_a_disabled_tpg_throws_everybody_out(ready: Acts) -> None:
    ready.simulator.login(IQN, 1, CLIENT, ADDRESS)
    ready.write(f"{TPG}/enable", "0")
    assert ready.read(f"{ACL}/info") == ALONE


def test_a_removed_acl_takes_its_session_along(ready: Acts) -> None:
    ready.simulator.login(IQN, 1, CLIENT, ADDRESS)
    ready.rmdir(ACL)
    assert ready.read(COUNT) == "0\n"
    ready.mkdir(ACL)
    assert ready.read(f"{ACL}/info") == ALONE


@pytest.mark.parametrize(
    ("enabled", "initiator", "error"),
    [("0", CLIENT, ConnectionRefusedError), ("1", "iqn.2020-07.org.example:x", PermissionError)],
)
def test_who_is_not_let_in(ready: Acts, enabled: str, initiator: str, error: type[OSError]) -> None:
    ready.write(f"{TPG}/enable", enabled)
    with pytest.raises(error):
        ready.simulator.login(IQN, 1, initiator, ADDRESS)


def test_nobody_is_in_twice_or_leaves_unseen(ready: Acts) -> None:
    with pytest.raises(FileNotFoundError):
        ready.simulator.logout(IQN, 1, CLIENT)
    ready.simulator.login(IQN, 1, CLIENT, ADDRESS)
    with pytest.raises(FileExistsError):
        ready.simulator.login(IQN, 1, CLIENT, ADDRESS)
    with pytest.raises(FileNotFoundError):
        ready.simulator.login(IQN, 7, CLIENT, ADDRESS)
