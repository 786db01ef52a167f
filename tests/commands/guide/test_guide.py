# SPDX-License-Identifier: Apache-2.0
"""`guide` tells the other host what is right for just this target."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell
from pyshell.commands.guide import initiators, text_lines
from pyshell.commands.guide.ways import Credentials, Disk, Way, own_addresses

OTHER = "iqn.2020-07.192.168.56.106:other"
SHARE = f"share /dev/mapper/lee-lee.lv to={CLIENT} target={SERVER} name=lee_block"
ONE = f"{SHARE} portal=192.168.56.101"
SYSTEMS = ("linux", "windows", "esxi", "freebsd")
LINUX = f"""\
# Packages (Fedora, RHEL: dnf install iscsi-initiator-utils)
apt-get install -y open-iscsi xfsprogs

# Set the initiator name that the target allows. Open sessions keep theirs.
echo InitiatorName={CLIENT} > /etc/iscsi/initiatorname.iscsi

# The service, now and at boot (Fedora, RHEL, SUSE: iscsi in place of open-iscsi)
systemctl enable iscsid open-iscsi
systemctl restart iscsid

# Discovery, which must list {SERVER}
iscsiadm -m discovery -t st -p 192.168.56.101:3260

# Log in, now and at boot
iscsiadm -m node -T {SERVER} -o update -n node.startup -v automatic
iscsiadm -m node -T {SERVER} --login
udevadm settle

# LUN 0 is /backstores/block/lee_block, 20.0GiB. Its names here, by path and persistent
ls -l /dev/disk/by-path/ip-192.168.56.101:3260-iscsi-{SERVER}-lun-0
ls -l /dev/disk/by-id/wwn-0xNAA

# Create a file system on all of it, if it is empty
blkid -p /dev/disk/by-id/wwn-0xNAA || mkfs.xfs /dev/disk/by-id/wwn-0xNAA

# Mount it, now and at boot once the network is up
mkdir -p /mnt/lee_block
test -b /dev/disk/by-id/wwn-0xNAA && {{ grep -qF '/dev/disk/by-id/wwn-0xNAA ' /etc/fstab ||\
 echo '/dev/disk/by-id/wwn-0xNAA /mnt/lee_block xfs _netdev 0 0' >> /etc/fstab; }}
