# SPDX-License-Identifier: Apache-2.0
"""The objects that all fabrics have: targets, target portal groups, LUNs and mapped LUNs."""

from __future__ import annotations

import errno

from pyshell.simulator import alua_groups, core, fabric_kinds, login_sessions, registrations
from pyshell.simulator.recorded import is_recorded, template
from pyshell.simulator.rules import (
    Rules,
    SimulatedKernel,
    TreePath,
    boolean,
    locate,
    number,
    refuse,
)


def _make_fabric(kernel: SimulatedKernel, _parent: TreePath, name: str) -> None:
    """Create target/FABRIC; EINVAL if this kernel does not have the fabric's module."""
    known = fabric_kinds.FABRIC_OF_FOLDER.get(name, name) in kernel.machine.table().fabrics
    if not known or not is_recorded("fabric", name):
        refuse(errno.EINVAL)
    last = kernel.machine.table().cpus - 1
    values = {"cpus": f"0-{last}" if last else "0"}
    kernel.tree.grow(name, template("fabric", name), values)


def _make_target(kernel: SimulatedKernel, parent: TreePath, name: str) -> None:
    fabric_kinds.check_target(kernel, parent.variant, name)
    rel = f"{parent.owner}/{name}"
    known = kernel.tree.facts(parent.owner)
    index = next(n for n in range(len(known) + 1) if str(n) not in known)
    kernel.tree.remember(parent.owner, {**known, str(index): name})
    values = {"target": name, "target_index": index}
    kernel.tree.grow(rel, template("target", parent.variant), values)
    kernel.tree.remember(rel, {"index": index})


def _drop_target(kernel: SimulatedKernel, where: TreePath) -> None:
    """Release the target's number."""
    fabric = where.parts[0]
    known = kernel.tree.facts(fabric)
    kept = {index: name for index, name in known.items() if name != where.name}
    kernel.tree.remember(fabric, kept)


def _make_tpg(kernel: SimulatedKernel, parent: TreePath, name: str) -> None:
    tag = _after(name, "tpgt_", fabric_kinds.tags(parent.variant))
    rel = f"{parent.owner}/{name}"
    kernel.tree.grow(rel, template("tpg", parent.variant), {"target": parent.name, "tag": tag})


def _drop_tpg(kernel: SimulatedKernel, where: TreePath) -> None:
    """End the sessions of a TPG: dynamic ones, as it has no ACL any more."""
    login_sessions.end(kernel, where.owner)


def _make_lun(kernel: SimulatedKernel, parent: TreePath, name: str) -> None:
    _after(name, "lun_")
    kernel.tree.grow(f"{parent.owner}/lun/{name}", template("lun", parent.variant), {})


def _make_mapped(kernel: SimulatedKernel, parent: TreePath, name: str) -> None:
    _after(name, "lun_")
    kernel.tree.grow(f"{parent.owner}/{name}", template("mapped", parent.variant), {})


def _after(name: str, prefix: str, allowed: range | None = None) -> int:
    """Read the number after a prefix; EINVAL for another name or number."""
    if not name.startswith(prefix):
        refuse(errno.EINVAL)
    if allowed is None:
        return number(name[len(prefix) :], "u64")
    value = number(name[len(prefix) :], "u64", errno.EINVAL)
    return value if value in allowed else refuse(errno.EINVAL)


# Links. The facts of a link's target list the links to it; those of its source name the target.


def _add_link(
    kernel: SimulatedKernel, where: TreePath, link: str, source: str, **facts: object
) -> None:
    kernel.tree.link(source, link)
    links = kernel.tree.facts(source).get("links", [])
    kernel.tree.update(source, links=[*links, link])
    kernel.tree.update(where.owner, leads_to=source, **facts)


def _remove_link(kernel: SimulatedKernel, where: TreePath, link: str) -> str:
    source = kernel.tree.source(link)
    links = kernel.tree.facts(source).get("links", [])
    kernel.tree.update(source, links=[other for other in links if other != link])
    facts = kernel.tree.facts(where.owner)
    kept = {name: fact for name, fact in facts.items() if name not in ("leads_to", "is_cut")}
    kernel.tree.remember(where.owner, kept)
    kernel.tree.unlink(link)
    return source


def leads_to(kernel: SimulatedKernel, rel: str) -> str | None:
    """Return what a LUN or mapped LUN is linked to."""
    source: str | None = kernel.tree.facts(rel).get("leads_to")
    return source


def _link_lun(kernel: SimulatedKernel, where: TreePath, link: str, source: TreePath) -> None:
    """Export a storage object as the LUN at `where`."""
    if source.kind != "device" or source.inner:
        refuse(errno.EFAULT)
    if not core.is_enabled(kernel, source.owner):
        refuse(errno.ENODEV)
    if leads_to(kernel, where.owner):
        refuse(errno.EEXIST)
    port = core.next_port(kernel, source.owner)
    _add_link(kernel, where, link, source.owner, port=port)
    state = f"linked to {'pscsi' if source.variant == 'pscsi' else 'rd_mcp'}"
    texts = where.template.state(state, lun_values(kernel, where))
    kernel.tree.put_all(where.owner, {**texts, **alua_groups.kept_flags(kernel, where.owner)})
    if core.has_alua(source):
        alua_groups.PORT_GROUPS.join(
            kernel, where.owner, f"{source.owner}/alua/{alua_groups.DEFAULT_PORT_GROUP}"
        )
    core.refresh(kernel, source.owner)
    _count_port(kernel, where, 1)
    if where.variant == "loopback" and kernel.tree.text(f"{where.tpg}/nexus"):
        login_sessions.count_probe(kernel, where.owner)


