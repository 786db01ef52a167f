# SPDX-License-Identifier: Apache-2.0
"""Random lines at the prompt: a short run of `python -m tests.prompt.fuzz` (finding 1)."""

from __future__ import annotations

import pytest

from driver import LONG
from pyshell.shell.grammar import split_unfinished
from pyshell.shell.line_help import spans

from . import fuzz


@pytest.mark.parametrize("seed", [1, 2])
def test_no_line_makes_the_prompt_fail(seed: int) -> None:
    fuzz.run(400 if LONG else 150, seed)


@pytest.mark.parametrize("operator", [">", ">>", "<<", "|", "||", "&", "&&", ";"])
@pytest.mark.parametrize("rest", ["", " ", " x", " 'x", ' "x\\', " \\", " a=", "\t#"])
def test_finding_1_an_operator_is_a_word_while_it_is_typed(operator: str, rest: str) -> None:
    text = f"ls {operator}{rest}"
    assert split_unfinished(text)[1].text.startswith(operator)
    assert all(0 <= span.start <= span.end <= len(text) for span in spans(text))
