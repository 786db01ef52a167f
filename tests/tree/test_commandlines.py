# SPDX-License-Identifier: Apache-2.0
"""Configurations and differences as command lines that can be run."""

from __future__ import annotations

from pathlib import Path

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell

ACL = f"{TPG}/acls/{CLIENT}"


@pytest.fixture
def example(pyshell: Pyshell) -> Pyshell:
    """Return a target that runs the example."""
    pyshell.must(f"restoreconfig {pyshell.example}")
    return pyshell


def other(folder: Path) -> Pyshell:
    """Return pyshell on another fresh simulated target."""
    return Pyshell(folder / "other")


def test_exported_lines_make_the_same_on_another_host(example: Pyshell, tmp_path: Path) -> None:
    example.must(
        "/backstores/ramdisk/scratch set attribute emulate_caw=0",
        f"{TPG} set parameter MaxBurstLength=8192",
        f"{TPG} disable",
        "saveconfig",
    )
    twin = other(tmp_path)
    lines = example("export", "show_secrets=true").done().lines
    twin.must(*lines)
    assert twin("diff", str(example.saved_file)).done().out == ""


def test_an_exported_target_takes_its_storage_objects_along(
    example: Pyshell, tmp_path: Path
) -> None:
    twin = other(tmp_path)
    lines = example("export", f"/iscsi/{SERVER}", "show_secrets=true").done().lines
    twin.must(*lines)
    example.must("saveconfig")
    assert twin("diff", str(example.saved_file), f"path=/iscsi/{SERVER}").done().out == ""
    assert twin("-o", "json", "/backstores/ramdisk", "ls").out.count('"scratch"') == 1
    assert '"local"' not in twin("-o", "json", "/backstores/ramdisk", "ls").out


def test_an_exported_target_can_be_made_anew_where_its_disks_still_are(example: Pyshell) -> None:
    lines = example("export", f"/iscsi/{SERVER}", "show_secrets=true").done().lines
    example.must("saveconfig", f"/iscsi delete {SERVER}")
    for line in lines:
        assert example.line(line).status == 0, line
    assert example("diff").done().out == ""


def test_what_a_new_object_has_by_itself_is_not_exported(example: Pyshell) -> None:
    shown = example("export", "show_secrets=true").done().out
    assert "login_timeout" not in shown
    assert "alua_support" not in shown
    assert "default_tg_pt_gp set" not in shown
    example.must(f"{TPG} set attribute login_timeout=20")
    assert f"{TPG} set attribute authentication=1 login_timeout=20" in example("export").out


def test_left_out_secrets_are_told(example: Pyshell) -> None:
    ran = example("export", f"/iscsi/{SERVER}")
    assert "password=- " in ran.out
    assert ran.err == "2 CHAP secrets are left out: a '-' in a line asks for one.\n"


def test_unwanted_default_portals_cost_one_line(example: Pyshell) -> None:
    deletions = [line for line in example("export").lines if "portals delete" in line]
    assert deletions == [
        f"{TPG}/portals delete ip_address=0.0.0.0 ip_port=3260 missing_ok=true",
    ]


def test_credentials_that_go_away_have_a_line(example: Pyshell) -> None:
    example.must(
        f"{ACL} set auth userid='' password='' mutual_userid='' mutual_password=''",
        "saveconfig",
        f"{TPG} set auth userid=all password='a secret for all'",
    )
    lines = example("diff", "running", "saved", "form=commands").lines
    assert f"{TPG} set auth userid='' password=''" in lines
    example.must(*lines)
    assert example("diff").done().out == ""
