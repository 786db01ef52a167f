# SPDX-License-Identifier: Apache-2.0
"""Failures that administrators met with other LIO shells, each by its number in the field notes.

What is asserted is the right behaviour, as seen at the command line.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from driver import (
    CLIENT,
    SERVER,
    TIME_LIMIT,
    TPG,
    Pyshell,
    Ran,
    clean_environment,
    run_here,
    run_process,
)
from pyshell import lio
from pyshell.host import programs
from pyshell.lio.configfs import CONFIGFS, RealKernel
from pyshell.simulator import Simulator

ACL = f"{TPG}/acls/{CLIENT}"
ACL_FOLDER = f"iscsi/{SERVER}/tpgt_1/acls/{CLIENT}"


# 1: the saved configuration is lost by leaving a shell that never restored it


@pytest.fixture
def saved(pyshell: Pyshell) -> Pyshell:
    """Return pyshell where a saved configuration with one ramdisk was not restored."""
    pyshell.prepare("/backstores/ramdisk create disk1 1M", "saveconfig", "clearconfig confirm=true")
    return pyshell


def test_field_failure_1_leaving_without_a_change_writes_nothing(saved: Pyshell) -> None:
    before = everything_saved(saved)
    saved.batch(["ls", "get global", "cd /iscsi", "exit"]).done()
    assert everything_saved(saved) == before


def test_field_failure_1_what_is_not_running_is_not_overwritten(saved: Pyshell) -> None:
    before = everything_saved(saved)
    ran = saved.batch(["/backstores/ramdisk create disk2 1M", "exit"])
    assert ran.status == 1
    assert "Not saved" in ran.err
    assert "/backstores/ramdisk/disk1" in ran.err
    assert "saved to" not in ran.out
    assert everything_saved(saved) == before


def test_field_failure_1_an_empty_configuration_replaces_none_unasked(saved: Pyshell) -> None:
    before = saved.saved_file.read_bytes()
    ran = saved.line("saveconfig")
    assert ran.status == 1
    assert "is empty" in ran.err
    assert saved.saved_file.read_bytes() == before
    saved.must("saveconfig force=true")
    assert saved.document()["storage_objects"] == []


def test_field_failure_1_one_liners_save_nothing(saved: Pyshell) -> None:
    before = everything_saved(saved)
    saved.must("/backstores/ramdisk create disk2 1M", "exit")
    assert everything_saved(saved) == before


def test_field_failure_1_what_a_run_deleted_itself_does_not_hinder_saving(
    exported: Pyshell,
) -> None:
    exported.must("/loopback create naa.5001405000000001", "saveconfig")
    exported.batch(
        [
            "/backstores/ramdisk create disk2 1M",
            "/backstores/block delete lee_block",
            "/loopback delete naa.5001405000000001",
            f"/iscsi delete {SERVER}",
        ]
    ).done(noting="It is exported")
    assert [so["name"] for so in exported.document()["storage_objects"]] == ["disk2"]
    assert exported.document()["targets"] == []


def test_field_failure_1_a_failed_batch_is_not_saved(pyshell: Pyshell) -> None:
    pyshell.batch(["/backstores/ramdisk create disk1 1M", "bogus"])
    assert not pyshell.saved_file.exists()


def everything_saved(pyshell: Pyshell) -> dict[str, bytes]:
    """Return all files below the configuration's folder."""
    found = (path for path in pyshell.config_dir.rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in found}


# 15: a save that is cut short, or read by others


def test_field_failure_15_a_saved_file_is_0600_at_every_instant(
    target: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, int, int]] = []
    real_open = os.open

    def watched(path: Any, flags: int, mode: int = 0o777, **named: Any) -> int:
        descriptor = real_open(path, flags, mode, **named)
        where = os.readlink(f"/proc/self/fd/{descriptor}")
        if flags & os.O_CREAT and where.startswith(str(target.config_dir)):
            seen.append((where, flags, stat.S_IMODE(os.fstat(descriptor).st_mode)))
        return descriptor

    monkeypatch.setattr(os, "open", watched)
    with umask(0):
        target.must("saveconfig", f"{TPG} disable", "saveconfig")
    written = [Path(name).parent.name for name, _, _ in seen]
    # Of each save the file, and twice what is remembered of it; of the second what was replaced.
    assert sorted(written) == ["backup", "revisions", *["target"] * 6]
    assert {mode for _, _, mode in seen} == {0o600}
    assert all(flags & os.O_EXCL for _, flags, _ in seen)
    assert {stat.S_IMODE(Path(name).stat().st_mode) for name in everything_saved(target)} == {0o600}


def test_field_failure_15_an_open_umask_or_a_lax_old_file_changes_nothing(
    target: Pyshell,
) -> None:
    target.config_dir.mkdir(parents=True, exist_ok=True)
    target.saved_file.write_text("{}")
    target.saved_file.chmod(0o666)
    with umask(0):
        target.must("saveconfig")
    assert stat.S_IMODE(target.saved_file.stat().st_mode) == 0o600


@pytest.mark.parametrize("step", ["os.fsync", "os.replace"])
def test_field_failure_15_a_killed_save_leaves_the_old_file_whole(
    target: Pyshell, step: str
) -> None:
    target.must("saveconfig")
    before = target.saved_file.read_bytes()
    target.must(f"{TPG} set auth password=verysecret")
    assert save_killed_at(target, step) == -signal.SIGKILL
    assert target.saved_file.read_bytes() == before
    assert json.loads(before)["targets"]


def test_field_failure_15_the_next_save_removes_what_a_killed_one_left(target: Pyshell) -> None:
    target.must("saveconfig")
    target.must(f"{TPG} set auth password=verysecret")
    save_killed_at(target, "os.replace")
    left = list(target.config_dir.rglob(".*"))
    assert [stat.S_IMODE(path.stat().st_mode) for path in left] == [0o600]
    target.must("saveconfig")
    assert list(target.config_dir.rglob(".*")) == []


