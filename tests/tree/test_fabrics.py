# SPDX-License-Identifier: Apache-2.0
"""Every fabric that rtslib knows: its nodes, the spellings of its names, its hardware, its life."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from driver import TPG, Pyshell
from pyshell.lio import fabrics
from pyshell.simulator import SimulatedPort


@dataclass(frozen=True)
class Case:
    """A fabric with one target: as it may be typed, as it is shown, as configfs has it."""

    fabric: str
    wwn: str
    folder: str
    typed: Sequence[str]
    nodes: Sequence[str]
    summary: str
    """What the tree says of the TPG, or of the target where that is one with it."""
    port: str = ""
    initiator: str = ""
    initiator_typed: Sequence[str] = ()

    @property
    def tpg(self) -> str:
        """Return the path of the TPG."""
        level = "/tpg1" if fabrics.fabric(self.fabric).has("tpgts") else ""
        return f"/{self.fabric}/{self.wwn}{level}"

    def __str__(self) -> str:
        return self.fabric


def fibre_channel(name: str, folder: str, summary: str) -> Case:
    """Return a fabric of Fibre Channel, all of which have names of one form."""
    return Case(
        name, "naa.21000024ff123456", f"{folder}/21:00:00:24:ff:12:34:56",
        ("21:00:00:24:ff:12:34:56", "21000024FF123456", "0x21000024ff123456",
         "NAA.21000024FF123456", "naa.21:00:00:24:FF:12:34:56"),
        ("acls", "luns"), summary, "21:00:00:24:FF:12:34:56",
        # Hyper-V's names begin with c (field failure 60).
        "naa.c003ff0000ffff01", ("c0:03:ff:00:00:ff:ff:01", "0xC003FF0000FFFF01"),
    )  # fmt: skip


NAA = "naa.5001405000000001"
NAA_TYPED = ("5001405000000001", "50:01:40:50:00:00:00:01", "0x5001405000000001", NAA.upper())
NEXUS = "NEXUS"
CASES = (
    Case(
        "iscsi", "iqn.2020-07.com.example:a", "iscsi/iqn.2020-07.com.example:a",
        ("IQN.2020-07.com.Example:A",), ("acls", "luns", "portals"), "no-gen-acls, no-auth", "",
        "naa.5001405000000002", ("NAA.5001405000000002", "0x5001405000000002"),
    ),
    Case("loopback", NAA, f"loopback/{NAA}", NAA_TYPED, ("luns",), NEXUS),
    Case(
        "vhost", NAA, f"vhost/{NAA}", NAA_TYPED, ("acls", "luns"), f"{NEXUS}, no-gen-acls", "",
        "naa.5001405000000002", ("5001405000000002",),
    ),
    Case("xen-pvscsi", NAA, f"xen-pvscsi/{NAA}", NAA_TYPED, ("luns",), NEXUS),
    Case("usb_gadget", NAA, f"usb_gadget/{NAA}", NAA_TYPED, ("luns",), NEXUS, "dummy_udc.0"),
    fibre_channel("qla2xxx", "qla2xxx", "gen-acls"),
    fibre_channel("efct", "efct", "gen-acls"),
    fibre_channel("tcm_fc", "fc", "no-gen-acls"),
    Case(
        "srpt", "ib.fe800000000000000002c903000e8acd", "srpt/0xfe800000000000000002c903000e8acd",
        ("fe80:0000:0000:0000:0002:c903:000e:8acd", "0xFE800000000000000002C903000E8ACD",
         "fe800000000000000002c903000e8acd"),
        ("acls", "luns"), "no-gen-acls", "fe80:0000:0000:0000:0002:c903:000e:8acd",
        "ib.00000000000000000002c903000e8ad0", ("0x00000000000000000002C903000E8AD0",),
    ),
    Case(
        "sbp", "eui.0011223344aabbcc", "sbp/0011223344aabbcc",
        ("0011223344AABBCC", "00:11:22:33:44:aa:bb:cc", "0x0011223344aabbcc"),
        ("luns",), "", "0x0011223344aabbcc",
    ),
    Case(
        "ibmvscsis", "30000002", "ibmvscsis/30000002", ("30000002",),
        ("luns",), "", "30000002",
    ),
)  # fmt: skip
with_port = [case for case in CASES if case.port and case.fabric != "usb_gadget"]
with_acls = [case for case in CASES if case.initiator]
every = pytest.mark.parametrize("case", CASES, ids=str)


@pytest.fixture
def host(pyshell: Pyshell) -> Pyshell:
    """Return pyshell on a host that has all the hardware, and two ramdisks."""

    def build() -> None:
        machine = pyshell.simulator.machine
        for case in CASES:
            if case.port:
                machine.add_port(SimulatedPort(case.fabric, case.port))
        machine.edit(fabrics=["iscsi", "loopback", "vhost", "xen-pvscsi"])
        for name in ("one", "two"):
            pyshell.must(f"/backstores/ramdisk create {name} 1M")

    pyshell.prepare_by(build, "all hardware")
    return pyshell


def made(host: Pyshell, case: Case) -> Pyshell:
    """Make the fabric's target, with a LUN and, where there are ACLs, a mapped LUN."""
    host.prepare(
        f"/{case.fabric} create {case.wwn}", f"{case.tpg}/luns create /backstores/ramdisk/one"
    )
    if case.fabric == "sbp":
        host.prepare(f"{case.tpg} enable")
    if case.initiator:
        host.prepare(f"{case.tpg}/acls create {case.initiator}")
    return host


