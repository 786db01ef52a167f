#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Generate the manual pages from the templates *.in and from pyshell's own tables.

    python packaging/man/generate.py

docs/reference.md has the same tables.

In a template, a line `@NAME@` is replaced by one of the tables below, and `@UNIT:KEY@` by the value
of a key in a systemd unit.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pyshell.config import document
from pyshell.lio import settings
from pyshell.lio.settings import Attribute
from pyshell.shell.options import OPTIONS
from pyshell.tree import (
    acls,
    backstores,
    fabric,
    luns,
    preferences,
    root,
    storage_object,
    tpg,
    user_backstores,
)
from pyshell.tree.command import Command, Param
from pyshell.tree.node import Node

HERE = Path(__file__).parent
REFERENCE = HERE.parents[1] / "docs" / "reference.md"
UNITS = HERE.parent / "systemd"
SCHEMA = Path(document.__file__).with_name("saveconfig.schema.json")
WIDTH = 78
KINDS = (
    ("any node", Node),
    ("the root", root.RootNode),
    ("the root of a simulated target", root.SimulatedRootNode),
    ("/backstores/block", backstores.BlockNode),
    ("/backstores/fileio", backstores.FileioNode),
    ("/backstores/pscsi", backstores.PscsiNode),
    ("/backstores/ramdisk", backstores.RamdiskNode),
    ("/backstores/user:HANDLER", user_backstores.UserBackstoreNode),
    ("a storage object", storage_object.StorageObjectNode),
    ("alua, below a storage object", storage_object.AluaGroupsNode),
    ("an ALUA group", storage_object.AluaGroupNode),
    ("a fabric", fabric.FabricNode),
    ("a target", fabric.TargetNode),
    ("a TPG", tpg.TpgNode),
    ("acls, below a TPG", acls.AclsNode),
    ("a node ACL", acls.NodeAclNode),
    ("a mapped LUN", acls.MappedLunNode),
    ("luns, below a TPG", luns.LunsNode),
    ("a LUN", luns.LunNode),
    ("portals, below a TPG", tpg.PortalsNode),
    ("a portal", tpg.PortalNode),
)
SETTINGS = (
    ("a storage object, group attribute", "storage_object"),
    ("a storage object, group wwn", "storage_object_wwn"),
    ("an ALUA group, group alua", "alua_group"),
    ("a LUN, group alua", "lun_alua"),
    ("a mapped LUN, group attribute", "mapped_lun"),
    ("a TPG, group attribute", "tpg"),
    ("a TPG, group parameter", "tpg_parameter"),
    ("a node ACL, group attribute", "node_acl"),
    ("a node ACL, group queue", "node_acl_queue"),
    ("a target, group parameter", "target_parameter"),
    ("groups auth and discovery_auth", "auth"),
)
STATUSES = (
    "Done.",
    "Failed.",
    "Usage error: an option, a command or a value is not valid.",
    "Not found.",
    "Not permitted.",
    "Conflict: the object exists or is in use, or another program holds the lock.",
    "Restored in part.",
)
Lines = Iterator[str]


def escaped(text: str) -> str:
    """Escape what troff would interpret."""
    return text.replace("\\", "\\e").replace("…", "...")


def prose(text: str) -> Lines:
    """Yield the lines of `text`; each sentence begins a line, as mandoc expects."""
    for sentence in re.split(r"(?<=[.!?:;])\s+", escaped(text.strip())):
        for line in textwrap.wrap(sentence, WIDTH, break_on_hyphens=False, break_long_words=False):
            yield f"\\&{line}" if line[0] in ".'" else line


def macro(name: str, text: str) -> str:
    """Return a macro with one literal argument."""
    literal = escaped(text).replace('"', "\\(dq").replace("-", "\\-")
    return f'.{name} "\\&{literal}"'


