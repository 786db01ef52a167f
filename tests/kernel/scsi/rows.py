# SPDX-License-Identifier: Apache-2.0
"""The configurations that initiators' tests run against, each made by pyshell in an empty LIO."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .. import lio
from ..commands import run
from ..guest.shell import batch
from ..initiator import NAME
from .testcu import INITIATORS, Urls

TARGET = "iqn.2020-07.org.example:disk"
# Exports the same disk write-protected, in demo mode by the default of demo_mode_write_protect.
READ_ONLY = "iqn.2020-07.org.example:readonly"
# One portal listens on all addresses: two of them are two paths.
ADDRESSES = ("127.0.0.1", "192.168.56.101")
USER, SECRET = "conformance", "a-secret-of-tests"
SIZE = "100M"
# A file in memory for block and fileio.
FILE = Path("/run/conformance.img")


@dataclass(frozen=True)
class Row:
    """One configuration."""

    backstore: str
    block_size: int
    discard: bool
    chap: bool

    @property
    def name(self) -> str:
        """Return its name on the command line and in the golden list."""
        discard = "discard" if self.discard else "nodiscard"
        return f"{self.backstore}-{self.block_size}-{discard}-{'chap' if self.chap else 'demo'}"

    @property
    def storage_object(self) -> str:
        """Return the path of its storage object."""
        return f"/backstores/{self.backstore.partition('-')[0]}/disk"


# Any two properties occur together in at least one row; a ramdisk has no discard.
ROWS = {
    row.name: row
    for row in (
        Row("block", 512, discard=True, chap=False),
        Row("block", 4096, discard=False, chap=True),
        Row("fileio-writeback", 512, discard=False, chap=False),
        Row("fileio-writeback", 4096, discard=True, chap=True),
        Row("fileio-writethrough", 512, discard=True, chap=True),
        Row("fileio-writethrough", 4096, discard=False, chap=False),
        Row("ramdisk", 512, discard=False, chap=False),
        Row("ramdisk", 4096, discard=False, chap=True),
    )
}
# Runs with the other kernel tests.
SHORT = ROWS["block-512-discard-demo"]


@contextmanager
def exported(row: Row) -> Iterator[Urls]:
    """Make a row's configuration in an empty LIO, and empty it again."""
    FILE.unlink(missing_ok=True)
    loop = ""
    if row.backstore == "block":
        run("modprobe", "loop")
        run("truncate", "-s", SIZE, str(FILE))
        size = str(row.block_size)
        loop = run("losetup", "--find", "--show", "--sector-size", size, str(FILE)).stdout.strip()
    try:
        batch(*_disk(row, loop), *_targets(row))
        login = f"{USER}%{SECRET}@" if row.chap else ""
        paths = [f"iscsi://{login}{address}/{TARGET}/0" for address in ADDRESSES]
        yield Urls(paths[0], paths[1], f"iscsi://{login}{ADDRESSES[0]}/{READ_ONLY}/0")
    finally:
        lio.clear()
        if loop:
            run("losetup", "-d", loop)
        FILE.unlink(missing_ok=True)


def _disk(row: Row, loop: str) -> Iterator[str]:
    if row.backstore == "block":
        yield f"/backstores/block create name=disk dev={loop}"
    elif row.backstore == "ramdisk":
        yield f"/backstores/ramdisk create name=disk size={SIZE}"
    else:
        back = str(row.backstore == "fileio-writeback").lower()
        yield f"/backstores/fileio create disk {FILE} {SIZE} write_back={back}"
    settings = []
    if row.backstore != "block" and row.block_size != 512:
        settings.append(f"block_size={row.block_size}")
    if row.backstore != "ramdisk":
        settings += [f"emulate_tpu={int(row.discard)}", f"emulate_tpws={int(row.discard)}"]
    if settings:
        yield f"{row.storage_object} set attribute {' '.join(settings)}"


def _targets(row: Row) -> Iterator[str]:
    for wwn in (TARGET, READ_ONLY):
        tpg = f"/iscsi/{wwn}/tpg1"
        yield f"/iscsi create {wwn}"
        yield f"{tpg}/luns create {row.storage_object}"
        if row.chap:
            yield f"{tpg} set attribute authentication=1"
            for name in (*INITIATORS, NAME):
                yield f"{tpg}/acls create {name} add_mapped_luns=false"
                protected = str(wwn == READ_ONLY).lower()
                yield f"{tpg}/acls/{name} create 0 0 write_protect={protected}"
                yield f"{tpg}/acls/{name} set auth userid={USER} password={SECRET}"
        else:
            yield f"{tpg} set attribute generate_node_acls=1 cache_dynamic_acls=1"
            if wwn == TARGET:
                yield f"{tpg} set attribute demo_mode_write_protect=0"
