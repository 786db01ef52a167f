# SPDX-License-Identifier: Apache-2.0
"""What the kernel's rules work on, and the shapes that a rule may have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pyshell.simulator.machine import SimulatedMachine
from pyshell.simulator.places import Place
from pyshell.simulator.tree import Tree


@dataclass(frozen=True)
class Kernel:
    """The tree and the hardware under it."""

    tree: Tree
    machine: SimulatedMachine


# A mkdir: the place it happens in, which has no such name yet, and the name.
Make = Callable[[Kernel, Place, str], None]
# What else happens before an object that may go does go.
Drop = Callable[[Kernel, Place], None]
# A write to the file at a place; the text is as written.
Write = Callable[[Kernel, Place, str], None]
# A link made in the object at a place, with a path, to the object at another place.
Link = Callable[[Kernel, Place, str, Place], None]
# A link removed from the object at a place: the link's path.
Unlink = Callable[[Kernel, Place, str], None]


@dataclass(frozen=True)
class Rules:
    """The rules of one part of the kernel, by kind of object; `writes` by kind and file.

    A kind of `writes` may be one variant's alone ("device/user"), which then comes first.
    """

    makes: Mapping[str, Make] = field(default_factory=dict)
    drops: Mapping[str, Drop] = field(default_factory=dict)
    links: Mapping[str, Link] = field(default_factory=dict)
    unlinks: Mapping[str, Unlink] = field(default_factory=dict)
    writes: Mapping[tuple[str, str], Write] = field(default_factory=dict)
