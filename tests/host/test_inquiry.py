# SPDX-License-Identifier: Apache-2.0
"""Looks at the host."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from pyshell.host import inquiry
from pyshell.host.machine import RealMachine


def test_this_hosts_addresses() -> None:
    found = inquiry.addresses(RealMachine())
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
def test_an_address_is_spelt_as_the_hosts_are(address: str, spelt: str) -> None:
    assert inquiry.spelt(address) == spelt


def test_where_this_host_listens() -> None:
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            server = socket.create_server((address, 0), family=family)
        except OSError:
            continue  # a host without IPv6
        with server:
            port = server.getsockname()[1]
            assert (address, port) in (inquiry.listening(RealMachine()) or ())
        assert (address, port) not in (inquiry.listening(RealMachine()) or ())


def test_the_best_lasting_name_of_a_disk(tmp_path: Path) -> None:
    device = tmp_path / "sda"
    device.touch()
    (tmp_path / "by-id").mkdir()
    for name in ("scsi-3500", "wwn-0x500", "lvm-pv-uuid-x"):
        os.symlink(device, tmp_path / "by-id" / name)
    folder = f"{tmp_path}/by-id/"
    assert inquiry.lasting_name(str(device), folder) == f"{folder}wwn-0x500"
    assert inquiry.lasting_name(str(tmp_path), folder) is None
    assert inquiry.lasting_name(str(device), f"{tmp_path}/none/") is None


def test_a_program_is_asked() -> None:
    assert inquiry.ask("echo", "yes") == "yes\n"
    assert inquiry.ask("false") is None
    assert inquiry.ask("no-such-program-here") is None


@pytest.mark.parametrize(
    "path",
    ["/dev/sda", "/dev/sdab12", "/dev/nvme0n1", "/dev/nvme10n2p3", "/dev/vdb", "/dev/xvda1",
     "/dev/md0", "/dev/md127p1", "/dev/dm-3", "/dev/loop0", "/dev/sg1", "/dev/sr0", "/dev/st0"],
)  # fmt: skip
def test_names_that_the_kernel_gives_anew_at_each_boot(path: str) -> None:
    """Finding 27."""
    assert inquiry.moves_between_boots(path)


@pytest.mark.parametrize(
    "path",
    ["/dev/disk/by-id/wwn-0x5000", "/dev/mapper/lee-lee.lv", "/dev/md/data", "/dev/vg/lv", "",
     "/dev/zvol/tank/v", "/srv/sda", "/dev/sda/x", "/dev/rbd/pool/image", "/dev/sda\n", "1:0:0:0"],
)  # fmt: skip
def test_names_that_stay(path: str) -> None:
    assert not inquiry.moves_between_boots(path)
