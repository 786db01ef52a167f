# SPDX-License-Identifier: Apache-2.0
"""The undo journal: one small file for each of the last commands, until reboot.

The files are in `Lio.run_dir`, readable by root only, as a command can replace a secret. A command
of operations keeps their inverses; one that clears or restores keeps the previous running document,
one that sets preferences their previous values.

The file of a command that is undone moves from one folder to another, together with what does the
command again. The next change removes these.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from pyshell.config.store import About, from_json
from pyshell.errors import InterruptedStepsError, PyshellError, os_errors
from pyshell.files import reading, writing
from pyshell.files.reading import LARGE
from pyshell.lio import Lio, fabrics
from pyshell.lio.fabrics import Fabric
from pyshell.lio.identifiers import StorageObject
from pyshell.lio.listing import HbaNumbers
from pyshell.lio.operations.base import Operation

KEPT = 200
"""How many commands can be undone, the last one first."""
ALWAYS_KEPT = 20
"""How many of them are kept however large their files are."""
BYTES_KEPT = 64 << 20
"""Size of the files of the others: those that clear or restore are as large as a document."""
SKIP = "'undo skip=true' removes it; the next undo undoes the command before it."

_FOLDER = "undo"
_UNDONE = "redo"
_BEGUN = "begun"
_VERBS = {_FOLDER: "undone", _UNDONE: "done again"}
_KIND = "kind"
_FABRIC = "Fabric"
_NOT_KEPT = ("said", "root", "registered", "stored")


@dataclass(frozen=True)
class Head:
    """A command that changes the target, and who runs it."""

    number: int
    """Its number in the history, by which it is undone."""
    line: str
    """The line as typed, secrets masked."""
    about: About
    batch: int | None = None
    """The number of the first change of the batch that it belongs to."""

    def to_json(self) -> dict[str, Any]:
        """Return it as it is kept."""
        more = {"batch": self.batch} if self.batch is not None else {}
        return {"line": self.line, "about": self.about.to_json(), **more}


@dataclass(frozen=True)
class Done(Head):
    """A command that changed the target."""

    lio: Lio | None = field(default=None, repr=False)
    encoded: Sequence[Any] = ()
    """Operations that undo it, in order, not yet validated: see `operations`."""
    before: Any = None
    """Instead of operations: the previous running document, not yet validated."""
    preferences: Mapping[str, Any] | None = None
    """Instead of operations: the user's previous preferences, not validated; None if not set."""
    begun: bool = False
    """Whether it was only begun: pyshell ended before it did, so what undoes it is not known."""
    undone: Undone | None = None
    """How to do it again, if it is undone."""

    @property
    def has_ended(self) -> bool:
        """Whether its record shows that it has ended."""
        return self.before is None and not self.begun

    @property
    def file(self) -> Path:
        """Its file."""
        assert self.lio is not None
        return (undone_file if self.undone is not None else file_of)(self.lio, self.number)

    def operations(self, hbas: HbaNumbers) -> list[Operation]:
        """Return the operations that undo it, in order. Raises PyshellError if damaged."""
        return self._decoded(self.encoded, hbas)

    def again(self, hbas: HbaNumbers) -> list[Operation]:
        """Return the operations that do it again, in order. Raises PyshellError if damaged."""
        return self._decoded(self.undone.encoded if self.undone is not None else (), hbas)

    def _decoded(self, encoded: Any, hbas: HbaNumbers) -> list[Operation]:
        try:
            return [from_data(entry, hbas) for entry in encoded]
        except (ValueError, TypeError) as error:
            raise _damaged(self.file) from error


@dataclass(frozen=True)
class Undone:
    """What does a command again that is undone."""

    by: int
    """The number of the `undo`."""
    first: int
    """The command that this one is done again together with: the first of several."""
    encoded: Sequence[Any] = ()
    """Operations in order, not yet validated; none if those of `first` do it."""
    preferences: Mapping[str, Any] | None = None
    """Instead of operations: the user's preferences, not validated; None if not set."""

    def to_json(self) -> dict[str, Any]:
        """Return it as it is kept."""
        data: dict[str, Any] = {"by": self.by, "first": self.first}
        if self.preferences is not None:
            return {**data, "preferences": self.preferences}
        return {**data, "operations": self.encoded}


