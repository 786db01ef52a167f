# SPDX-License-Identifier: Apache-2.0
"""A fresh simulated kernel for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.acts import Acts


@pytest.fixture
def kernel(_folder: Path) -> Acts:
    """Return a simulated kernel that nothing was done to."""
    return Acts(_folder / "simulator")
