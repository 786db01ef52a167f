# SPDX-License-Identifier: Apache-2.0
"""Read files: those that decide what the kernel or root does only if no other user can write them.

The open descriptor is checked, so the file cannot be replaced in between. Anything but a regular
file is read only if it is this process's own standard input.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, NoReturn

from pyshell.errors import NotPermittedError, PyshellError, file_errors
from pyshell.expressions import expression
from pyshell.files import paths

SMALL = 1 << 20
"""The largest size in bytes of files other than configurations: preferences, state, devices."""
LARGE = 256 << 20
"""The largest size in bytes of a configuration: twice that of 1,000 LUNs for 1,000 initiators."""
_BLOCK = 1 << 20
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY
_NUMBERED = expression(r"([1-9][0-9]{0,9})\.json")
_DESCRIPTOR = expression(r"/(dev|proc/self)/fd/[0-9]+")
STDIN = ("/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")
"""The names of standard input as a file."""
DEPTH_MAX = 100
"""A saved configuration has nine levels; the rest is for keys that pyshell does not know."""
DIGITS_MAX = 40
"""Characters of a number: the kernel's settings have at most 20 digits."""

_CHUNK = 1 << 20
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_MANY_DIGITS = expression(rb"[0-9]{%d}" % (DIGITS_MAX + 1))
_TOKEN = expression(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{\]}]|-?[0-9][-+.0-9eE]*|-?[A-Za-z]+', re.DOTALL)
_LAST_COMMA = expression(r"(?<=[^\[{:,\s]),[ \t\r\n]*(?=[\]}])")
_NO_BRACKET = bytes(set(range(256)) - set(_STEP))
# U+DC80 to U+DCFF stand for bytes that are not UTF-8: names in configfs may contain them.
_BAD = expression("[\0\ud800-\udc7f\udd00-\udfff]")
_SUSPICIOUS = expression(r"\\u(?:0000|[dD][89a-fA-F])|[\0\ud800-\udfff]")


class TooLargeError(PyshellError):
    """A file is larger than the limit."""


@dataclass(frozen=True)
class FileContent:
    """What was read, and the permission bits of a regular file, 0 for anything else."""

    data: bytes
    mode: int = 0


def read(
    path: Path, limit: int = SMALL, *, trusted: bool = True, folder_known: bool = False
) -> FileContent:
    """Return the bytes of a file; by default of one that only root or the caller can write.

    With `folder_known`, its folder was checked before, which takes longer than reading.

    Raises NotPermittedError with the command that fixes it, NotFoundError and the like, and
    TooLargeError for more than `limit` bytes.
    """
    with (
        file_errors(f"read {path}", str(path)),
        _opened(path, trusted=trusted, folder_known=folder_known) as descriptor,
    ):
        found = os.fstat(descriptor)
        data = _all(descriptor, limit)
    if len(data) > limit:
        size = f"{limit >> 20} MiB" if limit >= 1 << 20 else f"{limit} bytes"
        raise TooLargeError(f"{path} is too large: more than {size}.", path=str(path))
    return FileContent(data, stat.S_IMODE(found.st_mode) if stat.S_ISREG(found.st_mode) else 0)


def start_of(path: Path, length: int, *, line: bool = False) -> bytes:
    """Return the first bytes of a regular file or its first `line`, whoever owns it.

    Raises as `read`.
    """
    with file_errors(f"read {path}", str(path)), open(_open_regular(path), "rb") as file:
        return file.readline(length) if line else file.read(length)


def open_trusted(path: Path) -> int:
    """Return a descriptor of a file that only root or the caller can write. Raises as `read`."""
    with file_errors(f"read {path}", str(path)), _opened(path, trusted=True) as descriptor:
        return os.dup(descriptor)


def _all(descriptor: int, limit: int) -> bytes:
    parts, size = [], 0
    while size <= limit and (part := os.read(descriptor, min(_BLOCK, limit + 1 - size))):
        parts.append(part)
        size += len(part)
    return b"".join(parts)


