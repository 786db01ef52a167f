# SPDX-License-Identifier: Apache-2.0
"""The guest's disk: Debian 12 with the programs, and packages that are installed when it runs."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from .. import debianroot, image

ROOT = Path(__file__).parents[3]
AGENTS = ("resource-agents", "libxml2-utils")
ANSIBLE = ("ansible", "python3-apt", "python3-distutils")
LIBBLOCKDEV = (
    *("python3-blockdev", "gir1.2-blockdev-2.0", "python3-yaml", "python3-dbus", "python3-six"),
    *(f"libblockdev-{name}2" for name in ("crypto", "dm", "fs", "loop", "lvm", "mdraid", "mpath")),
    *(f"libblockdev-{name}2" for name in ("btrfs", "kbd", "nvdimm", "part", "swap", "utils")),
    *("multipath-tools", "mdadm", "cryptsetup-bin"),
)
UDISKS = (
    *("udisks2", "udisks2-lvm2", "polkitd", "python3-systemd", "gir1.2-gudev-1.0"),
    *("gir1.2-udisks-2.0", "parted", "gdisk", "dosfstools", "eject"),
)
PACKAGES = tuple(dict.fromkeys((*AGENTS, *ANSIBLE, *LIBBLOCKDEV, *UDISKS, "procps")))
TARGETCLI = "targetcli-fb"
PACKAGE_SECONDS = 900
BUILD_TOOLS = {
    "dpkg-buildpackage": "build-essential",
    "dh": "debhelper",
    "dh_python3": "dh-python",
    "dpkg-scanpackages": "dpkg-dev",
}
# The versions that the page names.
NAMED = ("resource-agents", "ansible-core", "python3-blockdev", "udisks2", TARGETCLI)


def missing() -> str | None:
    """Return why the programs cannot be run on this machine, or None."""
    return image.missing(BUILD_TOOLS) or debianroot.missing()


def packages(into: Path) -> None:
    """Put pyshell's two packages, and Debian's targetcli with its index, into a folder."""
    into.mkdir(parents=True)
    command = [str(ROOT / "packaging/deb"), str(into)]
    subprocess.run(command, check=True, timeout=PACKAGE_SECONDS, capture_output=True)
    archive = into / "archive"
    archive.mkdir()
    _download(TARGETCLI, archive)
    scanning = [image.tool("dpkg-scanpackages"), "."]
    with (archive / "Packages").open("w", encoding="utf-8") as index:
        subprocess.run(scanning, cwd=archive, stdout=index, check=True, stderr=subprocess.DEVNULL)


def build(packages: Path) -> Path:
    """Return the disk. It has what both packages depend on, but neither."""
    (pyshell,) = packages.glob("pyshell_*.deb")
    (targetcli,) = packages.glob(f"archive/{TARGETCLI}_*.deb")
    depends = [*debianroot.dependencies(pyshell), *debianroot.dependencies(targetcli)]
    return debianroot.build(depends, debianroot.Extras("dropin", PACKAGES))


def _download(package: str, into: Path) -> None:
    # apt's own user may not write into a private folder; saying root avoids a warning.
    with tempfile.TemporaryDirectory(dir=into.parent) as name:
        command = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", package]
        subprocess.run(command, cwd=name, check=True, capture_output=True)
        for made in Path(name).glob("*.deb"):
            shutil.move(made, into)
