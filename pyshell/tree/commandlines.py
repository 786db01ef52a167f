# SPDX-License-Identifier: Apache-2.0
"""The command lines that would bring one configuration to another, as a user could type them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from shlex import quote
from typing import Any

from pyshell.saved.compare import compare
from pyshell.saved.model import ENABLED, LUN_GROUP, Item, Items
from pyshell.target import names, places, rows
from pyshell.target.operations.settings import FabricPlace
from pyshell.target.places import DEFAULT_GROUP

_GROUPS = {"attrib": "attribute", "param": "parameter", "auth": "auth"}
_AUTH = {"password_mutual": "mutual_password", "userid_mutual": "mutual_userid"}
_FILEIO = {"dev": "file_or_dev"}
_USER = {"config": "cfgstring"}


def command_lines(
    before: Items, after: Items, *, secrets: bool = False, beside: Items | None = None
) -> list[str]:
    """Return the lines in the order in which to run them. Secrets are left to be asked for.

    `beside` are objects of which others are made, and that may be there already.
    What only the first has is deleted; objects that would have to be made anew are deleted first.
    """
    lines: list[str] = []
    for item in (beside or {}).values():
        lines += (f"{line} exist_ok=true" for line in _creation(item, set()))
        lines += _settings(item, _own(item), secrets=secrets)
    differences = compare(before, after)
    anew = {d.path for d in differences if d.facts}
    gone = {d.path for d in differences if d.sign == "-"} | anew
    for path, item in reversed(list(before.items())):
        if path in gone and not _goes_with_its_owner(item, gone):
            lines += _deletion(item)
    made = {d.path for d in differences if d.sign == "+"} | anew
    listened = {path for path, item in after.items() if isinstance(item.place, places.Portal)}
    for path, item in after.items():
        if path in made:
            lines += _creation(item, listened)
            lines += _settings(item, _own(item), secrets=secrets)
    for difference in differences:
        if difference.sign == "~" and difference.path not in anew and difference.after:
            changed = {c.name: c.after for c in difference.settings}
            lines += _settings(difference.after, changed, secrets=secrets)
    for path, item in after.items():
        if isinstance(item.place, places.Tpg) and ENABLED in item.settings:
            before_it = before[path].settings.get(ENABLED) if path in before else "1"
            if path in made and item.settings[ENABLED] == "0":
                lines.append(f"{item.place.path} disable")
            elif path not in made and before_it != item.settings[ENABLED]:
                word = "enable" if item.settings[ENABLED] == "1" else "disable"
                lines.append(f"{item.place.path} {word}")
    return lines


def _goes_with_its_owner(item: Item, gone: set[str]) -> bool:
    """Tell whether deleting something above it deletes it too."""
    parts = item.path.strip("/").split("/")
    return any("/" + "/".join(parts[:count]) in gone for count in range(1, len(parts)))


def _creation(item: Item, listened: set[str]) -> Iterator[str]:
    """Yield what makes an object; `listened` are the paths of all portals that there will be."""
    place = item.place
    if isinstance(place, places.StorageObject):
        yield _line(f"/backstores/{place.plugin} create", {"name": place.name, **_made_with(item)})
    elif isinstance(place, places.AluaGroup):
        if place.name != DEFAULT_GROUP:
            yield _line(
                f"{place.storage_object.path}/alua create",
                {"name": place.name, "tag": item.facts.get("tg_pt_gp_id")},
            )
    elif isinstance(place, places.Target):
        yield _line(f"/{place.fabric_name} create", {"wwn": place.wwn})
    elif isinstance(place, places.Tpg):
        yield from _tpg(place, listened)
    elif isinstance(place, places.Lun):
        exported = item.facts["storage_object"]
        yield _line(
            f"{place.tpg.path}/luns create",
            {"storage_object": exported, "lun": place.index, "add_mapped_luns": False},
        )
    elif isinstance(place, places.Portal):
        yield _line(
            f"{place.tpg.path}/portals create",
            {"ip_address": place.address, "ip_port": place.port, "exist_ok": True},
        )
    elif isinstance(place, places.NodeAcl):
        yield _line(f"{place.tpg.path}/acls create", {"wwn": place.wwn, "add_mapped_luns": False})
    elif isinstance(place, places.MappedLun):
        protect = {"write_protect": True} if item.settings.get("write_protect") == "1" else {}
        mapped = {"mapped_lun": place.index, "tpg_lun_or_backstore": item.facts["tpg_lun"]}
        yield _line(f"{place.acl.path} create", mapped | protect)


def _tpg(place: places.Tpg, listened: set[str]) -> Iterator[str]:
    """Yield what makes a TPG: the first comes with its target, each may get the default portal."""
    fabric = place.target.fabric
    if not fabric.has("tpgts"):
        return
    if place.tag != 1:
        yield f"{place.target.path} create {place.tag}"
    if fabric.has("nps"):
        wildcards = [
            places.Portal(place, address, names.DEFAULT_PORT)
            for address in (names.WILDCARD_V4, names.WILDCARD_V6)
        ]
        unwanted = [portal for portal in wildcards if portal.path not in listened]
        # Where neither is wanted, the name of one deletes the other, too.
        for portal in unwanted[:1]:
            yield _line(
                f"{place.path}/portals delete",
                {"ip_address": portal.address, "ip_port": portal.port, "missing_ok": True},
            )


def _made_with(item: Item) -> Mapping[str, Any]:
    place = item.place
    assert isinstance(place, places.StorageObject)
    known = {"fileio": _FILEIO, "user": _USER}.get(place.plugin, {})
    return {known.get(name, name): value for name, value in item.facts.items()}


def _own(item: Item) -> dict[str, str]:
    """Return what a new object has to be given: not what it has by itself."""
    place = item.place
    return {
        file: value
        for file, value in item.settings.items()
        if not rows.comes_by_itself(place, file, value) and (value or "auth/" not in file)
    }


def _settings(item: Item, values: Mapping[str, str], *, secrets: bool) -> Iterator[str]:
    place = item.place
    by_group: dict[str, dict[str, str]] = {}
    for file, value in values.items():
        folder, _, name = file.rpartition("/")
        if file == "tag" and value:
            assert isinstance(place, places.NodeAcl)
            yield f"{place.tpg.path}/acls tag {place.wwn} {quote(value)}"
        elif file == LUN_GROUP:
            if value != DEFAULT_GROUP:
                yield f"{place.path} set alua alua_tg_pt_gp_name={quote(value)}"
        elif isinstance(place, places.AluaGroup):
            by_group.setdefault("alua", {})[name] = value
        elif isinstance(place, FabricPlace):
            shown = "enable" if name == "enforce_discovery_auth" else _AUTH.get(name, name)
            by_group.setdefault("discovery_auth", {})[shown] = value
        elif isinstance(place, places.Portal):
            if value == "1":
                yield f"{place.path} enable_{'offload' if name == 'cxgbit' else name} true"
        elif folder in _GROUPS:
            by_group.setdefault(_GROUPS[folder], {})[_AUTH.get(name, name)] = value
    for group, given in by_group.items():
        hidden = frozenset() if secrets else names.SECRET_NAMES
        said = {n: "-" if v and n in hidden else v for n, v in given.items()}
        yield _line(f"{place.path} set {group}", said)


def _deletion(item: Item) -> Iterator[str]:
    place = item.place
    if isinstance(place, places.StorageObject):
        yield f"/backstores/{place.plugin} delete {quote(place.name)}"
    elif isinstance(place, places.AluaGroup):
        if place.name != DEFAULT_GROUP:
            yield f"{place.storage_object.path}/alua delete {quote(place.name)}"
    elif isinstance(place, places.Target):
        yield f"/{place.fabric_name} delete {place.wwn}"
    elif isinstance(place, places.Tpg):
        yield f"{place.target.path} delete {place.tag}"
    elif isinstance(place, places.Lun):
        yield f"{place.tpg.path}/luns delete {place.index}"
    elif isinstance(place, places.Portal):
        yield f"{place.tpg.path}/portals delete {names.bracketed(place.address)} {place.port}"
    elif isinstance(place, places.NodeAcl):
        yield f"{place.tpg.path}/acls delete {place.wwn}"
    elif isinstance(place, places.MappedLun):
        yield f"{place.acl.path} delete {place.index}"
    elif isinstance(place, FabricPlace):
        yield f"{place.path} set discovery_auth enable=false"


def _line(start: str, values: Mapping[str, Any]) -> str:
    words = [f"{n}={quote(_word(v))}" for n, v in values.items() if v is not None]
    return " ".join([start, *words])


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
