# SPDX-License-Identifier: Apache-2.0
"""Whether the configuration is saved, its file private, and restored at boot."""

from __future__ import annotations

import errno
import shlex
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pyshell.config import load, references
from pyshell.config.compare import Difference, compare, shown
from pyshell.config.document import Document
from pyshell.config.model import items, secret_path
from pyshell.config.running import read_running
from pyshell.config.store import saved_file, state
from pyshell.doctor.findings import Finding, error, pyshell, unseen, warning
from pyshell.errors import PyshellError
from pyshell.files import reading
from pyshell.files.paths import UntrustedError
from pyshell.host.systemd import OTHERS_RESTORE, RESTORE
from pyshell.lio import listing
from pyshell.lio.attach import Lio


def check_boot(lio: Lio) -> Iterator[Finding]:
    """Yield what speaks against a restore at boot."""
    if not (saved_file.default_file(lio).exists() or listing.storage_objects()):
        return  # there is nothing to restore
    if not lio.machine.host_file("/run/systemd/system").is_dir():
        yield unseen("boot", "systemd does not run here: see to the restore at boot yourself")
        return
    services = lio.machine.services()
    states = {unit: services.state(unit) for unit in (RESTORE, *OTHERS_RESTORE)}
    enabled = [unit for unit, state in states.items() if state.startswith("enabled")]
    if not enabled:
        present = [unit for unit, state in states.items() if state]
        told = "no unit restores the saved configuration at boot: all exports end with this run"
        if present:
            yield warning(present[0], told, f"systemctl enable {present[0]}")
        else:
            yield warning(RESTORE, f"{told}; packaging/systemd of pyshell has the unit")
    if RESTORE in enabled and len(enabled) > 1:
        yield warning(
            enabled[1],
            f"both {RESTORE} and {enabled[1]} restore at boot: the second fails on what is there",
            choices=[f"systemctl disable {enabled[1]}"],
        )


def check_saving(lio: Lio) -> Iterator[Finding]:
    """Yield where what runs and what is saved part."""
    path = saved_file.default_file(lio)
    running = items(read_running(lio))
    if lio.mark_file.exists():
        yield from _missing(lio, _unreadable(path))
    if not path.exists():
        if running:
            told = "what runs is not saved: it is gone after a restart of this host"
            yield _to_save(lio, path, told)
        return
    try:
        document = load.load(path)
        yield from _unread(document)
        saved = items(references.if_readable(document))
        mode = path.stat().st_mode
        reading.read(path, reading.LARGE)
    except UntrustedError as found:
        told = f"it is not restored at boot: {found.message}"
        yield error(str(path), told, *([found.fix] if found.fix else []))
    except PyshellError as found:
        if found.errno == errno.EACCES:
            yield unseen(str(path), "only root may read it")
            return
        yield error(
            str(path),
            f"it cannot be restored at boot: {found.message}",
            choices=[pyshell(lio, "saveconfig", force=True)],
        )
        return
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        told = f"others may read it (mode {stat.S_IMODE(mode):04o}): it may hold CHAP secrets"
        yield error(str(path), told, f"chmod 600 {shlex.quote(str(path))}")
    if saved and not running:
        told = "nothing of it runs: initiators have no disks"
        yield error(str(path), told, pyshell(lio, "restoreconfig"))
    elif differing := list(shown(compare(saved, running))):
        yield from _unsaved(lio, path, differing)


def _unread(document: Document) -> Iterator[Finding]:
    """Yield the secrets that the file names and that cannot be read at boot."""
    found: list[Finding] = []

    def fault(path: str, one: PyshellError) -> None:
        told = f"its CHAP secret cannot be restored at boot: {one.message.rstrip('.')}"
        found.append(error(path, told))

    references.resolved(document, fault)
    yield from found


def _unsaved(lio: Lio, path: Path, differing: Sequence[Difference]) -> Iterator[Finding]:
    """Yield changes that are not saved; a save that drops objects is a choice.

    What the last restore left out has a finding of its own, and stays in the file.
    """
    told = "the running configuration is not saved and will be lost at reboot"
    carried = _marked(lio)
    others = [d for d in differing if d.path not in carried or d.sign != "-"]
    others = [d for d in others if d.sign != "~" or not _only_carried(d, carried)]
    dropped = [d.path for d in others if d.sign == "-"]
    dropped += [path for d in others for path in _secrets_dropped(d) if path not in carried]
    if not others:
        return
    if not dropped:
        changed = _first([one.path for one in others])
        yield _to_save(lio, path, f"{told}: {changed}; 'diff' shows it")
        return
    yield warning(
        str(path),
        f"{told}. The file holds what is not running: {_first(dropped)}. 'apply saved' restores"
        " that, saveconfig drops it from the file",
        choices=[pyshell(lio, "apply", "saved"), pyshell(lio, "saveconfig")],
    )


def _to_save(lio: Lio, path: Path, told: str) -> Finding:
    """Return the warning that a save fixes, a choice if a file was restored without all of it."""
    save, lost = pyshell(lio, "saveconfig"), _unread_elsewhere(lio)
    if not lost:
        return warning(str(path), told, save)
    told = f"{told}. A save would not hold {_first(lost)}, which could not be restored"
    return warning(str(path), told, choices=[save])


def _secrets_dropped(difference: Difference) -> list[str]:
    """Return the CHAP secrets that the file holds and that are unset in what runs."""
    unset = (one for one in difference.changes if one.before and not one.after)
    return [path for one in unset if (path := secret_path(difference.path, one.name))]


def _only_carried(difference: Difference, carried: Mapping[str, str]) -> bool:
    dropped = _secrets_dropped(difference)
    return len(dropped) == len(difference.changes) and all(path in carried for path in dropped)


def _unread_elsewhere(lio: Lio) -> list[str]:
    """Return what could not be restored of files other than the one restored at boot."""
    try:
        others = state.read(lio.config_dir, lambda _: None).others
    except PyshellError:
        return []
    return [path for missing in others.values() for path in missing]


def _first(paths: Sequence[str]) -> str:
    return ", ".join(paths[:3]) + (" …" if len(paths) > 3 else "")


def _marked(lio: Lio) -> Mapping[str, str]:
    """Return what the last restore left out, which a save carries over."""
    try:
        return state.read(lio.config_dir, lambda _: None).missing
    except PyshellError:
        return {}


def _unreadable(path: Path) -> set[str]:
    """Return the secrets that the saved file refers to and that cannot be read now."""
    try:
        return references.unread(references.if_readable(load.load(path)))
    except PyshellError:
        return set()


def _missing(lio: Lio, unreadable: set[str]) -> Iterator[Finding]:
    """Yield what the last restore skipped, but for secrets that `_unread` reports."""
    try:
        missing = state.read(lio.config_dir, lambda _: None).missing
    except PyshellError:
        yield unseen(str(lio.config_dir / state.FILE), "only root may read it")
        return
    for path, why in missing.items():
        if path in unreadable:
            continue
        yield error(
            path,
            f"the last restore could not bring it back: {why}",
            pyshell(lio, "restoreconfig", missing_only=True),
        )
