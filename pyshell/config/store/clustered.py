# SPDX-License-Identifier: Apache-2.0
"""Targets under cluster control: those that documents in the folder `cluster` define.

A cluster decides on which host such a target runs. So it is never saved to the file that is
restored at boot, nor created or deleted by what restores or prunes that file: two hosts would
export the same disk.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pyshell.config import document_file, parts
from pyshell.config.document import Document, located, target_path
from pyshell.config.model import Items
from pyshell.errors import PyshellError, os_errors
from pyshell.lio.configfs import is_below
from pyshell.lio.identifiers import Lun, storage_object_path

FOLDER = "cluster"
"""Folder of the documents, beside the boot file. Nobody need have it."""
_ENDING = ".json"


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
        """Return a document without these targets and the storage objects that only they export.

        The second result has the paths of what is omitted: targets, then storage objects.
        """
        if not self.targets:
            return document, []
        found = parts.without_targets(document, self.targets, self.storage)
        kept = set(_owners(found))
        return found, [path for path in _owners(document) if path not in kept]

    def others(self, found: Items) -> Items:
        """Return the objects of a configuration that `without` keeps."""
        if not self.targets:
            return found
        luns = [item for item in found.values() if isinstance(item.place, Lun)]
        kept = {link for lun in luns if not _is_any(lun.path, self.targets) for link in lun.links}
        own = {link for lun in luns if _is_any(lun.path, self.targets) for link in lun.links}
        roots = {*self.targets, *(own.union(self.storage) - kept)}
        return {path: item for path, item in found.items() if not _is_any(path, roots)}

    def except_for(self, wanted: Items) -> Clustered:
        """Return this without the objects that a configuration itself has or exports."""
        named = {*wanted, *(link for item in wanted.values() for link in item.links)}
        return replace(
            self,
            targets={path: file for path, file in self.targets.items() if path not in named},
            storage={path: file for path, file in self.storage.items() if path not in named},
        )

    def notes(self, paths: Collection[str], what: str) -> Iterator[str]:
        """Yield a sentence for each target among `paths`."""
        for path, file in self.targets.items():
            if path in paths:
                yield f"{path} is under cluster control ({file}): {what}."

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
            document = document_file.load(file)
        except PyshellError as error:
            unread[file] = error
            continue
        for target in document.get("targets", ()):
            targets.setdefault(target_path(target), file)
            for path in parts.exported(target):
                storage.setdefault(path, file)
        for entry in document.get("storage_objects", ()):
            storage.setdefault(storage_object_path(entry["plugin"], entry["name"]), file)
    return Clustered(targets, storage, unread)


def files(config_dir: Path) -> list[Path]:
    """Return the documents of targets under cluster control. Raises PyshellError."""
    folder = config_dir / FOLDER
    if not os.path.isdir(folder):
        return []
    with os_errors(f"list {folder}", path=str(folder)):
        names = sorted(os.listdir(folder))
    return [folder / name for name in names if name.endswith(_ENDING) and name[0] != "."]


def _owners(document: Document) -> list[str]:
    """Return the paths of the targets of a document, then those of its storage objects."""
    found: dict[str, list[str]] = {"targets": [], "storage_objects": []}
    for one in located(document):
        if one.kind in found:
            found[one.kind].append(one.path)
    return [*found["targets"], *found["storage_objects"]]


def _is_any(path: str, roots: Iterable[str]) -> bool:
    return any(is_below(path, root) for root in roots)