def option_table() -> Lines:
    """Yield the options of the command line."""
    for option in OPTIONS:
        yield macro("It Sy", option.syntax)
        yield from prose(option.help[0].upper() + option.help[1:] + ".")


def command_tables() -> Lines:
    """Yield a section for each kind of node that adds commands to those of its base classes."""
    for title, node in KINDS:
        base = root.RootNode if node is root.SimulatedRootNode else Node
        shared = {} if node is base else base.commands()
        own = [one for name, one in node.commands().items() if one is not shared.get(name)]
        if own:
            yield macro("Ss", f"Commands of {title}")
            yield ".Bl -tag -width Ds"
            for described in own:
                yield from command(described, title)
            yield ".El"


def command(described: Command, title: str) -> Lines:
    """Yield one command of the nodes of `title` with its parameters."""
    yield macro("It Sy", described.signature)
    yield from prose(described.summary)
    if described.details:
        yield from prose(described.details)
    every = [*described.params, *(p for p in (described.rest, described.named_rest) if p)]
    if every:
        yield ".Bl -tag -width Ds -compact"
        for param in every:
            yield macro("It Ar", param.name)
            yield from prose(_about(param))
        yield ".El"
    for example in described.examples_at(title.replace("HANDLER", "qcow")):
        yield macro("Dl", example)


def _about(param: Param) -> str:
    needed = ", required" if param.required else ""
    values = param.kind.name
    if len(values) > WIDTH:  # troff breaks lines between words only
        values = f"one of {values.replace('|', ', ')}"
    return f"{param.help} ({values}{needed})"


def setting_tables() -> Lines:
    """Yield the settings, by kind of object."""
    for title, kind in SETTINGS:
        yield ".Pp"
        yield from prose(f"{title[0].upper()}{title[1:]}:")
        yield ".Bl -tag -width Ds"
        for row in settings.of_kind(kind).values():
            yield macro("It Sy", row.name)
            yield from prose(row.text)
            yield from prose(". ".join(_facts(row)) + ".")
        yield ".El"


def _facts(row: Attribute) -> Lines:
    allowed, unit = row.allowed(), f" {row.unit}" if row.unit else ""
    yield f"Values: {allowed}{unit}" if allowed else f"{row.type.title()}{unit and ' of' + unit}"
    if row.default_text:
        yield f"Default: {row.default_text}"
    told = _WRITES.get(row.write)
    if told:
        yield told


_WRITES = {
    "unexported": "It can only be changed while no LUN exports the storage object",
    "fixed": "Read-only",
    "ignored": "The kernel ignores changes",
    "never": "Read-only",
}


def preference_table() -> Lines:
    """Yield the preferences."""
    for one in preferences.PREFERENCES.values():
        yield macro("It Sy", one.name)
        default = preferences.text(one.default)
        facts = f"{one.kind.name}, default {default}" if default else one.kind.name
        yield from prose(f"{one.help} ({facts})")


