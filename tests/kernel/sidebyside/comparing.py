# SPDX-License-Identifier: Apache-2.0
"""Compares what two programs made of a scene."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .. import snapshot
from .scenes import Scene, Step

# So many entries of configfs are told of one difference; a missing object would be hundreds.
SHOWN = 8


@dataclass(frozen=True)
class Did:
    """What came of one line."""

    status: int
    stdout: str
    stderr: str
    tree: snapshot.Tree
    seconds: float = 0.0


@dataclass(frozen=True)
class Played:
    """What came of a scene: configfs at its start, and what each line did."""

    start: snapshot.Tree
    done: list[Did]


def compare(scene: Scene, theirs: Played, ours: Played) -> list[str]:
    """Return what differs and may not, and what may differ and does not."""
    found: list[str] = []
    before = snapshot.differences(theirs.start, ours.start)
    for step, their, our in zip(scene.steps, theirs.done, ours.done, strict=True):
        differ = _outputs(their, our)
        if scene.name == "errors" and their.stderr != our.stderr:
            differ["stderr"] = f"{their.stderr}|\n{our.stderr}"
        trees = snapshot.differences(their.tree, our.tree)
        new = {path: values for path, values in trees.items() if before.get(path) != values}
        if new:
            lines = [f"{path}: {a!r} | {b!r}" for path, (a, b) in new.items()]
            more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
            differ["tree"] = "\n".join([*lines[:SHOWN], *more])
        found += _judge(step, differ)
        found += _error_line(step, our)
        before = trees
    return found


def _adds_only(their: list[str], our: list[str]) -> bool:
    """Tell whether all that they print is there, with more in between."""
    matching = difflib.SequenceMatcher(None, their, our, autojunk=False)
    return all(kind in ("equal", "insert") for kind, *_ in matching.get_opcodes())


def _outputs(their: Did, our: Did) -> dict[str, str]:
    differ = {}
    if their.status != our.status:
        differ["status"] = f"{their.status} | {our.status}\n{their.stderr}|\n{our.stderr}"
    if their.stdout.splitlines() != our.stdout.splitlines():
        one, other = without_meaning(their.stdout), without_meaning(our.stdout)
        if one == other:
            aspect = "meaning"
        elif sorted(one) == sorted(other):
            aspect = "order"
        else:
            aspect = "more" if _adds_only(one, other) else "stdout"
        diff = difflib.unified_diff(one, other, n=0, lineterm="")
        differ[aspect] = "\n".join(line for line in diff if line[:2] not in ("--", "++", "@@"))
    return differ


def _judge(step: Step, differ: Mapping[str, str]) -> Iterator[str]:
    for aspect, text in differ.items():
        if aspect not in step.exempt:
            yield f"{step.text}\n  {aspect}: " + text.replace("\n", "\n    ")
    for aspect in step.exempt:
        if aspect not in differ:
            yield f"{step.text}\n  {aspect} may differ and does not: the exemption is not needed"


def _error_line(step: Step, our: Did) -> Iterator[str]:
    """Yield what is wrong with our standard error: one line for one failure."""
    lines = our.stderr.splitlines()
    if our.status not in (0, 255) and len(lines) != 1:
        yield f"{step.text}\n  stderr: not one line but {lines}"


def without_meaning(text: str) -> list[str]:
    """Return a group's listing without the texts that stand below each underlined setting."""
    lines: list[str] = []
    explained = False
    for line in text.splitlines():
        explained = explained and bool(line)
        if line and not explained:
            lines.append(line)
        explained = explained or bool(re.fullmatch("-+", line))
    return lines
