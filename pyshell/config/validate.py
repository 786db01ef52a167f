# SPDX-License-Identifier: Apache-2.0
"""Check a saved configuration: report all problems with their positions, change nothing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pyshell import names
from pyshell.config import cluster_checks, document_file
from pyshell.config.document import IDENTITY, Document, holds_secrets
from pyshell.config.document_file import (
    DocumentError,
    type_problems,
    unknown_keys,
)
from pyshell.config.model import text_of
from pyshell.config.positions import (
    UNFIT,
    WHOLE,
    DocumentEntry,
    Level,
    LocatedProblem,
    Positions,
    Problem,
    error,
    placed,
    refused,
    warning,
    whole,
)
from pyshell.config.storage_checks import (
    device_problems,
    groups_of_all,
    plugin_of,
    storage_problems,
)
from pyshell.config.target_checks import target_problems
from pyshell.errors import NotPermittedError, UsageError
from pyshell.files import reading
from pyshell.files.paths import UntrustedError
from pyshell.lio import Lio, listing, settings, storage_info
from pyshell.lio.identifiers import StorageObject
from pyshell.lio.settings import Attribute
from pyshell.quoting import shell_word
from pyshell.text import did_you_mean


@dataclass(frozen=True)
class Scope:
    """What a document is checked for."""

    at_boot: bool = False
    """Whether it is the file that is restored at boot: nothing counts as running then."""
    cluster: bool = False
    """Whether a cluster applies it: its devices can be at another node now."""
    target: str | None = None
    """WWN of the one target to judge, with its storage objects; None for everything."""
    alone: bool = True
    """Whether a cluster's document must have nothing that the boot file or another one has."""


_WHOLE = Scope()


def check(path: Path, lio: Lio, scope: Scope = _WHOLE) -> list[LocatedProblem]:
    """Return all problems of a file, in the order of its lines.

    Raises NotFoundError, NotPermittedError and the like for the file itself.
    """
    untrusted: UntrustedError | None = None
    try:
        try:
            found = document_file.read_file(path, trusted=True)
        except NotPermittedError as error:  # that of a pipe is no UntrustedError
            untrusted = error if isinstance(error, UntrustedError) else None
            found = document_file.read_file(path)
        text = document_file.text_of(found.data, str(path))
    except DocumentError as error:
        return error.findings
    problems = check_text(text, lio, scope, path)
    if untrusted is not None:
        message = f"restoreconfig and apply refuse it: {untrusted.message.rstrip('.')}"
        # The cluster's start is an apply.
        level: Level = "error" if scope.cluster else "warning"
        problems.insert(0, LocatedProblem(WHOLE, 1, 1, level, message, untrusted.hint))
    with contextlib.suppress(ValueError):
        if found.mode & document_file.FOREIGN_READ and holds_secrets(
            reading.parse_json(text, any_string=True)
        ):
            message = f"its mode {found.mode:04o} lets other users read the secrets in it"
            fix = f"chmod 600 {shell_word(str(path))} fixes it."
            problems.insert(0, LocatedProblem(WHOLE, 1, 1, "warning", message, fix))
    return problems


def check_text(
    text: str, lio: Lio, scope: Scope = _WHOLE, path: Path | None = None
) -> list[LocatedProblem]:
    """Return all problems of a document in `text`, and of the `path` of a cluster's document."""
    try:
        data = document_file.json_data(text, "")
    except DocumentError as error:
        return error.findings
    typed, problems = type_problems(data, text)
    # The typed values are applied: `"1"` is 1.
    judged = data if problems else cast(Mapping[str, Any], typed)
    problems += [*keys_there_twice(text), *unknown_keys(data)]
    if isinstance(data, dict):
        problems += _in_scope(judged, lio, scope, path)
    return placed(Positions(text), problems)


def _in_scope(
    data: Mapping[str, Any], lio: Lio, scope: Scope, path: Path | None
) -> Iterator[Problem]:
    found = problems_of(data, lio, at_boot=scope.at_boot, moving=scope.cluster)
    document = DocumentEntry(data, ())
    part = cluster_checks.part_of(document, scope.target)
    if scope.target is not None:
        found = (one for one in found if part.holds(one.place))
        if not part.targets:
            yield cluster_checks.missing_target(document, scope.target)
    yield from found
    if scope.cluster:
        yield from cluster_checks.cluster_problems(lio, document, scope.target)
        if path is not None:
            yield from cluster_checks.misplaced(lio, path)
        if scope.alone:
            yield from cluster_checks.defined_elsewhere(lio, part, path)


