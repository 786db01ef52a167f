# SPDX-License-Identifier: Apache-2.0
"""A fabric, such as /iscsi or /loopback, and its targets."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from pyshell.config.store import CLUSTER_FOLDER
from pyshell.errors import ConflictError, NotFoundError, UsageError
from pyshell.lio import listing, operations, settings
from pyshell.lio.configfs import is_on, text_or_none
from pyshell.lio.fabrics import NOT_TARGETS, Fabric
from pyshell.lio.identifiers import FabricPlace, Portal, Target, Tpg
from pyshell.names import DEFAULT_PORT
from pyshell.tree.command import CHILD, TAG, WWN, command
from pyshell.tree.groups import AuthGroup, KernelGroup, SettingsGroup
from pyshell.tree.node import Node, ObjectNode, numbered, shown_facts
from pyshell.tree.results import Change, Lines, Result
from pyshell.tree.tpg import TpgNode

if TYPE_CHECKING:
    from pyshell.lio.operations.base import Operation

DefaultPortal = Annotated[
    bool | None,
    "Add the default portal. Default: the preference auto_add_default_portal.",
]


class FabricNode(Node):
    """A fabric."""

    def __init__(self, fabric: Fabric, parent: Node) -> None:
        super().__init__(fabric.name, parent)
        self.fabric = fabric
        self.place = FabricPlace(fabric)

    def make_children(self) -> Sequence[Node]:
        return [target_node(place, self) for place in listing.targets(self.fabric)]

    def find(self, name: str) -> Node | None:
        """Find a target by its WWN in any spelling, or by its name in configfs."""
        place = self.existing(name)
        return target_node(place, self) if place else None

    def summary(self) -> tuple[str, bool | None]:
        words, healthy = self._discovery_summary()
        return ", ".join([*words, f"Targets: {len(self.children)}"]), healthy

    def _discovery_summary(self) -> tuple[list[str], bool | None]:
        folder = f"{self.fabric.folder}/discovery_auth"
        kernel = self.lio.kernel
        if text_or_none(kernel, f"{folder}/enforce_discovery_auth") in (None, "", "0"):
            return [], None
        known = settings.has_credentials(kernel, self.fabric.folder, "discovery_auth")
        mutual = is_on(kernel, f"{folder}/authenticate_target")
        if not (known or self.context.compat):
            return ["disc auth, no credentials"], False
        return ["mutual disc auth" if mutual else "1-way disc auth"], known

    def groups(self) -> dict[str, SettingsGroup]:
        if not self.fabric.has("discovery_auth"):
            return {}
        return {"discovery_auth": AuthGroup(self.lio, [self.place], "discovery_auth")}

    @command(changes=True, examples=("/iscsi create wwn=iqn.2020-07.192.168.56.101:server",))
    def ui_command_create(
        self,
        wwn: Annotated[str | None, WWN, "Name of the target; generated if omitted."] = None,
        *,
        default_portal: DefaultPortal = None,
    ) -> Result:
        """Create a target with a TPG and, if supported, the default portal."""
        place = Target(self.fabric.name, self.new_wwn(wwn), self.lio.root)
        create = operations.targets.CreateTarget(place, said=[f"Created target {place.wwn}."])
        tpg = Tpg(place, 1)
        if self.fabric.has("tpgts"):
            return Change([create, *new_tpg(self, tpg, portal=default_portal)], place.path)
        made: list[Operation] = [create, operations.targets.CreateTpg(tpg)]
        if self.fabric.enabled_when_new:
            made.append(operations.setters.SetEnabled(tpg, True))
        return Change(made, place.path)

    def free_wwns(self) -> list[str]:
        """Return the hardware's WWNs without a target; none for a fabric without hardware."""
        found = self.fabric.hardware_wwns(self.lio) or []
        return [
            wwn
            for wwn in found
            if not listing.existing(Target(self.fabric.name, wwn, self.lio.root))
        ]

    def new_wwn(self, text: str | None) -> str:
        """Return the WWN of a new target in its normal form; for None, a free or generated one."""
        hardware = self.fabric.hardware_wwns(self.lio)
        if text is None:
            if hardware is None:
                return self.fabric.new_wwn()
            if not hardware:
                raise NotFoundError(f"This host has no hardware for {self.fabric.name}.")
            free = self.free_wwns()
            if not free:
                raise ConflictError(
                    f"All the hardware of {self.fabric.name} has its target already."
                )
            return free[0]
        wwn = self.accepted(self.fabric.normalise(text))
        if hardware is not None and wwn not in hardware:
            self.context.note("Hardware missing for this WWN.")
        return wwn

    @command(changes=True, examples=("/iscsi delete iqn.2020-07.192.168.56.101:server",))
    def ui_command_delete(self, wwn: Annotated[str, CHILD, "Name of the target."]) -> Result:
        """Delete a target with its TPGs. Its storage objects are kept."""
        place = self.existing(wwn)
        if place is None:
            name = self.fabric.normalise(wwn).wwn
            raise operations.base.missing(
                f"No such target: {name}.",
                Target(self.fabric.name, name, self.lio.root),
                self.nearest(name, f"Run 'ls {self.path}' to list them."),
            )
        made = operations.targets.remove_target(place)
        made[-1].said = [f"Deleted Target {place.wwn}."]
        return Change(made, named=[place.path])

    def existing(self, name: str) -> Target | None:
        """Return the target of that name in any spelling."""
        for spelling in self.fabric.spellings(name):
            place = Target(self.fabric.name, spelling, self.lio.root)
            if os.path.basename(place.folder) not in NOT_TARGETS and listing.existing(place):
                return place
        return None

    @command()
    def ui_command_info(self) -> Result:
        """Show the fabric's features, its types of WWN and the hardware's WWNs."""
        hardware = self.fabric.hardware_wwns(self.lio)
        facts = {
            "Fabric module name": self.fabric.name,
            "ConfigFS path": self.fabric.folder,
            "Allowed WWN types": ", ".join(self.fabric.wwn_kinds),
            **({"Allowed WWNs list": ", ".join(hardware)} if hardware is not None else {}),
            "Fabric module features": ", ".join(self.fabric.features),
            "Corresponding kernel module": self.fabric.kernel_module,
        }
        return Lines([f"{name}: {value}" for name, value in facts.items()], facts)

    @command()
    def ui_command_version(self) -> Result:
        """Show the version of the fabric's driver, if it has one."""
        found = (
            text_or_none(self.lio.kernel, f"{self.fabric.folder}/{file}")
            for file in ("lio_version", "version")
        )
        version = next((text for text in found if text), "")
        return Lines([f"Target fabric module {self.fabric.name}: {version}".strip()], version)


