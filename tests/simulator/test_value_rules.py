# SPDX-License-Identifier: Apache-2.0
"""Texts are read as the kernel reads them."""

from __future__ import annotations

import errno

import pytest

from pyshell.simulator.recorded import Rule
from pyshell.simulator.rules import RefusalError, accept, boolean, cast, lenient, number


@pytest.mark.parametrize("text", ["1", "yes", "Y", "true", "on", "oN", "10"])
def test_what_is_true(text: str) -> None:
    assert boolean(text)


@pytest.mark.parametrize("text", ["0", "no", "foo", "off", "NULL", "0x10"])
def test_what_is_false(text: str) -> None:
    assert not boolean(text)


@pytest.mark.parametrize("text", ["2", "-1", " 1", "o", "ox", "", "é"])
def test_what_is_neither(text: str) -> None:
    with pytest.raises(RefusalError):
        boolean(text)


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0), ("7\n", 7), ("+7", 7), ("010", 8), ("0x1F", 31)]
)
def test_numbers(text: str, value: int) -> None:
    assert number(text) == value


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("4294967296", errno.ERANGE),
        ("-1", errno.EINVAL),
        ("", errno.EINVAL),
        ("1 ", errno.EINVAL),
        (" 1", errno.EINVAL),
        ("1\n\n", errno.EINVAL),
        ("08", errno.EINVAL),
        ("0x", errno.EINVAL),
        ("+-1", errno.EINVAL),
    ],
)
def test_texts_that_are_not_numbers(text: str, refusal: int) -> None:
    with pytest.raises(RefusalError) as caught:
        number(text)
    assert caught.value.number == refusal


def test_signed_types_take_negative_numbers() -> None:
    assert number("-2", "s32") == -2


@pytest.mark.parametrize(
    ("value", "kind", "kept"), [(2**32, "s32", 0), (2**32 - 1, "s32", -1), (65537, "u16", 1)]
)
def test_a_narrower_type_truncates(value: int, kind: str, kept: int) -> None:
    assert cast(value, kind) == kept


@pytest.mark.parametrize(
    ("text", "value"), [("12x", 12), ("foo", 0), ("0x10", 16), ("-1", 0), ("4294967296", 0)]
)
def test_lenient_numbers(text: str, value: int) -> None:
    assert lenient(text) == value


SOME = {
    "parse": "number",
    "type": "u32",
    "accept": [[2, 3], [9, 9]],
    "refuse": {"ENOSYS": [[5, 6]]},
}


@pytest.mark.parametrize(
    ("rule", "text", "shown"),
    [
        ({"ignore": True}, "anything", None),
        ({"parse": "boolean"}, "on", "1\n"),
        (SOME, "0x9", "9\n"),
        ({**SOME, "show": {"2": "two\n"}}, "2", "two\n"),
        ({**SOME, "format": "0x{:06x}\n"}, "9", "0x000009\n"),
        ({"parse": "lenient", "longest": 9, "accept": [[1, 4]]}, "3x ", "3x\n"),
        ({"parse": "words", "accept": ["a", "b"], "several": True}, "b,a", "b,a\n"),
        ({"parse": "text", "longest": 3}, "abc\n", "abc\n"),
    ],
)
def test_what_a_rule_shows(rule: Rule, text: str, shown: str | None) -> None:
    assert accept(rule, text) == shown


@pytest.mark.parametrize(
    ("rule", "text", "refusal"),
    [
        ({"refuse": "ENODEV"}, "1", errno.ENODEV),
        (SOME, "4", errno.EINVAL),
        (SOME, "6", errno.ENOSYS),
        ({**SOME, "else": "ERANGE"}, "1", errno.ERANGE),
        ({**SOME, "overflow": "EINVAL"}, "4294967296", errno.EINVAL),
        ({"parse": "words", "accept": ["a", "b"]}, "a,b", errno.EINVAL),
        ({"parse": "text", "longest": 3}, "abcd", errno.EINVAL),
        ({"parse": "text", "longest": 3}, "a,b", errno.EINVAL),
    ],
)
def test_what_a_rule_refuses(rule: Rule, text: str, refusal: int) -> None:
    with pytest.raises(RefusalError) as caught:
        accept(rule, text)
    assert caught.value.number == refusal
