# SPDX-License-Identifier: Apache-2.0
"""Read a configuration that is to be fed to the kernel: only if nobody else can write the file.

Who can write the file decides which devices are exported, and to whom.
"""

from __future__ import annotations

import shlex
import stat
from dataclasses import dataclass
from pathlib import Path

from pyshell.config import load
from pyshell.config.document import Document, holds_secrets

FOREIGN_READ = stat.S_IRGRP | stat.S_IROTH


@dataclass(frozen=True)
class Trusted:
    """A document as it was read from a file that may be fed to the kernel."""

    document: Document
    data: bytes
    """The bytes of the file."""
    warnings: tuple[str, ...] = ()
    """What is wrong with the file, without it being refused."""
    unknown: tuple[str, ...] = ()
    """Warnings of keys that have no effect, as `check` words them."""


def load_trusted(path: Path) -> Trusted:
    """Return the document in a file that only root or the caller can write.

    Raises NotPermittedError with the command that fixes it, and as `load`.
    """
    found = load.read_file(path, trusted=True)
    text = load.text_of(found.data, str(path))
    document = load.parse(text, str(path))
    unknown = tuple(
        f"{path}:{one.line}:{one.column}: warning: {one}"
        for one in load.unknown_keys_of(document, text)
    )
    if found.mode & FOREIGN_READ and holds_secrets(document):
        fix = f"chmod 600 {shlex.quote(str(path))}"
        warning = f"{path} holds secrets that other users can read: {fix} fixes it."
        return Trusted(document, found.data, (warning,), unknown)
    return Trusted(document, found.data, unknown=unknown)
