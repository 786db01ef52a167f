# SPDX-License-Identifier: Apache-2.0
"""Every command line of the manual's pages does what it says, on a target where it can."""

from __future__ import annotations

import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from driver import CLIENT, ROOT, SERVER, TPG, Pyshell, clean_environment
from pyshell.lio.statistics import samples

FOLDER = ROOT / "packaging/man"
OTHER = "iqn.2020-07.com.example:disks"
# What a target holds on which most of the lines can be run.
HELD = (
    f"/iscsi create {SERVER}",
    "/backstores/block create name=lee_block dev=/dev/mapper/lee-lee.lv",
    "/backstores/block create name=disk1 dev=/dev/nvme0n1",
    "/backstores/fileio create name=image1 file_or_dev=/srv/image1.img size=1G",
    f"{TPG}/acls create {CLIENT}",
    f"{TPG}/luns create /backstores/block/lee_block lun=lun0",
    "saveconfig",
    "/backstores/ramdisk create first 1M",
    "saveconfig",
    "/backstores/ramdisk create second 1M",
    "saveconfig",
    f"/iscsi create {OTHER}",
    "saveconfig",
)
# What makes the other target one that a cluster can move.
MOVABLE = [
    f"{TPG}/portals delete 0.0.0.0 3260",
    f"/iscsi/{OTHER}/tpg1/portals delete 0.0.0.0 3260",
    f"/iscsi/{OTHER}/tpg1/portals create 192.168.56.101",
]
# What makes room, in that target, for what a line makes; or else makes what it works on.
BEFORE = {
    "/iscsi create": ["clearconfig confirm=true"],
    f"{TPG}/acls create": [f"{TPG}/acls delete {CLIENT}"],
    f"{TPG}/luns create": [f"{TPG}/luns delete lun0"],
    f"{TPG}/portals create": [f"/iscsi delete {OTHER}", f"{TPG}/portals delete 0.0.0.0 3260"],
    "check /etc/target/cluster": [
        *MOVABLE,
        "/backstores/fileio create shared /srv/shared.img 1M write_back=false",
        f"/iscsi/{OTHER}/tpg1/luns create /backstores/fileio/shared",
        f"saveconfig /etc/target/cluster/disks.json target={OTHER}",
        "saveconfig",  # the boot file is without it then
    ],
    "cluster cib": MOVABLE,
    "diff /root/disks.json": [f"saveconfig /root/disks.json target={OTHER}"],
    "guide": [f"/iscsi delete {OTHER}"],
    "/backstores/block create": ["/backstores/block delete lee_block"],
    "/backstores/fileio create": ["/backstores/fileio delete image1"],
    "/backstores/fileio/image1 replace": [
        "/backstores/fileio create copy /srv/copy.img 1G",
        "/backstores/fileio delete copy",
    ],
    "/backstores/fileio delete": ["/backstores/fileio create disk1 /srv/disk1.img 1M"],
    "/backstores/pscsi delete": ["/backstores/pscsi create disk1 /dev/st0"],
    "/backstores/ramdisk delete": ["/backstores/ramdisk create disk1 1M"],
    "/backstores/user:qcow delete": [
        "/backstores/user:qcow create disk1 10G cfgstring=/srv/disk1.qcow2"
    ],
    "/backstores/user:fbo changemedium": [
        "/backstores/user:fbo create name=disc1 size=600M cfgstring=/srv/first.iso"
    ],
    "share": ["clearconfig confirm=true"],
    "unshare": ["clearconfig confirm=true", f"share /dev/mapper/lee-lee.lv to={CLIENT}"],
    "login": [f"/iscsi delete {OTHER}"],
    "logout": [f"login {CLIENT} target={SERVER}"],
    "traffic": [f"login {CLIENT} target={SERVER}"],
    "reserve": [f"login {CLIENT} target={SERVER}"],
    "refuse": [
        f"/iscsi delete {OTHER}",
        f"{TPG} set attribute authentication=1",
        f"{TPG}/acls/{CLIENT} set auth userid=client password=secret-number1",
    ],
    "simulate login": [f"/iscsi delete {OTHER}"],
    "simulate refuse": [f"/iscsi delete {OTHER}"],
    "simulate": [f"login {CLIENT} target={SERVER}"],
    "/backstores/block/lee_block clear_reservation": [
        f"login {CLIENT} target={SERVER}",
        f"reserve {CLIENT} type=write_exclusive",
    ],
    "takeover back=true": ["takeover"],
    "confirm": [f"/iscsi delete {OTHER}", "apply saved confirm=5min"],
    "redo": ["undo 12"],
    "apply /root/disks.json": ["saveconfig /root/disks.json"],
    "restoreconfig missing_only": ["restoreconfig clear_existing=true"],
}
# What the statuses beside 0 tell: differences, and findings.
TELLING = {"diff": (1,), "doctor": (1, 2), "trace": (1, 2)}
# What stands before and after a line that needs more lines of the same run.
AROUND = {
    "begin": ([], ["abort"]),
    "commit": (["begin", "/backstores/ramdisk create third 1M"], []),
    "abort": (["begin"], []),
}
# No handler of tcmu-runner's, and no simulated one, can do that: test_userbackstores has one.
REFUSED = {
    "/backstores/user:fbo changemedium": "ChangeMedium failed: No such method",
    "edit": "edit needs a terminal.",
}


