# SPDX-License-Identifier: Apache-2.0
"""The table of settings says what the real kernel does, and groups of ALUA and ACLs work there."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import rtslib_fb

from driver import run_here
from pyshell.config import document_file, object_operations, restoration
from pyshell.config.running import read_running
from pyshell.lio import Lio, attach, listing, settings
from pyshell.lio.configfs import CONFIGFS, changing
from pyshell.lio.identifiers import AluaGroup, Identifier, NodeAcl, Target, Tpg
from pyshell.lio.settings import UNEXPORTED, Attribute

from ..commands import run
from ..initiator import NAME, Chap, Initiator
from .export import ADDRESS, SERVER, TPG

DISK = "/backstores/ramdisk/memory"
FIRST = Tpg(Target("iscsi", SERVER, CONFIGFS), 1)
SECOND_CLIENT = "iqn.2020-07.192.168.56.105:second"
NAA = "naa.500140500000000"
# iscsiadm's status where the target refuses the initiator.
NOT_AUTHORISED = 24
# What a backend or a device without the faculty answers to a value that others take.
NOT_HERE = (errno.ENOSYS, errno.ENODEV)
# What takes less as things stand: a state must be supported, a format needs a protection type, and
# a block device itself knows whether it has a cache.
LESS = {
    ("", "alua_access_state"): ("1", "2", "0"),
    ("block", "emulate_write_cache"): ("0",),
    ("fileio", "pi_prot_format"): ("0",),
}


@dataclass(frozen=True)
class Found:
    """A setting of an object, with its row."""

    place: Identifier
    owner: str
    file: str
    row: Attribute
    writable: bool

    def __str__(self) -> str:
        return f"{self.file} of {self.place}"


def here() -> Lio:
    """Return this machine's target."""
    found = attach()
    found.ready()
    return found


def do(*lines: str) -> str:
    """Run one-liners in this process, which is quicker here by far; return what they print."""
    told = ""
    for line in lines:
        ran = run_here([line])
        assert ran.status == 0, f"{line}: {ran.err}"
        told += ran.out
    return told


def export() -> None:
    """Export a ramdisk of 8 MiB to the initiator."""
    do(
        "/backstores/ramdisk create memory 8M",
        f"/iscsi create {SERVER}",
        f"{TPG}/acls create {NAME}",
        f"{TPG}/luns create {DISK}",
    )


def of(place: Identifier, owner: str, folder: str, kind: str) -> Iterator[Found]:
    """Yield the settings in a folder of an object."""
    every, writable = settings.names_in(place.folder, folder)
    for name in every:
        file = f"{folder}/{name}" if folder else name
        yield Found(place, owner, file, settings.row(kind, name), name in writable)


def of_storage_objects() -> Iterator[Found]:
    """Yield the attributes of all storage objects."""
    for place in listing.storage_objects(here()):
        yield from of(place, place.plugin, "attrib", "storage_object")


def of_groups(plugin: str) -> Iterator[Found]:
    """Yield the settings of the ALUA groups of a plugin's storage objects."""
    for place in listing.storage_objects(here(), plugin):
        for group in listing.alua_groups(place):
            yield from of(group, "", "", "alua_group")


def of_fabrics() -> Iterator[Found]:
    """Yield the settings of all targets, TPGs and ACLs."""
    for used in listing.fabrics_in_use(here()):
        for target in listing.targets(used):
            yield from of(target, used.name, "param", "target_parameter")
            for tpg in listing.tpgs(target):
                yield from of(tpg, used.name, "attrib", "tpg")
                yield from of(tpg, used.name, "param", "tpg_parameter")
                for acl in listing.node_acls(tpg):
                    yield from of(acl, used.name, "attrib", "node_acl")


def taken(lio: Lio, found: Found) -> tuple[str, ...]:
    """Return values that the table says the kernel takes."""
    row = found.row
    if (found.owner, row.name) in LESS:
        return LESS[found.owner, row.name]
    if row.name == "cmd_completion_affinity":  # the table has the most that any host has
        return ("-2", str((os.cpu_count() or 1) - 1))
    if row.type in ("boolean", "yesno"):
        return ("1", "0") if row.type == "boolean" else ("No", "Yes")
    if row.values:
        return tuple(row.values)
    limits = (limit for pair in row.range for limit in pair)
    return tuple(
        str(limit) if isinstance(limit, int) else settings.read(
            lio.kernel, found.place.folder, f"attrib/{limit}"
        )
        for limit in limits
    )  # fmt: skip


