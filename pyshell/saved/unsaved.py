# SPDX-License-Identifier: Apache-2.0
"""Whether what runs is other than what is restored at boot."""

from __future__ import annotations

from pyshell.saved import locations
from pyshell.target import listing
from pyshell.target.attach import Lio


def is_unsaved(lio: Lio) -> bool:
    """Tell whether what runs differs from the file that is restored at boot; reads all of both.

    Raises PyshellError where the file cannot be read.
    """
    path = locations.default_file(lio)
    if not path.exists() and listing.is_empty():
        return False
    from pyshell.saved import load
    from pyshell.saved.compare import compare
    from pyshell.saved.model import items
    from pyshell.saved.running import read_running

    running = items(read_running(lio))
    return bool(compare(items(load.load(path)), running)) if path.exists() else bool(running)
