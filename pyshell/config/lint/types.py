# SPDX-License-Identifier: Apache-2.0
"""Wrong types, missing and unknown keys: a file held against the document's types."""

from __future__ import annotations

import difflib
import functools
import json
from collections.abc import Iterator
from typing import Any, get_args, get_origin

from typing_extensions import get_type_hints, is_typeddict

from pyshell.config.document import Document
from pyshell.config.lint.faults import UNFIT, Fault, error
from pyshell.config.positions import Place

# pydantic's kinds of faults, whose own sentences speak to programmers.
_WORDS = {
    "missing": "is missing",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "must be a smaller number",
    "finite_number": "must be a whole number",
    "string_type": "must be text",
    "string_unicode": "must be Unicode text",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object",
}


@functools.cache
def _types() -> Any:
    """Return pydantic's checker of documents, which keeps unknown keys."""
    # pydantic takes longer to load than most commands take: only those that read a file pay.
    from pydantic import ConfigDict, TypeAdapter, with_config

    return TypeAdapter(with_config(ConfigDict(extra="allow"))(Document))


def type_faults(data: Any) -> tuple[Document, list[Fault]]:
    """Return `data` as the types have it, and one fault for each place that is wrong."""
    from pydantic import ValidationError

    try:
        found: Document = _types().validate_python(data)
    except ValidationError as wrong:
        said: dict[Place, list[str]] = {}
        for one in wrong.errors(include_url=False, include_input=False, include_context=False):
            place = _place(data, one["loc"], missing=one["type"] == "missing")
            words = _WORDS.get(one["type"], one["msg"])
            if words not in said.setdefault(place, []):
                said[place].append(words)
        wrongs = [error(place, _joined(words)) for place, words in said.items()]
        return {}, wrongs + _unfit_texts(data)
    return found, _unfit_texts(data)


def _unfit_texts(data: Any) -> list[Fault]:
    """Return the texts and keys that no file name and no kernel can take."""
    found = []
    left: list[tuple[Any, Place, bool]] = [(data, (), False)]
    while left:
        value, place, is_key = left.pop()
        if isinstance(value, str) and UNFIT.search(value):
            message = "holds NUL or half of a surrogate pair"
            found.append(Fault("error", place, message, at_key=is_key))
        elif isinstance(value, dict):
            left += [(key, (*place, key), True) for key in value]
            left += [(entry, (*place, key), False) for key, entry in value.items()]
        elif isinstance(value, list):
            left += [(entry, (*place, index), False) for index, entry in enumerate(value)]
    return found


def _joined(words: list[str]) -> str:
    return " or ".join([words[0], *(word.removeprefix("must be ") for word in words[1:])])


def _place(data: Any, parts: Place, *, missing: bool) -> Place:
    """Return pydantic's place without what is not in the file: the types of a union."""
    place: list[int | str] = []
    for part in parts:
        inside = (isinstance(data, dict) and part in data) or (
            isinstance(data, list) and isinstance(part, int) and part < len(data)
        )
        if not inside:
            break
        place.append(part)
        data = data[part]
    return (*place, parts[-1]) if missing else tuple(place)


@functools.cache
def known_keys(of: Any) -> dict[str, Any]:
    """Return the keys of one of the document's types; for each what its entries are, or None."""
    return {key: _entries(hint) for key, hint in get_type_hints(of).items()}


def _entries(hint: Any) -> Any:
    if get_origin(hint) is not list:
        return None
    (found,) = get_args(hint)
    return found if is_typeddict(found) else None


def unknown_keys(data: Any, of: Any = Document, place: Place = ()) -> Iterator[Fault]:
    """Yield a warning for each key that the document's types do not have."""
    if not isinstance(data, dict):
        return
    known = known_keys(of)
    for key, value in data.items():
        if key not in known:
            if not (place == () and key == "$schema"):  # by which editors know the schema
                yield _unknown(key, known, place)
        elif known[key] is not None and isinstance(value, list):
            for index, entry in enumerate(value):
                yield from unknown_keys(entry, known[key], (*place, key, index))


def _unknown(key: str, known: dict[str, Any], place: Place) -> Fault:
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"Did you mean {near[0]}?" if near else ""
    message = f"unknown key {json.dumps(key, ensure_ascii=False)}, it has no effect"
    return Fault("warning", (*place, key), message, hint, at_key=True)
