# SPDX-License-Identifier: Apache-2.0
"""An expression of a module is compiled when it is first used."""

from __future__ import annotations

import re

import pytest

from pyshell.expressions import expression


def test_it_does_what_a_compiled_one_does() -> None:
    found = expression(r"([a-z]+)(\d+)", re.IGNORECASE)
    match = found.fullmatch("Lun3")
    assert match is not None
    assert match.groups() == ("Lun", "3")
    assert found.sub(r"\2", "tpg1/lun2") == "1/2"
    assert found.pattern == r"([a-z]+)(\d+)"
    assert found.groups == 2
    assert expression(b"[0-9]{2}").search(b"a12") is not None


def test_it_is_not_compiled_before() -> None:
    wrong = expression("(")
    with pytest.raises(re.error):
        wrong.search("x")
