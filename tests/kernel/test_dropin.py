# SPDX-License-Identifier: Apache-2.0
"""What programs that call targetcli print is read, and the manual shows what came of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from .dropin import agents, golden, programs, sources

PAGE = Path(__file__).parents[2] / "docs" / "targetcli.md"
UNITTEST = """\
test_skipped (swap_test.Swap)
Describes itself ... skipped 'no disk'
test_good (swap_test.Swap)
Verify that it is good ... ok
test_noisy (swap_test.Swap.test_noisy) ... a line of its own
ok
test_bad (swap_test.Swap.test_bad) ... FAIL

======================================================================
FAIL: test_bad (swap_test.Swap.test_bad)
----------------------------------------------------------------------
Traceback (most recent call last):
  File "x.py", line 1, in test_bad
AssertionError: 1 != 2

----------------------------------------------------------------------
Ran 4 tests in 0.1s
"""
RECAPS = """\
PLAY RECAP *****
localhost                  : ok=9    changed=7    unreachable=0    failed=0    skipped=0
PLAY RECAP *****
localhost                  : ok=9    changed=0    unreachable=0    failed=1    skipped=0
"""


def test_the_outcomes_of_unittest_are_read() -> None:
    assert programs.unittests(UNITTEST) == {
        "swap_test.Swap.test_skipped": "skipped: no disk",
        "swap_test.Swap.test_good": "passed",
        "swap_test.Swap.test_noisy": "passed",
        "swap_test.Swap.test_bad": "failed: AssertionError: 1 != 2",
    }


def test_the_counts_of_both_runs_of_a_playbook_are_read() -> None:
    came = programs.recaps("role")(RECAPS)
    assert came == {"role": "9 ok, 7 changed, 0 failed; 9 ok, 0 changed, 1 failed"}
    assert golden.counted(came) == "1 failed"
    assert golden.counted(programs.recaps("role")(RECAPS.replace("=1 ", "=0 "))) == "1 passed"


def test_what_the_agents_tester_finds_is_read() -> None:
    assert agents.outcome("/x/iSCSITarget passed all tests") == "passed"
    assert (
        agents.outcome("* rc=1: Start failed.\nAborting tests") == "failed: * rc=1: Start failed."
    )
    assert agents.outcome("sh: not found") == "failed: sh: not found"


def test_a_role_that_was_changed_is_refused(tmp_path: Path) -> None:
    for name in sources.ROLES:
        (tmp_path / name).mkdir()
    with pytest.raises(ValueError, match="is not OndrejHome/ansible"):
        sources.copy_roles(tmp_path, tmp_path / "roles")


def test_all_programs_are_recorded() -> None:
    assert set(golden.Golden().outcomes[golden.PYSHELL]) == set(programs.PROGRAMS)


def test_no_failure_is_without_a_reason() -> None:
    outcomes = [
        one for found in golden.Golden().outcomes[golden.PYSHELL].values() for one in found.values()
    ]
    # As it is recorded, before somebody looked into it.
    assert [one for one in outcomes if one.startswith(f"{programs.FAILED}: AssertionError")] == []


def test_the_page_shows_the_golden_list() -> None:
    tables = "\n".join(golden.Golden().tables())
    assert tables in PAGE.read_text(encoding="utf-8"), "python -m tests.kernel.dropin tables"
