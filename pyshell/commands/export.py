# SPDX-License-Identifier: Apache-2.0
"""The command lines that change one configuration into another, as a user could type them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pyshell import names, quoting
from pyshell.config.compare import compare
from pyshell.config.model import (
    ENABLED,
    LUN_GROUP,
    QUEUE_DEPTH,
    Item,
    Items,
    default_queue_depth,
)
from pyshell.lio import identifiers, settings
from pyshell.lio.identifiers import DEFAULT_GROUP, FabricPlace
from pyshell.text import one_line, unsafe_in
from pyshell.tree.command import serial_argument

_GROUPS = {"attrib": "attribute", "param": "parameter", "auth": "auth", "wwn": "wwn"}
_FILEIO = {"dev": "file_or_dev"}
_ATTRIBUTE = "attrib/"
_DEFAULTS = {"readonly": False, "exclusive": True, "aio": False, "nullio": False}
"""The values that `create` takes on every host. (It exports a read-only device read-only.)"""
Secret = Callable[[str, str, str], str]
"""Writes the word of a secret, by the object's path, the parameter's name and the value."""
Derived = Callable[[Item], Mapping[str, str]]
"""Returns the attributes that a storage object takes from its device."""


def asked(path: str, name: str, value: str) -> str:
    """Return the word that asks for a secret."""
    return f"{name}=-"


def shown(path: str, name: str, value: str) -> str:
    """Return a secret as it is."""
    return quoting.argument(name, value)


def command_lines(
    before: Items,
    after: Items,
    *,
    secret: Secret = asked,
    beside: Items | None = None,
    derived: Derived = lambda item: {},
) -> list[str]:
    """Return the lines in the order in which to run them. Existing objects are kept.

    `beside` are objects that others depend on, and that may exist already.
    Objects that only the first has are deleted; those to recreate are deleted first.
    """
    lines: list[str] = []
    every = {**(beside or {}), **after}

    def own(item: Item) -> dict[str, str]:
        place = item.place
        given: dict[str, str] = {}
        if isinstance(place, identifiers.StorageObject):
            given = {f"{_ATTRIBUTE}{name}": value for name, value in derived(item).items()}
        elif isinstance(place, identifiers.NodeAcl):
            tpg = every.get(Item(place.tpg).path)
            if tpg is not None:
                given = {QUEUE_DEPTH: default_queue_depth(tpg)}
        return _own(item, given)

    for item in (beside or {}).values():
        lines += _creation(item, {})
        lines += _settings(item, own(item), secret)
    differences = compare(before, after, unread=False)
    anew = {d.path for d in differences if d.facts}
    gone = {d.path for d in differences if d.sign == "-"} | anew
    for path, item in reversed(list(before.items())):
        if path in gone and not _goes_with_its_owner(item, gone):
            lines += _deletion(item)
    made = {d.path for d in differences if d.sign == "+"} | anew
    created = {path: item for path, item in after.items() if path in made}
    repeated = _repeated_exports(after)
    for path, item in after.items():
        if path in made and (luns := repeated & {path, *item.links}):
            lines.append(
                f"# {path} cannot be created by a command: another LUN of the TPG exports the"
                f" storage object of {', '.join(luns)}. Apply a saved file instead."
            )
        elif path in made:
            lines += _creation(item, created)
            lines += _settings(item, own(item), secret)
    exported = {link for item in before.values() for link in item.links}
    for difference in differences:
        if difference.sign == "~" and difference.path not in anew and difference.after:
            place = difference.after.place
            changed = {c.name: c.after for c in difference.settings}
            if difference.path in exported and any(
                settings.is_fixed_while_exported(place, name) for name in changed
            ):
                lines.append(f"# {place.path} is exported: delete its LUNs first, or use 'apply'.")
            lines += _settings(difference.after, changed, secret)
    for path, item in after.items():
        if isinstance(item.place, identifiers.Tpg) and ENABLED in item.settings:
            before_it = before[path].settings.get(ENABLED) if path in before else "1"
            other = path in made or before_it != item.settings[ENABLED]
            if other and item.place.target.fabric.can_be_enabled:
                command = "enable" if item.settings[ENABLED] == "1" else "disable"
                lines.append(_line(item.place.path, command))
    return [_on_one_line(line) for line in lines]


def _repeated_exports(every: Items) -> set[str]:
    """Return the LUNs whose storage object an earlier LUN of their TPG exports."""
    seen: set[tuple[str, str]] = set()
    found = set()
    for path, item in every.items():
        if isinstance(item.place, identifiers.Lun):
            export = (item.place.tpg.path, item.facts["storage_object"])
            if export in seen:
                found.add(path)
            seen.add(export)
    return found


def _on_one_line(line: str) -> str:
    """Return a line, as a comment if a name in it cannot be written on one line as it is."""
    bad = unsafe_in(line)
    if not bad:
        return line
    shown = one_line(line)
    if line.startswith("#"):
        return shown
    return f"# cannot be run, as it holds the character U+{ord(bad):04X}: {shown}"


def _goes_with_its_owner(item: Item, gone: set[str]) -> bool:
    """Return whether deleting something above it deletes it too."""
    return not gone.isdisjoint(identifiers.parents(item.path))


def _creation(item: Item, made: Mapping[str, Item]) -> Iterator[str]:
    """Yield the lines that create an object; `made` are all objects that are created."""
    place = item.place
    if (
        isinstance(place, identifiers.StorageObject | identifiers.AluaGroup)
        and not place.name.isascii()
    ):
        yield f"# 'create' does not accept the name {place.name}: apply a saved file instead."
    if isinstance(place, identifiers.StorageObject):
        yield from _storage_object(place, item)
    elif isinstance(place, identifiers.AluaGroup):
        if place.name != DEFAULT_GROUP:
            group = {"name": place.name, "tag": item.facts.get("tg_pt_gp_id")}
            yield _create((f"{place.storage_object.path}/alua", "create"), group)
    elif isinstance(place, identifiers.Target):
        yield from _target(place, made)
    elif isinstance(place, identifiers.Tpg):
        yield from _tpg(place, made)
    elif isinstance(place, identifiers.Lun):
        lun = {"storage_object": item.facts["storage_object"], "lun": place.index}
        yield _create((f"{place.tpg.path}/luns", "create"), lun | {"add_mapped_luns": False})
    elif isinstance(place, identifiers.Portal):
        portal = {"ip_address": place.address, "ip_port": place.port}
        yield _create((f"{place.tpg.path}/portals", "create"), portal)
    elif isinstance(place, identifiers.NodeAcl):
        yield _create(
            (f"{place.tpg.path}/acls", "create"), {"wwn": place.wwn, "add_mapped_luns": False}
        )
    elif isinstance(place, identifiers.MappedLun):
        protect = {"write_protect": True} if item.settings.get("write_protect") == "1" else {}
        mapped = {"mapped_lun": place.index, "tpg_lun_or_backstore": item.facts["tpg_lun"]}
        yield _create((place.acl.path, "create"), mapped | protect)


def _storage_object(place: identifiers.StorageObject, item: Item) -> Iterator[str]:
    given = {n: value for n, value in item.facts.items() if value is not _DEFAULTS.get(n, ...)}
    if given.get("wwn"):
        given["wwn"] = serial_argument(given["wwn"])
    backstore = place.plugin
    if backstore == "fileio":
        given = {"file_or_dev" if name == "dev" else name: v for name, v in given.items()}
    elif backstore == "user":
        handler, slash, config = str(given.pop("config", "")).partition("/")
        if not slash:
            yield f"# {place.path} cannot be created by a command: it has no handler."
            return
        backstore = f"user:{handler}"
        given["cfgstring"] = config
    yield _create((f"/backstores/{backstore}", "create"), {"name": place.name, **given})


def _target(place: identifiers.Target, made: Mapping[str, Item]) -> Iterator[str]:
    """Yield the lines that create a target, along with its first TPG."""
    fabric = place.fabric
    portal = {"default_portal": False} if fabric.has("nps") else {}
    yield _create((f"/{place.fabric_name}", "create"), {"wwn": place.wwn} | portal)
    if f"{place.path}/tpg1" in made:
        return
    if fabric.has("tpgts"):
        yield _line(place.path, "delete", "1", missing_ok=True)
    else:
        yield f"# {place.path} cannot be created without its TPG: apply a saved file instead."


def _tpg(place: identifiers.Tpg, made: Mapping[str, Item]) -> Iterator[str]:
    fabric = place.target.fabric
    comes_with_target = place.tag == 1 and place.target.path in made
    if fabric.has("tpgts") and not comes_with_target:
        portal = {"default_portal": False} if fabric.has("nps") else {}
        yield _create((place.target.path, "create", str(place.tag)), portal)


def _own(item: Item, given: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that differ from those of a new object, `given` by others included."""
    place = item.place
    itself = dict(given)
    if isinstance(place, identifiers.StorageObject) and place.plugin == "fileio":
        cached = bool(item.facts.get("write_back"))
        itself[f"{_ATTRIBUTE}emulate_write_cache"] = str(int(cached))
    return {
        file: value
        for file, value in item.settings.items()
        if not (
            itself[file] == value
            if file in itself
            else settings.comes_by_itself(place, file, value)
        )
        and (value or "auth/" not in file)
    }


