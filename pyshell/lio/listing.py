# SPDX-License-Identifier: Apache-2.0
"""List existing objects: names and links in configfs, one folder at a time, in the tree's order.

Unknown files and half-made objects never stop a listing (field failures 35 and 36).
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from pyshell import names
from pyshell.errors import NotFoundError, UsageError
from pyshell.expressions import expression
from pyshell.lio import Lio
from pyshell.lio.configfs import CONFIGFS, folders, links, text_or_none
from pyshell.lio.fabrics import NOT_TARGETS, Fabric, fabric, known
from pyshell.lio.identifiers import (
    DEFAULT_GROUP,
    HBA_PREFIX,
    PLUGIN_OF_HBA,
    AluaGroup,
    Identifier,
    Lun,
    MappedLun,
    NodeAcl,
    Portal,
    StorageObject,
    Target,
    Tpg,
    core_folder,
)
from pyshell.names import whole

_HBA = expression(r"(.+)_(\d+)")
_BINDV6ONLY = "/proc/sys/net/ipv6/bindv6only"
_ENDS_IN_NUMBER = expression(r"(.*?)(\d+)")


def hbas(lio: Lio) -> Iterator[tuple[str, int]]:
    """Yield (plugin, number) of every HBA of a known kind, whether or not it holds anything."""
    for name in folders(core_folder(lio.root)):
        match = _HBA.fullmatch(name)
        if match and match.group(1) in PLUGIN_OF_HBA:
            yield PLUGIN_OF_HBA[match.group(1)], int(match.group(2))


def storage_objects(lio: Lio, plugin: str | None = None) -> list[StorageObject]:
    """Return the storage objects of one kind of backstore, or all, sorted by name."""
    found = []
    core = core_folder(lio.root)
    for kind, number in hbas(lio):
        if plugin is not None and kind != plugin:
            continue
        hba = f"{core}/{HBA_PREFIX[kind]}_{number}"
        found += [StorageObject(kind, name, number, lio.root) for name in folders(hba)]
    return sorted(found, key=lambda found: (found.plugin, natural(found.name)))


def storage_object(lio: Lio, plugin: str, name: str) -> StorageObject | None:
    """Return the storage object of that name, None if there is none or the name is not valid.

    It reads no other object.
    """
    try:
        names.storage_object_name(name)
    except UsageError:
        return None
    prefix, core = f"{HBA_PREFIX[plugin]}_", core_folder(lio.root)
    # The newest first, which is most often asked for: one look each is all that there is to do.
    for number in sorted((n for kind, n in hbas(lio) if kind == plugin), reverse=True):
        if os.access(f"{core}/{prefix}{number}/{name}", os.F_OK):
            place = StorageObject(plugin, name, number, lio.root)
            if os.path.isdir(place.folder):
                return place
    return None


def free_hba(lio: Lio) -> int:
    """Return the lowest number that no HBA has: rtslib counts all kinds together."""
    taken = {number for _, number in hbas(lio)}
    return lowest_free(taken)


def lowest_free(taken: set[int], start: int = 0) -> int:
    """Return the lowest number from `start` on that is not taken."""
    number = start
    while number in taken:
        number += 1
    return number


def alua_groups(place: StorageObject) -> list[AluaGroup]:
    """Return the ALUA groups of a storage object, sorted by name."""
    return [AluaGroup(place, name) for name in sorted(folders(f"{place.folder}/alua"), key=natural)]


def fabrics_in_use(lio: Lio) -> list[Fabric]:
    """Return the fabrics that have a folder in configfs, sorted by name."""
    return [found for name in known() if os.path.isdir((found := fabric(name, lio.root)).folder)]


def targets(of: Fabric) -> list[Target]:
    """Return the targets of a fabric, sorted by WWN; names that break the rules are there too."""
    found = [name for name in folders(of.folder) if name not in NOT_TARGETS]
    return sorted(
        (Target(of.name, of.from_folder(name), of.root) for name in found),
        key=lambda t: natural(t.wwn),
    )


def all_targets(lio: Lio, fabric_name: str = "") -> Iterator[Target]:
    """Yield the targets of all fabrics, or of one."""
    for of in [fabric(fabric_name, lio.root)] if fabric_name else fabrics_in_use(lio):
        yield from targets(of)


def all_tpgs(lio: Lio, fabric_name: str = "") -> Iterator[Tpg]:
    """Yield the TPGs of all fabrics, or of one."""
    for target in all_targets(lio, fabric_name):
        yield from tpgs(target)


def tpgs(target: Target) -> list[Tpg]:
    """Return the TPGs of a target, sorted by tag."""
    return [Tpg(target, tag) for tag in _numbers(target.folder, "tpgt_")]


def luns(tpg: Tpg) -> list[Lun]:
    """Return the LUNs of a TPG, sorted by number."""
    return [Lun(tpg, index) for index in _numbers(f"{tpg.folder}/lun", "lun_")]


def node_acls(tpg: Tpg) -> list[NodeAcl]:
    """Return the node ACLs of a TPG, sorted by WWN."""
    of = tpg.target.fabric
    found = [NodeAcl(tpg, of.from_folder(name)) for name in folders(f"{tpg.folder}/acls")]
    return sorted(found, key=lambda acl: natural(acl.wwn))


def mapped_luns(acl: NodeAcl) -> list[MappedLun]:
    """Return the mapped LUNs of a node ACL, sorted by number."""
    return [MappedLun(acl, index) for index in _numbers(acl.folder, "lun_")]


def portals(tpg: Tpg) -> list[Portal]:
    """Return the portals of a TPG, sorted by name, with addresses as configfs spells them."""
    found = []
    for name in folders(f"{tpg.folder}/np"):
        host, _, port = name.rpartition(":")
        number = whole(port)
        if number is not None:
            found.append(Portal(tpg, host.strip("[]"), number))
    return sorted(found, key=lambda portal: natural(portal.name))


def storage_object_of(lun: Lun) -> StorageObject | None:
    """Return what a LUN exports, None if its link is missing or points nowhere."""
    return exported_by(lun, link_target(lun.folder))


def exported_by(lun: Lun, target: str | None) -> StorageObject | None:
    """Return the storage object at the end of a LUN's link, None if there is none."""
    if target is None:
        return None
    hba, name = target.split("/")[-2:]
    match = _HBA.fullmatch(hba)
    if match is None or match.group(1) not in PLUGIN_OF_HBA:
        return None
    return StorageObject(
        PLUGIN_OF_HBA[match.group(1)], name, int(match.group(2)), lun.tpg.target.root
    )


