# SPDX-License-Identifier: Apache-2.0
"""What rules of the simulated kernel are and work on: paths, states of objects, values."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from pyshell.expressions import expression
from pyshell.simulator.hardware import Hardware
from pyshell.simulator.recorded import Rule, Template, template
from pyshell.simulator.tree_files import TreeFiles

# The kind of group that mkdir creates, by kind of object and default group in it.
_MADE_IN = {
    ("root", ""): "fabric",
    ("root", "core"): "hba",
    ("root", "core/alua/lu_gps"): "lu_gp",
    ("hba", ""): "device",
    ("device", "alua"): "tg_pt_gp",
    ("fabric", ""): "target",
    ("target", ""): "tpg",
    ("tpg", "lun"): "lun",
    ("tpg", "np"): "portal",
    ("tpg", "acls"): "acl",
    ("acl", ""): "mapped",
}
_IN_TPG = {"lun": "lun", "np": "portal", "acls": "acl"}
_HBA_FILES = ("hba_info", "hba_mode")
_FABRIC_NAMES = ("version", "lio_version", "discovery_auth", "cpus_allowed_list")


@dataclass(frozen=True)
class TreePath:
    """A path below the target tree: `owner` is the path of its object, `inner` the rest.

    `kind` is root, lu_gp, hba, device, tg_pt_gp, fabric, target, tpg, lun, portal, acl or mapped;
    `variant` the backstore plugin ("iblock") or the fabric ("iscsi") that the object belongs to.
    """

    kind: str
    variant: str
    owner: str
    inner: str

    @property
    def name(self) -> str:
        """The object's own folder name."""
        return self.owner.rpartition("/")[2]

    @property
    def parts(self) -> tuple[str, ...]:
        """The names from the tree's root to the object."""
        return tuple(self.owner.split("/")) if self.owner else ()

    @property
    def path(self) -> str:
        """The path itself."""
        return f"{self.owner}/{self.inner}"

    @property
    def tpg(self) -> str:
        """The path of the TPG that the object is or belongs to."""
        return "/".join(self.parts[:3])

    @property
    def template(self) -> Template:
        """What the recorded kernel creates for such an object."""
        return template(self.kind, self.variant)

    @property
    def makes(self) -> str | None:
        """The kind of object that mkdir creates here; None if it is refused."""
        return _MADE_IN.get((self.kind, self.inner))

    @property
    def slots(self) -> tuple[str, ...]:
        """The default groups of the object in which other objects are created."""
        return tuple(inner for kind, inner in _MADE_IN if kind == self.kind)


def locate(rel: str) -> TreePath:
    """Return the object of `rel`, a path relative to the tree's root, by its names alone."""
    parts = rel.split("/") if rel else []
    kind, depth = _core(parts) if parts[:1] == ["core"] else _fabric(parts)
    variant = ""
    if kind in ("hba", "device", "tg_pt_gp"):
        variant = parts[1].rpartition("_")[0]
    elif kind not in ("root", "lu_gp"):
        variant = parts[0]
    return TreePath(kind, variant, "/".join(parts[:depth]), "/".join(parts[depth:]))


def _core(parts: list[str]) -> tuple[str, int]:
    if len(parts) == 1 or parts[1] == "alua":
        return ("lu_gp", 4) if len(parts) >= 4 and parts[2] == "lu_gps" else ("root", 0)
    if len(parts) == 2 or parts[2] in _HBA_FILES:
        return "hba", 2
    return ("tg_pt_gp", 5) if len(parts) >= 5 and parts[3] == "alua" else ("device", 3)


def _fabric(parts: list[str]) -> tuple[str, int]:
    if not parts or parts[0] in ("version", "dbroot"):
        return "root", 0
    if len(parts) == 1 or parts[1] in _FABRIC_NAMES:
        return "fabric", 1
    if len(parts) == 2 or not parts[2].startswith("tpgt_"):
        return "target", 2
    if len(parts) < 5 or parts[3] not in _IN_TPG:
        return "tpg", 3
    kind = _IN_TPG[parts[3]]
    if kind == "acl" and len(parts) >= 6 and parts[5].startswith("lun_"):
        return "mapped", 6
    return kind, 5


@dataclass(frozen=True)
class SimulatedKernel:
    """The tree and the hardware of a simulated kernel."""

    tree: TreeFiles
    machine: Hardware


# mkdir: the folder, which has no such name yet, and the name.
Make = Callable[[SimulatedKernel, TreePath, str], None]
# What happens before an object is removed.
Drop = Callable[[SimulatedKernel, TreePath], None]
# A write to a file; the text is as written.
Write = Callable[[SimulatedKernel, TreePath, str], None]
# A link: the object in which it is created, its path, and the object it leads to.
Link = Callable[[SimulatedKernel, TreePath, str, TreePath], None]
# A removed link: its object and its path.
Unlink = Callable[[SimulatedKernel, TreePath, str], None]


@dataclass(frozen=True)
class Rules:
    """The rules of one part of the kernel, by kind of object; `writes` by kind and file.

    A kind of `writes` can be that of one variant ("device/user"), which takes precedence.
    """

    makes: Mapping[str, Make] = field(default_factory=dict)
    drops: Mapping[str, Drop] = field(default_factory=dict)
    links: Mapping[str, Link] = field(default_factory=dict)
    unlinks: Mapping[str, Unlink] = field(default_factory=dict)
    writes: Mapping[tuple[str, str], Write] = field(default_factory=dict)


