# SPDX-License-Identifier: Apache-2.0
"""The record of a change that a timer reverts unless it is confirmed before its deadline.

It is below `Lio.run_dir`, readable by root only: `before.json` is the previous running document,
written once, and `state.json` the rest, replaced atomically at each step:

    starting → changing → pending → confirmed
                             ↓
                         reverting → reverted

A change that ended in `starting` has changed nothing. One that was killed in `changing` is reverted
at its deadline, too. The last change that was confirmed or reverted stays on record until the next.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Literal, get_args

from pyshell.config.store import (
    DEADLINE,
    About,
    from_json,
    has_deadline,
    local,
    moment,
    now,
    utc,
)
from pyshell.errors import NotFoundError, PyshellError, os_errors
from pyshell.files import reading, writing
from pyshell.files.reading import LARGE
from pyshell.lio import Lio
from pyshell.names import duration_text

State = Literal["starting", "changing", "pending", "reverting", "confirmed", "reverted"]
_STATES = get_args(State)
ENDED = ("confirmed", "reverted")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Unconfirmed:
    """A change with a deadline."""

    id: str
    """Distinguishes it from earlier changes with a deadline."""
    line: str
    """The line as typed, secrets masked."""
    about: About
    seconds: int
    """The time that it was given."""
    deadline: str
    """UTC, in the format of `utc`."""
    expires: float
    """The deadline by CLOCK_BOOTTIME, which no change of the date affects."""
    boot: str
    """The boot to which `expires` belongs."""
    undo: int
    """The highest number in the undo journal before it."""
    state: State = "starting"
    error: str = ""
    """Why the last attempt to revert it failed."""
    kept: tuple[str, ...] = ()
    """Paths of missing objects that a systemd unit added meanwhile: they are not reverted."""
    ended: str = ""
    """When it was confirmed or reverted, in the format of `utc`."""
    by: str = ""
    """Who confirmed or reverted it; "" for the timer."""

    @property
    def unit(self) -> str:
        """The name of its systemd timer, without `.timer`."""
        return f"pyshell-confirm-{self.id}"

    @property
    def what(self) -> str:
        """The change for messages: its line, user and time."""
        return f"'{self.line}' ({self.about.way} by {self.about.user}, {local(self.about.time)})"

    @property
    def reverts(self) -> str:
        """When it is reverted, for messages: "is reverted at …"."""
        left = self.left
        if self.error:
            return f"could not be reverted: {self.error.rstrip('.')}"
        if left <= 0:
            return f"is about to be reverted (its deadline was {local(self.deadline)})"
        return f"is reverted at {local(self.deadline)}, in {duration_text(math.ceil(left))}"

    @property
    def outcome(self) -> str:
        """How it ended, for messages."""
        by = f" by {self.by}" if self.by else ", as it was not confirmed"
        return f"was {self.state} at {local(self.ended)}{by}"

    @property
    def left(self) -> float:
        """The seconds until the deadline; negative after it."""
        if self.boot == boot_id():
            return self.expires - clock()
        # Only a simulated target survives a boot.
        found = moment(self.deadline)
        return (found - datetime.now(timezone.utc)).total_seconds() if found is not None else 0.0

    @property
    def data(self) -> dict[str, Any]:
        """The JSON result of `status`."""
        return {
            "line": self.line,
            "user": self.about.user,
            "time": self.about.time,
            "deadline": self.deadline,
            "state": self.state,
            "seconds_left": None if self.state in ENDED else max(round(self.left), 0),
            "error": self.error or None,
        }

    @property
    def waits(self) -> bool:
        """Whether it waits to be confirmed or reverted."""
        return self.state not in ("starting", *ENDED)

    @property
    def may_be_confirmed(self) -> bool:
        """Whether `confirm` keeps it: before the deadline, or if it could not be reverted."""
        return (self.state == "pending" and self.left > 0) or bool(self.error)


def clock() -> float:
    """Return the seconds since the host's start, including those that it was suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    """Return what identifies this boot of the host, "" if unknown."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def begin(lio: Lio, line: str, way: str, seconds: int, before: Any, last_undo: int) -> Unconfirmed:
    """Record a change that is to begin: `before` is the running document. Raises PyshellError."""
    folder = _folder(lio)
    writing.make_folder(folder)
    deadline = datetime.now(timezone.utc) + timedelta(seconds=seconds)
    found = Unconfirmed(
        f"{time.time_ns():x}",
        line,
        now(way),
        seconds,
        utc(deadline),
        clock() + seconds,
        boot_id(),
        last_undo,
    )
    writing.replace(folder / "before.json", (json.dumps(before) + "\n").encode())
    _write(lio, found)
    return found


