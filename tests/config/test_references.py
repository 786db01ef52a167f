# SPDX-License-Identifier: Apache-2.0
"""Finding 17: CHAP secrets outside the saved configuration, as for one that is kept in git."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell

ACL = f"{TPG}/acls/{CLIENT}"
AUTH = f"iscsi/{SERVER}/tpgt_1/acls/{CLIENT}/auth"
FIRST, MUTUAL = "the first secret", "@the other secret"


@pytest.fixture
def target(pyshell: Pyshell) -> Pyshell:
    """Return a target with an initiator that has credentials in both directions."""
    pyshell.prepare(
        f"/iscsi create {SERVER}",
        f"{TPG}/acls create {CLIENT}",
        f"{ACL} set auth userid=u password='{FIRST}' mutual_userid=m mutual_password='{MUTUAL}'",
    )
    return pyshell


@pytest.fixture
def git(target: Pyshell, tmp_path: Path) -> Path:
    """Return a file without secrets, whose references lead to files beside it."""
    file = tmp_path / "git" / "target.json"
    file.parent.mkdir()
    target("saveconfig", str(file), f"secret_files={tmp_path / 'secrets'}").done()
    return file


def write(folder: Path, document: Any) -> Path:
    file = folder / "part.json"
    file.touch(0o600)
    file.write_text(json.dumps(document))
    return file


def of_acl(**chap: str) -> Any:
    tpg = {"tag": 1, "node_acls": [{"node_wwn": CLIENT, **chap}]}
    return {"targets": [{"fabric": "iscsi", "wwn": SERVER, "tpgs": [tpg]}]}


def test_finding_17_secrets_are_written_to_files_that_the_saved_file_refers_to(
    target: Pyshell, git: Path, tmp_path: Path
) -> None:
    text = git.read_text()
    assert FIRST not in text
    assert MUTUAL not in text
    files = sorted((tmp_path / "secrets").iterdir())
    assert [file.read_text() for file in files] == [f"{MUTUAL}\n", f"{FIRST}\n"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert target("check", str(git)).status == 0


def test_finding_17_a_file_with_references_is_applied_and_then_unchanged(
    target: Pyshell, git: Path, tmp_path: Path
) -> None:
    twin = Pyshell(tmp_path / "twin")
    twin("apply", str(git), "prune=true").done()
    assert twin.read(f"{AUTH}/password").strip() == FIRST
    assert twin.read(f"{AUTH}/password_mutual").strip() == MUTUAL
    assert twin("-o", "json", "apply", str(git), "prune=true").json["result"]["changed"] is False
    assert twin("diff", str(git)).status == 0


def test_secrets_that_other_users_can_read_are_a_warning(
    target: Pyshell, git: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "secrets"
    file = min(folder.iterdir())
    file.chmod(0o644)
    assert "Other users" not in target("apply", str(git)).err  # none can enter the folder
    folder.chmod(0o755)
    message = f"Other users can read the secrets in {file}: chmod 600 fixes it.\n"
    assert target("apply", str(git)).err.startswith(message)
    (found,) = target("-o", "json", "check", str(git)).json["result"]
    assert found["message"] == f"other users can read the secret in {file}"
    assert found["hint"] == f"chmod 600 {file} fixes it."


def test_finding_17_a_secret_that_cannot_be_read_is_not_compared(
    target: Pyshell, git: Path, tmp_path: Path
) -> None:
    for file in (tmp_path / "secrets").iterdir():
        file.unlink()
    ran = target("diff", str(git))
    assert (ran.status, ran.out) == (0, "")
    assert ran.err == f"Not compared: CHAP secrets of {ACL}, whose files cannot be read.\n"


def test_finding_17_a_secret_that_changed_in_its_file_is_applied(
    target: Pyshell, git: Path, tmp_path: Path
) -> None:
    (file,) = (f for f in (tmp_path / "secrets").iterdir() if f.name.endswith("chap_password"))
    file.write_text("a new secret 12\n")
    assert target("diff", str(git)).status == 1
    target("apply", str(git)).done()
    assert target.read(f"{AUTH}/password").strip() == "a new secret 12"


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "No such file"), ("", "is empty"), ("a\nb\n", "more than one line")],
)
def test_finding_17_a_reference_that_cannot_be_read_is_an_error(
    target: Pyshell, tmp_path: Path, content: str | None, told: str
) -> None:
    secret = tmp_path / "secret"
    if content is not None:
        secret.write_text(content)
    file = write(tmp_path, of_acl(chap_userid="u", chap_password_file=str(secret)))
    assert target("check", str(file)).status == 1
    ran = target("apply", str(file))
    assert ran.status != 0
    assert told in ran.err
    assert ran.err.startswith(f"{ACL}: chap_password_file: ")
    assert f" The error is at {file}:" in ran.err
    assert target.read(f"{AUTH}/password").strip() == FIRST


def test_finding_17_a_relative_reference_is_refused(target: Pyshell, tmp_path: Path) -> None:
    file = write(tmp_path, of_acl(chap_password_file="secret"))
    ran = target("apply", str(file))
    assert "not an absolute path" in ran.err
    assert "'secret'" not in ran.err + target("check", str(file)).out, "it may be the secret"


def test_finding_17_a_restore_continues_after_an_unreadable_secret(
    target: Pyshell, git: Path, tmp_path: Path
) -> None:
    for file in (tmp_path / "secrets").iterdir():
        file.unlink()
    target("clearconfig", "confirm=true").done()
    ran = target("restoreconfig", str(git))
    assert ran.status == 1
    assert f"{ACL}: " in ran.err
    assert target("ls", ACL).status == 0


def test_finding_17_omitted_secrets_are_kept_unless_pruned(target: Pyshell, tmp_path: Path) -> None:
    file = write(tmp_path, of_acl(chap_userid="u"))
    ran = target("apply", str(file)).done()
    assert "CHAP of" in ran.out
    assert "kept" in ran.out
    assert target.read(f"{AUTH}/password").strip() == FIRST
    target("apply", str(file), "prune=true", "keep_omitted=true").done()
    assert target.read(f"{AUTH}/password").strip() == FIRST
    assert "password: ******** -> none" in target("diff", "running", str(file)).out
    target("apply", str(file), "keep_omitted=false").done()
    assert "NULL" in target.read(f"{AUTH}/password")


def test_finding_17_an_empty_secret_in_the_file_unsets_it(target: Pyshell, tmp_path: Path) -> None:
    empty = dict.fromkeys(
        ("chap_userid", "chap_password", "chap_mutual_userid", "chap_mutual_password"), ""
    )
    target("apply", str(write(tmp_path, of_acl(**empty)))).done()
    assert "NULL" in target.read(f"{AUTH}/password")


def test_finding_17_a_save_keeps_references_whose_secret_is_the_running_one(
    target: Pyshell, git: Path
) -> None:
    target.line(f"{ACL} set auth mutual_password='changed meanwhile'").done()
    ran = target("saveconfig", str(git))
    assert "chap_mutual_password differs from" in ran.err
    text = git.read_text()
    assert FIRST not in text
    assert "changed meanwhile" in text


def test_references_in_a_file_that_others_can_write_are_not_kept(
    target: Pyshell, git: Path
) -> None:
    git.chmod(0o666)
    ran = target("saveconfig", str(git))
    assert "Its references to secrets are not kept." in ran.out + ran.err
    assert "chap_password_file" not in git.read_text()
    assert FIRST in git.read_text()


def test_finding_17_a_file_without_secrets_keeps_the_running_ones(
    target: Pyshell, tmp_path: Path
) -> None:
    file = tmp_path / "plain.json"
    target("saveconfig", str(file), "omit_secrets=true").done()
    assert FIRST not in file.read_text()
    target("apply", str(file), "prune=true", "keep_omitted=true").done()
    assert target.read(f"{AUTH}/password").strip() == FIRST
    assert target("saveconfig", "omit_secrets=true").status == 2


def test_finding_6_exported_lines_refer_to_the_files_of_secrets(
    target: Pyshell, tmp_path: Path
) -> None:
    lines = target("export", f"secret_files={tmp_path / 'my secrets'}").lines
    assert FIRST not in "".join(lines)
    twin = Pyshell(tmp_path / "twin")
    for _ in range(2):
        assert twin.batch(lines).status == 0
        assert twin.read(f"{AUTH}/password").strip() == FIRST
        assert twin.read(f"{AUTH}/password_mutual").strip() == MUTUAL


@pytest.fixture
def in_part(target: Pyshell, tmp_path: Path) -> tuple[Pyshell, Path, Path]:
    """Return a target restored without its mutual secret: where that was, where it is."""
    target("saveconfig", f"secret_files={tmp_path / 'secrets'}").done()
    (there,) = (tmp_path / "secrets").glob("*mutual_password")
    away = there.rename(tmp_path / "away")
    target("clearconfig", "confirm=true").done()
    ran = target("restoreconfig")
    assert ran.status == 1
    assert str(there) in ran.err
    return target, there, away


def saved(target: Pyshell) -> str:
    return (target.folder / "etc/target/saveconfig.json").read_text()


def test_an_unreadable_secret_is_missing_until_its_file_is_readable(
    in_part: tuple[Pyshell, Path, Path],
) -> None:
    target, there, away = in_part
    status = target("-o", "json", "status").json["result"]
    assert status["saved"] is False
    assert list(status["missing"]) == [f"{ACL}/chap_mutual_password"]
    assert "password_mutual: ******** -> none" in target("diff").out
    assert str(there) in target("restoreconfig", "missing_only=true").err
    away.rename(there)
    ran = target("restoreconfig", "missing_only=true").done()
    assert f"Added {ACL}/chap_mutual_password" in ran.out
    assert target.read(f"{AUTH}/password_mutual").strip() == MUTUAL
    assert target("diff").status == 0
    assert target("-o", "json", "status").json["result"]["missing"] == {}


@pytest.mark.parametrize("back", [False, True])
def test_a_save_keeps_the_reference_of_a_secret_that_was_not_restored(
    in_part: tuple[Pyshell, Path, Path], back: bool
) -> None:
    target, there, away = in_part
    if back:
        away.rename(there)
    for _ in range(2):
        ran = target("saveconfig")
        assert ran.status == 0
        assert f"keeps the file of {ACL}/chap_mutual_password" in ran.err
        assert "chap_mutual_password_file" in saved(target)
    if not back:
        away.rename(there)
    target("restoreconfig", "missing_only=true").done()
    assert target.read(f"{AUTH}/password_mutual").strip() == MUTUAL


def test_a_reference_is_dropped_by_name(
    in_part: tuple[Pyshell, Path, Path],
) -> None:
    target, _, _ = in_part
    ran = target("saveconfig", f"without={ACL}/chap_mutual_password")
    assert ran.status == 0
    assert f"no longer contains {ACL}/chap_mutual_password" in ran.err
    assert "mutual_password" not in saved(target)
    assert target("-o", "json", "status").json["result"]["missing"] == {}


def test_a_secret_set_by_command_is_no_longer_missing(
    in_part: tuple[Pyshell, Path, Path],
) -> None:
    target, _, _ = in_part
    target.line(f"{ACL} set auth mutual_password='another secret'").done()
    assert target("-o", "json", "status").json["result"]["missing"] == {}
    assert "chap_mutual_password differs from" in target("saveconfig").err
    assert "another secret" in saved(target)


def test_a_restore_keeps_a_running_secret_whose_file_cannot_be_read(
    in_part: tuple[Pyshell, Path, Path],
) -> None:
    target, _, _ = in_part
    target.line(f"{ACL} set auth mutual_password='another secret'").done()
    assert target("restoreconfig", "clear_existing=true").status == 1
    assert target.read(f"{AUTH}/password_mutual").strip() == "another secret"


def suggested(target: Pyshell) -> tuple[list[str], list[str]]:
    findings = target("-o", "json", "doctor").json["result"]
    kinds = ("commands", "choices")
    first, second = ([c for one in findings for c in one[kind]] for kind in kinds)
    return first, second


def test_doctor_suggests_no_save_that_loses_a_secret(
    in_part: tuple[Pyshell, Path, Path],
) -> None:
    target, _, _ = in_part
    commands, choices = suggested(target)
    assert not [one for one in (*commands, *choices) if "saveconfig" in one]
    target.line(f"{ACL} set auth mutual_password=").done()  # by command: the user decides
    commands, choices = suggested(target)
    assert not [one for one in commands if one.endswith("saveconfig")]
    assert [one for one in choices if one.endswith("saveconfig")]


def test_a_missing_secret_of_another_file_is_recorded_and_added_later(
    target: Pyshell, git: Path, tmp_path: Path
) -> None:
    (there,) = (tmp_path / "secrets").glob("*mutual_password")
    away = there.rename(tmp_path / "away")
    target("clearconfig", "confirm=true").done()
    assert target("restoreconfig", str(git)).status == 1
    commands, choices = suggested(target)
    assert not [one for one in commands if one.endswith("saveconfig")]
    assert [one for one in choices if one.endswith("saveconfig")]
    away.rename(there)
    assert "keeps the file of" in target("saveconfig", str(git)).err
    assert "chap_mutual_password_file" in git.read_text()
    target("restoreconfig", str(git), "missing_only=true").done()
    assert target.read(f"{AUTH}/password_mutual").strip() == MUTUAL
