# SPDX-License-Identifier: Apache-2.0
"""Adapters of the simulated host: in the table, in sysfs, and what their fabrics take."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyshell.lio.rtslib import simulate
from pyshell.lio.rtslib_files import QuickPath
from pyshell.simulator import SimulatedPort
from simulator.acts import PORTS, TARGETS, Acts, outcome

HBA = SimulatedPort("qla2xxx", "21:00:00:24:ff:12:34:56")


def sysfs(kernel: Acts, path: str) -> Path:
    """Return where a file of the simulated host's /sys lies."""
    return kernel.simulator.machine.file(f"/sys/{path}")


def test_a_new_host_has_no_adapters(kernel: Acts) -> None:
    assert kernel.simulator.machine.table().ports == ()
    assert not sysfs(kernel, "").exists()


def test_a_port_makes_its_fabric_available(kernel: Acts) -> None:
    kernel.simulator.machine.add_port(HBA)
    assert kernel.simulator.machine.table().fabrics == ("iscsi", "loopback", "qla2xxx")
    assert kernel.simulator.machine.table().ports == (HBA,)


@pytest.mark.parametrize(
    ("port", "file", "text"),
    [
        (HBA, "class/fc_host/host0/port_name", "0x21000024ff123456\n"),
        (
            SimulatedPort("srpt", f"0x{'FE80' * 8}"),
            "class/infiniband/mlx5_0/ports/1/gids/0",
            f"{':'.join(['fe80'] * 8)}\n",
        ),
        (
            SimulatedPort("sbp", "0011223344556677"),
            "bus/firewire/devices/fw0/guid",
            "0x0011223344556677\n",
        ),
        (
            SimulatedPort("ibmvscsis", "30000002"),
            "module/ibmvscsis/drivers/vio:ibmvscsis/30000002/devspec",
            "/vdevice/v-scsi-host@30000002\n",
        ),
        (
            SimulatedPort("usb_gadget", "dummy_udc.0"),
            "class/udc/dummy_udc.0/state",
            "not attached\n",
        ),
    ],
    ids=lambda part: part.fabric if isinstance(part, SimulatedPort) else "",
)
def test_where_sysfs_shows_a_port(kernel: Acts, port: SimulatedPort, file: str, text: str) -> None:
    kernel.simulator.machine.add_port(port)
    assert sysfs(kernel, file).read_text() == text


@pytest.mark.parametrize(
    ("fabric", "owner"),
    [("qla2xxx", "driver"), ("efct", "driver"), ("tcm_fc", "subsystem")],
)
def test_a_fibre_channel_port_is_below_its_adapter(kernel: Acts, fabric: str, owner: str) -> None:
    kernel.simulator.machine.add_port(SimulatedPort(fabric, HBA.name))
    adapter = sysfs(kernel, "class/fc_host/host0").resolve().parents[2]
    assert (adapter / owner).resolve().name == {"tcm_fc": "fcoe"}.get(fabric, fabric)


def test_a_changed_table_takes_effect_at_once(kernel: Acts) -> None:
    simulate(kernel.simulator)
    hosts = QuickPath("/sys/class/fc_host")
    assert not hosts.exists()
    kernel.simulator.machine.add_port(HBA)
    assert [host.name for host in QuickPath("/sys/class/fc_host").iterdir()] == ["host0"]
    kernel.edit_machine(ports=[])
    assert not QuickPath("/sys/class/fc_host").exists()


@pytest.mark.parametrize(
    ("ports", "told"),
    [
        (3, "ports is not a list"),
        ([3], "3 among the ports is not a dict"),
        ([{"fabric": "qla2xxx"}], "name"),
        ([{"fabric": "iscsi", "name": "eth0"}], "no ports belong to fabric 'iscsi'"),
        ([{"fabric": "qla2xxx", "name": "21:00"}], "qla2xxx needs 16 hexadecimal digits"),
        ([{"fabric": "usb_gadget", "name": "../x"}], "needs a name"),
        ([{"fabric": "ibmvscsis", "name": ".."}], "needs a name"),
    ],
)
def test_an_error_in_the_ports_is_reported(kernel: Acts, ports: object, told: str) -> None:
    kernel.edit_machine(ports=ports)
    with pytest.raises(ValueError, match=told):
        kernel.simulator.machine.table()


