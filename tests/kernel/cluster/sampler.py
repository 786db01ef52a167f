# SPDX-License-Identifier: Apache-2.0
"""Notes on a node what it exports, twice a second: a line when that changes. Needs no pyshell.

sampler.py FILE ADDRESS
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path

ISCSI = Path("/sys/kernel/config/target/iscsi")
PERIOD = 0.5
# A line, too, if nothing changes: so long a silence is a node that does not run.
ALIVE_SECONDS = 2.0
# 3260 and the state of a listening socket, as /proc/net/tcp writes them.
LISTENING = re.compile(r":0CBC [0-9A-F:]+ 0A ")


def sample(address: str) -> dict[str, object]:
    """Return what this kernel exports, and its DRBD roles."""
    enabled = []
    for file in ISCSI.glob("iqn.*/tpgt_*/enable"):
        try:
            if file.read_text().strip() == "1":
                enabled.append(file.parts[-3])
        except OSError:  # deleted meanwhile
            continue
    drbd = Path("/proc/drbd")
    text = drbd.read_text() if drbd.exists() else ""
    return {
        "enabled": enabled,
        "listening": bool(LISTENING.search(Path("/proc/net/tcp").read_text())),
        "address": address in Path("/proc/net/fib_trie").read_text(),
        "drbd": re.findall(r"\d+: cs:(\S+) ro:(\S+) ds:(\S+)", text),
    }


def main(file: Path, address: str) -> None:
    """Write until the end of the node."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
    before: dict[str, object] = {}
    written = 0.0
    with file.open("a") as log:
        while True:
            now = time.time()
            seen = sample(address)
            if seen != before or now - written >= ALIVE_SECONDS:
                log.write(json.dumps({"time": round(now, 3), "boot": boot, **seen}) + "\n")
                log.flush()
                before, written = seen, now
            time.sleep(PERIOD)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
