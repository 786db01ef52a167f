# SPDX-License-Identifier: Apache-2.0
"""What all fabrics have in common: targets, target portal groups, LUNs, node ACLs, mapped LUNs."""

from __future__ import annotations

import errno

from pyshell.simulator import alua, core
from pyshell.simulator.kernel import Kernel, Rules
from pyshell.simulator.places import Place, locate
from pyshell.simulator.recorded import is_recorded, template
from pyshell.simulator.refusal import refuse
from pyshell.simulator.values import U32_MAX, integer

_U16_MAX = 0xFFFF
_U64_MAX = 2**64 - 1


def make_fabric(kernel: Kernel, _parent: Place, name: str) -> None:
    """Make target/FABRIC, where this kernel has the fabric's module."""
    if name not in kernel.machine.fabrics or not is_recorded("fabric", name):
        refuse(errno.EINVAL)
    values = {"cpus": f"0-{kernel.machine.cpus - 1}" if kernel.machine.cpus > 1 else "0"}
    kernel.tree.grow(name, template("fabric", name), values)


def make_target(kernel: Kernel, parent: Place, name: str) -> None:
    """Make FABRIC/WWN; the common code takes any name."""
    index = kernel.tree.count(f"target_index_{parent.owner}") - 1
    values = {"target": name, "target_index": index}
    kernel.tree.grow(f"{parent.owner}/{name}", template("target", parent.variant), values)


def tag_of(name: str) -> int:
    """Read the number of "tpgt_N"; EINVAL for any other name."""
    if not name.startswith("tpgt_"):
        refuse(errno.EINVAL)
    return _number(name.removeprefix("tpgt_"), _U16_MAX)


def make_tpg(kernel: Kernel, parent: Place, name: str) -> None:
    """Make TARGET/tpgt_N."""
    values = {"target": parent.name, "tag": tag_of(name)}
    kernel.tree.grow(f"{parent.owner}/{name}", template("tpg", parent.variant), values)


def _number(text: str, highest: int) -> int:
    value = integer(text, highest=_U64_MAX)
    if value > highest:
        refuse(errno.EINVAL)
    return value


def lun_number(name: str) -> int:
    """Read the number of "lun_N"; EINVAL for any other name."""
    if not name.startswith("lun_"):
        refuse(errno.EINVAL)
    return integer(name.removeprefix("lun_"), highest=_U64_MAX)


def make_lun(kernel: Kernel, parent: Place, name: str) -> None:
    """Make TPG/lun/lun_N, which is of use once linked to a storage object."""
    lun_number(name)
    kernel.tree.grow(f"{parent.owner}/lun/{name}", template("lun", parent.variant), {})


def make_acl(kernel: Kernel, parent: Place, name: str) -> None:
    """Make TPG/acls/INITIATOR; the common code takes any name."""
    values = {"initiator": name}
    kernel.tree.grow(f"{parent.owner}/acls/{name}", template("acl", parent.variant), values)


def make_mapped(kernel: Kernel, parent: Place, name: str) -> None:
    """Make ACL/lun_N, which is of use once linked to a LUN."""
    if lun_number(name) > U32_MAX:
        refuse(errno.EINVAL)
    kernel.tree.grow(f"{parent.owner}/{name}", template("mapped", parent.variant), {})


# Links. The linked object's facts list who links to it.


def _add_link(kernel: Kernel, source: str, link: str) -> None:
    facts = kernel.tree.facts(source)
    kernel.tree.remember(source, {**facts, "links": [*facts.get("links", []), link]})
    kernel.tree.link(source, link)


def _remove_link(kernel: Kernel, source: str, link: str) -> None:
    kernel.tree.unlink(link)
    facts = kernel.tree.facts(source)
    facts["links"] = [other for other in facts.get("links", []) if other != link]
    kernel.tree.remember(source, facts)


def link_lun(kernel: Kernel, place: Place, link: str, source: Place) -> None:
    """Export a storage object as the LUN at `place`."""
    if source.kind != "device" or source.inner:
        refuse(errno.EFAULT)
    if not core.is_enabled(kernel, source.owner):
        refuse(errno.ENODEV)
    if kernel.tree.facts(place.owner).get("device"):
        refuse(errno.EEXIST)
    _add_link(kernel, source.owner, link)
    device = kernel.tree.facts(source.owner)
    port = device.get("ports", 0) + 1  # numbers the device's ports over its whole life
    kernel.tree.remember(source.owner, {**device, "ports": port})
    kernel.tree.remember(place.owner, {"device": source.owner, "port": port})
    kernel.tree.put_all(place.owner, place.template.state("linked", _lun_values(kernel, place)))
    if source.variant != "pscsi":
        alua.join(kernel, place.owner, f"{source.owner}/alua/{alua.DEFAULT_GROUP}")
    core.refresh(kernel, source.owner)


