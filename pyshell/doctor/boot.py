# SPDX-License-Identifier: Apache-2.0
"""Whether the configuration is saved, its file private, and restored at boot."""

from __future__ import annotations

import errno
import functools
import re
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pyshell.config import document_file, references, store
from pyshell.config.compare import Difference, compare, settable, shown
from pyshell.config.document import Document
from pyshell.config.model import Items, items
from pyshell.config.running import read_running
from pyshell.config.store import State, change_log, clustered, revisions, unconfirmed
from pyshell.doctor import Finding, error, new_path, pyshell, unseen, warning
from pyshell.errors import PyshellError
from pyshell.expressions import expression
from pyshell.files import reading
from pyshell.files.paths import UntrustedError
from pyshell.host.programs import OTHERS_RESTORE, RESTORE
from pyshell.lio import Lio, listing, settings
from pyshell.lio.identifiers import StorageObject
from pyshell.quoting import shell_word
from pyshell.text import listed

_PLAIN_PATH = expression(r"/[\w/.:@+-]+", re.ASCII)
"""Paths that sed's pattern can hold; `.` stands for any character there."""
_UNSAVED = "the running configuration is not saved and will be lost at reboot"


def check_boot(lio: Lio) -> Iterator[Finding]:
    """Yield what prevents the restore at boot."""
    if not (store.default_file(lio).exists() or listing.storage_objects(lio)):
        return  # there is nothing to restore
    if not store.default_file(lio).exists() and _is_all_clustered(lio):
        return  # a cluster starts it
    if not lio.machine.host_file("/run/systemd/system").is_dir():
        yield unseen("boot", "systemd is not running: have the saved file restored in another way")
        return
    services = lio.machine.services()
    states = {unit: services.state(unit) for unit in (RESTORE, *OTHERS_RESTORE)}
    enabled = [unit for unit, state in states.items() if state.startswith("enabled")]
    if not enabled:
        present = [unit for unit, state in states.items() if state]
        message = (
            "no unit restores the saved configuration at boot: nothing is exported after a reboot"
        )
        if present:
            yield warning(present[0], message, f"systemctl enable {present[0]}")
        else:
            yield warning(RESTORE, f"{message}; the unit is in packaging/systemd of pyshell")
    if RESTORE in enabled and len(enabled) > 1:
        yield warning(
            enabled[1],
            f"both {RESTORE} and {enabled[1]} restore at boot: the second one fails",
            choices=[f"systemctl disable {enabled[1]}"],
        )


_LATE = 60
"""Seconds after the deadline after which the timer should have reverted a change."""


def check_unconfirmed(lio: Lio) -> Iterator[Finding]:
    """Yield the change that a timer reverts unless it is confirmed."""
    found = unconfirmed.current(lio)
    if found is None:
        return
    choices = [pyshell(lio, "confirm"), pyshell(lio, "undo")]
    if found.error or found.left < -_LATE:
        why = (
            found.reverts if found.error else "was not reverted at its deadline: its timer is gone"
        )
        yield error("/", f"{found.what} {why}", choices=choices[not found.may_be_confirmed :])
    else:
        message = f"{found.what} {found.reverts}, unless 'confirm' is run before"
        yield warning("/", message, choices=choices[not found.may_be_confirmed :])


def check_unfinished(lio: Lio) -> Iterator[Finding]:
    """Yield the last change if pyshell was killed during it and no timer reverts it."""
    if store.has_deadline(lio):
        return
    try:
        found = change_log.unfinished(lio)
    except PyshellError:  # not root; `undo` reports a damaged file
        return
    if found is not None:
        about = found.about
        message = (
            f"'{found.line}' of {about.user} ({store.local(about.time)}) has not ended: pyshell was"
            " killed, or it is still running"
        )
        back = "undo" if found.before is not None else "diff"
        yield warning("/", message, choices=[pyshell(lio, back)])


def _is_all_clustered(lio: Lio) -> bool:
    ours = clustered.read(lio.config_dir)
    return bool(ours.targets) and not ours.others(items(read_running(lio), lio.root))


