# SPDX-License-Identifier: Apache-2.0
"""Validates a document against its types. Imported only for one that `shape` does not recognise.

Values are converted where nothing is lost: `"1"` is accepted as 1, and 1 as true. voluptuous
combines the validators of all keys to one, and keeps the place of each problem.
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any, Union, get_args, get_origin

from typing_extensions import NotRequired, get_type_hints, is_typeddict
from voluptuous import (
    ALLOW_EXTRA,
    Invalid,
    MultipleInvalid,
    Optional,
    Required,
    RequiredFieldInvalid,
    Schema,
)

from pyshell.config.document import Document
from pyshell.config.positions import Place
from pyshell.expressions import expression

Validator = Callable[[Any], Any]
"""Returns the converted value, or raises Invalid."""

_WHOLE = expression(r"([+-]?[0-9]+(?:_[0-9]+)*)(?:\.0+)?")
_FLAGS = {
    **dict.fromkeys(("1", "on", "t", "true", "y", "yes"), True),
    **dict.fromkeys(("0", "off", "f", "false", "n", "no"), False),
}


def typed(data: Any) -> tuple[Document, list[tuple[Place, str]]]:
    """Return `data` converted to the types, and place and message of each problem."""
    try:
        found: Document = _object(Document)(data)
    except Invalid as error:
        errors = error.errors if isinstance(error, MultipleInvalid) else [error]
        # voluptuous has no order of missing keys.
        missing = sorted(
            (_place(one), one.msg) for one in errors if isinstance(one, RequiredFieldInvalid)
        )
        others = [
            (_place(one), one.msg) for one in errors if not isinstance(one, RequiredFieldInvalid)
        ]
        return {}, [*others, *missing]
    return found, []


def _place(error: Invalid) -> Place:
    return tuple(part if isinstance(part, int) else str(part) for part in error.path)


def is_required(hint: Any) -> bool:
    """Return whether a key of a type must be given; `hint` is as written there."""
    return get_origin(hint) is not NotRequired


@functools.cache
def _object(kind: Any) -> Validator:
    """Return the validator of a TypedDict, which keeps unknown keys."""
    written = get_type_hints(kind, include_extras=True)
    keys: dict[Any, Validator] = {
        Required(name, msg="is missing") if is_required(written[name]) else Optional(name): (
            _validator(hint)
        )
        for name, hint in get_type_hints(kind).items()
    }
    return _mapping(Schema(keys, extra=ALLOW_EXTRA))


def known_keys(of: Any) -> dict[str, Any]:
    """Return the keys of a type of the document, each with the type of its entries or None."""
    return {key: _entries(hint) for key, hint in get_type_hints(of).items()}


def _entries(hint: Any) -> Any:
    if get_origin(hint) is not list:
        return None
    (found,) = get_args(hint)
    return found if is_typeddict(found) else None


def _validator(hint: Any) -> Validator:
    if is_typeddict(hint):
        return _object(hint)
    if get_origin(hint) is list:
        (entry,) = get_args(hint)
        return _list_of(_validator(entry))
    if get_origin(hint) is dict:
        _, value = get_args(hint)
        return _mapping(Schema({str: _validator(value)}))
    if get_origin(hint) in (Union, types.UnionType):
        return _one_of(get_args(hint))
    return _SIMPLE[hint]


def _mapping(schema: Schema) -> Validator:
    def validate(value: Any) -> Any:
        if not isinstance(value, dict):
            raise Invalid("must be an object")
        return schema(value)

    return validate


def _list_of(validate_entry: Validator) -> Validator:
    """Return the validator of a list. voluptuous' own ends at the first invalid entry."""

    def validate(value: Any) -> Any:
        if not isinstance(value, list):
            raise Invalid("must be a list")
        found: list[Any] = []
        errors: list[Invalid] = []
        for index, entry in enumerate(value):
            try:
                found.append(validate_entry(entry))
            except Invalid as error:
                error.prepend([index])
                errors += error.errors if isinstance(error, MultipleInvalid) else [error]
        if errors:
            raise MultipleInvalid(errors)
        return found

    return validate


def _one_of(members: tuple[Any, ...]) -> Validator:
    """Return the validator of a union: the type that a value has, or else the first that fits."""
    validators = [_SIMPLE[member] for member in members if member is not types.NoneType]

    def validate(value: Any) -> Any:
        if type(value) in members:
            return value
        messages = []
        for validate_member in validators:
            try:
                return validate_member(value)
            except Invalid as error:
                messages.append(error.msg)
        raise Invalid(_joined(messages))

    return validate


def _joined(messages: list[str]) -> str:
    first, *others = messages
    return " or ".join([first, *(one.removeprefix("must be ") for one in others)])


def _whole(value: Any) -> int:
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        if abs(value) > sys.maxsize:
            raise Invalid("must be a smaller number")
        return int(value)
    written = _WHOLE.fullmatch(value.strip()) if isinstance(value, str) else None
    if written is None:
        raise Invalid("must be a whole number")
    try:
        return int(written[1])
    except ValueError as error:  # thousands of digits
        raise Invalid("must be a smaller number") from error


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise Invalid("must be text")


def _flag(value: Any) -> bool:
    found = _FLAGS.get(value.lower()) if isinstance(value, str) else None
    if found is None and isinstance(value, int | float) and value in (0, 1):
        found = bool(value)
    if found is None:
        raise Invalid("must be true or false")
    return found


_SIMPLE: Mapping[Any, Validator] = {int: _whole, str: _text, bool: _flag}
