# SPDX-License-Identifier: Apache-2.0
"""A service like tcmu-runner's on a bus of its own, for tests: handlers that open nothing."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jeepney import HeaderFields, MessageType, new_error, new_method_return
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import DBusConnection, open_dbus_connection

from driver import TIME_LIMIT

SERVICE = "org.kernel.TCMUService1"
PATH = "/org/kernel/TCMUService1"
DESCRIPTION = "A path, as\n/srv/disk.img\n"
_CONFIG = """\
<busconfig>
  <type>custom</type>
  <listen>unix:path={folder}/bus</listen>
  <servicedir>{folder}</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


@contextmanager
def bus(folder: Path) -> Iterator[str]:
    """Run a bus in `folder`, which starts the services described there, and yield its address."""
    config = folder / "bus.conf"
    config.write_text(_CONFIG.format(folder=folder))
    command = ["dbus-daemon", f"--config-file={config}", "--nofork", "--print-address=1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdout is not None
        try:
            yield daemon.stdout.readline().strip().split(",")[0]
        finally:
            daemon.terminate()


class HandlerService:
    """Handlers `file`, which changes media, and `plain`, which cannot and describes nothing."""

    def __init__(self, address: str) -> None:
        self.asked: list[tuple[str, tuple[Any, ...]]] = []
        self._bus: DBusConnection = open_dbus_connection(address)
        self._ending = threading.Event()
        self._bus.send_and_get_reply(message_bus.RequestName(SERVICE), timeout=TIME_LIMIT)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        """End the service."""
        self._ending.set()
        self._thread.join()
        self._bus.close()

    def _serve(self) -> None:
        while not self._ending.is_set():
            try:
                message = self._bus.receive(timeout=0.05)
            except TimeoutError:
                continue
            if message.header.message_type == MessageType.method_call:
                fields = message.header.fields
                path, method = fields[HeaderFields.path], fields[HeaderFields.member]
                self._bus.send(self._answer(message, path.rpartition("/")[2], method))

    def _answer(self, message: Any, handler: str, method: str) -> Any:
        self.asked.append((method, message.body))
        if method == "GetManagedObjects":
            return new_method_return(message, "a{oa{sa{sv}}}", (_objects(),))
        if method == "CheckConfig":
            (config,) = message.body
            bad = config.endswith("bad")
            return new_method_return(message, "bs", (not bad, "no such image" if bad else "ok"))
        if method == "ChangeMedium" and handler == "file":
            full = message.body[2].endswith("full")
            return new_method_return(message, "is", (1 if full else 0, "tray is full"))
        error = "org.freedesktop.DBus.Error.UnknownMethod"
        return new_error(message, error, "s", (f"No such method {method}",))


def _objects() -> dict[str, Any]:
    described = {SERVICE: {"ConfigDesc": ("s", DESCRIPTION)}}
    other = {"org.example.Other": {"Size": ("u", 1)}}
    return {
        f"{PATH}/plain": {SERVICE: {}},
        f"{PATH}/file": described,
        f"{PATH}/HandlerManager1": other,
    }
