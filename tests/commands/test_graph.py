# SPDX-License-Identifier: Apache-2.0
"""`graph` draws what runs, what is saved, and what differs; the guide shows such a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from driver import CLIENT, ROOT, SERVER, TPG, Pyshell

PICTURE = ROOT / "docs/topology.svg"
OTHER = "iqn.2020-07.192.168.56.106:backup"
SHOWN = (
    f"share /dev/mapper/lee-lee.lv to={CLIENT} name=lee_block target={SERVER}"
    " portal=192.168.56.101,192.168.56.102",
    f"share /dev/sdb name=mail to={CLIENT},{OTHER}",
    "/backstores/ramdisk create scratch 16M",
)


def boxes(pyshell: Pyshell, line: str) -> dict[str, Any]:
    """Return the boxes of a picture by their titles."""
    found = pyshell.line(line, "-o", "json").json["result"]["boxes"]
    return {box["title"]: box for box in found}


def shown(pyshell: Pyshell) -> str:
    """Return the picture that the guide shows."""
    pyshell.must(*SHOWN)
    pyshell.simulator.login(SERVER, 1, CLIENT, "192.168.56.105")
    return pyshell.line("graph").done().out


def test_the_guide_shows_the_picture_that_is_drawn(pyshell: Pyshell) -> None:
    """`PYTHONPATH=tests python -m tests.commands.test_graph` draws it anew."""
    assert shown(pyshell) == PICTURE.read_text(encoding="utf-8")
    guide = (ROOT / "docs/guide.md").read_text(encoding="utf-8")
    assert "(topology.svg)" in guide


def test_what_runs_is_drawn_with_who_is_logged_in(exported: Pyshell) -> None:
    exported.simulator.login(SERVER, 1, CLIENT, "192.168.56.105")
    found = boxes(exported, "graph")
    assert found[CLIENT]["lines"] == ["LUN 0", "logged in from 192.168.56.105"]
    assert found["lee_block"]["lines"] == ["block · 20.0GiB"]
    assert found["lee_block"]["healthy"]
    assert found["LUN 0"]["lines"] == ["1 initiator"]
    assert found[SERVER]["lines"] == ["iscsi · tpg1 · no CHAP", "0.0.0.0:3260"]
    arrows = exported.line("graph", "-o", "json").json["result"]["arrows"]
    assert [arrow["session"] for arrow in arrows].count(True) == 1


def test_who_gets_svg_on_a_terminal_is_told_how_to_see_it(exported: Pyshell) -> None:
    told = "This is SVG, for a browser: 'graph /tmp/target.svg' writes a file."
    assert told in " ".join(exported("graph", terminal=True).err.split())
    assert told not in exported("graph", "format=mermaid", terminal=True).err
    assert exported("graph").done().err == ""


def test_an_initiator_of_two_targets_tells_which_disks_it_has_by_which(exported: Pyshell) -> None:
    exported.must(f"share /dev/sdb to={CLIENT},{OTHER} target={SERVER}2")
    found = boxes(exported, "graph")
    assert found[CLIENT]["lines"] == ["server: LUN 0", "server2: LUN 0"]
    assert found[OTHER]["lines"] == ["LUN 0"]


def test_what_is_not_well_is_told(exported: Pyshell) -> None:
    exported.must(f"{TPG}/portals delete 0.0.0.0 3260", f"{TPG} disable")
    table = exported.folder / "machine.json"
    device = '"path": "/dev/mapper/lee-lee.lv"'
    assert device in table.read_text()
    table.write_text(table.read_text().replace(device, f'"present": false, {device}'))
    found = boxes(exported, "graph")
    assert found[SERVER]["faults"] == ["disabled", "listens nowhere"]
    assert found["lee_block"]["faults"] == ["device is gone"]
    assert found["/dev/mapper/lee-lee.lv"]["faults"] == ["MISSING"]
    assert not found["lee_block"]["healthy"]


def test_demo_mode_is_drawn_as_everybody(exported: Pyshell) -> None:
    exported.must(f"{TPG} set attribute generate_node_acls=1")
    found = boxes(exported, "graph")
    assert "Everybody" in found
    assert found["LUN 0"]["lines"] == ["everybody"]


def test_what_differs_is_told_of_each_box(exported: Pyshell) -> None:
    exported.must("saveconfig", f"share /dev/sdb to={OTHER}")
    exported.must(f"{TPG}/acls delete {CLIENT}")
    exported.must("/backstores/block/lee_block set attribute emulate_tpu=0")
    found = boxes(exported, "graph since=saved")
    changes = {title: box["change"] for title, box in found.items()}
    assert changes[CLIENT] == "removed"
    assert changes[OTHER] == changes["sdb"] == changes["/dev/sdb"] == "added"
    assert changes["lee_block"] == "changed"
    assert changes["/dev/mapper/lee-lee.lv"] is None
    assert {box["change"] for box in boxes(exported, "graph of=saved").values()} == {None}
    before = boxes(exported, "graph of=saved since=running")
    assert before[CLIENT]["change"] == "added"


def test_secrets_are_in_no_picture(exported: Pyshell) -> None:
    acl = f"{TPG}/acls/{CLIENT}"
    exported.must(f"{acl} set auth userid=a password=one-long-secret", "saveconfig")
    exported.must(f"{acl} set auth password=other-long-secret")
    for form in ("svg", "mermaid", "dot"):
        for line in (f"graph format={form} since=saved", f"graph of=saved format={form}"):
            assert "long-secret" not in exported.line(line).done().out


def test_a_picture_is_written_into_a_file(exported: Pyshell, tmp_path: Path) -> None:
    path = tmp_path / "target.svg"
    told = exported.line(f"graph {path}", "--dry-run").done().out
    assert told == f"The picture would be written to {path} (dry run)\n"
    assert not path.exists()
    assert exported.must(f"graph {path}") == [f"Picture written to {path}"]
    assert path.read_text(encoding="utf-8") == exported.line("graph").out
    ran = exported.line("graph /no/such/folder/x.svg")
    assert ran.status == 3
    assert "Traceback" not in ran.err


def test_the_name_of_the_file_tells_the_form(exported: Pyshell, tmp_path: Path) -> None:
    for name, form in (("a.mmd", "mermaid"), ("a.dot", "dot"), ("a.GV", "dot"), ("a", "svg")):
        exported.must(f"graph {tmp_path / name}")
        assert (tmp_path / name).read_text(encoding="utf-8") == drawn_as(exported, form)
    exported.must(f"graph {tmp_path / 'a'} format=dot")
    assert (tmp_path / "a").read_text(encoding="utf-8") == drawn_as(exported, "dot")


def test_an_ending_of_no_form_is_refused(exported: Pyshell, tmp_path: Path) -> None:
    for name in ("x.png", "x.PDF", "x.svgz"):
        ran = exported.line(f"graph {tmp_path / name}")
        assert (ran.out, ran.status) == ("", 2)
        assert f"Cannot draw a picture as {name[1:].lower()}. Use .svg, .mmd or .dot" in ran.err
        assert not (tmp_path / name).exists()
    exported.must(f"graph {tmp_path / 'x.txt'} format=dot")
    assert (tmp_path / "x.txt").read_text(encoding="utf-8") == drawn_as(exported, "dot")


def drawn_as(pyshell: Pyshell, form: str) -> str:
    """Return the picture of what runs."""
    return pyshell.line(f"graph format={form}").out


def test_a_form_is_not_taken_for_a_file(
    exported: Pyshell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = exported.line("graph mermaid")
    assert ran.status == 2
    assert "Did you mean format=mermaid?" in ran.err
    assert not (tmp_path / "mermaid").exists()


def test_only_a_picture_is_written_over(exported: Pyshell, tmp_path: Path) -> None:
    path = tmp_path / "fstab"
    path.write_text("precious\n", encoding="utf-8")
    for more in ((), ("--dry-run",)):
        ran = exported.line(f"graph {path}", *more)
        assert ran.status == 5
        assert f"{path} already exists" in ran.err
    assert path.read_text(encoding="utf-8") == "precious\n"
    path.write_text("", encoding="utf-8")
    for form in ("svg", "mermaid", "dot", "svg"):
        exported.must(f"graph {path} format={form}")
        assert path.read_text(encoding="utf-8") == drawn_as(exported, form)


def test_a_fabric_without_tags_is_drawn_too(pyshell: Pyshell) -> None:
    loop = "naa.50014055c1b5d6ed"
    pyshell.must("/backstores/ramdisk create scratch 16M", f"/loopback create {loop}")
    pyshell.must(f"/loopback/{loop}/luns create /backstores/ramdisk/scratch")
    found = boxes(pyshell, "graph")
    assert found["LUN 0"]["lines"] == ["this host"]
    assert len(pyshell.line("graph", "-o", "json").json["result"]["arrows"]) == 3


def _draw() -> None:
    """Draw the guide's picture anew."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        PICTURE.write_text(shown(Pyshell(Path(folder) / "simulator")), encoding="utf-8")


if __name__ == "__main__":
    _draw()
