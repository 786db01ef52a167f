# SPDX-License-Identifier: Apache-2.0
"""Mutate a rich document and hold what pyshell does with it against each other.

Check, apply, its dry run, restore, save and export must agree.

`python -m tests.config.mutation 10000 [SEED]` does that many; a test does a few. Each writes
thousands of small files: with TMPDIR in memory (/dev/shm) it takes a fifth of the time.
"""

from __future__ import annotations

import copy
import json
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from driver import Pyshell
from pyshell.config import object_operations
from pyshell.config.compare import compare
from pyshell.config.document import IDENTITY
from pyshell.config.document_file import DocumentError, parse, to_text
from pyshell.config.model import items
from pyshell.config.plan import plan
from pyshell.config.running import read_running
from pyshell.config.validate import Scope, check_text
from pyshell.lio import listing
from pyshell.simulator.hardware import SimulatedPort

Step = int | str
PORTS = {
    "qla2xxx": "21000024ff314c48",
    "efct": "1000000000000001",
    "srpt": "fe800000000000000002c903000f1366",
    "sbp": "0011223344556677",
    "tcm_fc": "2000000000000001",
    "ibmvscsis": "30000001",
    "usb_gadget": "dummy_udc.0",
}
ONE, TWO = "iqn.2020-07.com.example:one", "iqn.2020-07.com.example:two"
CLIENT = "iqn.2020-07.com.example:client"
_TPG = f"/iscsi/{ONE}/tpg1"
COMMANDS = f"""
/backstores/block create disk /dev/sdb
/backstores/block create nvme /dev/nvme0n1 readonly=true
/backstores/block/disk/alua create slow 7
/backstores/block/disk/alua/slow set alua nonop_delay_msecs=200 preferred=1
/backstores/fileio create image /srv/image.img 4M write_back=true
/backstores/fileio create ondisk /dev/sdd write_back=false
/backstores/ramdisk create ram 1M
/backstores/ramdisk/ram set attribute block_size=4096
/backstores/ramdisk/ram set wwn vendor_id=ACME product_id='My Disk' revision=0001
/backstores/block/disk set wwn company_id=0x00a098
/backstores/ramdisk create null 2M nullio=true
/backstores/pscsi create raw /dev/sdc
/backstores/user:file create app 1M cfgstring=/srv/app
/iscsi create {ONE}
/iscsi/{ONE} create 2
/iscsi create {TWO}
{_TPG}/luns create /backstores/block/disk
{_TPG}/luns create /backstores/ramdisk/ram
{_TPG}/luns/lun0 set alua alua_tg_pt_gp_name=slow
/iscsi/{ONE}/tpg2/luns create /backstores/fileio/image
{_TPG}/acls create {CLIENT}
{_TPG}/acls create {CLIENT}2
{_TPG}/acls/{CLIENT} set auth userid=me password=abcdefghijkl
{_TPG}/acls/{CLIENT} set auth mutual_userid=you mutual_password=z1y2x3w4v5u6
{_TPG}/acls/{CLIENT}2 set queue cmdsn_depth=32
{_TPG}/acls tag {CLIENT} group
{_TPG} set auth userid=all password=allallallall
{_TPG} set attribute authentication=1 login_timeout=20
{_TPG} set parameter MaxConnections=2
/iscsi set discovery_auth enable=true userid=d password=dddddddddddd
/loopback create naa.5001405000000001
/loopback/naa.5001405000000001/luns create /backstores/ramdisk/null
/vhost create naa.5001405000000002
/vhost/naa.5001405000000002/tpg1/luns create /backstores/user:file/app
/xen-pvscsi create naa.5001405000000003
/qla2xxx create naa.21000024ff314c48
/qla2xxx/naa.21000024ff314c48/luns create /backstores/pscsi/raw
/qla2xxx/naa.21000024ff314c48/acls create naa.2100002400000001
/srpt create ib.fe800000000000000002c903000f1366
/sbp create eui.0011223344556677
/efct create naa.1000000000000001
/ibmvscsis create 30000001
/tcm_fc create naa.2000000000000001
/usb_gadget create naa.5001405000000004
""".split("\n")[1:-1]
NUMBERS = (0, 1, -1, 2, 3, 255, 512, 4096, 65535, 65536, 2**31, 2**32, 2**63 - 1, 2**63, 10**20)
TEXTS = (
    "", " ", "0", "1", "+1", "-1", "0x1", "1_0", "010", "1e3", "yes", "no", "true", "Yes", "x",
    "a b", "a\nb", "a,b", "a/b", "..", "NULL", "NULLx", "\u0663", "x" * 300, "a:b", "None", "CHAP",
    "iscsi", "loopback", "vhost", "block", "fileio", "ramdisk", "user", "pscsi", "iblock", "rd_mcp",
    "0.0.0.0", "[::0]", "127.0.0.1", "[::1]", "::1", "192.0.2.1", "default_tg_pt_gp", "slow",
    "/dev/sdb", "/dev/sdc", "/dev/sdd", "/dev/st0", "/dev/none", "/srv/image.img", "/srv",
    "naa.5001405000000009", "iqn.2020-00.com.example:x", "iqn.2020-07.com.example:A_b",
    "/backstores/ramdisk/ram", "/backstores/rd_mcp/ram", "/backstores/block/none",
    "0x00A098", "00a098", "a product of 17 c",
    "hw_block_size=4096", "max_data_area_mb=64", "hw_block_size=512,max_data_area_mb=8",
)  # fmt: skip
ODD: tuple[Any, ...] = (None, True, False, 1.5, 2.0, [], {}, [1], {"x": 1})
MORE_KEYS = (
    "write_back", "nullio", "aio", "readonly", "exclusive", "size", "dev", "control", "tag",
    "hw_max_sectors", "tcq_depth", "chap_userid", "chap_password", "enable", "alias", "iser",
    "emulate_dpo", "emulate_write_cache", "queue_depth", "optimal_sectors", "unmap_granularity",
    "default_cmdsn_depth", "emulate_tomorrow", "authentication", "buffered_mode", "parameters",
    *IDENTITY,
)  # fmt: skip


