# SPDX-License-Identifier: Apache-2.0
"""Who reads beside the prompt gives way to who types."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pyshell.errors import PyshellError
from pyshell.lio.attach import Lio
from pyshell.lio.configfs import folders, links
from pyshell.prompt.manners import Typing, while_wanted


def test_reading_waits_until_nobody_types(lio: Lio) -> None:
    typing = Typing()
    polite = typing.polite(lio)
    started = time.monotonic()
    polite.kernel.read(f"{lio.kernel.root}/version")
    assert time.monotonic() - started < 0.2
    typing.pressed()
    started = time.monotonic()
    polite.kernel.read(f"{lio.kernel.root}/version")
    assert time.monotonic() - started > 0.2


def test_what_nobody_wants_any_more_is_not_listed_further(tmp_path: Path) -> None:
    wanted = True
    with while_wanted(lambda: wanted):
        assert folders(str(tmp_path)) == []
        wanted = False
        with pytest.raises(PyshellError):
            folders(str(tmp_path))
        with pytest.raises(PyshellError):
            links(str(tmp_path))
    assert folders(str(tmp_path)) == []
