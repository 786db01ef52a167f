# SPDX-License-Identifier: Apache-2.0
"""`edit`: what is shown, checked, asked and changed; nothing that was written is lost."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from config.test_killed import dying_after
from driver import CLIENT, LONG, SERVER, TPG, Pyshell, Ran, at_keyboard
from pyshell.config.running import read_running
from pyshell.host import editor
from pyshell.names import MASK
from pyshell.shell.kept_texts import body

KILLS = 60 if LONG else 6
Step = Callable[[str], str]
SECRET = "initiator-secret"


def replacing(*pairs: str) -> Step:
    """Return what replaces texts by others; each must be there."""

    def step(text: str) -> str:
        for old, new in zip(pairs[::2], pairs[1::2], strict=True):
            assert old in text
            text = text.replace(old, new)
        return text

    return step


def same(text: str) -> str:
    """Leave the editor without a change."""
    return text


class Desk:
    """A target that runs the example, and an editor that takes steps."""

    def __init__(self, pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pyshell = pyshell
        self.seen: list[str] = []
        """The texts that the editor opened."""
        self.steps: list[Step] = []
        monkeypatch.setattr(editor, "edit", self._edit)
        monkeypatch.setattr(editor, "chosen", lambda: ["ed"])

    def _edit(self, file: Path, *, keep: Any = ()) -> int:
        text = file.read_text()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        self.seen.append(text)
        file.write_text(self.steps.pop(0)(text))
        return 0

    def __call__(self, words: str, *steps: Step, answers: str = "y\n") -> Ran:
        self.seen, self.steps = [], list(steps)
        ran = self.pyshell(*words.split(), stdin=answers, keyboard=True)
        assert not self.steps, ran.err
        return ran

    @property
    def kept(self) -> list[Path]:
        """Return the files of texts that are kept."""
        return sorted((self.pyshell.folder / "run" / "edit").glob("*/configuration.jsonc"))

    def running(self) -> Any:
        """Return the running configuration."""
        return read_running(self.pyshell.open())


@pytest.fixture
def desk(pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Return a desk where the example is running and saved."""
    pyshell.prepare(f"restoreconfig {pyshell.example}", "saveconfig")
    return Desk(pyshell, monkeypatch)


def test_a_setting_is_changed_and_undone(desk: Desk) -> None:
    before = desk.running()
    ran = desk(f"edit {TPG}", replacing('"login_timeout": 15', '"login_timeout": 20'))
    assert ran.status == 0, ran.err
    assert "login_timeout: 15 -> 20" in ran.err
    assert "This changes 1 object. Continue? [y/N]" in ran.err
    assert f"Edited {TPG}: 0 created, 1 changed" in ran.out
    assert desk.pyshell.must(f"{TPG} get attribute login_timeout") == ["login_timeout=20 "]
    assert desk.kept == []
    desk.pyshell.must("undo")
    assert desk.running() == before
    assert "restoreconfig" in desk.pyshell.must("undo --dry-run")[-1]  # of the change, one record


def test_the_text_is_json_with_its_schema(desk: Desk) -> None:
    ran = desk("edit /", same)
    assert (ran.status, ran.out) == (0, "Nothing was changed.\n")
    (text,) = desk.seen
    assert text.startswith("// Configuration of /. ")
    document = json.loads(body(text))
    schema = Path(document.pop("$schema").removeprefix("file://"))
    assert json.loads(schema.read_text())["title"] == "LIO saveconfig.json"
    assert document["targets"][0]["tpgs"][0]["node_acls"][0]["chap_password"] == MASK
    assert SECRET not in text
    assert list(document["targets"][0])[:2] == ["fabric", "wwn"]
    assert desk.kept == []


def test_the_path_of_the_node_is_the_default(desk: Desk) -> None:
    desk(f"{TPG}/luns edit", same)
    (text,) = desk.seen
    (target,) = json.loads(body(text))["targets"]
    assert set(target["tpgs"][0]) == {"tag", "luns"}
    ran = desk("edit /iscsi/none")
    assert (ran.status, desk.seen) == (3, [])


