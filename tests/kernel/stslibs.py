# SPDX-License-Identifier: Apache-2.0
"""Red Hat's storage test suite, sts-libs of PyPI, unmodified: in the bed's cache, as targetcli is.

The source distribution is unpacked, not installed: its wheel has no tests. pip checks the hashes.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from . import image, peer

VERSION = "1.23.0"
SUITE = f"""\
sts-libs=={VERSION} --hash=sha256:1832834daeb130a8061dddd9bcec57ff1cb59b97065802556537343bf7a525cb
"""
# What it needs to run, on Python 3.11 (Debian 12) or newer.
LIBRARIES = """\
pytest-testinfra==10.2.2 \
--hash=sha256:b785602b0aa868c858e4ef121a8cc0d13a81c04b74ec0364d70969540f8e7c31
pytest==8.4.2 --hash=sha256:872f880de3fc3a5bdc88a11b39c9710c3497a547cfa9320bc3c5e62fbf272e79
pluggy==1.6.0 --hash=sha256:e920276dd6813095e9377c0bc5566d94c932c33b27a3e3945d8389c374dd4746
iniconfig==2.3.0 --hash=sha256:f631c04d2c48c52b84d0d0549c99ff3859c98df65b3101406327ecc7d53fbf12
packaging==25.0 --hash=sha256:29572ef2b1f17581046b3a2227d5c611fb25ec70ca1ba8554b24b0e69331a484
pygments==2.19.2 --hash=sha256:86540386c03d588bb81d44bc3928634ff26449851e99741617ecb9037ee5ec0b
"""


@dataclass(frozen=True)
class Suite:
    """The suite in its folder of the cache."""

    folder: Path

    @property
    def python(self) -> Path:
        """Return the Python that has its libraries."""
        return self.folder / "bin/python"

    @property
    def library(self) -> Path:
        """Return the folder to import `sts` from."""
        return self.folder / "suite/sts_libs/src"

    @property
    def tests(self) -> Path:
        """Return the folder with its tests."""
        return self.folder / "suite/tests"


def build() -> Suite:
    """Return the suite, fetched if the cache lacks it."""
    cache = image.cache_folder()
    name = hashlib.sha256((SUITE + LIBRARIES).encode()).hexdigest()[:16]
    suite = Suite(cache / f"sts-{name}")
    with image.locked(cache):
        if not suite.folder.exists():
            _make(suite.folder)
    return suite


def _make(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        made = Path(name) / "made"
        peer.run(peer.SYSTEM_PYTHON, "-m", "venv", str(made))
        hashed = ("--no-deps", "--require-hashes", "-q")
        pip = (str(made / "bin/python"), "-m", "pip")
        peer.run(*pip, "install", *hashed, "-r", _list(made, LIBRARIES))
        # pip builds the description of what it downloads with wheels of hatchling.
        source = ("--no-binary", "sts-libs", "-d", name)
        peer.run(*pip, "download", *hashed, *source, "-r", _list(made, SUITE))
        (archive,) = Path(name).glob("*.tar.gz")
        peer.run("tar", "-xf", str(archive), "-C", name)
        (Path(name) / archive.name.removesuffix(".tar.gz")).rename(made / "suite")
        shutil.move(made, folder)


def _list(made: Path, text: str) -> str:
    """Write requirements, which pip reads with hashes only from a file."""
    file = made / "requirements.txt"
    file.write_text(text)
    return str(file)
