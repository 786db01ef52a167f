# SPDX-License-Identifier: Apache-2.0
"""Records in a guest what targetcli 3.0.2 makes of the lines of lines.txt.

python -m tests.kernel.sidebyside record

Tells what differs from the recording before, which then is replaced.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .. import bus, image, peer, snapshot
from ..guestmachine import BedError, Settings, run
from . import programs, recorded, scenes
from .comparing import Played

GUEST_SECONDS = 5400.0


def _record() -> int:
    reason = image.missing({"dbus-daemon": "dbus"})
    if reason:
        raise BedError(reason)
    settings = Settings(lvm=True, environment={"PYSHELL_PEER": str(peer.build())})
    with tempfile.TemporaryDirectory(prefix="pyshell-side-by-side-") as name:
        results = Path(name)
        command = [sys.executable, "-m", str(__package__), "here"]
        if run(command, results, GUEST_SECONDS, settings):
            raise BedError((results / "stderr").read_text())
        made = results / recorded.FILE.name
        for line in _news(recorded.read(scenes.read(), made)):
            sys.stdout.write(f"{line}\n")
        recorded.FILE.write_bytes(made.read_bytes())
    return 0


def _here() -> int:
    """Play all scenes to targetcli on this kernel, in a guest."""
    results = Path(os.environ["PYSHELL_BED_RESULTS"])
    with bus.running(), programs.scsi_disk() as disk, programs.targetcli() as program:
        all_scenes = scenes.read()
        played = {
            scene.name: program.play(scene, disk, results / "line.txt") for scene in all_scenes
        }
    recorded.write(played, all_scenes, results / recorded.FILE.name)
    return 0


def _news(now: dict[str, Played]) -> Iterator[str]:
    """Yield what is not as it was recorded before."""
    try:
        before = recorded.read(scenes.read())
    except (FileNotFoundError, ValueError) as error:
        yield f"nothing to compare with: {error}"
        return
    for scene in scenes.read():
        pairs = zip(scene.steps, before[scene.name].done, now[scene.name].done, strict=True)
        for step, was, did in pairs:
            if (was.status, was.stdout, was.stderr) != (did.status, did.stdout, did.stderr):
                yield f"[{scene.name}] {step.text}\n{was}\n{did}"
            for path, (one, other) in snapshot.differences(was.tree, did.tree).items():
                yield f"[{scene.name}] {step.text}: {path}: {one!r}, now {other!r}"


def main() -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.kernel.sidebyside", description=__doc__)
    # A guest is started with `here`.
    parser.add_argument("act", choices=["record", "here"], metavar="record")
    act = _record if parser.parse_args().act == "record" else _here
    try:
        return act()
    except BedError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
