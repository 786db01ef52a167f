# SPDX-License-Identifier: Apache-2.0
"""What is told of a name that is none: what may have been meant, and where that is."""

from __future__ import annotations

import io

import pytest

from driver import SERVER, TPG, Pyshell
from pyshell.shell.line_help import help_at
from pyshell.shell.options import Options
from pyshell.shell.preference_files import Preferences
from pyshell.shell.shell import Shell

CD = "cd there first."
TOLD = {
    # A command of other nodes.
    "create": "It is a command of /iscsi, /backstores/block, /backstores/fileio,"
    f" /backstores/pscsi, …: {CD}",
    "/backstores create": f"It is a command of block, fileio, pscsi, ramdisk: {CD}",
    "enable": f"It is a command of objects such as {TPG}: {CD}",
    f"{TPG} create": f"It is a command of acls, luns, portals: {CD}",
    f"{TPG}/luns disable": f"It is a command of {TPG}: {CD}",
    "/backstores/ramdisk resize": "It is a command of objects such as"
    f" /backstores/block/lee_block: {CD}",
    "/backstores/block resize": f"It is a command of objects such as lee_block: {CD}",
    # The path comes first.
    "resize /backstores/block/lee_block": "first: /backstores/block/lee_block resize",
    "/backstores/block resize lee_block 5G": "first: /backstores/block/lee_block resize …",
    "delete /backstores/block/lee_block": "first: /backstores/block delete lee_block",
    f"delete /iscsi/{SERVER}": f"first: /iscsi delete {SERVER}",
    "create /backstores/fileio/x /srv/x 1M": "first: /backstores/fileio create x …",
    "delete /iscsi/nosuch": "first: /iscsi delete nosuch",
    "delete /nosuch/nosuch": "It is a command of /iscsi, /backstores/block,",
    "/backstores/block/lee_block delete": "It is a command of /backstores/block:"
    " /backstores/block delete lee_block",
    "/iscsi saveconfig": "It is a command of the root: / saveconfig",
    "/iscsi crate": "Did you mean create?",
    "nosuch": "'help' lists the commands.",
    # Only a typo is taken for a command that changes something.
    "sudo": "'help' lists the commands.",
    "udno": "Did you mean undo?",
    "saveconfg": "Did you mean saveconfig?",
    "/iscsi rm x": "Did you mean delete?",
    # A setting without its `=`; a secret is not quoted.
    f"{TPG} set attribute authentication 1": "Write authentication=1.",
    f"{TPG} set attribute authentication = 1": "Write authentication=1.",
    f"{TPG} set attribute authentication": "Write authentication=VALUE.",
    f"{TPG} set auth password hidden": "Write password=VALUE.",
    "share /dev/sdb to=iqn.2020-07.com.example:a readonly": "Write readonly=true.",
    "share /dev/sdb to=iqn.2020-07.com.example:a name": "Write name=VALUE.",
    "takeover back": "Write back=true.",
    # A setting, or a group of such.
    f"{TPG} get attribute login_timout": "Did you mean login_timeout?",
    f"{TPG} set attribute login_timout=9": "Did you mean login_timeout?",
    f"{TPG} set atribute login_timeout=9": "Did you mean attribute?",
    "set global auto_add_mapped=false": "Did you mean auto_add_mapped_luns?",
    "get global colour_mode": "Did you mean color_mode?",
    # A path.
    f"/iscsi/{SERVER}/tgp1 ls": "Did you mean tpg1?",
    f"/iscsi/{SERVER}/TPG1 ls": "Did you mean tpg1?",
    "/iscsi/server ls": f"Did you mean {SERVER}?",
    "/backstores/blok ls": "Did you mean block?",
}


@pytest.mark.parametrize("line", TOLD)
def test_ux_row_2_what_may_have_been_meant(exported: Pyshell, line: str) -> None:
    ran = exported.line(line)
    assert TOLD[line] in ran.err.splitlines()[0]
    assert ran.status in (2, 3)


def test_help_on_a_command_of_other_nodes_says_where(exported: Pyshell) -> None:
    lio = exported.open()
    preferences = Preferences(exported.folder / "home", lio.config_dir, pytest.fail)
    silent = io.StringIO()
    root = Shell(lio, preferences, Options(), silent, silent, silent).root()
    assert help_at("create ", root, "/") == [f"/ has no command create. {TOLD['create']}"]
    assert help_at(f"{TPG}/luns create ", root, "/")[0].startswith("storage_object:")
    assert help_at("pwd ", root, "/") == ["No more arguments expected."]