def _settings(item: Item, values: Mapping[str, str], secret: Secret) -> Iterator[str]:
    place = item.place
    by_group: dict[str, dict[str, str]] = {}
    for file, value in values.items():
        folder, _, name = file.rpartition("/")
        if file == "tag" and value:
            assert isinstance(place, identifiers.NodeAcl)
            yield _line(f"{place.tpg.path}/acls", "tag", place.wwn, value)
        elif file == LUN_GROUP:
            if value != DEFAULT_GROUP:
                yield _line(place.path, "set", "alua", alua_tg_pt_gp_name=value)
        elif isinstance(place, identifiers.AluaGroup):
            by_group.setdefault("alua", {})[name] = value
        elif isinstance(place, FabricPlace):
            parameter = (
                "enable"
                if name == "enforce_discovery_auth"
                else settings.AUTH_NAMES.get(name, name)
            )
            by_group.setdefault("discovery_auth", {})[parameter] = value
        elif isinstance(place, identifiers.Portal):
            if value == "1":
                yield _line(place.path, f"enable_{'offload' if name == 'cxgbit' else name}", "true")
        elif file == QUEUE_DEPTH:
            by_group.setdefault("queue", {})[name] = value
        elif folder in _GROUPS:
            by_group.setdefault(_GROUPS[folder], {})[settings.AUTH_NAMES.get(name, name)] = value
    for group, given in by_group.items():
        hidden = {n: v for n, v in given.items() if v and n in names.SECRET_NAMES}
        plain = {n: v for n, v in given.items() if n not in hidden}
        words = {n: secret(place.path, n, v) for n, v in hidden.items()}
        words |= {n: quoting.argument(n, v) for n, v in plain.items()}
        yield " ".join([_line(place.path, "set", group), *(words[n] for n in given)])


