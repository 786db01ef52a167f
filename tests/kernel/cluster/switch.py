# SPDX-License-Identifier: Apache-2.0
"""An Ethernet switch between guests, over UDP on loopback, that shows each frame to a watcher."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Callable

Watcher = Callable[[float, bytes], None]
# A frame of a guest whose network card has the suite's MTU, and more.
FRAME_BYTES = 65536
BUFFER_BYTES = 4 << 20
LOOPBACK = "127.0.0.1"
# A pulled plug is QEMU's matter (set_link); it passes no frame on to the switch.


class Switch:
    """Ports are added before the start. Frames to an unknown address go to all other ports."""

    def __init__(self, watch: Watcher | None = None) -> None:
        self._watch = watch
        self._peers: dict[int, tuple[socket.socket, int]] = {}
        self._learnt: dict[bytes, int] = {}
        self._selector = selectors.DefaultSelector()
        self._going = True
        self._thread = threading.Thread(target=self._work, daemon=True)

    def port(self) -> tuple[int, int]:
        """Add a port; return the UDP port of the switch and the one that the guest must bind."""
        ours = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            ours.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
        ours.bind((LOOPBACK, 0))
        ours.setblocking(False)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind((LOOPBACK, 0))
            theirs: int = free.getsockname()[1]
        number: int = ours.getsockname()[1]
        self._peers[number] = (ours, theirs)
        self._selector.register(ours, selectors.EVENT_READ, number)
        return number, theirs

    def start(self) -> None:
        """Begin to forward."""
        self._thread.start()

    def close(self) -> None:
        """End, and free the ports."""
        self._going = False
        self._thread.join()
        for ours, _ in self._peers.values():
            ours.close()
        self._selector.close()

    def _work(self) -> None:
        while self._going:
            for key, _ in self._selector.select(0.5):
                number: int = key.data
                ours, _ = self._peers[number]
                try:
                    while True:
                        self._pass_on(number, ours.recv(FRAME_BYTES))
                except OSError:  # nothing more, or a guest that does not run refused one
                    continue

    def _pass_on(self, source: int, frame: bytes) -> None:
        if self._watch is not None:
            self._watch(time.time(), frame)
        self._learnt[frame[6:12]] = source
        known = self._learnt.get(frame[:6])
        for number in self._peers if known is None else (known,):
            if number != source:
                self._send(number, frame)

    def _send(self, number: int, frame: bytes) -> None:
        ours, theirs = self._peers[number]
        try:
            ours.sendto(frame, (LOOPBACK, theirs))
        except OSError:  # a guest that does not read loses frames, as on any network
            return
