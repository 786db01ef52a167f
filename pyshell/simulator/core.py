# SPDX-License-Identifier: Apache-2.0
"""`core`: the backstore folders (the kernel's HBAs) and the storage objects in them."""

from __future__ import annotations

import errno

from pyshell.simulator import alua, backstores
from pyshell.simulator.kernel import Kernel, Rules
from pyshell.simulator.places import Place
from pyshell.simulator.recorded import template
from pyshell.simulator.refusal import refuse
from pyshell.simulator.values import integer

_UDEV_PATH_MAX = 511
_SERIAL_MAX = 253
_HBA_NAME_MAX = 63
_DEVICE_INDEXES = "devices"


def make_hba(kernel: Kernel, _parent: Place, name: str) -> None:
    """Make core/PLUGIN_N; the kernel knows only its own plugins."""
    if len(name) > _HBA_NAME_MAX:
        refuse(errno.ENAMETOOLONG)
    plugin, _, number = name.rpartition("_")
    if plugin not in backstores.PLUGINS:
        refuse(errno.EINVAL)
    host = integer(number, highest=2**64 - 1)
    index = kernel.tree.count("hba_index")
    kernel.tree.grow(f"core/{name}", template("hba", plugin), {"hba_index": index})
    kernel.tree.remember(f"core/{name}", {"index": index, "host": host})


def make_device(kernel: Kernel, parent: Place, name: str) -> None:
    """Make a storage object, which is of use once enabled."""
    hba = kernel.tree.facts(parent.owner)
    rel = f"{parent.owner}/{name}"
    kernel.tree.grow(rel, template("device", parent.variant), {"hba_index": hba["index"]})
    kernel.tree.remember(rel, {"plugin": parent.variant, **hba})


def drop_device(kernel: Kernel, place: Place) -> None:
    """Give the device under a storage object back."""
    backstores.release(kernel, place.owner)
    indexes = kernel.tree.facts(_DEVICE_INDEXES)
    kept = {index: rel for index, rel in indexes.items() if rel != place.owner}
    kernel.tree.remember(_DEVICE_INDEXES, kept)


def refresh(kernel: Kernel, rel: str) -> None:
    """Bring what a storage object shows of its use up to date."""
    facts = kernel.tree.facts(rel)
    used = bool(facts.get("links"))
    texts = {
        "info": backstores.info(kernel, rel, facts),
        "statistics/scsi_dev/ports": f"{len(facts.get('links', []))}\n",
        "statistics/scsi_lu/status": "available\n" if used else "notavailable\n",
        "statistics/scsi_tgt_dev/non_access_lus": "0\n" if used else "1\n",
        "statistics/scsi_tgt_dev/status": "activated" if used else "deactivated",
    }
    kernel.tree.put_all(rel, texts)


def is_enabled(kernel: Kernel, rel: str) -> bool:
    """Tell whether a storage object has been enabled; it cannot be disabled again."""
    return bool(kernel.tree.facts(rel).get("enabled"))


def is_exported(kernel: Kernel, rel: str) -> bool:
    """Tell whether a LUN uses the storage object."""
    return bool(kernel.tree.facts(rel).get("links"))


def write_control(kernel: Kernel, place: Place, text: str) -> None:
    """Take "name=value,…" for the plugin."""
    facts = kernel.tree.facts(place.owner)
    values = backstores.controlled(place.variant, text)
    if facts.get("enabled") and "udev_path" in values:
        refuse(errno.EEXIST)
    facts["control"] = {**facts.get("control", {}), **values}
    kernel.tree.remember(place.owner, facts)
    refresh(kernel, place.owner)


def write_enable(kernel: Kernel, place: Place, text: str) -> None:
    """Open the device under the storage object; any text with a 1 in it means that."""
    if "1" not in text:
        refuse(errno.EINVAL)
    facts = kernel.tree.facts(place.owner)
    if facts.get("enabled"):
        refuse(errno.EEXIST)
    found = backstores.opened(kernel, place.variant, facts.get("control", {}))
    index = _device_index(kernel, place.owner)
    facts.update(enabled=True, index=index, device=found.facts)
    kernel.tree.remember(place.owner, facts)
    if found.device and found.exclusive:
        backstores.claim(kernel, found.device.kernel_name, place.owner)
    texts = place.template.state("enabled", {"device_index": index})
    kernel.tree.put_all(place.owner, {**texts, **found.texts})
    refresh(kernel, place.owner)


def _device_index(kernel: Kernel, rel: str) -> int:
    indexes = kernel.tree.facts(_DEVICE_INDEXES)
    index = next(n for n in range(1, len(indexes) + 2) if str(n) not in indexes)
    kernel.tree.remember(_DEVICE_INDEXES, {**indexes, str(index): rel})
    return index


def write_udev_path(kernel: Kernel, place: Place, text: str) -> None:
    """Keep a path for whoever reads it; the kernel itself does not use it."""
    if len(text) > _UDEV_PATH_MAX:
        refuse(errno.EINVAL)
    kernel.tree.put(f"{place.owner}/{place.inner}", f"{text.removesuffix(chr(10))}\n")


def write_serial(kernel: Kernel, place: Place, text: str) -> None:
    """Set the unit serial, which initiators know the disk by; not while it is exported."""
    if len(text) > _SERIAL_MAX:
        refuse(errno.EOVERFLOW)
    if is_exported(kernel, place.owner):
        refuse(errno.EINVAL)
    serial = text.strip()
    if place.variant == "pscsi":
        return
    texts = {
        "wwn/vpd_unit_serial": f"T10 VPD Unit Serial Number: {serial}\n",
        "statistics/scsi_lu/lu_name": f"{serial or 'None'}\n",
    }
    kernel.tree.put_all(place.owner, texts)


RULES = Rules(
    makes={"hba": make_hba, "device": make_device, **alua.RULES.makes},
    drops={"device": drop_device, **alua.RULES.drops},
    writes={
        ("device", "control"): write_control,
        ("device", "enable"): write_enable,
        ("device", "udev_path"): write_udev_path,
        ("device", "alias"): write_udev_path,
        ("device", "wwn/vpd_unit_serial"): write_serial,
        **alua.RULES.writes,
    },
)
