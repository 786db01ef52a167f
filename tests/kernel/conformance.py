# SPDX-License-Identifier: Apache-2.0
"""Performs the same acts on a real LIO kernel and on a simulated one, and tells where they differ.

By hand, in a guest with the scenario's volume:
    python -m tests.kernel.conformance [SCENE...]
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pyshell.simulator import SimulatedDevice, Simulator, open_simulator
from pyshell.simulator.places import locate

from .conformance_acts import OK, Act, Player, RealKernel, SimulatedKernel, perform, text_of
from .conformance_scenes import LOOK, SCENES, VOLUME, Scene

Entry = tuple[str, ...]
FABRICS = ("iscsi", "loopback")


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
    found: dict[str, Entry] = {}
    for folder, groups, files in os.walk(kernel.root):
        inside = os.path.relpath(folder, kernel.root)
        for name in (*groups, *files):
            rel = os.path.normpath(f"{inside}/{name}")
            found[rel] = _entry(kernel, rel)
    return found


def _entry(kernel: Player, rel: str) -> Entry:
    path = kernel.root / rel
    if path.is_symlink():
        return ("link", os.readlink(path))
    mode = f"{path.stat().st_mode & 0o7777:o}"
    return ("group", mode) if path.is_dir() else ("file", mode, text_of(kernel, rel))


# What stands in these counts what the kernel has made and done since its start.
COUNTING = ("/statistics/", "/fabric_statistics/", "/hba_info", "/address")


def is_steady(rel: str) -> bool:
    """Tell whether a text depends on neither time nor chance, nor on what was before."""
    if any(part in f"{rel}/" if part.endswith("/") else rel.endswith(part) for part in COUNTING):
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
        texts = text_of(real, act.path), text_of(simulated, act.path)
        if texts[0] != texts[1]:
            report.differences.append(f"{label}: real shows {texts[0]!r}, simulated {texts[1]!r}")


def _look(report: Report, scene: str, after: Act, real: Player, simulated: Player) -> None:
    trees = tree(real), tree(simulated)
    report.looks += 1
    report.entries += len(trees[0])
    for line in differences(*trees):
        if line not in report.standing:
            report.differences.append(f"{scene}, after {after}: {line}")
    report.standing = set(differences(*trees))


# The hardware of this machine, for the simulator's table


def volume(path: str = VOLUME) -> SimulatedDevice:
    """Describe a block device of this machine as the simulator's table does."""
    node = os.path.realpath(path)
    number = os.stat(node).st_rdev
    number_text = f"{os.major(number)}:{os.minor(number)}"
    block = Path(f"/sys/dev/block/{number_text}")
    name = block.resolve().name

    def limit(file: str) -> int:
        return int((block / "queue" / file).read_text())

    sector = limit("logical_block_size")
    return SimulatedDevice(
        path,
        name,
        int((block / "size").read_text()) * 512,
        sector_size=sector,
        number=number_text,
        max_sectors=limit("max_hw_sectors_kb") * 1024 // sector,
        queue_depth=limit("nr_requests"),
        rotational=bool(limit("rotational")),
        discard_sectors=limit("discard_max_bytes") // sector,
        discard_granularity=limit("discard_granularity") // sector,
    )


def simulator_like_this_machine(folder: Path) -> Simulator:
    """Make a simulator with this machine's volume, CPUs and the files that the scenes name."""
    simulator = open_simulator(folder)
    simulator.machine.add(volume())
    table = json.loads((folder / "machine.json").read_text())
    table["cpus"] = os.cpu_count()
    table["fabrics"] = list(FABRICS)
    (folder / "machine.json").write_text(json.dumps(table, indent=2))
    simulator.machine.file("/run").mkdir(exist_ok=True)
    simulator.machine.file("/dev").mkdir(exist_ok=True)
    simulator.machine.file("/etc").mkdir(exist_ok=True)
    simulator.machine.file("/dev/null").touch()
    return simulator


def compare(folder: Path, names: list[str], show: Callable[[str], None]) -> Report:
    """Perform the scenes of those names, or all, on this kernel and on a simulator in `folder`."""
    Path("/proc/sys/kernel/printk").write_text("1")  # refusals would fill the console
    chosen = [scene for scene in SCENES if scene[0] in names or not names]
    simulator = simulator_like_this_machine(folder)
    for fabric in FABRICS:
        for kernel in (RealKernel(), SimulatedKernel(simulator)):
            perform(kernel, Act("mkdir", fabric))
    return run(simulator, chosen, show)


def main(names: list[str], show: Callable[[str], None]) -> int:
    """Run scenes and print what differs."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        report = compare(Path(folder) / "simulator", names, show)
    show(str(report))
    return bool(report.differences)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], lambda line: print(line, flush=True)))
