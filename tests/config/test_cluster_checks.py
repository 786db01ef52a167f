# SPDX-License-Identifier: Apache-2.0
"""`check cluster=true` refuses what differs between the nodes of a cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from driver import CLIENT, SERVER, Pyshell

MIB = 1 << 20
DISK = "/dev/disk/by-id/wwn-0x5000c500a1b2c3d4"
OTHER = "iqn.2020-07.192.168.56.101:other"
SERIAL = "8d2b4f5e-3a52-4e55-9b0a-3f6f1f6b7a01"
Document = dict[str, Any]


@pytest.fixture
def document() -> Document:
    """Return a document without problems: its device is at another node."""
    return {
        "storage_objects": [{"name": "disk1", "plugin": "block", "dev": DISK, "wwn": SERIAL}],
        "targets": [
            {
                "fabric": "iscsi",
                "wwn": SERVER,
                "tpgs": [
                    {
                        "tag": 1,
                        "luns": [{"index": 0, "storage_object": "/backstores/block/disk1"}],
                        "portals": [{"ip_address": "192.168.56.110", "port": 3260}],
                        "node_acls": [
                            {"node_wwn": CLIENT, "mapped_luns": [{"index": 0, "tpg_lun": 0}]}
                        ],
                    }
                ],
            }
        ],
        "fabric_modules": [],
    }


class Checked:
    """What `check` says of a document."""

    def __init__(self, pyshell: Pyshell, document: Any, *words: str) -> None:
        if not pyshell.config_dir.exists():
            pyshell.prepare("pwd")
        self.file = pyshell.config_dir / "cluster" / "disks.json"
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.touch(0o600)
        self.file.write_text(json.dumps(document, indent=2))
        ran = pyshell("-o", "json", "check", str(self.file), *(words or ("cluster=true",)))
        self.status = ran.status
        self.found: list[dict[str, Any]] = ran.json["result"]

    @property
    def texts(self) -> list[str]:
        return [f"{one['level']} {one['path']}: {one['message']}" for one in self.found]

    @property
    def errors(self) -> list[str]:
        return [one["path"] for one in self.found if one["level"] == "error"]


def one_error(checked: Checked, path: str, told: str) -> dict[str, Any]:
    assert checked.texts == [f"error {path}: {told}"]
    assert checked.status == 1
    (found,) = checked.found
    assert found["line"] > 1
    assert found["hint"]
    return found


def the_object(document: Document, **values: Any) -> None:
    """Change the storage object; None removes a key."""
    entry = document["storage_objects"][0] | values
    document["storage_objects"] = [{k: v for k, v in entry.items() if v is not None}]
    path = f"/backstores/{entry['plugin']}/{entry['name']}"
    document["targets"][0]["tpgs"][0]["luns"][0]["storage_object"] = path


def tpg(document: Document) -> Any:
    return document["targets"][0]["tpgs"][0]


OBJECT = "$.storage_objects[0]"
ADDRESS = "$.targets[0].tpgs[0].portals[0].ip_address"


def test_a_device_at_another_node_is_no_problem(pyshell: Pyshell, document: Document) -> None:
    assert Checked(pyshell, document).texts == []
    assert Checked(pyshell, document, f"target={SERVER}").errors == [f"{OBJECT}.dev"]


def test_it_is_printed_with_line_and_column(pyshell: Pyshell, document: Document) -> None:
    del document["storage_objects"][0]["wwn"]
    file = Checked(pyshell, document).file
    ran = pyshell("check", str(file), "cluster=true")
    assert ran.lines == [
        f"{file}:3:5: error: $.storage_objects[0].wwn: is missing: each node would generate another"
        " serial number. Initiators would take it for another disk after a takeover. 'saveconfig"
        " FILE target=WWN' writes the serial number."
    ]


# Storage objects


@pytest.mark.parametrize("serial", ["", "  ", None])
def test_a_serial_number_is_needed(pyshell: Pyshell, document: Document, serial: Any) -> None:
    document["storage_objects"][0]["wwn"] = serial
    told = "is missing: each node would generate another serial number"
    one_error(Checked(pyshell, document), f"{OBJECT}.wwn", told)


def test_a_ramdisk_does_not_move(pyshell: Pyshell, document: Document) -> None:
    the_object(document, plugin="ramdisk", size=MIB, dev=None)
    told = "a ramdisk keeps its data in one node's memory: it is lost in a takeover"
    one_error(Checked(pyshell, document), f"{OBJECT}.plugin", told)


def test_write_back_loses_writes(pyshell: Pyshell, document: Document) -> None:
    the_object(document, plugin="fileio", dev="/srv/disks/1.img", size=MIB, write_back=True)
    told = "a takeover loses acknowledged writes in the memory of the failed node"
    one_error(Checked(pyshell, document), f"{OBJECT}.write_back", told)
    the_object(document, write_back=False)
    assert Checked(pyshell, document).texts == []


def test_asynchronous_writes_are_not_flushed(pyshell: Pyshell, document: Document) -> None:
    the_object(document, plugin="fileio", dev="/srv/disks/1.img", size=MIB, aio=True)
    told = "the kernel does not flush these writes: a takeover loses acknowledged ones"
    one_error(Checked(pyshell, document), f"{OBJECT}.aio", told)


@pytest.mark.parametrize(
    "device",
    [
        DISK,
        "/dev/disk/by-id/dm-name-vg-lv",
        "/dev/drbd/by-res/disks/0",
        "/dev/drbd/by-res/disks",
        "/dev/zvol/tank/disks/one",
        "/dev/rbd/pool/image",
        "/dev/vg0/disk1",
        "/dev/vg-a/disk_1.x",
        "/dev/mapper/vg0-disk1",
        "/dev/mapper/vg--a-disk--1",
        "/dev/mapper/36001405abcdef0123456789abcdef012",
    ],
)
def test_names_that_are_the_same_on_all_nodes(
    pyshell: Pyshell, document: Document, device: str
) -> None:
    for plugin in ("block", "fileio", "pscsi"):
        serial = None if plugin == "pscsi" else SERIAL
        the_object(document, plugin=plugin, dev=device, wwn=serial)
        assert Checked(pyshell, document).texts == []


@pytest.mark.parametrize(
    "device",
    [
        "/dev/sdx",
        "/dev/nvme7n1",
        "/dev/drbd0",
        "/dev/dm-7",
        "/dev/md/data",
        "/dev/disk/by-path/pci-0000:00:05.0-scsi-0:0:0:0",
        "/dev/disk/by-id/../by-path/x",
        "/dev/disk/by-id/",
        "/dev/mapper/mpatha",
        "/dev/mapper/mpatha-part1",
        "/dev/mapper/secret",
        "/dev/cciss/c0d0",
        "/dev/vg0/../sda",
        "/dev/rbd0",
    ],
)
def test_names_that_can_differ(pyshell: Pyshell, document: Document, device: str) -> None:
    the_object(document, dev=device)
    told = f"{device} can be another device on another node"
    found = one_error(Checked(pyshell, document), f"{OBJECT}.dev", told)
    assert "/dev/drbd/by-res" in found["hint"]


@pytest.mark.parametrize("kind", ["uuid", "partuuid", "label", "partlabel"])
def test_names_from_the_data_of_a_disk(pyshell: Pyshell, document: Document, kind: str) -> None:
    device = f"/dev/disk/by-{kind}/0c0e"
    the_object(document, dev=device)
    told = f"{device} is a name from data on the disks, which an initiator can change or copy"
    one_error(Checked(pyshell, document), f"{OBJECT}.dev", told)


@pytest.mark.parametrize("device", ["/dev//drbd/by-res/disks/0", "//dev/./drbd/by-res/disks/0"])
def test_another_spelling_of_a_name(pyshell: Pyshell, document: Document, device: str) -> None:
    the_object(document, dev=device)
    found = one_error(Checked(pyshell, document), f"{OBJECT}.dev", f"{device} is not a plain path")
    assert found["hint"] == "Use /dev/drbd/by-res/disks/0."


def test_the_lasting_name_is_proposed(pyshell: Pyshell, document: Document) -> None:
    the_object(document, dev="/dev/sdb")
    pyshell.must("ls /backstores")
    file = pyshell.folder / "machine.json"
    table = json.loads(file.read_text())
    table["links"] = {**table["links"], "/dev/disk/by-id/wwn-0x1": "/dev/sdb"}
    file.write_text(json.dumps(table))
    told = "/dev/sdb can be another device on another node"
    found = one_error(Checked(pyshell, document), f"{OBJECT}.dev", told)
    assert found["hint"] == "Use /dev/disk/by-id/wwn-0x1."


def test_a_device_in_use_is_an_error(pyshell: Pyshell, document: Document) -> None:
    pyshell.must("/backstores/block create local /dev/mapper/lee-lee.lv")
    the_object(document, dev="/dev/mapper/lee-lee.lv")
    told = "/dev/mapper/lee-lee.lv is in use: storage object block/local"
    assert Checked(pyshell, document).texts == [f"error {OBJECT}.dev: {told}"]


def test_the_active_node_passes_as_well(exported: Pyshell) -> None:
    exported.prepare(
        f"/iscsi/{SERVER}/tpg1/portals delete 0.0.0.0 3260",
        f"/iscsi/{SERVER}/tpg1/portals create 192.168.56.110",
    )
    file = exported.config_dir / "cluster" / "disks.json"
    file.parent.mkdir(parents=True)
    exported.must(f"saveconfig {file} target={SERVER}")
    ran = exported("check", str(file), "cluster=true", f"target={SERVER}").done()
    assert ran.lines == [f"{file}: no errors"]
    exported.must(f"clearconfig confirm=true target={SERVER}")
    exported("check", str(file), "cluster=true").done()


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/tmp/1.img", "/tmp/1.img is in /tmp, which no other node has"),
        ("/var/tmp/1.img", "/var/tmp/1.img is in /var/tmp, which no other node has"),
        ("/run/1.img", "/run/1.img is in /run, which no other node has"),
        ("/dev/shm/1.img", "/dev/shm/1.img is in /dev/shm, which no other node has"),
        ("/srv/../tmp/1.img", "/srv/../tmp/1.img is in /tmp, which no other node has"),
        ("/srv/memory/1.img", "/srv/memory/1.img is in /srv/memory, which no other node has"),
    ],
)
def test_an_image_file_must_not_be_temporary(
    pyshell: Pyshell, document: Document, path: str, told: str
) -> None:
    mount(pyshell, "/ ext4", "/srv/memory tmpfs", "/srv/disks ext4")
    the_object(document, plugin="fileio", dev=path, size=MIB)
    one_error(Checked(pyshell, document), f"{OBJECT}.dev", told)


def test_an_image_file_needs_an_absolute_path(pyshell: Pyshell, document: Document) -> None:
    the_object(document, plugin="fileio", dev="disks/1.img", size=MIB)
    assert Checked(pyshell, document).errors == [f"{OBJECT}.dev"]


def test_an_image_file_on_the_root_file_system_is_a_warning(
    pyshell: Pyshell, document: Document
) -> None:
    mount(pyshell, "/ ext4", "/srv/my\\040disks ext4")
    for path, warned in (
        ("/srv/1.img", True),
        ("/srv/my disks/1.img", False),
        ("/mnt/none.img", False),
    ):
        if "none" not in path:
            image = pyshell.simulator.machine.file(path)
            image.parent.mkdir(parents=True, exist_ok=True)
            with image.open("wb") as file:
                file.truncate(MIB)
        the_object(document, plugin="fileio", dev=path, size=MIB)
        told = f"{path} is on the root file system of this node, which no other node has"
        wanted = [f"warning {OBJECT}.dev: {told}"] if warned else []
        assert Checked(pyshell, document).texts == wanted


def mount(pyshell: Pyshell, *lines: str) -> None:
    """Let the simulated host have file systems: mount point and type."""
    table = pyshell.simulator.machine.file("/proc/self/mountinfo")
    table.parent.mkdir(parents=True, exist_ok=True)
    words = (line.split(" ") for line in lines)
    table.write_text("".join(f"1 0 8:1 / {at} rw - {kind} none rw\n" for at, kind in words))


@pytest.mark.parametrize(
    ("config", "level"),
    [
        ("rbd/pool/image", None),
        ("glfs/volume@host/file", None),
        ("qcow//srv/disks/1.qcow2", None),
        ("qcow//tmp/1.qcow2", "error"),
        ("file//dev/sdx", "error"),
        ("file//dev/disk/by-id/one", None),
        ("other/something", "warning"),
    ],
)
def test_what_a_handler_opens(
    pyshell: Pyshell, document: Document, config: str, level: str | None
) -> None:
    the_object(document, plugin="user", dev=None, config=config, size=MIB)
    found = [one for one in Checked(pyshell, document).found if one["path"].endswith("config")]
    assert [one["level"] for one in found] == ([level] if level else [])


# Targets


@pytest.mark.parametrize("address", ["0.0.0.0", "[::0]", "::", "[::]"])
def test_a_wildcard_portal(pyshell: Pyshell, document: Document, address: str) -> None:
    tpg(document)["portals"][0]["ip_address"] = address
    plain = "0.0.0.0" if "." in address else "::0"
    why = "these are all addresses of a node, and a cluster moves single ones"
    one_error(Checked(pyshell, document), ADDRESS, f"a cluster cannot move {plain}: {why}")


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("127.0.0.1", "this address never leaves a node"),
        ("[::1]", "this address never leaves a node"),
        ("[fe80::1]", "a link-local address belongs to one interface of one node"),
        ("[fe80::1%eth0]", "a link-local address belongs to one interface of one node"),
        ("169.254.1.1", "a link-local address belongs to one interface of one node"),
        ("224.0.0.1", "this is not the address of one host"),
        ("[ff02::1]", "this is not the address of one host"),
        ("255.255.255.255", "this is not the address of one host"),
        ("[::ffff:0.0.0.0]", "these are all addresses of a node"),
        ("[::ffff:127.0.0.1]", "this address never leaves a node"),
        ("[::ffff:192.168.56.110]", "this is the IPv4 address 192.168.56.110 in the form of IPv6"),
    ],
)
def test_an_address_that_cannot_move(
    pyshell: Pyshell, document: Document, address: str, why: str
) -> None:
    tpg(document)["portals"][0]["ip_address"] = address
    checked = Checked(pyshell, document)
    assert (checked.status, checked.errors) == (1, [ADDRESS])
    assert why in checked.found[0]["message"]


def test_an_address_of_another_target(pyshell: Pyshell, document: Document) -> None:
    pyshell.must(
        f"/iscsi create {OTHER}",
        f"/iscsi/{OTHER}/tpg1/portals delete 0.0.0.0 3260",
        f"/iscsi/{OTHER}/tpg1/portals create 192.168.56.110 3261",
    )
    told = "uses 192.168.56.110, too: it loses the address when this target moves"
    running = f"warning {ADDRESS}: the running /iscsi/{OTHER} {told}"
    assert Checked(pyshell, document).texts == [running]
    file = pyshell.config_dir / "cluster/other.json"
    pyshell.must(f"saveconfig {file} target={OTHER}", f"/iscsi delete {OTHER}")
    checked = Checked(pyshell, document)
    assert checked.texts == [f"warning {ADDRESS}: /iscsi/{OTHER} in {file} {told}"]
    assert checked.status == 0


def test_a_portal_that_cannot_be_created_here(pyshell: Pyshell, document: Document) -> None:
    pyshell.must(f"/iscsi create {OTHER}")
    other = f"/iscsi/{OTHER}/tpg1/portals/0.0.0.0:3260"
    told = f"{other} runs here: the kernel refuses this portal then"
    assert Checked(pyshell, document).texts == [f"warning {ADDRESS}: {told}"]


def test_no_wildcard_is_proposed(pyshell: Pyshell, document: Document) -> None:
    tpg(document)["portals"][0]["ip_address"] = "storage.example.com"
    path = "$.targets[0].tpgs[0].portals[0].ip_address"
    found = one_error(
        Checked(pyshell, document), path, "'storage.example.com' is not an IP address"
    )
    assert found["hint"] == "Give the address that moves with the target."
    assert "0.0.0.0" in Checked(pyshell, document, f"target={SERVER}").found[-1]["hint"]


def test_initiators_must_find_something(pyshell: Pyshell, document: Document) -> None:
    one, path = tpg(document), "$.targets[0].tpgs[0]"
    told = "there are none: initiators cannot reach the target"
    kept = one.pop("portals")
    one_error(Checked(pyshell, document), f"{path}.portals", told)
    one["portals"] = kept
    one["enable"] = False
    told = "the TPG is disabled: initiators cannot log in"
    one_error(Checked(pyshell, document), f"{path}.enable", told)
    one["enable"] = True
    assert Checked(pyshell, document).texts == []
    one.update(luns=[], node_acls=[])
    assert f"{path}.luns" in Checked(pyshell, document).errors
    document["targets"][0]["tpgs"] = []
    assert "$.targets[0].tpgs" in Checked(pyshell, document).errors


def test_a_second_tpg_can_be_disabled(pyshell: Pyshell, document: Document) -> None:
    document["targets"][0]["tpgs"].append({"tag": 2, "enable": False})
    assert Checked(pyshell, document).texts == []


def test_a_secret_in_a_file_is_a_warning(
    pyshell: Pyshell, document: Document, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    file.touch(0o600)
    file.write_text("a-secret-of-this-test\n")
    acl = tpg(document)["node_acls"][0]
    acl.update(chap_userid="user", chap_password_file=str(file))
    told = "another node may not have this file, and the checksum does not cover it"
    path = "$.targets[0].tpgs[0].node_acls[0].chap_password_file"
    assert Checked(pyshell, document).texts == [f"warning {path}: {told}"]
    assert Checked(pyshell, document, f"target={OTHER}").status == 1


@pytest.mark.parametrize(("file_mode", "folder_mode"), [(0o666, 0o700), (0o600, 0o777)])
def test_a_file_that_others_can_write_is_an_error(
    pyshell: Pyshell, document: Document, file_mode: int, folder_mode: int
) -> None:
    file = Checked(pyshell, document).file
    file.chmod(file_mode)
    file.parent.chmod(folder_mode)
    ran = pyshell("check", str(file), "cluster=true")
    assert ran.status == 1
    assert f"{file}:1:1: error: restoreconfig and apply refuse it:" in ran.out
    assert pyshell("apply", str(file), f"target={SERVER}", "--dry-run").status != 0
    assert ":1:1: warning:" in pyshell("check", str(file)).out


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("luns", "$.targets[0].tpgs[0].luns[0].index"),
        ("mapped_luns", "$.targets[0].tpgs[0].node_acls[0].mapped_luns[0].index"),
    ],
)
def test_numbers_are_needed(pyshell: Pyshell, document: Document, key: str, path: str) -> None:
    owner = tpg(document) if key == "luns" else tpg(document)["node_acls"][0]
    del owner[key][0]["index"]
    assert f"error {path}: is missing" in Checked(pyshell, document).texts


def test_mappings_are_not_made_by_themselves(pyshell: Pyshell, document: Document) -> None:
    del tpg(document)["node_acls"][0]["mapped_luns"]
    (told,) = Checked(pyshell, document).texts
    assert told.startswith("warning $.targets[0].tpgs[0].node_acls[0].mapped_luns: is missing")


def test_a_lun_of_a_running_object_is_not_enough(pyshell: Pyshell, document: Document) -> None:
    """The other node does not have it."""
    pyshell.must("/backstores/block create disk1 /dev/mapper/lee-lee.lv")
    document["storage_objects"] = []
    path = "$.targets[0].tpgs[0].luns[0].storage_object"
    assert Checked(pyshell, document).errors == [path]


def test_another_fabric_is_a_warning(pyshell: Pyshell, document: Document) -> None:
    document["targets"][0] |= {"fabric": "loopback", "wwn": "naa.5001405000000001"}
    tpg(document).update(portals=[], node_acls=[])
    told = "initiators reach a target of loopback at one node only"
    assert Checked(pyshell, document).texts == [f"warning $.targets[0].fabric: {told}"]


def test_settings_of_fabrics_are_a_warning(pyshell: Pyshell, document: Document) -> None:
    document["fabric_modules"] = [{"name": "iscsi", "discovery_enable_auth": False}]
    told = "a cluster applies the target only: these settings have no effect"
    assert Checked(pyshell, document).texts == [f"warning $.fabric_modules[0]: {told}"]


# One target


def test_there_is_one_target(pyshell: Pyshell, document: Document) -> None:
    second = json.loads(json.dumps({**document["targets"][0], "wwn": OTHER}))
    second["tpgs"][0]["portals"][0]["ip_address"] = "192.168.56.111"
    document["targets"].append(second)
    told = "the file has 2 targets: a cluster moves one"
    assert one_error(Checked(pyshell, document), "$.targets", told)["hint"].startswith("target=")
    assert Checked(pyshell, document, "cluster=true", f"target={SERVER}").texts == []


def test_there_is_a_target(pyshell: Pyshell, document: Document) -> None:
    told = "the file has no target: a cluster moves one"
    assert Checked(pyshell, {**document, "targets": []}).errors == ["$.targets"]
    assert told in Checked(pyshell, {"fabric_modules": []}).texts[0]


@pytest.mark.parametrize("words", [(), ("cluster=true",)])
def test_the_named_target_is_there(
    pyshell: Pyshell, document: Document, words: tuple[str, ...]
) -> None:
    found = Checked(pyshell, document, *words, f"target={OTHER}")
    assert found.texts == [f"error $.targets: no target {OTHER} in the file"]
    assert Checked(pyshell, document, "cluster=true", f"target={SERVER.upper()}").texts == []


def test_only_the_named_target_is_judged(pyshell: Pyshell, document: Document) -> None:
    bad = {"name": "bad", "plugin": "block", "dev": "/dev/none"}
    document["storage_objects"].append(bad)
    document["targets"].append(
        {
            "fabric": "iscsi",
            "wwn": OTHER,
            "tpgs": [{"tag": 0, "luns": [{"index": 0, "storage_object": "/backstores/block/bad"}]}],
        }
    )
    checked = Checked(pyshell, document, f"target={OTHER}")
    assert checked.errors == ["$.storage_objects[1].dev", "$.targets[1].tpgs[0].tag"]
    assert Checked(pyshell, document, "cluster=true", f"target={SERVER}").texts == []


def test_an_object_that_is_not_exported_is_a_warning(pyshell: Pyshell, document: Document) -> None:
    document["storage_objects"].append({"name": "b", "plugin": "ramdisk", "size": MIB})
    told = "the target does not export it: the cluster does not create it"
    assert Checked(pyshell, document).texts == [f"warning $.storage_objects[1]: {told}"]


def test_a_file_is_needed(pyshell: Pyshell) -> None:
    ran = pyshell("check", "cluster=true")
    assert (ran.status, ran.err.startswith("cluster=true needs the file")) == (2, True)


# The file that is restored at boot


def save_for_boot(pyshell: Pyshell, document: Any) -> None:
    pyshell.must("ls /iscsi")
    pyshell.config_dir.mkdir(parents=True, exist_ok=True)
    pyshell.saved_file.touch(0o600)
    pyshell.saved_file.write_text(json.dumps(document))


def test_target_and_objects_must_not_be_restored_at_boot(
    pyshell: Pyshell, document: Document
) -> None:
    save_for_boot(pyshell, document)
    checked = Checked(pyshell, document)
    told = f"{pyshell.saved_file} has it, too, and is restored at boot, outside the cluster"
    assert checked.texts == [
        f"error {OBJECT}.name: {told}",
        f"error $.targets[0].wwn: {told}",
    ]
    assert str(pyshell.config_dir / "cluster") in checked.found[0]["hint"]
    document["targets"][0]["wwn"] = SERVER.upper()
    assert len(Checked(pyshell, document).errors) == 2


def test_the_device_must_not_be_used_from_boot(pyshell: Pyshell, document: Document) -> None:
    entry = {**document["storage_objects"][0], "name": "another"}
    save_for_boot(pyshell, {"storage_objects": [entry]})
    told = (
        f"{pyshell.saved_file} has /backstores/block/another on the same device, and is restored"
        " at boot"
    )
    one_error(Checked(pyshell, document), f"{OBJECT}.name", told)


def test_other_objects_can_be_restored_at_boot(pyshell: Pyshell, document: Document) -> None:
    other = {"name": "own", "plugin": "ramdisk", "size": MIB}
    save_for_boot(pyshell, {"storage_objects": [other]})
    assert Checked(pyshell, document).texts == []


def test_a_boot_file_that_cannot_be_read_is_a_warning(pyshell: Pyshell, document: Document) -> None:
    save_for_boot(pyshell, document)
    pyshell.saved_file.write_text("{")
    (told,) = Checked(pyshell, document).texts
    assert told.startswith("warning $: whether it is restored at boot is not known: ")


@pytest.mark.parametrize("data", [[], {"targets": 1}, {"targets": [1, {"tpgs": [{"luns": [1]}]}]}])
def test_wrong_types_do_not_break_it(pyshell: Pyshell, data: Any) -> None:
    assert Checked(pyshell, data).status == 1
    assert Checked(pyshell, data, "cluster=true", f"target={SERVER}").status == 1


@pytest.mark.parametrize("device", ["a\0b", "\ud800", "", "x" * 5000])
def test_any_device_can_be_compared_with_the_boot_file(
    pyshell: Pyshell, document: Document, device: str
) -> None:
    save_for_boot(pyshell, {"storage_objects": [{"name": "a", "plugin": "block", "dev": "/dev/a"}]})
    for plugin in ("block", "fileio", "pscsi"):
        the_object(document, plugin=plugin, dev=device)
        assert f"{OBJECT}.dev" in Checked(pyshell, document).errors


# The file itself


def moved_to(checked: Checked, pyshell: Pyshell, file: Path) -> str:
    """Return what is said of a document elsewhere."""
    checked.file.rename(file)
    ran = pyshell("-o", "json", "check", str(file), "cluster=true")
    (found,) = ran.json["result"]
    assert (found["level"], found["path"]) == ("error", "$")
    return f"{found['message']} {found['hint']}"


def test_a_document_elsewhere_gives_no_control(
    pyshell: Pyshell, document: Document, tmp_path: Path
) -> None:
    checked = Checked(pyshell, document)
    assert checked.texts == []
    folder = checked.file.parent
    link = tmp_path / "link.json"
    link.symlink_to(checked.file)
    assert pyshell("check", str(link), "cluster=true").status == 0
    told = moved_to(checked, pyshell, folder.with_name("disks.json"))
    assert told.startswith(f"it is not in {folder}: this host would restore its target at boot")
    assert told.endswith(f"Move it to {folder}, on all nodes.")


@pytest.mark.parametrize("name", ["disks.conf", "disks", ".disks.json"])
def test_a_document_with_another_ending_gives_no_control(
    pyshell: Pyshell, document: Document, name: str
) -> None:
    checked = Checked(pyshell, document)
    told = moved_to(checked, pyshell, checked.file.with_name(name))
    assert told.endswith("Rename it to disks.json.")


@pytest.mark.parametrize(
    ("values", "place", "told"),
    [
        ({}, "targets[0].wwn", "defines this target, too"),
        ({"wwn": OTHER}, "storage_objects[0].name", "defines this storage object, too"),
        (
            {"wwn": OTHER, "name": "disk2", "serial": "1234567890"},
            "storage_objects[0].name",
            "has /backstores/block/disk2 on the same device",
        ),
        (
            {"wwn": OTHER, "name": "disk2", "dev": f"{DISK}0"},
            "storage_objects[0].wwn",
            "has /backstores/block/disk2 with the same serial number",
        ),
    ],
)
def test_another_document_has_it_too(
    pyshell: Pyshell, document: Document, values: dict[str, str], place: str, told: str
) -> None:
    checked = Checked(pyshell, document)
    other = json.loads(json.dumps(document))
    other["targets"][0]["wwn"] = values.get("wwn", SERVER)
    disk = other["storage_objects"][0]
    disk |= {"name": values.get("name", "disk1"), "dev": values.get("dev", DISK)}
    disk["wwn"] = values.get("serial", SERIAL)
    link = f"/backstores/block/{disk['name']}"
    other["targets"][0]["tpgs"][0]["luns"][0]["storage_object"] = link
    file = checked.file.with_name("other.json")
    file.touch(0o600)
    file.write_text(json.dumps(other))
    found = Checked(pyshell, document).texts
    assert f"error $.{place}: {file} {told}" in found
    file.write_text("{")
    assert Checked(pyshell, document).texts == []


def test_a_serial_number_is_used_once(pyshell: Pyshell, document: Document) -> None:
    again = {**document["storage_objects"][0], "name": "disk2", "dev": f"{DISK}0"}
    document["storage_objects"].append(again)
    luns = document["targets"][0]["tpgs"][0]["luns"]
    luns.append({"index": 1, "storage_object": "/backstores/block/disk2"})
    assert Checked(pyshell, document).errors == ["$.storage_objects[1].wwn"]
