# SPDX-License-Identifier: Apache-2.0
"""Records every kind of object as the kernel makes it, twice, and as it changes in use."""

from __future__ import annotations

from typing import Any

from .conformance_acts import mkdir, perform, rmdir, symlink, text_of, unlink, write
from .recorder_objects import (
    enable,
    exported,
    instances,
    make_device,
    remove_device,
    withdrawn,
)
from .recorder_recording import IQN, KERNEL, Recording, Snapshot, do, number_in, snapshot


def spend_numbers() -> None:
    """Drive the kernel's counters apart, so that no two of an object's numbers are the same."""
    for _ in range(20):
        do(mkdir("core/rd_mcp_0"), rmdir("core/rd_mcp_0"))
    for _ in range(60):
        device = make_device("rd_mcp", 0)
        enable(device)
        remove_device(device)
    for number in range(5):
        do(mkdir(f"iscsi/{IQN}:spare{number}"))
    do(mkdir(f"iscsi/{IQN}:spare0/tpgt_1"))
    for _ in range(120):
        acl = f"iscsi/{IQN}:spare0/tpgt_1/acls/{IQN}:x"
        do(mkdir(acl), rmdir(acl))


def record_devices(recording: Recording) -> None:
    """Record storage objects of every plugin, and their HBAs, as they come into use."""
    spare = f"iscsi/{IQN}:spare0/tpgt_1/lun/lun_1"
    for plugin in ("iblock", "fileio", "rd_mcp", "pscsi", "user"):
        for host, name, serial in ((7, "alpha", "serial-a"), (8, "bravo", "serial-b")):
            device = make_device(plugin, host, name)
            index = number_in(f"core/{plugin}_{host}/hba_info")
            tokens: dict[str, Any] = {"hba_index": index, "host": host}
            hba = {k: v for k, v in snapshot(f"core/{plugin}_{host}").items() if "/" not in k}
            hba.pop(name)
            recording.instance(f"hba/{plugin}", tokens, new=hba)
            new = snapshot(device)
            enable(device)
            enabled = snapshot(device)
            tokens["device_index"] = number_in(f"{device}/statistics/scsi_dev/indx")
            tokens["instance"] = number_in(f"{device}/statistics/scsi_dev/inst")
            perform(KERNEL, write(f"{device}/wwn/vpd_unit_serial", serial))
            numbered = snapshot(device)
            exported(device, spare)
            tokens |= {"name": name, "serial": serial}
            recording.instance(
                f"device/{plugin}",
                tokens,
                new=new,
                enabled=enabled,
                numbered=numbered,
                exported=snapshot(device),
            )
            withdrawn(spare)
            remove_device(device)


def record_alua(recording: Recording) -> None:
    """Record the groups of ALUA."""
    device = make_device("rd_mcp", 1)
    enable(device)
    for name, number in (("alpha", 41), ("bravo", 42)):
        group, units = f"{device}/alua/{name}", f"core/alua/lu_gps/{name}"
        do(mkdir(group), mkdir(units))
        new, new_units = snapshot(group), snapshot(units)
        do(write(f"{group}/tg_pt_gp_id", str(number)), write(f"{units}/lu_gp_id", str(number)))
        tokens = {"name": name, "number": number}
        recording.instance("tg_pt_gp", tokens, new=new, numbered=snapshot(group))
        recording.instance("lu_gp", tokens, new=new_units, numbered=snapshot(units))
        do(rmdir(group), rmdir(units))
    remove_device(device)


