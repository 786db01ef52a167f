# SPDX-License-Identifier: Apache-2.0
"""The addresses by which others reach this host, as the kernel lists them."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

from pyshell.target.attach import Lio

_SIMULATED = ["192.168.56.101"]
_LOCAL = re.compile(r"\|-- (\S+)\n\s+/32 host LOCAL")


def of_host(lio: Lio, proc: Path = Path("/proc/net")) -> list[str]:
    """Return addresses of this host, IPv4 first, without loopback and link-local ones."""
    if lio.simulated is not None:
        return _SIMULATED
    found = _LOCAL.findall(_text(proc / "fib_trie"))
    for line in _text(proc / "if_inet6").splitlines():
        digits = line.partition(" ")[0]
        found.append(":".join(digits[at : at + 4] for at in range(0, 32, 4)))
    every = (ipaddress.ip_address(text) for text in dict.fromkeys(found))
    return [str(one) for one in every if not (one.is_loopback or one.is_link_local)]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""
