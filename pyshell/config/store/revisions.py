# SPDX-License-Identifier: Apache-2.0
"""Earlier saved configurations by number, with who saved them, when, how and why.

A revision is a saved configuration that every program can read, with an additional key in its
first line: listing many large ones reads the first lines only. Files that were not a saved
configuration (after a mistake in an editor) are kept as text under that key.
"""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, cast

from pyshell.config import document_file, references
from pyshell.config.document import Document, counts
from pyshell.config.document_file import digest
from pyshell.config.store import NAME, About, from_json, local, moment, of_file, utc
from pyshell.errors import NotFoundError, PyshellError, os_errors
from pyshell.files import reading, writing
from pyshell.files.reading import LARGE
from pyshell.text import one_line

DAYS_MAX = 36500
SAVED = "saved"
"""The name of the file that is restored at boot."""
_KEY = "pyshell_revision"
_FOLDER = "revisions"
HEADINGS = ("revision", "saved at", "by", "way", "objects", "comment")
_KINDS = (
    ("storage_objects", "storage object"),
    ("targets", "target"),
    ("luns", "LUN"),
    ("acls", "ACL"),
)
_BACKUP_TIME = "saveconfig-%Y%m%d-%H:%M:%S"


@dataclass(frozen=True)
class Revision:
    """A saved configuration with a name: a number, `saved`, or a backup's file name."""

    word: str
    file: Path
    about: About
    counts: dict[str, int] = field(default_factory=dict)
    """Numbers of objects by kind; empty if it is damaged, not a saved configuration."""
    replaced: str = ""
    """When it was replaced, "" if unknown."""
    digest: str = ""
    """Digest of the original file."""
    same_as: str = ""
    """For a backup, the saved file or the revision with the same content, "" if there is none."""

    @property
    def title(self) -> str:
        """Return it on one line: `Revision 3, saved at …`."""
        about = self.about
        by = f" by {about.user}" if about.user else ""
        comment = f": {about.comment}" if about.comment else ""
        saved = f"saved at {local(about.time)}{by} ({about.way}){comment}"
        return one_line(f"Revision {self.word}, {saved}")

    @property
    def objects(self) -> str:
        """Return the numbers of its objects: `1 target, 2 LUNs`."""
        if not self.counts:
            return "damaged"
        shown = [
            f"{number} {word}{'' if number == 1 else 's'}"
            for name, word in _KINDS
            if (number := self.counts.get(name, 0))
        ]
        return ", ".join(shown) or "empty"

    def data(self) -> dict[str, Any]:
        """Return it for `-o json`."""
        return {
            "revision": self.word,
            **self.about.to_json(),
            "replaced": self.replaced,
            "counts": self.counts,
            "file": str(self.file),
        }


@dataclass(frozen=True)
class Policy:
    """How many revisions are kept; 0 days, or more than DAYS_MAX, means no limit."""

    revisions: int
    days: int


def row(revision: Revision) -> tuple[str, ...]:
    """Return the cells of a revision in a table below `HEADINGS`."""
    about = revision.about
    cells = (
        revision.word,
        local(about.time),
        about.user,
        about.way,
        revision.objects,
        f"same as {revision.same_as}" if revision.same_as else about.comment,
    )
    return tuple(map(one_line, cells))


def folder(config_dir: Path) -> Path:
    """Return the folder of revisions."""
    return config_dir / _FOLDER


def numbers(config_dir: Path) -> list[int]:
    """Return the numbers of the revisions, lowest first. Raises OSError."""
    return reading.numbered(folder(config_dir))


def newest(config_dir: Path) -> Revision | None:
    """Return the revision with the highest number. Raises PyshellError."""
    with os_errors("read the newest revision"):
        found = numbers(config_dir)
        return _described(folder(config_dir) / f"{found[-1]}.json") if found else None


def write(
    config_dir: Path, number: int, data: bytes, about: About, replaced: datetime | None = None
) -> Path:
    """Keep the bytes of a saved file as a revision and return its file. Raises PyshellError."""
    where = folder(config_dir)
    writing.make_folder(where)
    head: dict[str, Any] = about.to_json()
    head["digest"] = digest(data)
    head["replaced"] = utc(replaced or datetime.now(timezone.utc))
    made = where / f"{number}.json"
    writing.replace(made, _text(head, data).encode("utf-8"))
    return made


def _text(head: dict[str, Any], data: bytes) -> str:
    document = _json(data)
    head["counts"] = _counts(document)
    if not isinstance(document, dict):
        head["text"] = data.decode("utf-8", errors="surrogateescape")
        document = {}
    document.pop(_KEY, None)
    first = f'{{"{_KEY}": {json.dumps(head)}{"," if document else ""}\n'
    return first + json.dumps(document, sort_keys=True, indent=2).lstrip("{").lstrip("\n") + "\n"


def _counts(document: Any) -> dict[str, int]:
    """Return the result of `counts`, nothing if it is not a saved configuration."""
    try:
        return counts(document)
    except (TypeError, AttributeError):
        return {}


