# SPDX-License-Identifier: Apache-2.0
"""What an initiator needs: portals, its name, secrets and disks."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pyshell import names
from pyshell.errors import NotFoundError, UsageError
from pyshell.host import procnet
from pyshell.lio import Lio, listing, storage_info
from pyshell.lio.configfs import is_on
from pyshell.lio.fabrics import fabric
from pyshell.lio.identifiers import Lun, NodeAcl, Target, Tpg
from pyshell.lio.settings import read

_SIMULATED = "192.168.56.101"
"""The simulated host's address if its folder has no /proc/net: that of the walk-through."""
SECRET, TARGET_SECRET = "CHAP_SECRET", "TARGET_CHAP_SECRET"


@dataclass(frozen=True)
class Credentials:
    """CHAP names and secrets; the second pair, the target's own, may be empty."""

    userid: str
    password: str
    mutual_userid: str = ""
    mutual_password: str = ""


@dataclass(frozen=True)
class Disk:
    """A disk as the initiator sees it, under its own `lun`; `size` in bytes."""

    lun: int
    name: str
    path: str
    size: int | None
    naa: str | None
    """Hexadecimal digits, None if the device reports its own identification."""
    read_only: bool
    others: tuple[str, ...]
    """Other initiators that have it, too; none if nobody can write to it."""

    @property
    def about(self) -> str:
        """A sentence: `LUN 0 is /backstores/block/disk1, 10.0GiB.`"""
        size = f", {names.size_text(self.size)}" if self.size else ""
        return f"LUN {self.lun} is {self.path}{size}."


@dataclass(frozen=True)
class Way:
    """How an initiator reaches a target. `initiator` is "" if any may log in."""

    target: str
    initiator: str
    portals: tuple[tuple[str, int], ...]
    disks: tuple[Disk, ...]
    chap: Credentials | None
    discovery: Credentials | None

    @property
    def addresses(self) -> list[str]:
        """Return the portals as they are typed: `192.0.2.1:3260`, `[2001:db8::1]:3260`."""
        return [f"{names.bracketed(address)}:{port}" for address, port in self.portals]

    @property
    def several(self) -> bool:
        """Whether there are several paths to each disk."""
        return len(self.portals) > 1


def way(lio: Lio, target: Target, initiator: str | None, *, secrets: bool) -> Way:
    """Return how an initiator, by default the only one, reaches a target. Raises PyshellError."""
    tpgs = listing.tpgs(target)
    if not tpgs:
        raise NotFoundError(f"{target} has no TPG: nobody can log in.")
    tpg, acl = _let_in(lio, tpgs, initiator)
    return Way(
        target.wwn,
        acl.wwn if acl else "",
        _portals(lio, tpg),
        _disks(lio, tpg, acl),
        _chap(lio, tpg, acl, secrets=secrets),
        _discovery(lio, target, secrets=secrets),
    )


def without_twins(way: Way) -> tuple[Way, tuple[str, ...]]:
    """Return it without disks that share an id, and lines about those.

    Formatting or mounting one of them may affect the other.
    """
    by_id: dict[str, list[Disk]] = {}
    for disk in way.disks:
        by_id.setdefault(disk.naa or disk.path, []).append(disk)
    twins = [disks for disks in by_id.values() if len(disks) > 1]
    told = tuple(
        f"LUNs {' and '.join(str(disk.lun) for disk in disks)} have one id, {disks[0].naa}: that"
        " host takes them for one disk. They are omitted; 'doctor' shows the fix."
        for disks in twins
    )
    left = tuple(disk for disk in way.disks if not any(disk in disks for disks in twins))
    return replace(way, disks=left), told


def by_own_addresses(lio: Lio, way: Way) -> tuple[Way, list[str]]:
    """Return it without portals at addresses that this host does not have, and those addresses.

    If there are no other portals, they are kept.
    """
    mine = procnet.addresses(lio.machine)
    if mine is None:
        return way, []
    left = tuple(portal for portal in way.portals if procnet.spelt(portal[0]) in mine)
    gone = [portal[0] for portal in way.portals if portal not in left]
    return replace(way, portals=left or way.portals), gone


def _let_in(lio: Lio, tpgs: Sequence[Tpg], initiator: str | None) -> tuple[Tpg, NodeAcl | None]:
    """Return the TPG that an initiator may log in to, and its ACL, None if it needs none."""
    acls = [acl for tpg in tpgs for acl in listing.node_acls(tpg)]
    wanted = fabric("iscsi").normalise(initiator).wwn if initiator else None
    chosen = [acl for acl in acls if wanted in (None, acl.wwn)]
    if chosen and (wanted is not None or len(chosen) == 1):
        return chosen[0].tpg, chosen[0]
    if wanted is None and chosen:
        raise UsageError(
            f"For which of {len(chosen)} initiators? {', '.join(a.wwn for a in chosen)}.",
            f"Run 'guide {tpgs[0].target.wwn} INITIATOR'.",
        )
    for tpg in tpgs:
        if is_on(lio.kernel, f"{tpg.folder}/attrib/generate_node_acls"):
            return tpg, None
    whom = wanted or "anybody"
    raise NotFoundError(
        f"{tpgs[0].target} does not admit {whom}.",
        f"'{tpgs[0].path}/acls create NAME' does, 'share' with the disk.",
    )


