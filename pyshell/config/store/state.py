# SPDX-License-Identifier: Apache-2.0
"""What pyshell records about the file that is restored at boot, in a small file beside it.

- The digest of the file as pyshell last read or wrote it, and who saved it: a save notices changes
  by others (field failures 4, 8, 53).
- The objects that could not be restored: no save drops them as if they had been deleted (field
  failures 1, 2).

Without this file nothing is known, and nothing is refused for these reasons.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pyshell.errors import NotFoundError, PyshellError, from_os_error
from pyshell.files import jsontext, reading, writing
from pyshell.files.reading import LARGE

FILE = "pyshell-state.json"
REVISION_MAX = 10**9
"""The highest number of a revision; nobody saves that often."""


@dataclass
class State:
    """What is remembered."""

    known: dict[str, About] = field(default_factory=dict)
    """Digests of the saved file, with who saved it. There are two only while a save is at work:
    whichever of them the file then has after a power cut, it is pyshell's own."""
    missing: dict[str, str] = field(default_factory=dict)
    """Paths in the tree of what the last restore could not bring back, with the reasons."""
    last_revision: int = 0
    """The highest number given to a revision: none is given twice."""
    restored: str = ""
    """When the file was last restored, as `about.utc` writes it; "" where that is not known."""
    others: dict[str, dict[str, str]] = field(default_factory=dict)
    """What is missing of other files that were restored in part, by their paths."""

    def forget(self, made: Iterable[str], deleted: Iterable[str]) -> bool:
        """Take off what runs again, and what was deleted by command with all below it.

        Returns whether that changed anything.
        """
        gone = set(made)
        roots = list(deleted)

        def left(missing: Mapping[str, str]) -> dict[str, str]:
            return {
                path: reason
                for path, reason in missing.items()
                if path not in gone and not any(is_below(path, root) for root in roots)
            }

        before = self.missing, self.others
        self.missing = left(self.missing)
        others = {file: left(missing) for file, missing in self.others.items()}
        self.others = {file: missing for file, missing in others.items() if missing}
        return before != (self.missing, self.others)


def is_below(path: str, root: str) -> bool:
    """Tell whether a path is another one or below it."""
    return path == root or path.startswith(f"{root.rstrip('/')}/")


def read(config_dir: Path, warn: Callable[[str], None]) -> State:
    """Return what is remembered: nothing where there is no file, or with a warning a damaged one.

    Raises PyshellError for a file that this user may not read, or that others can write.
    """
    file = config_dir / FILE
    data: Any = None
    try:
        data = jsontext.loads(reading.read(file, LARGE).data)
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
    known, missing = data.get("known", {}), data.get("missing", {})
    last, restored = data.get("last_revision", 0), data.get("restored", "")
    others = data.get("others", {})
    if not (isinstance(known, dict) and isinstance(missing, dict) and isinstance(last, int)):
        return None
    if not 0 <= last <= REVISION_MAX:
        return None
    if not isinstance(others, dict) or not all(_are_texts(one) for one in others.values()):
        return None
    abouts = {name: from_json(entry) for name, entry in known.items()}
    if not all(isinstance(text, str) for text in (restored, *missing.values())):
        return None
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
    """Remember, atomically and for root's eyes. Raises PyshellError."""
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
    """Take marks off objects that a command made or deleted."""
    remembered = read(config_dir, warn)
    if (remembered.missing or remembered.others) and remembered.forget(made, deleted):
        write(config_dir, remembered)
        if not remembered.missing:
            unmark(mark_file)


def mark(mark_file: Path, missing: Mapping[str, str]) -> None:
    """Note until this host's next start that a restore left something out, or that none did.

    For whom it is too much to read what is remembered: units, and the prompt. Raises PyshellError.
    """
    if not missing:
        unmark(mark_file)
        return
    writing.make_folder(mark_file.parent)
    text = "".join(f"{path}: {reason}\n" for path, reason in missing.items())
    writing.replace(mark_file, text.encode())


