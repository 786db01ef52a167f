# SPDX-License-Identifier: Apache-2.0
"""`cluster cib` derives resources from a target's devices and portals, and prints lines for root.

tests/examples/test_cluster_lines.py runs these lines by pcs and crm.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from driver import SERVER, TPG, Pyshell
from pyshell.host import BlockDevice
from pyshell.simulator.simulated_machine import SimulatedMachine
from pyshell.text import counted

DRBD = "/dev/drbd/by-res/disk1/0"
SECRET = "a#long-secret^1"
NOTE = '{{"schema": 1, "note": "{} to change: see the comments with EDIT."}}'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the path of the document."""
    return tmp_path / "disks.json"


def write(file: Path, *devices: str, portals: tuple[str, ...] = (), **more: Any) -> None:
    """Write a document with a target on some devices, and portals `ADDRESS` or `ADDRESS PORT`."""
    objects = [
        {"name": f"disk{n}", "plugin": "block", "wwn": f"8d2b4f5{n}", "dev": device}
        for n, device in enumerate(devices)
    ]
    luns = [
        {"index": n, "storage_object": f"/backstores/block/disk{n}"} for n in range(len(objects))
    ]
    listening = []
    for portal in portals or ("192.168.56.101",):
        address, _, port = portal.partition(" ")
        listening.append({"ip_address": address, "port": int(port or 3260), **more})
    tpg = {"tag": 1, "luns": luns, "portals": listening, "chap_password": SECRET}
    document = {
        "storage_objects": objects,
        "targets": [{"wwn": SERVER, "fabric": "iscsi", "tpgs": [tpg]}],
    }
    file.touch(0o600)
    file.write_text(json.dumps(document))


def cib(pyshell: Pyshell, file: Path, *more: str, edits: int = 0) -> Any:
    """Return the result of the command for a document, with so many things to change."""
    ran = pyshell("-o", "json", "cluster", "cib", SERVER, f"document={file}", *more)
    return ran.done(noting=NOTE.format(counted(edits, "thing")) if edits else "").json["result"]


def agents(found: Any) -> list[str]:
    """Return the agents of the storage's resources, then those of the group."""
    return [one["agent"].rpartition(":")[2] for one in (*found["storage"], *found["members"])]


def refused(pyshell: Pyshell, file: Path, *more: str) -> str:
    """Return why the command is refused."""
    ran = pyshell("cluster", "cib", SERVER, f"document={file}", *more)
    assert ran.status != 0
    assert ran.out == ""
    assert "Traceback" not in ran.err
    return " ".join(ran.err.split())


def test_the_target_is_served_from_the_document_with_its_checksum(
    pyshell: Pyshell, file: Path
) -> None:
    write(file, DRBD)
    found = cib(pyshell, file, "state_dir=/srv/state", f"state_device={DRBD[:-1]}1")
    assert agents(found) == ["drbd", "Filesystem", "Target", "IPaddr2"]
    target = found["members"][1]
    assert target["id"] == "target-disks"
    assert target["parameters"] == {
        "target": SERVER,
        "document": str(file),
        "checksum": hashlib.sha256(file.read_bytes()).hexdigest(),
        "state_dir": "/srv/state",
    }
    deep = {"interval": "300s", "timeout": "60s", "OCF_CHECK_LEVEL": "10"}
    assert {"name": "monitor", "settings": deep} in target["operations"]
    assert found["members"][0]["parameters"]["options"] == "sync"
    assert found["edits"] == []


def test_no_secret_is_printed(pyshell: Pyshell, file: Path) -> None:
    write(file, DRBD)
    assert SECRET not in json.dumps(cib(pyshell, file))


def test_the_group_runs_where_drbd_is_promoted(pyshell: Pyshell, file: Path) -> None:
    write(file, DRBD, "/dev/drbd/by-res/disk1/1")
    found = cib(pyshell, file)
    (together,), (order,) = found["colocations"], found["orders"]
    assert together["resource"] == found["group"] == "export-disks"
    assert (together["other"], together["other_role"]) == ("drbd-disk1-clone", "Promoted")
    assert (order["first"], order["action"], order["then"], order["then_action"]) == (
        ("drbd-disk1-clone", "promote", "export-disks", "start")
    )


