# SPDX-License-Identifier: Apache-2.0
"""The RPM spec: in step with pyproject.toml, built with rpmbuild, judged by rpmlint."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from driver import ROOT, tool
from pyproject import bound, project, requirements
from pyshell import __version__

RPM = ROOT / "packaging/rpm"
SPEC = RPM / "pyshell.spec"
# The version that pyshell's targetcli-compatible mode has, as docs/targetcli.md says.
TARGETCLI = "3.0.2"
BUILD_SECONDS = 900


def said(tag: str) -> str:
    """Return what the spec says for a tag of the package itself."""
    found = re.search(rf"^{tag}: +(.*)", SPEC.read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    return str(found[1])


def queried(package: Path, *options: str) -> str:
    """Return what rpm tells of a package."""
    command = [tool("rpm", "rpm"), "-qp", *options, str(package)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the RPM package, built from this tree."""
    tool("rpmbuild", "rpm")
    if os.environ.get("PYSHELL_REQUIRE_KERNEL", "") in ("", "0"):
        pytest.skip("it takes libraries from PyPI: PYSHELL_REQUIRE_KERNEL=1 has it run")
    folder = tmp_path_factory.mktemp("rpm")
    subprocess.run([RPM / "build", folder], check=True, timeout=BUILD_SECONDS)
    (made,) = folder.glob("pyshell-[0-9]*.noarch.rpm")
    return made


@pytest.fixture(scope="module")
def targetcli(package: Path) -> Path:
    """Return the package with the name targetcli."""
    (found,) = package.parent.glob("pyshell-targetcli-*.noarch.rpm")
    return found


def test_the_spec_says_what_pyproject_says() -> None:
    told = project()
    assert (said("Name"), told.name) == ("pyshell", "pyshell-lio")
    assert said("Version") == __version__
    assert said("Summary") == told.description
    assert said("License") == told.license
    python = told.requires_python.replace(">=", ">= ")
    assert f"BuildRequires:  python3-devel {python}\n" in SPEC.read_text(encoding="utf-8")


def test_the_newest_change_is_of_this_version() -> None:
    newest = SPEC.read_text(encoding="utf-8").partition("%changelog\n")[2].splitlines()[0]
    assert newest.endswith(f" - {__version__}-1")


def test_the_spec_names_fedoras_package_of_each_library() -> None:
    about = " ".join(SPEC.read_text(encoding="utf-8").partition("%bcond")[0].split())
    for one in requirements():
        name = one.name.removesuffix("-fb").replace("_", "-")
        assert f"python3-{name}" in about


def test_rpmlint_has_nothing_to_say_against_the_spec() -> None:
    assert_clean(SPEC)


