# SPDX-License-Identifier: Apache-2.0
"""Writes numbered blocks to a disk, and reads them: was an acknowledged one lost? Needs no pyshell.

writer.py DEVICE FOLDER: writes until FOLDER/writer.stop exists, then reads every block that was
acknowledged. FOLDER gets writer.log, a line per acknowledged block (number, place, seconds since
1970 at its begin and at its end), and writer.json, the summary. Each block has its number and a
checksum; they go round the disk, so a place holds the latest number written to it.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import mmap
import os
import random
import struct
import sys
import time
from pathlib import Path

BLOCK = 4096
MAGIC = b"pyshell-writer-1"
HEADER = struct.Struct("<16sQQ")
DIGEST = 32
# Seconds between two begins: so many blocks are enough, and the guests share two processors.
PACE = 0.05
READ_EACH = 8
LONG_PAUSE = 3.0


def block(run: int, number: int) -> bytes:
    """Return the content of a block."""
    head = HEADER.pack(MAGIC, run, number)
    filling = hashlib.sha256(head).digest() * (BLOCK // DIGEST)
    body = head + filling[: BLOCK - len(head) - DIGEST]
    return body + hashlib.sha256(body).digest()


def number_in(content: bytes, run: int) -> int | None:
    """Return the number of a block of this run; None if it is damaged or of something else."""
    magic, of, number = HEADER.unpack_from(content)
    if (magic, of) != (MAGIC, run) or content != block(run, number):
        return None
    return int(number)


class Writer:
    """What was written, what was acknowledged, and what was wrong."""

    def __init__(self, device: int, places: int) -> None:
        self.run = random.getrandbits(63)
        self._device = device
        self._places = places
        self._buffer = mmap.mmap(-1, BLOCK)  # aligned, as O_DIRECT needs
        self.number = 0
        self.latest: dict[int, int] = {}
        # Writes that failed: their block may be there or not.
        self.open: dict[int, set[int]] = {}
        self.errors: list[dict[str, object]] = []
        # Blocks that were not what was acknowledged, when they were read.
        self.wrong: list[dict[str, object]] = []
        self.reads = 0

    def write(self) -> tuple[int, int] | None:
        """Write the next block; return its number and place if it was acknowledged."""
        number, place = self.number, self.number % self._places
        self.number += 1
        self._buffer[:] = block(self.run, number)
        try:
            if os.pwrite(self._device, self._buffer, place * BLOCK) != BLOCK:
                raise OSError("short write")
        except OSError as error:
            self.errors.append({"time": time.time(), "write": number, "error": str(error)})
            self.open.setdefault(place, set()).add(number)
            return None
        self.latest[place] = number
        self.open.pop(place, None)
        return number, place

    def read(self, place: int) -> None:
        """Compare a place with what was acknowledged for it."""
        self._buffer[:] = bytes(BLOCK)
        begin = time.time()
        try:
            if os.preadv(self._device, [self._buffer], place * BLOCK) != BLOCK:
                raise OSError("short read")
        except OSError as error:
            self.errors.append({"time": time.time(), "read": place, "error": str(error)})
            return
        self.reads += 1
        found = number_in(self._buffer[:], self.run)
        if found not in {self.latest[place], *self.open.get(place, ())}:
            what = {"place": place, "expected": self.latest[place], "found": found}
            head = self._buffer[: HEADER.size].hex()
            self.wrong.append({"begin": begin, "end": time.time(), **what, "head": head})

    def read_one(self) -> None:
        """Compare an acknowledged place, any."""
        if self.latest:
            self.read(random.choice(list(self.latest)))


def pauses(times: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return begin and length of the long waits for the next acknowledgement.

    `times` are begin and end of each write by a clock that is not set. A pause begins with the
    write that waits, or with the last acknowledgement if a read waited meanwhile.
    """
    waits = [(before[1], after[1] - before[1]) for before, after in itertools.pairwise(times)]
    return [(begin, length) for begin, length in waits if length >= LONG_PAUSE]


def main(device: str, folder: Path) -> None:
    """Write, read, report."""
    opened = os.open(device, os.O_RDWR | os.O_DIRECT | os.O_SYNC)
    writer = Writer(opened, os.lseek(opened, 0, os.SEEK_END) // BLOCK)
    stop = folder / "writer.stop"
    times: list[tuple[float, float]] = []
    offset = time.time() - time.monotonic()
    with (folder / "writer.log").open("w", buffering=1 << 16) as log:
        while not stop.exists():
            begin = time.monotonic()
            acknowledged = writer.write()
            end = time.monotonic()
            if acknowledged:
                times.append((begin, end))
                number, place = acknowledged
                log.write(f"{number} {place} {offset + begin:.3f} {offset + end:.3f}\n")
            if writer.number % READ_EACH == 0:
                writer.read_one()
                log.flush()
                _report_progress(folder, writer, times)
            time.sleep(max(0.0, PACE - (time.monotonic() - begin)))
    wrong, writer.wrong = writer.wrong, []
    for place in sorted(writer.latest):
        writer.read(place)
    _report(folder / "writer.json", writer, wrong, (times, offset))


def _report_progress(folder: Path, writer: Writer, times: list[tuple[float, float]]) -> None:
    short = {"acknowledged": len(times), "errors": len(writer.errors), "wrong": len(writer.wrong)}
    (folder / "writer.progress").write_text(json.dumps(short))


def _report(
    path: Path,
    writer: Writer,
    wrong: list[dict[str, object]],
    measured: tuple[list[tuple[float, float]], float],
) -> None:
    times, offset = measured
    long = [{"begin": offset + begin, "seconds": length} for begin, length in pauses(times)]
    waits = [after[1] - before[1] for before, after in itertools.pairwise(times)]
    summary = {
        "written": writer.number,
        "acknowledged": len(times),
        "places": len(writer.latest),
        "reads": writer.reads,
        # Read while it wrote, and at the end.
        "wrong": wrong,
        "lost": writer.wrong,
        "errors": writer.errors,
        "longest_pause": max(waits, default=0.0),
        "pauses": long,
    }
    finished = path.with_suffix(".new")
    finished.write_text(json.dumps(summary, indent=1))
    finished.rename(path)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
