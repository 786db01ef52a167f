# SPDX-License-Identifier: Apache-2.0
"""Changes that a timer reverts unless they are confirmed: `apply … confirm=5min`, `confirm`."""

from __future__ import annotations

import json
import os
import random
import signal
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from driver import CLIENT, LONG, SERVER, TPG, Pyshell, Ran, run_here
from pyshell.config.running import read_running
from pyshell.config.store import unconfirmed
from pyshell.errors import PyshellError
from pyshell.files import writing
from pyshell.host import EXPIRE, EXPIRE_AFTER
from pyshell.lio.operations.mapping import CreateLun, DeleteLun
from pyshell.simulator import Simulator
from pyshell.simulator.simulated_machine import SimulatedMachine

KILLS = 100 if LONG else 10
ACTS = 20
"""A change has a few more acts: some kills come before its end, some after."""
OTHER = "iqn.2020-07.192.168.56.106:other"
RENAMED = "iqn.2020-07.192.168.56.107:renamed"


@dataclass
class Timer:
    """Stands for systemd's timer: the test decides when it runs, and what time it is."""

    pyshell: Pyshell
    after: float = 0.0
    """Seconds by which the clock is ahead."""
    started: list[tuple[str, Sequence[int], Sequence[str]]] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)

    def tick(self, *, after: float | None = None) -> Ran:
        """Let it run, so many seconds after now."""
        self.after = self.after if after is None else after
        return run_here([EXPIRE, *self.started[-1][2]])

    @property
    def said(self) -> list[str]:
        """Return what all users were told."""
        file = self.pyshell.folder / "terminals.log"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def timer(pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch) -> Timer:
    """Return a timer in place of the detached process."""
    made = Timer(pyshell)
    clock = unconfirmed.clock

    def start(_: object, unit: str, delays: Sequence[int], words: Sequence[str]) -> None:
        made.started.append((unit, delays, words))

    monkeypatch.setattr(SimulatedMachine, "start_timer", start)
    monkeypatch.setattr(SimulatedMachine, "stop_timer", lambda _, unit: made.stopped.append(unit))
    monkeypatch.setattr(unconfirmed, "clock", lambda: clock() + made.after)
    return made


@pytest.fixture
def files(pyshell: Pyshell) -> tuple[Path, Path]:
    """Return a running and saved configuration, and one that adds, renames and changes."""
    pyshell.prepare(
        f"/iscsi create {SERVER}",
        "/backstores/block create name=lee_block dev=/dev/mapper/lee-lee.lv",
        f"{TPG}/luns create /backstores/block/lee_block lun=0",
        f"{TPG}/acls create {CLIENT}",
        f"{TPG}/acls create {OTHER}",
        "saveconfig",
    )
    second = pyshell.folder.parent / "second.json"
    document = json.loads(pyshell.saved_file.read_text())
    document["storage_objects"].append({"name": "new", "plugin": "ramdisk", "size": 1 << 20})
    tpg = document["targets"][0]["tpgs"][0]
    tpg["luns"].append({"index": 5, "storage_object": "/backstores/ramdisk/new"})
    tpg["attributes"]["login_timeout"] = 20
    for acl in tpg["node_acls"]:
        acl["node_wwn"] = acl["node_wwn"].replace(OTHER, RENAMED)
    second.touch(0o600)
    second.write_text(json.dumps(document))
    return pyshell.saved_file, second


def running(pyshell: Pyshell) -> Any:
    """Return the running configuration."""
    return read_running(pyshell.open())


def record(pyshell: Pyshell) -> Any:
    """Return the record of the last change with a deadline."""
    return json.loads((pyshell.folder / "run" / "confirm" / "state.json").read_text())


def is_same(pyshell: Pyshell, file: Path) -> bool:
    """Return whether a file's configuration is running."""
    return pyshell("diff", str(file), "running").status == 0


