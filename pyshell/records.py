# SPDX-License-Identifier: Apache-2.0
"""Dataclasses that are built when their first object is created.

`dataclasses` compiles five methods for each class, which takes a quarter of a millisecond, and
imports Python's parser. pyshell's modules declare hundreds of such classes, and a command uses a
few. `dataclass` here compiles one method, and only for a class that is used. Type checkers see
the functions of `dataclasses`, which take these classes and objects, too.
"""

from __future__ import annotations

from _thread import allocate_lock
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import asdict, dataclass, field, fields, replace

__all__ = ["asdict", "dataclass", "field", "fields", "is_record", "parameters", "replace"]
_NONE = object()


class _Field:
    """What `field` was given."""

    def __init__(
        self,
        *,
        default: Any = _NONE,
        default_factory: Callable[[], Any] | None = None,
        init: bool = True,
        repr: bool = True,
        compare: bool = True,
        kw_only: bool = False,
    ) -> None:
        self.default = default
        self.factory = default_factory
        self.init = init
        self.repr = repr
        self.compare = compare
        self.kw_only = kw_only


class _Options:
    """What `dataclass` was given."""

    def __init__(self, *, frozen: bool = False, eq: bool = True) -> None:
        self.frozen = frozen
        self.eq = eq


_declared: dict[type[Any], _Options] = {}
"""The classes that are not built yet."""
_built: dict[type[Any], dict[str, _Field]] = {}
"""The others, with their fields."""
_lock = allocate_lock()


def _build(kind: type[Any]) -> None:
    """Make dataclasses of a declared class and its bases."""
    with _lock:
        one: Any
        for one in reversed(kind.__mro__):  # the fields of a base come first
            options = _declared.get(one)
            if options is None:
                continue
            found = _built[one] = _fields(one)
            for name, method in _methods(one, found, options).items():
                if name not in vars(one):
                    setattr(one, name, method)
            # In one step, and last: another thread may create an object now.
            one.__init__ = _initialiser(one, found, frozen=options.frozen)
            del _declared[one]


def _fields(kind: type[Any]) -> dict[str, _Field]:
    """Return the fields of a class by name, and let its attributes be their defaults."""
    found: dict[str, _Field] = {}
    for base in reversed(kind.__mro__[1:]):
        found.update(_built.get(base, {}))
    for name, annotation in kind.__annotations__.items():
        if annotation.startswith("ClassVar"):
            continue
        value = vars(kind).get(name, _NONE)
        if not isinstance(value, _Field):
            value = _Field(default=value)
        elif value.default is _NONE:
            delattr(kind, name)
        else:
            setattr(kind, name, value.default)
        found[name] = value
    return found