def unmark(mark_file: Path) -> None:
    """Take the mark away: nothing is missing. Raises PyshellError."""
    try:
        if os.path.lexists(mark_file):  # to remove nothing fails on a read-only file system, too
            mark_file.unlink(missing_ok=True)
    except OSError as error:
        raise from_os_error(error, f"remove {mark_file}") from error


REMOVED = "removed.json"
"""Below the folder that the host forgets at its end: what commands deleted since the last save."""


def removed(run_dir: Path) -> set[str]:
    """Return the paths of what commands deleted since the last save, this host's start at most."""
    try:
        data = jsontext.loads(reading.read(run_dir / REMOVED, LARGE).data)
    except (PyshellError, ValueError):
        return set()
    return {path for path in data if isinstance(path, str)} if isinstance(data, list) else set()


def note_removed(run_dir: Path, made: Iterable[str], deleted: Iterable[str]) -> None:
    """Remember what a command deleted. Raises PyshellError."""
    before = removed(run_dir)
    gone = set(deleted)
    after = {path for path in before - set(made) | gone if not _is_within(path, before | gone)}
    if after != before:
        writing.make_folder(run_dir)
        writing.replace(run_dir / REMOVED, json.dumps(sorted(after)).encode())


def _is_within(path: str, roots: set[str]) -> bool:
    above = path.rpartition("/")[0]
    while above:
        if above in roots:
            return True
        above = above.rpartition("/")[0]
    return False


def forget_removed(run_dir: Path) -> None:
    """Forget what was deleted before a save."""
    with contextlib.suppress(OSError):
        (run_dir / REMOVED).unlink(missing_ok=True)


OUTSIDE = "outside"
"""The way of a document that something other than pyshell wrote, or of which nothing is known."""
_LOGIN = Path("/proc/self/loginuid")
_NO_LOGIN = 2**32 - 1  # what the kernel shows for a process that no login led to


@dataclass(frozen=True)
class About:
    """What is known of the saving of one document; "" where it is not known."""

    time: str
    """UTC, as 2020-07-01T12:00:00Z."""
    user: str = ""
    way: str = OUTSIDE
    """prompt, one-liner, batch, boot, apply, rollback, or outside."""
    comment: str = ""

    def to_json(self) -> dict[str, str]:
        """Return it as it is kept in files."""
        return asdict(self)


def from_json(data: Any) -> About | None:
    """Return what `to_json` gave, None where `data` is something else."""
    if not isinstance(data, dict):
        return None
    texts = {name: data.get(name, "") for name in ("time", "user", "way", "comment")}
    if not texts["time"] or not all(isinstance(text, str) for text in texts.values()):
        return None
    return About(**texts)


def now(way: str, comment: str = "") -> About:
    """Return what is to be remembered of a document that this process saves."""
    return About(utc(datetime.now(timezone.utc)), user_name(), way, comment)


def of_file(path: Path) -> About:
    """Return what a file that others wrote tells by itself: when."""
    return About(utc(datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)))


def utc(moment: datetime) -> str:
    """Return a moment as it is kept in files."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime | None:
    """Return the moment that `utc` wrote, None where the text is none."""
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        return None


def user_name(environment: Mapping[str, str] = os.environ, login: Path = _LOGIN) -> str:
    """Return the person at work: who called sudo, who logged in, else whose process it is."""
    if environment.get("SUDO_USER"):
        return environment["SUDO_USER"]
    try:
        number = int(login.read_text(encoding="ascii"))
    except (OSError, ValueError):
        number = _NO_LOGIN
    return name_of(os.geteuid() if number == _NO_LOGIN else number)


def name_of(user: int) -> str:
    """Return a user's name, the number where it has none."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def local(text: str) -> str:
    """Return a moment as people read it: in this host's time zone, which is named."""
    found = moment(text)
    return found.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z") if found is not None else text