def _deletion(item: Item) -> Iterator[str]:
    place = item.place
    if isinstance(place, identifiers.StorageObject):
        yield _line(f"/backstores/{place.plugin}", "delete", name=place.name)
    elif isinstance(place, identifiers.AluaGroup):
        if place.name != DEFAULT_GROUP:
            yield _line(f"{place.storage_object.path}/alua", "delete", name=place.name)
    elif isinstance(place, identifiers.Target):
        yield _line(f"/{place.fabric_name}", "delete", place.wwn)
    elif isinstance(place, identifiers.Tpg):
        yield _line(place.target.path, "delete", str(place.tag))
    elif isinstance(place, identifiers.Lun):
        yield _line(f"{place.tpg.path}/luns", "delete", str(place.index))
    elif isinstance(place, identifiers.Portal):
        address = names.bracketed(place.address)
        yield _line(f"{place.tpg.path}/portals", "delete", address, str(place.port))
    elif isinstance(place, identifiers.NodeAcl):
        yield _line(f"{place.tpg.path}/acls", "delete", place.wwn)
    elif isinstance(place, identifiers.MappedLun):
        yield _line(place.acl.path, "delete", str(place.index))
    elif isinstance(place, FabricPlace):
        yield _line(place.path, "set", "discovery_auth", enable=False)


def _create(words: tuple[str, ...], values: Mapping[str, Any]) -> str:
    """Return the line that creates an object, or does nothing if just that exists."""
    return _line(*words, **values, exist_ok=True)


_line = quoting.line
