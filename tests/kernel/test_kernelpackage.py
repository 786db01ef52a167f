# SPDX-License-Identifier: Apache-2.0
"""The bed's kernel is that of the release that was asked for, found by apt in lists of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import kernelpackage

APT = r"""#!/bin/sh
echo "$(basename "$0") $*" >> "$ASKED"
case "$*" in
*indextargets*) echo http://archive.example/debian/ ;;
*update*) exit "${UPDATE_FAILS:-0}" ;;
*depends*) printf 'linux-image-amd64\n  Depends: linux-image-6.12.1+deb13-amd64\n' ;;
*download*) touch linux-image-6.12.1+deb13-amd64_1_amd64.deb ;;
esac
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Put an apt into the path that notes what it is asked; return the notes."""
    notes = tmp_path / "asked"
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("apt-get", "apt-cache"):
        (programs / name).write_text(APT)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("ASKED", str(notes))
    kernelpackage.name.cache_clear()
    yield notes
    kernelpackage.name.cache_clear()


def test_without_a_release_it_is_this_machines(asked: Path, tmp_path: Path) -> None:
    assert kernelpackage.name(tmp_path, "") == "linux-image-6.12.1+deb13-amd64"
    assert asked.read_text() == "apt-cache depends linux-image-amd64\n"


def test_another_release_is_looked_up_in_lists_of_its_own(asked: Path, tmp_path: Path) -> None:
    assert kernelpackage.name(tmp_path, "trixie") == "linux-image-6.12.1+deb13-amd64"
    source = (tmp_path / "apt-trixie/sources.list").read_text()
    assert source.endswith("http://archive.example/debian/ trixie main\n")
    calls = asked.read_text().splitlines()
    assert [f"Dir::State={tmp_path}/apt-trixie" in call for call in calls] == [False, True, True]

    found = kernelpackage.download(tmp_path, "trixie", "linux-image-6.12.1+deb13-amd64", tmp_path)
    assert found.name == "linux-image-6.12.1+deb13-amd64_1_amd64.deb"
    assert len(asked.read_text().splitlines()) == 4, "the lists are a day's, and not fetched again"


def test_a_release_that_cannot_be_had_is_none(
    asked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPDATE_FAILS", "100")
    assert kernelpackage.name(tmp_path, "trixie") is None
    assert not (tmp_path / "apt-trixie/sources.list").exists()


def test_a_download_that_fails_raises(asked: Path, tmp_path: Path) -> None:
    (tmp_path / "bin/apt-get").write_text("#!/bin/sh\nexit 100\n")
    with pytest.raises(subprocess.CalledProcessError):
        kernelpackage.download(tmp_path, "", "linux-image-6", tmp_path)
