# SPDX-License-Identifier: Apache-2.0
"""Positions of a topology's boxes: five columns, each box beside those that it leads to.

Widths of texts are those of DejaVu Sans and Verdana, the widest common sans-serif fonts.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from pyshell.text import shorten
from pyshell.tree.topology import COLUMNS, LUNS, STORAGE_OBJECTS, TARGETS, Box, Topology

NAME_SIZE, SUMMARY_SIZE = 18.0, 12.0
TITLE_SIZE, LINE_SIZE, HEADING_SIZE = 13.0, 11.0, 12.0
LINE_HEIGHT = 16.0
PADDING = 12.0
MARK_WIDTH = 14.0
"""Space at the end of a title for the mark of its health."""
_LIMITS = (370.0, 370.0, 150.0, 210.0, 260.0)
_GAP_ACROSS, _GAP_DOWN, _GAP_OF_GROUPS = 64.0, 12.0, 22.0
_BOX_MIN = 70.0
_BOLD = 1.14
_SPARE = 1.03
_WIDTHS = {
    0.38: " .,:;|!'`ijlI-()[]/\\ftr·",
    0.54: '"sczxvyJ*_?°',
    0.66: "abdeghknopquLTEFPSZ0123456789$~{}",
    0.80: "ABCDGHKNRUVXYOQw+<=>&#…",
    1.02: "MWm@%",
}
_WIDTH = {character: width for width, found in _WIDTHS.items() for character in found}
_WIDEST, _OTHER = 1.35, 0.85
"""Of characters that fill two cells, and of all others not listed above."""


def width(text: str, size: float, *, bold: bool = False) -> float:
    """Return the greatest width of a text, in the unit of `size`, whatever font a browser uses."""
    found = sum(_of(character) for character in text)
    return found * size * _SPARE * (_BOLD if bold else 1.0)


def _of(character: str) -> float:
    known = _WIDTH.get(character)
    if known is not None:
        return known
    return _WIDEST if unicodedata.east_asian_width(character) in "WF" else _OTHER


def elided(text: str, limit: float, size: float, *, bold: bool = False) -> str:
    """Return a text that is no wider than `limit`, with an ellipsis in its middle if needed."""
    return shorten(text, limit, measure=partial(width, size=size, bold=bold))


@dataclass(frozen=True)
class Placed:
    """A box at its position, with its texts shortened to fit."""

    box: Box
    title: str
    lines: tuple[str, ...]
    faults: tuple[str, ...]
    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        """The y coordinate of its middle."""
        return self.y + self.height / 2


@dataclass(frozen=True)
class PlacedTopology:
    """All boxes by key, the columns (name, left edge, width) and the size of the whole."""

    boxes: Mapping[str, Placed]
    columns: Sequence[tuple[str, float, float]]
    width: float
    height: float


def place(topology: Topology) -> PlacedTopology:
    """Return the positions; the first column and the topmost box begin at 0."""
    tops = _tops(topology)
    lowest = min(tops.values(), default=0.0)
    placed: dict[str, Placed] = {}
    columns = []
    x = 0.0
    for number, name in enumerate(COLUMNS):
        boxes = topology.column(number)
        heading = width(name, HEADING_SIZE, bold=True) + 8
        wide = max([_BOX_MIN, heading, *(_width(box) for box in boxes)])
        columns.append((name, x, wide))
        for box in boxes:
            placed[box.key] = _placed(box, x, tops[box.key] - lowest, wide)
        x += wide + _GAP_ACROSS
    height = max((p.y + p.height for p in placed.values()), default=LINE_HEIGHT)
    return PlacedTopology(placed, columns, x - _GAP_ACROSS, height)


def _title(box: Box) -> str:
    sign = {"+": "+ ", "-": "\u2212 ", "~": "~ "}.get(box.sign, "")
    limit = _LIMITS[box.column] - 2 * PADDING - MARK_WIDTH
    return elided(sign + box.title, limit, TITLE_SIZE, bold=True)


def _lines(box: Box, texts: Sequence[str]) -> tuple[str, ...]:
    limit = _LIMITS[box.column] - 2 * PADDING
    return tuple(elided(text, limit, LINE_SIZE, bold=True) for text in texts)


def _width(box: Box) -> float:
    inner = [width(_title(box), TITLE_SIZE, bold=True) + MARK_WIDTH]
    inner += [width(t, LINE_SIZE, bold=True) for t in _lines(box, [*box.lines, *box.faults])]
    return max(inner) + 2 * PADDING


def _height(box: Box) -> float:
    return LINE_HEIGHT * (1 + len(box.lines) + len(box.faults)) + PADDING


def _placed(box: Box, x: float, y: float, wide: float) -> Placed:
    lines, faults = _lines(box, box.lines), _lines(box, box.faults)
    return Placed(box, _title(box), lines, faults, x, y, wide, _height(box))


def _tops(topology: Topology) -> dict[str, float]:
    """Return the top of each box: LUNs below each other, the rest beside what they lead to."""
    leads = _neighbours(topology)
    middles = _spine(topology, leads)
    for column, beside in ((0, TARGETS), (STORAGE_OBJECTS, LUNS), (4, STORAGE_OBJECTS)):
        wanted = {}
        end = max(middles.values(), default=0.0)
        for box in topology.column(column):
            near = [middles[k] for k in leads[box.key] if topology.boxes[k].column == beside]
            end = end if near else end + _height(box) + _GAP_DOWN
            wanted[box.key] = sum(near) / len(near) if near else end
        middles |= _apart(topology, wanted)
    return {key: middle - _height(topology.boxes[key]) / 2 for key, middle in middles.items()}


def _neighbours(topology: Topology) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {key: [] for key in topology.boxes}
    for arrow in topology.arrows:
        found[arrow.start].append(arrow.end)
        found[arrow.end].append(arrow.start)
    return found


def _spine(topology: Topology, leads: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Return the middles of targets and their LUNs, one target after the other."""
    middles: dict[str, float] = {}
    # LUNs are as far apart as storage objects need, so that each is beside its own.
    others = topology.column(STORAGE_OBJECTS) + topology.column(STORAGE_OBJECTS + 1)
    pitch = max([0.0, *(_height(box) for box in others)]) + _GAP_DOWN
    top = 0.0
    for target in topology.column(TARGETS):
        luns = [key for key in leads[target.key] if topology.boxes[key].column == LUNS]
        steps = [max(pitch, _height(topology.boxes[key]) + _GAP_DOWN) for key in luns]
        room = max(sum(steps), _height(target) + _GAP_DOWN)
        at = top + (room - sum(steps)) / 2
        for key, step in zip(luns, steps, strict=True):
            middles[key] = at + step / 2
            at += step
        middles[target.key] = top + room / 2
        top += room + _GAP_OF_GROUPS
    return middles