def refused(lio: Lio, found: Found) -> tuple[str, ...]:
    """Return values that the table says the kernel does not take."""
    row = found.row
    if row.write == "ignored":
        return ()
    if row.type in ("boolean", "yesno"):
        return ("2", "Maybe") if row.type == "boolean" else ("Maybe",)
    if row.values:
        return ("9", "Bogus") if row.type != "choice" else ("9", "77")
    if not row.range:
        return ()
    numbers = [int(value) for value in taken(lio, found)]
    above, below = str(max(numbers) + 1), str(min(numbers) - 1)
    # The kernel reads what is no number in a parameter, and so -1, as 0.
    return (above,) if found.file.startswith("param/") and below == "-1" else (above, below)


def write(lio: Lio, found: Found, value: str) -> int:
    """Write as the shell does; return the kernel's errno, 0 where it took the value."""
    try:
        with changing():
            settings.write(lio.kernel, found.place.folder, found.file, value)
    except OSError as error:
        return error.errno or -1
    except rtslib_fb.RTSLibError as error:
        beneath = error.__context__
        return beneath.errno or -1 if isinstance(beneath, OSError) else -1
    return 0


def read(lio: Lio, found: Found) -> str:
    """Return the value that is there."""
    return settings.read(lio.kernel, found.place.folder, found.file)


def another(lio: Lio, found: Found) -> str | None:
    """Return a value other than the present one, None where the table has no second."""
    now = read(lio, found)
    return next((value for value in taken(lio, found) if value != now), None)


def judge(lio: Lio, found: Found) -> Iterator[str]:
    """Write what the table says is taken and what is not; yield what the kernel sees otherwise."""
    before = read(lio, found)
    for value in taken(lio, found):
        code = write(lio, found, value)
        fits = code == 0 or (code in NOT_HERE and value != before)
        if found.row.write == "fixed":
            fits = (code == 0) == (value == before)
        if not fits:
            yield f"{found}: {value} was refused ({code})"
    for value in refused(lio, found):
        if write(lio, found, value) == 0:
            yield f"{found}: {value} was taken, as {read(lio, found)}"
    if read(lio, found) != before:
        write(lio, found, before)


def make_everything(image: Path) -> None:
    """Make an object of each kind that this kernel has without hardware."""
    run("modprobe", "vhost_scsi")
    do(
        f"/backstores/fileio create image {image} 8M discard=false",
        f"/backstores/fileio create through {image}.2 8M write_back=false discard=false",
        "/backstores/block create lee /dev/mapper/lee-lee.lv discard=false",
        "/backstores/ramdisk create memory 8M",
        "/backstores/ramdisk/memory/alua create more 7",
        f"/iscsi create {SERVER}",
        f"{TPG}/acls create {NAME}",
        *(f"/{name} create {NAA}{n}" for n, name in enumerate(("loopback", "vhost"))),
    )


def test_the_table_is_what_the_kernel_does(lee: Path, tmp_path: Path) -> None:
    make_everything(tmp_path / "image")
    lio = here()
    faults = []
    every = [*of_storage_objects(), *of_groups("ramdisk"), *of_fabrics()]
    assert len({found.row.name for found in every}) > 90
    for found in every:
        if not found.row.source:
            faults.append(f"{found}: the table has no row")
        default = found.row.default_of(found.owner)
        if default is not None and found.row.write != "never" and default != read(lio, found):
            faults.append(f"{found}: {read(lio, found)}, not {default}")
        shown_only = found.row.name in ("alua_support_lba_dependent", "tg_pt_gp_id")
        if not shown_only and found.writable != (found.row.write != "never"):
            faults.append(f"{found}: writable is {found.writable}")
    for found in every:
        if found.writable and found.row.tried and found.row.write != "never":
            faults += judge(lio, found)
    assert not faults, "\n".join(faults)

    do(
        f"{TPG}/luns create /backstores/fileio/image",
        f"{TPG}/luns create /backstores/fileio/through",
        f"{TPG}/luns create /backstores/block/lee",
        f"{TPG}/luns create /backstores/ramdisk/memory",
    )
    for found in of_storage_objects():
        value = "1" if found.row.name == "pi_prot_format" else another(lio, found)
        if not found.writable or value is None or found.row.write in ("fixed", "ignored"):
            continue
        before = read(lio, found)
        code = write(lio, found, value)
        if found.row.write == UNEXPORTED and code == 0:
            faults.append(f"{found} was written while exported")
        if found.row.write == "always" and code not in (0, *NOT_HERE):
            faults.append(f"{found} could not be written while exported ({code})")
        if code == 0:
            write(lio, found, before)
    assert not faults, "\n".join(faults)
    refusal = run_here([f"{DISK} set attribute block_size=4096"])
    assert refusal.status == 5
    assert "cannot change while a LUN exports it" in refusal.err


