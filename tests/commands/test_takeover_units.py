# SPDX-License-Identifier: Apache-2.0
"""`takeover` switches the units of the boot, prints beforehand what changes, and reverts it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from driver import ROOT, Pyshell, tool
from pyshell.commands import takeover
from pyshell.config import document_file
from pyshell.errors import NotFoundError, PyshellError
from pyshell.host import programs
from pyshell.host.programs import OTHERS, OURS, Systemd
from pyshell.lio import Lio
from pyshell.simulator.simulated_machine import SimulatedMachine, SimulatedServices

# What Fedora's and Debian's packages install.
TARGET = "[Service]\nExecStart=/usr/bin/targetctl restore\n[Install]\nWantedBy=multi-user.target\n"
SOCKET = "[Socket]\nListenStream=/run/targetclid.sock\n[Install]\nWantedBy=sockets.target\n"


def states(pyshell: Pyshell) -> dict[str, str]:
    """Return how the simulated host's units are installed."""
    found = SimulatedServices(pyshell.folder / "services.json")
    return {unit: found.state(unit) for unit in (*OURS, *OTHERS) if found.state(unit)}


def test_a_dry_run_reports_what_it_would_change(pyshell: Pyshell) -> None:
    before = states(pyshell)
    assert pyshell("takeover", "--dry-run").done().lines == [
        "pyshell-restore.service would be enabled (dry run)",
        "pyshell-missing.path would be enabled (dry run)",
        "target.service would be disabled (dry run)",
    ]
    assert states(pyshell) == before


def test_a_json_field_says_whether_anything_changes(pyshell: Pyshell) -> None:
    def told(*arguments: str) -> object:
        return pyshell("-o", "json", *arguments).done().json["result"]["changed"]

    assert told("--dry-run", "takeover") is True
    assert told("takeover") is True
    assert told("--dry-run", "takeover") is False
    assert told("takeover") is False
    assert told("takeover", "back=true") is True
    assert told("takeover", "back=true") is False


def test_taking_over_and_giving_back(pyshell: Pyshell) -> None:
    before = states(pyshell)
    assert pyshell("takeover").done().lines == [
        "Enabled pyshell-restore.service.",
        "Enabled pyshell-missing.path.",
        "Disabled target.service.",
        f"From the next boot on, pyshell restores {pyshell.saved_file}."
        " The running target is not changed.",
        "Nothing is saved there yet.",
        "'takeover back=true' reverts this.",
    ]
    assert states(pyshell)["target.service"] == "disabled"
    assert pyshell("takeover").done().out == "pyshell already restores the target at boot.\n"
    assert pyshell("takeover", "back=true", "--dry-run").done().lines == [
        "target.service would be enabled (dry run)",
        "pyshell-restore.service would be disabled (dry run)",
        "pyshell-missing.path would be disabled (dry run)",
    ]
    pyshell("takeover", "back=true").done()
    assert states(pyshell) == before
    for more in ((), ("--dry-run",)):
        told = pyshell("takeover", "back=true", *more).done().out
        assert told.startswith("There is nothing to revert: pyshell has not taken over.")


