# SPDX-License-Identifier: Apache-2.0
"""`status`, `diff` and `export`: compare configurations."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pyshell import names, quoting
from pyshell.commands import change_text, navigate
from pyshell.commands.export import asked as asked_argument
from pyshell.commands.export import command_lines
from pyshell.commands.export import shown as shown_argument
from pyshell.commands.save import missing_since_restored
from pyshell.config import document_file, references, store
from pyshell.config.compare import compare
from pyshell.config.model import NAMES_ONLY, items, tree_path
from pyshell.config.running import read_running
from pyshell.config.store import clustered, revisions, unconfirmed
from pyshell.config.store.boot_file import is_unsaved
from pyshell.config.store.clustered import Clustered
from pyshell.errors import NotFoundError, PyshellError, UsageError, os_errors
from pyshell.expressions import expression
from pyshell.files import writing
from pyshell.lio import Lio, listing, storage_info
from pyshell.lio.configfs import is_below
from pyshell.lio.identifiers import StorageObject, Target, parents
from pyshell.lio.storage_info import device_attributes
from pyshell.text import counted, listed
from pyshell.tree.command import CONFIGURATION, FILE, PATH, TARGET, choice, command
from pyshell.tree.node import Node
from pyshell.tree.results import Lines, Result, Work

if TYPE_CHECKING:
    from pyshell.config.candidate import Candidate
    from pyshell.config.document import Document
    from pyshell.config.document_file import Trusted
    from pyshell.config.model import Item, Items
    from pyshell.config.store.unconfirmed import Unconfirmed

RUNNING = "running"
SAVED = "saved"
CANDIDATE = "candidate"
_BEGUN = "running at 'begin'"
_MISSING_SHOWN = 20


@command(examples=("status",))
def status(node: Node) -> Result:
    """Show a summary, and whether the running configuration is saved."""
    shown = navigate.status(node)
    if node.context.compat:
        return shown
    if (candidate := node.context.candidate) is not None:
        changes = len(candidate.differences())
        lines = [*shown.lines, f"A candidate is open, with {counted(changes, 'change')}."]
        if changes:
            lines.append("'diff' shows them, 'commit' applies them, 'abort' drops them.")
        data = {**shown.data, "candidate": {"changes": changes}}
        return Lines(lines, data, form="sentences")
    failure = None
    try:
        saved = not is_unsaved(node.lio)
    except PyshellError as error:  # as of a damaged file: the running state is shown all the same
        saved, failure = False, error
    word = "is" if saved else "is not"
    told = f"The running configuration {word} saved in {store.default_file(node.lio)}."
    hint = [] if saved else ["'diff' shows what differs, 'saveconfig' saves it."]
    if not saved and not store.default_file(node.lio).exists():
        told = "The running configuration is not saved: it will be lost at reboot."
        hint = ["'saveconfig' saves it."]
    ours = clustered.read(node.lio.config_dir).targets
    here = {one.path: str(ours[one.path]) for one in _clustered_here(node, ours)}
    if saved and here and not store.default_file(node.lio).exists():
        told = "Apart from targets under cluster control, nothing is running that could be saved."
    if failure is not None:
        told = "Whether the running configuration is saved is not known."
        hint = ["'doctor' shows what to do."]
    missing = missing_since_restored(node.context)
    found: dict[str, Any] = {"saved": saved, "missing": missing}
    gone = _gone(node)
    if missing or gone or failure is not None:
        found["healthy"] = False
    found["gone"] = gone
    if here:
        found["cluster"] = here
        told_here = [f"{path} is under cluster control ({file})." for path, file in here.items()]
        shown = replace(shown, lines=[*shown.lines, *told_here])
    dead = [f"{path}: {why}. 'doctor' shows what to do." for path, why in gone.items()]
    timed = _unconfirmed(node)
    if timed is not None and timed.waits and hint:
        hint = ["'diff' shows what differs."]  # nothing is saved until it is confirmed
    lines = [*shown.lines, told, *(list(_missing_lines(missing)) or hint), *dead]
    if timed is not None:
        found["confirm"] = timed.data
        lines += _unconfirmed_lines(timed)
    return Lines(lines, {**shown.data, **found}, failure=failure, form="sentences")


def _unconfirmed(node: Node) -> Unconfirmed | None:
    """Return the last change with a deadline, None without one."""
    try:
        return unconfirmed.recorded(node.lio)
    except PyshellError as error:
        node.context.note(str(error))
        return None


def _unconfirmed_lines(timed: Unconfirmed) -> list[str]:
    if timed.state == "reverted" and not timed.by:
        return [f"{timed.what} {timed.outcome}."]
    if not timed.waits:
        return []
    return [f"{timed.what} {timed.reverts}.", "'confirm' keeps it, 'undo' reverts it now."]


def _clustered_here(node: Node, ours: Collection[str]) -> list[Target]:
    """Return the running targets that are under cluster control."""
    if not ours:
        return []
    return [one for one in listing.all_targets(node.lio) if one.path in ours]


def _gone(node: Node) -> dict[str, str]:
    """Return the storage objects that run without their device, and why."""
    every = ((p, storage_info.describe(node.lio, p)) for p in listing.storage_objects(node.lio))
    return {p.path: one.missing for p, one in every if one.configured and one.missing}


@command(
    examples=(
        "diff",
        "diff 3",
        "diff saved running path=/iscsi",
        "diff /root/disks.json running target=iqn.2020-07.com.example:disks",
    ),
    in_candidate="running",
)
def diff(
    node: Node,
    first: Annotated[
        str | None,
        CONFIGURATION,
        "running, saved, candidate, a revision, a file or HOST:. Default: saved; while a candidate"
        " is open, what was running at begin.",
    ] = None,
    second: Annotated[
        str | None,
        CONFIGURATION,
        "running, saved, candidate, a revision, a file or HOST:. Default: running, or the open"
        " candidate.",
    ] = None,
    path: Annotated[str | None, PATH, "Compare only objects at or below this path."] = None,
    form: Annotated[
        str | None,
        choice("tree", "commands"),
        "Show a tree, or the commands that change the first into the second.",
    ] = None,
    *,
    target: Annotated[
        str | None, TARGET, "Compare only the target with this WWN, and its storage objects."
    ] = None,
) -> Result:
    """Show the differences between two configurations.

    Exit status: 0 the same, 1 different, 2 cannot be compared.

    HOST: is the running configuration of another host, HOST:saved its saved one, HOST:3 its
    revision 3. HOST, or USER@HOST, is reached over your ssh, and pyshell must be installed there.
    ./HOST: is a file of that name.

    A setting that one side omits is not a difference, except CHAP settings, and vendor, product,
    revision and company id of disks: omitted means unset (apply keeps it unless prune=true or
    keep_omitted=false is given). Secrets are never shown.

    Targets under cluster control are not saved to the boot file, and run on one host: they are not
    compared with it, nor between hosts, unless target= names one.

    While a candidate is open, diff shows what commit changes: the candidate against the running
    configuration as it was at begin. 'diff running candidate' compares with what is running now.
    """
    words, before, after = _sides(node, first, second)
    if target is None and _is_of_all(words):
        before, after = _without_clustered(node, words, before, after)
    if target is not None:
        before, after = _of_target(before, target), _of_target(after, target)
        if not before and not after:
            raise _incomparable(NotFoundError(f"Neither has a target {target}."))
    if path:
        before, after = below(before, path), below(after, path)
        if not before and not after:
            _require_path(node, path)
    found = compare(before, after)
    unread = sorted({tree_path(o) for o in (*before.values(), *after.values()) if o.unread})
    if unread:
        node.context.note(
            f"Not compared: CHAP secrets of {listed(unread, 3)}, whose files cannot be read."
        )
    if form == "commands":
        here = _on_host(words[0]) is None  # the devices of another host cannot be read
        lines = command_lines(before, after, derived=_derived(node) if here else _nothing)
        return Lines(lines, status=int(bool(found)))
    lines = list(change_text.tree_lines(found))
    if lines:
        sides = _named_side(node, words[0]), _named_side(node, words[1])
        lines = [f"--- {sides[0]}", f"+++ {sides[1]}", *lines]
    return Lines(lines, change_text.changes_data(found), int(bool(found)))


def _sides(
    node: Node, first: str | None, second: str | None
) -> tuple[tuple[str, str], Items, Items]:
    """Return the names of two configurations, and what they are. Raises PyshellError."""
    candidate = node.context.candidate
    if candidate is None:
        words = first or SAVED, second or RUNNING
    else:
        words = first or _BEGUN, second or CANDIDATE
    try:
        if not all(map(_on_host, words)):
            node.lio.ready()
        if candidate is not None and not first:
            before = _begun(node, candidate, words[1])
        else:
            before = items_of(node, words[0])
        return words, before, items_of(node, words[1])
    except PyshellError as error:
        raise _incomparable(error) from error


def _begun(node: Node, candidate: Candidate, other: str) -> Items:
    """Return what was running at `begin`; note if something else is running now.

    The candidate itself is compared with its own copy of that.
    """
    if other != CANDIDATE:
        return candidate.begun
    if candidate.moved(items_of(node, RUNNING)):
        node.context.note(
            "The running configuration has changed since 'begin': 'diff second=running' shows how."
        )
    return candidate.base


def _without_clustered(
    node: Node, words: tuple[str, str], before: Items, after: Items
) -> tuple[Items, Items]:
    """Return both sides, the running ones without what is under cluster control on either host."""
    ours = _clustered_on(node, [side[0] if (side := _on_host(word)) else "" for word in words])
    sides = []
    left: set[str] = set()
    for word, found in zip(words, (before, after), strict=True):
        side = _on_host(word)
        is_running = word == RUNNING or (side is not None and side[1] == RUNNING)
        own = ours.others(found) if is_running else found
        left |= found.keys() - own.keys()
        sides.append(own)
    for note in ours.notes(left, "it is not compared"):
        node.context.note(note)
    return sides[0], sides[1]


def _is_of_all(words: tuple[str, str]) -> bool:
    """Return whether running configurations are compared with others or saved ones."""
    kinds = [side[1] if (side := _on_host(word)) else word for word in words]
    hosts = [side[0] if (side := _on_host(word)) else "" for word in words]
    if set(kinds) - {RUNNING, SAVED} or RUNNING not in kinds:
        return False
    return hosts[0] != hosts[1] or kinds[0] != kinds[1]


def _clustered_on(node: Node, hosts: Sequence[str]) -> Clustered:
    """Return what is under cluster control on hosts; "" is this one. Another names what runs."""
    found = clustered.read(node.lio.config_dir) if "" in hosts else Clustered()
    for host in sorted({*hosts} - {""}):
        from pyshell.host import remote

        answer = remote.ask(host, "status")
        shown = document_file.json_data(document_file.text_of(answer.out, host), host)
        result = shown.get("result") if isinstance(shown, dict) else None
        there = result.get("cluster") if isinstance(result, dict) else None
        named = there.items() if isinstance(there, dict) else ()
        targets = {str(path): Path(f"{host}:{file}") for path, file in named}
        found = replace(found, targets={**targets, **found.targets})
    return found


def _named_side(node: Node, word: str) -> str:
    """Return the name of a configuration for the head of a difference."""
    if word == SAVED:
        return f"saved ({store.default_file(node.lio)})"
    return f"revision {word}" if word.isdigit() else word


def _require_path(node: Node, path: str) -> None:
    """Raise NotFoundError for a path that is neither in a configuration nor in the tree."""
    try:
        node.get_node(path)
    except NotFoundError as error:
        raise _incomparable(error) from error


@command(examples=("export", "export /backstores", "export secret_files=/root/secrets"))
def export(
    node: Node,
    path: Annotated[
        str | None, PATH, "Export only objects at or below this path, such as a target."
    ] = None,
    *,
    show_secrets: Annotated[
        bool, "Include the CHAP secrets. Default: the lines ask for them."
    ] = False,
    secret_files: Annotated[
        str | None,
        FILE,
        "Write each CHAP secret to a file in this folder; the lines refer to it.",
    ] = None,
) -> Result:
    """Print the commands that recreate the running configuration.

    Run them with 'pyshell -f FILE', on this host or another one. They can be run again: existing
    objects are kept. A target includes its storage objects.

    'password=-' asks for the secret at a terminal, or reads a line of standard input: use -f FILE,
    not '< FILE'. 'password=@FILE' reads it from a file. If a secret itself is '-' or begins with
    '@', it is printed in quotes.
    """
    found = items_of(node, RUNNING)
    start = node.get_node(path).path if path else "/"
    part = below(found, start) if start != "/" else found
    beside = {p: item for p, item in with_storage(found, part).items() if p not in part}
    hidden: list[str] = []

    def asked(path: str, name: str, value: str) -> str:
        hidden.append(path)
        return asked_argument(path, name, value)

    files: dict[Path, str] = {}

    def in_file(path: str, name: str, value: str) -> str:
        file = references.file_of(folder, path, name, files)
        files[file] = value
        return quoting.reference(name, str(file))

    secret = shown_argument if show_secrets else asked
    if secret_files is not None:
        folder = Path(os.path.abspath(os.path.expanduser(secret_files)))
        secret = in_file
    lines = command_lines({}, part, secret=secret, beside=beside, derived=_derived(node))
    if hidden:
        node.context.note(f"{_secrets(len(hidden), 'omitted')}: a '-' asks for each.")
    if not files:
        return Lines(lines, lines)

    def run() -> Lines:
        writing.make_folder(folder)
        for file, value in files.items():
            writing.replace(file, f"{value}\n".encode())
        node.context.note(f"{_secrets(len(files), 'written')} to files in {folder}.")
        return Lines(lines, lines)

    return Work(
        [f"{counted(len(files), 'CHAP secret')} would be written to files in {folder}"], run
    )


def _secrets(number: int, done: str) -> str:
    return f"{counted(number, 'CHAP secret')} {'is' if number == 1 else 'are'} {done}"


def _derived(node: Node) -> Callable[[Item], Mapping[str, str]]:
    """Return a function of a storage object: the attributes that it takes from its device."""
    candidate = node.context.candidate
    known = [node.lio] if candidate is None else [candidate.lio, node.lio]

    @cache
    def running() -> Mapping[str, tuple[Lio, StorageObject]]:
        return {place.path: (lio, place) for lio in known for place in listing.storage_objects(lio)}

    def attributes(item: Item) -> Mapping[str, str]:
        place = item.place
        assert isinstance(place, StorageObject)
        lio, found = running().get(place.path, (known[0], None))
        return device_attributes(lio, place.plugin, found, str(item.facts.get("dev", "")))

    return attributes


def _nothing(_item: Item) -> Mapping[str, str]:
    return {}


def items_of(node: Node, word: str) -> Items:
    """Return the configuration that a word names: running, saved, revision, file, HOST:."""
    if word == RUNNING:
        return items(read_running(node.lio), node.lio.root)
    if word == CANDIDATE and (candidate := node.context.candidate) is not None:
        return candidate.items()
    if (there := _on_host(word)) is not None:
        return items(_read_there(node, *there), NAMES_ONLY)
    return items(read_document(node, word, trusted=False)[0], node.lio.root)


_ON_HOST = expression(
    r"((?:[^@:/]*@)?(?:\[[^]/]*\]|[^@:/]+)):(|running|saved|[0-9]+|/.*)", re.DOTALL
)


def _on_host(word: str) -> tuple[str, str] | None:
    """Return the host that a word names, and its configuration. Raises UsageError for the host."""
    found = _ON_HOST.fullmatch(word)
    is_file = found is not None and "/" in found[2]
    if found is None or (is_file and os.path.exists(word)):
        return None
    if is_file:
        raise NotFoundError(f"No such file: {word}.", "Copy a file of another host to this one.")
    try:
        return names.ssh_destination(found[1]), found[2] or RUNNING
    except UsageError as error:
        error.hint += f" ./{word} is a file."
        raise


def _read_there(node: Node, host: str, word: str) -> Document:
    """Return a configuration of another host, with its secrets, so that they can be compared.

    Files that it refers to are never opened here.
    """
    from pyshell.host import remote  # other comparisons need no ssh

    if word == RUNNING:
        answer = remote.ask(host, "--dry-run", "saveconfig", "-")  # it takes no lock there
    else:
        answer = remote.ask(host, "revisions", "show", word, "show_secrets=true")
    name = f"What pyshell printed on {host}"
    data = document_file.json_data(document_file.text_of(answer.out, name), name)
    found = data.get("result") if isinstance(data, dict) else None
    if word != RUNNING:
        found = found.get("configuration") if isinstance(found, dict) else None
    for note in answer.notes:
        node.context.note(f"{host}: {note}")
    return document_file.typed(found, name)


def read_document(node: Node, word: str, *, trusted: bool) -> tuple[Document, str]:
    """Return the document that a word names, and with `trusted` its text, "" for a revision.

    With `trusted`, for a document that is to be applied, files that other users can write are
    refused, and a file's references to secrets are not resolved. A pipe can be read only once.
    Raises PyshellError.
    """
    folder = node.lio.config_dir
    path = file_named(node, word)
    if path is None:
        return revisions.read_revision(folder, word, trusted=trusted), ""
    if os.path.exists(path):
        if not trusted:
            return references.if_readable(document_file.load(path)), ""
        read = load_trusted(node, path)
        return read.document, read.text
    if word == SAVED:
        raise NotFoundError(f"No such file: {path}.", "saveconfig writes it.")
    if revisions.is_number(word):
        raise NotFoundError(f"No such revision: {word}.", "Run 'revisions' to list them.")
    with contextlib.suppress(NotFoundError):  # the name of a backup of targetcli
        return revisions.read_revision(folder, word, trusted=trusted), ""
    hint = "Give running, saved, a revision or a file."
    if word == "-":
        hint = "/dev/stdin is standard input."
    raise NotFoundError(f"No such file: {path}.", hint)


def file_named(node: Node, word: str) -> Path | None:
    """Return the file that a word names, whether or not it exists; None for a revision."""
    if revisions.is_number(word) and _is_kept(node.lio.config_dir, int(word)):
        return None
    return store.default_file(node.lio) if word == SAVED else Path(os.path.expanduser(word))


def load_trusted(node: Node, path: Path) -> Trusted:
    """Return the document in a file that is to be applied, and print its warnings."""
    try:
        read = document_file.load_trusted(path)
    except document_file.DocumentError as error:
        if not node.context.compat:
            error.hint = _more_errors(node, path, error)
        raise
    for warning in (*read.warnings, *(() if node.context.compat else read.unknown)):
        node.context.note(warning)
    exposed = [] if node.context.compat else references.exposed(read.document)
    if exposed:
        files = listed(exposed, 3)
        node.context.note(f"Other users can read the secrets in {files}: chmod 600 fixes it.")
    return read


def _more_errors(node: Node, path: Path, error: document_file.DocumentError) -> str:
    """Return how many more errors `check` reports than this one, which is of the types only."""
    from pyshell.config import validate  # most commands that read a file need it not

    if not path.is_file():
        return ""  # a pipe can be read only once
    found = validate.check(path, node.lio)
    more = sum(one.level == "error" for one in found) - len(error.findings)
    if more < 1:
        return ""
    errors = "1 more error" if more == 1 else f"{more} more errors"
    return f"'{quoting.line('check', str(path))}' lists {errors}."


def _is_kept(config_dir: Path, number: int) -> bool:
    with os_errors("list the revisions", path=str(config_dir)):
        return number in revisions.numbers(config_dir)


def _incomparable(error: PyshellError) -> PyshellError:
    error.status = 2  # 1 would say that they differ
    return error


def below(found: Items, path: str) -> Items:
    """Return the objects at a path and below it."""
    start = path.rstrip("/")
    return {p: item for p, item in found.items() if is_below(p, start)}


def _of_target(found: Items, wwn: str) -> Items:
    roots = [p for p, o in found.items() if isinstance(o.place, Target) and o.place.is_named(wwn)]
    part = {path: item for root in roots for path, item in below(found, root).items()}
    return with_storage(found, part)


def with_storage(found: Items, part: Items) -> Items:
    """Return a part with the storage objects that its LUNs export."""
    links = {link for item in part.values() for link in item.links if link not in part}
    return {
        path: item
        for path, item in found.items()
        if path in part or path in links or not links.isdisjoint(parents(path))
    }


def _missing_lines(missing: Mapping[str, str]) -> Iterator[str]:
    """Yield lines about objects that the last restore could not restore."""
    if not missing:
        return
    yield f"{len(missing)} of its objects could not be restored:"
    yield from (f"  {path}: {why}" for path, why in list(missing.items())[:_MISSING_SHOWN])
    if len(missing) > _MISSING_SHOWN:
        yield f"  and {len(missing) - _MISSING_SHOWN} more"
    yield "'restoreconfig missing_only=true' adds them when they are available."