def alua_group_of(lio: Lio, lun: Lun) -> str | None:
    """Return the name of a LUN's ALUA group, None if the backstore has none."""
    text = text_or_none(lio.kernel, f"{lun.folder}/alua_tg_pt_gp")
    return text.partition("\n")[0].partition(":")[2].strip() if text else None


def lun_of(mapped: MappedLun) -> Lun | None:
    """Return the LUN that a mapped LUN leads to, None if its link is missing."""
    return mapped_by(mapped, link_target(mapped.folder))


def mapped_by(mapped: MappedLun, target: str | None) -> Lun | None:
    """Return the LUN at the end of a mapped LUN's link, None if there is none."""
    if target is None:
        return None
    index = whole(target.rpartition("_")[2])
    return Lun(mapped.acl.tpg, index) if index is not None else None


def link_of(folder: str) -> tuple[str, str] | None:
    """Return name and target of the first link in `folder` that leads to a group.

    The target is an absolute path. The kernel makes each such link a way down from configfs' own
    folder, so that it need not be looked up part by part.
    """
    for name in links(folder):
        try:
            target = os.path.normpath(f"{folder}/{os.readlink(f'{folder}/{name}')}")
        except FileNotFoundError:
            continue  # deleted by another program just now
        if "/core/" in target or "/lun/" in target:
            return name, target
    return None


def link_target(folder: str) -> str | None:
    """Return where the link of a LUN or mapped LUN leads, None if it has none."""
    found = link_of(folder)
    return found[1] if found else None


