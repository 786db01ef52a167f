# SPDX-License-Identifier: Apache-2.0
"""The example for cloud-init: read, written and made a script of by cloud-init's own code.

Its package is unpacked, not installed; the programs that would change this machine are stand-ins.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from driver import CLIENT, ROOT, SERVER, TPG, Pyshell, clean_environment
from examples.readmes import EXAMPLES, lines_to_type
from kernel.unpacked import environment

FOLDER = EXAMPLES / "cloud-init"
USER_DATA = FOLDER / "user-data.yaml"
FILE = "/etc/target/saveconfig.json"
# Its libraries are for the system's Python.
PYTHON = "/usr/bin/python3"
WRITE = """
import grp, os, pwd, sys, yaml
from cloudinit.config.cc_write_files import write_files
files = yaml.safe_load(open(sys.argv[1]))["write_files"]
me = pwd.getpwuid(os.getuid()).pw_name + ":" + grp.getgrgid(os.getgid()).gr_name
write_files("test", [{**one, "path": sys.argv[2] + one["path"], "owner": me} for one in files], me)
"""
SCRIPT = """
import sys, yaml
from cloudinit.util import shellify
print(shellify(yaml.safe_load(open(sys.argv[1]))["runcmd"]))
"""
UNIT = ROOT / "packaging/systemd/pyshell-restore.service"


def run(
    package: Path, *words: str, others: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program among cloud-init's libraries."""
    found = {**clean_environment(), **environment(package), "PYTHONWARNINGS": "ignore"}
    return subprocess.run(
        words, env={**found, **(others or {})}, cwd=FOLDER, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip


def schema_says(package: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Return what `cloud-init schema` says."""
    return run(package, PYTHON, str(package / "usr/bin/cloud-init"), *words)


def test_the_line_of_readme_finds_the_file_valid(cloud_init_package: Path) -> None:
    (line,) = lines_to_type(FOLDER)
    program, *words = line.split()
    assert program == "cloud-init"
    done = schema_says(cloud_init_package, *words)
    assert (done.returncode, done.stdout) == (0, "Valid cloud-config: user-data.yaml\n")


def test_it_would_not_find_a_faulty_one_valid(cloud_init_package: Path, tmp_path: Path) -> None:
    faulty = tmp_path / "user-data.yaml"
    faulty.write_text(USER_DATA.read_text().replace("runcmd:", "runcmd: {}\nbootcmd:"))
    done = schema_says(cloud_init_package, "schema", "--config-file", str(faulty))
    assert done.returncode == 1
    assert "runcmd" in done.stderr


@pytest.fixture
def written(cloud_init_package: Path, pyshell: Pyshell, tmp_path: Path) -> Path:
    """Return the file that cloud-init writes, below a folder in place of the root.

    It becomes the saved configuration of the simulated host, which has the disk.
    """
    done = run(cloud_init_package, PYTHON, "-c", WRITE, str(USER_DATA), str(tmp_path))
    assert done.returncode == 0, done.stderr
    made = Path(f"{tmp_path}{FILE}")
    pyshell.must("pwd")
    machine = json.loads((pyshell.folder / "machine.json").read_text())
    machine["devices"].append({"path": "/dev/vdb", "kernel_name": "vdb", "size": 1 << 30})
    (pyshell.folder / "machine.json").write_text(json.dumps(machine))
    pyshell.config_dir.mkdir(parents=True, exist_ok=True)
    pyshell.saved_file.touch(0o600)
    pyshell.saved_file.write_bytes(made.read_bytes())
    return made


def test_the_saved_configuration_is_roots_alone_and_sound(written: Path, pyshell: Pyshell) -> None:
    assert written.stat().st_mode & 0o777 == 0o600
    assert pyshell.must(f"check {written}") == [f"{written}: no errors"]


@pytest.fixture
def programs(pyshell: Pyshell, tmp_path: Path) -> Path:
    """Return a folder with pyshell, and stand-ins that log what they are told.

    systemctl also does what the unit that it starts would.
    """
    folder = tmp_path / "programs"
    folder.mkdir()
    (line,) = re.findall(r"^ExecStart=/usr/bin/(.*)", UNIT.read_text(), re.MULTILINE)
    log = f'echo "${{0##*/}} $*" >>{tmp_path}/log'
    stand_ins = {"curl": "", "sha256sum": "", "apt-get": "", "systemctl": f" && exec {line}"}
    for name, then in stand_ins.items():
        (folder / name).write_text(f"#!/bin/sh\n{log}{then}\n")
        (folder / name).chmod(0o755)
    (folder / "pyshell").symlink_to(Path(sys.executable).with_name("pyshell"))
    return folder


@pytest.mark.usefixtures("written")
def test_its_commands_bring_the_target_up_and_back_at_boot(
    cloud_init_package: Path, pyshell: Pyshell, programs: Path, tmp_path: Path
) -> None:
    done = run(cloud_init_package, PYTHON, "-c", SCRIPT, str(USER_DATA))
    script = done.stdout
    assert script.startswith("#!/bin/sh\nset -e\n"), done.stderr
    others = {"PATH": f"{programs}:{os.environ['PATH']}", "PYSHELL_SIMULATE": str(pyshell.folder)}
    ran = run(cloud_init_package, "/bin/sh", "-c", script, others=others)
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "log").read_text().splitlines() == [
        "curl -fsS -o /var/cache/pyshell.deb https://packages.example.com/pyshell_0.1.0_all.deb",
        "sha256sum --check --strict",
        "apt-get install -y /var/cache/pyshell.deb",
        "systemctl start pyshell-restore.service",
    ]
    assert f"o- {CLIENT} " in pyshell.line(f"ls {TPG}/acls").out
    assert f"o- {SERVER} " in pyshell.line("ls /iscsi").out
    assert pyshell("takeover").done().out == "pyshell already restores the target at boot.\n"


@pytest.mark.usefixtures("written")
def test_a_file_that_cannot_be_served_ends_the_script(
    cloud_init_package: Path, pyshell: Pyshell, programs: Path
) -> None:
    pyshell.saved_file.write_text("{")
    script = run(cloud_init_package, PYTHON, "-c", SCRIPT, str(USER_DATA)).stdout
    others = {"PATH": f"{programs}:{os.environ['PATH']}", "PYSHELL_SIMULATE": str(pyshell.folder)}
    ran = run(cloud_init_package, "/bin/sh", "-c", script, others=others)
    assert ran.returncode == 1
    assert "saveconfig.json is not JSON: line 1, column 2" in ran.stderr
