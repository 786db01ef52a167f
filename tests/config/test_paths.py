# SPDX-License-Identifier: Apache-2.0
"""Finding 44: no document makes pyshell touch a file outside of configfs, whatever it names."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from rtslib_fb import node

from driver import Pyshell
from pyshell.config.document_file import DocumentError, parse, to_text
from pyshell.config.model import items
from pyshell.config.restoration import restore
from pyshell.config.running import read_running
from pyshell.config.validate import Scope, check_text
from pyshell.errors import PyshellError
from pyshell.lio import Lio, identifiers, rtslib
from pyshell.lio.configfs import RealKernel, changing
from pyshell.lio.failures import doing
from pyshell.lio.operations import mapping, setters, storage, targets
from pyshell.lio.operations.base import Operation

UP = "../" * 12
SERVER = "iqn.2020-07.com.example:disks"
CLIENT = "iqn.2020-07.com.example:client"
DOCUMENT: dict[str, Any] = {
    "storage_objects": [
        {
            "name": "scratch",
            "plugin": "ramdisk",
            "size": 1 << 20,
            "wwn": "a5b5d0a8-3a52-4e55-9b0a-3f6f1f6b7a01",
            "attributes": {"emulate_tpu": 0},
            "alua_tpgs": [{"name": "slow", "tg_pt_gp_id": 7, "preferred": 1}],
        }
    ],
    "targets": [
        {
            "fabric": "iscsi",
            "wwn": SERVER,
            "parameters": {"cmd_completion_affinity": -1},
            "tpgs": [
                {
                    "tag": 1,
                    "attributes": {"login_timeout": 20},
                    "parameters": {"MaxConnections": "2"},
                    "luns": [
                        {
                            "index": 0,
                            "storage_object": "/backstores/ramdisk/scratch",
                            "alias": "first",
                            "alua_tg_pt_gp_name": "slow",
                        }
                    ],
                    "portals": [{"ip_address": "fe80::1%eth0", "port": 3260}],
                    "node_acls": [
                        {
                            "node_wwn": CLIENT,
                            "attributes": {"nopin_timeout": 20},
                            "parameters": {"MaxConnections": "2"},
                            "mapped_luns": [{"index": 0, "tpg_lun": 0, "alias": "second"}],
                        }
                    ],
                }
            ],
        }
    ],
    "fabric_modules": [{"name": "iscsi", "discovery_userid": "me"}],
}
# The places of names that become parts of paths; a last step in braces stands for a key.
NAMES: list[tuple[int | str, ...]] = [
    ("storage_objects", 0, "name"),
    ("storage_objects", 0, "plugin"),
    ("storage_objects", 0, "wwn"),
    ("storage_objects", 0, "alua_tpgs", 0, "name"),
    ("storage_objects", 0, "attributes", "{emulate_tpu}"),
    ("targets", 0, "fabric"),
    ("targets", 0, "wwn"),
    ("targets", 0, "parameters", "{cmd_completion_affinity}"),
    ("targets", 0, "tpgs", 0, "attributes", "{login_timeout}"),
    ("targets", 0, "tpgs", 0, "parameters", "{MaxConnections}"),
    ("targets", 0, "tpgs", 0, "luns", 0, "storage_object"),
    ("targets", 0, "tpgs", 0, "luns", 0, "alias"),
    ("targets", 0, "tpgs", 0, "luns", 0, "alua_tg_pt_gp_name"),
    ("targets", 0, "tpgs", 0, "portals", 0, "ip_address"),
    ("targets", 0, "tpgs", 0, "node_acls", 0, "node_wwn"),
    ("targets", 0, "tpgs", 0, "node_acls", 0, "attributes", "{nopin_timeout}"),
    ("targets", 0, "tpgs", 0, "node_acls", 0, "parameters", "{MaxConnections}"),
    ("targets", 0, "tpgs", 0, "node_acls", 0, "mapped_luns", 0, "alias"),
    ("fabric_modules", 0, "name"),
    ("fabric_modules", 0, "{discovery_userid}"),
]


def hostile(kept: str, victim: str) -> list[str]:
    """Return names that lead from an object's folder, or any other, to a victim."""
    away = f"{UP}{victim.lstrip('/')}"
    return [
        away, victim, f"{kept}/{away}", f"x/{away}", f"{kept}%x/{away}", f"../{kept}", "..", ".",
        "", f"/{away}", f"//{victim}", f"{kept}/..", f"{away}\0", f"iqn.2020-07.com.example:{away}",
        f"naa.6001405000000000/{away}", f"/backstores/ramdisk/{away}", f"[fe80::1%{away}]",
    ]  # fmt: skip


def changed(place: tuple[int | str, ...], name: str) -> Any:
    """Return the document with another name at a place."""
    document = copy.deepcopy(DOCUMENT)
    inside: Any = document
    for step in place[:-1]:
        inside = inside[step]
    last = place[-1]
    if isinstance(last, str) and last.startswith("{"):
        inside[name] = inside.pop(last[1:-1])
    else:
        inside[last] = name
    return document


@dataclasses.dataclass
class Plain:
    """A host whose configfs is an ordinary folder, which refuses nothing by itself."""

    lio: Lio
    victim: Path
    around: Path

    def left(self) -> dict[str, str]:
        """Return all that lies outside of configfs, with what the files hold."""
        root = self.lio.kernel.root
        found: dict[str, str] = {}
        for folder, folders, files in os.walk(self.around):
            folders[:] = [one for one in folders if os.path.join(folder, one) != root]
            found |= dict.fromkeys((os.path.join(folder, one) for one in folders), "")
            found |= {p: Path(p).read_text() for f in files if (p := os.path.join(folder, f))}
        return found


