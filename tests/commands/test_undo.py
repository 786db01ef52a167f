# SPDX-License-Identifier: Apache-2.0
"""`undo` back to a change or a batch, and `redo`: all of it or nothing."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from driver import CLIENT, LONG, SERVER, TPG, Pyshell
from pyshell.config.store import undo
from pyshell.errors import PyshellError
from pyshell.lio import Lio
from pyshell.lio.configfs import is_below
from pyshell.lio.operations.targets import DeleteTarget

NEW = "/backstores/ramdisk create {} 1M"
OTHER = "iqn.2020-07.com.example:other"
ACL = f"{TPG}/acls/{CLIENT}"


def running(pyshell: Pyshell) -> Any:
    """Return what runs, as it would be saved, and the preferences."""
    file = pyshell.folder.parent / "running.json"
    pyshell.must(f"saveconfig {file} force=true")
    preferences = pyshell.folder / "home" / "preferences.json"
    own = json.loads(preferences.read_text()) if preferences.exists() else {}
    return json.loads(file.read_text()), own


def history(pyshell: Pyshell) -> list[Any]:
    """Return the changes, the newest first."""
    found: list[Any] = pyshell("history", "-o", "json").done().json["result"]
    return found


def states(pyshell: Pyshell) -> dict[int, str]:
    """Return the states of the changes by number."""
    return {one["number"]: one["state"] for one in history(pyshell)}


@pytest.fixture
def four(pyshell: Pyshell) -> list[Any]:
    """Make four changes; return what ran before each, and after the last."""
    found = [running(pyshell)]
    for line in (
        f"/iscsi create {SERVER}",
        NEW.format("disk"),
        "set global tree_max_depth=3",
        f"{TPG}/luns create /backstores/ramdisk/disk",
    ):
        pyshell.must(line)
        found.append(running(pyshell))
    return found


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_undo_returns_to_the_state_before_a_change(
    pyshell: Pyshell, four: list[Any], number: int
) -> None:
    said = pyshell.must(f"undo {number}")
    assert running(pyshell) == four[number - 1]
    assert [line[:5] for line in said].count("Undid") == 5 - number
    assert said[-1].startswith(f"Undid '{history(pyshell)[-number]['command']}'")
    pyshell.must("redo")
    assert running(pyshell) == four[-1]
    assert {state for n, state in states(pyshell).items() if n <= 4} == {"done"}


def test_undo_and_redo_go_step_by_step(pyshell: Pyshell, four: list[Any]) -> None:
    for state in four[-2::-1]:
        pyshell.must("undo")
        assert running(pyshell) == state
    for state in four[1:]:
        pyshell.must("redo")
        assert running(pyshell) == state
    for state in four[-2::-1]:
        pyshell.must("undo")
        assert running(pyshell) == state


def test_redo_stops_at_the_change_that_is_named(pyshell: Pyshell, four: list[Any]) -> None:
    pyshell.must("undo 1", "redo 2")
    assert running(pyshell) == four[2]
    assert [states(pyshell)[n] for n in (1, 2, 3, 4)] == ["done", "done", "undone", "undone"]
    pyshell.must("redo")
    assert running(pyshell) == four[4]
    assert pyshell("redo").status == 3


def test_redo_does_again_what_one_undo_undid(pyshell: Pyshell, four: list[Any]) -> None:
    pyshell.must("undo", "undo 2", "redo")
    assert running(pyshell) == four[3]
    pyshell.must("redo")
    assert running(pyshell) == four[4]


@pytest.mark.parametrize("line", [NEW.format("more"), "set global tree_max_depth=9"])
def test_another_change_leaves_nothing_to_redo(
    pyshell: Pyshell, four: list[Any], line: str
) -> None:
    pyshell.must("undo 3", line)
    ran = pyshell("redo")
    assert (ran.status, ran.out) == (3, "")
    assert ran.err.startswith("There is nothing to redo.")


@pytest.mark.parametrize("line", ["saveconfig", "history", f"{NEW.format('disk')} exist_ok=true"])
def test_what_changes_nothing_leaves_the_redo(pyshell: Pyshell, four: list[Any], line: str) -> None:
    pyshell.must("undo 3")
    pyshell(line)
    pyshell.must("redo")
    assert running(pyshell) == four[4]


def test_both_work_at_any_path(pyshell: Pyshell, four: list[Any]) -> None:
    pyshell.must(f"{TPG} undo", "/backstores/ramdisk redo")
    assert running(pyshell) == four[4]
    assert pyshell("/iscsi", "history").status == 0


def test_a_dry_run_changes_nothing(pyshell: Pyshell, four: list[Any]) -> None:
    before = pyshell.files()
    lines = pyshell("undo", "2", "--dry-run").done().lines
    assert [line for line in lines if line.startswith("Would undo ")] == lines[-4:-1]
    assert lines[-1] == "Would remove 1 storage object and 1 LUN (ramdisk/disk). (dry run)"
    assert pyshell.files() == before
    pyshell.must("undo 2")
    before = pyshell.files()
    lines = pyshell("redo", "--dry-run").done().lines
    assert [line for line in lines if line.startswith("Would redo ")] == lines[-3:]
    assert pyshell.files() == before


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("undo 9", "No such change: 9."), ("undo 0", "No such change: 0."),
        ("undo 5", "Change 5 is undone."), ("undo 6", "Change 6 cannot be undone."),
        ("redo 9", "Change 9 is not undone."), ("redo 1", "Change 1 is not undone."),
        ("undo batch=true", "The last change (4) is not part of a batch. 'undo N batch=true' "),
        ("undo 2 batch=true", "Change 2 is not part of a batch."),
    ],
)  # fmt: skip
def test_a_number_that_does_not_fit_is_an_error(
    pyshell: Pyshell, four: list[Any], line: str, message: str
) -> None:
    pyshell.must(NEW.format("more"), "undo")
    before = pyshell.tree()
    ran = pyshell.line(line)
    assert (ran.status, ran.out) == (3, "")
    assert ran.err.startswith(message)
    assert pyshell.tree() == before


def test_a_failure_restores_everything(
    pyshell: Pyshell, four: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(operation: DeleteTarget, lio: Lio) -> None:
        raise PyshellError("Not today.")

    with monkeypatch.context() as patch:
        patch.setattr(DeleteTarget, "do", refuse)
        ran = pyshell("undo", "1")
    assert ran.status == 1
    assert ran.err.startswith("Cannot undo 4 changes: Step 'delete target ")
    assert running(pyshell) == four[4]
    assert states(pyshell) == {1: "done", 2: "done", 3: "done", 4: "done", 5: "failed"}
    pyshell.must("undo 1")
    assert running(pyshell) == four[0]


def test_one_change_can_be_skipped(pyshell: Pyshell, four: list[Any]) -> None:
    assert pyshell.must("undo 3 skip=true") == [
        "Forgot 'set global tree_max_depth=3': nothing was undone."
    ]
    pyshell.must("undo 2")
    assert running(pyshell) == (four[1][0], {"tree_max_depth": 3})
    assert pyshell("undo 1 skip=true batch=true").status == 2


def test_other_users_preferences_stop_all_of_it(
    pyshell: Pyshell, four: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "kim")
    ran = pyshell("undo", "1")
    assert ran.status == 5
    assert "'undo 3 skip=true' removes it." in ran.err
    assert running(pyshell) == four[4]
    pyshell.must("undo 4")


def test_a_terminal_is_asked_about_what_several_changes_remove(
    pyshell: Pyshell, four: list[Any]
) -> None:
    ran = pyshell("undo", "2", keyboard=True)
    asked = "This undoes 3 changes and removes 1 storage object and 1 LUN (ramdisk/disk). Continue?"
    assert ran.err.startswith(asked)
    assert running(pyshell) == four[4]


# Batches


BATCH = [NEW.format("one"), "saveconfig", "set global tree_max_depth=2", NEW.format("two")]


def test_undo_undoes_a_whole_batch(pyshell: Pyshell) -> None:
    before = running(pyshell)
    pyshell.batch(BATCH).done()
    after = running(pyshell)
    found = {one["number"]: one["batch"] for one in history(pyshell)}
    assert {found[n] for n in (1, 2, 3, 4)} == {1}
    pyshell.must("undo batch=true")
    assert running(pyshell) == before
    pyshell.must("redo")
    assert running(pyshell) == after


def test_a_batch_is_undone_with_what_came_after_it(pyshell: Pyshell, tmp_path: Path) -> None:
    pyshell.must(NEW.format("zero"))
    before = running(pyshell)
    file = tmp_path / "lines"
    file.write_text("\n".join(BATCH))
    file.chmod(0o600)
    pyshell("-f", str(file)).done()
    pyshell.must(NEW.format("later"))
    ran = pyshell("undo", "batch=true")
    assert ran.err.startswith("The last change (7) is not part of a batch.")
    pyshell.must("undo 5 batch=true")
    assert running(pyshell) == before


def test_a_batch_that_begins_with_a_save_is_found(pyshell: Pyshell) -> None:
    before = running(pyshell)
    pyshell.batch(["saveconfig", *BATCH]).done()
    pyshell.must("undo batch=true")
    assert running(pyshell) == before


def test_a_batch_that_failed_says_how_to_undo_it(pyshell: Pyshell) -> None:
    before = running(pyshell)
    ran = pyshell.batch([*BATCH, NEW.format("one")])
    assert "or 'undo batch=true'" in ran.err
    pyshell.must("undo batch=true")
    assert running(pyshell) == before


def test_a_batch_whose_beginning_is_forgotten_is_not_undone_in_part(
    pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undo, "KEPT", 22)
    pyshell.batch([NEW.format(f"d{n}") for n in range(25)]).done()
    before = pyshell.tree()
    ran = pyshell("undo", "batch=true")
    assert ran.status == 3
    assert "'undo 4' undoes the others." in ran.err
    assert pyshell.tree() == before
    pyshell.must("undo 4")
    assert [one["state"] for one in history(pyshell)].count("undone") == 22


def test_large_records_are_kept_up_to_a_size(
    pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undo, "BYTES_KEPT", 1)
    pyshell.batch([NEW.format(f"d{n}") for n in range(25)]).done()
    assert len(undo.numbers(pyshell.open())) == undo.ALWAYS_KEPT


# Documents


def test_changes_before_and_after_a_clear_are_undone_together(pyshell: Pyshell) -> None:
    lines = [
        NEW.format("first"),
        f"restoreconfig {pyshell.example}",
        "set global tree_max_depth=1",
        f"{TPG} set attribute login_timeout=20",
        "clearconfig confirm=true",
        NEW.format("second"),
        f"restoreconfig {pyshell.example}",
        f"{ACL} delete 0",
    ]
    found = [running(pyshell)]
    for line in lines:
        assert pyshell.line(line).status == 0
        found.append(running(pyshell))
    for number in range(8, 0, -1):
        pyshell.must(f"undo {number}")
        assert running(pyshell) == found[number - 1], number
        pyshell.must("redo")
        assert running(pyshell) == found[-1], number
    pyshell.must("undo 1")
    for number in range(1, 9):
        if number in undo.undone_numbers(pyshell.open()):
            pyshell.must(f"redo {number}")
        done = max(n for n, state in states(pyshell).items() if n <= 8 and state == "done")
        assert running(pyshell) == found[done], number
    assert running(pyshell) == found[-1]


# Kills


def test_what_was_only_begun_is_not_passed_over(pyshell: Pyshell, four: list[Any]) -> None:
    lio = pyshell.open()
    undo.begin(lio, undo.Head(5, "/iscsi create x", undo.read(lio, 4).about))
    for line in ("undo", "undo 3"):
        ran = pyshell.line(line)
        assert ran.status == 5
        assert ran.err.startswith("Cannot undo '/iscsi create x': pyshell ended before")
    assert states(pyshell)[5] == "unfinished"
    pyshell.must("undo skip=true", "undo")
    assert running(pyshell) == four[3]


@pytest.mark.parametrize(
    "redo", [{}, {"by": 5}, {"by": 5, "first": 4, "operations": 5}, {"by": "x", "first": 4},
             {"by": 5, "first": 4, "operations": [{"kind": "none"}]},
             {"by": 5, "first": 4, "preferences": 5}, 5, None],
)  # fmt: skip
def test_a_damaged_record_is_not_done_again(
    pyshell: Pyshell, four: list[Any], redo: object
) -> None:
    pyshell.must("undo")
    file = undo.undone_file(pyshell.open(), 4)
    file.write_text(json.dumps({**json.loads(file.read_text()), "redo": redo}))
    before = pyshell.tree()
    ran = pyshell("redo")
    assert ran.status == 1
    assert f"{file} is damaged" in ran.err
    assert pyshell.tree() == before


# At random


NAMES = ("a", "b", "c")


def lines(dice: random.Random, example: Path) -> Iterator[str]:
    """Yield lines at random, of which some fail or change nothing."""
    for _ in range(dice.randint(3, 12)):
        name, lun = dice.choice(NAMES), dice.randint(0, 2)
        yield dice.choice(
            [
                f"/backstores/ramdisk create {name} 1M",
                f"/backstores/ramdisk create {name} 1M",
                f"/backstores/ramdisk delete {name}",
                f"/backstores/ramdisk/{name} rename x{name}",
                f"/backstores/ramdisk/{name} set attribute queue_depth={dice.randint(1, 9)}",
                f"/backstores/fileio create f{name} /srv/{name}.img 1M",
                f"/iscsi create {SERVER}",
                f"/iscsi create {SERVER}",
                f"/iscsi delete {SERVER}",
                f"{TPG}/luns create /backstores/ramdisk/{name} {lun}",
                f"{TPG}/luns create /backstores/ramdisk/{name} {lun}",
                f"{TPG}/luns delete {lun}",
                f"{TPG}/acls create {CLIENT}",
                f"{ACL} set auth userid=u password=secret{name}secret",
                f"{ACL} delete {lun}",
                f"{TPG} set attribute login_timeout={dice.randint(10, 30)}",
                f"set global tree_max_depth={dice.randint(0, 5)}",
                "clearconfig confirm=true",
                f"apply {example} prune=true",
            ]
        )


SEQUENCES = settings(
    max_examples=150 if LONG else 6,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
"""How random sequences of lines are tried."""


@SEQUENCES
@given(seed=st.integers(0, 2**32))
def test_undo_to_any_change_and_redo_return_to_the_same_states(pyshell: Pyshell, seed: int) -> None:
    dice = random.Random(seed)
    lio = pyshell.open()
    first = max([0, *states(pyshell)]) + 1
    found = [(0, running(pyshell))]
    for line in lines(dice, pyshell.example):
        known = set(undo.numbers(lio))
        pyshell.line(line)
        for number in set(undo.numbers(lio)) - known:
            found.append((number, running(pyshell)))
    numbers = [number for number, _ in found[1:]]
    if not numbers:
        return
    assert numbers[0] >= first
    for _ in range(2):
        at = dice.randrange(len(numbers))
        said = pyshell.line(f"undo {numbers[at]}")
        assert said.status == 0, said.err
        assert running(pyshell) == found[at][1]
        to = dice.randrange(at, len(numbers))
        said = pyshell.line(f"redo {numbers[to]}")
        assert said.status == 0, said.err
        done = [n for n in numbers if n in undo.numbers(lio)]
        assert running(pyshell) == found[len(done)][1]
        while undo.undone_numbers(lio):
            pyshell.must("redo")
        assert running(pyshell) == found[-1][1]


def test_redo_restores_the_acl_whose_session_was_ended(pyshell: Pyshell) -> None:
    pyshell.must(f"/iscsi create {SERVER}", NEW.format("disk"))
    pyshell.must(f"{TPG}/luns create /backstores/ramdisk/disk lun=0")
    pyshell.must(f"{TPG}/acls create {CLIENT}")
    pyshell.must(f"{ACL} set auth userid=lee password=secret12secret")
    pyshell.must(f"{TPG} set attribute authentication=1")
    before = running(pyshell)
    pyshell.must(f"login {CLIENT} userid=lee password=secret12secret")
    pyshell.must("undo 3")
    pyshell.must("redo")
    assert running(pyshell) == before


ALONE = "alone=true"


def test_one_change_is_undone_alone(pyshell: Pyshell) -> None:
    pyshell.must(NEW.format("a"), f"/iscsi create {SERVER}", NEW.format("b"))
    pyshell.must(f"{TPG} set attribute login_timeout=20", f"{TPG}/acls create {CLIENT}")
    with_all, _ = running(pyshell)
    pyshell.must("undo 1 alone=true", "undo 4 alone=true")
    assert [one["state"] for one in history(pyshell)] == [
        "done", "done", "done", "undone", "done", "done", "undone",
    ]  # fmt: skip
    left, _ = running(pyshell)
    assert [one["name"] for one in left["storage_objects"]] == ["b"]
    assert pyshell(TPG, "get", "attribute", "login_timeout").done().out.split() == [
        "login_timeout=15"
    ]
    assert pyshell("redo").done().lines[0].startswith(f"Redid '{TPG} set attribute")
    pyshell.must("redo")
    assert running(pyshell)[0] == with_all
    pyshell.must("undo 1")
    assert running(pyshell)[0]["storage_objects"] == []


@pytest.mark.parametrize(
    ("line", "later", "why"),
    [
        (f"{TPG} set attribute login_timeout=20", f"{TPG} set attribute login_timeout=25",
         "is of the same objects"),
        (f"{TPG}/acls create {CLIENT}", f"{ACL} set auth userid=u", "is of the same objects"),
        (f"{TPG}/luns create /backstores/ramdisk/r", f"{TPG}/acls create {OTHER}", "was made"),
        (NEW.format("x"), f"{TPG}/luns create /backstores/ramdisk/x", "was made after"),
        (NEW.format("x"), "restoreconfig {file} clear_existing=true", "is of the same objects"),
        ("clearconfig confirm=true", NEW.format("x"), "is not recorded"),
        ("set global auto_cd_after_create=true", "set global auto_cd_after_create=false",
         "is of the same objects"),
    ],
)  # fmt: skip
def test_a_change_that_later_ones_need_is_not_undone_alone(
    pyshell: Pyshell, line: str, later: str, why: str
) -> None:
    file = pyshell.folder.parent / "saved.json"
    pyshell.must(NEW.format("r"), f"/iscsi create {SERVER}", f"saveconfig {file}")
    pyshell.must(line, later.format(file=file))
    before, number = running(pyshell), history(pyshell)[1]["number"]
    ran = pyshell("undo", str(number), ALONE)
    assert (ran.status, why in ran.err) == (5, True), ran.err
    assert running(pyshell) == before
    assert history(pyshell)[1]["state"] == "done"


def test_a_mapping_is_not_undone_alone_if_its_lun_is_another_disk(pyshell: Pyshell) -> None:
    pyshell.must(*map(NEW.format, "ab"), f"/iscsi create {SERVER}", f"{TPG}/acls create {CLIENT}")
    pyshell.must(f"{TPG}/luns create /backstores/ramdisk/a", f"{ACL} delete 0")
    number = history(pyshell)[0]["number"]
    pyshell.must(f"{TPG}/luns delete 0", f"{TPG}/luns create ramdisk/b add_mapped_luns=false")
    assert "is of the same objects" in pyshell("undo", str(number), ALONE).err


def test_a_change_that_could_not_be_logged_counts(
    pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    pyshell.must(f"/iscsi create {SERVER}", f"{TPG} set attribute login_timeout=20")
    with monkeypatch.context() as patch:
        patch.setattr("pyshell.config.store.change_log.ChangeLog.append", lambda *_: None)
        pyshell.must(f"{TPG} set attribute login_timeout=25")
    pyshell.must(NEW.format("a"))
    assert "change 3 (" in pyshell("undo", "2", ALONE).err


def test_the_last_change_is_undone_alone_as_without_it(pyshell: Pyshell, four: list[Any]) -> None:
    number = history(pyshell)[0]["number"]
    pyshell.must(f"undo {number} {ALONE}")
    assert history(pyshell)[1]["state"] == "undone"
    assert pyshell("undo", ALONE, "skip=true").status == 2


def test_redo_does_a_whole_batch_again(pyshell: Pyshell) -> None:
    pyshell.batch([NEW.format("a"), NEW.format("b")]).done()
    pyshell.must(NEW.format("c"))
    made, _ = running(pyshell)
    pyshell.must("undo", "undo", "undo")
    assert len(pyshell("redo", "batch=true").done().lines) == 2
    assert "is not part of a batch" in pyshell("redo", "batch=true").err
    pyshell.must("redo")
    assert running(pyshell)[0] == made


@SEQUENCES
@given(seed=st.integers(0, 2**32))
def test_undo_of_one_change_alone_touches_only_its_objects(pyshell: Pyshell, seed: int) -> None:
    dice = random.Random(seed)
    for line in lines(dice, pyshell.example):
        pyshell.line(line)
    numbers = undo.numbers(pyshell.open())
    if not numbers:
        return
    number = dice.choice(numbers)
    before, file = running(pyshell), pyshell.folder.parent / "running.json"
    own = pyshell("history", str(number), "-o", "json").done().json["result"]["paths"]
    if pyshell("undo", str(number), ALONE).status:
        assert running(pyshell) == before
        return
    if number != numbers[-1]:
        found = pyshell("diff", str(file), "running", "-o", "json").json["result"]
        touched = {one["path"] for one in found}
        assert all(any(is_below(path, one) for one in own) for path in touched)
    pyshell.must("redo")
    assert running(pyshell) == before