@pytest.mark.parametrize(
    ("device", "more", "agent", "parameters"),
    [
        (
            "/dev/vg1/lv1",
            (),
            "LVM-activate",
            {"vgname": "vg1", "vg_access_mode": "system_id", "activation_mode": "exclusive"},
        ),
        (
            "/dev/vg1/lv1",
            ("lvm=lvmlockd",),
            "LVM-activate",
            {
                "vgname": "vg1",
                "lvname": "lv1",
                "vg_access_mode": "lvmlockd",
                "activation_mode": "exclusive",
            },
        ),
        ("/dev/zvol/tank/a/b", (), "ZFS", {"pool": "tank"}),
        ("/dev/drbd/by-res/r0", (), "drbd", {"drbd_resource": "r0"}),
    ],
)
def test_the_name_of_a_device_says_what_moves_it(
    pyshell: Pyshell,
    file: Path,
    device: str,
    more: tuple[str, ...],
    agent: str,
    parameters: dict[str, str],
) -> None:
    write(file, device)
    found = cib(pyshell, file, *more)
    assert agents(found) == [agent, "Target", "IPaddr2"]
    assert found["storage"][0]["parameters"] == parameters
    locks = [one["id"] for one in found["locks"]]
    assert locks == (["dlm", "lvmlockd"] if more else [])


def test_several_kinds_of_storage_run_on_one_node(pyshell: Pyshell, file: Path) -> None:
    write(file, DRBD, "/dev/vg1/lv1", "/dev/vg1/lv2", "/dev/zvol/tank/a")
    found = cib(pyshell, file)
    assert [one["id"] for one in found["storage"]] == ["drbd-disk1", "lvm-vg1", "zfs-tank"]
    assert [(one["resource"], one["other"]) for one in found["colocations"]] == [
        ("lvm-vg1", "drbd-disk1-clone"),
        ("zfs-tank", "drbd-disk1-clone"),
        ("export-disks", "drbd-disk1-clone"),
        ("export-disks", "lvm-vg1"),
        ("export-disks", "zfs-tank"),
    ]


@pytest.mark.parametrize(
    "device",
    ["/dev/sdb", "/dev/drbd0", "/dev/mapper/mpatha", "/dev/md/raid", "/dev/zvol/tank", "/dev/vg/"],
)
def test_a_name_that_does_not_say_what_moves_it_is_to_be_changed(
    pyshell: Pyshell, file: Path, device: str
) -> None:
    write(file, device)
    found = cib(pyshell, file, edits=1)
    assert found["storage"] == []
    assert f"# EDIT: {device}: its name does not say what moves it;" in "\n".join(found["lines"])


def test_the_name_of_a_volume_in_the_mapper_is_to_be_changed(pyshell: Pyshell, file: Path) -> None:
    write(file, "/dev/mapper/a--b-lv1")
    found = cib(pyshell, file, edits=1)
    assert found["unknown"] == {
        "/dev/mapper/a--b-lv1": (
            "if it is a logical volume, use /dev/a-b/lv1; if not, add the resource that creates it"
        )
    }


