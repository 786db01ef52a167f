# SPDX-License-Identifier: Apache-2.0
"""What installs pyshell: units and udev rule as far as a boot is not needed, sdist and wheel."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from configparser import ConfigParser
from importlib.metadata import PackageNotFoundError, version
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from packaging.utils import canonicalize_name

from driver import ROOT, Pyshell, run_here
from pyproject import extra, requirements
from pyshell import __version__
from pyshell.errors import RestoredInPartError
from pyshell.lio import CONFIG_DIR, attach
from pyshell.shell import grammar

PACKAGING = ROOT / "packaging"
UNITS = sorted((PACKAGING / "systemd").iterdir())
RESTORE = "pyshell-restore.service"
MISSING = "pyshell-missing.service"
METRICS = "pyshell-metrics.service"
RULE = (PACKAGING / "udev/90-pyshell.rules").read_text()
# Options that give a service mounts, a network or a device policy of its own.
_NAMESPACES = re.compile(
    r"^(Private\w+|Protect\w+|(ReadOnly|ReadWrite|Inaccessible|Exec|NoExec)Paths|TemporaryFileSystem"
    r"|Bind\w*Paths|RootDirectory|RootImage|Device\w+|DynamicUser|MountFlags|MountAPIVFS)=",
    re.MULTILINE,
)


def text(unit: str) -> str:
    """Return a unit's text."""
    return (PACKAGING / "systemd" / unit).read_text()


def values(unit: str, name: str) -> list[str]:
    """Return all that a unit gives for one name."""
    return re.findall(rf"^{name}=(.*)", text(unit), re.MULTILINE)


def test_systemd_has_nothing_to_say_against_the_units(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("no systemd-analyze here: apt install systemd brings it")
    for unit in UNITS:
        # It looks for the programs, and pyshell is where it was installed for the tests.
        there = re.sub("/usr/bin/pyshell", sys.executable, unit.read_text())
        (tmp_path / unit.name).write_text(there)
    paths = [str(tmp_path / unit.name) for unit in UNITS]
    done = subprocess.run(
        [program, "verify", "--man=no", *paths], capture_output=True, text=True, check=False
    )
    ours = [line for line in done.stderr.splitlines() if "pyshell" in line]
    assert (done.returncode, ours) == (0, [])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_can_be_read(unit: Path) -> None:
    parsed = ConfigParser(strict=False, interpolation=None)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]
    parsed.read(unit)
    assert "Unit" in parsed
    assert parsed["Unit"]["Description"]


@pytest.mark.parametrize("unit", [RESTORE, MISSING])
def test_what_a_unit_runs_can_be_parsed(pyshell: Pyshell, unit: str) -> None:
    lines = [*values(unit, "ExecStart"), *values(unit, "ExecReload"), *values(unit, "ExecStop")]
    for line in lines:
        program, option, *words = shlex.split(line)
        assert program == "/usr/bin/pyshell"
        assert option.startswith("--lock-timeout=")
        assert not grammar.parse_arguments(words).empty
        assert pyshell("--dry-run", *words).status in (0, 3), line


def test_the_lines_of_the_unit_restore_and_clear(exported: Pyshell) -> None:
    exported.must("saveconfig", "clearconfig confirm=true")
    for name in ("ExecStart", "ExecReload", "ExecStop"):
        (line,) = values(RESTORE, name)
        words = [w.replace(str(CONFIG_DIR), str(exported.config_dir)) for w in shlex.split(line)]
        exported(*words[1:]).done()
    assert exported.must("sessions") == ["(no open sessions)"]
    assert exported("/backstores/block/lee_block").status == 3


def test_a_restore_in_part_and_no_file_leave_the_unit_active() -> None:
    assert values(RESTORE, "SuccessExitStatus") == [f"3 {RestoredInPartError.status}"]
    assert values(MISSING, "SuccessExitStatus") == []


def test_units_and_rule_look_at_the_mark_that_pyshell_makes() -> None:
    mark = str(attach().mark_file)
    assert f'TEST=="{mark}"' in RULE
    assert values("pyshell-missing.path", "PathChanged") == [mark]
    assert f"/usr/bin/test -e {mark}" in values(MISSING, "ExecCondition")


def test_what_the_rule_makes_starts_the_unit_and_is_taken_away_by_it() -> None:
    (made,) = re.findall(r'RUN\+="/usr/bin/touch (\S+)"', RULE)
    assert values("pyshell-missing.path", "PathExists") == [made]
    assert f"/usr/bin/rm -f {made}" in values(MISSING, "ExecCondition")


@pytest.mark.parametrize("unit", [RESTORE, MISSING])
def test_the_kernel_opens_files_in_the_hosts_own_namespaces(unit: str) -> None:
    assert _NAMESPACES.findall(text(unit)) == []


