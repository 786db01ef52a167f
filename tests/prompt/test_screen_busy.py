# SPDX-License-Identifier: Apache-2.0
"""What the screen shows while commands are at work, and of what is done to them meanwhile."""

from __future__ import annotations

import sys

import pytest

from driver import Pyshell

from .screen import Screen

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
