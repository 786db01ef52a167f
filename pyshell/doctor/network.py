# SPDX-License-Identifier: Apache-2.0
"""Whether initiators reach the portals: addresses, routes, listening sockets, firewalls."""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pyshell.doctor import Finding, error, pyshell, unseen, warning, why_unknown
from pyshell.expressions import expression
from pyshell.host import procnet
from pyshell.lio import Lio, listing
from pyshell.lio.identifiers import Portal
from pyshell.quoting import shell_word


@dataclass(frozen=True)
class Sockets:
    """The host's addresses, and the addresses and TCP ports it listens at; None if unknown."""

    addresses: Mapping[str, str] | None
    listening: frozenset[tuple[str, int]] | None

    @classmethod
    def of(cls, lio: Lio) -> Sockets:
        """Read them."""
        return cls(procnet.addresses(lio.machine), procnet.listening(lio.machine))

    def unseen(self, lio: Lio, *about: str) -> Iterator[Finding]:
        """Yield what is unknown."""
        if self.addresses is None:
            told = "the host's addresses cannot be read from /proc/net"
            yield unseen("addresses", why_unknown(lio, told), *about)
        if self.listening is None:
            told = "listening sockets cannot be read from /proc/net"
            yield unseen("TCP ports", why_unknown(lio, told), *about)


def check_portals(lio: Lio) -> Iterator[Finding]:
    """Yield portals that cannot be reached."""
    portals = [portal for tpg in listing.all_tpgs(lio, "iscsi") for portal in listing.portals(tpg)]
    if not portals:
        return
    sockets = Sockets.of(lio)
    yield from sockets.unseen(lio, *(portal.path for portal in portals))
    for portal in portals:
        found = without_address(lio, portal, sockets) or not_listening(lio, portal, sockets)
        if found is not None:
            yield found


def without_address(lio: Lio, portal: Portal, sockets: Sockets) -> Finding | None:
    """Return the finding of a portal on an address that the host does not have."""
    address = procnet.spelt(portal.address)
    if sockets.addresses is None or listing.is_wildcard(address) or address in sockets.addresses:
        return None
    folder = f"{portal.tpg.path}/portals"
    return error(
        portal.path,
        f"this host has no address {portal.address}: no initiator can reach the portal. Add"
        " the address to the host, or listen on another one",
        choices=[pyshell(lio, folder, "create", "ADDRESS", str(portal.port))],
        code="address.missing",
    )


def not_listening(lio: Lio, portal: Portal, sockets: Sockets) -> Finding | None:
    """Return the finding of a portal whose port is closed."""
    address = procnet.spelt(portal.address)
    if sockets.listening is None or (address, portal.port) in sockets.listening:
        return None
    folder, words = f"{portal.tpg.path}/portals", (portal.address, str(portal.port))
    return error(
        portal.path,
        f"nothing listens on its TCP port {portal.port}: no initiator can log in there",
        choices=[
            f"{pyshell(lio, folder, 'delete', *words)} && {pyshell(lio, folder, 'create', *words)}"
        ],
        code="portal.closed",
    )


@dataclass(frozen=True)
class Sender:
    """An initiator by its IP address, and the interface that its packets come in at, "" if unknown.

    That is assumed to be the one of the route to it.
    """

    address: str
    interface: str = ""

    @property
    def parsed(self) -> _Address:
        """Return the address without a zone."""
        return ipaddress.ip_address(self.address.partition("%")[0])


_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def without_route(sender: Sender, route: procnet.Route) -> Finding | None:
    """Return the finding of an initiator that the host cannot answer."""
    if route.interface:
        return None
    return error(
        "routes",
        f"this host has no route to {sender.address}: its answers do not reach the initiator",
        choices=[f"ip route add {sender.address} via GATEWAY"],
        code="route.missing",
    )


_UFW = "/etc/ufw/ufw.conf"
_UFW_RULES = {4: "/etc/ufw/user.rules", 6: "/etc/ufw/user6.rules"}
_SOME = "it accepts some senders or interfaces only: check that initiators are among them"
_ZONE = expression(r"[A-Za-z0-9_.-]+")
# The ports of portals, each with the paths of the portals.
Ports = Mapping[int, tuple[str, ...]]


def check_firewall(lio: Lio) -> Iterator[Finding]:
    """Yield ports of portals that a firewall blocks."""
    yield from blocked(
        lio, [p for tpg in listing.all_tpgs(lio, "iscsi") for p in listing.portals(tpg)]
    )


