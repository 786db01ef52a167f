# SPDX-License-Identifier: Apache-2.0
"""iSCSI's own: CHAP names and secrets, node ACLs, processors to work on."""

from __future__ import annotations

import errno
import re

from pyshell.simulator import names, sessions
from pyshell.simulator.kernel import Kernel, Rules, Write
from pyshell.simulator.places import Place
from pyshell.simulator.recorded import template
from pyshell.simulator.refusal import refuse
from pyshell.simulator.states import state_of
from pyshell.simulator.values import accept, number

_SECRET_MAX = 255
_IQN_MAX = 223
_TAG_MAX = 63
_SECRETS = ("userid", "password", "userid_mutual", "password_mutual")
_MUTUAL = ("userid_mutual", "password_mutual")
_DEMO_MODE = "attrib/generate_node_acls"
_CACHE = "attrib/cache_dynamic_acls"
# What a new node ACL takes from its TPG.
_INHERITED = {"cmdsn_depth": "default_cmdsn_depth", "attrib/default_erl": "default_erl"}


def make_acl(kernel: Kernel, parent: Place, name: str) -> None:
    """Make TPG/acls/INITIATOR; most fabrics take any name, and show so much of it as they keep."""
    rel = f"{parent.owner}/acls/{name}"
    index = kernel.tree.count("acl_index")
    names.check_initiator(parent.variant, name)
    target = kernel.tree.facts("/".join(parent.parts[:2])).get("index", 0)
    values = {"initiator": name[:_IQN_MAX], "acl_index": index, "target_index": target}
    kernel.tree.grow(rel, template("acl", parent.variant), values)
    kernel.tree.remember(rel, {"index": index})
    if parent.variant == "iscsi":
        for inner, attribute in _INHERITED.items():
            text = kernel.tree.text(f"{parent.owner}/attrib/{attribute}")
            kernel.tree.put(f"{rel}/{inner}", text)
        sessions.take_over(kernel, parent.owner, name)


def drop_acl(kernel: Kernel, place: Place) -> None:
    """Throw out the initiator whose ACL goes.

    The kernel waits for ever for one that is the TPG's own nexus; here that is refused.
    """
    nexus = f"{'/'.join(place.parts[:3])}/nexus"
    if kernel.tree.exists(nexus) and kernel.tree.text(nexus).strip() == place.name:
        refuse(errno.EDEADLK)
    sessions.end(kernel, "/".join(place.parts[:3]), place.name)


def write_depth(kernel: Kernel, place: Place, text: str) -> None:
    """Set an ACL's queue depth; a session ends if it changes, for its initiator to come again."""
    file = f"{place.owner}/{place.inner}"
    before = kernel.tree.text(file)
    recorded = place.template.files[place.inner].rule(state_of(kernel, place))
    shown = accept(recorded, text) if recorded else refuse(errno.EINVAL)
    if shown is not None and shown != before:
        kernel.tree.put(file, shown)
        sessions.end(kernel, "/".join(place.parts[:3]), place.name)


def write_iser(kernel: Kernel, place: Place, text: str) -> None:
    """Listen for iSER as well; the recorded kernel does so without any hardware for it."""
    value = number(text)
    if value > 1:
        refuse(errno.EINVAL)
    kernel.tree.put(f"{place.owner}/iser", f"{value}\n")


def write_secret(kernel: Kernel, place: Place, text: str) -> None:
    """Keep a CHAP name or secret; a text that begins with NULL unsets it, and is shown.

    Whoever has both mutual ones is to authenticate the target as well.
    """
    kept = text.encode()[:_SECRET_MAX].decode(errors="surrogateescape")
    if kept != text and place.kind != "tpg":
        refuse(errno.EINVAL)
    kernel.tree.put(f"{place.owner}/{place.inner}", f"{kept}\n")
    folder, _, word = place.inner.rpartition("/")
    facts = kernel.tree.facts(place.owner)
    known = set(facts.get("secrets", [])) - {word}
    if not kept.startswith("NULL"):
        known.add(word)
    kernel.tree.remember(place.owner, {**facts, "secrets": sorted(known)})
    mutual = int(known.issuperset(_MUTUAL))
    kernel.tree.put(f"{place.owner}/{folder}/authenticate_target", f"{mutual}\n")


