# SPDX-License-Identifier: Apache-2.0
"""Preferences: a text file a user, below it the host's, which no two processes tear."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from driver import TIME_LIMIT, Pyshell, clean_environment
from pyshell.errors import NotPermittedError, UsageError
from pyshell.shell.options import Options
from pyshell.shell.preference_files import Preferences, home
from pyshell.shell.shell import Shell
from pyshell.tree.preferences import PREFERENCES


class Kept:
    """Preferences in folders of the test's, and what was said about them."""

    def __init__(self, folder: Path) -> None:
        self.user = folder / "user"
        self.host = folder / "host"
        self.warnings: list[str] = []

    def open(self) -> Preferences:
        """Return them as a new process sees them."""
        return Preferences(self.user, self.host, self.warnings.append)

    def write(self, text: str) -> None:
        """Put a text into the user's file."""
        self.user.mkdir(exist_ok=True)
        (self.user / "preferences.json").write_text(text)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    """Return preferences of which nothing is there yet."""
    return Kept(tmp_path)


def test_a_preference_has_a_default(kept: Kept) -> None:
    assert kept.open().get("auto_add_mapped_luns") is True
    assert not kept.user.exists()


def test_a_preference_holds_for_other_processes(kept: Kept) -> None:
    kept.open().set({"auto_add_mapped_luns": False})
    assert kept.open().get("auto_add_mapped_luns") is False


def test_a_preference_holds_at_once(kept: Kept) -> None:
    found = kept.open()
    assert found.get("tree_max_depth") == 0
    found.set({"tree_max_depth": 3})
    assert found.get("tree_max_depth") == 3


def test_the_users_word_counts_before_the_hosts(kept: Kept) -> None:
    kept.host.mkdir()
    hosts = {"tree_max_depth": 2, "prompt_length": 7}
    (kept.host / "pyshell.json").write_text(json.dumps(hosts))
    kept.open().set({"tree_max_depth": 3})
    found = kept.open()
    assert (found.get("tree_max_depth"), found.get("prompt_length")) == (3, 7)


def test_the_file_is_the_users_alone(kept: Kept) -> None:
    kept.open().set({"tree_max_depth": 3})
    assert stat.S_IMODE((kept.user / "preferences.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.user.stat().st_mode) == 0o700


@pytest.mark.parametrize("text", ["", "{", '{"tree_max_depth": 3', "\x00\x00", "[1, 2]", '"x"'])
def test_a_torn_file_is_passed_over_with_a_warning(kept: Kept, text: str) -> None:
    kept.write(text)
    assert kept.open().get("tree_max_depth") == 0
    assert len(kept.warnings) == 1
    assert str(kept.user / "preferences.json") in kept.warnings[0]


def test_a_torn_file_can_be_written_again(kept: Kept) -> None:
    kept.write("{")
    kept.open().set({"tree_max_depth": 3})
    kept.warnings.clear()
    assert kept.open().get("tree_max_depth") == 3
    assert kept.warnings == []


@pytest.mark.parametrize("value", ['"three"', "true", "null", "[3]", "3.5"])
def test_a_value_of_another_type_is_passed_over(kept: Kept, value: str) -> None:
    kept.write(f'{{"tree_max_depth": {value}, "prompt_length": 7}}')
    found = kept.open()
    assert (found.get("tree_max_depth"), found.get("prompt_length")) == (0, 7)
    assert len(kept.warnings) == 1


def test_unknown_preferences_are_kept(kept: Kept) -> None:
    kept.write('{"from_a_later_release": [1]}')
    kept.open().set({"tree_max_depth": 3})
    assert json.loads((kept.user / "preferences.json").read_text()) == {
        "from_a_later_release": [1],
        "tree_max_depth": 3,
    }


def test_bookmarks_are_kept_beside_them(kept: Kept) -> None:
    kept.open().set({"bookmarks": {"a": "/iscsi"}})
    assert kept.open().bookmarks == {"a": "/iscsi"}
    kept.write('{"bookmarks": "none"}')
    assert kept.open().bookmarks == {}


def test_two_processes_at_once_lose_nothing(kept: Kept) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from pyshell.shell.preference_files import Preferences\n"
        "folder, name = Path(sys.argv[1]), sys.argv[2]\n"
        "for number in range(25):\n"
        "    Preferences(folder, folder, print).set({f'{name}{number}': number})\n"
    )
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(kept.user), name],
            env=clean_environment(),
            stdout=subprocess.PIPE,
        )
        for name in ("a", "b")
    ]
    assert [p.communicate(timeout=TIME_LIMIT)[0] for p in programs] == [b"", b""]
    found = json.loads((kept.user / "preferences.json").read_text())
    assert found == {f"{name}{number}": number for name in "ab" for number in range(25)}


def test_the_folder_comes_from_the_environment() -> None:
    user = {"XDG_CONFIG_HOME": "/xdg"}
    assert home(user) == Path("/xdg/pyshell")
    assert home({**user, "TARGETCLI_HOME": "/t"}) == Path("/t")
    assert home({**user, "TARGETCLI_HOME": "/t", "PYSHELL_HOME": "/p"}) == Path("/p")
    assert home({}) == Path(os.environ["HOME"]) / ".config/pyshell"


