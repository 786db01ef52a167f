# SPDX-License-Identifier: Apache-2.0
"""Long work tells how far it is to whoever listens."""

from __future__ import annotations

from driver import Pyshell
from pyshell.config import document_file, object_operations, restoration
from pyshell.lio import attach
from pyshell.lio.operations.base import carry_out
from pyshell.lio.operations.storage import CreateImageFile


def test_restore_and_clear_tell_how_far_they_are(pyshell: Pyshell) -> None:
    lio = attach(pyshell.folder)
    told: list[tuple[int, int]] = []
    lio.progress.listener = lambda done, total: told.append((done, total))

    restoration.restore(lio, document_file.load(pyshell.example))
    restored, told[:] = list(told), []
    object_operations.clear(lio)

    for one in (restored, told):
        assert len(one) > 10
        assert [done for done, _ in one] == sorted(done for done, _ in one)
        assert one[-1][0] == one[-1][1]


def test_without_a_listener_nothing_is_told(pyshell: Pyshell) -> None:
    lio = attach(pyshell.folder)
    carry_out(lio, [CreateImageFile("/srv/a.img", 1 << 20, sparse=True)])
    assert lio.progress.listener is None
