# SPDX-License-Identifier: Apache-2.0
"""What `doctor` finds: each fault is made, seen, mended by the commands told, and gone."""

from __future__ import annotations

import json
import os
import re
import shlex
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell, run_here
from pyshell.commands import examine
from pyshell.config import model
from pyshell.config.running import read_running
from pyshell.doctor import examination, network
from pyshell.doctor.findings import Finding
from pyshell.host import programs
from pyshell.host.real_machine import RealMachine
from pyshell.host.systemd import Systemd
from pyshell.simulator import ChapCredentials, SimulatedDevice, SimulatedMachine

PUBLIC = "198.51.100.7"
"""An address of the networks for documentation, which counts as no public one."""
GLOBAL = "93.184.216.34"
ADDRESS = "192.168.56.105"
ACL = f"{TPG}/acls/{CLIENT}"
OTHER = "iqn.2020-07.192.168.56.106:other"
UNIT = "[Unit]\nDescription=Restore\n[Install]\nWantedBy=multi-user.target\n"
SECRET = "a-secret-of-this-test"


@pytest.fixture
def healthy(exported: Pyshell) -> Pyshell:
    """Return pyshell where one disk is exported and saved, and nothing is wrong."""
    exported.must("saveconfig")
    assert doctor(exported) == []
    return exported


def doctor(pyshell: Pyshell, *words: str) -> list[Any]:
    """Return what is wrong; the exit status must tell how bad it is."""
    ran = pyshell("-o", "json", "doctor", *words)
    found = [one for one in ran.json["result"] if one["level"] != "unseen"]
    levels = {one["level"] for one in found}
    assert ran.status == (2 if "error" in levels else int("warning" in levels)), ran.err
    return found


def only(pyshell: Pyshell, check: str, path: str, told: str) -> list[str]:
    """Return what the one finding of a check suggests, which must say where and what.

    That are commands that can be run unread, or else those among which somebody decides.
    """
    (found,) = [one for one in doctor(pyshell) if one["check"] == check]
    assert found["path"] == path
    assert told in found["message"]
    suggested = found["commands"] or found["choices"]
    assert suggested
    return list(suggested)


def follow(
    pyshell: Pyshell, commands: list[str], host: Callable[[str], None] | None = None
) -> None:
    """Run commands as they are printed; `host` is the simulated host, where one is its."""
    for command in commands:
        words = shlex.split(command)
        if words[0] == "pyshell" and "&&" not in words:
            ran = run_here(words[1:], f"{SECRET}\n")
            assert ran.status == 0, (command, ran.err)
        elif host is not None:
            host(command)
        else:
            path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
            shell = ["sh", "-c", command]
            subprocess.run(shell, check=True, timeout=30, env={**os.environ, "PATH": path})


def paths(pyshell: Pyshell) -> set[str]:
    """Return the objects that are running."""
    return set(model.items(read_running(pyshell.open()), model.NAMES_ONLY))


def gone(pyshell: Pyshell, check: str) -> bool:
    """Tell whether a check finds nothing any more."""
    return all(one["check"] != check for one in doctor(pyshell))


