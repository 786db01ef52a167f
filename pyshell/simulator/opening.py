# SPDX-License-Identifier: Apache-2.0
"""Opens the simulated kernel in a folder, and makes a new one."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from pyshell.files import paths
from pyshell.simulator.machine import HOST_FOLDERS
from pyshell.simulator.recorded import template
from pyshell.simulator.simulator import Simulator
from pyshell.simulator.tree import Tree


def open_simulator(folder: Path) -> Simulator:
    """Return the simulated kernel in `folder`, made new where nothing is there yet.

    Raises NotADirectoryError where `folder` is no folder and ValueError where it holds
    something else than a simulator, NotPermittedError where other users can change it. The
    simulator knows the folder by its real path, as rtslib compares paths with what links lead to.
    """
    named, folder = folder, Path(os.path.realpath(folder))
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    paths.judge_folder(named)
    simulator = Simulator(folder)
    if not simulator.configfs.is_dir():
        _create(simulator)
    return simulator


def _create(simulator: Simulator) -> None:
    folder = simulator.folder
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    names = {entry.name for entry in folder.iterdir()}
    if names and "lock" not in names:
        raise ValueError(f"{folder} is not empty and holds no simulated kernel")
    tree = Tree(folder)
    with tree.locked():
        if simulator.configfs.is_dir():
            return  # another process was quicker
        folder.chmod(0o700)
        tree.prepare()
        for name in HOST_FOLDERS:
            simulator.machine.file(name).mkdir(parents=True, exist_ok=True)
        simulator.machine.prepare()
        tree.grow("", template("root", ""), {})