def test_this_host_knows_what_is_in_the_mapper(
    pyshell: Pyshell, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = {"/dev/mapper/a--b-lv1": "logical volume", "/dev/mapper/x-y": "encrypted"}

    def block_device(_self: SimulatedMachine, path: str) -> BlockDevice | None:
        kind = kinds.get(path)
        return BlockDevice(path, "dm-0", 1, False, None, "", kind) if kind else None

    monkeypatch.setattr(SimulatedMachine, "block_device", block_device)
    write(file, *kinds, "/dev/mapper/luks-1234")
    found = cib(pyshell, file, edits=2)
    assert [one["parameters"]["vgname"] for one in found["storage"]] == ["a-b"]
    told = "add the resource that opens or creates it"
    assert found["unknown"] == {"/dev/mapper/x-y": told, "/dev/mapper/luks-1234": told}


@pytest.mark.parametrize("plugin", ["block", "pscsi"])
@pytest.mark.parametrize(
    "device",
    [
        "/dev/disk/by-id/wwn-0x6001405",
        "/dev/rbd/pool/image",
        "/dev/mapper/36001405abcdef0123456789abcdef012",
    ],
)
def test_a_shared_disk_needs_no_resource(
    pyshell: Pyshell, file: Path, device: str, plugin: str
) -> None:
    write(file, device)
    file.write_text(file.read_text().replace("block", plugin))
    found = cib(pyshell, file)
    assert (found["storage"], found["edits"]) == ([], [])
    assert f"# {device}: all nodes must " in "\n".join(found["lines"])
    assert "only fencing protects it." in "\n".join(found["lines"])


@pytest.mark.parametrize(
    ("config", "edits"),
    [
        ("rbd/pool/image", 0),
        ("file//dev/disk/by-id/one", 0),
        ("file//dev/drbd/by-res/disk1/0", 0),
        ("qcow//srv/state/1.qcow2", 0),
        ("qcow//srv/other/1.qcow2", 1),
        ("other/something", 1),
    ],
)
def test_what_a_handler_opens(pyshell: Pyshell, file: Path, config: str, edits: int) -> None:
    write(file, DRBD)
    found = json.loads(file.read_text())
    (entry,) = found["storage_objects"]
    del entry["dev"]
    entry.update(plugin="user", config=config, size=1 << 20)
    found["targets"][0]["tpgs"][0]["luns"][0]["storage_object"] = "/backstores/user/disk0"
    file.write_text(json.dumps(found))
    state = ("state_dir=/srv/state", "state_device=/dev/drbd/by-res/disk1/1")
    assert len(cib(pyshell, file, *state, edits=edits)["unknown"]) == edits


@pytest.mark.parametrize("kind", ["path", "uuid", "partuuid"])
def test_what_check_refuses_needs_no_resource_by_itself(
    pyshell: Pyshell, file: Path, kind: str
) -> None:
    write(file, f"/dev/disk/by-{kind}/0c0e")
    assert cib(pyshell, file, edits=1)["visible"] == {}


def test_another_spelling_of_a_name_is_to_be_changed(pyshell: Pyshell, file: Path) -> None:
    write(file, "/dev//drbd/by-res/disk1/0")
    told = {"/dev//drbd/by-res/disk1/0": f"it is not a plain path; use {DRBD}"}
    assert cib(pyshell, file, edits=1)["unknown"] == told


@pytest.mark.parametrize("device", [DRBD, "/dev/drbd/./by-res//disk1/0"])
def test_the_state_is_not_on_an_exported_device(pyshell: Pyshell, file: Path, device: str) -> None:
    write(file, "/dev/vg1/lv1", DRBD)
    ran = refused(pyshell, file, "state_dir=/srv/state", f"state_device={device}")
    assert "is the device of /backstores/block/disk1, which initiators write to." in ran


def test_an_image_file_is_on_the_file_system_with_the_state(pyshell: Pyshell, file: Path) -> None:
    elsewhere = "/srv/state/../other.img"
    write(file, "/srv/state/disk.img", "/srv/statement/disk.img", elsewhere)
    found = cib(pyshell, file, "state_dir=/srv//state/", f"state_device={DRBD}", edits=2)
    assert list(found["unknown"]) == ["/srv/statement/disk.img", elsewhere]
    assert found["members"][0]["parameters"]["directory"] == "/srv/state"


def test_a_device_for_the_state_is_to_be_named(pyshell: Pyshell, file: Path) -> None:
    write(file, DRBD)
    found = cib(pyshell, file, "state_dir=/srv/state", edits=1)
    assert found["members"][0]["parameters"]["device"] == "/dev/STATE_DEVICE"
    assert found["edits"][0].startswith("replace /dev/STATE_DEVICE by the device of")


def test_a_pool_mounts_the_folder_for_the_state(pyshell: Pyshell, file: Path) -> None:
    write(file, "/dev/zvol/tank/a")
    found = cib(pyshell, file, "state_dir=/tank/state")
    assert agents(found) == ["ZFS", "Target", "IPaddr2"]
    assert "mountpoint of a file system" in "\n".join(found["lines"])


def test_addresses_come_from_the_portals(pyshell: Pyshell, file: Path) -> None:
    write(file, DRBD, portals=("192.168.56.101", "192.168.56.101 3261", "[fd00::9]"))
    found = cib(pyshell, file)
    assert [one["parameters"].get("ip") for one in found["members"]] == (
        [None, "192.168.56.101", "fd00::9"]
    )
    assert [one["id"] for one in found["members"]] == ["target-disks", "ip-disks", "ip-disks-2"]


def test_an_address_is_announced_again_by_each_monitor(pyshell: Pyshell, file: Path) -> None:
    write(file, DRBD, portals=("192.168.56.101", "[fd00::9]"))
    found = cib(pyshell, file)
    assert [one["parameters"].get("arp_count_refresh") for one in found["members"]] == (
        [None, "1", None]
    )


def test_ports_are_blocked_before_the_addresses_until_the_target_runs(
    pyshell: Pyshell, file: Path
) -> None:
    write(file, DRBD, portals=("192.168.56.101", "192.168.56.101 3261", "192.168.57.101"))
    found = cib(pyshell, file, "portblock=true")
    assert [one["id"] for one in found["members"]] == [
        "block-disks",
        "block-disks-2",
        "ip-disks",
        "ip-disks-2",
        "target-disks",
        "unblock-disks",
        "unblock-disks-2",
    ]
    assert found["members"][0]["parameters"] == {
        "action": "block",
        "ip": "192.168.56.101",
        "portno": "3260,3261",
        "protocol": "tcp",
    }


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("0.0.0.0", "these are all addresses of a node, and a cluster moves single ones"),
        ("[::0]", "these are all addresses of a node"),
        ("127.0.0.1", "this address never leaves a node"),
        ("[fe80::1]", "a link-local address belongs to one interface of one node"),
        ("x; reboot", "'x; reboot' is not an IP address."),
    ],
)
def test_an_address_that_a_cluster_cannot_move_is_refused(
    pyshell: Pyshell, file: Path, address: str, why: str
) -> None:
    write(file, DRBD, portals=("192.168.56.101",))
    file.write_text(file.read_text().replace("192.168.56.101", address).replace(address, address))
    text = file.read_text().replace(SERVER.replace("192.168.56.101", address), SERVER)
    file.write_text(text)
    assert why in refused(pyshell, file)