def made(pyshell: Pyshell, file: Path, time: str = "5min", *more: str) -> Ran:
    """Apply a file with a deadline."""
    return pyshell("apply", str(file), "prune=true", f"confirm={time}", *more).done()


def test_a_change_is_reverted_at_its_deadline(
    pyshell: Pyshell, timer: Timer, files: tuple[Path, Path]
) -> None:
    first, second = files
    saved = first.read_bytes()
    ran = made(pyshell, second)
    assert "It is reverted at " in ran.lines[-1]
    assert ", in 5 min, unless 'confirm' is run before." in ran.lines[-1]
    assert is_same(pyshell, second)
    timer.tick(after=200).done()
    assert is_same(pyshell, second)
    timer.tick(after=301).done()
    assert is_same(pyshell, first)
    assert record(pyshell)["state"] == "reverted"
    assert first.read_bytes() == saved
    assert timer.said[-1].startswith("Reverted, as it was not confirmed: 'apply ")


def test_the_timer_can_run_any_number_of_times(
    pyshell: Pyshell, timer: Timer, files: tuple[Path, Path]
) -> None:
    _, second = files
    made(pyshell, second)
    timer.tick(after=301).done()
    before = pyshell.files()
    assert timer.tick().done().out == ""
    assert pyshell.files() == before
    # A timer that is left of an earlier change does nothing to a later one.
    earlier = timer.started[-1]
    made(pyshell, second, "2h")
    timer.started.append(earlier)
    assert timer.tick(after=301).done().out == ""
    assert is_same(pyshell, second)


def test_confirm_keeps_it(pyshell: Pyshell, timer: Timer, files: tuple[Path, Path]) -> None:
    _, second = files
    made(pyshell, second)
    ran = pyshell("confirm").done()
    assert ran.lines[0].startswith("Confirmed 'apply ")
    assert ran.lines[1] == "The running configuration is not saved. Run 'saveconfig' to save it."
    assert record(pyshell)["state"] == "confirmed"
    assert timer.stopped == [timer.started[0][0]]
    assert timer.tick(after=301).done().out == ""
    assert is_same(pyshell, second)
    ran = pyshell("confirm")
    assert ran.status == 3
    assert "Nothing waits to be confirmed. 'apply " in ran.err


def test_save_with_confirm_saves(pyshell: Pyshell, timer: Timer, files: tuple[Path, Path]) -> None:
    made(pyshell, files[1])
    pyshell("--save", "confirm").done()
    assert pyshell("diff").status == 0


def test_confirm_comes_too_late(pyshell: Pyshell, timer: Timer, files: tuple[Path, Path]) -> None:
    made(pyshell, files[1])
    timer.after = 301
    ran = pyshell("confirm")
    assert ran.status == 5
    assert "was not confirmed before its deadline" in ran.err


def test_undo_reverts_it_at_once(pyshell: Pyshell, timer: Timer, files: tuple[Path, Path]) -> None:
    first, second = files
    made(pyshell, second)
    ran = pyshell("undo").done()
    assert ran.lines[-1].startswith("Undid 'apply ")
    assert is_same(pyshell, first)
    assert record(pyshell)["state"] == "reverted"
    assert record(pyshell)["by"] == "root"
    assert timer.stopped == [timer.started[0][0]]
    # The command before it is next.
    assert pyshell("undo").done().lines[-1].startswith(f"Undid '{TPG}/acls create {OTHER}'")


def test_undo_undoes_later_changes_first(
    pyshell: Pyshell, timer: Timer, files: tuple[Path, Path]
) -> None:
    first, second = files
    made(pyshell, second)
    pyshell.line("/backstores/ramdisk create later 1M")
    assert "ramdisk create later" in pyshell("undo").done().lines[-1]
    assert is_same(pyshell, second)
    assert "Undid 'apply" in pyshell("undo").done().lines[-1]
    assert is_same(pyshell, first)


