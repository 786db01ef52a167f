# SPDX-License-Identifier: Apache-2.0
"""Handlers of user-space storage objects, which tcmu-runner and others offer on the system bus.

They are optional: without a bus, a service or the D-Bus library there are none, and nothing else
changes (field failures 70 and 71). Listing them does not start the service and, to show the tree,
waits half a second at most for a bus that hangs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from pyshell.errors import NotFoundError, PyshellError
from pyshell.host import UserHandler

SERVICE = "org.kernel.TCMUService1"
PATH = "/org/kernel/TCMUService1"
_SOCKET = "/var/run/dbus/system_bus_socket"  # where D-Bus' specification puts it
_START = "Run 'systemctl start tcmu-runner' to start the usual ones."
_NO_SERVICE = ("ServiceUnknown", "NameHasNoOwner")
# Characters of a service's texts, and handlers, that are shown.
_LONGEST = 4096
_MOST = 256
_LOOK_SECONDS = 0.5
# tcmu-runner does not answer while it opens a device: commands that name a handler wait.
_PATIENT_SECONDS = 10.0
# A handler may query a storage cluster before it answers.
_CALL_SECONDS = 30.0


def running(*, patiently: bool = False) -> list[UserHandler]:
    """Return the running handlers, sorted by name; none if the service does not answer in time."""
    if not _may_have_bus():
        return []
    seconds = _PATIENT_SECONDS if patiently else _LOOK_SECONDS
    try:
        found = _call(PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", seconds)
        return sorted(_handlers(found[:1]), key=lambda handler: handler.name)
    except PyshellError:
        return []


def check_config(handler: str, config: str) -> None:
    """Ask a handler whether it can open `config` ("HANDLER/…"). Raises PyshellError."""
    good, reason = _answer(handler, "CheckConfig", "s", (config,), bool)
    if not good:
        raise PyshellError(
            f"cfgstring invalid: {_one_line([reason])}",
            f"'/backstores/user:{handler} help create' describes its format.",
        )


def change_medium(handler: str, name: str, size: int, config: str) -> None:
    """Ask a handler to put another medium into a storage object. Raises PyshellError."""
    status, reason = _answer(handler, "ChangeMedium", "sts", (name, size, config), int)
    if status != 0:
        raise PyshellError(f"ChangeMedium failed: {_one_line([reason])}")


def _answer(
    handler: str, method: str, signature: str, arguments: Sequence[Any], kind: type
) -> Sequence[Any]:
    """Return the two values that a handler's method answers with: one of `kind`, and a reason."""
    path = f"{PATH}/{handler}"
    answer = _call(path, SERVICE, method, _CALL_SECONDS, signature, arguments)
    if not _is(answer, kind, str):
        raise PyshellError(
            f"{method} of the handler {handler} returned a reply of an unexpected type.",
            "The service on D-Bus may not be tcmu-runner.",
        )
    return answer


def _may_have_bus() -> bool:
    """Return whether there is a bus: if not, as is usual, no library is loaded."""
    return bool(os.environ.get("DBUS_SYSTEM_BUS_ADDRESS")) or os.path.exists(_SOCKET)


def _handlers(answer: Sequence[object]) -> list[UserHandler]:
    """Return the handlers in an answer; values of an unexpected type are left out."""
    found = []
    for objects in answer:
        for path, interfaces in _entries(objects):
            name = path.rpartition("/")[2]
            for interface, properties in _entries(interfaces):
                if interface == SERVICE and isinstance(properties, Mapping) and name:
                    described: Any = properties.get("ConfigDesc")
                    text = described[1] if _is(described, str, str) else ""
                    found.append(UserHandler(name, text[:_LONGEST]))
    return found[:_MOST]


def _entries(found: object) -> list[tuple[str, Any]]:
    if not isinstance(found, Mapping):
        return []
    return [(key, value) for key, value in found.items() if isinstance(key, str)]


def _is(answer: object, *types: type) -> bool:
    """Return whether an answer has exactly values of these types; True is not a number."""
    return (
        isinstance(answer, tuple | list)
        and len(answer) == len(types)
        and all(type(value) is expected for value, expected in zip(answer, types, strict=True))
    )


def _call(
    path: str,
    interface: str,
    method: str,
    seconds: float,
    signature: str = "",
    arguments: Sequence[Any] = (),
) -> tuple[Any, ...]:
    """Call a method of the service and return its reply.

    Raises NotFoundError if there is no service, PyshellError if it refuses or does not answer in
    time.
    """
    try:
        from jeepney import DBusAddress, HeaderFields, MessageFlag, MessageType, new_method_call
        from jeepney.io.blocking import open_dbus_connection
    except ImportError as error:
        raise NotFoundError(
            "The D-Bus library jeepney is missing.",
            "Install python3-jeepney, or the extra 'tcmu' of pyshell-lio.",
        ) from error
    deadline = time.monotonic() + seconds
    address = DBusAddress(path, bus_name=SERVICE, interface=interface)
    request = new_method_call(address, method, signature or None, tuple(arguments))
    request.header.flags |= MessageFlag.no_auto_start
    try:
        with open_dbus_connection("SYSTEM", auth_timeout=seconds) as bus:
            left = max(deadline - time.monotonic(), 0.0)
            reply = bus.send_and_get_reply(request, timeout=left)
    # jeepney raises ValueError, KeyError, RuntimeError and others for a broken address or answer,
    # and a class of its own for a refused login; none of them may stop a listing.
    except Exception as error:
        raise NotFoundError(f"Cannot call {method} over D-Bus: {error}.", _START) from error
    if reply.header.message_type == MessageType.error:
        name = str(reply.header.fields.get(HeaderFields.error_name, "")).rpartition(".")[2]
        if name in _NO_SERVICE:
            raise NotFoundError("No handlers of user-space storage objects are running.", _START)
        raise PyshellError(f"{method} failed: {_one_line(reply.body)}")
    return tuple(reply.body)


def _one_line(reason: Sequence[Any]) -> str:
    text = " ".join(str(reason[0]).split()) if reason else ""
    return text[:_LONGEST] or "no reason was given"
