# SPDX-License-Identifier: Apache-2.0
"""The folder where the kernel keeps what survives a reboot: its `dbroot`.

It writes registrations of persistent reservations to `pr/aptpl_SERIAL` there, and ALUA states to
files below `alua/`; it creates no folder. Without `pr`, it registers the initiator and yet fails
the command with LOGICAL UNIT COMMUNICATION FAILURE, also without APTPL: such a registration empties
the file (Linux 6.1 and 6.12, core_scsi3_update_and_write_aptpl).
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
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


_NONE = "No Registrations or Reservations"
"""What the kernel writes if there is no registration."""
_RECORD = re.compile(r"PR_REG_START: .*?\nPR_REG_END: [0-9]+(?:\n|\Z)", re.DOTALL)
_NODE = re.compile(r"^initiator_node=(.*)$", re.MULTILINE)


def registrations_file(kernel: Kernel, machine: Machine, serial: str) -> Path:
    """Return the file with the registrations of the storage object of a serial number."""
    return folder(kernel, machine, "pr") / f"aptpl_{serial}"


def records(text: str) -> list[str]:
    """Return the registrations in such a file. Raises ValueError if it is damaged.

    An empty file has none: the kernel does not sync it, and a power failure may empty it.
    """
    found = _RECORD.findall(text)
    known = "".join(found).rstrip("\n") if found else _NONE
    if text.rstrip("\0\n") not in (known, ""):
        raise ValueError("a registration in it is not complete")
    return found


def without(text: str, names: Collection[str] | None) -> str:
    """Return the text of such a file without some initiators, None for all; `text` if unchanged.

    Raises ValueError.
    """
    found = records(text)
    kept = [one for one in found if names is not None and _initiator(one) not in names]
    if len(kept) == len(found):
        return text
    return f"{''.join(kept) or f'{_NONE}{chr(10)}'}\0"


def _initiator(record: str) -> str:
    found = _NODE.search(record)
    return found[1] if found else ""


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
