# SPDX-License-Identifier: Apache-2.0
"""The same shapes on the simulated target: a quick look at what is pyshell's own part."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from . import running
from .shapes import Shape


def measure(shapes: Sequence[Shape]) -> dict[str, dict[str, float]]:
    """Return seconds by shape and command; nothing stays of the simulated targets."""
    found = {}
    for shape in shapes:
        with tempfile.TemporaryDirectory(prefix="pyshell-bench-") as scratch:
            folder = Path(scratch)
            program = str(Path(sys.executable).with_name("pyshell"))
            found[shape.name] = {
                name: running.run([program, f"--simulate={folder / 'simulator'}", *words]).seconds
                for name, words in _commands(shape, folder)
            }
    return found


def _commands(shape: Shape, folder: Path) -> Iterator[tuple[str, list[str]]]:
    file = folder / "shape.json"
    file.touch(0o600)
    file.write_text(json.dumps(shape.document()))
    yield "pwd", ["pwd"]
    yield "restoreconfig", ["restoreconfig", str(file)]
    yield "saveconfig", ["saveconfig", str(folder / "saved.json")]
    yield "apply", ["apply", str(folder / "saved.json")]
    yield "ls", ["ls", "/"]
    yield "create", ["/backstores/ramdisk", "create", "probe", "1M"]
    yield "luns create", [f"/iscsi/{shape.wwn(0)}/tpg1/luns", "create", "/backstores/ramdisk/probe"]
    yield "clearconfig", ["clearconfig", "confirm=true"]
