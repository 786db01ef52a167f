# SPDX-License-Identifier: Apache-2.0
"""What targetcli 3.0.2 made of each line on the test kernel, recorded as it takes its time.

{SCENE: {"start": {PATH: VALUE}, "done": [{"line", "status", "stdout", "stderr", "tree"}, ...]}}:
a line's "tree" is what it changed in configfs, with null for what is gone.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import snapshot
from .comparing import Did, Played
from .scenes import Scene

FILE = Path(__file__).with_name("recorded.json.gz")


def read(scenes: Sequence[Scene], file: Path = FILE) -> dict[str, Played]:
    """Return what is recorded of the scenes, by their names.

    Raises ValueError where their lines are not those that were recorded.
    """
    recorded = json.loads(gzip.decompress(file.read_bytes()))
    lines = {name: [one["line"] for one in scene["done"]] for name, scene in recorded.items()}
    if lines != {scene.name: [step.text for step in scene.steps] for scene in scenes}:
        text = "lines.txt has changed: record anew by python -m tests.kernel.sidebyside record"
        raise ValueError(text)
    return {name: _played(scene) for name, scene in recorded.items()}


def write(played: Mapping[str, Played], scenes: Sequence[Scene], file: Path = FILE) -> None:
    """Record what came of the scenes."""
    recorded = {scene.name: _as_json(scene, played[scene.name]) for scene in scenes}
    text = json.dumps(recorded, indent=1)
    # Without a time in it: the same recording is the same file.
    file.write_bytes(gzip.compress(text.encode(), mtime=0))


def _as_json(scene: Scene, played: Played) -> dict[str, Any]:
    lines = []
    before = played.start
    for step, did in zip(scene.steps, played.done, strict=True):
        changed = {path: now for path, (_, now) in snapshot.differences(before, did.tree).items()}
        texts = {"line": step.text, "stdout": did.stdout, "stderr": did.stderr}
        lines.append({**texts, "status": did.status, "tree": changed})
        before = did.tree
    return {"start": played.start, "done": lines}


def _played(scene: Mapping[str, Any]) -> Played:
    tree: snapshot.Tree = scene["start"]
    done = []
    for line in scene["done"]:
        after = {**tree, **line["tree"]}
        tree = {path: value for path, value in after.items() if value is not None}
        done.append(Did(line["status"], line["stdout"], line["stderr"], tree))
    return Played(scene["start"], done)
