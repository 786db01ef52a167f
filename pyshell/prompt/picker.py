# SPDX-License-Identifier: Apache-2.0
"""The path picker: a list of the tree's paths on the whole screen, filtered by what is typed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.layout import BufferControl, FormattedTextControl, HSplit, Layout, Window
from prompt_toolkit.layout.processors import BeforeInput
from prompt_toolkit.output import ColorDepth, Output
from prompt_toolkit.styles import BaseStyle

from pyshell.errors import PyshellError
from pyshell.prompt.guard import Guard
from pyshell.text import columns, one_line, shorten
from pyshell.tree.node import Node
from pyshell.tree.results import Branch

MOST = 20_000
"""How many paths are collected; of a larger target those of the upper levels."""
_SUMMARY_MIN = 8
"""Columns below which a node's summary is omitted."""
_PART = "The list of paths"


class Paths:
    """The paths of a tree, collected level by level."""

    def __init__(self, root: Node) -> None:
        self.found: list[Branch] = []
        self.whole = False
        self._root = root

    def collect(self) -> Iterator[None]:
        """Collect the paths; yields after each."""
        waiting: list[Node] = [self._root]
        while waiting and len(self.found) < MOST:
            node = waiting.pop(0)
            try:
                self.found.append(node.branch())
                waiting += node.make_children()
            except (PyshellError, OSError):
                continue  # it was deleted meanwhile
            yield
        self.whole = not waiting

    def fitting(self, wanted: str) -> list[Branch]:
        """Return the nodes with every word of `wanted` in path or label, shortest path first."""
        words = wanted.lower().split()
        fit = [one for one in list(self.found) if _holds(one, words)]
        return sorted(fit, key=lambda one: len(one.path)) if words else fit


def _holds(one: Branch, words: list[str]) -> bool:
    text = f"{one.path} {one.label}".lower()
    return all(word in text for word in words)


class _Picker:
    """What the screen shows, and which path is selected."""

    def __init__(self, paths: Paths, output: Output, guard: Guard) -> None:
        self.paths = paths
        self.selected = 0
        first = partial(self.move_to, 0)
        self.search = Buffer(
            multiline=False, on_text_changed=lambda _: guard.run(_PART, first, None)
        )
        self._output = output

    def fitting(self) -> list[Branch]:
        return self.paths.fitting(self.search.text)

    def move_to(self, place: int) -> None:
        self.selected = max(0, min(place, len(self.fitting()) - 1))

    def path(self) -> str | None:
        found = self.fitting()
        return found[self.selected].path if self.selected < len(found) else None

    def rows(self) -> int:
        return max(1, self._output.get_size().rows - 2)

    def lines(self) -> StyleAndTextTuples:
        found, rows = self.fitting(), self.rows()
        first = max(0, min(self.selected - rows // 2, len(found) - rows))
        made: StyleAndTextTuples = []
        for place, one in enumerate(found[first : first + rows], first):
            made += self._line(one, selected=place == self.selected)
        return made or [("class:picker.label", " No path matches.")]

    def _line(self, one: Branch, *, selected: bool) -> StyleAndTextTuples:
        width = self._output.get_size().columns - 2
        mark = ">" if selected else " "
        style = "class:picker.selected" if selected else ""
        path = shorten(one_line(one.path), width)
        label = "class:picker.bad" if one.healthy is False else "class:picker.label"
        room = width - columns(path) - 3
        summary = shorten(one_line(f"[{one.label}]"), room) if room > _SUMMARY_MIN else ""
        return [(style, f"{mark}{path}"), (label, f"  {summary}\n")]

    def foot(self) -> StyleAndTextTuples:
        more = "" if self.paths.whole else "…"
        count = f" {len(self.fitting())} of {len(self.paths.found)}{more} paths"
        return [("class:picker.label", f"{count}  Enter goes there, Esc cancels")]


def pick(
    root: Node,
    *,
    style: BaseStyle,
    color_depth: ColorDepth | None,
    typed: Input | None,
    output: Output,
    guard: Guard,
) -> str | None:
    """Let the user select a path of the tree; return None without a selection."""
    picker = _Picker(Paths(root), output, guard)
    control = BufferControl(picker.search, input_processors=[BeforeInput("Go to: ")])

    nothing: StyleAndTextTuples = []
    body = Window(FormattedTextControl(lambda: guard.run(_PART, picker.lines, nothing)))
    foot = Window(FormattedTextControl(lambda: guard.run(_PART, picker.foot, nothing)), height=1)
    shown: Application[str | None] = Application(
        Layout(HSplit([Window(control, height=1), body, foot])),
        key_bindings=guard.keys(_keys(picker)),
        style=style,
        color_depth=color_depth,
        full_screen=True,
        input=typed,
        output=output,
    )
    stopped = threading.Event()
    collect = partial(_collect, picker.paths, shown, stopped)
    thread = threading.Thread(
        target=lambda: guard.run(_PART, collect, None), name="paths", daemon=True
    )
    thread.start()
    try:
        return shown.run(pre_run=guard.watch_loop, set_exception_handler=False)
    finally:
        stopped.set()


def _collect(paths: Paths, shown: Application[Any], stopped: threading.Event) -> None:
    for number, _ in enumerate(paths.collect()):
        if stopped.is_set():
            return
        if number % 50 == 0:
            shown.invalidate()
    shown.invalidate()


def _keys(picker: _Picker) -> KeyBindings:
    bound = KeyBindings()
    steps = {
        "up": lambda: -1,
        "down": lambda: 1,
        "pageup": lambda: -picker.rows(),
        "pagedown": picker.rows,
    }
    for key, step in steps.items():
        bound.add(key)(lambda _, step=step: picker.move_to(picker.selected + step()))
    bound.add("enter")(lambda event: event.app.exit(result=picker.path()))
    for key in ("escape", "c-c", "c-d"):
        bound.add(key, eager=key == "escape")(lambda event: event.app.exit(result=None))
    return bound
