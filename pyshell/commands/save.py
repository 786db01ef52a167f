# SPDX-License-Identifier: Apache-2.0
"""`saveconfig` and `revisions`: save the configuration, and show what was saved."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

from pyshell.commands import cluster_control
from pyshell.config import document_file, references, store
from pyshell.config.document import Document, holds_secrets, is_empty, object_paths, without_secrets
from pyshell.config.document_file import load_trusted, to_text
from pyshell.config.parts import carried, of_target, with_storage_object
from pyshell.config.running import read_running
from pyshell.config.stable import stable
from pyshell.config.store import clustered, losses
from pyshell.config.store import revisions as history
from pyshell.config.store.boot_file import BootFile
from pyshell.config.store.losses import highest, tree_paths
from pyshell.config.store.revisions import Policy, Revision
from pyshell.errors import (
    ConflictError,
    NotFoundError,
    NotPermittedError,
    PyshellError,
    UsageError,
)
from pyshell.files import writing
from pyshell.files.paths import UntrustedError
from pyshell.lio import Lio, listing
from pyshell.lio.configfs import is_below_any
from pyshell.names import MASK
from pyshell.text import aligned, listed
from pyshell.tree.command import FILE, PATHS, REVISION, TARGET, choice, command
from pyshell.tree.node import Context, Node
from pyshell.tree.results import Lines, Result, Table, Work

_SHOWN = 20
"""How many objects an error names."""


@command(
    changes=True,
    examples=(
        "saveconfig",
        "saveconfig comment='before the move'",
        "saveconfig /root/one.json target=iqn.2020-07.com.example:disks",
    ),
    in_candidate="refused",
)
def saveconfig(
    node: Node,
    savefile: Annotated[
        str | None, FILE, "File to write; - for standard output. Default: the boot file."
    ] = None,
    *,
    force: Annotated[
        bool,
        "Overwrite changes by other programs, and drop from the file the objects that could not be"
        " restored; they are named. Also save if a document in /etc/target/cluster cannot be read.",
    ] = False,
    without: Annotated[
        Sequence[str] | None, PATHS, "Objects to drop: paths separated by commas."
    ] = None,
    comment: Annotated[str | None, "Comment for the revision, shown by 'revisions'."] = None,
    target: Annotated[
        str | None,
        TARGET,
        "Save only the target with this WWN, and its storage objects. Needs savefile, which is"
        " replaced; the boot file is refused.",
    ] = None,
    secret_files: Annotated[
        str | None,
        FILE,
        "Write each CHAP secret to a file in this folder; the saved file refers to it.",
    ] = None,
    omit_secrets: Annotated[
        bool, "Save without CHAP secrets, for 'apply FILE keep_omitted=true'."
    ] = False,
) -> Result:
    """Save the running configuration, to be restored at boot.

    The previous content of the file is kept as a revision. Without force=true, a save does not
    overwrite changes by other programs, and keeps objects that the last restore could not restore.

    With target=, the same configuration gives the same file on every host, whatever the order in
    which it was created. What depends on a host's devices is omitted: limits that are those of the
    device, and the size of a device.

    Targets under cluster control, which files in /etc/target/cluster define, are not saved to the
    boot file. A file there needs target=, and is not overwritten with another target.
    """
    if savefile == "-":
        if secret_files is not None:
            raise UsageError("secret_files= needs a file to write to.", "Give its name.")
        return _printed(node, target, omit_secrets=omit_secrets)
    path = file_of(node.lio, savefile)
    writing.require_writable(path)
    cluster_control.refuse_overwriting(node.context, path, target, force=force)
    document = read_to_save(node.context)
    if target is not None:
        document = _part(node, document, target, path)
    secrets: dict[Path, str] = {}
    if secret_files is not None or omit_secrets:
        document, secrets = _without_secrets(node, document, path, secret_files)
        if secret_files is not None and omit_secrets:
            raise UsageError("secret_files= and omit_secrets=true exclude each other.")
    saving = FileSaving(node.context, path, document, comment)
    notes = saving.carry_over(force=force, without=without or ())
    if not (force or node.context.compat):
        _refuse_to_empty(node, saving.document, path)
    notes += saving.judge(force=force, without=without or ())

    def run() -> Lines:
        for file, secret in secrets.items():
            writing.make_folder(file.parent)
            writing.replace(file, f"{secret}\n".encode())
        said = saving.save(notes)
        if secrets:
            folder = next(iter(secrets)).parent
            said.append(f"{len(secrets)} CHAP secrets are in files in {folder}.")
        return Lines([*said, f"Configuration saved to {path}"])

    effect: Literal["saved"] | None = "saved" if path == store.default_file(node.lio) else None
    return Work(
        [f"Configuration would be saved to {path}"],
        run,
        effect,
        lambda: _must_be_writable(path.parent, to_make=store.default_file(node.lio).parent),
        revisions=saving.revisions,
    )


def _without_secrets(
    node: Node, document: Document, path: Path, folder: str | None
) -> tuple[Document, dict[Path, str]]:
    if folder is not None:
        return references.moved_out(document, Path(os.path.abspath(os.path.expanduser(folder))))
    if is_boot_file(node.lio, path):
        raise UsageError(
            f"{path} is restored at boot: without its secrets no initiator could log in.",
            "Give another file: saveconfig FILE omit_secrets=true.",
        )
    return references.omitted(document), {}


def _printed(node: Node, target: str | None, *, omit_secrets: bool) -> Lines:
    """Return the running configuration as text; without its secrets for a terminal."""
    document = read_to_save(node.context)
    if target is not None:
        document = _of_target(node, document, target)
    if omit_secrets:
        document = references.omitted(document)
    if node.context.is_shown and holds_secrets(document):
        document = without_secrets(document, MASK)
        node.context.note("CHAP secrets are masked: a pipe or file gets them.")
    return Lines(to_text(document).splitlines(), document)


def _part(node: Node, document: Document, wwn: str, path: Path) -> Document:
    if is_boot_file(node.lio, path):
        raise UsageError(
            f"{path} is restored at boot, and would hold one target alone.",
            "Give another file: saveconfig FILE target=WWN.",
        )
    return _of_target(node, document, wwn)


def _of_target(node: Node, document: Document, wwn: str) -> Document:
    found = of_target(document, wwn)
    if not found.get("targets"):
        raise NotFoundError(f"No such target: {wwn}.", "Run 'ls' to list targets.")
    return stable(node.lio, found)


def _refuse_to_empty(node: Node, document: Document, path: Path) -> None:
    """Refuse to replace a configuration by an empty one, unless commands deleted all of it."""
    if not is_empty(document) or not path.exists() or is_empty(document_file.load(path)):
        return
    if is_boot_file(node.lio, path) and not lost_by_saving(node):
        return
    what = "The running configuration is"
    if not listing.is_empty(node.lio):
        what = "Apart from targets under cluster control, the running configuration is"
    raise PyshellError(
        f"{what} empty and {path} is not: it was left as it is.",
        "restoreconfig restores it; saveconfig force=true replaces it.",
    )


def save_on_leaving(node: Node) -> tuple[list[str], Sequence[int]]:
    """Save to the boot file, and return what to report and which revisions it kept.

    Raises PyshellError if saved objects, or a change by another program, would be lost.
    """
    path = store.default_file(node.lio)
    lost = lost_by_saving(node)
    if lost:
        first = highest(lost)
        raise PyshellError(
            f"Not saved: {path} holds {listed(first, _SHOWN)}, which is not running.",
            "saveconfig saves without it, restoreconfig restores it.",
        )
    saving = FileSaving(node.context, path, read_to_save(node.context))
    notes = [*saving.carry_over(), *saving.judge()]
    return [*saving.save(notes), f"Configuration saved to {path}"], saving.revisions


def lost_by_saving(node: Node) -> list[str]:
    """Return the saved objects that are not running and that no command deleted."""
    path = store.default_file(node.lio)
    if not path.exists():
        return []
    saved, _ = clustered.read(node.lio.config_dir).without(document_file.load(path))
    before = object_paths(saved)
    removed = node.context.removed_paths() | store.removed(node.lio.run_dir)
    removed |= set(boot_file(node.context).missing_of(path))
    lost = before - losses.running_paths(node.lio)
    return sorted(p for p in lost if not is_below_any(p, removed))


@command(examples=("revisions", "revisions show 3", "revisions show saved"), in_candidate="running")
def revisions(
    node: Node,
    action: Annotated[
        str | None, choice("list", "show"), "list, or show with the name of a revision."
    ] = None,
    revision: Annotated[
        str | None, REVISION, "A number, 'saved', or the name of a backup of targetcli."
    ] = None,
    *,
    show_secrets: Annotated[
        bool, "Include the CHAP secrets, with those in files that it refers to."
    ] = False,
) -> Result:
    """List earlier saved configurations, or show the content of one.

    The time in the name of a targetcli backup is when the backup was made; the column 'saved at'
    is when the saved content was written.
    """
    folder = node.lio.config_dir
    about = boot_file(node.context).about()
    if action in (None, "list"):
        if revision is not None:
            raise UsageError("'revisions list' takes no revision.", "Write revisions show.")
        found = history.listed(folder, about)
        return _revision_table(found)
    if revision is None:
        raise UsageError("'revisions show' needs a revision.", "'revisions' lists them.")
    one = history.find(folder, revision, about)
    document = history.read_revision(folder, revision)
    if not show_secrets:
        document = without_secrets(document, MASK)
    text = to_text(document).splitlines()
    return Lines(
        [one.title, *text],
        {**one.data(), "configuration": document},
    )


def _revision_table(found: Sequence[Revision]) -> Lines:
    data = [one.data() for one in found]
    if not found:
        return Lines(["(nothing saved)"], data)
    rows = [history.row(one) for one in found]
    lines = list(aligned([history.HEADINGS, *([cell or "-" for cell in row] for row in rows)]))
    return Lines(lines, data, table=Table(history.HEADINGS, rows, optional=[5]))


class FileSaving:
    """One save of a document to a file: checked, then done, by the rules of that file.

    `merged_from` is the running configuration if the document is a merge of it into the file.
    """

    def __init__(
        self,
        context: Context,
        path: Path,
        document: Document,
        comment: str | None = None,
        merged_from: Document | None = None,
    ) -> None:
        self._context = context
        self._path = path
        self._boot = boot_file(context) if is_boot_file(context.lio, path) else None
        if self._boot is not None:
            _refuse_unconfirmed(context)
            document = cluster_control.to_save(context, document)
        self.document = document
        self.revisions = self._boot.kept if self._boot is not None else []
        """The revisions that the save kept of what was saved before."""
        self._running = document
        self._comment = comment or ""
        self._lost: list[str] = []
        if os.path.isfile(path):
            self._compare_with_previous()
        self._merged_from = merged_from
        if comment and self._boot is None:
            raise UsageError(
                f"{path} has no revisions to which a comment could be added.", "Omit comment=."
            )

    def _compare_with_previous(self) -> None:
        """Keep the references to secret files that a trusted previous file has.

        Find what it has of disks' identity and this kernel has not.
        """
        own = references.has_references(self.document)
        try:
            name = str(self._path)
            text = document_file.text_of(
                document_file.read_file(self._path, trusted=True).data, name
            )
            data = document_file.json_data(text, name)
            if data == self.document:
                return
            before = document_file.checked(data, text, name)
        except UntrustedError as error:
            with suppress(PyshellError):
                if not own and references.has_references(document_file.load(self._path)):
                    self._context.note(f"{error.message} Its references to secrets are not kept.")
            return
        except PyshellError:
            return  # nothing of a damaged file is kept
        self._lost = losses.lost_identity(self._context.lio, before, self.document)
        if own:
            return
        missing = boot_file(self._context).missing_of(self._path)
        self.document, changed = references.kept(self.document, before, missing)
        for text in changed:
            self._context.note(text)

    def carry_over(self, *, force: bool = False, without: Sequence[str] = ()) -> list[str]:
        """Add what the last restore of the file could not restore, and return notes on it.

        It stays in the file until it is restored, deleted, or dropped by `force` or `without`.
        """
        reasons = boot_file(self._context).missing_of(self._path)
        given_up = {p for p in reasons if force or is_below_any(p, without)}
        self.document = references.without(self.document, given_up)
        if force or not reasons or not os.path.isfile(self._path):
            return []
        unread = references.unread(self.document)
        secrets = [
            f"{self._path} keeps the file of {path}, which is not running: {reasons[path]}"
            for path in reasons
            if path in unread
        ]
        try:
            data = document_file.read_file(self._path, trusted=True).data
        except UntrustedError as error:
            return [f"{error.message} Nothing is carried over from it."]
        lost = losses.lost(reasons, data, self.document)
        kept = losses.not_named(lost, without, data)
        if not kept:
            return secrets
        self.document = carried(
            self.document, document_file.from_bytes(data, str(self._path)), set(kept)
        )
        left = losses.lost(kept, data, self.document)
        told = [path for path in losses.first(kept, data) if path not in left]
        return secrets + [
            f"{self._path} keeps {path}, which is not running: {reasons[path]}" for path in told
        ]

    def judge(self, *, force: bool = False, without: Sequence[str] = ()) -> list[str]:
        """Return notes on requested losses. Raises ConflictError for others."""
        if self._boot is not None:
            cluster_control.refuse_unread(self._context, force=force)
            return self._boot.judge(
                self.document,
                force=force,
                compat=self._context.compat,
                without=without,
                merged=self._merged_from is not None,
            )
        reasons = boot_file(self._context).missing_of(self._path)
        if without and not reasons:
            raise UsageError(
                "without= is only for a file that was restored in part, or at boot.",
                "Nothing of this file is missing.",
            )
        return []

    def save(self, notes: Sequence[str] = ()) -> list[str]:
        """Save, print notes, and return what else to report."""
        said = self._saved()
        for note in notes:
            self._context.note(note)
        if self._lost:
            lost = listed(self._lost, _SHOWN)
            self._context.note(f"{self._path} no longer has {lost}, which this kernel cannot set.")
        return said

    def _saved(self) -> list[str]:
        if self._boot is None:
            if self._context.compat:  # targetcli makes the folder
                writing.make_folder(self._path.parent, private=False)
            document_file.write(self.document, self._path)
            missing = boot_file(self._context).missing_of(self._path)
            if missing:
                left = tree_paths(self.document) - tree_paths(self._running)
                kept = {path: why for path, why in missing.items() if path in left}
                boot_file(self._context).restored_other(self._path, kept)
            return []
        prefer = self._context.preference
        store.forget_removed(self._context.lio.run_dir)
        if store.has_deadline(self._context.lio):
            from pyshell.config.store import unconfirmed  # few changes have a deadline

            unconfirmed.forget_ended(self._context.lio)
        return self._boot.save(
            self.document,
            store.now(self._context.way, self._comment),
            int(prefer("max_backup_files")),
            Policy(int(prefer("max_revisions")), int(prefer("max_revision_days"))),
            self._merged_from,
            self._running if self._merged_from is None else None,
        )


def _refuse_unconfirmed(context: Context) -> None:
    """Raise ConflictError while a timer can still revert the running configuration."""
    if not store.has_deadline(context.lio):
        return
    from pyshell.config.store import unconfirmed

    found = unconfirmed.current(context.lio)
    if found is not None:
        raise ConflictError(
            f"Not saved: {found.what} is not confirmed.",
            f"It {found.reverts}. 'confirm' keeps it, 'undo' reverts it now.",
        )


def save_storage_object(context: Context, path: Path, plugin: str, name: str) -> Work:
    """Return the work of saving one storage object into a file with others (field failure 17)."""
    writing.require_writable(path)
    cluster_control.refuse_overwriting(context, path, None, without="all its targets")

    running = read_to_save(context)
    saved = load_trusted(path).document if os.path.lexists(path) else {}
    merged = with_storage_object(saved, running, plugin, name)
    saving = FileSaving(context, path, merged, merged_from=running)
    saving.judge()

    def run() -> Lines:
        said = f"Storage Object '{plugin}:{name}' config saved to {path}."
        return Lines([*saving.save(), said])

    would = f"Storage object {plugin}/{name} would be saved to {path}"
    return Work([would], run, revisions=saving.revisions)


def file_of(lio: Lio, text: str | None) -> Path:
    """Return the file of that name, the boot file if none is given."""
    if text:
        return Path(os.path.abspath(os.path.expanduser(text)))
    return store.default_file(lio)


def boot_file(context: Context) -> BootFile:
    """Return the file that is restored at boot, with the record of its last restore."""
    return BootFile(context.lio.config_dir, context.lio.mark_file, context.note)


def missing_since_restored(context: Context) -> dict[str, str]:
    """Return what the last restore since boot could not restore, and why."""
    if not os.path.exists(context.lio.mark_file):
        return {}
    try:
        return dict(boot_file(context).state().missing)
    except PyshellError as error:
        context.note(f"What the last restore could not restore is not known: {error}")
        return {}


def is_boot_file(lio: Lio, path: Path) -> bool:
    """Return whether a path is that of the file that is restored at boot."""
    return os.path.realpath(path) == os.path.realpath(file_of(lio, None))


def read_to_save(context: Context) -> Document:
    """Return the running configuration; notes settings that cannot be read (field failure 10)."""
    return read_running(context.lio, context.note)


def _must_be_writable(folder: Path, *, to_make: Path) -> Lines:
    """Raise if a file cannot be saved in a folder; that of the boot file will be created."""
    while folder == to_make and not folder.exists():
        folder = to_make = folder.parent
    if not folder.is_dir():
        raise NotFoundError(f"No such folder: {folder}", "Create it first.")
    if not os.access(folder, os.W_OK):
        raise NotPermittedError(f"Cannot save to {folder}: permission denied.")
    return Lines([])
