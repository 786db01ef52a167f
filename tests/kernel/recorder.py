# SPDX-License-Identifier: Apache-2.0
"""Records what a real LIO kernel makes and accepts, for the simulator's `recorded.json`.

In a guest with the volume of the scenario and a scsi_debug disk, all at once or part by part,
twice over, then on any machine:
    python -m tests.kernel.bed run --lvm --results DIR \
        --modules "sd_mod scsi_debug vhost_scsi target_core_user" -- \
        python -m tests.kernel.recorder DIR/raw.json [PART...]
    python -m tests.kernel.recorder_merge [--add] RAW...
Parts: kinds, fabrics, rd_mcp, iblock, fileio, pscsi, user, or one fabric by its name. All take a
quarter of an hour; what only some parts brought is put into the recording that there is by --add.

Every kind of object is made twice, with different names and numbers, so that the merge can tell
what in a text belongs to the kernel and what to the instance. Then values are tried on every
writable file, in every state of the object in which the kernel may judge otherwise.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from . import commands, softports
from .conformance_acts import mkdir, perform
from .recorder_kinds import record_alua, record_devices, record_fabric, spend_numbers
from .recorder_recording import KERNEL, Recording, do, snapshot
from .recorder_sessions import record_sessions
from .recorder_tries import TRIED, try_alua, try_devices, try_fabric

# By the names of their folders. A target of qla2xxx wants the adapter: only its folder is recorded.
FABRICS = ("iscsi", "loopback", "vhost", "sbp", "fc", "srpt")
FOLDERS = (*FABRICS, "qla2xxx")
PLUGINS = ("rd_mcp", "iblock", "fileio", "pscsi", "user")


def record_kinds(recording: Recording) -> None:
    """Record what the kernel makes."""
    for _ in range(2):
        recording.instance("root", {}, new=snapshot(""))
    for fabric in FOLDERS:
        record_folder(recording, fabric)
    spend_numbers()
    record_devices(recording)
    record_alua(recording)
    for fabric in FABRICS:
        record_fabric(recording, fabric)
    record_sessions(recording)


def record_folder(recording: Recording, fabric: str) -> None:
    """Record a fabric without its targets."""
    for _ in range(2):
        recording.instance(f"fabric/{fabric}", {}, new=snapshot(fabric))


def record_one(recording: Recording, fabric: str) -> None:
    """Record one fabric and try values on all in it."""
    record_folder(recording, fabric)
    if fabric in FABRICS:
        record_fabric(recording, fabric)
        recording.tries(f"fabric/{fabric}", "new", fabric)
        try_fabric(recording, fabric)


def try_fabrics(recording: Recording) -> None:
    """Try values on all but storage objects."""
    for fabric in FABRICS:
        recording.tries(f"fabric/{fabric}", "new", fabric)
    try_alua(recording)
    for fabric in FABRICS:
        try_fabric(recording, fabric)


def main(file: Path, *parts: str) -> None:
    """Record the parts named, or everything."""
    # The kernel complains of each refusal; on a serial console that takes longer than the try.
    Path("/proc/sys/kernel/printk").write_text("1")
    commands.run("modprobe", "tcm_qla2xxx")
    with softports.made():
        record(Recording(file), parts)


def record(recording: Recording, parts: Sequence[str]) -> None:
    """Record parts where all ports are there."""
    wanted = parts or ("kinds", "fabrics", *PLUGINS)
    for fabric in FOLDERS:
        perform(KERNEL, mkdir(fabric))
    if "kinds" in wanted:
        record_kinds(recording)
    alone = [fabric for fabric in FOLDERS if fabric in wanted]
    if alone:
        spend_numbers()
    for fabric in alone:
        record_one(recording, fabric)
    do(mkdir(f"iscsi/{TRIED}"), mkdir(f"iscsi/{TRIED}/tpgt_1"))
    if "fabrics" in wanted:
        try_fabrics(recording)
    for plugin in PLUGINS:
        if plugin in wanted:
            try_devices(recording, plugin)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
