# SPDX-License-Identifier: Apache-2.0
"""`core`: the backstore folders, which the kernel calls HBAs, and the storage objects in them."""

from __future__ import annotations

import errno
import os

from pyshell.simulator import alua_groups, plugins
from pyshell.simulator.recorded import template
from pyshell.simulator.rules import Rules, SimulatedKernel, TreePath, Write, boolean, number, refuse

_HBA_NAME_MAX = 63
_PATH_MAX = 511
_SERIAL_MAX = 253
# The longest text of each field of SCSI's INQUIRY data.
_INQUIRY = {"vendor_id": 8, "product_id": 16, "revision": 4}
# The files of the statistics that repeat them.
_INQUIRY_STATISTICS = {"vendor_id": "vend", "product_id": "prod", "revision": "rev"}
_DEVICE_INDEXES = (
    "statistics/scsi_dev/indx",
    "statistics/scsi_lu/dev",
    "statistics/scsi_tgt_dev/indx",
)
_SERIAL_PREFIX = "T10 VPD Unit Serial Number: "


def _make_hba(kernel: SimulatedKernel, _parent: TreePath, name: str) -> None:
    """Create core/PLUGIN_N; EINVAL for an unknown plugin."""
    if len(name) > _HBA_NAME_MAX:
        refuse(errno.ENAMETOOLONG)
    plugin, _, text = name.rpartition("_")
    number(text, "u64")
    # Counted before the plugin is checked; the first is the kernel's own, for LUN 0.
    instance = kernel.tree.count("instance") + 1
    if plugin not in plugins.PLUGINS:
        refuse(errno.EINVAL)
    facts = {"hba_index": kernel.tree.count("hba_index"), "instance": instance}
    kernel.tree.grow(f"core/{name}", template("hba", plugin), facts)
    kernel.tree.remember(f"core/{name}", facts)


def _make_device(kernel: SimulatedKernel, parent: TreePath, name: str) -> None:
    rel = f"{parent.owner}/{name}"
    facts = kernel.tree.facts(parent.owner)
    kernel.tree.grow(rel, template("device", parent.variant), {"name": name, **facts})
    kernel.tree.remember(rel, {"plugin": parent.variant, **facts})
    refresh(kernel, rel)


def _drop_device(kernel: SimulatedKernel, where: TreePath) -> None:
    """Release the device under a storage object."""
    plugins.release(kernel, where.owner)
    alua_groups.UNIT_GROUPS.leave(kernel, where.owner)


def refresh(kernel: SimulatedKernel, rel: str) -> None:
    """Update what a storage object shows of its use."""
    facts = kernel.tree.facts(rel)
    made = template("device", facts["plugin"])
    inners = made.states["exported"]
    if facts.get("links"):
        texts = made.state("exported", facts)
        texts["statistics/scsi_dev/ports"] = f"{len(facts['links'])}\n"
    else:
        texts = {inner: made.files[inner].text for inner in inners}
    shown = {inner: text for inner, text in texts.items() if inner.startswith("statistics/")}
    kernel.tree.put_all(rel, {**shown, "info": plugins.info(kernel, rel, facts)})


def is_enabled(kernel: SimulatedKernel, rel: str) -> bool:
    """Return whether a storage object has been enabled; it cannot be disabled again."""
    return bool(kernel.tree.facts(rel).get("enabled"))


def is_exported(kernel: SimulatedKernel, rel: str) -> bool:
    """Return whether a LUN uses the storage object."""
    return bool(kernel.tree.facts(rel).get("links"))


def has_alua(where: TreePath) -> bool:
    """Return whether the kernel itself, not the device, has the storage object's ALUA state."""
    return where.variant != "pscsi"


def next_port(kernel: SimulatedKernel, rel: str) -> int:
    """Return the next port number of a storage object; none is reused."""
    port: int = kernel.tree.facts(rel).get("ports", 0) + 1
    kernel.tree.update(rel, ports=port)
    return port


def serial_of(kernel: SimulatedKernel, rel: str) -> str:
    """Return a storage object's unit serial; "" if it has none."""
    return kernel.tree.text(f"{rel}/wwn/vpd_unit_serial").removeprefix(_SERIAL_PREFIX).strip()


def vendor_of(kernel: SimulatedKernel, rel: str) -> str:
    """Return the vendor that a storage object shows."""
    return kernel.tree.text(f"{rel}/wwn/vendor_id").strip()


