# SPDX-License-Identifier: Apache-2.0
"""Initiators' tests give what the golden list says: all families on one disk, in parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..scsi import rows, sg, testcu
from ..scsi.golden import Golden

# Each part has its own time limit.
PARTS = 4


@pytest.mark.parametrize("part", range(PARTS))
def test_a_disk_gives_what_is_expected_of_all_families(part: int, results: Path) -> None:
    families = list(testcu.tests().items())[part::PARTS]
    came: dict[str, str] = {}
    with rows.exported(rows.SHORT) as urls:
        for family, names in families:
            came |= testcu.run_family(family, names, urls, results)
    assert Golden("testcu").differences(rows.SHORT.name, came) == []


def test_sg3_utils_show_what_is_expected() -> None:
    with rows.exported(rows.SHORT):
        came = sg.look(rows.SHORT)
    assert Golden("sg").differences(rows.SHORT.name, came) == []


def test_the_golden_list_names_all_tests() -> None:
    program = [f"{family}.{name}" for family, names in testcu.tests().items() for name in names]
    assert Golden("testcu").tests() == program
