# SPDX-License-Identifier: Apache-2.0
"""What configfs holds of LIO, as text to compare: names, link targets and values."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator, Mapping

from . import lio

# Counters, and what depends on the time.
PASSED_OVER = frozenset({"statistics", "fabric_statistics", "dynamic_sessions"})
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_RANDOM_IQN = re.compile(r"(?<=:sn\.)[0-9a-f]{12}")
# Counted from the kernel's start on.
_HBA_INDEX = re.compile(r"(?<=^HBA Index: )\d+")
# The same for SCSI hosts, of which each loopback target has one.
_HOST = re.compile(r"^\d+(?=:\d+:\d+$)")
# It tells 0 until somebody writes queue_depth, be it the same number.
_QUEUE = re.compile(r"(?<=  Max Queue Depth: )\d+")
# The names of links between LUNs and storage objects.
_ALIAS = re.compile(r"(?<=^alias: )[0-9a-f]{10}$", re.MULTILINE)
_NAA = re.compile(r"naa\.5001405[0-9a-f]{9}")

_MORE_THAN_A_PAGE = 1 << 16

Tree = dict[str, str]
Names = Mapping[str, str]
"""What differs from guest to guest, by its name: {"DISK": "/dev/sda"}."""


def take() -> Tree:
    """Return every object below target/ by its path, with its value."""
    top = str(lio.CONFIGFS)
    return {path[len(top) + 1 :]: value for path, value in _walk(top)}


def _walk(folder: str) -> Iterator[tuple[str, str]]:
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.name in PASSED_OVER:
            continue
        if entry.is_symlink():
            # Its name is chosen at random.
            yield f"{folder}/link", f"-> {os.path.normpath(f'{folder}/{os.readlink(entry)}')}"
        elif entry.is_dir():
            yield entry.path, ""
            yield from _walk(entry.path)
        else:
            yield entry.path, _value(entry.path)


def _value(path: str) -> str:
    # Thousands of files for each line that is compared: with the fewest calls for one.
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            return os.read(descriptor, _MORE_THAN_A_PAGE).decode(errors="replace").rstrip("\n")
        finally:
            os.close(descriptor)
    except OSError as error:
        return f"(not readable: {error.strerror})"


def plain(text: str, known: str = "", names: Names | None = None) -> str:
    """Return a text with names in place of what was drawn by lot, or differs between guests.

    What `known` names stays.
    """
    return _plain(text, known, tuple((names or {}).items()))


@functools.lru_cache(maxsize=1 << 15)
def _plain(text: str, known: str, names: tuple[tuple[str, str], ...]) -> str:
    def named(match: re.Match[str]) -> str:
        return match.group() if match.group() in known else "naa.RANDOM"

    for name, value in names:
        text = text.replace(value, f"${name}")
    text = _ALIAS.sub("RANDOM", _QUEUE.sub("N", _HOST.sub("N", _HBA_INDEX.sub("N", text))))
    text = _UUID.sub(lambda match: match.group() if match.group() in known else "UUID", text)
    return _NAA.sub(named, _RANDOM_IQN.sub("RANDOM", text))


def plain_tree(tree: Tree, known: str = "", names: Names | None = None) -> Tree:
    """Return a tree with names in place of what was drawn by lot, or differs between guests."""
    named = tuple((names or {}).items())
    return {_plain(path, known, named): _plain(value, known, named) for path, value in tree.items()}


def differences(one: Tree, other: Tree) -> dict[str, tuple[str | None, str | None]]:
    """Return what is not the same, by path, as it is in the one and in the other."""
    return {
        path: (one.get(path), other.get(path))
        for path in sorted({*one, *other})
        if one.get(path) != other.get(path)
    }