def rich(folder: Path) -> tuple[Pyshell, dict[str, Any]]:
    """Return pyshell on a simulated host with all hardware, and a document of all kinds of object.

    Nothing runs there.
    """
    pyshell = Pyshell(folder)
    machine = pyshell.simulator.machine
    machine.edit(
        fabrics=["iscsi", "loopback", "vhost", "xen-pvscsi", *PORTS],
        handlers={"file": "a path", "zbc": "a path"},
    )
    for fabric, port in PORTS.items():
        machine.add_port(SimulatedPort(fabric, port))
    for line in COMMANDS:
        ran = pyshell.line(line)
        assert ran.status == 0, f"{line}: {ran.err}"
    document: dict[str, Any] = json.loads(to_text(read_running(pyshell.open())))
    object_operations.clear(pyshell.open())
    return pyshell, document


def places(value: Any, before: tuple[Step, ...] = ()) -> Iterator[tuple[Step, ...]]:
    """Yield the place of everything in a document but the whole."""
    parts: list[tuple[Step, Any]] = []
    if isinstance(value, dict):
        parts = list(value.items())
    elif isinstance(value, list):
        parts = list(enumerate(value))
    for step, entry in parts:
        yield (*before, step)
        yield from places(entry, (*before, step))


class Mutator:
    """Changes a document at random; the same seed gives the same documents."""

    def __init__(self, document: dict[str, Any], seed: int) -> None:
        self._document = document
        self.random = random.Random(seed)
        self._places = list(places(document))
        # Of the many settings fewer are chosen than of the structure.
        self._weights = [1 if "attributes" in p or "parameters" in p else 4 for p in self._places]

    def text(self) -> str:
        """Return the text of the next document."""
        document = copy.deepcopy(self._document)
        if self.random.random() < 0.5:  # what is left out of a file, as by hand
            for _ in range(self.random.randrange(8)):
                self._at(document, self._drop)
        for _ in range(self.random.choice((1, 1, 1, 2, 2, 3))):
            acts = (self._replace, self._replace, self._drop, self._add, self._twice, self._move)
            self._at(document, self.random.choice(acts))
        text = json.dumps(document, indent=1)
        return self._key_twice(text) if self.random.random() < 0.02 else text

    def _at(self, document: Any, act: Callable[[Any, Step], None]) -> None:
        place = self.random.choices(self._places, self._weights)[0]
        for step in place[:-1]:
            if not _has(document, step):
                return
            document = document[step]
        if _has(document, place[-1]):
            act(document, place[-1])

    def _value(self, old: Any) -> Any:
        kind = self.random.random()
        if isinstance(old, int) and kind < 0.3:
            return old + self.random.choice((-1, 1))
        if isinstance(old, str) and old and kind < 0.3:
            return self.random.choice((old.upper(), f"{old} ", f"{old}\n", old[:-1], f"{old}/x"))
        if kind < 0.6:
            return self.random.choice(NUMBERS)
        return self.random.choice(TEXTS if kind < 0.93 else ODD)

    def _replace(self, inside: Any, step: Step) -> None:
        inside[step] = self._value(inside[step])

    def _drop(self, inside: Any, step: Step) -> None:
        del inside[step]

    def _add(self, inside: Any, step: Step) -> None:
        """Add a key that is another object's, or nobody's."""
        if isinstance(inside, dict):
            known = [p[-1] for p in self._places if isinstance(p[-1], str)]
            key = self.random.choice((*MORE_KEYS, self.random.choice(known)))
            inside[str(key)] = self._value(None)

    def _twice(self, inside: Any, step: Step) -> None:
        if isinstance(inside, list):
            twin = copy.deepcopy(inside[int(step)])
            for key in ("name", "index", "port", "wwn", "node_wwn", "tag", "tg_pt_gp_id"):
                if isinstance(twin, dict) and key in twin and self.random.random() < 0.3:
                    twin[key] = self._value(twin[key])
            inside.insert(self.random.randrange(len(inside) + 1), twin)

    def _move(self, inside: Any, step: Step) -> None:
        """Give it the value that something of its name has elsewhere."""
        same = [p for p in self._places if p[-1] == step]
        value: Any = self._document
        for one in self.random.choice(same):
            value = value[one]
        inside[step] = copy.deepcopy(value)

    def _key_twice(self, text: str) -> str:
        lines = text.split("\n")
        chosen = [i for i, line in enumerate(lines) if line.rstrip().endswith(",") and ":" in line]
        index = self.random.choice(chosen)
        return "\n".join([*lines[:index], lines[index], *lines[index:]])