def _apart(topology: Topology, wanted: Mapping[str, float]) -> dict[str, float]:
    """Return the middles closest to those wanted at which no boxes overlap.

    Boxes that would overlap form a run around the average of their wanted positions; a run that
    then overlaps the one before joins it.
    """
    runs: list[_Run] = []
    for key in sorted(wanted, key=lambda key: wanted[key]):
        runs.append(_Run([key], _height(topology.boxes[key]) + _GAP_DOWN, wanted[key]))
        while len(runs) > 1 and runs[-2].bottom > runs[-1].top:
            runs[-2:] = [runs[-2].joined(runs[-1])]
    found = {}
    for run in runs:
        at = run.top
        for key in run.keys:
            step = _height(topology.boxes[key]) + _GAP_DOWN
            found[key] = at + step / 2
            at += step
    return found


@dataclass(frozen=True)
class _Run:
    keys: list[str]
    room: float
    middle: float

    @property
    def top(self) -> float:
        return self.middle - self.room / 2

    @property
    def bottom(self) -> float:
        return self.middle + self.room / 2

    def joined(self, other: _Run) -> _Run:
        """Return both as one run, where its boxes are moved least."""
        room = self.room + other.room
        mine, its = len(self.keys), len(other.keys)
        # The top that this run wants, and the top at which the other would be where it wants.
        tops = self.top * mine + (other.top - self.room) * its
        return _Run(self.keys + other.keys, room, tops / (mine + its) + room / 2)
