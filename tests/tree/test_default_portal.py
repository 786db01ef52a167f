# SPDX-License-Identifier: Apache-2.0
"""The portal that a new target gets, and what may be in its way."""

from __future__ import annotations

from driver import SERVER, TPG, Pyshell

OTHER = "iqn.2020-07.com.example:other"


def test_field_failure_61_a_portal_in_the_way_is_told_with_its_place(pyshell: Pyshell) -> None:
    pyshell.must(
        f"/iscsi create {SERVER}",
        f"{TPG}/portals delete 0.0.0.0 3260",
        f"{TPG}/portals create 192.168.56.101",
    )
    said = pyshell.must(f"/iscsi create {OTHER}")
    assert said == [
        f"Created target {OTHER}.",
        "Created TPG 1.",
        f"Default portal not created, {TPG}/portals/192.168.56.101:3260 listens on that port:"
        " 'portals create ADDRESS' gives the new TPG one of its own.",
    ]
    assert "Portals: 0" in pyshell("ls", f"/iscsi/{OTHER}").out


def test_the_port_of_the_only_portal_of_an_address_can_be_omitted(target: Pyshell) -> None:
    target.must(f"{TPG}/portals delete 0.0.0.0", f"{TPG}/portals create 192.168.56.101")
    target.must(f"{TPG}/portals create 192.168.56.101 3261")
    for address in ("192.168.56.101", "192.168.56.102"):
        ran = target.line(f"{TPG}/portals delete {address}")
        assert (ran.status, "Syntax: delete ADDRESS:PORT" in ran.err) == (2, True)
    target.must(f"{TPG}/portals delete 192.168.56.101:3261")
    assert (
        "Missing required" in target("--compat", f"{TPG}/portals", "delete", "192.168.56.101").err
    )
    target.must(f"{TPG}/portals delete 192.168.56.101")
    assert list(target.configfs.glob("iscsi/*/tpgt_1/np/*")) == []


def test_field_failure_61_without_ipv6_the_default_portal_is_that_of_ipv4(
    pyshell: Pyshell,
) -> None:
    pyshell.must("set global default_portal_address=::0")
    pyshell.simulator.machine.edit(ipv6=False)
    said = pyshell.must(f"/iscsi create {SERVER}")
    assert said[-2:] == [
        "Created default portal listening on all IPs (0.0.0.0), port 3260.",
        "::0 was refused, probably because IPv6 is off: the portal is IPv4 only.",
    ]
    assert [path.name for path in pyshell.configfs.glob("iscsi/*/tpgt_1/np/*")] == ["0.0.0.0:3260"]


def test_field_failure_61_without_ipv6_its_addresses_are_refused(target: Pyshell) -> None:
    target.must(f"{TPG}/portals delete 0.0.0.0 3260")
    target.simulator.machine.edit(ipv6=False)
    ran = target.line(f"{TPG}/portals create ::1")
    assert ran.status == 1
    assert "Invalid argument (EINVAL)" in ran.err
    assert "Is IPv6 on" in ran.err
    ran = target.line(f"{TPG}/portals create fe80::1")
    assert "Link-local addresses cannot be used: a portal has no zone." in ran.err


def test_field_failure_64_help_tells_what_there_is_in_place_of_access_by_address(
    target: Pyshell,
) -> None:
    text = target(f"{TPG}/acls", "help", "create").done().out
    for told in (
        "cannot restrict them by IP address",
        "Listen only",
        "firewall",
        "nft insert rule",
    ):
        assert told in text


def test_a_portal_of_another_target_that_is_in_the_way_is_told_with_its_path(
    target: Pyshell,
) -> None:
    target.must(f"/iscsi create {OTHER}", f"/iscsi/{OTHER}/tpg1/portals delete 0.0.0.0 3260")
    ran = target.line(f"/iscsi/{OTHER}/tpg1/portals create 192.168.56.101")
    assert ran.status == 5
    assert f"First: {TPG}/portals delete 0.0.0.0 3260" in ran.err


def test_a_portal_at_an_address_that_the_host_lacks_is_made_and_told(target: Pyshell) -> None:
    target.give_addresses("192.168.56.101")
    target.must(f"{TPG}/portals delete 0.0.0.0 3260")
    assert target(f"{TPG}/portals", "create", "192.168.56.101").done().err == ""
    told = "This host has no address 192.0.2.1: nobody reaches the portal until it has."
    ran = target(f"{TPG}/portals", "create", "192.0.2.1").done(noting=told)
    assert ran.lines[-1] == "Created network portal 192.0.2.1:3260."


def test_finding_58_an_ipv6_portal_beside_the_ipv4_wildcard_is_created_and_restored(
    target: Pyshell,
) -> None:
    target.must(f"{TPG}/portals create 2001:db8::1", "saveconfig", "clearconfig confirm=true")
    target.must("restoreconfig", "check")
    portals = {path.name for path in target.configfs.glob("iscsi/*/tpgt_1/np/*")}
    assert portals == {"0.0.0.0:3260", "[2001:db8::1]:3260"}


def test_finding_58_a_portal_of_another_target_in_the_way_fails_a_dry_run_too(
    target: Pyshell,
) -> None:
    target.must("set global auto_add_default_portal=false", f"/iscsi create {OTHER}")
    command = f"/iscsi/{OTHER}/tpg1/portals create 192.168.56.101"
    for options in ([], ["--dry-run"]):
        ran = target(*options, *command.split())
        assert ran.status == 5
        assert f"0.0.0.0:3260 of TPG 1 of target {SERVER} listens on all" in ran.err


def test_finding_58_a_wildcard_that_the_kernel_serves_elsewhere_is_reported(
    target: Pyshell,
) -> None:
    target.must(
        "set global auto_add_default_portal=false",
        f"{TPG}/portals delete 0.0.0.0 3260",
        f"{TPG}/portals create ::1",
        f"/iscsi create {OTHER}",
    )
    created = target(f"/iscsi/{OTHER}/tpg1/portals", "create", "0.0.0.0")
    created.done(noting=f"The kernel takes 0.0.0.0:3260 for {TPG}/portals/[::1]:3260")


def test_a_port_that_is_given_is_not_called_the_default(target: Pyshell) -> None:
    target.must(f"{TPG}/portals delete 0.0.0.0 3260")
    ran = target.line(f"{TPG}/portals create 192.168.0.254 ip_port=3260")
    assert "Created network portal" in ran.out
    assert "Using default" not in ran.out
    target.must(f"{TPG}/portals delete 192.168.0.254 3260")
    assert "Using default IP port 3260" in target.line(f"{TPG}/portals create 192.168.0.254").out
