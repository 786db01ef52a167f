# SPDX-License-Identifier: Apache-2.0
"""The lines below the prompt: the check of the line, and the target's status, read on a thread."""

from __future__ import annotations

import atexit
import json
import math
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from prompt_toolkit.formatted_text import StyleAndTextTuples, fragment_list_width

from pyshell.config import store
from pyshell.config.store import unconfirmed
from pyshell.config.store.change_log import ChangeLog
from pyshell.errors import PyshellError
from pyshell.host import programs
from pyshell.lio import Lio, listing
from pyshell.lio.configfs import asking
from pyshell.lio.sessions import sessions
from pyshell.prompt.guard import Guard
from pyshell.prompt.line import CheckedLine
from pyshell.shell.line_help import Hint
from pyshell.shell.lock import is_held, last_holder
from pyshell.shell.shell import Shell
from pyshell.text import columns, counted, one_line, shorten, shorten_sentence

EVERY = 1.0
"""Seconds between two reads of the status."""
LARGE = 200
"""From this number of storage objects on, another process compares the configurations."""
_RARELY = 20
"""The pause after a read of the status is at least this many times as long as the read took."""
_TYPING_PAUSE = 0.25
"""Seconds without a key after which background reads go on."""
_STEP = 0.02
_LOWEST_PRIORITY = 19
_HOST_WIDTH = 30
_BETWEEN = "  "
_ABOUT = "class:toolbar.about"


@dataclass(frozen=True)
class Status:
    """What the toolbar shows of the target and the prompt."""

    host: str = ""
    simulated: bool = False
    read_only: bool = False
    unsaved: bool = False
    partly_restored: bool = False
    sessions: int = 0
    reading: bool = False
    """Whether a menu waits for values that are being read."""
    menu: tuple[int, int] | None = None
    """The number of the selected menu entry (0 for none) and how many there are."""
    vi: str = ""
    """The mode of vi keys, "" without them."""
    expires: float | None = None
    """When an unconfirmed change is reverted, by `unconfirmed.clock`; None without one."""
    candidate: str = ""
    """The open candidate with its number of changes, "" without one."""
    changed_by: str = ""
    """Who else changed the target since the last command, "" for nobody."""


def toolbar(checked: CheckedLine, status: Status, text: str, width: int) -> StyleAndTextTuples:
    """Return the toolbar for a line `text`, without the parts that do not fit in `width`."""
    line = _of_line(checked, width) if checked.text == text and text.strip() else []
    below = _fitting(_parts(status), width)
    return [*line, ("", "\n"), *below] if line else below


def _of_line(checked: CheckedLine, width: int) -> StyleAndTextTuples:
    if checked.problem is not None:
        return [("class:toolbar.fault", _sentence(checked.problem.told, width))]
    made = _of_hint(checked.hint, width) if checked.hint is not None else []
    if checked.advice:
        made += [("", "\n" if made else ""), (_ABOUT, _sentence(checked.advice, width))]
    return made


def _of_hint(hint: Hint, width: int) -> StyleAndTextTuples:
    """Return the syntax with the next parameter marked, and a line about that parameter."""
    made: StyleAndTextTuples = []
    for number, word in enumerate(hint.words):
        style = "class:toolbar.current" if number == hint.current else "class:toolbar.syntax"
        room = width - fragment_list_width(made) - 1
        if columns(word) > room:
            break
        made += [("class:toolbar.syntax", " "), (style, word)]
    if hint.about:
        made += [("", "\n"), (_ABOUT, _sentence(hint.about, width))]
    return made


def _sentence(text: str, width: int) -> str:
    return f" {shorten_sentence(one_line(text), width - 2)} "


