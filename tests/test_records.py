# SPDX-License-Identifier: Apache-2.0
"""A record is a dataclass that is built when its first object is created."""

from __future__ import annotations

import dataclasses
import threading
from abc import ABC, abstractmethod
from typing import ClassVar

import pytest

from pyshell.records import (
    asdict,
    dataclass,
    field,
    fields,
    is_record,
    parameters,
    replace,
)


@dataclass(frozen=True)
class Point:
    """Two numbers."""

    x: int
    y: int = 0
    unit: ClassVar[str] = "mm"


@dataclass
class Shape(ABC):
    """Has a name and corners."""

    name: str
    corners: list[Point] = field(default_factory=list)
    note: str = field(default="", kw_only=True, compare=False)

    @abstractmethod
    def area(self) -> int:
        """Return the area."""


@dataclass
class Square(Shape):
    """Has a side."""

    side: int = 1

    def area(self) -> int:
        return self.side**2


class Named(Square):
    """Not declared itself."""

    def __init__(self) -> None:
        super().__init__("named")


def test_it_has_the_methods_of_a_dataclass() -> None:
    assert Point(1) == Point(1, 0) != Point(1, 2)
    assert len({Point(1), Point(1, 0)}) == 1
    assert repr(Point(1)) == "Point(x=1, y=0)"
    assert replace(Point(1), y=5) == dataclasses.replace(Point(1), y=5) == Point(1, 5)
    assert asdict(Point(1)) == dataclasses.asdict(Point(1)) == {"x": 1, "y": 0}
    nested = Square("one", [Point(1)], note="n")
    assert asdict(nested) == dataclasses.asdict(nested)
    assert parameters(Point(1)) == ["x", "y"]
    assert is_record(Point)
    assert not is_record(int)
    assert [one.name for one in fields(Point(1))] == ["x", "y"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        Point(1).x = 2  # type: ignore[misc]
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        Point()  # type: ignore[call-arg]


def test_it_has_the_fields_of_its_bases() -> None:
    made = Square("one", note="first")
    assert made == Square("one", [], 1, note="second")
    assert made.corners is not Square("two").corners
    assert made.area() == 1
    assert Named().name == "named"
    with pytest.raises(TypeError, match="abstract"):
        Shape("none")  # type: ignore[abstract]


def test_it_is_built_once_it_is_needed() -> None:
    @dataclass(eq=False)
    class Late:
        number: int = 1

    assert Late.__init__.__name__ == "build_first"
    assert Late() != Late()
    assert Late.__init__.__name__ == "__init__"


def test_two_threads_build_it_once() -> None:
    for _ in range(50):

        @dataclass
        class Shared:
            number: int = 1

        found: list[object] = []
        begin = threading.Barrier(2)

        def make(kind: type[Shared] = Shared) -> None:
            begin.wait()  # noqa: B023 - it is run in this turn
            found.append(kind())  # noqa: B023

        threads = [threading.Thread(target=make) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [Shared(), Shared()]
