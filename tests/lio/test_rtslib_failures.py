# SPDX-License-Identifier: Apache-2.0
"""Errors of rtslib and the kernel become pyshell's, with step, errno, path and exit status."""

from __future__ import annotations

import errno
import os

import pytest
import rtslib_fb

from pyshell.errors import (
    BusyError,
    ExistsError,
    NotFoundError,
    NotPermittedError,
    PyshellError,
    from_os_error,
)
from pyshell.lio.rtslib_failures import doing


@pytest.mark.parametrize(
    ("number", "kind", "status"),
    [
        (errno.EEXIST, ExistsError, 5),
        (errno.EBUSY, BusyError, 5),
        (errno.ENOTEMPTY, BusyError, 5),
        (errno.EADDRINUSE, BusyError, 5),
        (errno.ENOENT, NotFoundError, 3),
        (errno.ENODEV, NotFoundError, 3),
        (errno.EACCES, NotPermittedError, 4),
        (errno.EPERM, NotPermittedError, 4),
        (errno.EROFS, NotPermittedError, 4),
        (errno.EINVAL, PyshellError, 1),
        (errno.ENOSPC, PyshellError, 1),
    ],
)
def test_an_errno_gives_kind_and_status(number: int, kind: type[PyshellError], status: int) -> None:
    with pytest.raises(PyshellError) as caught, doing("create target x"):
        raise OSError(number, os.strerror(number), "/some/path")
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.errno) == (status, number)
    assert (caught.value.path, caught.value.step) == ("/some/path", "create target x")
    assert f"({errno.errorcode[number]}) at /some/path." in str(caught.value)


def test_the_kernels_error_under_rtslibs_is_kept() -> None:
    error = rtslib_fb.RTSLibError("Could not create it in configFS")
    error.__context__ = OSError(errno.EBUSY, "busy", "/core/iblock_0/x/enable")
    with pytest.raises(BusyError) as caught, doing("create storage object block/x"):
        raise error
    assert caught.value.errno == errno.EBUSY
    assert caught.value.hint == "The device is in use: 'lsblk' shows by what."


def test_rtslibs_own_errors_keep_their_words() -> None:
    with pytest.raises(PyshellError, match="Cannot set x: It is so") as caught, doing("set x"):
        raise rtslib_fb.RTSLibError("It is so")
    assert caught.value.status == 1


def test_rtslibs_not_found_is_not_found() -> None:
    with pytest.raises(NotFoundError), doing("delete x"):
        raise rtslib_fb.RTSLibNotInCFSError("It is gone")


def test_bytes_that_are_no_text_are_told() -> None:
    with pytest.raises(PyshellError, match=r"Cannot set x: .* no UTF-8 text"), doing("set x"):
        "\udcff".encode()


def test_an_error_without_errno_is_told_all_the_same() -> None:
    found = from_os_error(OSError("no number"), "do it")
    assert str(found) == "Cannot do it: no number."
    assert found.status == 1


def test_message_and_hint_are_one_line() -> None:
    assert str(PyshellError("It\nfailed", "Try again.")) == "It failed. Try again."
    assert str(PyshellError("It failed!", "Try again.")) == "It failed! Try again."


def test_what_rtslib_says_is_kept_for_targetcli_mode() -> None:
    """Finding 28: targetcli prints rtslib's sentence as it is."""
    refused = rtslib_fb.RTSLibError("Could not create Target in configFS: why")
    refused.__cause__ = OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    with pytest.raises(PyshellError) as raised, doing("create target x"):
        raise refused
    assert raised.value.targetcli == "Could not create Target in configFS: why"
    assert raised.value.errno == errno.EINVAL