def blocked(lio: Lio, portals: Sequence[Portal], sender: Sender | None = None) -> Iterator[Finding]:
    """Yield ports of portals that a firewall blocks: for any initiator, or for the `sender`."""
    numbers = sorted({portal.port for portal in portals})
    ports = {n: tuple(portal.path for portal in portals if portal.port == n) for n in numbers}
    if not ports:
        return
    ask = lio.machine.ask
    local = sender is not None and sender.interface == "lo"  # firewalld and ufw accept its packets
    if ask("firewall-cmd", "--state") is not None:
        yield from () if local else _firewalld(lio, ports, sender)
    elif re.search(r"^ENABLED=yes", lio.machine.text(_UFW), re.MULTILINE):
        yield from () if local else _ufw(lio, ports, sender)
    elif (rules := ask("nft", "--json", "list", "ruleset")) is not None:
        yield from _nftables(rules, ports, sender)
    else:
        needs = "" if os.geteuid() == 0 else " (nftables needs root)"
        told = why_unknown(lio, f"no firewalld, ufw or nftables found{needs}")
        yield unseen("firewall", told, *_all(ports))


def _all(ports: Ports) -> list[str]:
    return [path for paths in ports.values() for path in paths]


def _firewalld(lio: Lio, ports: Ports, sender: Sender | None) -> Iterator[Finding]:
    zones = _zones(lio, sender)
    if zones is None:
        yield unseen("firewalld", "the zone of the interface cannot be read", *_all(ports))
        return
    zone, *others = zones
    for port, paths in ports.items():
        is_open = _opens(lio, zone, port, sender)
        if is_open and sender is None:
            continue  # zones for other purposes are common, as of libvirt's networks
        opened = [_opens(lio, other, port, sender) for other in others]
        if is_open and all(opened):
            continue
        if is_open or any(opened):
            yield unseen("firewalld", _SOME, *paths)
            continue
        added = f"--add-port={port}/tcp"
        if sender is not None:
            rule = (
                f'rule family="ipv{sender.parsed.version}" source address="{sender.parsed}"'
                f' port port="{port}" protocol="tcp" accept'
            )
            added = f"--add-rich-rule={shell_word(rule)}"
        command = " ".join(["firewall-cmd --permanent", *zone, added])
        yield _shut("firewalld", port, paths, f"{command} && firewall-cmd --reload")


def _zones(lio: Lio, sender: Sender | None) -> list[list[str]] | None:
    """Return the options for the zones that a sender may be in, None if they are unknown.

    Without a sender, the default zone comes first; the option is omitted for it. firewalld assigns
    packets to zones by their source first, then by their interface.
    """
    active = _active_zones(lio)
    if sender is None:
        return [[], *([f"--zone={zone}"] for zone in active)]
    bound = {
        zone: _any(_is_source(lio, one, sender) for one in sources)
        for zone, sources in active.items()
    }
    certain = [[f"--zone={zone}"] for zone, is_in in bound.items() if is_in]
    unclear = [[f"--zone={zone}"] for zone, is_in in bound.items() if is_in is None]
    if certain or not sender.interface:
        return [*(certain or [[]]), *unclear]
    zone = lio.machine.ask("firewall-cmd", f"--get-zone-of-interface={sender.interface}")
    if zone is None:  # "no zone": the interface is in the default one
        return [[], *unclear]
    return [[f"--zone={zone.strip()}"], *unclear] if _ZONE.fullmatch(zone.strip()) else None


def _active_zones(lio: Lio) -> dict[str, list[str]]:
    """Return firewalld's zones with interfaces or sources, each with its sources."""
    found: dict[str, list[str]] = {}
    for line in (lio.machine.ask("firewall-cmd", "--get-active-zones") or "").splitlines():
        first, *words = line.split() or [""]
        if not line[:1].isspace() and _ZONE.fullmatch(first):
            found[first] = []
        elif first == "sources:" and found:
            found[[*found][-1]] += words
    return found


def _is_source(lio: Lio, source: str, sender: Sender) -> bool | None:
    """Return whether a source of a zone is the sender, None if it is a MAC address."""
    name = source.removeprefix("ipset:")
    if name == source:
        return _is_among(source, sender.parsed)
    entries = lio.machine.ask("firewall-cmd", f"--ipset={name}", "--get-entries")
    return _any(_is_among(one, sender.parsed) for one in (entries or "").split())


