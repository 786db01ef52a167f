# SPDX-License-Identifier: Apache-2.0
"""The colours of a line that is being typed: by its words at once, its fault once it is found."""

from __future__ import annotations

from collections.abc import Callable

from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.lexers import Lexer

from pyshell.prompt.watching import Read
from pyshell.shell.line_help import spans


class LineLexer(Lexer):
    """Colours lines. `read` returns what is known of the line that was looked at last."""

    def __init__(self, read: Callable[[], Read]) -> None:
        self._read = read

    def lex_document(self, document: Document) -> Callable[[int], StyleAndTextTuples]:
        """Return what colours a line by its number."""
        lines = document.lines

        def coloured(number: int) -> StyleAndTextTuples:
            return _coloured(lines[number], self._read()) if number < len(lines) else []

        return coloured


def _coloured(line: str, read: Read) -> StyleAndTextTuples:
    styles = [""] * len(line)
    for span in spans(line):
        styles[span.start : span.end] = [f"class:line.{span.kind}"] * (span.end - span.start)
    if read.fault is not None and read.text == line:
        first, last = read.fault.start, max(read.fault.end, read.fault.start + 1)
        styles[first:last] = ["class:line.fault"] * (min(last, len(line)) - first)
    made: StyleAndTextTuples = []
    for style, character in zip(styles, line, strict=True):
        if made and made[-1][0] == style:
            made[-1] = (style, made[-1][1] + character)
        else:
            made.append((style, character))
    return made
