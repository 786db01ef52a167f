# SPDX-License-Identifier: Apache-2.0
"""`core`: the backstore folders, which the kernel calls HBAs, and the storage objects in them."""

from __future__ import annotations

import errno

from pyshell.simulator import alua_groups, plugins
from pyshell.simulator.recorded import template
from pyshell.simulator.rules import Rules, SimulatedKernel, TreePath, Write
from pyshell.simulator.value_rules import boolean, number, refuse

_HBA_NAME_MAX = 63
_PATH_MAX = 511
_SERIAL_MAX = 253
# The longest text of each part of a disk's name, as SCSI's INQUIRY data has it.
_INQUIRY = {"vendor_id": 8, "product_id": 16, "revision": 4}
# Where the statistics repeat these.
_INQUIRY_STATISTICS = {"vendor_id": "vend", "product_id": "prod", "revision": "rev"}
_DEVICE_INDEXES = (
    "statistics/scsi_dev/indx",
    "statistics/scsi_lu/dev",
    "statistics/scsi_tgt_dev/indx",
)
_SERIAL_PREFIX = "T10 VPD Unit Serial Number: "


def make_hba(kernel: SimulatedKernel, _parent: TreePath, name: str) -> None:
    """Make core/PLUGIN_N; the kernel knows only its own plugins."""
    if len(name) > _HBA_NAME_MAX:
        refuse(errno.ENAMETOOLONG)
    plugin, _, text = name.rpartition("_")
    number(text, "u64")
    # Counted before the plugin is looked for; the first is the kernel's own, for LUN 0.
    instance = kernel.tree.count("instance") + 1
    if plugin not in plugins.PLUGINS:
        refuse(errno.EINVAL)
    facts = {"hba_index": kernel.tree.count("hba_index"), "instance": instance}
    kernel.tree.grow(f"core/{name}", template("hba", plugin), facts)
    kernel.tree.remember(f"core/{name}", facts)


def make_device(kernel: SimulatedKernel, parent: TreePath, name: str) -> None:
    """Make a storage object, which is of use once enabled."""
    rel = f"{parent.owner}/{name}"
    facts = kernel.tree.facts(parent.owner)
    kernel.tree.grow(rel, template("device", parent.variant), {"name": name, **facts})
    kernel.tree.remember(rel, {"plugin": parent.variant, **facts})
    refresh(kernel, rel)


def drop_device(kernel: SimulatedKernel, place: TreePath) -> None:
    """Give the device under a storage object back."""
    plugins.release(kernel, place.owner)
    alua_groups.leave_lu_group(kernel, place.owner)


def refresh(kernel: SimulatedKernel, rel: str) -> None:
    """Bring what a storage object shows of its use up to date."""
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
    """Tell whether a storage object has been enabled; it cannot be disabled again."""
    return bool(kernel.tree.facts(rel).get("enabled"))


def is_exported(kernel: SimulatedKernel, rel: str) -> bool:
    """Tell whether a LUN uses the storage object."""
    return bool(kernel.tree.facts(rel).get("links"))


def has_alua(place: TreePath) -> bool:
    """Tell whether the kernel itself answers for the storage object's ALUA state."""
    return place.variant != "pscsi"


def next_port(kernel: SimulatedKernel, rel: str) -> int:
    """Return the number of a storage object's next port, counted over its whole life."""
    facts = kernel.tree.facts(rel)
    port: int = facts.get("ports", 0) + 1
    kernel.tree.remember(rel, {**facts, "ports": port})
    return port


def serial_of(kernel: SimulatedKernel, rel: str) -> str:
    """Return a storage object's unit serial; "" where it has none."""
    return kernel.tree.text(f"{rel}/wwn/vpd_unit_serial").removeprefix(_SERIAL_PREFIX).strip()


def vendor_of(kernel: SimulatedKernel, rel: str) -> str:
    """Return what a storage object gives as its vendor."""
    return kernel.tree.text(f"{rel}/wwn/vendor_id").strip()


def write_control(kernel: SimulatedKernel, place: TreePath, text: str) -> None:
    """Take "name=value,…" for the plugin."""
    facts = kernel.tree.facts(place.owner)
    plugins.control(facts, text)
    kernel.tree.remember(place.owner, facts)
    if place.variant == "user":
        kernel.tree.put_all(place.owner, plugins.user_settings(facts["control"]))
        if not facts.get("enabled"):
            kernel.tree.put_all(place.owner, plugins.user_limits(facts["control"]))
    refresh(kernel, place.owner)