def test_objects_are_created_and_deleted_below_the_path_only(desk: Desk) -> None:
    desk.pyshell.must("/backstores/ramdisk create other 1M")

    def change(text: str) -> str:
        document = json.loads(body(text))
        (tpg,) = document["targets"][0]["tpgs"]
        tpg["node_acls"] = [{"node_wwn": "iqn.2020-07.com.example:new"}]
        tpg["luns"].append({"index": 9, "storage_object": "/backstores/ramdisk/other"})
        return json.dumps(document)

    before = desk.running()
    ran = desk(f"edit /iscsi/{SERVER}", change)
    assert ran.status == 0, ran.err
    assert "removes 1 ACL" in ran.err
    after = desk.running()
    assert after["storage_objects"] == before["storage_objects"]
    (tpg,) = after["targets"][0]["tpgs"]
    assert [acl["node_wwn"] for acl in tpg["node_acls"]] == ["iqn.2020-07.com.example:new"]
    assert 9 in [lun["index"] for lun in tpg["luns"]]


def test_a_secret_stays_unless_another_is_entered(desk: Desk) -> None:
    acl = f"{TPG}/acls/{CLIENT}"
    show = f"{acl} get auth password show_secrets=true"
    before = desk.pyshell.must(show)
    ran = desk(f"edit {acl}", replacing('"nopin_timeout": 15', '"nopin_timeout": 20'))
    assert ran.status == 0, ran.err
    assert desk.pyshell.must(show) == before
    mask = f'"chap_password": "{MASK}"'
    ran = desk(f"edit {acl}", replacing(mask, '"chap_password": "another-secret-1"'))
    assert ran.status == 0, ran.err
    assert "another-secret-1" not in ran.err + ran.out
    assert desk.pyshell.must(show) == ["password=another-secret-1 "]
    desk(f"edit {acl} show_secrets=true", same)
    assert "another-secret-1" in desk.seen[0]


@pytest.mark.parametrize(
    ("old", "new", "told", "at"),
    [
        ('"enable": true', '"enable": flase', "not JSON: expecting value", "flase"),
        ('"login_timeout": 15', '"login_timeout": []', "login_timeout: must be", "[]"),
        ('"login_timeout": 15', '"login_timeout": 99', "99 is out of the range of", "99"),
        ('"login_timeout"', '"login_timeuot"', "Did you mean login_timeout?", '"login_timeuot"'),
        ('"enable": true', '"enabel": true', 'unknown key "enabel", it has no effect', '"enabel"'),
        ('"enable": true', '"tag": 2, "enable": true', "duplicate key, first in line", '"tag": 2'),
        ('"tag": 1', '"tag": 3', f"/iscsi/{SERVER}/tpg3 is not at or below {TPG}", "{"),
        ('"port": 3260', '"port": 70000', "port: ", "70000"),
        ("block/lee_block", "block/nothing", "storage_object: ", '"/backstores/block/nothing'),
        (CLIENT, "iqn.2020-07.com.example:new", f"{MASK} stands for", f'"{MASK}"'),
    ],
)
def test_an_error_is_named_with_its_line_above_the_text(
    desk: Desk, old: str, new: str, told: str, at: str
) -> None:
    before = desk.running()
    ran = desk(f"edit {TPG}", replacing(old, new), same)
    assert ran.status == 1, ran.err
    assert desk.running() == before
    errors = desk.seen[1].split("leave without a change to stop:\n")[1]
    found = re.search(rf"//   line (\d+), column (\d+): .*{re.escape(told)}", errors)
    assert found, errors.splitlines()[:5]
    line = desk.seen[1].splitlines()[int(found[1]) - 1]
    assert line[int(found[2]) - 1 :].startswith(at)
    (kept,) = desk.kept
    assert new in kept.read_text()
    assert "Your text is kept in" in ran.err
    assert re.search(rf"\nThe text has .*:\n(.*\n)?line {found[1]}, column {found[2]}: ", ran.err)
    # The next edit offers it.
    ran = desk(f"edit {TPG}", replacing(new, old), answers="c\n")
    assert (ran.status, ran.out) == (0, "Nothing was changed.\n")
    assert desk.kept == []


def test_the_kernel_s_refusal_reopens_the_text_too(desk: Desk) -> None:
    ran = desk("edit /backstores", replacing("/dev/mapper/lee-lee.lv", "/dev/none"), same)
    assert ran.status == 1
    assert "/dev/none" in desk.seen[1].split("{")[0]
    assert desk.pyshell.must("diff running saved") == []


