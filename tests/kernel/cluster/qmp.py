# SPDX-License-Identifier: Apache-2.0
"""QEMU's monitor: network links, and the events that say when a guest was reset and by what."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS = 60.0


@dataclass(frozen=True)
class Event:
    """What happened to a guest, by the host's clock."""

    name: str
    time: float
    data: dict[str, Any]


class Monitor:
    """A connection to one QEMU process."""

    def __init__(self, path: Path) -> None:
        self._socket = _connected(path)
        self._rest = b""
        self._events: list[Event] = []
        self._message(SECONDS)  # the greeting
        self.execute("qmp_capabilities")

    def execute(self, command: str, **arguments: object) -> Any:
        """Run a command and return its result."""
        sent = json.dumps({"execute": command, "arguments": arguments})
        self._socket.sendall(sent.encode() + b"\n")
        while True:
            answer = self._message(SECONDS)
            if answer is None:
                raise TimeoutError(f"QEMU's monitor does not answer to {command}")
            if "error" in answer:
                raise RuntimeError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def events(self) -> list[Event]:
        """Return all events so far."""
        while self._message(0.0) is not None:
            pass
        return list(self._events)

    def close(self) -> None:
        """Close the connection; the guest continues."""
        self._socket.close()

    def _message(self, seconds: float) -> dict[str, Any] | None:
        """Return the next message and note it if it is an event; None if there is none in time."""
        line, found, rest = self._rest.partition(b"\n")
        while not found:
            self._socket.settimeout(seconds or 0.001)
            try:
                more = self._socket.recv(65536)
            except (TimeoutError, ConnectionError):
                return None
            if not more:
                return None
            self._rest += more
            line, found, rest = self._rest.partition(b"\n")
        self._rest = rest
        message: dict[str, Any] = json.loads(line)
        if "event" in message:
            stamp = message["timestamp"]
            when = stamp["seconds"] + stamp["microseconds"] / 1e6
            self._events.append(Event(message["event"], when, message.get("data", {})))
        return message


def _connected(path: Path) -> socket.socket:
    deadline = time.monotonic() + SECONDS
    while True:
        made = socket.socket(socket.AF_UNIX)
        try:
            made.connect(str(path))
        except OSError:
            made.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return made
