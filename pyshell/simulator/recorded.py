# SPDX-License-Identifier: Apache-2.0
"""What a real kernel shows when a group is created: `recorded.json`, typed.

The file is written by `tests/kernel/recorder.py` on a real LIO kernel and is not edited by hand.
A `{name}` in a text is replaced for each object; no recorded text has other braces.
"""

from __future__ import annotations

import errno as errors
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Rule = Mapping[str, Any]
"""How the kernel judges a text written to an attribute.

A rule is a small JSON object: `{"refuse": ERRNO}` for a file that accepts nothing,
`{"ignore": true}` for one that ignores what is written, or `{"parse": …}` with one of these:

boolean    kstrtobool: by the first letter, for "on" and "off" by the second
number     kstrtoul and similar: `type` gives the bounds, beyond which the error is ERANGE (or
           `overflow`); `cast` the narrower type that the kernel then converts it to
lenient    simple_strtoul: the number that the text begins with, else 0; the text is kept
words      one of `accept`, or with `several` a list of them with commas; the text is kept
text       up to `longest` characters without a comma; the text is kept

`accept` lists the accepted values, as [lowest, highest] pairs for numbers; `refuse` has the errno
of single other values, `else` that of the rest. `show` has what the file shows for a value if that
is not the number and a line feed, `format` how it shows all values.
"""
Raw = Mapping[str, Any]
"""An entry of the file."""
FILE = Path(__file__).with_name("recorded.json")
ANY_STATE = "*"
# For a state in which a file was not tried, the rule of the nearest state applies.
_FALLBACK_STATES = (ANY_STATE, "enabled", "linked", "numbered", "new")


@dataclass(frozen=True)
class RecordedFile:
    """One attribute: its initial text and what it accepts.

    `errno` is the error of reading it in a new object and in the states `errno_in`; None if it can
    be read, even if it is empty.
    `rules` say what can be written in which state of the object; without one, code decides.
    A text that `varies` depends on time, chance, or something that the simulator does not count.
    """

    mode: int
    text: str
    errno: int | None = None
    errno_in: tuple[str, ...] = ()
    rules: Mapping[str, Rule] = field(default_factory=dict)
    varies: bool = False

    def errno_if_empty(self, state: str) -> int | None:
        """Return the error of reading the file in a state of the object while its text is empty."""
        fails = state == "new" or any(one.split(" ")[0] == state for one in self.errno_in)
        return self.errno if fails else None

    def rule(self, state: str) -> Rule | None:
        """Return the rule for a write in a state of the object; None if code decides."""
        for known in (state, *_FALLBACK_STATES):
            if known in self.rules:
                return self.rules[known]
        return None


@dataclass(frozen=True)
class Template:
    """One kind of group as the kernel creates it: its default groups, parents first, and files."""

    groups: tuple[str, ...] = ()
    files: Mapping[str, RecordedFile] = field(default_factory=dict)
    states: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def state(self, name: str, values: Mapping[str, object]) -> dict[str, str]:
        """Return the texts that differ from a new group's in the state `name`, filled in."""
        return {inner: fill(text, values) for inner, text in self.states[name].items()}


def fill(text: str, values: Mapping[str, object]) -> str:
    """Return `text` with its `{name}`s replaced by `values`."""
    return text.format_map(values) if "{" in text else text


@functools.cache
def template(kind: str, variant: str) -> Template:
    """Return the recorded group of `kind` for the plugin or fabric `variant`."""
    return _template(_group(kind, variant) or _recorded()["groups"][kind])


def recorded_kernel() -> str:
    """Return the release of the kernel that was recorded."""
    return str(_recorded()["kernel"])


def is_recorded(kind: str, variant: str) -> bool:
    """Return whether this kind of group was recorded or is described."""
    return _group(kind, variant) is not None


def _group(kind: str, variant: str) -> Mapping[str, Any] | None:
    groups = _recorded()["groups"]
    return groups.get(f"{kind}/{variant}") or _described(kind, variant, groups)


@functools.cache
def _recorded() -> dict[str, Any]:
    recorded: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return recorded


def _template(raw: Mapping[str, Any]) -> Template:
    return Template(
        groups=tuple(raw["groups"]),
        files={inner: _file(entry) for inner, entry in raw["files"].items()},
        states=raw.get("states", {}),
    )