def _write_control(kernel: SimulatedKernel, where: TreePath, text: str) -> None:
    """Set control values of the plugin, written as "name=value,…"."""
    facts = kernel.tree.facts(where.owner)
    plugins.control(facts, text)
    kernel.tree.remember(where.owner, facts)
    if where.variant == "user":
        kernel.tree.put_all(where.owner, plugins.user_settings(facts["control"]))
        if not facts.get("enabled"):
            kernel.tree.put_all(where.owner, plugins.user_limits(facts["control"]))
    refresh(kernel, where.owner)


def _write_enable(kernel: SimulatedKernel, where: TreePath, text: str) -> None:
    """Open the device under the storage object; any text with a 1 in it does."""
    facts = kernel.tree.facts(where.owner)
    if "1" not in text:
        refuse(errno.EINVAL)
    if facts.get("enabled"):
        refuse(errno.EEXIST)
    index = kernel.tree.count("device_index")  # an attempt that fails uses a number up, too
    kernel.tree.put_all(where.owner, dict.fromkeys(_DEVICE_INDEXES, f"{index}\n"))
    found = plugins.opened(kernel, where.owner, facts)
    facts.update(enabled=True, device_index=index, device=found.facts)
    kernel.tree.remember(where.owner, facts)
    if found.device and found.exclusive:
        plugins.claim(kernel, found.device.kernel_name, where.owner)
    texts = where.template.state("enabled", facts)
    kernel.tree.put_all(where.owner, {**texts, **found.texts})
    if facts.get("control", {}).get("fd_buffered_io"):
        kernel.tree.put(f"{where.owner}/attrib/emulate_write_cache", "1\n")
    if has_alua(where):
        alua_groups.UNIT_GROUPS.join(kernel, where.owner, alua_groups.DEFAULT_LU_GROUP)
    refresh(kernel, where.owner)


def _write_dbroot(kernel: SimulatedKernel, _where: TreePath, text: str) -> None:
    """Set the folder of persistent reservations; EINVAL while there is a storage object.

    A name written without a line feed does not remove the end of a longer one.
    """
    hbas = (name for name in kernel.tree.groups("core") if name != "alua")
    if any(kernel.tree.groups(f"core/{hba}") for hba in hbas):
        refuse(errno.EINVAL)
    folder = text.removesuffix("\n")
    file = kernel.machine.file(folder)
    if not file.is_dir():
        refuse(errno.ENOTDIR if file.exists() else errno.ENOENT)
    old = kernel.tree.text("dbroot").strip()
    kept = "" if text.endswith("\n") else old[len(folder) :]
    kernel.tree.put("dbroot", f"{folder}{kept}\n")


def _write_path(kernel: SimulatedKernel, where: TreePath, text: str) -> None:
    """Keep a text that the kernel does not interpret: the device's path, or an alias."""
    if len(text.encode()) > _PATH_MAX:
        refuse(errno.EINVAL)
    kernel.tree.put(where.path, text.removesuffix("\n") + "\n")


def _write_serial(kernel: SimulatedKernel, where: TreePath, text: str) -> None:
    """Set the unit serial, by which initiators identify the disk; not while it is exported."""
    device = kernel.tree.facts(where.owner).get("device", {})
    if where.variant == "pscsi" and device.get("serial"):
        refuse(errno.ENOTSUP)  # the disk itself has one
    if len(text.encode()) > _SERIAL_MAX:
        refuse(errno.EOVERFLOW)
    if is_exported(kernel, where.owner):
        refuse(errno.EINVAL)
    serial = text.strip()
    texts = {
        "wwn/vpd_unit_serial": f"{_SERIAL_PREFIX}{serial}\n",
        "statistics/scsi_lu/lu_name": f"{serial or 'None'}\n",
    }
    kernel.tree.put_all(where.owner, texts)


def _write_inquiry(kernel: SimulatedKernel, where: TreePath, text: str) -> None:
    """Set vendor, product or revision, as initiators read them; not while exported."""
    word = where.inner.rpartition("/")[2]
    longest = _INQUIRY[word]
    kept = text.strip() if len(text.encode()) < longest + 2 else text
    if len(kept.encode()) > longest:
        refuse(errno.EOVERFLOW)
    if not (kept.isascii() and kept.isprintable()) or is_exported(kernel, where.owner):
        refuse(errno.EINVAL)
    kernel.tree.put_all(where.owner, _inquiry(word, kept))


def _write_lba_map(_kernel: SimulatedKernel, _where: TreePath, text: str) -> None:
    """Accept an empty map of referrals; others are not simulated."""
    if text.strip("\n"):
        refuse(errno.EINVAL)