def _parts(status: Status) -> StyleAndTextTuples:
    """Return the parts of the status, the most important first."""
    parts = (
        (status.reading, "mode", "reading…"),
        (status.menu, "mode", _of_menu(*(status.menu or (0, 0)))),
        (status.expires is not None, *_countdown(status.expires or 0.0)),
        (status.candidate, "warning", status.candidate),
        (status.unsaved, "warning", UNSAVED),
        (status.partly_restored, "warning", "restored in part"),
        (status.changed_by, "warning", f"changed by {status.changed_by}"),
        (status.read_only, "warning", "read-only: not root"),
        (status.vi, "mode", f"vi: {status.vi}"),
        (status.simulated, "mode", "simulated"),
        (status.sessions, "status", counted(status.sessions, "session")),
        (True, "status", shorten(one_line(status.host), _HOST_WIDTH)),
        (True, "key", "F1 help"),
    )
    return [(f"class:toolbar.{style}", text) for shown, style, text in parts if shown]


UNSAVED = "unsaved changes"
_SOON = 60
"""Seconds before a change is reverted from which on the countdown is red."""


def _countdown(expires: float) -> tuple[str, str]:
    """Return style and text of the time that is left to confirm a change."""
    left = max(math.ceil(expires - unconfirmed.clock()), 0)
    minutes, seconds = divmod(left, 60)
    hours, minutes = divmod(minutes, 60)
    shown = f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
    return "fault" if left < _SOON else "warning", f"{shown} to confirm"


def right_text(status: Status) -> str:
    """Return what stands right of the prompt if there is no toolbar."""
    if status.expires is not None:
        return "unconfirmed change"
    return UNSAVED if status.unsaved else ""


def _of_menu(selected: int, count: int) -> str:
    if selected:
        return f"{selected} of {count}, Enter selects it, Esc closes"
    return f"{count} {'entry' if count == 1 else 'entries'}, Esc closes"


def _fitting(parts: StyleAndTextTuples, width: int) -> StyleAndTextTuples:
    made: StyleAndTextTuples = []
    for part in parts:
        room = width - fragment_list_width(made) - len(_BETWEEN)
        if columns(part[1]) <= room:
            made += [("class:toolbar.status", _BETWEEN if made else " "), part]
    return made


def status_at_once(shell: Shell) -> Status:
    """Return what is known without reading the target."""
    return Status(
        host=socket.gethostname().partition(".")[0],
        simulated=shell.running.simulated is not None,
        read_only=not shell.running.may_change,
        unsaved=shell.saving.unsaved and not shell.compat,
        partly_restored=shell.running.mark_file.exists(),
        expires=_expiry(shell.running),
        candidate=_of_candidate(shell),
    )


def _expiry(lio: Lio) -> float | None:
    try:
        found = unconfirmed.current(lio)
    except PyshellError:
        return None
    return found.left + unconfirmed.clock() if found is not None else None


def _of_candidate(shell: Shell) -> str:
    """Return what is known of the open candidate, "" without one."""
    candidate = shell.candidate
    if candidate is None:
        return ""
    changes = candidate.known_changes
    return "candidate" if changes is None else f"candidate: {counted(changes, 'change')}"


def read_status(shell: Shell, since: int) -> Status:
    """Read the target; `since` is the lock's time after which changes are those of others."""
    count = sum(1 for _ in sessions(shell.running))
    if (candidate := shell.candidate) is not None:
        with suppress(OSError, PyshellError):  # it is dropped meanwhile
            candidate.differences()
    others = _others(shell.running, since)
    return replace(status_at_once(shell), sessions=count, changed_by=others)


def _others(lio: Lio, since: int) -> str:
    if _stamp(lio.lock_file) == since:
        return ""
    holder = last_holder(lio.lock_file)
    if holder is None:
        return "another program"  # targetcli leaves no name
    return "" if holder == os.getpid() else _user(lio) or "another program"


