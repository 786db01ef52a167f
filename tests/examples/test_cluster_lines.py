# SPDX-License-Identifier: Apache-2.0
"""The lines that `cluster cib` prints do in pcs and crm what its data say, on a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from driver import SERVER, Pyshell
from examples.clustertools import Packages, Tools, constraints, described
from examples.scheduler import BOTH_UP, simulate, those_of, with_scores

CASES = {
    "drbd": (
        ("/dev/drbd/by-res/disk1/0",),
        ("state_dir=/srv/a b", "state_device=/dev/drbd/by-res/disk1/1"),
    ),
    "shared": (("/dev/vg1/lv1", "/dev/zvol/tank/a"), ("lvm=lvmlockd", "portblock=true")),
}

STARTED = {
    "drbd": (
        "drbd-disk1:0 promote", "state-disks start", "target-disks start", "ip-disks start",
    ),
    "shared": (
        "dlm:0 start", "lvmlockd:0 start", "lvm-vg1-lv1 start", "block-disks start",
        "ip-disks start", "target-disks start", "unblock-disks start",
    ),
}  # fmt: skip
"""The order in which the scheduler starts them."""


def document(folder: Path, *devices: str) -> Path:
    """Return a document of a target on these devices."""
    objects = [
        {"name": f"disk{n}", "plugin": "block", "wwn": f"8d2b4f5{n}", "dev": device}
        for n, device in enumerate(devices)
    ]
    tpg = {
        "luns": [
            {"index": n, "storage_object": f"/backstores/block/disk{n}"}
            for n in range(len(devices))
        ],
        "portals": [{"ip_address": "192.168.56.101", "port": port} for port in (3260, 3261)],
    }
    target = {"wwn": SERVER, "fabric": "iscsi", "tpgs": [tpg]}
    file = folder / "disks.json"
    file.touch(0o600)
    file.write_text(json.dumps({"storage_objects": objects, "targets": [target]}))
    return file


@pytest.fixture
def tools(cluster_packages: Packages, tmp_path: Path) -> Iterator[Tools]:
    """Return the programs in a folder of the test's own."""
    made = Tools(cluster_packages, tmp_path)
    with made.pcs():
        yield made


def expected(found: Any) -> dict[str, Any]:
    """Return the resources of the command's data, as `described` does."""
    return {
        one["id"]: (
            one["agent"],
            one["parameters"],
            [{"name": each["name"], **each["settings"]} for each in one["operations"]],
        )
        for one in (*found["locks"], *found["storage"], *found["members"])
    }


def configured(tools: Tools, pyshell: Pyshell, tmp_path: Path, case: str, form: str) -> Any:
    """Run the lines of a case, and what activates them; return the command's data."""
    devices, more = CASES[case]
    file = document(tmp_path, *devices)
    ran = pyshell("-o", "json", "cluster", "cib", SERVER, f"document={file}", f"form={form}", *more)
    found = ran.done().json["result"]
    before = tools.cib.read_text()
    done = tools.run("\n".join(found["lines"]))
    assert done.status == 0, done.err
    assert tools.cib.read_text() == before  # nothing is active yet
    activate = found["lines"][-1].removeprefix("#")
    done = tools.run(activate)
    assert done.status == 0, done.err
    return found


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("form", ["pcs", "crmsh"])
def test_the_lines_configure_what_the_data_say(
    tools: Tools, pyshell: Pyshell, tmp_path: Path, case: str, form: str
) -> None:
    found = configured(tools, pyshell, tmp_path, case, form)
    there = described(tools.cib)
    for name, (agent, parameters, operations) in expected(found).items():
        assert there[name][:2] == (agent, parameters)
        # pcs adds those that the agent advertises, such as DRBD's reload.
        assert [one for one in operations if one not in there[name][2]] == []
    assert there.keys() == expected(found).keys()
    assert constraints(tools.cib) == {
        **{
            one["id"]: (one["resource"], one["role"], one["other"], one["other_role"])
            for one in found["colocations"]
        },
        **{
            one["id"]: (one["first"], one["action"], one["then"], one["then_action"])
            for one in found["orders"]
        },
    }
    # It warns that nodes of which nothing is known are fenced.
    verified = tools.run(f"crm_verify --xml-file {tools.cib} -VV")
    assert "error:" not in verified.err
    file = tmp_path / "scored.xml"
    file.write_text(with_scores(tools.cib.read_text(), "drbd-disk1", 10000, 10))
    started = simulate(tools.packages.crmsh, tmp_path, file, *BOTH_UP)
    wanted = [f"{step} on node1" for step in STARTED[case]]
    assert those_of(started, wanted) == wanted
