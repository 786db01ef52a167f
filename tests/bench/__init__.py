# SPDX-License-Identifier: Apache-2.0
"""Measures what pyshell costs beside bare calls, rtslib and targetcli. `python -m tests.bench`."""

import sys
from pathlib import Path

# As pytest does: what tests share is imported from this folder.
sys.path.insert(0, str(Path(__file__).parents[1]))
