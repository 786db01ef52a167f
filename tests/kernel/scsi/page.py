# SPDX-License-Identifier: Apache-2.0
"""docs/conformance.md, from the golden lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from string import Template

from .golden import Golden, reasons
from .rows import ROWS, SHORT
from .testcu import PASSED, SKIPPED

FILE = Path(__file__).parents[3] / "docs" / "conformance.md"
TEMPLATE = Path(__file__).with_name("page.md")


def text() -> str:
    """Return the page."""
    made = _Page(Golden("testcu"), Golden("sg"))
    parts = {
        "disks": made.disks(),
        "results": made.results(),
        "failures": made.failures(),
        "skips": made.skips(),
        "shown": made.shown(),
        "missing": made.missing(),
    }
    template = Template(TEMPLATE.read_text(encoding="utf-8"))
    lines = {name: "".join(f"{line}\n" for line in part) for name, part in parts.items()}
    return template.substitute(lines, short=SHORT.name)


class _Page:
    """The tables, with a column for each row of the golden lists that was recorded."""

    def __init__(self, tests: Golden, sg: Golden) -> None:
        self._tests = tests
        self._sg = sg
        self._rows = [row for row in tests.rows() if row in sg.rows()]

    def disks(self) -> Iterator[str]:
        yield "| column | name | backstore | block size | discard | login |"
        yield "|---|---|---|---|---|---|"
        for number, name in enumerate(self._rows, 1):
            row = ROWS[name]
            discard = "on" if row.discard else "off"
            login = "CHAP" if row.chap else "demo mode"
            cells = (number, f"`{name}`", row.backstore, row.block_size, discard, login)
            yield f"| {' | '.join(map(str, cells))} |"

    def results(self) -> Iterator[str]:
        numbers = range(1, len(self._rows) + 1)
        yield f"| family | {' | '.join(map(str, numbers))} |"
        yield f"|---|{'---|' * len(numbers)}"
        for family, tests in groupby(self._tests.tests(), _family):
            names = list(tests)
            outcomes = [[self._tests.outcome(name, row) for name in names] for row in self._rows]
            yield f"| {family} | {' | '.join(map(_cell, outcomes))} |"

    def failures(self) -> Iterator[str]:
        yield "| tests | columns | reason |"
        yield "|---|---|---|"
        for reason in reasons():
            failing = {row for test in reason.tests for row in self._tests.failing(test)}
            failed = failing & set(reason.rows)
            columns = "by chance" if reason.race else self._columns(failed)
            yield f"| {_names(reason.tests)} | {columns} | {reason.why} |"

    def skips(self) -> Iterator[str]:
        yield "| reason | tests |"
        yield "|---|---|"
        tests = self._tests.tests()
        for outcome in sorted({what for test in tests for what in self._tests.outcomes(test)}):
            if outcome.startswith(SKIPPED):
                skipped = [test for test in tests if outcome in self._tests.outcomes(test)]
                yield f"| {outcome.partition(': ')[2]} | {_names(skipped)} |"

    def shown(self) -> Iterator[str]:
        first = self._rows[0]
        for test in self._sg.tests():
            basis = self._sg.outcome(test, first).splitlines()
            yield from ("```console", f"# {test.partition(' ')[2]}", *basis, "```")
            for outcome, found in self._sg.outcomes(test).items():
                if first not in found:
                    columns = f"column{'s' * (len(found) > 1)} {self._columns(found)}"
                    yield f"- {columns}: {'; '.join(_changes(basis, outcome.splitlines()))}"
            yield ""

    def missing(self) -> Iterator[str]:
        for row in ROWS:
            if row not in self._rows:
                yield f"| `{row}` | not recorded yet |"

    def _columns(self, names: Iterable[str]) -> str:
        numbers = [number for number, row in enumerate(self._rows, 1) if row in names]
        return "all" if len(numbers) == len(self._rows) else ", ".join(map(str, numbers))


def _changes(basis: Sequence[str], lines: Sequence[str]) -> Iterator[str]:
    """Yield the lines that differ from another output, and the names that it has in addition."""
    for line in lines:
        if line not in basis:
            yield f"`{line.strip()}`"
    named = {_named(line) for line in lines}
    missing = [_named(line) for line in basis if ":" in line and _named(line) not in named]
    if missing:
        yield f"without {', '.join(f'`{name}`' for name in missing)}"


def _named(line: str) -> str:
    return line.partition(":")[0].strip()


def _cell(outcomes: Sequence[str]) -> str:
    ran = [what for what in outcomes if not what.startswith(SKIPPED)]
    return f"{ran.count(PASSED)}/{len(ran)}" if ran else "-"


def _names(tests: Iterable[str]) -> str:
    return ", ".join(
        f"{family} ({', '.join(name.rpartition('.')[2] for name in names)})"
        for family, names in groupby(tests, _family)
    )


def _family(test: str) -> str:
    return test.rpartition(".")[0]
