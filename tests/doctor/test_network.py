# SPDX-License-Identifier: Apache-2.0
"""Findings about portals and firewalls."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from driver import TPG, Pyshell
from pyshell.doctor import Finding, network
from pyshell.host import programs
from pyshell.host.real_machine import RealMachine
from pyshell.lio import listing

from .findings import (
    follow,
    gone,
    host_file,
    listen_at,
    only,
)


def test_nothing_listens_at_a_portal(healthy: Pyshell) -> None:
    healthy.give_addresses("127.0.0.1")
    listen_at(healthy, "0100007F:0016")
    commands = only(healthy, "network", f"{TPG}/portals/0.0.0.0:3260", "nothing listens")
    follow(healthy, commands)
    listen_at(healthy, "0100007F:0016", "00000000:0CBC")
    assert gone(healthy, "network")


def test_the_host_lost_the_address_of_a_portal(healthy: Pyshell) -> None:
    healthy.must(f"{TPG}/portals delete 0.0.0.0 3260", f"{TPG}/portals create 192.168.56.101")
    healthy.give_addresses("127.0.0.1", "192.168.56.101")
    assert gone(healthy, "network")
    healthy.give_addresses("127.0.0.1")
    told = "this host has no address 192.168.56.101"
    (choice,) = only(healthy, "network", f"{TPG}/portals/192.168.56.101:3260", told)
    follow(healthy, [choice.replace("ADDRESS", "127.0.0.1")])
    healthy.must(f"{TPG}/portals delete 192.168.56.101 3260")
    assert gone(healthy, "network")


def test_ufw_blocks_the_port(healthy: Pyshell) -> None:
    host_file(healthy, "/etc/ufw/ufw.conf", "ENABLED=yes\n")
    rules = host_file(healthy, "/etc/ufw/user.rules", "*filter\n")

    def ufw(command: str) -> None:
        assert command == "ufw allow 3260/tcp"
        rules.write_text("-A ufw-user-input -p tcp --dport 3260 -j ACCEPT\n", encoding="utf-8")

    follow(healthy, only(healthy, "firewall", "ufw", "TCP port 3260"), ufw)
    assert gone(healthy, "firewall")


FIREWALL_CMD = """#!/bin/sh
case "$1" in
--state) echo running ;;
--query-port=3260/tcp) test -e {folder}/open ;;
--permanent) test "$2" = --add-port=3260/tcp && touch {folder}/permanent ;;
--reload) test -e {folder}/permanent && touch {folder}/open ;;
*) exit 1 ;;
esac
"""


def test_firewalld_blocks_the_port(
    healthy: Pyshell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "firewall-cmd"
    program.write_text(FIREWALL_CMD.format(folder=tmp_path), encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")  # for the suggested commands
    monkeypatch.setattr(programs, "SEARCH_PATH", f"{tmp_path}:/usr/bin:/bin")
    lio = replace(healthy.open(), machine=RealMachine())
    (found,) = network.check_firewall(lio)
    assert (found.path, found.level) == ("firewalld", "warning")
    assert found.commands == ()  # it grants access
    follow(healthy, list(found.choices))
    assert list(network.check_firewall(lio)) == []


def nft(policy: str, *rules: Any) -> str:
    """Return a set of rules as nft prints it."""
    place = {"family": "inet", "table": "filter"}
    chain = {"chain": {**place, "name": "input", "hook": "input", "policy": policy}}
    listed = [{"rule": {**place, "chain": "input", "expr": rule}} for rule in rules]
    return json.dumps({"nftables": [{"metainfo": {}}, chain, *listed]})


def accepting(right: Any) -> list[Any]:
    """Return a rule that lets ports in."""
    left = {"payload": {"protocol": "tcp", "field": "dport"}}
    return [{"match": {"op": "==", "left": left, "right": right}}, {"accept": None}]


def over(interface: str) -> list[Any]:
    """Return a rule that accepts all that comes over an interface."""
    left = {"meta": {"key": "iifname"}}
    return [{"match": {"op": "==", "left": left, "right": interface}}, {"accept": None}]


@pytest.mark.parametrize(
    ("rules", "shut"),
    [
        (nft("drop", accepting(22)), True),
        (nft("drop", over("lo"), accepting(22)), True),
        (nft("drop", over("eth1"), accepting(22)), False),
        (nft("drop", accepting(3260)), False),
        (nft("drop", accepting({"set": [22, {"range": [3000, 4000]}]})), False),
        (nft("accept", accepting(22)), False),
        (nft("accept", accepting(22), [{"drop": None}]), True),
    ],
)
def test_nftables_blocks_the_port(
    healthy: Pyshell, monkeypatch: pytest.MonkeyPatch, rules: str, shut: bool
) -> None:
    lio = healthy.open()
    answers = {("nft", "--json", "list", "ruleset"): rules}
    monkeypatch.setattr(type(lio.machine), "ask", lambda _, *words: answers.get(words))
    told = [command for one in network.check_firewall(lio) for command in one.choices]
    wanted = "nft insert rule inet filter input tcp dport 3260 accept"
    assert told == ([wanted] if shut else [])


def match(left: Any, right: Any, op: str = "==") -> dict[str, Any]:
    """Return a match of a rule, as nft prints it."""
    return {"match": {"op": op, "left": left, "right": right}}


def ruleset(*rules: list[Any], policy: str = "drop", more: Sequence[Any] = ()) -> str:
    """Return a set of rules with an input chain, and more chains, sets and rules."""
    found = json.loads(nft(policy, *rules))
    return json.dumps({"nftables": [*found["nftables"], *more]})


PLACE = {"family": "inet", "table": "filter"}
DPORT = {"payload": {"protocol": "tcp", "field": "dport"}}
UDP = {"payload": {"protocol": "udp", "field": "dport"}}
STATE = {"ct": {"key": "state"}}
SADDR = {"payload": {"protocol": "ip", "field": "saddr"}}
ACCEPTING: dict[str, Any] = {"accept": None}
DROPPING: dict[str, Any] = {"drop": None}
JUMP = [{"jump": {"target": "services"}}]


def in_chain(name: str, *expressions: Any, **more: Any) -> dict[str, Any]:
    """Return a rule of another chain."""
    return {"rule": {**PLACE, **more, "chain": name, "expr": list(expressions)}}


@pytest.mark.parametrize(
    ("rules", "level"),
    [
        # Finding 21: what the first packet of an initiator's connection meets.
        (ruleset(more=[in_chain("output", match(DPORT, 3260), ACCEPTING)]), "warning"),
        (ruleset(more=[in_chain("output", ACCEPTING)]), "warning"),
        (ruleset([match(UDP, 3260), ACCEPTING]), "warning"),
        (ruleset([match(STATE, ["established", "related"], "in"), ACCEPTING]), "warning"),
        (ruleset([match(STATE, ["established", "new"], "in"), ACCEPTING]), None),
        (ruleset([match(DPORT, 3260, "!="), ACCEPTING]), "warning"),
        (ruleset([match(DPORT, 22, "!="), ACCEPTING]), None),
        (ruleset([match(DPORT, 3260), DROPPING], [ACCEPTING]), "warning"),
        (ruleset([match(SADDR, "10.0.0.1"), match(DPORT, 3260), ACCEPTING]), "unseen"),
        (ruleset([{"vmap": {"key": DPORT, "data": {"set": [[22, DROPPING], [3260, ACCEPTING]]}}}]),
         None),
        (ruleset([{"vmap": {"key": DPORT, "data": {"set": [[22, ACCEPTING]]}}}]), "warning"),
        (ruleset([{"vmap": {"key": STATE, "data": {"set": [["established", ACCEPTING]]}}}],
                 [match(DPORT, 3260), ACCEPTING]), None),
        (ruleset([{"vmap": {"key": DPORT, "data": "@ports"}}], more=[
            {"map": {**PLACE, "name": "ports", "elem": [[3260, ACCEPTING]]}}]), None),
        (ruleset([match(DPORT, "@open"), ACCEPTING], more=[
            {"set": {**PLACE, "name": "open", "elem": [22, {"range": [3000, 4000]}]}}]), None),
        (ruleset([match(DPORT, "@open"), ACCEPTING], more=[
            {"set": {**PLACE, "name": "open", "elem": [22]}}]), "warning"),
        (ruleset([match(DPORT, "@open"), ACCEPTING], more=[{"set": {**PLACE, "name": "open"}}]),
         "warning"),
        (ruleset([match(DPORT, "@gone"), ACCEPTING]), "unseen"),
        (ruleset(JUMP, more=[in_chain("services", match(DPORT, 3260), ACCEPTING)]), None),
        (ruleset(JUMP, [ACCEPTING], more=[in_chain("services", match(DPORT, 3260), DROPPING)]),
         "warning"),
        (ruleset(JUMP, more=[in_chain("services", {"return": None})]), "warning"),
        (ruleset(JUMP, more=[in_chain("services", *JUMP)]), "unseen"),
        (ruleset([{"xt": {"type": "match", "name": "set"}}, ACCEPTING]), "unseen"),
        (ruleset([ACCEPTING], more=[in_chain("input", ACCEPTING, table="other")]), None),
        (ruleset([{"reject": {"type": "tcp reset"}}], policy="accept"), "warning"),
        (json.dumps({"nftables": [{"chain": {**PLACE, "name": "input", "hook": "input"}},
                                  {"rule": None}]}), "unseen"),
        ("[]", "unseen"), ("nonsense", "unseen"), ('{"nftables": 1}', "unseen"),
    ],
)  # fmt: skip
def test_nftables_is_evaluated_like_in_the_kernel(
    healthy: Pyshell, monkeypatch: pytest.MonkeyPatch, rules: str, level: str | None
) -> None:
    lio = healthy.open()
    answers = {("nft", "--json", "list", "ruleset"): rules}
    monkeypatch.setattr(type(lio.machine), "ask", lambda _, *words: answers.get(words))
    found = [one.level for one in network.check_firewall(lio)]
    assert found == ([level] if level else [])


CIDR = {"prefix": {"addr": "10.0.0.0", "len": 8}}
SADDR6 = {"payload": {"protocol": "ip6", "field": "saddr"}}
PORT = match(DPORT, 3260)


@pytest.mark.parametrize(
    ("rule", "level"),
    [
        ([match(SADDR, CIDR), PORT, ACCEPTING], None),
        ([match(SADDR, "10.1.2.3"), PORT, ACCEPTING], None),
        ([match(SADDR, {"range": ["10.1.0.0", "10.2.0.0"]}), PORT, ACCEPTING], None),
        ([match(SADDR, {"set": ["192.0.2.1", CIDR]}), PORT, ACCEPTING], None),
        ([match(SADDR, "10.1.2.4"), PORT, ACCEPTING], "warning"),
        ([match(SADDR, CIDR, "!="), PORT, ACCEPTING], "warning"),
        ([match(SADDR6, {"prefix": {"addr": "fd00::", "len": 8}}), ACCEPTING], "warning"),
        ([match({"payload": {"protocol": "ip6", "field": "nexthdr"}}, 17, "!="), ACCEPTING],
         "warning"),
        ([match(SADDR, {"set": ["10.9.9.9", "@gone"]}), ACCEPTING], "unseen"),
        ([match({"meta": {"key": "iifname"}}, "eth1"), ACCEPTING], None),
        ([match({"meta": {"key": "iifname"}}, "eth*"), ACCEPTING], None),
        ([match({"meta": {"key": "iifname"}}, "lo"), ACCEPTING], "warning"),
        ([match({"meta": {"key": "iifname"}}, {"set": ["eth0", "eth2"]}), ACCEPTING], "warning"),
        ([match({"meta": {"key": "iifname"}}, {"set": ["eth*", "br0"]}), ACCEPTING], None),
        ([match({"meta": {"key": "iifname"}}, {"set": ["wl*", "br0"]}), ACCEPTING], "warning"),
    ],
)  # fmt: skip
def test_nftables_is_evaluated_for_one_sender(
    healthy: Pyshell, monkeypatch: pytest.MonkeyPatch, rule: list[Any], level: str | None
) -> None:
    lio = healthy.open()
    answers = {("nft", "--json", "list", "ruleset"): ruleset(rule)}
    monkeypatch.setattr(type(lio.machine), "ask", lambda _, *words: answers.get(words))
    portals = [portal for tpg in listing.all_tpgs(lio) for portal in listing.portals(tpg)]
    sender = network.Sender("10.1.2.3", "eth1")
    assert [one.level for one in network.blocked(lio, portals, sender)] == [level] * bool(level)


@pytest.mark.parametrize(
    ("saddr", "network_", "sender", "other"),
    [
        (SADDR, "192.0.2.0/24", "2001:db8::1", "10.1.2.3"),
        (SADDR6, "2001:db8::/32", "192.0.2.1", "fd00::1"),
    ],
)
def test_a_rule_for_the_other_version_of_ip_does_not_apply(
    healthy: Pyshell,
    monkeypatch: pytest.MonkeyPatch,
    saddr: Any,
    network_: str,
    sender: str,
    other: str,
) -> None:
    addr, length = network_.split("/")
    drop = [match(saddr, {"prefix": {"addr": addr, "len": int(length)}}, "!="), PORT, DROPPING]
    rules = ruleset(drop, policy="accept")  # as 'help acls create' recommends
    assert blocked(healthy, monkeypatch, {LIST_RULES: rules}, sender) == []
    (found,) = blocked(healthy, monkeypatch, {LIST_RULES: rules}, other)
    protocol = saddr["payload"]["protocol"]
    assert (found.commands, found.choices) == ((), (
        f"nft insert rule inet filter input {protocol} saddr {other} tcp dport 3260 accept",
    ))  # fmt: skip


LIST_RULES = ("nft", "--json", "list", "ruleset")


def blocked(
    pyshell: Pyshell,
    monkeypatch: pytest.MonkeyPatch,
    answers: Mapping[Any, str],
    address: str,
    interface: str = "eth1",
) -> list[Finding]:
    """Return what blocks a sender on a host whose programs give answers."""
    lio = pyshell.open()
    monkeypatch.setattr(type(lio.machine), "ask", lambda _, *words: answers.get(words))
    portals = [portal for tpg in listing.all_tpgs(lio) for portal in listing.portals(tpg)]
    return list(network.blocked(lio, portals, network.Sender(address, interface)))


@pytest.mark.parametrize(
    ("rule", "level"),
    [
        ([match({"meta": {"key": "iifname"}}, "lo"), ACCEPTING], None),
        ([PORT, match(SADDR, "10.1.2.4"), ACCEPTING], "warning"),
    ],
)
def test_nftables_is_evaluated_for_an_initiator_on_this_host(
    healthy: Pyshell,
    monkeypatch: pytest.MonkeyPatch,
    rule: list[Any],
    level: str | None,
) -> None:
    answers = {LIST_RULES: ruleset(rule)}
    found = blocked(healthy, monkeypatch, answers, "192.168.56.101", "lo")
    assert [one.level for one in found] == [level] * bool(level)


def test_firewalld_and_ufw_do_not_block_an_initiator_on_this_host(
    healthy: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    firewalld = {("firewall-cmd", "--state"): "running"}
    host_file(healthy, "/etc/ufw/ufw.conf", "ENABLED=yes\n")
    for answers in (firewalld, {}):
        assert blocked(healthy, monkeypatch, answers, "192.168.56.101", "lo") == []
        assert len(blocked(healthy, monkeypatch, answers, "192.168.56.101")) == 1


@pytest.mark.parametrize(
    ("rule", "shut"),
    [
        ("-A ufw-user-input -p tcp --dport 3260 -s 10.0.0.0/8 -j ACCEPT", False),
        ("-A ufw-user-input -p tcp --dport 3260 -s 10.1.2.4 -j ACCEPT", True),
        ("-A ufw-user-input -i eth1 -p tcp --dport 3260 -j ACCEPT", False),
        ("-A ufw-user-input -i eth0 -p tcp --dport 3260 -j ACCEPT", True),
    ],
)
def test_ufw_is_evaluated_for_one_sender(healthy: Pyshell, rule: str, shut: bool) -> None:
    host_file(healthy, "/etc/ufw/ufw.conf", "ENABLED=yes\n")
    host_file(healthy, "/etc/ufw/user.rules", f"{rule}\n")
    lio = healthy.open()
    portals = [portal for tpg in listing.all_tpgs(lio) for portal in listing.portals(tpg)]
    sender = network.Sender("10.1.2.3", "eth1")
    found = list(network.blocked(lio, portals, sender))
    command = "ufw allow from 10.1.2.3 to any port 3260 proto tcp"
    assert [one.choices for one in found] == [(command,)] * shut
    assert list(network.check_firewall(lio)) == []


def test_ufw_has_rules_of_its_own_for_ipv6(
    healthy: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    host_file(healthy, "/etc/ufw/ufw.conf", "ENABLED=yes\n")
    rule = "-A ufw6-user-input -p tcp --dport 3260 -s fd00::/8 -j ACCEPT\n"
    host_file(healthy, "/etc/ufw/user6.rules", rule)
    assert blocked(healthy, monkeypatch, {}, "fd00::1") == []
    assert len(blocked(healthy, monkeypatch, {}, "fe80::1")) == 1
    assert len(blocked(healthy, monkeypatch, {}, "10.1.2.3")) == 1
    assert list(network.check_firewall(healthy.open())) == []


@pytest.mark.parametrize("zone", ["storage", "iscsi-lan_1.a"])
def test_firewalld_is_asked_for_the_zone_of_the_senders_interface(
    healthy: Pyshell, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    answers: dict[tuple[str, ...], str] = {
        ("firewall-cmd", "--state"): "running",
        ("firewall-cmd", "--get-zone-of-interface=eth1"): f"{zone}\n",
        ("firewall-cmd", "--query-port=3260/tcp"): "yes",
    }
    (found,) = blocked(healthy, monkeypatch, answers, "10.1.2.3")
    rule = 'rule family="ipv4" source address="10.1.2.3" port port="3260" protocol="tcp" accept'
    assert (found.commands, found.choices) == ((), (
        f"firewall-cmd --permanent --zone={zone} --add-rich-rule='{rule}'"
        " && firewall-cmd --reload",
    ))  # fmt: skip
    answers["firewall-cmd", f"--zone={zone}", "--list-rich-rules"] = f"{rule}\n"
    assert blocked(healthy, monkeypatch, answers, "10.1.2.3") == []
    assert len(blocked(healthy, monkeypatch, answers, "10.1.2.4")) == 1
    assert blocked(healthy, monkeypatch, answers, "10.1.2.3", "eth0") == []


ACTIVE = """\
drop
  sources: 00:11:22:33:44:55
