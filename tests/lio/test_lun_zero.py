# SPDX-License-Identifier: Apache-2.0
"""A session never goes on without the LUN 0 that is recreated: the kernel answers with zeros.

A second initiator shows whose sessions end. `tests/kernel/guest/test_renaming.py` reads the disk
meanwhile.
"""

from __future__ import annotations

import json

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell
from pyshell.lio.identifiers import Lun, MappedLun, NodeAcl, StorageObject, Target, Tpg
from pyshell.lio.operations.base import Operation
from pyshell.lio.operations.lun_zero import held
from pyshell.lio.operations.mapping import (
    CreateLun,
    DeleteLun,
    DeleteNodeAcl,
    EndSession,
    MapLun,
    UnmapLun,
)
from pyshell.lio.operations.setters import PauseTpg, SetEnabled

ACLS = f"{TPG}/acls"
ACL = f"{ACLS}/{CLIENT}"
OTHER = "iqn.2020-07.com.example:other"
DISK = "/backstores/block/disk1"
NEXT = "/dev/mapper/lee-lee.lv"


@pytest.fixture
def shared(pyshell: Pyshell) -> Pyshell:
    """Return a disk that is LUN 0 of one logged-in initiator; another sees it as LUN 1."""
    pyshell.must(
        "/backstores/block create disk1 /dev/sdb",
        f"/iscsi create {SERVER}",
        f"{ACLS} create {CLIENT} add_mapped_luns=false",
        f"{ACLS} create {OTHER} add_mapped_luns=false",
        f"{TPG}/luns create {DISK} lun=5 add_mapped_luns=false",
        f"{ACL} create 0 5",
        f"{ACLS}/{OTHER} create 1 5",
        f"login {CLIENT}",
        f"login {OTHER}",
    )
    return pyshell


def steps(pyshell: Pyshell, line: str) -> list[str]:
    """Return the steps that a dry run shows."""
    return [one.removesuffix(" (dry run)") for one in pyshell.line(line, "--dry-run").done().lines]


def logged_in(pyshell: Pyshell) -> list[str]:
    return [one["initiator"] for one in json.loads(pyshell("-o", "json", "sessions").out)["result"]]


def enabled(pyshell: Pyshell) -> bool:
    return pyshell.read(f"iscsi/{SERVER}/tpgt_1/enable") == "1\n"


PAUSE = f"Would disable TPG 1 of target {SERVER} while LUN 0 is recreated."
RESUME = f"Would enable TPG 1 of target {SERVER} again."


@pytest.mark.parametrize(
    "line",
    [f"{DISK} replace dev={NEXT}", f"{DISK} rename data1", f"{TPG}/luns/lun5 rename 0"],
)
def test_its_tpg_is_disabled_while_it_is_recreated(shared: Pyshell, line: str) -> None:
    found = steps(shared, line)
    unmapped = [i for i, one in enumerate(found) if one.startswith("Would delete mapped LUN")]
    mapped = [i for i, one in enumerate(found) if one.startswith("Would map")]
    assert found.index(PAUSE) < min(unmapped)
    assert found.index(RESUME) > max(mapped)
    for initiator in (CLIENT, OTHER):
        assert f"Would terminate the session of {initiator}" in "\n".join(found)
    shared.must(line)
    assert logged_in(shared) == []
    assert enabled(shared)
    shared.must("undo")
    assert enabled(shared)


def test_a_tpg_is_not_disabled_for_other_numbers(shared: Pyshell) -> None:
    shared.must(f"logout {CLIENT}")
    found = steps(shared, f"{DISK} replace dev={NEXT}")
    assert PAUSE not in found
    assert f"Would take a disk from {OTHER}" in "\n".join(found)


def test_undo_disables_the_tpg_only_for_who_is_logged_in_then(shared: Pyshell) -> None:
    shared.must(f"{DISK} rename data1", f"login {OTHER}", "undo")
    assert logged_in(shared) == [OTHER]
    shared.must(f"{DISK} rename data1", f"login {CLIENT}", "undo")
    assert CLIENT not in logged_in(shared)


