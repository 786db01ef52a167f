# SPDX-License-Identifier: Apache-2.0
"""Field failure 14: whatever can be set is saved, and comes back: save, clear, restore, save."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell
from pyshell.errors import PyshellError
from pyshell.lio import Lio, listing, settings, storage_info
from pyshell.lio.fabrics import fabric
from pyshell.lio.identifiers import AluaGroup, FabricPlace, Identifier
from pyshell.lio.operations.base import Operation, carry_out
from pyshell.lio.operations.mapping import SetLunAluaGroup
from pyshell.lio.operations.setters import Set
from pyshell.lio.operations.storage import CreateAluaGroup

ACL = f"{TPG}/acls/{CLIENT}"
_HBA = re.compile(r"(core/(?:iblock|fileio|pscsi|rd_mcp))_\d+")
# Values to try where another one is wanted; the kernel takes the first that fits.
_NUMBERS = ("1", "0", "2", "3", "7", "30", "512", "4096", "65536")
_WORDS = ("Yes", "No", "None", "CRC32C", "CRC32C,None", "CHAP", "Another text", "0x00a098")
# A command to the device.
# Discard on a device that has none stays on after its limit is set to 0, and no restore can make
# that again: the limit is left alone here.
_NOT_TRIED = {"pi_prot_format", "max_unmap_block_desc_count"}
# Of all that may be written, the kernel keeps these as they are.
_FIXED = [
    "alua_support",
    "emulate_dpo",
    "emulate_fua_read",
    "emulate_rest_reord",
    "pgr_support",
    "pi_prot_verify",
]


def make_disks(pyshell: Pyshell) -> None:
    """Make storage objects of every kind."""
    pyshell.must(
        "/backstores/block create lee_block /dev/mapper/lee-lee.lv",
        "/backstores/fileio create image /srv/image.img 1M write_back=false",
        "/backstores/ramdisk create memory 1M nullio=true",
    )
    pyshell("/backstores/pscsi", "create", "raw", "/dev/sdc")


def export_disks(pyshell: Pyshell) -> None:
    """Make targets of every kind, with all that hangs on them."""
    pyshell.must(
        f"/iscsi create {SERVER}",
        f"{TPG}/acls create {CLIENT}",
        f"{TPG}/luns create /backstores/block/lee_block 0",
        f"{TPG}/luns create /backstores/fileio/image 7",
        f"{ACL} delete 7",
        f"{ACL} create 9 7 write_protect=true",
        f"{TPG}/portals delete 0.0.0.0 3260",
        f"{TPG}/portals create 2001:db8::1",
        f"{TPG}/portals create 192.0.2.1 3261",
        f"/iscsi/{SERVER} create 2",
        f"/iscsi/{SERVER}/tpg2 disable",
        "/loopback create naa.5001405000000001",
        "/loopback/naa.5001405000000001/luns create /backstores/ramdisk/memory 3",
    )


def places(lio: Lio) -> Iterator[Identifier]:
    """Yield every object that has settings."""
    for disk in listing.storage_objects(lio):
        yield disk
        if storage_info.supports_alua(lio, disk):
            yield from listing.alua_groups(disk)
    for of in listing.fabrics_in_use(lio):
        for target in listing.targets(of):
            yield target
            for tpg in listing.tpgs(target):
                yield tpg
                yield from listing.node_acls(tpg)


def change_everything(lio: Lio) -> tuple[set[str], set[str]]:
    """Give every setting another value; return the names of those changed, and of the rest."""
    changed: set[str] = set()
    left: set[str] = set()
    for place in list(places(lio)):
        for file in settings.own_files(place):
            name = file.rpartition("/")[2]
            if name in _NOT_TRIED:
                continue
            (changed if change(lio, place, file) else left).add(name)
    return changed, left - changed


def change(lio: Lio, place: Identifier, file: str) -> bool:
    """Give a setting another value that the kernel takes and keeps."""
    before = settings.read(lio.kernel, place.folder, file)
    candidates: Sequence[str] = _NUMBERS if before.lstrip("-").isdigit() else _WORDS
    if file.startswith("auth/") or file == "tag":
        candidates = (f"a {file.rpartition('/')[2]} of #1 'é'",)
    for value in candidates:
        if value == before:
            continue
        try:
            carry_out(lio, [Set(place, file, value)])
        except PyshellError:
            continue
        if settings.read(lio.kernel, place.folder, file) != before:
            return True
    return False


def test_a_discard_limit_of_0_survives(pyshell: Pyshell) -> None:
    disk = "/backstores/block/disk"
    pyshell.must("/backstores/block create disk /dev/sdb", f"{disk} set attribute emulate_tpu=1")
    pyshell.must(f"{disk} set attribute max_unmap_block_desc_count=0", "saveconfig")
    pyshell.must("clearconfig confirm=true", "restoreconfig")
    told = pyshell.must(f"{disk} get attribute max_unmap_block_desc_count emulate_tpu")
    assert sorted(told) == ["emulate_tpu=1 ", "max_unmap_block_desc_count=0 "]
    assert pyshell.line("diff").out == ""


def test_field_failure_14_every_setting_survives(pyshell: Pyshell) -> None:
    make_disks(pyshell)  # some of their attributes are fixed while a LUN exports them
    lio = pyshell.open()
    make_alua_groups(lio)
    changed, left = change_everything(lio)
    assert {"emulate_caw", "emulate_tas", "block_size", "alua_access_state", "preferred"} <= changed
    export_disks(pyshell)
    lio = pyshell.open()
    use_alua_groups(lio)
    more, still = change_everything(lio)
    assert {"login_timeout", "MaxConnections", "password_mutual", "tag", "nopin_timeout"} <= more
    assert sorted((left | still) - changed - more) == _FIXED
    guard_discovery(lio)
    first, second = saved_twice(pyshell)
    assert first == second


def make_alua_groups(lio: Lio) -> None:
    """Add an ALUA group to each storage object that may have one."""
    for disk in listing.storage_objects(lio):
        if storage_info.supports_alua(lio, disk):
            carry_out(lio, [CreateAluaGroup(AluaGroup(disk, "second"), 17)])


def use_alua_groups(lio: Lio) -> None:
    """Put every LUN into the added ALUA group of its storage object."""
    for disk in listing.storage_objects(lio):
        for lun in listing.luns_of(lio, disk):
            carry_out(lio, [SetLunAluaGroup(lun, "second")])


def guard_discovery(lio: Lio) -> None:
    """Give discovery credentials of its own."""
    place = FabricPlace(fabric("iscsi", lio.root))
    files = [f"discovery_auth/{file}" for file in settings.AUTH_FILES.values()]
    steps: list[Operation] = [Set(place, file, f"for {file[15:]}") for file in files]
    carry_out(lio, [*steps, Set(place, "discovery_auth/enforce_discovery_auth", "1")])


def saved_twice(pyshell: Pyshell) -> tuple[str, str]:
    """Save, clear, restore and save again; return both files."""
    pyshell.must("saveconfig")
    first = pyshell.saved_file.read_text()
    before = settled(pyshell)
    pyshell.must("clearconfig confirm=true")
    assert pyshell.line("ls").done().out.count("[Storage Objects: 0]") == 4
    assert pyshell.must("restoreconfig") == [f"Configuration restored from {pyshell.saved_file}"]
    assert settled(pyshell) == before
    pyshell.must("saveconfig")
    return first, pyshell.saved_file.read_text()


def settled(pyshell: Pyshell) -> dict[str, str]:
    """Return the kernel's files, without numbers that it gives and names that are drawn."""
    return {
        _HBA.sub(r"\1", name): _HBA.sub(r"\1", text)
        for name, text in pyshell.tree().items()
        if "/statistics" not in name
        and not name.endswith(("/nexus", "/hba_info", "/info", "default_lu_gp/members"))
    }


