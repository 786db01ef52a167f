# SPDX-License-Identifier: Apache-2.0
"""Operations: checked as a list, carried out whole, undone by their inverses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from threading import Barrier
from typing import ClassVar

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell
from driver import ROOT as SOURCES
from identified import ROOT, root_all, rooted
from pyshell.errors import (
    ExistsError,
    InterruptedStepsError,
    NotFoundError,
    PyshellError,
    UsageError,
)
from pyshell.lio import Lio, listing, rtslib_objects
from pyshell.lio.configfs import changing
from pyshell.lio.fabrics import fabric
from pyshell.lio.identifiers import (
    AluaGroup,
    Lun,
    MappedLun,
    NodeAcl,
    Portal,
    StorageObject,
    Target,
    Tpg,
)
from pyshell.lio.operations.base import Foreseen, Operation, carry_out, check
from pyshell.lio.operations.mapping import (
    CreateLun,
    CreateNodeAcl,
    DeleteLun,
    DeleteNodeAcl,
    MapLun,
    SetLunAluaGroup,
    UnmapLun,
    remove_lun,
    remove_node_acl,
)
from pyshell.lio.operations.setters import Set, SetEnabled, SetSerial
from pyshell.lio.operations.storage import (
    CreateAluaGroup,
    CreateImageFile,
    CreateStorageObject,
    DeleteAluaGroup,
    DeleteStorageObject,
    remove_storage_object,
)
from pyshell.lio.operations.targets import (
    CreatePortal,
    CreateTarget,
    CreateTpg,
    DeletePortal,
    DeleteTarget,
    DeleteTpg,
    remove_target,
    remove_targets,
    remove_tpg,
)
from pyshell.lio.storage_info import ARGUMENTS
from pyshell.shell.recording import Recording

TARGET = Target("iscsi", SERVER, ROOT)
FIRST = Tpg(TARGET, 1)
ACL = NodeAcl(FIRST, CLIENT)
DISK = StorageObject("block", "lee_block", 0, ROOT)
GROUP = AluaGroup(DISK, "second")


@pytest.fixture(autouse=True)
def _identifiers_of_the_target(pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch) -> None:
    root_all(monkeypatch, sys.modules[__name__], str(pyshell.configfs))


@dataclass
class Step(Operation):
    """A step that is noted in a list."""

    name: str
    done: list[str]
    fails: bool = False
    undo: bool = True

    def step(self) -> str:
        """Return its name."""
        return self.name

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        """Note that it was checked."""
        self.done.append(f"check {self.name}")

    def do(self, lio: Lio) -> Operation | None:
        """Note that it was done, or fail."""
        if self.fails:
            raise PyshellError("It cannot be")
        self.done.append(self.name)
        return Step(f"undo {self.name}", self.done) if self.undo else None


def test_all_is_checked_before_anything_is_done(lio: Lio) -> None:
    done: list[str] = []
    outcome = carry_out(lio, [Step("a", done), Step("b", done)])
    assert done == ["check a", "check b", "a", "b"]
    assert outcome.changed


def test_what_did_nothing_is_no_change(lio: Lio) -> None:
    outcome = carry_out(lio, [Step("a", [], undo=False)])
    assert not outcome.changed
    assert outcome.undo == []


def test_inverses_stand_in_reverse_order(lio: Lio) -> None:
    outcome = carry_out(lio, [Step("a", []), Step("b", [])])
    assert [operation.step() for operation in outcome.undo] == ["undo b", "undo a"]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("r7",), "But what storage object ramdisk/r7 held is lost: it was recreated."),
        (
            tuple(f"r{number}" for number in range(11, 0, -1)),
            "What 11 ramdisks held is lost, from ramdisk/r1 to ramdisk/r11: they were recreated.",
        ),
    ],
)
def test_what_is_lost_by_undoing_is_one_sentence(
    pyshell: Pyshell, names: Sequence[str], told: str
) -> None:
    pyshell.must(*(f"/backstores/ramdisk create {name} 1M" for name in names))
    lio = pyshell.open()
    steps: list[Operation] = [
        DeleteStorageObject(place) for name in names if (place := find(lio, name)) is not None
    ]
    with pytest.raises(PyshellError, match="It cannot be") as caught:
        carry_out(lio, [*steps, Step("last", [], fails=True)])
    assert caught.value.hint == f"The steps before it were undone. {told}"
    assert len(listing.storage_objects(lio)) == len(names)


def find(lio: Lio, name: str) -> StorageObject | None:
    """Return the ramdisk of that name."""
    return listing.storage_object(lio, "ramdisk", name)


def test_a_failure_undoes_what_was_done_before_it(lio: Lio) -> None:
    done: list[str] = []
    with pytest.raises(PyshellError, match="Step 'third' failed: It cannot be") as caught:
        carry_out(lio, [Step("a", done), Step("b", done), Step("third", done, fails=True)])
    assert done[3:] == ["a", "b", "undo b", "undo a"]
    assert caught.value.step == "third"
    assert caught.value.hint == "The steps before it were undone."


def test_a_failure_of_the_only_step_is_told_plainly(lio: Lio) -> None:
    with pytest.raises(PyshellError) as caught:
        carry_out(lio, [Step("a", [], fails=True)])
    assert str(caught.value) == "It cannot be."


def test_each_step_is_noticed(lio: Lio) -> None:
    seen: list[tuple[str, int, int]] = []
    steps = [Step("a", []), Step("b", [])]
    carry_out(
        lio, steps, lambda operation, index, total: seen.append((operation.step(), index, total))
    )
    assert seen == [("a", 1, 2), ("b", 2, 2)]


def test_an_interrupt_lets_a_step_finish_and_undoes_it(lio: Lio) -> None:
    done: list[str] = []
    handler = signal.getsignal(signal.SIGINT)

    @dataclass
    class Interrupted(Step):
        """A step during which Ctrl-C is pressed."""

        def do(self, lio: Lio) -> Operation | None:
            """Be interrupted."""
            os.kill(os.getpid(), signal.SIGINT)
            return super().do(lio)

    with pytest.raises(PyshellError, match="Interrupted before the step 'b'"):
        carry_out(lio, [Interrupted("a", done), Step("b", done)])
    assert done == ["check a", "check b", "a", "undo a"]
    assert signal.getsignal(signal.SIGINT) is handler


@dataclass
class Waiting(Step):
    """A step that is done when as many as `together` tells are under way."""

    waits: ClassVar[bool] = True
    together: Barrier | None = None

    def do(self, lio: Lio) -> Operation | None:
        """Wait for the others."""
        if self.together is not None:
            self.together.wait(10)
        return super().do(lio)


@pytest.fixture
def wide(lio: Lio) -> Lio:
    """Return a target whose kernel lets two operations wait at once."""
    return replace(lio, at_once=2)


def test_what_waits_in_the_kernel_waits_beside_its_like(wide: Lio) -> None:
    done: list[str] = []
    both = Barrier(2)
    seen: list[str] = []
    steps = [Step("a", done), *(Waiting(n, done, together=both) for n in "bcde"), Step("f", done)]
    outcome = carry_out(wide, steps, lambda operation, *_: seen.append(operation.step()))
    assert seen == list("abcdef")
    assert done[6] == "a"
    assert done[-1] == "f"
    assert [operation.step() for operation in outcome.undo] == [f"undo {n}" for n in "fedcba"]


def test_what_may_wait_for_others_of_another_kind_does(wide: Lio) -> None:
    done: list[str] = []

    class Other(Waiting):
        """Waits as well."""

        def do(self, lio: Lio) -> Operation | None:
            """See that those before are done."""
            assert done[4:] == ["a", "b"] or done[4:6] == ["b", "a"]
            return super().do(lio)

    both = Barrier(2)
    first = [Waiting(n, done, together=both) for n in "ab"]
    carry_out(wide, [*first, Other("c", done), Other("d", done)])
    assert sorted(done[6:]) == ["c", "d"]


def test_a_failure_undoes_what_was_done_beside_it_and_begins_nothing_more(wide: Lio) -> None:
    done: list[str] = []
    both = Barrier(2)
    names = ["a", "b", "3rd", "d"]
    steps = [Waiting(n, done, together=both, fails=n == "3rd") for n in names]
    with pytest.raises(PyshellError, match="Step '3rd' failed: It cannot be") as caught:
        carry_out(wide, [*steps, Waiting("e", done), Step("f", done)])
    assert sorted(done[6:9]) == ["a", "b", "d"]
    assert "f" not in done
    assert sorted(done[9:]) in (
        ["undo a", "undo b", "undo d"],
        ["e", "undo a", "undo b", "undo d", "undo e"],
    )
    assert caught.value.step == "3rd"


class Backwards:
    """Does what is to be done at once from the last to the first."""

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once

    def map(self, attempt: Callable[[Operation], object], run: Sequence[Operation]) -> list[object]:
        """Return what came of each, in the order in which they stand."""
        return [attempt(operation) for operation in reversed(run)][::-1]

    def shutdown(self, *, cancel_futures: bool) -> None:
        """End nothing: all is done."""
        assert cancel_futures


@pytest.mark.parametrize("carry", [carry_out, partial(carry_out, for_good=True)])
def test_the_failure_is_told_though_one_before_it_was_not_begun(
    wide: Lio, carry: Callable[[Lio, Sequence[Operation]], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("concurrent.futures.ThreadPoolExecutor", Backwards)
    done: list[str] = []
    with pytest.raises(PyshellError, match="It cannot be"):
        carry(wide, [Waiting("a", done), Waiting("3rd", done, fails=True), Waiting("c", done)])
    assert done[3:] in (["c"], ["c", "undo c"])


@pytest.mark.parametrize("carry", [carry_out, partial(carry_out, for_good=True)])
def test_nothing_more_is_begun_where_telling_of_it_fails(
    wide: Lio, carry: Callable[..., object]
) -> None:
    done: list[str] = []

    def lost(*_: object) -> None:
        raise OSError("the terminal is gone")

    class Slow(Waiting):
        """Takes its time."""

        def do(self, lio: Lio) -> Operation | None:
            """Be done a little later."""
            time.sleep(0.05)
            return super().do(lio)

    with pytest.raises(OSError, match="the terminal is gone"):
        carry(wide, [Slow(str(number), done) for number in range(40)], lost)
    assert len(done) < 40 + 10


@pytest.mark.parametrize("at_once", [1, 2])
def test_each_for_good_keeps_what_was_done_before_a_failure(lio: Lio, at_once: int) -> None:
    done: list[str] = []
    seen: list[str] = []
    both = Barrier(at_once)
    failing = Waiting("b", done, fails=True, together=both)
    steps = [Waiting("a", done, together=both), failing, Step("c", done)]
    with pytest.raises(PyshellError, match="It cannot be"):
        carry_out(
            replace(lio, at_once=at_once),
            steps,
            lambda operation, *_: seen.append(operation.step()),
            for_good=True,
        )
    assert done[3:] == seen == ["a"]


def test_an_interrupt_lets_those_under_way_finish(wide: Lio) -> None:
    done: list[str] = []

    class Interrupted(Waiting):
        """A step during which Ctrl-C is pressed."""

        def do(self, lio: Lio) -> Operation | None:
            """Be interrupted, and go on until the main thread knows."""
            both.wait(10)
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)
            return super().do(lio)

    both = Barrier(2)
    steps = [Interrupted(n, done) for n in "abcd"]
    with pytest.raises(PyshellError, match="Interrupted before the step 'c'"):
        carry_out(wide, steps)
    assert sorted(done[4:6]) == ["a", "b"]
    assert done[6:] == ["undo b", "undo a"]


def test_targets_are_deleted_kind_by_kind_so_that_luns_of_all_go_at_once(
    exported: Pyshell,
) -> None:
    other = "iqn.2020-07.com.example:two"
    exported.must(
        f"/iscsi create {other}",
        f"/iscsi/{other}/tpg1/luns create /backstores/block/lee_block",
    )
    exported.open()
    found = remove_targets(listing.targets(fabric("iscsi", ROOT)))
    assert [kind.__name__ for kind, _ in groupby(found, key=type)] == [
        "SetEnabled", "UnmapLun", "DeleteNodeAcl", "DeleteLun", "DeletePortal", "DeleteTpg",
        "DeleteTarget",
    ]  # fmt: skip
    assert sum(isinstance(operation, DeleteLun) for operation in found) == 2


def test_what_is_foreseen_counts_for_the_checks_after_it(lio: Lio) -> None:
    check(lio, [CreateTarget(TARGET), CreateTpg(FIRST), CreateNodeAcl(ACL)])
    with pytest.raises(NotFoundError, match="There is no TPG 1"):
        check(lio, [CreateTarget(TARGET), CreateNodeAcl(ACL)])
    with pytest.raises(ExistsError):
        check(lio, [CreateTarget(TARGET), CreateTarget(TARGET)])


def test_what_will_be_gone_counts_for_the_checks_after_it(target: Pyshell, lio: Lio) -> None:
    check(lio, [*remove_target(TARGET), CreateTarget(TARGET)])
    with pytest.raises(NotFoundError):
        check(lio, [*remove_target(TARGET), CreateTpg(FIRST)])


def test_what_is_foreseen_to_be_made_again_is_there(lio: Lio) -> None:
    foreseen = Foreseen(lio)
    foreseen.make("/a/b")
    foreseen.remove("/a")
    assert not foreseen.exists("/a/b")
    foreseen.make("/a")
    assert foreseen.exists("/a")
    assert not foreseen.exists("/a/b")


# Every operation and its inverse

MAKERS: dict[str, Callable[[Lio], Sequence[Operation]]] = {
    "create target": lambda _: [CreateTarget(Target("iscsi", "iqn.2020-07.com.example:two", ROOT))],
    "create loopback target": lambda _: [
        CreateTarget(Target("loopback", "naa.5001405000000001", ROOT))
    ],
    "create tpg": lambda _: [CreateTpg(Tpg(TARGET, 2))],
    "create portal": lambda _: [CreatePortal(Portal(FIRST, "2001:db8::1", 3261))],
    "create acl": lambda _: [CreateNodeAcl(NodeAcl(FIRST, "iqn.2020-07.com.example:i"))],
    "create lun": lambda _: [CreateLun(Lun(FIRST, 5), StorageObject("ramdisk", "spare", 1, ROOT))],
    "map lun": lambda _: [MapLun(MappedLun(ACL, 5), Lun(FIRST, 0), write_protect=True)],
    "create alua group": lambda _: [CreateAluaGroup(AluaGroup(DISK, "third"), 17)],
    "create ramdisk": lambda _: [
        CreateStorageObject(StorageObject("ramdisk", "x", 7, ROOT), {"size": 1 << 20})
    ],
    "create image": lambda _: [CreateImageFile("/srv/x.img", 1 << 20, True)],
    "set": lambda _: [Set(DISK, "attrib/emulate_caw", "0")],
    "set secret": lambda _: [Set(FIRST, "auth/password", "verysecret")],
    "set serial": lambda _: [SetSerial(StorageObject("ramdisk", "spare", 1, ROOT), "a new serial")],
    "disable": lambda _: [SetEnabled(FIRST, False)],
    "move lun": lambda _: [SetLunAluaGroup(Lun(FIRST, 0), "default_tg_pt_gp")],
    "delete portal": lambda _: [DeletePortal(Portal(FIRST, "0.0.0.0", 3260))],
    "unmap": lambda _: [UnmapLun(MappedLun(ACL, 0))],
    "delete alua group": lambda _: [DeleteAluaGroup(GROUP)],
    "delete lun": lambda _: remove_lun(Lun(FIRST, 0)),
    "delete acl": lambda _: remove_node_acl(ACL),
    "delete tpg": lambda _: remove_tpg(FIRST),
    "delete target": lambda _: remove_target(TARGET),
    "delete storage object": lambda lio: remove_storage_object(lio, DISK),
    "delete ramdisk": lambda _: [DeleteStorageObject(StorageObject("ramdisk", "spare", 1, ROOT))],
}


@pytest.fixture
def busy(exported: Pyshell) -> Pyshell:
    """Return pyshell with settings of all kinds away from their defaults."""
    acl = f"{TPG}/acls/{CLIENT}"
    exported.must(
        "/loopback create naa.5001405000000002",  # a fabric that is loaded stays
        "/backstores/ramdisk create spare 1M",
        f"{TPG} set auth userid=me password=secret1",
        f"{TPG} set attribute login_timeout=7",
        f"{TPG} set parameter MaxConnections=3",
        f"{acl} set auth userid=you password=secret2 mutual_userid=a mutual_password=b",
        f"{acl} set attribute nopin_timeout=7",
        "/backstores/block/lee_block set attribute emulate_3pc=0",
    )
    lio = exported.open()
    carry_out(lio, [CreateAluaGroup(GROUP, 16), Set(GROUP, "alua_access_state", "1")])
    carry_out(lio, [SetLunAluaGroup(Lun(FIRST, 0), "second")])
    return exported


@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)
def test_a_check_changes_nothing_and_an_operation_is_undone_by_its_inverse(
    busy: Pyshell, maker: Callable[[Lio], Sequence[Operation]]
) -> None:
    lio = busy.open()
    untouched = busy.files()
    check(lio, maker(lio))
    assert busy.files() == untouched
    before = settled(busy)
    outcome = carry_out(lio, maker(lio))
    assert outcome.changed
    assert settled(busy) != before
    carry_out(lio, outcome.undo)
    assert settled(busy) == before


def settled(pyshell: Pyshell) -> dict[str, str]:
    """Return the tree and the host's files, without numbers that count up over a kernel's life."""
    found = pyshell.tree()
    kept = {
        name: text
        for name, text in found.items()
        if "/statistics" not in name and not name.endswith(("/hba_info", "default_lu_gp/members"))
    }
    images = pyshell.folder / "files"
    return kept | {str(path): "" for path in images.rglob("*")}


# What speaks against an operation


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        (CreateLun(Lun(FIRST, 65536), DISK), UsageError),
        (CreateLun(Lun(FIRST, 0), DISK), ExistsError),
        (CreateLun(Lun(FIRST, 1), StorageObject("block", "none", 9, ROOT)), NotFoundError),
        (MapLun(MappedLun(ACL, 65536), Lun(FIRST, 0)), UsageError),
        (MapLun(MappedLun(ACL, 0), Lun(FIRST, 0)), ExistsError),
        (MapLun(MappedLun(ACL, 1), Lun(FIRST, 9)), NotFoundError),
        (CreateAluaGroup(AluaGroup(DISK, "x"), 0), UsageError),
        (CreateAluaGroup(AluaGroup(DISK, "x"), 65536), UsageError),
        (CreateAluaGroup(AluaGroup(DISK, "default_tg_pt_gp"), 1), ExistsError),
        (DeleteAluaGroup(AluaGroup(DISK, "default_tg_pt_gp")), UsageError),
        (DeleteLun(Lun(FIRST, 9)), NotFoundError),
        (DeleteNodeAcl(NodeAcl(FIRST, "iqn.2020-07.com.example:none")), NotFoundError),
        (DeletePortal(Portal(FIRST, "192.0.2.1", 3260)), NotFoundError),
        (DeleteTarget(Target("iscsi", "iqn.2020-07.com.example:none", ROOT)), NotFoundError),
        (DeleteTpg(Tpg(TARGET, 9)), NotFoundError),
        (Set(Lun(FIRST, 9), "x", "1"), NotFoundError),
        (Set(FIRST, "auth/password", "x" * 256), UsageError),
        (CreateNodeAcl(NodeAcl(Tpg(Target("loopback", "naa.5001405000000001", ROOT), 1), "x")),
         NotFoundError),
    ],
    ids=lambda value: value.step() if isinstance(value, Operation) else value.__name__,
)  # fmt: skip
def test_what_cannot_be_is_refused_before_anything_is_done(
    exported: Pyshell, operation: Operation, fault: type[PyshellError]
) -> None:
    lio = exported.open()
    before = exported.tree()
    with pytest.raises(fault):
        check(lio, [rooted(operation, lio.root)])
    assert exported.tree() == before


def test_a_setting_that_is_not_there_is_told(exported: Pyshell) -> None:
    with pytest.raises(NotFoundError, match="has no bogus"):
        carry_out(exported.open(), [Set(DISK, "attrib/bogus", "1")])


def test_a_setting_that_has_its_value_is_not_written(
    exported: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    lio = exported.open()

    def never(path: str, text: str) -> None:
        raise AssertionError(path)

    monkeypatch.setattr(lio.kernel, "write", never)
    outcome = carry_out(lio, [Set(FIRST, "auth/userid", ""), SetEnabled(FIRST, True)])
    assert not outcome.changed


def test_a_step_does_not_name_a_secret() -> None:
    assert "verysecret" not in Set(FIRST, "auth/password", "verysecret").step()
    assert "verysecret" not in Set(FIRST, "auth/password_mutual", "verysecret").step()
    assert "to me" in Set(FIRST, "auth/userid", "me").step()


def test_a_second_tpg_where_a_fabric_has_but_one(pyshell: Pyshell) -> None:
    pyshell.must("/loopback create naa.5001405000000001")
    with pytest.raises(ExistsError, match="already has its only TPG"):
        check(pyshell.open(), [CreateTpg(Tpg(Target("loopback", "naa.5001405000000001", ROOT), 2))])


def test_hbas_are_numbered_by_the_lowest_free_number(pyshell: Pyshell) -> None:
    pyshell.must(*(f"/backstores/ramdisk create d{n} 1M" for n in range(3)))
    pyshell.must("/backstores/ramdisk delete d1")
    assert listing.free_hba(pyshell.open()) == 1


@pytest.mark.parametrize(
    ("plugin", "needed"),
    [(p, tuple(n for n, one in known.items() if one.needed)) for p, known in ARGUMENTS.items()],
)
def test_a_storage_object_names_the_argument_that_it_lacks(
    lio: Lio, plugin: str, needed: tuple[str, ...]
) -> None:
    for arguments in ({}, dict.fromkeys(needed)):
        with pytest.raises(UsageError, match=f"A {plugin} storage object needs its {needed[0]}"):
            check(lio, [CreateStorageObject(StorageObject(plugin, "a", -1, ROOT), arguments)])


def test_finding_57_what_a_killed_program_left_half_made_is_completed_by_apply(
    exported: Pyshell,
) -> None:
    exported.must(
        "/backstores/ramdisk create memory 1M",
        "/backstores/ramdisk/memory/alua create group 5",
        "/loopback create naa.5001405000000001",
        "saveconfig",
        "/backstores/ramdisk/memory/alua delete group",
    )
    (memory,) = exported.configfs.glob("core/rd_mcp_*/memory")
    exported.simulator.mkdir(str(memory / "alua" / "group"))
    exported.simulator.mkdir(str(exported.configfs / f"iscsi/{SERVER}/tpgt_1/lun/lun_4"))
    (nexus,) = exported.configfs.glob("loopback/*/tpgt_*/nexus")
    exported.simulator.write(str(nexus), "NULL")
    exported.must("apply " + str(exported.saved_file))
    assert (memory / "alua" / "group" / "tg_pt_gp_id").read_text() == "5\n"
    assert exported.simulator.read(str(nexus)).strip()
    exported.must(f"{TPG}/luns delete 4")
    assert exported("diff").status == 0


def test_finding_57_a_half_made_group_is_deleted_by_its_command(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/ramdisk create memory 1M")
    (memory,) = pyshell.configfs.glob("core/rd_mcp_*/memory")
    pyshell.simulator.mkdir(str(memory / "alua" / "group"))
    pyshell.must("/backstores/ramdisk/memory/alua delete group")
    assert not (memory / "alua" / "group").exists()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("fileio create a /dev/sdd", "fileio create b /dev/sdd"),
        ("fileio create a /dev/sdd", "pscsi create b /dev/sdd"),
        ("fileio create a /dev/sdd", "pscsi create b 1:0:0:0"),
        ("pscsi create a 1:0:0:0", "fileio create b /dev/sdd"),
        ("fileio create a /dev/mapper/lee-lee.lv", "block create b /dev/lee/lee.lv"),
        ("fileio create a /dev/mapper/lee-lee.lv", "fileio create b /dev/lee/lee.lv"),
        ("block create a /dev/sdd", "fileio create b /dev/sdd"),
        ("pscsi create a /dev/st0", "pscsi create b 2:0:0:0"),
    ],
)
def test_finding_8_no_two_storage_objects_write_to_one_device(
    pyshell: Pyshell, first: str, second: str
) -> None:
    assert pyshell.line(f"/backstores/{first}").status == 0
    for options in ([], ["--dry-run"]):
        ran = pyshell.line(f"/backstores/{second}", *options)
        assert ran.status == 5, ran
        assert "is in use" in ran.err
    plugin = first.split(maxsplit=1)[0]
    pyshell.must("saveconfig", f"/backstores/{plugin} delete a")
    assert pyshell.line(f"/backstores/{second}").status == 0


def test_finding_8_a_document_with_two_objects_on_one_device_is_refused_and_doctor_reports_them(
    pyshell: Pyshell, tmp_path: Path
) -> None:
    pyshell.line("/backstores/fileio create a /dev/sdd")
    pyshell.must("saveconfig")
    document = pyshell.document()
    (entry,) = document["storage_objects"]
    document["storage_objects"].append({**entry, "name": "b", "wwn": "another"})
    both = tmp_path / "both.json"
    both.touch(0o600)
    both.write_text(json.dumps(document))
    ran = pyshell.line(f"apply {both}")
    assert ran.status != 0
    assert "/dev/sdd" in ran.err
    lio = pyshell.open()
    with changing():
        rtslib_objects.create_storage_object(
            StorageObject("fileio", "b", 7, ROOT), {"dev": "/dev/sdd", "wwn": "another"}
        )
    assert "uses the same device or file as /backstores/fileio/a" in pyshell("doctor").out
    assert lio.simulated is not None


def test_finding_66_a_signal_after_the_last_step_leaves_an_undo_entry(
    pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = Recording.keep_operations

    def interrupted(recording: Recording, inverses: Sequence[Operation]) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        keep(recording, inverses)

    monkeypatch.setattr(Recording, "keep_operations", interrupted)
    assert pyshell.line("/backstores/ramdisk create one 1M").status == 130
    monkeypatch.undo()
    pyshell.must("undo")
    assert listing.storage_object(pyshell.open(), "ramdisk", "one") is None


def test_finding_66_an_interrupted_restore_that_changed_nothing_leaves_no_undo_entry(
    pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object, **named: object) -> None:
        raise InterruptedStepsError("Interrupted before the step", signal.SIGINT)

    monkeypatch.setattr("pyshell.config.restoration.restore", interrupted)
    assert pyshell.line(f"restoreconfig {pyshell.example}").status == 130
    assert "There is nothing to undo" in pyshell.line("undo").err


def test_finding_66_undo_of_an_alua_state_brings_its_status_back(pyshell: Pyshell) -> None:
    pyshell.must(
        "/backstores/ramdisk create one 1M",
        "/backstores/ramdisk/one/alua create group 5",
    )
    before = pyshell.tree()
    pyshell.must("/backstores/ramdisk/one/alua/group set alua alua_access_state=1")
    assert pyshell.tree() != before
    pyshell.must("undo")
    assert pyshell.tree() == before


def test_the_package_imports_a_module_that_is_named() -> None:
    """In a process of its own: whatever imports a module makes it known for all."""
    name_all = (
        "import pkgutil\n"
        "from pyshell.lio import operations\n"
        "named = [module.name for module in pkgutil.iter_modules(operations.__path__)]\n"
        "print(*(getattr(operations, name).__name__ for name in named))\n"
        "print(hasattr(operations, 'nothing'))\n"
    )
    environment = {"PYTHONPATH": str(SOURCES)}
    out = subprocess.check_output([sys.executable, "-c", name_all], env=environment, text=True)
    assert "pyshell.lio.operations.preconditions" in out.split()
    assert out.endswith("\nFalse\n")
