# SPDX-License-Identifier: Apache-2.0
"""Loopback: names, and the nexus that LUNs hold on to."""

from __future__ import annotations

import pytest

from simulator.acts import NAA, Acts, outcome

NEXUS = "naa.5001405000000002"


@pytest.mark.parametrize(
    ("rel", "why"),
    [
        ("loopback/foo", "EINVAL"),
        ("loopback/iqn.2020-07.org.example:a", "ok"),
        (f"loopback/{NAA}/tpgt_32", "EINVAL"),
        (f"loopback/{NAA}/tpgt_31", "ok"),
        (f"loopback/{NAA}/tpgt_1/np/127.0.0.1:3260", "ENOSYS"),
        (f"loopback/{NAA}/tpgt_1/acls/{NEXUS}", "ok"),
    ],
)
def test_names(kernel: Acts, rel: str, why: str) -> None:
    kernel.tpg("loopback")
    assert outcome(kernel.mkdir, rel) == why


def test_a_nexus_is_set_once_and_removed(kernel: Acts) -> None:
    tpg = kernel.tpg("loopback")
    assert outcome(kernel.read, f"{tpg}/nexus") == "ENODEV"
    kernel.write(f"{tpg}/nexus", f"{NEXUS}\n")
    assert kernel.read(f"{tpg}/nexus") == f"{NEXUS}\n"
    assert outcome(kernel.write, f"{tpg}/nexus", NEXUS) == "EEXIST"
    kernel.write(f"{tpg}/nexus", "NULL")
    assert outcome(kernel.read, f"{tpg}/nexus") == "ENODEV"


@pytest.mark.parametrize(
    ("text", "why"),
    [("foo", "EINVAL"), ("NULL", "ENODEV"), ("iqn.2020-07.a:b", "EINVAL"), ("naa." * 99, "EINVAL")],
)
def test_values_that_are_not_a_nexus(kernel: Acts, text: str, why: str) -> None:
    assert outcome(kernel.write, f"{kernel.tpg('loopback')}/nexus", text) == why


def test_a_nexus_with_a_lun_cannot_be_removed(kernel: Acts) -> None:
    tpg = kernel.tpg("loopback")
    kernel.write(f"{tpg}/nexus", NEXUS)
    kernel.mkdir(f"{tpg}/lun/lun_0")
    kernel.link(kernel.enabled(), f"{tpg}/lun/lun_0/link")
    assert outcome(kernel.write, f"{tpg}/nexus", "NULL") == "EPERM"
    kernel.unlink(f"{tpg}/lun/lun_0/link")
    assert outcome(kernel.write, f"{tpg}/nexus", "NULL") == "ok"


@pytest.mark.parametrize(("text", "why"), [("offline", "ok"), ("online\n", "ok"), ("1", "EINVAL")])
def test_transport_status(kernel: Acts, text: str, why: str) -> None:
    assert outcome(kernel.write, f"{kernel.tpg('loopback')}/transport_status", text) == why
