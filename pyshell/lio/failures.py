# SPDX-License-Identifier: Apache-2.0
"""Errors of rtslib and the kernel, as pyshell's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pyshell.errors import PyshellError, from_os_error


@contextmanager
def doing(
    step: str, path: str | None = None, hint: Callable[[int], str] = lambda _: ""
) -> Iterator[None]:
    """Turn what rtslib or the kernel raises while doing `step` into a PyshellError.

    `step` is a verb phrase ("create target iqn…"). Errno and path of the kernel's error are kept.
    `hint` returns what to do about an errno.
    """
    try:
        yield
    except PyshellError:
        raise
    except OSError as error:
        raise from_os_error(error, step, path=path, hint=hint(error.errno or 0)) from error
    except UnicodeEncodeError as error:  # raised when rtslib writes a text from the command line
        message = f"Cannot {step}: a value holds bytes that are not UTF-8 text"
        raise PyshellError(message, path=path, step=step) from error
    except Exception as error:
        from pyshell.lio.rtslib import refused  # work that only reads raises none of its errors

        made = refused(error, step, path, hint)
        if made is None:
            raise
        raise made from error