def save_killed_at(pyshell: Pyshell, step: str) -> int:
    """Save in a process that kills itself where it would do `step`; return how it ended."""
    program = (
        "import os, signal, sys\n"
        "from pyshell.cli import main\n"
        f"main(['--simulate={pyshell.folder}', 'pwd'])\n"
        f"{step} = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"main(['--simulate={pyshell.folder}', 'saveconfig', 'savefile={pyshell.saved_file}'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=clean_environment(),
        capture_output=True,
        timeout=TIME_LIMIT,
        check=False,
    )
    return done.returncode


def test_field_failure_15_a_failed_save_leaves_the_old_file_and_no_litter(
    target: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    target.must("saveconfig", f"{TPG} disable")
    before = everything_saved(target)

    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    ran = target.line("saveconfig")
    assert ran.status == 1
    assert "ENOSPC" in ran.err
    monkeypatch.undo()
    assert everything_saved(target) == before


def test_field_failure_15_modes_of_folders_are_left_alone(target: Pyshell, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    elsewhere.chmod(0o1777)
    target.config_dir.chmod(0o755)
    target.must("saveconfig", f"saveconfig {elsewhere}/x.json", f"{TPG} disable", "saveconfig")
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o1777
    assert stat.S_IMODE(target.config_dir.stat().st_mode) == 0o755
    assert [path.name for path in elsewhere.iterdir()] == ["x.json"]


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """Set the umask for a while."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


# 19: a line that does not parse runs in part


@pytest.mark.parametrize(
    ("line", "faulty"),
    [
        ("/backstores/ramdisk create x 1M {", "{"),
        ("/backstores/ramdisk create x 1M | cat", "cat"),
        ("/backstores/ramdisk create x 1M; ls", "1M; ls"),
        ("/backstores/ramdisk create x 1M 'no end", "'no end"),
        ('/backstores/ramdisk create x 1M "no end', '"no end'),
        ("/backstores/ramdisk create x 1M \\", "\\"),
        ("/backstores/ramdisk create x 1M size=2M", "size=2M"),
        ("/backstores/ramdisk create x 1M false a b", "b"),
        ("/backstores/ramdisk create x 1M nullio=maybe", "maybe"),
        ("/backstores/ramdisk create x 1M nulio=true", "nulio=true"),
        ("/backstores/ramdisk create x 1Q", "1Q"),
        ('/backstores/ramdisk create "x y" 1M', '"x y" 1M'),
        ("/backstores/ramdisk crate x 1M", "crate x 1M"),
        ("/backstores/ramdisk name=x create", "name=x create"),
        ("/backstores/ramdisk create x", ""),
        ("!ls", "!ls"),
    ],
)
def test_field_failure_19_a_line_that_does_not_parse_runs_nothing(
    pyshell: Pyshell, line: str, faulty: str
) -> None:
    pyshell.prepare("ls")
    before = pyshell.files()
    ran = pyshell.batch([line])
    assert (ran.out, ran.status) == ("", 2)
    message, shown, caret = ran.err.splitlines()
    assert message.startswith("stdin:1: ")
    assert shown == f"  {line}"
    assert shown[len(caret) - 1 :] == faulty
    assert caret.strip() == "^"
    assert pyshell.files() == before


@pytest.mark.parametrize(
    "typed",
    [
        "/backstores/fileio create n '/tmp/my disk.img' 1M",
        '/backstores/fileio create n "/tmp/my disk.img" 1M',
        "/backstores/fileio create n /tmp/my\\ disk.img 1M",
        "/backstores/fileio create name=n size=1M file_or_dev='/tmp/my disk.img'",
        '/backstores/fileio create n file_or_dev="/tmp/my disk.img" size=1M',
    ],
)
def test_field_failure_19_quoted_blanks_arrive_whole(pyshell: Pyshell, typed: str) -> None:
    assert pyshell.must(typed) == ["Created fileio n with size 1048576"]
    assert pyshell.read("core/fileio_0/n/udev_path") == "/tmp/my disk.img\n"
    assert (pyshell.folder / "files/tmp/my disk.img").stat().st_size == 1 << 20


def test_field_failure_19_an_argument_with_blanks_after_its_name_is_one_value(
    pyshell: Pyshell,
) -> None:
    pyshell("/backstores/fileio", "create", "n", "file_or_dev=/tmp/my disk.img", "1M").done()
    assert pyshell.read("core/fileio_0/n/udev_path") == "/tmp/my disk.img\n"


# 20: a secret is cut, shown or kept where it can be read

SECRETS = [
    "abc^def",
    "a{b}c",
    'a"b',
    "a'b",
    "a b c",
    "a|b",
    "a\\b",
    "a#b",
    "#ab",
    "a=b",
    "$HOME`id`",
    "%25,;&<>()*?!~",
    "pässwörd-秘密-🔑",
    "x" * 255,
]


@pytest.mark.parametrize("secret", SECRETS)
def test_field_failure_20_a_secret_is_kept_exactly(acl: Pyshell, secret: str) -> None:
    ran = acl(ACL, "set", "auth", f"password={secret}").done()
    assert ran.out == "Parameter password is now '********'.\n"
    assert acl.read(f"{ACL_FOLDER}/auth/password") == f"{secret}\n"
    shown = acl(ACL, "get", "auth", "password", "show_secrets=true").done().out
    assert shown.rstrip(" \n") == f"password={secret}".rstrip()
    acl.must("saveconfig", "clearconfig confirm=true", "restoreconfig")
    assert saved_acl(acl)["chap_password"] == secret
    assert acl.read(f"{ACL_FOLDER}/auth/password") == f"{secret}\n"


@pytest.mark.parametrize("secret", SECRETS)
def test_field_failure_20_a_quoted_secret_in_a_batch_is_kept_exactly(
    acl: Pyshell, secret: str
) -> None:
    quoted = "'" + secret.replace("'", "'\\''") + "'"
    acl.batch([f"{ACL} set auth password={quoted}"]).done()
    assert acl.read(f"{ACL_FOLDER}/auth/password") == f"{secret}\n"


@pytest.mark.parametrize(
    "secret",
    ["x" * 256, "é" * 128, "NULL", "NULLsecret", " blank", "blank ", "tab\tin", "line\nin"],
)
def test_field_failure_20_a_secret_that_cannot_be_kept_is_refused(
    acl: Pyshell, secret: str
) -> None:
    acl(ACL, "set", "auth", "password=before").done()
    ran = acl(ACL, "set", "auth", f"password={secret}")
    assert (ran.out, ran.status) == ("", 2)
    if len(secret) > 8:
        assert secret not in ran.err
    assert acl.read(f"{ACL_FOLDER}/auth/password") == "before\n"


def test_field_failure_20_a_secret_can_come_from_standard_input(acl: Pyshell) -> None:
    ran = acl(ACL, "set", "auth", "password=-", stdin="from a pipe\n").done()
    assert ran.out == "Parameter password is now '********'.\n"
    assert acl.read(f"{ACL_FOLDER}/auth/password") == "from a pipe\n"


def test_field_failure_20_a_secret_can_come_from_a_file(acl: Pyshell, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from a file ü\n", encoding="utf-8")
    acl(ACL, "set", "auth", f"password=@{file}", "userid=me").done()
    assert acl.read(f"{ACL_FOLDER}/auth/password") == "from a file ü\n"
    assert acl.read(f"{ACL_FOLDER}/auth/userid") == "me\n"


def test_field_failure_20_an_empty_source_does_not_take_the_secret_away(
    acl: Pyshell, tmp_path: Path
) -> None:
    (tmp_path / "empty").touch()
    acl(ACL, "set", "auth", "password=before").done()
    assert acl(ACL, "set", "auth", "password=-").status == 2
    assert acl(ACL, "set", "auth", f"password=@{tmp_path}/empty").status == 2
    assert acl(ACL, "set", "auth", f"password=@{tmp_path}/none").status == 3
    assert acl.read(f"{ACL_FOLDER}/auth/password") == "before\n"


def test_field_failure_20_quoted_signs_are_the_secret_itself(acl: Pyshell) -> None:
    acl.batch([f"{ACL} set auth password='@x' mutual_password='-'"]).done()
    assert acl.read(f"{ACL_FOLDER}/auth/password") == "@x\n"
    assert acl.read(f"{ACL_FOLDER}/auth/password_mutual") == "-\n"


@pytest.mark.parametrize(
    "command",
    [
        "get auth",
        "get auth password",
        "info",
        "ls",
        "status",
        "/ ls",
        "help set",
        "set auth userid=x password=hunter2",
        "set auth password=hunter2 one_too_many",
        "set auth password=hunter2 password=hunter2",
        "set auth password='hunter2",
        "set auth password=hunter2 bogus=x",
        "sett auth password=hunter2",
        "create password=hunter2",
    ],
)
def test_field_failure_20_no_output_and_no_error_shows_a_secret(acl: Pyshell, command: str) -> None:
    acl(ACL, "set", "auth", "password=hunter2", "mutual_password=hunter2too").done()
    for options in ([], ["-o=json"], ["--dry-run"]):
        ran = acl.batch([f"cd {ACL}", command], *options)
        assert ran.out or ran.err
        assert "hunter2" not in ran.out + ran.err


def test_field_failure_20_no_file_but_the_kernels_holds_a_secret(acl: Pyshell) -> None:
    acl(ACL, "set", "auth", "password=hunter2").done()
    acl.batch([f"{ACL} set auth mutual_password=hunter2too", f"{ACL} set auth password='hunter2"])
    holders = {name for name, text in acl.files().items() if "hunter2" in text}
    folder = f"configfs/target/{ACL_FOLDER}/auth"
    assert holders == {f"{folder}/password", f"{folder}/password_mutual"}
    home = Path(os.environ["HOME"])
    assert not [f for f in home.rglob("*") if f.is_file() and b"hunter2" in f.read_bytes()]


@pytest.fixture
def acl(target: Pyshell) -> Pyshell:
    """Return pyshell where an initiator may log in."""
    target.prepare(f"{TPG}/acls create {CLIENT}")
    return target


def saved_acl(pyshell: Pyshell) -> dict[str, Any]:
    """Return the first ACL of the saved configuration."""
    found: dict[str, Any] = pyshell.document()["targets"][0]["tpgs"][0]["node_acls"][0]
    return found


# 26 and 28: run without a terminal


def test_field_failure_26_standard_input_that_is_no_terminal_is_a_script(
    pyshell: Pyshell,
) -> None:
    ran = pyshell.process(stdin="pwd\ncd /iscsi\npwd\n", environment={"TERM": "xterm"})
    assert (ran.out, ran.err, ran.status) == ("/\n/iscsi\n", "", 0)


def test_field_failure_26_standard_input_may_be_closed(pyshell: Pyshell) -> None:
    command = f"exec {sys.executable} -m pyshell --simulate={pyshell.folder} pwd <&-"
    ran = run_process(["sh", "-c", command])
    assert (ran.out, ran.err, ran.status) == ("/\n", "", 0)


def test_field_failure_28_colour_on_a_terminal_only(
    exported: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[" in exported("ls", terminal=True).done().out
    assert "\x1b" not in exported("ls").done().out


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"NO_COLOR": "0"}, {"TERM": "dumb"}])
def test_field_failure_28_no_colour_where_the_environment_wants_none(
    exported: Pyshell, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    for name, value in {"TERM": "xterm", **environment}.items():
        monkeypatch.setenv(name, value)
    assert "\x1b" not in exported("ls", terminal=True).done().out


def test_field_failure_28_no_colour_where_the_user_wants_none(
    exported: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b" not in exported("--color=never", "ls", terminal=True).done().out
    exported.must("set global color_mode=false")
    assert "\x1b" not in exported("ls", terminal=True).done().out


def test_field_failure_28_colour_everywhere_where_it_is_demanded(exported: Pyshell) -> None:
    coloured = exported("--color=always", "ls").done().out
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == exported("ls").out


def test_field_failure_28_errors_are_plain_in_a_log(pyshell: Pyshell) -> None:
    assert "\x1b" not in pyshell("bogus").err
    assert "\x1b[" in pyshell("--color", "always", "bogus").err


# 29: help and version want a lock, or root


@pytest.mark.parametrize("option", ["--version", "--help", "-h"])
def test_field_failure_29_needs_no_lock_and_leaves_nothing(pyshell: Pyshell, option: str) -> None:
    with lock_held(pyshell.folder / "command.lock"):
        before = pyshell.files()
        ran = pyshell("--lock-timeout=0", option).done()
        assert "pyshell" in ran.out
        assert pyshell.files() == before


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_field_failure_29_neither_opens_the_target_nor_runs_anything(
    monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.setattr(lio, "attach", refuse_to_run)
    monkeypatch.setattr(subprocess, "run", refuse_to_run)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert run_here([option], "", "pyshell").done().out


def test_field_failure_29_the_version_is_one_line_on_standard_output(pyshell: Pyshell) -> None:
    ran = pyshell.process("--version")
    assert re.fullmatch(r"pyshell version \d+\.\d+\.\d+\S*\n", ran.out)
    assert (ran.err, ran.status) == ("", 0)
    assert not pyshell.folder.exists()


def test_field_failure_29_help_commands_load_no_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lio.Lio, "ready", refuse_to_run)
    monkeypatch.setattr(subprocess, "run", refuse_to_run)
    for line in ("help", "help saveconfig", "version"):
        assert run_here([line], "", "pyshell").done().out


def refuse_to_run(*_arguments: object, **_named: object) -> None:
    """Stand in for what a test does not want to happen."""
    raise AssertionError("this must not be called")


@contextmanager
def lock_held(path: Path) -> Iterator[None]:
    """Hold a lock file, as another program does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# 30: IPv6 portals

WILDCARDS = ["[::0]", "::0", "::", "[::]"]


@pytest.mark.parametrize("created", WILDCARDS)
def test_field_failure_30_every_spelling_is_the_same_portal(target: Pyshell, created: str) -> None:
    target.must(f"{TPG}/portals delete 0.0.0.0 3260", f"{TPG}/portals create {created}")
    assert portals(target) == ["[::0]:3260"]
    for other in WILDCARDS:
        path = f"{TPG}/portals/{other}:3260"
        assert target.batch([path, "pwd"]).done().lines == [f"{TPG}/portals/[::0]:3260"]
        assert target.line(f"{TPG}/portals create {other}").status == 5
        target.must(f"{TPG}/portals delete {other} 3260")
        assert portals(target) == []
        target.must(f"{TPG}/portals create {created}")


@pytest.mark.parametrize("spelling", ["2001:db8::1", "[2001:DB8:0::1]", "2001:0db8:0:0:0:0:0:1"])
def test_field_failure_30_any_address_in_any_spelling(target: Pyshell, spelling: str) -> None:
    target.prepare(f"{TPG}/portals delete 0.0.0.0 3260", f"{TPG}/portals create 2001:db8::1 3261")
    assert portals(target) == ["[2001:db8::1]:3261"]
    assert target.line(f"{TPG}/portals create {spelling} 3261").status == 5
    assert target.line(f"{TPG}/portals/{spelling}:3261 info").status == 0
    target.must(f"{TPG}/portals delete {spelling} 3261")
    assert portals(target) == []


def test_field_failure_30_the_wildcard_is_found_by_the_other_familys_name(
    target: Pyshell,
) -> None:
    ran = target.line(f"{TPG}/portals delete ::0 3260")
    assert ran.status == 0
    assert "0.0.0.0:3260" in ran.err
    assert portals(target) == []


def portals(pyshell: Pyshell) -> list[str]:
    """Return the names of the portals in the kernel."""
    folder = pyshell.configfs / f"iscsi/{SERVER}/tpgt_1/np"
    return sorted(path.name for path in folder.iterdir())


# 33 and 34: what the kernel has changed shows, and stops nothing


def test_field_failure_33_a_device_that_is_gone_is_shown_as_missing(exported: Pyshell) -> None:
    before = exported.line("ls").done().lines
    exported.simulator.machine.remove("/dev/mapper/lee-lee.lv")
    after = exported.line("ls").done().lines
    changed = [line for line in after if line not in before]
    assert len(after) == len(before)
    assert len(changed) == 1
    assert re.search(r"o- lee_block \.+ \[/dev/mapper/lee-lee.lv \(MISSING\)", changed[0])
    assert "\x1b[1;31m" in red_lines(exported)[0]


def red_lines(pyshell: Pyshell) -> list[str]:
    """Return the lines of the coloured tree that name something missing."""
    coloured = pyshell("--color=always", "ls").done().lines
    return [line for line in coloured if "MISSING" in line]


def test_field_failure_33_every_command_goes_on_working(exported: Pyshell) -> None:
    exported.simulator.machine.remove("/dev/mapper/lee-lee.lv")
    disk = "/backstores/block/lee_block"
    exported.must(f"{disk} info", f"{disk} status", f"{disk} get attribute", "sessions")
    assert exported("-o", "json", disk, "status").json["result"]["healthy"] is False
    exported.must("saveconfig")
    assert exported.document()["storage_objects"][0]["dev"] == "/dev/mapper/lee-lee.lv"
    ran = exported.line("/backstores/block delete lee_block").done(noting="It is exported")
    assert ran.lines == ["Deleted storage object lee_block."]
    assert exported.line("ls /backstores/block").done().out.count("\n") == 1


def test_field_failure_33_an_image_file_that_is_gone_is_shown_as_missing(
    pyshell: Pyshell,
) -> None:
    pyshell.must("/backstores/fileio create f /srv/f.img 1M")
    (pyshell.folder / "files/srv/f.img").unlink()
    assert "MISSING" in pyshell.line("ls /backstores/fileio").done().lines[1]
    pyshell.must("/backstores/fileio delete f")


def test_field_failure_34_deleting_a_backstore_leaves_no_ghosts(exported: Pyshell) -> None:
    ran = exported.batch(
        [
            f"{TPG} ls",
            "/backstores/block delete lee_block",
            f"{TPG} ls",
            f"{TPG}/luns ls",
            f"/iscsi delete {SERVER}",
            "/iscsi ls",
        ]
    ).done(noting=f"It is exported: {TPG}/luns/lun0 is deleted with it, mapped for {CLIENT}.")
    before, _, after = ran.out.partition("Deleted storage object lee_block.\n")
    assert before.count("lee_block") == 2
    assert "lun0" not in after
    assert "[LUNs: 0]" in after
    assert "[Mapped LUNs: 0]" in after
    assert "[Targets: 0]" in after


def test_field_failure_34_changes_of_other_programs_show_at_once(target: Pyshell) -> None:
    lines = outside_lines(target)
    ran = target.batch(lines, "--keep-going")
    sizes = re.findall(r"\[Targets: (\d)\]", ran.out)
    assert sizes == ["1", "2", "1"]


def outside_lines(pyshell: Pyshell) -> Iterator[str]:
    """Yield lines of a batch, and change the kernel between them."""
    other = str(pyshell.configfs / "iscsi" / "iqn.2020-07.com.example:other")
    yield "/iscsi ls depth=1"
    pyshell.simulator.mkdir(other)
    yield "/iscsi ls depth=1"
    pyshell.simulator.rmdir(other)
    yield "/iscsi ls depth=1"


def test_field_failure_34_a_path_that_is_gone_is_left_with_a_word(exported: Pyshell) -> None:
    ran = exported.batch([f"cd {TPG}/luns/lun0", f"{TPG}/luns delete 0", "pwd"])
    assert ran.status == 0
    assert ran.lines[1] == f"{TPG}/luns"
    assert f"{TPG}/luns/lun0 no longer exists" in ran.err


# 42 and 73: a real host that lacks /etc/target, or has configfs not mounted


class Host:
    """A host's folders under /sys and /etc, and the programs that were run on it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, root: bool) -> None:
        self.programs: list[str] = []
        self.mounted = False
        self.loaded = False
        self.configfs_module = True
        self.configfs = tmp_path / "configfs"
        self.etc = tmp_path / "etc" / "target"
        self.etc.parent.mkdir()
        self._isdir = os.path.isdir
        monkeypatch.setattr(lio, "CONFIG_DIR", self.etc)
        monkeypatch.setattr(os.path, "isdir", self._is_folder)
        monkeypatch.setattr(os.path, "ismount", lambda path: self.mounted)
        monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
        monkeypatch.setattr(subprocess, "run", self._run)
        monkeypatch.setattr(programs, "_found", lambda name: name)  # a bare root has no modprobe
        monkeypatch.setattr(RealKernel, "root", str(self.configfs))

    def _is_folder(self, path: Any) -> bool:
        if path == "/sys/kernel/config":
            return self.mounted or not self.configfs_module
        if path == CONFIGFS:
            return self.loaded
        return self._isdir(path)

    def _run(self, command: Sequence[str], **_named: Any) -> subprocess.CompletedProcess[str]:
        words = [os.path.basename(command[0]), *command[1:]]
        self.programs.append(" ".join(words))
        self.mounted = self.mounted or words[0] == "mount"
        self.loaded = self.loaded or words == ["modprobe", "target_core_mod"]
        return subprocess.CompletedProcess(command, 0, "", "")

    def load(self, dbroot: str) -> None:
        """Have configfs mounted and the target core there."""
        self.mounted = self.loaded = True
        self.configfs.mkdir()
        (self.configfs / "dbroot").write_text(f"{dbroot}\n")


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Host:
    """Return a host on which the user is root."""
    return Host(monkeypatch, tmp_path, root=True)


def test_field_failure_42_a_missing_folder_is_made(host: Host) -> None:
    host.load("/var/target")
    target = lio.attach()
    target.ready()
    target.prepare_change()
    assert host.etc.is_dir()
    assert (host.configfs / "dbroot").read_text() == f"{host.etc}\n"
    assert host.programs == []


def test_field_failure_42_dbroot_is_left_alone_where_it_is_right(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.load(str(host.etc))
    monkeypatch.setattr(RealKernel, "write", refuse_to_run)
    target = lio.attach()
    target.ready()
    target.prepare_change()
    assert host.etc.is_dir()


def test_field_failure_42_a_dbroot_that_is_fixed_is_no_matter(
    host: Host, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    host.load("/var/target")

    def busy(_kernel: RealKernel, path: str, text: str) -> None:
        raise OSError(22, os.strerror(22), path)

    monkeypatch.setattr(RealKernel, "write", busy)
    target = lio.attach()
    target.ready()
    target.prepare_change()
    assert capfd.readouterr() == ("", "")


def test_field_failure_73_configfs_is_mounted_and_the_target_core_loaded(host: Host) -> None:
    lio.attach().ready()
    assert host.programs == [
        "modprobe configfs",
        "mount -t configfs none /sys/kernel/config",
        "modprobe target_core_mod",
    ]


def test_field_failure_73_a_built_in_configfs_is_only_mounted(host: Host) -> None:
    host.configfs_module = False
    lio.attach().ready()
    assert host.programs[0] == "mount -t configfs none /sys/kernel/config"


def test_field_failure_73_a_failed_mount_says_the_command(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(command: tuple[str, ...], **_named: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 32, "", "mount: permission denied\n")

    monkeypatch.setattr(subprocess, "run", fail)
    host.configfs_module = False
    ran = run_here(["ls"], "", "pyshell")
    assert ran.status == 1
    assert "'mount -t configfs none /sys/kernel/config' failed: mount: permission denied" in ran.err


def test_field_failure_73_an_ordinary_user_is_told_to_be_root(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    host = Host(monkeypatch, tmp_path, root=False)
    ran = run_here(["ls"], "", "pyshell")
    assert ran.status == 4
    assert "root" in ran.err
    assert host.programs == []


# 46: a forgotten shell holds the lock


def test_field_failure_46_a_change_waits_and_then_names_who_holds_the_lock(
    pyshell: Pyshell,
) -> None:
    pyshell.must("ls")
    lock = pyshell.folder / "command.lock"
    program = (
        "import fcntl, sys, time\n"
        f"file = open({str(lock)!r}, 'a')\n"
        "fcntl.flock(file, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\n"
        "time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        before = pyshell.tree()
        ran = pyshell("--lock-timeout=0.2", "/backstores/ramdisk create x 1M")
    finally:
        holder.kill()
        holder.communicate()
    assert (ran.out, ran.status) == ("", 5)
    assert f"(pid {holder.pid}" in ran.err
    assert "Waiting for" in ran.err
    assert "holds the lock" in ran.err
    assert pyshell.tree() == before
    pyshell.must("/backstores/ramdisk create x 1M")  # the kernel freed it with its holder


@pytest.mark.parametrize(
    "line", ["ls", "/iscsi info", f"{TPG} get attribute", "sessions", "status", "pwd", "help"]
)
def test_field_failure_46_readers_do_not_wait(target: Pyshell, line: str) -> None:
    with lock_held(target.folder / "command.lock"):
        assert target("--lock-timeout=0", line).done().out


def test_field_failure_46_a_dry_run_does_not_wait(target: Pyshell) -> None:
    with lock_held(target.folder / "command.lock"):
        ran = target("--lock-timeout=0", "--dry-run", "/backstores/ramdisk create x 1M").done()
    assert ran.lines[0] == "Would create storage object ramdisk/x. (dry run)"


def test_field_failure_46_an_open_session_holds_no_lock_between_its_commands(
    pyshell: Pyshell,
) -> None:
    def session() -> Iterator[str]:
        yield "/backstores/ramdisk create x 1M"
        with lock_held_at_once(pyshell.folder / "command.lock"):
            yield "ls"
        yield "/backstores/ramdisk delete x"

    ran = pyshell.batch(session())
    assert ran.status == 0
    assert "Deleted storage object x." in ran.out


@contextmanager
def lock_held_at_once(path: Path) -> Iterator[None]:
    """Hold a lock file that must be free."""
    with open(path, "a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def test_field_failure_46_two_changes_at_once_are_both_done(pyshell: Pyshell) -> None:
    pyshell.must("ls")
    command = [sys.executable, "-m", "pyshell", f"--simulate={pyshell.folder}"]
    programs = [
        subprocess.Popen(
            [*command, f"/backstores/ramdisk create disk{number} 1M"],
            env=clean_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for number in range(3)
    ]
    told = [program.communicate(timeout=TIME_LIMIT)[0] for program in programs]
    assert told == [f"Created ramdisk disk{number} with size 1M.\n".encode() for number in range(3)]
    assert "[Storage Objects: 3]" in pyshell.line("ls /backstores/ramdisk").done().out


# 57: a name in configfs that breaks the rules

BAD_NAMES = [
    "iqn.2003-01.org.linux-iscsi.iron_man.x8664:sn.abc",
    "Not An IQN",
    "iqn.2020-19.com.example",
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_field_failure_57_a_bad_name_is_shown_and_stops_nothing(
    exported: Pyshell, name: str
) -> None:
    folder = exported.configfs / "iscsi" / name
    exported.simulator.mkdir(str(folder))
    exported.simulator.mkdir(str(folder / "tpgt_1"))
    shown = exported.line("ls").done().out
    assert re.search(rf"o- {re.escape(name)} \.+ \[INVALID WWN\]\n.*o- tpg1 ", shown)
    assert "lee_block" in shown
    exported.must(f"/iscsi/'{name}' ls", f"/iscsi/'{name}'/tpg1 info", "sessions", "saveconfig")
    exported.must("/backstores/ramdisk create x 1M", f"{TPG}/luns create /backstores/ramdisk/x")
    assert exported.must(f"/iscsi delete '{name}'") == [f"Deleted Target {name}."]
    assert not folder.exists()
    assert "INVALID" not in exported.line("ls").done().out


def test_field_failure_57_a_name_in_capitals_is_found_and_can_be_deleted(target: Pyshell) -> None:
    folder = target.configfs / "iscsi" / "IQN.2020-01.COM.EXAMPLE"
    target.simulator.mkdir(str(folder))
    target.must(f"/iscsi/{folder.name} info", f"/iscsi delete {folder.name}")
    assert not folder.exists()


def test_field_failure_57_a_name_that_is_no_text_is_shown_and_stops_nothing(
    target: Pyshell,
) -> None:
    os.mkdir(os.fsencode(target.configfs / "iscsi") + b"/iqn.2020-01.com.example:\xff")
    assert "o- iqn.2020-01.com.example:\\udcff " in target("ls").done().out
    assert target("-o", "json", "ls").done().out
    target.must("saveconfig")


def test_field_failure_57_a_bad_initiators_name_is_shown_and_can_be_deleted(
    exported: Pyshell,
) -> None:
    folder = exported.configfs / f"iscsi/{SERVER}/tpgt_1/acls/My_Initiator"
    exported.simulator.mkdir(str(folder))
    assert "o- My_Initiator " in exported.line("ls").done().out
    exported.must(f"{TPG}/acls/My_Initiator info", f"{TPG}/acls delete My_Initiator")
    assert not folder.exists()


@pytest.mark.parametrize("host_name", ["iron_man", "UPPER.example.com", "héros", ""])
def test_field_failure_57_made_up_names_keep_the_rules(
    pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch, host_name: str
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: host_name)
    monkeypatch.setattr("socket.gethostbyname_ex", lambda _name: (host_name, [], []))
    pyshell.must("/iscsi create")
    (name,) = (path.name for path in (pyshell.configfs / "iscsi").glob("*:*"))
    assert re.fullmatch(r"iqn\.2003-01\.[a-z0-9.-]+:sn\.[0-9a-f]{12}", name)
    assert "INVALID" not in pyshell.line("ls /iscsi").done().out


# 59: names are checked before they become paths


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("iqn.2020-01.a.b/../x", "'/'"),
        ("iqn.2020-01.a.b/../../core", "'/'"),
        ("iqn.2020-00.com.example", "month 00"),
        ("iqn.2020-19.com.example", "month 19"),
        ("iqn.2020-13.com.example:x", "month 13"),
        ("iqn.2020-1.com.example", "is not an iSCSI qualified name"),
        ("iqn.20-01.com.example", "is not an iSCSI qualified name"),
        ("iqn.2020-01.", "is not an iSCSI qualified name"),
        ("iqn.2020-01.com.example:", "is not an iSCSI qualified name"),
        ("iqn.2020-01.com..example", "reversed domain name"),
        ("iqn.2020-01.-com", "reversed domain name"),
        ("iqn.2020-01.com.example:a b", "' '"),
        ("iqn.2020-01.com.example:a_b", "'_'"),
        ("iqn.2020-01.com.example:a;b", "';'"),
        ("iqn.2020-01.com.example:a\tb", "U+0009"),
        ("iqn.2020-01.com.example:" + "x" * 200, "223 bytes"),
        ("iqn.2020-01.com.example:" + "é" * 100, "223 bytes"),
        ("naa.600", "iqn"),
        ("eui.0123", "iqn"),
        ("..", "iqn"),
        (".", "iqn"),
        ("/", "iqn"),
        ("core", "iqn"),
        ("", "iqn"),
    ],
)
def test_field_failure_59_a_bad_name_is_refused_with_its_reason(
    target: Pyshell, name: str, reason: str
) -> None:
    before = target.tree()
    for arguments in (
        ("/iscsi", "create", f"wwn={name}"),
        (f"{TPG}/acls", "create", f"wwn={name}"),
    ):
        ran = target(*arguments)
        assert (ran.out, ran.status) == ("", 2)
        assert reason in ran.err
    assert target.tree() == before


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("iqn.2020-01.com.example", "iqn.2020-01.com.example"),
        ("iqn.2020-01.local:disk", "iqn.2020-01.local:disk"),
        ("iqn.2020-12.com.example:a.b-c:d", "iqn.2020-12.com.example:a.b-c:d"),
        ("IQN.2020-01.COM.Example:TEST001", "iqn.2020-01.com.example:test001"),
        ("iqn.2020-01.com.example:münchen", "iqn.2020-01.com.example:münchen"),
        ("iqn.2020-01.com.example:" + "x" * 199, "iqn.2020-01.com.example:" + "x" * 199),
        ("eui.0123456789ABCDEF", "eui.0123456789abcdef"),
        ("naa.5001405000000001", "naa.5001405000000001"),
        ("naa.6001405000000001", "naa.6001405000000001"),
        ("naa.c003ff0000000001", "naa.c003ff0000000001"),
    ],
)
def test_field_failure_59_a_good_name_is_kept_and_found_again(
    pyshell: Pyshell, typed: str, kept: str
) -> None:
    ran = pyshell("/iscsi", "create", typed)
    assert ran.status == 0
    assert ran.lines[0] == f"Created target {kept}."
    assert ran.err == ("" if typed == kept else f"The name was changed to {kept}.\n")
    acl = pyshell(f"/iscsi/{typed}/tpg1/acls", "create", typed)
    assert acl.out == f"Created Node ACL for {kept}\n"
    assert (pyshell.configfs / "iscsi" / kept / "tpgt_1" / "acls" / kept).is_dir()
    pyshell.must(f"/iscsi/{typed}/tpg1/acls delete {typed}", f"/iscsi delete {typed}")
    assert not (pyshell.configfs / "iscsi" / kept).exists()


@pytest.mark.parametrize("path", ["/iscsi/../../etc", "/iscsi/..%2f", "/backstores/block/../../.."])
def test_field_failure_59_a_path_leads_nowhere_else(target: Pyshell, path: str) -> None:
    ran = target.batch([path, "pwd"])
    assert ran.out in ("", "/\n")


# 65: a refused secret looks accepted


@pytest.mark.parametrize("node", [TPG, ACL, "/iscsi"])
@pytest.mark.parametrize("name", ["userid", "password", "mutual_userid", "mutual_password"])
def test_field_failure_65_an_over_long_secret_is_refused(
    acl: Pyshell, node: str, name: str
) -> None:
    group = "discovery_auth" if node == "/iscsi" else "auth"
    acl(node, "set", group, f"{name}=before").done()
    ran = acl(node, "set", group, f"{name}={'x' * 256}")
    assert (ran.out, ran.status) == ("", 2)
    assert "255 bytes" in ran.err
    shown = acl(node, "get", group, name, "show_secrets=true").done().out
    assert shown == f"{name}=before \n"


def test_field_failure_65_a_kernel_that_keeps_something_else_is_reported(
    target: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    target(TPG, "set", "auth", "password=old").done()
    write = Simulator.write

    def forgetful(simulator: Simulator, path: str, text: str) -> None:
        write(simulator, path, text[:5])

    monkeypatch.setattr(Simulator, "write", forgetful)
    ran = target(TPG, "set", "auth", "password=abcdefgh")
    assert (ran.out, ran.status) == ("", 1)
    assert "did not set the password" in ran.err
    assert "abcde" not in ran.err
    assert target.read(f"iscsi/{SERVER}/tpgt_1/auth/password") == "old\n"


def test_field_failure_65_a_kernel_that_refuses_is_reported(
    target: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Simulator, "write", refusing(22))
    ran = target(TPG, "set", "auth", "password=abcdefgh")
    assert (ran.out, ran.status) == ("", 1)
    assert "EINVAL" in ran.err
    assert "abcdefgh" not in ran.err


def refusing(number: int) -> Callable[[Simulator, str, str], None]:
    """Return an act of the kernel that fails with that errno."""

    def refuse(_simulator: Simulator, path: str, _text: str) -> None:
        raise OSError(number, os.strerror(number), path)

    return refuse


# 70 and 71: a server without desktop libraries, or without a D-Bus

_REFUSE_DESKTOP = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"gi", "dbus", "pydbus", "dasbus", "_dbus_bindings", "kmod"}:
            raise SystemExit(f"{name} was asked for")
sys.meta_path.insert(0, Refuse())
from pyshell.cli import main
sys.exit(main(sys.argv[1:]))
"""


def without_desktop(pyshell: Pyshell, stdin: str, environment: dict[str, str]) -> Ran:
    """Run lines where every module of the desktop, if it is asked for, ends the program."""
    command = [sys.executable, "-c", _REFUSE_DESKTOP, f"--simulate={pyshell.folder}"]
    return run_process(command, stdin, environment)


def test_field_failure_70_nothing_of_the_desktop_is_imported(pyshell: Pyshell) -> None:
    lines = "/backstores/ramdisk create x 1M\n/iscsi create\nls\nsaveconfig\nhelp\nsessions\n"
    ran = without_desktop(pyshell, lines, {})
    assert (ran.err, ran.status) == ("", 0)
    assert "Created ramdisk x with size 1M." in ran.out


def test_field_failure_71_no_bus_is_needed(pyshell: Pyshell) -> None:
    nowhere = "unix:path=/nonexistent/bus"
    environment = {
        "DBUS_SYSTEM_BUS_ADDRESS": nowhere,
        "DBUS_SESSION_BUS_ADDRESS": nowhere,
        "XDG_RUNTIME_DIR": "/nonexistent",
    }
    ran = without_desktop(pyshell, "ls /backstores\nsaveconfig force=true\n", environment)
    assert (ran.err, ran.status) == ("", 0)
    kinds = re.findall(r"^  o- (\w+)", ran.out, re.MULTILINE)
    assert kinds == ["block", "fileio", "pscsi", "ramdisk"]


# 72: a boolean that is not understood counts as false

TRUE = ["true", "True", "TRUE", "yes", "YES", "on", "On", "1", "enable", "enabled"]
FALSE = ["false", "False", "FALSE", "no", "NO", "off", "Off", "0", "disable", "disabled"]


@pytest.mark.parametrize(
    ("spelling", "kept"), [*((s, "1") for s in TRUE), *((s, "0") for s in FALSE)]
)
def test_field_failure_72_every_usual_spelling_is_a_boolean(
    exported: Pyshell, spelling: str, kept: str
) -> None:
    exported.prepare(f"{ACL} delete 0")
    exported.must(f"{ACL} create 7 0 write_protect={spelling}")
    assert exported.read(f"{ACL_FOLDER}/lun_7/write_protect") == f"{kept}\n"
    mode = "(ro)" if kept == "1" else "(rw)"
    assert mode in exported.line(f"{ACL}/mapped_lun7 status").done().out


@pytest.mark.parametrize("spelling", ["maybe", "2", "-1", "tru", "''", "' '", "nope", "y"])
def test_field_failure_72_anything_else_is_refused(exported: Pyshell, spelling: str) -> None:
    before = exported.tree()
    ran = exported.batch([f"{ACL} create 7 0 write_protect={spelling}"])
    assert (ran.out, ran.status) == ("", 2)
    assert "neither true nor false" in ran.err
    assert exported.tree() == before


def test_field_failure_72_a_kernel_that_ignores_the_protection_is_reported(
    exported: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Simulator.write

    def unprotecting(simulator: Simulator, path: str, text: str) -> None:
        write(simulator, path, "0" if path.endswith("/write_protect") else text)

    monkeypatch.setattr(Simulator, "write", unprotecting)
    ran = exported.line(f"{ACL} create 7 0 write_protect=true")
    assert ran.status == 1
    assert "write protection" in ran.err
    assert not (exported.configfs / ACL_FOLDER / "lun_7").exists()


# 32: nobody knows what the attributes mean

DISK = "/backstores/block/lee_block"


def test_field_failure_32_a_setting_is_told_with_all_that_is_known(exported: Pyshell) -> None:
    asked = exported.line(f"{DISK} get attribute block_size verbose=true").done()
    assert asked.lines[0] == "block_size=512"
    assert asked.lines[3:] == [
        "  type: choice",
        "  takes: 512, 1024, 2048, 4096",
        "  unit: bytes",
        "  default: 512",
        "  can be set: no: not while a LUN exports it",
        "  source: kernel 6.1, target core; SBC-3, READ CAPACITY",
    ]
    assert exported.line(f"{DISK} help attribute block_size").out == asked.out
    exported.must(f"{TPG}/luns delete 0")
    assert "can be set: until a LUN exports it" in exported.line(f"{DISK} help attribute").out


def test_field_failure_32_programs_get_the_same_as_data(exported: Pyshell) -> None:
    ran = exported("-o", "json", DISK, "get", "attribute", "queue_depth", "verbose=yes")
    told = ran.json["result"]["queue_depth"]
    assert told.pop("help").startswith("Number of commands that")
    assert told == {
        "value": "128",
        "type": "number",
        "unit": "commands",
        "default": "128",
        "takes": "1 to 128",
        "writable": True,
        "writable_while_exported": False,
        "writable_now": False,
        "obstacle": "not while a LUN exports it",
        "source": "kernel 6.1, target core",
    }


@pytest.mark.parametrize(
    ("path", "group"),
    [
        (DISK, "attribute"),
        (f"{DISK}/alua/default_tg_pt_gp", "alua"),
        (f"/iscsi/{SERVER}", "parameter"),
        (TPG, "attribute"),
        (TPG, "parameter"),
        (TPG, "auth"),
        (f"{TPG}/luns/lun0", "alua"),
        (ACL, "attribute"),
        (ACL, "parameter"),
        (ACL, "auth"),
        ("/iscsi", "discovery_auth"),
    ],
)
def test_field_failure_32_no_setting_is_without_its_words(
    exported: Pyshell, path: str, group: str
) -> None:
    told = exported("-o", "json", path, "help", group).json["result"]
    plain = exported("-o", "json", path, "get", group).json["result"]
    assert list(told) == list(plain) != []
    assert all(one["help"] and one["source"] for one in told.values())


def test_field_failure_32_help_shows_no_secret(exported: Pyshell) -> None:
    exported.must(f"{ACL} set auth userid=u password=very-secret")
    assert "very-secret" not in exported.line(f"{ACL} help auth").out
    assert "very-secret" not in exported.line(f"{ACL} get auth verbose=true").out


# 62: exporting one disk to one initiator takes three trees


def test_field_failure_62_one_command_exports_a_disk_to_one_initiator(target: Pyshell) -> None:
    target.must(f"{TPG}/acls create {CLIENT}", f"{TPG}/acls create {CLIENT}2")
    told = target.must(f"{ACL} create 3 /dev/mapper/lee-lee.lv write_protect=true")
    assert told == [
        "Created storage object lee-lee.lv.",
        "Created LUN 0.",
        "Created Mapped LUN 3.",
    ]
    assert (target.configfs / ACL_FOLDER / "lun_3").is_dir()
    assert not [*(target.configfs / f"{ACL_FOLDER}2").glob("lun_*")]


def test_field_failure_62_what_was_made_on_the_way_goes_again(target: Pyshell) -> None:
    target.must(
        "/backstores/ramdisk create other 1M",
        f"{TPG}/acls create {CLIENT}",
        f"{ACL} create 3 /backstores/ramdisk/other",
    )
    before = target.tree()
    ran = target.line(f"{ACL} create 3 /dev/mapper/lee-lee.lv")
    assert (ran.out, ran.status) == ("", 5)
    assert target.tree() == before


# 63: groups of initiators


def test_field_failure_63_a_group_of_initiators_is_saved_as_such(exported: Pyshell) -> None:
    exported.must(
        f"{TPG}/acls create {CLIENT}2 add_mapped_luns=false",
        f"{TPG}/acls tag {CLIENT} cluster",
        f"{TPG}/acls tag {CLIENT}2 cluster",
        f"{TPG}/acls/cluster set auth userid=u password=p",
        "saveconfig",
    )
    shown = exported.line(f"{TPG}/acls ls").out
    exported.must("clearconfig confirm=true", "restoreconfig")
    assert exported.line(f"{TPG}/acls ls").out == shown
    assert "cluster" in shown
    assert "(group of 2), Mapped LUNs: 1" in shown


# 68: a cache that initiators are not told of


@pytest.fixture
def image(pyshell: Pyshell) -> Pyshell:
    """Return pyshell with a write-back and a write-through image."""
    pyshell.prepare(
        "/backstores/fileio create back /srv/back 1M",
        "/backstores/fileio create through /srv/through 1M write_back=false",
    )
    return pyshell


def test_field_failure_68_what_only_says_it_has_a_cache_gets_none_by_being_restored(
    image: Pyshell,
) -> None:
    image.must("/backstores/fileio/through set attribute emulate_write_cache=1", "saveconfig")
    info = "core/fileio_1/through/info"
    assert "O_DSYNC" in image.read(info)
    image.must("clearconfig confirm=true", "restoreconfig")
    shown = image.must("/backstores/fileio/through get attribute emulate_write_cache")
    assert shown == ["emulate_write_cache=1 "]
    modes = [f.read_text() for f in image.configfs.glob("core/fileio_*/through/info")]
    assert ["O_DSYNC" in mode for mode in modes] == [True]
