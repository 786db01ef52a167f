# SPDX-License-Identifier: Apache-2.0
"""Node ACLs under a common name."""

from __future__ import annotations

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell
from pyshell.lio.configfs import changing

ACLS = f"{TPG}/acls"
OTHER = "iqn.2020-07.192.168.56.106:other"
FOLDER = f"iscsi/{SERVER}/tpgt_1/acls"


@pytest.fixture
def two(exported: Pyshell) -> Pyshell:
    """Return pyshell with two ACLs, of which only the first sees the LUN."""
    exported.prepare(f"{ACLS} create {OTHER} add_mapped_luns=false")
    return exported


@pytest.fixture
def cluster(two: Pyshell) -> Pyshell:
    """Return pyshell with both ACLs tagged `cluster`."""
    two.prepare(f"{ACLS} tag {CLIENT} cluster", f"{ACLS} tag {OTHER} cluster")
    return two


def test_a_tag_names_one_acl(two: Pyshell) -> None:
    assert two.must(f"{ACLS} tag {CLIENT} first") == []
    shown = two.must(f"{ACLS} ls")
    assert any("o- first " in line and f"[({CLIENT}), Mapped LUNs: 1]" in line for line in shown)
    assert two.read(f"{FOLDER}/{CLIENT}/tag").strip() == "first"


def test_what_joins_a_tag_takes_its_configuration(two: Pyshell) -> None:
    two.must(
        f"{ACLS}/{CLIENT} set auth userid=u password=secret",
        f"{ACLS}/{CLIENT} set attribute nopin_timeout=20",
        f"{ACLS}/{OTHER} create 4 lun0 write_protect=1",
        f"{ACLS} tag {CLIENT} cluster",
        f"{ACLS} tag {OTHER} cluster",
    )
    assert two.read(f"{FOLDER}/{OTHER}/auth/password") == "secret\n"
    assert two.read(f"{FOLDER}/{OTHER}/attrib/nopin_timeout") == "20\n"
    assert (two.configfs / FOLDER / OTHER / "lun_0").is_dir()
    assert not (two.configfs / FOLDER / OTHER / "lun_4").exists()
    assert "[(group of 2), Mapped LUNs: 1]" in two.line(f"{ACLS} ls").out


JOINING = [
    f"Created Mapped LUN 0 of {OTHER}.",
    f"Deleted Mapped LUN 4 of {OTHER}.",
    f"Replaced the CHAP names and secrets of {OTHER}.",
]


@pytest.mark.parametrize(("mode", "told"), [((), JOINING), (("--compat",), [])])
def test_what_joins_a_tag_reports_what_it_loses(
    two: Pyshell, mode: tuple[str, ...], told: list[str]
) -> None:
    two.prepare(
        f"{ACLS}/{OTHER} create 4 lun0",
        f"{ACLS}/{OTHER} set auth userid=own password=own-secret",
        f"{ACLS} tag {CLIENT} cluster",
    )
    ran = two(*mode, ACLS, "tag", OTHER, "cluster").done()
    assert sorted(ran.lines) == told


def test_at_a_terminal_it_asks_first(two: Pyshell) -> None:
    two.prepare(f"{ACLS}/{OTHER} create 4 lun0", f"{ACLS} tag {CLIENT} cluster")
    before = two.tree()
    ran = two(ACLS, "tag", OTHER, "cluster", stdin="n\n", keyboard=True)
    assert "This removes 1 mapped LUN. Continue? [y/N]" in ran.err
    assert two.tree() == before


def test_commands_of_a_group_are_for_all_of_it(cluster: Pyshell) -> None:
    cluster.must(
        f"{ACLS}/cluster set attribute nopin_timeout=33",
        f"{ACLS}/cluster set auth userid=u password=p",
        "/backstores/ramdisk create memory 1M",
    )
    told = cluster.must(f"{ACLS}/cluster create 7 /backstores/ramdisk/memory write_protect=yes")
    assert told == ["Created LUN 1.", "Created Mapped LUN 7."]
    for wwn in (CLIENT, OTHER):
        assert cluster.read(f"{FOLDER}/{wwn}/attrib/nopin_timeout") == "33\n"
        assert cluster.read(f"{FOLDER}/{wwn}/auth/password") == "p\n"
        assert cluster.read(f"{FOLDER}/{wwn}/lun_7/write_protect") == "1\n"
    assert cluster.must(f"{ACLS}/cluster info")[-3:] == ["wwns:", CLIENT, OTHER]
    cluster.must(f"{ACLS}/cluster delete 7")
    assert not [*(cluster.configfs / FOLDER).glob("*/lun_7")]


