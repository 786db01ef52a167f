# SPDX-License-Identifier: Apache-2.0
"""What the screen shows while commands are at work, and of what is done to them meanwhile."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from driver import SERVER, Pyshell

from .screen import CTRL_C, CTRL_Z, DELETE, ENTER, LEFT, TAB, Screen

# Python 3.12 warns of forking where threads are; the child is another program at once.
pytestmark = pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning")


SLOWED = "prompt.slowed"


def test_what_is_typed_ahead_leaves_no_bar_behind(pyshell: Pyshell) -> None:
    with Screen(pyshell.folder, entry=f"{SLOWED}:slow_bar") as screen:
        screen.see("/1000")
        screen.type("ahead\n")
        screen.see("read: ahead")
        assert screen.end() == "read: ahead"


@pytest.fixture
def slowly(pyshell: Pyshell) -> Iterator[Screen]:
    """Return a terminal where devices are slow to read."""
    with Screen(pyshell.folder, entry=f"{SLOWED}:slow_devices") as screen:
        screen.prompt()
        yield screen


def test_a_menu_that_is_not_whole_is_completed_once_all_is_read(slowly: Screen) -> None:
    slowly.type(f"/backstores/block create x {TAB}")
    # The toolbar may tell before the menu is drawn that something is being read.
    slowly.until(lambda shown: "readonly=" in shown and "reading…" in shown, "reading…")
    shown = slowly.see("/dev/sdb")
    assert "8.0GiB SIM Disk" in shown
    assert "reading…" not in slowly.gone("reading…")


def test_typing_goes_on_while_values_are_read(slowly: Screen) -> None:
    slowly.type(f"/backstores/block create x dev={TAB}")
    slowly.see("reading…")
    slowly.type("/dev/sdc")
    shown = slowly.see("dev=/dev/sdc")
    assert "reading…" in shown
    slowly.type(ENTER)
    slowly.see("Created block storage object x using /dev/sdc.")


def test_ctrl_c_stops_before_the_next_step_and_says_what_was_done(pyshell: Pyshell) -> None:
    with Screen(pyshell.folder, entry=f"{SLOWED}:slow_steps") as screen:
        screen.prompt()
        screen.type(f"/iscsi create {SERVER}{ENTER}")
        screen.see("step: create TPG")
        screen.type(CTRL_C)
        told = "The steps before it were undone."
        shown = screen.until(lambda shown: told in shown.replace("\n", " "), told)
        assert "Interrupted before the step" in shown.replace("\n", " ")
        screen.prompt()
        assert not any(SERVER in path for path in pyshell.tree())
        screen.run("pwd")


def test_ctrl_c_during_the_only_step_comes_when_it_is_done(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/ramdisk create disk 1M")
    with Screen(pyshell.folder, entry=f"{SLOWED}:slow_steps") as screen:
        screen.prompt()
        screen.type(f"/backstores/ramdisk delete disk{ENTER}")
        screen.see("step: delete")
        screen.type(CTRL_C)
        screen.see("Deleted storage object disk.")
        screen.see("Interrupted when it was done.")
        screen.prompt()


def test_wide_characters_in_a_path_are_completed_and_edited(pyshell: Pyshell) -> None:
    with Screen(pyshell.folder) as screen:
        screen.prompt()
        (pyshell.folder / "files/srv/日本語").mkdir(parents=True)
        screen.type(f"/backstores/fileio create wide /srv/日{TAB}")
        screen.see("/srv/日本語/")
        screen.type("碟.img siz 1M")
        screen.type(LEFT * 3 + "e=" + DELETE)
        screen.see("/srv/日本語/碟.img size=1M")
        screen.type(ENTER)
        screen.see("Created fileio wide with size 1048576")
        screen.prompt()
        assert "/srv/日本語/碟.img (1.0MiB)" in screen.run("ls /backstores/fileio")
    assert (pyshell.folder / "files/srv/日本語/碟.img").is_file()


def test_a_line_stays_whole_while_the_window_changes(pyshell: Pyshell) -> None:
    line = "/backstores/ramdisk create resized-while-it-was-typed 1M"
    with Screen(pyshell.folder, columns=100, rows=24) as screen:
        screen.prompt()
        screen.type(line[:30])
        screen.see(line[:30])
        screen.resize(50, 20)
        screen.type(line[30:])
        screen.until(lambda shown: line in shown.replace("\n", ""), "the line in two rows")
        screen.resize(120, 24)
        screen.see(line)
        screen.type(ENTER)
        screen.see("Created ramdisk resized-while-it-was-typed with size 1M.")
        screen.prompt()


def test_a_line_in_two_rows_and_its_menu_survive_a_suspension(pyshell: Pyshell) -> None:
    shell = ["/bin/bash", "--norc", "--noprofile", "-i"]
    environment = {"PS1": "outer$ "}
    with Screen(pyshell.folder, environment=environment, command=shell, columns=60) as screen:
        screen.see("outer$")
        screen.type(f"{sys.executable} -m pyshell --simulate={pyshell.folder}{ENTER}")
        screen.prompt()
        screen.type(f"/backstores/block create name=kept-over-a-suspension de{TAB}")
        screen.see("dev=")
        screen.type(CTRL_Z)
        screen.see("Stopped")
        screen.type(f"fg{ENTER}")
        screen.settled()
        screen.type(f"/dev/sdb{ENTER}")
        screen.see("Created block storage object kept-over-a-suspension")
        screen.prompt()
