# SPDX-License-Identifier: Apache-2.0
"""Whether the host's firewall lets initiators through to the ports of the portals."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pyshell.saved.health.findings import Finding, tpgs, unseen
from pyshell.target import listing
from pyshell.target.attach import Lio

_UFW = "/etc/ufw/ufw.conf"
# The ports that initiators come to, each with the paths of the portals there.
Ports = Mapping[int, tuple[str, ...]]


def check(lio: Lio) -> Iterator[Finding]:
    """Yield ports that a firewall keeps shut."""
    portals = [portal for tpg in tpgs(of="iscsi") for portal in listing.portals(tpg)]
    numbers = sorted({portal.port for portal in portals})
    ports = {n: tuple(portal.path for portal in portals if portal.port == n) for n in numbers}
    if not ports:
        return
    ask = lio.machine.ask
    if ask("firewall-cmd", "--state") is not None:
        yield from _firewalld(lio, ports)
    elif re.search(r"^ENABLED=yes", _text(lio.machine.host_file(_UFW)), re.MULTILINE):
        yield from _ufw(lio, ports)
    elif (rules := ask("nft", "--json", "list", "ruleset")) is not None:
        yield from _nftables(rules, ports)
    else:
        told = "neither firewalld, ufw nor nftables (as root) answers: is a port shut elsewhere?"
        yield unseen("firewall", told, *_all(ports))


def _all(ports: Ports) -> list[str]:
    return [path for paths in ports.values() for path in paths]


def _firewalld(lio: Lio, ports: Ports) -> Iterator[Finding]:
    for port, paths in ports.items():
        if lio.machine.ask("firewall-cmd", f"--query-port={port}/tcp") is not None:
            continue
        service = "--query-service=iscsi-target"  # which is port 3260
        if port == 3260 and lio.machine.ask("firewall-cmd", service) is not None:
            continue
        yield _shut(
            "firewalld",
            port,
            paths,
            f"firewall-cmd --permanent --add-port={port}/tcp",
            "firewall-cmd --reload",
        )


def _ufw(lio: Lio, ports: Ports) -> Iterator[Finding]:
    defaults = _text(lio.machine.host_file("/etc/default/ufw"))
    if re.search(r'^DEFAULT_INPUT_POLICY="?ACCEPT', defaults, re.MULTILINE):
        return
    rules = _text(lio.machine.host_file("/etc/ufw/user.rules"))
    for port, paths in ports.items():
        # `-p tcp --dport 3260 -j ACCEPT`; a rule for both protocols is written as two.
        if not re.search(rf"^-A .*--dports? \S*\b{port}\b.*-j ACCEPT", rules, re.MULTILINE):
            yield _shut("ufw", port, paths, f"ufw allow {port}/tcp")


def _nftables(text: str, ports: Ports) -> Iterator[Finding]:
    try:
        found = json.loads(text)["nftables"]
    except (ValueError, KeyError, TypeError):
        yield unseen("nftables", "its rules cannot be read", *_all(ports))
        return
    rules = [one["rule"] for one in found if "rule" in one]
    for chain in (one["chain"] for one in found if "chain" in one):
        if chain.get("hook") != "input" or not _shuts(chain, rules):
            continue
        table = (chain["family"], chain["table"])
        inside = [rule for rule in rules if (rule["family"], rule["table"]) == table]
        place = f"{chain['family']} {chain['table']} {chain['name']}"
        for port, paths in ports.items():
            if any(_lets_in(rule["expr"], port) for rule in inside):
                continue
            if any(_lets_some_in(rule["expr"]) for rule in inside):
                told = "it accepts some senders or interfaces: are initiators among them?"
                yield unseen(f"nftables {place}", told, *paths)
            else:
                command = f"nft insert rule {place} tcp dport {port} accept"
                yield _shut(f"nftables {place}", port, paths, command)


def _shuts(chain: dict[str, Any], rules: list[dict[str, Any]]) -> bool:
    """Tell whether a chain drops what no rule of it takes: by its policy, or by its last rule."""
    if chain.get("policy") == "drop":
        return True
    key = ("family", "table")
    own = [r for r in rules if r["chain"] == chain["name"] and all(r[k] == chain[k] for k in key)]
    last = [name for part in own[-1]["expr"] for name in part] if own else []
    return bool(last) and set(last) <= {"drop", "reject", "counter", "log"} and last[-1] in ("drop", "reject")  # fmt: skip # noqa: E501


def _lets_in(expressions: list[dict[str, Any]], port: int) -> bool:
    """Tell whether a rule accepts a TCP port, alone, in a set or in a range."""
    if not any("accept" in part for part in expressions):
        return False
    for part in expressions:
        match = part.get("match", {})
        field = match.get("left", {}).get("payload", {}) if isinstance(match, dict) else {}
        if field.get("field") == "dport" and match.get("op") in ("==", "in"):
            return _holds(match.get("right"), port)
    return False


def _lets_some_in(expressions: list[dict[str, Any]]) -> bool:
    """Tell whether a rule accepts whatever comes from an address or over an interface."""
    if not any("accept" in part for part in expressions):
        return False
    matches = [part["match"] for part in expressions if "match" in part]
    lefts = [match.get("left", {}) for match in matches]
    if any(left.get("payload", {}).get("field") in ("dport", "type") for left in lefts):
        return False
    return any(
        left.get("payload", {}).get("field") == "saddr"
        or (left.get("meta", {}).get("key") in ("iif", "iifname") and match.get("right") != "lo")
        for left, match in zip(lefts, matches, strict=True)
    )


def _holds(value: Any, port: int) -> bool:
    if isinstance(value, dict):
        if "range" in value:
            low, high = value["range"]
            return bool(low <= port <= high)
        return any(_holds(one, port) for one in value.get("set", ()))
    return bool(value == port)


def _shut(firewall: str, port: int, paths: tuple[str, ...], *commands: str) -> Finding:
    told = f"it does not let in TCP port {port}, which portals are at: initiators get no answer"
    return Finding("warning", firewall, told, commands, paths)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