def test_undo_undoes_the_revert(pyshell: Pyshell, timer: Timer, files: tuple[Path, Path]) -> None:
    _, second = files
    made(pyshell, second)
    timer.tick(after=301).done()
    assert pyshell("undo").done().lines[-1].startswith("Undid 'revert of apply ")
    assert is_same(pyshell, second)


def test_changes_of_others_meanwhile_are_noted_and_reverted(
    pyshell: Pyshell, timer: Timer, files: tuple[Path, Path]
) -> None:
    first, second = files
    made(pyshell, second)
    ran = pyshell.line("/backstores/ramdisk create later 1M")
    assert ran.status == 0
    assert ran.err.startswith("This is reverted at ")
    assert ", too, unless 'confirm' is run before: 'apply " in ran.err
    timer.tick(after=301).done()
    assert is_same(pyshell, first)


def test_a_second_one_is_refused(pyshell: Pyshell, timer: Timer, files: tuple[Path, Path]) -> None:
    first, second = files
    made(pyshell, second)
    for more in ((), ("--dry-run",)):
        ran = pyshell(*more, "apply", str(first), "prune=true", "confirm=5min")
        assert ran.status == 5
        assert "is not confirmed yet: it is reverted at " in ran.err
        assert "Nothing was changed." in ran.err
    assert is_same(pyshell, second)
    assert len(timer.started) == 1


def test_nothing_is_saved_until_it_is_confirmed(
    pyshell: Pyshell, timer: Timer, files: tuple[Path, Path]
) -> None:
    first, second = files
    saved = first.read_bytes()
    made(pyshell, second)
    for words in (["saveconfig"], ["saveconfig", "force=true"], ["--compat", "saveconfig"]):
        ran = pyshell(*words)
        assert ran.status != 0
        assert "Not saved: 'apply " in ran.err
    ran = pyshell.batch(["/backstores/ramdisk create later 1M"])
    assert ran.status == 0
    assert "Not saved: 'apply " in ran.err
    ran = pyshell("--save", f"{TPG} set attribute login_timeout=21")
    assert ran.status == 5
    assert first.read_bytes() == saved
    pyshell("saveconfig", str(pyshell.folder.parent / "elsewhere.json")).done()


def test_save_and_confirm_exclude_each_other(
    pyshell: Pyshell, timer: Timer, files: tuple[Path, Path]
) -> None:
    ran = pyshell("--save", "apply", str(files[1]), "confirm=5min")
    assert ran.status == 2
    assert "exclude each other" in ran.err
    assert is_same(pyshell, files[0])


def test_a_dry_run_starts_nothing(pyshell: Pyshell, timer: Timer, files: tuple[Path, Path]) -> None:
    before = pyshell.files()
    ran = pyshell("--dry-run", "apply", str(files[1]), "confirm=90s").done()
    assert ran.lines[-1] == (
        "Would be reverted after 1 min 30 s, unless confirmed before (dry run)"
    )
    ran = pyshell("--dry-run", "-o", "json", "apply", str(files[1]), "confirm=90s").done()
    assert ran.json["result"]["confirm"] == {"seconds": 90, "deadline": None}
    assert pyshell.files() == before
    assert timer.started == []


def test_the_deadline_is_in_the_json(
    pyshell: Pyshell, timer: Timer, files: tuple[Path, Path]
) -> None:
    ran = pyshell("-o", "json", "apply", str(files[1]), "confirm=300").done()
    found = ran.json["result"]["confirm"]
    assert found["seconds"] == 300
    assert found["deadline"] == record(pyshell)["deadline"]


def test_a_change_that_changes_nothing_has_no_deadline(
    pyshell: Pyshell, timer: Timer, files: tuple[Path, Path]
) -> None:
    said = made(pyshell, files[0]).lines[-1]
    assert said == "Nothing was changed: there is nothing to confirm."
    assert timer.started == []
    assert pyshell("confirm").status == 3


