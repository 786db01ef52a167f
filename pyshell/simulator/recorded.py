# SPDX-License-Identifier: Apache-2.0
"""What a real kernel shows when a group is made: `recorded.json`, typed.

The file is written by `tests/kernel/recorder.py` on a real LIO kernel and is not edited by hand.
A text with `{name}` in it is filled in for the instance; no recorded text has other braces.
"""

from __future__ import annotations

import errno as errors
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyshell.simulator import described

Rule = Mapping[str, Any]
FILE = Path(__file__).with_name("recorded.json")
ANY_STATE = "*"
# Where a file was not tried in a state, what was seen in the nearest one holds.
_FALLBACK_STATES = (ANY_STATE, "enabled", "linked", "numbered", "new")


@dataclass(frozen=True)
class RecordedFile:
    """One attribute: how it is made, what it accepts.

    `errno` is what reading it gives in a new object, and in those of the states `errno_in`; None
    where it can be read, though what it gives be empty.
    `rules` say what may be written in which state of the object, where that is not left to code.
    A text that `varies` depends on time or chance, or on what a simulator does not count.
    """

    mode: int
    text: str
    errno: int | None = None
    errno_in: tuple[str, ...] = ()
    rules: Mapping[str, Rule] = field(default_factory=dict)
    varies: bool = False

    def errno_if_empty(self, state: str) -> int | None:
        """Return what reading the file gives in a state of the object, if its text is empty."""
        fails = state == "new" or any(one.split(" ")[0] == state for one in self.errno_in)
        return self.errno if fails else None

    def rule(self, state: str) -> Rule | None:
        """Return the rule for a write in a state of the object; None where code decides."""
        for known in (state, *_FALLBACK_STATES):
            if known in self.rules:
                return self.rules[known]
        return None


@dataclass(frozen=True)
class Template:
    """One kind of group as the kernel makes it: its default groups, parents first, and files."""

    groups: tuple[str, ...] = ()
    files: Mapping[str, RecordedFile] = field(default_factory=dict)
    states: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def state(self, name: str, values: Mapping[str, object]) -> dict[str, str]:
        """Return the texts that differ from a new group's in the state `name`, filled in."""
        return {inner: fill(text, values) for inner, text in self.states[name].items()}


def fill(text: str, values: Mapping[str, object]) -> str:
    """Put `values` into the places that `text` names."""
    return text.format_map(values) if "{" in text else text


@functools.cache
def template(kind: str, variant: str) -> Template:
    """Return the recorded group of `kind`, as the plugin or fabric `variant` has it."""
    return _template(_group(kind, variant) or _recorded()["groups"][kind])


def recorded_kernel() -> str:
    """Return the release of the kernel that was recorded."""
    return str(_recorded()["kernel"])


def is_recorded(kind: str, variant: str) -> bool:
    """Tell whether the recorded kernel, or one described, has this kind of group at all."""
    return _group(kind, variant) is not None


def _group(kind: str, variant: str) -> Mapping[str, Any] | None:
    groups = _recorded()["groups"]
    return groups.get(f"{kind}/{variant}") or described.group(kind, variant, groups)


@functools.cache
def _recorded() -> dict[str, Any]:
    recorded: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return recorded


def _template(raw: Mapping[str, Any]) -> Template:
    return Template(
        groups=tuple(raw["groups"]),
        files={inner: _file(entry) for inner, entry in raw["files"].items()},
        states=raw.get("states", {}),
    )


def _file(raw: Mapping[str, Any]) -> RecordedFile:
    number = getattr(errors, raw["errno"]) if "errno" in raw else None
    rules = {ANY_STATE: raw["rule"]} if "rule" in raw else raw.get("rules", {})
    states = tuple(raw.get("errno_in", ()))
    varies = raw.get("varies", False)
    return RecordedFile(int(raw["mode"], 8), raw["text"], number, states, rules, varies)