def host_file(pyshell: Pyshell, path: str, text: str = "") -> Path:
    """Write a file of the simulated host."""
    place = pyshell.simulator.machine.file(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")
    return place


def listen_at(pyshell: Pyshell, *places: str) -> None:
    """Let the simulated host listen at places in the kernel's writing (`00000000:0CBC`)."""
    lines = "".join(f"   {n}: {one} 00000000:0000 0A 0\n" for n, one in enumerate(places))
    host_file(pyshell, "/proc/net/tcp", f"  sl  local_address\n{lines}")


# The text, the exit status, a part of the tree


def test_it_says_that_nothing_is_wrong(healthy: Pyshell) -> None:
    told = "No problems found by the checks that ran."  # a simulated host cannot show all
    assert healthy("doctor").done().lines[-1] == told


def test_it_does_not_vouch_for_what_was_not_seen() -> None:
    unseen = Finding("unseen", "/", "the boot is not seen")
    assert examine._lines([unseen])[-1] == "No problems found by the checks that ran."
    assert examine._lines([]) == ["No problems found."]


def test_a_finding_is_one_line_with_its_commands_below(healthy: Pyshell) -> None:
    healthy.must(f"{TPG} disable")
    ran = healthy("doctor")
    told = f"error: {TPG}: the TPG is disabled: no initiator can log in"
    where = ran.lines.index(told)
    assert ran.lines[where + 1] == "    Decide for yourself:"
    assert ran.lines[where + 2] == f"        pyshell --simulate={healthy.folder} {TPG} enable"
    assert ran.lines[-1] == "1 error and 1 warning. Suggested fixes are shown below each."
    assert ran.status == 2


def test_a_part_of_the_tree_alone(healthy: Pyshell) -> None:
    healthy.must(f"{TPG} disable")
    assert doctor(healthy, "/backstores") == []
    assert [one["check"] for one in doctor(healthy, "/iscsi")] == ["targets"]


def unseen(pyshell: Pyshell, path: str) -> list[str]:
    """Return what is told as not seen of a part of the tree."""
    found = pyshell("-o", "json", "doctor", path).json["result"]
    return [one["path"] for one in found if one["level"] == "unseen"]


def test_what_is_not_seen_is_told_of_the_parts_that_it_matters_to(healthy: Pyshell) -> None:
    healthy.must("/loopback create naa.5001405000000001")
    host = ["addresses", "listening", "firewall"]
    assert unseen(healthy, "/") == ["boot", *host]
    for path in ("/iscsi", TPG, f"{TPG}/portals", f"{TPG}/portals/0.0.0.0:3260"):
        assert unseen(healthy, path) == host
    for path in ("/backstores", "/loopback", ACL, f"{TPG}/luns"):
        assert unseen(healthy, path) == []
    assert (
        healthy("doctor", "/iscsi").done().lines[-1] == "No problems found by the checks that ran."
    )
    assert healthy("doctor", "/backstores").done().lines == ["No problems found."]


def test_a_shut_port_is_told_of_the_targets_that_are_at_it(healthy: Pyshell) -> None:
    other = "/iscsi/iqn.2020-07.com.example:other"
    healthy.must(
        f"/iscsi create {other.removeprefix('/iscsi/')}",
        f"{other}/tpg1/portals delete 0.0.0.0 3260",
        f"{other}/tpg1/portals create 0.0.0.0 3261",
    )
    host_file(healthy, "/etc/ufw/ufw.conf", "ENABLED=yes\n")
    host_file(healthy, "/etc/ufw/user.rules", "-A ufw-user-input -p tcp --dport 3261 -j ACCEPT\n")
    assert [one["check"] for one in doctor(healthy, TPG)] == ["firewall"]
    assert "firewall" not in [one["check"] for one in doctor(healthy, other)]
    assert doctor(healthy, "/backstores") == []


def test_it_changes_nothing(healthy: Pyshell) -> None:
    healthy.must(f"{TPG} disable")
    before = healthy.files()
    healthy("doctor")
    assert healthy.files() == before


def test_what_cannot_be_read_is_told_and_the_rest_looked_at(
    healthy: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: object) -> Iterator[Finding]:
        raise PermissionError(13, "Permission denied", "/proc/secret")

    healthy.must(f"{TPG} disable")
    checks = [
        replace(check, run=failing) if check.name == "network" else check
        for check in examination.CHECKS
    ]
    monkeypatch.setattr(examination, "CHECKS", checks)
    ran = healthy("doctor")
    assert "skipped: network: Permission denied: /proc/secret" in ran.lines
    assert f"error: {TPG}: the TPG is disabled: no initiator can log in" in ran.lines
    assert unseen(healthy, "/iscsi")[0] == "network"
    assert unseen(healthy, "/backstores") == []


# Boot and the saved file


@pytest.fixture
def with_systemd(healthy: Pyshell, monkeypatch: pytest.MonkeyPatch) -> Pyshell:
    """Return a target on a host with systemd, whose units are files of the simulated host."""
    healthy.simulator.machine.file("/run/systemd/system").mkdir(parents=True)
    root = str(healthy.simulator.machine.file("/"))
    monkeypatch.setattr(SimulatedMachine, "services", lambda _machine: Systemd(root))
    return healthy


def test_nothing_restores_at_boot(with_systemd: Pyshell) -> None:
    healthy = with_systemd
    host_file(healthy, "/usr/lib/systemd/system/pyshell-restore.service", UNIT)
    commands = only(healthy, "boot", "pyshell-restore.service", "no unit restores")
    assert commands == ["systemctl enable pyshell-restore.service"]
    root = healthy.simulator.machine.file("/")
    follow(healthy, [commands[0].replace("systemctl ", f"systemctl --root={root} ")])
    assert gone(healthy, "boot")


def test_two_units_restore_at_boot(with_systemd: Pyshell) -> None:
    healthy = with_systemd
    wants = "/etc/systemd/system/multi-user.target.wants"
    for name in ("pyshell-restore.service", "target.service"):
        host_file(healthy, f"/usr/lib/systemd/system/{name}", UNIT)
        host_file(healthy, f"{wants}/.keep")
        healthy.simulator.machine.file(f"{wants}/{name}").symlink_to(
            f"/usr/lib/systemd/system/{name}"
        )
    (command,) = only(healthy, "boot", "target.service", "both")
    root = healthy.simulator.machine.file("/")
    follow(healthy, [command.replace("systemctl ", f"systemctl --root={root} ")])
    assert gone(healthy, "boot")


def test_a_host_without_systemd_is_told_of(healthy: Pyshell) -> None:
    ran = healthy("doctor").done()
    assert "skipped: boot: systemd is not running" in ran.out


def test_what_runs_is_not_saved(exported: Pyshell) -> None:
    path = str(exported.saved_file)
    follow(exported, only(exported, "saving", path, "is not saved"))
    assert gone(exported, "saving")
    exported.must(f"{TPG} set attribute login_timeout=20")
    follow(exported, only(exported, "saving", path, f"lost at reboot: {TPG}"))
    assert gone(exported, "saving")


def test_nothing_of_what_is_saved_runs(healthy: Pyshell) -> None:
    healthy.must("clearconfig confirm=true")
    follow(healthy, only(healthy, "saving", str(healthy.saved_file), "it is not running"))
    assert gone(healthy, "saving")


def test_others_may_read_the_saved_file(healthy: Pyshell) -> None:
    healthy.saved_file.chmod(0o644)
    follow(healthy, only(healthy, "saving", str(healthy.saved_file), "mode 0644"))
    assert stat.S_IMODE(healthy.saved_file.stat().st_mode) == 0o600
    assert gone(healthy, "saving")


def test_a_secret_that_cannot_be_read_is_reported_once(healthy: Pyshell, tmp_path: Path) -> None:
    document = json.loads(healthy.saved_file.read_text(encoding="utf-8"))
    (acl,) = document["targets"][0]["tpgs"][0]["node_acls"]
    acl |= {"chap_userid": "user", "chap_password_file": str(tmp_path / "secret")}
    healthy.saved_file.write_text(json.dumps(document), encoding="utf-8")
    assert healthy("restoreconfig", "clear_existing=true").status == 1
    (found,) = [one for one in doctor(healthy) if one["path"].startswith(ACL)]
    assert found["message"].startswith("its CHAP secret cannot be restored at boot: Cannot read")
    (tmp_path / "secret").write_text("0123456789ab", encoding="utf-8")
    follow(healthy, only(healthy, "saving", f"{ACL}/chap_password", "cannot read"))
    assert gone(healthy, "saving")


def test_the_saved_file_is_damaged(healthy: Pyshell) -> None:
    healthy.saved_file.write_text("{", encoding="utf-8")
    follow(healthy, only(healthy, "saving", str(healthy.saved_file), "cannot be restored"))
    assert gone(healthy, "saving")


def test_the_last_restore_left_something_out(healthy: Pyshell) -> None:
    healthy.must("clearconfig confirm=true")
    machine = healthy.simulator.machine
    device = machine.device("/dev/mapper/lee-lee.lv")
    assert device is not None
    machine.remove(device.path)
    assert healthy("restoreconfig").status == 1
    missing = [one for one in doctor(healthy) if "it could not be restored" in one["message"]]
    assert "/backstores/block/lee_block" in [one["path"] for one in missing]
    machine.add(device)
    follow(healthy, missing[0]["commands"])
    assert gone(healthy, "saving")


# Network and firewall


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


def test_ufw_keeps_the_port_shut(healthy: Pyshell) -> None:
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


def test_firewalld_keeps_the_port_shut(
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
    follow(healthy, list(found.commands))
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
def test_nftables_keeps_the_port_shut(
    healthy: Pyshell, monkeypatch: pytest.MonkeyPatch, rules: str, shut: bool
) -> None:
    lio = healthy.open()
    answers = {("nft", "--json", "list", "ruleset"): rules}
    monkeypatch.setattr(type(lio.machine), "ask", lambda _, *words: answers.get(words))
    told = [command for one in network.check_firewall(lio) for command in one.commands]
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
def test_nftables_is_read_as_the_kernel_does(
    healthy: Pyshell, monkeypatch: pytest.MonkeyPatch, rules: str, level: str | None
) -> None:
    lio = healthy.open()
    answers = {("nft", "--json", "list", "ruleset"): rules}
    monkeypatch.setattr(type(lio.machine), "ask", lambda _, *words: answers.get(words))
    found = [one.level for one in network.check_firewall(lio)]
    assert found == ([level] if level else [])


# Targets


@pytest.mark.parametrize(
    ("line", "place", "told"),
    [
        (f"{TPG} disable", TPG, "disabled"),
        (f"{TPG}/portals delete 0.0.0.0 3260", TPG, "no portal"),
        (f"{TPG}/luns delete lun0", TPG, "no LUN"),
        (f"{ACL} delete mapped_lun=0", ACL, "maps no LUN"),
    ],
)
def test_something_is_missing_on_the_way(
    healthy: Pyshell, line: str, place: str, told: str
) -> None:
    healthy.must(line)
    follow(healthy, only(healthy, "targets", place, told))
    assert gone(healthy, "targets")


def test_a_tpg_has_no_lun_and_there_is_nothing_to_export(target: Pyshell) -> None:
    target.must(f"{TPG}/acls create {CLIENT}")
    (choice,) = only(target, "targets", TPG, "no LUN")
    assert choice.endswith(f"{TPG}/luns create STORAGE_OBJECT")


def test_a_tpg_has_no_acl(healthy: Pyshell) -> None:
    healthy.must(f"{TPG}/acls delete {CLIENT}")
    (command,) = only(healthy, "targets", TPG, "no ACL")
    follow(healthy, [command.replace("INITIATOR", CLIENT)])
    assert gone(healthy, "targets")


# Who is let in


def test_demo_mode_on_a_public_address(healthy: Pyshell) -> None:
    healthy.must(f"{TPG} set attribute generate_node_acls=1")
    healthy.give_addresses("127.0.0.1", "192.168.56.101", PUBLIC)
    listen_at(healthy, "00000000:0CBC")
    assert gone(healthy, "access")
    healthy.give_addresses("127.0.0.1", GLOBAL)
    follow(healthy, only(healthy, "access", TPG, f"demo mode allows every initiator, and {GLOBAL}"))
    assert all("demo mode" not in one["message"] for one in doctor(healthy))


def test_no_chap_on_a_public_address(healthy: Pyshell) -> None:
    healthy.give_addresses(GLOBAL)
    listen_at(healthy, "00000000:0CBC")
    commands = only(healthy, "access", TPG, "CHAP is not required")
    assert "password=-" in commands[0]
    follow(healthy, commands)
    assert gone(healthy, "access")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("userid=u password=short", "shorter than 12 bytes"),
        (
            "userid=u password=of-both-the-same mutual_userid=m mutual_password=of-both-the-same",
            "the same as password",
        ),
    ],
)
def test_secrets_that_are_weak(healthy: Pyshell, given: str, told: str) -> None:
    healthy.must(f"{TPG} set attribute authentication=1")
    healthy("--compat", ACL, "set", "auth", *given.split()).done()  # which takes any secret
    commands = only(healthy, "access", ACL, told)
    assert "of-both" not in healthy("doctor").out
    follow(healthy, commands)
    assert gone(healthy, "access")