def test_without_a_timer_nothing_is_changed(
    pyshell: Pyshell, timer: Timer, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PyshellError("Cannot start the timer: no space.")

    monkeypatch.setattr(SimulatedMachine, "start_timer", refuse)
    ran = pyshell("apply", str(files[1]), "confirm=5min")
    assert ran.err == "Cannot start the timer: no space. Nothing was changed.\n"
    assert is_same(pyshell, files[0])
    pyshell("saveconfig").done()


def test_a_change_that_fails_has_no_deadline(
    pyshell: Pyshell, timer: Timer, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PyshellError("Not today")

    monkeypatch.setattr(CreateLun, "do", refuse)
    ran = pyshell("apply", str(files[1]), "prune=true", "confirm=5min")
    assert ran.status == 1
    assert is_same(pyshell, files[0])
    assert timer.stopped == [timer.started[0][0]]
    pyshell("saveconfig").done()


def test_a_revert_that_fails_stays_on_record_and_is_tried_again(
    pyshell: Pyshell, timer: Timer, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = files
    made(pyshell, second)

    def refuse(*_: object) -> None:
        raise PyshellError("Not today")

    with monkeypatch.context() as patch:
        patch.setattr(DeleteLun, "do", refuse)
        assert timer.tick(after=301).status == 1
    assert is_same(pyshell, second)
    assert "Not today" in record(pyshell)["error"]
    assert timer.said[-1].startswith("Could not revert 'apply ")
    timer.tick(after=316).done()
    assert is_same(pyshell, first)


def test_confirm_keeps_what_could_not_be_reverted(
    pyshell: Pyshell, timer: Timer, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    made(pyshell, files[1])

    def refuse(*_: object) -> None:
        raise PyshellError("Not today")

    with monkeypatch.context() as patch:
        patch.setattr(DeleteLun, "do", refuse)
        assert timer.tick(after=301).status == 1
    pyshell("confirm").done()
    assert timer.tick(after=316).done().out == ""
    assert is_same(pyshell, files[1])


def test_warnings_come_before_the_deadline(
    pyshell: Pyshell, timer: Timer, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    made(pyshell, files[1])
    assert timer.started[0][1] == [240, 285, 295, 300, 315, 360, 600, 1200]

    def sleep(seconds: float) -> None:
        timer.after += seconds

    monkeypatch.setattr("pyshell.shell.expiry._sleep", sleep)
    timer.tick(after=120).done()
    assert timer.said == []
    timer.tick(after=240).done()
    assert timer.said[0].startswith("In 1 min, unless you run 'pyshell confirm'")
    assert len(timer.said) == 1
    timer.tick(after=285).done()
    assert [line.split(",")[0] for line in timer.said[1:]] == [
        "In 15 s",
        "In 5 s",
        "Reverted",
    ]
    assert is_same(pyshell, files[0])


def test_a_stop_of_the_target_ends_it(
    pyshell: Pyshell, timer: Timer, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    made(pyshell, files[1])
    with monkeypatch.context() as patch:
        patch.setenv("PYSHELL_WAY", "boot")
        pyshell("clearconfig", "confirm=true").done()
    assert timer.tick(after=301).done().out == ""
    assert running(pyshell)["targets"] == []


def test_missing_objects_that_a_unit_adds_meanwhile_are_kept(
    pyshell: Pyshell, timer: Timer, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    late = pyshell.simulator.machine.device("/dev/mapper/lee-lee.lv")
    assert late is not None
    pyshell.must("clearconfig confirm=true")
    pyshell.simulator.machine.remove(late.path)
    assert pyshell("restoreconfig", "wait=0").status == 6
    assert not is_same(pyshell, files[0])
    pyshell(f"{TPG} set attribute login_timeout=20").done()
    other = pyshell.folder.parent / "other.json"
    pyshell("saveconfig", str(other)).done()
    other.write_text(other.read_text().replace('"login_timeout": 20', '"login_timeout": 25'))
    made(pyshell, other)
    pyshell.simulator.machine.add(late)
    with monkeypatch.context() as patch:
        patch.setenv("PYSHELL_WAY", "boot")
        pyshell("restoreconfig", "missing_only=true").done()
    timer.tick(after=301).done()
    pyshell(f"{TPG} set attribute login_timeout=15").done()
    assert is_same(pyshell, files[0])


def test_what_a_cluster_controls_is_refused(
    pyshell: Pyshell, timer: Timer, files: tuple[Path, Path]
) -> None:
    folder = pyshell.config_dir / "cluster"
    folder.mkdir()
    pyshell("saveconfig", str(folder / "disks.json"), f"target={SERVER}").done()
    own = folder / "disks.json"
    document = json.loads(own.read_text())
    document["targets"][0]["tpgs"][0]["attributes"]["login_timeout"] = 20
    own.write_text(json.dumps(document))
    ran = pyshell("apply", str(own), "confirm=5min")
    assert ran.status == 5
    assert "is under cluster control: no timer can revert its change." in ran.err


def test_the_record_is_private(pyshell: Pyshell, timer: Timer, files: tuple[Path, Path]) -> None:
    made(pyshell, files[1])
    folder = pyshell.folder / "run" / "confirm"
    assert {stat.S_IMODE(one.stat().st_mode) for one in folder.iterdir()} == {0o600}
    pyshell("confirm").done()
    assert not (folder / "before.json").exists()


def test_status_shows_it(pyshell: Pyshell, timer: Timer, files: tuple[Path, Path]) -> None:
    assert "confirm" not in pyshell("-o", "json", "status").done().json["result"]
    made(pyshell, files[1])
    shown = pyshell("status").done().lines
    assert shown[-3] == "'diff' shows what differs."
    assert " is reverted at " in shown[-2]
    assert shown[-1] == "'confirm' keeps it, 'undo' reverts it now."
    found = pyshell("-o", "json", "status").done().json["result"]["confirm"]
    assert (found["state"], found["user"]) == ("pending", "root")
    assert 290 < found["seconds_left"] <= 300
    timer.tick(after=301).done()
    assert "as it was not confirmed." in pyshell("status").done().lines[-1]
    assert pyshell("-o", "json", "status").json["result"]["confirm"]["state"] == "reverted"
    pyshell("saveconfig").done()
    assert "confirm" not in pyshell("-o", "json", "status").done().json["result"]


def test_doctor_reports_it(
    pyshell: Pyshell, timer: Timer, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def findings() -> list[tuple[str, list[str]]]:
        found = pyshell("-o", "json", "doctor").json["result"]
        mine = [one for one in found if one["check"] == "confirm"]
        return [(one["level"], [c.split()[-1] for c in one["choices"]]) for one in mine]

    assert findings() == []
    made(pyshell, files[1])
    assert findings() == [("warning", ["confirm", "undo"])]
    ran = pyshell("doctor")
    assert "not saved" in ran.out
    assert "saveconfig" not in ran.out.replace(str(pyshell.saved_file), "")
    timer.after = 365  # nothing has run the timer
    assert findings() == [("error", ["undo"])]

    def refuse(*_: object) -> None:
        raise PyshellError("Not today")

    with monkeypatch.context() as patch:
        patch.setattr(DeleteLun, "do", refuse)
        timer.tick()
    assert findings() == [("error", ["confirm", "undo"])]


def test_the_prompt_names_it(pyshell: Pyshell, timer: Timer, files: tuple[Path, Path]) -> None:
    made(pyshell, files[1])
    ran = pyshell(stdin="exit\n", keyboard=True)
    assert "Run 'confirm' to keep it." in ran.err


@pytest.mark.parametrize(
    ("text", "why"),
    [("0", "is not from 1 second to 24 hours"), ("25h", "is not from 1"), ("soon", "not a dur")],
)
def test_a_wrong_duration(pyshell: Pyshell, timer: Timer, text: str, why: str) -> None:
    ran = pyshell("apply", "/dev/null", f"confirm={text}")
    assert ran.status == 2
    assert why in ran.err


def test_rollback_can_have_a_deadline(
    pyshell: Pyshell, timer: Timer, files: tuple[Path, Path]
) -> None:
    pyshell("apply", str(files[1]), "prune=true").done()
    pyshell("rollback", "saved", "confirm=1h").done()
    assert is_same(pyshell, files[0])
    timer.tick(after=3601).done()
    assert is_same(pyshell, files[1])


@contextmanager
def dying_after(acts: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let this process be killed at the end of so many acts on the kernel, or writes of a file."""
    left = acts
    act, replace = Simulator._act, writing.replace

    def done() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    @contextmanager
    def counted(simulator: Simulator, path: str) -> Iterator[str]:
        with act(simulator, path) as rel:
            yield rel
        done()

    def written(*words: Any, **named: Any) -> None:
        replace(*words, **named)
        done()

    with monkeypatch.context() as patch:
        patch.setattr(Simulator, "_act", counted)
        patch.setattr(writing, "replace", written)
        yield


def killed(act: Callable[[], object], acts: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Call in a process that is killed after so many acts; return whether it came to that."""
    child = os.fork()
    if child == 0:
        try:
            with dying_after(acts, monkeypatch):
                act()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def test_after_a_kill_of_the_change_or_the_revert_the_previous_configuration_is_restored(
    pyshell: Pyshell, timer: Timer, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(1)
    first, second = files

    def change() -> bool:
        acts = dice.randint(1, ACTS)
        words = ("apply", str(second), "prune=true", "confirm=5min")
        hit = killed(lambda: pyshell(*words), acts, monkeypatch)
        timer.started.append(("", [], [record(pyshell)["id"], f"--simulate={pyshell.folder}"]))
        return hit

    def revert() -> bool:
        made(pyshell, second)
        timer.after = 301
        return killed(timer.tick, dice.randint(1, ACTS), monkeypatch)

    kills = 0
    while kills < KILLS:
        timer.after = 0
        kills += revert() if kills % 2 else change()
        timer.tick(after=316).done()
        assert record(pyshell)["state"] in ("reverted", "starting"), kills
        assert is_same(pyshell, first), kills


def test_the_detached_timer_outlives_its_shell(pyshell: Pyshell, files: tuple[Path, Path]) -> None:
    first, second = files
    ran = pyshell.process("apply", str(second), "prune=true", "confirm=1")
    assert ran.status == 0
    until = time.monotonic() + 30
    while record(pyshell)["state"] != "reverted" and time.monotonic() < until:
        time.sleep(0.1)
    assert is_same(pyshell, first)


def test_the_detached_timer_ends_with_its_change(
    pyshell: Pyshell, files: tuple[Path, Path]
) -> None:
    made(pyshell, files[1], "1h")
    name = record(pyshell)["id"]
    assert timers(name)
    pyshell("confirm").done()
    until = time.monotonic() + 30
    while timers(name) and time.monotonic() < until:
        time.sleep(0.1)
    assert timers(name) == []


def timers(name: str) -> list[int]:
    """Return the processes of a change's timer."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            try:
                words = (process / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if name.encode() in words and EXPIRE_AFTER.encode() in words:
                found.append(int(process.name))
    return found


def test_a_killed_terminal_does_not_end_the_timer(
    pyshell: Pyshell, files: tuple[Path, Path]
) -> None:
    made(pyshell, files[1], "1h")
    (pid,) = timers(record(pyshell)["id"])
    assert os.getsid(pid) not in (os.getsid(0), os.getsid(os.getppid()))
    assert Path(f"/proc/{pid}/fd/1").resolve() == Path("/dev/null")
    os.kill(pid, signal.SIGHUP)  # as it would have gone to the terminal's session
    pyshell("confirm").done()