def prune(config_dir: Path, policy: Policy, now: datetime | None = None) -> None:
    """Remove the oldest revisions beyond the policy's count, and those replaced too long ago.

    Raises PyshellError.
    """
    with os_errors(f"prune {folder(config_dir)}"):
        kept = numbers(config_dir)
        gone = set(kept[: max(0, len(kept) - policy.revisions)])
        if 0 < policy.days <= DAYS_MAX:
            limit = (now or datetime.now(timezone.utc)) - timedelta(days=policy.days)
            for number in kept:
                found = moment(_described(folder(config_dir) / f"{number}.json").replaced)
                if found is not None and found < limit:
                    gone.add(number)
        for number in gone:
            (folder(config_dir) / f"{number}.json").unlink(missing_ok=True)


def listed(config_dir: Path, saved: About | None = None) -> list[Revision]:
    """Return the saved file, the revisions and targetcli's backups, each the newest first.

    `saved` is the author of the file that is restored at boot.
    """
    found = []
    file = config_dir / NAME
    with os_errors("list the revisions", path=str(config_dir)):
        if file.exists() and not file.is_dir():
            found.append(
                _of_plain(SAVED, file, document_file.read_file(file).data, saved or of_file(file))
            )
        for number in reversed(numbers(config_dir)):
            found.append(_described(folder(config_dir) / f"{number}.json"))
        # A save also writes a backup for targetcli, of a file that is a revision or saved as well.
        known = {one.digest: one for one in found}
        for backup in reversed(document_file.backups(file)):
            one = _of_backup(backup)
            if same := known.get(one.digest):
                name = SAVED if same.word == SAVED else f"revision {same.word}"
                one = replace(one, about=same.about, same_as=name)
            found.append(one)
    return found


def _described(file: Path) -> Revision:
    """Return a revision, read from the first line of its file."""
    first = reading.start_of(file, LARGE, line=True).rstrip(b"\n")
    try:
        head = reading.parse_json(first.removesuffix(b",") + b"}", any_string=True)[_KEY]
    except (ValueError, KeyError, TypeError):
        head = {}
    about = from_json(head) or of_file(file)
    known = head if isinstance(head, dict) else {}
    objects = known.get("counts") if "text" not in known else {}
    return Revision(
        file.stem,
        file,
        about,
        objects if isinstance(objects, dict) else {},
        str(known.get("replaced", "")),
        str(known.get("digest", "")),
    )


def _of_backup(backup: Path) -> Revision:
    about = of_file(backup)
    stem = backup.name.removesuffix(".gz").removesuffix("-json").removesuffix(".json")
    with contextlib.suppress(ValueError):
        # targetcli writes local time.
        about = About(utc(datetime.strptime(stem, _BACKUP_TIME).astimezone()))
    try:
        data = document_file.read_backup(backup)
    except PyshellError:
        data = b""
    return _of_plain(backup.name, backup, data, about)


def _of_plain(word: str, file: Path, data: bytes, about: About) -> Revision:
    return Revision(word, file, about, _counts(_json(data)), digest=digest(data))


def _json(data: bytes) -> Any:
    try:
        return reading.parse_json(data, any_string=True)
    except ValueError:
        return None


def last_good(config_dir: Path) -> str | None:
    """Return the name of the newest revision that holds objects, None if there is none."""
    where = folder(config_dir)
    every = (_described(where / f"{number}.json") for number in reversed(numbers(config_dir)))
    return next((one.word for one in every if any(one.counts.values())), None)


def advice(config_dir: Path) -> str:
    """Return what helps if the saved file is damaged: the last good revision."""
    with os_errors("list the revisions", path=str(config_dir)):
        good = last_good(config_dir)
    return f"'rollback {good}' returns to the last good revision." if good else ""


def is_number(word: str) -> bool:
    """Return whether a word can be the number of a revision."""
    return re.fullmatch("[0-9]{1,10}", word) is not None


def find(config_dir: Path, word: str, saved: About | None = None) -> Revision:
    """Return the revision of that number, `saved`, or targetcli's backup of that file name.

    Raises NotFoundError.
    """
    file = config_dir / NAME
    with os_errors(f"read revision {word}"):
        if word == SAVED and file.exists():
            return Revision(SAVED, file, saved or of_file(file))
        if is_number(word) and int(word) in numbers(config_dir):
            return _described(folder(config_dir) / f"{int(word)}.json")
        for backup in document_file.backups(file):
            if backup.name == word:
                return _of_backup(backup)
    raise NotFoundError(f"No such revision: {word}", "Run 'revisions' to list them.")


def read_revision(config_dir: Path, word: str, *, trusted: bool = False) -> Document:
    """Return the document of a revision, named as for `find`.

    With `trusted`, for a document that is to be applied, files that other users can write are
    refused. Raises NotFoundError, NotPermittedError, PyshellError.
    """
    found = find(config_dir, word)
    data = document_file.read_file(found.file, trusted=trusted).data
    document = document_file.from_bytes(data, str(found.file))
    head = cast(dict[str, Any], document).pop(_KEY, {})
    if isinstance(head, dict) and "text" in head:
        raise PyshellError(f"Revision {word} is not a saved configuration, only text: {found.file}")
    return references.resolved(document) if trusted else references.if_readable(document)
