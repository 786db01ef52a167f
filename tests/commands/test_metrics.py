# SPDX-License-Identifier: Apache-2.0
"""`metrics`: what the reference client reads in it."""

from __future__ import annotations

import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families

from driver import CLIENT, SERVER, TPG, Pyshell, tool

ADDRESS = "192.168.56.105"
STRANGER = "iqn.2020-07.com.example:stranger"


def values(text: str) -> dict[tuple[str, ...], float]:
    """Return each value by the metric's name and its labels' texts."""
    return {
        (sample.name, *sample.labels.values()): float(sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def busy(exported: Pyshell) -> Pyshell:
    """Return pyshell where one initiator works, one is in without ACL and one was refused."""
    simulator = exported.simulator
    simulator.login(SERVER, 1, CLIENT, ADDRESS)
    exported.must(f"{TPG} set attribute generate_node_acls=1")
    simulator.login(SERVER, 1, STRANGER, ADDRESS)
    simulator.refuse(SERVER, 1, CLIENT, ADDRESS)
    path = exported.configfs / f"iscsi/{SERVER}/tpgt_1/acls/{CLIENT}/lun_0"
    simulator.transfer(str(path), 7, read=3 << 20, written=1 << 20)
    return exported


def test_sessions_logins_and_flows(busy: Pyshell) -> None:
    found = values(busy("metrics").done().out)
    assert found["pyshell_target_up",] == 1
    assert found["pyshell_sessions", "iscsi", SERVER, "acl"] == 1
    assert found["pyshell_sessions", "iscsi", SERVER, "dynamic"] == 1
    assert found["pyshell_logins_total", SERVER] == 2
    assert found["pyshell_login_failures_total", SERVER, "authenticate"] == 1
    assert found["pyshell_login_failures_total", SERVER, "authorize"] == 0
    block = "block/lee_block", "/backstores/block/lee_block"
    assert found.get(("pyshell_storage_object_commands_total", *block)) == 7
    assert found.get(("pyshell_storage_object_read_bytes_total", *block)) == 3 << 20
    acl = (CLIENT, f"{TPG}/acls/{CLIENT}")
    assert found.get(("pyshell_initiator_written_bytes_total", *acl)) == 1 << 20


def test_what_is_saved_restored_and_missing(exported: Pyshell) -> None:
    def one(name: str) -> float | None:
        return values(exported("metrics").done().out).get((name,))

    assert one("pyshell_unsaved") == 1
    assert one("pyshell_last_restore_timestamp_seconds") is None
    exported.must("saveconfig")
    assert one("pyshell_unsaved") == 0
    exported.must("clearconfig confirm=true")
    exported.simulator.machine.remove("/dev/mapper/lee-lee.lv")
    assert exported("restoreconfig").status == 1
    assert (one("pyshell_restore_missing_objects") or 0) > 0
    assert (one("pyshell_last_restore_timestamp_seconds") or 0) > 1.5e9


def test_a_device_that_is_gone(exported: Pyshell) -> None:
    name = ("pyshell_device_missing", "block/lee_block")
    assert values(exported("metrics").out)[name] == 0
    exported.simulator.machine.remove("/dev/mapper/lee-lee.lv")
    assert values(exported("metrics").out)[name] == 1


def test_reservations(exported: Pyshell) -> None:
    exported.must(f"login {CLIENT}", f"reserve {CLIENT} type=write_exclusive aptpl=true")
    found = values(exported("metrics").done().out)
    name = "block/lee_block"
    assert found["pyshell_reservation", name, CLIENT, "Write Exclusive Access"] == 1
    for metric in ("pyshell_registrations", "pyshell_reservation_generation", "pyshell_aptpl"):
        assert found[metric, name] == 1


def test_no_secret_is_in_it(exported: Pyshell) -> None:
    exported.must(f"{TPG}/acls/{CLIENT} set auth userid=u password=very-secret-indeed")
    assert "very-secret" not in exported("metrics").out
    assert "very-secret" not in exported("-o", "json", "metrics").out


def test_as_json(exported: Pyshell) -> None:
    found = exported("-o", "json", "metrics").json["result"]
    assert found["pyshell_target_up"] == {"kind": "gauge", "values": [{"value": 1}]}


def test_tpgs_are_enabled_or_not(exported: Pyshell) -> None:
    name = ("pyshell_tpg_enabled", "iscsi", SERVER, "1")
    assert values(exported("metrics").out)[name] == 1
    exported.must(f"{TPG} disable")
    assert values(exported("metrics").out)[name] == 0


def test_a_portal_whose_address_the_host_has_lost(exported: Pyshell) -> None:
    name = ("pyshell_portal_up", SERVER, "1", "192.168.56.101:3260")
    exported.must(f"{TPG}/portals delete 0.0.0.0 3260", f"{TPG}/portals create 192.168.56.101")
    assert name not in values(exported("metrics").out)  # the addresses are unknown
    exported.give_addresses("192.168.56.101")
    assert values(exported("metrics").out)[name] == 1
    exported.give_addresses("192.168.56.102")
    assert values(exported("metrics").out)[name] == 0


def test_a_saved_file_that_is_damaged_leaves_the_rest(exported: Pyshell) -> None:
    exported.must("saveconfig")
    exported.saved_file.write_text("{")
    found = values(exported("metrics").out)
    assert ("pyshell_unsaved",) not in found
    assert found["pyshell_restore_missing_objects",] == 0


def test_promtool_has_nothing_to_say_against_it(busy: Pyshell) -> None:
    done = subprocess.run(
        [tool("promtool", "prometheus"), "check", "metrics"],
        input=busy("metrics").out,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
