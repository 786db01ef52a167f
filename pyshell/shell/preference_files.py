# SPDX-License-Identifier: Apache-2.0
"""The files of preferences and bookmarks: one per user, and one with defaults for the host."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pyshell.errors import NotFoundError, PyshellError, os_errors
from pyshell.files import reading, writing
from pyshell.shell.lock import locked
from pyshell.tree.preferences import PREFERENCES

_FILE = "preferences.json"
_HOST_FILE = "pyshell.json"


def home(environment: Mapping[str, str] = os.environ, *, simulated: Path | None = None) -> Path:
    """Return the folder of preferences, bookmarks and history.

    For a simulated target it is in the target's folder, otherwise `PYSHELL_HOME`,
    `TARGETCLI_HOME`, or `pyshell` in the XDG configuration folder.
    """
    if simulated is not None:
        return simulated / "home"
    for name in ("PYSHELL_HOME", "TARGETCLI_HOME"):
        if environment.get(name):
            return Path(environment[name]).expanduser()
    base = environment.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "pyshell"


class Preferences:
    """The preferences of this user on this host, read when first needed."""

    def __init__(self, folder: Path, host_folder: Path, warn: Callable[[str], None]) -> None:
        self._file = folder / _FILE
        self._host_file = host_folder / _HOST_FILE
        self._warn = warn
        self._warned: set[str] = set()
        self._own: dict[str, Any] | None = None
        self._host: dict[str, Any] | None = None

    def get(self, name: str) -> Any:
        """Return a preference: the user's, else the host's, else the default."""
        if self._own is None or self._host is None:
            self._own = self._read(self._file)
            self._host = self._read(self._host_file)
        for source in (self._own, self._host):
            if name in source:
                return source[name]
        return PREFERENCES[name].default

    @property
    def bookmarks(self) -> dict[str, str]:
        """Return the user's bookmarks."""
        if self._own is None:
            self._own = self._read(self._file)
        found: dict[str, str] = self._own.get("bookmarks", {})
        return found

    def set(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Store preferences (or `bookmarks`) under a lock, and return those before.

        A value may be a function of the previous one; None removes it. Raises PyshellError.
        """
        folder = self._file.parent
        writing.make_folder(folder)
        with locked(folder / f"{_FILE}.lock"):
            self._rename_damaged()
            known = self._read(self._file)
            before = {name: known.get(name) for name in values}
            for name, value in values.items():
                known[name] = value(before[name]) if callable(value) else value
            known = {name: value for name, value in known.items() if value is not None}
            text = json.dumps(known, indent=2, sort_keys=True) + "\n"
            writing.replace(self._file, text.encode())
            self._own = known
        return before

    def _rename_damaged(self) -> None:
        """Rename a file that cannot be read instead of replacing it: it may be repairable."""
        try:
            damaged = not isinstance(reading.parse_json(reading.read(self._file).data), dict)
        except NotFoundError:
            return
        except (PyshellError, ValueError):
            damaged = True
        if damaged:
            aside = self._file.with_suffix(".damaged")
            with os_errors(f"rename {self._file}"):
                self._file.replace(aside)
            self._warn_once(f"Cannot read {self._file}: renamed it to {aside}.")

    def _warn_once(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            self._warn(text)

    def _read(self, path: Path) -> dict[str, Any]:
        """Return a file's content; a damaged file is ignored with a warning."""
        try:
            found = reading.parse_json(reading.read(path).data)
        except NotFoundError:
            return {}
        except (PyshellError, ValueError) as error:
            self._warn_once(f"Ignoring {path}: {error}")
            return {}
        if not isinstance(found, dict):
            self._warn_once(f"Ignoring {path}: it holds no preferences.")
            return {}
        return {name: value for name, value in found.items() if self._fits(path, name, value)}

    def _fits(self, path: Path, name: str, value: Any) -> bool:
        if name == "bookmarks":
            fits = isinstance(value, dict) and all(isinstance(one, str) for one in value.values())
        else:
            described = PREFERENCES.get(name)
            fits = described is None or described.takes(value)
        if not fits:
            self._warn_once(f"{path}: ignoring {name}: {value!r:.80} is not a valid value.")
        return fits
