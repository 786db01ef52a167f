# SPDX-License-Identifier: Apache-2.0
"""The disk of all three guests: Debian 12 with the cluster's programs, open-iscsi and pyshell."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from pathlib import Path

from .. import debianroot, image

ROOT = Path(__file__).parents[3]
HOOK = Path(__file__).with_name("disk_hook.sh")
PACKAGES = (
    "pacemaker",
    "pacemaker-cli-utils",
    "corosync",
    "resource-agents",
    "cluster-glue",
    "sbd",
    "drbd-utils",
    "procps",
    "psmisc",
    "iptables",
    "iputils-arping",
    # The stock agents' lio-t runs it.
    "targetcli-fb",
)
# The versions that a record names.
NAMED = (
    "pacemaker",
    "corosync",
    "resource-agents",
    "sbd",
    "drbd-utils",
    "open-iscsi",
    "targetcli-fb",
    "pyshell",
)
# What the package is made of, but for its documents.
SOURCES = ("pyshell", "packaging", "completions")
PACKAGE_SECONDS = 900
BUILD_TOOLS = {"dpkg-buildpackage": "build-essential", "dh": "debhelper", "dh_python3": "dh-python"}


def missing() -> str | None:
    """Return why the suite cannot run on this machine, or None."""
    return image.missing(BUILD_TOOLS) or debianroot.missing()


def build() -> Path:
    """Return the disk with pyshell of this checkout, building it if the cache lacks it."""
    package = _package()
    extras = debianroot.Extras("cluster", PACKAGES, (package,), HOOK, journal=True)
    return debianroot.build(debianroot.dependencies(package), extras)


def _package() -> Path:
    """Return pyshell's package: two builds of one source differ, so it is kept, too."""
    folder = image.cache_folder() / "cluster-package"
    folder.mkdir(exist_ok=True)
    kept = folder / f"{_fingerprint()}.deb"
    with image.locked(folder), tempfile.TemporaryDirectory(dir=folder) as scratch:
        if not kept.exists():
            for old in folder.glob("*.deb"):
                old.unlink()
            command = [str(ROOT / "packaging/deb"), scratch]
            subprocess.run(command, check=True, timeout=PACKAGE_SECONDS, capture_output=True)
            (made,) = Path(scratch).glob("pyshell_*.deb")
            made.rename(kept)
    return kept


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for path in sorted(path for name in SOURCES for path in (ROOT / name).rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]