def _portals(lio: Lio, tpg: Tpg) -> tuple[tuple[str, int], ...]:
    """Return the portals of a TPG; for one on all addresses, the host's first address."""
    found: dict[tuple[str, int], None] = {}
    for portal in listing.portals(tpg):
        address = portal.address
        if listing.is_wildcard(address):
            mine = own_addresses(lio)
            if not mine:
                raise NotFoundError(
                    f"{portal} is on all addresses, and this host has none for others.",
                    "Create a portal on the address that initiators reach.",
                )
            address = mine[0]
        found[address, portal.port] = None
    if not found:
        raise NotFoundError(
            f"{tpg} listens nowhere: it has no portal.", f"'{tpg.path}/portals create' creates one."
        )
    return tuple(found)


def own_addresses(lio: Lio) -> list[str]:
    """Return the addresses by which others reach this host, IPv4 first."""
    found = procnet.addresses(lio.machine)
    if found is None and lio.simulated is not None:
        return [_SIMULATED]
    every = [ipaddress.ip_address(address) for address in found or ()]
    outward = [one for one in every if not (one.is_loopback or one.is_link_local)]
    return [str(one) for one in sorted(outward, key=lambda one: (one.version, int(one)))]


def _disks(lio: Lio, tpg: Tpg, acl: NodeAcl | None) -> tuple[Disk, ...]:
    seen: list[tuple[int, Lun, bool]] = []
    if acl is None:
        protected = is_on(lio.kernel, f"{tpg.folder}/attrib/demo_mode_write_protect")
        seen = [(lun.index, lun, protected) for lun in listing.luns(tpg)]
    else:
        for mapped in listing.mapped_luns(acl):
            lun = listing.lun_of(mapped)
            if lun is not None:
                seen.append(
                    (mapped.index, lun, is_on(lio.kernel, f"{mapped.folder}/write_protect"))
                )
    made = (_disk(lio, index, lun, acl, protected) for index, lun, protected in seen)
    return tuple(disk for disk in made if disk is not None)


def _disk(lio: Lio, index: int, lun: Lun, acl: NodeAcl | None, protected: bool) -> Disk | None:
    exported = listing.storage_object_of(lun)
    if exported is None:
        return None
    found = storage_info.describe(lio, exported)
    naa = storage_info.naa(lio.kernel, exported)
    others = [m for m in listing.mappings_of(lun) if m.acl != acl]
    written = not protected or any(
        not is_on(lio.kernel, f"{m.folder}/write_protect") for m in others
    )
    return Disk(
        index,
        exported.name,
        exported.path,
        found.size,
        naa.removeprefix("naa.") if naa else None,
        protected or found.read_only,
        tuple(m.acl.wwn for m in others if written and not found.read_only),
    )


def _chap(lio: Lio, tpg: Tpg, acl: NodeAcl | None, *, secrets: bool) -> Credentials | None:
    if not is_on(lio.kernel, f"{tpg.folder}/attrib/authentication"):
        return None
    return _credentials(lio, (acl or tpg).folder, "auth", secrets=secrets)


def _discovery(lio: Lio, target: Target, *, secrets: bool) -> Credentials | None:
    folder = target.fabric.folder
    if not is_on(lio.kernel, f"{folder}/discovery_auth/enforce_discovery_auth"):
        return None
    return _credentials(lio, folder, "discovery_auth", secrets=secrets)


def _credentials(lio: Lio, folder: str, group: str, *, secrets: bool) -> Credentials:
    """Return names and secrets; placeholders for the secrets unless `secrets`."""
    files = ("userid", "password", "userid_mutual", "password_mutual")
    userid, password, mutual_userid, mutual = (
        read(lio.kernel, folder, f"{group}/{file}") for file in files
    )
    if not secrets:
        password, mutual = SECRET, TARGET_SECRET if mutual else ""
    return Credentials(userid, password, mutual_userid, mutual)


@dataclass(frozen=True)
class Step:
    """One step with its commands; `about` are lines that explain it."""

    about: tuple[str, ...]
    lines: tuple[str, ...]


def step(about: str | Sequence[str], *lines: str) -> Step:
    """Return a step."""
    return Step((about,) if isinstance(about, str) else tuple(about), lines)
