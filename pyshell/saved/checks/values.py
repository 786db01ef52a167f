# SPDX-License-Identifier: Apache-2.0
"""Values of attributes and parameters that the kernel would refuse, or read as something else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from pyshell.errors import UsageError
from pyshell.saved.checks.faults import UNFIT, Entry, Fault, refused, whole
from pyshell.saved.model import text_of
from pyshell.target import attributes, names
from pyshell.target.attributes import Attribute

_JUDGED_ELSEWHERE = frozenset({"block_size", "alua_access_state"})
"""Settings of which the checks of storage objects tell more."""
_UNREAD = frozenset({"never", "ignored"})


def value_faults(document: Entry) -> Iterator[Fault]:
    """Yield each setting of a file whose value no such setting can have."""
    for entry in document.each("storage_objects"):
        yield from _wrong(entry.below("attributes"), "storage_object")
        for group in entry.each("alua_tpgs"):
            typed = {key: value for key, value in group.data.items() if whole(value) is not None}
            yield from _wrong(Entry(typed, group.place), "alua_group")
    for target in document.each("targets"):
        yield from _wrong(target.below("parameters"), "target_parameter")
        for tpg in target.each("tpgs"):
            yield from _wrong(tpg.below("attributes"), "tpg")
            yield from _wrong(tpg.below("parameters"), "tpg_parameter")
            for acl in tpg.each("node_acls"):
                yield from _wrong(acl.below("attributes"), "node_acl")
                yield from _wrong(acl.below("parameters"), "tpg_parameter")


def _wrong(entry: Entry, kind: str) -> Iterator[Fault]:
    rows = attributes.of_kind(kind)
    for key, value in entry.data.items():
        if UNFIT.search(key):
            continue  # told by the checks of types
        try:
            names.setting_file(key)
        except UsageError as found:
            yield refused(entry.at(key), found, at_key=True)
            continue
        row = rows.get(key)
        if row is None or value is None or isinstance(value, dict | list):
            continue
        if key in _JUDGED_ELSEWHERE or row.write in _UNREAD:
            continue
        try:
            row.check(text_of(value), _beside(entry.data, rows))
        except UsageError as found:
            yield refused(entry.at(key), found)


def _beside(values: Mapping[str, object], rows: Mapping[str, Attribute]) -> Callable[[str], str]:
    """Return a reader of another setting of the same object: the file's, else the default."""

    def read(name: str) -> str:
        if name in values:
            return text_of(values[name])
        default = rows[name].default if name in rows else None
        return default if isinstance(default, str) else ""

    return read