@pytest.mark.parametrize("fabric", sorted(PORTS))
def test_a_port_can_be_a_target(kernel: Acts, fabric: str) -> None:
    tpg = kernel.tpg(fabric)
    kernel.mkdir(f"{tpg}/lun/lun_0")
    kernel.link(kernel.enabled(), f"{tpg}/lun/lun_0/link")
    device = kernel.read(f"{tpg}/lun/lun_0/statistics/scsi_transport/device")
    assert device.lower().startswith("scsitransport")


@pytest.mark.parametrize(
    ("rel", "why"),
    [
        ("qla2xxx/21:00:00:24:ff:12:34:57", "EINVAL"),
        ("qla2xxx/21000024ff123456", "EINVAL"),
        (f"qla2xxx/{TARGETS['qla2xxx']}/tpgt_2", "EINVAL"),
        (f"qla2xxx/{TARGETS['qla2xxx']}/tpgt_1/acls/foo", "EINVAL"),
        ("srpt/0xfe800000000000000002c903000e8ace", "EINVAL"),
        (f"srpt/{TARGETS['srpt']}/tpgt_1/acls/foo", "EINVAL"),
        (f"srpt/{TARGETS['srpt']}/tpgt_1/acls/0x{'0' * 32}", "ok"),
        ("sbp/foo", "EINVAL"),
        ("sbp/0011223344556688", "ok"),
        (f"sbp/{TARGETS['sbp']}/tpgt_65535", "ok"),
        ("fc/20:00:00:11:22:33:44:66", "ok"),
        (f"fc/{TARGETS['fc']}/tpgt_0", "EINVAL"),
        (f"fc/{TARGETS['fc']}/tpgt_1/np/127.0.0.1:3260", "ENOSYS"),
        ("ibmvscsis/30000003", "EINVAL"),
        ("usb_gadget/iqn.2020-07.org.example:a", "EINVAL"),
    ],
)
def test_names(kernel: Acts, rel: str, why: str) -> None:
    kernel.tpg(rel.partition("/")[0])
    assert outcome(kernel.mkdir, rel) == why


def test_a_port_in_initiator_mode_cannot_be_a_target(kernel: Acts) -> None:
    kernel.simulator.machine.add_port(SimulatedPort("qla2xxx", HBA.name, initiator=True))
    kernel.mkdir("qla2xxx")
    assert outcome(kernel.mkdir, f"qla2xxx/{HBA.name}") == "EINVAL"


def test_an_adapter_without_its_module_has_no_fabric(kernel: Acts) -> None:
    assert outcome(kernel.mkdir, "qla2xxx") == "EINVAL"


def test_firewire_requires_a_lun(kernel: Acts) -> None:
    tpg = kernel.tpg("sbp")
    assert outcome(kernel.write, f"{tpg}/enable", "1") == "EINVAL"
    kernel.mkdir(f"{tpg}/lun/lun_0")
    kernel.link(kernel.enabled(), f"{tpg}/lun/lun_0/link")
    assert outcome(kernel.write, f"{tpg}/enable", "1") == "ok"
    assert outcome(kernel.write, f"{tpg}/directory_id", "1") == "EBUSY"


def test_deleting_the_acl_of_a_nexus_is_refused(kernel: Acts) -> None:
    tpg = kernel.tpg("loopback")
    kernel.write(f"{tpg}/nexus", "naa.5001405000000002")
    kernel.mkdir(f"{tpg}/acls/naa.5001405000000002")
    assert outcome(kernel.rmdir, f"{tpg}/acls/naa.5001405000000002") == "EDEADLOCK"
    kernel.write(f"{tpg}/nexus", "NULL")
    assert outcome(kernel.rmdir, f"{tpg}/acls/naa.5001405000000002") == "ok"


def test_a_host_without_ipv6_has_no_portals_on_it(kernel: Acts) -> None:
    tpg = kernel.tpg()
    kernel.edit_machine(ipv6=False)
    assert outcome(kernel.mkdir, f"{tpg}/np/[::0]:3260") == "EINVAL"
    assert outcome(kernel.mkdir, f"{tpg}/np/0.0.0.0:3260") == "ok"
