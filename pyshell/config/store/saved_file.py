# SPDX-License-Identifier: Apache-2.0
"""The location of the saved configuration, and whether the running one is saved there."""

from __future__ import annotations

from pathlib import Path

from pyshell.errors import NotFoundError
from pyshell.lio import listing
from pyshell.lio.attach import Lio

NAME = "saveconfig.json"
KNOWN_FOLDERS = ("/etc/target", "/etc/rtslib-fb-target", "/var/target")
"""Folders that distributions and releases of rtslib use, or have used."""


def default_file(lio: Lio) -> Path:
    """Return the file that is restored at boot."""
    return lio.config_dir / NAME


def elsewhere(lio: Lio) -> list[Path]:
    """Return the saved configurations in other known folders."""
    here = default_file(lio)
    found = [lio.machine.host_file(f"{folder}/{NAME}") for folder in KNOWN_FOLDERS]
    return [path for path in found if path != here and _is_file(path)]


def missing(lio: Lio, path: Path, command: str) -> NotFoundError:
    """Return the error for a missing file that `command` should read."""
    if path != default_file(lio) and command == "check":
        return NotFoundError(f"No such file: {path}.", "", path=str(path))
    hint = "saveconfig writes it."
    others = elsewhere(lio) if path == default_file(lio) else []
    if others:
        hint = f"Another one is {others[0]}: '{command} {others[0]}' reads it."
    message = f"Restore file {path} not found"
    return NotFoundError(f"{message}.", hint, path=str(path), targetcli=message)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def is_unsaved(lio: Lio) -> bool:
    """Return whether the running configuration differs from the saved one; reads both entirely.

    Raises PyshellError if the file cannot be read.
    """
    path = default_file(lio)
    if not path.exists() and listing.is_empty(lio):
        return False
    from pyshell.config import load, references
    from pyshell.config.compare import compare
    from pyshell.config.model import items
    from pyshell.config.running import read_running

    running = items(read_running(lio), lio.root)
    if not path.exists():
        return bool(running)
    return bool(compare(items(references.if_readable(load.load(path)), lio.root), running))
