# SPDX-License-Identifier: Apache-2.0
"""What a check of the running target says: how bad, where, what it means, what mends it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pyshell.lio import listing
from pyshell.lio.attach import Lio
from pyshell.lio.identifiers import Tpg
from pyshell.quoting import for_shell

Level = Literal["error", "warning", "unseen"]


@dataclass(frozen=True)
class Finding:
    """One finding. An `error` keeps somebody from working, a `warning` may come to that.

    `unseen` is no fault: something that could not be looked at, and why.
    """

    level: Level
    path: str
    """Where: a path of the tree, or a file or part of the host."""
    message: str
    """What it is, and what it means."""
    commands: tuple[str, ...] = ()
    """What fixes it, to be typed into root's shell in this order: each is complete as it is, and
    none deletes an object, drops one from the saved file or disconnects an initiator."""
    about: tuple[str, ...] = ()
    """Of something of the host: the paths of the tree that it matters to."""
    choices: tuple[str, ...] = ()
    """Commands among which an administrator decides: some disturb initiators, grant access or
    have a word in capitals to be replaced."""


def error(path: str, message: str, *commands: str, choices: Sequence[str] = ()) -> Finding:
    """Return what keeps somebody from working."""
    return Finding("error", path, message, commands, choices=tuple(choices))


def warning(path: str, message: str, *commands: str, choices: Sequence[str] = ()) -> Finding:
    """Return what may come to that."""
    return Finding("warning", path, message, commands, choices=tuple(choices))


def unseen(what: str, why: str, *about: str) -> Finding:
    """Return what could not be looked at, and which paths of the tree that leaves in doubt."""
    return Finding("unseen", what, why, about=about)


def pyshell(lio: Lio, *words: str, **values: Any) -> str:
    """Return a command of pyshell as root's shell takes it, for the target at hand."""
    simulated = [shlex.quote(f"--simulate={lio.simulated}")] if lio.simulated is not None else []
    return " ".join(["pyshell", *simulated, for_shell(*words, **values)])


def asking(lio: Lio, path: str, name: str, group: str = "auth", **values: Any) -> str:
    """Return the command that sets CHAP of an object and asks for the secret `name`."""
    return f"{pyshell(lio, path, 'set', group, **values)} {name}=-"


def tpgs(*, of: str = "") -> Iterator[Tpg]:
    """Yield all TPGs, or those of one fabric."""
    for fabric in listing.fabrics_in_use():
        if of in ("", fabric.name):
            for target in listing.targets(fabric):
                yield from listing.tpgs(target)
