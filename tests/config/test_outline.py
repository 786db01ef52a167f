# SPDX-License-Identifier: Apache-2.0
"""The outline has the objects that the whole reading has, at less cost."""

from __future__ import annotations

from driver import Pyshell
from pyshell.config.running import read_outline, read_running
from pyshell.config.store.losses import tree_paths
from pyshell.lio.attach import attach
from pyshell.lio.configfs import changing


def test_the_outline_has_the_same_objects(pyshell: Pyshell) -> None:
    pyshell.must(f"restoreconfig {pyshell.example}")
    lio = attach(pyshell.folder)
    whole = tree_paths(read_running(lio))
    secrets = {path for path in whole if path.rpartition("/")[2].startswith("chap_")}
    assert len(secrets) == 2
    assert tree_paths(read_outline(lio)) == whole - secrets


def test_a_half_made_storage_object_is_in_neither(pyshell: Pyshell) -> None:
    lio = attach(pyshell.folder)
    for folder in ("rd_mcp_0", "rd_mcp_0/half"):
        with changing():
            lio.kernel.mkdir(f"{lio.kernel.root}/core/{folder}")
    assert tree_paths(read_outline(lio)) == tree_paths(read_running(lio)) == set()