def write_authentication(kernel: Kernel, place: Place, text: str) -> None:
    """Ask initiators for CHAP or not; the parameter AuthMethod follows."""
    shown = accept(place.template.files[place.inner].rules["*"], text) or ""
    kernel.tree.put(f"{place.owner}/{place.inner}", shown)
    methods = kernel.tree.text(f"{place.owner}/param/AuthMethod").strip().split(",")
    if shown == "1\n":
        methods = [method for method in methods if method != "None"] or ["CHAP"]
    elif "None" not in methods:
        methods.append("None")
    kernel.tree.put(f"{place.owner}/param/AuthMethod", ",".join(methods) + "\n")


def write_demo_mode(kernel: Kernel, place: Place, text: str) -> None:
    """Let initiators in without an ACL, or not; ACLs that the kernel generates are then cached."""
    shown = accept(place.template.files[place.inner].rules["*"], text) or ""
    kernel.tree.put(f"{place.owner}/{place.inner}", shown)
    if shown == "1\n":
        kernel.tree.put(f"{place.owner}/{_CACHE}", "1\n")


def write_cache(kernel: Kernel, place: Place, text: str) -> None:
    """Keep generated ACLs after logout, or not; the latter is ignored in demo mode."""
    shown = accept(place.template.files[place.inner].rules["*"], text) or ""
    if shown == "1\n" or kernel.tree.text(f"{place.owner}/{_DEMO_MODE}") != "1\n":
        kernel.tree.put(f"{place.owner}/{place.inner}", shown)


def write_tag(kernel: Kernel, place: Place, text: str) -> None:
    """Name the group that an ACL belongs to; a text that begins with NULL names none."""
    if len(text.encode()) > _TAG_MAX:
        refuse(errno.EINVAL)
    kernel.tree.put(f"{place.owner}/tag", "" if text.startswith("NULL") else text)


def write_cpus(kernel: Kernel, place: Place, text: str) -> None:
    """Say which processors connections may be served by, as "0-2,5"."""
    chosen: set[int] = set()
    for part in text.strip().split(","):
        found = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if part == "N":
            chosen.add(kernel.machine.cpus - 1)
        elif found:
            chosen.update(_cpu_range(kernel, int(found[1]), int(found[2] or found[1])))
        elif part:
            refuse(errno.EINVAL)
    kernel.tree.put(f"{place.owner}/{place.inner}", f"{_cpu_list(sorted(chosen))}\n")


def _cpu_range(kernel: Kernel, first: int, last: int) -> range:
    if last > 0xFFFFFFFF:
        refuse(errno.EOVERFLOW)
    if first > last or last == 0xFFFFFFFF:
        refuse(errno.EINVAL)
    if last >= kernel.machine.cpus:
        refuse(errno.ERANGE)
    return range(first, last + 1)


def _cpu_list(cpus: list[int]) -> str:
    runs: list[list[int]] = []
    for cpu in cpus:
        if runs and runs[-1][-1] == cpu - 1:
            runs[-1].append(cpu)
        else:
            runs.append([cpu])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def write_affinity(kernel: Kernel, place: Place, text: str) -> None:
    """Say which processor completes commands: one of them, -1 for any, -2 for the current one."""
    value = number(text, "s32", errno.EINVAL)
    if not -2 <= value < kernel.machine.cpus:
        refuse(errno.EINVAL)
    kernel.tree.put(f"{place.owner}/{place.inner}", f"{value}\n")


_SECRET_FILES: dict[tuple[str, str], Write] = {
    (kind, f"{folder}/{word}"): write_secret
    for kind, folder in (("tpg", "auth"), ("acl", "auth"), ("fabric", "discovery_auth"))
    for word in _SECRETS
}

RULES = Rules(
    makes={"acl": make_acl},
    drops={"acl": drop_acl},
    writes={
        **_SECRET_FILES,
        ("portal", "iser"): write_iser,
        ("tpg", "attrib/authentication"): write_authentication,
        ("tpg/iscsi", _DEMO_MODE): write_demo_mode,
        ("tpg/iscsi", _CACHE): write_cache,
        ("acl", "tag"): write_tag,
        ("acl/iscsi", "cmdsn_depth"): write_depth,
        ("fabric", "cpus_allowed_list"): write_cpus,
        ("target", "param/cmd_completion_affinity"): write_affinity,
    },
)
