# SPDX-License-Identifier: Apache-2.0
"""The list of lines, from lines.txt: scenes of lines that follow each other on one kernel.

    [scene]
    LINE as a calling shell would be given it
        ASPECT REASON        what of the line above may differ, and why it does

$DISK in a line is a SCSI disk, $ADDRESS its H:C:T:L. A reason begins with what asks for the
difference: `failure N` (a field failure's number), or `contract`. ASPECT is one of

    status   the exit status
    stdout   what is printed
    stderr   what is printed of an error, compared in the scene `errors` alone
    meaning  the texts that explain a group's settings; all else that is printed is the same
    more     as meaning, and settings stand there that targetcli has not
    order    the order of the lines
    tree     what this line changes in configfs
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

LINES = Path(__file__).with_name("lines.txt")
ASPECTS = ("status", "stdout", "stderr", "meaning", "more", "order", "tree")
_REASON = re.compile(r"(failure \d+(, \d+)*|contract): \S.*")


@dataclass
class Step:
    """One line, and what of it may differ."""

    text: str
    exempt: dict[str, str] = field(default_factory=dict)

    def arguments(self, names: Mapping[str, str]) -> list[str]:
        """Return the line as an argument vector, with each $NAME replaced."""
        return shlex.split(Template(self.text).substitute(names))


@dataclass
class Scene:
    """Lines that follow each other, from an empty kernel on."""

    name: str
    steps: list[Step] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Return all lines: what they name is not drawn by lot."""
        return "\n".join(step.text for step in self.steps)


def read(path: Path = LINES) -> list[Scene]:
    """Return the scenes of a file. Raises ValueError, which names the line that is wrong."""
    scenes: list[Scene] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("["):
            scenes.append(Scene(line.strip("[]")))
        elif line.startswith(" "):
            aspect, _, reason = line.strip().partition(" ")
            if aspect not in ASPECTS or not _REASON.fullmatch(reason):
                raise ValueError(f"{path.name}:{number}: {line.strip()}")
            scenes[-1].steps[-1].exempt[aspect] = reason
        else:
            scenes[-1].steps.append(Step(line))
    return scenes