def test_two_initiators_have_the_same_secret(healthy: Pyshell) -> None:
    other = f"{TPG}/acls/iqn.2020-07.com.example:other"
    healthy.must(f"{TPG}/acls create iqn.2020-07.com.example:other")
    healthy.must(f"{TPG} set attribute authentication=1")
    for acl in (ACL, other):
        healthy.must(f"{acl} set auth userid=u password=of-both-the-same")
    (finding,) = [one for one in doctor(healthy) if one["check"] == "access"]
    assert {finding["path"]} < {ACL, other}
    follow(healthy, finding["choices"])
    assert gone(healthy, "access")


def test_secrets_that_nobody_is_asked_for(healthy: Pyshell) -> None:
    """Finding 22."""
    said = healthy.line(f"{ACL} set auth userid=u password=of-both-the-same")
    assert f"CHAP is off. '{TPG} set attribute authentication=1' turns it on." in said.err
    follow(healthy, only(healthy, "access", TPG, "authentication is 0: they are not required"))
    assert gone(healthy, "access")
    assert "CHAP is off" not in healthy.line(f"{ACL} set auth userid=v").err


def test_turning_chap_on_is_not_suggested_if_it_would_keep_others_out(healthy: Pyshell) -> None:
    healthy.must(
        f"{TPG}/acls create iqn.2020-07.com.example:other",
        f"{ACL} set auth userid=u password=of-both-the-same",
    )
    (finding,) = [one for one in doctor(healthy) if one["check"] == "access"]
    assert "initiators without a secret could not log in" in finding["message"]
    assert finding["commands"] == []