def test_every_fabric_of_rtslib_is_here() -> None:
    assert sorted(case.fabric for case in CASES) == fabrics.known()


def test_a_host_with_all_hardware_shows_all_fabrics(host: Pyshell) -> None:
    shown = re.findall(r"^  o- (\S+) .*Targets: 0", host("ls").done().out, re.MULTILINE)
    assert shown == fabrics.known()


@every
def test_the_nodes_of_a_target(host: Pyshell, case: Case) -> None:
    made(host, case)
    tree = host.must(f"ls {case.tpg} 1")
    found = [line.split("o- ")[1].split()[0] for line in tree]
    assert found == [case.tpg.rpartition("/")[2], *case.nodes]
    nexus = host.simulator.configfs / case.folder / "tpgt_1" / "nexus"
    name = nexus.read_text().strip() if NEXUS in case.summary else NEXUS
    assert tree[0].endswith(f"[{case.summary.replace(NEXUS, name) or '...'}]")


@every
def test_a_target_may_be_named_in_every_spelling(host: Pyshell, case: Case) -> None:
    for typed in case.typed:
        ran = host.line(f"/{case.fabric} create {typed}")
        assert ran.status == 0, ran.err
        assert ran.lines[0] == f"Created target {case.wwn}."
        assert (host.configfs / case.folder).is_dir()
        assert host.line(f"/{case.fabric}/{typed} status").done().lines
        assert host.line(f"/{case.fabric} delete {typed}").lines == [f"Deleted Target {case.wwn}."]
        assert not (host.configfs / case.folder).exists()


@pytest.mark.parametrize("case", with_acls, ids=str)
def test_an_initiator_may_be_named_in_every_spelling(host: Pyshell, case: Case) -> None:
    host.must(f"/{case.fabric} create {case.wwn}")
    for typed in case.initiator_typed:
        acls = f"{case.tpg}/acls"
        assert host.line(f"{acls} create {typed}").lines == [
            f"Created Node ACL for {case.initiator}"
        ]
        assert host.line(f"{acls}/{typed} status").done().lines
        assert host.line(f"{acls} delete {typed}").lines == [f"Deleted Node ACL {case.initiator}."]


@pytest.mark.parametrize(
    ("fabric", "name", "told"),
    [
        ("iscsi", "iqn.2020-13.com.example:a", "month 13"),
        ("iscsi", "iqn.2020-01.a.b/../x", "is not allowed in"),
        ("iscsi", "iqn.2020-01.com.iron_man:a", "is not allowed in"),
        ("loopback", "iqn.2020-07.com.example:a", "naa. and 16 hexadecimal digits"),
        ("qla2xxx", "naa.9000024ff1234567", "begin with 1, 2, 3, 5, 6 or c to f"),
        ("qla2xxx", "21:00:00:24:ff:12:34", "16 hexadecimal digits"),
        ("srpt", "0x0002c903000e8acd", "32 hexadecimal digits"),
        ("sbp", "eui.001122334455667g", "eui. and 16 hexadecimal digits"),
        ("ibmvscsis", "../30000002", "without blanks and slashes"),
    ],
)
def test_field_failures_59_and_60_a_refused_name_is_told_why(
    host: Pyshell, fabric: str, name: str, told: str
) -> None:
    ran = host.line(f"/{fabric} create {name}")
    assert ran.status == 2
    assert told in ran.err
    assert not list(host.configfs.glob(f"{fabric}/*[0-9]*"))