def _has(inside: Any, step: Step) -> bool:
    if isinstance(inside, dict):
        return step in inside
    return isinstance(inside, list) and isinstance(step, int) and step < len(inside)


def disagreements(pyshell: Pyshell, file: Path, text: str) -> Iterator[str]:
    """Yield in what the commands disagree about a document; the target is empty at both ends."""
    file.write_text(text)
    lio = pyshell.open()
    errors = [str(one) for one in check_text(text, lio) if one.level == "error"]
    told = f"check: {errors[0]}" if errors else "check: no errors"
    dry = pyshell("--dry-run", "apply", str(file))
    applied = pyshell("apply", str(file))
    for ran in (dry, applied):
        if ran.bug or "Traceback" in ran.err:
            yield f"traceback: {ran.err[-600:]}"
    if (dry.status == 0) != (applied.status == 0):
        yield f"dry run {dry.status}, apply {applied.status}: {applied.err or dry.err}"
    if errors and applied.status == 0:
        yield f"{told}, but it was applied"
    if applied.status == 0:
        yield from _at_rest(pyshell, file, text)
        yield from _replayed(pyshell, file)
        object_operations.clear(lio)
    elif not listing.is_empty(lio):
        yield f"apply failed and left something: {applied.err}"
        object_operations.clear(lio)
    restored = pyshell("restoreconfig", str(file))
    if restored.bug or "Traceback" in restored.err:
        yield f"traceback: {restored.err[-600:]}"
    if (errors or applied.status) and restored.status == 0:
        yield f"{told}, apply {applied.status}, but it was restored: {applied.err}"
    if not errors and applied.status == 0 and restored.status != 0:
        yield f"applied, but restored in part: {restored.err}"
    object_operations.clear(lio)