@contextmanager
def _opened(path: Path, *, trusted: bool, folder_known: bool = False) -> Iterator[int]:
    descriptor = _open(path, trusted=trusted, folder_known=folder_known)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _open(path: Path, *, trusted: bool, folder_known: bool) -> int:
    """Open a file to be read. Raises OSError, NotPermittedError."""
    # O_NONBLOCK: do not wait if a pipe has replaced the file.
    careful = _FLAGS | os.O_NOFOLLOW | os.O_NONBLOCK
    faults: list[paths.Fault] = []
    if folder_known:
        opened = os.open(path, careful)
    elif (own := _own_input(path)) is not None:
        return own
    elif str(path) in STDIN:  # a regular file, which may have been removed
        opened = os.open(STDIN[-1], _FLAGS)
    elif not trusted:
        return _open_any(path)
    else:
        with suppress(OSError, ValueError):  # links in /proc need not lead to a path
            mode = os.stat(path).st_mode
            if not stat.S_ISREG(mode):
                _refuse_special(path, mode)
        with paths.resolved(path) as place:
            if place.status is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
            opened = os.open(place.name, careful, dir_fd=place.folder)
            faults = [*paths.link_faults(place, os.fstat(opened)), *place.faults]
    with paths.closed_if_it_fails(opened):
        found = os.fstat(opened)
        _refuse_special(path, found.st_mode)
        if trusted and (wrong := [*paths.file_faults(found, opened, str(path)), *faults]):
            raise paths.untrusted(path, wrong)
    return opened


def _own_input(path: Path) -> int | None:
    """Return a descriptor of standard input if `path` is that and it is not a regular file."""
    try:
        found, own = os.stat(path), os.fstat(0)
    except (OSError, ValueError):
        return None
    same = (found.st_dev, found.st_ino) == (own.st_dev, own.st_ino)
    regular = stat.S_ISREG(own.st_mode) or stat.S_ISDIR(own.st_mode)
    return os.dup(0) if same and not regular else None


def _open_any(path: Path) -> int:
    """Open a regular file, whoever owns it, or an inherited pipe."""
    if _DESCRIPTOR.fullmatch(str(path)) is None:
        return _open_regular(path)
    return _judged(path, os.open(path, _FLAGS), pipe=True)  # <(COMMAND) in a shell


def _open_regular(path: Path) -> int:
    """Open a regular file, whoever owns it. Does not wait for a pipe."""
    try:
        if not stat.S_ISREG(mode := os.stat(path).st_mode):
            _refuse_special(path, mode)  # opening a device can have effects
        return _judged(path, os.open(path, _FLAGS | os.O_NONBLOCK))
    except ValueError:  # the name has a NUL or half of a surrogate pair
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), ascii(str(path))) from None


def _judged(path: Path, opened: int, *, pipe: bool = False) -> int:
    """Return a descriptor of a regular file or, if allowed, of a pipe; close any other."""
    with paths.closed_if_it_fails(opened):
        mode = os.fstat(opened).st_mode
        if not (pipe and stat.S_ISFIFO(mode)):
            _refuse_special(path, mode)
    return opened


