# SPDX-License-Identifier: Apache-2.0
"""Locations of saved configurations, and unsaved changes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from driver import Pyshell
from pyshell.config import store
from pyshell.config.store.boot_file import is_unsaved
from pyshell.errors import PyshellError

OTHERS = [folder for folder in store.KNOWN_FOLDERS if folder != "/etc/target"]


def put(pyshell: Pyshell, folder: str) -> Path:
    """Save a configuration where another distribution's tools do."""
    file = pyshell.simulator.machine.file(f"{folder}/saveconfig.json")
    file.parent.mkdir(parents=True)
    disk = {"name": "a", "plugin": "ramdisk", "size": 1 << 20}
    file.write_text(json.dumps({"storage_objects": [disk]}))
    return file


@pytest.mark.parametrize("folder", OTHERS)
@pytest.mark.parametrize("command", ["check", "restoreconfig"])
def test_field_failure_18_a_configuration_in_another_known_folder_is_reported(
    pyshell: Pyshell, folder: str, command: str
) -> None:
    other = put(pyshell, folder)
    ran = pyshell(command)
    assert ran.status == 3
    assert ran.err == (
        f"Restore file {pyshell.saved_file} not found."
        f" Another one is {other}: '{command} {other}' reads it.\n"
    )
    pyshell(command, str(other)).done()


@pytest.mark.parametrize("command", ["check", "restoreconfig"])
def test_field_failure_18_without_one_the_command_that_saves_is_suggested(
    pyshell: Pyshell, command: str
) -> None:
    ran = pyshell(command)
    assert ran.err == f"Restore file {pyshell.saved_file} not found. saveconfig writes it.\n"
    assert ran.status == 3


def test_field_failure_18_a_named_file_is_not_searched_elsewhere(
    pyshell: Pyshell, tmp_path: Path
) -> None:
    put(pyshell, "/var/target")
    ran = pyshell("restoreconfig", str(tmp_path / "none.json"))
    assert "/var/target" not in ran.err


def test_field_failure_18_the_usual_folder_is_reported_if_another_was_chosen(
    exported: Pyshell, tmp_path: Path
) -> None:
    exported.must("saveconfig")
    ran = exported("--config-dir", str(tmp_path), "check")
    assert f"Another one is {exported.saved_file}" in ran.err


def test_the_running_configuration_is_compared_with_the_file(pyshell: Pyshell) -> None:
    assert not is_unsaved(pyshell.open())
    pyshell.must("/backstores/ramdisk create one 1M")
    assert is_unsaved(pyshell.open())
    pyshell.must("saveconfig")
    assert not is_unsaved(pyshell.open())
    pyshell.must("clearconfig confirm=true")
    assert is_unsaved(pyshell.open())


def test_an_unreadable_file_is_an_error(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/ramdisk create one 1M", "saveconfig")
    pyshell.saved_file.write_text("{", encoding="utf-8")
    with pytest.raises(PyshellError):
        is_unsaved(pyshell.open())
