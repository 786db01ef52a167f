# SPDX-License-Identifier: Apache-2.0
"""Who reads beside the prompt gives way to who types."""

from __future__ import annotations

import time

from pyshell.prompt.manners import Typing
from pyshell.target.attach import Lio


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
