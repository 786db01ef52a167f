# SPDX-License-Identifier: Apache-2.0
"""What the screen shows while commands are at work, and of what is done to them meanwhile."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from driver import Pyshell

from .screen import ENTER, TAB, Screen

# Python 3.12 warns of forking where threads are; the child is another program at once.
pytestmark = pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning")
BUSY = """
import sys, time
from pyshell.render.progress import Bar
bar = Bar(sys.stderr)
time.sleep(1.1)
for done in range(1, 51):
    bar(done, 100)
    time.sleep(0.05)
bar.close()
print("read:", input())
"""


def test_what_is_typed_ahead_leaves_no_bar_behind(pyshell: Pyshell) -> None:
    with Screen(pyshell.folder, command=[sys.executable, "-c", BUSY]) as screen:
        screen.see("/100")
        screen.type("ahead\n")
        screen.see("read: ahead")
        assert screen.end() == "read: ahead"


SLOW = """
import sys, time
from pyshell import cli
from pyshell.shell import values
find = values._SOURCES["device"]
def slow(wanted, node):
    time.sleep(2)
    return find(wanted, node)
values._SOURCES["device"] = slow
cli.main(sys.argv[1:])
"""


@pytest.fixture
def slowly(pyshell: Pyshell) -> Iterator[Screen]:
    """Return a terminal where devices are slow to read."""
    command = [sys.executable, "-c", SLOW, f"--simulate={pyshell.folder}"]
    with Screen(pyshell.folder, command=command) as screen:
        screen.prompt()
        yield screen


def test_a_menu_that_is_not_whole_is_completed_once_all_is_read(slowly: Screen) -> None:
    slowly.type(f"/backstores/block create x {TAB}")
    assert "readonly=" in slowly.see("reading…")
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