@pytest.mark.parametrize("case", with_port, ids=str)
def test_without_a_name_the_hardware_gives_it(host: Pyshell, case: Case) -> None:
    assert case.wwn in host.must(f"/{case.fabric} info")[3]
    assert host.must(f"/{case.fabric} create")[0] == f"Created target {case.wwn}."
    ran = host.line(f"/{case.fabric} create")
    assert ran.status == 5
    assert "has its target already" in ran.err


@pytest.mark.parametrize("case", [case for case in CASES if case not in with_port], ids=str)
def test_without_hardware_a_name_is_made_up(host: Pyshell, case: Case) -> None:
    host.must(f"/{case.fabric} create", f"/{case.fabric} create")
    tree = host.must(f"ls /{case.fabric} 1")
    assert tree[0].endswith("[Targets: 2]")
    assert "INVALID" not in "".join(tree)


def test_the_ports_of_one_adapter_come_in_their_order(host: Pyshell) -> None:
    host.simulator.machine.add_port(SimulatedPort("qla2xxx", "21:00:00:24:ff:12:34:11"))
    names = ("naa.21000024ff123411", "naa.21000024ff123456")
    assert host.must("/qla2xxx info")[3] == f"Allowed WWNs list: {', '.join(names)}"
    for name in names:
        assert host.must("/qla2xxx create") == [f"Created target {name}."]


@every
def test_what_is_deleted_leaves_nothing(host: Pyshell, case: Case) -> None:
    host.must(f"/{case.fabric} create {case.wwn}", f"/{case.fabric} delete {case.wwn}")
    before = host.tree()
    made(host, case)
    assert host.line(f"/{case.fabric} delete {case.wwn}").lines == [f"Deleted Target {case.wwn}."]
    after = host.tree()
    left = [path for path in after.keys() | before.keys() if after.get(path) != before.get(path)]
    # What the host asked a disk of its own stays counted at the storage object.
    counted = ["core/rd_mcp_0/one/statistics/scsi_lu/num_cmds"]
    assert left == (counted if case.fabric == "loopback" else [])


@every
def test_what_was_saved_comes_back(host: Pyshell, case: Case) -> None:
    made(host, case)
    host.must("saveconfig")
    before = host.saved_file.read_bytes()
    tree = host.must(f"ls /{case.fabric}")
    host.must("clearconfig confirm=true", "restoreconfig", "saveconfig")
    assert host.saved_file.read_bytes() == before
    if NEXUS not in case.summary:  # which is drawn anew, as rtslib does
        assert host.must(f"ls /{case.fabric}") == tree


@every
def test_a_dry_run_changes_nothing(host: Pyshell, case: Case) -> None:
    before = host.tree()
    assert host.line(f"/{case.fabric} create {case.wwn}", "--dry-run").status == 0
    assert host.tree() == before


@every
def test_a_new_target_lets_initiators_in_where_it_can(host: Pyshell, case: Case) -> None:
    host.must(f"/{case.fabric} create {case.wwn}")
    enable = host.configfs / case.folder / "tpgt_1" / "enable"
    of = fabrics.fabric(case.fabric)
    assert enable.exists() == of.can_be_enabled
    if of.can_be_enabled:
        assert enable.read_text() == ("0\n" if case.fabric == "sbp" else "1\n")
        return
    assert host.must(f"{case.tpg} enable") == ["The TPGT is already enabled."]
    assert "it is always enabled" in host.line(f"{case.tpg} disable").err


def test_a_firewire_target_wants_a_lun_before_it_is_enabled(host: Pyshell) -> None:
    host.must("/sbp create")
    ran = host.line("/sbp/eui.0011223344aabbcc enable")
    assert "must have a LUN before it is enabled" in ran.err
    host.must("/sbp/eui.0011223344aabbcc/luns create /backstores/ramdisk/one")
    assert host.must("/sbp/eui.0011223344aabbcc enable") == ["The TPGT has been enabled."]


