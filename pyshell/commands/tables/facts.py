# SPDX-License-Identifier: Apache-2.0
"""What the columns of `list` need, each read once, and only if a column asks for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from functools import cached_property

from pyshell.config.store import utc
from pyshell.host import BlockDevice
from pyshell.lio import Lio, listing, sessions, storage_info
from pyshell.lio.configfs import text_or_none
from pyshell.lio.identifiers import Lun, MappedLun, NodeAcl, StorageObject, Tpg
from pyshell.lio.sessions import Session
from pyshell.lio.storage_info import StorageInfo


class Facts:
    """Facts about a target, kept for the rows of one list."""

    def __init__(self, lio: Lio) -> None:
        self.lio = lio
        self._exported: dict[Lun, StorageObject | None] = {}
        self._info: dict[StorageObject, StorageInfo] = {}
        self._mapped: dict[Tpg, Counter[int]] = {}
        self._luns: dict[MappedLun, Lun | None] = {}
        self._sessions: dict[Tpg, list[Session]] = {}

    def flag(self, file: str) -> bool | None:
        """Return whether a setting is on, None if there is no such file."""
        text = text_or_none(self.lio.kernel, file)
        return None if text is None else text == "1"

    def exported(self, lun: Lun | None) -> StorageObject | None:
        """Return what a LUN exports."""
        if lun is None:
            return None
        if lun not in self._exported:
            self._exported[lun] = listing.storage_object_of(lun)
        return self._exported[lun]

    def info(self, place: StorageObject | None) -> StorageInfo | None:
        """Return what the kernel reports about a storage object."""
        if place is None:
            return None
        if place not in self._info:
            self._info[place] = storage_info.describe(self.lio, place)
        return self._info[place]

    def lun_of(self, mapped: MappedLun) -> Lun | None:
        """Return the LUN of a mapped LUN."""
        if mapped not in self._luns:
            self._luns[mapped] = listing.lun_of(mapped)
        return self._luns[mapped]

    def mappings(self, lun: Lun) -> int:
        """Return how many ACLs map a LUN: one pass over the links of its TPG."""
        if lun.tpg not in self._mapped:
            every = (m for acl in listing.node_acls(lun.tpg) for m in listing.mapped_luns(acl))
            found = (self.lun_of(mapped) for mapped in every)
            self._mapped[lun.tpg] = Counter(one.index for one in found if one is not None)
        return self._mapped[lun.tpg][lun.index]

    @cached_property
    def exports(self) -> Counter[str]:
        """How many LUNs export a storage object, by its folder: one pass over all links."""
        every = (lun for tpg in listing.all_tpgs(self.lio) for lun in listing.luns(tpg))
        found = map(self.exported, every)
        return Counter(place.folder for place in found if place is not None)

    def sessions(self, tpg: Tpg) -> list[Session]:
        """Return the sessions of a TPG."""
        if tpg not in self._sessions:
            self._sessions[tpg] = list(sessions.of_tpg(self.lio, tpg))
        return self._sessions[tpg]

    def is_logged_in(self, acl: NodeAcl) -> bool:
        """Return whether the initiator of an ACL is logged in."""
        return sessions.of_acl(self.lio, acl) is not None

    @cached_property
    def all_sessions(self) -> Sequence[Session]:
        """All sessions, those of nexuses too, without what only `tracing` finds."""
        logged_in = (one for tpg in listing.all_tpgs(self.lio) for one in self.sessions(tpg))
        return [*logged_in, *sessions.nexuses(self.lio)]

    @cached_property
    def _traced(self) -> Mapping[int, Session]:
        found = sessions.traced(self.lio, self.all_sessions)
        return {id(one): traced for one, traced in zip(self.all_sessions, found, strict=True)}

    def address(self, session: Session) -> str | None:
        """Return where a session comes from, None if unknown."""
        known = next((c.address for c in session.connections if c.address), "")
        return known or self._traced[id(session)].origin or None

    def since(self, session: Session) -> str | None:
        """Return when a session began, None if unknown."""
        since = self._traced[id(session)].since
        return None if since is None else utc(datetime.fromtimestamp(since, timezone.utc))

    @cached_property
    def disks(self) -> Sequence[BlockDevice]:
        """The block devices of the host, each by its first path."""
        found: dict[str, BlockDevice] = {}
        for path in self.lio.machine.block_devices("/dev/"):
            device = self.lio.machine.block_device(path)
            if device is not None:
                found.setdefault(device.name, device)
        return sorted(found.values(), key=lambda device: listing.natural(device.path))

    @cached_property
    def _users(self) -> Mapping[str, str]:
        """The paths of the storage objects that use block devices, by the devices' names."""
        return dict(self._used_devices())

    def _used_devices(self) -> Iterator[tuple[str, str]]:
        for place in listing.storage_objects(self.lio):
            path = text_or_none(self.lio.kernel, f"{place.folder}/udev_path")
            device = self.lio.machine.block_device(path) if path else None
            if device is not None:
                yield device.name, place.path

    def used_by(self, device: BlockDevice) -> str | None:
        """Return the storage object or the part of the host that uses a disk, None if none does."""
        return self._users.get(device.name) or device.holder or None
