# SPDX-License-Identifier: Apache-2.0
"""The colours of the prompt, by name: the terminal's own sixteen, as the preferences have them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prompt_toolkit.styles import Style


def style(preference: Callable[[str], Any]) -> Style:
    """Return the style; targetcli's preferences name the colours of a line's parts."""
    return Style.from_dict(
        {
            "line.path": _colour(preference("color_path")),
            "line.command": f"{_colour(preference('color_command'))} bold",
            "line.parameter": _colour(preference("color_parameter")),
            "line.value": "",
            "line.comment": "ansibrightblack",
            "line.fault": "ansired underline",
            "auto-suggestion": "ansibrightblack",
            "bottom-toolbar": "noreverse",
            "toolbar.fault": "ansired",
            "toolbar.warning": "ansiyellow",
            "toolbar.mode": "ansicyan",
            "toolbar.current": "bold underline",
            "toolbar.syntax": "",
            "toolbar.about": "ansibrightblack",
            "toolbar.status": "ansibrightblack",
            "toolbar.key": "ansibrightblack",
            "completion-not-now": "ansibrightblack italic",
            "picker.chosen": "reverse",
            "picker.label": "ansibrightblack",
            "picker.bad": "ansired",
        }
    )


def _colour(name: str) -> str:
    return "" if name in ("default", "none") else f"ansi{name}"
