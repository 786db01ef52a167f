# SPDX-License-Identifier: Apache-2.0
"""Records what a logged-in initiator shows of itself, with open-iscsi as the initiator."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager

from .conformance_acts import mkdir, rmdir, write
from .initiator import Initiator
from .recorder_objects import enable, exported, make_device, remove_device, withdrawn
from .recorder_recording import IQN, Recording, Snapshot, do, snapshot

ADDRESS = "192.168.56.101"
# From where the initiator comes, on a machine that has both addresses.
CLIENT_ADDRESS = "192.168.56.105"


def record_sessions(recording: Recording) -> None:
    """Record a session of a node ACL, and one of an initiator that is let in without."""
    device = make_device("rd_mcp", 1)
    enable(device)
    for name, client in (("alpha", "india"), ("bravo", "juliet")):
        target, initiator = f"{IQN}:{name}", f"{IQN}:{client}"
        tokens = {
            "target": target,
            "initiator": initiator,
            "address": CLIENT_ADDRESS,
            "alias": platform.node(),
        }
        tpg = f"iscsi/{target}/tpgt_1"
        do(mkdir(f"iscsi/{target}"), mkdir(tpg), mkdir(f"{tpg}/np/{ADDRESS}:3260"))
        exported(device, f"{tpg}/lun/lun_0")
        do(write(f"{tpg}/attrib/authentication", "0"), write(f"{tpg}/enable", "1"))
        acl = f"{tpg}/acls/{initiator}"
        do(mkdir(acl))
        before = snapshot(acl), _own(f"iscsi/{target}")
        with logged_in(target, initiator):
            after = snapshot(acl), _own(f"iscsi/{target}")
        recording.instance("session of an acl", tokens, new=before[0], session=after[0])
        recording.instance("session of a target", tokens, new=before[1], session=after[1])
        do(rmdir(acl), write(f"{tpg}/attrib/generate_node_acls", "1"))
        quiet = _own(tpg)
        with logged_in(target, initiator):
            recording.instance("session without acl", tokens, new=quiet, session=_own(tpg))
        do(write(f"{tpg}/enable", "0"))
        withdrawn(f"{tpg}/lun/lun_0")
        do(rmdir(f"{tpg}/np/{ADDRESS}:3260"), rmdir(tpg), rmdir(f"iscsi/{target}"))
    remove_device(device)


@contextmanager
def logged_in(target: str, initiator: str) -> Iterator[None]:
    """Have an initiator logged in."""
    client = Initiator(initiator)
    client.start()
    try:
        client.discover(ADDRESS)
        client.login(target)
        yield
    finally:
        client.stop()


def _own(rel: str) -> Snapshot:
    """Return what an object itself shows, without the objects made in it."""
    found = snapshot(rel)
    return {
        inner: e for inner, e in found.items() if not inner.startswith(("np/", "lun/", "tpgt_"))
    }
