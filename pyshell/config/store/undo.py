# SPDX-License-Identifier: Apache-2.0
"""The undo journal: one small file for each of the last commands, until reboot.

The files are in `Lio.run_dir`, readable by root only, as a command can replace a secret. A command
of operations keeps their inverses; one that clears or restores keeps the previous running document,
one that sets preferences their previous values.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from pyshell.config.store import About, from_json, now
from pyshell.errors import InterruptedStepsError, PyshellError, os_errors
from pyshell.files import reading, writing
from pyshell.files.reading import LARGE
from pyshell.lio import Lio, fabrics
from pyshell.lio.fabrics import Fabric
from pyshell.lio.identifiers import StorageObject
from pyshell.lio.listing import HbaNumbers
from pyshell.lio.operations.base import Operation

KEPT = 20
"""How many commands can be undone, the last one first."""
SKIP = "'undo skip=true' removes it; the next undo undoes the command before it."

_KIND = "kind"
_FABRIC = "Fabric"
_NOT_KEPT = ("said", "root", "registered", "stored")


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
    preferences: Mapping[str, Any] | None = None
    """Instead of operations: the user's previous preferences, not validated; None if not set."""


def keep_operations(lio: Lio, line: str, way: str, inverses: Sequence[Operation]) -> None:
    """Keep the operations that undo a command. Raises PyshellError."""
    _keep(lio, line, way, {"operations": [to_data(operation) for operation in inverses]})


def keep_document(lio: Lio, line: str, way: str, before: Any) -> Path:
    """Keep the running document before a command, and return the file. Raises PyshellError."""
    return _keep(lio, line, way, {"before": before})


def keep_preferences(lio: Lio, line: str, way: str, before: Mapping[str, Any]) -> None:
    """Keep the user's preferences before a command. Raises PyshellError."""
    _keep(lio, line, way, {"preferences": before})


def _keep(lio: Lio, line: str, way: str, how: dict[str, Any]) -> Path:
    folder = _folder(lio)
    writing.make_folder(folder)
    numbers = _numbers(folder)
    data = {"line": line, "about": now(way).to_json(), **how}
    number = numbers[-1] + 1 if numbers else 1
    file = folder / f"{number}.json"
    writing.replace(file, (json.dumps(data) + "\n").encode())
    for old in numbers[: max(0, len(numbers) + 1 - KEPT)]:
        with contextlib.suppress(OSError):
            (folder / f"{old}.json").unlink()
    return file


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
    preferences = data.get("preferences")
    if not isinstance(preferences, dict | NoneType):
        raise ValueError("its preferences are not valid")
    return Done(file, str(data["line"]), about, operations, data.get("before"), preferences)


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


def to_data(operation: Operation) -> dict[str, Any]:
    """Return an operation as data. What it says when it is done is left out."""
    found = _encoded(operation)
    assert isinstance(found, dict)
    return found


def from_data(data: Any, numbers: HbaNumbers) -> Operation:
    """Return the operation that `to_data` was given, for the target and its current HBA numbers.

    Raises ValueError for anything else.
    """
    try:
        found = _decoded(data, numbers)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no operation: {error}") from error
    if not isinstance(found, Operation):
        raise ValueError("no operation")
    return found


def _encoded(value: Any) -> Any:
    if isinstance(value, Fabric):
        return {_KIND: _FABRIC, "name": value.name}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [f.name for f in dataclasses.fields(value) if f.init and f.name not in _NOT_KEPT]
        fields = {name: _encoded(getattr(value, name)) for name in names}
        return {_KIND: type(value).__name__, **fields}
    if isinstance(value, Mapping):
        return {_KIND: "", "items": [[key, _encoded(entry)] for key, entry in value.items()]}
    if isinstance(value, list | tuple):
        return [_encoded(entry) for entry in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"{value!r} cannot be kept")


def _decoded(data: Any, numbers: HbaNumbers) -> Any:
    if isinstance(data, list):
        return [_decoded(entry, numbers) for entry in data]
    if not isinstance(data, dict):
        return data
    kind = data[_KIND]
    if kind == "":
        return {key: _decoded(value, numbers) for key, value in data["items"]}
    if kind == _FABRIC:
        return fabrics.fabric(data["name"], numbers.lio.root)
    fields = {name: _decoded(value, numbers) for name, value in data.items() if name != _KIND}
    made = _known()[kind]
    hints = get_type_hints(made)
    if "root" in hints:
        fields["root"] = numbers.lio.root
    for name, value in fields.items():
        if not _fits(value, hints.get(name)):
            raise ValueError(f"{kind}: {name} is not of its type")
    found = made(**fields)
    return numbers.current(found) if isinstance(found, StorageObject) else found


def _fits(value: Any, hint: Any) -> bool:
    """Return whether a value is what a field of an operation or place takes."""
    if hint is Any or hint is None:
        return hint is Any or value is None
    kind, arguments = get_origin(hint), get_args(hint)
    if kind in (Union, UnionType):
        return any(_fits(value, None if one is NoneType else one) for one in arguments)
    if kind is not None and issubclass(kind, Mapping):
        return isinstance(value, Mapping) and all(
            _fits(key, arguments[0]) and _fits(entry, arguments[1]) for key, entry in value.items()
        )
    if kind is not None and issubclass(kind, Sequence):
        return isinstance(value, list) and all(_fits(entry, arguments[0]) for entry in value)
    if hint is int:
        return type(value) is int
    return isinstance(hint, type) and isinstance(value, hint)


def _known() -> dict[str, type[Any]]:
    # Late: every change records operations, few commands read them.
    from pyshell.lio import identifiers
    from pyshell.lio.operations import base, mapping, reservations, setters, storage, targets

    modules = (base, mapping, reservations, setters, storage, targets, identifiers)
    return {found.__name__: found for module in modules for found in _classes(module)}


def _classes(module: Any) -> Iterator[type[Any]]:
    for found in vars(module).values():
        if isinstance(found, type) and dataclasses.is_dataclass(found):
            yield found
