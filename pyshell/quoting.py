# SPDX-License-Identifier: Apache-2.0
"""Quote words of pyshell's command lines and of a POSIX shell's.

Every line that pyshell prints to be run is quoted here: by `export`, `diff form=commands`,
`doctor`, `guide`, hints and completion.
"""

from __future__ import annotations

import re
import shlex
from typing import Any

from pyshell.expressions import expression
from pyshell.names import SECRET_NAMES

SHELL_OPERATORS = frozenset({">", ">>", "<<", "|", "||", "&", "&&", ";"})
NAMED = expression(r"[A-Za-z0-9_-]+=")
"""How a NAME=VALUE word begins."""
_PLAIN = expression(r"[A-Za-z0-9_@%+=:,./\[\]-]+")
"""Needs no quotes in a line of pyshell; only the brackets do in a shell."""


def quoted(text: str) -> str:
    """Return `text` in single quotes, as pyshell and a POSIX shell read them."""
    return "'" + text.replace("'", "'\\''") + "'"


def shell_word(text: str) -> str:
    """Return `text` as one word of a POSIX shell's line, quoted only if needed."""
    return shlex.quote(text)


def typed(text: str) -> str:
    """Return `text` as one word of pyshell's grammar, quoted only if the grammar needs it.

    A NAME=VALUE and an option remain such; `word` quotes them.
    """
    if text and text not in SHELL_OPERATORS and re.fullmatch(r"[^\s'\"\\#]+", text):
        return text
    return quoted(text)


def word(text: str) -> str:
    """Return a path, a command's name or an argument without a name."""
    special = text.startswith("--") or NAMED.match(text)
    return text if _PLAIN.fullmatch(text) and not special else quoted(text)


def argument(name: str, value: str) -> str:
    """Return NAME=VALUE. The value of a secret is meant literally: `@x` is not a file."""
    literal = name in SECRET_NAMES and (value == "-" or value.startswith("@"))
    return f"{name}={value if _PLAIN.fullmatch(value) and not literal else quoted(value)}"


def reference(name: str, file: str) -> str:
    """Return NAME=@FILE for a secret that is read from a file. A quoted `@` would be literal."""
    return f"{name}=@{file if _PLAIN.fullmatch(file) else quoted(file)}"


def line(*words: str, **values: Any) -> str:
    """Return a line: words as they are, then named values; None omits a value."""
    named = (argument(n, _text(v)) for n, v in values.items() if v is not None)
    return " ".join([*(word(one) for one in words), *named])


def for_shell(*words: str, **values: Any) -> str:
    """Return the same line as arguments of the program, quoted for a POSIX shell.

    pyshell's own quotes are kept only if an argument would not be read as one word without them.
    """
    named = ((n, _text(v)) for n, v in values.items() if v is not None)
    return " ".join(
        [
            *(shell_word(word(one)) for one in words),
            *(_for_shell(name, value) for name, value in named),
        ]
    )


def _for_shell(name: str, value: str) -> str:
    literal = argument(name, value)
    if literal == f"{name}={value}":
        return shell_word(literal)
    doubtful = name in SECRET_NAMES or not value or value[0] in "'\"@-"
    return shell_word(literal if doubtful else f"{name}={value}")


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
