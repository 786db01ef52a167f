# SPDX-License-Identifier: Apache-2.0
"""Storage objects: what may be made of what, what is told of it, and how they are resized."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from driver import CLIENT, TPG, Pyshell

IMAGE = "/backstores/fileio create image /srv/image.img"
DISK = "/backstores/fileio/image"
MEBIBYTE = 1 << 20
RESCAN = "On each initiator: iscsiadm -m session --rescan"


@pytest.fixture
def image(pyshell: Pyshell) -> Path:
    """Return the image file of a fileio storage object of 16 MiB."""
    pyshell.prepare(f"{IMAGE} 16M")
    return pyshell.simulator.machine.file("/srv/image.img")


def info(pyshell: Pyshell, path: str) -> dict[str, str]:
    """Return what `info` shows, name by name."""
    return dict(line.split(": ", 1) for line in pyshell.must(f"{path} info"))


# What is refused

REFUSED = [
    ("fileio create x /srv/x.img 511", 2, "511 bytes are less than a block"),
    ("fileio create x /srv/a,b.img 1M", 2, "'/srv/a,b.img' holds a comma"),
    (f"fileio create x /srv/{'x' * 256} 1M", 2, "is longer than 255 bytes"),
    ("fileio create x /dev/st0 1M", 2, "/dev/st0 is a SCSI device, not a file"),
    ("fileio create x /dev/sda1", 5, "/dev/sda1 is in use: mounted on /"),
    ("block create x /dev/st0", 2, "/dev/st0 is not a block device"),
    ("block create x /dev/sda", 5, "/dev/sda is in use: partitioned"),
    ("block create x /dev/none", 3, "There is no block device /dev/none"),
    ("pscsi create x /dev/none", 3, "There is no SCSI device /dev/none"),
    ("pscsi create x 7:7:7:7", 3, "There is no SCSI device 7:7:7:7"),
    ("pscsi create x /dev/nvme0n1", 2, "/dev/nvme0n1 is not a SCSI device"),
    ("pscsi create x /dev/sda", 5, "/dev/sda is in use: partitioned"),
    ("ramdisk create x 17G", 1, "A ramdisk of 17.0GiB does not fit: this host has 16.0GiB"),
    ("ramdisk create x 1M wwn=" + "x" * 254, 2, "is not a valid serial number"),
]


@pytest.mark.parametrize(("line", "status", "told"), REFUSED, ids=[row[2][:40] for row in REFUSED])
def test_field_failure_37_what_does_not_fit_is_refused_and_nothing_is_left(
    pyshell: Pyshell, line: str, status: int, told: str
) -> None:
    pyshell.line("/backstores/ramdisk delete none")  # the first change makes folders of the kernel
    before = pyshell.files()
    ran = pyshell.line(f"/backstores/{line}")
    assert (ran.status, ran.out) == (status, "")
    assert told in ran.err
    assert "lsblk" not in ran.err, "it lists the real host's devices"
    assert "lsscsi" not in ran.err
    assert ran.err.count("\n") == 1
    assert pyshell.files() == before


@pytest.mark.parametrize("line", ["create x /srv/empty.img", "create x /srv/empty.img 1M"])
def test_finding_13_an_empty_image_file_is_named_with_what_helps(
    pyshell: Pyshell, line: str
) -> None:
    file = pyshell.simulator.machine.file("/srv/empty.img")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    ran = pyshell.line(f"/backstores/fileio {line}")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == (
        "/srv/empty.img: 0 bytes are less than a block of 512 bytes. Enlarge the file"
        " ('truncate -s 10G /srv/empty.img'), or delete it to have it created.\n"
    )


@pytest.mark.parametrize("create", ["block create two", "fileio create two", "pscsi create two"])
def test_field_failure_38_who_holds_a_device_is_named(pyshell: Pyshell, create: str) -> None:
    pyshell.prepare("/backstores/block create one /dev/sdb")
    ran = pyshell.line(f"/backstores/{create} /dev/sdb")
    assert ran.status == 5
    assert "/dev/sdb is in use: storage object block/one" in ran.err


def test_a_ramdisk_that_keeps_nothing_may_be_larger_than_the_memory(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/ramdisk create huge 1T nullio=true")
    assert "nullio (1.0TiB)" in pyshell.must("/backstores/ramdisk/huge status")[0]


@pytest.mark.parametrize("name", ["/dev/st0", "2:0:0:0"])
def test_field_failure_39_a_tape_is_passed_through_by_either_name(
    pyshell: Pyshell, name: str
) -> None:
    assert pyshell.must(f"/backstores/pscsi create tape {name}") == [
        f"Created pscsi storage object tape using {name}"
    ]
    assert pyshell.must("/backstores/pscsi/tape status") == [
        "Status for /backstores/pscsi/tape: /dev/st0 deactivated"
    ]
    assert "naa" not in info(pyshell, "/backstores/pscsi/tape")


# What is told


def test_field_failure_69_a_new_file_is_told_of_with_the_room_that_is_left(
    pyshell: Pyshell,
) -> None:
    ran = pyshell.line(f"{IMAGE} 16M")
    assert ran.out == f"Created fileio image with size {16 * MEBIBYTE}\n"
    assert ran.err.startswith("/srv/image.img is sparse, ")
    assert ran.err.endswith(
        " Its cache is write-back: a crash loses writes that are not flushed.\n"
    )
    ran = pyshell.line(
        "/backstores/fileio create filled /srv/filled.img 1M sparse=false write_back=false"
    )
    assert ran.err.startswith("/srv/filled.img takes all its space now, ")
    assert ran.err.count(". ") == 0
    ran = pyshell.line("/backstores/fileio create vast /srv/vast.img 8000P write_back=true")
    assert "are free there: it may run out." in ran.err


def test_create_of_an_image_file_reports_that_discard_is_enabled(pyshell: Pyshell) -> None:
    note = "Enabled discard (UNMAP): /srv/image.img can free blocks."
    assert note in pyshell.line(f"{IMAGE} 16M write_back=false").err
    pyshell.must("/backstores/fileio delete image")
    for given in (" discard=true", " discard=false"):
        assert "discard" not in pyshell.line(f"{IMAGE}{given}").err
        pyshell.must("/backstores/fileio delete image")
    assert "discard" not in pyshell.line("/backstores/fileio create b /srv/b 1M sparse=false").err


def test_the_real_size_is_reported_if_the_requested_one_is_rounded(pyshell: Pyshell) -> None:
    ran = pyshell.line("/backstores/ramdisk create odd 6000")
    assert ran.out == "Created ramdisk odd with size 6000.\n"
    assert ran.err == "Initiators see 4096 bytes: 6000 is rounded to whole memory pages.\n"
    ran = pyshell.line("/backstores/fileio create odd /srv/odd.img 1000")
    assert "Initiators see 512 bytes: 1000 is rounded to whole blocks." in ran.err
    assert pyshell.line("/backstores/ramdisk create even 8k").err == ""


def test_a_ramdisk_has_at_least_a_block(pyshell: Pyshell) -> None:
    ran = pyshell.line("/backstores/ramdisk create small 10")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == "10 bytes are less than a block of 512 bytes. Give a larger size.\n"
    ran = pyshell.line("/backstores/ramdisk create small 10", "--compat")
    assert (ran.out, ran.err) == ("Created ramdisk small with size 10.\n", "")


def test_in_targetclis_manner_nothing_more_is_told(pyshell: Pyshell) -> None:
    ran = pyshell.line(f"{IMAGE} 16M", "--compat")
    assert (ran.out, ran.err) == (f"Created fileio image with size {16 * MEBIBYTE}\n", "")
    shown = {line.partition(":")[0] for line in pyshell.line(f"{DISK} info", "--compat").lines}
    assert shown == {"aio", "dev", "name", "plugin", "size", "write_back", "wwn"}


def test_info_tells_the_room_that_a_file_takes(pyshell: Pyshell, image: Path) -> None:
    image.write_bytes(b"x" * 4096)
    with image.open("r+b") as file:
        file.truncate(16 * MEBIBYTE)
    shown = info(pyshell, DISK)
    assert (shown["file_size"], shown["file_sparse"]) == (f"{16 * MEBIBYTE} (16.0MiB)", "True")
    assert int(shown["file_allocated"].split()[0]) < MEBIBYTE
    assert int(shown["file_system_free"].split()[0]) > 0


@pytest.mark.parametrize(
    ("serial", "naa"),
    [
        # Seen on a real initiator's VPD page 0x83.
        ("65d1f890-9314-48b7-8303-c14ac207d3a4", "600140565d1f890931448b78303c14ac"),
        ("d18262cd-0f1d-46fc-9d34-d648ae8ab318", "6001405d18262cd0f1d46fc9d34d648a"),
        ("1-2-3", "60014051230000000000000000000000"),
        ("no digits", "6001405d000000000000000000000000"[:7] + "d" + "0" * 24),
        ("ABCDEF", "6001405abcdef0000000000000000000"),
    ],
)
def test_field_failure_56_info_tells_serial_and_the_name_at_the_initiator(
    pyshell: Pyshell, serial: str, naa: str
) -> None:
    pyshell.must(f"/backstores/ramdisk create disk 1M wwn='{serial}'")
    shown = info(pyshell, "/backstores/ramdisk/disk")
    assert (shown["serial"], shown["wwn"]) == (serial, serial)
    if serial == "no digits":  # of these letters only d is one
        naa = "6001405d" + "0" * 24
    assert shown["naa"] == f"naa.{naa}"
    assert shown["by_id"] == f"/dev/disk/by-id/wwn-0x{naa}"


# Cache


@pytest.mark.parametrize("value", ["0", "false", "no"])
def test_field_failure_68_a_cache_that_is_there_cannot_be_hidden(
    pyshell: Pyshell, image: Path, value: str
) -> None:
    ran = pyshell.line(f"{DISK} set attribute emulate_write_cache={value}")
    assert (ran.status, ran.out) == (2, "")
    assert "emulate_write_cache=0 contradicts write_back=true" in ran.err
    assert info(pyshell, DISK)["cache"].startswith("write-back: a crash loses")


def test_field_failure_68_in_targetclis_manner_it_is_hidden_with_a_warning(
    pyshell: Pyshell, image: Path
) -> None:
    ran = pyshell.line(f"{DISK} set attribute emulate_write_cache=0", "--compat")
    assert (ran.status, ran.out) == (0, "Parameter emulate_write_cache is now '0'.\n")
    assert "is write-back all the same: a crash loses writes" in ran.err
    assert "write-thru is reported to initiators" in info(pyshell, DISK)["cache"]


def test_a_write_through_file_may_say_what_it_likes(pyshell: Pyshell) -> None:
    pyshell.must(f"{IMAGE} 16M write_back=false")
    for value in ("1", "0"):
        pyshell.must(f"{DISK} set attribute emulate_write_cache={value}")
    assert info(pyshell, DISK)["cache"].startswith("write-thru: ")


def test_field_failure_68_a_contradictory_file_comes_back_with_its_cache_told(
    pyshell: Pyshell, image: Path
) -> None:
    pyshell.must("saveconfig")
    document = pyshell.document()
    document["storage_objects"][0]["attributes"]["emulate_write_cache"] = 0
    pyshell.saved_file.write_text(json.dumps(document))
    ran = pyshell.line("restoreconfig clear_existing=true")
    assert ran.status == 1
    assert (
        "emulate_write_cache: write_back is true, but initiators would not see a write cache"
        in ran.err
    )
    assert info(pyshell, DISK)["write_back"] == "True"


@pytest.mark.parametrize(
    ("given", "reported", "told"),
    [
        ("write_back=true aio=true", 1, "write-back: a crash loses what"),
        ("write_back=false", 1, "write-thru, but write-back is reported"),
        ("write_back=false aio=true", 0, "write-back, but write-thru is reported"),
        ("write_back=false aio=true", 1, "write-back: a crash loses what"),
    ],
)
def test_info_has_the_cache_of_a_file(
    pyshell: Pyshell, given: str, reported: int, told: str
) -> None:
    pyshell.must(f"{IMAGE} 16M {given}", f"{DISK} set attribute emulate_write_cache={reported}")
    assert info(pyshell, DISK)["cache"].startswith(told)


@pytest.mark.parametrize(
    ("device", "told"), [("/dev/sdb", "write-back"), ("/dev/sdc", "write-thr")]
)
def test_asynchronous_writes_to_a_device_stay_in_its_own_cache(
    pyshell: Pyshell, device: str, told: str
) -> None:
    ran = pyshell.line(f"/backstores/fileio create image {device} write_back=false aio=true")
    assert ran.status == 0
    assert ("set attribute emulate_write_cache=1" in ran.err) == (told == "write-back")
    assert info(pyshell, DISK)["cache"].startswith(told)


def test_info_of_a_block_device_has_no_second_word_for_its_cache(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/block create disk /dev/sdb")
    assert "write_back" not in info(pyshell, "/backstores/block/disk")
    assert "write_back: False" in pyshell.line("/backstores/block/disk info", "--compat").out


# Discard


def discards(pyshell: Pyshell, path: str) -> str:
    """Return the word with which `info` begins what it shows of discard."""
    (shown,) = pyshell.must(f"{path} get attribute emulate_tpu")
    word = info(pyshell, path)["discard"].partition(":")[0]
    assert shown == f"emulate_tpu={int(word == 'on')} "
    return word


def test_json_has_a_word_or_a_boolean_without_explanation(pyshell: Pyshell) -> None:
    pyshell.prepare("/backstores/block create x /dev/sdb", "/backstores/block create y /dev/sdd")
    found = [pyshell("-o", "json", f"/backstores/block/{n}", "info").json["result"] for n in "xy"]
    assert [one["discard"] for one in found] == [True, False]
    assert [one["cache"] for one in found] == ["write-back"] * 2
    for name in ("discard", "cache"):
        assert found[0][f"{name}_text"] == info(pyshell, "/backstores/block/x")[name]


@pytest.mark.parametrize("name", ["emulate_tpu", "emulate_tpws"])
def test_discard_is_refused_for_a_device_that_cannot(pyshell: Pyshell, name: str) -> None:
    pyshell.prepare("/backstores/block create x /dev/sdd")
    ran = pyshell.line(f"/backstores/block/x set attribute {name}=1")
    assert (ran.status, ran.err) == (2, "/dev/sdd cannot discard.\n")
    pyshell.must(f"/backstores/block/x set attribute {name}=0")


def test_set_discard_names_the_attribute(pyshell: Pyshell) -> None:
    pyshell.prepare("/backstores/block create x /dev/sdb")
    ran = pyshell.line("/backstores/block/x set discard=false")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == (
        "discard is set by the attribute emulate_tpu. Run 'set attribute emulate_tpu=0'.\n"
    )


@pytest.mark.parametrize(
    "line",
    [
        "/backstores/block/lee_block set attribute emulate_tpu={}",
        f"share /dev/mapper/lee-lee.lv to={CLIENT} discard={{}}",
    ],
)
def test_logged_in_initiators_have_to_rescan_to_see_discard(exported: Pyshell, line: str) -> None:
    told = "Logged-in initiators see that once they rescan. On each initiator: iscsiadm"
    ran = exported.line(line.format("false"))
    assert told not in ran.out + ran.err
    exported.must(f"login {CLIENT}")
    ran = exported.line(line.format("true"))
    assert (ran.status, told in ran.out + ran.err) == (0, True)
    ran = exported.line(line.format("true"))  # it is on already
    assert told not in ran.out + ran.err


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("block create x /dev/sdb", "on"),
        ("block create x /dev/sdb discard=false", "off"),
        ("block create x /dev/sdb readonly=true", "off"),
        ("block create x /dev/sdd", "off"),
        ("fileio create x /dev/sdb", "on"),
        ("fileio create x /dev/sdd", "off"),
        ("fileio create x /srv/x.img 1M", "on"),
        ("fileio create x /srv/x.img 1M sparse=false", "off"),
        ("fileio create x /srv/x.img 1M sparse=false discard=true", "on"),
    ],
)
def test_a_new_object_discards_if_its_device_can(pyshell: Pyshell, line: str, word: str) -> None:
    path = f"/backstores/{line.split(maxsplit=1)[0]}/x"
    pyshell.prepare(f"/backstores/{line}")
    assert discards(pyshell, path) == word
    pyshell.must("undo")
    assert not list((pyshell.configfs / "core").glob("*_*"))


def test_an_allocated_image_file_keeps_its_space(pyshell: Pyshell) -> None:
    file = pyshell.simulator.machine.file("/srv/full.img")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"x" * MEBIBYTE)
    pyshell.prepare("/backstores/fileio create full /srv/full.img")
    assert discards(pyshell, "/backstores/fileio/full") == "off"


def test_the_preference_decides_whether_new_objects_discard(pyshell: Pyshell) -> None:
    pyshell.must(
        "set global enable_discard=false",
        "/backstores/block create one /dev/sdb",
        "/backstores/block create two /dev/sdc discard=true",
    )
    assert discards(pyshell, "/backstores/block/one") == "off"
    assert discards(pyshell, "/backstores/block/two") == "on"


def test_targetcli_does_not_enable_discard(pyshell: Pyshell) -> None:
    pyshell.line("/backstores/block create disk /dev/sdb", "--compat").done()
    assert discards(pyshell, "/backstores/block/disk") == "off"


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_a_device_that_cannot_discard_is_not_made_to(
    pyshell: Pyshell, options: tuple[str, ...]
) -> None:
    ran = pyshell.line("/backstores/block create disk /dev/sdd discard=true", *options)
    assert (ran.status, ran.out) == (2, "")
    assert "/dev/sdd cannot discard" in ran.err
    assert not list((pyshell.configfs / "core").glob("*_*"))


def test_undo_restores_discard_that_the_device_lost(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/block create disk /dev/sdb")
    machine = pyshell.simulator.machine
    device = machine.device("/dev/sdb")
    assert device is not None
    machine.add(dataclasses.replace(device, discard_sectors=0))
    pyshell.must("/backstores/block delete disk", "undo")
    assert pyshell.must("/backstores/block/disk get attribute emulate_tpu") == ["emulate_tpu=1 "]


@pytest.mark.parametrize(("own", "given"), [("true", "false"), ("false", "true")])
def test_exist_ok_needs_the_requested_discard(pyshell: Pyshell, own: str, given: str) -> None:
    create = "/backstores/block create disk /dev/sdb"
    pyshell.must(f"{create} discard={own}")
    for word in ("", f" discard={own}"):
        assert "nothing to do" in pyshell.line(f"{create}{word} exist_ok=true").err
    assert pyshell.line(f"{create} discard={given} exist_ok=true").status == 5


# Sizes


def test_field_failure_67_a_file_is_grown_and_its_size_followed_everywhere(
    target: Pyshell, image: Path
) -> None:
    target.must(f"{TPG}/luns create {DISK}")
    assert target.must(f"{DISK} resize size=32M") == [
        "Storage object fileio/image is now 32.0MiB.",
        RESCAN,
    ]
    assert image.stat().st_size == 32 * MEBIBYTE
    assert "(32.0MiB)" in target.must(f"{DISK} status")[0]
    assert info(target, DISK)["size"] == f"{32 * MEBIBYTE} (32.0MiB)"
    target.must("saveconfig")
    assert target.document()["storage_objects"][0]["size"] == 32 * MEBIBYTE


def test_a_file_that_has_grown_is_followed(pyshell: Pyshell, image: Path) -> None:
    with image.open("r+b") as file:
        file.truncate(24 * MEBIBYTE)
    assert "(16.0MiB)" in pyshell.must(f"{DISK} status")[0]
    assert info(pyshell, DISK)["file_size"] == f"{24 * MEBIBYTE} (24.0MiB)"
    # Nobody has the disk yet, so nobody needs to rescan.
    assert pyshell.must(f"{DISK} resize") == ["Storage object fileio/image is now 24.0MiB."]


def test_what_a_file_holds_stays_when_it_grows(pyshell: Pyshell, image: Path) -> None:
    with image.open("r+b") as file:
        file.write(b"data")
    pyshell.must(f"{DISK} resize 32M")
    with image.open("rb") as file:
        assert file.read(4) == b"data"


def test_a_filled_file_stays_filled(pyshell: Pyshell) -> None:
    image = pyshell.simulator.machine.file("/srv/image.img")
    image.parent.mkdir(parents=True, exist_ok=True)
    image.write_bytes(b"x" * MEBIBYTE)
    pyshell.must(IMAGE, f"{DISK} resize 2M")
    assert image.stat().st_blocks * 512 >= 2 * MEBIBYTE
    ran = pyshell.line(f"{DISK} resize 8000P")
    assert ran.status == 1
    assert "are free there" in ran.err
    assert image.stat().st_size == 2 * MEBIBYTE


def test_a_sparse_file_larger_than_its_file_system_is_noted(pyshell: Pyshell, image: Path) -> None:
    ran = pyshell.line(f"{DISK} resize 1P")
    assert ran.status == 0
    assert "image.img is sparse and only" in ran.err
    assert "it may run out" in ran.err
    assert "The image file /srv/image.img keeps its length." in pyshell.must("undo")
    assert "sparse" not in pyshell.line(f"{DISK} resize 16M force=true").err


def test_a_file_is_never_cut(pyshell: Pyshell, image: Path) -> None:
    ran = pyshell.line(f"{DISK} resize 8M")
    assert (ran.status, ran.out) == (2, "")
    assert "would truncate data that initiators wrote" in ran.err
    pyshell.must(f"{DISK} resize 8M force=true")
    assert "(8.0MiB)" in pyshell.must(f"{DISK} status")[0]
    assert image.stat().st_size == 16 * MEBIBYTE
    assert pyshell.line(f"{DISK} resize 511 force=true").status == 2


def test_a_file_that_is_gone_cannot_be_resized(pyshell: Pyshell, image: Path) -> None:
    image.unlink()
    ran = pyshell.line(f"{DISK} resize 32M")
    assert (ran.status, "is gone" in ran.err) == (3, True)


def test_a_resize_that_the_kernel_does_not_take_leaves_the_file_as_it_was(
    pyshell: Pyshell, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rtslib_fb import FileIOStorageObject

    monkeypatch.setattr(FileIOStorageObject, "_control", lambda *_: None)
    ran = pyshell.line(f"{DISK} resize 32M")
    assert ran.status == 1
    assert "This kernel did not take the new size" in ran.err
    assert image.stat().st_size == 16 * MEBIBYTE


def test_a_block_device_is_followed_once_it_has_grown(target: Pyshell) -> None:
    path = "/backstores/block/disk"
    target.must("/backstores/block create disk /dev/sdb", f"{TPG}/luns create {path}")
    ran = target.line(f"{path} resize 16G")
    assert ran.status == 1
    assert "Resize that first (lvextend, 'losetup -c')" in ran.err
    machine = target.simulator.machine
    device = machine.device("/dev/sdb")
    assert device
    machine.add(dataclasses.replace(device, size=16 << 30))
    said = ["Storage object block/disk is 16.0GiB, the size of its device.", RESCAN]
    assert target.must(f"{path} resize") == target.must(f"{path} resize 16G") == said
    assert "(16.0GiB)" in target.must(f"{path} status")[0]


@pytest.mark.parametrize("create", ["ramdisk create x 1M", "pscsi create x /dev/sdc"])
def test_what_has_no_other_size_says_so(pyshell: Pyshell, create: str) -> None:
    pyshell(f"/backstores/{create}")
    ran = pyshell.line(f"/backstores/{create.split(maxsplit=1)[0]}/x resize 2M")
    assert (ran.status, "cannot be resized" in ran.err) == (2, True)


def test_an_image_file_needs_its_folder(pyshell: Pyshell) -> None:
    """Finding 42: the simulated host creates folders below those that it offers, no others."""
    refused = pyshell("/backstores/fileio", "create", "a", "/nosuch/a.img", "1M")
    assert (refused.status, refused.err) == (
        3, "No such folder: /nosuch. Create it first.\n",
    )  # fmt: skip
    assert not (pyshell.folder / "files/nosuch").exists()
    pyshell.must("/backstores/fileio create a /srv/new/a.img 1M")
    assert (pyshell.folder / "files/srv/new/a.img").stat().st_size == 1 << 20


def test_a_missing_device_is_answered_with_free_devices(pyshell: Pyshell) -> None:
    ran = pyshell.line("/backstores/block create x /dev/none")
    assert "There is no block device /dev/none. Free are /dev/" in ran.err
    assert ran.err.count("lee.lv") == 1, "two paths of one volume"
    ran = pyshell.line("/backstores/pscsi create x /dev/none")
    assert "machine.json lists those of the simulated host." in ran.err
