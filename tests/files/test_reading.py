# SPDX-License-Identifier: Apache-2.0
"""A file that other users can change never reaches the kernel (finding 45)."""

from __future__ import annotations

import grp
import os
import pwd
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from driver import ROOT, TIME_LIMIT, clean_environment
from pyshell.config import document_file
from pyshell.errors import NotFoundError, NotPermittedError, PyshellError
from pyshell.files import paths, reading

from .attacker import NOBODY, as_nobody, folder_of_nobody, give_away, needs_root, never_private

SECRET = '{"fabric_modules": [{"name": "iscsi", "discovery_password": "verysecret"}]}'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file that is to be trusted."""
    found = tmp_path / "folder" / "my config.json"
    found.parent.mkdir(mode=0o755)
    found.write_text(SECRET)
    found.chmod(0o600)
    return found


def refused(file: Path) -> NotPermittedError:
    """Return the error that a file is refused with."""
    with pytest.raises(NotPermittedError) as caught:
        document_file.load_trusted(file)
    return caught.value


def test_an_own_file_is_read_without_a_message(file: Path) -> None:
    read = document_file.load_trusted(file)
    assert read.document["fabric_modules"][0]["name"] == "iscsi"
    assert (read.data, read.warnings) == (SECRET.encode(), ())


@pytest.mark.parametrize("mode", [0o602, 0o622, 0o666])
def test_a_file_that_others_can_write_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    assert f"chmod go-w '{file}'" in refused(file).hint


def test_a_file_that_a_group_of_others_can_write_is_refused(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.chmod(0o660)
    never_private(monkeypatch)
    assert "other users can write to it" in refused(file).message
    monkeypatch.setattr(paths, "_is_private", lambda group, owner: True)
    assert document_file.load_trusted(file).warnings != ()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(file: Path) -> None:
    os.chown(file, 4190003, -1)
    error = refused(file)
    assert "it belongs to 4190003" in error.message
    assert f"chown root '{file}'" in error.hint


def test_a_folder_in_which_others_can_replace_files_is_refused(file: Path) -> None:
    file.parent.chmod(0o777)
    assert f"chmod go-w {file.parent}" in refused(file).hint
    file.parent.chmod(0o1777)
    assert document_file.load_trusted(file).warnings == ()


def test_the_folder_of_a_link_counts_as_well(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "lax" / "link.json"
    link.parent.mkdir()
    link.symlink_to(file)
    assert document_file.load_trusted(link).data == SECRET.encode()
    link.parent.chmod(0o777)
    assert f"chmod go-w {link.parent}" in refused(link).hint


def test_all_fixes_are_reported_at_once(file: Path) -> None:
    file.chmod(0o666)
    file.parent.chmod(0o777)
    assert refused(file).hint.count("chmod go-w") == 2
    assert "&&" in refused(file).hint


def test_secrets_that_others_can_read_cause_a_warning(file: Path) -> None:
    file.chmod(0o644)
    (warning,) = document_file.load_trusted(file).warnings
    assert f"chmod 600 '{file}'" in warning
    assert "verysecret" not in warning


def test_files_without_secrets_can_be_readable_by_all(file: Path) -> None:
    file.write_text("{}")
    file.chmod(0o644)
    assert document_file.load_trusted(file).warnings == ()


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        document_file.load_trusted(tmp_path / "none.json")


def test_a_folder_above_counts_as_well(file: Path) -> None:
    file.parent.parent.chmod(0o777)
    assert f"other users can replace files in {file.parent.parent}" in refused(file).message


@needs_root
def test_a_folder_of_another_user_is_refused_even_for_roots_file(tmp_path: Path) -> None:
    theirs = folder_of_nobody(tmp_path)
    (theirs / "x.json").write_text("{}")
    (theirs / "x.json").chmod(0o600)
    error = refused(theirs / "x.json")
    assert f"the folder {theirs} belongs to nobody" in error.message
    assert "chown root" not in error.hint, "who owns the folder is not for this program to change"


def test_the_link_of_another_user_is_refused(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = tmp_path / "public"
    public.mkdir()
    public.chmod(0o1777)
    link = public / "link.json"
    link.symlink_to(file)
    assert document_file.load_trusted(link).data == SECRET.encode()
    give_away(monkeypatch, link)
    assert f"the link {link} belongs to nobody" in refused(link).message


@pytest.mark.parametrize("made", ["file", "folder"])
def test_an_entry_of_an_access_control_list_that_grants_writing_is_refused(
    file: Path, made: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "_is_private", lambda group, owner: True)
    path = file if made == "file" else file.parent
    usual = [(0x01, 7, NONE), (0x04, 5, NONE), (0x10, 7, NONE), (0x20, 5, NONE)]
    for permissions, refuses in ((4, False), (6, True)):
        entries = sorted([*usual, (0x02, permissions, NOBODY)])
        data = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
        try:
            os.setxattr(path, "system.posix_acl_access", data)
        except OSError:
            pytest.skip("this file system has no access control lists")
        assert path.stat().st_mode & 0o020
        if refuses:
            assert f"chmod go-w {path}" in refused(file).hint.replace("'", "")
        else:
            document_file.load_trusted(file)


NONE = 0xFFFFFFFF
PROGRAM = """
import sys
from pathlib import Path
from pyshell.errors import PyshellError
from pyshell.config.document_file import load_trusted
try:
    print(load_trusted(Path(sys.argv[1])).document)
