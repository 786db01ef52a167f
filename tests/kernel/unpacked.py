# SPDX-License-Identifier: Apache-2.0
"""Programs of Debian packages that are not to be installed on who tests: unpacked in the cache.

cloud-init would configure the machine at its next boot, and a cluster's programs bring services.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import image

# The resource agents need no cluster to run.
AGENTS = "resource-agents"
DOWNLOAD_SECONDS = 300


def unpacked(package: str, *, alone: bool = False) -> Path:
    """Return a folder with a package and, unless `alone`, what it needs and this machine lacks.

    Raises OSError or subprocess.SubprocessError where it cannot be had.
    """
    cache = image.cache_folder()
    # Its own version stands for those of what it needs: asking apt for all takes seconds.
    text = _apt("--print-uris", "download", package)
    folder = cache / f"{package}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    with image.locked(cache):
        if not folder.exists():
            _fetch([package] if alone else _with_dependencies(package), folder)
    return folder


def environment(folder: Path) -> Mapping[str, str]:
    """Return what lets programs in such a folder find their libraries, in C and in Python."""
    return {
        "LD_LIBRARY_PATH": f"{folder}/usr/lib/x86_64-linux-gnu:{folder}/usr/lib",
        "PYTHONPATH": str(folder / "usr/lib/python3/dist-packages"),
        "PATH": os.pathsep.join(
            (str(folder / "usr/bin"), str(folder / "usr/sbin"), image.SEARCH_PATH)
        ),
    }


def _with_dependencies(package: str) -> list[str]:
    # Packages that would only be upgraded have their old version in brackets.
    text = _apt("-s", "install", "--no-install-recommends", "--reinstall", package)
    found = re.findall(r"^Inst (\S+) (?=\()", text, re.MULTILINE)
    return sorted({package, *found})


def _fetch(names: Sequence[str], folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        scratch = Path(name)
        _apt("download", *names, cwd=scratch)
        root = scratch / "root"
        for archive in scratch.glob("*.deb"):
            subprocess.run([image.tool("dpkg-deb"), "-x", archive, root], check=True)
        shutil.move(root, folder)


def _apt(*arguments: str, cwd: Path | None = None) -> str:
    # apt's own user may not write into a private folder; saying root avoids a warning.
    command = [image.tool("apt-get"), "-q", "-o", "APT::Sandbox::User=root", *arguments]
    done = subprocess.run(
        command, cwd=cwd, check=True, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS
    )
    return done.stdout
