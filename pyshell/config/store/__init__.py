# SPDX-License-Identifier: Apache-2.0
"""The file that is restored at boot: its location, and what pyshell records beside it.

- The digest of the file as pyshell last read or wrote it, and who saved it: a save notices changes
  by others (field failures 4, 8, 53).
- The objects that could not be restored: no save drops them as if they had been deleted (field
  failures 1, 2).

Without this record nothing is known, and nothing is refused for these reasons.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pyshell.errors import NotFoundError, PyshellError, file_hint, os_errors
from pyshell.files import paths, reading, writing
from pyshell.files.reading import LARGE
from pyshell.lio import Lio
from pyshell.lio.configfs import is_below_any
from pyshell.lio.identifiers import parents

NAME = "saveconfig.json"
KNOWN_FOLDERS = ("/etc/target", "/etc/rtslib-fb-target", "/var/target")
"""Folders that distributions and releases of rtslib use, or have used."""
FILE = "pyshell-state.json"
CLUSTER_FOLDER = "cluster"
"""Folder of the documents of targets under cluster control, beside the boot file."""
REVISION_MAX = 10**9
"""The highest number of a revision; nobody saves that often."""


@dataclass
class State:
    """The recorded state."""

    known: dict[str, About] = field(default_factory=dict)
    """Authors of the saved file by digest. There are two only during a save: whichever file is
    there after a power failure, it is pyshell's own."""
    missing: dict[str, str] = field(default_factory=dict)
    """Paths in the tree of what the last restore could not restore, with the reasons."""
    last_revision: int = 0
    """The highest number of a revision so far: numbers are not reused."""
    restored: str = ""
    """When the file was last restored, in the format of `utc`; "" if unknown."""
    others: dict[str, dict[str, str]] = field(default_factory=dict)
    """Missing objects of other files that were restored in part, by file."""

    def forget(self, made: Iterable[str], deleted: Iterable[str]) -> bool:
        """Remove the marks of objects that were created, or deleted by command with all below.

        Returns whether that changed anything.
        """
        gone = set(made)
        roots = list(deleted)

        def left(missing: Mapping[str, str]) -> dict[str, str]:
            return {
                path: reason
                for path, reason in missing.items()
                if path not in gone and not is_below_any(path, roots)
            }

        before = self.missing, self.others
        self.missing = left(self.missing)
        others = {file: left(missing) for file, missing in self.others.items()}
        self.others = {file: missing for file, missing in others.items() if missing}
        return before != (self.missing, self.others)


def read(config_dir: Path, warn: Callable[[str], None]) -> State:
    """Return the recorded state: an empty one if the file is missing, or damaged (with a warning).

    Raises PyshellError for a file that this user cannot read, or that others can write.
    """
    file = config_dir / FILE
    data: Any = None
    try:
        data = reading.parse_json(reading.read(file, LARGE).data)
    except NotFoundError:
        return State()
    except (ValueError, reading.TooLargeError):
        pass
    found = _state(data)
    if found is None:
        warn(f"Ignoring {file}: it is damaged.")
        return State()
    return found


def _state(data: Any) -> State | None:
    if not isinstance(data, dict):
        return None
    known, missing, others = (data.get(key, {}) for key in ("known", "missing", "others"))
    last, restored = data.get("last_revision", 0), data.get("restored", "")
    if not (isinstance(known, dict) and isinstance(restored, str) and _are_texts(missing)):
        return None
    if not (isinstance(others, dict) and all(map(_are_texts, others.values()))):
        return None
    if not (isinstance(last, int) and 0 <= last <= REVISION_MAX):
        return None
    abouts = {name: from_json(entry) for name, entry in known.items()}
    return State(
        {name: a for name, a in abouts.items() if a is not None},
        dict(missing),
        last,
        restored,
        {file: dict(one) for file, one in others.items()},
    )


def _are_texts(missing: Any) -> bool:
    return isinstance(missing, dict) and all(isinstance(text, str) for text in missing.values())


def write(config_dir: Path, state: State) -> None:
    """Write the state atomically, readable by root only. Raises PyshellError."""
    data: Mapping[str, Any] = {
        "schema": 1,
        "known": {name: about.to_json() for name, about in state.known.items()},
        "missing": state.missing,
        "others": state.others,
        "last_revision": state.last_revision,
        "restored": state.restored,
    }
    writing.replace(config_dir / FILE, (json.dumps(data, indent=2) + "\n").encode())


def settle(
    config_dir: Path,
    mark_file: Path,
    made: Iterable[str],
    deleted: Iterable[str],
    warn: Callable[[str], None],
) -> None:
    """Remove the marks of objects that a command created or deleted."""
    remembered = read(config_dir, warn)
    if (remembered.missing or remembered.others) and remembered.forget(made, deleted):
        write(config_dir, remembered)
        if not remembered.missing:
            unmark(mark_file)


def mark(mark_file: Path, missing: Mapping[str, str]) -> None:
    """Record until the next boot that objects are missing, or that none are.

    The file is for systemd units and the prompt, which do not read the state. Raises PyshellError.
    """
    if not missing:
        unmark(mark_file)
        return
    writing.make_folder(mark_file.parent)
    text = "".join(f"{path}: {reason}\n" for path, reason in missing.items())
    writing.replace(mark_file, text.encode())


