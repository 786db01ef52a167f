# SPDX-License-Identifier: Apache-2.0
"""Which row of the table of settings tells of a file of an object, and what it says there."""

from __future__ import annotations

from pyshell.lio import attributes
from pyshell.lio.attributes import Attribute
from pyshell.lio.identifiers import (
    AluaGroup,
    MappedLun,
    NodeAcl,
    Place,
    StorageObject,
    Target,
    Tpg,
)
from pyshell.lio.operations.settings import FabricPlace

_KINDS: dict[tuple[type, str], str] = {
    (StorageObject, "attrib"): "storage_object",
    (AluaGroup, ""): "alua_group",
    (Target, "param"): "target_parameter",
    (Tpg, "attrib"): "tpg",
    (Tpg, "param"): "tpg_parameter",
    (NodeAcl, "attrib"): "node_acl",
    (MappedLun, ""): "mapped_lun",
}
_AS_CREATED = frozenset({"emulate_model_alias"})
"""What `create` gives by a preference: no table knows it."""


def owner(place: Place | FabricPlace) -> str:
    """Return the backstore or fabric that a default goes by."""
    if isinstance(place, StorageObject):
        return place.plugin
    if isinstance(place, Target):
        return place.fabric_name
    if isinstance(place, Tpg):
        return place.target.fabric_name
    return place.tpg.target.fabric_name if isinstance(place, NodeAcl) else ""


def row_of(place: Place | FabricPlace, file: str) -> Attribute | None:
    """Return the row of a setting (`attrib/emulate_caw`), None where the table has none."""
    folder, _, name = file.rpartition("/")
    kind = _KINDS.get((type(place), folder))
    return attributes.of_kind(kind).get(name) if kind else None


def comes_by_itself(place: Place | FabricPlace, file: str, value: str) -> bool:
    """Tell whether a new object has that value, or takes no other."""
    row = row_of(place, file)
    if row is None or row.name in _AS_CREATED:
        return False
    if not row.can_be_set:
        return True
    return row.tried and row.default_of(owner(place)) == value


def depends_on_device(place: Place | FabricPlace, file: str) -> bool:
    """Whether a storage object's setting may not fit another device: limits, sizes of blocks."""
    folder, _, name = file.rpartition("/")
    if not isinstance(place, StorageObject) or folder != "attrib" or name in _AS_CREATED:
        return False
    row = row_of(place, file)
    if row is None or name == "block_size":
        return True
    if any(isinstance(high, str) for _, high in row.range):
        return True
    return not name.startswith("emulate_") and row.default_of(owner(place)) is None


def refuse_misread(place: Place | FabricPlace, file: str, value: str) -> None:
    """Raise UsageError for what the kernel wants otherwise and would misread, or refuse.

    It takes what is neither true nor false for false: `authentication=maybe` would let everybody
    in. Of the rest it is known which values only other backstores take.
    """
    row = row_of(place, file)
    if row is not None and row.type == "boolean":
        row.check(value, str)
    if row is not None:
        row.check_for(owner(place), value)
