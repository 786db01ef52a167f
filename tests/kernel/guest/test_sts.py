# SPDX-License-Identifier: Apache-2.0
"""A few tests of the storage test suite, by which upstream checks targetcli, pass with pyshell."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..commands import run
from ..sts import suite
from ..sts.golden import Golden

FILE = "libiscsi-local"
# Eighteen calls of targetcli make a target with CHAP; the others log in to it.
TESTS = ("setup", "Inquiry", "ProutReserve", "iSCSICHAP")


@pytest.fixture
def storage_tests() -> str:
    """Return the names of the tests; the host fetches the suite for tests with this fixture."""
    return " or ".join(TESTS)


def test_targetcli_is_pyshell_for_the_suite(storage_tests: str, results: Path) -> None:
    # The suite fails at a call trace or a crash that the kernel has reported, whoever caused it.
    (results / "dmesg.log").write_text(run("dmesg", "--read-clear").stdout)
    came = suite.run(FILE, suite.PYSHELL, results, storage_tests)
    assert len(came) == len(TESTS)
    assert Golden().differences(FILE, came) == []
