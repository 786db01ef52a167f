# SPDX-License-Identifier: Apache-2.0
"""What all fabrics have in common: targets, target portal groups, LUNs and mapped LUNs."""

from __future__ import annotations

import errno

from pyshell.simulator import alua_groups, core, fabric_kinds, login_sessions
from pyshell.simulator.recorded import is_recorded, template
from pyshell.simulator.rules import Rules, SimulatedKernel, TreePath, locate
from pyshell.simulator.value_rules import boolean, number, refuse


def make_fabric(kernel: SimulatedKernel, _parent: TreePath, name: str) -> None:
    """Make target/FABRIC, where this kernel has the fabric's module."""
    if fabric_kinds.fabric_of(name) not in kernel.machine.fabrics or not is_recorded(
        "fabric", name
    ):
        refuse(errno.EINVAL)
    values = {"cpus": f"0-{kernel.machine.cpus - 1}" if kernel.machine.cpus > 1 else "0"}
    kernel.tree.grow(name, template("fabric", name), values)


def make_target(kernel: SimulatedKernel, parent: TreePath, name: str) -> None:
    """Make FABRIC/WWN."""
    fabric_kinds.check_target(kernel, parent.variant, name)
    rel = f"{parent.owner}/{name}"
    known = kernel.tree.facts(parent.owner)
    index = next(n for n in range(len(known) + 1) if str(n) not in known)
    kernel.tree.remember(parent.owner, {**known, str(index): name})
    values = {"target": name, "target_index": index}
    kernel.tree.grow(rel, template("target", parent.variant), values)
    kernel.tree.remember(rel, {"index": index})


def drop_target(kernel: SimulatedKernel, place: TreePath) -> None:
    """Give the target's number back to the fabric."""
    fabric = place.parts[0]
    known = kernel.tree.facts(fabric)
    kept = {index: name for index, name in known.items() if name != place.name}
    kernel.tree.remember(fabric, kept)


def make_tpg(kernel: SimulatedKernel, parent: TreePath, name: str) -> None:
    """Make TARGET/tpgt_N."""
    tag = _after(name, "tpgt_", fabric_kinds.tags(parent.variant))
    rel = f"{parent.owner}/{name}"
    kernel.tree.grow(rel, template("tpg", parent.variant), {"target": parent.name, "tag": tag})


def drop_tpg(kernel: SimulatedKernel, place: TreePath) -> None:
    """End the sessions of a TPG; only dynamic ones are left once it holds no ACL."""
    login_sessions.end(kernel, place.owner)


def make_lun(kernel: SimulatedKernel, parent: TreePath, name: str) -> None:
    """Make TPG/lun/lun_N, which is of use once linked to a storage object."""
    _after(name, "lun_")
    kernel.tree.grow(f"{parent.owner}/lun/{name}", template("lun", parent.variant), {})


def make_mapped(kernel: SimulatedKernel, parent: TreePath, name: str) -> None:
    """Make ACL/lun_N, which is of use once linked to a LUN."""
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


# Links. A linked object's facts list who links to it; the linking one's say what it leads to.


def _add_link(
    kernel: SimulatedKernel, place: TreePath, link: str, source: str, **facts: object
) -> None:
    kernel.tree.link(source, link)
    known = kernel.tree.facts(source)
    kernel.tree.remember(source, {**known, "links": [*known.get("links", []), link]})
    own = kernel.tree.facts(place.owner)
    kernel.tree.remember(place.owner, {**own, "leads_to": source, **facts})


def _remove_link(kernel: SimulatedKernel, place: TreePath, link: str) -> str:
    source = kernel.tree.source(link)
    known = kernel.tree.facts(source)
    links = [other for other in known.get("links", []) if other != link]
    kernel.tree.remember(source, {**known, "links": links})
    facts = kernel.tree.facts(place.owner)
    kept = {name: fact for name, fact in facts.items() if name not in ("leads_to", "is_cut")}
    kernel.tree.remember(place.owner, kept)
    kernel.tree.unlink(link)
    return source


def leads_to(kernel: SimulatedKernel, rel: str) -> str | None:
    """Return what a LUN or mapped LUN is linked to."""
    source: str | None = kernel.tree.facts(rel).get("leads_to")
    return source


def link_lun(kernel: SimulatedKernel, place: TreePath, link: str, source: TreePath) -> None:
    """Export a storage object as the LUN at `place`."""
    if source.kind != "device" or source.inner:
        refuse(errno.EFAULT)
    if not core.is_enabled(kernel, source.owner):
        refuse(errno.ENODEV)
    if leads_to(kernel, place.owner):
        refuse(errno.EEXIST)
    port = core.next_port(kernel, source.owner)
    _add_link(kernel, place, link, source.owner, port=port)
    state = f"linked to {'pscsi' if source.variant == 'pscsi' else 'rd_mcp'}"
    texts = place.template.state(state, lun_values(kernel, place))
    kernel.tree.put_all(place.owner, {**texts, **alua_groups.kept_flags(kernel, place.owner)})
    if core.has_alua(source):
        alua_groups.join_port_group(
            kernel, place.owner, f"{source.owner}/alua/{alua_groups.DEFAULT_PORT_GROUP}"
        )
    core.refresh(kernel, source.owner)
    _count_port(kernel, place, 1)
    if place.variant == "loopback" and kernel.tree.text(f"{'/'.join(place.parts[:3])}/nexus"):
        login_sessions.count_look(kernel, place.owner)