def next_number(lio: Lio, logged: int) -> int:
    """Return the number of the next change; `logged` is the highest in the log."""
    return max([logged, *numbers(lio), *undone_numbers(lio)]) + 1


def begin(lio: Lio, head: Head) -> None:
    """Record that a command begins: it is found if pyshell is killed. Raises PyshellError."""
    file = file_of(lio, head.number)
    writing.make_folder(file.parent)
    with os_errors(f"write {file}", path=str(file)):
        # Not synced: neither this file nor what it is about survives a power failure.
        descriptor = writing.open_own(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        with open(descriptor, "wb") as opened:
            opened.write(json.dumps({**head.to_json(), _BEGUN: True}).encode())


def keep_operations(lio: Lio, head: Head, inverses: Sequence[Operation]) -> None:
    """Keep the operations that undo a command. Raises PyshellError."""
    _keep(lio, head, {"operations": [to_data(operation) for operation in inverses]})


def keep_document(lio: Lio, head: Head, before: Any) -> None:
    """Keep the running document before a command. Raises PyshellError."""
    _keep(lio, head, {"before": before})


def keep_preferences(lio: Lio, head: Head, before: Mapping[str, Any]) -> None:
    """Keep the user's preferences before a command. Raises PyshellError."""
    _keep(lio, head, {"preferences": before})


def _keep(lio: Lio, head: Head, how: dict[str, Any]) -> None:
    file = file_of(lio, head.number)
    writing.make_folder(file.parent)
    data = (json.dumps({**head.to_json(), **how}) + "\n").encode()
    writing.replace(file, data)
    known = numbers(lio)
    gone = known[:-KEPT]
    if len(data) > BYTES_KEPT // KEPT:
        gone += _too_large(lio, known[len(gone) :])
    for number in gone:
        with contextlib.suppress(OSError):
            file_of(lio, number).unlink()


def _too_large(lio: Lio, known: Sequence[int]) -> list[int]:
    """Return the oldest commands whose files would need more than `BYTES_KEPT` in all."""
    size, gone = 0, []
    for number in reversed(known[:-ALWAYS_KEPT]):
        with contextlib.suppress(OSError):
            size += file_of(lio, number).stat().st_size
        if size > BYTES_KEPT:
            gone.append(number)
    return gone


def last(lio: Lio) -> Done | None:
    """Return the last command that was not undone yet, None if there is none.

    Raises PyshellError for a file that cannot be read or is damaged.
    """
    found = numbers(lio)
    return read(lio, found[-1]) if found else None


def read(lio: Lio, number: int) -> Done:
    """Return a command that was not undone yet. Raises as `last`."""
    return _read_file(lio, number, file_of(lio, number))


def read_undone(lio: Lio, number: int) -> Done:
    """Return a command that is undone. Raises as `last`."""
    return _read_file(lio, number, undone_file(lio, number))


def _read_file(lio: Lio, number: int, file: Path) -> Done:
    found = reading.read(file, LARGE).data
    try:
        return _read(lio, number, reading.parse_json(found), undone=file.parent.name == _UNDONE)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(file) from error


def _damaged(file: Path) -> PyshellError:
    hint = SKIP if file.parent.name == _FOLDER else "Remove it."
    return PyshellError(f"{file} is damaged: nothing was {_VERBS[file.parent.name]}.", hint)


def file_of(lio: Lio, number: int) -> Path:
    """Return the file of a command."""
    return lio.run_dir / _FOLDER / f"{number}.json"


def undone_file(lio: Lio, number: int) -> Path:
    """Return the file of a command that is undone."""
    return lio.run_dir / _UNDONE / f"{number}.json"


def numbers(lio: Lio) -> list[int]:
    """Return the numbers of the commands that can be undone, lowest first. Raises PyshellError."""
    return _numbered(lio.run_dir / _FOLDER)


def undone_numbers(lio: Lio) -> list[int]:
    """Return the numbers of the commands that are undone, lowest first. Raises PyshellError."""
    return _numbered(lio.run_dir / _UNDONE)


def _numbered(folder: Path) -> list[int]:
    with os_errors(f"read {folder}"):
        return reading.numbered(folder)


def head_of(lio: Lio, number: int) -> Done | None:
    """Return a command that was not undone yet, None if its file cannot be read or is damaged."""
    with contextlib.suppress(PyshellError):
        return read(lio, number)
    return None


def undone_head(lio: Lio, number: int) -> Head | None:
    """Return a command that is undone, None if its file cannot be read or is damaged."""
    with contextlib.suppress(PyshellError):
        return read_undone(lio, number)
    return None


@contextlib.contextmanager
def named_if_it_fails(action: str, hint: str = SKIP) -> Iterator[None]:
    """Add to an error what failed, such as `undo 'LINE'`, and what to do about it."""
    try:
        yield
    except InterruptedStepsError:
        raise  # the next attempt can succeed
    except PyshellError as error:
        error.message = f"Cannot {action}: {error.message}"
        error.hint = f"{error.hint} {hint}".strip()
        raise


def _read(lio: Lio, number: int, data: Any, *, undone: bool) -> Done:
    head = _head(number, data)
    # One that was done again still has it.
    again = _undone(data[_UNDONE]) if undone else None
    return Done(
        head.number,
        head.line,
        head.about,
        head.batch,
        lio,
        _operations(data),
        data.get("before"),
        _preferences(data),
        _BEGUN in data,
        again,
    )


def _undone(data: Any) -> Undone:
    return Undone(int(data["by"]), int(data["first"]), _operations(data), _preferences(data))


def _operations(data: Any) -> Sequence[Any]:
    found = data.get("operations", [])
    if not isinstance(found, list):
        raise TypeError("its operations are not valid")
    return found


def _preferences(data: Any) -> Mapping[str, Any] | None:
    found = data.get("preferences")
    if not isinstance(found, dict | NoneType):
        raise TypeError("its preferences are not valid")
    return found


def _head(number: int, data: Any) -> Head:
    about, batch = from_json(data["about"]), data.get("batch")
    if about is None:
        raise ValueError("its author is not valid")
    if not (batch is None or type(batch) is int):
        raise ValueError("its batch is not valid")
    return Head(number, str(data["line"]), about, batch)


def forget(lio: Lio, number: int) -> None:
    """Remove the file of a command that is skipped, or changed nothing. Raises PyshellError."""
    file = file_of(lio, number)
    with os_errors(f"remove {file}", hint="Remove it: the next undo would repeat this one."):
        file.unlink(missing_ok=True)


def move_undone(lio: Lio, number: int, undone: Undone) -> None:
    """Record that a command is undone, and how to do it again. Raises PyshellError."""
    file, to = file_of(lio, number), undone_file(lio, number)
    data = reading.parse_json(reading.read(file, LARGE).data)
    writing.replace(file, (json.dumps({**data, _UNDONE: undone.to_json()}) + "\n").encode())
    writing.make_folder(to.parent)
    _rename(file, to)


def move_redone(lio: Lio, number: int) -> None:
    """Record that a command is done again: what undid it undoes it. Raises PyshellError."""
    _rename(undone_file(lio, number), file_of(lio, number))


def _rename(file: Path, to: Path) -> None:
    with os_errors(f"move {file} to {to}", hint=f"Move it: {to.parent} lists what is undone."):
        os.rename(file, to)


def forget_undone(lio: Lio) -> None:
    """Remove the commands that are undone: another change makes them void. Raises PyshellError."""
    for number in undone_numbers(lio):
        file = undone_file(lio, number)
        with os_errors(f"remove {file}", hint="Remove it: 'redo' must not do it again."):
            file.unlink(missing_ok=True)


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
