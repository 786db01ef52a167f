# SPDX-License-Identifier: Apache-2.0
"""Files broken at random: check finds what it finds and never traces back, nor does a restore."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from driver import LONG, ROOT, SERVER, Pyshell
from pyshell.config.document_file import DocumentError, parse
from pyshell.config.validate import Scope, check_text
from pyshell.lio import Lio

EXAMPLE = (ROOT / "saveconfig.example.json").read_text()
RANDOM = settings(
    max_examples=300 if LONG else 100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

Step = int | str


def places(value: Any, before: tuple[Step, ...] = ()) -> list[tuple[Step, ...]]:
    """Return the place of everything in a document but the whole."""
    parts: list[tuple[Step, Any]] = []
    if isinstance(value, dict):
        parts = list(value.items())
    elif isinstance(value, list):
        parts = list(enumerate(value))
    found = []
    for step, entry in parts:
        found += [(*before, step), *places(entry, (*before, step))]
    return found


PLACES = places(json.loads(EXAMPLE))
WORDS = st.sampled_from(
    ["", "/", "..", "iscsi", "loopback", "vhost", "block", "ramdisk", "fileio", "pscsi", "user",
     "/dev/sdb", "/dev/st0", "/srv/x.img", "0.0.0.0", "[::0]", "naa.5001405000000009", "1", "NULL",
     "default_tg_pt_gp", "/backstores/ramdisk/scratch", "a\nb", "a\0b", "\ud800", "ü" * 300]
)  # fmt: skip
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, 1, -1, 3260, 65535, 65536, 1 << 63, 1 << 70])
    | st.floats()
    | st.text(max_size=20)
    | WORDS
)
KEYS = st.text(max_size=8) | st.sampled_from(
    sorted({step for place in PLACES for step in place if isinstance(step, str)})
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
CHANGES = st.lists(st.tuples(st.sampled_from(PLACES), KEYS | st.none(), VALUES), max_size=4)


def changed(changes: list[tuple[tuple[Step, ...], str | None, Any]]) -> Any:
    """Return the example with other values at some places, or with further keys there."""
    document = json.loads(EXAMPLE)
    for place, key, value in changes:
        inside = document
        for step in place[:-1]:
            if not _has(inside, step):
                break
            inside = inside[step]
        else:
            if key is not None and isinstance(inside, dict):
                inside[key] = copy.deepcopy(value)
            elif _has(inside, place[-1]):
                inside[place[-1]] = copy.deepcopy(value)
    return document


def _has(inside: Any, step: Step) -> bool:
    if isinstance(inside, dict):
        return step in inside
    return isinstance(inside, list) and isinstance(step, int) and step < len(inside)


SCOPES = st.sampled_from(
    [Scope(at_boot=True), Scope(cluster=True), Scope(cluster=True, target=SERVER)]
)


@RANDOM
@given(CHANGES, SCOPES)
def test_check_reports_at_least_what_loading_refuses(lio: Lio, changes: Any, scope: Scope) -> None:
    text = json.dumps(changed(changes))
    found = check_text(text, lio, scope)
    assert all(one.line == 1 and one.column <= len(text) for one in found)
    assert all("\n" not in str(one) for one in found)
    "".join(map(str, found)).encode()  # all of it can be shown
    errors = {one.path for one in found if one.level == "error"}
    assert set(refused_places(text)) <= errors


def refused_places(text: str) -> list[str]:
    """Return the places for which loading refuses a document."""
    try:
        parse(text, "x")
    except DocumentError as error:
        return [one.path for one in error.findings]
    return []


@RANDOM
@given(st.data(), SCOPES)
def test_check_finds_the_position_of_a_problem_in_any_text(
    lio: Lio, data: st.DataObject, scope: Scope
) -> None:
    text = EXAMPLE
    for _ in range(data.draw(st.integers(1, 3))):
        begin = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(begin, min(begin + 5, len(text))))
        text = text[:begin] + data.draw(st.text('{}[]",:0e-\\u \n', max_size=4)) + text[end:]
    lines = text.split("\n")
    for one in check_text(text, lio, scope):
        assert 1 <= one.line <= len(lines)
        assert 1 <= one.column <= len(lines[one.line - 1]) + 1


@settings(RANDOM, max_examples=40 if LONG else 15)
@given(CHANGES)
def test_a_restore_of_any_document_ends_with_a_status(
    pyshell: Pyshell, tmp_path: Path, changes: Any
) -> None:
    file = tmp_path / "random.json"
    file.write_text(json.dumps(changed(changes)))
    ran = pyshell("restoreconfig", str(file), "clear_existing=true")
    assert ran.status in (0, 1, 2, 3, 5)
    assert not ran.bug
    pyshell.must("clearconfig confirm=true")
