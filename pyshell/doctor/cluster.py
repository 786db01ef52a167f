# SPDX-License-Identifier: Apache-2.0
"""Targets under cluster control: their documents, the boot file, and what is running."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pyshell import names
from pyshell.config import cluster_checks, document_file, references, store, validate
from pyshell.config.cluster_addresses import other_users
from pyshell.config.compare import compare, settable
from pyshell.config.document import Document, target_path
from pyshell.config.model import items
from pyshell.config.parts import of_target
from pyshell.config.positions import DocumentEntry, json_path
from pyshell.config.running import read_running
from pyshell.config.store import clustered
from pyshell.doctor import Finding, error, info, pyshell, unseen, warning
from pyshell.errors import PyshellError
from pyshell.expressions import expression
from pyshell.files.paths import UntrustedError
from pyshell.lio import Lio
from pyshell.quoting import shell_word
from pyshell.text import counted, listed

_PUBLISHED = expression(r'\bhost="([^"]+)" value="([0-9a-f]{64})"')
_SHOWN = 3
_CHECKED = validate.Scope(cluster=True, alone=False)


def check_cluster(lio: Lio) -> Iterator[Finding]:
    """Yield what is wrong with targets under cluster control on this host.

    What other hosts have is known as far as the resource agent has published it there.
    """
    for file in clustered.misnamed(lio.config_dir):
        message = (
            f"its name does not end in {clustered.ENDING}: what it defines is not under control"
        )
        yield warning(str(file), f"{message} of a cluster")
    documents = clustered.files(lio.config_dir)
    if not documents:
        return
    running = read_running(lio)
    saved = _saved(lio)
    for file in documents:
        found = list(_document(lio, file))
        yield from found
        try:
            document = references.if_readable(document_file.load(file))
        except PyshellError:
            continue  # reported by `_document`
        for path in [target_path(target) for target in document.get("targets", ())]:
            problems = [
                *_at_boot(lio, path, saved),
                *_running(lio, file, path, document, running),
                *_elsewhere(lio, file, path),
                *_addresses(lio, path, document),
                *_in_another(lio, file, path, document),
            ]
            yield from problems
            if not (found or problems):
                here = path in _paths(running)
                word = "runs here" if here else "does not run here"
                yield info(path, f"it is under cluster control ({file}) and {word}")
    yield from _exported_here(lio, running, saved)


def _saved(lio: Lio) -> Document:
    """Return the boot file's document, an empty one if it cannot be read: that is reported."""
    try:
        return document_file.load(store.default_file(lio))
    except PyshellError:
        return {}


def _paths(document: Document) -> set[str]:
    return {target_path(target) for target in document.get("targets", ())}


def _document(lio: Lio, file: Path) -> Iterator[Finding]:
    """Yield what is wrong with a document by itself."""
    untrusted = False
    try:
        for one in _untrusted(file):
            untrusted = True
            yield one
        yield from _private(file)
        found = validate.check(file, lio, _CHECKED)
    except PyshellError as failed:
        if failed.errno == errno.EACCES:
            yield unseen(str(file), "only root can read it")
            return
        yield error(str(file), f"the cluster cannot start its target: {failed.message.rstrip('.')}")
        return
    errors = sum(one.level == "error" for one in found) - untrusted
    if errors:
        check = pyshell(lio, "check", str(file), cluster=True)
        message = f"a cluster cannot use this document: {counted(errors, 'error')}"
        yield warning(str(file), message, choices=[check])


def _untrusted(file: Path) -> Iterator[Finding]:
    """Yield an error for a document that other users can change: it is not applied."""
    try:
        document_file.read_file(file, trusted=True)
    except UntrustedError as failed:
        message = f"the cluster cannot start its target: {failed.message.rstrip('.')}"
        yield error(str(file), message, *([failed.fix] if failed.fix else []))