mount -a
"""


def guide(pyshell: Pyshell, *words: str) -> str:
    """Return the text of a guide, whatever is noted beside it."""
    ran = pyshell("guide", SERVER, *words)
    assert ran.status == 0, ran.err
    return ran.out


def data(pyshell: Pyshell, *words: str) -> Any:
    """Return a guide as data."""
    return pyshell("-o", "json", "guide", SERVER, *words).json["result"]


def test_from_packages_to_fstab(pyshell: Pyshell) -> None:
    pyshell.must(ONE)
    assert re.sub(r"0x6001405[0-9a-f]{25}", "0xNAA", guide(pyshell)) == LINUX
    info = pyshell.line("/backstores/block/lee_block info", "-o", "json").json["result"]
    assert data(pyshell)["disks"][0]["by_id"] == info["by_id"]


@pytest.mark.parametrize("system", SYSTEMS)
def test_chap_secrets_are_words_unless_asked_for(pyshell: Pyshell, system: str) -> None:
    secret, mutual = "it's 'quoted' $HOME", "the-other-side"
    pyshell.line(f"{ONE} chap=mutual")
    acl = f"{TPG}/acls/{CLIENT}"
    pyshell(acl, "set", "auth", f"password={secret}", f"mutual_password={mutual}").done()
    masked = pyshell("guide", SERVER, f"system={system}").done(noting="show_secrets=true")
    assert "CHAP_SECRET" in masked.out
    assert "TARGET_CHAP_SECRET" in masked.out
    shown = guide(pyshell, f"system={system}", "show_secrets=true")
    assert mutual in shown
    assert not any(word in masked.out + masked.err for word in (secret, mutual, "$HOME"))


def test_linux_gets_a_secret_through_the_shell_as_it_is(pyshell: Pyshell) -> None:
    secret = 'it\'s "quoted" $HOME \\ `x`'
    pyshell.line(f"{ONE} chap=oneway")
    pyshell(f"{TPG}/acls/{CLIENT}", "set", "auth", f"password={secret}").done()
    (line,) = [u for u in guide(pyshell, "show_secrets=true").splitlines() if ".password " in u]
    script = f'iscsiadm() {{ for last; do :; done; printf %s "$last"; }}\n{line}'
    got = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert got.stdout == secret


def test_several_portals_are_joined_by_multipath(pyshell: Pyshell) -> None:
    pyshell.must(f"{SHARE} portal=192.168.56.101,192.168.56.102:3261")
    text = guide(pyshell)
    assert "multipath -ll" in text
    assert f"ip-192.168.56.102:3261-iscsi-{SERVER}-lun-0" in text
    found = data(pyshell)
    disk = found["disks"][0]
    assert disk["by_id"] == f"/dev/disk/by-id/dm-uuid-mpath-3{disk['naa']}"
    assert f"mkfs.xfs {disk['by_id']}" in text
    assert found["portals"] == ["192.168.56.101:3260", "192.168.56.102:3261"]
    assert guide(pyshell, "system=windows").count("Connect-IscsiTarget") == 2
    assert guide(pyshell, "system=freebsd").count("TargetAddress") == 2


def test_a_target_on_all_addresses_is_reached_by_the_hosts_own(pyshell: Pyshell) -> None:
    pyshell.must(SHARE)
    assert "-p 192.168.56.101:3260\n" in guide(pyshell)


def test_discovery_that_wants_chap_gets_it(pyshell: Pyshell) -> None:
    pyshell.must(ONE, "/iscsi set discovery_auth enable=true userid=d password=discovery-secret")
    text = guide(pyshell, "show_secrets=true")
    known = "iscsiadm -m discoverydb -t st -p 192.168.56.101:3260"
    assert f"{known} -o new\n" in text
    assert f"{known} -o update -n discovery.sendtargets.auth.password -v discovery-secret" in text
    assert f"{known} --discover\n" in text
    assert "discovery-secret" not in guide(pyshell)


def test_which_of_several_initiators_is_asked(pyshell: Pyshell) -> None:
    pyshell.must(ONE, f"share /dev/sdb to={OTHER},{CLIENT} name=second")
    ran = pyshell("guide", SERVER)
    assert ran.status == 2
    assert f"{CLIENT}, {OTHER}. Run 'guide {SERVER} INITIATOR'." in ran.err
    text = guide(pyshell, OTHER)
    assert "lun-1" in text
    assert "lun-0" not in text
    for system in SYSTEMS:
        assert f"# {CLIENT} can have this disk, too:\n# " in guide(
            pyshell, OTHER, f"system={system}"
        )


def test_a_disk_that_all_can_only_read_may_be_mounted_by_all(pyshell: Pyshell) -> None:
    pyshell.must(f"{ONE} readonly=true", f"share /dev/mapper/lee-lee.lv to={OTHER} readonly=true")
    for system in SYSTEMS:
        assert "can have this disk, too" not in guide(pyshell, OTHER, f"system={system}")
    pyshell.must(f"share /dev/mapper/lee-lee.lv to={CLIENT} readonly=false")
    for initiator, other in ((OTHER, CLIENT), (CLIENT, OTHER)):
        assert f"# {other} can have this disk, too:\n# " in guide(pyshell, initiator)


@pytest.mark.parametrize(
    ("initiator", "system"),
    [
        ("iqn.1991-05.com.microsoft:win1", "windows"),
        ("iqn.1998-01.com.vmware:esx1-5e", "esxi"),
        ("iqn.1994-09.org.freebsd:bsd", "freebsd"),
        ("iqn.2020-07.com.microsoft:x", "linux"),
    ],
)
def test_the_default_name_of_an_initiator_selects_the_system(
    pyshell: Pyshell, initiator: str, system: str
) -> None:
    pyshell.must(ONE.replace(CLIENT, initiator))
    assert data(pyshell)["system"] == system
    assert "InitiatorName=" in guide(pyshell, "system=linux")


def test_what_can_only_be_read_is_not_formatted(pyshell: Pyshell) -> None:
    acl = f"{TPG}/acls/{CLIENT}"
    pyshell.must(ONE, f"{acl} delete 0", f"{acl} create 3 0 write_protect=true")
    text = guide(pyshell)
    assert "lun-3" in text
    assert "mkfs" not in text
    assert " xfs ro,_netdev 0 0" in text
    for system in SYSTEMS:
        assert not re.search("mkfs|newfs|Format", guide(pyshell, f"system={system}"))


def test_what_is_pasted_unread_erases_no_disk_that_is_in_use(pyshell: Pyshell) -> None:
    pyshell.must(ONE, f"share /dev/sdb to={CLIENT} name=second")
    text = guide(pyshell, "system=freebsd")
    assert [u for u in text.splitlines() if u.startswith("newfs")] == [
        "newfs -U -L lee_block /dev/DISK_OF_LUN_0",  # which is there on no host
        "newfs -U -L second /dev/DISK_OF_LUN_1",
    ]
    assert "da0" not in text
    assert "test -e /dev/ufs/second && echo " in text
    for line in guide(pyshell, "system=windows").splitlines():
        if "Initialize-Disk" in line or "Format-Volume" in line:
            assert line.startswith("$disk | Where-Object PartitionStyle -eq RAW | Initialize-Disk")
            assert " -PassThru | New-Partition" in line
    for system in ("freebsd", "windows", "esxi"):
        assert "erases" in guide(pyshell, f"system={system}")


def test_a_disk_with_a_name_of_its_own_is_to_be_chosen_by_hand() -> None:
    disk = Disk(3, "tape", "/backstores/pscsi/tape", None, None, read_only=False, others=())
    way = Way(SERVER, CLIENT, (("192.0.2.1", 3260),), (disk,), None, None)
    windows_text = "\n".join(text_lines(list(initiators.windows_steps(way))))
    assert "$disk = Get-Disk | Where-Object Number -eq NUMBER_OF_LUN_3\n" in windows_text
    assert "insert it for NUMBER_OF_LUN_3" in windows_text
    assert "--device=DISK_OF_LUN_3" in "\n".join(text_lines(list(initiators.esxi_steps(way))))


def test_two_luns_with_one_id_are_told(pyshell: Pyshell) -> None:
    near = "8d2b4f5e-3a52-4e55-9b0a-3f6f1f6b7a0"
    pyshell.must(
        f"{ONE} lun=4",
        f"/backstores/ramdisk create name=a size=8M wwn={near}1",
        f"/backstores/ramdisk create name=b size=8M wwn={near}2",
        f"{TPG}/luns create /backstores/ramdisk/a lun5",
        f"{TPG}/luns create /backstores/ramdisk/b lun6",
    )
    ran = pyshell("guide", SERVER)
    told = "LUNs 5 and 6 have one id, 60014058d2b4f5e3a524e559b0a3f6f1: that host takes them"
    assert told in ran.err
    assert ran.out.splitlines()[-1].startswith(f"# {told}")  # where the guide is kept in a file
    assert "lun-4" in ran.out
    assert "lun-5" not in ran.out
    assert [one["lun"] for one in data(pyshell)["disks"]] == [4]


def test_a_portal_at_an_address_that_this_host_lacks_is_left_out_and_told(
    pyshell: Pyshell,
) -> None:
    pyshell.must(ONE, f"{TPG}/portals create 203.0.113.9")
    pyshell.give_addresses("192.168.56.101")
    ran = pyshell("guide", SERVER)
    assert "This host has no address 203.0.113.9: nobody reaches that portal" in ran.err
    assert "203.0.113.9" not in ran.out
    assert "multipath" not in ran.out


def test_chap_without_a_secret_is_told(pyshell: Pyshell) -> None:
    pyshell.must(ONE, f"{TPG} set attribute authentication=1")
    assert "has no name and secret for it: nobody gets in" in pyshell("guide", SERVER).err


def test_what_a_reboot_would_lose_is_told(pyshell: Pyshell) -> None:
    pyshell.must(ONE)
    assert "is not saved: 'saveconfig' saves it for the next boot" in pyshell("guide", SERVER).err
    pyshell.must("saveconfig")
    assert pyshell("guide", SERVER).err == ""


def test_a_small_disk_gets_a_file_system_that_fits(pyshell: Pyshell) -> None:
    pyshell.must(f"share /srv/a.img size=64M to={CLIENT} target={SERVER}")
    text = guide(pyshell)
    assert "mkfs.ext4 /dev/disk/by-id/wwn-0x" in text
    assert "apt-get install -y open-iscsi e2fsprogs\n" in text


def test_in_demo_mode_no_name_is_needed(pyshell: Pyshell) -> None:
    pyshell.must(ONE, f"{TPG}/acls delete {CLIENT}")
    ran = pyshell("guide", SERVER)
    assert ran.status == 3
    assert "does not admit anybody" in ran.err
    pyshell.must(f"{TPG} set attribute generate_node_acls=1")
    text = guide(pyshell)
    assert "InitiatorName" not in text
    assert "ro,_netdev" in text  # demo mode protects from writes unless told otherwise
    pyshell.must(f"{TPG} set attribute demo_mode_write_protect=0")
    assert "mkfs.xfs" in guide(pyshell)


@pytest.mark.parametrize("name", ["iqn.2020-07.com.example:none", "/iscsi/iqn.2020-07.a:b"])
def test_a_target_that_is_not_there_is_told(pyshell: Pyshell, name: str) -> None:
    assert pyshell("guide", name).status == 3
    assert pyshell("guide", "nonsense").status == 2


def test_the_only_target_need_not_be_named_and_a_wrong_name_tells_those_there(
    pyshell: Pyshell,
) -> None:
    none = pyshell("guide")
    assert none.status == 3
    assert "'share' creates one." in none.err
    pyshell.must(ONE)
    assert pyshell("guide").done().out == guide(pyshell)
    for name, status in (("nope", 2), (f"{SERVER}9", 3)):
        ran = pyshell("guide", name)
        assert ran.status == status
        assert f"There is {SERVER}." in ran.err
    pyshell.must(f"/iscsi create {SERVER}2")
    several = pyshell("guide")
    assert several.status == 2
    assert f"{SERVER}, {SERVER}2" in several.err


def test_of_the_hosts_addresses_the_first_that_others_reach(pyshell: Pyshell) -> None:
    pyshell.must(SHARE)
    lists = pyshell.open().machine.host_file("/proc/net/fib_trie").parent
    lists.mkdir(parents=True)
    (lists / "fib_trie").write_text(
        "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 127.0.0.1\n        /32 host LOCAL\n"
        "     |-- 198.51.100.7\n        /32 host LOCAL\n     |-- 192.0.2.255\n"
        "        /32 link BROADCAST\n     |-- 192.0.2.7\n        /32 host LOCAL\n"
    )
    (lists / "if_inet6").write_text(
        "00000000000000000000000000000001 01 80 10 80       lo\n"
        "20010db8000000000000000000000007 02 40 00 80     eth0\n"
        "fe80000000000000000000fffe000007 02 40 20 80     eth0\n"
    )
    assert own_addresses(pyshell.open()) == ["192.0.2.7", "198.51.100.7", "2001:db8::7"]
    assert "-p 192.0.2.7:3260\n" in guide(pyshell)


def test_powershell_gets_its_own_quotes_and_freebsd_its_own() -> None:
    chap = Credentials("it's", "a$secret")
    way = Way(SERVER, CLIENT, (("192.0.2.1", 3260),), (), chap, None)
    windows = "\n".join(text_lines(list(initiators.windows_steps(way))))
    assert "-ChapUsername 'it''s'" in windows
    assert "-ChapSecret 'a$secret'" in windows
    freebsd = "\n".join(text_lines(list(initiators.freebsd_steps(way))))
    assert 'chapIName = "it\'s"' in freebsd