class TargetNode(ObjectNode[Target]):
    """A target of a fabric with TPG tags."""

    more: ClassVar[Mapping[str, str]] = {**Node.more, "rename": "pyshell.commands.rename.target"}

    def make_children(self) -> Sequence[Node]:
        return [TpgNode(tpg, self) for tpg in listing.tpgs(self.place)]

    def find(self, name: str) -> Node | None:
        tag = numbered(name, "tpg")
        if tag is None:
            return None
        tpg = Tpg(self.place, tag)
        return TpgNode(tpg, self) if listing.existing(tpg) else None

    def summary(self) -> tuple[str, bool | None]:
        """Return the summary; an invalid name is reported, but never fatal (field failure 57)."""
        if not has_valid_name(self.place):
            return "INVALID WWN", False
        return f"TPGs: {len(self.children)}", None

    def groups(self) -> dict[str, SettingsGroup]:
        if not settings.names_in(self.place.folder, "param")[0]:
            return {}
        return {"parameter": KernelGroup(self.lio, [self.place], "param", "target_parameter")}

    @command(changes=True)
    def ui_command_create(
        self,
        tag: Annotated[int | None, TAG, "Tag of the TPG. Default: the lowest free one."] = None,
        *,
        default_portal: DefaultPortal = None,
    ) -> Result:
        """Create a TPG, with the default portal unless another TPG has it."""
        tpg = Tpg(self.place, tag if tag is not None else operations.targets.free_tag(self.place))
        return Change(new_tpg(self, tpg, portal=default_portal), tpg.path)

    @command(changes=True)
    def ui_command_delete(self, tag: Annotated[int, TAG, "Tag of the TPG."]) -> Result:
        """Delete a TPG with its LUNs, ACLs and portals."""
        place = Tpg(self.place, tag)
        made = operations.targets.remove_tpg(place)
        made[-1].said = [f"Deleted TPGT {tag}."]
        return Change(made, named=[place.path])

    @command()
    def ui_command_info(self) -> Result:
        """Show details of the target."""
        facts = {"wwn": self.place.wwn, "fabric": self.place.fabric_name}
        return shown_facts({**facts, **self._cluster()}, secrets=True)

    def _cluster(self) -> dict[str, str]:
        """Return the document that puts the target under cluster control, if one does."""
        folder = self.lio.config_dir
        if self.context.compat or not os.path.isdir(folder / CLUSTER_FOLDER):
            return {}
        from pyshell.config.store import clustered  # most targets are not a cluster's

        file = clustered.read(folder).targets.get(self.place.path)
        return {"under cluster control": str(file)} if file is not None else {}


class MergedTargetNode(TpgNode):
    """A target of a fabric without TPG tags, combined with its only TPG."""

    more: ClassVar[Mapping[str, str]] = {**Node.more, "rename": "pyshell.commands.rename.target"}

    def __init__(self, target: Target, parent: Node) -> None:
        super().__init__(Tpg(target, 1), parent, target.wwn)

    def summary(self) -> tuple[str, bool | None]:
        if not has_valid_name(self.place.target):
            return "INVALID WWN", False
        return super().summary()


def target_node(place: Target, parent: Node) -> Node:
    """Return the node of a target."""
    if place.fabric.has("tpgts"):
        return TargetNode(place, parent)
    return MergedTargetNode(place, parent)


def has_valid_name(place: Target) -> bool:
    """Return whether a target's name is valid in its fabric."""
    try:
        place.fabric.normalise(place.wwn)
    except UsageError:
        return False
    return True


def new_tpg(node: Node, tpg: Tpg, *, portal: bool | None = None) -> list[Operation]:
    """Return the operations that create a TPG with the settings of the preferences.

    `portal` overrides whether it gets the default portal.
    """
    fabric = tpg.target.fabric
    create = operations.targets.CreateTpg(tpg)
    made: list[Operation] = [create]
    if fabric.has("auth"):
        made.append(operations.setters.Set(tpg, "attrib/authentication", "0"))
    if fabric.enabled_when_new and node.context.preference("auto_enable_tpgt"):
        made.append(operations.setters.SetEnabled(tpg, True))
    made[-1].said = [f"Created TPG {tpg.tag}."]
    if portal is None:
        portal = bool(node.context.preference("auto_add_default_portal"))
    if fabric.has("nps") and portal:
        made.append(default_portal(node, tpg))
    return made


def default_portal(node: Node, tpg: Tpg) -> Operation:
    """Return the operation that creates the default portal."""
    address = node.context.preference("default_portal_address")
    said = [
        "Global pref auto_add_default_portal=true",
        f"Created default portal listening on all IPs ({address}), port {DEFAULT_PORT}.",
    ]
    return operations.targets.CreateDefaultPortal(Portal(tpg, address, DEFAULT_PORT), said=said)