def test_what_objects_elsewhere_need_cannot_be_removed(desk: Desk) -> None:
    def remove(text: str) -> str:
        return json.dumps({**json.loads(body(text)), "storage_objects": []})

    before = desk.running()
    ran = desk("edit /backstores/block", remove, same)
    assert ran.status == 1
    assert "/backstores/block/lee_block is missing in the text, and " in desk.seen[1]
    assert "'edit /' shows both." in desk.seen[1]
    assert desk.running() == before


def test_an_error_that_is_there_already_is_not_one_of_the_text(desk: Desk) -> None:
    machine = desk.pyshell.folder / "machine.json"
    data = json.loads(machine.read_text())
    data["devices"] = [one for one in data["devices"] if "lee" not in json.dumps(one)]
    machine.write_text(json.dumps(data))
    assert desk.pyshell("check", str(desk.pyshell.saved_file)).status == 1
    ran = desk("edit /", replacing('"login_timeout": 15', '"login_timeout": 20'))
    assert ran.status == 0, ran.err


def test_no_is_no_and_the_text_is_offered_again(desk: Desk) -> None:
    before = desk.running()
    change = replacing('"login_timeout": 15', '"login_timeout": 20')
    ran = desk(f"edit {TPG}", change, answers="n\n")
    assert ran.status == 1
    assert "Nothing was changed." in ran.err
    assert "Your text is kept in" in ran.err
    assert desk.running() == before
    ran = desk(f"edit {TPG}/luns", same)  # another path: it is only named
    assert "was not applied" in ran.err
    assert len(desk.kept) == 1
    ran = desk(f"edit {TPG}", same, answers="leave\n")
    assert '"login_timeout": 15' in desk.seen[0]
    assert len(desk.kept) == 1
    ran = desk(f"edit {TPG}", same, answers="\ny\n")
    assert '"login_timeout": 20' in desk.seen[0]
    assert ran.status == 0, ran.err
    assert desk.kept == []
    assert desk.running() != before


def test_a_kept_text_can_be_deleted(desk: Desk) -> None:
    desk(f"edit {TPG}", replacing('"login_timeout": 15', '"login_timeout": 20'), answers="n\n")
    ran = desk(f"edit {TPG}", same, answers="d\n")
    assert (ran.status, ran.out, desk.kept) == (0, "Nothing was changed.\n", [])


def test_a_dry_run_shows_the_change_and_keeps_the_text(desk: Desk) -> None:
    before = desk.running()
    ran = desk(f"--dry-run edit {TPG}", replacing('"login_timeout": 15', '"login_timeout": 20'))
    assert ran.status == 0
    assert "login_timeout: 15 -> 20 [online] (dry run)" in ran.out
    assert "Your text is kept in" in ran.err
    assert desk.running() == before


def test_sessions_are_named_and_a_name_is_typed_for_many(desk: Desk) -> None:
    desk.pyshell.must(f"{TPG} set attribute generate_node_acls=1 authentication=0")
    desk.pyshell.must(*(f"login iqn.2020-07.com.example:host{number}" for number in range(6)))
    disable = replacing('"enable": true', '"enable": false')
    ran = desk(f"edit {TPG}", disable, answers="y\n")
    assert ran.status == 1
    assert "[disrupting" in ran.err
    assert "This changes 1 object and terminates 6 sessions" in ran.err
    ran = desk(f"edit {TPG}", same, answers=f"c\n{SERVER}\n")
    assert ran.status == 0, ran.err


def test_yes_asks_nothing(desk: Desk) -> None:
    ran = desk(f"--yes edit {TPG}", replacing('"enable": true', '"enable": false'), answers="")
    assert ran.status == 0
    assert "[y/N]" not in ran.err
    assert "enable: 1 -> 0" in ran.err


def test_a_timer_reverts_it_unless_it_is_confirmed(desk: Desk) -> None:
    ran = desk(
        f"--dry-run edit {TPG} confirm=5min",
        replacing('"login_timeout": 15', '"login_timeout": 20'),
    )
    assert "Would be reverted after 5 min, unless confirmed before (dry run)" in ran.out


