# SPDX-License-Identifier: Apache-2.0
"""The kernel and the initramfs that the bed boots: Debian's, built once, cached out of the tree."""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import lzma
import os
import platform
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import kernelpackage

# Program: the Debian package that holds it.
TOOLS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "cpio": "cpio",
    "busybox": "busybox-static",
    "depmod": "kmod",
    "modprobe": "kmod",
    "apt-get": "apt",
    "apt-cache": "apt",
    "dpkg-deb": "dpkg",
    "tar": "tar",
    "setpriv": "util-linux",
    "nice": "coreutils",
    "ip": "iproute2",
}
# /usr/sbin is not in every user's PATH.
SEARCH_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))


@dataclass(frozen=True)
class Start:
    """How a guest gets at its root: its first program, and the modules to load before that."""

    init: Path
    modules: tuple[str, ...]


# On an overlay over the host's own root.
OVERLAY = Start(
    Path(__file__).with_name("init.sh"), ("virtio_pci", "9p", "9pnet_virtio", "overlay")
)


@dataclass(frozen=True)
class Image:
    """What QEMU needs to boot, all finished files in the cache."""

    version: str
    kernel: Path
    modules: Path
    initramfs: Path


def tool(name: str) -> str:
    """Return the path of a program; FileNotFoundError names the package that would bring it."""
    path = shutil.which(name, path=SEARCH_PATH)
    if path is None:
        raise FileNotFoundError(f"{name} is not installed (Debian package {TOOLS[name]})")
    return path


def missing(others: Mapping[str, str] | None = None) -> str | None:
    """Return why the bed cannot run on this machine, or None where it can.

    `others` are more programs that are to be there, with the packages that hold them.
    """
    if platform.machine() != "x86_64":
        return f"the kernel bed needs an x86_64 machine, not {platform.machine()}"
    wanted = {**TOOLS, **(others or {})}
    packages = {wanted[name] for name in wanted if not shutil.which(name, path=SEARCH_PATH)}
    if "busybox-static" not in packages and not _is_static(Path(tool("busybox"))):
        packages.add("busybox-static")
    if packages:
        return f"the kernel bed needs the Debian packages {' '.join(sorted(packages))}"
    try:
        _kernel_package()
    except FileNotFoundError as error:
        return f"the kernel bed needs Debian's kernel: {error}"
    return None


def build(start: Start = OVERLAY) -> Image:
    """Return the image for Debian's current kernel, building what the cache lacks of it."""
    package = _kernel_package()
    release = version()
    cache = cache_folder()
    folder = cache / f"linux-{release}"
    initramfs = cache / f"initramfs-{_fingerprint(release, start)}.gz"
    with locked(cache):
        if not folder.exists():
            _fetch_kernel(package, release, folder)
        if not initramfs.exists():
            _write_initramfs(release, folder, start, initramfs)
    return Image(release, folder / "vmlinux", folder / "lib/modules" / release, initramfs)


def version() -> str:
    """Return the release of the kernel that the guests boot."""
    return _kernel_package().removeprefix("linux-image-")


def _kernel_package() -> str:
    """Return the kernel's package, or raise FileNotFoundError."""
    release = kernelpackage.release()
    found = kernelpackage.name(cache_folder(), release)
    if found is None:
        of = f" of {release}" if release else ""
        raise FileNotFoundError(f"apt does not know {kernelpackage.META_PACKAGE}{of} here")
    return found


def _is_static(program: Path) -> bool:
    # A dynamic program names its loader near its start.
    with program.open("rb") as file:
        return b"/ld-linux" not in file.read(8192)


def cache_folder() -> Path:
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pyshell-bed"
    cache = Path(os.environ.get("PYSHELL_BED_CACHE") or default).absolute()
    cache.mkdir(parents=True, exist_ok=True)
    return cache


@contextmanager
def locked(cache: Path) -> Iterator[None]:
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fingerprint(version: str, start: Start) -> str:
    text = "\n".join((version, *start.modules, start.init.read_text()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _fetch_kernel(package: str, version: str, folder: Path) -> None:
    """Download the kernel's package and unpack what is needed of it; nothing is installed."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        scratch = Path(name)
        root = scratch / "root"
        archive = kernelpackage.download(folder.parent, kernelpackage.release(), package, scratch)
        subprocess.run([tool("dpkg-deb"), "-x", archive, root], check=True)
        if not (root / "lib").exists():  # newer packages have it below /usr
            (root / "usr/lib").rename(root / "lib")
        _unpack_modules(root / "lib/modules")
        subprocess.run([tool("depmod"), "-b", root, version], check=True)
        wanted = scratch / "wanted"
        wanted.mkdir()
        (root / "lib").rename(wanted / "lib")
        packed = (root / "boot" / f"vmlinuz-{version}").read_bytes()
        (wanted / "vmlinux").write_bytes(_unpacked_kernel(packed))
        wanted.rename(folder)


def _unpack_modules(folder: Path) -> None:
    """Unpack the modules, which newer packages have packed: busybox loads them as they are."""
    for packed in folder.rglob("*.ko.xz"):
        packed.with_suffix("").write_bytes(lzma.decompress(packed.read_bytes()))
        packed.unlink()


def _unpacked_kernel(packed: bytes) -> bytes:
    """Return the ELF kernel inside a bzImage: the guest would need six seconds to unpack it.

    The offsets are those of the kernel's x86 boot protocol. What is not packed with xz is
    returned as it came, for the guest to unpack.
    """
    setup_sectors = packed[0x1F1]
    offset, length = struct.unpack_from("<II", packed, 0x248)
    start = (setup_sectors + 1) * 512 + offset
    payload = packed[start : start + length]
    if not payload.startswith(b"\xfd7zXZ"):
        return packed
    # The stream's end is followed by the unpacked size, which lzma.decompress would refuse.
    return lzma.LZMADecompressor().decompress(payload)


def _modules_in_order(version: str, folder: Path, names: Iterable[str]) -> list[Path]:
    """List the modules' files, each after those it needs."""
    order: dict[Path, None] = {}
    for name in names:
        command = [tool("modprobe"), "-S", version, "-d", str(folder), "--show-depends", name]
        answer = subprocess.run(command, check=True, capture_output=True, text=True)
        for line in answer.stdout.splitlines():
            if line.startswith("insmod"):
                order[Path(line.split()[1])] = None
    return list(order)


def _write_initramfs(version: str, folder: Path, start: Start, initramfs: Path) -> None:
    with tempfile.TemporaryDirectory(dir=initramfs.parent) as name:
        root = Path(name) / "root"
        (root / "bin").mkdir(parents=True)
        shutil.copy(tool("busybox"), root / "bin/busybox")
        shutil.copy(start.init, root / "init")
        (root / "init").chmod(0o755)
        (root / "modules").mkdir()
        modules = _modules_in_order(version, folder, start.modules)
        for path in modules:
            shutil.copy(path, root / "modules")
        (root / "modules/order").write_text("".join(f"{path.name}\n" for path in modules))
        finished = Path(name) / "initramfs.gz"
        finished.write_bytes(gzip.compress(_cpio(root), compresslevel=1))
        finished.rename(initramfs)


def _cpio(root: Path) -> bytes:
    names = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
    command = [tool("cpio"), "-o", "-H", "newc", "--quiet"]
    archive = subprocess.run(
        command, cwd=root, input=names.encode(), stdout=subprocess.PIPE, check=True
    )
    return archive.stdout