def _initialiser(kind: type[Any], found: dict[str, _Field], *, frozen: bool) -> Any:
    """Return `__init__`."""
    known: dict[str, Any] = {"_none": _NONE, "_set": object.__setattr__}
    positional = ["self"]
    named: list[str] = []
    body: list[str] = []
    for name, one in found.items():
        parameter, value = _taken(name, one, known)
        if parameter:
            (named if one.kw_only else positional).append(parameter)
        if value:
            body.append(f"_set(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    if hasattr(kind, "__post_init__"):
        body.append("self.__post_init__()")
    parameters = ", ".join([*positional, *(["*", *named] if named else [])])
    text = "\n    ".join([f"def __init__({parameters}):", *(body or ["pass"])])
    exec(text, known)  # noqa: S102 - as dataclasses does; of names in pyshell's own source
    made = known["__init__"]
    made.__qualname__ = f"{kind.__qualname__}.__init__"
    return made


def _taken(name: str, one: _Field, known: dict[str, Any]) -> tuple[str, str]:
    """Return a field's parameter, and its value in terms of it; "" without one.

    Defaults are added to what is `known` by name.
    """
    if one.factory is not None:
        known[f"_make_{name}"] = one.factory
        made = f"_make_{name}()"
        if not one.init:
            return "", made
        return f"{name}=_none", f"{made} if {name} is _none else {name}"
    if not one.init:
        return "", ""  # an attribute of the class
    if one.default is not _NONE:
        known[f"_default_{name}"] = one.default
        return f"{name}=_default_{name}", name
    return name, name


def _methods(kind: type[Any], found: dict[str, _Field], options: _Options) -> dict[str, Any]:
    """Return the methods that a class need not have itself, by name."""
    shown = [name for name, one in found.items() if one.repr]

    def shown_as(self: Any) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
        return f"{type(self).__qualname__}({values})"

    made: dict[str, Any] = {
        "__repr__": shown_as,
        "__match_args__": tuple(
            name for name, one in found.items() if one.init and not one.kw_only
        ),
    }
    if options.eq:
        made |= _comparison([name for name, one in found.items() if one.compare], options)
    if options.frozen:
        made |= _refusals(kind, found)
    return made


def _comparison(names: list[str], options: _Options) -> dict[str, Any]:
    """Return what compares objects of one class by their fields."""
    values: Callable[[Any], Any] = attrgetter(*names) if names else lambda _: ()

    def equals(self: Any, other: Any) -> Any:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return values(self) == values(other)

    def number(self: Any) -> int:
        return hash(values(self))

    return {"__eq__": equals, "__hash__": number if options.frozen else None}


def _refusals(kind: type[Any], found: dict[str, _Field]) -> dict[str, Any]:
    """Return what keeps an object unchanged."""

    def set_attribute(self: Any, name: str, value: Any) -> None:
        if type(self) is kind or name in found:
            from dataclasses import FrozenInstanceError

            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        super(kind, self).__setattr__(name, value)

    def delete_attribute(self: Any, name: str) -> None:
        if type(self) is kind or name in found:
            from dataclasses import FrozenInstanceError

            raise FrozenInstanceError(f"cannot delete field {name!r}")
        super(kind, self).__delattr__(name)

    return {"__setattr__": set_attribute, "__delattr__": delete_attribute}


class _Standard:
    """An attribute by which `dataclasses` knows its classes, created when it is first asked for."""

    def __init__(self, kind: type[Any], name: str, options: _Options) -> None:
        self._kind = kind
        self._name = name
        self._options = options

    def __get__(self, record: object, kind: type[Any]) -> Any:
        import dataclasses

        _build(self._kind)
        made = dataclasses.make_dataclass(
            self._kind.__name__,
            [(name, *_standard(name, one, self._kind)) for name, one in _built[self._kind].items()],
            init=False,
            frozen=self._options.frozen,
            eq=self._options.eq,
        )
        for name in ("__dataclass_fields__", "__dataclass_params__"):
            setattr(self._kind, name, getattr(made, name))
        return getattr(self._kind, self._name)


def _standard(name: str, one: _Field, kind: type[Any]) -> tuple[Any, Any]:
    """Return the type and the field as `dataclasses` takes them."""
    import dataclasses

    annotation = next(
        vars(base)["__annotations__"][name]
        for base in kind.__mro__
        if name in vars(base).get("__annotations__", {})
    )
    given: dict[str, Any] = {} if one.default is _NONE else {"default": one.default}
    if one.factory is not None:
        given["default_factory"] = one.factory
    made = dataclasses.field(
        init=one.init, repr=one.repr, compare=one.compare, kw_only=one.kw_only, **given
    )
    return annotation, made


def is_record(kind: object) -> bool:
    """Return whether a class is declared here."""
    return isinstance(kind, type) and (kind in _built or kind in _declared)


def parameters(record: object) -> list[str]:
    """Return the names of the fields that creating a record takes."""
    return [name for name, one in _built[type(record)].items() if one.init]


def _plain(value: Any) -> Any:
    if type(value) in _built:
        return asdict(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(_plain, value))
    if isinstance(value, list | tuple):
        return type(value)(map(_plain, value))
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return value


if not TYPE_CHECKING:
    field = _Field

    def dataclass(kind: Any = None, /, **given: bool) -> Any:
        """Do as dataclasses' decorator, which has more options."""
        if kind is None:
            return lambda kind: dataclass(kind, **given)

        def build_first(self: Any, *arguments: Any, **named: Any) -> None:
            _build(kind)
            kind.__init__(self, *arguments, **named)

        _declared[kind] = options = _Options(**given)
        kind.__init__ = build_first
        for name in ("__dataclass_fields__", "__dataclass_params__"):
            setattr(kind, name, _Standard(kind, name, options))
        return kind

    def replace(record: Any, /, **changes: Any) -> Any:
        """Return a copy with other values of some fields."""
        if type(record) not in _built:
            import dataclasses

            return dataclasses.replace(record, **changes)
        for name, one in _built[type(record)].items():
            if one.init and name not in changes:
                changes[name] = getattr(record, name)
        return type(record)(**changes)

    def asdict(record: Any) -> dict[str, Any]:
        """Return the fields by name, with those of the records in them."""
        return {name: _plain(getattr(record, name)) for name in _built[type(record)]}

    def fields(record: Any) -> tuple[Any, ...]:
        """Do as dataclasses' function."""
        import dataclasses

        return dataclasses.fields(record)
