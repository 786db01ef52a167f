# SPDX-License-Identifier: Apache-2.0
"""The command lines that an example's README tells people to type."""

from __future__ import annotations

import re
from pathlib import Path

from driver import ROOT

EXAMPLES = ROOT / "packaging/examples"


def lines_to_type(folder: Path) -> list[str]:
    """Return the lines of README's blocks for the shell, those that go on joined to one."""
    text = (folder / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return "".join(blocks).replace("\\\n", "").splitlines()