def write_enable(kernel: SimulatedKernel, place: TreePath, text: str) -> None:
    """Open the device under the storage object; any text with a 1 in it means that."""
    facts = kernel.tree.facts(place.owner)
    if "1" not in text:
        refuse(errno.EINVAL)
    if facts.get("enabled"):
        refuse(errno.EEXIST)
    index = kernel.tree.count("device_index")  # an attempt that fails uses a number up, too
    kernel.tree.put_all(place.owner, dict.fromkeys(_DEVICE_INDEXES, f"{index}\n"))
    found = plugins.opened(kernel, place.owner, facts)
    facts.update(enabled=True, device_index=index, device=found.facts)
    kernel.tree.remember(place.owner, facts)
    if found.device and found.exclusive:
        plugins.claim(kernel, found.device.kernel_name, place.owner)
    texts = place.template.state("enabled", facts)
    kernel.tree.put_all(place.owner, {**texts, **found.texts})
    if facts.get("control", {}).get("fd_buffered_io"):
        kernel.tree.put(f"{place.owner}/attrib/emulate_write_cache", "1\n")
    if has_alua(place):
        alua_groups.join_lu_group(kernel, place.owner, alua_groups.DEFAULT_LU_GROUP)
    refresh(kernel, place.owner)


def write_dbroot(kernel: SimulatedKernel, _place: TreePath, text: str) -> None:
    """Say where the kernel keeps reservations; not while there is a storage object.

    A name that is written without a line feed leaves the end of a longer one standing.
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


def write_path(kernel: SimulatedKernel, place: TreePath, text: str) -> None:
    """Keep a text for whoever reads it: the path of the device, or another name."""
    if len(text.encode()) > _PATH_MAX:
        refuse(errno.EINVAL)
    kernel.tree.put(f"{place.owner}/{place.inner}", text.removesuffix("\n") + "\n")


def write_serial(kernel: SimulatedKernel, place: TreePath, text: str) -> None:
    """Set the unit serial, by which initiators know the disk; not while it is exported."""
    device = kernel.tree.facts(place.owner).get("device", {})
    if place.variant == "pscsi" and device.get("serial"):
        refuse(errno.ENOTSUP)  # the disk itself has one
    if len(text.encode()) > _SERIAL_MAX:
        refuse(errno.EOVERFLOW)
    if is_exported(kernel, place.owner):
        refuse(errno.EINVAL)
    serial = text.strip()
    texts = {
        "wwn/vpd_unit_serial": f"{_SERIAL_PREFIX}{serial}\n",
        "statistics/scsi_lu/lu_name": f"{serial or 'None'}\n",
    }
    kernel.tree.put_all(place.owner, texts)


def write_inquiry(kernel: SimulatedKernel, place: TreePath, text: str) -> None:
    """Set vendor, product or revision, as initiators read them; not while exported."""
    word = place.inner.rpartition("/")[2]
    longest = _INQUIRY[word]
    kept = text.strip() if len(text.encode()) < longest + 2 else text
    if len(kept.encode()) > longest:
        refuse(errno.EOVERFLOW)
    if not (kept.isascii() and kept.isprintable()) or is_exported(kernel, place.owner):
        refuse(errno.EINVAL)
    statistic = f"statistics/scsi_lu/{_INQUIRY_STATISTICS[word]}"
    texts = {place.inner: f"{kept}\n", statistic: f"{kept:<{longest}}\n"}
    kernel.tree.put_all(place.owner, texts)


def write_lba_map(_kernel: SimulatedKernel, _place: TreePath, text: str) -> None:
    """Take an empty map of referrals; others are not simulated."""
    if text.strip("\n"):
        refuse(errno.EINVAL)


def write_model_alias(kernel: SimulatedKernel, place: TreePath, text: str) -> None:
    """Show the storage object's name as the product, or the plugin's own; not while exported."""
    if is_exported(kernel, place.owner):
        refuse(errno.EINVAL)
    is_alias = boolean(text)
    product = place.template.files["wwn/product_id"].text.strip()
    shown = place.name[: _INQUIRY["product_id"]] if is_alias else product
    texts = {place.inner: f"{int(is_alias)}\n", **_inquiry("product_id", shown)}
    kernel.tree.put_all(place.owner, texts)


def _inquiry(word: str, text: str) -> dict[str, str]:
    statistic = f"statistics/scsi_lu/{_INQUIRY_STATISTICS[word]}"
    return {f"wwn/{word}": f"{text}\n", statistic: f"{text:<{_INQUIRY[word]}}\n"}


def write_limit(kernel: SimulatedKernel, place: TreePath, text: str) -> None:
    """Set a limit of the storage object's queue, up to that of its device; not while exported."""
    value = number(text)
    name = place.inner.rpartition("/")[2]
    lowest, device_limit = {
        "queue_depth": (1, "hw_queue_depth"),
        "optimal_sectors": (0, "hw_max_sectors"),
    }[name]
    highest = int(kernel.tree.text(f"{place.owner}/attrib/{device_limit}"))
    if is_exported(kernel, place.owner) or not lowest <= value <= highest:
        refuse(errno.EINVAL)
    kernel.tree.put(f"{place.owner}/{place.inner}", f"{value}\n")
    if name == "queue_depth":
        kernel.tree.remember(place.owner, {**kernel.tree.facts(place.owner), name: value})
        refresh(kernel, place.owner)


