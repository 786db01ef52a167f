# SPDX-License-Identifier: Apache-2.0
"""Regular expressions that users give: Python's, in any case, and with a limit of time.

Some expressions, such as `(a+)+b`, take years on a short line. The search is stopped by a timer.
"""

from __future__ import annotations

import re
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from pyshell.errors import PyshellError, UsageError

LONGEST = 1000
"""Characters of an expression."""
LONGEST_LINE = 100_000
"""Characters of a text that are searched."""
SECONDS = 2.0
"""The time that all searches of one expression may take together."""


class _OutOfTimeError(Exception):
    """The timer has ended."""


class Pattern:
    """An expression to search texts for."""

    def __init__(self, text: str) -> None:
        """Read an expression. Raises UsageError with the column of the error in `text`."""
        if not text:
            raise UsageError("The regular expression is empty.", "It would match every line.")
        if len(text) > LONGEST:
            raise UsageError(
                "The regular expression is too long.", f"At most {LONGEST} characters are allowed."
            )
        self.text = text
        self._left = SECONDS
        try:
            with warnings.catch_warnings(), _limited(SECONDS):
                warnings.simplefilter("ignore")  # of constructs whose meaning may change
                self._compiled = re.compile(text, re.IGNORECASE)
        except re.error as error:
            raise UsageError(
                f"The regular expression is not valid: {error.msg}.",
                r"A backslash makes a character literal, as in '\('.",
                column=error.pos,
            ) from error
        except (OverflowError, RecursionError, _OutOfTimeError) as error:
            raise UsageError("The regular expression is too complex.", "Simplify it.") from error

    def found_in(self, text: str) -> bool:
        """Return whether a text contains a match. Raises PyshellError if that takes too long."""
        begun = time.monotonic()
        try:
            with _limited(self._left):
                return self._compiled.search(text[:LONGEST_LINE]) is not None
        except (_OutOfTimeError, RecursionError):
            raise PyshellError(
                f"The regular expression '{self.text}' takes too long.",
                "Avoid repetitions within repetitions, such as (a+)+.",
            ) from None
        finally:
            self._left = max(self._left - (time.monotonic() - begun), 0.001)


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise _OutOfTimeError in the block after that time; without effect in other threads.

    Python's searches look for signals while they run, so Ctrl-C ends them, too.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(_number: int, _frame: FrameType | None) -> None:
        raise _OutOfTimeError

    before = signal.signal(signal.SIGALRM, end)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        # It is None if it was not set by Python.
        signal.signal(signal.SIGALRM, signal.SIG_DFL if before is None else before)