# What can be had


def test_a_fabric_without_its_hardware_is_not_shown(pyshell: Pyshell) -> None:
    pyshell.simulator.machine.edit(fabrics=["iscsi", "qla2xxx", "usb_gadget"])
    shown = pyshell("ls").done().out
    assert "iscsi" in shown
    assert "qla2xxx" not in shown
    assert "usb_gadget" not in shown
    ran = pyshell.line("/qla2xxx create")
    assert ran.status == 3
    assert "no hardware for the fabric qla2xxx" in ran.err


def test_a_fabric_in_use_is_shown_though_its_hardware_is_gone(host: Pyshell) -> None:
    host.must("/qla2xxx create")
    host.simulator.machine.edit(ports=[])
    assert "naa.21000024ff123456" in host("ls").done().out
    assert "no hardware for qla2xxx" in host.line("/qla2xxx create").err
    host.must("/qla2xxx delete naa.21000024ff123456")


def test_looking_brings_no_fabric_up(host: Pyshell) -> None:
    host.must("ls", "/srpt ls", "/vhost info")
    assert sorted(path.name for path in host.configfs.iterdir() if path.is_dir()) == ["core"]


def test_missing_hardware_is_told(host: Pyshell) -> None:
    ran = host.line("/tcm_fc create 20:00:00:11:22:33:44:66")
    assert "Hardware missing for this WWN." in ran.err
    assert ran.lines == ["Created target naa.2000001122334466."]


def test_field_failure_37_a_port_in_initiator_mode_is_told(host: Pyshell) -> None:
    host.simulator.machine.add_port(
        SimulatedPort("qla2xxx", "21:00:00:24:ff:12:34:99", initiator=True)
    )
    ran = host.line("/qla2xxx create naa.21000024ff123499")
    assert ran.status == 1
    assert "Cannot create target naa.21000024ff123499: Invalid argument (EINVAL)" in ran.err
    assert "qlini_mode=disabled" in ran.err


# What has no effect


@pytest.mark.parametrize("fabric", ["qla2xxx", "efct"])
def test_field_failure_66_what_fibre_channel_does_not_mind_is_told(
    host: Pyshell, fabric: str
) -> None:
    host.must(f"/{fabric} create")
    tpg = f"/{fabric}/naa.21000024ff123456"
    ran = host.line(f"{tpg} set attribute generate_node_acls=1").done(noting=f"{fabric} gives")
    assert "create a node ACL for each" in ran.err
    assert ran.lines == ["Parameter generate_node_acls is now '1'."]


def test_field_failure_66_iscsi_minds_its_attributes(target: Pyshell) -> None:
    target.must(f"{TPG} set attribute generate_node_acls=1")


# The nexus


def test_a_nexus_gets_no_acl_of_its_own(host: Pyshell) -> None:
    host.must(f"/vhost create {NAA}")
    nexus = host.read(f"vhost/{NAA}/tpgt_1/nexus").strip()
    ran = host.line(f"/vhost/{NAA}/tpg1/acls create {nexus}")
    assert ran.status == 5
    assert "the TPG's own nexus" in ran.err


def test_an_acl_of_the_nexus_goes_after_the_nexus(host: Pyshell) -> None:
    host.must(f"/vhost create {NAA}", f"/vhost/{NAA}/tpg1/luns create /backstores/ramdisk/one")
    nexus = host.read(f"vhost/{NAA}/tpgt_1/nexus").strip()
    acl = host.configfs / f"vhost/{NAA}/tpgt_1/acls/{nexus}"
    host.simulator.mkdir(str(acl))
    ran = host.line(f"/vhost/{NAA}/tpg1/acls delete {nexus}")
    assert ran.status == 5  # the LUN holds the nexus
    assert acl.exists()
    host.must(f"/vhost/{NAA}/tpg1/luns delete 0", f"/vhost/{NAA}/tpg1/acls delete {nexus}")
    assert host.read(f"vhost/{NAA}/tpgt_1/nexus").strip() == nexus
    host.simulator.mkdir(str(acl))
    host.must(f"/vhost/{NAA}/tpg1/luns create /backstores/ramdisk/one", f"/vhost delete {NAA}")
