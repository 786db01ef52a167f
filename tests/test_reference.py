# SPDX-License-Identifier: Apache-2.0
"""`docs/targetcli.md`: what targetcli 3.0.2 has is here, and each row names where it is tested."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell
from pyshell.shell.options import Options
from pyshell.shell.preference_files import Preferences
from pyshell.shell.shell import Shell
from pyshell.tree.node import Node
from pyshell.tree.preferences import PREFERENCES
from pyshell.tree.root import RootNode
from pyshell.tree.user_backstores import UserBackstoreNode

ROOT = Path(__file__).parents[1]
REFERENCE = (ROOT / "docs/targetcli.md").read_text(encoding="utf-8").partition("## Messages")[0]
ROWS = re.findall(r"^\| (.+?) \| (.+?) \| (.*?) \|$", REFERENCE, re.MULTILINE)
COMMANDS = [row for row in ROWS if set(row[0]) != {"-"} and row[0] != "node"]
PREFERENCE_ROWS = re.findall(r"^\| (\w+) \| ([^|]*) \|$", REFERENCE, re.MULTILINE)[1:]

# targetcli's preferences, with a value that is not the default.
VALUES = {
    "auto_add_default_portal": "false",
    "auto_add_mapped_luns": "false",
    "auto_cd_after_create": "true",
    "auto_enable_tpgt": "false",
    "auto_save_on_exit": "false",
    "auto_use_daemon": "true",
    "color_command": "red",
    "color_default": "blue",
    "color_keyword": "green",
    "color_mode": "false",
    "color_parameter": "yellow",
    "color_path": "white",
    "daemon_use_batch_mode": "true",
    "export_backstore_name_as_model": "false",
    "logfile": "/tmp/log",
    "loglevel_console": "debug",
    "loglevel_file": "info",
    "max_backup_files": "3",
    "prompt_length": "20",
    "tree_max_depth": "2",
    "tree_round_nodes": "false",
    "tree_show_root": "false",
    "tree_status_mode": "false",
}
PATHS = {
    "any node": "/",
    "`/`": "/",
    "`/backstores/block`": "/backstores/block",
    "`/backstores/fileio`": "/backstores/fileio",
    "`/backstores/pscsi`": "/backstores/pscsi",
    "`/backstores/ramdisk`": "/backstores/ramdisk",
    "any backstore": "/backstores/block",
    "a storage object": "/backstores/block/lee_block",
    "`alua` of a storage object": "/backstores/block/lee_block/alua",
    "an ALUA group": "/backstores/block/lee_block/alua/default_tg_pt_gp",
    "a fabric": "/iscsi",
    "a target": f"/iscsi/{SERVER}",
    "a TPG": TPG,
    "`acls`": f"{TPG}/acls",
    "a node ACL": f"{TPG}/acls/{CLIENT}",
    "a mapped LUN": f"{TPG}/acls/{CLIENT}/mapped_lun0",
    "`luns`": f"{TPG}/luns",
    "a LUN": f"{TPG}/luns/lun0",
    "`portals`": f"{TPG}/portals",
    "a portal": f"{TPG}/portals/0.0.0.0:3260",
}


@pytest.fixture
def node_at(exported: Pyshell) -> dict[str, Node]:
    """Return the kinds of node of a target with one exported disk, by their names in README."""
    lio = exported.open()
    none = exported.folder / "none"
    streams = io.StringIO(), io.StringIO(), io.StringIO()
    shell = Shell(lio, Preferences(none, none, print), Options(), *streams)
    return {name: RootNode(shell).get_node(path) for name, path in PATHS.items()}


def test_every_row_of_the_reference_is_true(node_at: dict[str, Node]) -> None:
    assert len(COMMANDS) > 55
    for kind, text, _ in COMMANDS:
        if "user:" in kind:
            continue  # there are none without a handler: see its own tests
        node = node_at[kind]
        words = text.split()
        if words[:2] == ["get", "and"]:
            named = re.findall(r"\w+", text.rpartition("group")[2])
            assert set(named) - {"s"} <= set(node.groups()), (kind, text)
            continue
        described = node.commands()[words[0]]
        every = [*described.params, *(p for p in (described.rest, described.named_rest) if p)]
        for word in words[1:]:
            name = re.sub(r"\W", "", word.replace("=value", ""))
            param = next(param for param in every if param.name == name)
            assert param.required == ("[" not in word), (kind, text, name)


@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: f"{row[0]} {row[1].split()[0]}")
def test_parameters_stand_in_targetclis_order(
    node_at: dict[str, Node], row: tuple[str, str, str]
) -> None:
    """Finding 29: what targetcli takes without its name is taken so, in that order."""
    kind, text, _ = row
    command, *words = text.split()
    if command in ("get", "set"):
        words = words[:1] if words[:1] == ["[group]"] else []
    commands = UserBackstoreNode.commands() if "user:" in kind else node_at[kind].commands()
    names = [re.sub(r"\W", "", word) for word in words]
    params = commands[command].params
    positional = [param.name for param in params if not param.named_only]
    assert positional[: len(names)] == names


@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: f"{row[0]} {row[1].split()[0]}")
def test_every_row_names_where_it_is_tested(row: tuple[str, str, str]) -> None:
    _, text, files = row
    command = text.split()[0]
    found = re.findall(r"`(.+?)`", files)
    assert found
    for name in found:
        assert re.search(rf"\b{command}\b", (ROOT / name).read_text()), name


def test_every_preference_has_its_row() -> None:
    known = {name for name, _ in PREFERENCE_ROWS}
    assert set(VALUES) <= known
    assert known <= set(PREFERENCES)
    for name, files in PREFERENCE_ROWS:
        for file in re.findall(r"`(.+?)`", files):
            assert name in (ROOT / file).read_text(), (name, file)
        assert "`" in files, name


@pytest.mark.parametrize(("name", "value"), VALUES.items())
def test_every_preference_of_targetcli_is_kept(pyshell: Pyshell, name: str, value: str) -> None:
    assert pyshell("get", "global", name).done().out != f"{name}={value} \n"
    pyshell.must(f"set global {name}={value}")
    assert pyshell("-o", "json", "get", "global", name).json["result"] is not None
    assert pyshell("--compat", "get", "global", name).done().out == f"{name}={value} \n"


def test_a_fabric_tells_its_version(pyshell: Pyshell) -> None:
    pyshell.must(f"/iscsi create {SERVER}")
    ran = pyshell("/iscsi", "version")
    assert ran.status == 0
    assert "iscsi" in ran.out.lower()