def test_discovery_asks_for_chap_and_accepts_no_name(healthy: Pyshell) -> None:
    """Finding 22."""
    said = healthy.line("/iscsi set discovery_auth enable=true")
    assert "asks for CHAP at discovery, and has no userid" in said.err
    follow(healthy, only(healthy, "access", "/iscsi", "discovery requires CHAP"))
    assert gone(healthy, "access")


@pytest.mark.parametrize(
    "given",
    [
        "password=of-both-the-same mutual_password=of-both-the-same",
        "mutual_password=first-of-these",
    ],
)
@pytest.mark.parametrize("place", [ACL, f"{TPG}"])
def test_the_same_secret_for_both_directions_is_refused(
    healthy: Pyshell, place: str, given: str
) -> None:
    """Finding 53."""
    healthy.must(f"{place} set auth userid=u password=first-of-these mutual_userid=m")
    before = healthy.tree()
    ran = healthy.line(f"{place} set auth {given}")
    assert (ran.status, ran.out) == (2, "")
    assert "password and mutual_password must differ" in ran.err
    assert "of-" not in ran.err
    assert healthy.tree() == before
    swapped = "password=second-of-these mutual_password=first-of-these"
    healthy.must(f"{place} set auth {swapped}")


@pytest.mark.parametrize(("length", "told"), [(11, "shorter"), (12, ""), (16, ""), (17, "longer")])
def test_lengths_of_secrets_that_initiators_refuse(
    healthy: Pyshell, length: int, told: str
) -> None:
    """Finding 40."""
    healthy.must(f"{TPG} set attribute authentication=1")
    ran = healthy.line(f"{ACL} set auth userid=u password={'x' * length}")
    assert ran.status == 0
    assert (f"The password is {told} than" in ran.err) == bool(told)
    assert bool(ran.err) == bool(told)