def record_fabric(recording: Recording, fabric: str) -> None:
    """Record a fabric and all objects in it."""
    for tokens in instances(fabric):
        target = f"{fabric}/{tokens['target']}"
        tpg = f"{target}/tpgt_{tokens['tag']}"
        do(mkdir(target))
        if fabric == "iscsi":
            inst = f"{target}/fabric_statistics/iscsi_instance/inst"
            tokens["target_index"] = number_in(inst)
        recording.instance(f"target/{fabric}", tokens, new=snapshot(target))
        do(mkdir(tpg))
        new = snapshot(tpg)
        if fabric == "iscsi":
            record_iscsi(recording, tokens, tpg)
        if "nexus" in new:
            do(write(f"{tpg}/nexus", tokens["nexus"]))
            recording.instance(f"tpg/{fabric}", tokens, new=new, joined=snapshot(tpg))
        else:
            recording.instance(f"tpg/{fabric}", tokens, new=new)
        record_luns(recording, fabric, tokens, tpg)
        if "nexus" in new:
            do(write(f"{tpg}/nexus", "NULL"))
        do(rmdir(tpg), rmdir(target))
        if fabric == "iscsi":
            do(mkdir(f"iscsi/{IQN}:spare{tokens['target_index']}"))  # the next gets another number


def record_iscsi(recording: Recording, tokens: dict[str, Any], tpg: str) -> None:
    """Record what only an iSCSI TPG holds."""
    portal = f"{tpg}/np/127.0.0.1:{3300 + tokens['tag']}"
    do(mkdir(portal))
    recording.instance("portal/iscsi", tokens, new=snapshot(portal))
    do(rmdir(portal))


def record_luns(recording: Recording, fabric: str, tokens: dict[str, Any], tpg: str) -> None:
    """Record LUNs on two kinds of storage object, and where there are ACLs, mapped LUNs."""
    lun = f"{tpg}/lun/lun_{tokens['lun']}"
    do(mkdir(lun))
    new = snapshot(lun)
    states, more = {}, {}
    for plugin in ("pscsi", "rd_mcp"):
        device = make_device(plugin, tokens["host"])
        enable(device)
        perform(KERNEL, write(f"{device}/wwn/vpd_unit_serial", tokens["serial"]))
        port = 67 + tokens["lun"]
        for _ in range(port - 1):
            do(symlink(device, f"{lun}/link"), unlink(f"{lun}/link"))
        do(symlink(device, f"{lun}/link"))
        states[f"linked to {plugin}"] = unused(snapshot(lun))
        more[f"linked to {plugin}"] = {
            "device_index": number_in(f"{device}/statistics/scsi_dev/indx"),
            "instance": number_in(f"{device}/statistics/scsi_dev/inst"),
            "serial": text_of(KERNEL, f"{device}/wwn/vpd_unit_serial").split(": ")[1].strip(),
            "port": port,
        }
        if plugin == "pscsi":
            do(unlink(f"{lun}/link"))
            remove_device(device)
    recording.instance(f"lun/{fabric}", tokens, more, new=new, **states)
    tokens |= more["linked to rd_mcp"]
    record_acl(recording, fabric, tokens, tpg, lun)
    do(unlink(f"{lun}/link"), rmdir(lun))
    remove_device(device)


def unused(lun: Snapshot) -> Snapshot:
    """Return a LUN as if nobody had sent it a command yet.

    Each link before the last was one to a loopback target's own host, too, which asked for the
    disk's name and size: a hundred times as much as a new LUN is asked. The simulator counts that.
    """
    return {
        inner: {**entry, "text": "0\n"} if inner.endswith("/in_cmds") and entry["text"] else entry
        for inner, entry in lun.items()
    }


def record_acl(
    recording: Recording, fabric: str, tokens: dict[str, Any], tpg: str, lun: str
) -> None:
    """Record a node ACL and a mapped LUN in it."""
    acl = f"{tpg}/acls/{tokens['initiator']}"
    do(mkdir(acl))
    new = snapshot(acl)
    mapped = f"{acl}/lun_{tokens['mapped']}"
    do(mkdir(mapped))
    new_mapped = snapshot(mapped)
    do(symlink(lun, f"{mapped}/link"))
    tokens["acl_index"] = number_in(f"{mapped}/statistics/scsi_auth_intr/indx")
    recording.instance(f"acl/{fabric}", tokens, new=new)
    recording.instance(f"mapped/{fabric}", tokens, new=new_mapped, linked=snapshot(mapped))
    do(unlink(f"{mapped}/link"), rmdir(mapped), rmdir(acl))