def write_discard(kernel: SimulatedKernel, place: TreePath, text: str) -> None:
    """Offer or hide discard (UNMAP); ENOSYS if the device below cannot discard.

    As the kernel does, limits that somebody set to 0 are read from the device again.
    """
    flag = boolean(text)
    if place.inner == "attrib/unmap_zeroes_data" and is_exported(kernel, place.owner):
        refuse(errno.EINVAL)
    count = kernel.tree.text(f"{place.owner}/attrib/max_unmap_block_desc_count")
    if flag and is_enabled(kernel, place.owner) and count == "0\n":
        limits = plugins.discard_limits(kernel, kernel.tree.facts(place.owner))
        if not limits:
            refuse(errno.ENOSYS)
        kernel.tree.put_all(place.owner, limits)
    kernel.tree.put(f"{place.owner}/{place.inner}", f"{int(flag)}\n")


_DISCARD = ("attrib/emulate_tpu", "attrib/emulate_tpws", "attrib/unmap_zeroes_data")
_WRITES: dict[str, Write] = {
    "control": write_control,
    "enable": write_enable,
    "udev_path": write_path,
    "alias": write_path,
    "wwn/vpd_unit_serial": write_serial,
    **{f"wwn/{word}": write_inquiry for word in _INQUIRY},
    "lba_map": write_lba_map,
    "attrib/emulate_model_alias": write_model_alias,
    "attrib/queue_depth": write_limit,
    "attrib/optimal_sectors": write_limit,
}


_CONFIG_MAX = 255


def _write_config(kernel: SimulatedKernel, place: TreePath, text: str) -> None:
    if len(text.encode()) > _CONFIG_MAX:
        refuse(errno.EINVAL)
    _tell(kernel, place)
    _remember(kernel, place, "dev_config", text)
    kernel.tree.put(f"{place.owner}/{place.inner}", f"{text}\n")


def _write_size(kernel: SimulatedKernel, place: TreePath, text: str) -> None:
    size = number(text, "u64")
    _tell(kernel, place)
    _remember(kernel, place, "dev_size", size)
    kernel.tree.put(f"{place.owner}/{place.inner}", f"{size}\n")


def _write_cache(kernel: SimulatedKernel, place: TreePath, text: str) -> None:
    is_cached = number(text, "u8")
    _tell(kernel, place)
    kernel.tree.put(f"{place.owner}/{place.inner}", f"{int(bool(is_cached))}\n")


def _tell(kernel: SimulatedKernel, place: TreePath) -> None:
    """Tell the program that answers for an enabled object of a change."""
    if kernel.tree.facts(place.owner).get("enabled"):
        refuse(errno.ESRCH)


def _remember(kernel: SimulatedKernel, place: TreePath, name: str, value: object) -> None:
    facts = kernel.tree.facts(place.owner)
    facts["control"] = {**facts.get("control", {}), name: value}
    kernel.tree.remember(place.owner, facts)
    refresh(kernel, place.owner)


RULES = Rules(
    makes={"hba": make_hba, "device": make_device},
    drops={"device": drop_device},
    writes={
        ("root", "dbroot"): write_dbroot,
        **{("device", inner): rule for inner, rule in _WRITES.items()},
        **{
            (f"device/{plugin}", inner): write_discard
            for plugin in ("iblock", "fileio", "rd_mcp")
            for inner in _DISCARD
        },
        ("device/user", "attrib/dev_config"): _write_config,
        ("device/user", "attrib/dev_size"): _write_size,
        ("device/user", "attrib/emulate_write_cache"): _write_cache,
    },
)
