# SPDX-License-Identifier: Apache-2.0
"""Records what a real LIO kernel makes and accepts, for the simulator's `recorded.json`.

In two guests with the volume of the scenario and a scsi_debug disk, then on any machine:
    python -m tests.kernel.bed run --lvm --modules "sd_mod scsi_debug vhost_scsi" --results DIR -- \
        python -m tests.kernel.recorder DIR/raw.json
    python -m tests.kernel.recorder_merge DIR1/raw.json DIR2/raw.json

Every kind of object is made twice, with different names and numbers, so that the merge can tell
what in a text belongs to the kernel and what to the instance. Then values are tried on every
writable file, in every state of the object in which the kernel may judge otherwise.
"""

from __future__ import annotations

import itertools
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .conformance_acts import (
    CONFIGFS,
    OK,
    Act,
    RealKernel,
    mkdir,
    perform,
    rmdir,
    symlink,
    text_of,
    unlink,
    write,
)

KERNEL = RealKernel()
VOLUME = "/dev/mapper/lee-lee.lv"
IMAGE = "/run/recorder.img"
IQN = "iqn.2020-07.org.example"
NAA = "naa.500140500000000"
# What is tried on every writable file, beside its own text.
VALUES = (
    *(str(number) for number in range(17)),
    *("-1", "-2", "+1", "0x10", "010", "08", "1\n", " 1", "1 ", "1\n\n", "0x", "+-1", ""),
    *("255", "256", "511", "512", "1024", "2048", "4095", "4096", "32767", "32768"),
    *("65535", "65536", "2147483647", "2147483648", "4294967295", "4294967296"),
    *("9223372036854775807", "9223372036854775808", "18446744073709551615"),
    *("18446744073709551616", "340282366920938463463374607431768211456"),
    *(
        "513",
        "1536",
        "4096x",
        "0x400",
        "01000",
        "KRB5",
        "SPKM1",
        "SPKM2",
        "SRP",
        "online",
        "offline",
    ),
    *("foo", "Yes", "No", "yes", "no", "on", "off", "ON", "oFF", "ox", "o", "y", "N", "true"),
    *("False", "NULL", "NULLx", "None", "none", "CRC32C", "CHAP", "CHAP,None", "None,CHAP"),
    *("CRC32C,None", "CHAP,SRP", "a,b", "a=b", "a b", "\n", "é", "x" * 100, "x" * 255, "x" * 600),
)
# A delay that is left standing would make the next change of state wait for it.
_DELAYS = ("trans_delay_msecs", "implicit_trans_secs")
# Without a logical unit group, the next write to alua_access_state stops this kernel for good.
_HARMFUL = {"alua_lu_gp": ("NULL", "NULLx")}
# Before a device is opened, switching these on makes this kernel look at a queue that is not there.
_NEED_A_DEVICE = ("attrib/emulate_tpu", "attrib/emulate_tpws", "attrib/unmap_zeroes_data")
# These act on the object; conformance tries them.
_NOT_TRIED = ("control", "enable")

Snapshot = dict[str, dict[str, Any]]


def do(*acts: Act) -> None:
    """Perform acts that must succeed."""
    for act in acts:
        outcome = perform(KERNEL, act)
        if outcome != OK:
            raise SystemExit(f"recorder: {act}: {outcome}")


def snapshot(rel: str) -> Snapshot:
    """Return all that lies below an object: kind, mode, and text or errno."""
    top = CONFIGFS / rel
    found: Snapshot = {}
    for folder, groups, files in os.walk(top):
        inside = os.path.relpath(folder, top)
        for name in sorted([*groups, *files]):
            inner = os.path.normpath(f"{inside}/{name}")
            if not os.path.islink(f"{top}/{inner}"):
                found[inner] = _entry(f"{rel}/{inner}".lstrip("/"), name in groups)
    return found


def _entry(path: str, is_group: bool) -> dict[str, Any]:
    mode = f"{os.lstat(CONFIGFS / path).st_mode & 0o7777:04o}"
    if is_group:
        return {"group": True, "mode": mode}
    text = text_of(KERNEL, path)
    if text.startswith("<E"):
        return {"mode": mode, "text": "", "errno": text[1:-1]}
    return {"mode": mode, "text": text}