def assert_clean(*files: Path) -> None:
    """Hold files against rpmlint, which is told what it says without reason."""
    options = ["--strict", "-c", str(RPM / "rpmlint.toml")]
    command = [tool("rpmlint", "rpmlint"), *options, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 errors, 0 warnings" in done.stdout


def test_rpmlint_has_nothing_to_say_against_the_packages(package: Path, targetcli: Path) -> None:
    assert_clean(package, targetcli, *package.parent.glob("*.src.rpm"))


def test_units_rule_manual_and_completions_are_where_fedora_looks(package: Path) -> None:
    listed = queried(package, "--qf", "[%{FILEMODES:perms} %{FILEUSERNAME} %{FILENAMES}\\n]")
    files = {line.split()[2]: line.split()[:2] for line in listed.splitlines()}
    units = [path.name for path in (ROOT / "packaging/systemd").iterdir()]
    for name in (
        *(f"/usr/lib/systemd/system/{unit}" for unit in units),
        "/usr/lib/udev/rules.d/90-pyshell.rules",
        "/usr/lib/tmpfiles.d/pyshell.conf",
        "/usr/share/man/man8/pyshell.8.gz",
        "/usr/share/man/man8/pyshell-restore.service.8.gz",
        "/usr/share/bash-completion/completions/pyshell",
        "/usr/share/zsh/site-functions/_pyshell",
        "/usr/share/fish/vendor_completions.d/pyshell.fish",
        "/usr/share/pyshell/monitoring/pyshell.rules.yml",
    ):
        assert files[name] == ["-rw-r--r--", "root"], name
    assert files["/usr/bin/pyshell"] == ["-rwxr-xr-x", "root"]
    examples = {name.partition("/examples/")[2] for name in files if "/examples/" in name}
    for name in ("ansible/site.yml", "container/Containerfile"):
        assert name in examples, name
    # Fedora's presets are in a package of their own, and enable nothing that they do not name.
    assert [name for name in files if ".wants/" in name or "preset" in name] == []


def test_folders_that_no_needed_package_has_belong_to_it(package: Path) -> None:
    listed = queried(package, "--qf", "[%{FILEMODES:perms} %{FILENAMES}\\n]").splitlines()
    folders = {line.split()[1]: line.split()[0] for line in listed if line.startswith("d")}
    for name in ("pyshell", "pyshell/monitoring"):
        assert f"/usr/share/{name}" in folders
    assert folders["/etc/target"] == "drwxr-xr-x"  # as in Fedora's target-restore
    for name in ("/etc/target/pr", "/etc/target/alua", "/var/log/pyshell"):
        assert folders[name] == "drwx------"
    assert "systemd-udev" in queried(package, "--requires").splitlines()


def test_the_name_targetcli_is_in_a_package_of_its_own(package: Path, targetcli: Path) -> None:
    links = queried(targetcli, "--qf", "[%{FILENAMES} %{FILELINKTOS}\\n]").splitlines()
    assert links == [
        "/usr/bin/targetcli pyshell",
        "/usr/share/man/man8/targetcli.8.gz pyshell.8.gz",
    ]
    assert f"pyshell = {__version__}-1" in queried(targetcli, "--requires")
    assert f"targetcli = {TARGETCLI}" in queried(targetcli, "--provides").splitlines()
    assert queried(targetcli, "--conflicts") == "targetcli\n"
    assert queried(targetcli, "--obsoletes") == ""
    assert queried(targetcli, "--scripts") == ""
    assert not [name for name in queried(package, "-l").splitlines() if "bin/targetcli" in name]


def test_the_files_manual_page_is_not_that_of_rtslib(package: Path) -> None:
    pages = [name for name in queried(package, "-l").splitlines() if "/man5/" in name]
    assert pages == ["/usr/share/man/man5/saveconfig.json.5pyshell.gz"]


def test_nothing_is_enabled_and_what_pyshell_brought_up_ends_with_it(package: Path) -> None:
    scripts = re.sub(r"(?m)^#.*\n", "", queried(package, "--scripts"))
    installs, _, removes = scripts.partition("preuninstall scriptlet")
    assert "install-system-units pyshell-restore.service" in installs  # by the presets
    assert not re.search(r"\b(enable|start)\b", scripts)
    (restarted,) = re.findall(r"mark-restart-system-units (.*) \|\|", scripts)
    assert restarted == "pyshell-metrics.service"
    assert "pyshell takeover back=true" in removes
    assert "[ $1 -eq 0 ]" in removes
    assert "remove-system-units pyshell-save.service pyshell-missing.path" in removes


def test_its_libraries_have_the_bounds_of_pyproject(package: Path) -> None:
    told = queried(package, "--requires").splitlines()
    python = "python{}.{}dist".format(*python_of(package))
    for one in requirements():
        assert as_rpm(python, one) in told


def as_rpm(python: str, of: Requirement) -> str:
    """Return a requirement as RPM's generator writes it."""
    dist = f"{python}({of.name.replace('_', '-')})"
    lowest, below = (re.sub(r"(\.0)+$", "", bound(of, sign) or "") for sign in (">=", "<"))
    return f"({dist} < {below} with {dist} >= {lowest})" if below else f"{dist} >= {lowest}"


def python_of(package: Path) -> tuple[str, ...]:
    """Return major and minor release of the Python that a package was built for."""
    found = re.search(r"/usr/lib/python(\d+)\.(\d+)/", queried(package, "-l"))
    assert found
    return found.groups()


def test_what_it_installs_runs(package: Path, tmp_path: Path) -> None:
    unpacked = subprocess.run(
        [tool("rpm2cpio", "rpm2cpio"), package], capture_output=True, check=True
    )
    root = tmp_path / "root"
    root.mkdir()
    command = [tool("cpio", "cpio"), "-id", "--quiet"]
    subprocess.run(command, input=unpacked.stdout, cwd=root, check=True)
    release = ".".join(python_of(package))
    if release != "{}.{}".format(*sys.version_info):
        pytest.skip(f"the package is for Python {release}")
    (libraries,) = {path for path in sys.path if (Path(path) / "rtslib_fb").is_dir()}
    # What PYTHONPATH names is not imported as root, so the folders are put in front here.
    start = (
        "import runpy, sys; sys.path[:0] = sys.argv[1:3]; del sys.argv[:3];"
        " runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    folders = [f"{root}/usr/lib/python{release}/site-packages", libraries]
    words = [str(root / "usr/bin/pyshell"), f"--simulate={tmp_path}/sim", "pwd"]
    command = [sys.executable, "-I", "-c", start, *folders, *words]
    home = {"HOME": str(tmp_path)}
    done = subprocess.run(command, env=home, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "/\n", "")
