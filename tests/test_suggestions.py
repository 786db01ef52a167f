# SPDX-License-Identifier: Apache-2.0
"""Suggestions for mistyped names."""

from __future__ import annotations

from pyshell.text import closest, did_you_mean


def test_the_most_similar_name_is_suggested() -> None:
    assert did_you_mean("crate", ["create", "delete"]) == "Did you mean create?"
    assert did_you_mean("crate", ["create"], "Or not.") == "Did you mean create? Or not."


def test_nothing_is_suggested_if_no_name_is_similar() -> None:
    assert did_you_mean("zzz", ["create", "delete"]) == ""
    assert did_you_mean("zzz", ["create"], "Run 'help'.") == "Run 'help'."


def test_the_only_name_that_contains_the_word_is_suggested() -> None:
    assert did_you_mean("blk", ["lun_blk_of_a_long_name", "x"]).startswith("Did you mean lun_blk")
    assert did_you_mean("blk", ["a_very_long_blk_1", "a_very_long_blk_2"]) == ""


def test_case_is_ignored_if_nothing_else_is_similar() -> None:
    assert did_you_mean("CREATE", ["create"]) == "Did you mean create?"
    assert closest("CREATE", ["create"]) is None
