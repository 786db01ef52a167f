# SPDX-License-Identifier: Apache-2.0
"""An initiator finds the same disk, data and permission under new names."""

from __future__ import annotations

import json
import mmap
import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..commands import run, wait_for
from ..initiator import Chap, Initiator
from .export import ADDRESS, SERVER, TPG, export_lee
from .shell import batch

RENAMED = "iqn.2020-07.192.168.56.101:renamed"
REINSTALLED = "iqn.2020-07.192.168.56.105:reinstalled"
CHAP = Chap("lee", "secret-of-lee-12")
DATA = b"written before"
KEY = "0xabc1"


def wwid(disk: Path) -> str:
    """Return the name by which an initiator knows a disk, whatever it is called here."""
    return Path(f"/sys/class/block/{disk.name}/device/wwid").read_text().strip()


def start_of(disk: Path) -> bytes:
    """Return the first bytes of a disk, once it answers; the cache is not read."""
    run("blockdev", "--flushbufs", str(disk), check=False)

    def read() -> bytes:
        try:
            with disk.open("rb") as file:
                return file.read(len(DATA))
        except OSError:
            return b""

    return wait_for(f"{disk} to be read", read)


@contextmanager
def read_meanwhile(disk: Path) -> Iterator[Counter[str]]:
    """Read the first block again and again, past the cache; count what was read."""
    found: Counter[str] = Counter()
    ended = threading.Event()
    descriptor = os.open(disk, os.O_RDONLY | os.O_DIRECT)
    block = mmap.mmap(-1, 4096)

    def read() -> None:
        while not ended.is_set():
            try:
                os.preadv(descriptor, [block], 0)
                found["data" if block[: len(DATA)] == DATA else "other"] += 1
            except OSError:
                found["error"] += 1

    reader = threading.Thread(target=read)
    reader.start()
    try:
        wait_for("the first reads", lambda: found["data"] > 10)
        yield found
        read_before = found.total()
        wait_for("reads afterwards", lambda: found.total() > read_before + 10)
    finally:
        ended.set()
        reader.join()
        os.close(descriptor)


def test_disk_secret_and_reservation_are_kept(lee: Path, initiator: Initiator) -> None:
    export_lee(lee, CHAP)
    initiator.start(CHAP)
    initiator.discover(ADDRESS)
    initiator.login(SERVER)
    disk = initiator.disk(SERVER)
    known = wwid(disk)
    with disk.open("r+b") as file:
        file.write(DATA)
    for words in (
        ("--register", f"--param-sark={KEY}", "--param-aptpl"),
        ("--reserve", f"--param-rk={KEY}", "--prout-type=1"),
    ):
        run("sg_persist", "--out", *words, str(disk))

    with read_meanwhile(disk) as reads:
        said = batch("/backstores/block/lee_block rename data1", "/backstores/block/data1 info")
    assert set(reads) == {"data"}
    assert f"Terminated the session of {initiator.name}" in said
    assert start_of(disk) == DATA
    assert wwid(disk) == known
    assert f"reservation: Write Exclusive Access, held by {initiator.name}\n" in said
    assert f"{initiator.name} (key {int(KEY, 16):#018x})" in said

    wanted = Path("/run/wanted.json")
    batch(f"saveconfig {wanted}")
    document = json.loads(wanted.read_text())
    document["storage_objects"][0]["wwn"] = "another-number"
    wanted.write_text(json.dumps(document))
    with read_meanwhile(disk) as reads:
        said = batch(f"{TPG}/luns/lun0 rename 1", "undo", f"apply {wanted}", "undo")
    assert set(reads) == {"data"}
    assert f"Terminated the session of {initiator.name}" in said

    said = batch(
        f"{TPG}/acls/{initiator.name}/mapped_lun0 rename 3",
        f"{TPG}/luns/lun0 rename 7",
        f"{TPG} rename 2",
        f"/iscsi/{SERVER} rename {RENAMED}",
        f"/iscsi/{RENAMED}/tpg2/acls/{initiator.name} rename {REINSTALLED}",
    )
    assert f"Terminated the session of {initiator.name}" in said
    assert CHAP.password not in said
    initiator.stop()
    initiator.name = REINSTALLED
    initiator.start(CHAP)
    assert initiator.discover(ADDRESS) == [f"{ADDRESS}:3260,2 {RENAMED}"]
    initiator.login(RENAMED)
    disk = initiator.disk(RENAMED)
    assert wwid(disk) == known
    assert start_of(disk) == DATA
    (lun,) = Path(f"/sys/class/block/{disk.name}/device/scsi_disk").iterdir()
    assert lun.name.rpartition(":")[2] == "3"
