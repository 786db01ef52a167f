# SPDX-License-Identifier: Apache-2.0
"""Where the programs come from: Debian's source packages and checkouts of Ansible roles.

Both are checked by their hash, so that they are what docs/targetcli.md names.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .. import debianroot, image, kernelpackage

FETCH_SECONDS = 300


@dataclass(frozen=True)
class Source:
    """What Debian has of an upstream release: its package, the archive, and the archive's hash."""

    package: str
    archive: str
    sha256: str


@dataclass(frozen=True)
class Role:
    """An Ansible role at a commit of its public repository, and the hash of its files."""

    repository: str
    commit: str
    sha256: str


LIBBLOCKDEV = Source(
    "libblockdev",
    "libblockdev_2.28.orig.tar.gz",
    "5c7d45713a067f716ad1cc27a831ff5f08cc53014df2e0c2f44baa842e63bda7",
)
UDISKS = Source(
    "udisks2",
    "udisks2_2.9.4.orig.tar.bz2",
    "b6b60ebab0d5e09624120c5d158882e87d8c2473db60783b63deeba74cb18d1c",
)
# By the name that playbooks use, which is that of the folder.
ROLES = {
    "OndrejHome.targetcli-modules": Role(
        "OndrejHome/ansible.targetcli-modules",
        "1c8d09358242ab0495c7c3e3b575f9f20f84e0a2",
        "859b0644de9a7bac7d1c56e64bec1ef30f48449c4d3c218326c2446a623bdf3f",
    ),
    "OndrejHome.targetcli": Role(
        "OndrejHome/ansible.targetcli",
        "07e75e812667505ef142daa1f95385d68d5eed73",
        "4351f1dcc57dd80afad69c453ac5dae48bab21d02d90885dc91642d03a287192",
    ),
    "ricsanfre.iscsi_target": Role(
        "ricsanfre/ansible-role-iscsi_target",
        "a41d5b27c125877737ff5159cc6bdcadc50c3129",
        "57bf1d47a9c60c945108b8ead6df6a3f378e18f9635839cd61ec8cab4035f2ac",
    ),
    "targetcli-modules": Role(
        "stuvusIT/targetcli-modules",
        "2f6e904558e1a11f5274e0f87d3a7729b52a8fba",
        "61e1e1cb65cdff03b0189b978ae76f7769c9f70958253993430636a6bf29261d",
    ),
    "iscsi-target": Role(
        "stuvusIT/iscsi-target",
        "b2285e33552eb23426504a314288458ad3432178",
        "e46f5b9e4bbab5b21577b1b8bbf286b171f1779b9164376455404b80199f6355",
    ),
}


def unpack(source: Source, into: Path) -> None:
    """Unpack an upstream release to a folder, fetched by apt if the cache lacks it."""
    archive = image.cache_folder() / f"source-{source.sha256[:16]}-{source.archive}"
    with image.locked(image.cache_folder()):
        if not archive.exists():
            _fetch(source, archive)
    into.mkdir(parents=True)
    strip = ("--strip-components=1", "-C", str(into))
    subprocess.run([image.tool("tar"), "-xf", str(archive), *strip], check=True)


def copy_roles(checkouts: Path, into: Path) -> None:
    """Copy the roles from a folder of checkouts; ValueError if one is not what its hash says."""
    for name, role in ROLES.items():
        shutil.copytree(checkouts / name, into / name, ignore=shutil.ignore_patterns(".git"))
        found = digest(into / name)
        if found != role.sha256:
            what = f"{role.repository} at {role.commit}"
            raise ValueError(f"{checkouts / name} is not {what}: its hash is {found}")


def digest(folder: Path) -> str:
    """Return the hash of the names and contents of all files in a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n"
        for path in files
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _fetch(source: Source, archive: Path) -> None:
    options = kernelpackage.own_lists(image.cache_folder(), debianroot.RELEASE, "deb-src")
    if options is None:
        raise FileNotFoundError(f"apt gets no sources of Debian {debianroot.RELEASE} here")
    with tempfile.TemporaryDirectory(dir=archive.parent) as name:
        command = ["apt-get", "-q", *options, "source", "--download-only", source.package]
        subprocess.run(command, cwd=name, check=True, capture_output=True, timeout=FETCH_SECONDS)
        made = Path(name) / source.archive
        found = hashlib.sha256(made.read_bytes()).hexdigest()
        if found != source.sha256:
            raise ValueError(f"{source.archive}: its SHA-256 is {found}, not {source.sha256}")
        made.rename(archive)
