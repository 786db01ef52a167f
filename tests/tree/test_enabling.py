# SPDX-License-Identifier: Apache-2.0
"""Enabling a TPG tells of LUNs that initiators would get errors from."""

from __future__ import annotations

from driver import TPG, Pyshell


def test_field_failure_45_enabling_tells_which_luns_do_not_work(exported: Pyshell) -> None:
    exported.must(f"{TPG} disable")
    exported.simulator.machine.remove("/dev/mapper/lee-lee.lv")
    ran = exported.line(f"{TPG} enable")
    assert ran.lines == ["The TPGT has been enabled."]
    assert ran.err == "Not all LUNs work: lun0. 'ls' shows why.\n"


def test_where_all_luns_work_nothing_more_is_told(exported: Pyshell) -> None:
    exported.must(f"{TPG} disable")
    assert exported.must(f"{TPG} enable") == ["The TPGT has been enabled."]