def exported_names(tpg: Tpg) -> set[tuple[str, str]]:
    """Return what a TPG exports, each as the names of its HBA's folder and its own.

    It reads the links only, as there may be very many.
    """
    found = set()
    for lun in folders(f"{tpg.folder}/lun"):
        folder = f"{tpg.folder}/lun/{lun}"
        for name in links(folder):
            *_, hba, exported = os.readlink(f"{folder}/{name}").split("/")
            found.add((hba, exported))
    return found


def luns_of(lio: Lio, place: StorageObject) -> list[Lun]:
    """Return every LUN, of any fabric, that exports a storage object: one pass over the links.

    If the kernel counts none, there is no pass.
    """
    if not is_exported(lio, place):
        return []
    every = (lun for tpg in all_tpgs(lio) for lun in luns(tpg))
    return [lun for lun in every if link_target(lun.folder) == place.folder]


def is_exported(lio: Lio, place: StorageObject) -> bool:
    """Return whether a LUN exports a storage object, which the kernel counts; True if unknown."""
    info = text_or_none(lio.kernel, f"{place.folder}/info")
    return info is None or "Status: DEACTIVATED" not in info


def mappings_of(lun: Lun) -> list[MappedLun]:
    """Return the mapped LUNs, in all ACLs of the TPG, that lead to a LUN."""
    found = []
    for acl in node_acls(lun.tpg):
        found += [m for m in mapped_luns(acl) if link_target(m.folder) == lun.folder]
    return found


def existing(place: Identifier) -> bool:
    """Return whether the object is in configfs."""
    return os.path.isdir(place.folder)


def half_made(lio: Lio, place: Identifier) -> bool:
    """Return whether an object exists and is not complete: what a killed program leaves.

    A LUN or mapped LUN without its link, a storage object that was never configured, an ALUA group
    without a number, a TPG without the nexus that its fabric needs.
    """
    rule = _HALF_MADE.get(type(place))
    return rule is not None and existing(place) and rule(lio, place)


def _is_without_nexus(lio: Lio, tpg: Tpg) -> bool:
    return tpg.target.fabric.has("nexus") and _has_no_value(lio, f"{tpg.folder}/nexus")


def _is_without_number(lio: Lio, group: AluaGroup) -> bool:
    return group.name != DEFAULT_GROUP and _has_no_value(lio, f"{group.folder}/tg_pt_gp_id")


def _has_no_value(lio: Lio, file: str) -> bool:
    """Return whether the kernel returns no value of a file, as of a number that is not set."""
    try:
        return not lio.kernel.read(file).strip()
    except OSError as error:
        return error.errno == errno.ENODEV


_HALF_MADE: dict[type, Callable[[Lio, Any], bool]] = {
    Lun: lambda lio, lun: storage_object_of(lun) is None,
    MappedLun: lambda lio, mapped: lun_of(mapped) is None,
    StorageObject: lambda lio, place: text_or_none(lio.kernel, f"{place.folder}/enable") == "0",
    AluaGroup: _is_without_number,
    Tpg: _is_without_nexus,
}


def wildcard_portal(tpg: Tpg, address: str, port: int) -> Portal | None:
    """Return the portal that listens on all addresses at `port` if only its other name exists.

    `0.0.0.0` and `::0` (`::`) are looked up for each other.
    """
    if address not in (names.WILDCARD_V4, names.WILDCARD_V6):
        return None
    for portal in portals(tpg):
        if portal.port == port and is_wildcard(portal.address):
            return portal
    return None


def portal(tpg: Tpg, address: str, port: int) -> Portal | None:
    """Return the portal with that address in any spelling, None if there is none."""
    for found in portals(tpg):
        if found.port == port and same_address(found.address, address):
            return found
    return None


def portals_at(of: Fabric, port: int) -> list[Portal]:
    """Return the portals at a port, of all targets of a fabric."""
    every = (tpg for target in targets(of) for tpg in tpgs(target))
    return [found for tpg in every for found in portals(tpg) if found.port == port]


def portal_obstacle(wanted: Portal, present: Iterable[Portal]) -> Portal | None:
    """Return the portal, of those at the same port, that keeps the kernel from adding `wanted`."""
    own, others = _own_and_others(wanted, present)
    address = names.portal_obstacle(
        wanted.address, own, others, v6only=ipv6_only(wanted.tpg.target.root)
    )
    return None if address is None else own.get(address) or others[address]


