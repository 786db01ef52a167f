# SPDX-License-Identifier: Apache-2.0
"""Python's dataclasses, built when the first object is created.

`dataclass` compiles five methods for each class, which takes a quarter of a millisecond. pyshell's
modules declare hundreds of such classes, and a command uses a few. A class that is declared with
the functions here is a dataclass, too, but only its first object, or `ready`, lets Python build it.
Until then it cannot be asked for its fields.
"""

from __future__ import annotations

from _thread import allocate_lock
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from dataclasses import Field, asdict, dataclass, field, fields, replace

__all__ = ["asdict", "dataclass", "field", "fields", "ready", "replace"]
T = TypeVar("T")


def ready(kind: type[T]) -> type[T]:
    """Return a class, with its methods built if it is declared here."""
    if kind in _declared:
        _build(kind)
    return kind


_declared: dict[type[Any], dict[str, Any]] = {}
"""The classes that are not built yet, with the arguments of `dataclass`."""
_lock = allocate_lock()


def _build(kind: type[Any]) -> None:
    import dataclasses  # with `inspect`, which reads Python's source

    with _lock:
        one: Any
        for one in reversed(kind.__mro__):  # the fields of a base come first
            options = _declared.get(one)
            if options is None:
                continue
            for name, value in list(vars(one).items()):
                if isinstance(value, _Field):
                    setattr(one, name, dataclasses.field(**value.options))
            dataclasses.dataclass(init=False, **options)(one)
            # In one step, as another thread may create an object now.
            one.__init__ = _initialiser(one, frozen=options.get("frozen", False))
            del _declared[one]


def _initialiser(kind: type[Any], *, frozen: bool) -> Any:
    """Return the method that dataclasses would make. It replaces the one that builds the class."""
    from dataclasses import MISSING, fields

    known: dict[str, Any] = {"_missing": MISSING, "_set": object.__setattr__}
    positional: list[str] = ["self"]
    named: list[str] = []
    body: list[str] = []
    for one in fields(kind):
        parameter, value = _taken(one, known)
        if parameter:
            (named if one.kw_only else positional).append(parameter)
        if value:
            name = one.name
            body.append(f"_set(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    if hasattr(kind, "__post_init__"):
        body.append("self.__post_init__()")
    parameters = ", ".join([*positional, *(["*", *named] if named else [])])
    text = "\n    ".join([f"def __init__({parameters}):", *(body or ["pass"])])
    exec(text, known)  # noqa: S102 - as dataclasses does; of names in pyshell's own source
    made = known["__init__"]
    made.__qualname__ = f"{kind.__qualname__}.__init__"
    return made


def _taken(one: Field[Any], known: dict[str, Any]) -> tuple[str, str]:
    """Return a field's parameter, and its value in terms of it; "" without one.

    Defaults are added to what is `known` by name.
    """
    from dataclasses import MISSING

    if one.default_factory is not MISSING:
        known[f"_make_{one.name}"] = one.default_factory
        made = f"_make_{one.name}()"
        if one.init:
            return f"{one.name}=_missing", f"{made} if {one.name} is _missing else {one.name}"
        return "", made
    if not one.init:
        return "", ""  # an attribute of the class
    if one.default is not MISSING:
        known[f"_default_{one.name}"] = one.default
        return f"{one.name}=_default_{one.name}", one.name
    return one.name, one.name


class _Field:
    """A field with options, until its class is built."""

    def __init__(self, **options: Any) -> None:
        self.options = options


if not TYPE_CHECKING:

    def dataclass(kind: Any = None, /, **options: Any) -> Any:
        """Do as dataclasses' decorator."""
        if kind is None:
            return lambda kind: dataclass(kind, **options)

        def build_first(self: Any, *arguments: Any, **named: Any) -> None:
            ready(kind)
            kind.__init__(self, *arguments, **named)

        kind.__init__ = build_first
        _declared[kind] = options
        return kind

    field = _Field

    def replace(record: Any, /, **changes: Any) -> Any:
        """Do as dataclasses' function."""
        import dataclasses

        return dataclasses.replace(record, **changes)

    def asdict(record: Any) -> dict[str, Any]:
        """Do as dataclasses' function."""
        import dataclasses

        return dataclasses.asdict(record)

    def fields(record: Any) -> tuple[Any, ...]:
        """Do as dataclasses' function."""
        import dataclasses

        return dataclasses.fields(record)