def unmark(mark_file: Path) -> None:
    """Remove the mark: nothing is missing. Raises PyshellError."""
    with os_errors(f"remove {mark_file}"):
        if os.path.lexists(mark_file):  # removing a missing file fails on a read-only file system
            mark_file.unlink(missing_ok=True)


DEADLINE = "confirm/state.json"
"""File below `Lio.run_dir`: the record of the last change with a deadline."""
REMOVED = "removed.json"
"""File below `Lio.run_dir`, which is cleared at boot: objects deleted since the last save."""


def removed(run_dir: Path) -> set[str]:
    """Return the paths of objects that commands deleted since the last save or boot."""
    try:
        data = reading.parse_json(reading.read(run_dir / REMOVED, LARGE).data)
    except (PyshellError, ValueError):
        return set()
    return {path for path in data if isinstance(path, str)} if isinstance(data, list) else set()


def note_removed(run_dir: Path, made: Iterable[str], deleted: Iterable[str]) -> None:
    """Record what a command deleted. Raises PyshellError."""
    before = removed(run_dir)
    gone = set(deleted)
    roots = before | gone
    after = {path for path in before - set(made) | gone if roots.isdisjoint(parents(path))}
    if after != before:
        writing.make_folder(run_dir)
        writing.replace(run_dir / REMOVED, json.dumps(sorted(after)).encode())


def forget_removed(run_dir: Path) -> None:
    """Remove the record of deleted objects after a save."""
    with contextlib.suppress(OSError):
        (run_dir / REMOVED).unlink(missing_ok=True)


def has_deadline(lio: Lio) -> bool:
    """Return whether a change with a deadline is on record, in any state (see `unconfirmed`)."""
    return os.path.exists(lio.run_dir / DEADLINE)


OUTSIDE = "outside"
"""Source of a document that another program wrote, or of an unknown one."""
_LOGIN = Path("/proc/self/loginuid")
_NO_LOGIN = 2**32 - 1  # the kernel's value for a process without a login


@dataclass(frozen=True)
class About:
    """Who saved a document, when, how and why; "" if unknown."""

    time: str
    """UTC, as 2020-07-01T12:00:00Z."""
    user: str = ""
    way: str = OUTSIDE
    """prompt, one-liner, batch, boot, apply, rollback, edit, commit, or outside."""
    comment: str = ""

    def to_json(self) -> dict[str, str]:
        """Return it as written to files."""
        return asdict(self)


def from_json(data: Any) -> About | None:
    """Return the inverse of `to_json`, None if `data` is not valid."""
    if not isinstance(data, dict):
        return None
    texts = {name: data.get(name, "") for name in ("time", "user", "way", "comment")}
    if not texts["time"] or not all(isinstance(text, str) for text in texts.values()):
        return None
    return About(**texts)


def now(way: str, comment: str = "") -> About:
    """Return the author of a document that this process saves now."""
    return About(utc(datetime.now(timezone.utc)), user_name(), way, comment)


def of_file(path: Path) -> About:
    """Return what is known about a file of another program: its time."""
    return About(utc(datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)))


def utc(moment: datetime) -> str:
    """Return a time as written to files."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime | None:
    """Return the time that `utc` wrote, None if the text is not valid."""
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        return None


def user_name(environment: Mapping[str, str] = os.environ, login: Path = _LOGIN) -> str:
    """Return the user of sudo, else of the login, else of this process."""
    if environment.get("SUDO_USER"):
        return environment["SUDO_USER"]
    try:
        number = int(login.read_text(encoding="ascii"))
    except (OSError, ValueError):
        number = _NO_LOGIN
    return paths.user_name(os.geteuid() if number == _NO_LOGIN else number)


def local(text: str) -> str:
    """Return a time for people: in the time zone of this host, with its name."""
    found = moment(text)
    return found.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z") if found is not None else text


def short_time(text: str) -> str:
    """Return a time as `local` does, for a table: to the minute, without the zone."""
    found = moment(text)
    return found.astimezone().strftime("%Y-%m-%d %H:%M") if found is not None else text


def default_file(lio: Lio) -> Path:
    """Return the file that is restored at boot."""
    return lio.config_dir / NAME


def known_files(lio: Lio) -> list[Path]:
    """Return where other programs keep the saved configuration, if not in the boot file."""
    here = default_file(lio)
    found = [lio.machine.host_file(f"{folder}/{NAME}") for folder in KNOWN_FOLDERS]
    return [path for path in found if path != here]


def elsewhere(lio: Lio) -> list[Path]:
    """Return the saved configurations in other known folders."""
    return [path for path in known_files(lio) if os.path.isfile(path)]


def missing_file(lio: Lio, path: Path, command: str) -> NotFoundError:
    """Return the error for a missing file that `command` should read."""
    if path != default_file(lio) and command == "check":
        hint = file_hint(errno.ENOENT, str(path))
        return NotFoundError(f"No such file: {path}.", hint, path=str(path))
    hint = "saveconfig writes it."
    if path != default_file(lio):
        hint = file_hint(errno.ENOENT, str(path))
    others = elsewhere(lio) if path == default_file(lio) else []
    if others:
        hint = f"Another one is {others[0]}: '{command} {others[0]}' reads it."
    message = f"Restore file {path} not found"
    return NotFoundError(f"{message}.", hint, path=str(path), targetcli=message)
