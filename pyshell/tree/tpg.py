# SPDX-License-Identifier: Apache-2.0
"""A target portal group and its network portals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, ClassVar

from pyshell import names
from pyshell.errors import UsageError
from pyshell.lio import listing, operations, settings
from pyshell.lio.configfs import is_on, text_or_none
from pyshell.lio.identifiers import Portal, Tpg
from pyshell.tree.command import LISTEN, PORT, command
from pyshell.tree.groups import SettingsGroup, access_groups
from pyshell.tree.luns import LunsNode
from pyshell.tree.node import Node, ObjectNode, running_facts, shown_facts
from pyshell.tree.results import Change, Lines, Result


class TpgNode(ObjectNode[Tpg]):
    """A TPG."""

    more: ClassVar[Mapping[str, str]] = {**Node.more, "rename": "pyshell.commands.rename.tpg"}

    def make_children(self) -> Sequence[Node]:
        fabric = self.place.target.fabric
        exported = cache(listing.storage_object_of)  # a drawing needs it for each mapping, too
        made: list[Node] = [LunsNode(self.place, self, exported)]
        if fabric.has("acls"):
            from pyshell.tree.acls import AclsNode

            made.insert(0, AclsNode(self.place, self, exported))
        if fabric.has("nps"):
            made.append(PortalsNode(self.place, self, "portals"))
        return made

    def find(self, name: str) -> Node | None:
        """Find a folder; that of the LUNs without importing the others."""
        if name == "luns":
            return LunsNode(self.place, self, cache(listing.storage_object_of))
        return super().find(name)

    def groups(self) -> dict[str, SettingsGroup]:
        return access_groups(self.lio, self.place.target.fabric, [self.place], "tpg")

    def summary(self) -> tuple[str, bool | None]:
        words = []
        fabric = self.place.target.fabric
        if fabric.has("nexus"):
            words.append(self._text("nexus") or "no nexus")
        if self._text("enable") == "0":
            return "disabled", False
        if not fabric.has("acls"):
            return ", ".join(words), None
        open_to_all = self._text("attrib/generate_node_acls") == "1"
        words.append("gen-acls" if open_to_all else "no-gen-acls")
        if not fabric.has("auth"):
            return ", ".join(words), None
        if self._text("attrib/authentication") in (None, "0"):
            return ", ".join([*words, "no-auth"]), True if open_to_all else None
        if not open_to_all:
            return ", ".join([*words, "auth per-acl"]), None
        mutual = self._text("auth/authenticate_target") == "1"
        known = settings.has_credentials(self.lio.kernel, self.place.folder)
        kind = "mutual auth" if mutual else "1-way auth"
        words += ["tpg-auth", kind if known or self.context.compat else "no credentials"]
        return ", ".join(words), known

    def is_off(self) -> bool:
        return self._text("enable") == "0"

    def obstacle(self, name: str) -> str:
        if name in ("enable", "disable"):
            return f"it is {name}d" if (self._text("enable") == "0") == (name == "disable") else ""
        return super().obstacle(name)

    def _text(self, file: str) -> str | None:
        return text_or_none(self.lio.kernel, f"{self.place.folder}/{file}")

    @command(changes=True)
    def ui_command_enable(self) -> Result:
        """Allow initiators to log in."""
        if self._text("enable") != "0":
            return Lines(["The TPGT is already enabled."])
        enabling = operations.setters.SetEnabled(
            self.place, True, said=["The TPGT has been enabled."]
        )
        return Change([enabling], note=self._unserved())

    def _unserved(self) -> str:
        """Return a warning about LUNs that do not work (field failure 45), "" if all do."""
        luns = LunsNode(self.place, self, listing.storage_object_of).children
        bad = [lun.name for lun in luns if lun.trouble()]
        return f"Not all LUNs work: {', '.join(map(str, bad))}. 'ls' shows why." if bad else ""

    @command(changes=True)
    def ui_command_disable(self) -> Result:
        """Refuse logins and terminate open sessions."""
        if self._text("enable") == "0":
            return Lines(["The TPGT is already disabled."])
        if not self.place.target.fabric.can_be_enabled:
            name = self.place.target.fabric_name
            raise UsageError(f"A TPG of {name} cannot be disabled: it is always enabled.")
        return Change(
            [operations.setters.SetEnabled(self.place, False, said=["The TPGT has been disabled."])]
        )

    @command()
    def ui_command_info(self) -> Result:
        """Show details of the TPG."""
        facts = running_facts(self.lio, self.place)
        return shown_facts(facts, secrets=self.context.compat)


class PortalsNode(ObjectNode[Tpg]):
    """The folder of the portals."""

    counted = "Portals"

    def make_children(self) -> Sequence[Node]:
        return [PortalNode(portal, self) for portal in listing.portals(self.place)]

    def find(self, name: str) -> Node | None:
        try:
            address, port = names.split_portal(name)
        except UsageError:
            return None
        found = self._present(address, port)
        return PortalNode(found, self) if found else None

    def _present(self, address: str, port: int) -> Portal | None:
        found = listing.portal(self.place, address, port)
        return found or listing.wildcard_portal(self.place, address, port)

    @command(
        changes=True,
        examples=("/iscsi/iqn.2020-07.192.168.56.101:server/tpg1/portals create 192.168.56.101",),
    )
    def ui_command_create(
        self,
        ip_address: Annotated[
            tuple[str, int | None] | None,
            LISTEN,
            "An address of this host; 0.0.0.0 for all IPv4 addresses, ::0 for all"
            " addresses. Default: the preference default_portal_address.",
        ] = None,
        ip_port: Annotated[int | None, PORT, "TCP port. Default: 3260."] = None,
    ) -> Result:
        """Listen on an address and port."""
        default = self.context.preference("default_portal_address")
        address, port_given = _one_port(ip_address or (default, None), ip_port)
        port = port_given or names.DEFAULT_PORT
        before = []
        # targetcli says it of the default port given on the line, too.
        if port_given is None or (self.context.compat and port == names.DEFAULT_PORT):
            before.append(f"Using default IP port {port}")
        if address == default:
            before.append(f"Binding to INADDR_ANY ({address})")
        place = Portal(self.place, address, port)
        said = [f"Created network portal {address}:{port}."]
        note = "" if self.context.compat else self._served_elsewhere(place)
        note = note or ("" if self.context.compat else self._unreachable(address))
        return Change(
            [operations.targets.CreatePortal(place, said=said)],
            place.path,
            before=before,
            note=note,
        )

    def _served_elsewhere(self, place: Portal) -> str:
        """Return a warning if the kernel will not listen at the address, though it accepts it."""
        present = listing.portals_at(place.tpg.target.fabric, place.port)
        other = listing.portal_in_place_of(place, present)
        if other is None:
            return ""
        return (
            f"The kernel takes {place.name} for {other.path}, which exists already: initiators"
            f" reach this TPG only at {other.name}."
        )

    def _unreachable(self, address: str) -> str:
        """Return a warning if the host lacks an address, which the kernel does not check."""
        from pyshell.host import procnet

        mine = procnet.addresses(self.lio.machine)
        if mine is None or listing.is_wildcard(address) or procnet.spelt(address) in mine:
            return ""
        return (
            f"This host has no address {address}: nobody reaches the portal until it has."
            " 'ip -brief address' lists those that it has."
        )

    @command(
        changes=True,
        examples=(
            "/iscsi/iqn.2020-07.192.168.56.101:server/tpg1/portals"
            " delete ip_address=0.0.0.0 ip_port=3260",
        ),
    )
    def ui_command_delete(
        self,
        ip_address: Annotated[
            tuple[str, int | None],
            LISTEN,
            "Address of the portal, such as 0.0.0.0 or 0.0.0.0:3260.",
        ],
        ip_port: Annotated[
            int | None,
            PORT,
            "Port of the portal. Required if several portals have that address.",
        ] = None,
    ) -> Result:
        """Stop listening on an address and port.

        Sessions that began there continue, but an initiator that loses its connection cannot log in
        there again.
        """
        address, port = _one_port(ip_address, ip_port)
        port = port if port is not None else self._only_port(address)
        place = self._present(address, port)
        if place is None:
            raise operations.base.missing(
                f"No such portal: {names.bracketed(address)}:{port}.",
                Portal(self.place, address, port),
                f"Run 'ls {self.path}' to list them.",
            )
        if not listing.same_address(place.address, address):
            self.context.note(f"The portal on all addresses is {place.name}: deleting that.")
        said = f"Deleted network portal {address}:{port}"
        return Change([operations.targets.DeletePortal(place, said=[said])], named=[place.path])

    def _only_port(self, address: str) -> int:
        """Return the port of the only portal at an address. Raises UsageError."""
        at = [
            portal.port
            for portal in listing.portals(self.place)
            if listing.same_address(portal.address, address)
        ]
        if len(at) != 1 or self.context.compat:
            raise UsageError("Missing required parameter ip_port.", "Syntax: delete ADDRESS:PORT")
        return at[0]


def _one_port(address: tuple[str, int | None], port: int | None) -> tuple[str, int | None]:
    """Return an address and the port given with or after it. Raises UsageError."""
    if None not in (address[1], port) and address[1] != port:
        raise UsageError(f"Two ports were given: {address[1]} and {port}.")
    return address[0], address[1] or port


class PortalNode(ObjectNode[Portal]):
    """A portal."""

    def summary(self) -> tuple[str, bool | None]:
        for file, word in (("iser", "iser"), ("cxgbit", "offload")):
            if is_on(self.lio.kernel, f"{self.place.folder}/{file}"):
                return word, True
        return "", True

    @command(changes=True)
    def ui_command_enable_iser(
        self, boolean: Annotated[bool, "true to enable, false to disable."]
    ) -> Result:
        """Enable or disable iSER (iSCSI over RDMA) for this portal."""
        said = [f"iSER enable now: {boolean}"]
        return Change(
            [operations.setters.Set(self.place, "iser", "1" if boolean else "0", said=said)]
        )

    @command(changes=True)
    def ui_command_enable_offload(
        self, boolean: Annotated[bool, "true to enable, false to disable."]
    ) -> Result:
        """Enable or disable offload (cxgbit) for this portal."""
        said = [f"offload enable now: {boolean}"]
        return Change(
            [operations.setters.Set(self.place, "cxgbit", "1" if boolean else "0", said=said)]
        )

    @command()
    def ui_command_info(self) -> Result:
        """Show details of the portal."""
        return shown_facts(running_facts(self.lio, self.place), secrets=True)
