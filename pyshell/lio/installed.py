# SPDX-License-Identifier: Apache-2.0
"""What must be known of the installed rtslib to read, without importing it."""

from __future__ import annotations

import functools
import os
from importlib.util import find_spec


@functools.cache
def knows_exclusive() -> bool:
    """Return whether rtslib has this argument of block objects, and the key in its files.

    Distributions' older ones do not, and do not restore an object that has the key. They patch
    rtslib, so that its version does not answer this. Its source does.
    """
    for name in ("rtslib_fb", "rtslib"):  # 2.2.3 has its modules in the second one only
        found = find_spec(name)
        for folder in (found.submodule_search_locations or ()) if found is not None else ():
            source = os.path.join(folder, "tcm.py")
            if os.path.exists(source):
                with open(source, encoding="utf-8") as text:
                    return "exclusive=" in text.read()
    return _has_argument()


def _has_argument() -> bool:
    """Import rtslib, as it is installed without its source."""
    from pyshell.lio import rtslib_older

    return rtslib_older.KNOWS_EXCLUSIVE