def test_without_a_terminal_it_is_refused(desk: Desk) -> None:
    for ran in (desk.pyshell("edit", "/"), desk.pyshell.batch(["edit /"])):
        assert ran.status == 2
        assert "'saveconfig FILE'" in ran.err
        assert "'apply FILE'" in ran.err
    assert (desk.seen, desk.kept) == ([], [])


def test_the_lock_is_free_while_the_editor_runs(desk: Desk) -> None:
    def change(text: str) -> str:
        desk.pyshell("--lock-timeout=0", "/backstores/ramdisk create meanwhile 1M").done()
        return text.replace('"login_timeout": 15', '"login_timeout": 20')

    ran = desk(f"edit {TPG}", change)
    assert ran.status == 0, ran.err
    assert "meanwhile" not in ran.err  # it is not below the path


def test_a_change_by_others_below_the_path_is_shown(desk: Desk) -> None:
    def change(text: str) -> str:
        desk.pyshell.must(f"{TPG} set attribute netif_timeout=7")
        return text.replace('"login_timeout": 15', '"login_timeout": 20')

    ran = desk(f"edit {TPG}", change, answers="n\n")
    assert ran.status == 1
    shown, asked = ran.err.split("your text would undo this:")
    assert "was changed meanwhile" in shown
    assert "netif_timeout: 2 -> 7" in asked
    assert "netif_timeout: 7 -> 2" in asked  # what yes would do
    ran = desk(f"--yes edit {TPG}", same)
    assert ran.status == 0  # the difference was shown before


def test_yes_stops_if_others_changed_it(desk: Desk) -> None:
    def change(text: str) -> str:
        desk.pyshell.must(f"{TPG} set attribute netif_timeout=7")
        return text.replace('"login_timeout": 15', '"login_timeout": 20')

    ran = desk(f"--yes edit {TPG}", change)
    assert ran.status == 1
    assert "was changed meanwhile" in ran.err
    assert desk.pyshell.must(f"{TPG} get attribute login_timeout") == ["login_timeout=15 "]
    assert len(desk.kept) == 1


def test_a_change_during_the_question_is_shown_before_it_is_asked_again(
    desk: Desk,
) -> None:
    def answers() -> Any:
        desk.pyshell.must(f"{TPG} set attribute netif_timeout=7")
        yield "y\n"
        yield "y\n"

    desk.seen, desk.steps = [], [replacing('"login_timeout": 15', '"login_timeout": 20')]
    ran = desk.pyshell("edit", TPG, stdin=answers(), keyboard=True)
    assert ran.status == 0, ran.err
    assert ran.err.count("Continue? [y/N]") == 2
    assert "was changed meanwhile" in ran.err


def test_a_target_under_cluster_control_is_not_deleted(desk: Desk) -> None:
    folder = desk.pyshell.config_dir / "cluster"
    folder.mkdir(mode=0o700)
    desk.pyshell.must(f"saveconfig {folder}/one.json target={SERVER}")
    ran = desk("edit /iscsi", lambda _: '{"targets": []}', same)
    assert ran.status == 1
    assert "which is under cluster control" in desk.seen[1]


@pytest.mark.parametrize("status", [3, -signal.SIGKILL])
def test_a_failed_editor_changes_nothing_and_loses_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    def fail(file: Path, *, keep: Any = ()) -> int:
        file.write_text(file.read_text().replace('"login_timeout": 15', '"login_timeout": 20'))
        return status

    monkeypatch.setattr(editor, "edit", fail)
    ran = desk.pyshell("edit", TPG, keyboard=True)
    assert ran.status == 1
    assert ("was killed" if status < 0 else "failed with status 3") in ran.err
    (kept,) = desk.kept
    assert '"login_timeout": 20' in kept.read_text()


