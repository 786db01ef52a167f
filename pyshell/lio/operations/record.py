# SPDX-License-Identifier: Apache-2.0
"""Operations as data that JSON can hold, so that a later run can carry them out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from pyshell.lio import fabrics, listing
from pyshell.lio.attach import Lio
from pyshell.lio.fabrics import Fabric
from pyshell.lio.identifiers import StorageObject
from pyshell.lio.operations.base import Operation

_KIND = "kind"
_FABRIC = "Fabric"
_NOT_KEPT = ("said", "root")


def to_data(operation: Operation) -> dict[str, Any]:
    """Return an operation as data. What it says when it is done is left out."""
    found = _encoded(operation)
    assert isinstance(found, dict)
    return found


class HbaNumbers:
    """Gives recorded storage objects their current HBA numbers, by plugin and name.

    One that was deleted and created again since then has another number. One that does not exist
    keeps its recorded number if that is free, and gets a free one otherwise. Use one instance for
    all operations of a command.
    """

    def __init__(self, lio: Lio) -> None:
        self.lio = lio
        self._numbers: dict[tuple[str, str], int] | None = None
        self._taken: set[int] = set()

    def current(self, recorded: StorageObject) -> StorageObject:
        """Return the storage object with its current number, or the one to create it with."""
        if self._numbers is None:
            self._numbers = {
                (one.plugin, one.name): one.hba for one in listing.storage_objects(self.lio)
            }
            self._taken = {number for _, number in listing.hbas(self.lio)}
        key = (recorded.plugin, recorded.name)
        number = self._numbers.get(key)
        if number is None:
            number = recorded.hba
            if number in self._taken:
                number = listing.lowest_free(self._taken)
            self._numbers[key] = number
            self._taken.add(number)
        return dataclasses.replace(recorded, hba=number)


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
    from pyshell.lio.operations import base, images, mapping, setters, storage, targets

    modules = (base, images, mapping, setters, storage, targets, identifiers)
    return {found.__name__: found for module in modules for found in _classes(module)}


def _classes(module: Any) -> Iterator[type[Any]]:
    for found in vars(module).values():
        if isinstance(found, type) and dataclasses.is_dataclass(found):
            yield found
