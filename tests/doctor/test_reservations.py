# SPDX-License-Identifier: Apache-2.0
"""Findings about what clusters need: persistent reservations."""

from __future__ import annotations

from pathlib import Path

import pytest

from driver import CLIENT, Pyshell

from .findings import doctor, follow, gone, only


@pytest.mark.parametrize("name", ["pr", "alua"])
def test_a_missing_folder_is_created(healthy: Pyshell, name: str) -> None:
    folder = healthy.folder / "etc/target" / name
    folder.rmdir()
    follow(healthy, only(healthy, "reservations", str(folder), "it is missing"))
    assert gone(healthy, "reservations")
    assert folder.stat().st_mode & 0o777 == 0o700


def test_without_a_storage_object_no_folder_is_missing(pyshell: Pyshell) -> None:
    pyshell.must("ls")
    assert gone(pyshell, "reservations")


@pytest.fixture
def folder(healthy: Pyshell) -> Path:
    """Return the folder of the registrations."""
    return healthy.folder / "etc/target/pr"


def test_other_users_can_write_to_the_folder(healthy: Pyshell, folder: Path) -> None:
    folder.chmod(0o775)
    told = "other users can change the files in it"
    follow(healthy, only(healthy, "reservations", str(folder), told))
    assert gone(healthy, "reservations")


def test_a_file_is_in_the_folders_place(healthy: Pyshell, folder: Path) -> None:
    folder.rmdir()
    folder.touch()
    (found,) = [one for one in doctor(healthy) if one["check"] == "reservations"]
    assert found["message"].startswith("it is not a folder: initiators cannot register")
    assert found["commands"] == []


def test_a_reservation_that_cannot_be_cleared_has_no_command_for_it(healthy: Pyshell) -> None:
    (shown,) = healthy.configfs.glob("core/iblock_*/lee_block/pr/res_holder")
    shown.write_text(f"SPC-2 Reservation: iSCSI Initiator: {CLIENT}\n")
    (found,) = [one for one in doctor(healthy) if one["check"] == "reservations"]
    assert found["message"].startswith("it is reserved (SPC-2)")
    assert found["choices"] == []


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("write_exclusive", "no other initiator can write to it"),
        ("write_exclusive_registrants_only", "only registered initiators can write to it"),
    ],
)
def test_the_holder_of_a_reservation_is_gone(healthy: Pyshell, kind: str, told: str) -> None:
    healthy.must(f"login {CLIENT}", f"reserve {CLIENT} type={kind}")
    assert gone(healthy, "reservations")
    healthy.must(f"logout {CLIENT}")
    commands = only(healthy, "reservations", "/backstores/block/lee_block", told)
    follow(healthy, commands)
    assert gone(healthy, "reservations")


def test_registrations_are_stored_where_they_are_not_restored_from(healthy: Pyshell) -> None:
    (healthy.configfs / "dbroot").write_text("/var/target\n", encoding="ascii")
    healthy.must(f"login {CLIENT}", "/backstores/block/lee_block set attribute emulate_3pc=0")
    assert gone(healthy, "reservations")
    healthy.must(f"reserve {CLIENT} aptpl=true")
    folder = healthy.folder / "files/var/target/pr"
    (command,) = only(healthy, "reservations", str(folder), "they are lost unless")
    follow(healthy, [command])
    (stored,) = folder.iterdir()
    assert (healthy.folder / "etc/target/pr" / stored.name).read_text() == stored.read_text()