home
  sources: ipset:stor
internal (default)
  interfaces: eth1
trusted
  sources: 10.1.2.0/24 fd00::/8
work
  interfaces: eth2
  sources: 10.1.0.0/16
"""
"""What firewalld 1.3 prints; later versions mark the default zone."""
RULE = 'rule family="ipv4" source address="{}" port port="3260" protocol="tcp" accept'


@pytest.mark.parametrize(
    ("address", "zones", "found"),
    [
        ("10.9.1.1", ["home", "drop"], None),
        ("10.9.1.1", ["home"], "unseen"),  # it may have the MAC address of the zone drop
        ("10.9.1.1", ["internal", "public"], "warning"),
        ("10.1.7.7", ["work", "drop"], None),
        ("10.1.7.7", ["internal"], "warning"),
        ("10.1.2.3", ["trusted"], "unseen"),  # work, too, has its address
        ("192.0.2.1", ["internal", "drop"], None),
        ("192.0.2.1", ["work", "home", "trusted"], "warning"),
        ("fd00::1", ["trusted", "drop"], None),
    ],
)
def test_firewalld_is_asked_for_the_zones_of_the_senders_address(
    healthy: Pyshell,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    zones: list[str],
    found: str | None,
) -> None:
    answers: dict[tuple[str, ...], str] = {
        ("firewall-cmd", "--state"): "running",
        ("firewall-cmd", "--get-active-zones"): ACTIVE,
        ("firewall-cmd", "--get-zone-of-interface=eth1"): "internal\n",
        ("firewall-cmd", "--ipset=stor", "--get-entries"): "10.9.0.0/16\n10.8.0.1\n",
        **{("firewall-cmd", f"--zone={zone}", "--query-port=3260/tcp"): "yes" for zone in zones},
    }
    levels = [one.level for one in blocked(healthy, monkeypatch, answers, address)]
    assert levels == ([found] if found else [])


def test_the_zone_of_an_address_is_opened_for_it(
    healthy: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {
        ("firewall-cmd", "--state"): "running",
        ("firewall-cmd", "--get-active-zones"): "work\n  sources: 10.1.0.0/16\n",
    }
    (found,) = blocked(healthy, monkeypatch, answers, "10.1.7.7")
    assert found.choices == (
        f"firewall-cmd --permanent --zone=work --add-rich-rule='{RULE.format('10.1.7.7')}'"
        " && firewall-cmd --reload",
    )


def test_a_zone_of_firewalld_may_accept_everything(
    healthy: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {
        ("firewall-cmd", "--state"): "running",
        ("firewall-cmd", "--get-active-zones"): "trusted\n  sources: 10.1.0.0/16\n",
        ("firewall-cmd", "--zone=trusted", "--list-all"): "trusted (active)\n  target: ACCEPT\n",
    }
    assert blocked(healthy, monkeypatch, answers, "10.1.7.7") == []
    assert len(blocked(healthy, monkeypatch, answers, "10.2.7.7")) == 1
    (found,) = network.check_firewall(healthy.open())  # the default zone does not
    assert found.level == "unseen"
    assert "accepts some senders or interfaces only" in found.message


def test_an_unusable_zone_of_firewalld_is_reported_as_not_checked(
    healthy: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {
        ("firewall-cmd", "--state"): "running",
        ("firewall-cmd", "--get-zone-of-interface=eth1"): "Error: no connection\n",
        ("firewall-cmd", "--query-port=3260/tcp"): "yes",
    }
    assert [one.level for one in blocked(healthy, monkeypatch, answers, "10.1.2.3")] == ["unseen"]


FROM = 'rule family="ipv4" source address="10.0.0.0/8"'


@pytest.mark.parametrize(
    ("rule", "shut"),
    [
        (f'{FROM} port port="3260" protocol="tcp" accept', False),
        (f'{FROM} service name="iscsi-target" accept', False),
        (f"{FROM} accept", False),
        ('rule priority="-1" family="ipv4" port port="3260" protocol="tcp" accept', False),
        (f'{FROM} port port="3260" protocol="udp" accept', True),
        (f'{FROM} port port="3260" protocol="tcp" drop', True),
        (f'{FROM} service name="ssh" accept', True),
        ('rule family="ipv4" source NOT address="10.0.0.0/8" accept', True),
        ('rule family="ipv4" source address="192.0.2.0/24" accept', True),
        ('rule family="ipv6" port port="3260" protocol="tcp" accept', True),
    ],
)
def test_rich_rules_of_firewalld_are_evaluated_for_one_sender(
    healthy: Pyshell, monkeypatch: pytest.MonkeyPatch, rule: str, shut: bool
) -> None:
    answers = {
        ("firewall-cmd", "--state"): "running",
        ("firewall-cmd", "--list-rich-rules"): rule,
    }
    assert bool(blocked(healthy, monkeypatch, answers, "10.1.2.3")) is shut
