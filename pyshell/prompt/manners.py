# SPDX-License-Identifier: Apache-2.0
"""Giving way: who reads the target for the prompt's sake stands still while somebody types.

And ends once nobody wants what is read.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

from pyshell.errors import PyshellError
from pyshell.lio.attach import Lio
from pyshell.lio.configfs import Kernel, asking, by_paths

_PAUSE = 0.25
"""Seconds without a key after which nobody types: the next key may be long in coming."""
_STEP = 0.02


def while_wanted(wanted: Callable[[], bool]) -> AbstractContextManager[None]:
    """End what this thread reads meanwhile once it is not wanted: PyshellError is raised then."""

    def ask() -> None:
        if not wanted():
            raise PyshellError("Nobody wants it any more")

    return asking(ask)


class Typing:
    """Knows when the last key was pressed."""

    def __init__(self) -> None:
        self._last = -_PAUSE

    def pressed(self) -> None:
        """Note that a key was pressed."""
        self._last = time.monotonic()

    def give_way(self) -> None:
        """Wait while somebody types."""
        while time.monotonic() - self._last < _PAUSE:
            time.sleep(_STEP)

    def polite(self, lio: Lio) -> Lio:
        """Return the target as one who gives way reads it."""
        return replace(lio, kernel=_Polite(lio.kernel, self))


class _Polite:
    """The kernel, each read of which gives way: two threads share one processor's time."""

    def __init__(self, kernel: Kernel, typing: Typing) -> None:
        self.root = kernel.root
        self.write, self.mkdir = kernel.write, kernel.mkdir
        self.rmdir, self.unlink = kernel.rmdir, kernel.unlink
        self._kernel = kernel
        self._typing = typing

    def read(self, path: str) -> str:
        """Return the text of an attribute file, once nobody types."""
        self._typing.give_way()
        return self._kernel.read(path)

    def within(self, folder: str) -> AbstractContextManager[Callable[[str], str]]:
        """Give what reads files of one folder, each once nobody types."""
        return by_paths(self, folder)