def test_a_mapping_that_one_of_a_group_cannot_get_none_gets(cluster: Pyshell) -> None:
    cluster.simulator.mkdir(str(cluster.configfs / FOLDER / OTHER / "lun_3"))
    before = cluster.tree()
    ran = cluster.line(f"{ACLS}/cluster create 3 lun0")
    assert (ran.out, ran.status) == ("", 5)
    assert cluster.tree() == before


def test_the_new_node_of_a_group_can_be_entered(cluster: Pyshell) -> None:
    made = cluster.batch(
        ["set global auto_cd_after_create=true", f"{ACLS}/cluster create 9 0", "pwd"]
    )
    assert f"{ACLS}/cluster/mapped_lun9" in made.lines


def test_one_of_a_group_is_still_reached_by_its_name(cluster: Pyshell) -> None:
    cluster.must(f"{ACLS}/{OTHER.upper()} set attribute nopin_timeout=44")
    assert cluster.read(f"{FOLDER}/{OTHER}/attrib/nopin_timeout") == "44\n"
    assert cluster.read(f"{FOLDER}/{CLIENT}/attrib/nopin_timeout") == "15\n"


def test_a_tag_can_be_changed_and_taken_away(cluster: Pyshell) -> None:
    cluster.must(f"{ACLS} tag cluster nodes")
    assert "o- nodes " in cluster.line(f"{ACLS} ls").out
    cluster.must(f"{ACLS} untag {OTHER}")
    assert cluster.read(f"{FOLDER}/{OTHER}/tag").strip() == ""
    assert cluster.read(f"{FOLDER}/{CLIENT}/tag").strip() == "nodes"
    cluster.must(f"{ACLS} untag nodes")
    assert cluster("-o", "json", ACLS, "status").json["result"]["summary"] == "ACLs: 2"
    assert (cluster.configfs / FOLDER / OTHER / "lun_0").is_dir()


def test_acls_are_deleted_by_their_tag(cluster: Pyshell) -> None:
    told = cluster.must(f"{ACLS} delete cluster")
    assert told == [f"Deleted Node ACL {CLIENT}.", f"Deleted Node ACL {OTHER}."]
    assert not [*(cluster.configfs / FOLDER).iterdir()]


def test_one_of_a_group_is_deleted_by_its_name(cluster: Pyshell) -> None:
    assert cluster.must(f"{ACLS} delete {OTHER}") == [f"Deleted Node ACL {OTHER}."]
    assert f"[({CLIENT}), Mapped LUNs: 1]" in cluster.line(f"{ACLS} ls").out


@pytest.mark.parametrize(
    ("line", "status", "told"),
    [
        (f"tag {CLIENT} a.b", 2, "'.' not permitted in tag names"),
        (f"tag {CLIENT} a/b", 2, "cannot be a tag"),
        (f"tag {CLIENT} 'a b'", 2, "cannot be a tag"),
        (f"tag {CLIENT} ''", 2, "cannot be a tag"),
        (f"tag {CLIENT} NULL", 2, "means none"),
        (f"tag {CLIENT} {'x' * 64}", 2, "at most 63 bytes"),
        ("tag nobody x", 3, "No such node ACL: nobody. Run 'ls "),
        ("untag nobody", 3, "No such node ACL: nobody. Run 'ls "),
        ("delete nobody", 3, "No such node ACL: nobody. Run 'ls "),
        (f"tag {CLIENT}", 2, "new_tag"),
    ],
)
def test_what_cannot_be_tagged_is_told(two: Pyshell, line: str, status: int, told: str) -> None:
    before = two.tree()
    ran = two.line(f"{ACLS} {line}")
    assert (ran.out, ran.status) == ("", status), ran.err
    assert told in ran.err
    assert two.tree() == before


def test_acls_of_a_fabric_without_tags_get_none(two: Pyshell) -> None:
    (two.configfs / FOLDER / OTHER / "tag").unlink()
    ran = two.line(f"{ACLS} tag {OTHER} x")
    assert (ran.status, "have no tags" in ran.err) == (2, True)


def test_the_depth_of_an_acl_comes_back(two: Pyshell) -> None:
    with changing():
        two.open().kernel.write(f"{two.configfs}/{FOLDER}/{OTHER}/cmdsn_depth", "16")
    two.must("saveconfig")
    first, second = two.document()["targets"][0]["tpgs"][0]["node_acls"]
    assert "tcq_depth" not in first
    assert second["tcq_depth"] == 16  # rtslib's name for it
    two.must("clearconfig confirm=true", "restoreconfig")
    assert two.read(f"{FOLDER}/{OTHER}/cmdsn_depth") == "16\n"
    assert two.read(f"{FOLDER}/{CLIENT}/cmdsn_depth") == "64\n"
