# SPDX-License-Identifier: Apache-2.0
"""The undo journal: one small file for each of the last commands, until reboot.

The files are in `Lio.run_dir`, readable by root only, as a command can replace a secret. A command
of operations keeps their inverses; one that clears or restores keeps the previous running document.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyshell.config.store.state import About, from_json, now
from pyshell.errors import InterruptedStepsError, PyshellError, os_errors
from pyshell.files import reading, writing
from pyshell.files.reading import LARGE
from pyshell.lio.attach import Lio
from pyshell.lio.operations.base import Operation
from pyshell.lio.operations.record import HbaNumbers, from_data, to_data

KEPT = 20
"""How many commands can be undone, the last one first."""
SKIP = "'undo skip=true' removes it; the next undo undoes the command before it."


@dataclass(frozen=True)
class Done:
    """A command that changed the target."""

    file: Path
    line: str
    """The line as typed, secrets masked."""
    about: About
    operations: Sequence[Operation] = ()
    """Operations that undo it, in order."""
    before: Any = None
    """Instead of operations: the previous running document, not yet validated."""


def keep_operations(lio: Lio, line: str, way: str, inverses: Sequence[Operation]) -> None:
    """Keep the operations that undo a command. Raises PyshellError."""
    _keep(lio, line, way, {"operations": [to_data(operation) for operation in inverses]})


def keep_document(lio: Lio, line: str, way: str, before: Any) -> None:
    """Keep the running document before a command. Raises PyshellError."""
    _keep(lio, line, way, {"before": before})


def _keep(lio: Lio, line: str, way: str, how: dict[str, Any]) -> None:
    folder = _folder(lio)
    writing.make_folder(folder)
    numbers = _numbers(folder)
    data = {"line": line, "about": now(way).to_json(), **how}
    number = numbers[-1] + 1 if numbers else 1
    writing.replace(folder / f"{number}.json", (json.dumps(data) + "\n").encode())
    for old in numbers[: max(0, len(numbers) + 1 - KEPT)]:
        with contextlib.suppress(OSError):
            (folder / f"{old}.json").unlink()


def last(lio: Lio) -> Done | None:
    """Return the last command that was not undone yet, None if there is none.

    Raises PyshellError for a file that cannot be read or is damaged.
    """
    file = newest(lio)
    if file is None:
        return None
    found = reading.read(file, LARGE).data
    try:
        return _read(lio, file, reading.parse_json(found))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PyshellError(f"{file} is damaged: nothing was undone.", SKIP) from error


def newest(lio: Lio) -> Path | None:
    """Return the file of the last command that was not undone yet. Raises PyshellError."""
    numbers = _numbers(_folder(lio))
    return _folder(lio) / f"{numbers[-1]}.json" if numbers else None


@contextlib.contextmanager
def named_if_it_fails(line: str) -> Iterator[None]:
    """Add the command to the error if its undo fails, and how to undo the one before."""
    try:
        yield
    except InterruptedStepsError:
        raise  # the next attempt can succeed
    except PyshellError as error:
        error.message = f"Cannot undo '{line}': {error.message}"
        error.hint = f"{error.hint} {SKIP}".strip()
        raise


def _read(lio: Lio, file: Path, data: Any) -> Done:
    about = from_json(data["about"])
    if about is None:
        raise ValueError("its author is not valid")
    numbers = HbaNumbers(lio)
    operations = [from_data(entry, numbers) for entry in data.get("operations", ())]
    return Done(file, str(data["line"]), about, operations, data.get("before"))


def forget(file: Path) -> None:
    """Remove the file of a command that was undone or skipped. Raises PyshellError."""
    with os_errors(f"remove {file}", hint="Remove it: the next undo would repeat this one."):
        file.unlink(missing_ok=True)


def _folder(lio: Lio) -> Path:
    return lio.run_dir / "undo"


def _numbers(folder: Path) -> list[int]:
    """Return the numbers of the files, lowest first. Raises PyshellError."""
    with os_errors(f"read {folder}"):
        return reading.numbered(folder)
