# SPDX-License-Identifier: Apache-2.0
"""Whether clusters can reserve disks: the kernel's folders, and reservations without a holder."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pyshell.doctor import Finding, error, pyshell, warning
from pyshell.files import paths
from pyshell.lio import CONFIG_DIR, Lio, dbroot, listing, sessions
from pyshell.lio.identifiers import StorageObject
from pyshell.lio.operations import reservations
from pyshell.lio.operations.reservations import Reservations
from pyshell.quoting import shell_word


def check_reservations(lio: Lio) -> Iterator[Finding]:
    """Yield folders in which the kernel cannot store anything, and holders that are gone."""
    places = listing.storage_objects(lio)
    if not places:
        return  # the first change creates the folders
    for name, effect in dbroot.FOLDERS.items():
        folder = dbroot.folder(lio.kernel, lio.machine, name)
        problem, command = _problem(lio, folder)
        if problem:
            yield error(str(folder), f"{problem}: {effect}", *([command] if command else []))
    read = [(place, reservations.read(lio, place)) for place in places]
    if any(found is not None and found.aptpl for _, found in read):
        yield from _stored_elsewhere(lio)
    held = [(place, found) for place, found in read if found is not None and found.holder]
    every = (*sessions.sessions(lio), *sessions.nexuses(lio)) if held else ()
    for place, found in held:
        if not any(found.is_holder(session) for session in every):
            yield _abandoned(lio, place, found)


def _stored_elsewhere(lio: Lio) -> Iterator[Finding]:
    """Yield a folder of registrations that the kernel does not read after a restart.

    Its dbroot is /etc/target then, as that exists (Linux 6.1 and 6.12, target_init_dbroot).
    """
    root = dbroot.path(lio.kernel)
    if root == str(CONFIG_DIR):
        return
    folder = dbroot.folder(lio.kernel, lio.machine, "pr")
    used = lio.machine.host_file(f"{CONFIG_DIR}/pr")
    yield warning(
        str(folder),
        f"the registrations of initiators are stored here, and restored from {used} after a"
        " restart of this host: they are lost unless you copy them before",
        f"install -d -m 0700 {shell_word(str(used))}"
        f" && cp -p {shell_word(str(folder))}/aptpl_* {shell_word(str(used))}",
    )


def _abandoned(lio: Lio, place: StorageObject, found: Reservations) -> Finding:
    """Return the finding of a reservation whose holder is not logged in."""
    open_to = "only registered initiators" if found.admits_registered else "no other initiator"
    return warning(
        place.path,
        f"it is reserved ({found.type}) by {found.names_text}, whose session has ended: {open_to}"
        " can write to it",
        choices=[pyshell(lio, place.path, "clear_reservation")],
    )


def _problem(lio: Lio, folder: Path) -> tuple[str, str]:
    """Return what is wrong with a folder, "" if nothing, and the command that fixes it, if any."""
    word = shell_word(str(folder))
    try:
        found = os.lstat(folder)
    except FileNotFoundError:
        return "it is missing", f"install -d -m 0700 {word}"
    if not stat.S_ISDIR(found.st_mode):
        return f"it is a {paths.kind(found.st_mode)}, not a folder", ""
    if not paths.is_own(found.st_uid):
        owner = paths.user_name(found.st_uid)
        return f"it belongs to {owner}, who can change reservations", f"chown root: {word}"
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "other users can change the files in it", f"chmod 0700 {word}"
    if lio.may_change and not os.access(folder, os.W_OK):
        return "nothing can be written to it", ""
    return "", ""
