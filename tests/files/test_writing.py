# SPDX-License-Identifier: Apache-2.0
"""Nothing is written through another user's link, nor into what is no regular file.

Findings 46, 49 and 61. What holds of the replacing itself is in `test_document_file.py`.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from pyshell.errors import ConflictError, NotPermittedError, PyshellError
from pyshell.files import writing

from .attacker import as_nobody, folder_of_nobody, give_away, needs_root


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """Return a file that is not to be overwritten."""
    found = tmp_path / "victim"
    found.write_text("precious")
    return found


@needs_root
@pytest.mark.parametrize("private", [True, False])
def test_another_users_link_is_not_followed(tmp_path: Path, victim: Path, private: bool) -> None:
    theirs = folder_of_nobody(tmp_path)
    as_nobody("ln", "-s", victim, theirs / "x.json")
    with pytest.raises(NotPermittedError, match="belongs to nobody"):
        writing.replace(theirs / "x.json", b"{}", private=private)
    assert victim.read_text() == "precious"


@needs_root
def test_another_users_link_to_a_folder_is_not_followed(tmp_path: Path) -> None:
    theirs = folder_of_nobody(tmp_path)
    inner = tmp_path / "inner"
    inner.mkdir()
    as_nobody("ln", "-s", inner, theirs / "link")
    with pytest.raises(NotPermittedError):
        writing.replace(theirs / "link" / "x.json", b"{}", private=False)
    with pytest.raises(NotPermittedError):
        writing.make_folder(theirs / "link" / "new", private=False)
    with pytest.raises(NotPermittedError), writing.created(theirs / "link" / "x.img"):
        pass
    assert list(inner.iterdir()) == []


@needs_root
def test_a_file_that_the_user_names_can_be_in_another_users_folder(tmp_path: Path) -> None:
    theirs = folder_of_nobody(tmp_path)
    as_nobody("touch", theirs / "x.json")
    writing.replace(theirs / "x.json", b"{}", private=False)
    found = (theirs / "x.json").stat()
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (0, 0o600)


@needs_root
@pytest.mark.parametrize(
    "act",
    [
        lambda path: writing.replace(path, b"{}"),
        lambda path: writing.append(path, "line\n"),
        lambda path: os.close(writing.open_own(path, os.O_RDWR | os.O_CREAT)),
        writing.make_folder,
    ],
    ids=["replace", "append", "open", "folder"],
)
def test_pyshells_own_files_are_never_written_to_another_users_folder(
    tmp_path: Path, act: Callable[[Path], object]
) -> None:
    theirs = folder_of_nobody(tmp_path)
    with pytest.raises(NotPermittedError, match="belongs to nobody"):
        act(theirs / "state")
    assert list(theirs.iterdir()) == []


def test_a_link_in_a_public_folder_is_followed_only_if_it_is_the_callers(
    tmp_path: Path, victim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = tmp_path / "public"
    public.mkdir()
    public.chmod(0o1777)
    link = public / "x"
    link.symlink_to(victim)
    writing.replace(link, b"mine", private=False)
    assert victim.read_text() == "mine"
    give_away(monkeypatch, link)
    with pytest.raises(NotPermittedError, match=f"the link {link} belongs to nobody"):
        writing.replace(link, b"other", private=False)
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("act", ["replace", "append", "open"])
def test_a_link_instead_of_a_log_or_lock_is_refused_in_a_public_folder(
    tmp_path: Path, victim: Path, act: str
) -> None:
    public = tmp_path / "public"
    public.mkdir()
    public.chmod(0o777)
    (public / "x").symlink_to(victim)
    acts: dict[str, Callable[[], object]] = {
        "replace": lambda: writing.replace(public / "x", b""),
        "append": lambda: writing.append(public / "x", ""),
        "open": lambda: writing.open_own(public / "x", os.O_RDWR),
    }
    with pytest.raises(NotPermittedError, match="other users can replace files"):
        acts[act]()
    assert victim.read_text() == "precious"


def special_files(folder: Path) -> dict[str, Path]:
    """Return files of a folder that are no regular ones."""
    made = {"pipe": folder / "pipe", "socket": folder / "socket"}
    os.mkfifo(made["pipe"])
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(made["socket"]))
    if os.geteuid() == 0:
        for word, kind in (("block device", stat.S_IFBLK), ("device", stat.S_IFCHR)):
            made[word] = folder / word
            os.mknod(made[word], kind | 0o600, os.makedev(1, 3))
    return made


@pytest.mark.parametrize("linked", [False, True])
def test_only_regular_files_are_replaced(
    tmp_path: Path, linked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    for word, path in special_files(Path()).items():
        given = path
        if linked:
            given = Path(f"link to {word}")
            given.symlink_to(path)
        before = path.stat()
        for act in (
            lambda: writing.replace(given, b"{}", private=False),  # noqa: B023
            lambda: writing.open_existing(given),  # noqa: B023
            lambda: writing.append(given, ""),  # noqa: B023
        ):
            with pytest.raises(ConflictError, match=f"it is a {word}, not a regular file"):
                act()
        after = path.stat()
        assert (after.st_mode, after.st_ino, after.st_rdev) == (
            before.st_mode, before.st_ino, before.st_rdev,
        )  # fmt: skip


def test_permissions_of_others_on_an_existing_file_are_removed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    path.chmod(0o666)
    os.close(writing.open_own(path, os.O_RDWR))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_of_another_user_is_not_used_as_a_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lock"
    path.touch(0o600)
    give_away(monkeypatch, path)
    with pytest.raises(NotPermittedError, match="it belongs to nobody"):
        writing.open_own(path, os.O_RDWR)


def test_a_file_with_a_second_name_is_not_written_in_place(tmp_path: Path, victim: Path) -> None:
    os.link(victim, tmp_path / "log")
    with pytest.raises(PyshellError, match="second name"):
        writing.append(tmp_path / "log", "line\n")
    assert victim.read_text() == "precious"


def test_the_command_that_removes_a_second_name_is_quoted(tmp_path: Path, victim: Path) -> None:
    os.link(victim, tmp_path / "a log;x")
    with pytest.raises(PyshellError) as caught:
        os.close(writing.open_own(tmp_path / "a log;x", os.O_RDWR))
    assert f"rm '{tmp_path / 'a log;x'}'" in caught.value.hint


def test_a_second_name_in_a_public_folder_is_not_written_to(tmp_path: Path, victim: Path) -> None:
    public = tmp_path / "public"
    public.mkdir()
    os.link(victim, public / "x.img")
    os.close(writing.open_existing(public / "x.img"))
    public.chmod(0o1777)
    with pytest.raises(NotPermittedError, match="second name"):
        writing.open_existing(public / "x.img")


@pytest.mark.parametrize("name", [".pyshell.4194399.new", ".pyshell.\u0664\u0661.new"])
@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_other_names_like_temporary_files_do_not_prevent_writing(
    tmp_path: Path, name: str, make: Callable[[Path], None]
) -> None:
    make(tmp_path / name)
    writing.replace(tmp_path / "x", b"{}", private=False)
    writing.remove_left(tmp_path)
    assert sorted(found.name for found in tmp_path.iterdir()) == [name, "x"]


def test_files_of_other_users_are_not_removed_as_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, own = tmp_path / ".pyshell.4194399.new", tmp_path / ".pyshell.4194398.new"
    theirs.touch()
    own.touch()
    give_away(monkeypatch, theirs)
    writing.replace(tmp_path / "x", b"{}")
    assert (theirs.exists(), own.exists()) == (True, False)


def test_a_partly_created_file_is_removed_but_not_its_replacement(tmp_path: Path) -> None:
    path = tmp_path / "x.img"

    def fail(*, renamed: bool) -> None:
        with writing.created(path):
            if renamed:
                path.rename(tmp_path / "moved")
                path.write_text("another")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail(renamed=False)
    assert not path.exists()
    with pytest.raises(OSError, match="full"):
        fail(renamed=True)
    assert path.read_text() == "another"


def test_lines_are_appended(tmp_path: Path) -> None:
    for line in ("one\n", "two\n"):
        writing.append(tmp_path / "log", line)
    assert (tmp_path / "log").read_text() == "one\ntwo\n"
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o600


def test_created_folders_are_private(tmp_path: Path) -> None:
    writing.make_folder(tmp_path / "a" / "b")
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700


def test_folders_are_created_behind_an_own_link_and_not_over_a_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    writing.make_folder(tmp_path / "link" / "b")
    assert (tmp_path / "real" / "b").is_dir()
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "b"):
        with pytest.raises(PyshellError, match="Cannot"):
            writing.make_folder(path)


@needs_root
def test_a_link_that_appears_while_folders_are_created_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, inner = folder_of_nobody(tmp_path), tmp_path / "inner"
    inner.mkdir()
    monkeypatch.setattr("pyshell.files.paths.judge_folder", lambda *_, **__: None)  # too early
    as_nobody("ln", "-s", inner, theirs / "link")
    with pytest.raises(NotPermittedError):
        writing.make_folder(theirs / "link" / "new", private=False)
    assert list(inner.iterdir()) == []


def test_only_the_created_file_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "x.img"
    path.write_text("made")
    made = writing.identity(path.stat())
    path.rename(tmp_path / "moved")
    path.write_text("another")
    writing.remove(path, made)
    assert path.read_text() == "another"
    writing.remove(tmp_path / "moved", made)
    assert not (tmp_path / "moved").exists()
