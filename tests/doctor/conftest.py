# SPDX-License-Identifier: Apache-2.0
"""A target without problems."""

from __future__ import annotations

import pytest

from driver import Pyshell

from .findings import (
    doctor,
)


@pytest.fixture
def healthy(exported: Pyshell) -> Pyshell:
    """Return pyshell where one disk is exported and saved, and nothing is wrong."""

    def save() -> None:
        exported.must("saveconfig")
        assert doctor(exported) == []

    exported.prepare_by(save, "healthy")
    return exported