@pytest.fixture
def plain(pyshell: Pyshell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plain:
    """Return a host on which the document runs, under rtslib as on a real kernel."""
    pyshell.prepare(
        "/backstores/ramdisk create scratch 1M",
        f"/iscsi create {SERVER}",
        f"/iscsi/{SERVER}/tpg1/luns create /backstores/ramdisk/scratch",
        f"/iscsi/{SERVER}/tpg1/acls create {CLIENT}",
    )
    lio = pyshell.open()
    around = tmp_path / "host"
    victim = around / "etc" / "victim"
    victim.parent.mkdir(parents=True)
    victim.write_text("kept\n")
    shutil.move(pyshell.simulator.configfs, around / "target")
    rtslib.end_simulation()
    rtslib.replace_parts()
    root = str(around / "target")
    monkeypatch.setattr(node.CFSNode, "configfs_dir", root)
    return Plain(dataclasses.replace(lio, kernel=RealKernel(root)), victim, around)


@pytest.mark.parametrize("place", NAMES, ids=lambda place: ".".join(map(str, place)))
def test_no_name_of_a_document_leads_outside_of_configfs(
    plain: Plain, place: tuple[int | str, ...]
) -> None:
    before = plain.left()
    running = items(read_running(plain.lio), plain.lio.root)
    for name in hostile(str(place[-1]).strip("{}"), str(plain.victim)):
        document = changed(place, name)
        with contextlib.suppress(DocumentError):
            parsed = parse(to_text(document), "x")
            for beside in (None, running):
                with contextlib.suppress(PyshellError):
                    restore(plain.lio, parsed, beside)
        assert plain.left() == before, name


@pytest.mark.parametrize(
    "place",
    [place for place in NAMES if place[-1] != "{discovery_userid}"],
    ids=lambda place: ".".join(map(str, place)),
)
def test_check_reports_each_name_that_would_lead_elsewhere(
    lio: Lio, place: tuple[int | str, ...]
) -> None:
    for name in (f"{UP}etc/victim", f"x/{UP}etc/victim"):
        text = to_text(changed(place, name))
        found = [one for one in check_text(text, lio, Scope(at_boot=True)) if one.level == "error"]
        assert found, name


def operations(victim: str, root: str) -> list[Operation]:
    """Return operations on objects of hostile names, as a damaged undo file could hold them."""
    away = f"{UP}{victim.lstrip('/')}"
    so = identifiers.StorageObject("ramdisk", "scratch", 0, root)
    target = identifiers.Target("iscsi", SERVER, root)
    tpg = identifiers.Tpg(target, 1)
    acl = identifiers.NodeAcl(tpg, CLIENT)
    lun = identifiers.Lun(tpg, 0)
    odd_so = identifiers.StorageObject("ramdisk", away, 0, root)
    odd_target = identifiers.Target("iscsi", away, root)
    odd_tpg = identifiers.Tpg(target, away)  # type: ignore[arg-type]
    odd_acl = identifiers.NodeAcl(tpg, away)
    odd_portal = identifiers.Portal(tpg, away, 3260)
    odd_group = identifiers.AluaGroup(so, away)
    odd_lun = identifiers.Lun(tpg, f"0/{away}")  # type: ignore[arg-type]
    odd_mapped = identifiers.MappedLun(acl, f"0/{away}")  # type: ignore[arg-type]
    every: list[Operation] = [
        setters.Set(place, file, "x")
        for place in (so, tpg, acl, target, odd_so, odd_tpg, odd_acl, odd_target)
        for file in (f"attrib/{away}", f"param/{away}", f"auth/{away}", away, victim, "attrib/x")
    ]
    return [
        *every,
        storage.CreateStorageObject(odd_so, {"size": 1 << 20}),
        storage.DeleteStorageObject(odd_so),
        storage.CreateAluaGroup(odd_group, 7),
        storage.DeleteAluaGroup(odd_group),
        targets.CreateTarget(odd_target),
        targets.DeleteTarget(odd_target),
        targets.CreateTpg(odd_tpg),
        targets.DeleteTpg(odd_tpg),
        targets.SetNexus(odd_tpg, "x"),
        targets.CreatePortal(odd_portal),
        targets.DeletePortal(odd_portal),
        mapping.CreateNodeAcl(odd_acl),
        mapping.DeleteNodeAcl(odd_acl),
        mapping.CreateLun(odd_lun, so),
        mapping.CreateLun(identifiers.Lun(tpg, 5), so, away),
        mapping.DeleteLun(odd_lun),
        mapping.SetLunAluaGroup(odd_lun, "x"),
        mapping.MapLun(odd_mapped, lun),
        mapping.MapLun(identifiers.MappedLun(acl, 5), lun, alias=away),
        mapping.UnmapLun(odd_mapped),
    ]


def test_no_operation_touches_anything_outside_of_configfs_even_unchecked(plain: Plain) -> None:
    before = plain.left()
    for operation in operations(str(plain.victim), plain.lio.root):
        refused = True
        try:
            with doing(operation.step()):
                with changing():
                    operation.do(plain.lio)
                refused = False
        except (PyshellError, ValueError):  # rtslib reads the number of a TPG itself
            pass
        assert plain.left() == before, operation
        hostile_name = "../" in repr(operation) or str(plain.victim) in repr(operation)
        assert refused or not hostile_name, operation
