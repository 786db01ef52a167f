# SPDX-License-Identifier: Apache-2.0
"""Initiators' tests give what the golden list says: all families on one disk, in parts."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from ..commands import run
from ..initiator import Initiator
from ..scsi import rows, sg, testcu
from ..scsi.golden import Golden
from .shell import pyshell
from .test_seeing import as_data

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


def test_doctor_closes_the_gap_in_read_only_access() -> None:
    # WRITE SAME of one block, without data to the LUN: the command claims to read.
    erase = ["41", *["00"] * 7, "01", "00"]
    initiator = Initiator()
    with rows.exported(rows.SHORT):
        try:
            initiator.start()
            initiator.discover(rows.ADDRESSES[1])
            initiator.login(rows.READ_ONLY)
            run("modprobe", "sg")
            disk = initiator.disk(rows.READ_ONLY).name
            (generic,) = Path(f"/sys/class/block/{disk}/device/scsi_generic").iterdir()

            def is_erased() -> bool:
                with rows.FILE.open("r+b") as file:
                    file.write(b"x" * 512)
                run("sg_raw", "--request=512", f"/dev/{generic.name}", *erase, check=False)
                with rows.FILE.open("rb") as file:
                    return file.read(512) == bytes(512)

            assert is_erased()
            for command in protection():
                pyshell(*shlex.split(command)[1:])
            assert protection() == []
            assert not is_erased()
        finally:
            initiator.stop()


def protection() -> list[str]:
    """Return the commands that doctor suggests against writes with read-only access."""
    found = [one for one in as_data("doctor", status=None) if one["check"] == "protection"]
    return [command for one in found for command in one["choices"]]


def test_the_golden_list_names_all_tests() -> None:
    program = [f"{family}.{name}" for family, names in testcu.tests().items() for name in names]
    assert Golden("testcu").tests() == program
