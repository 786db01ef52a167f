# SPDX-License-Identifier: Apache-2.0
"""The file that is restored at boot: what a save must not lose, and what it keeps.

A save is first judged (`judge`), then done (`save`), both under the lock. It keeps the previous
document as a revision, and as a backup in targetcli's folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from pyshell import quoting
from pyshell.config import document_file, references, store
from pyshell.config.compare import compare, settable
from pyshell.config.document import Document
from pyshell.config.model import items
from pyshell.config.running import read_running
from pyshell.config.store import (
    NAME,
    OUTSIDE,
    About,
    State,
    clustered,
    losses,
    now,
    of_file,
    revisions,
)
from pyshell.config.store.losses import same, tree_paths
from pyshell.config.store.revisions import Policy
from pyshell.errors import ConflictError, NotFoundError, PyshellError
from pyshell.files import reading, writing
from pyshell.files.paths import UntrustedError
from pyshell.lio import Lio, listing
from pyshell.lio.configfs import is_below
from pyshell.text import listed

_SHOWN = 20
_OTHERS = 20
"""How many other files are recorded."""


class BootFile:
    """The saved file in a folder, with its revisions and the recorded state."""

    def __init__(self, config_dir: Path, mark_file: Path, warn: Callable[[str], None]) -> None:
        self.config_dir = config_dir
        self.mark_file = mark_file
        self.path = config_dir / NAME
        self.kept: list[int] = []
        """The revisions that saves kept of what was saved before."""
        self._warn = warn
        self._warned = False

    def state(self) -> State:
        """Return the recorded state, without missing objects that a cluster controls now."""
        found = store.read(self.config_dir, self._warn_once)
        if found.missing:
            found.missing = self._own(found.missing)
        return found

    def _own(self, missing: Mapping[str, str]) -> dict[str, str]:
        ours = clustered.read(self.config_dir)
        if not ours.targets:
            return dict(missing)
        try:
            document = document_file.load(self.path)
        except PyshellError:
            return dict(missing)
        gone = tree_paths(document) - tree_paths(ours.without(document)[0])
        return {path: why for path, why in missing.items() if path not in gone}

    def _warn_once(self, text: str) -> None:
        if not self._warned:
            self._warned = True
            self._warn(text)

    def about(self) -> About | None:
        """Return who saved the file and when, None if pyshell did not write it."""
        data = self._data() if not self.path.is_dir() else None
        return self.state().known.get(document_file.digest(data)) if data is not None else None

    def _data(self) -> bytes | None:
        try:
            return document_file.read_file(self.path).data
        except NotFoundError:
            return None

    # Saving

    def judge(
        self,
        document: Document,
        *,
        force: bool = False,
        compat: bool = False,
        without: Sequence[str] = (),
        merged: bool = False,
    ) -> list[str]:
        """Refuse to lose changes by others, or objects that the last restore could not create.

        `force` allows both, `without` allows to lose the objects at its paths. With `compat`, a
        change by others is only reported, and a document that was `merged` into the file loses
        none. Returns messages. Raises ConflictError.
        """
        before = self._data()
        remembered = self.state()
        lost = [] if before is None else losses.lost(remembered.missing, before, document)
        _refuse_unknown(without, lost)
        if before is None or same(before, document_file.to_text(document).encode()):
            return []
        notes = []
        if not merged and _is_foreign(remembered, before):
            changed = f"{self.path} has been changed since pyshell last read or wrote it"
            if not (force or compat):
                self._refuse_damaged(before)
                raise ConflictError(
                    f"{changed}: it was not overwritten.",
                    "'diff' shows the difference; saveconfig force=true replaces the file and"
                    " keeps the old one as a revision.",
                )
            notes.append(f"{changed}: the old file is kept as a revision.")
        if lost:
            notes += self._losing(lost, remembered.missing, before, force, without)
        return notes

    def _refuse_damaged(self, before: bytes) -> None:
        """Raise ConflictError if the file is damaged: `diff` cannot compare it."""
        try:
            document_file.from_bytes(before, str(self.path))
        except PyshellError as error:
            raise ConflictError(
                f"Not saved: {error.message}",
                f"{revisions.advice(self.config_dir)} saveconfig force=true replaces the file by"
                " the running configuration and keeps the damaged one as a revision.",
                faults=error.faults,
            ) from error

    def _losing(
        self,
        lost: Sequence[str],
        reasons: Mapping[str, str],
        before: bytes,
        force: bool,
        without: Sequence[str],
    ) -> list[str]:
        left = [] if force else losses.not_named(lost, without, before)
        if left:
            first = losses.first(left, before)
            named = listed([f"{path} ({reasons[path]})" for path in first], _SHOWN)
            raise ConflictError(
                f"{self.path} contains objects that could not be restored, and this save would lose"
                f" them: {named}.",
                "restoreconfig missing_only=true adds them when they are available; saveconfig"
                f" {quoting.argument('without', ','.join([*without, *first]))} saves without them.",
            )
        return [f"{self.path} no longer contains {path}." for path in losses.highest(lost)]

    def save(
        self,
        document: Document,
        about: About,
        backups: int,
        policy: Policy,
        merged_from: Document | None = None,
        running: Document | None = None,
    ) -> list[str]:
        """Save a document and return messages. Raises PyshellError.

        `merged_from` is the running configuration if the document was merged into the file;
        `running` is the running configuration if the document contains more. At every instant the
        file is the old or the new one, and the recorded state fits both.
        """
        writing.make_folder(self.config_dir)
        document_file.sweep(self.path)
        writing.remove_left(revisions.folder(self.config_dir))
        remembered = self.state()
        before, refused = self._to_replace()
        backups = max(backups, _backups_of_targetcli(self.config_dir))
        text = document_file.to_text(document).encode()
        known = {document_file.digest(text): about}
        messages = []
        if before is not None and refused is not None:
            messages = self._keep_apart(before, text, refused)
        elif document_file.back_up(self.path, backups) is not None:
            messages = [f"Last {backups} configs saved in {self.config_dir}/backup/."]
        if before is not None and refused is None:
            foreign = merged_from is not None and _is_foreign(remembered, before)
            known_after = self._keep(before, text, about, remembered)
            # The changes by others are still in the file: a save of all must still notice them.
            known = remembered.known if foreign else known_after
        remembered.known = known
        store.write(self.config_dir, remembered)
        writing.replace(self.path, text)
        new = document_file.digest(text)
        try:
            running = running or merged_from or document
            self._settle(document, running, new, known, remembered, policy)
        except PyshellError as error:
            self._warn(f"{self.path} is saved, but its state could not be recorded: {error}")
        kept = known[new].comment if new in known else ""
        if about.comment and kept != about.comment:
            messages.append(
                f"The same configuration was saved before as '{kept}': that comment stays."
            )
        return messages

    def _settle(
        self,
        document: Document,
        running: Document,
        new: str,
        known: dict[str, About],
        remembered: State,
        policy: Policy,
    ) -> None:
        """Record that the file is saved. Raises PyshellError."""
        remembered.known = {new: known[new]} if new in known else known
        if remembered.missing:
            left = tree_paths(document) - tree_paths(running)
            marks = remembered.missing.items()
            remembered.missing = {path: reason for path, reason in marks if path in left}
            if not remembered.missing:
                store.unmark(self.mark_file)
        store.write(self.config_dir, remembered)
        revisions.prune(self.config_dir, policy)

    def _to_replace(self) -> tuple[bytes | None, UntrustedError | None]:
        """Return the content of the file, and why it is not trusted."""
        try:
            return document_file.read_file(self.path, trusted=True).data, None
        except NotFoundError:
            return None, None
        except UntrustedError as error:
            return self._data(), error

    def _keep_apart(self, before: bytes, text: bytes, refused: UntrustedError) -> list[str]:
        """Keep a file that other users could have written, but not as a revision or backup.

        Revisions and backups are restored without checking who could write their content.
        """
        if same(before, text):
            return []
        kept = self.path.with_name(f"{NAME}.untrusted-{datetime.now():%Y%m%d-%H%M%S-%f}")
        writing.replace(kept, before)
        return [f"{refused.message} The old file is kept as {kept}, not as a revision."]

    def _keep(
        self, before: bytes, text: bytes, about: About, remembered: State
    ) -> dict[str, About]:
        """Keep the old file as a revision if it is another document.

        Returns the authors by digest to record while the file is replaced.
        """
        old, new = document_file.digest(before), document_file.digest(text)
        author = remembered.known.get(old) or of_file(self.path)
        if same(before, text):
            # Saving the same document keeps its author, but can add a comment.
            said = replace(author, comment=author.comment or about.comment)
            return {old: author, new: about if author.way == OUTSIDE else said}
        newest = revisions.newest(self.config_dir)
        if newest is None or newest.digest != old:  # else a save was cut short, and this is it
            highest = max(remembered.last_revision, int(newest.word) if newest else 0)
            revisions.write(self.config_dir, highest + 1, before, author)
            remembered.last_revision = highest + 1
            self.kept.append(highest + 1)
        return {old: author, new: about}

    # Restoring

    def restored(self, data: bytes, missing: Mapping[str, str]) -> bool:
        """Record that the file with these bytes was restored, and what could not be.

        Returns whether that succeeded: a failure is only a warning, as the target is up.
        """
        digest = document_file.digest(data)

        def note(remembered: State) -> None:
            author = remembered.known.get(digest) or of_file(self.path)
            remembered.known = {digest: author}
            remembered.missing = dict(missing)
            remembered.restored = now("boot").time

        return self._remember(note)

    def restored_other(self, file: Path, missing: Mapping[str, str]) -> bool:
        """Record what could not be restored from a file other than the one restored at boot."""

        def note(remembered: State) -> None:
            others = {**remembered.others}
            others.pop(os.path.realpath(file), None)
            if missing:
                others[os.path.realpath(file)] = dict(missing)
            remembered.others = dict(list(others.items())[-_OTHERS:])

        if not missing and os.path.realpath(file) not in self.state().others:
            return True
        return self._remember(note)

    def missing_of(self, file: Path) -> dict[str, str]:
        """Return what could not be restored from a file, with the reasons."""
        if os.path.realpath(file) == os.path.realpath(self.path):
            return dict(self.state().missing)
        return dict(self.state().others.get(os.path.realpath(file), {}))

    def added(self, missing: Mapping[str, str]) -> bool:
        """Record what is still missing after some of it was restored, like `restored`."""

        def note(remembered: State) -> None:
            remembered.missing = dict(missing)

        return self._remember(note)

    def _remember(self, note: Callable[[State], None]) -> bool:
        done = True
        try:
            remembered = self.state()
            note(remembered)
            try:
                store.mark(self.mark_file, remembered.missing)
            except PyshellError as error:  # as on a full /run
                self._warn(f"Missing objects could not be recorded: {error}")
                done = False
            store.write(self.config_dir, remembered)
        except (OSError, PyshellError) as error:  # as on a read-only /etc
            self._warn(f"The restore could not be recorded: {error}")
            return False
        return done


def _is_foreign(remembered: State, data: bytes) -> bool:
    """Return whether another program wrote the file with these bytes."""
    return bool(remembered.known) and document_file.digest(data) not in remembered.known


def _refuse_unknown(without: Sequence[str], lost: Sequence[str]) -> None:
    for name in without:
        if not any(is_below(path, name) for path in lost):
            raise NotFoundError(
                f"{name} would not be lost",
                f"This would be lost: {listed(lost, _SHOWN)}."
                if lost
                else "Nothing would be lost.",
            )


def _backups_of_targetcli(config_dir: Path) -> int:
    """Return the `max_backup_files` of targetcli's host-wide settings, 0 if there are none."""
    try:
        text = reading.read(config_dir / "targetcli.conf").data.decode()
    except (PyshellError, UnicodeDecodeError):
        return 0
    for line in text.splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "max_backup_files" and re.fullmatch("[0-9]{1,9}", value.strip()):
            return int(value)
    return 0


def is_unsaved(lio: Lio) -> bool:
    """Return whether the running configuration differs from the saved one.

    Reads both entirely, unless nothing is saved. Targets under cluster control are never saved, so
    they do not count. Raises PyshellError if the file cannot be read.
    """
    path = store.default_file(lio)
    has_file = path.exists()
    if not has_file and listing.is_empty(lio):
        return False
    ours = clustered.read(lio.config_dir)
    if not has_file and not ours.targets:
        return True
    running = ours.others(items(read_running(lio), lio.root))
    if not has_file:
        return bool(running)
    saved = items(references.if_readable(document_file.load(path)), lio.root)
    return bool(compare(settable(lio, saved, running)[0], running))
