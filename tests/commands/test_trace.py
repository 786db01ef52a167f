# SPDX-License-Identifier: Apache-2.0
"""`trace`: each hop is broken, named, fixed by the printed command, and the disk is seen."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from doctor.findings import SECRET, doctor, follow, host_file, listen_at
from driver import CLIENT, SERVER, TPG, Pyshell, run_here
from pyshell.doctor import hops, network
from pyshell.lio import listing
from pyshell.lio.identifiers import Portal
from pyshell.simulator import ChapCredentials

DISK = "/backstores/block/lee_block"
DEVICE = "/dev/mapper/lee-lee.lv"
ADDRESS, OTHER = "192.168.56.105", "192.168.56.102"
NEW = "/dev/new"
ACL = f"{TPG}/acls/{CLIENT}"
HOPS = [
    "address", "route", "portal", "firewall", "tpg", "acl", "chap", "mapping", "lun",
    "storage_object", "device", "session",
]  # fmt: skip
ROUTES = (
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
    "eth0\t0038A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
)
"""A route to 192.168.56.0/24 alone."""
ROUTES_V6 = f"20010db8{'0' * 24} 20 {'0' * 32} 00 {'0' * 32} 00000100 00000001 0 00000001 eth0\n"
"""A route to 2001:db8::/32 alone."""
UFW = "-A ufw-user-input -p tcp --dport 3260 -j ACCEPT\n"


def trace(pyshell: Pyshell, *words: str) -> Any:
    """Return what `trace` finds; its exit status must agree."""
    ran = pyshell("-o", "json", "trace", *words)
    found = ran.json["result"]
    assert found["visible"] is (ran.status < 2), ran.err
    return found


def look(pyshell: Pyshell, *words: str) -> Any:
    """Return what is found about the one disk and initiator."""
    return trace(pyshell, CLIENT, "lee_block", f"from={ADDRESS}", *words)


def statuses(found: Any) -> dict[str, str]:
    """Return the status of each hop of the only path."""
    (path,) = found["paths"]
    return {hop["hop"]: hop["status"] for hop in path["hops"]}


@pytest.fixture
def seen(exported: Pyshell) -> Pyshell:
    """Return pyshell on a host whose network is known, where the initiator could log in."""
    exported.give_addresses("127.0.0.1", "192.168.56.101")
    listen_at(exported, "00000000:0CBC")
    host_file(exported, "/proc/net/route", ROUTES)
    host_file(exported, "/etc/ufw/ufw.conf", "ENABLED=yes\n")
    host_file(exported, "/etc/ufw/user.rules", UFW)
    return exported


def log_in(pyshell: Pyshell, chap: ChapCredentials | None = None) -> None:
    """Log the initiator in, as its host does."""
    pyshell.simulator.login(SERVER, 1, CLIENT, ADDRESS, chap)


def stored_chap(pyshell: Pyshell) -> ChapCredentials:
    """Return the name and secret that the target expects."""
    auth = pyshell.configfs / f"iscsi/{SERVER}/tpgt_1/acls/{CLIENT}/auth"
    return ChapCredentials(*((auth / n).read_text().strip() for n in ("userid", "password")))


def test_each_hop_is_ok_and_the_disk_is_seen(seen: Pyshell) -> None:
    log_in(seen)
    found = look(seen)
    assert statuses(found) == dict.fromkeys(HOPS, "ok")
    assert (found["broken"], found["commands"]) == (None, [])
    assert found["paths"][0]["lun"] == 0
    ran = seen("trace", CLIENT, "lee_block")
    assert f"{CLIENT} sees {DISK} as LUN 0." in ran.out
    assert "It sent no command to LUN 0 yet" in ran.out
    seen.must(f"traffic {CLIENT} read=1M")
    assert "no command" not in seen("trace", CLIENT, "lee_block").out


def test_an_initiator_that_is_not_logged_in_does_not_see_the_disk(seen: Pyshell) -> None:
    found = look(seen)
    assert statuses(found) == {**dict.fromkeys(HOPS, "ok"), "session": "broken"}
    assert found["broken"]["code"] == "session.missing"
    follow(seen, found["commands"])
    assert look(seen)["visible"]


Host = Callable[[str], None] | None
"""Runs what is no command of pyshell, None if a shell does."""


def _lose_address(seen: Pyshell) -> Host:
    seen.must(f"{TPG}/portals delete 0.0.0.0 3260", f"{TPG}/portals create 192.168.56.101")
    listen_at(seen, "6538A8C0:0CBC")
    seen.give_addresses("127.0.0.1", "192.168.56.102")
    return None


def _lose_route(seen: Pyshell) -> Host:
    table = host_file(seen, "/proc/net/route", ROUTES.splitlines()[0] + "\n")

    def host(command: str) -> None:
        assert command == f"ip route add {ADDRESS} via 192.168.56.1"
        table.write_text(f"{ROUTES.splitlines()[0]}\neth0 6938A8C0 0138A8C0 0007 0 0 0 FFFFFFFF\n")

    return host


def _close_portal(seen: Pyshell) -> Host:
    listen_at(seen, "0100007F:0016")
    return None


def _block(seen: Pyshell) -> Host:
    rules = host_file(seen, "/etc/ufw/user.rules", UFW.replace(" -j", " -s 10.0.0.0/8 -j"))

    def host(command: str) -> None:
        assert command == f"ufw allow from {ADDRESS} to any port 3260 proto tcp"
        rules.write_text(UFW)

    return host


def _must(*lines: str) -> Callable[[Pyshell], Host]:
    def spoil(seen: Pyshell) -> Host:
        seen.must(*lines)
        return None

    return spoil


def _require_chap(seen: Pyshell) -> Host:
    seen.must(f"{TPG} set attribute authentication=1")
    return None


def _unplug(seen: Pyshell) -> Host:
    machine = seen.simulator.machine
    device = machine.device(DEVICE)
    assert device is not None
    machine.remove(DEVICE)
    machine.add(replace(device, path=NEW, kernel_name="dm-9", number="254:9"))
    return None


@pytest.mark.parametrize(
    ("spoil", "code", "told", "words"),
    [
        (_lose_address, "address.missing", "no address 192.168.56.101", {"ADDRESS": OTHER}),
        (_lose_route, "route.missing", f"no route to {ADDRESS}", {"GATEWAY": "192.168.56.1"}),
        (_close_portal, "portal.closed", "nothing listens on its TCP port 3260", {}),
        (_must(f"{TPG}/portals delete 0.0.0.0 3260"), "portal.missing", "has no portal", {}),
        (_block, "firewall.blocked", "it blocks TCP port 3260", {}),
        (_must(f"{TPG} disable"), "tpg.disabled", "the TPG is disabled", {}),
        (_must(f"{TPG}/acls delete {CLIENT}"), "acl.missing", f"no ACL for {CLIENT}", {}),
        (_require_chap, "chap.unset", "no userid and password are set", {}),
        (_must(f"{ACL} delete mapped_lun=0"), "mapping.missing", "maps no LUN", {}),
        (_must(f"{TPG}/luns delete lun0"), "lun.missing", f"no LUN of the TPG exports {DISK}", {}),
        (_unplug, "device.missing", f"{DEVICE} is gone", {"/dev/disk/by-id/NEW-DEVICE": NEW}),
    ],
)  # fmt: skip
def test_a_broken_hop_is_named_and_its_command_fixes_it(
    seen: Pyshell, spoil: Callable[[Pyshell], Host], code: str, told: str, words: dict[str, str]
) -> None:
    host = spoil(seen)
    found = look(seen)
    broken = found["broken"]
    assert (broken["code"], broken["status"]) == (code, "broken")
    assert told in broken["message"]
    ran = seen("trace", CLIENT, "lee_block", f"from={ADDRESS}")
    assert ran.status == 2
    assert f"{CLIENT} does not see {DISK}: " in ran.out
    commands = found["commands"]
    assert ran.lines[-len(commands) :] == [f"    {one}" for one in commands]
    for word, real in words.items():
        commands = [command.replace(word, real) for command in commands]
    follow(seen, commands, host)
    if code == "address.missing":  # what the kernel does of itself on a real host
        listen_at(seen, "6638A8C0:0CBC")
    if code == "portal.closed":
        listen_at(seen, "00000000:0CBC")
    log_in(seen, stored_chap(seen) if code == "chap.unset" else None)
    found = look(seen)
    assert found["visible"], found["message"]
    assert code == "address.missing" or found["broken"] is None


def test_one_broken_portal_of_two_is_reported_and_does_not_hide_the_disk(seen: Pyshell) -> None:
    _lose_address(seen)
    seen.must(f"{TPG}/portals create 192.168.56.102")
    listen_at(seen, "6638A8C0:0CBC")
    assert look(seen)["broken"]["code"] == "session.missing"
    log_in(seen)
    ran = seen("-o", "json", "trace", CLIENT, "lee_block")
    assert (ran.status, ran.json["result"]["broken"]["code"]) == (1, "address.missing")


@pytest.mark.parametrize(
    ("chap", "code", "told"),
    [
        (None, "chap.missing", "it offers none"),
        (ChapCredentials("other", SECRET), "chap.name", "its name differs"),
        (ChapCredentials("client", "another-secret"), "chap.secret", "its secret differs"),
        (
            ChapCredentials("client", SECRET, "me", "secret-of-target"),
            "chap.negotiation",
            "mutual_password",
        ),
    ],
)
def test_chap_as_last_refused_is_read_from_the_kernels_log(
    seen: Pyshell, chap: ChapCredentials | None, code: str, told: str
) -> None:
    seen.must(
        f"{TPG} set attribute authentication=1", f"{ACL} set auth userid=client password={SECRET}"
    )
    with pytest.raises(PermissionError):
        log_in(seen, chap)
    found = look(seen)
    assert found["broken"]["code"] == code
    assert told in found["message"]
    assert f"its last login, from {ADDRESS}, was refused" in found["message"]
    assert "secret-of" not in json.dumps(found).replace("SECRET", "")
    for_initiator = run_here(shlex.split(found["commands"][0])[1:], "secret-of-target\n")
    assert for_initiator.status == 0
    assert (SECRET in for_initiator.out) is (code != "chap.negotiation")
    assert len(found["commands"]) == (2 if code in ("chap.name", "chap.secret") else 1)
    for command in found["commands"][1:]:  # for the target
        assert chap is not None
        words = shlex.split(command.replace("NAME", chap.userid))[1:]
        assert run_here(words, f"{chap.password}\n").status == 0
        assert stored_chap(seen) == chap
    if code == "chap.missing":  # what the printed instructions configure there
        chap = ChapCredentials("client", SECRET)
    elif code == "chap.negotiation":
        stored = seen.configfs / f"iscsi/{SERVER}/tpgt_1/acls/{CLIENT}/auth"
        chap = ChapCredentials(
            "client",
            SECRET,
            *((stored / f"{n}_mutual").read_text().strip() for n in ("userid", "password")),
        )
    else:
        chap = stored_chap(seen)
    log_in(seen, chap)
    assert look(seen)["broken"] is None


def test_the_printed_login_of_a_simulated_initiator_prompts_for_its_secret(seen: Pyshell) -> None:
    seen.must(
        f"{TPG} set attribute authentication=1", f"{ACL} set auth userid=client password={SECRET}"
    )
    (command,) = look(seen)["commands"]
    assert command.endswith(f" login {CLIENT} target={SERVER} userid=client password=-")
    follow(seen, [command])
    assert look(seen)["broken"] is None


def test_an_initiator_that_offers_chap_where_it_is_not_required(seen: Pyshell) -> None:
    with pytest.raises(PermissionError):
        log_in(seen, ChapCredentials("client", SECRET))
    found = look(seen)
    assert found["broken"]["code"] == "chap.negotiation"
    assert "perhaps it offers CHAP, which is not required here" in found["message"]
    assert "Turn CHAP off on the initiator, or require it here" in found["message"]
    assert f"trace {CLIENT}' shows each hop" in seen("doctor").out
    follow(seen, found["commands"])
    log_in(seen, stored_chap(seen))
    assert look(seen)["broken"] is None


def test_secrets_that_are_not_required_are_named(seen: Pyshell) -> None:
    assert "chap            CHAP is not required\n" in seen("trace", CLIENT).out
    seen.must(f"{ACL} set auth userid=client password={SECRET}")
    told = "CHAP is not required: the name and secret that are set here are not used"
    assert told in seen("trace", CLIENT).out


def test_the_log_is_not_believed_if_other_targets_refused_logins_too(seen: Pyshell) -> None:
    other = "iqn.2020-07.192.168.56.101:other"
    seen.must(
        f"/iscsi create {other} default_portal=false",
        f"{TPG} set attribute authentication=1",
        f"{ACL} set auth userid=client password={SECRET}",
    )
    with pytest.raises(PermissionError):
        log_in(seen, ChapCredentials("other", SECRET))
    with pytest.raises(PermissionError):
        seen.simulator.login(other, 1, CLIENT, ADDRESS)
    found = look(seen)
    assert found["broken"]["code"] == "chap.refused"
    assert "its name or secret is missing or differs" in found["message"]
    follow(seen, found["commands"])
    log_in(seen, stored_chap(seen))
    assert look(seen)["broken"] is None


@pytest.mark.parametrize("lines", ["rx_data returned 0, expecting 48.\n", ""])
def test_an_unrelated_line_of_the_log_does_not_replace_the_reason(
    seen: Pyshell, lines: str
) -> None:
    seen.must(
        f"{TPG} set attribute authentication=1", f"{ACL} set auth userid=client password={SECRET}"
    )
    with pytest.raises(PermissionError):
        log_in(seen, ChapCredentials("client", "another-secret"))
    seen.simulator.machine.log(f"{lines}iSCSI Login negotiation failed.")
    told = look(seen)["broken"]
    assert told["code"] == ("chap.secret" if lines else "chap.refused")
    assert "mutual_password" not in told["message"]


def test_the_log_is_not_believed_if_the_target_counts_no_refusal_by_chap(seen: Pyshell) -> None:
    with pytest.raises(PermissionError):
        log_in(seen, ChapCredentials("client", SECRET))
    seen.simulator.machine.log("Security negotiation failed.\niSCSI Login negotiation failed.")
    assert look(seen)["broken"]["code"] == "chap.negotiation"


@pytest.mark.parametrize("portal", ["0.0.0.0", "192.168.56.101"])
def test_a_portal_for_the_other_version_of_ip_is_named_and_fixed(
    seen: Pyshell, portal: str
) -> None:
    sender, own = "2001:db8::5", "2001:db8::1"
    seen.must(f"{TPG}/portals delete 0.0.0.0 3260", f"{TPG}/portals create {portal}")
    listen_at(seen, "6538A8C0:0CBC" if portal != "0.0.0.0" else "00000000:0CBC")
    seen.give_addresses("127.0.0.1", "192.168.56.101", own)
    broken = trace(seen, CLIENT, "lee_block", f"from={sender}")["broken"]
    assert broken["code"] == "address.family"
    follow(seen, [command.replace("ADDRESS", own) for command in broken["commands"]])
    addresses = [one.name for one in portals(seen)]
    wanted = ["[::0]:3260"] if portal == "0.0.0.0" else [f"{portal}:3260", f"[{own}]:3260"]
    assert sorted(addresses) == sorted(wanted)


def portals(pyshell: Pyshell) -> list[Portal]:
    """Return the portals of the only TPG."""
    (tpg,) = listing.all_tpgs(pyshell.open())
    return listing.portals(tpg)


def test_a_session_outlives_what_breaks_the_next_login(seen: Pyshell) -> None:
    log_in(seen)
    _block(seen)
    ran = seen("trace", CLIENT, "lee_block")
    assert ran.status == 1
    assert f"{CLIENT} sees {DISK} as LUN 0." in ran.out
    assert "But: ufw: it blocks TCP port 3260" in ran.out
    assert ran.lines[-1] == f"    ufw allow from {ADDRESS} to any port 3260 proto tcp"


def test_a_refused_stranger_is_found_in_the_kernels_log(seen: Pyshell) -> None:
    stranger = "iqn.2020-07.com.example:stranger"
    assert "tried to log in" not in trace(seen, stranger, "lee_block")["message"]
    with pytest.raises(PermissionError):
        seen.simulator.login(SERVER, 1, stranger, ADDRESS)
    found = trace(seen, stranger, "lee_block")
    assert "the kernel log shows that it tried to log in" in found["message"]
    follow(seen, found["commands"])
    seen.simulator.login(SERVER, 1, stranger, ADDRESS)
    assert trace(seen, stranger, "lee_block")["visible"]
    other = "iqn.2020-07.192.168.56.105:clint"
    assert f"Did you mean {CLIENT}?" in seen("trace", other).lines
    assert f"{SERVER} is a target of this host, not an initiator." in seen("trace", SERVER).lines


def test_a_stranger_is_not_granted_access_to_the_first_of_several_targets(seen: Pyshell) -> None:
    first, stranger = "iqn.2003-01.org.first:big", "iqn.2020-07.com.example:stranger"
    seen.must(f"/iscsi create {first}", "/backstores/ramdisk create name=big size=8M")
    seen.must(f"/iscsi/{first}/tpg1/luns create /backstores/ramdisk/big")
    seen.must(f"/iscsi/{first}/tpg1 enable")
    found = trace(seen, stranger)
    assert (found["commands"], found["broken"]["path"]) == ([], "/iscsi")
    assert f"trace {stranger} /iscsi/TARGET/TPG/luns/LUN" in found["message"]
    assert "tried to log in" not in found["message"]
    for target, wanted in ((SERVER, SERVER), (first, "")):  # after both, it may have been either
        with pytest.raises(PermissionError):
            seen.simulator.login(target, 1, stranger, ADDRESS)
        found = trace(seen, stranger)
        acls = {one["target"]: hop for one in found["paths"] for hop in one["hops"]
                if hop["hop"] == "acl"}  # fmt: skip
        claimed = [name for name, hop in acls.items() if "tried to log in" in hop["message"]]
        assert claimed == ([wanted] if wanted else [])
        assert all(f"/iscsi/{wanted}" in one for one in found["commands"])
        assert bool(found["commands"]) is bool(wanted)
    assert found["message"].count("tried to log in to a target of this host") == 1
    found = trace(seen, stranger, f"{TPG}/luns/lun0")
    assert all(SERVER in one for one in found["commands"])
    assert found["commands"]


def test_the_fix_of_a_missing_acl_grants_the_disk_alone(seen: Pyshell) -> None:
    seen.must(
        "/backstores/ramdisk create name=secret size=8M",
        f"{TPG}/luns create /backstores/ramdisk/secret",
        f"{TPG} set attribute authentication=1",
    )
    stranger = "iqn.2020-07.com.example:stranger"
    follow(seen, trace(seen, stranger, "lee_block")["commands"])
    assert seen.must(f"{TPG}/acls/{stranger} ls")[1:] == [
        line for line in seen.must(f"{TPG}/acls/{stranger} ls")[1:] if "lee_block" in line
    ]
    assert trace(seen, stranger, "lee_block")["broken"]["code"] == "session.missing"


def test_a_deleted_acl_is_restored_as_saved(seen: Pyshell) -> None:
    seen.must(
        f"{TPG} set attribute authentication=1",
        f"{ACL} set auth userid=client password={SECRET}",
        "saveconfig",
    )
    with pytest.raises(PermissionError):
        log_in(seen, ChapCredentials("client", "another-secret"))
    seen.must(f"{TPG}/acls delete {CLIENT}")
    found = look(seen)
    assert found["broken"]["code"] == "acl.missing"
    assert found["message"].endswith("it cannot log in. The saved configuration has one.")
    (command,) = found["commands"]
    assert command.endswith(f" apply saved target={SERVER}")
    assert trace(seen, CLIENT)["commands"] == [command]
    judged = [one["choices"] for one in doctor(seen) if one["check"] in ("targets", "logins")]
    assert judged == [[command]] * 2
    follow(seen, [command])
    assert stored_chap(seen) == ChapCredentials("client", SECRET)
    log_in(seen, stored_chap(seen))
    assert look(seen)["broken"] is None
    assert seen("diff").status == 0


@pytest.mark.parametrize("line", [f"{TPG}/luns delete lun0", f"/iscsi delete {SERVER}",
                                  "/backstores/block delete lee_block"])  # fmt: skip
def test_a_deleted_export_is_restored_as_saved(seen: Pyshell, line: str) -> None:
    seen.must(f"{ACL} delete mapped_lun=0", f"{ACL} create mapped_lun=5 tpg_lun_or_backstore=0",
              "saveconfig")  # fmt: skip
    assert seen.line(line).status == 0
    for disk in ([], [DEVICE]):
        (command,) = trace(seen, CLIENT, *disk)["commands"]
        assert command.endswith(f" apply saved target={SERVER}")
    follow(seen, [command])
    assert seen("diff").status == 0
    log_in(seen)
    assert look(seen)["paths"][0]["lun"] == 5


def test_a_disk_for_a_tpg_without_luns_is_named(seen: Pyshell) -> None:
    seen.must(f"{TPG}/luns delete lun0")
    (command,) = trace(seen, CLIENT)["commands"]
    assert command.endswith(f" share {DISK} to={CLIENT} target={SERVER}")
    seen.must("/backstores/ramdisk create name=more size=8M")
    found = trace(seen, CLIENT)
    assert "exports any disk. Choose one of these" in found["message"]
    assert [shlex.split(one)[3] for one in found["commands"]] == [DISK, "/backstores/ramdisk/more"]


def test_the_simulated_host_has_no_network(exported: Pyshell) -> None:
    (path,) = trace(exported, CLIENT, "lee_block", f"from={ADDRESS}")["paths"]
    hidden = [(hop["hop"], hop["message"]) for hop in path["hops"] if hop["status"] == "unknown"]
    assert hidden == [(name, "not simulated") for name in HOPS[:4]]
    assert "skipped: firewall: not simulated" in exported("doctor").lines


def test_the_address_of_the_initiator_must_be_one(seen: Pyshell) -> None:
    told = "'1.2.3' is not the IP address of an initiator."
    for line in (f"trace {CLIENT} from=1.2.3", f"login {CLIENT} address=1.2.3"):
        assert told in seen.line(line).err


def test_demo_mode_needs_no_acl(seen: Pyshell) -> None:
    anyone = "iqn.2020-07.com.example:anyone"
    seen.must(f"{TPG} set attribute generate_node_acls=1")
    seen.simulator.login(SERVER, 1, anyone, ADDRESS)
    found = trace(seen, anyone)
    assert found["visible"]
    assert "demo mode allows every initiator" in found["paths"][0]["hops"][5]["message"]
    seen.must(f"{TPG} set attribute authentication=1")
    assert trace(seen, "iqn.2020-07.com.example:next")["broken"]["code"] == "chap.unset"


def test_all_that_an_initiator_gets_without_a_disk(seen: Pyshell) -> None:
    seen.must("/backstores/ramdisk create name=more size=8M",
              f"{TPG}/luns create /backstores/ramdisk/more")  # fmt: skip
    log_in(seen)
    found = trace(seen, CLIENT)
    assert [(one["disk"], one["lun"]) for one in found["paths"]] == [
        (DISK, 0), ("/backstores/ramdisk/more", 1)
    ]  # fmt: skip
    assert found["broken"] is None
    _unplug(seen)
    ran = seen("trace", CLIENT)
    assert ran.status == 1
    assert f"{CLIENT} sees /backstores/ramdisk/more as LUN 1." in ran.out
    assert f"But: {DEVICE} is gone" in ran.out


def test_each_target_that_exports_the_disk_is_a_path(seen: Pyshell) -> None:
    other = "iqn.2020-07.192.168.56.101:other"
    seen.must(
        f"/iscsi create {other}",
        f"/iscsi/{other}/tpg1/luns create {DISK}",
        f"/iscsi/{other}/tpg1/acls create {CLIENT}",
        f"/iscsi/{other}/tpg1 disable",
    )
    log_in(seen)
    found = look(seen)
    assert [(one["target"], one["visible"]) for one in found["paths"]] == [
        (other, False), (SERVER, True)
    ]  # fmt: skip
    assert found["broken"]["code"] == "tpg.disabled"
    assert f"But: /iscsi/{other}/tpg1: the TPG is disabled" in found["message"]
    follow(seen, found["commands"])
    seen.simulator.login(other, 1, CLIENT, ADDRESS)
    assert look(seen)["message"].startswith(
        f"{CLIENT} sees {DISK} as LUN 0. It sent no command to LUN 0 yet"
    )
    seen.simulator.logout(other, 1, CLIENT)
    seen.must(f"/iscsi/{other}/tpg1/acls delete {CLIENT}")
    assert look(seen)["broken"] is None  # it is not meant to be a path


@pytest.mark.parametrize(
    "name", [DISK, "lee_block", DEVICE, f"{TPG}/luns/lun0", f"{ACL}/mapped_lun0", "block/lee_block"]
)
def test_a_disk_is_named_as_on_this_host(seen: Pyshell, name: str) -> None:
    assert trace(seen, CLIENT, name)["disk"] == DISK


@pytest.mark.parametrize(
    "form",
    [
        "naa.{naa}", "{naa}", "3{naa}", "0x{naa}", "/dev/disk/by-id/wwn-0x{naa}-part1",
        "/dev/disk/by-id/scsi-3{naa}", "/dev/disk/by-id/dm-uuid-mpath-3{naa}", "{serial}",
        "/dev/disk/by-id/scsi-SLIO-ORG_lee_block_{serial}",
    ],
)  # fmt: skip
def test_a_disk_is_named_as_its_initiator_shows_it(seen: Pyshell, form: str) -> None:
    facts = seen("-o", "json", DISK, "info").json["result"]
    name = form.format(naa=facts["naa"].removeprefix("naa."), serial=facts["serial"])
    assert trace(seen, CLIENT, name)["disk"] == DISK


def test_what_is_not_exported_is_named_with_the_command_that_exports_it(seen: Pyshell) -> None:
    found = trace(seen, CLIENT, "/dev/sdb")
    assert found["broken"]["code"] == "storage_object.missing"
    follow(seen, found["commands"])
    log_in(seen)
    assert trace(seen, CLIENT, "/dev/sdb")["visible"]
    ran = seen("trace", CLIENT, "lee_blok")
    assert ran.status == 3
    assert f"Did you mean {DISK}?" in ran.err
    assert seen("trace", CLIENT, f"/{'a' * 300}").status == 3
    assert seen("trace", "nonsense").status == 2
    assert "Usage errors also exit with 2." in " ".join(seen("help", "trace").out.split())
    for address in ("nonsense", "192.168.56.105:3260", "0.0.0.0"):
        ran = seen("trace", CLIENT, "lee_block", f"from={address}")
        assert (ran.status, "Give one such as" in ran.err) == (2, True)


def test_an_initiator_is_named_by_any_spelling(seen: Pyshell) -> None:
    log_in(seen)
    for name in (CLIENT.upper(), ACL):
        assert trace(seen, name, "lee_block")["initiator"] == CLIENT


def test_other_fabrics_have_the_hops_that_they_know(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/ramdisk create name=disk size=8M", "/loopback create")
    (target,) = pyshell("-o", "json", "/loopback", "ls").json["tree"]["children"]
    nexus = re.search(r"naa\.\w+", target["summary"])
    assert nexus is not None
    found = trace(pyshell, nexus[0], "disk")
    assert found["broken"]["code"] == "lun.missing"
    follow(pyshell, found["commands"])
    found = trace(pyshell, nexus[0], "disk")
    assert found["visible"]
    assert list(statuses(found)) == ["nexus", "lun", "storage_object", "device"]
    other = trace(pyshell, "naa.5001405000000001", "disk")
    assert (other["visible"], other["broken"]["code"]) == (False, "nexus.other")


def test_a_nexus_that_was_never_set_is_set_by_the_printed_command(
    pyshell: Pyshell, tmp_path: Path
) -> None:
    target = "naa.5001405000000001"
    pyshell.must("/backstores/ramdisk create name=disk size=8M", f"/loopback create {target}")
    nexus = str(pyshell.configfs / f"loopback/{target}/tpgt_1/nexus")
    name = pyshell.simulator.read(nexus).strip()
    pyshell.simulator.write(nexus, "NULL")
    pyshell.must(f"/loopback/{target}/luns create /backstores/ramdisk/disk")
    found = trace(pyshell, name, "disk")
    assert found["broken"]["code"] == "nexus.missing"
    judged = [one for one in doctor(pyshell) if one["code"]]
    assert [one["choices"] for one in judged] == [found["commands"]]
    follow(pyshell, [one.replace("FILE", str(tmp_path / "file")) for one in found["commands"]])
    found = trace(pyshell, name, "disk")
    assert found["broken"]["code"] == "nexus.other"  # a generated one
    (command,) = found["commands"]
    assert "sees /backstores/ramdisk/disk as LUN 0." in run_here(shlex.split(command)[1:]).out


def _mapped_to_nothing(seen: Pyshell) -> None:
    seen.must(f"{ACL} delete mapped_lun=0")
    seen.simulator.mkdir(str(seen.configfs / f"iscsi/{SERVER}/tpgt_1/acls/{CLIENT}/lun_7"))


def _exporting_nothing(seen: Pyshell) -> None:
    (link,) = (seen.configfs / f"iscsi/{SERVER}/tpgt_1/lun/lun_0").glob("*/udev_path")
    seen.simulator.unlink(str(link.parent))


@pytest.mark.parametrize(
    ("spoil", "codes", "told"),
    [
        (_mapped_to_nothing, ["mapping.broken", "mapping.missing"], "mapped LUN 7 leads to no LUN"),
        (_exporting_nothing, ["lun.broken", "lun.missing"], "the LUN exports nothing"),
    ],
)
def test_a_half_made_object_is_named_and_fixed_by_trace_and_doctor(
    seen: Pyshell, spoil: Callable[[Pyshell], None], codes: list[str], told: str
) -> None:
    spoil(seen)
    for code in codes:
        found = trace(seen, CLIENT)
        assert found["broken"]["code"] == code
        assert (told in found["message"]) is (code == codes[0])
        judged = [one for one in doctor(seen, "/iscsi") if one["code"]]
        assert {one["code"] for one in judged} == {code}
        if code != "lun.missing":  # doctor suggests disks, trace the initiator's
            assert [one["choices"] for one in judged] == [found["commands"]]
        follow(seen, [one.replace("STORAGE_OBJECT", DISK) for one in found["commands"]])
    log_in(seen)
    assert trace(seen, CLIENT)["visible"]


def test_a_lun_that_exports_nothing_is_no_disk(seen: Pyshell) -> None:
    _exporting_nothing(seen)
    ran = seen("trace", CLIENT, f"{TPG}/luns/lun0")
    assert (ran.status, f"'{TPG}/luns delete' deletes it" in ran.err) == (2, True)


def test_a_storage_object_that_was_never_configured_is_named_and_replaced(seen: Pyshell) -> None:
    for place in ("core/iblock_9", "core/iblock_9/half"):
        seen.simulator.mkdir(str(seen.configfs / place))
    found = trace(seen, CLIENT, "half")
    assert found["broken"]["code"] == "storage_object.unconfigured"
    assert "does not see /backstores/block/half: it was never configured" in found["message"]
    follow(seen, found["commands"])
    found = trace(seen, CLIENT, "/dev/sdb")
    assert found["broken"]["code"] == "storage_object.missing"
    follow(seen, found["commands"])
    log_in(seen)
    assert trace(seen, CLIENT, "/dev/sdb")["visible"]


def test_the_kernels_log_and_the_firewall_are_read_once(
    seen: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        seen.must(f"/iscsi create iqn.2020-07.com.example:disks{number}")
    lio = seen.open()
    asked = []
    monkeypatch.setattr(type(lio.machine), "ask", lambda _, *words: asked.append(words[0]))
    stranger = "iqn.2020-07.com.example:stranger"
    assert len(hops.traces(lio, hops.Question(stranger))) == 4
    assert asked.count("dmesg") == asked.count("firewall-cmd") == 1


def test_the_login_is_at_a_portal_that_the_initiator_reaches(
    seen: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen.give_addresses("127.0.0.1", "192.168.56.101", "2001:db8::1")
    seen.must(
        f"{TPG}/portals delete 0.0.0.0 3260",
        f"{TPG}/portals create 192.168.56.101",
        f"{TPG}/portals create 2001:db8::1",
    )
    lio = replace(seen.open(), simulated=None)  # the command is for the initiator's host
    monkeypatch.setattr(network, "not_listening", lambda *_: None)
    host_file(seen, "/proc/net/ipv6_route", ROUTES_V6)
    host_file(seen, "/etc/ufw/ufw.conf", "ENABLED=no\n")
    reached = {ADDRESS: "192.168.56.101:3260", "2001:db8::5": "[2001:db8::1]:3260"}
    for sender, portal in reached.items():
        (way,) = hops.traces(lio, hops.Question(CLIENT, sender))
        assert way.session is not None
        assert len(way.portals) == 1  # the other one is for the other version of IP
        assert f" -p {shlex.quote(portal)} " in way.session.commands[0]


def test_a_host_without_a_target_exports_nothing(pyshell: Pyshell) -> None:
    ran = pyshell("trace", CLIENT)
    assert ran.status == 2
    assert len(ran.lines) == 2
    assert ran.lines[-1].endswith(f"share DEVICE to={CLIENT}")


def test_doctor_names_the_same_hops(seen: Pyshell) -> None:
    seen.must(f"{TPG} disable")
    (found,) = [one for one in doctor(seen) if one["code"] == "tpg.disabled"]
    assert found["choices"] == look(seen)["commands"]


def test_names_of_initiators_and_disks_are_offered(seen: Pyshell) -> None:
    line = f"pyshell --simulate={seen.folder} trace "
    assert CLIENT in run_here(["--complete", "fish", line]).out
    assert DEVICE in run_here(["--complete", "fish", f"{line}{CLIENT} /dev"]).out