def _user(lio: Lio) -> str:
    """Return who made the change of the last holder of the lock, "" if it logged none."""
    try:
        last = ChangeLog(lio).last()
    except PyshellError:
        return ""
    since = store.utc(datetime.fromtimestamp(_stamp(lio.lock_file) // 10**9, timezone.utc))
    return one_line(last.about.user) if last is not None and last.about.time >= since else ""


def _stamp(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


class StatusWatch:
    """Reads the target's status every second while the prompt waits, on a thread."""

    def __init__(
        self, shell: Shell, changed: Callable[[], None], typing: Typing, guard: Guard
    ) -> None:
        self.status = Status()
        self._comparison = SavedComparison(shell)
        self._typing = typing
        self._guard = guard
        self._shell = shell
        self._changed = changed
        self._since = 0
        self._waiting = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, known: Status) -> None:
        """Start reading when a prompt is shown; `known` is the status until the first read.

        Changes from now on are those of others.
        """
        self.status = self._with_comparison(known)
        self._since = _stamp(self._shell.running.lock_file)
        self._waiting.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="status", daemon=True)
            self._thread.start()

    def pause(self) -> None:
        """Stop reading while a command runs."""
        self._waiting.clear()

    def _work(self) -> None:
        while True:
            self._waiting.wait()
            started = time.thread_time()
            with asking(self._typing.give_way):
                self._take(lambda: read_status(self._shell, self._since))
                taken = time.thread_time() - started
                self._guard.run("The toolbar", self._comparison.update, None)
                self._take(lambda: self.status)
            self._pause(max(EVERY, _RARELY * taken))

    def _pause(self, seconds: float) -> None:
        """Sleep until the next read; a countdown is drawn every second meanwhile."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, EVERY))
            if self.status.expires is not None and self._waiting.is_set():
                self._guard.run("The toolbar", self._changed, None)

    def _take(self, read: Callable[[], Status]) -> None:
        """Show a new status."""
        found = self._guard.run("The toolbar", lambda: self._with_comparison(read()), self.status)
        if found != self.status and self._waiting.is_set():
            self.status = found
            self._guard.run("The toolbar", self._changed, None)

    def _with_comparison(self, found: Status) -> Status:
        """Use the comparison's result if there is one: an undo may have restored what is saved."""
        known = self._comparison.known()
        return found if known is None else replace(found, unsaved=known)


class SavedComparison:
    """Whether the running configuration differs from the saved one.

    A comparison is slow; it is repeated only after a possible change, whoever made it.
    """

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._found: bool | None = None
        self._of: tuple[int, int] | None = None

    def known(self) -> bool | None:
        """Return whether they differ now, None if unknown."""
        if self._found is None or self._of != self._stamps() or self._shell.compat:
            return None
        return self._found

    def update(self) -> None:
        """Compare them if needed. Raises PyshellError if the file cannot be read."""
        lio = self._shell.running
        stamps = self._stamps()
        if stamps == self._of or self._shell.compat:
            return
        if is_held(lio.lock_file):
            return  # a running change updates the lock's time only when it begins
        self._of, self._found = stamps, None  # do not retry a comparison that fails
        self._found = differs(lio)

    def _stamps(self) -> tuple[int, int]:
        lio = self._shell.running
        return _stamp(lio.lock_file), _stamp(store.default_file(lio))


def differs(lio: Lio) -> bool:
    """Return whether the running configuration differs from the saved one. Raises PyshellError."""
    if len(listing.storage_objects(lio)) < LARGE:
        from pyshell.config.store.boot_file import is_unsaved  # keeps the prompt's start quick

        return is_unsaved(lio)
    return differs_by_process(lio)


def differs_by_process(lio: Lio) -> bool:
    """Return the same by a pyshell process of lowest priority, which leaves this one its time."""
    options = [f"--config-dir={lio.config_dir.absolute()}", "-o", "json"]
    if lio.simulated is not None:
        options.append(f"--simulate={lio.simulated.absolute()}")
    process = programs.start_pyshell(*options, "status")
    atexit.register(process.kill)
    try:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, process.pid, _LOWEST_PRIORITY)
        printed, _ = process.communicate()
    finally:
        atexit.unregister(process.kill)
    return not json.loads(printed)["result"]["saved"]


class Typing:
    """Pauses background reads while the user is typing."""

    def __init__(self) -> None:
        self._last = -_TYPING_PAUSE

    def pressed(self) -> None:
        """Note that a key was pressed."""
        self._last = time.monotonic()

    def give_way(self) -> None:
        """Wait until no key was pressed for a moment."""
        while time.monotonic() - self._last < _TYPING_PAUSE:
            time.sleep(_STEP)
