# SPDX-License-Identifier: Apache-2.0
"""Send entries to systemd's journal, by its native protocol (systemd.journal-fields(7))."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from pyshell.host import Machine
from pyshell.text import one_line

_SOCKET = "/run/systemd/journal/socket"
_IDENTIFIER = "pyshell"


def send(machine: Machine, fields: Mapping[str, str]) -> None:
    """Send an entry; without a journal, or if it does not take it, nothing happens."""
    import socket  # it takes a while

    lines = {"SYSLOG_IDENTIFIER": _IDENTIFIER, **fields}
    # A line feed would begin another field.
    data = "".join(f"{name}={one_line(text)}\n" for name, text in lines.items())
    with (
        suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender,
    ):
        sender.sendto(data.encode(errors="replace"), str(machine.host_file(_SOCKET)))
