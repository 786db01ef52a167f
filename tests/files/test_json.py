# SPDX-License-Identifier: Apache-2.0
"""JSON that anyone may have written is read or refused with a ValueError (findings 52 and 64)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from pyshell.files import reading
from pyshell.files.reading import DEPTH_MAX, DIGITS_MAX, parse_json


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[NaN]", "[Infinity]", "[1e999]", "1" * (DIGITS_MAX + 1), "[-" + "9" * 5000 + "]",
        "[" * 100_000, "[" * (DEPTH_MAX + 1) + "]" * (DEPTH_MAX + 1),
        '{"a":' * 2000 + "1" + "}" * 2000,
        '["' + "]" * 5000 + '",' + "[" * 101 + "]" * 101 + "]",
        r'"\u0000"', r'"\ud800"', r'{"\udfff": 1}', '"\ud800"', "\ufeff{}",
    ],
)  # fmt: skip
def test_values_that_pyshell_cannot_use_are_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        parse_json(text)


def test_bytes_that_are_not_text_are_refused() -> None:
    with pytest.raises(ValueError, match="utf-8"):
        parse_json(b'"\xff"')


@pytest.mark.parametrize(
    "text",
    [
        "[" * DEPTH_MAX + "]" * DEPTH_MAX,
        json.dumps("[" * 5000),
        json.dumps(['\\"[' * 5000]),
        json.dumps("1" * 5000),
        r'"\ud83d\ude00"',
        r'"\\u0000"',
        r'"\udc80"',
        "1" * DIGITS_MAX,
    ],
)
def test_similar_but_usable_values_are_read(text: str) -> None:
    assert parse_json(text) == json.loads(text)


STRINGS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
SCALARS = st.none() | st.integers(-(2**63), 2**64) | STRINGS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text('ab[]{}"\\'), inner),
    max_leaves=9,
)
QUICK = settings(max_examples=50, deadline=None, phases=[Phase.explicit, Phase.generate])


@QUICK
@given(VALUES, st.booleans())
def test_other_values_are_read_as_by_python(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert parse_json(text) == value
    assert parse_json(text.encode()) == value


@QUICK
@given(st.lists(st.sampled_from(["\\", '"', "[", "]", "{", "a"])), st.integers(1, 4))
def test_depth_does_not_depend_on_where_chunks_end(parts: list[str], size: int) -> None:
    whole = json.dumps(["".join(parts), [[]]])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reading, "_CHUNK", size)
        assert parse_json(whole) == json.loads(whole)
