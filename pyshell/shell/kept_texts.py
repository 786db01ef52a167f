# SPDX-License-Identifier: Apache-2.0
"""Texts that are being edited, each in a private folder of its own until it is applied.

The folder's lock is held by pyshell and by the editor, so a text whose editor is still running is
not offered again. Everything is below `Lio.run_dir`: it is lost at reboot.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pyshell.config import store
from pyshell.errors import NotFoundError, PyshellError, os_errors
from pyshell.files import reading, writing
from pyshell.files.reading import LARGE

_FOLDER = "edit"
_ABOUT, _LOCK, _TEXT = "about.json", "lock", "configuration.jsonc"
_COMMENTS = ("//", "#")


@dataclass(frozen=True)
class About:
    """Which configuration a text is of, and who began to edit it."""

    path: str
    base: str
    """The text of the configuration that it was made from."""
    user: str
    time: str


class KeptText:
    """A text in its folder, which this process has locked."""

    def __init__(self, folder: Path, lock: int, about: About) -> None:
        self.file = folder / _TEXT
        self.lock = lock
        self.about = about
        self._folder = folder

    def read(self) -> str:
        """Return the text. Raises PyshellError."""
        try:
            return reading.read(self.file, LARGE).data.decode()
        except UnicodeDecodeError as error:
            raise PyshellError(f"{self.file} is not UTF-8 text.") from error

    def is_written(self, text: str) -> bool:
        """Return whether a text, as `read` returns it, differs from the configuration."""
        return body(text).strip() not in ("", self.about.base.strip())

    def has_more(self) -> bool:
        """Return whether the editor left a file in which it keeps what was not saved."""
        with suppress(OSError):
            names = {name for name in os.listdir(self._folder) if not name.endswith("~")}
            return not names <= {_ABOUT, _LOCK, _TEXT}
        return False

    def write(self, text: str) -> None:
        """Replace the text, atomically. Raises PyshellError."""
        writing.replace(self.file, text.encode())

    def rebase(self, base: str) -> None:
        """Record that the text is a change of another configuration."""
        self.about = replace(self.about, base=base)
        writing.replace(self._folder / _ABOUT, json.dumps(asdict(self.about)).encode())

    def release(self) -> None:
        """Release the lock, so that the text is offered to others."""
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1

    def remove(self) -> None:
        """Remove the folder, with what the editor left in it."""
        shutil.rmtree(self._folder, ignore_errors=True)


@contextmanager
def new(run_dir: Path, path: str, base: str, text: str) -> Iterator[KeptText]:
    """Keep a text of the configuration `base` at a path. Raises PyshellError."""
    parent = run_dir / _FOLDER
    writing.make_folder(parent)
    with os_errors(f"create a folder in {parent}"):
        folder = _made(parent)
    lock = _locked(folder)
    if lock is None:
        raise PyshellError(f"Another program uses {folder}.", "Run 'edit' again.")
    kept = KeptText(folder, lock, About(path, base, store.user_name(), store.now("").time))
    try:
        kept.rebase(base)
        kept.write(text)
        yield kept
    finally:
        kept.release()


def left(run_dir: Path) -> Iterator[KeptText]:
    """Yield the texts that no process uses, oldest first, locked.

    Those without a change are removed.
    """
    for number in _numbers(run_dir / _FOLDER):
        kept = _opened(run_dir / _FOLDER / str(number))
        if kept is not None:
            yield kept


def _opened(folder: Path) -> KeptText | None:
    lock = _locked(folder)
    if lock is None:
        return None
    try:
        data = reading.parse_json(reading.read(folder / _ABOUT, LARGE).data)
        kept = KeptText(folder, lock, About(**{name: str(data[name]) for name in data}))
        if kept.has_more() or kept.is_written(kept.read()):
            return kept
        kept.remove()
    except NotFoundError:
        shutil.rmtree(folder, ignore_errors=True)  # it was killed before it wrote the text
    except (PyshellError, ValueError, TypeError, AttributeError):
        pass  # it is damaged: left to be read by hand
    os.close(lock)
    return None


def _numbers(folder: Path) -> list[int]:
    with suppress(OSError, PyshellError):
        return sorted(int(name) for name in os.listdir(folder) if name.isdecimal())
    return []


def _made(parent: Path) -> Path:
    number = (_numbers(parent) or [0])[-1]
    while True:
        number += 1
        with suppress(FileExistsError):
            (parent / str(number)).mkdir(mode=0o700)
            return parent / str(number)


def _locked(folder: Path) -> int | None:
    """Return the locked lock of a folder, None if another process has it."""
    try:
        lock = writing.open_own(folder / _LOCK, os.O_RDWR | os.O_CREAT)
    except (OSError, PyshellError):
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


def with_comments(comments: list[str], text: str) -> str:
    """Return a text with comments above it."""
    return "".join(f"// {line}\n" for line in comments) + text


def without_head(text: str) -> str:
    """Return a text without the comments above it."""
    lines = text.splitlines(keepends=True)
    while lines and (not lines[0].strip() or _is_comment(lines[0])):
        lines.pop(0)
    return "".join(lines)


def body(text: str) -> str:
    """Return a text without the comments above it; other comments become empty lines."""
    lines = without_head(text).splitlines(keepends=True)
    return "".join("\n" if _is_comment(line) else line for line in lines)


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith(_COMMENTS)
