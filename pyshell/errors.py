# SPDX-License-Identifier: Apache-2.0
"""Errors for users: each has a message, a hint and an exit status.

PyshellError              1  the command failed
├── UsageError            2  the line is not valid (may have a column)
├── NotFoundError         3  a path, object, file or device does not exist
├── NotPermittedError     4  not root, or refused by the kernel
├── InterruptedStepsError 128 + N: signal N came between two steps
├── RestoredInPartError   6  a restore that waits or adds missing objects skipped some
└── ConflictError         5  the state of the target or a file does not allow it
    ├── ExistsError       5  the object already exists
    ├── BusyError         5  the object or device is in use
    └── LockedError       5  another program holds the lock

An error of the kernel keeps `errno`, `path` and `step` (what was being done).
"""

from __future__ import annotations

import errno as errors
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

EXIT_FAILED = 1


class PyshellError(Exception):
    """An error that users see: `message` says what failed and why, `hint` what to do."""

    status = EXIT_FAILED

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        errno: int | None = None,
        path: str | None = None,
        step: str | None = None,
        faults: Sequence[str] = (),
        targetcli: str = "",
        unchanged: bool = False,
    ) -> None:
        super().__init__(message)
        self.targetcli = targetcli
        """The sentence of targetcli or rtslib, which programs match; "" for `message`."""
        self.faults = list(faults)
        """Errors found together, one line each."""
        self.message = message
        self.hint = hint
        self.errno = errno
        self.path = path
        self.step = step
        self.unchanged = unchanged
        """Whether to say that nothing was changed, where that is not obvious."""
        self.left: Sequence[Any] = ()
        """Operations that could not undo the steps before the failed one."""
        self.as_json = False
        """Whether the line that failed requested JSON."""

    def advice(self, *, in_batch: bool = False) -> str:
        """Return the hint, and that nothing was changed; in a batch, by this line."""
        said = "This line changed nothing." if in_batch else "Nothing was changed."
        return " ".join(part for part in (self.hint, said if self.unchanged else "") if part)

    def __str__(self) -> str:
        return self.text()

    def text(self, *, in_batch: bool = False) -> str:
        """Return message and advice as one line."""
        advice = self.advice(in_batch=in_batch)
        parts = (_sentence(self.message), *map(_sentence, self.faults), advice)
        text = " ".join(part for part in parts if part)
        return " ".join(text.split("\n"))


class UsageError(PyshellError):
    """A line that is not valid.

    `column` counts characters from 0 in `line`, the line as typed, if both are known.
    """

    status = 2

    def __init__(
        self, message: str, hint: str = "", *, column: int | None = None, targetcli: str = ""
    ) -> None:
        super().__init__(message, hint, targetcli=targetcli)
        self.column = column
        self.line: str | None = None


class InterruptedStepsError(PyshellError):
    """A signal came between two steps of a command; its steps are undone."""

    def __init__(self, message: str, number: int, *, step: str | None = None) -> None:
        super().__init__(message, step=step)
        self.status = 128 + number


class NotFoundError(PyshellError):
    """A named path, object, file or device does not exist."""

    status = 3


class NotPermittedError(PyshellError):
    """The user has no permission."""

    status = 4


class RestoredInPartError(PyshellError):
    """A restore skipped the objects named in its faults; they can be added later."""

    status = 6


class ConflictError(PyshellError):
    """The state of the target or of a file does not allow it."""

    status = 5


class ExistsError(ConflictError):
    """The object already exists.

    `wanted` is true if it equals the requested one: `exist_ok=true` accepts it then. `object` is
    its path in pyshell's tree, if known.
    """

    wanted = False
    object: str | None = None


class BusyError(ConflictError):
    """The object or device is in use."""


class LockedError(ConflictError):
    """Another program holds the lock."""


_CLASS_OF_ERRNO: dict[int, type[PyshellError]] = {
    errors.EEXIST: ExistsError,
    errors.EBUSY: BusyError,
    errors.ENOTEMPTY: BusyError,
    errors.EADDRINUSE: BusyError,
    errors.ENOENT: NotFoundError,
    errors.ENODEV: NotFoundError,
    errors.EACCES: NotPermittedError,
    errors.EPERM: NotPermittedError,
    errors.EROFS: NotPermittedError,
}


def from_os_error(
    error: OSError, step: str, *, path: str | None = None, hint: str = ""
) -> PyshellError:
    """Return the error for an OSError of a step, such as "create target X"."""
    number = error.errno
    where = str(error.filename) if error.filename is not None else path
    reason = os.strerror(number) if number is not None else str(error)
    code = errors.errorcode.get(number) if number is not None else None
    name = f" ({code})" if code else ""
    at = f" at {where}" if where and where not in step else ""
    found = _CLASS_OF_ERRNO.get(number, PyshellError) if number is not None else PyshellError
    return found(f"Cannot {step}: {reason}{name}{at}.", hint, errno=number, path=where, step=step)


def file_hint(number: int | None, path: str, *, creates: bool = False) -> str:
    """Return what to do about a named file that cannot be opened; `creates` if it is written."""
    if number == errors.EISDIR:
        return "It is a folder: give the name of a file."
    if number not in (errors.ENOENT, errors.ENOTDIR):
        return ""
    folder = os.path.dirname(path) or "."
    if os.path.isdir(folder):
        return "" if creates else "Check the name."
    if os.path.lexists(folder):
        return f"{folder} is not a folder."
    return f"No such folder: {folder}.{' Create it first.' if creates else ''}"


@contextmanager
def file_errors(step: str, path: str, *, creates: bool = False) -> Iterator[None]:
    """Return a context that raises an OSError of reading or writing a file, with `file_hint`.

    targetcli mode shows no such hint.
    """
    try:
        yield
    except OSError as error:
        plain = OSError(error.errno, error.strerror) if creates else error
        failed = from_os_error(plain, step, path=path)
        failed.hint = file_hint(error.errno, path, creates=creates)
        failed.targetcli = failed.message if failed.hint else ""
        raise failed from error


@contextmanager
def os_errors(
    step: str, *, path: str | None = None, hint: str = "", only_path: bool = False
) -> Iterator[None]:
    """Return a context that raises an OSError as `from_os_error` makes it.

    With `only_path`, the error names `path`, not the file of the system call.
    """
    try:
        yield
    except OSError as error:
        plain = OSError(error.errno, error.strerror) if only_path else error
        raise from_os_error(plain, step, path=path, hint=hint) from error


def bug_report(version: str) -> str:
    """Return the text above the traceback of a bug in pyshell."""
    return (
        f"This is a bug in pyshell {version}. Please report what follows to the project's issue"
        " tracker, with the command line (without secrets).\n"
    )


def _sentence(text: str) -> str:
    """Return a text with a full stop, if it has none."""
    return text if not text or text[-1] in ".!?:" else text + "."
