# SPDX-License-Identifier: Apache-2.0
"""The Debian packages: built and judged by Debian's tools, and used on two releases of Debian."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from driver import ROOT, tool
from pyproject import requirements
from pyshell import __version__

from . import debianroot

HOOK = Path(__file__).with_name("debian_installed.sh")
SCRIPT = ROOT / "packaging/debian/tests/simulated"


def fields(package: Path) -> dict[str, str]:
    """Return the fields of a .deb by name."""
    text = subprocess.run(["dpkg-deb", "-f", package], capture_output=True, text=True, check=True)
    return dict(re.findall(r"(?m)^(\S+): (.*)", text.stdout))


def files(package: Path) -> list[str]:
    """List what a .deb contains, as tar shows it."""
    listed = subprocess.run(["dpkg-deb", "-c", package], capture_output=True, text=True, check=True)
    return listed.stdout.splitlines()


@pytest.fixture
def targetcli(package: Path) -> Path:
    """Return the package with the name targetcli."""
    (found,) = package.parent.glob("pyshell-targetcli_*.deb")
    return found


def test_lintian_finds_no_fault(package: Path) -> None:
    (changes,) = package.parent.glob("*.changes")
    # Debian 12's lintian does not know the newest release of the policy.
    options = ["--pedantic", "--suppress-tags", "newer-standards-version", "--allow-root"]
    command = [tool("lintian", "lintian"), *options, str(changes)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_its_version_is_pyshells(package: Path) -> None:
    assert package.name == f"pyshell_{__version__}-1_all.deb"


def test_it_depends_on_debians_libraries_and_has_none_of_its_own(package: Path) -> None:
    depends = fields(package)["Depends"]
    for library in requirements():
        assert f"python3-{library.name.replace('_', '-')}" in depends
    assert "<<" not in depends
    modules = "/usr/lib/python3/dist-packages/"
    found = {line.split(modules)[1].split("/")[0] for line in files(package) if modules in line}
    assert found - {""} == {"pyshell", f"pyshell_lio-{__version__}.dist-info"}


def script(package: Path, name: str) -> str:
    """Return a maintainer script of a .deb."""
    command = ["dpkg-deb", "--info", str(package), name]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_units_and_rule_are_below_usr(package: Path) -> None:
    listed = [line.split()[5] for line in files(package)]
    for unit in (ROOT / "packaging/systemd").iterdir():
        assert f"./usr/lib/systemd/system/{unit.name}" in listed
    assert "./usr/lib/udev/rules.d/90-pyshell.rules" in listed
    assert [name for name in listed if not name.startswith("./usr/")] == ["./"]


def test_an_upgrade_restarts_only_what_reads(package: Path) -> None:
    install, remove = script(package, "postinst"), script(package, "prerm")
    acts = re.findall(r"deb-systemd-invoke (.*) >/dev/null", install)
    assert acts == ["try-restart 'pyshell-metrics.service'"]
    assert "deb-systemd-invoke" not in remove.partition('if [ "$1" = remove ]; then')[0]
    assert "deb-systemd-invoke" not in script(package, "postrm")


def test_pythons_environment_has_no_effect_on_it(package: Path, tmp_path: Path) -> None:
    subprocess.run(["dpkg-deb", "-x", package, tmp_path], check=True)
    first, *_ = (tmp_path / "usr/bin/pyshell").read_text().splitlines()
    assert first == "#!/usr/bin/python3 -I"


def test_it_brings_the_examples(package: Path) -> None:
    listed = files(package)
    for name in ("ansible/site.yml", "cloud-init/user-data.yaml", "pacemaker/cib.xml"):
        assert [line for line in listed if line.endswith(f"/doc/pyshell/examples/{name}")]


def test_the_name_targetcli_is_in_a_package_of_its_own(package: Path, targetcli: Path) -> None:
    there = fields(targetcli)
    for name in ("Provides", "Conflicts", "Replaces"):
        assert there[name] == "targetcli-fb"
    listed = files(targetcli)
    assert [line for line in listed if line.endswith("./usr/bin/targetcli -> pyshell")]
    assert [line for line in listed if line.endswith("targetcli.8.gz -> pyshell.8.gz")]
    assert not [line for line in files(package) if "targetcli.8" in line or "bin/targetcli" in line]


@pytest.mark.parametrize("release", ["bookworm", "trixie"])
def test_it_is_installed_used_and_removed(package: Path, targetcli: Path, release: str) -> None:
    reason = debianroot.missing()
    if reason and os.environ.get("PYSHELL_REQUIRE_KERNEL", "") in ("", "0"):
        pytest.skip(reason)
    assert reason is None
    debianroot.run(release, HOOK, PACKAGES=f"{package} {targetcli}", SCRIPT=str(SCRIPT))
