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


def test_what_names_have_in_common_before_a_colon_does_not_count() -> None:
    known = ["iqn.2020-07.com.example:app11", "iqn.2020-07.com.example:app12"]
    assert did_you_mean("iqn.2020-07.com.example:db9", known) == ""
    meant = "Did you mean iqn.2020-07.com.example:app11?"
    assert did_you_mean("iqn.2020-07.com.example:ap11", known) == meant
    assert did_you_mean("iqn.2002-07.com.example:app11", known) == meant