def test_a_login_is_refused_by_chap(healthy: Pyshell) -> None:
    healthy.must(f"{TPG} set attribute authentication=1")
    healthy.simulator.refuse(SERVER, 1, CLIENT, ADDRESS)
    told = f"refused logins once, the last one by {CLIENT} from {ADDRESS}: CHAP"
    follow(healthy, only(healthy, "logins", f"/iscsi/{SERVER}", told))
    auth = healthy.configfs / f"iscsi/{SERVER}/tpgt_1/acls/{CLIENT}/auth"
    chap = ChapCredentials(
        (auth / "userid").read_text().strip(), (auth / "password").read_text().strip()
    )
    healthy.simulator.login(SERVER, 1, CLIENT, ADDRESS, chap)
    assert gone(healthy, "logins")


def test_a_login_is_refused_for_want_of_an_acl(healthy: Pyshell) -> None:
    stranger = "iqn.2020-07.com.example:stranger"
    for _ in range(2):
        with pytest.raises(PermissionError):
            healthy.simulator.login(SERVER, 1, stranger, ADDRESS)
    told = f"refused logins 2 times, the last one by {stranger} from {ADDRESS}: it has no ACL"
    follow(healthy, only(healthy, "logins", f"/iscsi/{SERVER}", told))
    healthy.simulator.login(SERVER, 1, stranger, ADDRESS)
    assert gone(healthy, "logins")


def test_every_refused_initiator_is_named(healthy: Pyshell) -> None:
    """Finding 20: the kernel's counters keep the last one, and no name without an ACL."""
    strangers = [f"iqn.2020-07.com.example:stranger{number}" for number in (1, 2, 3)]
    for name in (*strangers, "iqn.2020-07.com.example:a\u202eb", "notaname"):
        with pytest.raises(PermissionError):
            healthy.simulator.login(SERVER, 1, name, ADDRESS)
    healthy.simulator.refuse(SERVER, 1, CLIENT, ADDRESS)
    (finding,) = [one for one in doctor(healthy) if one["check"] == "logins"]
    for name in (*strangers, "notaname", CLIENT, "1 by CHAP, 5 without an ACL"):
        assert name in finding["message"]
    created = [line for line in finding["choices"] if " create " in line]
    assert [line.split()[-1] for line in created] == strangers[::-1]
    healthy.simulator.login(SERVER, 1, CLIENT, ADDRESS)
    assert strangers[0] in doctor(healthy)[0]["message"]


# Disks and devices


def test_two_disks_have_one_serial_number(healthy: Pyshell) -> None:
    serial = healthy.read("core/iblock_0/lee_block/wwn/vpd_unit_serial").split(": ")[1].strip()
    healthy.must(
        f"/backstores/ramdisk create name=twin size=8M wwn={serial}",
        f"{TPG}/luns create /backstores/ramdisk/twin",
    )
    commands = only(healthy, "disks", "/backstores/ramdisk/twin", "/backstores/block/lee_block")
    follow(healthy, commands)
    assert gone(healthy, "disks")


def test_two_disks_have_one_id_though_their_serial_numbers_differ(healthy: Pyshell) -> None:
    near = "8d2b4f5e-3a52-4e55-9b0a-3f6f1f6b7a0"
    healthy.must(
        f"/backstores/ramdisk create name=one size=8M wwn={near}1",
        f"/backstores/ramdisk create name=two size=8M wwn={near}2",
        f"{TPG}/luns create /backstores/ramdisk/one add_mapped_luns=false",
        f"{TPG}/luns create /backstores/ramdisk/two add_mapped_luns=false",
        f"{TPG}/acls create {OTHER} add_mapped_luns=false",
        f"{TPG}/acls/{OTHER} create 7 2 write_protect=true",
    )
    before = healthy.line(f"ls {TPG}").out
    told = "is also that of /backstores/ramdisk/one"
    follow(healthy, only(healthy, "disks", "/backstores/ramdisk/two", told))
    assert gone(healthy, "disks")
    assert healthy.line(f"ls {TPG}").out == before


