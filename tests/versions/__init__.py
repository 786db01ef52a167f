# SPDX-License-Identifier: Apache-2.0
"""Tries the oldest libraries and the other releases of Python. `python -m tests.versions`."""

import sys
from pathlib import Path

# As pytest does: what tests share is imported from this folder.
sys.path.insert(0, str(Path(__file__).parents[1]))