def test_a_failed_step_leaves_the_tpg_enabled(
    shared: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: CreateLun, lio: object) -> None:
        raise OSError(5, "no")

    monkeypatch.setattr(CreateLun, "create", fail)
    assert shared.line(f"{DISK} replace dev={NEXT}").status == 1
    monkeypatch.undo()
    assert enabled(shared)
    shared.must(f"login {CLIENT}")


def test_only_the_session_of_a_deleted_acl_ends(shared: Pyshell) -> None:
    shared.must(f"{ACL} set auth userid=lee password=secret-of-lee-12")
    found = steps(shared, f"{ACLS} delete {CLIENT}")
    assert found[0] == f"Would end the session of node ACL {CLIENT} of TPG 1 of target {SERVER}."
    assert OTHER not in "\n".join(found)
    shared.must(f"{ACLS} delete {CLIENT}")
    assert logged_in(shared) == [OTHER]
    shared.must("undo")
    assert "userid=lee" in shared.line(f"{ACL} get auth userid").out
    assert shared.line(f"{ACL} get attribute authentication").out.strip().endswith("-1")
    shared.must(f"login {CLIENT}")


def test_of_a_deleted_lun_0_is_said_that_reads_return_zeros(shared: Pyshell) -> None:
    ran = shared.line(f"{TPG}/luns delete 5").done()
    assert f"Took LUN 0 from {CLIENT}" in ran.out
    assert f"Took a disk from {OTHER}" in ran.out
    assert ran.out.count("return zeros") == 1
    assert sorted(logged_in(shared)) == sorted([CLIENT, OTHER])


ROOT = "/none"
SERVERS_TPG = Tpg(Target("iscsi", SERVER, ROOT), 1)
ONE = NodeAcl(SERVERS_TPG, CLIENT)
OTHERS = NodeAcl(SERVERS_TPG, OTHER)
LUN = Lun(SERVERS_TPG, 0)
MAPPED = MappedLun(ONE, 0)
EXPORTED = StorageObject("block", "disk1", 0, ROOT)
AGAIN: list[Operation] = [
    UnmapLun(MAPPED),
    DeleteLun(LUN),
    CreateLun(LUN, EXPORTED),
    MapLun(MAPPED, LUN),
]


def test_what_is_already_disabled_or_has_no_session_is_left_alone() -> None:
    off = SetEnabled(SERVERS_TPG, False)
    assert held([off, *AGAIN], lambda tpg: {ONE}) == [off, *AGAIN]
    assert held(AGAIN, lambda tpg: None) == AGAIN
    assert held(AGAIN, lambda tpg: {OTHERS}) == AGAIN


def test_without_any_session_one_can_begin_meanwhile() -> None:
    made = held(AGAIN, lambda tpg: set())
    assert made == [PauseTpg(SERVERS_TPG, False), *AGAIN, PauseTpg(SERVERS_TPG, True)]


def test_a_session_without_an_acl_has_the_numbers_of_the_tpg() -> None:
    made = held(AGAIN, lambda tpg: {SERVERS_TPG})
    assert [one.enabled for one in made if isinstance(one, PauseTpg)] == [False, True]
    assert isinstance(made[0], PauseTpg)


def test_earlier_pauses_are_replaced_and_a_lone_one_is_kept() -> None:
    pauses = [PauseTpg(SERVERS_TPG, False), PauseTpg(SERVERS_TPG, True)]
    assert held([pauses[0], *AGAIN, pauses[1]], lambda tpg: {OTHERS}) == AGAIN
    assert held([*AGAIN, pauses[1]], lambda tpg: {OTHERS}) == [*AGAIN, pauses[1]]
    gone: list[Operation] = [EndSession(ONE), UnmapLun(MAPPED), DeleteNodeAcl(ONE)]
    assert held(gone, lambda tpg: {ONE}) == gone
