# SPDX-License-Identifier: Apache-2.0
"""Who saved a configuration, when, by which way of working and why."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

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