def test_of_two_disks_with_one_id_the_one_in_use_is_left_alone_and_a_cut_is_told(
    healthy: Pyshell,
) -> None:
    near = "8d2b4f5e-3a52-4e55-9b0a-3f6f1f6b7a0"
    healthy.must(
        f"/backstores/ramdisk create name=one size=8M wwn={near}1",
        f"/backstores/ramdisk create name=two size=8M wwn={near}2",
        f"{TPG}/acls create {OTHER} add_mapped_luns=false",
        f"{TPG}/luns create /backstores/ramdisk/one add_mapped_luns=false",
        f"{TPG}/luns create /backstores/ramdisk/two add_mapped_luns=false",
        f"{TPG}/acls/{OTHER} create 0 2",
    )
    healthy.simulator.login(SERVER, 1, OTHER, "192.168.56.106")
    only(healthy, "disks", "/backstores/ramdisk/one", "the id naa.60014058d2b4")
    healthy.must(f"{TPG}/acls/{CLIENT} create 7 1")
    healthy.simulator.login(SERVER, 1, CLIENT, "192.168.56.105")
    told = f"It disconnects {OTHER}: unmount the disk and log out there first"
    only(healthy, "disks", "/backstores/ramdisk/two", told)


def test_a_disk_that_is_exported_nowhere(healthy: Pyshell) -> None:
    healthy.must("/backstores/ramdisk create name=idle size=8M")
    (choice,) = only(healthy, "disks", "/backstores/ramdisk/idle", "no LUN exports it")
    follow(healthy, [choice.replace("INITIATOR", CLIENT)])
    assert gone(healthy, "disks")


@pytest.fixture
def buffered(healthy: Pyshell) -> Pyshell:
    """Return pyshell where an image file is exported that the host's memory caches."""
    healthy.line("/backstores/fileio create name=image file_or_dev=/srv/image size=8M").done()
    healthy.must(f"{TPG}/luns create /backstores/fileio/image lun=lun5", "saveconfig")
    return healthy


def test_a_cache_that_initiators_are_not_told_of(buffered: Pyshell) -> None:
    (attribute,) = buffered.configfs.glob("core/fileio_*/image/attrib/emulate_write_cache")
    buffered.simulator.write(str(attribute), "0")
    commands = only(buffered, "disks", "/backstores/fileio/image", "corrupts file systems")
    follow(buffered, commands)
    assert attribute.read_text(encoding="utf-8") == "1\n"


def test_a_cache_without_a_battery(buffered: Pyshell) -> None:
    commands = only(buffered, "disks", "/backstores/fileio/image", "no battery")
    follow(buffered, commands)
    assert gone(buffered, "disks")
    assert "fileio/image (/srv/image)" in buffered.line(f"ls {TPG}/luns/lun5").out


def test_a_disk_made_anew_is_shown_to_those_who_had_it_and_to_nobody_else(
    buffered: Pyshell,
) -> None:
    buffered.must(
        f"{TPG}/acls create {OTHER} add_mapped_luns=false",
        f"{ACL} delete 5",
        f"{ACL} create 9 5 write_protect=true",
    )
    before = buffered.line(f"ls {TPG}").out
    assert "mapped_lun9" in before
    follow(buffered, only(buffered, "disks", "/backstores/fileio/image", "no battery"))
    assert gone(buffered, "disks")
    assert buffered.line(f"ls {TPG}").out == before


def test_a_cache_with_a_battery(buffered: Pyshell) -> None:
    kind = buffered.simulator.machine.file("/sys/class/power_supply/BAT0/type")
    kind.parent.mkdir(parents=True)
    kind.write_text("Battery\n", encoding="utf-8")
    assert doctor(buffered) == []


def lee(pyshell: Pyshell) -> SimulatedDevice:
    """Return the scenario's volume."""
    found = pyshell.simulator.machine.device("/dev/mapper/lee-lee.lv")
    assert found is not None
    return found


def test_a_device_is_gone(healthy: Pyshell) -> None:
    path = "/backstores/block/lee_block"
    healthy.simulator.machine.remove("/dev/mapper/lee-lee.lv")
    before = paths(healthy)
    choices = only(healthy, "devices", path, "/dev/mapper/lee-lee.lv is gone")
    follow(healthy, [one.replace("/dev/disk/by-id/NEW-DEVICE", "/dev/sdc") for one in choices])
    assert gone(healthy, "devices")
    assert healthy.document()["storage_objects"][0]["dev"] == "/dev/sdc"
    assert paths(healthy) == before


