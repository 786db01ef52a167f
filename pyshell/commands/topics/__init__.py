# SPDX-License-Identifier: Apache-2.0
"""Topics of help: a page of Markdown each, read only when it is shown."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent
_TITLES = {
    "acls": "Which initiators may log in",
    "alua": "Preferred paths to a disk",
    "backstores": "Types of storage: disks, files, devices, memory",
    "boot": "Saving and restoring at boot",
    "candidates": "Preparing changes and committing them together",
    "chap": "Authentication of initiators and targets",
    "clusters": "Targets that a cluster moves between hosts",
    "demo": "Demo mode: access without ACLs",
    "discard": "Freeing unused space: TRIM, UNMAP",
    "identity": "What initiators identify a disk by: serial number, NAA ID",
    "luns": "Exported disks and their numbers",
    "multipath": "Several paths to one disk",
    "names": "WWNs: iqn, eui and naa",
    "output": "Filters, lists and formats of output",
    "portals": "Addresses and ports of a target",
    "questions": "When a command asks for confirmation",
    "readonly": "Read-only disks",
    "replacing": "Replacing a disk, or moving it to another device or host",
    "reservations": "Persistent reservations, as clusters use them",
    "secrets": "Passwords on the command line and in files",
    "targetcli": "Differences from targetcli",
    "tpgs": "Target portal groups",
}
_OTHER_NAMES = {
    "acl": "acls",
    "aptpl": "reservations",
    "backstore": "backstores",
    "atomic": "candidates",
    "candidate": "candidates",
    "coming": "targetcli",
    "demo_mode": "demo",
    "demomode": "demo",
    "failover": "clusters",
    "fencing": "reservations",
    "filter": "output",
    "filters": "output",
    "format": "output",
    "formats": "output",
    "lun": "luns",
    "migrating": "targetcli",
    "migration": "targetcli",
    "mpio": "multipath",
    "multipathing": "multipath",
    "naa": "identity",
    "product": "identity",
    "name": "names",
    "portal": "portals",
    "question": "questions",
    "read-only": "readonly",
    "read_only": "readonly",
    "reservation": "reservations",
    "replace": "replacing",
    "move": "replacing",
    "moving": "replacing",
    "replacement": "replacing",
    "ro": "readonly",
    "secret": "secrets",
    "serial": "identity",
    "pacemaker": "clusters",
    "pipe": "output",
    "pipes": "output",
    "password": "secrets",
    "passwords": "secrets",
    "thin": "discard",
    "tpg": "tpgs",
    "transaction": "candidates",
    "transactions": "candidates",
    "trim": "discard",
    "unmap": "discard",
    "vendor": "identity",
    "wwn": "names",
}


def names() -> list[str]:
    """Return the names of the topics, sorted."""
    return sorted(_TITLES)


def known(name: str) -> str | None:
    """Return the topic that a word means, in any case and number, None if there is none."""
    word = name.lower()
    word = _OTHER_NAMES.get(word, word)
    return word if word in _TITLES else None


def title(name: str) -> str:
    """Return a topic's title."""
    return _TITLES[name]


def text(name: str) -> str:
    """Return a topic's page."""
    return (_FOLDER / f"{name}.md").read_text(encoding="utf-8")
