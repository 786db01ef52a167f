# SPDX-License-Identifier: Apache-2.0
"""A boot with devices that come late and one that does not come, by real systemd and udev."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from ..commands import run, wait_for
from ..initiator import Initiator, disk_bytes
from .export import ADDRESS, SERVER, TPG, export_lee
from .shell import TIME_LIMIT, pyshell, started
from .systemd import Systemd, booted

SAVED = Path("/etc/target/saveconfig.json")
MARK = Path("/run/pyshell/missing")
LEE = "/backstores/block/lee_block"
LATER = "/backstores/block/later"
GONE = "/backstores/block/gone"
VOLUME = "lee/lee.lv"
NO_UDEV = ("--config", "activation{udev_sync=0 udev_rules=0} devices{use_devicesfile=0}")
WITH_UDEV = ("--config", "devices{use_devicesfile=0}")
SIZE = 1 << 24
RESTORE = "pyshell-restore.service"
WATCH = "pyshell-missing.service"
SAVE = "pyshell-save.service"
METRICS = "pyshell-metrics.service"
# Seconds of the restore's wait: enough to see that it waits and make a disk on a busy machine.
WAIT = 20


def save_three_disks(volume: Path) -> None:
    """Save the scenario with two LUNs more, of disks that are not there."""
    export_lee(volume)
    started("saveconfig")
    document = json.loads(SAVED.read_text())
    tpg = document["targets"][0]["tpgs"][0]
    for index, name in ((1, "later"), (2, "gone")):
        device = {"plugin": "block", "name": name, "dev": f"/dev/mapper/{name}"}
        document["storage_objects"].append(device)
        tpg["luns"].append({"index": index, "storage_object": f"/backstores/block/{name}"})
        tpg["node_acls"][0]["mapped_luns"].append({"index": index, "tpg_lun": index})
    SAVED.write_text(json.dumps(document))
    started("clearconfig", "confirm=true")


@contextmanager
def later_disk() -> Iterator[None]:
    """Make /dev/mapper/later, and remove it afterwards."""
    Path("/run/later.img").write_bytes(bytes(SIZE))
    loop = run("losetup", "--find", "--show", "/run/later.img").stdout.strip()
    run("dmsetup", "create", "later", "--table", f"0 {SIZE // 512} linear {loop} 0")
    try:
        yield
    finally:
        started("clearconfig", "confirm=true")
        run("dmsetup", "remove", "--noudevsync", "later")
        run("losetup", "-d", loop)


def served(path: str) -> bool:
    """Tell whether a storage object runs."""
    return started(path, status=None).returncode == 0


def disks(initiator: Initiator) -> int:
    """Return how many disks the initiator's session has, of any size."""
    (session,) = initiator.sessions()
    return sum(1 for name in session.disks if disk_bytes(name))


def messages(text: str) -> dict[str, int]:
    """Return the messages of a journal with their priorities."""
    entries = [json.loads(line) for line in text.splitlines()]
    return {entry["MESSAGE"]: int(entry["PRIORITY"]) for entry in entries}


def test_field_failure_3_late_devices_are_served_and_a_missing_one_is_named(
    lee: Path, initiator: Initiator
) -> None:
    save_three_disks(lee)
    before = SAVED.read_bytes()
    run("lvchange", "-an", VOLUME, *NO_UDEV)
    try:
        with booted(wait=WAIT) as systemd:
            boot_with_two_late_devices(systemd, initiator)
            assert SAVED.read_bytes() == before
            assert systemd("stop", RESTORE).returncode == 0
            assert systemd.state(RESTORE) == "inactive"
            wait_for("nothing to be missing", lambda: systemd.state(WATCH) == "inactive")
            assert started("sessions").stdout == "(no open sessions)\n"
            assert not MARK.exists()
            assert not served(LEE)
    finally:
        run("lvchange", "-ay", VOLUME, *NO_UDEV)


