# SPDX-License-Identifier: Apache-2.0
"""Whether what runs is other than what is restored at boot."""

from __future__ import annotations

from pyshell.config.store import locations
from pyshell.lio import listing
from pyshell.lio.attach import Lio


def is_unsaved(lio: Lio) -> bool:
    """Tell whether what runs differs from the file that is restored at boot; reads all of both.

    Raises PyshellError where the file cannot be read.
    """
    path = locations.default_file(lio)
    if not path.exists() and listing.is_empty():
        return False
    from pyshell.config import load, references
    from pyshell.config.compare import compare
    from pyshell.config.model import items
    from pyshell.config.running import read_running

    running = items(read_running(lio))
    if not path.exists():
        return bool(running)
    return bool(compare(items(references.if_readable(load.load(path))), running))