def _opens(lio: Lio, zone: Sequence[str], port: int, sender: Sender | None) -> bool:
    """Return whether a zone of firewalld accepts connections to a port."""

    def ask(option: str) -> str | None:
        return lio.machine.ask("firewall-cmd", *zone, option)

    if ask(f"--query-port={port}/tcp") is not None:
        return True
    if port == 3260 and ask("--query-service=iscsi-target") is not None:
        return True
    rules = (ask("--list-rich-rules") or "").splitlines()
    if any(_accepts(rule, port, sender) for rule in rules):
        return True
    return re.search(r"^ +target: ACCEPT$", ask("--list-all") or "", re.MULTILINE) is not None


def _accepts(rule: str, port: int, sender: Sender | None) -> bool:
    """Return whether a rich rule of firewalld accepts a port from the sender, or from any."""
    source = re.search(r'\bsource (NOT )?address="([^"]*)"', rule)
    if sender is not None:
        family = re.search(r'\bfamily="ipv([46])"', rule)
        if family and int(family[1]) != sender.parsed.version:
            return False
        if source and _is_among(source[2], sender.parsed) is not (source[1] is None):
            return False
    services = r'|service name="iscsi-target"' if port == 3260 else ""
    wanted = rf'(?: (?:port port="{port}" protocol="tcp"{services}))?(?: log\b.*| audit)? accept$'
    begin = re.escape(source[0]) if source else r'^rule(?: (?:priority|family)="[^"]*")*'
    return bool(re.search(f"{begin}{wanted}", rule.strip()))


def _ufw(lio: Lio, ports: Ports, sender: Sender | None) -> Iterator[Finding]:
    defaults = lio.machine.text("/etc/default/ufw")
    if re.search(r'^DEFAULT_INPUT_POLICY="?ACCEPT', defaults, re.MULTILINE):
        return
    versions = (4, 6) if sender is None else (sender.parsed.version,)
    rules = "\n".join(lio.machine.text(_UFW_RULES[version]) for version in versions)
    for port, paths in ports.items():
        # `-p tcp --dport 3260 -j ACCEPT`; a rule for both protocols is written as two.
        wanted = rf"^-A .*--dports? \S*\b{port}\b.*-j ACCEPT"
        found = re.findall(wanted, rules, re.MULTILINE)
        if not any(sender is None or _is_for(sender, rule) for rule in found):
            command = f"ufw allow {port}/tcp"
            if sender is not None:
                command = f"ufw allow from {sender.parsed} to any port {port} proto tcp"
            yield _shut("ufw", port, paths, command)


def _is_for(sender: Sender, rule: str) -> bool:
    """Return whether a rule of ufw applies to a sender, whose interface may be unknown."""
    network, interface = (re.search(rf" -{option} (\S+)", rule) for option in "si")
    if interface and sender.interface not in ("", interface[1]):
        return False
    return not network or _is_among(network[1], sender.parsed) is True


def _is_among(network: str, address: _Address) -> bool | None:
    """Return whether an address is in a network as firewalls write it, None if that is unclear."""
    try:
        return address in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return None


def _nftables(text: str, ports: Ports, sender: Sender | None) -> Iterator[Finding]:
    """Yield ports that a chain drops; an unknown form of rules is reported as not checked."""
    try:
        listed = json.loads(text)["nftables"]
        ruleset = _Ruleset(listed, sender)
        chains = [one["chain"] for one in listed if "chain" in one]
        for chain in chains:
            if chain.get("hook") in _HOOKS and chain.get("type", "filter") == "filter":
                yield from _of_chain(ruleset, chain, ports)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        yield unseen("nftables", "its rules cannot be read", *_all(ports))


def _of_chain(ruleset: _Ruleset, chain: Mapping[str, Any], ports: Ports) -> Iterator[Finding]:
    place = f"{chain['family']} {chain['table']} {chain['name']}"
    for port, every in ports.items():
        paths = tuple(path for path in every if ruleset.concerns(chain["family"], path))
        verdict = ruleset.verdict(chain, port) if paths else _ACCEPT
        if verdict == _MAYBE:
            yield unseen(f"nftables {place}", _SOME, *paths)
        elif verdict == _DROP:
            command = f"nft insert rule {place} {ruleset.source}tcp dport {port} accept"
            yield _shut(f"nftables {place}", port, paths, command)


