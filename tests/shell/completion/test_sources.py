# SPDX-License-Identifier: Apache-2.0
"""What completion offers on a target with one exported disk."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell
from pyshell.errors import PyshellError
from pyshell.lio import attach
from pyshell.shell.completion.sources import complete
from pyshell.shell.grammar import split
from pyshell.shell.options import Options
from pyshell.shell.preference_files import Preferences
from pyshell.shell.shell import Shell
from pyshell.simulator import SimulatedPort
from pyshell.tree.root import RootNode

PLACES = {
    "/": ["/backstores/", "/iscsi/", "/loopback/"],
    "/backstores/b": ["/backstores/block/"],
    "back": ["backstores/"],
    "/iscsi/..": ["/iscsi/../"],
    f"{TPG}/": [f"{TPG}/acls/", f"{TPG}/luns/", f"{TPG}/portals/"],
    f"{TPG}/luns/l": [f"{TPG}/luns/lun0"],
    f"{TPG}/portals/": [f"{TPG}/portals/0.0.0.0:3260", f"{TPG}/portals/[::1]:3261"],
    f"{TPG}/portals/[:": [f"{TPG}/portals/[::1]:3261"],
    f"{TPG}/portals/[::1]:3": [f"{TPG}/portals/[::1]:3261"],
    f"{TPG}/portals/[::1]:3261 enable_o": ["enable_offload"],
    "ex": ["exit", "export"],
    "/iscsi cr": ["create"],
    f"{TPG}/portals/* enable_o": ["enable_offload"],
    "help ex": ["exit", "export"],
    "cd /b": ["/backstores/"],
    "/iscsi cd iqn": [f"{SERVER}/"],
    f"/iscsi delete {SERVER[:6]}": [SERVER],
    f"/iscsi/{SERVER} delete wwn=": [],
    f"/iscsi/{SERVER} delete tag=": ["1"],
    f"/iscsi/{SERVER} create tag=tp": ["tpg2"],
    f"{TPG}/luns create /b": ["/backstores/ramdisk/spare"],  # the other is a LUN there already
    f"{TPG}/luns create lun=": ["1"],
    f"{TPG}/luns create lun=l": ["lun1"],
    f"{TPG}/luns delete lun=": ["0"],
    f"{TPG}/luns delete x=": [],
    f"{TPG}/acls/{CLIENT} create 1 l": ["lun0"],
    f"{TPG}/acls/{CLIENT} delete l": ["lun0"],
    f"{TPG}/portals delete ip_address=:": ["::1"],
    f"{TPG}/portals create ip_address=": ["192.168.56.101", "127.0.0.1", "::1", "0.0.0.0", "::0"],
    f"{TPG}/luns create add_mapped_luns=": ["true", "false"],
    # Where nothing begins as typed, what holds its letters.
    "rst": ["restoreconfig"],
    f"{TPG}/luns create spare": ["/backstores/ramdisk/spare"],
    "/backstores/block create x dev=lee": [],  # it is a storage object already
    "/backstores/block create x dev=nvm": ["/dev/nvme0n1"],
    "/backstores/block create x dev=/dev/sd": ["/dev/sdb", "/dev/sdc", "/dev/sdd"],
    "/backstores/block create x r": ["readonly=", "revision="],
    "/backstores/block create x dev=y readonly=": ["true", "false"],
    "nosuch/": [],
    "/nosuch cr": [],
    "/backstores/fileio/* cr": [],
    "@nosuch/": [],
}
# What is named at the root, by its place among the words and by its name.
ROOT = {
    "guide iq": [SERVER],
    "guide target=": [SERVER],
    f"guide {SERVER} iq": [CLIENT],
    "sessions initiator=": [CLIENT],
    "sessions target=iq": [SERVER],
    "sessions storage_object=/backstores/r": ["/backstores/ramdisk/spare"],
    "share /dev/s": ["/dev/sdb", "/dev/sdc", "/dev/sdd"],
    "share device=/dev/ma": ["/dev/mapper/lee-lee.lv"],  # for one more initiator
    "share sp": ["spare"],
    "share /back": ["/backstores/block/lee_block", "/backstores/ramdisk/spare"],
    "share /dev/sdb to=": [CLIENT],
    "share /dev/sdb to=iqn.2020-07.org.example:a,": [f"iqn.2020-07.org.example:a,{CLIENT}"],
    f"share /dev/sdb to={CLIENT},": [],
    "share /dev/sdb to=x target=": [SERVER],
    "unshare /": ["/dev/mapper/lee-lee.lv"],
    "unshare lee": ["lee_block"],
    "unshare lee_block iq": [CLIENT],
    "doctor /is": ["/iscsi/"],
    "doctor path=/is": ["/iscsi/"],
    "top /b": ["/backstores/"],
    "top path=/b": ["/backstores/"],
    "apply saved target=": [SERVER],
}
SETTINGS = {
    f"{TPG} get a": ["attribute", "auth"],
    f"{TPG} get attribute authe": ["authentication"],
    f"{TPG} get attribute authentication authe": [],
    f"{TPG} set attribute authe": ["authentication="],
    f"{TPG} set attribute authentication=": ["1", "0"],
    f"{TPG} set parameter Immediate": ["ImmediateData="],
    f"{TPG} set parameter ImmediateData=": ["Yes", "No"],
    f"{TPG} set auth pass": ["password="],
    f"{TPG} set nosuch a": [],
    "set global auto_e": ["auto_enable_tpgt="],
    "set global auto_enable_tpgt=": ["true", "false"],
    "set global prompt_length=": ["30"],
    "get global auto_e": ["auto_enable_tpgt"],
    "get global show": ["show_secrets="],
}


@pytest.fixture
def shell(exported: Pyshell, tmp_path: Path) -> Shell:
    """Return a shell on the target, where IPv6 is listened on too."""
    exported.prepare(f"{TPG}/portals create ::1 3261", "/backstores/ramdisk create spare 1M")
    lio = attach(exported.folder)
    preferences = Preferences(tmp_path, lio.config_dir, pytest.fail)
    return Shell(lio, preferences, Options(), io.StringIO(), io.StringIO(), io.StringIO())


def words(shell: Shell, line: str) -> list[str]:
    return [found.text for _, found in complete(line, shell.root(), shell.path)]


@pytest.mark.parametrize("table", [PLACES, ROOT, SETTINGS], ids=["places", "root", "settings"])
def test_offered(shell: Shell, table: dict[str, list[str]]) -> None:
    assert {line: words(shell, line) for line in table} == table


def test_who_was_refused_is_offered_where_a_disk_is_shared(shell: Shell, exported: Pyshell) -> None:
    refused = "iqn.2020-07.org.example:refused"
    exported.simulator.refuse(SERVER, 1, refused, "192.168.56.107", "authenticate")
    assert words(shell, "share /dev/sdb to=") == [refused, CLIENT]
    assert words(shell, "sessions initiator=") == [CLIENT]


def test_targets_of_all_fabrics_have_sessions(shell: Shell, exported: Pyshell) -> None:
    exported.must("/loopback create naa.5001405000000001")
    assert words(shell, "sessions target=n") == ["naa.5001405000000001"]
    assert "naa.5001405000000001" not in words(shell, "guide ")


def test_revisions_are_offered_with_who_saved_them(shell: Shell) -> None:
    assert words(shell, "revisions show ") == ["revision=", "show_secrets="]
    shell.run_line("saveconfig comment=first")
    shell.run_line(f"{TPG} disable")
    shell.run_line("saveconfig comment=second")
    found = [found for _, found in complete("revisions show ", shell.root(), shell.path)][:2]
    assert [one.text for one in found] == ["saved", "1"]
    assert found[0].description.endswith("one-liner second")
    assert found[1].description.endswith("one-liner first")


def test_a_secret_is_never_offered(shell: Shell) -> None:
    shell.run_line(f"{TPG} set auth userid=u password=verysecret12")
    assert words(shell, f"{TPG} set auth userid=") == ["u"]
    assert words(shell, f"{TPG} set auth password=") == []


def test_read_only_parameters_are_not_offered_for_setting(shell: Shell) -> None:
    block = "/backstores/block/lee_block"
    assert "hw_queue_depth" in words(shell, f"{block} get attribute hw_q")
    assert words(shell, f"{block} set attribute hw_q") == []


def test_nothing_is_offered_twice(shell: Shell) -> None:
    every = words(shell, f"{TPG}/luns create /backstores/block/lee_block ")
    assert "lun=" in every
    assert "storage_object=" not in every


def test_descriptions_say_what_the_tree_says(shell: Shell) -> None:
    found = [found for _, found in complete("/loop", shell.root(), "/")]
    assert [(c.text, c.described(), c.whole) for c in found] == [
        ("/loopback/", "Targets: 0", False)
    ]
    (_, device), *_ = complete("/backstores/block create x /dev/sdb", shell.root(), "/")
    assert device.described() == "8.0GiB SIM Disk"


def test_paths_are_relative_to_the_current_one(shell: Shell) -> None:
    shell.run_line(f"{TPG}/luns")
    assert words(shell, "lu") == ["lun0/"]
    assert words(shell, "cd lu") == ["lun0"]
    assert words(shell, "../po") == ["../portals/"]


def test_bookmarks(shell: Shell) -> None:
    shell.run_line(f"{TPG} bookmarks add mine")
    assert words(shell, "@") == ["@mine"]
    assert words(shell, "@mine/po") == ["@mine/portals/"]
    assert words(shell, "@mine/luns cr") == ["create"]


def test_files(shell: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "my files"
    (folder / "inner").mkdir(parents=True)
    (folder / "a=b.json").touch()
    (folder / "it's.json").touch()
    (folder / ".hidden").touch()
    start = f"saveconfig '{folder}/"
    assert words(shell, start) == [
        f"'{folder}/a=b.json'",
        f"'{folder}/it'\\''s.json'",
        f"'{folder}/inner/",  # the quote stays open: more will follow
    ]
    assert words(shell, f"{start}.") == [f"'{folder}/.hidden'"]


def test_ports_without_a_target_are_offered(shell: Shell, pyshell: Pyshell) -> None:
    for name in ("21:00:00:24:ff:12:34:56", "21:00:00:24:ff:12:34:57"):
        pyshell.simulator.machine.add_port(SimulatedPort("qla2xxx", name))
    pyshell.must("/qla2xxx create naa.21000024ff123456")
    assert words(shell, "/qla2xxx create n") == ["naa.21000024ff123457"]
    assert words(shell, "/iscsi create wwn=i") == []


def test_image_files_lie_where_the_machine_has_them(shell: Shell) -> None:
    image = shell.lio.machine.host_file("/srv/disk.img")
    image.parent.mkdir(parents=True, exist_ok=True)
    image.touch()
    line = "/backstores/fileio create name=x file_or_dev=/s"
    assert words(shell, line) == ["/srv/"]
    assert words(shell, line + "rv/d") == ["/srv/disk.img"]


def test_a_word_that_looks_like_a_name_is_quoted(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a=b").touch()
    monkeypatch.chdir(tmp_path / "in")
    assert words(shell, "saveconfig ")[0] == "'a=b'"
    assert words(shell, "saveconfig savefile=") == ["a=b"]
    assert split("saveconfig 'a=b'")[1].text == "a=b"


@pytest.mark.parametrize("error", [PyshellError("no"), OSError("no")])
def test_errors_give_no_candidates(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(self: RootNode) -> None:
        raise error

    monkeypatch.setattr(RootNode, "make_children", fail)
    assert words(shell, "/") == []


def test_a_bug_is_the_callers_to_report(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: RootNode) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(RootNode, "make_children", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        words(shell, "/")


def test_a_current_path_that_is_gone_gives_no_candidates(shell: Shell) -> None:
    shell.executor.path = "/iscsi/iqn.2020-07.com.example:gone"
    assert words(shell, "l") == []


def test_finding_35_a_command_that_takes_a_path_offers_nodes(shell: Shell) -> None:
    assert "path=" not in words(shell, "cd ")
    assert "/iscsi cd path=" in [f"/iscsi cd {word}" for word in words(shell, "/iscsi cd pa")]
    assert "depth=" in words(shell, "ls ")


def test_finding_35_configurations_come_first_where_one_is_named(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    for name in ("LICENSE", "a.json", "b.json.gz"):
        (folder / name).touch()
    monkeypatch.chdir(folder)
    for command in ("check ", "restoreconfig ", "saveconfig ", "apply "):
        found = [word for word in words(shell, command) if not word.endswith("=")]
        assert found[-4:] == ["a.json", "b.json.gz", "sub/", "LICENSE"]