def test_what_an_editor_keeps_beside_the_text_is_offered(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(file: Path, *, keep: Any = ()) -> int:
        file.with_name(f".{file.name}.swp").write_text("unsaved")
        return -1

    edit = editor.edit
    monkeypatch.setattr(editor, "edit", die)
    ran = desk.pyshell("edit", TPG, keyboard=True)
    assert "Your text is kept in" in ran.err
    monkeypatch.setattr(editor, "edit", edit)
    ran = desk(f"edit {TPG}", same, answers="c\n")
    assert "was not applied" in ran.err
    assert len(desk.kept) == 1  # the editor was left without a decision about it


# Killed at any moment


def in_child(act: Callable[[], object]) -> int:
    """Run `act` in a forked process and return its pid."""
    child = os.fork()
    if child == 0:
        try:
            act()
        finally:
            os._exit(0)
    return child


def test_after_a_kill_undo_goes_back_and_the_next_edit_goes_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel does each act whole or not at all, so it is killed between two acts."""
    pyshell = desk.pyshell
    second = json.loads(pyshell.example.read_text())
    second["storage_objects"].append({"name": "new", "plugin": "ramdisk", "size": 1 << 20})
    (tpg,) = second["targets"][0]["tpgs"]
    tpg["luns"].append({"index": 5, "storage_object": "/backstores/ramdisk/new"})
    tpg["attributes"]["login_timeout"] = 20
    tpg["node_acls"][0]["mapped_luns"].pop()
    file = pyshell.folder.parent / "second.json"
    file.touch(0o600)
    file.write_text(json.dumps(second))
    text = json.dumps(second)
    dice = random.Random("edit")
    hit = 0
    for number in range(KILLS):

        def act(acts: int = dice.randint(1, 9)) -> None:
            with dying_after(acts, monkeypatch):
                desk("edit /", lambda _: text)

        _, status = os.waitpid(in_child(act), 0)
        if not os.WIFSIGNALED(status):
            assert pyshell.line(f"apply {pyshell.example} prune=true").status == 0
            continue
        hit += 1
        (kept,) = desk.kept
        assert body(kept.read_text()) == text
        if number % 2:
            assert pyshell.line("undo").status == 0  # it also notes what was killed
            assert pyshell("diff", "running", str(pyshell.example)).done().out == ""
            desk("edit /", same, answers="d\n")
        else:
            assert desk("edit /", same, answers="c\ny\n").status == 0
            assert pyshell("diff", "running", str(file)).done().out == ""
            assert pyshell.line(f"apply {pyshell.example} prune=true").status == 0
        assert desk.kept == []
    assert hit > KILLS // 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_signal_at_any_moment_leaves_one_of_the_two_configurations(
    desk: Desk, number: signal.Signals
) -> None:
    """SIGKILL comes while the editor runs, or later: see the test above for the change itself."""
    pyshell = desk.pyshell
    dice = random.Random(int(number))
    before = desk.running()
    change = replacing('"login_timeout": 15', '"login_timeout": 20')

    def slowly(text: str) -> str:
        time.sleep(0.02)
        return change(text)

    for _ in range(KILLS):
        child = in_child(lambda: desk(f"edit {TPG}", slowly))
        time.sleep(dice.random() * 0.3)
        os.kill(child, number)
        _, status = os.waitpid(child, 0)
        after = desk.running()
        written = [file for file in desk.kept if '"login_timeout": 20' in file.read_text()]
        if after == before:
            assert os.WIFSIGNALED(status) or written
        else:
            pyshell.must(f"{TPG} set attribute login_timeout=15")
        assert desk.running() == before
        for file in desk.kept:
            desk(f"edit {TPG}", same, answers="d\n")
            assert not file.exists() or '"login_timeout": 20' in file.read_text()


def test_the_candidate_is_edited(desk: Desk) -> None:
    before = desk.running()
    desk.steps = [replacing('"login_timeout": 15', '"login_timeout": 20')]
    shown = ""

    def lines(printed: Callable[[], str]) -> Iterator[str]:
        nonlocal shown
        line = f"edit {TPG}"
        yield from ("begin\n", f"{line} confirm=5min\n", f"{line}\n", "y\n", "diff\n")
        assert desk.running() == before
        yield "commit\n"
        shown = printed()

    at_keyboard([f"--simulate={desk.pyshell.folder}"], lines)
    assert "A change of the candidate cannot have a deadline." in shown
    assert "login_timeout: 15 -> 20" in shown
    assert desk.pyshell.must(f"{TPG} get attribute login_timeout") == ["login_timeout=20 "]
    assert len(desk.seen) == 1
