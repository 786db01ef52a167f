# SPDX-License-Identifier: Apache-2.0
"""A picture as a browser draws it: where each text and each box of an SVG comes to stand."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

# Runs in the page of one picture.
_SCRIPT = """
const found = [];
for (const element of document.querySelectorAll('svg text, svg rect.body')) {
  const at = element.getBoundingClientRect();
  found.push({tag: element.tagName, kind: element.getAttribute('class'), text: element.textContent,
    box: element.closest('g.box') ? [...document.querySelectorAll('g.box')]
      .indexOf(element.closest('g.box')) : -1,
    left: at.left, right: at.right, top: at.top, bottom: at.bottom});
}
window.measured = found;
"""
# Collects what the frames measured once all are loaded, and leaves it in an element of the page.
_COLLECT = """
addEventListener('load', () => {
  const written = document.createElement('pre');
  written.id = 'measured';
  written.textContent = JSON.stringify(
    [...document.querySelectorAll('iframe')].map(frame => frame.contentWindow.measured));
  document.body.append(written);
});
"""
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_SECONDS = 120


@dataclass(frozen=True)
class Shape:
    """A text or a box's frame; `box` counts the boxes, -1 for what is in none."""

    tag: str
    kind: str
    text: str
    box: int
    left: float
    right: float
    top: float
    bottom: float

    def overlaps(self, other: Shape) -> bool:
        """Tell whether the two have room in common."""
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        return across > 0.5 and down > 0.5

    def holds(self, other: Shape) -> bool:
        """Tell whether another lies inside."""
        return (
            self.left <= other.left
            and other.right <= self.right
            and self.top <= other.top + 0.5
            and other.bottom <= self.bottom + 0.5
        )


def measured(svgs: Sequence[str], folder: Path) -> list[list[Shape]]:
    """Return what a browser measures in each SVG; skip the test where there is no browser.

    One start of the browser measures all of them, each in a frame of the page.
    """
    frames = "".join(
        f'<iframe width="20000" height="20000" srcdoc="{html.escape(_page(svg))}"></iframe>'
        for svg in svgs
    )
    page = folder / "pictures.html"
    page.write_text(
        f'<!doctype html><meta charset="utf-8"><body>{frames}<script>{_COLLECT}</script>',
        encoding="utf-8",
    )
    done = subprocess.run(
        [
            _program(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            f"--user-data-dir={folder / 'profile'}", "--dump-dom", page.as_uri(),
        ],
        capture_output=True, text=True, timeout=_SECONDS, check=False,
    )  # fmt: skip
    found = re.search(r'<pre id="measured">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr
    pictures: list[list[dict[str, Any]]] = json.loads(html.unescape(found.group(1)))
    return [[Shape(**entry) for entry in entries] for entries in pictures]


def _page(svg: str) -> str:
    return f'<!doctype html><meta charset="utf-8"><body>{svg}<script>{_SCRIPT}</script>'


def _program() -> str:
    for name in _PROGRAMS:
        path = shutil.which(name)
        if path:
            return path
    reason = "There is no Chromium: nobody looks whether the pictures' texts overlap."
    if os.environ.get("PYSHELL_REQUIRE_KERNEL"):
        pytest.fail(reason)
    pytest.skip(reason)
