# SPDX-License-Identifier: Apache-2.0
"""The root's command `check`: find problems of a saved configuration."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pyshell.config import store, validate
from pyshell.errors import PyshellError, UsageError
from pyshell.text import counted, joined
from pyshell.tree.command import FILE, TARGET, command
from pyshell.tree.node import Node
from pyshell.tree.results import Lines, Result

if TYPE_CHECKING:
    from pyshell.config.positions import LocatedProblem


@command(
    examples=(
        "check",
        "check saveconfig.example.json",
        "check /etc/target/cluster/disks.json cluster=true",
    )
)
def check(
    node: Node,
    savefile: Annotated[str | None, FILE, "File to check. Default: the boot file."] = None,
    *,
    cluster: Annotated[
        bool, "Also check that every node of a cluster can apply the file to move its target."
    ] = False,
    target: Annotated[
        str | None, TARGET, "Check only the target with this WWN, and its storage objects."
    ] = None,
) -> Result:
    """Validate a saved configuration and report every error with its line.

    An object with an error cannot be restored, and the exit status is 1. A warning points to a
    probable mistake in the file, or to other users who can write to it (restoreconfig and apply
    then refuse it) or read its secrets. Devices and image files are checked on this host. Nothing
    is changed.

    With cluster=true, these are errors too: a file without or with several targets (target= chooses
    one), a file that other users can write to, missing serial numbers, ramdisks, write-back image
    files, aio=true with a cache, names of devices that can differ between nodes, image files in
    temporary folders, addresses that cannot move (all addresses, loopback, link-local), a target
    that is disabled or has no portal or LUN, a serial number that is used twice, what the boot file
    or another document has as well, a file outside /etc/target/cluster, and one whose name does not
    end in .json. LUNs and mapped LUNs must have numbers. Devices and files can be missing then, as
    another node can have them. Whether an image file is on a file system that moves is only known
    while that is mounted.
    """
    if cluster and savefile is None:
        raise UsageError("cluster=true needs the file of a target.", "Give its name.")
    default = store.default_file(node.lio)
    path = Path(os.path.expanduser(savefile)) if savefile else default
    at_boot = path.absolute() == default.absolute()
    if not os.path.exists(path):
        raise store.missing_file(node.lio, default if at_boot else path, "check")
    scope = validate.Scope(at_boot and not cluster, cluster, target)
    found = validate.check(path, node.lio, scope)
    lines = [f"{path}:{one.line}:{one.column}: {one.level}: {one}" for one in found]
    data = [asdict(one) for one in found]
    failure = _failure(path, found)
    if failure is None:
        warnings = counts(one.level for one in found)
        lines.append(f"{path}: no errors{f', {warnings}' if warnings else ''}")
    return Lines(lines, data, failure=failure, form="sentences")


def _failure(path: Path, found: list[LocatedProblem]) -> PyshellError | None:
    levels = [one.level for one in found]
    if "error" not in levels:
        return None
    return PyshellError(f"{path} has {counts(levels)}", path=str(path))


def counts(levels: Iterable[str]) -> str:
    """Return the numbers of problems: `1 error and 2 warnings`, "" if there are none."""
    count = Counter(levels)
    return joined([counted(count[one], one) for one in ("error", "warning") if count[one]])
