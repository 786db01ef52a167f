# SPDX-License-Identifier: Apache-2.0
"""The measuring itself, inside a guest: each program in turn on each shape."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from kernel import bus, lio, snapshot

from . import folders, raw, running
from .running import Took, TooLongError
from .shapes import Shape, shape_of

WORK = Path("/run/bench")
IMPORT = "import rtslib_fb, configshell"
TARGETCLI = "import sys; from targetcli.targetcli_shell import main; sys.exit(main())"
PROBE = "probe"


class Bench:
    """Takes the figures and keeps them: shape, then what was done, to seconds (and memory)."""

    def __init__(self, runs: int, peer: str, peer_seconds: float) -> None:
        self.figures: dict[str, dict[str, Any]] = {}
        self._runs = runs
        self._peer = peer
        self._peer_seconds = peer_seconds
        self._python = sys.executable
        self._pyshell = str(Path(sys.executable).with_name("pyshell"))

    def whole(self, shapes: Sequence[Shape]) -> Iterator[None]:
        """Measure all shapes; yields after each part."""
        for command in (self._pyshell_line("pwd"), self._pyshell_line("/iscsi", "status")):
            running.run(command)  # what is read for the first time comes from the host
        imported = [self._python, "-c", IMPORT]
        # Alternately: a guest that has just booted gets quicker as its code is translated.
        turns = [
            (running.run(imported), self._run_pyshell("pwd")) for _ in range(2 * self._runs + 1)
        ]
        self._note("", "import", [one for one, _ in turns])
        self._note("", "start", [two for _, two in turns])
        yield
        self._one_liners(Shape(0))
        yield
        for shape in shapes:
            yield from self._shape(shape)

    def _shape(self, shape: Shape) -> Iterator[None]:
        self._building(shape)
        yield
        with self._built(shape):
            self._reading(shape)
            yield
            self._one_liners(shape)
            yield

    def _building(self, shape: Shape) -> None:
        """Build and remove by each program, and see that they build the same."""
        file = WORK / "shape.json"
        file.write_text(json.dumps(shape.document()))
        file.chmod(0o600)
        trees: dict[str, snapshot.Tree] = {}
        builders = {
            "raw": (self._raw("build", shape), self._raw("teardown", shape)),
            "pyshell": (
                self._pyshell_line("restoreconfig", str(file)),
                self._pyshell_line("clearconfig", "confirm=true"),
            ),
            "rtslib": (
                [self._python, "-m", "tests.bench.peers", "restore", str(file)],
                [self._python, "-m", "tests.bench.peers", "clear", str(file)],
            ),
        }
        taken: dict[str, list[tuple[Took, Took]]] = {name: [] for name in builders}
        # They take turns, so that a machine that is busy for a while is so for each of them.
        for turn in range(self._runs):
            for name, (make, remove) in builders.items():
                limit = self._peer_seconds if name == "rtslib" else None
                if limit is not None and (turn or not limit):
                    continue
                lio.clear()
                act = "restore"
                try:
                    made = running.run(make, limit)
                    trees[name] = trees.get(name) or snapshot.plain_tree(snapshot.take())
                    act = "clear"
                    taken[name].append((made, running.run(remove, limit)))
                except TooLongError:
                    self._over(shape, f"{name} {act}", limit)
                    continue
                self._must_be_empty(name)
        for name, pairs in taken.items():
            if pairs:
                self._note(shape.name, f"{name} restore", [made for made, _ in pairs])
                self._note(shape.name, f"{name} clear", [gone for _, gone in pairs])
        for name, tree in trees.items():
            wrong = snapshot.differences(trees["raw"], tree)
            assert not wrong, (
                f"{name} and the bare calls build another tree: {list(wrong.items())[:9]}"
            )
        self.figures[shape.name]["same trees"] = sorted(trees)

    def _must_be_empty(self, name: str) -> None:
        left = [entry for entry in os.listdir(raw.CORE) if entry != "alua"]
        left += [entry for entry in os.listdir(raw.ISCSI) if entry.startswith("iqn")]
        assert not left, f"{name} left {left[:9]}"

    def _reading(self, shape: Shape) -> None:
        """Read the whole by each command, and the same files barely."""
        listed, saved = str(WORK / "listed"), str(WORK / "saved.json")
        for name, line in {"saveconfig": ["saveconfig", saved], "ls": ["ls", "/"]}.items():
            trace = [self._python, "-m", "tests.bench.tracing", listed, *line]
            running.run(trace)
            barely = [self._python, "-m", "tests.bench.reading", listed]
            figures = [(running.run(barely), self._run_pyshell(*line)) for _ in range(self._runs)]
            self._note(shape.name, f"bare {name}", [one for one, _ in figures])
            self._note(shape.name, name, [two for _, two in figures])
        for name, words in {
            "apply": ["apply", saved],
            "diff": ["diff", saved],
            "sessions": ["sessions"],
        }.items():
            self._note(shape.name, name, [self._run_pyshell(*words) for _ in range(self._runs)])
        self._peer_figure(shape, "ls", "ls")
        self._peer_figure(shape, "saveconfig", "saveconfig", saved)
        if self._peer_seconds:
            dump = [self._python, "-m", "tests.bench.peers", "dump", saved]
            self._limited(shape, "rtslib dump", dump)

    def _one_liners(self, shape: Shape) -> None:
        """Run one-liners that touch one object each; those that change take turns."""
        tpg = f"/iscsi/{shape.wwn(0)}/tpg1"
        if shape.luns == 0:
            for line in (f"/iscsi create {shape.wwn(0)}", *self._acl_lines(shape)):
                running.run(self._pyshell_line(*line.split()))
        lines = {
            "pwd": "pwd",
            "status": f"{tpg} status",
            "create": f"/backstores/ramdisk create {PROBE} 1M nullio=true",
            "luns create": f"{tpg}/luns create /backstores/ramdisk/{PROBE}",
            "set attribute": f"/backstores/ramdisk/{PROBE} set attribute emulate_caw=0",
            "luns delete": f"{tpg}/luns delete lun{shape.luns}",
            "delete": f"/backstores/ramdisk delete {PROBE}",
        }
        took: dict[str, list[Took]] = {name: [] for name in lines}
        for _ in range(self._runs + 2):  # short ones vary more
            for name, line in lines.items():
                took[name].append(running.run(self._pyshell_line(*line.split())))
        for name, figures in took.items():
            self._note(shape.name, name, figures)
        calls = {
            name: running.system_calls(self._pyshell_line(*line.split()))
            for name, line in lines.items()
        }
        self.figures[shape.name]["system calls"] = calls
        self._batch(shape, f"{tpg} status")
        for name in ("pwd", "status", "create", "delete"):
            self._peer_figure(shape, name, *lines[name].split())
        if shape.luns == 0:
            lio.clear()

    def _acl_lines(self, shape: Shape) -> Iterator[str]:
        for acl in range(shape.acls):
            yield f"/iscsi/{shape.wwn(0)}/tpg1/acls create {shape.initiator(acl)}"

    def _batch(self, shape: Shape, line: str) -> None:
        """Run one line and a hundred and one: the difference is what a line costs."""
        for count in (1, 101):
            file = WORK / "lines"
            file.write_text(f"{line}\n" * count)
            figures = [self._run_pyshell("-f", str(file)) for _ in range(self._runs)]
            self._note(shape.name, f"batch of {count}", figures)

    @contextmanager
    def _built(self, shape: Shape) -> Iterator[None]:
        lio.clear()
        running.run(self._raw("build", shape))
        yield
        lio.clear()

    def _raw(self, act: str, shape: Shape) -> list[str]:
        size = [str(shape.luns), str(shape.targets), str(shape.acls)]
        return [self._python, "-m", "tests.bench.raw", act, *size]

    def _pyshell_line(self, *words: str) -> list[str]:
        return [self._pyshell, *words]

    def _run_pyshell(self, *words: str) -> Took:
        return running.run(self._pyshell_line(*words))

    def _peer_figure(self, shape: Shape, name: str, *words: str) -> None:
        """Run targetcli once, as far as it gets in the time set."""
        if not self._peer_seconds:
            return
        words = tuple("true" if word == "nullio=true" else word for word in words)
        self._limited(shape, f"targetcli {name}", [self._peer, "-c", TARGETCLI, *words])

    def _limited(self, shape: Shape, name: str, command: Sequence[str]) -> None:
        try:
            self._note(shape.name, name, [running.run(command, self._peer_seconds)])
        except TooLongError:
            self._over(shape, name, self._peer_seconds)

    def _over(self, shape: Shape, name: str, limit: float | None) -> None:
        self.figures.setdefault(shape.name, {})[name] = {"over": limit}

    def _note(self, shape: str, name: str, took: Sequence[Took]) -> None:
        found = running.median_of(took)
        kept = {"seconds": found.seconds, "memory": found.memory}
        self.figures.setdefault(shape, {})[name] = kept
        sys.stderr.write(f"{shape:8} {name:22} {found.seconds:8.2f} s {found.memory >> 20:5} MiB\n")
        sys.stderr.flush()


def in_memory(packed: Path) -> None:
    """Put a folder of the host's into the guest's memory, at its own path."""
    folder = folders.named(packed)
    copy = WORK / "memory" / packed.stem
    copy.mkdir(parents=True)
    subprocess.run(["tar", "-C", copy, "-xf", packed], check=True)
    subprocess.run(["mount", "--bind", str(copy), str(folder)], check=True)


def main() -> None:
    """Measure, and write the figures as they come."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peer", default="")
    parser.add_argument("--peer-seconds", type=float, default=0)
    parser.add_argument("shapes", nargs="+", help="LUNS or TARGETSxLUNS")
    options = parser.parse_args()
    WORK.mkdir(exist_ok=True)
    tempfile.tempdir = str(WORK)
    given = Path(os.environ["PYSHELL_BED_RESULTS"])
    for packed in given.glob("*.tar"):
        in_memory(packed)
    bench = Bench(options.runs, options.peer, options.peer_seconds)
    results = given / "figures.json"
    (lio.CONFIGFS / "iscsi").mkdir(exist_ok=True)
    with bus.running() if options.peer_seconds else nullcontext():
        for _ in bench.whole([shape_of(text) for text in options.shapes]):
            results.write_text(json.dumps(bench.figures))


if __name__ == "__main__":
    main()