def _count_port(kernel: SimulatedKernel, where: TreePath, change: int) -> None:
    """Count the LUNs of a TPG: its nexus is in use while it has any."""
    ports = kernel.tree.facts(where.tpg).get("ports", 0)
    kernel.tree.update(where.tpg, ports=ports + change)


def _unlink_lun(kernel: SimulatedKernel, where: TreePath, link: str) -> None:
    """Stop exporting: the storage object is free, and mappings of the LUN become useless."""
    alua_groups.PORT_GROUPS.leave(kernel, where.owner)
    mapped_links = kernel.tree.facts(where.owner).get("links", [])
    source = _remove_link(kernel, where, link)
    _count_port(kernel, where, -1)
    _reset(kernel, where)
    registrations.drop(kernel, source, where)
    for mapped_link in mapped_links:
        mapped = locate(mapped_link.rpartition("/")[0])
        kernel.tree.update(mapped.owner, is_cut=True)
        _reset(kernel, mapped)
    core.refresh(kernel, source)


def _link_mapped(kernel: SimulatedKernel, where: TreePath, link: str, source: TreePath) -> None:
    """Map a LUN of the same TPG to the initiator that `where` belongs to."""
    if source.kind != "lun" or source.inner:
        refuse(errno.EFAULT)
    device = leads_to(kernel, source.owner)
    if not device or source.parts[1:3] != where.parts[1:3]:
        refuse(errno.EINVAL)
    if leads_to(kernel, where.owner):
        refuse(errno.EINVAL)
    _add_link(kernel, where, link, source.owner)
    values = {**lun_values(kernel, source), **mapped_values(kernel, where)}
    kernel.tree.put_all(where.owner, where.template.state("linked", values))
    read_only = kernel.tree.facts(device).get("control", {}).get("readonly")
    if read_only or _is_protected(kernel, where.tpg):
        kernel.tree.put(f"{where.owner}/write_protect", "1\n")
    registrations.adopt(kernel, device, where, source)


def _unlink_mapped(kernel: SimulatedKernel, where: TreePath, link: str) -> None:
    """Unmap a LUN from an initiator."""
    lun = _remove_link(kernel, where, link)
    _reset(kernel, where)
    if device := leads_to(kernel, lun):
        registrations.drop(kernel, device, where)


def lun_values(kernel: SimulatedKernel, where: TreePath) -> dict[str, object]:
    """Return the values in the texts of a linked LUN."""
    facts = kernel.tree.facts(where.owner)
    device_path = facts["leads_to"]
    device = kernel.tree.facts(device_path)
    return {
        "target": where.parts[1],
        "target_index": kernel.tree.facts("/".join(where.parts[:2])).get("index", 0),
        "tag": _after(where.parts[2], "tpgt_"),
        "lun": _after(where.parts[4], "lun_"),
        "instance": device["instance"],
        "device_index": device["device_index"],
        "serial": core.serial_of(kernel, device_path) or core.vendor_of(kernel, device_path),
        "port": facts["port"],
    }


def mapped_values(kernel: SimulatedKernel, where: TreePath) -> dict[str, object]:
    """Return the values in the texts of a mapped LUN, without those of its LUN."""
    return {
        "initiator": where.parts[4],
        "acl_index": kernel.tree.facts("/".join(where.parts[:5])).get("index", 0),
        "mapped": _after(where.name, "lun_"),
    }


def _is_protected(kernel: SimulatedKernel, tpg: str) -> bool:
    path = f"{tpg}/attrib/prod_mode_write_protect"
    return kernel.tree.exists(path) and kernel.tree.text(path) == "1\n"


def _reset(kernel: SimulatedKernel, where: TreePath) -> None:
    """Restore the texts that differ in a linked object."""
    made = where.template
    inners = {inner for state in made.states.values() for inner in state}
    kernel.tree.put_all(where.owner, {inner: made.files[inner].text for inner in sorted(inners)})


def _write_protect(kernel: SimulatedKernel, where: TreePath, text: str) -> None:
    """Make a mapped LUN read-only or writable; ignored before it is linked."""
    value = number(text, "u64")
    if value not in (0, 1):
        refuse(errno.EINVAL)
    if leads_to(kernel, where.owner):
        kernel.tree.put(where.path, f"{value}\n")


def _write_enable(kernel: SimulatedKernel, where: TreePath, text: str) -> None:
    """Enable or disable a TPG, which ends its sessions; FireWire requires a LUN."""
    is_enabled = boolean(text)
    if is_enabled and where.variant == "sbp" and not kernel.tree.facts(where.owner).get("ports"):
        refuse(errno.EINVAL)
    kernel.tree.put(f"{where.owner}/enable", f"{int(is_enabled)}\n")
    if not is_enabled:
        login_sessions.end(kernel, where.owner)


RULES = Rules(
    makes={
        "fabric": _make_fabric,
        "target": _make_target,
        "tpg": _make_tpg,
        "lun": _make_lun,
        "mapped": _make_mapped,
    },
    drops={"target": _drop_target, "tpg": _drop_tpg},
    links={"lun": _link_lun, "mapped": _link_mapped},
    unlinks={"lun": _unlink_lun, "mapped": _unlink_mapped},
    writes={("mapped", "write_protect"): _write_protect, ("tpg", "enable"): _write_enable},
)
