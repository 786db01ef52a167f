# SPDX-License-Identifier: Apache-2.0
"""The suite of the cluster judges lost blocks, and exporters on the wire and in the kernels."""

from __future__ import annotations

import os
import re
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from .cluster import layout, page, record, writer
from .cluster.switch import Switch
from .cluster.wire import Exporters, Span, claims, takeovers

NODE1, NODE2, HOST = (
    b"\x52\x54\x00\x00\x01\x01",
    b"\x52\x54\x00\x00\x01\x02",
    b"\x52\x54\x00\x00\x01\x03",
)
PAYLOAD = b"\x21" + b"x" * 47
LOGIN = b"\x23" + b"x" * 47
Write = Callable[[int, bytes], None]


def frame(source: bytes, ports: tuple[int, int], flags: int, payload: bytes = b"") -> bytes:
    """Return a TCP segment over IPv4 and Ethernet."""
    total = 40 + len(payload)
    header = struct.pack("!BBHHHBBHII", 0x45, 0, total, 0, 0, 64, 6, 0, 0, 0)
    segment = struct.pack("!HHIIBBHHH", *ports, 0, 0, 5 << 4, flags, 0, 0, 0)
    return HOST + source + b"\x08\x00" + header + segment + payload


@pytest.fixture
def exporters() -> Exporters:
    return Exporters({NODE1: "node1", NODE2: "node2"}, "192.168.56.101")


def test_a_takeover_is_a_change_of_the_node_that_answers(exporters: Exporters) -> None:
    exporters.see(1.0, frame(HOST, (40000, 3260), 0x02))
    exporters.see(1.1, frame(NODE1, (3260, 40000), 0x18, PAYLOAD))
    exporters.see(1.2, frame(NODE1, (3260, 40000), 0x18, PAYLOAD))
    exporters.see(9.0, frame(HOST, (40001, 3260), 0x02))
    exporters.see(9.1, frame(NODE2, (3260, 40001), 0x18, PAYLOAD))
    assert [span.answers for span in exporters.spans] == [2, 1]
    assert takeovers(exporters.spans) == [("node1", 1.1), ("node2", 9.1)]


def test_an_answer_to_a_connection_that_was_given_up_is_stale(exporters: Exporters) -> None:
    exporters.see(1.0, frame(HOST, (40000, 3260), 0x02))
    exporters.see(1.1, frame(NODE1, (3260, 40000), 0x18, PAYLOAD))
    exporters.see(9.0, frame(HOST, (40001, 3260), 0x02))
    exporters.see(9.1, frame(NODE2, (3260, 40001), 0x18, PAYLOAD))
    exporters.see(9.2, frame(NODE1, (3260, 40000), 0x18, PAYLOAD))
    assert exporters.spans[-1].stale
    assert len(takeovers(exporters.spans)) == 2


def test_an_answered_login_is_no_takeover(exporters: Exporters) -> None:
    exporters.see(1.0, frame(HOST, (40000, 3260), 0x02))
    exporters.see(1.1, frame(NODE1, (3260, 40000), 0x18, PAYLOAD))
    exporters.see(2.0, frame(HOST, (40001, 3260), 0x02))
    exporters.see(2.1, frame(NODE2, (3260, 40001), 0x18, LOGIN))
    assert takeovers(exporters.spans) == [("node1", 1.1)]
    assert exporters.spans[-1].kinds == {"login": 1}


def test_two_exporters_are_seen(exporters: Exporters) -> None:
    exporters.see(1.0, frame(HOST, (40000, 3260), 0x02))
    for number, node in enumerate((NODE1, NODE2, NODE1)):
        exporters.see(2.0 + number, frame(node, (3260, 40000), 0x18, PAYLOAD))
    assert [node for node, _ in takeovers(exporters.spans)] == ["node1", "node2", "node1"]


@pytest.mark.parametrize(
    "other",
    [
        frame(NODE1, (3260, 40000), 0x14),  # a reset, without payload
        frame(NODE1, (7789, 40000), 0x18, PAYLOAD),
        b"\xff" * 6 + NODE1 + b"\x08\x06" + b"\x00" * 46,  # ARP
        b"",
    ],
)
def test_other_frames_are_no_answers(exporters: Exporters, other: bytes) -> None:
    exporters.see(1.0, other)
    assert exporters.spans == []


def test_arp_packets_claim_the_address(exporters: Exporters) -> None:
    for address in ("192.168.56.101", "192.168.56.102"):
        packet = b"\x00\x01\x08\x00\x06\x04\x00\x02" + NODE2 + socket.inet_aton(address)
        exporters.see(1.0, HOST + NODE2 + b"\x08\x06" + packet + HOST + bytes(4))
    assert exporters.claims == [(1.0, "node2")]
    assert claims([*exporters.claims, (2.0, "node2"), (3.0, "node1")]) == [
        ("node2", 1.0, 2.0),
        ("node1", 3.0, 3.0),
    ]


def sample(time: float, *, enabled: bool, boot: str = "1") -> dict[str, object]:
    role = "Primary/Secondary" if enabled else "Secondary/Primary"
    drbd = [["Connected", role, "UpToDate/UpToDate"]]
    return {"time": time, "boot": boot, "enabled": ["iqn.x"] if enabled else [], "drbd": drbd}


