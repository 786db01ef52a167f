# SPDX-License-Identifier: Apache-2.0
"""Checks of the running target and its host, one module per topic. They change nothing.

A check yields findings: severity, path, message, and commands that fix it. What keeps one initiator
from a disk is judged by functions that `hops` calls, too: the command `trace` shows their findings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pyshell.lio import Lio
from pyshell.quoting import for_shell, shell_word

Level = Literal["error", "warning", "info", "unseen"]
Code = Literal[
    "",
    "acl.missing",
    "address.family",
    "address.missing",
    "chap.missing",
    "chap.name",
    "chap.negotiation",
    "chap.refused",
    "chap.secret",
    "chap.unset",
    "device.missing",
    "firewall.blocked",
    "lun.broken",
    "lun.missing",
    "mapping.broken",
    "mapping.missing",
    "nexus.missing",
    "nexus.other",
    "portal.closed",
    "portal.missing",
    "route.missing",
    "session.missing",
    "storage_object.missing",
    "storage_object.unconfigured",
    "tpg.disabled",
]
"""What keeps an initiator from a disk: the hop and its state. docs/guide.md explains each."""


@dataclass(frozen=True)
class Finding:
    """One finding: an `error` breaks access now, a `warning` may later.

    `info` is not a problem: a property of a default that is worth knowing. `unseen` is not a
    problem but something that could not be checked, and why.
    """

    level: Level
    path: str
    """A path of the tree, or a file or part of the host."""
    message: str
    """The problem and its consequence."""
    commands: tuple[str, ...] = ()
    """Commands for root's shell that fix it, in this order. They are complete, and none deletes an
    object, drops one from the saved file or disconnects an initiator."""
    about: tuple[str, ...] = ()
    """Paths of the tree that a finding about the host affects."""
    choices: tuple[str, ...] = ()
    """Commands that an administrator chooses from: some disconnect initiators, grant access or
    contain a word in capitals to replace."""
    code: Code = ""
    """What keeps initiators out; "" if the finding is about something else."""


def error(
    path: str, message: str, *commands: str, choices: Sequence[str] = (), code: Code = ""
) -> Finding:
    """Return a finding that breaks access now."""
    return Finding("error", path, message, commands, choices=tuple(choices), code=code)


def warning(
    path: str, message: str, *commands: str, choices: Sequence[str] = (), code: Code = ""
) -> Finding:
    """Return a finding that may break access later."""
    return Finding("warning", path, message, commands, choices=tuple(choices), code=code)


def info(path: str, message: str, *, choices: Sequence[str] = ()) -> Finding:
    """Return a finding that is not a problem."""
    return Finding("info", path, message, choices=tuple(choices))


def unseen(what: str, why: str, *about: str) -> Finding:
    """Return a finding about what could not be checked, with the paths that it affects."""
    return Finding("unseen", what, why, about=about)


def why_unknown(lio: Lio, otherwise: str) -> str:
    """Return why something about the host is unknown: the simulator has none, or `otherwise`."""
    return "not simulated" if lio.simulated is not None else otherwise


def pyshell(lio: Lio, *words: str, **values: Any) -> str:
    """Return a pyshell command for root's shell, for this target."""
    simulated = [shell_word(f"--simulate={lio.simulated}")] if lio.simulated is not None else []
    return " ".join(["pyshell", *simulated, for_shell(*words, **values)])


def new_path(plugin: str) -> str:
    """Return the word to replace by the new device or file of a storage object in a command."""
    return "/NEW/PATH" if plugin == "fileio" else "/dev/disk/by-id/NEW-DEVICE"


def asking(lio: Lio, path: str, name: str, group: str = "auth", **values: Any) -> str:
    """Return the command that sets CHAP of an object and prompts for the secret `name`."""
    return f"{pyshell(lio, path, 'set', group, **values)} {name}=-"
