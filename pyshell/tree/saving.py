# SPDX-License-Identifier: Apache-2.0
"""The root's commands that save the configuration, and those that look at what was saved.

What they need of the room `saved` is imported where it is used, as in `root`.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pyshell.errors import NotFoundError, NotPermittedError, PyshellError, UsageError
from pyshell.saved import locations
from pyshell.target.attach import Lio
from pyshell.target.names import MASK
from pyshell.tree.command import BOOL, FILE, PATHS, REVISION, TARGET, TEXT, Param, choice, command
from pyshell.tree.common import CommonNode
from pyshell.tree.node import Context
from pyshell.tree.results import Lines, Result, Work

if TYPE_CHECKING:
    from pyshell.saved.bootfile import BootFile
    from pyshell.saved.document import Document


_SHOWN = 20
"""How many objects an error names."""


class SavingNode(CommonNode):
    """The part of the root that saves."""

    @command(
        "Save the running configuration, so that it comes back at boot.",
        Param("savefile", FILE, "Where to; the file that is restored at boot unless given."),
        Param("force", BOOL, "Save whatever is lost by it; that is told.", default=False),
        Param("without", PATHS, "Objects that may be lost: paths with commas between them."),
        Param("comment", TEXT, "Why; 'revisions' shows it."),
        Param("target", TARGET, "Only the target of that WWN, with its storage objects."),
        changes=True,
        details="What the file held before is kept as a revision. Refused, unless it is forced, is"
        " to replace a file that something else changed, and to lose what the last restore could"
        " not bring back.",
        examples=(
            "saveconfig",
            "saveconfig comment='before the move'",
            "saveconfig /root/one.json target=iqn.2020-07.com.example:disks",
        ),
    )
    def ui_command_saveconfig(
        self,
        savefile: str | None = None,
        force: bool = False,
        without: Sequence[str] | None = None,
        comment: str | None = None,
        target: str | None = None,
    ) -> Result:
        """Save the running configuration."""
        path = file_of(self.lio, savefile)
        document = read_to_save(self.context)
        if target is not None:
            document = self._part(document, target, path)
        if not (force or self.context.compat):
            _refuse_to_empty(document, path)
        saving = Saving(self.context, path, document, comment)
        notes = saving.judge(force=force, without=without or ())

        def run() -> Lines:
            said = saving.save()
            for note in notes:
                self.context.note(note)
            return Lines([*said, f"Configuration saved to {path}"])

        effect: Literal["saved"] | None = "saved" if path == self.default_file else None
        return Work(
            [f"Configuration would be saved to {path}"],
            run,
            effect,
            lambda: _must_be_writable(path.parent, to_make=self.default_file.parent),
        )

    def _part(self, document: Document, wwn: str, path: Path) -> Document:
        from pyshell.saved.parts import of_target

        if is_boot_file(self.lio, path):
            raise UsageError(
                f"{path} is restored at boot, and would hold one target alone.",
                "Give another file: saveconfig FILE target=WWN.",
            )
        return of_target(document, wwn)

    def save_on_leaving(self) -> list[str]:
        """Save to the file that is restored at boot and return what to tell.

        Raises PyshellError where saved objects, or a change by others, would be lost.
        """
        path = self.default_file
        lost = self.lost_by_saving()
        if lost:
            from pyshell.saved.losses import highest

            first = highest(lost)
            more = f" and {len(first) - _SHOWN} more" if len(first) > _SHOWN else ""
            raise PyshellError(
                f"Not saved: {path} holds {', '.join(first[:_SHOWN])}{more}, which is not running.",
                "saveconfig saves without it, restoreconfig brings it back.",
            )
        saving = Saving(self.context, path, read_to_save(self.context))
        notes = saving.judge()
        said = saving.save()
        for note in notes:
            self.context.note(note)
        return [*said, f"Configuration saved to {path}"]

    def lost_by_saving(self) -> list[str]:
        """Return what the saved file holds, the kernel lacks and no command here deleted."""
        from pyshell.saved import load
        from pyshell.saved.document import object_paths
        from pyshell.saved.outline import read_outline
        from pyshell.saved.state import is_below

        path = self.default_file
        if not path.exists():
            return []
        before = object_paths(load.load(path))
        removed = self.context.removed_paths()
        lost = before - object_paths(read_outline(self.lio))
        return sorted(p for p in lost if not any(is_below(p, root) for root in removed))

    @property
    def default_file(self) -> Path:
        """Return the file that is restored at boot."""
        return file_of(self.lio, None)

    @command(
        "List the earlier saved configurations, or show what one of them holds.",
        Param("action", choice("list", "show"), "list, or show with a revision."),
        Param("revision", REVISION, "A number, 'saved', or the name of a backup of targetcli."),
        examples=("revisions", "revisions show 3", "revisions show saved"),
    )
    def ui_command_revisions(
        self, action: str | None = None, revision: str | None = None
    ) -> Result:
        """List the earlier saved configurations, or show one."""
        from pyshell.saved import revisions
        from pyshell.saved.document import without_secrets
        from pyshell.saved.store import to_text
        from pyshell.tree import revisiontext

        folder = self.lio.config_dir
        about = boot_file(self.context).about()
        if action in (None, "list"):
            if revision is not None:
                raise UsageError("'revisions list' takes no revision.", "Write revisions show.")
            found = revisions.listed(folder, about)
            return Lines(revisiontext.table(found), [revisiontext.data(one) for one in found])
        if revision is None:
            raise UsageError("'revisions show' needs a revision.", "'revisions' lists them.")
        one = revisions.find(folder, revision, about)
        document = without_secrets(revisions.read_revision(folder, revision), MASK)
        text = to_text(document).splitlines()
        return Lines(
            [revisiontext.title(one), *text],
            {**revisiontext.data(one), "configuration": document},
        )


class Saving:
    """One save of a document to a file: judged, then done, by the rules of the file it goes to.

    `merged_from` is what runs, where the document is not that but was merged into the file's.
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
        self._document = document
        self._comment = comment or ""
        self._merged_from = merged_from
        self._boot = boot_file(context) if is_boot_file(context.lio, path) else None
        if comment and self._boot is None:
            raise UsageError(
                f"{path} has no revisions that a comment could stand at.", "Leave comment= out."
            )

    def judge(self, *, force: bool = False, without: Sequence[str] = ()) -> list[str]:
        """Return what to tell of losses that are wanted. Raises ConflictError for others."""
        if self._boot is not None:
            return self._boot.judge(
                self._document,
                force=force,
                compat=self._context.compat,
                without=without,
                merged=self._merged_from is not None,
            )
        if without:
            raise UsageError("without= is of use for the file that is restored at boot only.")
        return []

    def save(self) -> list[str]:
        """Save, and return what to tell beside that."""
        from pyshell.files import writing
        from pyshell.saved import about, store
        from pyshell.saved.revisions import Policy

        if self._boot is None:
            if self._context.compat:  # targetcli makes the folder
                writing.make_folder(self._path.parent, private=False)
            store.write(self._document, self._path)
            return []
        prefer = self._context.preference
        return self._boot.save(
            self._document,
            about.now(self._context.way, self._comment),
            int(prefer("max_backup_files")),
            Policy(int(prefer("max_revisions")), int(prefer("max_revision_days"))),
            self._merged_from,
        )