_HOOKS = ("prerouting", "input")
_ACCEPT, _DROP, _MAYBE, _RETURN, _NEXT = "accept", "drop", "maybe", "return", "next"
_DEEPEST = 16  # jumps, as the kernel allows


class _Ruleset:
    """The rules that nft lists, applied to the first packet of a TCP connection."""

    def __init__(self, listed: Sequence[Mapping[str, Any]], sender: Sender | None = None) -> None:
        self._sender = sender
        self._rules: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
        self._sets: dict[tuple[str, str, str], Mapping[str, Any]] = {}
        for one in listed:
            if "rule" in one:
                rule = one["rule"]
                key = (rule["family"], rule["table"], rule["chain"])
                self._rules.setdefault(key, []).append(rule)
            for kind in ("set", "map"):
                if kind in one:
                    named = one[kind]
                    self._sets[named["family"], named["table"], named["name"]] = named

    @property
    def source(self) -> str:
        """Return the part of a rule that restricts it to the sender, "" without one."""
        if self._sender is None:
            return ""
        address = self._sender.parsed
        return f"{_PROTOCOLS[address.version]} saddr {address} "

    def concerns(self, family: str, path: str) -> bool:
        """Return whether packets to a portal pass tables of a family."""
        if self._sender is not None:
            return self._is_for_sender(family)
        six, every = "/[" in path, "/[::0]" in path
        return {"ip": not six or every, "ip6": six}.get(family, True)

    def _is_for_sender(self, protocol: str) -> bool:
        """Return whether a protocol or family is not that of the other version of IP."""
        if self._sender is None or protocol not in _PROTOCOLS.values():
            return True
        return protocol == _PROTOCOLS[self._sender.parsed.version]

    def verdict(self, chain: Mapping[str, Any], port: int) -> str:
        """Return the verdict of a base chain: accept, drop, or maybe (depends on the sender)."""
        table = (chain["family"], chain["table"])
        found = self._walk(table, chain["name"], port, 0)
        if found in (_ACCEPT, _DROP):
            return found
        policy = _DROP if chain.get("policy") == "drop" else _ACCEPT
        return _MAYBE if found == _MAYBE and policy == _DROP else policy

    def _walk(self, table: tuple[str, str], chain: str, port: int, depth: int) -> str:
        """Return the verdict of a chain, next if the packet reaches its end."""
        if depth > _DEEPEST:
            return _MAYBE
        unsure = False
        for rule in self._rules.get((*table, chain), ()):
            certain, verdict = self._rule(table, rule["expr"], port, depth)
            if verdict == _NEXT:
                continue
            if certain and verdict != _MAYBE:
                if verdict == _DROP:
                    return _MAYBE if unsure else _DROP
                return _NEXT if verdict == _RETURN else verdict
            unsure = unsure or verdict in (_ACCEPT, _MAYBE)
        return _MAYBE if unsure else _NEXT

    def _rule(
        self,
        table: tuple[str, str],
        expressions: Sequence[Mapping[str, Any]],
        port: int,
        depth: int,
    ) -> tuple[bool, str]:
        """Return whether a rule matches for certain, and its verdict; next if it does not match."""
        certain = True
        for part in expressions:
            (kind, value), *_ = part.items()
            if kind == "match":
                found = self._matches(table, value, port)
                if found is False:
                    return True, _NEXT
                certain = certain and found is True
            elif kind in ("accept", "drop", "return", "continue"):
                return certain, {"continue": _NEXT}.get(kind, kind)
            elif kind == "reject":
                return certain, _DROP
            elif kind in ("jump", "goto"):
                found_there = self._walk(table, value["target"], port, depth + 1)
                ends = kind == "goto" and found_there == _NEXT
                return certain, _RETURN if ends else found_there
            elif kind == "vmap":
                return self._vmap(table, value, port, depth, certain)
            elif kind not in ("counter", "log", "comment", "notrack", "mangle"):
                certain = False  # a limit, a match of iptables, or an expression unknown here
        return certain, _NEXT

    def _vmap(
        self, table: tuple[str, str], value: Mapping[str, Any], port: int, depth: int, certain: bool
    ) -> tuple[bool, str]:
        unsure = _NEXT
        for key, verdict in self._elements(table, value["data"]):
            match = {"op": "==", "left": value["key"], "right": key}
            found = self._matches(table, match, port)
            if found is False:
                continue
            _, reached = self._rule(table, [verdict], port, depth)
            if found is True:
                return certain, reached
            unsure = _MAYBE if reached in (_ACCEPT, _MAYBE) else unsure
        return False, unsure

    def _matches(self, table: tuple[str, str], match: Mapping[str, Any], port: int) -> bool | None:
        """Return whether a match holds for the packet, None if that depends on its sender."""
        left, right, op = match["left"], match["right"], match.get("op", "==")
        if not isinstance(left, dict) or op not in ("==", "!=", "in"):
            return None
        found: bool | None = None
        payload, meta = left.get("payload", {}), left.get("meta", {})
        protocol, name = payload.get("protocol"), payload.get("field")
        if protocol in _OTHER_PROTOCOLS or not self._is_for_sender(protocol):
            return False
        if protocol in ("tcp", "th") and name == "dport":
            found = self._holds(table, right, port)
        elif meta.get("key") == "l4proto" or (protocol, name) in _NEXT_PROTOCOL:
            found = _any(self._holds(table, right, one) for one in ("tcp", 6))
        elif (protocol, name) in _SENDERS and self._sender is not None:
            found = self._holds(table, right, self._sender.parsed)
        elif meta.get("key") in ("iif", "iifname"):
            found = self._comes_over(table, right)
        elif left.get("ct", {}).get("key") == "state":
            found = self._holds(table, right, "new")
        return (not found if op == "!=" else found) if found is not None else None

    def _comes_over(self, table: tuple[str, str], right: Any) -> bool | None:
        """Return whether the packet comes over an interface; from others over any but `lo`."""
        if self._sender is None or not self._sender.interface:
            return False if right == "lo" else None
        return self._holds(table, right, self._sender.interface)

    def _holds(
        self, table: tuple[str, str], value: Any, wanted: int | str | _Address
    ) -> bool | None:
        """Return whether a value, range, list or set contains `wanted`, None if that is unclear."""
        if isinstance(value, list):
            return _any(self._holds(table, one, wanted) for one in value)
        if isinstance(value, dict):
            if "range" in value:
                low, high = value["range"]
                if isinstance(wanted, _Address):
                    between = ipaddress.ip_address(low), ipaddress.ip_address(high)
                    return wanted.version == between[0].version and (
                        int(between[0]) <= int(wanted) <= int(between[1])
                    )
                return isinstance(wanted, int) and low <= wanted <= high
            if "prefix" in value and isinstance(wanted, _Address):
                return _is_among(f"{value['prefix']['addr']}/{value['prefix']['len']}", wanted)
            if "set" in value:
                return self._holds(table, value["set"], wanted)
            if "elem" in value:
                return self._holds(table, value["elem"]["val"], wanted)
            return None
        if isinstance(value, str) and value.startswith("@"):
            named = self._sets.get((*table, value[1:]))
            if named is None or "dynamic" in named.get("flags", ()):
                return None
            return self._holds(table, named.get("elem", []), wanted)
        if isinstance(wanted, _Address):
            return _is_among(str(value), wanted)
        if isinstance(value, str) and isinstance(wanted, str) and value.endswith("*"):
            return wanted.startswith(value[:-1])  # names of interfaces
        return bool(value == wanted)

    def _elements(self, table: tuple[str, str], data: Any) -> list[Any]:
        """Return the keys and verdicts of a verdict map, named or not."""
        if not isinstance(data, str):
            return list(data["set"])
        family, name = table
        return list(self._sets.get((family, name, data.removeprefix("@")), {}).get("elem", []))


def _any(found: Iterable[bool | None]) -> bool | None:
    """Return whether one of several holds, None if none does for certain and one is unclear."""
    every = list(found)
    return True if True in every else None if None in every else False


_PROTOCOLS = {4: "ip", 6: "ip6"}
_OTHER_PROTOCOLS = ("udp", "udplite", "sctp", "dccp", "icmp", "icmpv6", "igmp", "esp", "ah")
_SENDERS = (("ip", "saddr"), ("ip6", "saddr"))
_NEXT_PROTOCOL = (("ip", "protocol"), ("ip6", "nexthdr"))


def _shut(firewall: str, port: int, paths: tuple[str, ...], command: str) -> Finding:
    """Return the finding of a blocked port; the command is a choice, as it grants access."""
    message = f"it blocks TCP port {port} of portals: initiators get no answer"
    found = warning(firewall, message, choices=[command], code="firewall.blocked")
    return replace(found, about=paths)