NEW = "new"


def state_of(kernel: SimulatedKernel, where: TreePath) -> str:
    """Return the object's state, by its name in `recorded.json`."""
    facts = kernel.tree.facts(where.owner)
    if where.kind == "device":
        if facts.get("links"):
            return "exported"
        return "enabled" if facts.get("enabled") else NEW
    if where.kind in ("lun", "mapped"):
        return "linked" if facts.get("leads_to") and not facts.get("is_cut") else NEW
    if where.kind in ("tg_pt_gp", "lu_gp"):
        file = f"{where.owner}/{where.kind}_id"
        return "numbered" if kernel.tree.text(file) else NEW
    return NEW


class RefusalError(Exception):
    """The kernel refuses a call with this error number; nothing was changed."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def refuse(number: int) -> NoReturn:
    """End the current call with `number` from the errno module."""
    raise RefusalError(number)


_NUMBER = expression(r"([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)\n?\Z")
_LEADING = expression(r"0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*")


def boolean(text: str) -> bool:
    """Parse a truth value as kstrtobool does."""
    first, second = text[:1].lower(), text[1:2].lower()
    if first and first in "yt1":
        return True
    if first and first in "nf0":
        return False
    if first == "o" and second and second in "nf":
        return second == "n"
    return refuse(errno.EINVAL)


def bounds(kind: str) -> tuple[int, int]:
    """Return the lowest and highest number of a type such as "u32" or "s64"."""
    bits = int(kind[1:])
    return (0, 2**bits - 1) if kind[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def number(text: str, kind: str = "u32", overflow: int = errno.ERANGE) -> int:
    """Parse a decimal, 0x or 0-octal number of a type; a single line feed may follow."""
    lowest, highest = bounds(kind)
    found = _NUMBER.match(text)
    if not found or (found[1] == "-" and lowest == 0):
        refuse(errno.EINVAL)
    value = _digits(found[2]) * (-1 if found[1] == "-" else 1)
    if not lowest <= value <= highest:
        refuse(overflow)
    return value


def cast(value: int, kind: str) -> int:
    """Convert a number to a narrower type, as C does."""
    lowest, highest = bounds(kind)
    return (value - lowest) % (highest - lowest + 1) + lowest


def lenient(text: str) -> int:
    """Parse the number that a text begins with as a C int; 0 if there is none."""
    found = _LEADING.match(text)
    return cast(_digits(found[0]), "s32") if found else 0


def parameter_text(text: str) -> str:
    """Return a negotiated parameter's value as the kernel keeps it: without one trailing space."""
    return text[:-1] if text[-1:].isspace() else text


def recorded_value(kernel: SimulatedKernel, where: TreePath, text: str) -> str | None:
    """Return what a file shows after `text` was written, by its recorded rule; see `accept`."""
    recorded = where.template.files.get(where.inner)
    rule = recorded and recorded.rule(state_of(kernel, where))
    return accept(rule, text) if rule else refuse(errno.EINVAL)


def accept(rule: Rule, text: str) -> str | None:
    """Return what a file shows after `text` was written; None if it does not change."""
    if "parse" not in rule:
        return None if "ignore" in rule else refuse(getattr(errno, rule["refuse"]))
    return _READINGS[rule["parse"]](rule, text)


def _digits(text: str) -> int:
    if text[:2].lower() == "0x":
        return int(text, 16)
    return int(text, 8 if text.startswith("0") else 10)


def _boolean(rule: Rule, text: str) -> str:
    return _shown(rule, int(boolean(text)))


def _number(rule: Rule, text: str) -> str:
    value = number(text, rule["type"], getattr(errno, rule.get("overflow", "ERANGE")))
    return _shown(rule, cast(value, rule["cast"]) if "cast" in rule else value)


def _shown(rule: Rule, value: int) -> str:
    _check(rule, value)
    shown: str = rule.get("show", {}).get(str(value), rule.get("format", "{}\n").format(value))
    return shown


def _check(rule: Rule, value: int) -> None:
    if _is_in(rule.get("accept"), value):
        return
    for name, ranges in rule.get("refuse", {}).items():
        if _is_in(ranges, value):
            refuse(getattr(errno, name))
    refuse(getattr(errno, rule.get("else", "EINVAL")))


def _is_in(ranges: list[list[int]] | None, value: int) -> bool:
    return ranges is None or any(low <= value <= high for low, high in ranges)


def _lenient(rule: Rule, text: str) -> str:
    kept = _text(rule, text)
    _check(rule, lenient(kept[:-1]))
    return kept


def _words(rule: Rule, text: str) -> str:
    value = parameter_text(text)
    words = value.split(",") if rule.get("several") else [value]
    if not all(word in rule["accept"] for word in words):
        refuse(errno.EINVAL)
    return f"{value}\n"


def _text(rule: Rule, text: str) -> str:
    value = parameter_text(text)
    if len(value.encode()) > rule["longest"] or "," in value:
        refuse(errno.EINVAL)
    return f"{value}\n"


_READINGS: Mapping[str, Callable[[Rule, str], str]] = {
    "boolean": _boolean,
    "number": _number,
    "lenient": _lenient,
    "words": _words,
    "text": _text,
}
