# SPDX-License-Identifier: Apache-2.0
"""Completion in the real bash, zsh and fish, typed at a terminal."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest

from driver import ROOT, SERVER, TIME_LIMIT, TPG, Pyshell, clean_environment, end, tool

FOLDER = ROOT / "completions"
BASH_COMPLETION = Path("/usr/share/bash-completion/bash_completion")
PROMPT = "READY: "
# As a shell is told it, so that the echo is not taken for it.
QUOTED = "'REA''DY: '"
TO_START = "\x01"  # Ctrl-A
BASH = ["bash", "--norc", "--noprofile", "-i"]
BASH_LINES = ["bind 'set enable-bracketed-paste off'", f"PS1={QUOTED}"]
ZSH_LINES = [
    "bindkey -e; unsetopt zle_bracketed_paste prompt_sp; unset zle_bracketed_paste",
    f"fpath=('{FOLDER}' $fpath); autoload -U compinit; compinit -u -D; PS1={QUOTED}",
]
FISH_LINES = [
    "function fish_right_prompt; end; set -g fish_autosuggestion_enabled 0",
    f"source '{FOLDER}/pyshell.fish'",
    f"function fish_prompt; echo -n {QUOTED}; end",
]
# By name: the command, and what is typed before the prompt is PROMPT.
SHELLS = {
    "bash": (BASH, [f"source '{FOLDER}/pyshell.bash'", *BASH_LINES]),
    "bash that breaks no words at colons": (
        BASH,
        [
            "COMP_WORDBREAKS=${COMP_WORDBREAKS//:}",
            f"source '{FOLDER}/pyshell.bash'",
            *BASH_LINES,
        ],
    ),
    "bash with bash-completion": (
        BASH,
        [f"source {BASH_COMPLETION}", f"source '{FOLDER}/pyshell.bash'", *BASH_LINES],
    ),
    "zsh": (["zsh", "-f", "-i"], ZSH_LINES),
    "fish": (["fish", "--private", "--no-config"], FISH_LINES),
}
HEAD, TAIL = SERVER.split(":")
# What is typed before the Tab, and the arguments that pyshell then gets.
CASES = {
    f"/iscsi/{HEAD[:12]}": [f"/iscsi/{SERVER}/"],
    f"/iscsi/{HEAD}:": [f"/iscsi/{SERVER}/"],
    f"'/iscsi/{HEAD}:{TAIL[:2]}": [f"/iscsi/{SERVER}/"],
    f"--dry-run --color=never {TPG}/luns create storage_object=/backstores/ram": [
        "--dry-run", "--color=never",
        f"{TPG}/luns", "create", "storage_object=/backstores/ramdisk/memory",
    ],
    f"guide {HEAD}:{TAIL[:2]}": ["guide", SERVER],
    "share /dev/nv": ["share", "/dev/nvme0n1"],
    "share mem": ["share", "memory"],
    f"graph {FOLDER}/pyshell.b": ["graph", f"{FOLDER}/pyshell.bash"],
    "doctor /is": ["doctor", "/iscsi/"],
    "top path=/is": ["top", "path=/iscsi/"],
}  # fmt: skip


class Terminal:
    """An interactive shell, and keys for it."""

    def __init__(self, shell: pexpect.spawn) -> None:
        self._shell = shell

    def words(self, keys: str) -> list[str]:
        """Type a line and Tab, and return the words that the shell then has of it."""
        self._shell.send(f"pyshell {keys}\t{self._closing(keys)}")
        self._shell.send(f"{TO_START}printf '<%s>' END \r")
        self._shell.expect(f"<END><pyshell>(.*?){PROMPT}")
        return re.findall("<(.*?)>", self._shell.match.group(1))

    def _closing(self, keys: str) -> str:
        """Return the quote that is open still: bash closes it by itself."""
        return "'" if keys.startswith("'") and "bash" not in self._shell.command else ""

    def see(self, keys: str, *texts: str) -> None:
        """Type keys, and wait for texts in any order."""
        self._shell.send(keys)
        left = set(texts)
        while left:
            left.remove([*left][self._shell.expect_exact([*left])])


@contextmanager
def terminal(name: str, pyshell: Pyshell, program: Path) -> Iterator[Terminal]:
    """Start a shell by its name in SHELLS, in which `program` works on the simulated target."""
    command, lines = SHELLS[name]
    found = tool(command[0], command[0])
    if "bash-completion" in name and not BASH_COMPLETION.exists():
        tool("bash-completion", "bash-completion")
    environment = {
        **clean_environment(),
        "PYSHELL_SIMULATE": str(pyshell.folder),
        "PATH": os.pathsep.join([str(program.parent), os.environ["PATH"]]),
        "TERM": "dumb" if command[0] != "fish" else "xterm",
        "HOME": os.environ["HOME"],
    }
    shell = pexpect.spawn(
        found, command[1:], env=environment, dimensions=(50, 400), timeout=TIME_LIMIT,
        encoding="utf-8",
    )  # fmt: skip
    shell.delaybeforesend = None
    try:
        for line in lines:
            shell.send(f"{line}\r")
        shell.expect_exact(PROMPT)
        yield Terminal(shell)
    finally:
        end(shell)


@pytest.fixture
def served(target: Pyshell) -> Pyshell:
    """Return pyshell with a target, and a ramdisk that is not exported."""
    target.prepare("/backstores/ramdisk create memory 1M")
    return target


@pytest.mark.parametrize("name", SHELLS)
def test_a_tab_completes_and_lists(served: Pyshell, name: str, forked: Path) -> None:
    with terminal(name, served, forked) as shell:
        assert {keys: shell.words(keys) for keys in CASES} == CASES
        shell.see(f"pyshell {TPG} set attribute demo_mode_\t\t", "discovery", "write_protect")


def test_bash_completes_behind_another_command(served: Pyshell) -> None:
    installed = Path(sys.executable).with_name("pyshell")
    with terminal("bash with bash-completion", served, installed) as shell:
        shell.see(f"nice pyshell /iscsi/{HEAD}:{TAIL[:2]}\t", f"/iscsi/{SERVER}/")