except PyshellError as error:
    print(error)
"""


def read_with(path: str, *inherited: int, stdin: int | str = "") -> str:
    """Return what reading a path comes to in a process with that standard input."""
    given = {"input": stdin} if isinstance(stdin, str) else {"stdin": stdin}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, path],
        **given,
        pass_fds=inherited,
        env={**clean_environment(), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=True,
    )
    out: str = done.stdout
    return out.strip()


def test_standard_input_is_read_as_the_caller_gave_it() -> None:
    assert read_with("/dev/stdin", stdin="{}") == "{}"
    assert read_with("/dev/fd/0", stdin="{}") == "{}"


def test_a_file_without_a_name_is_read_from_standard_input(tmp_path: Path) -> None:
    here_document = tmp_path / "x"
    here_document.write_text("{}")
    with here_document.open() as file:
        here_document.unlink()
        assert read_with("/dev/stdin", stdin=file.fileno()) == "{}"


def test_a_file_that_others_can_write_is_also_refused_from_standard_input(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("{}")
    path.chmod(0o666)
    with path.open() as file:
        assert "other users can write to it" in read_with("/dev/stdin", stdin=file.fileno())


def test_another_pipe_than_standard_input_is_refused(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"{}")
    os.close(writer)
    link = tmp_path / "link.json"
    link.symlink_to(f"/proc/{os.getpid()}/fd/{reader}")
    for path in (f"/dev/fd/{reader}", str(link)):
        assert "is a pipe, not a regular file" in read_with(path, reader)
    os.close(reader)


def test_a_named_pipe_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "x.json"
    os.mkfifo(pipe)  # whoever opens it would wait for its writer
    assert "is a pipe" in refused(pipe).message


@needs_root
def test_another_users_pipe_behind_a_link_is_refused(tmp_path: Path) -> None:
    theirs = folder_of_nobody(tmp_path)
    as_nobody("mkfifo", theirs / "x.json")
    assert "is a pipe" in refused(theirs / "x.json").message


def test_a_read_only_command_does_not_wait_for_a_named_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "1.json"
    os.mkfifo(pipe)
    with pytest.raises(NotPermittedError, match="is a pipe"):
        reading.read(pipe, trusted=False)
    with pytest.raises(NotPermittedError, match="is a pipe"):
        reading.start_of(pipe, 4)


def test_a_pipe_that_replaces_a_file_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe, plain = tmp_path / "1.json", tmp_path / "2.json"
    os.mkfifo(pipe)
    plain.touch()
    real = os.stat
    monkeypatch.setattr(os, "stat", lambda path, **named: real(plain, **named))
    with pytest.raises(NotPermittedError, match="is a pipe"):
        reading.read(pipe, trusted=False)


def test_a_read_only_command_reads_a_pipe_from_the_shell() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"{}")
    os.close(writer)
    assert reading.read(Path(f"/dev/fd/{reader}"), trusted=False).data == b"{}"
    os.close(reader)


def test_a_second_name_in_a_public_folder_is_refused(file: Path) -> None:
    os.link(file, file.parent / "other")
    assert document_file.load_trusted(file).data == SECRET.encode()
    file.parent.chmod(0o1777)
    assert "it has a second name" in refused(file).message


@pytest.mark.parametrize(("other", "private"), [(None, True), (0, True), (4190003, False)])
def test_a_group_is_not_private_if_it_is_primary_for_another_account(
    file: Path, monkeypatch: pytest.MonkeyPatch, other: int | None, private: bool
) -> None:
    def account(name: str, user: int) -> pwd.struct_passwd:
        return pwd.struct_passwd((name, "x", user, 4190000, "", "/", "/bin/sh"))

    accounts = [account("lee", 0)] + ([account("ann", other)] if other is not None else [])
    monkeypatch.setattr(grp, "getgrgid", lambda _: grp.struct_group(("lee", "x", 4190000, [])))
    monkeypatch.setattr(pwd, "getpwuid", lambda _: accounts[0])
    monkeypatch.setattr(pwd, "getpwall", lambda: accounts)
    assert paths._is_private(4190000, 0) is private


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/full"])
def test_a_device_is_refused(path: str) -> None:
    assert "is a device, not a regular file" in refused(Path(path)).message
    with pytest.raises(NotPermittedError, match="is a device"):
        reading.read(Path(path), trusted=False)


def test_a_file_above_the_limit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"12345")
    assert reading.read(path, 5).data == b"12345"
    with pytest.raises(reading.TooLargeError, match="more than 4 bytes"):
        reading.read(path, 4)


@pytest.mark.parametrize("path", ["a\0b", "a\ud800b", "", "/none/x", "loop"])
def test_a_path_that_leads_nowhere_is_reported(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(PyshellError, match="Cannot read"):
        reading.read(Path(path))


def test_relative_paths_and_dots_are_resolved_as_usual(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    for path in (
        file.name,
        f"./{file.name}",
        f"../folder/{file.name}",
        f"/proc/self/cwd/{file.name}",
    ):
        assert reading.read(Path(path)).data == SECRET.encode()
