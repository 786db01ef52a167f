# SPDX-License-Identifier: Apache-2.0
"""Pictures of the topology: texts that do not overlap, names that cannot break out of them."""

from __future__ import annotations

import itertools
import re
from typing import Any
from xml.etree import ElementTree

import pytest

from driver import CLIENT, SERVER
from pyshell.commands import graph
from pyshell.commands.graph import Seen
from pyshell.config.model import NAMES_ONLY, items
from pyshell.render import pictures, placement
from pyshell.tree.topology import Topology, ranges

from .chromium import Shape, measured


def document(count: int, *, initiators: int = 2, targets: int = 1, name: str = "disk") -> Any:
    """Return a configuration of so many LUNs, each shown to all initiators."""
    disks = [f"{name}{number}" for number in range(count)]
    made = []
    for target in range(targets):
        mine = disks[target::targets]
        made.append(
            {
                "fabric": "iscsi",
                "wwn": f"{SERVER}{target}",
                "tpgs": [
                    {
                        "tag": 1,
                        "attributes": {"authentication": target % 2},
                        "luns": [
                            {"index": i, "storage_object": f"/backstores/block/{disk}"}
                            for i, disk in enumerate(mine)
                        ],
                        "portals": [
                            {"ip_address": f"192.168.56.{10 + n}", "port": 3260} for n in range(3)
                        ],
                        "node_acls": [
                            {
                                "node_wwn": f"{CLIENT}{n}",
                                "mapped_luns": [
                                    {"index": i, "tpg_lun": i, "write_protect": bool(n)}
                                    for i in range(len(mine))
                                ],
                            }
                            for n in range(initiators)
                        ],
                    }
                ],
            }
        )
    return {
        "storage_objects": [
            {"name": disk, "plugin": "block", "dev": f"/dev/</svg>{disk}"} for disk in disks
        ],
        "targets": made,
    }


def picture(new: Any, old: Any = None, seen: Seen | None = None) -> Topology:
    """Return the topology of a document, with what differs from another."""
    before = items(old, NAMES_ONLY) if old is not None else None
    return graph.make("Test", before, items(new, NAMES_ONLY), seen or Seen())


def svg_text(topology: Topology) -> str:
    return "\n".join(pictures.svg_lines(topology))


def refuse_overlaps(shapes: list[Shape]) -> None:
    """See that no two texts overlap, and that each lies in its box."""
    texts = [shape for shape in shapes if shape.tag == "text"]
    frames = {shape.box: shape for shape in shapes if shape.tag == "rect"}
    for one, other in itertools.combinations(texts, 2):
        assert not one.overlaps(other), (one, other)
    for one, other in itertools.combinations(frames.values(), 2):
        assert not one.overlaps(other), (one, other)
    for text in texts:
        if text.box >= 0:
            assert frames[text.box].holds(text), text


CASES = {
    "3": document(3),
    "30": document(30, initiators=7, targets=4),
    "300": document(300, initiators=3, targets=2),
    "many initiators": document(3, initiators=40),
    "many targets": document(60, targets=30),
    "nothing": document(0, targets=0),
    "wide names": document(3, name="WWWWWWWWWWWWWWWWWWWWWWWWWWW@"),
    "names of another script": document(3, name="ディスク磁盘디스크" * 3),
    "names that are markup": document(3, name="<b>&\"'<i>]]>-->`"),
}


def with_differences() -> Topology:
    """Return a picture that shows additions, removals, changes and a missing disk."""
    disks = [f"/backstores/block/disk{n}" for n in range(6)]
    seen = Seen(dict.fromkeys(disks, 2**41), {disks[1]: "it is gone"}, running=True)
    return picture(document(6, initiators=3), document(4, initiators=5, targets=2), seen)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Shape]]:
    """Return what a browser measures in the picture of each case."""
    pictures = {case: picture(CASES[case]) for case in CASES}
    pictures["differences"] = with_differences()
    shapes = measured(list(map(svg_text, pictures.values())), tmp_path_factory.mktemp("pictures"))
    return dict(zip(pictures, shapes, strict=True))


@pytest.mark.parametrize("case", CASES)
def test_no_texts_overlap_as_a_browser_draws_them(case: str, drawn: dict[str, list[Shape]]) -> None:
    assert sum(shape.kind.startswith("heading") for shape in drawn[case]) == 5
    refuse_overlaps(drawn[case])


def test_no_texts_overlap_where_differences_and_faults_are_shown(
    drawn: dict[str, list[Shape]],
) -> None:
    shown = with_differences()
    assert {box.sign for box in shown.boxes.values()} == {"", "+", "-", "~"}
    assert "MISSING" in svg_text(shown)
    refuse_overlaps(drawn["differences"])


@pytest.mark.parametrize("case", CASES)
def test_a_picture_is_xml_that_holds_every_box(case: str) -> None:
    drawn = picture(CASES[case])
    root = ElementTree.fromstring(svg_text(drawn))
    groups = [g for g in root.iter("{http://www.w3.org/2000/svg}g") if "box" in g.get("class", "")]
    assert len(groups) == len(drawn.boxes)


def test_a_name_with_control_characters_is_still_xml() -> None:
    new = document(1)
    new["storage_objects"][0]["dev"] = "/dev/\x1b[31m\x00\ud800"
    ElementTree.fromstring(svg_text(picture(new)))


def test_boxes_stand_beside_what_they_lead_to() -> None:
    laid = placement.place(picture(document(30, initiators=2, targets=3)))
    for number in range(30):
        exported = laid.boxes[f"/backstores/block/disk{number}"]
        assert exported.middle == laid.boxes[f"device /dev/</svg>disk{number}"].middle
    assert laid.height < 30 * 60 + 3 * 30


def test_a_long_name_keeps_its_end() -> None:
    name = "iqn.2020-07.com.example." + "x" * 150 + ":disk1"
    shown = placement.elided(name, 300, 13)
    assert shown.startswith("iqn.")
    assert shown.endswith(":disk1")
    assert "…" in shown
    assert placement.width(shown, 13) <= 300


def test_numbers_are_told_in_short() -> None:
    assert ranges([0, 1, 2, 3, 7]) == "0-3, 7"
    assert ranges([5]) == "5"
    assert ranges([]) == ""


def test_three_hundred_luns_are_laid_out_at_once() -> None:
    text = svg_text(picture(CASES["300"]))
    assert text.count('<rect class="body"') == 300 * 3 + 2 + 3


def test_mermaid_holds_nothing_that_could_end_a_label() -> None:
    drawn = "\n".join(pictures.mermaid_lines(picture(CASES["names that are markup"])))
    for label in re.findall(r'^  n\d+\["(.*)"\]$', drawn, re.MULTILINE):
        assert not set(label.replace("<br/>", "")) & set("<>\"'`&[](){}|")
    assert drawn.count("-->") + drawn.count("==>") == len(picture(CASES["3"]).arrows)


def test_dot_escapes_quotes_and_backslashes() -> None:
    drawn = "\n".join(pictures.dot_lines(picture(document(1, name='a"b\\'))))
    assert 'label="a\\"b\\\\0\\n' in drawn
    assert drawn.count("{") == drawn.count("}")


def test_mermaid_names_each_column_before_its_boxes() -> None:
    lines = list(pictures.mermaid_lines(picture(document(1))))
    assert lines[4] == "  %% Initiators"
    assert CLIENT in lines[5]
    assert SERVER in lines[lines.index("  %% Targets") + 1]