def test_portals_that_cannot_be_blocked_are_refused(pyshell: Pyshell, file: Path) -> None:
    write(file, DRBD, iser=True)
    assert f"{SERVER} listens on 192.168.56.101:3260 by iSER" in refused(pyshell, file)
    write(file, DRBD, portals=("[fd00::9]",))
    assert "before 4.18 blocks IPv4 only. Omit portblock=true." in refused(
        pyshell, file, "portblock=true"
    )


def test_a_target_without_portals_is_refused(pyshell: Pyshell, file: Path) -> None:
    write(file, DRBD)
    file.write_text(file.read_text().replace('"portals"', '"ports"'))
    ran = pyshell("cluster", "cib", SERVER, f"document={file}")
    assert f"{SERVER} has no portal." in ran.err


def test_a_document_of_another_target_is_refused(pyshell: Pyshell, file: Path) -> None:
    write(file, DRBD)
    ran = pyshell("cluster", "cib", "iqn.2020-07.com.example:x", f"document={file}")
    assert f"{file} has no iSCSI target iqn.2020-07.com.example:x." in ran.err


def test_a_document_that_others_can_write_is_refused(pyshell: Pyshell, file: Path) -> None:
    write(file, DRBD)
    file.chmod(0o666)
    assert "chmod" in refused(pyshell, file)


def test_without_a_document_the_running_target_is_read(exported: Pyshell) -> None:
    exported.must(f"{TPG}/portals delete 0.0.0.0 3260", f"{TPG}/portals create 192.168.56.101")
    file = exported.config_dir / "cluster/server.json"
    ran = exported("-o", "json", "cluster", "cib", SERVER)
    assert f"No such file: {file}. The running target was read." in ran.err
    found = ran.json["result"]
    assert found["members"][0]["parameters"]["checksum"] == "CHECKSUM"
    assert len(found["edits"]) == 2
    assert "# EDIT: replace CHECKSUM by what 'sha256sum' prints" in "\n".join(found["lines"])

    file.parent.mkdir(parents=True)
    exported.must(f"saveconfig {file} target={SERVER}")
    found = exported("-o", "json", "cluster", "cib", SERVER).json["result"]
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert found["members"][0]["parameters"]["checksum"] == digest
    assert (found["document"], found["name"]) == (str(file), "server")


def test_the_document_is_found_by_its_target(exported: Pyshell) -> None:
    exported.must(f"{TPG}/portals delete 0.0.0.0 3260", f"{TPG}/portals create 192.168.56.101")
    file = exported.config_dir / "cluster/of-rack-1.json"
    file.parent.mkdir(parents=True)
    exported.must(f"saveconfig {file} target={SERVER}")
    found = exported("-o", "json", "cluster", "cib", SERVER).json["result"]
    assert (found["document"], found["name"]) == (str(file), "of-rack-1")
    assert found["checksum"] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_document_that_is_named_exists(exported: Pyshell, file: Path) -> None:
    ran = exported("cluster", "cib", SERVER, f"document={file}")
    assert (ran.status, ran.out) == (3, "")
    assert str(file) in ran.err
    assert "No such file" in ran.err


def test_a_name_without_a_colon_names_the_document(pyshell: Pyshell) -> None:
    wwn = "iqn.2020-07.com.example"
    pyshell.must(
        f"/iscsi create {wwn}",
        f"/iscsi/{wwn}/tpg1/portals delete 0.0.0.0 3260",
        f"/iscsi/{wwn}/tpg1/portals create 192.168.56.101",
    )
    found = pyshell("-o", "json", "cluster", "cib", wwn).json["result"]
    assert found["document"] == str(pyshell.config_dir / f"cluster/{wwn}.json")
    assert found["name"] == wwn