def _write_model_alias(kernel: SimulatedKernel, where: TreePath, text: str) -> None:
    """Set whether the product is the storage object's name or the plugin's; not while exported."""
    if is_exported(kernel, where.owner):
        refuse(errno.EINVAL)
    is_alias = boolean(text)
    product = where.template.files["wwn/product_id"].text.strip()
    # One character less than fits: dev_set_t10_wwn_model_alias() of target_core_configfs.c.
    most = _INQUIRY["product_id"] - 1
    shown = os.fsdecode(os.fsencode(where.name)[:most]) if is_alias else product
    texts = {where.inner: f"{int(is_alias)}\n", **_inquiry("product_id", shown)}
    kernel.tree.put_all(where.owner, texts)


def _inquiry(word: str, text: str) -> dict[str, str]:
    statistic = f"statistics/scsi_lu/{_INQUIRY_STATISTICS[word]}"
    return {f"wwn/{word}": f"{text}\n", statistic: f"{text:<{_INQUIRY[word]}}\n"}


def _write_limit(kernel: SimulatedKernel, where: TreePath, text: str) -> None:
    """Set a limit of the storage object's queue, up to that of its device; not while exported."""
    value = number(text)
    name = where.inner.rpartition("/")[2]
    lowest, device_limit = {
        "queue_depth": (1, "hw_queue_depth"),
        "optimal_sectors": (0, "hw_max_sectors"),
    }[name]
    highest = int(kernel.tree.text(f"{where.owner}/attrib/{device_limit}"))
    if is_exported(kernel, where.owner) or not lowest <= value <= highest:
        refuse(errno.EINVAL)
    kernel.tree.put(where.path, f"{value}\n")
    if name == "queue_depth":
        kernel.tree.update(where.owner, queue_depth=value)
        refresh(kernel, where.owner)


def _write_discard(kernel: SimulatedKernel, where: TreePath, text: str) -> None:
    """Offer or hide discard (UNMAP); ENOSYS if the device cannot discard.

    As the kernel does, limits that were set to 0 are read from the device again.
    """
    flag = boolean(text)
    if where.inner == "attrib/unmap_zeroes_data" and is_exported(kernel, where.owner):
        refuse(errno.EINVAL)
    count = kernel.tree.text(f"{where.owner}/attrib/max_unmap_block_desc_count")
    if flag and is_enabled(kernel, where.owner) and count == "0\n":
        limits = plugins.discard_limits(kernel, kernel.tree.facts(where.owner))
        if not limits:
            refuse(errno.ENOSYS)
        kernel.tree.put_all(where.owner, limits)
    kernel.tree.put(where.path, f"{int(flag)}\n")


_DISCARD = ("attrib/emulate_tpu", "attrib/emulate_tpws", "attrib/unmap_zeroes_data")
_WRITES: dict[str, Write] = {
    "control": _write_control,
    "enable": _write_enable,
    "udev_path": _write_path,
    "alias": _write_path,
    "wwn/vpd_unit_serial": _write_serial,
    **{f"wwn/{word}": _write_inquiry for word in _INQUIRY},
    "lba_map": _write_lba_map,
    "attrib/emulate_model_alias": _write_model_alias,
    "attrib/queue_depth": _write_limit,
    "attrib/optimal_sectors": _write_limit,
}


_CONFIG_MAX = 255


def _write_user_control(kernel: SimulatedKernel, where: TreePath, text: str) -> None:
    """Set the configuration, size or cache that the handler is asked about."""
    name = where.inner.rpartition("/")[2]
    value: str | int = text
    if name == "dev_config" and len(text.encode()) > _CONFIG_MAX:
        refuse(errno.EINVAL)
    if name == "dev_size":
        value = number(text, "u64")
    if name == "emulate_write_cache":
        value = int(bool(number(text, "u8")))
    if is_enabled(kernel, where.owner):
        refuse(errno.ESRCH)  # as the kernel without a handler does
    if name != "emulate_write_cache":
        control = kernel.tree.facts(where.owner).get("control", {})
        kernel.tree.update(where.owner, control={**control, name: value})
        refresh(kernel, where.owner)
    kernel.tree.put(where.path, f"{value}\n")


RULES = Rules(
    makes={"hba": _make_hba, "device": _make_device},
    drops={"device": _drop_device},
    writes={
        ("root", "dbroot"): _write_dbroot,
        **{("device", inner): rule for inner, rule in _WRITES.items()},
        **{
            (f"device/{plugin}", inner): _write_discard
            for plugin in ("iblock", "fileio", "rd_mcp")
            for inner in _DISCARD
        },
        ("device/user", "attrib/dev_config"): _write_user_control,
        ("device/user", "attrib/dev_size"): _write_user_control,
        ("device/user", "attrib/emulate_write_cache"): _write_user_control,
    },
)
