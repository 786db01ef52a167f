# SPDX-License-Identifier: Apache-2.0
"""Runs the sessions that a document shows, and compares what they print with what it shows.

A block ```console shows lines typed at pyshell's prompt (`/> ls`), answers to its questions
(`Continue? [y/N] y`) and lines for the shell of a host (`storage1# pyshell ls`), with their output.
`…` stands for any text in a line, and on a line of its own for any number of lines.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import forkserver
from driver import TIME_LIMIT, at_keyboard, clean_environment

_TYPED = re.compile(r"(?:(?P<host>\w+)# |/\S*(?: \(candidate\))?> |.*\[y/N\] )(?P<line>.*)")


@dataclass
class Block:
    """What is shown below a heading, and what was printed."""

    heading: str
    shown: list[str]
    printed: str = ""

    def typed(self) -> Iterator[tuple[str | None, str]]:
        """Yield the lines that are typed, with the host if they are for its shell."""
        for line in self.shown:
            found = _TYPED.fullmatch(line)
            if found:
                yield found["host"], found["line"]

    @property
    def difference(self) -> str | None:
        """Return the first line that is shown and was not printed, or None."""
        return difference(self.shown, self.printed.splitlines())


def blocks(document: str) -> list[Block]:
    """Return the blocks of sessions of a document."""
    found: list[Block] = []
    heading, within = "", None
    for line in document.splitlines():
        if line.startswith("```"):
            within = line[3:] if within is None else None
            if within == "console":
                found.append(Block(heading, []))
        elif within == "console":
            found[-1].shown.append(line)
        elif within is None and line.startswith("#"):
            heading = line.lstrip("# ")
    return found


def difference(shown: Sequence[str], printed: Sequence[str]) -> str | None:
    """Return the first shown line that was not printed where it should, or None."""
    at, skips = 0, False
    for line in shown:
        if line == "…":
            skips = True
            continue
        pattern = re.compile(".*".join(map(re.escape, line.split("…"))))
        while at < len(printed) and not pattern.fullmatch(printed[at]):
            if not skips:
                return f"{line!r}, printed was {printed[at]!r}"
            at += 1
        if at == len(printed):
            return f"{line!r}, printed was nothing more"
        at, skips = at + 1, False
    if at < len(printed) and not skips:
        return f"the end, printed was {printed[at]!r}"
    return None


def run(found: Sequence[Block], folders: Mapping[str, Path], replaced: Mapping[str, str]) -> None:
    """Run blocks in one session of pyshell, with a simulated target in a folder for each host.

    The session is that of the first host. `replaced` are parts of typed lines with what stands for
    them; in the output, they are replaced the other way round.
    """
    session, *_ = folders

    back = {f"pyshell --simulate={folder} ": "pyshell " for folder in folders.values()}
    back |= {f"{folder}/etc/": "/etc/" for folder in folders.values()}
    back |= {real: shown for shown, real in replaced.items()}

    def lines(printed: Callable[[], str]) -> Iterator[str]:
        _, waiting = _parted(printed())
        for block in found:
            for host, line in block.typed():
                if host is None:
                    block.printed += f"{waiting}{line}\n"
                    yield f"{_replaced(line, replaced)}\n"
                    said, waiting = _parted(_replaced(printed(), back))
                    block.printed += said
                else:
                    said = _by_shell(_replaced(line, replaced), folders[host])
                    block.printed += f"{host}# {line}\n{_replaced(said, back)}"

    at_keyboard([f"--simulate={folders[session]}", "--plain"], lines)


def _parted(text: str) -> tuple[str, str]:
    """Return what was printed, and the beginning of a line that waits for input."""
    said, end, waiting = text.rpartition("\n")
    return said + end, waiting


def _replaced(text: str, parts: Mapping[str, str]) -> str:
    """Return a text in which parts are replaced, the longest first."""
    pattern = "|".join(re.escape(part) for part in sorted(parts, key=len, reverse=True))
    return re.sub(pattern, lambda found: parts[found.group()], text)


def _by_shell(line: str, folder: Path) -> str:
    """Run a line by sh, with a function pyshell, and return its output with its errors."""
    function = f'pyshell() {{ command pyshell --simulate={folder} "$@"; }}\n'
    environment = clean_environment()
    done = subprocess.run(
        ["sh", "-c", function + line],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        env={**environment, "PATH": f"{forkserver.program().parent}:{environment['PATH']}"},
        timeout=TIME_LIMIT,
    )  # fmt: skip
    return done.stdout