@pytest.mark.parametrize(
    ("holder", "command"),
    [
        ("mounted on /srv/data", "umount /srv/data"),
        ("used as swap", "swapoff /dev/mapper/lee-lee.lv"),
        ("held by md0", "mdadm --stop /dev/md0"),
        ("held by dm-7", "lvchange -an /dev/mapper/guest-root"),
        ("held by dm-8", "dmsetup remove secret"),
    ],
)
def test_this_host_uses_a_device_itself(healthy: Pyshell, holder: str, command: str) -> None:
    for name, mapped, uuid in (("dm-7", "guest-root", "LVM-x"), ("dm-8", "secret", "CRYPT-x")):
        folder = healthy.folder / "sysfs"
        place = healthy.simulator.machine.file(f"/sys/class/block/{name}/dm")
        assert place.is_relative_to(folder)
        place.mkdir(parents=True)
        (place / "name").write_text(f"{mapped}\n", encoding="utf-8")
        (place / "uuid").write_text(f"{uuid}\n", encoding="utf-8")
    machine = healthy.simulator.machine
    machine.add(replace(lee(healthy), holder=holder))

    def host(printed: str) -> None:
        assert printed == command
        machine.add(replace(lee(healthy), holder=None))

    follow(healthy, only(healthy, "devices", "/backstores/block/lee_block", holder), host)
    assert gone(healthy, "devices")


def test_a_device_has_a_name_that_changes(healthy: Pyshell) -> None:
    healthy.must(
        "/backstores/block create name=disk dev=/dev/sdb",
        f"{TPG}/luns create /backstores/block/disk",
        "saveconfig",
    )
    assert gone(healthy, "devices")
    machine = healthy.simulator.machine
    lasting = "/dev/disk/by-id/wwn-0x5000c500a1b2c3d4"
    machine.edit(links={**machine.links, lasting: "/dev/sdb"})
    follow(healthy, only(healthy, "devices", "/backstores/block/disk", lasting))
    follow(healthy, only(healthy, "saving", str(healthy.saved_file), "not saved"))
    assert doctor(healthy) == []
    assert f'"dev": "{lasting}"' in healthy.saved_file.read_text(encoding="utf-8")


@pytest.mark.parametrize(("size", "told"), [(4 << 20, "is lost"), (16 << 20, "is not used")])
def test_an_image_file_is_resized_by_others(buffered: Pyshell, size: int, told: str) -> None:
    image = buffered.simulator.machine.file("/srv/image")
    with image.open("r+b") as file:
        file.truncate(size)
    follow(buffered, only(buffered, "devices", "/backstores/fileio/image", told))
    assert gone(buffered, "devices")


def test_a_storage_object_that_was_never_configured(healthy: Pyshell) -> None:
    core = healthy.configfs / "core"
    healthy.simulator.mkdir(str(core / "rd_mcp_9"))
    healthy.simulator.mkdir(str(core / "rd_mcp_9/half"))
    (found,) = [one for one in doctor(healthy) if one["check"] == "devices"]
    assert found["path"] == "/backstores/ramdisk/half"
    assert "never configured" in found["message"]
    assert not found["commands"]
    healthy.must("/backstores/ramdisk delete half")
    assert gone(healthy, "devices")


def test_who_is_asked_for_chap_and_has_no_secret_cannot_log_in(healthy: Pyshell) -> None:
    healthy.must(f"{TPG} set attribute authentication=1", "saveconfig")
    (command,) = only(healthy, "access", ACL, "it cannot log in")
    assert command.endswith(f"{ACL} set auth userid=client password=-")
    healthy.must(f"{ACL} set auth userid=client password={SECRET}", "saveconfig")
    assert gone(healthy, "access")
    # An attribute of its own weighs more.
    healthy.must(f"{TPG}/acls create {OTHER} add_mapped_luns=false")
    only(healthy, "access", f"{TPG}/acls/{OTHER}", "it cannot log in")
    healthy.must(f"{TPG}/acls/{OTHER} set attribute authentication=0")
    assert gone(healthy, "access")


# Finding 18: what is suggested is safe


def _absent_device(pyshell: Pyshell) -> None:
    pyshell.simulator.machine.remove("/dev/mapper/lee-lee.lv")


def _restored_in_part(pyshell: Pyshell) -> None:
    pyshell.simulator.machine.remove("/dev/mapper/lee-lee.lv")
    pyshell("clearconfig", "confirm=true").done()
    assert pyshell("restoreconfig").status == 1


def _lun_deleted_unsaved(pyshell: Pyshell) -> None:
    pyshell.must(f"{TPG}/luns delete lun0", "/backstores/ramdisk create name=new size=8M")


def _many_things(pyshell: Pyshell) -> None:
    pyshell.must(
        f"{TPG} disable",
        f"{TPG}/portals delete 0.0.0.0 3260",
        f"{ACL} set auth userid=u password=short",
        f"{TPG}/acls create {OTHER}",
        f"/iscsi create {OTHER}",
        "/backstores/ramdisk create name=idle size=8M",
        "/backstores/fileio create name=image file_or_dev=/srv/i.img size=8M",
    )


