# SPDX-License-Identifier: Apache-2.0
"""Tries values on every writable file, in each state of its object that may make a difference."""

from __future__ import annotations

from .conformance_acts import mkdir, rmdir, symlink, unlink, write
from .recorder_objects import (
    enable,
    exported,
    has_nexus,
    instances,
    make_device,
    remove_device,
    withdrawn,
)
from .recorder_recording import IQN, Recording, do

# Before a device is opened, switching these on makes this kernel look at a queue that is not there.
_NEED_A_DEVICE = ("attrib/emulate_tpu", "attrib/emulate_tpws", "attrib/unmap_zeroes_data")


# The target whose LUN 1 makes a storage object an exported one.
TRIED = f"{IQN}:tried"


def try_devices(recording: Recording, plugin: str) -> None:
    """Try values on a plugin's HBA and storage objects."""
    lun = f"iscsi/{TRIED}/tpgt_1/lun/lun_1"
    do(mkdir(f"core/{plugin}_1"))
    recording.tries(f"hba/{plugin}", "new", f"core/{plugin}_1")
    do(rmdir(f"core/{plugin}_1"))
    device = make_device(plugin, 1)
    recording.tries(f"device/{plugin}", "new", device, skip=_NEED_A_DEVICE)
    remove_device(device)
    device = make_device(plugin, 1)
    enable(device)
    recording.tries(f"device/{plugin}", "enabled", device)
    remove_device(device)
    device = make_device(plugin, 1)
    enable(device)
    exported(device, lun)
    recording.tries(f"device/{plugin}", "exported", device)
    withdrawn(lun)
    remove_device(device)


def try_alua(recording: Recording) -> None:
    """Try values on the groups of ALUA."""
    device = make_device("rd_mcp", 1)
    enable(device)
    group, units = f"{device}/alua/group", "core/alua/lu_gps/group"
    do(mkdir(group), mkdir(units))
    recording.tries("lu_gp", "new", units)
    recording.tries("tg_pt_gp", "new", group, skip=("tg_pt_gp_id",))
    do(rmdir(group), mkdir(group), write(f"{group}/tg_pt_gp_id", "41"))
    recording.tries("tg_pt_gp", "numbered", group)
    do(rmdir(group), rmdir(units))
    remove_device(device)


def try_fabric(recording: Recording, fabric: str) -> None:
    """Try values on a fabric's objects."""
    tokens = next(instances(fabric))
    target = f"{fabric}/{tokens['target']}"
    tpg, lun = f"{target}/tpgt_1", f"{target}/tpgt_1/lun/lun_0"
    do(mkdir(target))
    recording.tries(f"target/{fabric}", "new", target)
    do(mkdir(tpg))
    recording.tries(f"tpg/{fabric}", "new", tpg)
    if fabric == "iscsi":
        do(mkdir(f"{tpg}/np/127.0.0.1:3333"))
        recording.tries("portal/iscsi", "new", f"{tpg}/np/127.0.0.1:3333", skip=("iser",))
        do(rmdir(f"{tpg}/np/127.0.0.1:3333"))
    device = make_device("rd_mcp", 1)
    enable(device)
    if has_nexus(fabric):
        do(write(f"{tpg}/nexus", tokens["nexus"]))
    do(mkdir(lun))
    recording.tries(f"lun/{fabric}", "new", lun)
    do(symlink(device, f"{lun}/link"))
    recording.tries(f"lun/{fabric}", "linked", lun)
    if not has_nexus(fabric):
        try_acl(recording, fabric, f"{tpg}/acls/{tokens['initiator']}", lun)
    do(unlink(f"{lun}/link"), rmdir(lun))
    if has_nexus(fabric):
        do(write(f"{tpg}/nexus", "NULL"))
    remove_device(device)
    do(rmdir(tpg), rmdir(target))


def try_acl(recording: Recording, fabric: str, acl: str, lun: str) -> None:
    """Try values on a node ACL and a mapped LUN."""
    do(mkdir(acl))
    recording.tries(f"acl/{fabric}", "new", acl)
    do(mkdir(f"{acl}/lun_0"))
    recording.tries(f"mapped/{fabric}", "new", f"{acl}/lun_0")
    do(symlink(lun, f"{acl}/lun_0/link"))
    recording.tries(f"mapped/{fabric}", "linked", f"{acl}/lun_0")
    do(unlink(f"{acl}/lun_0/link"), rmdir(f"{acl}/lun_0"), rmdir(acl))
