# SPDX-License-Identifier: Apache-2.0
"""Performs the same acts on a real LIO kernel and on a simulated one, and tells where they differ.

By hand, in a guest with the scenario's volume:
    python -m tests.kernel.conformance [SCENE...]
"""

from __future__ import annotations

import dataclasses
import json
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pyshell.simulator import SimulatedDevice, Simulator, open_simulator
from pyshell.simulator.rules import locate
from pyshell.simulator.tree_files import TreeFiles

from . import commands, lio, softports
from .commands import wait_for
from .conformance_acts import (
    OK,
    Act,
    Player,
    RealKernel,
    SimulatedKernel,
    mkdir,
    perform,
    symlink,
    text_of,
    write,
)
from .conformance_scenes import LOOK, SCENES, VOLUME, Scene, adapter, passthrough

FABRICS = ("iscsi", "loopback", "vhost", "sbp", "fc", "srpt")
# A loopback target is a SCSI host of this very machine, which looks at its LUNs at once: which
# number the host has, and how many commands it sent, is not the target's doing.
_HOSTS = ("address", "num_cmds", "in_cmds", "read_mbytes", "write_mbytes")
Entry = tuple[str, ...]


@dataclass
class Report:
    """How many acts were compared, and every difference found."""

    acts: int = 0
    refusals: int = 0
    looks: int = 0
    entries: int = 0
    differences: list[str] = field(default_factory=list)
    # What the last look found, so that a difference is told once and not at every look.
    standing: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        return (
            f"{self.acts} acts compared, {self.refusals} of them refusals; {self.looks} looks at"
            f" the trees, {self.entries} entries; {len(self.differences)} differences"
        )


def tree(kernel: Player) -> dict[str, Entry]:
    """Return everything below a target tree: kind, mode, and text or link target."""
    return dict(_entries(kernel, ""))


def _entries(kernel: Player, inside: str) -> Iterator[tuple[str, Entry]]:
    # With few calls for each of the many: an emulated processor takes long for pathlib's.
    for entry in os.scandir(f"{kernel.root}/{inside}"):
        rel = f"{inside}{entry.name}"
        mode = entry.stat(follow_symlinks=False).st_mode
        shown = f"{mode & 0o7777:o}"
        if stat.S_ISLNK(mode):
            yield rel, ("link", os.readlink(entry))
        elif stat.S_ISDIR(mode):
            yield rel, ("group", shown)
            yield from _entries(kernel, f"{rel}/")
        else:
            yield rel, ("file", shown, _steady_text(kernel, rel))


def _steady_text(kernel: Player, rel: str) -> str:
    # Debian's kernel is a newer one from time to time, and says so in texts of its modules.
    return text_of(kernel, rel).replace(kernel.release, "RELEASE")


def is_steady(rel: str) -> bool:
    """Tell whether a file's text depends on neither time nor chance nor what initiators do."""
    if rel.rpartition("/")[2] in _HOSTS:
        return False
    place = locate(rel)
    file = place.template.files.get(place.inner)
    return file is not None and not file.varies


def differences(real: dict[str, Entry], simulated: dict[str, Entry]) -> list[str]:
    """Say how two trees differ, one line an entry."""
    found = [f"only real: {rel}" for rel in sorted(set(real) - set(simulated))]
    found += [f"only simulated: {rel}" for rel in sorted(set(simulated) - set(real))]
    for rel in sorted(set(real) & set(simulated)):
        one, other = real[rel], simulated[rel]
        if one[:2] != other[:2] or (one != other and is_steady(rel)):
            found.append(f"{rel}: real {one[1:]}, simulated {other[1:]}")
    return found


def run(
    simulator: Simulator,
    scenes: Iterable[Scene] = SCENES,
    show: Callable[[str], None] = lambda _line: None,
) -> Report:
    """Perform scenes on this kernel and on `simulator`; `show` gets each difference at once."""
    report = Report()
    shown = 0
    real, simulated = RealKernel(), SimulatedKernel(simulator)
    for name, acts in scenes:
        for number, act in enumerate(acts):
            label = f"{name} {number}: {act}"
            if act == LOOK:
                _look(report, name, acts[number - 1], real, simulated)
            else:
                _act(report, label, act, real, simulated)
        _look(report, name, Act("end", ""), real, simulated)
        for kernel in (real, simulated):
            sweep(kernel)
        while shown < len(report.differences):
            show(report.differences[shown])
            shown += 1
    return report


