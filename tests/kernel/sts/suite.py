# SPDX-License-Identifier: Apache-2.0
"""Runs files of the storage test suite in a guest, with one of the two programs as targetcli.

The suite finds targetcli, and stand-ins for what Debian or the guest lacks, in PATH. Its library
asks rpm for packages only if /etc/os-release is of Red Hat's family: for the suite alone, it is.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from .. import bus, commands, lio
from ..initiator import FOLDER, NAME
from ..stslibs import Suite

STANDINS = Path(__file__).with_name("standins")
PLACE = Path("/run/tmp/sts")
PYSHELL, TARGETCLI = "pyshell", "targetcli"
PASSED, FAILED, SKIPPED, EXPECTED = "passed", "failed", "skipped", "failed, as the suite expects"
FEDORA = 'ID=fedora\nVERSION_ID="42"\n'
DAEMONS = ("multipathd", "iscsid")
# Each test of the longest file makes a thousand calls of programs.
SECONDS = 5000.0
REPORT_CHARACTERS = 160


@dataclass(frozen=True)
class File:
    """A file of tests: its path in the suite, and the environment that its plan sets."""

    path: str
    environment: Mapping[str, str] = field(default_factory=dict)
    tools: Mapping[str, str] = field(default_factory=dict)
    """What it runs: program, Debian package."""


CHAP = {
    "LIBISCSI_CHAP_USERNAME": "libiscsiuser",
    "LIBISCSI_CHAP_PASSWORD": "libiscsipassword",
    "LIBISCSI_CHAP_TARGET_USERNAME": "libiscsimutualuser",
    "LIBISCSI_CHAP_TARGET_PASSWORD": "libiscsimutualpassword",
}
FILES = {
    Path(file.path).stem: file
    for file in (
        File("iscsi/libiscsi/local/libiscsi-local.py", CHAP, {"iscsi-test-cu": "libiscsi-bin"}),
        File("iscsi/parameters/iscsi_params.py", {}, {"fio": "fio", "lsscsi": "lsscsi"}),
        File("iscsi/many-luns/many-luns-local.py"),
        File("multipath/test_multipath_basic.py", {}, {"multipathd": "multipath-tools"}),
    )
}


def run(name: str, program: str, kept: Path, only: str = "") -> dict[str, str]:
    """Run a file's tests, or those that match `only`, and return what came of each.

    What pytest prints, and each program's output, is written to files in the folder `kept`.
    PYSHELL_STS names the suite's folder, or says why there is none.
    """
    assert os.environ["PYSHELL_STS"].startswith("/"), os.environ["PYSHELL_STS"]
    suite = Suite(Path(os.environ["PYSHELL_STS"]))
    file = FILES[name]
    report = kept / f"{name}.xml"
    chosen = ["-k", only] if only else []
    with _prepared(program) as path, (kept / f"{name}.txt").open("wb") as output:
        os_release = PLACE / "os-release"
        os_release.write_text(FEDORA)
        command = [
            *(str(suite.python), "-m", "pytest", "-p", "no:cacheprovider", "-v", "-ra"),
            *("--rootdir", str(suite.tests), "-c", str(suite.tests / "pytest.ini"), *chosen),
            *(f"--log-file={kept / name}.log", "--log-file-level=DEBUG"),
            *(f"--junit-xml={report}", "-o", "junit_logging=no", str(suite.tests / file.path)),
        ]
        environment = {
            **os.environ,
            **file.environment,
            "PATH": path,
            "PYTHONPATH": str(suite.library),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        subprocess.run(
            ["unshare", "--mount", "sh", "-c", _mounting(os_release, command)],
            cwd=PLACE, env=environment, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, timeout=SECONDS, check=False,
        )  # fmt: skip
    return outcomes(file.path, report.read_text(encoding="utf-8"))


def outcomes(path: str, report: str) -> dict[str, str]:
    """Read pytest's report: passed, failed or skipped with what it says, by test."""
    module = path.removesuffix(".py").replace("/", ".")
    found: dict[str, str] = {}
    for case in ElementTree.fromstring(report).iter("testcase"):
        group = case.get("classname", "").removeprefix(module).strip(".")
        name = "::".join(part for part in (group, case.get("name", "")) if part)
        # A test that passed and whose cleaning up failed has two entries.
        found[name] = max(found.get(name, PASSED), _outcome(case), key=lambda what: what != PASSED)
    return found


def _outcome(case: ElementTree.Element) -> str:
    for child in case:
        message = " ".join(child.get("message", "").split())[:REPORT_CHARACTERS]
        if child.get("type") == "pytest.xfail":
            return f"{EXPECTED}: {message}"
        if child.tag == "skipped":
            return f"{SKIPPED}: {message}"
        if child.tag in ("failure", "error"):
            return f"{FAILED}: {message}"
    return PASSED


@contextmanager
def _prepared(program: str) -> Iterator[str]:
    """Have the programs that the suite calls; yield its PATH."""
    lio.clear()
    commands.run("rm", "-rf", str(PLACE))
    (PLACE / "bin").mkdir(parents=True)
    commands.run("modprobe", "-a", "iscsi_tcp", "sd_mod")
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "initiatorname.iscsi").write_text(f"InitiatorName={NAME}\n")
    with contextlib.ExitStack() as stack:
        link = PLACE / "bin" / TARGETCLI
        if program == PYSHELL:
            link.symlink_to(Path(sys.executable).with_name(PYSHELL))
        else:
            stack.enter_context(bus.running())
            _write_targetcli(link, os.environ["PYSHELL_PEER"])
        try:
            yield os.pathsep.join((str(link.parent), str(STANDINS), os.environ["PATH"]))
        finally:
            for option in (["-u"], ["-o", "delete"]):
                commands.run("iscsiadm", "-m", "node", *option, check=False)
            for daemon in DAEMONS:
                commands.run(str(STANDINS / "systemctl"), "stop", daemon)
            lio.clear()


def _write_targetcli(link: Path, python: str) -> None:
    assert python.startswith("/"), python
    code = "from targetcli.targetcli_shell import main; main()"
    link.write_text(f'#!/bin/sh\nexec {shlex.join([python, "-c", code])} "$@"\n')
    link.chmod(0o755)


def _mounting(os_release: Path, command: Sequence[str]) -> str:
    return f"mount --bind {os_release} /etc/os-release && exec {shlex.join(command)}"
