# SPDX-License-Identifier: Apache-2.0
"""Whether what runs is saved, as the prompt asks for it."""

from __future__ import annotations

import pytest

from driver import Pyshell
from pyshell.prompt import comparing


@pytest.mark.parametrize("large", [0, 200])
def test_it_is_told_here_and_by_another(
    pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch, large: int
) -> None:
    monkeypatch.setattr(comparing, "LARGE", large)
    pyshell.must("/backstores/ramdisk create one 1M")
    assert comparing.differs(pyshell.open())
    pyshell.must("saveconfig")
    assert not comparing.differs(pyshell.open())