class Recording:
    """What one boot shows; kept in the file after every step, in case the next is the last."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._log = file.with_suffix(".log").open("w")
        self.data: dict[str, Any] = {"kernel": platform.release(), "kinds": {}, "tries": {}}

    def instance(
        self,
        kind: str,
        tokens: dict[str, Any],
        more: dict[str, dict[str, Any]] | None = None,
        **states: Snapshot,
    ) -> None:
        """Keep one instance of a kind in its states; `more` are tokens that only a state has."""
        texts = {name: str(value) for name, value in tokens.items()}
        other = {s: {n: str(v) for n, v in values.items()} for s, values in (more or {}).items()}
        entry = {"tokens": texts, "more": other, "states": states}
        self.data["kinds"].setdefault(kind, []).append(entry)
        self._save()

    def tries(self, kind: str, state: str, rel: str, skip: tuple[str, ...] = ()) -> None:
        """Try values on the writable files of an object."""
        for inner, entry in snapshot(rel).items():
            is_writable = "group" not in entry and int(entry["mode"], 8) & 0o200
            is_own = not inner.startswith((IQN, NAA))
            if is_writable and is_own and inner not in (*_NOT_TRIED, *skip):
                rows = self._tries_on(f"{rel}/{inner}")
                self.data["tries"].setdefault(f"{kind} {state}", {})[inner] = rows
        self._save()

    def _tries_on(self, path: str) -> list[list[str]]:
        rows: list[list[str]] = []

        def attempt(value: str) -> str:
            print(f"{path} {value!r}", file=self._log, flush=True)
            outcome = perform(KERNEL, write(path, value))
            rows.append([value, outcome, text_of(KERNEL, path)])
            return outcome

        own = text_of(KERNEL, path)
        for value in VALUES:
            if value not in _HARMFUL.get(os.path.basename(path), ()):
                attempt(value)
        _find_bounds(rows, attempt, lambda value: value.isdigit(), int, str)
        _find_bounds(rows, attempt, lambda value: set(value) == {"x"}, len, lambda n: "x" * n)
        attempt(own)
        if path.endswith(_DELAYS):
            do(write(path, "0"))
        return rows

    def _save(self) -> None:
        self._file.write_text(json.dumps(self.data))


def _find_bounds(
    rows: list[list[str]],
    attempt: Callable[[str], str],
    chosen: Callable[[str], bool],
    measure: Callable[[str], int],
    make: Callable[[int], str],
) -> None:
    """Try what lies between an accepted and a refused value until the two are neighbours."""
    outcomes = {measure(v): outcome == OK for v, outcome, _ in rows if v and chosen(v)}
    known = sorted(n for n in outcomes if n < 2**63)
    for low, high in itertools.pairwise(known):
        below, above = low, high
        while outcomes[low] != outcomes[high] and above - below > 1:
            middle = (below + above) // 2
            if (attempt(make(middle)) == OK) == outcomes[low]:
                below = middle
            else:
                above = middle
        if outcomes[low] and outcomes[high] and high - low > 1:
            attempt(make(low + 1))  # not all that lies between two accepted ones need be


def number_in(path: str) -> int:
    """Return the first number in a file."""
    return int(next(word for word in text_of(KERNEL, path).split() if word.isdigit()))


# Storage objects


def scsi_disk() -> Path:
    """Return the folder of a SCSI disk below /sys/class/scsi_device."""
    return sorted(Path("/sys/class/scsi_device").iterdir())[0]


def control_of(plugin: str) -> str:
    """Return what makes a storage object of `plugin` usable."""
    if plugin == "pscsi":
        names = ("scsi_host_id", "scsi_channel_id", "scsi_target_id", "scsi_lun_id")
        numbers = scsi_disk().name.split(":")
        return ",".join(f"{n}={value}" for n, value in zip(names, numbers, strict=True))
    return {
        "iblock": f"udev_path={VOLUME}",
        "fileio": f"fd_dev_name={IMAGE},fd_dev_size=1048576",
        "rd_mcp": "rd_pages=256",
    }[plugin]


def make_device(plugin: str, host: int, name: str = "disk") -> str:
    """Make an HBA with one storage object that is not enabled."""
    hba = f"core/{plugin}_{host}"
    do(mkdir(hba), mkdir(f"{hba}/{name}"))
    return f"{hba}/{name}"


def enable(device: str) -> None:
    """Enable a storage object."""
    plugin = device.split("/")[1].rpartition("_")[0]
    do(write(f"{device}/control", control_of(plugin)))
    if plugin == "pscsi":
        disk = next((scsi_disk() / "device" / "block").iterdir())
        do(write(f"{device}/udev_path", f"/dev/{disk.name}"))
    do(write(f"{device}/enable", "1"))


def remove_device(device: str) -> None:
    """Remove a storage object and its HBA."""
    do(rmdir(device), rmdir(device.rpartition("/")[0]))


def exported(device: str, lun: str) -> None:
    """Make a LUN of the storage object."""
    do(mkdir(lun), symlink(device, f"{lun}/link"))


def withdrawn(lun: str) -> None:
    """Remove such a LUN."""
    do(unlink(f"{lun}/link"), rmdir(lun))


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
    for plugin in ("iblock", "fileio", "rd_mcp", "pscsi"):
        for host, name, serial in ((7, "alpha", "serial-a"), (8, "bravo", "serial-b")):
            device = make_device(plugin, host, name)
            tokens: dict[str, Any] = {
                "hba_index": number_in(f"core/{plugin}_{host}/hba_info"),
                "host": host,
            }
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


# Fabrics


def instances(fabric: str) -> Iterator[dict[str, Any]]:
    """Yield the names and numbers of two instances of what a fabric has."""
    wwns = [f"{IQN}:{name}" for name in ("alpha", "bravo")]
    initiators = [f"{IQN}:{name}" for name in ("india", "juliet")]
    if fabric != "iscsi":
        wwns, initiators = [f"{NAA}{d}" for d in "ab"], [f"{NAA}{d}" for d in "cd"]
    for step in range(2):
        yield {
            "target": wwns[step],
            "initiator": initiators[step],
            "tag": 27 + step,
            "lun": 33 + step,
            "mapped": 35 + step,
            "host": 9 + step,
            "serial": f"serial-{step}",
        }


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
            recording.instance("tpg/iscsi", tokens, new=new)
        else:
            do(write(f"{tpg}/nexus", tokens["initiator"]))
            recording.instance(f"tpg/{fabric}", tokens, new=new, joined=snapshot(tpg))
        record_luns(recording, fabric, tokens, tpg)
        if fabric != "iscsi":
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
        port = 73 + tokens["tag"]
        for _ in range(port - 1):
            do(symlink(device, f"{lun}/link"), unlink(f"{lun}/link"))
        do(symlink(device, f"{lun}/link"))
        states[f"linked to {plugin}"] = snapshot(lun)
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


# Tries


def try_devices(recording: Recording) -> None:
    """Try values on storage objects."""
    lun = f"iscsi/{IQN}:spare0/tpgt_1/lun/lun_1"
    for plugin in ("rd_mcp", "iblock", "fileio", "pscsi"):
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
    if fabric != "iscsi":
        do(write(f"{tpg}/nexus", tokens["initiator"]))
    do(mkdir(lun))
    recording.tries(f"lun/{fabric}", "new", lun)
    do(symlink(device, f"{lun}/link"))
    recording.tries(f"lun/{fabric}", "linked", lun)
    if fabric == "iscsi":
        try_acl(recording, f"{tpg}/acls/{tokens['initiator']}", lun)
    do(unlink(f"{lun}/link"), rmdir(lun))
    if fabric != "iscsi":
        do(write(f"{tpg}/nexus", "NULL"))
    remove_device(device)
    do(rmdir(tpg), rmdir(target))


def try_acl(recording: Recording, acl: str, lun: str) -> None:
    """Try values on a node ACL and a mapped LUN."""
    do(mkdir(acl))
    recording.tries("acl/iscsi", "new", acl)
    do(mkdir(f"{acl}/lun_0"))
    recording.tries("mapped/iscsi", "new", f"{acl}/lun_0")
    do(symlink(lun, f"{acl}/lun_0/link"))
    recording.tries("mapped/iscsi", "linked", f"{acl}/lun_0")
    do(unlink(f"{acl}/lun_0/link"), rmdir(f"{acl}/lun_0"), rmdir(acl))


def main(file: Path) -> None:
    """Record everything that this kernel has."""
    # The kernel complains of each refusal; on a serial console that takes longer than the try.
    Path("/proc/sys/kernel/printk").write_text("1")
    recording = Recording(file)
    fabrics = ["iscsi", "loopback"]
    recording.instance("root", {}, new=snapshot(""))
    recording.instance("root", {}, new=snapshot(""))
    for fabric in (*fabrics, "vhost"):
        if perform(KERNEL, mkdir(fabric)) == OK:
            tokens = {"cpus": f"0-{(os.cpu_count() or 1) - 1}"}
            recording.instance(f"fabric/{fabric}", tokens, new=snapshot(fabric))
            recording.instance(f"fabric/{fabric}", tokens, new=snapshot(fabric))
            fabrics = [*dict.fromkeys([*fabrics, fabric])]
    spend_numbers()
    record_devices(recording)
    record_alua(recording)
    for fabric in fabrics:
        record_fabric(recording, fabric)
    for fabric in fabrics:
        recording.tries(f"fabric/{fabric}", "new", fabric)
    try_alua(recording)
    try_devices(recording)
    for fabric in fabrics:
        try_fabric(recording, fabric)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