def boot_with_two_late_devices(systemd: Systemd, initiator: Initiator) -> None:
    """Watch a boot in which one disk comes while it is waited for, one after that, one never."""
    waits = f"Waiting up to {WAIT} seconds for"
    wait_for("the wait", lambda: waits in systemd.journal(RESTORE), TIME_LIMIT)
    run("lvchange", "-ay", VOLUME, *WITH_UDEV)
    wait_for("the end of the wait", lambda: systemd.state(RESTORE) == "active", TIME_LIMIT)
    shown = systemd("status", RESTORE).stdout
    assert "active (exited)" in shown
    assert "status=6" in shown
    said = messages(systemd.journal(RESTORE))
    assert said[f"Added late: {LEE}"] == 5
    missing = "There is no block device /dev/mapper/gone, skipped"
    assert said[f"create storage object block/gone: {missing}"] == 3
    assert not any("lee" in text for text, priority in said.items() if priority == 3)
    wait_for("what is missing to be told", lambda: systemd.state(WATCH) == "failed", TIME_LIMIT)
    initiator.start()
    initiator.discover(ADDRESS)
    initiator.login(SERVER)
    wait_for("the first disk", lambda: disks(initiator) == 1)
    with later_disk():
        late = "the disk that udev tells of"
        wait_for(late, lambda: LATER not in MARK.read_text(), TIME_LIMIT)
        assert served(LATER)
        run("iscsiadm", "-m", "session", "--rescan")
        wait_for("the second disk", lambda: disks(initiator) == 2)
        status = started("status").stdout
        assert f"{GONE}: There is no block device /dev/mapper/gone" in status
        assert "restoreconfig missing_only=true" in status
        assert f"{TPG}/luns/lun1" not in status
        wait_for("the look to end", lambda: systemd.state(WATCH) == "failed", TIME_LIMIT)
        initiator.stop()


def scraped() -> str:
    """Return the metrics that the unit serves, "" if it does not yet."""
    try:
        with urlopen("http://127.0.0.1:9814/metrics", timeout=TIME_LIMIT) as answer:
            return str(answer.read(), "utf-8")
    except OSError:
        return ""


def check_metrics(systemd: Systemd, folder: Path) -> None:
    """The unit serves what only root reads, can change nothing, and keeps no file system busy."""
    systemd.shell("mount --make-rshared /")  # systemd does it, but not in a container
    systemd.shell(f"mount -o loop /run/later.img {folder}")
    assert systemd("start", METRICS).returncode == 0
    wait_for("the metrics", lambda: scraped() != "", TIME_LIMIT)
    families = {one.name: one for one in text_string_to_metric_families(scraped())}
    for name, value in (("pyshell_unsaved", 0), ("pyshell_portal_up", 1)):
        assert [one.value for one in families[name].samples] == [value]
    pid = systemd("show", "--property=MainPID", "--value", METRICS).stdout.strip()
    within = f"nsenter -t {pid} -m sh -c"
    for path in (SAVED, f"/sys/kernel/config/target/iscsi/{SERVER}/tpgt_1/enable"):
        systemd.shell(f"{within} 'cat {path}' && ! {within} 'echo 0 > {path}'")
    systemd.shell(f"umount {folder}")
    associated = ("losetup", "--associated", "/run/later.img")
    wait_for("the loop device to be free", lambda: run(*associated).stdout == "")
    assert systemd("stop", METRICS).returncode == 0
    assert systemd.state(METRICS) == "inactive", systemd.journal(METRICS)


def test_the_confined_units_serve_metrics_and_save_what_runs(lee: Path) -> None:
    """Finding 53: each has a mount namespace of its own, in which one can still save."""
    export_lee(lee)
    pyshell("saveconfig")
    Path("/run/later.img").write_bytes(bytes(SIZE))
    run("mkfs.ext4", "-q", "/run/later.img")
    folder = Path("/run/mounted")
    folder.mkdir()
    with booted(wait=0) as systemd:
        try:
            check_metrics(systemd, folder)
            assert systemd("start", SAVE).returncode == 0
            pyshell("/backstores/ramdisk", "create", "late", "1M")
            systemd("stop", SAVE)
            assert systemd.state(SAVE) == "inactive", systemd.journal(SAVE)
            found = json.loads(SAVED.read_text())["storage_objects"]
            assert [one["name"] for one in found] == ["lee_block", "late"]
        finally:
            pyshell("clearconfig", "confirm=true")
