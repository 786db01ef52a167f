# SPDX-License-Identifier: Apache-2.0
"""What sg3_utils show of a disk by the kernel's initiator, without what differs each time."""

from __future__ import annotations

import re
from pathlib import Path

from ..commands import run
from ..initiator import Chap, Initiator
from . import rows

TOOLS = {"sg_persist": "sg3-utils"}
# In this order: the lines of sg_persist follow each other.
LINES = (
    "sg_inq DISK",
    "sg_vpd --page=sv DISK",
    "sg_vpd --page=sn DISK",
    "sg_vpd --page=di DISK",
    "sg_vpd --page=bl DISK",
    "sg_vpd --page=bdc DISK",
    "sg_vpd --page=lbpv DISK",
    "sg_modes --six DISK",
    "sg_readcap --long DISK",
    "sg_rtpg --decode DISK",
    "sg_get_lba_status --lba=0 DISK",
    "sg_unmap --force --lba=8 --num=8 DISK",
    "sg_persist --in --report-capabilities --no-inquiry DISK",
    "sg_persist --out --register --param-sark=abc --param-aptpl --no-inquiry DISK",
    "sg_persist --out --reserve --param-rk=abc --prout-type=5 --no-inquiry DISK",
    "sg_persist --in --read-keys --no-inquiry DISK",
    "sg_persist --in --read-reservation --no-inquiry DISK",
    "sg_persist --in --read-full-status --no-inquiry DISK",
    "sg_persist --out --release --param-rk=abc --prout-type=5 --no-inquiry DISK",
    "sg_persist --out --clear --param-rk=abc --no-inquiry DISK",
    "sg_persist --in --read-keys --no-inquiry DISK",
)
_VOLATILE = (
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "SERIAL"),
    (r"(0x)?6001405[0-9a-f]{25}", "NAA"),
    (r"0x[0-9a-f]{9,16}\b", "NUMBER"),
    (r"generation=0x[0-9a-f]+", "generation=NUMBER"),
    # The kernel counts the ports of all targets since its start.
    (r"Relative port address: 0x[0-9a-f]+", "Relative port address: NUMBER"),
)


def look(row: rows.Row) -> dict[str, str]:
    """Log in to a row's disk and return the output of each line."""
    initiator = Initiator()
    try:
        initiator.start(Chap(rows.USER, rows.SECRET) if row.chap else None)
        initiator.discover(rows.ADDRESSES[1])
        initiator.login(rows.TARGET)
        disk = initiator.disk(rows.TARGET)
        return {f"{number:02} {line}": _output(line, disk) for number, line in enumerate(LINES, 1)}
    finally:
        initiator.stop()


def _output(line: str, disk: Path) -> str:
    program, *words = line.replace("DISK", str(disk)).split()
    done = run(program, *words, check=False)
    text = (done.stdout + done.stderr).replace(str(disk), "DISK")
    for pattern, name in _VOLATILE:
        text = re.sub(pattern, name, text)
    lines = [part.rstrip() for part in text.splitlines() if part.strip()]
    if done.returncode or not lines:
        lines.append(f"status {done.returncode}")
    return "\n".join(lines)
