# SPDX-License-Identifier: Apache-2.0
"""Random commands lead to the same through a candidate; an aborted one leaves no trace."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from driver import LONG, Pyshell, Ran
from pyshell.config.compare import compare
from pyshell.config.model import Items, items
from pyshell.config.running import read_running
from pyshell.lio import attach

TARGETS = ("iqn.2020-07.com.example:a", "iqn.2020-07.com.example:b")
INITIATORS = ("iqn.2020-07.com.example:x", "iqn.2020-07.com.example:y")
DISKS = ("ramdisk/r1", "ramdisk/r2", "fileio/f1", "block/b1")
LUNS = ("0", "1", "5")
_NUMBERS = itertools.count()

target = st.sampled_from(TARGETS)
initiator = st.sampled_from(INITIATORS)
disk = st.sampled_from(DISKS)
number = st.sampled_from(LUNS)
port = st.integers(3261, 3263)


def create_disk(path: str) -> str:
    plugin, name = path.split("/")
    what = {
        "ramdisk": "size=1M",
        "fileio": f"file_or_dev=/srv/{name}.img size=1M",
        "block": "dev=/dev/mapper/lee-lee.lv",
    }[plugin]
    # A generated serial number is another one each time.
    return f"/backstores/{plugin} create name={name} {what} wwn=serial:{name}"


LINES = st.one_of(
    st.builds(create_disk, disk),
    st.builds(lambda p: "/backstores/{} delete {}".format(*p.split("/")), disk),
    st.builds("/iscsi create wwn={}".format, target),
    st.builds("/iscsi delete {}".format, target),
    st.builds("/iscsi/{}/tpg1/luns create /backstores/{} lun={}".format, target, disk, number),
    st.builds("/iscsi/{}/tpg1/luns delete {}".format, target, number),
    st.builds("/iscsi/{}/tpg1/luns/lun{} rename {}".format, target, number, number),
    st.builds("/iscsi/{}/tpg1/acls create {}".format, target, initiator),
    st.builds("/iscsi/{}/tpg1/acls delete {}".format, target, initiator),
    st.builds("/iscsi/{}/tpg1/acls/{} rename {}".format, target, initiator, initiator),
    st.builds(
        "/iscsi/{}/tpg1/acls/{} create {} {} write_protect=true".format,
        target, initiator, number, number,
    ),
    st.builds("/iscsi/{}/tpg1/acls/{} delete {}".format, target, initiator, number),
    st.builds(
        "/iscsi/{}/tpg1/acls/{} set auth userid=user{} password=secret-of-{}".format,
        target, initiator, number, disk,
    ),
    st.builds("/iscsi/{}/tpg1 set attribute login_timeout={}".format, target, st.integers(5, 30)),
    st.builds(
        "/iscsi/{}/tpg1 set parameter MaxOutstandingR2T={}".format, target, st.integers(1, 9)
    ),
    st.builds("/iscsi/{}/tpg1 {}".format, target, st.sampled_from(("enable", "disable"))),
    st.builds("/iscsi/{}/tpg1/portals create 127.0.0.1 {}".format, target, port),
    st.builds("/iscsi/{}/tpg1/portals delete 127.0.0.1 {}".format, target, port),
    st.builds("/backstores/{} set attribute emulate_tpu={}".format, disk, st.integers(0, 1)),
    st.builds("/backstores/{}/alua create name=standby tag=7".format, disk),
    st.builds("/backstores/{}/alua delete standby".format, disk),
    st.builds("/backstores/{} rename other{}".format, disk, number),
)  # fmt: skip


def configuration(pyshell: Pyshell) -> Items:
    lio = attach(Path(pyshell.folder))
    return items(read_running(lio), "/")


def different(one: Items, other: Items) -> list[tuple[str, str, list[str]]]:
    """Return how two configurations differ, but for generated names of links."""
    return [(d.sign, d.path, [c.text for c in d.changes]) for d in compare(one, other)]


def traces(pyshell: Pyshell) -> dict[str, str]:
    """Return all files of the target and its host, but those that every run touches."""
    found = pyshell.files()
    return {path: text for path, text in found.items() if path not in ("lock", "run/candidates")}


def run(pyshell: Pyshell, lines: list[str], *last: str) -> Ran:
    """Run lines, of which some can fail, and those that must not."""
    return pyshell.batch([*lines, *last], "--keep-going", "--yes")


@settings(
    max_examples=300 if LONG else 6,
    deadline=None,
    derandomize=not LONG,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    first=st.lists(LINES, min_size=2, max_size=12), then=st.lists(LINES, min_size=1, max_size=14)
)
def test_a_commit_leads_where_the_commands_lead(
    pyshell: Pyshell, memory: Path, first: list[str], then: list[str]
) -> None:
    number = next(_NUMBERS)
    direct, staged = (Pyshell(memory / f"{name}{number}") for name in ("direct", "staged"))
    for one in (direct, staged):
        one.must("set global auto_save_on_exit=false")
        run(one, [create_disk(DISKS[0]), f"/iscsi create wwn={TARGETS[0]}", *first])
    before, files = configuration(staged), traces(staged)
    assert different(configuration(direct), before) == []

    in_candidate = ["begin", *then]
    assert "Dropped the candidate" in run(staged, in_candidate, "abort").lines[-1]
    assert {p for p, t in traces(staged).items() if files.get(p) != t} <= {"run/candidates"}
    assert traces(staged).keys() == files.keys() | {"run", "run/candidates"} & traces(staged).keys()

    told = run(staged, in_candidate, "commit").lines[-1]
    assert told.startswith(("Committed", "Nothing to commit")), told
    run(direct, then)
    committed = configuration(staged)
    assert different(configuration(direct), committed) == []

    if told.startswith("Committed"):
        staged.must("undo")
        assert different(before, configuration(staged)) == []
        run(staged, in_candidate, "commit")
        assert different(committed, configuration(staged)) == []
    assert run(staged, ["begin"], "commit").lines[-1].startswith("Nothing to commit")
    shutil.rmtree(direct.folder)
    shutil.rmtree(staged.folder)
