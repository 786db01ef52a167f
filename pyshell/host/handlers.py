# SPDX-License-Identifier: Apache-2.0
"""Handlers of user-space storage objects, which tcmu-runner and its like offer on the system's bus.

They are optional: without a bus, a service or the library that speaks D-Bus there are none, and
nothing else changes (field failures 70 and 71). Looking for them does not start the service, and
to draw the tree it does not wait long: a bus that hangs costs half a second.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from pyshell.errors import NotFoundError, PyshellError
from pyshell.host.machine import UserHandler

SERVICE = "org.kernel.TCMUService1"
PATH = "/org/kernel/TCMUService1"
_SOCKET = "/var/run/dbus/system_bus_socket"  # where D-Bus' specification puts it
_START = "'systemctl start tcmu-runner' starts the usual ones."
_NO_SERVICE = ("ServiceUnknown", "NameHasNoOwner")
# More of a service's texts, or more handlers, help nobody.
_LONGEST = 4096
_MOST = 256
_LOOK_SECONDS = 0.5
# tcmu-runner answers nobody while it opens a device: who names a handler waits for that.
_PATIENT_SECONDS = 10.0
# A handler may have to ask a storage cluster before it answers.
_CALL_SECONDS = 30.0


def running(*, patiently: bool = False) -> list[UserHandler]:
    """Return the handlers that are there now, sorted by name; none where nobody answers in time."""
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
    answer = _call(f"{PATH}/{handler}", SERVICE, "CheckConfig", _CALL_SECONDS, "s", (config,))
    if not _is(answer, bool, str):
        raise _unexpected("CheckConfig", handler)
    good, reason = answer
    if not good:
        raise PyshellError(
            f"cfgstring invalid: {_one_line([reason])}",
            f"'/backstores/user:{handler} help create' tells its form.",
        )


def change_medium(handler: str, name: str, size: int, config: str) -> None:
    """Ask a handler to put another medium into a storage object. Raises PyshellError."""
    path, arguments = f"{PATH}/{handler}", (name, size, config)
    answer = _call(path, SERVICE, "ChangeMedium", _CALL_SECONDS, "sts", arguments)
    if not _is(answer, int, str):
        raise _unexpected("ChangeMedium", handler)
    status, reason = answer
    if status != 0:
        raise PyshellError(f"ChangeMedium failed: {_one_line([reason])}")


def _may_have_bus() -> bool:
    """Tell whether there is a socket to ask: the usual case, none, costs nothing more."""
    return bool(os.environ.get("DBUS_SYSTEM_BUS_ADDRESS")) or os.path.exists(_SOCKET)


def _handlers(answer: Sequence[object]) -> list[UserHandler]:
    """Return the handlers that an answer names; what is not of the expected type is left out."""
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
    """Tell whether an answer holds exactly values of these types; True is not a number."""
    return (
        isinstance(answer, tuple | list)
        and len(answer) == len(types)
        and all(type(value) is expected for value, expected in zip(answer, types, strict=True))
    )


def _unexpected(method: str, handler: str) -> PyshellError:
    return PyshellError(
        f"{method} of the handler {handler} returned a reply of an unexpected type.",
        "The service on D-Bus may be another than tcmu-runner.",
    )


def _call(
    path: str,
    interface: str,
    method: str,
    seconds: float,
    signature: str = "",
    arguments: Sequence[Any] = (),
) -> tuple[Any, ...]:
    """Call a method of the service within a time limit and return what it answers.

    Raises NotFoundError where there is no service, PyshellError where it refuses or is silent.
    """
    try:
        from jeepney import DBusAddress, HeaderFields, MessageFlag, MessageType, new_method_call
        from jeepney.io.blocking import open_dbus_connection
    except ImportError as error:
        raise NotFoundError("There is no D-Bus library.", "pip install jeepney") from error
    deadline = time.monotonic() + seconds
    address = DBusAddress(path, bus_name=SERVICE, interface=interface)
    request = new_method_call(address, method, signature or None, tuple(arguments))
    request.header.flags |= MessageFlag.no_auto_start
    try:
        with open_dbus_connection("SYSTEM", auth_timeout=seconds) as bus:
            left = max(deadline - time.monotonic(), 0.0)
            reply = bus.send_and_get_reply(request, timeout=left)
    # jeepney tells of a broken address or answer by ValueError, KeyError, RuntimeError and kin,
    # of a refused login by a class of its own; none of it may stop a listing.
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
