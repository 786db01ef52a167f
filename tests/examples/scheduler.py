# SPDX-License-Identifier: Apache-2.0
"""What Pacemaker's scheduler would do with a cluster's configuration, by crm_simulate."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from driver import clean_environment
from kernel.unpacked import environment

BOTH_UP = ("--quorum", "1", "--node-up", "node1", "--node-up", "node2")


def simulate(package: Path, tmp_path: Path, file: Path, *options: str) -> list[str]:
    """Return what the cluster's scheduler would do, each as `RESOURCE ACTION on NODE`."""
    schema = {
        "PCMK_schema_directory": str(package / "usr/share/pacemaker"),
        "CIB_shadow_dir": str(tmp_path),
    }
    command = ["crm_simulate", "--simulate", "--xml-file", str(file), *options]
    programs = environment(package)
    done = subprocess.run(
        [shutil.which(command[0], path=programs["PATH"]) or command[0], *command[1:]],
        env={**clean_environment(), **programs, **schema},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [
        " ".join(line.replace("Resource action: ", "").split()[1:])
        for line in done.stdout.splitlines()
        if "Resource action:" in line or "Fencing" in line
    ]


def those_of(steps: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Return those of the steps that are wanted, in their order; monitors are none of them."""
    return [step for step in steps if step in wanted]


def with_scores(text: str, resource: str, *scores: int) -> str:
    """Return a configuration in which DRBD's agent has said which node has the newer data.

    Each score is that of the node with its number.
    """
    for number, score in enumerate(scores, 1):
        pair = f'<nvpair id="score{number}" name="master-{resource}" value="{score}"/>'
        attributes = f'<instance_attributes id="scores{number}">{pair}</instance_attributes>'
        node = f'<node id="{number}" uname="node{number}"'
        assert f"{node}/>" in text
        text = text.replace(f"{node}/>", f"{node}>{attributes}</node>")
    return text