def problems_of(
    data: Mapping[str, Any],
    lio: Lio,
    *,
    at_boot: bool = False,
    devices: bool = True,
    moving: bool = False,
    deleted: Iterable[StorageObject] = (),
) -> Iterator[Problem]:
    """Yield the problems of a document except for wrong types and unknown keys.

    apply refuses a document with an error, a restore skips what is in error. Without `devices`,
    devices and image files are not probed: operations do that when they run. With `moving`, it must
    be complete, as it is applied on several nodes, and devices can be at another node. Storage
    objects that are `deleted` before use no devices.
    """
    document = DocumentEntry(data, ())
    alone = at_boot or moving
    running = frozenset(() if alone else (place.path for place in listing.storage_objects(lio)))
    yield from storage_problems(document, running, moving=moving)
    yield from target_problems(document, groups_of_all(document), running, moving=moving)
    yield from value_problems(lio, document)
    if devices:
        yield from device_problems(lio, document, at_boot=at_boot, moving=moving, deleted=deleted)


def errors_of(
    document: Document,
    lio: Lio,
    *,
    devices: bool = True,
    deleted: Iterable[StorageObject] = (),
) -> list[Problem]:
    """Return the errors of a document, one for each place; see `problems_of`."""
    data = cast(Mapping[str, Any], document)
    found = problems_of(data, lio, devices=devices, deleted=deleted)
    return list({one.place: one for one in found if one.level == "error"}.values())


def keys_there_twice(text: str) -> list[Problem]:
    """Return an error for each duplicate key in a JSON text that `parse_json` accepts, or ""."""
    doubled = False

    def note(pairs: list[tuple[str, Any]]) -> None:
        nonlocal doubled
        doubled = doubled or len(pairs) != len({key for key, _ in pairs})

    if text:
        json.loads(text, object_pairs_hook=note)
    if not doubled:
        return []  # searching for their positions is far slower
    positions = Positions(text)
    return [
        Problem(
            "error",
            place,
            f"duplicate key, first in line {positions.line_and_column(first)[0]}",
            "Only the last one counts.",
            at_key=True,
        )
        for place, first in positions.twice()
    ]


_MADE_WITH = ("dev", "config", "control")
"""Texts among the arguments of storage objects that no other check covers."""
_FILEIO_MAX_BYTES = 8 << 20  # of one command: FD_MAX_BYTES of the kernel's target_core_file.h
_NO_LIMITS: Mapping[str, str] = {}


def value_problems(lio: Lio, document: DocumentEntry) -> Iterator[Problem]:
    """Yield settings of a file whose values are not valid."""
    for entry in document.each("storage_objects"):
        plugin, device = plugin_of(entry) or "", entry.text("dev") or ""
        limits = _limits(lio, plugin, device) if device else {}
        yield from _wrong(entry.below("attributes"), "storage_object", plugin, limits)
        yield from _identity(entry.below("attributes"), plugin)
        yield from _of_handler(entry, plugin)
        for key in _MADE_WITH:
            yield from _fits(entry, key, entry.fit_text(key))
        for group in entry.each("alua_tpgs"):
            typed = {key: value for key, value in group.data.items() if whole(value) is not None}
            yield from _wrong(DocumentEntry(typed, group.place), "alua_group")
    for target in document.each("targets"):
        yield from _wrong(target.below("parameters"), "target_parameter")
        for tpg in target.each("tpgs"):
            yield from _wrong(tpg.below("attributes"), "tpg")
            yield from _wrong(tpg.below("parameters"), "tpg_parameter")
            for acl in tpg.each("node_acls"):
                yield from _wrong(acl.below("attributes"), "node_acl")
                yield from _wrong(acl.below("parameters"), "tpg_parameter")


