# SPDX-License-Identifier: Apache-2.0
"""From one configuration to another: the smallest change, and nothing where nothing differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from hypothesis import HealthCheck, Phase, given, settings

from driver import LONG, Pyshell
from pyshell.config.compare import compare
from pyshell.config.document import Document
from pyshell.config.model import Items, items
from pyshell.config.plan import plan
from pyshell.config.running import read_running
from pyshell.lio import Lio, attach
from pyshell.lio.operations.base import carry_out

from .documents import documents


def running(lio: Lio) -> Items:
    return items(read_running(lio), lio.root)


def bring(lio: Lio, wanted: Items) -> int:
    """Bring the kernel to `wanted` and nothing else; return of how many steps it took."""
    found = plan(lio, running(lio), wanted, prune=True)
    carry_out(lio, found.operations)
    return len(found.operations)


@settings(
    max_examples=334 if LONG else 20,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(one=documents(), other=documents())
def test_apply_converts_any_configuration_into_any_other_and_back(
    pyshell: Pyshell, one: dict[str, Any], other: dict[str, Any]
) -> None:
    lio = attach(Path(pyshell.folder))
    for document in (one, other, one):
        wanted = items(cast(Document, document), lio.root)
        bring(lio, wanted)
        left = compare(running(lio), wanted)
        assert [(d.sign, d.path, [c.text for c in d.changes]) for d in left if not d.implied] == []
        assert bring(lio, wanted) == 0
