# SPDX-License-Identifier: Apache-2.0
"""Suggestions for mistyped names: the one "Did you mean …?" of the whole package."""

from __future__ import annotations

from collections.abc import Iterable

_MIN_PART = 3
"""How many characters of a name identify it, if no other name contains them."""


def closest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the known name most similar to `word`, None if none is.

    `cutoff` is difflib's: 1 accepts equal names only, 0 accepts any.
    """
    import difflib  # only a mistyped name needs it

    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)), None)


def likely(word: str, known: Iterable[str]) -> str | None:
    """Return the known name that was probably meant: similar, or the only one containing `word`.

    Case is ignored if no name is similar otherwise.
    """
    names = list(known)
    typed = word.lower()
    holding = [name for name in names if len(typed) >= _MIN_PART and typed in name.lower()]
    if found := closest(word, names):
        return found
    if len(holding) == 1:
        return holding[0]
    lower = {name.lower(): name for name in names}
    found = closest(typed, lower)
    return lower[found] if found is not None else None


def did_you_mean(word: str, known: Iterable[str], then: str = "") -> str:
    """Return "Did you mean …?" followed by `then`; only `then` if no known name is near."""
    found = likely(word, known)
    return " ".join(part for part in (f"Did you mean {found}?" if found else "", then) if part)
