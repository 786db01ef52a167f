# SPDX-License-Identifier: Apache-2.0
"""Refused iSCSI logins in the kernel's log, by the texts of drivers/target/iscsi in Linux 6.1.

The kernel ends the lines of each refused login with the same sentence. It names the initiator only
if that has no ACL, and the target only if its TPG is disabled. Of a CHAP failure it says neither
who nor where, and a wrong secret shows only in that no other reason is given (all seen with
open-iscsi). Names may be invalid: an initiator chooses its own, and may even forge a line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pyshell.host import Machine

UNAUTHORIZED, DISABLED, NEGOTIATION = "unauthorized", "disabled", "negotiation"
CHAP_MISSING, CHAP_UNSET, CHAP_NAME, CHAP_SECRET = (
    "chap_missing",
    "chap_unset",
    "chap_name",
    "chap_secret",
)
CHAP = (CHAP_MISSING, CHAP_UNSET, CHAP_NAME, CHAP_SECRET)
END = "iSCSI Login negotiation failed."
_TEXTS = {
    UNAUTHORIZED: re.compile(
        r"iSCSI Initiator Node: (\S+) is not authorized to access iSCSI target portal group"
    ),
    DISABLED: re.compile(r"Unable to locate Target Portal Group on (\S+)"),
    CHAP_MISSING: re.compile(
        r"(?:Initiator sent AuthMethod=None but|, and the) Target is enforcing"
    ),
    CHAP_UNSET: re.compile(r"CHAP user or password not set for Initiator ACL"),
    CHAP_NAME: re.compile(r"CHAP_N values do not match!"),
    CHAP_SECRET: re.compile(r"Security negotiation failed\."),
}
"""By reason, the more precise first."""
_MOST = 10_000
"""Lines of systemd's journal that are read: the kernel's own log is of a limited size."""


@dataclass(frozen=True)
class RefusedLogin:
    """A refused login: its reason and, as far as the kernel says, the initiator and target."""

    reason: str
    initiator: str = ""
    target: str = ""


def refused_logins(machine: Machine) -> list[RefusedLogin]:
    """Return the refused logins in the kernel's log, the last one first."""
    return [_read(lines) for lines in _log(machine).split(END)[:-1]][::-1]


def _log(machine: Machine) -> str:
    """Return the kernel's log; users who may not read it may be allowed to read the journal."""
    log = machine.ask("dmesg")
    if log is None:
        log = machine.ask("journalctl", "--dmesg", f"--lines={_MOST}", "--output=cat")
    return log or ""


def _read(lines: str) -> RefusedLogin:
    for reason, text in _TEXTS.items():
        if match := text.search(lines):
            name = match[1] if text.groups else ""
            named = {UNAUTHORIZED: "initiator", DISABLED: "target"}.get(reason)
            return RefusedLogin(reason, **({named: name} if named else {}))
    return RefusedLogin(NEGOTIATION)


def refused_initiators(machine: Machine) -> list[str]:
    """Return the initiators without an ACL that were refused, the last one first.

    The kernel shows their names nowhere else.
    """
    found = _TEXTS[UNAUTHORIZED].findall(_log(machine))
    return list(dict.fromkeys(reversed(found)))