def test_field_failure_14_defaults_survive_too(pyshell: Pyshell) -> None:
    make_disks(pyshell)
    export_disks(pyshell)
    first, second = saved_twice(pyshell)
    assert first == second


def test_field_failure_14_discovery_credentials_survive_alone(target: Pyshell) -> None:
    target.must("/iscsi set discovery_auth userid=me password=secret1 mutual_userid=you")
    first, second = saved_twice(target)
    assert first == second
    assert '"discovery_password": "secret1"' in second


def test_field_failure_14_the_names_of_links_survive(exported: Pyshell) -> None:
    first, second = saved_twice(exported)
    assert first == second
    assert exported.document()["targets"][0]["tpgs"][0]["luns"][0]["alias"]


def test_field_failure_14_portals_keep_their_spelling(target: Pyshell) -> None:
    target.must(f"{TPG}/portals delete 0.0.0.0 3260")
    folder = target.configfs / f"iscsi/{SERVER}/tpgt_1/np/[::]:3260"
    target.simulator.mkdir(str(folder))  # as another tool spells the wildcard
    first, second = saved_twice(target)
    assert first == second
    assert folder.is_dir()


@pytest.mark.parametrize(("key", "file"), [("iser", "iser"), ("offload", "cxgbit")])
def test_field_failure_14_a_portals_flags_are_saved(target: Pyshell, key: str, file: str) -> None:
    portal = target.configfs / f"iscsi/{SERVER}/tpgt_1/np/0.0.0.0:3260"
    replace_text(portal / file, "1\n")  # as a kernel with that hardware shows it
    target.must("saveconfig")
    (entry,) = target.document()["targets"][0]["tpgs"][0]["portals"]
    assert entry[key] is True


def replace_text(path: Path, text: str) -> None:
    """Give a file of the simulated kernel a text, whatever its mode."""
    path.unlink()
    path.write_text(text)