def _refuse_special(path: Path, mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    hint = "Give a file, or /dev/stdin to read standard input." if not stat.S_ISBLK(mode) else ""
    raise NotPermittedError(
        f"{path} is a {paths.kind(mode)}, not a regular file.", hint, path=str(path)
    )


def numbered(folder: Path) -> list[int]:
    """Return the numbers N of the files N.json in a folder, lowest first. Raises OSError."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    found = (_NUMBERED.fullmatch(name) for name in names)
    return sorted(int(match.group(1)) for match in found if match)


def parse_json(text: str | bytes, *, any_string: bool = False) -> Any:
    """Return the value of JSON in UTF-8. Raises ValueError: JSONDecodeError if it is text.

    With `any_string`, the caller checks the strings: it can report their positions.
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    whole = text if isinstance(text, str) else data.decode("utf-8")
    if whole.startswith("\ufeff"):
        raise json.JSONDecodeError("Byte order mark before the document", whole, 0)
    # A callback for each number takes twice the time.
    integer = _integer if _MANY_DIGITS.search(data) else None
    try:
        if _is_too_deep(data):
            raise ValueError(f"Nested deeper than {DEPTH_MAX} levels")
        found = json.loads(
            whole, parse_int=integer, parse_float=_real, parse_constant=_refuse_constant
        )
    except json.JSONDecodeError as error:
        # Python 3.13 reports a comma before a closing bracket at the comma.
        if after := _LAST_COMMA.match(whole, error.pos):
            raise json.JSONDecodeError(error.msg, whole, after.end()) from None
        raise
    except ValueError as error:
        raise json.JSONDecodeError(str(error), whole, _refused_at(whole)) from None
    suspicious = None if any_string else suspicious_string(whole)
    if suspicious is not None and any(map(_BAD.search, _strings(found))):
        raise json.JSONDecodeError(
            "A NUL or half a character in a string", whole, suspicious.start()
        )
    return found


def _integer(text: str) -> int:
    if len(text) > DIGITS_MAX:
        raise ValueError(f"A number of more than {DIGITS_MAX} digits")
    return int(text)


def _real(text: str) -> float:
    found = float(text) if len(text) <= DIGITS_MAX else float("inf")
    if found in (float("inf"), float("-inf")):
        raise ValueError("A number that is too long or too large")
    return found


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not valid JSON")


def _refused_at(text: str) -> int:
    """Return the offset of the first token that Python accepts and `parse_json` does not."""
    level = 0
    for token in _TOKEN.finditer(text):
        word = token.group()
        level += _STEP.get(ord(word[0]), 0)
        try:
            if level > DEPTH_MAX or word.lstrip("-") in ("NaN", "Infinity"):
                return token.start()
            if word.lstrip("-").isdecimal():
                _integer(word)
            elif word[0] in "-0123456789":
                _real(word)
        except ValueError:
            return token.start()
    return 0


def _is_too_deep(data: bytes) -> bool:
    """Return whether brackets are nested too deep.

    Each chunk is split at its quotes, as brackets within strings do not count.
    """
    level, inside, start = 0, False, 0
    while start < len(data):
        end = start + _CHUNK
        while data[end - 1 : end] == b"\\":
            end += 1
        plain = data[start:end].replace(b"\\\\", b"").replace(b'\\"', b"")
        parts = plain.split(b'"')
        outside = b"".join(parts[inside::2]).translate(None, _NO_BRACKET)
        if outside:
            levels = [*accumulate(map(_STEP.__getitem__, outside), initial=level)]
            if max(levels) > DEPTH_MAX:
                return True
            level = levels[-1]
        inside ^= len(parts) % 2 == 0
        start = end
    return False


def suspicious_string(text: str) -> re.Match[str] | None:
    """Return where a string of JSON can hold a NUL or half a character; None if none does."""
    return _SUSPICIOUS.search(text)


def json_values(data: Any) -> Iterator[tuple[tuple[int | str, ...], Any]]:
    """Yield all values in JSON data, each with the keys and indexes that lead to it."""
    # No recursion: Python 3.13 parses files nested deeper than its recursion limit.
    left: list[tuple[tuple[int | str, ...], Any]] = [((), data)]
    while left:
        place, value = left.pop()
        yield place, value
        if isinstance(value, dict):
            left += [((*place, key), below) for key, below in value.items()]
        elif isinstance(value, list):
            left += [((*place, index), below) for index, below in enumerate(value)]


def _strings(data: Any) -> Iterator[str]:
    for place, value in json_values(data):
        yield from (text for text in (*place[-1:], value) if isinstance(text, str))