def check_saving(lio: Lio, *, broken: bool = False) -> Iterator[Finding]:
    """Yield differences between the running and the saved configuration.

    To save a `broken` configuration is a choice: it would be restored at boot.
    """
    path = store.default_file(lio)
    ours = clustered.read(lio.config_dir)
    running = ours.others(items(read_running(lio), lio.root))
    recorded = State()
    try:
        recorded = store.read(lio.config_dir, lambda _: None)
    except PyshellError:
        if lio.mark_file.exists():
            yield unseen(str(lio.config_dir / store.FILE), "only root can read it")
    if lio.mark_file.exists() and recorded.missing:
        yield from _missing(lio, recorded, path)
    if not path.exists():
        if running:
            yield _to_save(lio, path, _UNSAVED, recorded, broken=broken)
        return
    try:
        # What it has of a cluster's targets is reported by `check_cluster`.
        document, _ = ours.without(document_file.load(path))
        yield from _unread(document)
        saved = items(references.if_readable(document), lio.root)
        mode = path.stat().st_mode
        reading.read(path, reading.LARGE)
    except UntrustedError as found:
        message = f"it is not restored at boot: {found.message}"
        yield error(str(path), message, *([found.fix] if found.fix else []))
    except PyshellError as found:
        if found.errno == errno.EACCES:
            yield unseen(str(path), "only root can read it")
            return
        yield _not_readable(lio, path, found)
        return
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        message = (
            f"other users can read it (mode {stat.S_IMODE(mode):04o}): it can contain CHAP secrets"
        )
        yield error(str(path), message, f"chmod 600 {shell_word(str(path))}")
    if saved and not running:
        message = "it is not running: initiators have no disks"
        yield error(str(path), message, pyshell(lio, "restoreconfig"))
        return
    saved, lacking = settable(lio, saved, running)
    for place, parts in lacking.items():
        yield warning(
            place,
            f"this kernel cannot set its {', '.join(parts)}: initiators can take it for another"
            " disk. saveconfig would remove it from the saved file",
        )
    if differing := list(shown(compare(saved, running))):
        parts = [f"the {name} of {place}" for place in lacking for name in lacking[place]]
        yield from _unsaved(lio, path, differing, recorded, parts, broken=broken)


def _not_readable(lio: Lio, path: Path, found: PyshellError) -> Finding:
    """Return the finding about a saved file that cannot be read, with what can replace it."""
    if path.is_dir():
        message = "a folder has the name of the saved file: nothing can be saved or restored"
        aside = shell_word(f"{path}.folder")
        return error(str(path), message, choices=[f"mv {shell_word(str(path))} {aside}"])
    message = f"it cannot be restored at boot: {found.message.rstrip('.:')}"
    if not isinstance(found, document_file.DocumentError):
        return error(str(path), message)
    choices = _saving(lio, force=True)
    if choices:
        message += ". saveconfig force=true replaces it by the running configuration"
    good = revisions.last_good(lio.config_dir)
    if good is not None:
        message += f"; 'rollback {good}' before that returns to the last good revision"
        choices.insert(0, pyshell(lio, "rollback", good))
    return error(str(path), message, choices=choices)


def _unread(document: Document) -> Iterator[Finding]:
    """Yield secrets that the file refers to and that cannot be read."""
    failed: list[tuple[str, PyshellError]] = []
    references.resolved(document, failed)
    for path, one in failed:
        message = f"its CHAP secret cannot be restored at boot: {one.message.rstrip('.')}"
        yield error(path, message)


def _unsaved(
    lio: Lio,
    path: Path,
    differing: Sequence[Difference],
    recorded: State,
    lacking: Sequence[str],
    *,
    broken: bool,
) -> Iterator[Finding]:
    """Yield unsaved changes; a save that drops objects is a choice.

    Objects that the last restore skipped have findings of their own and stay in the file.
    """
    carried = recorded.missing
    others = [d for d in differing if d.path not in carried or d.sign != "-"]
    others = [d for d in others if d.sign != "~" or not _only_carried(d, carried)]
    dropped = [d.path for d in others if d.sign == "-"]
    dropped += [path for d in others for path in _secrets_dropped(d) if path not in carried]
    if not others:
        return
    if not dropped:
        changed = _first([one.path for one in others])
        message = f"{_UNSAVED}. 'diff' shows the changes, of {changed}"
        other_disks = [d.path for d in others if any(_identifies(one.name) for one in d.changes)]
        if other_disks:
            message += f". At reboot, initiators would take {_first(other_disks)} for another disk"
        yield _to_save(lio, path, message, recorded, lacking, broken=broken)
        return
    save = _saving(lio)
    message = (
        f"{_UNSAVED}. The file has {_first(dropped)}, which the running one lacks. 'apply saved'"
        " restores that"
    )
    if save:
        message += ", saveconfig removes it from the file"
    yield warning(str(path), message, choices=[pyshell(lio, "apply", "saved"), *save])


def _saving(lio: Lio, *, force: bool = False) -> list[str]:
    """Return the command that saves, [] while saving is refused: a change is not confirmed."""
    try:
        refused = unconfirmed.current(lio) is not None
    except PyshellError:  # reported by check_unconfirmed
        refused = True
    return [] if refused else [pyshell(lio, "saveconfig", force=True if force else None)]