def status_table() -> Lines:
    """Yield the exit statuses."""
    for number, told in enumerate(STATUSES):
        yield f".It {number}"
        yield from prose(told)


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the saved configuration."""
    found: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return found


def keys_of(described: Mapping[str, Any]) -> Lines:
    """Yield the keys of an object of the schema."""
    required = described.get("required", ())
    for name, told in described["properties"].items():
        yield macro("It Sy", name)
        needed = ", required" if name in required else ""
        yield from prose(f"{_plain(told.get('description', ''))} ({_type(told)}{needed})")


def _type(told: Mapping[str, Any]) -> str:
    if "anyOf" in told:
        return " or ".join(dict.fromkeys(_type(one) for one in told["anyOf"]))
    if "$ref" in told:
        return str(told["$ref"]).rpartition("/")[2]
    if told.get("type") == "array":
        return f"list of {_type(told['items'])}"
    return (
        str(told.get("type", "any")) if "enum" not in told else " or ".join(map(str, told["enum"]))
    )


def _plain(text: str) -> str:
    return text.replace("`", "")


def object_tables() -> Lines:
    """Yield a section for each kind of object below the top of the file."""
    for name, described in schema()["$defs"].items():
        yield macro("Ss", name)
        yield from prose(_plain(described["description"]))
        yield ".Bl -tag -width Ds"
        yield from keys_of(described)
        yield ".El"


TABLES: Mapping[str, Callable[[], Iterable[str]]] = {
    "OPTIONS": option_table,
    "COMMANDS": command_tables,
    "SETTINGS": setting_tables,
    "PREFERENCES": preference_table,
    "STATUSES": status_table,
    "KEYS": lambda: keys_of(schema()),
    "OBJECTS": object_tables,
    "EXAMPLE": lambda: escaped((HERE / "example.json").read_text()).splitlines(),
}


def page(template: str) -> str:
    """Return the page of a template's text."""

    def unit(match: re.Match[str]) -> str:
        text = (UNITS / match[1]).read_text()
        (value,) = re.findall(rf"^{match[2]}=(.*)", text, re.MULTILINE)
        return str(value).replace("-", "\\-")

    lines: list[str] = []
    for line in template.splitlines():
        table = re.fullmatch("@([A-Z]+)@", line)
        if table:
            lines += TABLES[table[1]]()
        elif line.startswith("."):
            lines.append(re.sub(r"@([\w.-]+):(\w+)@", unit, line))
        else:
            lines += textwrap.wrap(line, WIDTH, break_on_hyphens=False)
    return "\n".join([*lines, ""])


def pages() -> dict[str, str]:
    """Return all pages by their file names."""
    return {path.stem: page(path.read_text()) for path in sorted(HERE.glob("*.in"))}


_MACRO = re.compile(r'\.(Ss|It Sy|It Ar|Dl) "(.*)"')
_ESCAPED = {"\\(dq": '"', "\\-": "-", "\\&": "", "\\e": "\\"}
_INTRODUCTION = """\
# Reference

Generated by `packaging/man/generate.py` from the declarations in the code, like the manual
pyshell(8): do not edit it. The manual also explains how lines are read, secrets, files and the
environment (`man pyshell`, in a clone `man -l packaging/man/pyshell.8`); saveconfig.json(5) has the
keys of a saved configuration. In pyshell, `help WORD` finds all of this.
"""


def reference() -> str:
    """Return the reference: the tables of the manual as Markdown."""
    sections = (
        ("Options", option_table()),
        ("Commands", command_tables()),
        ("Settings", setting_tables()),
        ("Preferences", preference_table()),
        ("Exit statuses", status_table()),
    )
    parts = [_INTRODUCTION]
    for title, lines in sections:
        parts += [f"\n## {title}\n", *markdown(lines)]
    return "".join(parts)


def markdown(lines: Lines) -> Lines:
    """Yield the Markdown of a table of the manual."""
    for line in lines:
        found = _MACRO.fullmatch(line)
        if found:
            literal = _unescaped(found[2])
            yield {
                "Ss": f"\n### {literal}\n",
                "It Sy": f"\n- **`{literal}`**",
                "It Ar": f"\n  - `{literal}`:",
                "Dl": f"\n  - Example: `{literal}`",
            }[found[1]]
        elif line.startswith(".It "):
            yield f"\n- {line.removeprefix('.It ')}:"
        elif line == ".Pp":
            yield "\n\n###"
        elif not line.startswith("."):
            yield " " + re.sub(r"([*<])", r"\\\1", _unescaped(line))
    yield "\n"


def _unescaped(text: str) -> str:
    return re.sub(r"\\\(dq|\\[-&e]", lambda found: _ESCAPED[found.group()], text)


if __name__ == "__main__":
    REFERENCE.write_text(reference(), encoding="utf-8")
    for name, text in pages().items():
        (HERE / name).write_text(text, encoding="utf-8")