def test_settings_of_tpg_and_acl_can_be_written_with_a_session(
    clean_lio: None, initiator: Initiator
) -> None:
    export()
    initiator.start()
    initiator.discover(ADDRESS)
    initiator.login(SERVER)
    lio = here()
    acl = NodeAcl(FIRST, NAME)
    assert "LOGGED_IN" in lio.kernel.read(f"{acl.folder}/info")
    every = [found for found in of_fabrics() if found.writable and found.row.tried]
    faults = [f"{found} was refused" for found in every if not _changes_and_back(lio, found)]
    assert not faults, "\n".join(faults)
    assert "LOGGED_IN" in lio.kernel.read(f"{acl.folder}/info")

    # The same TPG without the ACL: its own secrets let everyone in who has them.
    initiator.logout(SERVER)
    right = Chap("everyone", "secret-of-everyone")
    do(
        f"{TPG}/acls delete {NAME}",
        f"{TPG} set attribute authentication=1 generate_node_acls=1",
        f"{TPG} set auth userid={right.user} password={right.password}",
        f"{TPG} set auth mutual_userid=target mutual_password=secret-of-target",
    )
    for chap, status in ((Chap(right.user, "not-the-secret-x"), NOT_AUTHORISED), (right, 0)):
        initiator.configure(chap, Chap("target", "secret-of-target"))
        initiator.discover(ADDRESS)
        assert initiator.try_login(SERVER).returncode == status
    assert [session.target for session in initiator.sessions()] == [SERVER]


def _changes_and_back(lio: Lio, found: Found) -> bool:
    before, value = read(lio, found), another(lio, found)
    if value is None:
        return True
    return write(lio, found, value) == 0 and write(lio, found, before) == 0


def test_groups_of_alua_and_of_acls_come_back(clean_lio: None) -> None:
    export()
    told = do(
        f"{DISK}/alua create standby 16",
        f"{DISK}/alua/standby set alua alua_access_type=1 alua_access_state=standby preferred=yes",
        f"{TPG}/luns/lun0 set alua alua_tg_pt_gp_name=standby",
        f"{TPG}/acls create {SECOND_CLIENT} add_mapped_luns=no",
        f"{TPG}/acls tag {NAME} cluster",
        f"{TPG}/acls/cluster set auth userid=u password=secret-of-cluster",
        f"{TPG}/acls tag {SECOND_CLIENT} cluster",
        "/backstores/ramdisk create second 8M",
        f"{TPG}/acls/cluster create 5 /backstores/ramdisk/second write_protect=on",
        f"{DISK}/alua ls",
    )
    assert "Created ALUA TPG standby." in told
    assert "ALUA state: Standby" in told
    lio = here()
    first, second = listing.luns(FIRST)
    group = AluaGroup(listing.require_storage_object(lio, "ramdisk", "memory"), "standby")
    assert "lun_0" in lio.kernel.read(f"{group.folder}/members")
    acls = listing.node_acls(FIRST)
    for acl in acls:
        assert [listing.lun_of(mapped) for mapped in listing.mapped_luns(acl)] == [first, second]
        assert lio.kernel.read(f"{acl.folder}/lun_5/write_protect").strip() == "1"
        assert settings.read(lio.kernel, acl.folder, "auth/password") == "secret-of-cluster"
    with changing():
        lio.kernel.write(f"{acls[0].folder}/cmdsn_depth", "32")
    before = document_file.to_text(read_running(lio))
    object_operations.clear(lio)
    assert restoration.restore(lio, json.loads(before)).skipped == []
    assert document_file.to_text(read_running(lio)) == before

    # rtslib saves no depth, but takes it from the file.
    with changing():
        rtslib_fb.RTSRoot().clear_existing(confirm=True)
        assert rtslib_fb.RTSRoot().restore(json.loads(before)) == []
    assert [lio.kernel.read(f"{acl.folder}/cmdsn_depth").strip() for acl in acls] == ["32", "64"]
    assert [lio.kernel.read(f"{acl.folder}/tag").strip() for acl in acls] == ["cluster"] * 2

    do(f"{DISK}/alua delete standby", f"{TPG}/acls untag cluster", f"{TPG}/acls delete {NAME}")
    assert "default_tg_pt_gp" in lio.kernel.read(f"{first.folder}/alua_tg_pt_gp")
    assert [acl.wwn for acl in listing.node_acls(FIRST)] == [SECOND_CLIENT]
    assert lio.kernel.read(f"{acls[1].folder}/tag").strip() == ""