def lines(page: str) -> list[str]:
    """Return the lines that a page shows as commands, each once."""
    text = (FOLDER / page).read_text(encoding="utf-8")
    shown = re.findall(r'^\.Dl (?:"\\&(.*)"|(.*))$', text, re.MULTILINE)
    plain = [(quoted or bare).replace("\\-", "-").replace("\\(dq", '"') for quoted, bare in shown]
    return list(dict.fromkeys(plain))


LINES = lines("pyshell.8")
UNIT_LINES = lines("pyshell-restore.service.8")


@pytest.fixture
def full(pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch) -> Pyshell:
    """Return a target that holds what the lines speak of."""
    monkeypatch.chdir(ROOT)  # one of them checks the example that lies there
    # `top` does not wait between its samples.
    monkeypatch.setattr(samples, "__defaults__", (lambda _: None, time.monotonic))

    def build() -> None:
        pyshell.simulator.machine.edit(handlers={"fbo": "Optical discs", "qcow": "QCOW images"})
        assert pyshell.batch(HELD).done()
        (pyshell.config_dir / "cluster").mkdir()

    pyshell.prepare_by(build, "what the manual's lines need")
    return pyshell


def local(target: Pyshell, line: str) -> str:
    """Return a line whose files lie in the test's own folder."""
    line = line.replace("/etc/target/", f"{target.config_dir}/")
    return line.replace("/root/", f"{target.folder}/").replace("/tmp/", f"{target.folder}/")


def run(target: Pyshell, line: str) -> None:
    """Run a line after what it needs, and see that it ends well."""
    needed = [lines for begins, lines in BEFORE.items() if line.startswith(begins)]
    for first in needed[0] if needed else ():
        ran = target.line(local(target, first))
        assert ran.status == 0, f"{first}: {ran.err}"
    around = AROUND.get(line.split(maxsplit=1)[0])
    if around is not None:
        assert target.batch([*around[0], line, *around[1]]).status == 0
        return
    ran = target.line(local(target, line))
    for begins, why in REFUSED.items():
        if line.startswith(begins):
            assert ran.err.startswith(why)
            return
    assert ran.status in (0, *TELLING.get(line.split(maxsplit=1)[0], ())), f"{line}: {ran.err}"


def test_the_pages_have_lines() -> None:
    assert len(LINES) > 60
    assert len(UNIT_LINES) == 5


@pytest.mark.parametrize("line", [line for line in LINES if not line.startswith("metrics serve")])
def test_a_line_of_the_manual_does_what_it_says(full: Pyshell, line: str) -> None:
    run(full, line)


def test_metrics_are_served_as_the_manual_says(full: Pyshell) -> None:
    (line,) = [line for line in LINES if line.startswith("metrics serve")]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])  # the manual's may be in use here
    assert "9814" in line
    line = line.replace("9814", port)
    command = [sys.executable, "-m", "pyshell", f"--simulate={full.folder}", *shlex.split(line)]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=clean_environment()
    ) as running:
        assert running.stderr is not None
        told = running.stderr.readline()
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
            assert SERVER in answer.read().decode()
        running.send_signal(signal.SIGINT)
        assert running.wait(20) == 0, told
    assert told == f"Serving http://127.0.0.1:{port}/metrics until Ctrl-C.\n"


@pytest.mark.parametrize("line", UNIT_LINES)
def test_a_line_of_a_unit_does_what_it_says(full: Pyshell, line: str) -> None:
    program, *words = shlex.split(local(full, line))
    assert Path(program).name == "pyshell"
    if "wait=60" in words:
        full.must("clearconfig confirm=true")
    else:
        full.must("restoreconfig clear_existing=true")
    ran = full(*words)
    assert ran.status == 0, ran.err
