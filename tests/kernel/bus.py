# SPDX-License-Identifier: Apache-2.0
"""A system D-Bus in the guest, without which targetcli does nothing; it starts no services."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import commands

_FOLDER = Path("/run/dbus")
_CONFIGURATION = """<busconfig>
  <type>system</type>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/><allow own="*"/>
    <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
  </policy>
</busconfig>
"""


@contextmanager
def running() -> Iterator[None]:
    """Have the bus."""
    _FOLDER.mkdir(exist_ok=True)
    file = _FOLDER / "tests.conf"
    file.write_text(_CONFIGURATION)
    bus = subprocess.Popen(["dbus-daemon", f"--config-file={file}", "--nofork", "--nopidfile"])
    try:
        commands.wait_for("D-Bus", (_FOLDER / "system_bus_socket").exists)
        yield
    finally:
        bus.kill()
        bus.wait()
        (_FOLDER / "system_bus_socket").unlink(missing_ok=True)
