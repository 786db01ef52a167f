# SPDX-License-Identifier: Apache-2.0
"""Options that stand behind a command, for its line alone."""

from __future__ import annotations

import pytest

from pyshell.errors import UsageError
from pyshell.shell.grammar import split
from pyshell.shell.options import Options, of_line


def test_a_dry_run_and_a_yes_can_be_asked_for_behind_the_command() -> None:
    options, words = of_line(Options(), split("name --dry-run size=1M --yes"))
    assert (options.dry_run, options.yes) == (True, True)
    assert [word.text for word in words] == ["name", "1M"]


def test_what_holds_for_the_run_holds_for_the_line() -> None:
    options, _ = of_line(Options(dry_run=True, json=True), split("name"))
    assert (options.dry_run, options.json) == (True, True)


def test_a_quoted_one_is_a_value() -> None:
    options, words = of_line(Options(), split("'--yes'"))
    assert (options.yes, words[0].text) == (False, "--yes")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("name --save", "--save is an option of the program"),
        ("name -o", "-o needs a value."),
        ("name -o yaml", "-o is one of text, json, table, jsonl, tsv, name, not 'yaml'."),
        ("name --output=", "--output= needs a value."),
        ("name --lock-timeout=5", "--lock-timeout is an option of the program"),
        ("name --prune", "Unknown option --prune"),
        ("name --target=iqn", "Unknown option --target"),
    ],
)
def test_options_of_the_run_and_unknown_ones_are_pointed_out(line: str, told: str) -> None:
    with pytest.raises(UsageError) as raised:
        of_line(Options(), split(line))
    assert raised.value.message.startswith(told)
    assert raised.value.column == 5


def test_targetcli_knows_no_options_behind_a_command() -> None:
    options = Options(compat=True)
    assert of_line(options, split("name --dry-run")) == (options, tuple(split("name --dry-run")))


@pytest.mark.parametrize("line", ["name -o tsv", "name -o=tsv", "-o tsv name", "name --output=tsv"])
def test_an_output_format_may_follow_a_command(line: str) -> None:
    options, words = of_line(Options(json=True), split(line))
    assert (options.json, options.rows, [word.text for word in words]) == (False, "tsv", ["name"])


def test_a_line_without_an_output_format_has_that_of_the_program() -> None:
    assert of_line(Options(json=True), split("name"))[0].json
    assert of_line(Options(rows="tsv"), split("name"))[0].rows == "tsv"
    assert of_line(Options(rows="tsv"), split("name -o text"))[0] == Options()
