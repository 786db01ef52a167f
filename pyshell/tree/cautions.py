# SPDX-License-Identifier: Apache-2.0
"""Settings that the kernel takes, but that do not do what one would think."""

from __future__ import annotations

from pyshell.target.kernel import text_or_none
from pyshell.target.places import Tpg
from pyshell.tree.kernelgroups import Caution
from pyshell.tree.node import Context


def of_tpg(context: Context, place: Tpg) -> Caution:
    """Tell where demo mode lets initiators in and shows them nothing (field failure 66)."""

    def caution(name: str, value: str) -> None:
        if name != "generate_node_acls" or value != "1":
            return
        login_only = text_or_none(context.lio.kernel, f"{place.folder}/attrib/demo_mode_login_only")
        if login_only is not None:
            also = "while demo_mode_login_only is 1, " if login_only == "1" else ""
            context.note(
                f"On {place.target.fabric_name}, {also}initiators without an ACL may see no LUN:"
                " an ACL for each always works."
            )

    return caution
