# SPDX-License-Identifier: Apache-2.0
"""The host around the target: real, as far as any user may look, and simulated."""

from __future__ import annotations

import lzma
import syslog
from collections.abc import Callable
from pathlib import Path

import pytest

from driver import Pyshell
from pyshell.host import block_devices, programs, real_machine
from pyshell.host.real_machine import RealMachine
from pyshell.lio import Lio, fabrics


def test_a_file_is_not_a_block_device(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    real = RealMachine()
    assert real.block_device(str(tmp_path / "file")) is None
    assert real.block_device(str(tmp_path / "nothing")) is None
    assert real.block_device("/dev/null") is None


def test_a_missing_device_has_no_size() -> None:
    assert RealMachine().device_size("no-such-disk") is None


def test_the_real_host_has_an_image_file_at_its_own_path() -> None:
    assert RealMachine().host_file("/srv/x.img") == Path("/srv/x.img")


@pytest.mark.parametrize(
    ("name", "frees"),
    [("xfs\n", True), ("ext2/ext3\n", True), ("tmpfs\n", True), ("nfs\n", False), (None, False)],
)
def test_which_file_systems_free_parts_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str | None, frees: bool
) -> None:
    asked: list[tuple[str, ...]] = []

    def ask(*command: str) -> str | None:
        asked.append(command)
        return name

    monkeypatch.setattr(RealMachine, "ask", staticmethod(ask))
    assert RealMachine().frees_space(str(tmp_path / "image")) is frees
    assert asked == [("stat", "-f", "-c", "%T", str(tmp_path))]


@pytest.mark.parametrize(
    ("files", "holder"),
    [
        ({}, ""),
        ({"/proc/self/mountinfo": "36 35 8:16 / /mnt rw - ext4 /dev/sdb rw"}, "mounted on /mnt"),
        ({"/proc/self/mountinfo": "36 35 8:17 / /mnt rw - ext4 /dev/sdb1 rw"}, "mounted on /mnt"),
        ({"/proc/self/mountinfo": "36 35 8:1 / / rw - ext4 /dev/sda1 rw"}, ""),
        ({"/proc/swaps": "Filename Type\nFOLDER partition 1 0 -2"}, "used as swap"),
    ],
)
def test_a_device_is_in_use_by_mounts_and_swap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], holder: str
) -> None:
    folder = tmp_path / "sdb"
    (folder / "sdb1").mkdir(parents=True)
    texts = {name: text.replace("FOLDER", str(folder)) for name, text in files.items()}
    texts[f"{folder}/sdb1/dev"] = "8:17"
    monkeypatch.setattr(block_devices, "file_text", lambda path: texts.get(path, ""))
    assert block_devices._holder("8:16", str(folder)) == holder


def test_a_device_is_in_use_by_other_devices(tmp_path: Path) -> None:
    (tmp_path / "holders" / "dm-1").mkdir(parents=True)
    (tmp_path / "holders" / "dm-0").mkdir()
    assert block_devices._holder("8:16", str(tmp_path)) == "held by dm-0, dm-1"


def test_the_simulated_host_has_its_table(lio: Lio) -> None:
    disk = lio.machine.block_device("/dev/lee/lee.lv")
    assert disk is not None
    assert (disk.name, disk.size, disk.holder) == ("dm-0", 21474836480, "")
    assert lio.machine.device_size("dm-0") == 21474836480
    assert lio.machine.block_device("/dev/st0") is None
    assert fabrics.loadable(lio.machine) == {"iscsi", "loopback"}


def test_devices_of_any_kind_are_present(lio: Lio) -> None:
    assert lio.machine.present("/dev/st0")
    assert lio.machine.present("/dev/lee/lee.lv")
    assert not lio.machine.present("/dev/nothing")
    real = RealMachine()
    assert real.present("/dev/null")
    assert not real.present("/etc/passwd")
    assert not real.present("/dev/nothing")


def test_image_files_of_the_simulated_host_are_in_its_folder(pyshell: Pyshell, lio: Lio) -> None:
    assert lio.machine.host_file("/srv/x.img").is_relative_to(pyshell.folder)
    assert lio.machine.host_file("/../../x.img").is_relative_to(pyshell.folder)


