# SPDX-License-Identifier: Apache-2.0
"""The addresses and sockets of this host."""

from __future__ import annotations

import socket

import pytest

from driver import Pyshell
from pyshell.host import procnet
from pyshell.host.real_machine import RealMachine


def test_the_addresses_of_this_host() -> None:
    found = procnet.addresses(RealMachine())
    assert found is not None
    assert "127.0.0.1" in found


@pytest.mark.parametrize(
    ("address", "spelt"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0::9", "2001:db8::9"),
        ("fe80::1%eth0", "fe80::1"),
        ("::", "::0"),
        ("nonsense", "nonsense"),
    ],
)
def test_an_address_is_spelt_like_those_of_the_host(address: str, spelt: str) -> None:
    assert procnet.spelt(address) == spelt


def test_the_addresses_and_ports_this_host_listens_at() -> None:
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            server = socket.create_server((address, 0), family=family)
        except OSError:
            continue  # a host without IPv6
        with server:
            port = server.getsockname()[1]
            assert (address, port) in (procnet.listening(RealMachine()) or ())
        assert (address, port) not in (procnet.listening(RealMachine()) or ())


V4 = """\
Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	0101A8C0	0003	0	0	100	00000000	0	0	0
eth1	0000000A	00000000	0001	0	0	0	000000FF	0	0	0
eth2	0000000A	00000000	0001	0	0	9	000000FF	0	0	0
*	0009090A	00000000	0201	0	0	0	00FFFFFF	0	0	0
"""
V6 = """\
fd000000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
20010db8000000000000000000000000 20 00000000000000000000000000000000 00 fd000000000000000000000000000001 00000400 00000001 00000000 00000003     eth1
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
"""  # noqa: E501 - as the kernel prints it


@pytest.mark.parametrize(
    ("address", "route"),
    [
        ("10.1.2.3", procnet.Route("eth1")),
        ("10.9.9.9", procnet.Route("")),
        ("198.51.100.7", procnet.Route("eth0", "192.168.1.1")),
        ("192.0.2.1", procnet.Route("lo")),
        ("fd00::7", procnet.Route("eth0")),
        ("2001:db8::7", procnet.Route("eth1", "fd00::1")),
        ("2001:db9::7", procnet.Route("")),
    ],
)
def test_the_route_to_an_address(pyshell: Pyshell, address: str, route: procnet.Route) -> None:
    lio = pyshell.open()
    assert procnet.route(lio.machine, address) is None
    pyshell.give_addresses("192.0.2.1")
    for name, table in (("route", V4), ("ipv6_route", V6)):
        (pyshell.simulator.machine.file(f"/proc/net/{name}")).write_text(table)
    assert procnet.route(lio.machine, address) == route


def test_the_kernel_itself_is_asked_for_a_route(monkeypatch: pytest.MonkeyPatch) -> None:
    told = '[{"dst":"10.0.0.9","gateway":"192.0.2.1","dev":"eth7","prefsrc":"192.0.2.2"}]'
    monkeypatch.setattr(RealMachine, "ask", staticmethod(lambda *_words: told))
    assert procnet.route(RealMachine(), "10.0.0.9") == procnet.Route("eth7", "192.0.2.1")
    told = "nonsense"
    assert procnet.route(RealMachine(), "10.0.0.9") is None