def sweep(kernel: Player) -> None:
    """Remove whatever a scene has left, so that a difference in one is none in the next."""
    for folder, groups, files in os.walk(kernel.root, topdown=False):
        rel = os.path.relpath(folder, kernel.root)
        for name in (*groups, *files):
            if os.path.islink(f"{folder}/{name}"):
                perform(kernel, Act("unlink", f"{rel}/{name}"))
        if "nexus" in files:
            perform(kernel, Act("write", f"{rel}/nexus", "NULL"))
        if rel not in (".", *FABRICS):
            perform(kernel, Act("rmdir", rel))


def _act(report: Report, label: str, act: Act, real: Player, simulated: Player) -> None:
    one, other = perform(real, act), perform(simulated, act)
    report.acts += 1
    report.refusals += one != OK
    if one != other:
        report.differences.append(f"{label}: real {one}, simulated {other}")
    elif act.operation == "write" and one == OK and is_steady(act.path):
        texts = _steady_text(real, act.path), _steady_text(simulated, act.path)
        if texts[0] != texts[1]:
            report.differences.append(f"{label}: real shows {texts[0]!r}, simulated {texts[1]!r}")


def _look(report: Report, scene: str, after: Act, real: Player, simulated: Player) -> None:
    trees = tree(real), tree(simulated)
    report.looks += 1
    report.entries += len(trees[0])
    found = differences(*trees)
    for line in found:
        if line not in report.standing:
            report.differences.append(f"{scene}, after {after}: {line}")
    report.standing = set(found)


# This machine as a simulated one


DEFAULT_REQUESTS = 128  # BLKDEV_DEFAULT_RQ in linux/blkdev.h


def volume(path: str = VOLUME) -> SimulatedDevice:
    """Describe a block device of this machine as the simulator's table does."""
    node = os.path.realpath(path)
    number = os.stat(node).st_rdev
    number_text = f"{os.major(number)}:{os.minor(number)}"
    block = Path(f"/sys/dev/block/{number_text}")

    def limit(file: str) -> int:
        return int((block / "queue" / file).read_text())

    def depth() -> int:
        try:
            return limit("nr_requests")
        except FileNotFoundError:  # Linux 6.12 tells it only of devices that queue requests
            return DEFAULT_REQUESTS

    sector = limit("logical_block_size")
    return SimulatedDevice(
        path,
        block.resolve().name,
        int((block / "size").read_text()) * 512,
        sector_size=sector,
        number=number_text,
        max_sectors=limit("max_hw_sectors_kb") * 1024 // sector,
        queue_depth=depth(),
        rotational=bool(limit("rotational")),
        discard_sectors=limit("discard_max_bytes") // sector,
        discard_granularity=limit("discard_granularity") // sector,
    )


def scsi_disk() -> SimulatedDevice:
    """Describe the scsi_debug disk of this machine."""
    found = wait_for("the scsi_debug disk", lambda: next(_scsi_debug_disks(), None))

    def text(name: str) -> str:
        return (found / name).read_text().strip()

    node = next((found / "block").iterdir()).name
    described = volume(f"/dev/{node}")
    return dataclasses.replace(
        described,
        hctl=found.name,
        vendor=text("vendor"),
        model=text("model"),
        revision=text("rev"),
        serial=(found / "vpd_pg80").read_bytes()[4:].decode().strip(),
    )


def _scsi_debug_disks() -> Iterator[Path]:
    for folder in Path("/sys/class/scsi_device").glob("*/device"):
        model = (folder / "model").read_text().strip()
        if model == "scsi_debug" and (folder / "block").is_dir():
            yield folder.resolve()


