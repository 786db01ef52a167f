# SPDX-License-Identifier: Apache-2.0
"""The folder where the kernel keeps what survives a reboot: its `dbroot`.

It writes registrations of persistent reservations to `pr/aptpl_SERIAL` there, and ALUA states to
files below `alua/`; it creates no folder. Without `pr`, it registers the initiator and yet fails
the command with LOGICAL UNIT COMMUNICATION FAILURE, also without APTPL: such a registration empties
the file (Linux 6.1 and 6.12, core_scsi3_update_and_write_aptpl).
"""

from __future__ import annotations

import os
from pathlib import Path

from pyshell.errors import PyshellError
from pyshell.files import writing
from pyshell.host import Machine
from pyshell.lio.configfs import Kernel, text_or_none

_FIXED = "/var/target"
"""That of kernels without the file `dbroot`."""
FOLDERS = {
    "pr": "initiators cannot register for persistent reservations, as clusters do",
    "alua": "the kernel cannot write ALUA states",
}
"""The folders in it, and what happens without them."""


def path(kernel: Kernel) -> str:
    """Return the folder's path on the (perhaps simulated) host."""
    return text_or_none(kernel, f"{kernel.root}/dbroot") or _FIXED


def folder(kernel: Kernel, machine: Machine, name: str) -> Path:
    """Return where one of `FOLDERS` can be opened."""
    return machine.host_file(f"{path(kernel)}/{name}")


def create_folders(kernel: Kernel, machine: Machine) -> list[str]:
    """Create missing folders, accessible to root only; return why that failed, as sentences."""
    failed = []
    for name, effect in FOLDERS.items():
        missing = folder(kernel, machine, name)
        if os.path.isdir(missing):
            continue
        try:
            writing.make_folder(missing)
        except PyshellError as error:
            reason = error.message.rstrip(".")
            failed.append(f"{reason}. Without {missing}, {effect}. {error.hint}".rstrip())
    return failed