def _at_rest(pyshell: Pyshell, file: Path, text: str) -> Iterator[str]:
    """Yield what runs otherwise than the document that was applied, or would change again."""
    lio = pyshell.open()
    running = read_running(lio)
    saved = to_text(running)
    wanted, runs = items(parse(text, "x"), lio.root), items(running, lio.root)
    found = compare(wanted, runs)
    for one in found:
        if one.sign != "+" or not one.implied:
            yield f"other than applied: {one.sign} {one.path} {[c.text for c in one.changes]}"
    steps = [step.operation.step() for step in plan(lio, runs, wanted).steps]
    if steps:
        yield f"a second apply would {', '.join(steps[:3])}"
    again = [one for one in check_text(saved, lio, Scope(at_boot=True)) if one.level == "error"]
    if again:
        yield f"what is saved fails its check: {again[0]}"
    try:
        if compare(items(parse(saved, "x"), lio.root), runs):
            yield "what is saved is not what runs"
    except DocumentError as error:
        yield f"what is saved cannot be read: {error}"
    private = pyshell("apply", str(file))
    if private.status != 0 or pyshell.open() is None:
        yield f"a second apply fails: {private.err}"


def _replayed(pyshell: Pyshell, file: Path) -> Iterator[str]:
    """Yield in what an empty target differs after the commands that the running one exports to."""
    lio = pyshell.open()
    before = items(read_running(lio), lio.root)
    lines = pyshell("export", "show_secrets=true").done().lines
    object_operations.clear(lio)
    script = file.with_name("exported")
    script.touch(0o600)
    script.write_text("\n".join(lines), encoding="utf-8")
    pyshell.saved_file.unlink(missing_ok=True)  # else what it has beside is not saved
    ran = pyshell("-f", str(script))
    if ran.status != 0:
        yield f"its export fails: {ran.err}"
    untold = any(
        (line.startswith("#") and "cannot" in line) or "not accept" in line for line in lines
    )
    for one in compare(before, items(read_running(lio), lio.root)):
        if not (untold or one.implied):
            changes = [change.text for change in one.changes]
            yield f"other after its export: {one.sign} {one.path} {changes}"


def run(count: int, seed: int, folder: Path) -> list[str]:
    """Return the disagreements about `count` documents, each with its number."""
    pyshell, document = rich(folder / "simulator")
    file = folder / "mutated.json"
    file.touch(0o600)
    mutator = Mutator(document, seed)
    found = []
    for number in range(count):
        text = mutator.text()
        for one in dict.fromkeys(disagreements(pyshell, file, text)):
            found.append(f"document {number} of seed {seed}: {one}")
            if __name__ == "__main__":
                sys.stdout.write(f"{found[-1]}\n")
                sys.stdout.flush()
                kept = Path(tempfile.gettempdir()) / f"mutated-{seed}-{number}.json"
                kept.write_text(text)
    return found


def main() -> int:
    """Run by hand: how many, and the seed."""
    count, seed = int(sys.argv[1]), int((sys.argv[2:] or ["1"])[0])
    folder = Path(tempfile.mkdtemp(prefix="pyshell-mutation-"))
    try:
        found = run(count, seed, folder)
    finally:
        shutil.rmtree(folder)
    sys.stdout.write(f"{count} documents, {len(found)} disagreements\n")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
