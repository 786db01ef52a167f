# SPDX-License-Identifier: Apache-2.0
"""`top`: what flows, read from the kernel's counters."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell, clean_environment
from pyshell.commands import monitor
from pyshell.commands.monitor import Choice
from pyshell.lio.statistics import Sample, samples

MEBIBYTE = 1 << 20
MAPPED = f"iscsi/{SERVER}/tpgt_1/acls/{CLIENT}/lun_0"


@pytest.fixture
def sample(exported: Pyshell) -> Sample:
    """Return a sample of four seconds, in which 8 MiB were written and 2 MiB read."""
    exported.prepare(
        "/backstores/ramdisk create name=idle size=8M",
        f"{TPG}/luns create /backstores/ramdisk/idle",
    )
    clock = iter([0.0, 0.0, 4.0])

    def wait(_: float) -> None:
        path = str(exported.configfs / MAPPED)
        exported.simulator.transfer(path, 40, read=2 * MEBIBYTE, written=8 * MEBIBYTE)

    return next(samples(exported.open(), 4, wait, lambda: next(clock)))


def rows(sample: Sample, **choice: str) -> list[tuple[str, ...]]:
    """Return the rows of a table."""
    return [tuple(row) for row in monitor.rate_table(sample, Choice(**choice)).rows]


def test_rates_are_by_the_second_of_all_that_it_went_through(sample: Sample) -> None:
    rates = ("10", "512.0KiB", "2.0MiB")
    assert rows(sample) == [
        ("object", "block/lee_block", *rates),
        ("object", "ramdisk/idle", "0", "0B", "0B"),
        ("lun", f"{SERVER}/tpg1/lun0", *rates),
        ("lun", f"{SERVER}/tpg1/lun1", "0", "0B", "0B"),
        ("initiator", CLIENT, *rates),
    ]


def test_what_is_shown_can_be_chosen(sample: Sample) -> None:
    def named(**choice: str) -> list[str]:
        return [row[1] for row in rows(sample, **choice)]

    assert named(by="initiators") == [CLIENT]
    assert named(by="objects", sort="name") == ["block/lee_block", "ramdisk/idle"]
    assert named(below="/backstores/ramdisk") == ["ramdisk/idle"]
    assert named(text="LUN1") == [f"{SERVER}/tpg1/lun1"]


def test_what_was_made_anew_counts_from_nothing(exported: Pyshell) -> None:
    path = str(exported.configfs / MAPPED)
    exported.simulator.transfer(path, 100, written=64 * MEBIBYTE)

    def wait(_: float) -> None:
        exported.must(
            f"{TPG}/luns delete lun0",
            "/backstores/block delete lee_block",
            "/backstores/block create name=lee_block dev=/dev/mapper/lee-lee.lv",
            f"{TPG}/luns create /backstores/block/lee_block lun=lun0",
        )
        exported.simulator.transfer(path, 1, written=MEBIBYTE)

    (found,) = islice(samples(exported.open(), 1, wait), 1)
    assert {rate.written > 0 and rate.commands > 0 for rate in found.rates} == {True}


def test_an_initiator_of_two_targets_is_told_apart(exported: Pyshell) -> None:
    other = "iqn.2020-07.com.example:other"
    exported.must(f"/iscsi create {other}", f"/iscsi/{other}/tpg1/acls create {CLIENT}")
    ran = exported("-o", "json", "top", "interval=0.1", "by=initiators", "sort=name").done()
    names = [rate["name"] for rate in ran.json["result"]["rates"]]
    assert names == [f"{CLIENT} at {wwn}/tpg1" for wwn in (SERVER, other)]


def test_in_a_pipe_it_looks_once_unless_told(exported: Pyshell) -> None:
    ran = exported("top", "interval=0.1").done()
    assert ran.lines[1].split() == ["kind", "name", "commands/s", "read/s", "written/s"]
    assert len(ran.lines) == 5
    assert len(exported("top", "interval=0.1", "count=2").done().lines) == 10


def test_as_json_each_look_is_one_line(exported: Pyshell) -> None:
    ran = exported("-o", "json", "top", "interval=0.1", "count=3").done()
    documents = [json.loads(line) for line in ran.lines]
    assert len(documents) == 3
    assert {document["schema"] for document in documents} == {1}
    first = documents[0]["result"]["rates"][0]
    assert (first["kind"], first["path"]) == ("object", "/backstores/block/lee_block")
    assert first["written_bytes_per_second"] == 0


@pytest.mark.parametrize("word", ["interval=0", "interval=x", "count=x", "by=x", "sort=x"])
def test_what_makes_no_sense_is_refused(exported: Pyshell, word: str) -> None:
    ran = exported("top", word)
    assert (ran.status, ran.err.count("\n")) == (2, 3), ran.err


@pytest.mark.parametrize("count", ["0", "-1", "1.5", ""])
def test_it_looks_at_least_once(exported: Pyshell, count: str) -> None:
    ran = exported("top", f"count={count}")
    assert ran.status == 2
    told = f"count: '{count}' is not a valid number of samples. Give 1 or more"
    assert told in ran.err


@pytest.fixture
def terminal(exported: Pyshell) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Return the keyboard's end of a terminal of 80 by 24, in which `top` runs."""
    main, other = pty.openpty()
    command = [sys.executable, "-m", "pyshell", f"--simulate={exported.folder}"]
    running = subprocess.Popen(
        [*command, "top", "interval=0.2"],
        stdin=other,
        stdout=other,
        stderr=other,
        env={**clean_environment(), "TERM": "xterm", "COLUMNS": "80", "LINES": "24"},
        start_new_session=True,
    )
    os.close(other)
    yield main, running
    running.kill()
    running.wait()
    os.close(main)


def test_at_a_terminal_it_draws_in_place_until_it_is_stopped(
    terminal: tuple[int, subprocess.Popen[bytes]],
) -> None:
    main, running = terminal
    shown = b""
    deadline = time.monotonic() + 30
    while shown.count(b"commands/s") < 3 and time.monotonic() < deadline:
        if select.select([main], [], [], 1)[0]:
            shown += os.read(main, 65536)
    assert shown.count(b"commands/s") >= 3
    assert b"\x1b[2K" in shown  # the line before is taken away
    running.send_signal(2)
    assert running.wait(10) == 0
