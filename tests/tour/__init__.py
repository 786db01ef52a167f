# SPDX-License-Identifier: Apache-2.0
"""The tour in README: a picture of the prompt at work. `python -m tests.tour` draws it anew."""

import sys
from pathlib import Path

# As pytest does: what tests share is imported from this folder.
sys.path.insert(0, str(Path(__file__).parents[1]))
