# SPDX-License-Identifier: Apache-2.0
"""Handlers of user-space storage objects, found over a private D-Bus as over the system's."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from driver import TIME_LIMIT, clean_environment
from handlerservice import DESCRIPTION, SERVICE, HandlerService, bus
from pyshell.errors import NotFoundError, PyshellError
from pyshell.host import UserHandler, handlers

needs_bus = pytest.mark.skipif(
    shutil.which("dbus-daemon") is None,
    reason="dbus-daemon is missing: handlers over D-Bus are not tested (apt install dbus)",
)


@pytest.fixture
def folder(_folder: Path) -> Path:
    """Return a folder with a short path, as a socket needs it."""
    return _folder


@pytest.fixture
def address(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the address of a private bus that stands in for the system's."""
    with bus(folder) as found:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", found)
        yield found


@pytest.fixture
def service(address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[HandlerService]:
    """Return a service with handlers on that bus, which may be slow on a busy machine."""
    monkeypatch.setattr(handlers, "_LOOK_SECONDS", float(TIME_LIMIT))
    found = HandlerService(address)
    yield found
    found.close()


@needs_bus
def test_running_handlers_are_listed_with_their_descriptions(service: HandlerService) -> None:
    assert handlers.running() == [UserHandler("file", DESCRIPTION), UserHandler("plain", "")]


@needs_bus
def test_a_handler_checks_a_configuration(service: HandlerService) -> None:
    handlers.check_config("file", "file//srv/good")
    with pytest.raises(PyshellError, match="cfgstring invalid: no such image"):
        handlers.check_config("file", "file//srv/bad")
    assert ("CheckConfig", ("file//srv/good",)) in service.asked


@needs_bus
def test_a_medium_is_changed_if_the_handler_can(service: HandlerService) -> None:
    handlers.change_medium("file", "disk", 1 << 40, "file//srv/other")
    assert service.asked == [("ChangeMedium", ("disk", 1 << 40, "file//srv/other"))]
    with pytest.raises(PyshellError, match="ChangeMedium failed: tray is full"):
        handlers.change_medium("file", "disk", 512, "file//srv/full")
    with pytest.raises(PyshellError, match="No such method ChangeMedium"):
        handlers.change_medium("plain", "disk", 512, "plain/x")


@needs_bus
def test_a_bus_without_the_service_has_no_handlers(address: str) -> None:
    assert handlers.running() == []
    with pytest.raises(NotFoundError, match="No handlers of user-space storage objects"):
        handlers.check_config("file", "file/x")


@needs_bus
def test_listing_handlers_does_not_start_the_service(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = folder / "started"
    (folder / f"{SERVICE}.service").write_text(
        f"[D-BUS Service]\nName={SERVICE}\nExec=/usr/bin/touch {started}\n"
    )
    with bus(folder) as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        assert handlers.running() == []
        with pytest.raises(NotFoundError):
            handlers.check_config("file", "file/x")
    assert not started.exists()


@pytest.mark.parametrize("words", ["", "unix:path=/nowhere/bus", "tcp:host=localhost", "nonsense"])
def test_field_failure_71_without_a_bus_there_are_no_handlers_and_no_error(
    monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.setattr(handlers, "_SOCKET", "/nowhere/bus")
    if words:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", words)
    assert handlers.running() == []


def test_a_bus_that_hangs_costs_half_a_second(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(folder / "bus"))
        silent.listen()
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={folder / 'bus'}")
        started = time.monotonic()
        assert handlers.running() == []
        assert time.monotonic() - started < 5  # on a machine that is busy with other tests


def test_field_failure_70_without_the_library_there_are_no_handlers() -> None:
    program = (
        "import sys; sys.modules['jeepney'] = None\n"
        "from pyshell.host import handlers\n"
        "handlers._SOCKET = '/'\n"
        "assert handlers.running() == []\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=clean_environment(), capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


# Finding 52: what another service may answer under the same name.
WRONG = [
    (), (1,), ("yes",), (True,), ("true", "ok"), (1, "ok"), (None, None), (True, 1), ([], {}),
    (True, "ok", "more"), ((True,), "ok"), ({"a": 1},),
]  # fmt: skip


@pytest.mark.parametrize("reply", WRONG, ids=str)
def test_a_reply_of_an_unexpected_type_is_an_error(
    monkeypatch: pytest.MonkeyPatch, reply: tuple[object, ...]
) -> None:
    monkeypatch.setattr(handlers, "_call", lambda *_: reply)
    with pytest.raises(PyshellError, match="CheckConfig of the handler file returned a reply"):
        handlers.check_config("file", "file//srv/good")


@pytest.mark.parametrize(
    "reply", [(), (0,), (False, "ok"), ("0", "ok"), (0, 1), (0.0, "ok")], ids=str
)
def test_a_medium_is_changed_only_if_the_reply_says_so(
    monkeypatch: pytest.MonkeyPatch, reply: tuple[object, ...]
) -> None:
    monkeypatch.setattr(handlers, "_call", lambda *_: reply)
    with pytest.raises(PyshellError, match="ChangeMedium of the handler file returned a reply"):
        handlers.change_medium("file", "disk", 512, "file/x")


@pytest.mark.parametrize(
    "reply",
    [
        (), (1,), ("text",), ([1, 2],), ({"/x": 1},), ({"/x": {SERVICE: None}},), ({1: {}},),
        ({"/x": {SERVICE: "text"}},), ({"/x": {1: {}}},), (None, None), ({"/x": [SERVICE]},),
    ],
    ids=str,
)  # fmt: skip
def test_a_listing_of_an_unexpected_type_has_no_handlers(
    monkeypatch: pytest.MonkeyPatch, reply: tuple[object, ...]
) -> None:
    monkeypatch.setattr(handlers, "_may_have_bus", lambda: True)
    monkeypatch.setattr(handlers, "_call", lambda *_: reply)
    assert handlers.running() == []


@pytest.mark.parametrize("described", [None, 1, "text", (), ("s",), ("u", 7), (1, "text")], ids=str)
def test_a_description_of_an_unexpected_type_is_omitted(
    monkeypatch: pytest.MonkeyPatch, described: object
) -> None:
    monkeypatch.setattr(handlers, "_may_have_bus", lambda: True)
    reply = ({"/org/kernel/x": {SERVICE: {"ConfigDesc": described}}},)
    monkeypatch.setattr(handlers, "_call", lambda *_: reply)
    assert handlers.running() == [UserHandler("x", "")]
