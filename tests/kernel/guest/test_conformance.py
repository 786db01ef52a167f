# SPDX-License-Identifier: Apache-2.0
"""The simulated kernel does what the real one does, act by act and tree by tree."""

from __future__ import annotations

from pathlib import Path

from ..conformance import compare

LEAST_ACTS = 200
LEAST_REFUSALS = 60


def test_the_simulated_kernel_does_what_the_real_one_does(
    lee: Path, tmp_path: Path, results: Path
) -> None:
    report = compare(tmp_path / "simulator", [], lambda _line: None)
    (results / "conformance.txt").write_text("\n".join([str(report), *report.differences, ""]))
    assert report.differences == []
    assert report.acts >= LEAST_ACTS
    assert report.refusals >= LEAST_REFUSALS