@pytest.mark.parametrize("unit", [RESTORE, MISSING, "pyshell-save.service", METRICS])
@pytest.mark.parametrize(
    "line", ["LimitCORE=0", "MemoryDenyWriteExecute=yes", "SystemCallFilter=~@resources"]
)
def test_no_service_leaves_a_core_or_has_more_system_calls_than_it_needs(
    unit: str, line: str
) -> None:
    """Finding 53: a core dump would hold CHAP secrets."""
    assert line in text(unit).splitlines()


def test_the_saving_service_writes_to_its_own_folders_only() -> None:
    """Finding 53."""
    assert values("pyshell-save.service", "ProtectSystem") == ["strict"]
    assert values("pyshell-save.service", "ReadWritePaths") == ["-/etc/target -/run"]


def test_the_metrics_service_serves_at_loopback_and_writes_nothing(pyshell: Pyshell) -> None:
    (address,) = [one.removeprefix("ADDRESS=") for one in values(METRICS, "Environment")]
    (line,) = values(METRICS, "ExecStart")
    program, *words = shlex.split(line.replace("${ADDRESS}", address))
    assert program == "/usr/bin/pyshell"
    assert pyshell("--dry-run", *words).done().out == (
        "Metrics would be served at http://127.0.0.1:9814/metrics (dry run)\n"
    )
    assert values(METRICS, "ProtectSystem") == ["strict"]
    assert values(METRICS, "ReadWritePaths") == []
    assert values(METRICS, "CapabilityBoundingSet") == ["CAP_DAC_READ_SEARCH"]


def test_both_services_are_confined_alike() -> None:
    one, other = (
        text(unit).partition("# Do not add options")[2].split("\n\n")[0]
        for unit in (RESTORE, MISSING)
    )
    assert one
    assert one.strip() == other.strip()


def test_what_storage_is_made_of_comes_before_and_who_uses_it_after() -> None:
    after, before = " ".join(values(RESTORE, "After")), " ".join(values(RESTORE, "Before"))
    for unit in ("local-fs.target", "lvm2-monitor", "multipathd", "zfs-volumes", "network-online"):
        assert unit in after
    for unit in ("remote-fs.target", "pacemaker.service"):
        assert unit in before


def test_services_that_restore_the_same_file_do_not_run_beside_it() -> None:
    assert values(RESTORE, "Conflicts") == ["target.service rtslib-fb-targetctl.service"]


def built(folder: Path, age: int) -> dict[str, bytes]:
    """Build sdist and wheel from a fresh copy of the tree, whose files are so many seconds old."""
    tree = folder / "tree"
    kept = shutil.ignore_patterns(".*", "__pycache__", "tests")
    shutil.copytree(ROOT, tree, ignore=kept)
    shutil.copy(ROOT / ".gitignore", tree)
    for path in tree.rglob("*"):
        os.utime(path, (time.time() - age,) * 2)
    made = folder / "made"
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(made)]
    subprocess.run(command, cwd=tree, check=True, capture_output=True)
    return {path.name: path.read_bytes() for path in made.iterdir()}


def test_sdist_and_wheel_are_the_same_each_time(tmp_path: Path) -> None:
    first = built(tmp_path / "first", 5)
    assert len(first) == 2
    assert built(tmp_path / "second", 500_000) == first


def test_the_wheel_brings_manual_completions_and_rules(tmp_path: Path) -> None:
    made = built(tmp_path, 5)
    (wheel,) = (data for name, data in made.items() if name.endswith(".whl"))
    names = zipfile.ZipFile(io.BytesIO(wheel)).namelist()
    shared = {name.partition(".data/data/share/")[2] for name in names} - {""}
    assert shared == {
        "bash-completion/completions/pyshell",
        "zsh/site-functions/_pyshell",
        "fish/vendor_completions.d/pyshell.fish",
        "man/man5/saveconfig.json.5",
        "man/man8/pyshell-restore.service.8",
        "man/man8/pyshell.8",
        "pyshell/monitoring/grafana-dashboard.json",
        "pyshell/monitoring/pyshell.rules.yml",
    }
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "pyshell").rglob("*.*")}
    assert {name for name in sources if "__pycache__" not in name} <= set(names)


def test_the_change_log_begins_with_this_version() -> None:
    log = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    (first, *_) = re.findall(r"^## (\S+)", log, re.MULTILINE)
    assert first in (__version__, "Unreleased")


def test_versions_are_told(pyshell: Pyshell) -> None:
    told = pyshell("-o", "json", "version").json["result"]
    assert told["pyshell"] == __version__
    assert told["rtslib-fb"] == version("rtslib-fb")
    shown = pyshell("version").done().lines
    assert shown[0] == f"pyshell version {__version__}"
    assert f"configshell-fb {version('configshell-fb')}" in shown


def test_a_simulated_kernel_is_not_taken_for_the_hosts(pyshell: Pyshell) -> None:
    recorded = json.loads((ROOT / "pyshell/simulator/recorded.json").read_text(encoding="utf-8"))
    told = pyshell("-o", "json", "version").json["result"]
    assert (told["kernel"], told["simulated"]) == (recorded["kernel"], True)
    shown = pyshell("version").done().lines
    assert shown[-1] == f"kernel {recorded['kernel']} (simulated, as recorded from that one)"