def advance(
    lio: Lio, found: Unconfirmed, state: State, *, error: str = "", by: str = ""
) -> Unconfirmed:
    """Record the next state, and return the new record. Raises PyshellError."""
    ended = now("").time if state in ENDED else ""
    new = replace(found, state=state, error=error, ended=ended, by=by)
    _write(lio, new)
    if ended:
        _remove(_folder(lio) / "before.json")
    return new


def end(lio: Lio, found: Unconfirmed, state: Literal["confirmed", "reverted"], by: str) -> None:
    """Record that it was confirmed or reverted, and stop its timer. Raises PyshellError."""
    advance(lio, found, state, by=by)
    lio.machine.stop_timer(found.unit)


def keep(lio: Lio, paths: Iterable[str]) -> None:
    """Note objects that were added meanwhile and are not to be reverted. Raises PyshellError."""
    found = current(lio)
    if found is not None:
        _write(lio, replace(found, kept=(*found.kept, *paths)))


def drop(lio: Lio, found: Unconfirmed) -> None:
    """Remove the record and stop the timer. Raises PyshellError."""
    forget(lio)
    lio.machine.stop_timer(found.unit)


def forget_ended(lio: Lio) -> None:
    """Remove the record of a change that was confirmed or reverted."""
    if last(lio) is not None:
        with contextlib.suppress(PyshellError):
            forget(lio)


def forget(lio: Lio) -> None:
    """Remove the record. Raises PyshellError."""
    _remove(lio.run_dir / DEADLINE)
    _remove(_folder(lio) / "before.json")


def current(lio: Lio) -> Unconfirmed | None:
    """Return the change that waits to be confirmed or reverted, None if there is none.

    One in `starting` counts only while its command holds the lock. Raises PyshellError.
    """
    found = recorded(lio)
    return found if found is not None and found.waits else None


def waiting(lio: Lio, name: str, *, starting: bool = False) -> Unconfirmed | None:
    """Return the change of that id if it waits to be confirmed or reverted, or is `starting`."""
    try:
        found = recorded(lio) if starting else current(lio)
    except PyshellError:
        return None
    return found if found is not None and found.id == name and found.state not in ENDED else None


def last(lio: Lio) -> Unconfirmed | None:
    """Return the last change that was confirmed or reverted, None if none is on record."""
    try:
        found = recorded(lio)
    except PyshellError:
        return None
    return found if found is not None and found.state in ENDED else None


def is_recorded(lio: Lio) -> bool:
    """Return whether there is a record, in any state: usually there is none."""
    return has_deadline(lio)


def recorded(lio: Lio) -> Unconfirmed | None:
    """Return the record in any state, None without one. Raises PyshellError if it is damaged."""
    if not is_recorded(lio):
        return None
    file = lio.run_dir / DEADLINE
    try:
        found = _from_json(reading.parse_json(reading.read(file).data))
    except NotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as error:
        raise PyshellError(
            f"{file} is damaged: it is not known what waits to be confirmed.",
            "Remove it to keep the running configuration.",
        ) from error
    if lio.simulated is None and found.boot != boot_id():
        return None  # in a container whose /run survives: the kernel's configuration is gone
    return found


def before(lio: Lio) -> tuple[Any, Path]:
    """Return the previous running document, not yet validated, and its file.

    Raises PyshellError.
    """
    file = _folder(lio) / "before.json"
    data = reading.read(file, LARGE).data
    try:
        return reading.parse_json(data), file
    except ValueError as error:
        raise PyshellError(f"{file} is damaged.", "'rollback' restores a revision.") from error


def _from_json(data: Any) -> Unconfirmed:
    about = from_json(data["about"])
    state = data["state"]
    if about is None or state not in _STATES or moment(data["deadline"]) is None:
        raise ValueError("not a record")
    texts = {name: data[name] for name in ("id", "line", "boot", "error", "ended", "by")}
    if not all(isinstance(text, str) for text in texts.values()):
        raise ValueError("not a record")
    return Unconfirmed(
        about=about,
        seconds=int(data["seconds"]),
        deadline=data["deadline"],
        expires=float(data["expires"]),
        undo=int(data["undo"]),
        state=state,
        kept=tuple(map(str, data["kept"])),
        **texts,
    )


def _write(lio: Lio, found: Unconfirmed) -> None:
    data = asdict(found)
    writing.replace(lio.run_dir / DEADLINE, (json.dumps(data) + "\n").encode())


def _remove(file: Path) -> None:
    with os_errors(f"remove {file}"):
        file.unlink(missing_ok=True)


def _folder(lio: Lio) -> Path:
    return (lio.run_dir / DEADLINE).parent