def simulator_like_this_machine(folder: Path, disk: SimulatedDevice) -> Simulator:
    """Make a simulator with this machine's disks, CPUs and the files that the scenes name."""
    simulator = open_simulator(folder)
    for device in (volume(), disk):
        simulator.machine.add(device)
    table = json.loads((folder / "machine.json").read_text())
    table |= {"cpus": os.cpu_count(), "fabrics": [*FABRICS, "tcm_fc"], "ports": ports()}
    (folder / "machine.json").write_text(json.dumps(table, indent=2))
    simulator.machine.file("/dev").mkdir(exist_ok=True)
    simulator.machine.file("/dev/null").touch()
    simulator.machine.file("/etc").mkdir(exist_ok=True)
    TreeFiles(folder).remember("counters", counters())
    return simulator


def ports() -> list[dict[str, str]]:
    """Describe this machine's ports as the simulator's table does."""
    found = [{"fabric": "srpt", "name": gid} for gid in softports.gids()]
    return [*found, *({"fabric": "tcm_fc", "name": name} for name in softports.fc_names())]


def adapters() -> Iterator[Scene]:
    """Yield the scenes of the fabrics that have ports."""
    name = softports.fc_names()[0]
    colons = ":".join(name[start : start + 2] for start in range(0, len(name), 2))
    yield "sbp", adapter("sbp", "00112233445566aa", "00112233445566bb")
    yield "fc", adapter("fc", colons, "20:00:00:11:22:33:44:bb")
    yield "srpt", adapter("srpt", f"0x{softports.gids()[0]}", f"0x{'ab' * 16}")


def counters() -> dict[str, int]:
    """Return how far the real kernel has counted, so that the simulated one goes on from there."""
    real = RealKernel()
    hba, tpg = "core/rd_mcp_0", "iscsi/iqn.2020-07.org.example:count/tpgt_1"
    acl, lun = f"{tpg}/acls/x", f"{tpg}/lun/lun_0"
    acts = (
        *(mkdir(hba), mkdir(f"{hba}/x"), write(f"{hba}/x/control", "rd_pages=1")),
        *(write(f"{hba}/x/enable", "1"), mkdir(os.path.dirname(tpg)), mkdir(tpg), mkdir(acl)),
        *(mkdir(lun), symlink(f"{hba}/x", f"{lun}/x"), mkdir(f"{acl}/lun_0")),
        symlink(lun, f"{acl}/lun_0/x"),
    )
    assert [perform(real, act) for act in acts] == [OK] * len(acts)
    found = {
        "hba_index": int(text_of(real, f"{hba}/hba_info").split()[2]),
        "instance": int(text_of(real, f"{hba}/x/statistics/scsi_dev/inst")) - 1,
        "device_index": int(text_of(real, f"{hba}/x/statistics/scsi_dev/indx")),
        "acl_index": int(text_of(real, f"{acl}/lun_0/statistics/scsi_auth_intr/indx")),
    }
    sweep(real)
    return found


def compare(folder: Path, names: Sequence[str], show: Callable[[str], None]) -> Report:
    """Perform the scenes of those names, or all, on this kernel and on a simulator in `folder`."""
    Path("/proc/sys/kernel/printk").write_text("1")  # refusals would fill the console
    commands.run("modprobe", "-a", "sd_mod", "scsi_debug", "vhost_scsi")
    with softports.made():
        try:
            return _compare(folder, names, show)
        finally:
            lio.clear()  # a port that is a target could not be taken away


def _compare(folder: Path, names: Sequence[str], show: Callable[[str], None]) -> Report:
    for fabric in FABRICS:
        perform(RealKernel(), mkdir(fabric))
    disk = scsi_disk()
    simulator = simulator_like_this_machine(folder, disk)
    for fabric in FABRICS:
        perform(SimulatedKernel(simulator), mkdir(fabric))
    passed = ("passthrough", passthrough(disk.hctl or "", disk.path))
    scenes = (*SCENES, *adapters(), passed)
    return run(simulator, [scene for scene in scenes if scene[0] in names or not names], show)


def main(names: Sequence[str]) -> int:
    """Run scenes and print what differs."""

    def show(line: object) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        report = compare(Path(folder) / "simulator", names, show)
    show(report)
    return bool(report.differences)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
