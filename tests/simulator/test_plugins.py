# SPDX-License-Identifier: Apache-2.0
"""User-space storage objects of a kernel on which no program answers for them."""

from __future__ import annotations

import pytest

from simulator.acts import Acts, outcome


def info(kernel: Acts, device: str) -> str:
    """Return a storage object's info with its spaces made single."""
    return " ".join(kernel.read(f"{device}/info").split())


def test_what_a_new_user_object_shows(kernel: Acts) -> None:
    assert info(kernel, kernel.device("user")) == (
        "Status: DEACTIVATED Max Queue Depth: 0 SectorSize: 0 HwMaxSectors: 0"
        " Config: NULL Size: 0 MaxDataAreaMB: 1024 DataPagesPerBlk: 1 CmdRingSizeMB: 8"
    )


def test_an_enabled_user_object_gets_the_kernels_limits(kernel: Acts) -> None:
    assert info(kernel, kernel.enabled("user")) == (
        "Status: DEACTIVATED Max Queue Depth: 0 SectorSize: 512 HwMaxSectors: 128 Config:"
        " handler/recorder Size: 1048576 MaxDataAreaMB: 1024 DataPagesPerBlk: 1 CmdRingSizeMB: 8"
    )


def test_limits_are_rounded_to_whole_pages(kernel: Acts) -> None:
    device = kernel.device("user")
    kernel.write(f"{device}/control", "hw_max_sectors=65")
    assert "SectorSize: 0 HwMaxSectors: 65" in info(kernel, device)
    kernel.write(f"{device}/enable", "1")
    assert "SectorSize: 512 HwMaxSectors: 64" in info(kernel, device)


@pytest.mark.parametrize("text", ["max_data_area_mb=0", "hw_max_sectors=-1", "hw_block_size=0"])
def test_a_limit_is_positive(kernel: Acts, text: str) -> None:
    assert outcome(kernel.write, f"{kernel.device('user')}/control", text) == "EINVAL"


def test_a_limit_fits_an_int(kernel: Acts) -> None:
    """match_int() refuses others."""
    text = f"hw_max_sectors={1 << 31}"
    assert outcome(kernel.write, f"{kernel.device('user')}/control", text) == "ERANGE"


def test_enabling_fixes_the_data_area(kernel: Acts) -> None:
    device = kernel.enabled("user")
    assert outcome(kernel.write, f"{device}/control", "max_data_area_mb=8") == "EINVAL"


@pytest.mark.parametrize(
    ("file", "text"),
    [("dev_config", "handler/other"), ("dev_size", "2097152"), ("emulate_write_cache", "1")],
)
def test_a_change_without_a_handler_to_notify_is_refused(
    kernel: Acts, file: str, text: str
) -> None:
    device = kernel.device("user")
    assert outcome(kernel.write, f"{device}/attrib/{file}", text) == "ok"
    assert kernel.read(f"{device}/attrib/{file}") == f"{text}\n"
    kernel.write(f"{device}/enable", "1")
    assert outcome(kernel.write, f"{device}/attrib/{file}", text) == "ESRCH"


def test_the_table_names_handlers_and_memory(kernel: Acts) -> None:
    machine = kernel.simulator.machine
    assert (machine.table().handlers, machine.table().memory) == ({}, 16 << 30)
    kernel.edit_machine(handlers={"file": "A path."}, memory=1 << 30)
    assert (machine.table().handlers, machine.table().memory) == ({"file": "A path."}, 1 << 30)
    device = machine.device("/dev/sdb")
    assert device
    machine.add(device)  # writes the table anew
    assert (machine.table().handlers, machine.table().memory) == ({"file": "A path."}, 1 << 30)
