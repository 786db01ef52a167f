# SPDX-License-Identifier: Apache-2.0
"""Targets under cluster control: those that documents in the folder `cluster` define.

A cluster decides on which host such a target runs. So it is never saved to the file that is
restored at boot, nor created or deleted by what restores or prunes that file: two hosts would
export the same disk.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pyshell.config import document_file, parts
from pyshell.config.document import Document, located, target_path
from pyshell.config.model import Items
from pyshell.config.store import CLUSTER_FOLDER
from pyshell.errors import PyshellError, os_errors
from pyshell.lio.configfs import is_below, is_below_any
from pyshell.lio.identifiers import Lun, normal_path, storage_object_path

FOLDER = CLUSTER_FOLDER
"""Folder of the documents, beside the boot file. Nobody need have it."""
ENDING = ".json"


@dataclass(frozen=True)
class Clustered:
    """What is under cluster control. Objects are named by their paths in the tree."""

    targets: Mapping[str, Path] = field(default_factory=dict)
    """Targets, and the files that define them."""
    storage: Mapping[str, Path] = field(default_factory=dict)
    """Their storage objects, and the same."""
    unread: Mapping[Path, PyshellError] = field(default_factory=dict)
    """Files that cannot be read, or the folder, and why."""

    def without(self, document: Document) -> tuple[Document, list[str]]:
        """Return a document without these targets, their storage objects, and other LUNs of these.

        A storage object that only these targets export is omitted, too. The second result has the
        paths of what is omitted: targets, then storage objects, then LUNs of other targets.
        """
        if not self.targets:
            return document, []
        found = parts.without_targets(document, self.targets, self.storage)
        kept = set(self._owners(found))
        return found, [path for path in self._owners(document) if path not in kept]

    def _owners(self, document: Document) -> list[str]:
        """Return the paths of the targets of a document, then of storage objects and other LUNs."""
        found: dict[str, list[str]] = {"targets": [], "storage_objects": [], "luns": []}
        for one in located(document):
            if one.kind in found and not (
                one.kind == "luns" and is_below_any(one.path, self.targets)
            ):
                found[one.kind].append(one.path)
        return [path for paths in found.values() for path in paths]

    def others(self, found: Items) -> Items:
        """Return the objects of a configuration that `without` keeps."""
        if not self.targets:
            return found
        luns = [item for item in found.values() if isinstance(item.place, Lun)]
        own = {link for lun in luns if is_below_any(lun.path, self.targets) for link in lun.links}
        shared = self.shared_items(found).keys()
        other = [lun for lun in luns if lun.path not in shared]
        kept = {k for lun in other if not is_below_any(lun.path, self.targets) for k in lun.links}
        roots = {*self.targets, *(own.union(self.storage) - kept), *shared}
        return {
            path: item
            for path, item in found.items()
            if not is_below_any(path, roots) and shared.isdisjoint(item.links)
        }

    def shared(self, document: Document) -> dict[str, str]:
        """Return the LUNs of other targets that export these storage objects, with their paths."""
        luns = [one for one in located(document) if one.kind == "luns"] if self.storage else []
        return self._shared((one.path, normal_path(one.entry["storage_object"])) for one in luns)

    def shared_items(self, found: Items) -> dict[str, str]:
        """Return the same of a configuration's objects."""
        luns = [item for item in found.values() if isinstance(item.place, Lun)]
        return self._shared((lun.path, link) for lun in luns for link in lun.links)

    def _shared(self, luns: Iterable[tuple[str, str]]) -> dict[str, str]:
        return {
            path: link
            for path, link in luns
            if link in self.storage and not is_below_any(path, self.targets)
        }

    def except_for(self, wanted: Items) -> Clustered:
        """Return this without the objects that a configuration itself has or exports."""
        named = {*wanted, *(link for item in wanted.values() for link in item.links)}
        return replace(
            self,
            targets={path: file for path, file in self.targets.items() if path not in named},
            storage={path: file for path, file in self.storage.items() if path not in named},
        )

    def outside(self, file: Path, document: Document) -> Clustered:
        """Return this without what a document may create: the targets that its own file defines."""
        own = os.path.realpath(file)
        elsewhere = {t: one for t, one in self.targets.items() if os.path.realpath(one) != own}
        if len(elsewhere) == len(self.targets):
            return self
        ours = [one for one in document.get("targets", ()) if target_path(one) not in elsewhere]
        links = {link for one in ours for link in parts.exported(one)}
        storage = {path: one for path, one in self.storage.items() if path not in links}
        return replace(self, targets=elsewhere, storage=storage)

    def notes(self, paths: Collection[str], what: str) -> Iterator[str]:
        """Yield a sentence for each target among `paths`."""
        for path, file in self.targets.items():
            if path in paths:
                yield f"{path} is under cluster control ({file}): {what}."

    def changed(self, paths: Iterable[str]) -> Iterator[tuple[str, Path]]:
        """Yield these targets and storage objects that are at or above paths, with their files."""
        known = {**self.targets, **self.storage}
        below = list(paths) if known else []
        yield from (
            (root, file)
            for root, file in known.items()
            if any(is_below(path, root) for path in below)
        )

    def shared_notes(self, luns: Mapping[str, str], what: str) -> Iterator[str]:
        """Yield a sentence for each LUN of another target, with its storage object."""
        for path, link in luns.items():
            about = f"{link}, which is under cluster control ({self.storage[link]})"
            yield f"{path} exports {about}: {what}."

    def unread_notes(self) -> Iterator[str]:
        """Yield a sentence for each file that cannot be read."""
        for one, why in self.unread.items():
            message = why.message.rstrip(".")
            yield f"Targets under cluster control in {one} are not known: {message}."


