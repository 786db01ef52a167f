# SPDX-License-Identifier: Apache-2.0
"""The releases of Python that pyproject.toml names, and which of them are on this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from pyproject import project

_CLASSIFIER = re.compile(r"Programming Language :: Python :: (3\.\d+)")
_ASKED = "import sys, ensurepip; print('%d.%d' % sys.version_info[:2])"


def wanted() -> list[str]:
    """List the releases that pyshell is for, the oldest first."""
    found = [_CLASSIFIER.fullmatch(line) for line in project().classifiers]
    return sorted((one[1] for one in found if one), key=lambda name: int(name.split(".")[1]))


def own() -> str:
    """Return the release of the Python that runs this."""
    return "{}.{}".format(*sys.version_info)


def nearest(release: str) -> str | None:
    """Return a release that is on this machine: the one asked for, or the next one before it."""

    def minor(name: str) -> int:
        return int(name.split(".")[1])

    older = [name for name in wanted() if minor(name) < minor(release)]
    return next((name for name in (release, *reversed(older)) if find(name)), None)


def find(release: str) -> Path | None:
    """Return an interpreter of a release: of PATH, or one that pyenv has."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    named = shutil.which(f"python{release}")
    places = [
        Path(sys.executable) if release == own() else None,
        Path(named) if named else None,
        *sorted(pyenv.glob(f"{release}.*/bin/python3")),
    ]
    return next((place for place in places if place and _is(release, place)), None)


def _is(release: str, place: Path) -> bool:
    """Tell whether it can make virtual environments, and is no wrapper without its Python."""
    command = [str(place), "-c", _ASKED]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() == release
