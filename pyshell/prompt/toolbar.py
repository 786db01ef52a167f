# SPDX-License-Identifier: Apache-2.0
"""The lines below the prompt: what is wrong with the line or what comes next, and the status."""

from __future__ import annotations

from prompt_toolkit.formatted_text import StyleAndTextTuples, fragment_list_width
from prompt_toolkit.utils import get_cwidth

from pyshell.characters import one_line
from pyshell.prompt.status import Status
from pyshell.prompt.watching import Read
from pyshell.shell.line_help import Hint

_BETWEEN = "  "
_ABOUT = "class:toolbar.about"


def toolbar(read: Read, status: Status, text: str, width: int) -> StyleAndTextTuples:
    """Return the toolbar for a line `text`; what has no room in `width` columns is left out."""
    line = _of_line(read, width) if read.text == text and text.strip() else []
    below = _fitting(_parts(status), width)
    return [*line, ("", "\n"), *below] if line else below


def _of_line(read: Read, width: int) -> StyleAndTextTuples:
    if read.fault is not None:
        return [("class:toolbar.fault", shortened(f" {read.fault.told} ", width))]
    made = _of_hint(read.hint, width) if read.hint is not None else []
    if read.advice:
        made += [("", "\n" if made else ""), (_ABOUT, shortened(f" {read.advice}", width))]
    return made


def _of_hint(hint: Hint, width: int) -> StyleAndTextTuples:
    """Return the syntax, with what is to come marked, and a line that tells of that."""
    made: StyleAndTextTuples = []
    for number, word in enumerate(hint.words):
        style = "class:toolbar.current" if number == hint.current else "class:toolbar.syntax"
        room = width - fragment_list_width(made) - 1
        if get_cwidth(word) > room:
            break
        made += [("class:toolbar.syntax", " "), (style, word)]
    if hint.about:
        made += [("", "\n"), (_ABOUT, shortened(f" {hint.about}", width))]
    return made


def _parts(status: Status) -> StyleAndTextTuples:
    """Return what there is to tell, the most important first."""
    made: StyleAndTextTuples = []
    if status.reading:
        made.append(("class:toolbar.mode", "reading…"))
    if status.menu is not None:
        made.append(("class:toolbar.mode", _of_menu(*status.menu)))
    if status.unsaved:
        made.append(("class:toolbar.warning", "not saved"))
    if status.partly_restored:
        made.append(("class:toolbar.warning", "restored in part"))
    if status.changed_by:
        made.append(("class:toolbar.warning", f"changed by {status.changed_by}"))
    if status.read_only:
        made.append(("class:toolbar.warning", "read-only: not root"))
    if status.simulated:
        made.append(("class:toolbar.mode", "simulated"))
    if status.sessions:
        noun = "session" if status.sessions == 1 else "sessions"
        made.append(("class:toolbar.status", f"{status.sessions} {noun}"))
    made.append(("class:toolbar.status", shortened(status.host, 30)))
    made.append(("class:toolbar.key", "F1 help"))
    return made


def _of_menu(selected: int, count: int) -> str:
    if selected:
        return f"{selected} of {count}, Enter takes it, Esc closes"
    return f"{count} {'entry' if count == 1 else 'entries'}, Esc closes"


def _fitting(parts: StyleAndTextTuples, width: int) -> StyleAndTextTuples:
    made: StyleAndTextTuples = []
    for part in parts:
        room = width - fragment_list_width(made) - len(_BETWEEN)
        if get_cwidth(part[1]) <= room:
            made += [("class:toolbar.status", _BETWEEN if made else " "), part]
    return made


def shortened(text: str, width: int) -> str:
    """Return a text of at most `width` columns; the middle of a longer one is left out."""
    text = one_line(text)
    if get_cwidth(text) <= width:
        return text
    head, tail = "", ""
    for first, last in zip(text, reversed(text), strict=True):
        if get_cwidth(head + first + tail) + 1 > width:
            break
        head += first
        if get_cwidth(head + last + tail) + 1 > width:
            break
        tail = last + tail
    return f"{head}…{tail}"