def read(config_dir: Path) -> Clustered:
    """Return what is under cluster control by the documents beside a boot file.

    A document that other users can write counts, too: to leave a target to the cluster is safer
    than a second export of its disks. Nothing is raised: see `Clustered.unread`.
    """
    targets: dict[str, Path] = {}
    storage: dict[str, Path] = {}
    unread: dict[Path, PyshellError] = {}
    documents: list[Path] = []
    try:
        documents = files(config_dir)
    except PyshellError as error:
        unread[config_dir / FOLDER] = error
    for file in documents:
        try:
            found = _known(file)
        except PyshellError as error:
            unread[file] = error
            continue
        for path in found.targets:
            targets.setdefault(path, file)
        for path in found.storage:
            storage.setdefault(path, file)
    return Clustered(targets, storage, unread)


@dataclass(frozen=True)
class _Known:
    """What one document puts under cluster control."""

    targets: tuple[str, ...]
    storage: tuple[str, ...]


def _known(file: Path) -> _Known:
    """Return what a document has, which is not parsed again before the file changes.

    Raises PyshellError.
    """
    try:
        status = os.stat(file)
    except OSError:
        return _parsed(file, None)  # its error says why
    return _parsed(file, (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))


@functools.lru_cache(maxsize=64)
def _parsed(file: Path, _version: tuple[int, ...] | None) -> _Known:
    document = document_file.load(file)
    exported = [path for one in document.get("targets", ()) for path in parts.exported(one)]
    entries = document.get("storage_objects", ())
    named = [storage_object_path(entry["plugin"], entry["name"]) for entry in entries]
    paths = map(target_path, document.get("targets", ()))
    return _Known(tuple(paths), (*exported, *named))


def files(config_dir: Path) -> list[Path]:
    """Return the documents of targets under cluster control. Raises PyshellError."""
    folder = config_dir / FOLDER
    if not os.path.isdir(folder):
        return []
    with os_errors(f"list {folder}", path=str(folder)):
        names = sorted(os.listdir(folder))
    return [folder / name for name in names if name.endswith(ENDING) and name[0] != "."]


def misnamed(config_dir: Path) -> list[Path]:
    """Return the files beside the documents that are none, as their ending is another one."""
    folder = config_dir / FOLDER
    if not os.path.isdir(folder):
        return []
    with os_errors(f"list {folder}", path=str(folder)):
        found = sorted(one.name for one in os.scandir(folder) if not one.is_dir())
    return [folder / name for name in found if not name.endswith(ENDING) and name[0] != "."]