def _limits(lio: Lio, plugin: str, path: str) -> Mapping[str, str]:
    """Return limits that a storage object inherits from its device, by attribute.

    `discard` is 0 if the device cannot discard.
    """
    device = lio.machine.block_device(path) if plugin in ("block", "fileio") else None
    queue = lio.machine.queue(device.name) if device is not None else None
    if queue is None:
        return _NO_LIMITS
    found = {"discard": str(int(queue.discard_sectors > 0))}
    if plugin == "block":
        return found | {
            "hw_queue_depth": str(queue.depth),
            "hw_max_sectors": str(queue.max_sectors),
        }
    return found | {"hw_max_sectors": str(_FILEIO_MAX_BYTES // queue.block_size)}


def _must_discard(attributes: DocumentEntry, key: str, plugin: str, discard: str | None) -> None:
    """Raise UsageError if the kernel would refuse it, as the device cannot discard.

    The kernel asks the device only if no limit is set.
    """
    if attributes.number("max_unmap_block_desc_count"):
        return
    if plugin == "ramdisk":
        raise UsageError(f"{key} can only be 0: a ramdisk cannot discard.")
    if discard == "0":
        raise UsageError(f"{key} can only be 0: the device of this host cannot discard.")


def _of_handler(entry: DocumentEntry, plugin: str) -> Iterator[Problem]:
    """Yield attributes of a user-backed object that contradict its arguments."""
    own = entry.below("attributes")
    for key, name in (("config", "dev_config"), ("size", "dev_size")):
        given, message = entry.data.get(key), own.data.get(name)
        if plugin == "user" and None not in (given, message) and text_of(given) != text_of(message):
            yield error(own.at(name), f"contradicts {key}, which is {text_of(given)}")


def _identity(attributes: DocumentEntry, plugin: str) -> Iterator[Problem]:
    """Yield problems of vendor, product, revision and company id."""
    for key, file in IDENTITY.items():
        value = attributes.data.get(key)
        if value is None or isinstance(value, dict | list) or UNFIT.search(text_of(value)):
            continue
        if plugin and plugin not in storage_info.IDENTIFIED:
            message = f"has no effect on a {plugin} storage object"
            yield Problem("warning", attributes.at(key), message, at_key=True)
            continue
        row = settings.row("storage_object_wwn", file.rpartition("/")[2])
        try:
            taken = row.check(text_of(value), str)
            if row.type == "oui" and not text_of(value).lower().startswith("0x"):
                message = f"{text_of(value)} is not hexadecimal to the kernel without 0x"
                yield error(attributes.at(key), message, f'Write "{taken}".')
        except UsageError as found:
            yield refused(attributes.at(key), found)
        if file == settings.PRODUCT and "emulate_model_alias" in attributes.data:
            yield warning(
                attributes.at("emulate_model_alias"),
                "has no effect: the product is set",
                "targetcli would replace the product by it: remove it.",
            )


def _fits(entry: DocumentEntry, key: str, text: str) -> Iterator[Problem]:
    try:
        names.value(text, key)
    except UsageError as found:
        yield refused(entry.at(key), found)


def _wrong(
    entry: DocumentEntry, kind: str, owner: str = "", limits: Mapping[str, str] = _NO_LIMITS
) -> Iterator[Problem]:
    rows = settings.of_kind(kind)
    for key, value in entry.data.items():
        if UNFIT.search(key):
            continue  # reported by `type_problems`
        if kind == "storage_object" and key in IDENTITY:
            continue  # see `_identity`
        try:
            names.setting_file(f"attrib/{key}")
        except UsageError as found:
            yield refused(entry.at(key), found, at_key=True)
            continue
        if value is None or isinstance(value, dict | list) or UNFIT.search(text_of(value)):
            continue
        row = rows.get(key)
        if row is None:
            message = "unknown setting, it has no effect unless the kernel has it"
            hint = did_you_mean(key, rows)
            yield Problem("warning", entry.at(key), message, hint, at_key=True)
            yield from _fits(entry, key, text_of(value))
            continue
        if not row.can_be_set:
            continue
        try:
            taken = row.check(text_of(value), _beside(entry.data, rows, owner, limits))
            row.check_for(owner, taken)
            if key in settings.DISCARDING and taken == "1":
                _must_discard(entry, key, owner, limits.get("discard"))
        except UsageError as found:
            yield refused(entry.at(key), found)


def _beside(
    values: Mapping[str, object],
    rows: Mapping[str, Attribute],
    owner: str,
    limits: Mapping[str, str],
) -> Callable[[str], str]:
    """Return a reader of other settings: the device's value, the file's, or the default."""

    def read(name: str) -> str:
        if name in limits:
            return limits[name]
        if name in values:
            return text_of(values[name])
        return (rows[name].default_of(owner) if name in rows else None) or ""

    return read
