# SPDX-License-Identifier: Apache-2.0
"""Words that completion offers, and which of them fit what was typed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

MOST = 200
"""How many words are described and shown: who has more to choose from types on."""


@dataclass(frozen=True)
class Candidate:
    """A word that fits. `whole` tells whether a blank may follow, or more of the word will.

    `about` makes the description where that reads the kernel; it is called for what is shown only.
    `obstacle` says why it cannot work now.
    """

    text: str
    description: str = ""
    whole: bool = True
    about: Callable[[], str] | None = None
    obstacle: str = ""

    def described(self) -> str:
        """Return the description."""
        told = self.about() if self.about is not None else self.description
        return f"not now: {self.obstacle}" if self.obstacle else told


def fitting(prefix: str, found: Iterable[Candidate]) -> list[Candidate]:
    """Return the words that begin with `prefix`; where none does, those that hold its letters.

    A word that holds them in one piece stands before one that holds them with others between.
    """
    every = list(found)
    begun = [one for one in every if one.text.startswith(prefix)]
    if begun or not prefix:
        return begun
    wanted = prefix.lower()
    inside = [one for one in every if wanted in one.text.lower()]
    apart = [one for one in every if one not in inside and _holds(one.text.lower(), wanted)]
    return [*inside, *apart]


def _holds(text: str, letters: str) -> bool:
    """Tell whether letters stand in a text in their order, the first of them at a word's start."""
    place = -1
    for number, letter in enumerate(letters):
        place = text.find(letter, place + 1)
        if place < 0:
            return False
        if number == 0 and place and text[place - 1].isalnum():
            return False
    return True
