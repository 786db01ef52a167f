# SPDX-License-Identifier: Apache-2.0
"""The golden list of initiators' tests is complete and explained; the output is read right."""

from __future__ import annotations

from collections import Counter

from .scsi import page, rows, testcu
from .scsi.golden import Golden, reasons

OUTPUT = """\
    [SKIPPED] REPORT_SUPPORTED_OPCODES is not implemented.

Suite: Reserve6
  Test: Simple ...passed
  Test: LUNReset ...passed    [FAILED] PRIN command: failed with sense. SENSE KEY:UNIT_ATTENTION(6)

  Test: Flags ...    [SKIPPED] REPORT_SUPPORTED_OPCODES is not implemented.
passed
  Test: Dpo ...    [SKIPPED] VERIFY12 is not implemented.
    [SKIPPED] VERIFY12 is not implemented.
passed
  Test: Mismatch ...    [FAILED] VERIFY10 successful but should have failed
FAILED
    1. test_verify10_mismatch.c:45  - CU_ASSERT_EQUAL(_r,0)
  Test: Last ..."""


def test_the_output_is_read() -> None:
    assert testcu.outcomes("SCSI.Reserve6", OUTPUT, ended=False) == {
        "Simple": "passed",
        "LUNReset": "passed",
        "Flags": "passed",
        "Dpo": "skipped: VERIFY12 is not implemented",
        "Mismatch": "failed",
        "Last": "hung",
    }


def test_a_row_is_recorded_whole() -> None:
    for name in ("testcu", "sg"):
        golden = Golden(name)
        begun = {
            row
            for test in golden.tests()
            for found in golden.outcomes(test).values()
            for row in found
        }
        assert begun == set(golden.rows())
        assert rows.SHORT.name in begun


def test_each_failure_has_one_reason_and_each_reason_a_failure() -> None:
    golden = Golden("testcu")
    explained = [(test, one.rows) for one in reasons() if not one.race for test in one.tests]
    counted = Counter((test, row) for test, rows in explained for row in rows)
    failing = [(test, row) for test in golden.tests() for row in golden.failing(test)]
    assert [counted[one] for one in failing] == [1] * len(failing)
    assert all(set(golden.failing(test)) & set(rows) for test, rows in explained)


def test_a_race_is_expected_to_pass_and_may_fail() -> None:
    golden = Golden("testcu")
    (race,) = [one for one in reasons() if one.race]
    for test in race.tests:
        assert not golden.failing(test)
        assert golden.differences(rows.SHORT.name, {test: "failed"}) == []
        assert golden.differences(rows.SHORT.name, {test: "hung"}) != []


def test_any_two_properties_occur_together() -> None:
    found = {
        pair
        for row in rows.ROWS.values()
        for one in _properties(row)
        for other in _properties(row)
        for pair in [(one, other)]
    }
    alone = {one for pair in found for one in pair}
    missing = {(one, other) for one in alone for other in alone if one[0] < other[0]} - found
    assert missing == {(("backstore", "ramdisk"), ("discard", True))}


def _properties(row: rows.Row) -> list[tuple[str, object]]:
    return [(name, getattr(row, name)) for name in ("backstore", "block_size", "chap", "discard")]


def test_the_page_is_the_golden_lists() -> None:
    assert page.FILE.read_text(encoding="utf-8") == page.text(), "python -m tests.kernel.scsi page"
