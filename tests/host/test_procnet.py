# SPDX-License-Identifier: Apache-2.0
"""The addresses and sockets of this host."""

from __future__ import annotations

import socket

import pytest

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
