# SPDX-License-Identifier: Apache-2.0
"""The comparison of two programs finds each difference, and no exemption outlives its need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from .sidebyside import recorded, scenes
from .sidebyside.comparing import Did, Played, compare
from .sidebyside.scenes import Scene, Step

THEIRS = Did(0, "Created it.\nDone.\n", "", {"core": "", "core/a": "1"})
FAILED = replace(THEIRS, status=1, stdout="", stderr="It cannot be.\n")


def found(ours: Did, theirs: Did = THEIRS, exempt: Mapping[str, str] | None = None) -> str:
    """Return what the comparison of one line tells."""
    scene = Scene("one", [Step("create", dict(exempt or {}))])
    return "\n".join(compare(scene, Played({}, [theirs]), Played({}, [ours])))


def test_what_is_the_same_tells_nothing() -> None:
    assert found(THEIRS) == ""
    assert found(replace(FAILED, stderr="That is impossible.\n"), FAILED) == ""


@pytest.mark.parametrize(
    ("ours", "aspect"),
    [
        (replace(THEIRS, stdout="Created it\nDone.\n"), "stdout"),
        (replace(THEIRS, stdout="Done.\nCreated it.\n"), "order"),
        (replace(THEIRS, stdout="Created it.\nDone.\nTwice.\n"), "more"),
        (replace(THEIRS, tree={"core": "", "core/a": "2"}), "tree"),
        (replace(FAILED, stdout=THEIRS.stdout), "status"),
    ],
)
def test_a_difference_is_told_unless_it_is_exempt(ours: Did, aspect: str) -> None:
    assert f"create\n  {aspect}: " in found(ours)
    assert found(ours, exempt={aspect: "failure 1: so it must be"}) == ""


def test_only_the_explanations_of_settings_differ_in_meaning() -> None:
    theirs = replace(
        THEIRS, stdout="A CONFIG GROUP\n==============\nx=1\n---\nIs x.\n\ny=2\n---\n\n"
    )
    ours = replace(theirs, stdout=theirs.stdout.replace("Is x.", "What x is."))
    assert "  meaning: " in found(ours, theirs)
    other = replace(ours, stdout=ours.stdout.replace("y=2", "y=3"))
    assert "  stdout: -y=2\n    +y=3" in found(other, theirs)


def test_an_exemption_that_nothing_needs_fails() -> None:
    assert "the exemption is not needed" in found(THEIRS, exempt={"stdout": "failure 1: no more"})


@pytest.mark.parametrize("stderr", ["", "It cannot be.\nFor a reason.\n"])
def test_a_failure_is_told_in_one_line(stderr: str) -> None:
    assert "stderr: not one line" in found(replace(FAILED, stderr=stderr), FAILED)


def test_a_tree_that_stays_different_is_told_once() -> None:
    ours = replace(THEIRS, tree={})
    scene = Scene("two", [Step("create", {"tree": "failure 1: so"}), Step("ls")])
    assert compare(scene, Played({}, [THEIRS] * 2), Played({}, [ours] * 2)) == []


def test_what_differed_at_the_start_is_not_told() -> None:
    ours = replace(THEIRS, tree={**THEIRS.tree, "loopback": ""})
    scene = Scene("one", [Step("ls")])
    assert compare(scene, Played({}, [THEIRS]), Played({"loopback": ""}, [ours])) == []


def test_what_is_recorded_is_read_again(tmp_path: Path) -> None:
    scene = Scene("one", [Step("create"), Step("delete")])
    played = Played({"core": ""}, [THEIRS, replace(FAILED, tree={"core": ""})])
    recorded.write({"one": played}, [scene], tmp_path / "file")
    assert recorded.read([scene], tmp_path / "file") == {"one": played}
    with pytest.raises(ValueError, match="record anew"):
        recorded.read([Scene("one", [Step("create")])], tmp_path / "file")


def test_every_line_of_the_list_is_recorded() -> None:
    assert sum(len(played.done) for played in recorded.read(scenes.read()).values()) >= 150


def test_each_exemption_of_the_list_has_its_reason(tmp_path: Path) -> None:
    assert sum(len(scene.steps) for scene in scenes.read()) >= 150
    bad = tmp_path / "lines.txt"
    bad.write_text("[one]\nls\n    stdout because\n")
    with pytest.raises(ValueError, match=r"lines\.txt:3"):
        scenes.read(bad)