def _damaged_file(pyshell: Pyshell) -> None:
    pyshell.saved_file.write_text("{")


@pytest.mark.parametrize(
    "spoil",
    [_absent_device, _restored_in_part, _lun_deleted_unsaved, _many_things, _damaged_file],
)
def test_finding_18_no_suggested_command_loses_anything(
    healthy: Pyshell, spoil: Callable[[Pyshell], None]
) -> None:
    spoil(healthy)
    (known, held) = (paths(healthy), saved_paths(healthy))
    suggested = [command for one in doctor(healthy) for command in one["commands"]]
    for command in suggested:
        assert not any(word.isupper() and len(word) > 2 for word in command.split()), command
        if "missing_only=true" in command:  # the device may still be absent
            assert run_here(shlex.split(command)[1:]).status in (0, 6)
        else:
            follow(healthy, [command])
        assert paths(healthy) >= known, command
        assert saved_paths(healthy) >= held, command


def saved_paths(pyshell: Pyshell) -> set[str]:
    """Return the objects that the saved file holds, none for a damaged one."""
    text = pyshell.saved_file.read_text()
    return set(model.items(json.loads(text), model.NAMES_ONLY)) if len(text) > 1 else set()


def test_finding_18_what_a_save_carries_over_is_not_called_unsaved(healthy: Pyshell) -> None:
    _restored_in_part(healthy)
    assert "saving" in {one["check"] for one in doctor(healthy)}
    found = [one["path"] for one in doctor(healthy) if one["check"] == "saving"]
    assert str(healthy.saved_file) not in found


# Finding 19: an object that runs without its device


def test_finding_19_check_and_status_report_a_dead_object(healthy: Pyshell) -> None:
    _absent_device(healthy)
    ran = healthy("check")
    assert ran.status == 1
    assert "/dev/mapper/lee-lee.lv is gone" in ran.out
    shown = healthy("-o", "json", "status").json["result"]
    assert shown["gone"] == {"/backstores/block/lee_block": "/dev/mapper/lee-lee.lv is gone"}
    assert shown["healthy"] is False
    assert "/dev/mapper/lee-lee.lv is gone" in healthy("status").out


def test_finding_19_a_device_that_is_back_at_its_path_gets_its_object_again(
    healthy: Pyshell,
) -> None:
    before = paths(healthy)
    machine = healthy.simulator.machine
    device = machine.device("/dev/mapper/lee-lee.lv")
    assert device is not None
    machine.remove(device.path)
    machine.add(replace(device, path="/dev/old", present=False))  # the kernel keeps the old one
    machine.add(replace(device, kernel_name="dm-9", number="254:9"))
    (found,) = [one for one in doctor(healthy) if one["check"] == "devices"]
    assert not found["choices"]
    follow(healthy, found["commands"])
    assert gone(healthy, "devices")
    assert paths(healthy) == before
    assert healthy("diff").status == 0


@pytest.mark.parametrize("name", ["/dev/md127", "/dev/sdz", "/dev/dm-7"])
def test_a_device_whose_name_moves_is_reported_by_check_and_doctor(
    pyshell: Pyshell, name: str
) -> None:
    """Finding 27."""
    pyshell.simulator.machine.add(SimulatedDevice(name, name.removeprefix("/dev/"), 1 << 21))
    pyshell.must(f"/backstores/block create moving {name}", "saveconfig")
    lasting = "/dev/disk/by-id/wwn-0x5000c500a1b2c3d4"
    machine = pyshell.simulator.machine
    machine.edit(links={**machine.links, lasting: name})
    told = f"{name} can be another disk after the next boot; {lasting} stays the same"
    assert any(told in one["message"] for one in doctor(pyshell))
    told = f"{name} can be another device after the next boot. Use {lasting}."
    assert told in pyshell("check").out


@pytest.mark.parametrize(
    ("told", "shown"),
    [("write back\n", "write-back, the device's own"), ("write through\n", "write-thru: "),
     ("", "unknown"), (None, "unknown")],
)  # fmt: skip
def test_info_has_the_cache_of_the_device_itself(
    pyshell: Pyshell, told: str | None, shown: str
) -> None:
    """Finding 26: of a block device the attribute is always 0."""
    pyshell.must("/backstores/block create disk /dev/mapper/lee-lee.lv")
    info = pyshell.read("core/iblock_0/disk/info")
    (device,) = re.findall(r"device: (\S+)", info)
    file = pyshell.simulator.machine.file(f"/sys/class/block/{device}/queue/write_cache")
    if told is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(told)
    assert (
        pyshell("-o", "json", "/backstores/block/disk", "info")
        .json["result"]["cache"]
        .startswith(shown)
    )
    assert "write-thru" in pyshell.line("ls /backstores/block").out