def _private(file: Path) -> Iterator[Finding]:
    try:
        found = os.stat(file)
    except OSError as failed:
        raise PyshellError(f"{file}: {failed.strerror}", errno=failed.errno) from failed
    mode, word = stat.S_IMODE(found.st_mode), shell_word(str(file))
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        message = f"other users can read it (mode {mode:04o}): it can contain CHAP secrets"
        yield warning(str(file), message, f"chmod 600 {word}")


def _elsewhere(lio: Lio, file: Path, path: str) -> Iterator[Finding]:
    """Yield a warning if another node has another document, as ocf:pyshell:Target publishes it."""
    name = f"pyshell-document-{path.rpartition('/')[2]}"
    published = lio.machine.ask("attrd_updater", "--name", name, "--query", "--all") or ""
    own = document_file.digest(document_file.read_file(file).data)
    others = {host: value for host, value in _PUBLISHED.findall(published) if value != own}
    others.pop(os.uname().nodename, None)  # the agent publishes a changed one when it applies it
    if others:
        message = (
            f"{listed(sorted(others), _SHOWN)} has another document than {file} here: install the"
            " same one on all nodes"
        )
        yield warning(path, message)


def _addresses(lio: Lio, path: str, document: Document) -> Iterator[Finding]:
    """Yield who else uses an address that moves with a target."""
    targets = [one for one in document.get("targets", ()) if target_path(one) == path]
    tpgs = [tpg for target in targets for tpg in target.get("tpgs", ())]
    every = (portal["ip_address"] for tpg in tpgs for portal in tpg.get("portals", ()))
    for address in dict.fromkeys(map(names.known_address, every)):
        for user in other_users(lio, path, address):
            message = f"{user} uses its address {address}, too, and loses it when this target moves"
            yield warning(path, message)


def _in_another(lio: Lio, file: Path, path: str, document: Document) -> Iterator[Finding]:
    """Yield an error for what two documents define: two nodes could export one disk."""
    entry = DocumentEntry(document, ())
    part = cluster_checks.part_of(entry, path.rpartition("/")[2])
    for problem in cluster_checks.in_others(lio, part, file):
        yield error(path, f"{file}: {json_path(problem.place)}: {problem.message}")


def _at_boot(lio: Lio, path: str, saved: Document) -> Iterator[Finding]:
    """Yield an error if the boot file has a target, too.

    pyshell does not restore it, but rtslib's service would.
    """
    if path in _paths(saved):
        message = (
            f"it is under cluster control, and {store.default_file(lio)} has it, too: another"
            " program can restore it at boot, outside the cluster. saveconfig removes it there"
        )
        yield error(path, message, choices=[pyshell(lio, "saveconfig")])


def _exported_here(lio: Lio, running: Document, saved: Document) -> Iterator[Finding]:
    """Yield the LUNs of this host's own targets that export a storage object of the cluster."""
    ours = clustered.read(lio.config_dir)
    here = ours.shared(running)
    for path, link in {**ours.shared(saved), **here}.items():
        about = f"it exports {link}, which is under cluster control ({ours.storage[link]})"
        above, _, lun = path.rpartition("/")
        if path in here:
            message = f"{about}: two hosts can write to this disk. Delete this LUN"
            yield error(path, message, choices=[pyshell(lio, above, "delete", lun)])
        else:
            message = f"{about}: another program can restore it at boot. saveconfig removes it"
            yield error(path, message, choices=[pyshell(lio, "saveconfig")])


def _running(
    lio: Lio, file: Path, path: str, document: Document, running: Document
) -> Iterator[Finding]:
    """Yield a warning if a running target is not what its document describes."""
    if path not in _paths(running):
        return
    wwn = path.rpartition("/")[2]
    wanted = items(of_target(document, wwn), lio.root, {})
    found = items(of_target(running, wwn), lio.root, {})
    if compare(settable(lio, wanted, found)[0], found):
        message = (
            f"it differs from {file}: the next node that takes it over serves what that file has."
            " diff shows the difference"
        )
        diff = pyshell(lio, "diff", str(file), "running", target=wwn)
        yield warning(path, message, choices=[diff])