def test_a_name_that_the_agent_does_not_accept_is_refused(pyshell: Pyshell, file: Path) -> None:
    wwn = "iqn.2020-07.com.example:größe"
    write(file, DRBD)
    file.write_text(file.read_text().replace(SERVER, wwn))
    ran = pyshell("cluster", "cib", wwn, f"document={file}")
    assert f"The resource agent does not accept the name {wwn}." in ran.err


def test_a_target_that_does_not_run_is_not_found(pyshell: Pyshell) -> None:
    ran = pyshell("cluster", "cib", SERVER)
    assert ran.status == 3
    assert "There is no" in ran.err


@pytest.mark.parametrize("form", ["pcs", "crmsh"])
def test_hostile_names_cannot_leave_their_line(
    pyshell: Pyshell, file: Path, tmp_path: Path, form: str
) -> None:
    trap = tmp_path / "trap"
    for bad in (
        f"x; touch {trap} #",
        f"$(touch {trap})",
        f"'; touch {trap}; '",
        f"\nEND\ntouch {trap}\n",
    ):
        write(file, f"/dev/drbd/by-res/{bad}/0", f"/dev/disk/by-id/{bad}", f"/dev/zvol/tank/{bad}")
        found = cib_lines(pyshell, file, form)
        programs = "pcs() { :; }; crm() { :; }; cp() { :; }; "
        # A shell that knows no comments, such as root's zsh.
        bare = "\n".join(line.removeprefix("#") for line in found)
        for text in ("\n".join(found), bare):
            subprocess.run(
                ["sh", "-c", programs + text], cwd=tmp_path, capture_output=True, check=False
            )
        assert not trap.exists(), bad


def test_a_line_that_fails_ends_the_script(pyshell: Pyshell, file: Path, tmp_path: Path) -> None:
    write(file, DRBD)
    text = "\n".join(cib_lines(pyshell, file, "pcs"))
    for failing, calls in (("", 8), ("cluster", 1), ("-f", 2)):
        pcs = f'pcs() {{ echo x >>calls; [ "$1" != "{failing}" ]; }}; cp() {{ :; }}; '
        # The shell that the lines were pasted into continues.
        ran = subprocess.run(
            ["sh", "-c", f"{pcs}{text}\necho status $?"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.stdout == f"status {int(bool(failing))}\n", ran.stderr
        found = tmp_path / "calls"
        assert len(found.read_text().splitlines()) == calls
        found.unlink()


def cib_lines(pyshell: Pyshell, file: Path, form: str) -> list[str]:
    """Return the printed lines."""
    ran = pyshell("cluster", "cib", SERVER, f"document={file}", f"form={form}")
    assert ran.status == 0, ran.err
    return ran.lines


@pytest.mark.parametrize("path", ["relative", "/", "//", "/a/..", "/a'b", '/a"b', "/a\\b", "/a\tb"])
def test_paths_that_no_shell_can_be_given_are_refused(
    pyshell: Pyshell, file: Path, path: str
) -> None:
    write(file, DRBD)
    assert "state_dir" in refused(pyshell, file, f"state_dir={path}")


def test_a_path_with_blanks_is_one_word(pyshell: Pyshell, file: Path) -> None:
    write(file, DRBD)
    where = ("state_dir=/srv/a b", f"state_device={DRBD[:-1]}1")
    pcs = pyshell("cluster", "cib", SERVER, f"document={file}", *where).done()
    assert "state_dir=/srv/a b" in shlex.split(pcs.out.replace("\\\n", ""), comments=True)
    crm = pyshell("cluster", "cib", SERVER, f"document={file}", *where, "form=crmsh").done()
    assert ' state_dir="/srv/a b"' in crm.out


def test_a_device_for_the_state_needs_its_folder(pyshell: Pyshell, file: Path) -> None:
    write(file, DRBD)
    assert "Give state_dir=FOLDER." in refused(pyshell, file, f"state_device={DRBD}")


def test_names_that_would_be_equal_in_the_cluster_are_refused(pyshell: Pyshell, file: Path) -> None:
    write(file, "/dev/vg+1/lv1", "/dev/vg-1/lv1")
    assert "Two resources would be named lvm-vg-1." in refused(pyshell, file)


def test_nothing_is_changed(pyshell: Pyshell, file: Path) -> None:
    write(file, DRBD)
    pyshell.must("ls")
    before = pyshell.files()
    cib(pyshell, file)
    assert pyshell.files() == before
