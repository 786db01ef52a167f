# SPDX-License-Identifier: Apache-2.0
"""Characters that a terminal obeys or hides instead of showing them, and how they are printed.

Initiators, devices, D-Bus services and files choose texts that pyshell prints on root's terminal.
Such a text may hold escape sequences, which move the cursor, rewrite lines or answer questions;
bidirectional controls, which turn text round; and characters that no terminal shows at all.
"""

from __future__ import annotations

import re

# What Unicode calls printable, and nothing of it is seen: fillers, joiners, variation selectors.
_INVISIBLE = (
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef"
)
_MAY_BE_UNSAFE = re.compile(f"[^\x20-\x7e\xa1-\xac\xae-\u02ff]|[{_INVISIBLE}]")
_IS_INVISIBLE = re.compile(f"[{_INVISIBLE}]")


def is_unsafe(character: str) -> bool:
    """Return whether a character acts on the terminal or is invisible."""
    return not character.isprintable() or _IS_INVISIBLE.match(character) is not None


def unsafe_in(text: str) -> str:
    """Return the first character of `text` that is obeyed or hidden, "" if there is none."""
    if text.isascii() and text.isprintable():
        return ""
    return next((found for found in _MAY_BE_UNSAFE.findall(text) if is_unsafe(found)), "")


def visible(text: str, keep: str = "\n\t") -> str:
    r"""Return `text` with each character that is obeyed or hidden as an escape, such as `\x1b`.

    Those in `keep` stay. Colours are added to what this returns, never before.
    """
    if text.isascii() and text.isprintable():
        return text
    return _MAY_BE_UNSAFE.sub(
        lambda found: (
            found[0] if found[0] in keep or not is_unsafe(found[0]) else _escape(found[0])
        ),
        text,
    )


def output_line(text: str) -> str:
    """Return `text` as `visible` does, as a line of output: a line feed in it is an escape."""
    return visible(text, keep="\t")


def one_line(text: str) -> str:
    """Return `text` as `visible` does, on one line: for a name, or a cell of a table."""
    return visible(text, keep="")


def visible_json(text: str) -> str:
    r"""Return a JSON document in which these characters are escaped as JSON does (`\u001b`)."""
    if text.isascii():
        return text.replace("\x7f", "\\u007f")
    return _MAY_BE_UNSAFE.sub(
        lambda found: _json(found[0]) if found[0] != "\n" and is_unsafe(found[0]) else found[0],
        text,
    )


def _escape(character: str) -> str:
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _json(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
