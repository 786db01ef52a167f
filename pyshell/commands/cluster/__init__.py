# SPDX-License-Identifier: Apache-2.0
"""`cluster`: print the configuration of a Pacemaker cluster that moves a target between nodes."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pyshell import quoting
from pyshell.commands.cluster import forms, resources
from pyshell.commands.diff import load_trusted
from pyshell.commands.guide import target_called
from pyshell.config import cluster_devices
from pyshell.config.document_file import digest
from pyshell.config.parts import of_target
from pyshell.config.running import read_running
from pyshell.config.store import clustered
from pyshell.errors import NotFoundError, UsageError
from pyshell.lio import Lio
from pyshell.lio.fabrics import fabric
from pyshell.lio.identifiers import plugin_name, storage_object_path
from pyshell.lio.operations.preconditions import identity
from pyshell.text import counted
from pyshell.tree.command import DEVICE, FILE, TARGET, choice, command
from pyshell.tree.node import Node
from pyshell.tree.results import Lines, Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyshell.commands.cluster.model import Cluster
    from pyshell.config.document import Document, StorageObjectEntry


@command(
    examples=(
        "cluster cib iqn.2020-07.com.example:disks",
        "cluster cib iqn.2020-07.com.example:disks form=crmsh state_dir=/srv/disks",
    ),
    in_candidate="running",
)
def cluster(
    node: Node,
    action: Annotated[str, choice("cib"), "cib prints the configuration of the cluster."],
    target: Annotated[str, TARGET, "WWN of the iSCSI target."],
    *,
    document: Annotated[
        str | None,
        FILE,
        "The document on each node. Default: the file in /etc/target/cluster with this target,"
        " else NAME.json there; NAME is the part of the WWN after its colon, or the whole WWN.",
    ] = None,
    form: Annotated[
        str | None, choice(*forms.FORMS), "Program that the lines are for. Default: pcs."
    ] = None,
    state_dir: Annotated[
        str | None,
        FILE,
        "Folder for persistent reservations: where a file system that moves with the target is"
        " mounted.",
    ] = None,
    state_device: Annotated[str | None, DEVICE, "Device of that file system."] = None,
    lvm: Annotated[
        str | None,
        choice(cluster_devices.SYSTEM_ID, cluster_devices.LVMLOCKD),
        "How volume groups are protected from activation on two nodes. Default: system_id.",
    ] = None,
    portblock: Annotated[
        bool, "Block the port until the target runs. Default: add the address after the target."
    ] = False,
) -> Result:
    """Print the configuration of a Pacemaker cluster for a target.

    The lines can be pasted into root's shell. They prepare a file; what activates it is a comment.
    Nothing is run here. Comments that begin with EDIT say what to change first.

    The document is read if it exists, otherwise the running target. The names of its devices say
    what moves them: /dev/drbd/by-res/RESOURCE/VOLUME, /dev/VG/LV or /dev/zvol/POOL/VOLUME. The
    addresses are those of its portals: each target needs its own.

    portblock=true is not for Debian 12: with iptables 1.8.9, portblock of resource-agents before
    4.17 never opens the port again.
    """
    if state_device is not None and state_dir is None:
        raise UsageError("state_device= goes with state_dir= alone.", "Give state_dir=FOLDER.")
    wwn = fabric("iscsi", node.lio.root).normalise(target).wwn
    path = _path(node, wwn, document)
    part, checksum = _read(node, wwn, path, required=document is not None)
    request = resources.Request(
        wwn,
        resources.name_of(path.stem),
        resources.checked_path(str(path), "document"),
        checksum,
        state_dir and resources.checked_path(state_dir, "state_dir"),
        state_device and resources.checked_path(state_device, "state_device"),
        lvm or cluster_devices.SYSTEM_ID,
        portblock,
    )
    if state_device is not None:
        _refuse_exported(node.lio, state_device, part["storage_objects"])

    def kind_of(path: str) -> str:
        device = node.lio.machine.block_device(path)
        return device.model if device is not None else ""

    made = resources.cluster_of(request, part["targets"][0], part["storage_objects"], kind_of)
    lines = forms.lines_of(made, form or "pcs")
    if made.edits:
        node.context.note(
            f"{counted(len(made.edits), 'thing')} to change: see the comments with {forms.EDIT}."
        )
    return Lines(lines, _data(made, form or "pcs", lines))


def _path(node: Node, wwn: str, document: str | None) -> Path:
    if document is not None:
        return Path(os.path.abspath(os.path.expanduser(document)))
    folder = node.lio.config_dir
    known = clustered.read(folder).targets.get(f"/iscsi/{wwn}")
    return known or folder / clustered.FOLDER / f"{resources.name_of(wwn)}.json"


def _refuse_exported(lio: Lio, device: str, exported: Sequence[StorageObjectEntry]) -> None:
    """Raise UsageError if the device of the file system for the state is one of the target's."""
    same = {cluster_devices.plain(device), identity(lio, "block", device)}
    for one in exported:
        used = one.get("dev", "")
        found = {cluster_devices.plain(used), identity(lio, plugin_name(one["plugin"]), used)}
        if same & found - {None}:
            raise UsageError(
                f"state_device {device} is the device of"
                f" {storage_object_path(one['plugin'], one['name'])}, which initiators write to.",
                "Give another one, such as a second volume of the DRBD resource.",
            )


def _read(node: Node, wwn: str, path: Path, *, required: bool) -> tuple[Document, str | None]:
    """Return the target's part of the document, and the checksum.

    If none exists and it is not `required`, that of the running target. Raises PyshellError if
    there is no such target.
    """
    if required or os.path.exists(path):
        read = load_trusted(node, path)
        part = of_target(read.document, wwn)
        if [one["fabric"] for one in part["targets"]] != ["iscsi"]:
            raise NotFoundError(f"{path} has no iSCSI target {wwn}.", "Give its document=.")
        return part, digest(read.data)
    target_called(node.lio, wwn)
    write = quoting.line("saveconfig", str(path), target=wwn)
    node.context.note(f"No such file: {path}. The running target was read. '{write}' writes it.")
    return of_target(read_running(node.lio), wwn), None


def _data(made: Cluster, form: str, lines: list[str]) -> dict[str, Any]:
    found = asdict(made)
    return {**found, "edits": made.edits, "form": form, "lines": lines}
