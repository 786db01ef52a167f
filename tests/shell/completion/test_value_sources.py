# SPDX-License-Identifier: Apache-2.0
"""Which initiators completion offers, and where it says that they were seen."""

from __future__ import annotations

import io

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell
from pyshell.lio import attach
from pyshell.shell.completion.sources import complete
from pyshell.shell.options import Options
from pyshell.shell.preference_files import Preferences
from pyshell.shell.shell import Shell

OTHER = "iqn.2020-07.192.168.56.101:other"
STRANGER = "iqn.2020-07.com.example:stranger"
HERE, THERE = f"{SERVER}/tpg1", f"{OTHER}/tpg1"


@pytest.fixture
def crowded(exported: Pyshell) -> Pyshell:
    """Return two targets: one initiator logged in at one, another turned away by it."""
    exported.prepare(f"/iscsi create {OTHER}")
    exported.simulator.login(SERVER, 1, CLIENT, "192.168.56.105:40000")
    with pytest.raises(PermissionError):
        exported.simulator.login(SERVER, 1, STRANGER, "192.168.56.107:45678")
    return exported


def offered(pyshell: Pyshell, line: str) -> dict[str, str]:
    """Return what is offered behind a line, with what is told of it."""
    lio = attach(pyshell.folder)
    preferences = Preferences(pyshell.folder / "home", lio.config_dir, pytest.fail)
    silent = io.StringIO()
    shell = Shell(lio, preferences, Options(), silent, silent, silent)
    return {one.text: one.described() for _, one in complete(line, shell.root(), "/")}


def test_a_new_acl_may_be_for_who_was_refused_or_is_known_elsewhere(crowded: Pyshell) -> None:
    assert offered(crowded, f"/iscsi/{OTHER}/tpg1/acls create wwn=") == {
        STRANGER: "was refused, according to the kernel's log",
        CLIENT: f"logged in now at {HERE}",
    }
    crowded.simulator.logout(SERVER, 1, CLIENT)
    told = offered(crowded, f"/iscsi/{OTHER}/tpg1/acls create ")
    assert told[CLIENT] == f"has an ACL at {HERE}"
    assert CLIENT not in offered(crowded, f"{TPG}/acls create wwn=")


def test_who_came_in_without_an_acl_stands_first(crowded: Pyshell) -> None:
    crowded.must(f"/iscsi/{OTHER}/tpg1 set attribute generate_node_acls=1")
    crowded.simulator.login(OTHER, 1, CLIENT, "192.168.56.105:40001")
    told = offered(crowded, f"/iscsi/{OTHER}/tpg1/acls create wwn=")
    assert next(iter(told.items())) == (CLIENT, "logged in now, without an ACL")


def test_share_offers_all_that_were_seen(crowded: Pyshell) -> None:
    assert set(offered(crowded, "share /dev/sdb to=")) == {STRANGER, CLIENT}
    assert list(offered(crowded, f"share /dev/sdb to={CLIENT},iqn")) == [f"{CLIENT},{STRANGER}"]


def test_unshare_offers_whom_something_can_be_taken_from(crowded: Pyshell) -> None:
    assert list(offered(crowded, "unshare /dev/mapper/lee-lee.lv to=")) == [CLIENT]