def test_undo_names_the_way_back_instead_of_undoing_the_command_before(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/ramdisk create before 1M", "takeover")
    ran = pyshell("undo")
    assert (ran.out, ran.status) == ("", 5)
    assert ran.err.startswith(
        "Cannot undo 'takeover': it changed which units restore the target at boot."
        " 'takeover back=true' reverts it. 'undo skip=true' removes it"
    )
    assert "before" in pyshell("/backstores/ramdisk ls").out


def test_giving_back_knows_all_units_of_several_takeovers(pyshell: Pyshell) -> None:
    found = SimulatedServices(pyshell.folder / "services.json")
    pyshell("takeover").done()
    found.enable(["targetclid.socket"])
    assert "Disabled targetclid.socket." in pyshell("takeover").done().lines
    pyshell("takeover", "back=true").done()
    assert states(pyshell)["target.service"] == states(pyshell)["targetclid.socket"] == "enabled"


@pytest.fixture
def other(pyshell: Pyshell) -> Path:
    """Return the saved file of Debian's rtslib, beside which pyshell has none."""
    other = pyshell.folder / "files/etc/rtslib-fb-target/saveconfig.json"
    pyshell.must("/backstores/ramdisk create theirs 1M")
    other.parent.mkdir(parents=True)
    pyshell.must(f"saveconfig {other}")
    return other


def test_the_saved_file_of_another_program_is_copied_and_copied_back(
    pyshell: Pyshell, other: Path
) -> None:
    before = other.read_bytes()
    copied = f"{other} would be copied to {pyshell.saved_file} (dry run)"
    assert pyshell("takeover", "--dry-run").done().lines[0] == copied
    assert not pyshell.saved_file.exists()
    ran = pyshell("-o", "json", "takeover").done().json["result"]
    assert ran["copied"] == str(pyshell.saved_file)
    assert ran["messages"][0] == f"Copied {other} to {pyshell.saved_file}."
    assert pyshell.saved_file.read_bytes() == before
    assert pyshell.saved_file.stat().st_mode & 0o777 == 0o600
    pyshell.must("/backstores/ramdisk create ours 1M", "saveconfig")
    assert other.read_bytes() == before

    lines = pyshell("takeover", "back=true").done().lines
    assert lines[0] == f"Copied {pyshell.saved_file} to {other}."
    assert other.read_bytes() == pyshell.saved_file.read_bytes()
    (backup,) = document_file.backups(other)
    assert document_file.read_backup(backup) == before


def test_an_unchanged_file_is_not_copied_back(pyshell: Pyshell, other: Path) -> None:
    pyshell("takeover").done()
    assert "Copied" not in pyshell("takeover", "back=true").done().out
    assert document_file.backups(other) == []


def test_copying_back_removes_no_backup_of_the_other_program(pyshell: Pyshell, other: Path) -> None:
    folder = other.parent / "backup"
    folder.mkdir(exist_ok=True)
    older = [folder / f"saveconfig-20200{month}01-00:00:00.json" for month in range(1, 10)]
    for path in older:
        path.write_text("{}")
    pyshell("takeover").done()
    pyshell.must("/backstores/ramdisk create ours 1M", "saveconfig")
    pyshell("takeover", "back=true").done()
    assert len(document_file.backups(other)) == len(older) + 1


def test_a_file_of_another_program_does_not_replace_the_saved_one(
    pyshell: Pyshell, other: Path
) -> None:
    pyshell.must("/backstores/ramdisk create ours 1M", "saveconfig")
    saved = pyshell.saved_file.read_bytes()
    assert "Copied" not in pyshell("takeover").done().out
    assert pyshell.saved_file.read_bytes() == saved != other.read_bytes()
    assert "Copied" not in pyshell("takeover", "back=true").done().out


@pytest.mark.parametrize("fault", ["damaged", "open to others"])
def test_a_file_that_cannot_be_restored_stops_the_takeover(
    pyshell: Pyshell, other: Path, fault: str
) -> None:
    if fault == "damaged":
        other.write_text("{")
    else:
        other.chmod(0o666)
    before = states(pyshell)
    ran = pyshell("takeover")
    assert ran.status
    assert str(other) in ran.err
    assert states(pyshell) == before
    assert not pyshell.saved_file.exists()


def test_a_file_is_copied_only_for_the_program_that_restored_it(
    pyshell: Pyshell, other: Path
) -> None:
    SimulatedServices(pyshell.folder / "services.json").disable(["target.service"])
    out = pyshell("takeover").done().out
    assert f"Nothing is saved there yet; {other} is another program's." in out


def test_units_that_are_no_longer_installed_are_not_enabled(pyshell: Pyshell) -> None:
    pyshell("takeover").done()
    file = pyshell.folder / "services.json"
    found = json.loads(file.read_text())
    del found["target.service"]
    file.write_text(json.dumps(found))
    assert pyshell("takeover", "back=true").done().lines[-2:] == [
        "target.service is not installed: it was not enabled.",
        "The previous units are restored.",
    ]


def test_saved_and_running_configuration_are_unchanged(exported: Pyshell) -> None:
    exported.must("saveconfig")
    saved, tree = exported.saved_file.read_bytes(), exported.tree()
    assert "Nothing is saved" not in exported("takeover").done().out
    assert (exported.saved_file.read_bytes(), exported.tree()) == (saved, tree)


@pytest.mark.parametrize(
    "text", ["[", "[]", '{"units": 1}', '{"units": [], "copied": "/etc/shadow"}']
)
def test_a_damaged_record_is_reported(pyshell: Pyshell, text: str) -> None:
    pyshell("takeover").done()
    (pyshell.config_dir / takeover.FILE).write_text(text)
    assert "is damaged" in pyshell("takeover", "back=true").err


# With the real systemctl, on the files of a system that does not run


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """Return a system with pyshell's units and presets, and those of other programs."""
    units = tmp_path / "usr/lib/systemd/system"
    shutil.copytree(ROOT / "packaging/systemd", units)
    shutil.copytree(ROOT / "packaging/preset", tmp_path / "usr/lib/systemd/system-preset")
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    (units / "rtslib-fb-targetctl.service").write_text(f"{TARGET}Alias=target.service\n")
    (units / "targetclid.socket").write_text(SOCKET)
    systemctl(tmp_path, "enable", "rtslib-fb-targetctl.service", "targetclid.socket")
    return tmp_path


def systemctl(system: Path, *arguments: str) -> None:
    """Run the real one."""
    command = [tool("systemctl", "systemd"), f"--root={system}", *arguments]
    subprocess.run(command, check=True, capture_output=True)


def links(system: Path) -> set[str]:
    """Return what is enabled, as links."""
    return {str(path.relative_to(system)) for path in (system / "etc").rglob("*.*")} - {"etc/x"}


@pytest.fixture
def on_system(system: Path, lio: Lio, monkeypatch: pytest.MonkeyPatch) -> Lio:
    """Return a target whose host has that system's services."""
    monkeypatch.setattr(SimulatedMachine, "services", lambda _machine: Systemd(str(system)))
    return lio


def test_systemd_enables_and_disables_the_units(system: Path, on_system: Lio) -> None:
    before = links(system)
    wanted = takeover.planned(on_system)
    assert wanted.disable == ("rtslib-fb-targetctl.service", "targetclid.socket")
    assert wanted.enable == OURS
    takeover.take(on_system, wanted)
    assert {Path(link).name for link in links(system)} > {*OURS}
    assert not {Path(link).name for link in links(system)} & {*wanted.disable, "target.service"}
    returned = takeover.reversal(on_system)
    assert returned is not None
    takeover.give_back(on_system, returned)
    files = {link for link in links(system) if (system / link).is_symlink()}
    assert files == {link for link in before if (system / link).is_symlink()}


def test_presets_do_not_change_who_restores_at_boot(system: Path) -> None:
    systemctl(system, "enable", *OURS)
    systemctl(system, "preset", *OURS)
    assert [Systemd(str(system)).state(unit) for unit in OURS] == ["disabled", "disabled"]


def test_without_its_units_pyshell_does_not_take_over(system: Path, on_system: Lio) -> None:
    (system / "usr/lib/systemd/system/pyshell-missing.path").unlink()
    with pytest.raises(NotFoundError, match=r"pyshell-missing\.path is not installed"):
        takeover.planned(on_system)


@pytest.mark.parametrize("act", [Systemd().enable, Systemd().disable])
def test_missing_systemd_is_reported(
    act: Callable[[list[str]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "SEARCH_PATH", "/nowhere")
    with pytest.raises(NotFoundError, match="no systemd"):
        act(["target.service"])


def test_errors_of_systemctl_are_reported(system: Path) -> None:
    with pytest.raises(
        PyshellError, match=r"'systemctl --root=\S+ enable no-such\.service' failed: .*no-such"
    ):
        Systemd(str(system)).enable(["no-such.service"])
