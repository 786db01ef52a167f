# SPDX-License-Identifier: Apache-2.0
"""What the screen shows of a session: status, views, questions, and the manners of terminals."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell
from pyshell.config import store

from .screen import CTRL_C, CTRL_D, CTRL_L, CTRL_Z, DOWN, ENTER, ESCAPE, PASTE, TAB, Screen, program

# Python 3.12 warns of forking where threads are; the child is another program at once.
pytestmark = pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning")
LEAVING = "Save, leave without saving, or stay (Esc)? [SAVE/leave/stay]"
DELETE = f"{TPG}/luns delete 0"


@pytest.fixture
def served(exported: Pyshell) -> Pyshell:
    """Return pyshell where the one initiator is logged in, and all is saved."""
    exported.prepare("saveconfig")
    exported.simulator.login(SERVER, 1, CLIENT, "192.168.56.105:40000")
    return exported


def test_the_walk_through_with_tab(pyshell: Pyshell) -> None:
    command = program(f"--simulate={pyshell.folder}")
    with Screen(pyshell.folder, rows=60, columns=140, command=command) as screen:
        screen.prompt()
        screen.type(f"/back{TAB}")
        screen.see("/> /backstores/")
        screen.type(f"bl{TAB}")
        screen.see("/> /backstores/block/")
        screen.type(f" cr{TAB}")
        screen.see("/block/ create")
        screen.type(f"name=lee_block de{TAB}")
        screen.see("dev=")
        screen.type(f"/dev/mapper/{TAB}")
        screen.see("dev=/dev/mapper/lee-lee.lv")
        screen.type(ENTER)
        screen.see("Created block storage object lee_block using /dev/mapper/lee-lee.lv.")
        screen.prompt()
        screen.run(f"/iscsi create wwn={SERVER}")
        screen.type(f"/isc{TAB}")
        screen.see("/> /iscsi/")
        for keys, whole in (
            ("iqn", f"{SERVER}/"),
            ("tp", "tpg1/"),
            ("ac", "acls/"),
            (" cr", "acls/ create"),
        ):
            screen.type(f"{keys}{TAB}")
            screen.see(whole)
        screen.type(f"wwn={CLIENT}{ENTER}")
        screen.see(f"Created Node ACL for {CLIENT}")
        screen.prompt()
        for keys, whole in (("lu", "luns/"), (" cr", "luns/ create"), ("sto", "storage_object=")):
            screen.type(f"{TPG}/{keys}{TAB}" if keys == "lu" else f"{keys}{TAB}")
            screen.see(whole)
        screen.type(f"/{TAB}")
        screen.see("storage_object=/backstores/block/lee_block")
        screen.type(f"lun={TAB}")
        screen.see("lun=0")
        screen.type(ENTER)
        screen.see("Created LUN 0->0 mapping in node ACL")
        screen.prompt()
        screen.type(f"{TPG}/portals del{TAB}")
        screen.see("portals delete")
        screen.type(f"ip_a{TAB}")
        screen.see("ip_address=")
        screen.type(TAB)
        screen.see("ip_address=0.0.0.0")
        screen.type(f"ip_port=3260{ENTER}")
        screen.see("Deleted network portal 0.0.0.0:3260")
        screen.prompt()
        screen.type(f"{TPG}/portals create 192{TAB}")
        screen.see("create 192.168.56.101")
        screen.type(ENTER)
        screen.see("Created network portal 192.168.56.101:3260.")
        screen.prompt()
        shown = screen.run("ls")
    assert "[lun0 block/lee_block (rw)]" in shown


def test_ux_row_12_the_toolbar_tells_how_things_stand(served: Pyshell) -> None:
    with Screen(served.folder) as screen:
        screen.prompt()
        assert "simulated" in screen.see("1 session")
        assert "unsaved changes" not in screen.text
        screen.run("/backstores/ramdisk create one 1M")
        screen.see("unsaved changes")
        served.process("/backstores/ramdisk", "create", "two", "1M")
        screen.see(f"changed by {store.user_name()}")
        screen.run("saveconfig")
        screen.gone("changed by")
        screen.gone("unsaved changes")


def test_a_new_session_tells_that_what_runs_is_not_saved(served: Pyshell) -> None:
    served.must("/backstores/ramdisk create one 1M")
    with Screen(served.folder) as screen:
        screen.prompt()
        screen.see("unsaved changes")
        screen.run("pwd")
        screen.see("unsaved changes")
        served.must("/backstores/ramdisk delete one")
        screen.gone("unsaved changes")
        served.must("/backstores/ramdisk create two 1M")
        screen.see("unsaved changes")
        screen.run("saveconfig")
        screen.gone("unsaved changes")


def test_long_names_are_shortened_in_the_middle(target: Pyshell) -> None:
    with Screen(target.folder) as screen:
        screen.prompt()
        screen.run(f"cd {TPG}/luns", "/iscsi/iqn.202…erver/tpg1/luns")


def test_a_missing_device_is_red_with_the_reason(exported: Pyshell) -> None:
    exported.must(f"{TPG} disable")
    exported.simulator.machine.remove("/dev/mapper/lee-lee.lv")
    with Screen(exported.folder) as screen:
        screen.prompt()
        shown = screen.run("ls")
        assert "(MISSING)" in shown
        assert "    ! " in shown
        assert screen.style("/dev/mapper/lee-lee.lv (MISSING)").fg == "red"
        assert "[disabled]" in shown


def test_a_branch_of_very_many_says_how_to_narrow(pyshell: Pyshell) -> None:
    names = [f"/backstores/ramdisk create d{number} 1M" for number in range(12)]
    pyshell.batch([*names, "set global tree_max_children=5"]).done()
    with Screen(pyshell.folder) as screen:
        screen.prompt()
        shown = screen.run("ls /backstores/ramdisk 1")
        assert "… 7 more: 'ls /backstores/ramdisk/NAME' shows one" in shown
        assert "d4 " in shown
        assert "d5 " not in shown


def test_long_results_are_shown_by_the_screen(pyshell: Pyshell) -> None:
    with Screen(pyshell.folder, rows=16) as screen:
        screen.prompt()
        screen.type(f"help{ENTER}")
        screen.see("-- more: Space next page, b back, / search, a all, q quit --")
        screen.type(" ")
        screen.see("Commands at /:")
        screen.see("-- more")
        screen.type("xa")  # x means nothing
        screen.see("Topics:")
        shown = screen.prompt()
        assert "-- more" not in shown
        screen.type(f"get global{ENTER}")
        screen.see("-- more")
        screen.type("q")
        screen.prompt()
        screen.run("pwd")


def test_info_and_get_are_tables(exported: Pyshell) -> None:
    with Screen(exported.folder) as screen:
        screen.prompt()
        shown = screen.run("/backstores/block/lee_block info")
        assert any(line.split() == ["Fact", "Value"] for line in shown.splitlines())
        assert any(line.split() == ["name", "lee_block"] for line in shown.splitlines())


def test_help_on_a_topic(pyshell: Pyshell) -> None:
    with Screen(pyshell.folder) as screen:
        screen.prompt()
        assert "`" not in screen.run("help chap")
        screen.see("With CHAP, an initiator authenticates with a password")


@pytest.mark.parametrize("answer", [f"n{ENTER}", ENTER, CTRL_C, CTRL_D])
def test_ux_row_9_and_field_failure_45_a_cut_is_asked_about(served: Pyshell, answer: str) -> None:
    before = served.tree()
    with Screen(served.folder) as screen:
        screen.prompt()
        screen.type(DELETE + ENTER)
        shown = screen.see("Continue? [y/N]")
        assert f"{CLIENT} at {SERVER}/tpg1, from 192.168.56.105" in " ".join(shown.split())
        assert f"takes LUN 0 from {CLIENT}" in shown
        screen.type(answer)
        screen.see("Nothing was changed.")
        screen.prompt()
    assert served.tree() == before


def test_force_and_yes_ask_nothing(served: Pyshell) -> None:
    with Screen(served.folder) as screen:
        screen.prompt()
        shown = screen.run(f"{TPG} disable force=true")
        assert "[y/N]" not in shown
        assert "The TPGT has been disabled." in shown


def test_ux_row_9_what_goes_with_a_storage_object_is_named(exported: Pyshell) -> None:
    before = exported.tree()
    with Screen(exported.folder) as screen:
        screen.prompt()
        screen.type(f"/backstores/block delete lee_block{ENTER}")
        shown = screen.see("This also removes 1 LUN and 1 mapped LUN. Continue? [y/N]")
        assert f"{TPG}/luns/lun0 is deleted with it, mapped for" in shown.replace("\n", " ")
        assert CLIENT in shown
        screen.type(ENTER)
        screen.see("Nothing was changed.")
        screen.prompt()
    assert exported.tree() == before


def test_an_open_question_does_not_keep_others_from_changing_the_target(
    exported: Pyshell,
) -> None:
    with Screen(exported.folder) as screen:
        screen.prompt()
        screen.type(f"/backstores/block delete lee_block{ENTER}")
        screen.see("Continue? [y/N]")
        exported.must(f"{TPG}/acls delete {CLIENT}")
        screen.type(f"y{ENTER}")
        screen.see("There is no mapped LUN 0")
        screen.prompt()
    assert "lee_block" in exported.line("ls /").out


def test_leaving_asks_to_save_leave_or_stay(pyshell: Pyshell) -> None:
    with Screen(pyshell.folder) as screen:
        screen.prompt()
        screen.run("/backstores/ramdisk create one 1M")
        screen.type(CTRL_D)
        screen.see(LEAVING)
        screen.type(ESCAPE)
        screen.prompt()
        screen.type(CTRL_L)  # what is typed before the next question is seen would not answer it
        screen.gone(LEAVING)
        screen.type(f"exit{ENTER}")
        screen.see(LEAVING)
        screen.type(f"leave{ENTER}")
        assert "configuration is not saved. Run 'saveconfig' to save it." in screen.end()
    assert not pyshell.saved_file.exists()


def test_a_path_is_picked_from_the_tree(exported: Pyshell) -> None:
    with Screen(exported.folder) as screen:
        screen.prompt()
        screen.type(f"cd{ENTER}")
        screen.see("Go to:")
        screen.type("server luns")
        screen.see(f">{TPG}/luns ")
        screen.type(ENTER)
        screen.see("erver/tpg1/luns>")
        screen.type(f"cd{ENTER}")
        screen.see("Go to:")
        screen.type(f"{DOWN}{ESCAPE}")
        screen.gone("Go to:")
        screen.type(f"cd -{ENTER}")
        screen.prompt()


def test_bookmarks_are_completed(exported: Pyshell) -> None:
    exported.must(f"{TPG} bookmarks add mine")
    with Screen(exported.folder) as screen:
        screen.prompt()
        screen.type(f"cd @{TAB}")
        screen.see("cd @mine")
        screen.type(ENTER)
        screen.see(":server/tpg1>")


def test_pasted_lines_are_asked_about_once(pyshell: Pyshell) -> None:
    with Screen(pyshell.folder) as screen:
        screen.prompt()
        screen.type(PASTE.format("cd /iscsi\ncd /backstores\n") + ENTER)
        screen.see("Run these 2 lines? [y/N]")
        screen.type(f"y{ENTER}")
        screen.prompt("/backstores")


def test_a_narrow_screen(exported: Pyshell) -> None:
    with Screen(exported.folder, columns=40) as screen:
        screen.prompt()
        screen.type(f"crate{ENTER}")
        screen.see("Command not found: crate.")
        screen.type(f"/backstores/block/lee_block get attribute{ENTER}")
        assert "value: " in screen.see("meaning: ")
        screen.type(f"q{ENTER}")
        screen.prompt()
        assert all(len(line) <= 40 for line in screen.lines)


def test_wide_characters_and_a_resized_window(pyshell: Pyshell) -> None:
    with Screen(pyshell.folder, columns=60, rows=20) as screen:
        screen.prompt()
        screen.type("bookmarks add 日本語")
        screen.see("日")
        screen.resize(100, 30)
        screen.type(ENTER)
        screen.see("Bookmarked / as")
        screen.prompt()


def test_without_colours_nothing_is_coloured(exported: Pyshell) -> None:
    with Screen(exported.folder, environment={"NO_COLOR": "1"}) as screen:
        screen.prompt()
        screen.run("ls")
        screen.type(f"cr{TAB}{TAB}")
        screen.settled()
        cells = [cell for row in screen.drawn.buffer.values() for cell in row.values()]
        assert {(cell.fg, cell.bg) for cell in cells} == {("default", "default")}


def test_suspended_and_resumed(pyshell: Pyshell) -> None:
    shell = ["/bin/bash", "--norc", "--noprofile", "-i"]
    with Screen(pyshell.folder, environment={"PS1": "outer$ "}, command=shell) as screen:
        screen.see("outer$")
        screen.type(f"{sys.executable} -m pyshell --simulate={pyshell.folder}{ENTER}")
        screen.prompt()
        screen.type("pw")
        screen.see("/> pw")
        screen.type(CTRL_Z)
        screen.see("Stopped")
        screen.type(f"fg{ENTER}")
        screen.settled()
        screen.type(f"d{ENTER}")
        screen.prompt()
        screen.type(f"exit{ENTER}")
        screen.until(lambda _: screen.lines[screen.drawn.cursor.y] == "outer$", "the outer shell")
        screen.type(f"echo ba''ck{ENTER}")
        screen.until(lambda _: "back" in screen.lines, "what the outer shell echoes")


def test_a_lost_terminal_ends_the_session_and_frees_the_lock(pyshell: Pyshell) -> None:
    screen = Screen(pyshell.folder, command=program(f"--simulate={pyshell.folder}"))
    screen.prompt()
    screen.run("/backstores/ramdisk create one 1M")
    screen.child.ptyproc.fileobj.close()
    _until(lambda: not screen.child.ptyproc.isalive())
    assert screen.child.ptyproc.signalstatus in (None, signal.SIGHUP)
    assert pyshell("/backstores/ramdisk", "create", "two", "1M").status == 0


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_plain_reads_line_by_line(pyshell: Pyshell, tmp_path: Path) -> None:
    with Screen(pyshell.folder, "--plain") as screen:
        screen.see("/>")
        screen.type("cd\n")
        screen.type("help tpgs\n")
        shown = screen.see("# Target portal groups")
        assert "F1" not in shown
        screen.type(CTRL_D)
        screen.end()


def test_field_failure_43_ctrl_c_is_never_a_trace(pyshell: Pyshell) -> None:
    with Screen(pyshell.folder) as screen:
        screen.prompt()
        screen.type(f"exit{CTRL_C}")
        screen.prompt()
        screen.type(f"/iscsi set discovery_auth password=-{ENTER}")
        screen.settled()
        screen.type(CTRL_C)
        screen.prompt()
        assert "Traceback" not in screen.text
        screen.type(f"exit{ENTER}")
        screen.end()


def test_ux_row_4_no_secret_reaches_the_history(target: Pyshell) -> None:
    with Screen(target.folder) as screen:
        screen.prompt()
        screen.type(f"{TPG} set auth password=-{ENTER}")
        screen.see("\npassword:")
        screen.type(f"verysecret12{ENTER}")
        screen.see("\npassword again:")
        screen.type(f"verysecret12{ENTER}")
        assert "verysecret12" not in screen.see("Parameter password is now '********'.")
        screen.run(f"{TPG} set auth userid=u password=othersecret1")
    kept = target.folder / "home" / "history"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert "secret1" not in kept.read_text(encoding="utf-8")