def _to_save(
    lio: Lio,
    path: Path,
    message: str,
    recorded: State,
    lacking: Sequence[str] = (),
    *,
    broken: bool,
) -> Finding:
    """Return a warning that a save fixes; a choice if it would save errors or drop objects.

    It would drop what was not restored. `lacking` is what this kernel cannot restore.
    """
    save = _saving(lio)
    lost = [*lacking, *(path for missing in recorded.others.values() for path in missing)]
    if lost:
        message = f"{message}. A save would drop {_first(lost)}, which could not be restored"
    safe = not lost and not broken
    choices = [] if safe else save
    if broken:
        message = f"{message}. Fix the errors before you save: the saved file would have them, too"
    if broken and path.exists():
        message = f"{message}. 'apply saved' returns to what the file has"
        choices.insert(0, pyshell(lio, "apply", "saved"))
    return warning(str(path), message, *(save if safe else []), choices=choices)


def _identifies(name: str) -> bool:
    """Return whether initiators identify a disk by a fact or setting."""
    return name in ("wwn", *settings.IDENTITY)


def _secrets_dropped(difference: Difference) -> list[str]:
    """Return the CHAP secrets that the file has and that are not running."""
    unset = (one for one in difference.changes if one.before and not one.after)
    return [path for one in unset if (path := settings.secret_path(difference.path, one.name))]


def _only_carried(difference: Difference, carried: Mapping[str, str]) -> bool:
    dropped = _secrets_dropped(difference)
    return len(dropped) == len(difference.changes) and all(path in carried for path in dropped)


def _first(paths: Sequence[str]) -> str:
    return listed(paths, 3)


def _saved(path: Path) -> Document | None:
    """Return the saved configuration, None if it cannot be read."""
    try:
        return document_file.load(path)
    except PyshellError:
        return None


def saved_items(lio: Lio) -> Items:
    """Return the objects of the saved configuration, none if it cannot be read."""
    file = store.default_file(lio)
    try:
        now = file.stat()
        return _saved_items(file, lio.root, now.st_ino, now.st_mtime_ns)
    except (OSError, PyshellError):
        return {}


@functools.lru_cache(maxsize=1)
def _saved_items(file: Path, root: str, _inode: int, _mtime: int) -> Items:
    return items(document_file.load(file), root, {})


def _missing(lio: Lio, recorded: State, path: Path) -> Iterator[Finding]:
    """Yield what the last restore skipped, except for secrets that `_unread` reports."""
    document = _saved(path)
    unreadable = references.unread(references.if_readable(document)) if document else set()
    saved = items(document, lio.root, {}) if document else {}
    gone = {
        path: item.place
        for path, item in saved.items()
        if isinstance(item.place, StorageObject) and _is_gone(lio, item.place, item.facts)
    }
    for place, why in recorded.missing.items():
        message = f"it could not be restored: {why}"
        if place in gone:
            yield _on_another_device(lio, gone[place], saved[place].facts["dev"], path, message)
        elif _needs(saved, place, gone):
            yield error(place, message)
        elif place not in unreadable:
            yield error(place, message, pyshell(lio, "restoreconfig", missing_only=True))


def _is_gone(lio: Lio, place: StorageObject, facts: Mapping[str, Any]) -> bool:
    """Return whether the device or image file of a saved storage object is missing now."""
    device = facts.get("dev")
    if place.plugin not in ("block", "fileio") or not isinstance(device, str):
        return False
    if lio.machine.block_device(device) is not None:
        return False
    return place.plugin == "block" or not lio.machine.host_file(device).exists()


def _needs(saved: Items, path: str, gone: Collection[str]) -> bool:
    """Return whether an object depends on one that is gone, as a mapping does by its LUN."""
    links = saved[path].links if path in saved else ()
    return any(link in gone or _needs(saved, link, gone) for link in links)


def _on_another_device(
    lio: Lio, place: StorageObject, device: str, file: Path, message: str
) -> Finding:
    """Return the finding of an object without its device, with the command that uses another.

    The command restores the saved object and all that depends on it, so that initiators see the
    same disk.
    """
    if _PLAIN_PATH.fullmatch(device) is None:
        return error(place.path, f"{message}. To use another device, change its dev in {file}")
    new = new_path(place.plugin)
    script = shell_word(f's|"dev": "{device.replace(".", "[.]")}"|"dev": "{new}"|')
    restore = pyshell(lio, "restoreconfig", "/dev/stdin", missing_only=True)
    return error(
        place.path,
        f"{message}. If the device is lost, put the path of another one, at least as large and with"
        " its data, into the command; serial number, LUNs and mappings stay the same. Then save",
        choices=[
            f"sed {script} {shell_word(str(file))} | {restore}",
            pyshell(lio, "saveconfig"),
        ],
    )
