# SPDX-License-Identifier: Apache-2.0
"""What flows through the target, as a table and as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyshell import names
from pyshell.config.store.state import utc
from pyshell.lio import listing
from pyshell.lio.identifiers import is_below
from pyshell.lio.statistics import INITIATOR, LUN, OBJECT, Rate, Sample
from pyshell.tree.results import Table

HEADINGS = ("kind", "name", "commands/s", "read/s", "written/s")
_KINDS = {
    "all": (OBJECT, LUN, INITIATOR),
    "objects": (OBJECT,),
    "luns": (LUN,),
    "initiators": (INITIATOR,),
}
_SORTS: dict[str, Callable[[Rate], float]] = {
    "bytes": lambda rate: rate.bytes,
    "read": lambda rate: rate.read,
    "written": lambda rate: rate.written,
    "commands": lambda rate: rate.commands,
    "name": lambda rate: 0,
}


@dataclass(frozen=True)
class Choice:
    """Which rows to show, and in which order."""

    below: str = "/"
    by: str = "all"
    sort: str = "bytes"
    text: str = ""

    def rates(self, sample: Sample) -> list[Rate]:
        """Return the rows of a sample: kind by kind, within each the most of `sort` first."""
        kinds = _KINDS[self.by]
        found = [
            rate
            for rate in sample.rates
            if rate.thing.kind in kinds
            and (self.below == "/" or is_below(rate.thing.path, self.below))
            and self.text.lower() in rate.thing.name.lower()
        ]
        return sorted(
            found,
            key=lambda rate: (
                kinds.index(rate.thing.kind),
                -_SORTS[self.sort](rate),
                listing.natural(rate.thing.name),
            ),
        )


def table(sample: Sample, choice: Choice) -> Table:
    """Return a sample as a table."""
    rates = choice.rates(sample)
    moment = datetime.fromtimestamp(sample.moment).astimezone()
    rows = [
        (
            rate.thing.kind,
            rate.thing.name,
            f"{rate.commands:.0f}",
            size_text(rate.read),
            size_text(rate.written),
        )
        for rate in rates
    ]
    title = f"{moment:%Y-%m-%d %H:%M:%S %Z}, over {sample.seconds:.1f} s"
    return Table(HEADINGS, rows, 3, title, data(sample, rates))


def data(sample: Sample, rates: list[Rate]) -> dict[str, Any]:
    """Return a sample as data."""
    moment = datetime.fromtimestamp(sample.moment).astimezone()
    return {
        "time": utc(moment),
        "seconds": round(sample.seconds, 3),
        "rates": [
            {
                "kind": rate.thing.kind,
                "name": rate.thing.name,
                "path": rate.thing.path,
                "commands_per_second": round(rate.commands, 3),
                "read_bytes_per_second": round(rate.read),
                "written_bytes_per_second": round(rate.written),
            }
            for rate in rates
        ],
    }


def size_text(size: float) -> str:
    """Return bytes as they are read at a glance."""
    return names.size_text(round(size)) if size >= 1024 else f"{size:.0f}B"
