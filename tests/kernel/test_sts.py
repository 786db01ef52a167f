# SPDX-License-Identifier: Apache-2.0
"""The golden list of the storage test suite is whole, and the manual shows it."""

from __future__ import annotations

from pathlib import Path

from .sts import golden, suite

PAGE = Path(__file__).parents[2] / "docs" / "targetcli.md"
REPORT = """<testsuites><testsuite>
<testcase classname="folder.file-name.TestA" name="test_one[x]" />
<testcase classname="folder.file-name" name="test_two">
  <failure message="AssertionError: assert 1&#10; == 2">…</failure></testcase>
<testcase classname="folder.file-name" name="test_three">
  <skipped type="pytest.skip" message="no disk">…</skipped></testcase>
<testcase classname="folder.file-name" name="test_four">
  <skipped type="pytest.xfail" message="a known error" /></testcase>
<testcase classname="folder.file-name" name="test_five" />
<testcase classname="folder.file-name" name="test_five"><error message="in teardown" /></testcase>
</testsuite></testsuites>"""


def test_the_report_is_read() -> None:
    assert suite.outcomes("folder/file-name.py", REPORT) == {
        "TestA::test_one[x]": "passed",
        "test_two": "failed: AssertionError: assert 1 == 2",
        "test_three": "skipped: no disk",
        "test_four": "failed, as the suite expects: a known error",
        "test_five": "failed: in teardown",
    }


def test_all_files_are_recorded() -> None:
    assert list(golden.Golden().outcomes) == list(suite.FILES)


def test_no_failure_is_without_a_reason() -> None:
    outcomes = [one for file in golden.Golden().outcomes.values() for one in file.values()]
    assert {one.partition(": ")[0] for one in outcomes} <= set(golden.KINDS)
    # As it is recorded, before somebody looked into it.
    assert [one for one in outcomes if one.startswith("failed: AssertionError")] == []


def test_the_page_shows_the_golden_list() -> None:
    tables = "\n".join(golden.Golden().tables())
    assert tables in PAGE.read_text(encoding="utf-8"), "python -m tests.kernel.sts tables"
