# SPDX-License-Identifier: Apache-2.0
"""What tests of `doctor` share: findings, and running the suggested commands."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forkserver
from driver import CLIENT, TPG, Pyshell, run_here
from pyshell.config import model
from pyshell.config.running import read_running

PUBLIC = "198.51.100.7"
"""An address of the networks for documentation, which counts as no public one."""
GLOBAL = "93.184.216.34"
ADDRESS = "192.168.56.105"
ACL = f"{TPG}/acls/{CLIENT}"
OTHER = "iqn.2020-07.192.168.56.106:other"
UNIT = "[Unit]\nDescription=Restore\n[Install]\nWantedBy=multi-user.target\n"
SECRET = "a-secret-of-this-test"


def doctor(pyshell: Pyshell, *words: str) -> list[Any]:
    """Return what is wrong; the exit status must tell how bad it is."""
    ran = pyshell("-o", "json", "doctor", *words)
    found = [one for one in ran.json["result"] if one["level"] != "unseen"]
    levels = {one["level"] for one in found}
    assert ran.status == (2 if "error" in levels else int("warning" in levels)), ran.err
    return found


def only(pyshell: Pyshell, check: str, path: str, told: str) -> list[str]:
    """Return what the one finding of a check suggests, which must say where and what.

    That are commands that can be run unread, or else those among which somebody decides.
    """
    (found,) = [one for one in doctor(pyshell) if one["check"] == check]
    assert found["path"] == path
    assert told in found["message"]
    suggested = found["commands"] or found["choices"]
    assert suggested
    return list(suggested)


def follow(
    pyshell: Pyshell, commands: list[str], host: Callable[[str], None] | None = None
) -> None:
    """Run commands as they are printed; `host` is the simulated host, where one is its."""
    for command in commands:
        words = shlex.split(command)
        if words[0] == "pyshell" and "&&" not in words:
            ran = run_here(words[1:], f"{SECRET}\n")
            assert ran.status == 0, (command, ran.err)
        elif host is not None:
            host(command)
        else:
            path = f"{forkserver.program().parent}:{os.environ['PATH']}"
            shell = ["sh", "-c", command]
            subprocess.run(shell, check=True, timeout=30, env={**os.environ, "PATH": path})


def paths(pyshell: Pyshell) -> set[str]:
    """Return the objects that are running."""
    return set(model.items(read_running(pyshell.open()), model.NAMES_ONLY))


def gone(pyshell: Pyshell, check: str) -> bool:
    """Tell whether a check finds nothing any more."""
    return all(one["check"] != check for one in doctor(pyshell))


def host_file(pyshell: Pyshell, path: str, text: str = "") -> Path:
    """Write a file of the simulated host."""
    place = pyshell.simulator.machine.file(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")
    return place


def listen_at(pyshell: Pyshell, *places: str) -> None:
    """Let the simulated host listen at places in the kernel's writing (`00000000:0CBC`)."""
    lines = "".join(f"   {n}: {one} 00000000:0000 0A 0\n" for n, one in enumerate(places))
    host_file(pyshell, "/proc/net/tcp", f"  sl  local_address\n{lines}")