def save_storage_object(context: Context, path: Path, plugin: str, name: str) -> Work:
    """Return the work of saving one storage object into a file that holds others (failure 17)."""
    from pyshell.saved.parts import with_storage_object
    from pyshell.saved.trust import load_trusted

    running = read_to_save(context)
    saved = load_trusted(path).document if os.path.lexists(path) else {}
    merged = with_storage_object(saved, running, plugin, name)
    saving = Saving(context, path, merged, merged_from=running)
    saving.judge()

    def run() -> Lines:
        said = f"Storage Object '{plugin}:{name}' config saved to {path}."
        return Lines([*saving.save(), said])

    return Work([f"Storage object {plugin}/{name} would be saved to {path}"], run)


def file_of(lio: Lio, text: str | None) -> Path:
    """Return the file of that name, the one that is restored at boot where none is given."""
    if text:
        return Path(os.path.abspath(os.path.expanduser(text)))
    return locations.default_file(lio)


def boot_file(context: Context) -> BootFile:
    """Return the file that is restored at boot, with what is remembered of it."""
    from pyshell.saved.bootfile import BootFile

    return BootFile(context.lio.config_dir, context.lio.mark_file, context.note)


def is_partly_restored(lio: Lio) -> bool:
    """Tell whether something is missing since the last restore; this is cheap."""
    return lio.mark_file.exists()


def missing_since_restored(context: Context) -> dict[str, str]:
    """Return what the last restore since this host's start could not bring back, and why."""
    if not is_partly_restored(context.lio):
        return {}
    return dict(boot_file(context).state().missing)


def settle_marks(context: Context, made: Collection[str], deleted: Collection[str]) -> None:
    """Note that objects were made or deleted which a restore may have marked as missing."""
    if (context.lio.config_dir / "pyshell-state.json").exists():
        from pyshell.saved import state

        lio = context.lio
        state.settle(lio.config_dir, lio.mark_file, made, deleted, context.note)


def is_boot_file(lio: Lio, path: Path) -> bool:
    """Tell whether a path leads to the file that is restored at boot."""
    return os.path.realpath(path) == os.path.realpath(file_of(lio, None))


def read_to_save(context: Context) -> Document:
    """Return what runs; settings that the kernel does not let be read are told (failure 10)."""
    from pyshell.saved.running import read_running

    return read_running(context.lio, context.note)


def _refuse_to_empty(document: Document, path: Path) -> None:
    from pyshell.saved import load
    from pyshell.saved.document import is_empty

    if not is_empty(document) or not path.exists():
        return
    if not is_empty(load.load(path)):
        raise PyshellError(
            f"The running configuration is empty and {path} is not: it was left as it is.",
            "restoreconfig brings it back; saveconfig force=true replaces it.",
        )


def _must_be_writable(folder: Path, *, to_make: Path) -> Lines:
    """Raise where a file cannot be saved in a folder; that of the boot file is made."""
    while folder == to_make and not folder.exists():
        folder = to_make = folder.parent
    if not folder.is_dir():
        raise NotFoundError(f"There is no folder {folder}.", "Make it first.")
    if not os.access(folder, os.W_OK):
        raise NotPermittedError(f"Nothing can be saved in {folder}: it is not yours to write.")
    return Lines([])
