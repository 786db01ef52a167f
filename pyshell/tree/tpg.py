# SPDX-License-Identifier: Apache-2.0
"""A target portal group."""

from __future__ import annotations

import os
from collections.abc import Sequence

from pyshell.errors import UsageError
from pyshell.lio import settings
from pyshell.lio.configfs import text_or_none
from pyshell.lio.identifiers import Tpg
from pyshell.lio.operations.setters import SetEnabled
from pyshell.tree.acls import AclsNode
from pyshell.tree.command import command
from pyshell.tree.exports import Exports
from pyshell.tree.groups import AuthGroup, Group, KernelGroup
from pyshell.tree.luns import LunsNode
from pyshell.tree.node import Node, shown_facts
from pyshell.tree.portals import PortalsNode
from pyshell.tree.results import Change, Lines, Result


class TpgNode(Node):
    """A TPG, or a target that is one with its only TPG."""

    def __init__(self, place: Tpg, name: str, parent: Node) -> None:
        super().__init__(name, parent)
        self.place = place

    def make_children(self) -> Sequence[Node]:
        """Make the folders that the fabric has."""
        fabric = self.place.target.fabric
        exports = Exports()
        made: list[Node] = [AclsNode(self.place, self, exports)] if fabric.has("acls") else []
        made.append(LunsNode(self.place, self, exports))
        if fabric.has("nps"):
            made.append(PortalsNode(self.place, self))
        return made

    def groups(self) -> dict[str, Group]:
        """Return attributes, parameters and CHAP settings, where there are any."""
        found: dict[str, Group] = {}
        folder = self.place.folder
        for name, sub, kind in (
            ("parameter", "param", "tpg_parameter"),
            ("attribute", "attrib", "tpg"),
        ):
            if settings.names_in(folder, sub)[0]:
                found[name] = KernelGroup(self.lio, [self.place], sub, kind)
        if self.place.target.fabric.has("auth") and os.path.isdir(f"{folder}/auth"):
            found["auth"] = AuthGroup(self.lio, [self.place], "auth")
        return found

    def summary(self) -> tuple[str, bool | None]:
        """Tell whether it is enabled and how it lets initiators in."""
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
        known = self._has_credentials()
        kind = "mutual auth" if mutual else "1-way auth"
        words += ["tpg-auth", kind if known or self.context.compat else "no credentials"]
        return ", ".join(words), known

    def is_off(self) -> bool:
        """Tell whether it is disabled."""
        return self._text("enable") == "0"

    def obstacle(self, name: str) -> str:
        """Return why a command cannot work now: to enable what is enabled, and the reverse."""
        if name in ("enable", "disable"):
            return f"it is {name}d" if (self._text("enable") == "0") == (name == "disable") else ""
        return super().obstacle(name)

    def _text(self, file: str) -> str | None:
        return text_or_none(self.lio.kernel, f"{self.place.folder}/{file}")

    def _has_credentials(self) -> bool:
        return all(
            settings.read(self.lio.kernel, self.place.folder, f"auth/{file}")
            for file in ("userid", "password")
        )

    @command(changes=True)
    def ui_command_enable(self) -> Result:
        """Allow initiators to log in."""
        if self._text("enable") != "0":
            return Lines(["The TPGT is already enabled."])
        enabling = SetEnabled(self.place, True, said=["The TPGT has been enabled."])
        return Change([enabling], note=self._unserved())

    def _unserved(self) -> str:
        """Return what initiators would get errors from (field failure 45), "" where all is well."""
        bad = [lun.name for lun in LunsNode(self.place, self, Exports()).children if lun.trouble()]
        return f"Not all LUNs work: {', '.join(map(str, bad))}. 'ls' shows why." if bad else ""

    @command(changes=True)
    def ui_command_disable(self) -> Result:
        """Refuse logins and terminate open sessions."""
        if self._text("enable") == "0":
            return Lines(["The TPGT is already disabled."])
        if not self.place.target.fabric.can_be_enabled:
            name = self.place.target.fabric_name
            raise UsageError(f"A TPG of {name} cannot be disabled: it is always enabled.")
        return Change([SetEnabled(self.place, False, said=["The TPGT has been disabled."])])

    @command()
    def ui_command_info(self) -> Result:
        """Show details of the TPG."""
        from pyshell.config import running

        facts = running.tpg_facts(self.lio, self.place)
        return shown_facts(facts, secrets=self.context.compat)
