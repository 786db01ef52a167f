# SPDX-License-Identifier: Apache-2.0
"""Who is connected, who was refused, and what flows, with open-iscsi as the other host."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from ..commands import run
from ..initiator import NAME, Chap, Initiator
from .export import ADDRESS, SERVER, export_lee
from .shell import batch, pyshell

DEMO = "iqn.2020-07.192.168.56.101:demo"
CLOSED = "iqn.2020-07.192.168.56.101:closed"
ACL = f"/iscsi/{CLOSED}/tpg1/acls/{NAME}"
CHAP = Chap("client", "secret-of-client")
NOT_AUTHORISED = 24
MEBIBYTE = 1 << 20
WRITTEN, READ = 48, 8
"""MiB that dd writes and reads."""


def as_data(*words: str, status: int | None = 0) -> Any:
    """Run a reading command and return its result."""
    return json.loads(pyshell("-o", "json", *words, status=status).stdout)["result"]


def export_three(volume: Path) -> None:
    """Export a disk by ACL, another in demo mode, and a third to whoever knows a secret."""
    export_lee(volume)
    lines = ["/backstores/ramdisk create name=scratch size=16M"]
    for wwn, port in ((DEMO, 3261), (CLOSED, 3262)):
        tpg = f"/iscsi/{wwn}/tpg1"
        lines += [
            f"/iscsi create {wwn}",
            f"{tpg}/portals create {ADDRESS} {port}",
            f"{tpg}/luns create /backstores/ramdisk/scratch",
        ]
    lines += [
        f"/iscsi/{DEMO}/tpg1 set attribute generate_node_acls=1",
        f"/iscsi/{CLOSED}/tpg1/acls create {NAME}",
        f"{ACL} set auth userid={CHAP.user} password={CHAP.password}",
        f"/iscsi/{CLOSED}/tpg1 set attribute authentication=1",
    ]
    batch("set global auto_add_default_portal=false", *lines)
    batch("set global auto_add_default_portal=true")


def log_in_everywhere(initiator: Initiator) -> None:
    """Log in to all three targets; the third refuses, as it gets no secret."""
    initiator.start()
    for port in (3260, 3261, 3262):
        initiator.discover(f"{ADDRESS}:{port}")
    initiator.login(SERVER)
    initiator.login(DEMO)
    assert initiator.try_login(CLOSED).returncode == NOT_AUTHORISED


def metric(name: str, **labels: str) -> float:
    """Return one value of what `metrics` prints, read by the reference client."""
    families = text_string_to_metric_families(pyshell("metrics").stdout)
    (found,) = [
        float(sample.value)
        for family in families
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    return found


def refusals() -> list[dict[str, Any]]:
    """Return what `doctor` finds of refused logins."""
    return [one for one in as_data("doctor", status=None) if one["check"] == "logins"]


def test_who_is_in_and_who_was_refused_is_seen(lee: Path, initiator: Initiator) -> None:
    export_three(lee)
    log_in_everywhere(initiator)

    by_acl, dynamic = sorted(as_data("sessions"), key=lambda one: bool(one["dynamic"]))
    assert (by_acl["target"], by_acl["initiator"], by_acl["state"]) == (SERVER, NAME, "LOGGED_IN")
    assert by_acl["since"] is None  # with another one, whose number is not told
    assert dynamic["address"] == "192.168.56.105"
    assert by_acl["connections"][0]["address"] == "192.168.56.105"
    assert by_acl["mapped_luns"] == [
        {"index": 0, "storage_object": "block/lee_block", "mode": "rw"}
    ]
    assert (dynamic["target"], dynamic["initiator"]) == (DEMO, NAME)
    assert dynamic["mapped_luns"][0]["storage_object"] == "ramdisk/scratch"

    assert metric("pyshell_sessions", target=SERVER, kind="acl") == 1
    assert metric("pyshell_sessions", target=DEMO, kind="dynamic") == 1
    assert metric("pyshell_login_failures_total", target=CLOSED, reason="authenticate") == 1
    assert metric("pyshell_logins_total", target=SERVER) == 1

    (refused,) = refusals()
    assert refused["path"] == f"/iscsi/{CLOSED}"
    assert f"{NAME} from 192.168.56.105: CHAP" in refused["message"]
    (command,) = refused["choices"]
    pyshell(*shlex.split(command)[1:], stdin=f"{CHAP.password}\n")
    for setting, value in (
        ("authmethod", "CHAP"), ("username", CHAP.user), ("password", CHAP.password)
    ):  # fmt: skip
        run("iscsiadm", "-m", "node", "-T", CLOSED, "-o", "update",
            "-n", f"node.session.auth.{setting}", "-v", value)  # fmt: skip
    initiator.login(CLOSED)
    assert refusals() == []
    assert {one["authenticated"] for one in as_data("sessions", f"target={CLOSED}")} == {True}


def test_top_agrees_with_what_dd_wrote_and_read(lee: Path, initiator: Initiator) -> None:
    export_lee(lee)
    initiator.start()
    initiator.discover(ADDRESS)
    initiator.login(SERVER)
    disk = initiator.disk(SERVER)
    command = [sys.executable, "-m", "pyshell", "-o", "json", "top", "interval=10", "count=7"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as looking:
        assert looking.stdout is not None
        looking.stdout.readline()  # from now on it counts
        run("dd", "if=/dev/zero", f"of={disk}", "bs=1M", f"count={WRITTEN}", "oflag=direct")
        run("dd", f"if={disk}", "of=/dev/null", "bs=128k", f"count={READ * 8}", "iflag=direct")
        samples = [json.loads(line)["result"] for line in looking.stdout]
    assert looking.returncode == 0
    assert len(samples) == 6
    for kind in ("object", "lun", "initiator"):
        assert_about(moved(samples, kind, "written"), WRITTEN * MEBIBYTE)
        assert_about(moved(samples, kind, "read"), READ * MEBIBYTE)


def moved(samples: list[Any], kind: str, direction: str) -> float:
    """Return the bytes that samples add up to."""
    return sum(
        float(rate[f"{direction}_bytes_per_second"] * sample["seconds"])
        for sample in samples
        for rate in sample["rates"]
        if rate["kind"] == kind
    )


def assert_about(found: float, wanted: float) -> None:
    """See that two numbers differ by no more than five in a hundred."""
    assert abs(found - wanted) <= wanted * 0.05, (found, wanted)


def test_doctor_brings_configfs_back() -> None:
    run("umount", "/sys/kernel/config")
    (found,) = as_data("doctor", status=2)
    assert (found["check"], found["level"]) == ("kernel", "error")
    assert "pyshell_target_up 0" in pyshell("metrics").stdout
    for command in found["commands"]:
        run("sh", "-c", command)
    assert [one for one in as_data("doctor", status=None) if one["check"] == "kernel"] == []
