# SPDX-License-Identifier: Apache-2.0
"""The two programs and their place in a guest: pyshell and targetcli, and scenes played to both."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .. import commands, lio, snapshot
from ..forked import Forked, modules_of_pyshell
from .comparing import Did, Played
from .scenes import Scene

# Where both programs work: the same path for both, empty at the start of each scene.
PLACE = Path("/run/tmp/side-by-side")
TARGETCLI = "targetcli"


class Program(Forked):
    """A program of the two: its preferences lie in its folder, beside what it prints."""

    def run_line(self, arguments: Sequence[str], stdin: str = "") -> tuple[int, str, str]:
        """Run a command line in PLACE; return the exit status and both outputs."""
        environment = {"TARGETCLI_HOME": str(self.home), "TERM": "dumb"}
        return self.run(arguments, PLACE, stdin, environment)

    @property
    def home(self) -> Path:
        """Return where its preferences lie."""
        return self.folder / "home"

    @property
    def name(self) -> str:
        """Return what it is; both are called by the name targetcli."""
        return TARGETCLI if self.argv0 == TARGETCLI else "pyshell"

    def start(self) -> None:
        """Empty the kernel, the program's preferences and the place where it works."""
        # The folder stays where a configuration was cleared; so does what lio writes into it.
        for _ in range(2):
            lio.clear()
            (lio.CONFIGFS / "iscsi").mkdir(exist_ok=True)
        commands.run("rm", "-rf", str(PLACE))
        PLACE.mkdir(parents=True)
        (PLACE / "there.img").write_bytes(bytes(1 << 20))
        (PLACE / "folder").mkdir()
        shutil.rmtree(self.home, ignore_errors=True)
        if self.name != TARGETCLI:
            status, *_ = self.run_line(["set", "global", "default_portal_address=::0"])
            assert status == 0

    def play(self, scene: Scene, disk: snapshot.Names, hanging: Path) -> Played:
        """Run a scene's lines one after the other, and look at the kernel after each.

        `hanging` is a file that the host sees: it tells which line hangs, if one does.
        """
        names = {**disk, "RELEASE": os.uname().release}

        def tree() -> snapshot.Tree:
            return snapshot.plain_tree(snapshot.take(), scene.text, names)

        self.start()
        played = Played(tree(), [])
        for step in scene.steps:
            hanging.write_text(step.text)
            begun = time.monotonic()
            status, *texts = self.run_line(step.arguments(disk))
            seconds = time.monotonic() - begun
            stdout, stderr = (snapshot.plain(text, scene.text, names) for text in texts)
            played.done.append(Did(status, stdout, stderr, tree(), seconds))
        return played


@contextmanager
def targetcli() -> Iterator[Program]:
    """Have targetcli 3.0.2, whose Python PYSHELL_PEER names or says why there is none."""
    python = os.environ["PYSHELL_PEER"]
    assert python.startswith("/"), python
    folder = _own_folder(TARGETCLI)
    program = Program(python, "targetcli.targetcli_shell:main", (), TARGETCLI, folder)
    yield program
    program.end()


@contextmanager
def pyshell() -> Iterator[Program]:
    """Have pyshell, called by a link of the name targetcli."""
    folder = _own_folder("pyshell")
    (folder / "bin").mkdir()
    link = folder / "bin" / TARGETCLI
    link.symlink_to(Path(sys.executable).with_name("pyshell"))
    program = Program(sys.executable, "pyshell.cli:main", modules_of_pyshell(), str(link), folder)
    yield program
    program.end()


@contextmanager
def scsi_disk() -> Iterator[snapshot.Names]:
    """Have a SCSI disk that is made of memory: its name and address, as $DISK and $ADDRESS."""
    commands.run("modprobe", "sd_mod")
    commands.run("modprobe", "-r", "scsi_debug", check=False)  # another test may have used it up
    commands.run("modprobe", "scsi_debug", "dev_size_mb=8")
    folder = Path("/sys/bus/pseudo/drivers/scsi_debug")

    def disk() -> Path | None:
        return next(folder.glob("adapter0/host*/target*/*:*/block/*"), None)

    found = commands.wait_for("a SCSI disk", disk)
    yield {"DISK": f"/dev/{found.name}", "ADDRESS": found.parents[1].name}
    commands.run("modprobe", "-r", "scsi_debug")


def _own_folder(name: str) -> Path:
    """Return an empty folder for a program's preferences and outputs, in the guest's memory."""
    folder = PLACE.with_name(f"own-{name}")
    commands.run("rm", "-rf", str(folder))
    folder.mkdir(parents=True)
    return folder
