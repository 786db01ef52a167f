# SPDX-License-Identifier: Apache-2.0
"""The ports of the host's adapters that can be targets, as sysfs shows them, and their WWNs.

rtslib lists the same, by the fabric's object. This reads only, without importing rtslib.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pyshell.host import names_in

if TYPE_CHECKING:
    from pyshell.lio import Lio

Find = Callable[[str], Path]
"""Returns where a path of the host is stored: that of a simulated host, in its folder."""


def wwns(lio: Lio, fabric: str) -> list[str] | None:
    """Return the sorted WWNs of a fabric's ports, None if the fabric needs no adapter.

    A search ends at a port whose name cannot be read.
    """
    if fabric not in _SEARCHES:
        return None
    found: list[str] = []
    with suppress(OSError, ValueError):
        for wwn in _SEARCHES[fabric](Path if lio.simulator is None else lio.simulator.machine.file):
            found.append(wwn)
    return sorted(found)


def _fibre_channel(link: str, name: str) -> Callable[[Find], Iterator[str]]:
    """Return a search for the Fibre Channel ports whose device has such a link."""

    def search(find: Find) -> Iterator[str]:
        hosts = find("/sys/class/fc_host")
        for host in names_in(hosts):
            if not host.startswith("host"):
                continue
            with suppress(OSError):  # a port without a name is skipped
                device = Path(os.path.realpath(hosts / host)).parents[2]
                if os.path.basename(os.path.realpath(device / link)) == name:
                    yield f"naa.{_text(hosts / host / 'port_name')[2:]}"

    return search


def _firewire(find: Find) -> Iterator[str]:
    """Yield the name of the host's first FireWire node."""
    devices = find("/sys/bus/firewire/devices")
    for name in names_in(devices):
        node = devices / name
        if name.startswith("fw") and (node / "is_local").exists() and int(_text(node / "is_local")):
            yield f"eui.{_text(node / 'guid')[2:]}"
            return


def _infiniband(find: Find) -> Iterator[str]:
    """Yield the first GID of each InfiniBand port."""
    adapters = find("/sys/class/infiniband")
    for adapter in names_in(adapters):
        ports = adapters / adapter / "ports"
        for port in names_in(ports):
            gid = ports / port / "gids" / "0"
            if gid.exists():
                yield f"ib.{_text(gid).replace(':', '')}"


def _virtual_scsi(find: Find) -> Iterator[str]:
    """Yield the unit addresses of IBM's virtual adapters."""
    adapters = find("/sys/module/ibmvscsis/drivers/vio:ibmvscsis")
    for adapter in names_in(adapters):
        file = adapters / adapter / "devspec"
        if file.exists():
            name = _text(file)
            yield name[name.find("@") + 1 :]


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="surrogateescape").strip()


_SEARCHES: dict[str, Callable[[Find], Iterator[str]]] = {
    "efct": _fibre_channel("driver", "efct"),
    "ibmvscsis": _virtual_scsi,
    "qla2xxx": _fibre_channel("driver", "qla2xxx"),
    "sbp": _firewire,
    "srpt": _infiniband,
    "tcm_fc": _fibre_channel("subsystem", "fcoe"),
}