def _file(raw: Mapping[str, Any]) -> RecordedFile:
    number = getattr(errors, raw["errno"]) if "errno" in raw else None
    rules = {ANY_STATE: raw["rule"]} if "rule" in raw else raw.get("rules", {})
    states = tuple(raw.get("errno_in", ()))
    varies = raw.get("varies", False)
    return RecordedFile(int(raw["mode"], 8), raw["text"], number, states, rules, varies)


# Fabrics that no test machine can bring up, as the kernel's source describes them. Their targets
# need an adapter (qla2xxx, efct, ibmvscsis), a USB device controller (usb_gadget) or a Xen domain
# (xen-pvscsi), so they could not be recorded. All fabrics get LUNs, mapped LUNs and the folders of
# targets and node ACLs from the same code of the kernel: those are copied from a recorded fabric.
# What is specific to a fabric, the files of its TPG and ACL, is listed here.

_GROUPS = ("acls", "attrib", "auth", "lun", "np", "param")
_FLAG = {"parse": "number", "type": "u64", "accept": [[0, 1]]}
_PROTECTION = {"parse": "number", "type": "u64", "accept": [[0, 1], [3, 3]]}


def _described_file(text: str, rule: Rule | None = None, mode: str = "0644") -> Raw:
    return {"mode": mode, "text": text, **({"rule": rule} if rule else {})}


def _flags(**values: int) -> dict[str, Raw]:
    return {
        f"attrib/{name}": _described_file(f"{value}\n", _FLAG) for name, value in values.items()
    }


_ENABLE = {"enable": _described_file("0\n")}
_NEXUS: dict[str, Raw] = {"nexus": {"mode": "0644", "text": "", "errno": "ENODEV"}}
_DEMO_MODE = _flags(
    generate_node_acls=1,
    cache_dynamic_acls=1,
    demo_mode_write_protect=1,
    prod_mode_write_protect=0,
    demo_mode_login_only=1,
)
_DYNAMIC_SESSIONS = {"dynamic_sessions": _described_file("", mode="0444")}
_TPG_FILES: Mapping[str, Mapping[str, Raw]] = {
    "qla2xxx": {
        **_ENABLE,
        **_DYNAMIC_SESSIONS,
        **_DEMO_MODE,
        **_flags(jam_host=0),
        "attrib/fabric_prot_type": _described_file("0\n", _PROTECTION),
    },
    "efct": {**_ENABLE, **_DEMO_MODE, **_flags(session_deletion_wait=0)},
    "ibmvscsis": _ENABLE,
    "usb_gadget": {**_ENABLE, **_NEXUS},
    "xen-pvscsi": {
        **_NEXUS,
        "param/alias": _described_file("\n", {"parse": "text", "longest": 255}),
    },
}
_VERSIONS = {
    "efct": "EFCT fabric module",
    "ibmvscsis": "IBM Virtual SCSI Target Driver v0.2",
    "qla2xxx": "TCM QLOGIC QLA2XXX NPIV capable fabric module",
    "usb_gadget": "usb-gadget fabric module v0.1",
    "xen-pvscsi": "xen-pvscsi fabric module v0.1",
}
# The recorded fabric that the rest is copied from: its LUNs and ACLs have no files of its own.
_LIKE = "vhost"


def _described(kind: str, variant: str, recorded: Mapping[str, Raw]) -> Raw | None:
    """Return a described group in the form of the recording; None if there is none."""
    if variant not in _TPG_FILES:
        return None
    if kind == "fabric":
        version = _described_file(f"{_VERSIONS[variant]}\n", mode="0444")
        return {"groups": ["discovery_auth"], "files": {"version": version}}
    if kind == "tpg":
        return {"groups": list(_GROUPS), "files": _TPG_FILES[variant]}
    like = recorded.get(f"{kind}/{_LIKE}")
    if like is None:
        return None
    text = json.dumps(like)
    for word in (f"scsiTransport{_LIKE}", f"{_LIKE}Port#"):
        text = text.replace(word, word.replace(_LIKE, variant))
    found: Raw = json.loads(text)
    return found