def test_a_simulated_target_has_preferences_and_history_of_its_own(tmp_path: Path) -> None:
    """Finding 37: whatever the environment says, they lie in the simulator's folder."""
    environment = {"PYSHELL_HOME": "/p", "TARGETCLI_HOME": "/t"}
    assert home(environment, simulated=tmp_path) == tmp_path / "home"


def test_a_damaged_file_is_put_aside_before_another_is_written(tmp_path: Path) -> None:
    told: list[str] = []
    (tmp_path / "preferences.json").write_text("{bad")
    found = Preferences(tmp_path, tmp_path / "none", told.append)
    found.set({"auto_save_on_exit": False})
    found.get("auto_save_on_exit")
    assert (tmp_path / "preferences.damaged").read_text() == "{bad"
    assert len(told) == 1
    assert Preferences(tmp_path, tmp_path / "none", told.append).get("auto_save_on_exit") is False


# Findings 45, 64 and 67


@pytest.mark.parametrize(
    "text",
    [
        '{"tree_max_depth": -1}', '{"tree_max_depth": 10000000000}', '{"tree_max_depth": true}',
        '{"tree_max_depth": 1e999}', f'{{"tree_max_depth": {"9" * 5000}}}',
        '{"color_path": "purple"}', r'{"color_path": "\u0000"}', r'{"color_path": "\ud800"}',
        '{"max_revision_days": 800000}', '{"bookmarks": {"a": 5}}', '{"bookmarks": ["a"]}',
        "[" * 100_000, '{"x":' * 5000 + "1" + "}" * 5000,
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_set_is_ignored_with_a_warning(kept: Kept, text: str) -> None:
    kept.write(text)
    found = kept.open()
    for name in ("tree_max_depth", "color_path", "max_revision_days"):
        assert found.get(name) == PREFERENCES[name].default
    assert found.bookmarks == {}
    assert len(kept.warnings) == 1


@pytest.mark.parametrize("file", ["user/preferences.json", "host/pyshell.json"])
def test_a_file_that_others_can_write_is_ignored_with_a_warning(kept: Kept, file: str) -> None:
    path = kept.user.parent / file
    path.parent.mkdir()
    path.write_text('{"tree_max_depth": 3}')
    path.chmod(0o666)
    assert kept.open().get("tree_max_depth") == 0
    assert "other users can write to it" in kept.warnings[0]


def test_nothing_is_written_to_a_folder_that_others_can_change(kept: Kept) -> None:
    kept.user.mkdir()
    kept.user.chmod(0o777)
    with pytest.raises(NotPermittedError, match="other users can replace files"):
        kept.open().set({"tree_max_depth": 3})
    assert list(kept.user.iterdir()) == []


def test_bookmarks_of_two_runs_at_once_are_all_kept(pyshell: Pyshell) -> None:
    """Finding 67: what is added is added to what is there, not to what was read before."""
    lio, streams = pyshell.open(), [io.StringIO() for _ in range(3)]

    def opened() -> Shell:
        return Shell(lio, Preferences(pyshell.folder, lio.config_dir, print), Options(), *streams)

    shells = [opened(), opened()]
    for shell in shells:
        assert shell.bookmarks == {}
    for number, shell in enumerate(shells):
        shell.run_line(f"bookmarks add b{number}")
    assert opened().bookmarks == {"b0": "/", "b1": "/"}
    with pytest.raises(UsageError, match="already exists"):
        shells[0].run_line("bookmarks add b1")


@pytest.mark.parametrize("label", ["", "PRODUCTION", "Produktion Köln", "本番"])
def test_a_label_is_short_and_printable(pyshell: Pyshell, label: str) -> None:
    pyshell.must(f"set global label='{label}'")
    assert pyshell.must("get global label") == [f"label={label} "]


@pytest.mark.parametrize("label", [" x", "x" * 21, "本" * 11, "a\tb", "\x1b[31m", "\u202ex"])
def test_a_label_that_would_disturb_the_terminal_is_refused(pyshell: Pyshell, label: str) -> None:
    ran = pyshell("set", "global", f"label={label}")
    assert ran.status == 2
    assert "is not a valid label" in ran.err
    assert pyshell.must("get global label") == ["label= "]


def test_a_label_in_a_file_is_judged_too(kept: Kept) -> None:
    kept.host.mkdir()
    (kept.host / "pyshell.json").write_text('{"label": "PRODUCTION"}')
    assert kept.open().get("label") == "PRODUCTION"
    kept.write('{"label": "\\u001b[2J"}')
    assert kept.open().get("label") == "PRODUCTION"
    assert len(kept.warnings) == 1


def test_the_keys_are_emacs_or_vi(pyshell: Pyshell) -> None:
    assert pyshell.must("get global editing") == ["editing=emacs "]
    ran = pyshell("set global editing=ed")
    assert (ran.status, "'ed' is not one of emacs, vi" in ran.err) == (2, True)
