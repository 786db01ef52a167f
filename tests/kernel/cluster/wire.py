# SPDX-License-Identifier: Apache-2.0
"""Who answers on iSCSI's port, read from the frames of the network: the proof of one exporter.

All frames pass one process with one clock, so that the answers of both nodes have an order. Only
payload counts: a host that is no target resets or finishes connections, too.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

PORT = 3260
ARP = b"\x08\x06"
TCP = 6
SYN, ACK = 0x02, 0x10
# What a target sends, by RFC 7143.
KINDS = {
    0x20: "nop-in",
    0x21: "response",
    0x22: "task management",
    0x23: "login",
    0x24: "text",
    0x25: "data-in",
    0x26: "logout",
    0x31: "r2t",
    0x32: "async",
    0x3F: "reject",
}
SERVING = ("response", "data-in", "r2t")


@dataclass
class Span:
    """Answers of one node in one connection without those of another between them."""

    node: str
    # The initiator's TCP port: one connection.
    connection: int
    first: float
    last: float
    answers: int = 1
    # Whether the initiator had opened another connection before the first of them: it has no
    # use for what still arrives in this one.
    stale: bool = False
    # How many segments begin with each kind of PDU, by its name: a good guess of what was said.
    kinds: dict[str, int] = field(default_factory=dict)

    def add(self, now: float, kind: str) -> None:
        """Count an answer."""
        self.last = now
        self.answers += 1
        self.kinds[kind] = self.kinds.get(kind, 0) + 1

    @property
    def serves(self) -> bool:
        """Whether commands were answered, not only logins."""
        return any(kind in self.kinds for kind in SERVING)


class Exporters:
    """Collects the spans of nodes, known by their hardware addresses."""

    def __init__(self, nodes: Mapping[bytes, str], address: str = "") -> None:
        self._nodes = nodes
        self._address = socket.inet_aton(address) if address else b""
        self.spans: list[Span] = []
        # The nodes that said, by ARP, that the address is theirs.
        self.claims: list[tuple[float, str]] = []
        self._latest = 0

    def clear(self) -> None:
        """Forget what was seen."""
        self.spans.clear()
        self.claims.clear()

    def see(self, now: float, frame: bytes) -> None:
        """Take a frame of the network."""
        if frame[12:14] == ARP and self._address and frame[28:32] == self._address:
            self.claims.append((now, self._name(frame)))
        segment = _segment(frame)
        if segment is None:
            return
        source, destination, flags, payload = segment
        if destination == PORT and flags & (SYN | ACK) == SYN:
            self._latest = source
        elif source == PORT and payload:
            kind = KINDS.get(frame[-payload] & 0x3F, "other")
            self._answer(now, self._name(frame), destination).add(now, kind)

    def _name(self, frame: bytes) -> str:
        return self._nodes.get(frame[6:12], frame[6:12].hex())

    def _answer(self, now: float, node: str, connection: int) -> Span:
        last = self.spans[-1] if self.spans else None
        if last and (last.node, last.connection) == (node, connection):
            return last
        self.spans.append(Span(node, connection, now, now, 0, connection != self._latest))
        return self.spans[-1]


def _segment(frame: bytes) -> tuple[int, int, int, int] | None:
    """Return ports, flags and payload's length of a TCP segment; None for any other frame."""
    if len(frame) < 54 or frame[12:14] != b"\x08\x00" or frame[23] != TCP:
        return None
    start = 14 + (frame[14] & 0x0F) * 4
    if len(frame) < start + 20:
        return None
    (total,) = struct.unpack_from("!H", frame, 16)
    source, destination = struct.unpack_from("!HH", frame, start)
    header = (frame[start + 12] >> 4) * 4
    return source, destination, frame[start + 13], 14 + total - start - header


def takeovers(spans: Iterable[Span]) -> list[tuple[str, float]]:
    """Return the node of each change of the exporter, with its time.

    Stale answers do not count, nor do those of a node that answers no command.
    """
    changes: list[tuple[str, float]] = []
    for span in spans:
        if span.serves and not span.stale and (not changes or changes[-1][0] != span.node):
            changes.append((span.node, span.first))
    return changes


def claims(seen: Iterable[tuple[float, str]]) -> list[tuple[str, float, float]]:
    """Return who claimed the address in turn, from when to when."""
    found: list[tuple[str, float, float]] = []
    for when, node in seen:
        if found and found[-1][0] == node:
            found[-1] = (node, found[-1][1], when)
        else:
            found.append((node, when, when))
    return found


def as_data(spans: Iterable[Span]) -> list[dict[str, object]]:
    """Return spans for a record."""
    return [asdict(span) for span in spans]