def _lun_values(kernel: Kernel, place: Place) -> dict[str, object]:
    facts = kernel.tree.facts(place.owner)
    device = kernel.tree.facts(facts["device"])
    serial = kernel.tree.text(f"{facts['device']}/wwn/vpd_unit_serial").partition(": ")[2].strip()
    return {
        "target": place.parts[1],
        "tag": place.parts[2].removeprefix("tpgt_"),
        "device_index": device["index"],
        "hba_index": device["index"],
        "port": facts["port"],
        "serial": serial,
    }


def unlink_lun(kernel: Kernel, place: Place, link: str) -> None:
    """Stop exporting: the storage object is free, mappings of the LUN are cut."""
    facts = kernel.tree.facts(place.owner)
    alua.join(kernel, place.owner, None)
    _remove_link(kernel, facts["device"], link)
    kernel.tree.remember(place.owner, {"links": facts.get("links", [])})
    _reset(kernel, place)
    core.refresh(kernel, facts["device"])


def link_mapped(kernel: Kernel, place: Place, link: str, source: Place) -> None:
    """Map a LUN of the same TPG to the initiator that `place` belongs to."""
    if source.kind != "lun" or source.inner:
        refuse(errno.EFAULT)
    if not kernel.tree.facts(source.owner).get("device"):
        refuse(errno.EINVAL)
    if source.parts[1:3] != place.parts[1:3] or kernel.tree.facts(place.owner).get("lun"):
        refuse(errno.EINVAL)
    _add_link(kernel, source.owner, link)
    kernel.tree.remember(place.owner, {"lun": source.owner})
    values = {
        **_lun_values(kernel, source),
        "mapped": lun_number(place.name),
        "initiator": place.parts[4],
    }
    kernel.tree.put_all(place.owner, place.template.state("linked", values))
    if _protected(kernel, "/".join(place.parts[:3])):
        kernel.tree.put(f"{place.owner}/write_protect", "1\n")


def _protected(kernel: Kernel, tpg: str) -> bool:
    path = f"{tpg}/attrib/prod_mode_write_protect"
    return kernel.tree.exists(path) and kernel.tree.text(path) == "1\n"


def unlink_mapped(kernel: Kernel, place: Place, link: str) -> None:
    """Take a LUN away from an initiator."""
    facts = kernel.tree.facts(place.owner)
    _remove_link(kernel, facts["lun"], link)
    kernel.tree.remember(place.owner, {})
    _reset(kernel, place)


def _reset(kernel: Kernel, place: Place) -> None:
    """Put back the texts that being linked had changed."""
    made = place.template
    inners = made.states["linked"]
    kernel.tree.put_all(place.owner, {inner: made.files[inner].text for inner in inners})


def write_group(kernel: Kernel, place: Place, text: str) -> None:
    """Move a LUN to another target port group of its storage object, by name."""
    device = kernel.tree.facts(place.owner).get("device")
    if device is None:
        refuse(errno.ENODEV)
    name = text.strip()
    group = f"{device}/alua/{alua.DEFAULT_GROUP if name == 'NULL' else name}"
    if not kernel.tree.is_group(group):
        refuse(errno.ENODEV)
    alua.join(kernel, place.owner, group)


def write_protect(kernel: Kernel, place: Place, text: str) -> None:
    """Make a mapped LUN read-only, or writable again."""
    value = integer(text)
    if value not in (0, 1):
        refuse(errno.EINVAL)
    if kernel.tree.facts(place.owner).get("lun"):
        kernel.tree.put(f"{place.owner}/write_protect", f"{value}\n")


def lun_of(kernel: Kernel, mapped: str) -> Place | None:
    """Return the LUN that a mapped LUN leads to."""
    lun = kernel.tree.facts(mapped).get("lun")
    return locate(lun) if lun else None


RULES = Rules(
    makes={
        "fabric": make_fabric,
        "target": make_target,
        "tpg": make_tpg,
        "lun": make_lun,
        "acl": make_acl,
        "mapped": make_mapped,
    },
    links={"lun": link_lun, "mapped": link_mapped},
    unlinks={"lun": unlink_lun, "mapped": unlink_mapped},
    writes={
        ("lun", "alua_tg_pt_gp"): write_group,
        ("mapped", "write_protect"): write_protect,
    },
)
