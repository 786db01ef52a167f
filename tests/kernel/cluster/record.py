# SPDX-License-Identifier: Apache-2.0
"""What a round has shown, as a record, and what speaks against it."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .wire import Span, as_data, takeovers

# The guests' clocks are set to the host's by the second.
CLOCK_SECONDS = 2.0

Samples = Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass
class Round:
    """One round of a scenario."""

    scenario: str
    number: int
    began: float
    # What was done, and when, by the host's clock.
    acts: list[tuple[float, str]] = field(default_factory=list)
    # The times at which a node's kernel ended: killed, frozen or reset.
    ends: dict[str, list[float]] = field(default_factory=dict)
    # What the scenario found, beyond what all have.
    found: dict[str, object] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def expect(self, condition: object, problem: str) -> None:
        """Note a problem unless a condition is true."""
        if not condition:
            self.problems.append(problem)


@dataclass(frozen=True)
class Interval:
    """A time during which a node exported, or was primary."""

    node: str
    first: float
    last: float


def exports(samples: Samples) -> list[Interval]:
    """Return when each node had a target enabled."""
    return _intervals(samples, lambda sample: bool(sample["enabled"]))


def primaries(samples: Samples) -> list[Interval]:
    """Return when DRBD was primary on each node."""
    return _intervals(
        samples, lambda sample: any(role.startswith("Primary/") for _, role, _ in sample["drbd"])
    )


def _intervals(samples: Samples, holds: Callable[[Mapping[str, Any]], bool]) -> list[Interval]:
    found: list[Interval] = []
    for node, lines in samples.items():
        begin = last = 0.0
        boot = ""
        for line in lines:
            if begin and (not holds(line) or line["boot"] != boot):
                # It ended between two samples; a kernel that is gone ended with its last one.
                found.append(Interval(node, begin, last if line["boot"] != boot else line["time"]))
                begin = 0.0
            if holds(line):
                begin, last, boot = begin or line["time"], line["time"], line["boot"]
        if begin:
            found.append(Interval(node, begin, last))
    return sorted(found, key=lambda one: one.first)


def overlaps(found: Iterable[Interval], ends: Mapping[str, Sequence[float]]) -> list[str]:
    """Return when it was two nodes at a time; an interval ends with its node's kernel."""
    ended = []
    for one in found:
        later = [end for end in ends.get(one.node, ()) if one.first < end < one.last]
        ended.append(Interval(one.node, one.first, min([one.last, *later])))
    return [
        f"{one.node} and {other.node} at {moment(other.first)}"
        for number, one in enumerate(ended)
        for other in ended[number + 1 :]
        if other.node != one.node
        and other.first < one.last - CLOCK_SECONDS
        and one.first < other.last - CLOCK_SECONDS
    ]


def judge(done: Round, written: Mapping[str, Any], spans: Sequence[Span], samples: Samples) -> None:
    """Note what no scenario may show: lost blocks, errors, two exporters."""
    for what, blocks in (
        ("an acknowledged block was lost", written["lost"]),
        ("a read returned something else than the acknowledged block", written["wrong"]),
    ):
        done.problems += [f"{what}: {block}" for block in blocks]
    if written["errors"]:
        count = len(written["errors"])
        done.problems.append(f"the writer saw {count} errors, first {written['errors'][0]}")
    done.expect(written["acknowledged"] > 0, "nothing was written")
    expected = int(done.found.get("takeovers_expected", 0))  # type: ignore[call-overload]
    changes = takeovers(spans)
    done.expect(
        len(changes) <= expected + 1,
        f"the exporter on the wire changed {len(changes) - 1} times: {changes}",
    )
    for what, found in (("exported", exports(samples)), ("were primary", primaries(samples))):
        done.problems += [f"both nodes {what}: {when}" for when in overlaps(found, done.ends)]


def as_record(
    done: Round, written: Mapping[str, Any], spans: Sequence[Span], samples: Samples
) -> dict[str, object]:
    """Return the record of a round."""
    return {
        "scenario": done.scenario,
        "round": done.number,
        "date": moment(done.began),
        "passed": not done.problems,
        "problems": done.problems,
        "pause": round(written.get("longest_pause", 0.0), 1),
        "acknowledged": written.get("acknowledged", 0),
        "reads": written.get("reads", 0),
        "lost": len(written.get("lost", ())),
        "wrong_reads": len(written.get("wrong", ())),
        "errors": len(written.get("errors", ())),
        "exporters": [node for node, _ in takeovers(spans)],
        "acts": [[moment(when), what] for when, what in sorted(done.acts)],
        "ends": done.ends,
        "found": done.found,
        "pauses": written.get("pauses", ()),
        "wire": as_data(spans),
        "exports": [[one.node, one.first, one.last] for one in exports(samples)],
        "primaries": [[one.node, one.first, one.last] for one in primaries(samples)],
    }


def moment(seconds: float) -> str:
    """Return a time as ISO 8601, in UTC."""
    when = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return when.isoformat(timespec="milliseconds")


def line(record: Mapping[str, Any]) -> str:
    """Return a record in one line."""
    first_lines = [problem.split("\n", 1)[0] for problem in record["problems"]]
    verdict = "passed" if record["passed"] else "FAILED: " + "; ".join(first_lines)
    return (
        f"{record['scenario']}{record['round']}: pause {record['pause']} s, "
        f"{record['acknowledged']} acknowledged, {record['lost']} lost, "
        f"{record['wrong_reads']} wrong reads, {record['errors']} errors, "
        f"exporters {'-'.join(record['exporters'])}: {verdict}"
    )


def keep(path: Path, about: Mapping[str, object], records: Sequence[Mapping[str, object]]) -> None:
    """Write the records of a scenario."""
    path.write_text(json.dumps({**about, "rounds": list(records)}, indent=1) + "\n")
