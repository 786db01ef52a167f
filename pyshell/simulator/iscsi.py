# SPDX-License-Identifier: Apache-2.0
"""iSCSI's own: portals, CHAP, negotiated parameters, enabling a TPG."""

from __future__ import annotations

import errno
import ipaddress

from pyshell.simulator.kernel import Kernel, Rules
from pyshell.simulator.places import Place
from pyshell.simulator.recorded import template
from pyshell.simulator.refusal import refuse
from pyshell.simulator.values import integer

_PORTAL_MAX = 256
_AUTH_MAX = 255
_AUTH_WORDS = ("userid", "password", "userid_mutual", "password_mutual")


def make_portal(kernel: Kernel, parent: Place, name: str) -> None:
    """Make TPG/np/ADDRESS:PORT; IPv6 addresses stand in brackets."""
    if len(name) > _PORTAL_MAX:
        refuse(errno.EOVERFLOW)
    address = _endpoint(name)
    registry = kernel.tree.facts("portals")
    used = registry.get(address)
    if used:
        refuse(errno.EEXIST)
    kernel.tree.grow(f"{parent.owner}/np/{name}", template("portal", parent.variant), {})
    kernel.tree.remember("portals", {**registry, address: f"{parent.owner}/np/{name}"})


def drop_portal(kernel: Kernel, place: Place) -> None:
    """Stop listening."""
    registry = kernel.tree.facts("portals")
    kept = {address: rel for address, rel in registry.items() if rel != place.owner}
    kernel.tree.remember("portals", kept)


def _endpoint(name: str) -> str:
    if "[" in name:
        inside, _, rest = name.partition("[")[2].partition("]")
        port = rest.partition(":")[2]
    else:
        inside, _, port = name.partition(":")
    try:
        address = ipaddress.ip_address(inside)
        number = integer(port, highest=0xFFFF)
    except ValueError:
        refuse(errno.EINVAL)
    return f"{address}:{number}"


def write_enable(kernel: Kernel, place: Place, text: str) -> None:
    """Let initiators in, or throw them out."""
    value = integer(text)
    path = f"{place.owner}/enable"
    if value not in (0, 1) or kernel.tree.text(path) == f"{value}\n":
        refuse(errno.EINVAL)
    kernel.tree.put(path, f"{value}\n")


def write_auth(kernel: Kernel, place: Place, text: str) -> None:
    """Keep a CHAP name or secret; a text that begins with NULL takes it away."""
    if len(text) > _AUTH_MAX:
        refuse(errno.EINVAL)
    kernel.tree.put(f"{place.owner}/{place.inner}", f"{text}\n")
    folder = f"{place.owner}/{place.inner.rpartition('/')[0]}"
    mutual = all(
        not kernel.tree.text(f"{folder}/{word}").startswith(("NULL", "\n"))
        for word in ("userid_mutual", "password_mutual")
    )
    kernel.tree.put(f"{folder}/authenticate_target", f"{int(mutual)}\n")


def write_parameter(kernel: Kernel, place: Place, text: str) -> None:
    """Set what a TPG offers when a session is negotiated."""
    kernel.tree.put(f"{place.owner}/{place.inner}", text.rstrip("\n") + "\n")


def write_tag(kernel: Kernel, place: Place, text: str) -> None:
    """Name the group that an ACL belongs to; NULL names none."""
    name = text.rstrip("\n")
    kernel.tree.put(f"{place.owner}/tag", "" if name.startswith("NULL") else f"{name}\n")


RULES = Rules(
    makes={"portal": make_portal},
    drops={"portal": drop_portal},
    writes={
        ("tpg", "enable"): write_enable,
        ("acl", "tag"): write_tag,
        **{("tpg", f"auth/{word}"): write_auth for word in _AUTH_WORDS},
        **{("acl", f"auth/{word}"): write_auth for word in _AUTH_WORDS},
        **{("fabric", f"discovery_auth/{word}"): write_auth for word in _AUTH_WORDS},
    },
)
