# SPDX-License-Identifier: Apache-2.0
"""The topology of a configuration as boxes and arrows, from initiators to devices.

Five columns: initiators, targets, LUNs, storage objects, devices. `render` draws it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyshell.text import counted

COLUMNS = ("Initiators", "Targets", "LUNs", "Storage objects", "Devices")
INITIATORS, TARGETS, LUNS, STORAGE_OBJECTS, DEVICES = range(5)
SAME, ADDED, REMOVED, CHANGED = "", "+", "-", "~"


@dataclass
class Box:
    """An object: `lines` are below its title, then `faults`; `tip` is shown on demand.

    `healthy` is None if it has no state. `sign` is the kind of its change.
    """

    key: str
    column: int
    title: str
    lines: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    tip: list[str] = field(default_factory=list)
    healthy: bool | None = None
    sign: str = SAME

    @property
    def texts(self) -> list[str]:
        """All its lines, with its sign before the title."""
        head = f"{self.sign} {self.title}" if self.sign else self.title
        return [head, *self.lines, *self.faults]


@dataclass(frozen=True)
class Arrow:
    """An arrow between two boxes; `live` if a session uses it now."""

    start: str
    end: str
    sign: str = SAME
    live: bool = False


@dataclass
class Topology:
    """All boxes by their keys, in their order, and the arrows."""

    title: str
    boxes: dict[str, Box] = field(default_factory=dict)
    arrows: list[Arrow] = field(default_factory=list)
    compared: bool = False

    def column(self, number: int) -> list[Box]:
        """Return the boxes of a column."""
        return [box for box in self.boxes.values() if box.column == number]

    def numbered(self) -> dict[str, str]:
        """Return identifiers of the boxes in graph languages, by their keys."""
        return {key: f"n{number}" for number, key in enumerate(self.boxes)}

    @property
    def summary(self) -> str:
        """How many boxes there are: `1 initiator, 2 targets`."""
        names = (name if name == "LUNs" else name.lower() for name in COLUMNS)
        counts = enumerate(name.removesuffix("s") for name in names)
        return ", ".join(counted(len(self.column(number)), name) for number, name in counts)

    def data(self) -> dict[str, Any]:
        """Return the topology for JSON."""
        return {
            "title": self.title,
            "boxes": [_box_data(box) for box in self.boxes.values()],
            "arrows": [
                {"from": a.start, "to": a.end, "change": WORDS[a.sign], "session": a.live}
                for a in self.arrows
            ],
        }


WORDS: Mapping[str, str | None] = {
    SAME: None,
    ADDED: "added",
    REMOVED: "removed",
    CHANGED: "changed",
}


def _box_data(box: Box) -> dict[str, Any]:
    return {
        "key": box.key,
        "kind": COLUMNS[box.column].lower().removesuffix("s").replace(" ", "_"),
        "title": box.title,
        "lines": box.lines,
        "faults": box.faults,
        "healthy": box.healthy,
        "change": WORDS[box.sign],
    }


def ranges(numbers: Sequence[int]) -> str:
    """Return numbers in short: `0-3, 7`."""
    return ", ".join(_spans(sorted(numbers)))


def _spans(numbers: Sequence[int]) -> Iterator[str]:
    start = 0
    for index, number in enumerate(numbers):
        last = index + 1 == len(numbers) or numbers[index + 1] != number + 1
        if last:
            first = numbers[start]
            yield str(number) if first == number else f"{first}-{number}"
            start = index + 1
