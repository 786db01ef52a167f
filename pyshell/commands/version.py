# SPDX-License-Identifier: Apache-2.0
"""`version`: the versions of pyshell, of its libraries and of the kernel."""

from __future__ import annotations

import sys

from pyshell import __version__
from pyshell.tree.command import command
from pyshell.tree.node import Node
from pyshell.tree.results import Lines, Result


@command()
def version(node: Node) -> Result:
    """Show the versions of pyshell, of its libraries and of the kernel."""
    if node.context.compat:
        return Lines([f"pyshell version {__version__}"])
    found = {**_versions(), "kernel": node.lio.machine.kernel_release()}
    lines = [f"{name} {number}" for name, number in found.items() if name != "pyshell"]
    simulated = node.lio.simulated is not None
    if simulated:
        lines[-1] += " (simulated, as recorded from that one)"
    data = {**found, "simulated": simulated}
    return Lines([f"pyshell version {__version__}", *lines], data)


def _versions() -> dict[str, str]:
    """Return the versions of pyshell and of the libraries that do its work."""
    libraries = {name: _version(name) for name in ("rtslib-fb", "configshell-fb")}
    python = ".".join(map(str, sys.version_info[:3]))
    return {"pyshell": __version__, **libraries, "python": python}


def _version(library: str) -> str:
    """Return a library's version, which is unknown where it was not installed by its package."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(library)
    except PackageNotFoundError:
        return "unknown"