def test_the_hosts_kernel_is_told_of_a_real_target() -> None:
    real = run_here(["-o", "json", "version"]).done().json["result"]
    assert (real["kernel"], real["simulated"]) == (os.uname().release, False)


def test_a_library_without_its_package_is_told_as_well(
    pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", missing)
    assert "rtslib-fb unknown" in pyshell("version").done().lines


def test_one_file_holds_pyshell_with_its_libraries(pyshell: Pyshell, tmp_path: Path) -> None:
    if os.environ.get("PYSHELL_REQUIRE_KERNEL", "") in ("", "0"):
        pytest.skip("it takes libraries from PyPI: PYSHELL_REQUIRE_KERNEL=1 has it run")
    file = tmp_path / "pyshell.pyz"
    subprocess.run([ROOT / "packaging/zipapp", file], check=True, timeout=600)
    command = [str(file), f"--simulate={pyshell.folder}", "ls", "/", "1"]
    hostile = tmp_path / "hostile"  # the environment of an attacker changes nothing (finding 43)
    for module in ("pyshell/__init__.py", "json.py", "sitecustomize.py"):
        (hostile / module).parent.mkdir(parents=True, exist_ok=True)
        (hostile / module).write_text("raise SystemExit('attacked')\n", encoding="utf-8")
    names = ("HOME", "PYTHONPATH", "PYTHONUSERBASE", "SHIV_ROOT", "XDG_CACHE_HOME", "TMPDIR")
    environment = {"PATH": os.environ["PATH"], **dict.fromkeys(names, str(hostile))}
    before = sorted(hostile.iterdir())
    try:
        done = subprocess.run(
            command, env=environment, cwd=hostile, capture_output=True, text=True, check=False
        )
    finally:
        shutil.rmtree(_start().cache_folder(), ignore_errors=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "o- backstores" in done.stdout
    assert sorted(hostile.iterdir()) == before


def _start() -> ModuleType:
    """Return the module that the one file starts with."""
    spec = spec_from_file_location("zipapp_start", ROOT / "packaging/zipapp_start.py")
    assert spec is not None
    assert spec.loader is not None
    found = module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Return an archive as packaging/zipapp makes it, with one library."""
    file = tmp_path / "one.pyz"
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("digest", "0123")
        made.writestr("content/library.py", "genuine = True\n")
    return file


def test_the_one_file_unpacks_its_libraries_once(archive: Path) -> None:
    private = Path(tempfile.mkdtemp(prefix="pyshell-test-"))
    try:
        cache = private / "cache"
        first = Path(_start().unpacked(str(archive), str(cache)))
        assert first == cache / "0123/content"
        assert (first / "library.py").read_text() == "genuine = True\n"
        stamp = first.stat().st_mtime_ns
        assert _start().unpacked(str(archive), str(cache)) == str(first)
        assert first.stat().st_mtime_ns == stamp
        assert [entry.name for entry in cache.iterdir()] == ["0123"]
    finally:
        shutil.rmtree(private)


@pytest.mark.parametrize("way", ["writable", "link", "another's", "writable parent"])
def test_libraries_that_another_user_could_replace_are_not_used(archive: Path, way: str) -> None:
    """Finding 43: they would run as root."""
    private = Path(tempfile.mkdtemp(prefix="pyshell-test-"))
    planted = private / "cache/0123/content"
    planted.mkdir(parents=True)
    (planted / "library.py").write_text("genuine = False\n")
    folder = private / "cache"
    if way == "writable":
        folder.chmod(0o777)
    elif way == "writable parent":
        private.chmod(0o777)
    elif way == "link":
        folder = private / "link"
        folder.symlink_to("cache")
    elif os.geteuid() == 0:
        os.chown(folder, 65534, 65534)
    else:
        pytest.skip("only root can give files away")
    try:
        found = Path(_start().unpacked(str(archive), str(folder)))
        assert not found.is_relative_to(private)
        assert (found / "library.py").read_text() == "genuine = True\n"
        assert found.parent.stat().st_mode & 0o077 == 0
        shutil.rmtree(found.parent)
    finally:
        shutil.rmtree(private)


@pytest.mark.parametrize("name", ["packaging/pinned/libraries.txt", "packaging/pinned/build.txt"])
def test_what_packages_carry_is_pinned_by_hash(name: str) -> None:
    """Finding 54."""
    text = (ROOT / name).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    heads = [line for line in lines if not line.startswith(" ")]
    assert heads
    assert all("==" in line and line.endswith("\\") for line in heads)
    assert all("--hash=sha256:" in line for line in lines if line not in heads)


def test_the_pinned_libraries_are_those_that_pyshell_asks_for() -> None:
    text = (ROOT / "packaging/pinned/libraries.txt").read_text(encoding="utf-8")
    pinned = dict(re.findall(r"^([\w-]+)==([\w.]+)", text, re.MULTILINE))
    for requirement in (*requirements(), *extra("metrics"), *extra("tcmu")):
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)])
