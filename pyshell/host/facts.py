# SPDX-License-Identifier: Apache-2.0
"""What the host's own files tell of its devices and addresses, for those who choose among them."""

from __future__ import annotations

import ipaddress
import os
import re

_FOLDERS = ("/dev/", "/dev/mapper/")
_LOCAL = re.compile(r"\|-- (\S+)\n\s+/32 host LOCAL")


def block_devices(folder: str) -> list[str]:
    """Return the paths in the folders of devices, sorted; those of `folder` if it is in /dev."""
    found = set()
    for one in {*_FOLDERS, folder}:
        if one.startswith("/dev/") and os.path.isdir(one):
            found |= {f"{one}{name}" for name in os.listdir(one)}
    return sorted(found)


def model(folder: str) -> str:
    """Return what a block device is, by its folder in sysfs."""
    backing = text(f"{folder}/loop/backing_file")
    if backing:
        return f"loop device on {backing}"
    kind = text(f"{folder}/dm/uuid").partition("-")[0]
    if kind:
        return {"LVM": "logical volume", "mpath": "multipath", "CRYPT": "encrypted"}.get(kind, kind)
    whole = os.path.dirname(folder) if os.path.exists(f"{folder}/partition") else folder
    words = [text(f"{whole}/device/vendor"), text(f"{whole}/device/model")]
    made = " ".join(word for word in words if word and not word.startswith("0x"))
    return f"partition of {made or os.path.basename(whole)}" if whole != folder else made


def addresses(proc: str = "/proc/net") -> list[tuple[str, str]]:
    """Return the host's addresses with their interfaces; those of IPv4 come without.

    Addresses that hold on one link only are left out: a portal has no place for the link's name.
    """
    found = dict.fromkeys(_LOCAL.findall(text(f"{proc}/fib_trie")), "")
    for line in text(f"{proc}/if_inet6").splitlines():
        fields = line.split()
        if len(fields) == 6:
            address = ipaddress.IPv6Address(bytes.fromhex(fields[0]))
            if not address.is_link_local:
                found[str(address)] = fields[5]
    return sorted(found.items(), key=lambda one: (ipaddress.ip_address(one[0]).is_loopback, one))


def text(path: str) -> str:
    """Return what a file of the host holds, without blanks around it; "" where it has none."""
    try:
        with open(path, encoding="utf-8", errors="replace", newline="\n") as file:
            return file.read().strip()
    except OSError:
        return ""
