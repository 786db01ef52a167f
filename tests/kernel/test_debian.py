# SPDX-License-Identifier: Apache-2.0
"""The Debian package: built and judged by Debian's tools."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from driver import ROOT, tool
from pyshell import __version__


def test_lintian_finds_no_fault(package: Path) -> None:
    options = ["--fail-on", "error,warning", "--allow-root"]
    command = [tool("lintian", "lintian"), *options, str(package)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_its_version_is_pyshells(package: Path) -> None:
    assert package.name.split("_")[1] == __version__


def test_what_it_carries_is_what_pyshell_asks_for(package: Path) -> None:
    carried = (ROOT / "packaging/debian/carried.txt").read_text()
    listed = subprocess.run(["dpkg-deb", "-c", package], capture_output=True, text=True, check=True)
    for name, version in re.findall(r"^([\w-]+)==([\w.]+)", carried, re.MULTILINE):
        assert f"/usr/lib/pyshell/{name.replace('-', '_')}-{version}.dist-info/" in listed.stdout
    told = (ROOT / "packaging/debian/pyshell.README.Debian").read_text()
    for name in re.findall(r"^([\w-]+)==", carried, re.MULTILINE):
        assert name in told


def test_it_brings_the_examples(package: Path) -> None:
    listed = subprocess.run(["dpkg-deb", "-c", package], capture_output=True, text=True, check=True)
    for name in ("ansible/site.yml", "cloud-init/user-data.yaml", "pacemaker/cib.xml"):
        assert f"/usr/share/doc/pyshell/examples/{name}\n" in listed.stdout
