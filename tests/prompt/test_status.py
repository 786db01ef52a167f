# SPDX-License-Identifier: Apache-2.0
"""What the toolbar knows of the target, whoever changes it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from driver import Pyshell
from pyshell.prompt.status import Difference
from pyshell.shell.lock import is_held, locked


def test_a_change_that_is_under_way_is_looked_at_when_it_is_done(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/ramdisk create one 1M")
    pyshell.must("saveconfig")
    lio = pyshell.open()
    shell = cast(Any, SimpleNamespace(lio=lio, unsaved=False, compat=False))
    difference = Difference(shell)

    with locked(lio.lock_file):
        assert is_held(lio.lock_file)
        difference.look(lio)  # as it is before the change of whoever has the lock
    assert difference.known() is None
    (attribute,) = pyshell.configfs.glob("core/rd_mcp_*/one/attrib/emulate_caw")
    attribute.write_text("0\n", encoding="ascii")
    difference.look(lio)
    assert difference.known()


def test_finding_14_the_comparison_decides_over_what_commands_left(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/ramdisk create one 1M", "saveconfig")
    lio = pyshell.open()
    shell = cast(Any, SimpleNamespace(lio=lio, unsaved=True, compat=False))
    difference = Difference(shell)
    assert difference.known() is None
    difference.look(lio)
    assert difference.known() is False
