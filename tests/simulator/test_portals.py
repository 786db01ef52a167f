# SPDX-License-Identifier: Apache-2.0
"""Portals: texts that are addresses, and addresses in each other's way."""

from __future__ import annotations

import pytest

from portalcases import PORTALS, PortalCase
from pyshell.names import bracketed
from simulator.acts import IQN, TPG, Acts, outcome

OTHER = "iscsi/iqn.2020-07.org.example:other"
COUNT = f"iscsi/{IQN}/fabric_statistics/iscsi_instance/portals"


@pytest.mark.parametrize(
    "name",
    ["0.0.0.0:3260", "192.168.56.101:0xcbc", "[::1]:3260", "[::0]:1", "09.9.9.9:3260", "[::1]x:1"],
)
def test_addresses(kernel: Acts, name: str) -> None:
    kernel.tpg()
    assert outcome(kernel.mkdir, f"{TPG}/np/{name}") == "ok"


@pytest.mark.parametrize(
    "name",
    ["300.1.1.1:99", "1.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "host:3260", "::1:3260", "[::1]",
     "[::1:3260", "1.2.3:3260", "[fe80::1]:3260", " 1.2.3.4:1"],
)  # fmt: skip
def test_values_that_are_not_an_address(kernel: Acts, name: str) -> None:
    kernel.tpg()
    assert outcome(kernel.mkdir, f"{TPG}/np/{name}") == "EINVAL"


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ("127.0.0.1:3260", "0.0.0.0:3260", "EINVAL"),
        ("0.0.0.0:3260", "127.0.0.1:3260", "EINVAL"),
        ("0.0.0.0:3260", "[::]:3260", "EINVAL"),
        ("[::]:3260", "127.0.0.1:3260", "EINVAL"),
        ("[::]:3260", "[::1]:3260", "EINVAL"),
        ("[::1]:3260", "[0:0:0:0:0:0:0:1]:3260", "EINVAL"),
        ("0.0.0.0:3260", "[::1]:3260", "ok"),
        ("127.0.0.1:3260", "127.0.0.2:3260", "ok"),
        ("0.0.0.0:3260", "0.0.0.0:3261", "ok"),
    ],
)
def test_conflicting_portals(kernel: Acts, first: str, second: str, why: str) -> None:
    kernel.tpg()
    kernel.mkdir(f"{TPG}/np/{first}")
    assert outcome(kernel.mkdir, f"{TPG}/np/{second}") == why


@pytest.mark.parametrize(
    ("tpg", "why"), [(f"iscsi/{IQN}/tpgt_2", "EINVAL"), (f"{OTHER}/tpgt_1", "ok")]
)
def test_only_targets_share_a_portal(kernel: Acts, tpg: str, why: str) -> None:
    kernel.tpg()
    kernel.mkdir(f"{TPG}/np/127.0.0.1:3260", OTHER, tpg)
    assert outcome(kernel.mkdir, f"{tpg}/np/127.0.0.1:3260") == why


def test_a_removed_portal_conflicts_with_none(kernel: Acts) -> None:
    kernel.tpg()
    kernel.mkdir(f"{TPG}/np/0.0.0.0:3260")
    assert kernel.read(COUNT) == "1\n"
    kernel.rmdir(f"{TPG}/np/0.0.0.0:3260")
    assert kernel.read(COUNT) == "0\n"
    kernel.mkdir(f"{TPG}/np/192.168.56.101:3260")


@pytest.mark.parametrize(
    ("inner", "text", "why"),
    [
        ("iser", "1", "ok"),
        ("iser", "2", "EINVAL"),
        ("cxgbit", "0", "ok"),
        ("cxgbit", "1", "EINVAL"),
    ],
)
def test_other_transports(kernel: Acts, inner: str, text: str, why: str) -> None:
    kernel.tpg()
    kernel.mkdir(f"{TPG}/np/0.0.0.0:3260")
    assert outcome(kernel.write, f"{TPG}/np/0.0.0.0:3260/{inner}", text) == why


@pytest.mark.parametrize("case", PORTALS, ids=lambda case: f"{case.first} {case.second}")
def test_finding_58_portals_are_accepted_as_by_the_real_kernel(
    kernel: Acts, case: PortalCase
) -> None:
    first, second = f"{bracketed(case.first)}:3260", f"{bracketed(case.second)}:3260"
    kernel.tpg()
    kernel.mkdir(OTHER, f"{OTHER}/tpgt_1", f"iscsi/{IQN}/tpgt_2", f"{TPG}/np/{first}")
    for tpg, accepted in (
        (TPG, case.same),
        (f"iscsi/{IQN}/tpgt_2", case.same),
        (f"{OTHER}/tpgt_1", case.other),
    ):
        made = outcome(kernel.mkdir, f"{tpg}/np/{second}")
        assert made == (
            "ok" if accepted else "EEXIST" if tpg == TPG and first == second else "EINVAL"
        )
        if made == "ok":
            kernel.rmdir(f"{tpg}/np/{second}")
