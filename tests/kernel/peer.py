# SPDX-License-Identifier: Apache-2.0
"""targetcli, to compare pyshell with: an environment of its own in the bed's cache.

It stands on the system's Python, whose package gi (Debian: python3-gi) it needs; nothing of it is
part of what pyshell needs to run.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import image

SYSTEM_PYTHON = "/usr/bin/python3"
# What targetcli asks for, at the releases of the libraries that pyshell was tried with. Without
# dependencies: PyGObject comes from the system, as building it takes a desktop's libraries.
PACKAGES = (
    "targetcli==3.0.2",
    "rtslib-fb==2.2.4",
    "configshell-fb==2.0.3",
    "pyudev==0.24.5",
    "pyparsing==3.3.3",
)
PIP_SECONDS = 300


def build() -> Path:
    """Return the Python that has targetcli, making its environment where the cache lacks it."""
    cache = image.cache_folder()
    folder = cache / f"peer-{hashlib.sha256(repr(PACKAGES).encode()).hexdigest()[:16]}"
    python = folder / "bin/python"
    with image.locked(cache):
        if not python.exists():
            _make(folder)
    return python


def _make(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        made = Path(name) / "made"
        run(SYSTEM_PYTHON, "-c", "import gi")
        run(SYSTEM_PYTHON, "-m", "venv", "--system-site-packages", str(made))
        # -m pip: the scripts that a venv brings would not survive the move.
        run(str(made / "bin/python"), "-m", "pip", "install", "-q", "--no-deps", *PACKAGES)
        shutil.move(made, folder)


def run(*command: str) -> None:
    """Run a command of such an environment's making; RuntimeError shows what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PIP_SECONDS)
    if done.returncode:
        text = "its environment needs python3-venv, python3-gi and PyPI"
        raise RuntimeError(
            f"{text}\n{' '.join(command)}\n" + done.stdout[-1000:] + done.stderr[-1000:]
        )
