# SPDX-License-Identifier: Apache-2.0
"""What one boot shows: the trees of objects, and what came of each value tried on a file."""

from __future__ import annotations

import itertools
import json
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .conformance_acts import CONFIGFS, OK, Act, RealKernel, perform, text_of, write

KERNEL = RealKernel()
# The names of all that the recorder makes begin so.
IQN = "iqn.2020-07.org.example"
NAA = "naa.500140500000000"
# What is tried on every writable file, beside its own text.
VALUES = (
    *(str(number) for number in range(17)),
    *("-1", "-2", "+1", "0x10", "010", "08", "1\n", " 1", "1 ", "1\n\n", "0x", "+-1", ""),
    *("255", "256", "511", "512", "1024", "2048", "4095", "4096", "32767", "32768"),
    *("65535", "65536", "2147483647", "2147483648", "4294967295", "4294967296"),
    *("9223372036854775807", "9223372036854775808", "18446744073709551615"),
    *("18446744073709551616", "340282366920938463463374607431768211456"),
    *(
        "513",
        "1536",
        "4096x",
        "0x400",
        "01000",
        "KRB5",
        "SPKM1",
        "SPKM2",
        "SRP",
        "online",
        "offline",
    ),
    *("foo", "Yes", "No", "yes", "no", "on", "off", "ON", "oFF", "ox", "o", "y", "N", "true"),
    *("False", "NULL", "NULLx", "None", "none", "CRC32C", "CHAP", "CHAP,None", "None,CHAP"),
    *("CRC32C,None", "CHAP,SRP", "a,b", "a=b", "a b", "\n", "é", "x" * 100, "x" * 255, "x" * 600),
)
# A delay that is left standing would make the next change of state wait for it.
_DELAYS = ("trans_delay_msecs", "implicit_trans_secs")
# Without a logical unit group, the next write to alua_access_state stops this kernel for good.
_HARMFUL = {"alua_lu_gp": ("NULL", "NULLx")}
_WRITE_ONLY = "<EACCES>"
# These act on the object; conformance tries them.
_NOT_TRIED = ("control", "enable")

Snapshot = dict[str, dict[str, Any]]


def do(*acts: Act) -> None:
    """Perform acts that must succeed."""
    for act in acts:
        outcome = perform(KERNEL, act)
        if outcome != OK:
            raise SystemExit(f"recorder: {act}: {outcome}")


def snapshot(rel: str) -> Snapshot:
    """Return all that lies below an object: kind, mode, and text or errno."""
    top = CONFIGFS / rel
    found: Snapshot = {}
    for folder, groups, files in os.walk(top):
        inside = os.path.relpath(folder, top)
        for name in sorted([*groups, *files]):
            inner = os.path.normpath(f"{inside}/{name}")
            if not os.path.islink(f"{top}/{inner}"):
                found[inner] = _entry(f"{rel}/{inner}".lstrip("/"), name in groups)
    return found


def _entry(path: str, is_group: bool) -> dict[str, Any]:
    mode = f"{os.lstat(CONFIGFS / path).st_mode & 0o7777:04o}"
    if is_group:
        return {"group": True, "mode": mode}
    text = text_of(KERNEL, path)
    if text.startswith("<E"):
        return {"mode": mode, "text": "", "errno": text[1:-1]}
    return {"mode": mode, "text": text}


def number_in(path: str) -> int:
    """Return the first number in a file."""
    return int(next(word for word in text_of(KERNEL, path).split() if word.isdigit()))


class Recording:
    """What one boot shows; kept in the file after every step, in case the next is the last."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._log = file.with_suffix(".log").open("w")
        self.data: dict[str, Any] = {"kernel": platform.release(), "kinds": {}, "tries": {}}

    def instance(
        self,
        kind: str,
        tokens: dict[str, Any],
        more: dict[str, dict[str, Any]] | None = None,
        **states: Snapshot,
    ) -> None:
        """Keep one instance of a kind in its states; `more` are tokens that only a state has."""
        texts = {name: str(value) for name, value in tokens.items()}
        other = {s: {n: str(v) for n, v in values.items()} for s, values in (more or {}).items()}
        entry = {"tokens": texts, "more": other, "states": states}
        self.data["kinds"].setdefault(kind, []).append(entry)
        self._save()

    def tries(self, kind: str, state: str, rel: str, skip: tuple[str, ...] = ()) -> None:
        """Try values on the writable files of an object."""
        for inner, entry in snapshot(rel).items():
            is_writable = "group" not in entry and int(entry["mode"], 8) & 0o200
            is_own = not inner.startswith((IQN, NAA, "alua/"))
            if is_writable and is_own and inner not in (*_NOT_TRIED, *skip):
                rows = self._tries_on(f"{rel}/{inner}")
                self.data["tries"].setdefault(f"{kind} {state}", {})[inner] = rows
        self._save()

    def _tries_on(self, path: str) -> list[list[str]]:
        rows: list[list[str]] = []

        def attempt(value: str) -> str:
            print(f"{path} {value!r}", file=self._log, flush=True)
            outcome = perform(KERNEL, write(path, value))
            shown = text_of(KERNEL, path)
            rows.append([value, outcome, "" if shown == _WRITE_ONLY else shown])
            return outcome

        own = text_of(KERNEL, path)
        for value in VALUES:
            if value not in _HARMFUL.get(os.path.basename(path), ()):
                attempt(value)
        _find_bounds(rows, attempt, lambda value: value.isdigit(), int, str)
        _find_bounds(rows, attempt, lambda value: set(value) == {"x"}, len, lambda n: "x" * n)
        attempt(own)
        if path.endswith(_DELAYS):
            do(write(path, "0"))
        return rows

    def _save(self) -> None:
        self._file.write_text(json.dumps(self.data))


def _find_bounds(
    rows: list[list[str]],
    attempt: Callable[[str], str],
    chosen: Callable[[str], bool],
    measure: Callable[[str], int],
    make: Callable[[int], str],
) -> None:
    """Try what lies between an accepted and a refused value until the two are neighbours."""
    outcomes = {measure(v): outcome == OK for v, outcome, _ in rows if v and chosen(v)}
    known = sorted(n for n in outcomes if n < 2**63)
    for low, high in itertools.pairwise(known):
        below, above = low, high
        while outcomes[low] != outcomes[high] and above - below > 1:
            middle = (below + above) // 2
            if (attempt(make(middle)) == OK) == outcomes[low]:
                below = middle
            else:
                above = middle
        if outcomes[low] and outcomes[high] and high - low > 1:
            attempt(make(low + 1))  # not all that lies between two accepted ones need be
