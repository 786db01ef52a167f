# SPDX-License-Identifier: Apache-2.0
"""The root's command that checks a saved configuration."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pyshell.config.store import state
from pyshell.errors import PyshellError
from pyshell.tree.command import FILE, command
from pyshell.tree.node import Node
from pyshell.tree.results import Lines, Result

if TYPE_CHECKING:
    from pyshell.config.positions import LocatedProblem


@command(examples=("check", "check saveconfig.example.json"))
def check(
    node: Node,
    savefile: Annotated[str | None, FILE, "File to check. Default: the boot file."] = None,
) -> Result:
    """Validate a saved configuration and report every error with its line.

    An object with an error cannot be restored (exit status 1); a warning is probably a mistake.
    Devices and image files are checked on this host, but not whether the file is trusted: who may
    write it. Nothing is changed.
    """
    from pyshell.config.validate import check

    default = state.default_file(node.lio)
    path = Path(os.path.expanduser(savefile)) if savefile else default
    at_boot = path.absolute() == default.absolute()
    if not os.path.exists(path):
        raise state.missing_file(node.lio, default if at_boot else path, "check")
    found = check(path, node.lio, at_boot=at_boot)
    lines = [f"{path}:{one.line}:{one.column}: {one.level}: {one}" for one in found]
    data = [dataclasses.asdict(one) for one in found]
    return Lines(lines or [f"{path}: no errors"], data, failure=_failure(path, found))


def _failure(path: Path, found: list[LocatedProblem]) -> PyshellError | None:
    count = Counter(one.level for one in found)
    if not count["error"]:
        return None
    told = [f"{count[level]} {level}{'s' * (count[level] > 1)}" for level in sorted(count)]
    return PyshellError(f"{path} has {' and '.join(told)}", path=str(path))
