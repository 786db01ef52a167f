# SPDX-License-Identifier: Apache-2.0
"""The one place where rtslib's and the kernel's errors become pyshell's."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import rtslib_fb

from pyshell.errors import NotFoundError, PyshellError, from_os_error

# What an errno means for a step, where the kernel's word alone sends people searching (row 37).
_HINTS = {
    (
        "create portal",
        errno.EINVAL,
    ): "Is it an address, and not taken by another TPG of the target?",
    ("create portal", errno.EADDRNOTAVAIL): "'ip address' lists this host's addresses.",
    ("create portal", errno.EADDRINUSE): "Another program listens there: 'ss -ltnp' names it.",
    ("create storage object", errno.EBUSY): "The device is in use: 'lsblk' shows by what.",
    ("create storage object", errno.EINVAL): "The kernel's log may say more: 'dmesg | tail'.",
    ("create storage object", errno.ENODEV): "Is the device there? 'lsblk' lists them.",
    ("delete storage object", errno.EBUSY): "A LUN still uses it.",
    ("set ", errno.ENOSYS): "Its backstore or device cannot do that.",
    ("set ", errno.ENODEV): "Its backstore or device cannot do that, or is not ready for it.",
    ("create target", errno.EINVAL): "The fabric's driver refused the name: see 'info' there.",
}


@contextmanager
def doing(
    step: str, path: str | None = None, hint: Callable[[int], str] = lambda _: ""
) -> Iterator[None]:
    """Turn what rtslib or the kernel raises while doing `step` into a PyshellError.

    `step` is a verb phrase ("create target iqn…"); errno and path of the kernel's error are kept.
    `hint` tells what an errno means here, where that is more than it means for any such step.
    """
    try:
        yield
    except rtslib_fb.RTSLibNotInCFSError as error:
        raise NotFoundError(
            f"Cannot {step}: {error}", path=path, step=step, targetcli=_sentence(error)
        ) from error
    except rtslib_fb.RTSLibError as error:
        beneath = kernels_error(error)
        if beneath is not None:
            made = from_os_error(beneath, step, path=path, hint=_hint(step, beneath, hint))
            made.targetcli = _sentence(error)
            raise made from error
        raise PyshellError(
            f"Cannot {step}: {error}", path=path, step=step, targetcli=_sentence(error)
        ) from error
    except OSError as error:
        told = _hint(step, error, hint)
        raise from_os_error(error, step, path=path, hint=told) from error
    except UnicodeEncodeError as error:  # raised where rtslib writes a text from the command line
        message = f"Cannot {step}: a value holds bytes that are no UTF-8 text"
        raise PyshellError(message, path=path, step=step) from error


def _sentence(error: BaseException) -> str:
    """Return what rtslib says, which targetcli prints as it is, on one line."""
    return " ".join(str(error).split("\n"))


def kernels_error(error: BaseException) -> OSError | None:
    """Return the kernel's error under one of rtslib's, which keeps it only as its context."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


def _hint(step: str, error: OSError, special: Callable[[int], str]) -> str:
    told = special(error.errno) if error.errno is not None else ""
    if told:
        return told
    for (beginning, number), hint in _HINTS.items():
        if error.errno == number and step.startswith(beginning):
            return hint
    return ""
