# SPDX-License-Identifier: Apache-2.0
"""The recording is whole, and what no rule in it explains the code does as it was seen."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pyshell.simulator import RULES, SimulatedDevice, recorded
from simulator.acts import ACL, TARGETS, Acts, outcome

TRIES = json.loads(Path(__file__).with_name("tries.json").read_text(encoding="utf-8"))
# The scsi_debug disk that values were tried on, in the place of the one that acts.py uses.
RECORDED_DISK = SimulatedDevice(
    "/dev/sdc", "sdc", 8 << 20, hctl="0:0:2:0", vendor="Linux", model="scsi_debug",
    revision="0191", serial="2000",
)  # fmt: skip
KINDS = sorted(json.loads(recorded.FILE.read_text(encoding="utf-8"))["groups"])


@pytest.mark.parametrize("kind", KINDS)
def test_every_writable_file_has_a_rule(kind: str) -> None:
    name, _, variant = kind.partition("/")
    for inner, file in recorded.template(name, variant).files.items():
        # What lies in a group that has a kind of its own is looked up there.
        writable = file.mode & 0o200 and "alua/" not in inner
        by_code = {(name, inner), (kind, inner)} & RULES.writes.keys()
        assert not writable or file.rules or by_code, inner


@pytest.mark.parametrize("kind", KINDS)
def test_parents_come_before_their_children(kind: str) -> None:
    name, _, variant = kind.partition("/")
    made = recorded.template(name, variant)
    for number, group in enumerate(made.groups):
        assert "/" not in group or group.rpartition("/")[0] in made.groups[:number]
    assert all("/" not in file or file.rpartition("/")[0] in made.groups for file in made.files)


def test_a_text_is_filled_in() -> None:
    assert recorded.fill("{a}+{b}\n", {"a": "x", "b": 2}) == "x+2\n"


def made(kernel: Acts, kind: str, state: str) -> str:
    """Make the object that values were tried on."""
    name, _, variant = kind.partition("/")
    if name == "device":
        kernel.simulator.machine.add(RECORDED_DISK)
        if state == "exported":
            return kernel.exported(variant)
        return kernel.device(variant) if state == "new" else kernel.enabled(variant)
    if name == "mapped" or (name == "acl" and variant == "iscsi"):
        kernel.mapped()
        return ACL
    tpg = kernel.tpg(variant)
    if name == "acl":
        kernel.mkdir(f"{tpg}/acls/{TARGETS[variant]}")
        return f"{tpg}/acls/{TARGETS[variant]}"
    lun = f"{tpg}/lun/lun_0"
    if name == "lun":
        kernel.mkdir(lun)
    if state == "linked":
        kernel.link(kernel.enabled(), f"{lun}/link")
    return {"fabric": variant, "lun": lun}.get(name, tpg)


def full(text: str) -> str:
    """Undo the shortening of long texts."""
    return re.sub(r"<(\d+) x>", lambda found: "x" * int(found[1]), text)


@pytest.mark.parametrize("tried", sorted(TRIES["files"]))
def test_recorded_attempts_have_the_recorded_results(kernel: Acts, tried: str) -> None:
    kind, state, inner = tried.split(" ")
    kernel.edit_machine(fabrics=["iscsi", "loopback", "vhost"])
    file = f"{made(kernel, kind, state)}/{inner}"
    for value, seen, after in TRIES["rows"][TRIES["files"][tried]]:
        assert outcome(kernel.write, file, full(value)) == seen, value
        shown = outcome(kernel.read, file)
        assert (f"<{shown}>" if shown != "ok" else kernel.read(file)) == full(after), value
