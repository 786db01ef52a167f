# SPDX-License-Identifier: Apache-2.0
"""The folders with what is measured, packed for the guest: from the host's it reads slowly."""

from __future__ import annotations

import compileall
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

# What no program that is measured imports.
NOT_NEEDED = (
    "./site-packages", "./test", "./idlelib", "./config-*", "./tkinter", "./ensurepip",
    "mypy*", "*mypyc*", "pip", "ruff*", "setuptools", "pygments", "grimp*",
)  # fmt: skip


def own() -> Iterator[Path]:
    """Yield the folders of pyshell's own environment."""
    here = Path(sys.prefix).parent
    for folder in (here / "pyshell", here / "tests"):
        compileall.compile_dir(str(folder), quiet=1)  # as an installed program is
    yield from (here / "pyshell", here / "tests/bench", Path(sys.prefix))
    yield Path(sysconfig.get_path("stdlib"))


def pack(folder: Path, into: Path) -> None:
    """Pack a folder; the file's name tells where it lies."""
    name = str(folder).strip("/").replace("/", "+")
    left_out = [f"--exclude={one}" for one in NOT_NEEDED]
    subprocess.run(["tar", "-C", folder, *left_out, "-cf", into / f"{name}.tar", "."], check=True)


def named(packed: Path) -> Path:
    """Return the folder that a file was packed of."""
    return Path("/" + packed.stem.replace("+", "/"))
