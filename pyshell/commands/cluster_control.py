# SPDX-License-Identifier: Apache-2.0
"""What commands leave to a cluster, with a note on each target, and what they refuse."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pyshell.config import document_file
from pyshell.config.document import Document, is_target, target_path
from pyshell.config.model import Items
from pyshell.config.store import clustered
from pyshell.config.store.clustered import Clustered
from pyshell.errors import ConflictError, PyshellError, UsageError
from pyshell.lio import operations
from pyshell.tree.node import Context

if TYPE_CHECKING:
    from pyshell.lio.operations.base import Operation

OWN_SOURCES = ("cluster", "boot")
"""Sources of changes that are the cluster's own, or cannot ask it."""


def to_save(context: Context, document: Document) -> Document:
    """Return a document for the boot file: without targets under cluster control."""
    ours = clustered.read(context.lio.config_dir)
    return _without(context, ours, document, "it is not saved to be restored at boot")[0]


def refuse_unread(context: Context, *, force: bool) -> None:
    """Refuse to save to the boot file while a cluster's document cannot be read.

    Its target would be restored at boot. With `force`, it is only noted. Raises ConflictError.
    """
    ours = clustered.read(context.lio.config_dir)
    if force:
        for note in ours.unread_notes():
            context.note(note)
        return
    for why in ours.unread.values():
        raise ConflictError(
            "Not saved, as it is not known which targets are under cluster control:"
            f" {why.message.rstrip('.')}.",
            "Repair the document, or move it to another folder. 'saveconfig force=true' saves all"
            " other targets, to be restored at boot.",
            unchanged=True,
        )


def refuse_overwriting(
    context: Context,
    path: Path,
    target: str | None,
    *,
    force: bool = False,
    without: str = "all targets",
) -> None:
    """Refuse to save all targets as a cluster's document, or one target over that of another.

    `without` is what is saved without `target`, `force` allows to overwrite a document. Raises
    UsageError or ConflictError.
    """
    folder = context.lio.config_dir / clustered.FOLDER
    if os.path.dirname(os.path.realpath(path)) != os.path.realpath(folder):
        return
    if target is None:
        raise UsageError(
            f"{path} would put {without} under cluster control.",
            "Save one with 'saveconfig FILE target=WWN', or give a file in another folder.",
        )
    try:
        known = document_file.load(path).get("targets", [])
    except PyshellError:
        return  # it does not exist, or is damaged and replaced
    others = [target_path(one) for one in known if not is_target(one, target)]
    if others and not force:
        raise ConflictError(
            f"{path} is the document of {others[0]}.",
            "Give another file, or force=true to overwrite it.",
            unchanged=True,
        )


def to_restore(
    context: Context, document: Document, file: Path | None = None
) -> tuple[Document, list[str]]:
    """Return a saved configuration without targets under cluster control.

    Those that its `file` puts under cluster control stay. The second result has the paths of what
    is left to the cluster.
    """
    ours = clustered.read(context.lio.config_dir)
    if file is not None:
        ours = ours.outside(file, document)
    found = _without(context, ours, document, "it is left to the cluster")
    for note in ours.unread_notes():
        context.note(note)
    return found


def _without(
    context: Context, ours: Clustered, document: Document, what: str
) -> tuple[Document, list[str]]:
    found, left = ours.without(document)
    shared = ours.shared(document) if left else {}
    for note in (*ours.notes(left, what), *ours.shared_notes(shared, what)):
        context.note(note)
    return found, left


def beside(
    context: Context, running: Items, wanted: Items, noted: Sequence[str] | None = None
) -> Items:
    """Return the running objects that a configuration can delete: not those of a cluster.

    What the configuration itself has is included. `noted` are the paths that `to_restore` noted.
    """
    ours = clustered.read(context.lio.config_dir).except_for(wanted)
    found = ours.others(running)
    stay = running.keys() - found.keys() - set(noted or ())
    shared = ours.shared_items({path: running[path] for path in stay})
    unread = ours.unread_notes() if noted is None else ()
    what = "it is left alone"
    for note in (*ours.notes(stay, what), *ours.shared_notes(shared, what), *unread):
        context.note(note)
    return found


def any_known(context: Context) -> bool:
    """Return whether there are documents of targets under cluster control, also unreadable ones."""
    ours = clustered.read(context.lio.config_dir)
    return bool(ours.targets or ours.unread)


def refused(context: Context, path: str) -> ConflictError:
    """Return the error for a target or storage object that is to be restored by its name."""
    return ConflictError(
        f"{path} is under cluster control: it is not restored from a saved configuration.",
        "The cluster starts it. To start it yourself, apply its own file in"
        f" {context.lio.config_dir / clustered.FOLDER}.",
        unchanged=True,
    )


def note_change(context: Context, made: Iterable[Operation]) -> None:
    """Note that the documents of objects that operations change should be changed instead."""
    if context.compat or context.way in OWN_SOURCES:
        return
    ours = clustered.read(context.lio.config_dir)
    paths = (path_of(one) for one in operations.base.flat(made))
    for root, file in ours.changed(path for path in paths if path):
        context.note(
            f"{root} is under cluster control ({file}): the cluster does not keep this change."
            " Change that file on all hosts, then the resource's checksum ('help clusters')."
        )


def path_of(operation: Operation) -> str:
    """Return the path of the object that an operation changes, "" if it has none."""
    place = getattr(operation, "place", None) or getattr(operation, "tpg", None)
    return str(getattr(place, "path", ""))


def refuse_change(context: Context, paths: Sequence[str]) -> None:
    """Raise ConflictError if an object at one of the paths belongs to what a cluster starts.

    The cluster would start it with its old name or device, on the next host at the latest.
    """
    ours = clustered.read(context.lio.config_dir)
    for root, file in ours.changed(paths):
        raise ConflictError(
            f"{root} is under cluster control ({file}).",
            "Let the cluster stop it, change this file on all hosts, and let it start it again.",
            unchanged=True,
        )