def test_an_error_names_what_uses_a_device(pyshell: Pyshell) -> None:
    assert "mounted on /" in pyshell.line("/backstores/block create x /dev/sda1").err
    pyshell.must("/backstores/block create one /dev/sdb")
    assert "storage object block/one" in pyshell.line("/backstores/block create x /dev/sdb").err


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("/backstores/block create x /srv/none", "There is no block device /srv/none"),
        ("/backstores/block create x /dev/st0", "/dev/st0"),
        ("/backstores/fileio create x /srv/none.img", "a size is needed"),
        ("/backstores/fileio create x /srv", "exists but is not a file"),
        ("/backstores/pscsi create x /dev/nothing", "There is no SCSI device /dev/nothing"),
    ],
)
def test_an_unusable_device_is_refused(pyshell: Pyshell, line: str, told: str) -> None:
    ran = pyshell.line(line)
    assert ran.status != 0
    assert told in ran.err
    assert "INCOMPLETE" not in pyshell.line("ls").done().out


def test_iscsi_can_be_offloaded_to_an_adapter_with_its_driver(lio: Lio) -> None:
    assert not lio.machine.can_offload_iscsi()
    folder = lio.machine.host_file("/sys/bus/pci/drivers/cxgb4")
    (folder / "module").mkdir(parents=True)
    assert not lio.machine.can_offload_iscsi()
    (folder / "0000:01:00.4").mkdir()
    assert lio.machine.can_offload_iscsi()


class _HostWithModule(RealMachine):
    """A host whose block module is a file of the test."""

    def __init__(self, release: str, module: Path) -> None:
        self._release = release
        self._module = module

    def kernel_release(self) -> str:
        return self._release

    def ask(self, *command: str) -> str | None:
        assert command == ("modinfo", "-n", "target_core_iblock")
        return f"{self._module}\n" if self._module.name else None


@pytest.mark.parametrize(
    ("release", "name", "content", "expected"),
    [
        ("6.17.1", "", b"", True),
        ("5.14.0-700.el9.x86_64", "new.ko", b"\0exclusive=%d\0", True),
        ("5.14.0-700.el9.x86_64", "new.ko.xz", lzma.compress(b"\0exclusive=%d\0"), True),
        ("6.1.0-56-amd64", "old.ko", b"\0readonly=%d\0PR_EXCLUSIVE", False),
        ("6.1.0-56-amd64", "old.ko.xz", lzma.compress(b"\0readonly=%d\0"), False),
        ("6.1.0-56-amd64", "torn.ko.xz", b"not compressed", True),
        ("6.1.0-56-amd64", "other.ko.zst", b"compressed otherwise", True),
        ("6.1.0-56-amd64", "", b"", True),
    ],
)
def test_whether_devices_can_be_shared_shows_in_the_kernels_module(
    release: str, name: str, content: bytes, expected: bool, tmp_path: Path
) -> None:
    module = tmp_path / name if name else Path()
    if name:
        module.write_bytes(content)
    assert _HostWithModule(release, module).can_share_devices() is expected


@pytest.mark.parametrize("systemd", [True, False])
def test_a_timer_is_systemds_where_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, systemd: bool
) -> None:
    ran: list[tuple[object, ...]] = []

    def note(kind: str) -> Callable[..., None]:
        return lambda *words: ran.append((kind, *words))

    folder = tmp_path if systemd else tmp_path / "missing"
    monkeypatch.setattr(real_machine, "_SYSTEMD_RUNS", str(folder))
    monkeypatch.setattr(programs, "start_detached_timer", note("detached"))
    monkeypatch.setattr(programs.Systemd, "start_timer", lambda _, *words: note("unit")(*words))
    monkeypatch.setattr(programs.Systemd, "stop_timer", lambda _, unit: note("stop")(unit))
    RealMachine().start_timer("one", [5], ["1"])
    RealMachine().stop_timer("one")
    expected = [("unit", "one", [5], ["1"]), ("stop", "one")]
    assert ran == (expected if systemd else [("detached", [5], ["1"])])


def test_an_announcement_is_logged_and_written_to_all_terminals(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran: list[tuple[str, ...]] = []

    def run(*command: str, **_: object) -> None:
        ran.append(command)

    monkeypatch.setattr(programs, "run", run)
    monkeypatch.setattr(syslog, "syslog", lambda _, text: ran.append((text,)))
    RealMachine().announce("In 5 s …")
    assert ran == [("In 5 s …",), ("wall", "pyshell: In 5 s …")]
