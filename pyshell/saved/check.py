# SPDX-License-Identifier: Apache-2.0
"""Check a saved configuration: every fault at once, each with its place, nothing touched."""

from __future__ import annotations

import contextlib
import json
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

from pyshell.files import jsontext
from pyshell.saved import trust
from pyshell.saved.checks.devices import device_faults
from pyshell.saved.checks.faults import Entry, Fault, Finding, no_text, not_json, placed
from pyshell.saved.checks.storage import groups_of_all, storage_faults
from pyshell.saved.checks.targets import target_faults
from pyshell.saved.checks.types import type_faults, unknown_keys
from pyshell.saved.checks.values import value_faults
from pyshell.saved.document import holds_secrets
from pyshell.saved.load import EMPTY, DocumentError, read_text
from pyshell.saved.positions import Read, read
from pyshell.target import listing
from pyshell.target.attach import Lio


def check(path: Path, lio: Lio, *, at_boot: bool) -> list[Finding]:
    """Return every fault of a file, in the order of its lines.

    `at_boot` is for the file that is restored at boot: it cannot count on what runs now.
    Raises NotFoundError, NotPermittedError and the like for the file itself.
    """
    try:
        text = read_text(path)
    except DocumentError as error:
        return error.findings
    return [*_open_to_others(path, text), *check_text(text, lio, at_boot=at_boot)]


def _open_to_others(path: Path, text: str) -> Iterator[Finding]:
    """Yield a warning where others may read the secrets of a file."""
    with contextlib.suppress(OSError, ValueError):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & trust.FOREIGN_READ and holds_secrets(jsontext.loads(text, any_string=True)):
            told = f"its mode {mode:04o} lets other users read the secrets in it"
            mend = f"chmod 600 {shlex.quote(str(path))} fixes it."
            yield Finding("$", 1, 1, "warning", told, mend)


def check_text(text: str, lio: Lio, *, at_boot: bool) -> list[Finding]:
    """Return every fault of a document in `text`."""
    if not text.strip():
        return [no_text(EMPTY)]
    try:
        found = read(text)
    except json.JSONDecodeError as error:
        return [not_json(error)]
    return placed(found, _all_faults(found, lio, at_boot=at_boot))


def _all_faults(found: Read, lio: Lio, *, at_boot: bool) -> Iterator[Fault]:
    yield from _twice(found)
    yield from type_faults(found.data)[1]
    yield from unknown_keys(found.data)
    if not isinstance(found.data, dict):
        return
    document = Entry(found.data, ())
    yield from storage_faults(document)
    running = () if at_boot else (place.path for place in listing.storage_objects())
    yield from target_faults(document, groups_of_all(document), frozenset(running))
    yield from value_faults(document)
    yield from device_faults(lio, document, at_boot=at_boot)


def _twice(found: Read) -> Iterator[Fault]:
    for place, first in found.twice:
        line, _ = found.line_and_column(first)
        message = f"the key is there twice, first in line {line}"
        yield Fault("error", place, message, "Only the last one counts.", at_key=True)
