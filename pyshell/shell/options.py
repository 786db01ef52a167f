# SPDX-License-Identifier: Apache-2.0
"""How a run behaves, as the command line's options say; light, as cli needs it first."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_TIMEOUT = 10.0
"""Seconds to wait for another program's change."""


@dataclass
class Options:
    """The options of one run."""

    json: bool = False
    dry_run: bool = False
    yes: bool = False
    save: bool = False
    compat: bool = False
    way: str = "one-liner"
    """How commands come: one-liner, batch, prompt, or boot; revisions remember it."""
    colour: str = "auto"
    lock_timeout: float = DEFAULT_TIMEOUT
