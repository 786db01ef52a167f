# SPDX-License-Identifier: Apache-2.0
"""Parameter groups, as `get` and `set` know them: attribute, parameter, auth, alua, global …"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyshell.errors import NotFoundError, UsageError
from pyshell.suggestions import did_you_mean

if TYPE_CHECKING:
    from pyshell.lio.attributes import Attribute
    from pyshell.lio.operations.base import Operation


@dataclass(frozen=True)
class Entry:
    """A parameter of a group."""

    name: str
    type: str
    help: str
    writable: bool = True
    secret: bool = False
    about: Attribute | None = None
    """Its row in the table of settings, None for what is pyshell's own."""


class Group(ABC):
    """A group of parameters of one node."""

    @abstractmethod
    def entries(self) -> dict[str, Entry]:
        """Return the parameters that are there, sorted by name."""

    @abstractmethod
    def read(self, name: str) -> str:
        """Return a parameter's value as text. Raises OSError where the kernel will not tell."""

    def word(self, name: str, value: str) -> str:
        """Return a value as it is shown."""
        return value

    def obstacle(self, entry: Entry) -> str:
        """Return why a writable parameter cannot be written now, "" where it can."""
        return ""

    def default(self, entry: Entry) -> str | None:
        """Return what a parameter has in a new object, None where nobody knows before."""
        return None if entry.about is None else entry.about.default_of("")

    @abstractmethod
    def change(self, name: str, value: str) -> Sequence[Operation]:
        """Return the operations that set a parameter. Raises UsageError."""

    def check(self, values: Mapping[str, str]) -> None:  # noqa: B027 - most groups take all
        """Raise UsageError for values that cannot be set together, or beside the present ones."""

    def remarks(self, values: Mapping[str, str]) -> Sequence[str]:
        """Return what to know of values that are set together: that they have no effect yet."""
        return ()

    def caution(self, name: str, value: str) -> str:
        """Return what to know of a parameter that has no effect here, or of a value that is weak.

        "" where there is nothing.
        """
        return ""


def entry_of(group: Group, group_name: str, name: str, *, sets: bool = False) -> Entry:
    """Return a group's parameter, which a command `sets` or reads. Raises NotFoundError."""
    entries = group.entries()
    found = entries.get(name)
    if found is None:
        raise NotFoundError(
            f"No parameter '{name}' in group '{group_name}'",
            did_you_mean(name, entries, f"'get {group_name}' shows them."),
            targetcli=f"{'Unknown' if sets else 'No'} parameter "
            + (
                f"{name} in group '{group_name}'." if sets else f"'{name}' in group '{group_name}'."
            ),
        )
    return found


def value_or_empty(group: Group, name: str) -> str:
    """Return a value, "" where the kernel will not tell it."""
    with contextlib.suppress(OSError):
        return group.read(name)
    return ""


def require_writable(entry: Entry) -> None:
    """Raise UsageError for a read-only parameter."""
    if not entry.writable:
        told = f"Parameter {entry.name} is read-only."
        raise UsageError(told, targetcli=told)