def test_exports_that_overlap_are_a_problem() -> None:
    samples = {
        "node1": [sample(1, enabled=True), sample(50, enabled=True), sample(51, enabled=False)],
        "node2": [sample(1, enabled=False), sample(30, enabled=True), sample(90, enabled=True)],
    }
    for found in (record.exports(samples), record.primaries(samples)):
        assert len(found) == 2
        (problem,) = record.overlaps(found, {})
        assert problem.startswith("node1 and node2 at ")


def test_an_export_ends_with_its_kernel() -> None:
    samples = {
        "node1": [sample(1, enabled=True), sample(50, enabled=True)],
        "node2": [sample(30, enabled=True)],
    }
    assert record.overlaps(record.exports(samples), {"node1": [20.0]}) == []


def test_another_boot_is_another_export() -> None:
    samples = {"node1": [sample(1, enabled=True), sample(9, enabled=True, boot="2")]}
    assert [(one.first, one.last) for one in record.exports(samples)] == [(1, 1), (9, 9)]


def test_lost_blocks_and_errors_fail_a_round() -> None:
    done = record.Round("a", 1, 0.0, found={"takeovers_expected": 1})
    served = {"response": 1}
    spans = [Span("node1", 1, 1.0, 2.0, kinds=served), Span("node2", 2, 5.0, 6.0, kinds=served)]
    written = {"acknowledged": 5, "lost": [], "wrong": [], "errors": [], "longest_pause": 3.0}
    record.judge(done, written, spans, {})
    assert record.as_record(done, written, spans, {})["passed"]
    record.judge(done, {**written, "lost": [{"place": 1}], "errors": [{"write": 2}]}, spans, {})
    record.judge(done, written, [*spans, Span("node1", 3, 7.0, 8.0, kinds=served)], {})
    assert len(done.problems) == 3


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk"
    path.write_bytes(bytes(writer.BLOCK * 4))
    return path


def test_the_writer_finds_a_lost_block(disk: Path) -> None:
    opened = os.open(disk, os.O_RDWR)
    one = writer.Writer(opened, 4)
    for _ in range(6):
        one.write()
    for place in range(4):
        one.read(place)
    assert (one.reads, one.wrong) == (4, [])
    os.pwrite(opened, writer.block(one.run, 1), writer.BLOCK)  # what block 5 had replaced
    os.pwrite(opened, b"damaged", 2 * writer.BLOCK)
    for place in range(4):
        one.read(place)
    os.close(opened)
    assert [(lost["place"], lost["expected"], lost["found"]) for lost in one.wrong] == [
        (1, 5, 1),
        (2, 2, None),
    ]
    assert bytes.fromhex(str(one.wrong[1]["head"])).startswith(b"damaged")


def test_pauses_are_between_acknowledgements() -> None:
    times = [(0.0, 0.1), (0.2, 0.3), (0.4, 60.3), (60.4, 60.5)]
    assert writer.pauses(times) == [(0.3, 60.0)]


@pytest.mark.parametrize("export", [layout.PYSHELL, layout.STOCK])
@pytest.mark.parametrize("name", sorted(path.name for path in layout.FILES.iterdir()))
def test_the_clusters_files_have_all_fields(name: str, export: str) -> None:
    text = layout.filled(name, layout.Times(), export)
    assert not re.search(r"@[A-Z_]+@", text)
    if name.startswith("cib"):
        ElementTree.fromstring(text)
    if name == "cib-resources.xml":
        target_first = text.index('id="address1"') > text.index(f'"{layout.TARGET}"')
        assert target_first == (export == layout.PYSHELL)


def test_the_switch_learns_addresses() -> None:
    seen: list[bytes] = []
    switch = Switch(lambda _now, each: seen.append(each))
    guests = []
    for _ in range(3):
        theirs, ours = switch.port()
        guest = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        guest.bind(("127.0.0.1", ours))
        guest.connect(("127.0.0.1", theirs))
        guest.settimeout(10)
        guests.append(guest)
    switch.start()
    broadcast = b"\xff" * 6 + NODE1 + b"who?"
    answer = NODE1 + NODE2 + b"me"
    guests[0].send(broadcast)
    assert [guest.recv(100) for guest in guests[1:]] == [broadcast, broadcast]
    guests[1].send(answer)
    assert guests[0].recv(100) == answer
    guests[2].setblocking(False)
    with pytest.raises(BlockingIOError):
        guests[2].recv(100)
    switch.close()
    for guest in guests:
        guest.close()
    assert seen == [broadcast, answer]


def test_the_page_sums_up_the_rounds(tmp_path: Path) -> None:
    about = {"date": "2026-01-02T", "commit": "1a2b", "versions": {"linux": "6"}, "times": {"t": 2}}
    written = {"acknowledged": 5, "lost": [], "wrong": [], "errors": [], "longest_pause": 70.0}
    rounds = []
    for number, pause in ((1, 70.0), (2, 90.4)):
        done = record.Round("b", number, 0.0, found={"seconds_to_reset": 1.6})
        rounds.append(record.as_record(done, {**written, "longest_pause": pause}, [], {}))
    record.keep(tmp_path / "b.json", about, rounds)
    row = page.text(tmp_path).splitlines()[2].split(" | ")
    assert row[1:] == ["2", "2", "10", "0", "0", "0", "70 to 90 s", "old node reset after 1.6 s |"]
