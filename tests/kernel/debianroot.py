# SPDX-License-Identifier: Apache-2.0
"""A bare Debian on a disk: made by mmdebstrap, with packages from where apt gets them here."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import image

RELEASE = "bookworm"
HERE = Path(__file__).parent
HOOK = HERE / "debian_hook.sh"
AGENT = HERE / "debian_agent.service"
# What an administrator's Debian has who is to export a volume, and to use it as an initiator does.
PACKAGES = (
    "systemd",
    "systemd-sysv",
    "udev",
    "dbus",
    "kmod",
    "ifupdown",
    "iproute2",
    "lvm2",
    "open-iscsi",
    "fdisk",
    "xfsprogs",
    "sg3-utils",
    "python3",
)
TOOLS = {"mmdebstrap": "mmdebstrap", "mke2fs": "e2fsprogs", "unshare": "util-linux"}
# What is downloaded comes from a mirror that may be slow.
BUILD_SECONDS = 1200


@dataclass(frozen=True)
class Extras:
    """What a disk has beyond a bare Debian. Each folder of the cache keeps its latest disk."""

    folder: str = "debian"
    packages: tuple[str, ...] = ()
    # Packages in files, installed last.
    archives: tuple[Path, ...] = ()
    # A script that gets the root's folder as its argument, before the disk is made of it.
    hook: Path | None = None
    # Guests that are killed need one, those that start from a fresh copy do not.
    journal: bool = False
    release: str = RELEASE

    def parts(self) -> list[str]:
        """Return what a disk depends on, for its fingerprint."""
        digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in self.archives]
        hook = self.hook.read_text() if self.hook else ""
        return [*self.packages, *digests, hook, str(self.journal)]


BARE = Extras()


def missing() -> str | None:
    """Return why there is no such disk on this machine, or None where there is."""
    lack = image.missing(TOOLS)
    if lack:
        return lack
    if os.geteuid() != 0:
        return "only root can make the root of a Debian"
    if not any(f" {RELEASE} " in line for line in _sources()):
        return f"apt gets no packages of Debian {RELEASE} here"
    return None


def build(depends: Sequence[str], extras: Extras = BARE) -> Path:
    """Return the disk, making it where the cache lacks it.

    It has the packages `depends`, too: what is to be installed there finds no network.
    """
    folder = image.cache_folder() / extras.folder
    folder.mkdir(exist_ok=True)
    with image.locked(folder):
        disk = folder / f"{_fingerprint(depends, extras)}.img"
        if not disk.exists():
            for old in folder.glob("*.img"):
                old.unlink()
            _make(depends, extras, disk)
    return disk


def minimal() -> Path:
    """Return that release at its smallest, an archive, making it where the cache lacks it."""
    folder = image.cache_folder() / "debian"
    folder.mkdir(exist_ok=True)
    sources = "\n".join(_sources())
    archive = folder / f"{hashlib.sha256(sources.encode()).hexdigest()[:16]}.tar"
    with image.locked(folder):
        if not archive.exists():
            for old in folder.glob("*.tar"):
                old.unlink()
            made = archive.with_suffix(".part.tar")
            options = ["--variant=minbase", "--dpkgopt=force-unsafe-io", "-q"]
            subprocess.run(
                [image.tool("mmdebstrap"), *options, RELEASE, made, "-"], input=f"{sources}\n",
                env={**os.environ, "PATH": image.SEARCH_PATH}, check=True, capture_output=True,
                text=True, timeout=BUILD_SECONDS,
            )  # fmt: skip
            made.rename(archive)
    return archive


def run(release: str, hook: Path, **environment: str) -> None:
    """Run a script on the smallest root of a release of Debian; it is kept nowhere."""
    bases = [line for line in _sources() if f" {RELEASE} main" in f"{line} "]
    done = subprocess.run(
        [
            *(image.tool("mmdebstrap"), "--variant=minbase", "--format=null"),
            *("--dpkgopt=force-unsafe-io", f'--customize-hook=sh {shlex.quote(str(hook))} "$1"'),
            *(release, "/dev/null", "-"),
        ],
        input="".join(f"{line.replace(RELEASE, release)}\n" for line in bases[:1]),
        env={**os.environ, "PATH": image.SEARCH_PATH, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD_SECONDS,
    )
    if done.returncode:
        raise RuntimeError(f"mmdebstrap: status {done.returncode}\n{done.stderr[-3000:]}")


def dependencies(package: Path) -> list[str]:
    """List by name what a .deb depends on."""
    command = [image.tool("dpkg-deb"), "-f", str(package), "Depends"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [re.split(r"[\s(|:]", part.strip())[0] for part in text.split(",")]


def _fingerprint(depends: Sequence[str], extras: Extras) -> str:
    files = (HOOK.read_text(), AGENT.read_text())
    parts = (*PACKAGES, *depends, *_sources(extras.release), *files, *extras.parts())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _sources(release: str = RELEASE) -> list[str]:
    """Return the lines for sources.list that get of a release what this machine gets of its own."""
    shown = "deb $(REPO_URI) $(CODENAME) $(COMPONENT)"
    command = ["apt-get", "indextargets", "--format", shown, "Created-By: Packages"]
    wanted = [*command, "Origin: Debian"]
    answer = subprocess.run(wanted, check=True, capture_output=True, text=True).stdout
    lines = {line for line in answer.splitlines() if f" {RELEASE}" in line}
    return sorted(line.replace(RELEASE, release) for line in lines)


def _make(depends: Sequence[str], extras: Extras, disk: Path) -> None:
    with tempfile.TemporaryDirectory(dir=disk.parent) as name:
        made = Path(name) / "disk"
        memory = Path(name) / "memory"
        memory.mkdir()
        script = 'mount -t tmpfs -o mode=755 memory "$TMPDIR" && exec "$@" 2>&1'
        command = [
            *(image.tool("mmdebstrap"), "--variant=minbase", "--format=null"),
            *("--dpkgopt=force-unsafe-io", f"--include={','.join(PACKAGES)}"),
            f'--customize-hook=sh {shlex.quote(str(HOOK))} "$1"',
            *(extras.release, "/dev/null", "-"),
        ]
        environment = {
            **os.environ,
            "PATH": image.SEARCH_PATH,
            "TMPDIR": str(memory),
            "DEPENDS": " ".join((*depends, *extras.packages)),
            "ARCHIVES": " ".join(map(str, extras.archives)),
            "MORE": str(extras.hook or ""),
            "JOURNAL": "has_journal" if extras.journal else "^has_journal",
            "IMAGE": str(made),
            "AGENT": str(AGENT),
        }
        done = subprocess.run(
            [image.tool("unshare"), "-m", "sh", "-c", script, "sh", *command],
            input="\n".join([*_sources(extras.release), ""]),
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=BUILD_SECONDS,
        )
        if done.returncode:
            raise RuntimeError(f"mmdebstrap: status {done.returncode}\n{done.stdout[-3000:]}")
        shutil.move(made, disk)
