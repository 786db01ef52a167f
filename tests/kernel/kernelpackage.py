# SPDX-License-Identifier: Apache-2.0
"""Where the bed's kernel comes from: Debian's package, of this machine's release or of another.

PYSHELL_BED_KERNEL=trixie takes that release's, from the archive that apt uses here. It is looked up
in lists of its own: what apt knows of this machine's packages stays as it is.
"""

from __future__ import annotations

import functools
import os
import re
import subprocess
import time
from pathlib import Path

META_PACKAGE = "linux-image-amd64"
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
# After so many seconds there may be a newer kernel in the archive.
LISTS_SECONDS = 24 * 3600.0


def release() -> str:
    """Return the release of Debian that was asked for, or nothing for this machine's own."""
    return os.environ.get("PYSHELL_BED_KERNEL", "")


@functools.cache
def name(cache: Path, of: str) -> str | None:
    """Return the name of a release's current kernel package; None where apt cannot get it."""
    options = own_lists(cache, of)
    if options is None:
        return None
    answer = _run("apt-cache", *options, "depends", META_PACKAGE)
    found = re.search(r"Depends: (linux-image-\S+)", answer.stdout)
    return found.group(1) if found else None


def download(cache: Path, of: str, package: str, into: Path) -> Path:
    """Fetch a package into a folder; nothing is installed."""
    options = own_lists(cache, of) or []
    # apt's own user may not write into a private folder; saying root avoids a warning.
    command = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", *options, "download", package]
    subprocess.run(command, cwd=into, check=True, stdout=subprocess.DEVNULL)
    (archive,) = into.glob("*.deb")
    return archive


def own_lists(cache: Path, of: str, kind: str = "deb") -> list[str] | None:
    """Return what makes apt work on lists of its own, filled; None where they cannot be had.

    `of` is a release of Debian; with the kind deb-src, the lists are of its source packages.
    """
    if not of:
        return []
    folder = cache / f"{kind.replace('deb', 'apt')}-{of}"
    (folder / "lists/partial").mkdir(parents=True, exist_ok=True)
    (folder / "archives/partial").mkdir(parents=True, exist_ok=True)
    (folder / "status").touch()
    sources = folder / "sources.list"
    options = [
        *("-o", f"Dir::Etc::sourcelist={sources}", "-o", "Dir::Etc::sourceparts=-"),
        *("-o", f"Dir::State={folder}", "-o", f"Dir::State::status={folder / 'status'}"),
        *("-o", f"Dir::Cache={folder}", "-o", "APT::Sandbox::User=root"),
    ]
    if not sources.exists() or time.time() - sources.stat().st_mtime > LISTS_SECONDS:
        archive = _archive()
        if archive is None:
            return None
        sources.write_text(f"{kind} [signed-by={KEYS}] {archive} {of} main\n")
        if _run("apt-get", *options, "-q", "--error-on=any", "update").returncode:
            sources.unlink()
            return None
    return options


def _archive() -> str | None:
    """Return the address from which apt gets Debian's packages here."""
    wanted = ("--format", "$(REPO_URI)", "Created-By: Packages", "Origin: Debian", "Label: Debian")
    addresses = _run("apt-get", "indextargets", *wanted).stdout.split()
    return addresses[0] if addresses else None


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
