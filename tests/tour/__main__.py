# SPDX-License-Identifier: Apache-2.0
"""Types the tour at a real pseudo-terminal and keeps what the screen showed as an SVG."""

from __future__ import annotations

import io
import shutil
import tempfile
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.style import Style
from rich.text import Text

from driver import CLIENT, SERVER, TPG
from prompt.screen import CTRL_C, CTRL_L, ENTER, TAB, Screen

PICTURE = Path(__file__).parents[2] / "docs" / "tour.svg"
COLUMNS, ROWS = 101, 22


def scenes(screen: Screen) -> list[tuple[str, Text]]:
    """Type the tour and return what was to be seen, each with a caption."""
    found = []

    def keep(caption: str) -> None:
        screen.settled()
        found.append((caption, picture(screen)))

    screen.prompt()
    screen.type(f"/backstores/block create name=disk1 dev={TAB}")
    screen.see("200.0GiB")
    keep("Tab lists free block devices")
    screen.type(f"{CTRL_C}/backstores/block create name=disk1 dev=/dev/sdb{ENTER}")
    screen.see("Created block")
    screen.run(f"/iscsi create wwn={SERVER}")
    screen.type(f"{TPG}/luns crate ")
    screen.see("Did you mean create?")
    keep("An error is shown while you type")
    screen.type(CTRL_C)
    screen.prompt()
    screen.run(f"{TPG}/luns create /backstores/block/disk1")
    screen.run(f"{TPG}/acls create {CLIENT}")
    screen.type(CTRL_L)
    screen.gone("crate")
    screen.run("ls /iscsi")
    screen.see("[lun0 block/disk1 (rw)]")
    keep("The tree is coloured by health; the toolbar shows unsaved changes")
    screen.type(CTRL_L)
    screen.gone("lun0 block/disk1")
    screen.run(f"simulate login {CLIENT}")
    screen.run("sessions")
    screen.type(f"/backstores/block delete disk1{ENTER}")
    screen.see("[y/N]")
    keep("A simulated initiator is logged in: a question comes before it loses its disk")
    screen.type(f"n{ENTER}")
    screen.prompt()
    screen.type(f"exit{ENTER}")
    screen.see("stay (Esc)?")
    screen.type(f"leave{ENTER}")
    return found


def picture(screen: Screen) -> Text:
    """Return the screen as coloured text, down to its last line that shows something."""
    last = max(n for n, line in enumerate(screen.lines) if line)
    made = Text()
    for row in range(last + 1):
        cells = [screen.drawn.buffer[row][column] for column in range(COLUMNS)]
        for same, run in groupby(cells, style):
            made.append("".join(cell.data for cell in run), same)
        blanks = len(made.plain) - len(made.plain.rstrip(" "))
        if blanks:
            made.right_crop(blanks)
        made.append("\n")
    return made


def style(cell: object) -> Style:
    """Return the style of a cell of the screen."""
    front, back = getattr(cell, "fg", "default"), getattr(cell, "bg", "default")
    return Style(
        color=colour(front),
        bgcolor=colour(back),
        bold=bool(getattr(cell, "bold", False)),
        italic=bool(getattr(cell, "italics", False)),
        underline=bool(getattr(cell, "underscore", False)),
        reverse=bool(getattr(cell, "reverse", False)),
    )


def colour(name: str) -> str:
    """Return a colour of the screen by rich's name of it."""
    if name == "default":
        return "default"
    if len(name) == 6 and all(digit in "0123456789abcdef" for digit in name):
        return f"#{name}"
    bright = name.startswith("bright")
    name = name.removeprefix("bright").replace("brown", "yellow")
    return f"bright_{name}" if bright else name


def main() -> None:
    """Draw the tour."""
    home = Path(tempfile.mkdtemp(prefix="pyshell-tour-"))
    try:
        with Screen(home / "simulator", columns=COLUMNS, rows=ROWS) as screen:
            shown = scenes(screen)
    finally:
        shutil.rmtree(home)
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    for caption, text in shown:
        console.rule(caption, align="left")
        console.print(text, soft_wrap=True)
    PICTURE.write_text(console.export_svg(title="pyshell"), encoding="utf-8")


if __name__ == "__main__":
    main()