def portal_in_place_of(wanted: Portal, present: Iterable[Portal]) -> Portal | None:
    """Return the portal of another target at whose address alone `wanted` would be served.

    None if the kernel would listen as requested, see `names.portal_in_place_of`.
    """
    _, others = _own_and_others(wanted, present)
    address = names.portal_in_place_of(
        wanted.address, others, v6only=ipv6_only(wanted.tpg.target.root)
    )
    return None if address is None else others[address]


def _own_and_others(
    wanted: Portal, present: Iterable[Portal]
) -> tuple[dict[str, Portal], dict[str, Portal]]:
    """Return the portals of the same target, and those of others, by address."""
    own: dict[str, Portal] = {}
    others: dict[str, Portal] = {}
    for found in present:
        if found.port == wanted.port and _is_address(found.address):
            side = own if found.tpg.target == wanted.tpg.target else others
            side.setdefault(found.address, found)
    return own, others


def ipv6_only(root: str) -> bool:
    """Return whether the IPv6 wildcard excludes IPv4 on this host; False for simulated hosts."""
    if root != CONFIGFS:
        return False
    with contextlib.suppress(OSError), open(_BINDV6ONLY, encoding="ascii") as file:
        return file.read().strip() == "1"
    return False


def _is_address(text: str) -> bool:
    try:
        names.portal_order(text)
    except ValueError:
        return False
    return True


def same_address(one: str, other: str) -> bool:
    """Return whether two spellings name the same address."""
    return names.known_address(one) == names.known_address(other)


def is_wildcard(address: str) -> bool:
    """Return whether a portal's address means all addresses of the host."""
    return names.known_address(address) in (names.WILDCARD_V4, names.WILDCARD_V6)


def require_storage_object(lio: Lio, plugin: str, name: str) -> StorageObject:
    """Return the storage object of that name. Raises NotFoundError."""
    names.storage_object_name(name)
    found = storage_object(lio, plugin, name)
    if found is None:
        raise NotFoundError(
            f"No storage object named {name}.",
            f"'ls /backstores/{plugin}' shows them.",
            targetcli=f"No storage object named {name}.",
        )
    return found


def natural(name: str) -> tuple[str, int, str]:
    """Return a key that sorts a number at a name's end as a number, as targetcli does.

    Names that differ in leading zeros are sorted, too: `disk01` is before `disk1`.
    """
    match = _ENDS_IN_NUMBER.fullmatch(name)
    return (match.group(1), int(match.group(2)), name) if match else (name, 0, name)


def _numbers(folder: str, prefix: str) -> list[int]:
    found = (name[len(prefix) :] for name in folders(folder) if name.startswith(prefix))
    return sorted(number for number in map(whole, found) if number is not None)


def is_empty(lio: Lio) -> bool:
    """Return whether there is neither a target nor a storage object."""
    return not storage_objects(lio) and not any(map(targets, fabrics_in_use(lio)))


class HbaNumbers:
    """HBA numbers of existing and new storage objects, for all operations of a command.

    A storage object that does not exist keeps its number if that is free, otherwise it gets the
    lowest free one.
    """

    def __init__(self, lio: Lio) -> None:
        self.lio = lio
        self._lowest = 0
        """Lower numbers are all in use."""

    @functools.cached_property
    def _numbers(self) -> dict[str, int]:
        return {place.path: place.hba for place in storage_objects(self.lio)}

    @functools.cached_property
    def _taken(self) -> set[int]:
        return {number for _, number in hbas(self.lio)}

    def current(self, place: StorageObject) -> StorageObject:
        """Return a storage object with its current number, or the one to create it with."""
        number = self._numbers.get(place.path)
        if number is None:
            number = place.hba
            if number < 0 or number in self._taken:
                number = self._lowest = lowest_free(self._taken, self._lowest)
            self._numbers[place.path] = number
            self._taken.add(number)
        return place if place.hba == number else replace(place, hba=number)

    def forget(self, path: str) -> None:
        """Free the number of a storage object that is deleted."""
        number = self._numbers.pop(path, None)
        if number is not None:
            self._taken.discard(number)
            self._lowest = min(self._lowest, number)
