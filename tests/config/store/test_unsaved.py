# SPDX-License-Identifier: Apache-2.0
"""Whether what runs is what is restored at boot."""

from __future__ import annotations

import pytest

from driver import Pyshell
from pyshell.config.store.saved_file import is_unsaved
from pyshell.errors import PyshellError


def test_what_runs_is_held_against_the_file(pyshell: Pyshell) -> None:
    assert not is_unsaved(pyshell.open())
    pyshell.must("/backstores/ramdisk create one 1M")
    assert is_unsaved(pyshell.open())
    pyshell.must("saveconfig")
    assert not is_unsaved(pyshell.open())
    pyshell.must("clearconfig confirm=true")
    assert is_unsaved(pyshell.open())


def test_a_file_that_cannot_be_read_is_told(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/ramdisk create one 1M", "saveconfig")
    pyshell.saved_file.write_text("{", encoding="utf-8")
    with pytest.raises(PyshellError):
        is_unsaved(pyshell.open())