def _count_port(kernel: SimulatedKernel, place: TreePath, change: int) -> None:
    """Count the LUNs of a TPG, which hold on to its nexus."""
    tpg = "/".join(place.parts[:3])
    facts = kernel.tree.facts(tpg)
    kernel.tree.remember(tpg, {**facts, "ports": facts.get("ports", 0) + change})


def unlink_lun(kernel: SimulatedKernel, place: TreePath, link: str) -> None:
    """Stop exporting: the storage object is free, and mappings of the LUN are cut for good."""
    alua_groups.leave_port_group(kernel, place.owner)
    mapped_links = kernel.tree.facts(place.owner).get("links", [])
    source = _remove_link(kernel, place, link)
    _count_port(kernel, place, -1)
    _reset(kernel, place)
    for mapped_link in mapped_links:
        mapped = locate(mapped_link.rpartition("/")[0])
        kernel.tree.remember(mapped.owner, {**kernel.tree.facts(mapped.owner), "is_cut": True})
        _reset(kernel, mapped)
    core.refresh(kernel, source)


def link_mapped(kernel: SimulatedKernel, place: TreePath, link: str, source: TreePath) -> None:
    """Map a LUN of the same TPG to the initiator that `place` belongs to."""
    if source.kind != "lun" or source.inner:
        refuse(errno.EFAULT)
    if not leads_to(kernel, source.owner) or source.parts[1:3] != place.parts[1:3]:
        refuse(errno.EINVAL)
    if leads_to(kernel, place.owner):
        refuse(errno.EINVAL)
    _add_link(kernel, place, link, source.owner)
    values = {**lun_values(kernel, source), **mapped_values(kernel, place)}
    kernel.tree.put_all(place.owner, place.template.state("linked", values))
    if _is_protected(kernel, "/".join(place.parts[:3])):
        kernel.tree.put(f"{place.owner}/write_protect", "1\n")


def unlink_mapped(kernel: SimulatedKernel, place: TreePath, link: str) -> None:
    """Take a LUN away from an initiator."""
    _remove_link(kernel, place, link)
    _reset(kernel, place)


def lun_values(kernel: SimulatedKernel, place: TreePath) -> dict[str, object]:
    """Return what the texts of a linked LUN name."""
    facts = kernel.tree.facts(place.owner)
    device_path = facts["leads_to"]
    device = kernel.tree.facts(device_path)
    return {
        "target": place.parts[1],
        "target_index": kernel.tree.facts("/".join(place.parts[:2])).get("index", 0),
        "tag": _after(place.parts[2], "tpgt_"),
        "lun": _after(place.parts[4], "lun_"),
        "instance": device["instance"],
        "device_index": device["device_index"],
        "serial": core.serial_of(kernel, device_path) or core.vendor_of(kernel, device_path),
        "port": facts["port"],
    }


def mapped_values(kernel: SimulatedKernel, place: TreePath) -> dict[str, object]:
    """Return what the texts of a mapped LUN name beside its LUN's."""
    return {
        "initiator": place.parts[4],
        "acl_index": kernel.tree.facts("/".join(place.parts[:5])).get("index", 0),
        "mapped": _after(place.name, "lun_"),
    }


def _is_protected(kernel: SimulatedKernel, tpg: str) -> bool:
    path = f"{tpg}/attrib/prod_mode_write_protect"
    return kernel.tree.exists(path) and kernel.tree.text(path) == "1\n"


def _reset(kernel: SimulatedKernel, place: TreePath) -> None:
    """Put back the texts that being linked had changed."""
    made = place.template
    inners = {inner for state in made.states.values() for inner in state}
    kernel.tree.put_all(place.owner, {inner: made.files[inner].text for inner in sorted(inners)})


def write_protect(kernel: SimulatedKernel, place: TreePath, text: str) -> None:
    """Make a mapped LUN read-only, or writable again; nothing shows before it is linked."""
    value = number(text, "u64")
    if value not in (0, 1):
        refuse(errno.EINVAL)
    if leads_to(kernel, place.owner):
        kernel.tree.put(f"{place.owner}/write_protect", f"{value}\n")


def write_enable(kernel: SimulatedKernel, place: TreePath, text: str) -> None:
    """Let initiators in, or throw them out; only FireWire wants a LUN for that."""
    is_enabled = boolean(text)
    if is_enabled and place.variant == "sbp" and not kernel.tree.facts(place.owner).get("ports"):
        refuse(errno.EINVAL)
    kernel.tree.put(f"{place.owner}/enable", f"{int(is_enabled)}\n")
    if not is_enabled:
        login_sessions.end(kernel, place.owner)


RULES = Rules(
    makes={
        "fabric": make_fabric,
        "target": make_target,
        "tpg": make_tpg,
        "lun": make_lun,
        "mapped": make_mapped,
    },
    drops={"target": drop_target, "tpg": drop_tpg},
    links={"lun": link_lun, "mapped": link_mapped},
    unlinks={"lun": unlink_lun, "mapped": unlink_mapped},
    writes={("mapped", "write_protect"): write_protect, ("tpg", "enable"): write_enable},
)
