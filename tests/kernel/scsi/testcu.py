# SPDX-License-Identifier: Apache-2.0
"""Runs iscsi-test-cu of libiscsi, a family of tests at a time, and reads what it prints.

Its families SCSI and iSCSI run over iSCSI from user space. LINUX, which sends the same commands by
SG_IO through the kernel's own initiator, is not run.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ..commands import run

PROGRAM = "iscsi-test-cu"
TOOLS = {PROGRAM: "libiscsi-bin"}
INITIATORS = (
    "iqn.2007-10.com.github:sahlberg:libiscsi:iscsi-test",
    "iqn.2007-10.com.github:sahlberg:libiscsi:iscsi-test-2",
)
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
# What a family of tests may take: the longest needs 15 seconds on an idle machine.
SECONDS = 400.0
HUNG, NOT_RUN = "hung", "not run"
_TEST = re.compile(r"^ *Test: (\S+) \.\.\.", re.MULTILINE)
_SKIP = re.compile(r"\[SKIPPED\] (.*?)\.?(?: Skipping test)?\.?$", re.MULTILINE)
# Said when the program asks for more than a test needs.
_UNIMPORTANT = "REPORT_SUPPORTED_OPCODES is not implemented"


@dataclass(frozen=True)
class Urls:
    """The disk as the tests reach it: over two paths, and write-protected."""

    disk: str
    second_path: str
    read_only: str


def tests() -> dict[str, list[str]]:
    """Return the names of all tests by family, such as SCSI.Inquiry: [Standard, ...]."""
    found: dict[str, list[str]] = {}
    for line in run(PROGRAM, "--list").stdout.splitlines():
        kind, *names = line.strip().split(".")
        if kind in ("SCSI", "iSCSI") and len(names) == 2:
            found.setdefault(f"{kind}.{names[0]}", []).append(names[1])
    return found


def run_family(family: str, names: list[str], urls: Urls, kept: Path) -> dict[str, str]:
    """Run the tests of a family and return what came of each, by its full name.

    What the program prints is written to a file in the folder `kept`.
    """
    wanted = {
        "SCSI.ReadOnly": [urls.read_only],
        "SCSI.MultipathIO": [urls.disk, urls.second_path],
    }.get(family, [urls.disk])
    command = [PROGRAM, "--dataloss", "--allow-sanitize", "-v", "-t", family, *wanted]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            timeout=SECONDS, check=False,
        )  # fmt: skip
        output, ended = done.stdout, True
    except subprocess.TimeoutExpired as error:
        output, ended = error.stdout or b"", False
    (kept / f"{family}.txt").write_bytes(output)
    came = outcomes(family, output.decode(errors="replace"), ended=ended)
    return {f"{family}.{name}": came.get(name, NOT_RUN) for name in names}


def outcomes(family: str, text: str, *, ended: bool = True) -> dict[str, str]:
    """Read what the program prints: passed, failed, `skipped: REASON` or hung, by test."""
    _, *parts = _TEST.split(text)
    found = {
        name: _outcome(family, part) for name, part in zip(parts[::2], parts[1::2], strict=True)
    }
    if not ended and found:
        found[list(found)[-1]] = HUNG
    return found


def _outcome(family: str, text: str) -> str:
    # What is printed after the result belongs to the cleaning up.
    result = re.search(r"^(passed|FAILED)", text, re.MULTILINE)
    if result is None:
        return HUNG
    if result[1] == "FAILED":
        return FAILED
    skips = _SKIP.findall(text[: result.start()])
    if family != "SCSI.ReportSupportedOpcodes":
        skips = [skip for skip in skips if skip != _UNIMPORTANT]
    return f"{SKIPPED}: {skips[0]}" if skips else PASSED
