# SPDX-License-Identifier: Apache-2.0
"""Names that users type: WWNs, addresses, sizes, storage object names."""

from __future__ import annotations

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell
from portalcases import PORTALS, PortalCase
from pyshell import names
from pyshell.errors import UsageError


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("iqn.2020-07.192.168.56.101:server", "iqn.2020-07.192.168.56.101:server"),
        ("iqn.2020-07.com.example", "iqn.2020-07.com.example"),
        ("iqn.2020-07.com.example:a:b:c", "iqn.2020-07.com.example:a:b:c"),
        ("iqn.2020-07.com.ex-ample:1", "iqn.2020-07.com.ex-ample:1"),
        (" IQN.2020-07.Com.Example:A ", "iqn.2020-07.com.example:a"),
        ("iqn.1999-12.xn--bcher-kva:x", "iqn.1999-12.xn--bcher-kva:x"),
    ],
)
def test_iqns_are_kept_in_lower_case(typed: str, kept: str) -> None:
    assert names.iqn(typed) == kept


@pytest.mark.parametrize("month", ["00", "13", "19", "99"])
def test_an_iqns_month_is_a_month(month: str) -> None:
    with pytest.raises(UsageError, match=f"month {month}"):
        names.iqn(f"iqn.2020-{month}.com.example")


@pytest.mark.parametrize(
    "character", list("/_;,!\"#$%&'()*+<>=?@[\\]^`{|}~ \t\n\x00\x7f\xa0\u2003\udcff")
)
def test_an_iqn_has_no_such_character(character: str) -> None:
    with pytest.raises(UsageError):
        names.iqn(f"iqn.2020-07.com.example:a{character}b")


def test_an_iqn_has_at_most_223_bytes() -> None:
    start = "iqn.2020-07.com.example:"
    longest = start + "x" * (223 - len(start))
    assert names.iqn(longest) == longest
    with pytest.raises(UsageError, match="223 bytes"):
        names.iqn(longest + "x")


@pytest.mark.parametrize(
    ("typed", "kinds", "kept", "kind"),
    [
        ("iqn.2020-07.com.example:A", ("iqn", "naa", "eui"), "iqn.2020-07.com.example:a", "iqn"),
        ("naa.5001405000000001", ("iqn", "naa", "eui"), "naa.5001405000000001", "naa"),
        ("eui.0123456789ABCDEF", ("iqn", "naa", "eui"), "eui.0123456789abcdef", "eui"),
        ("5001405000000001", ("naa",), "naa.5001405000000001", "naa"),
        ("0x5001405000000001", ("naa",), "naa.5001405000000001", "naa"),
        ("50:01:40:50:00:00:00:01", ("naa",), "naa.5001405000000001", "naa"),
        ("NAA.C003FF0000000001", ("naa",), "naa.c003ff0000000001", "naa"),
        ("naa.21000024ff000001", ("naa",), "naa.21000024ff000001", "naa"),
        ("0x" + "0" * 31 + "1", ("ib",), "ib." + "0" * 31 + "1", "ib"),
        ("any-name.at:all", ("free",), "any-name.at:all", "free"),
    ],
)
def test_wwns_are_put_into_their_normal_form(
    typed: str, kinds: tuple[str, ...], kept: str, kind: str
) -> None:
    assert names.wwn(typed, kinds) == (kept, kind, kept != typed)


@pytest.mark.parametrize(
    ("typed", "kinds"),
    [
        ("5001405000000001", ("iqn", "naa", "eui")),
        ("naa.001405000000001", ("naa",)),
        ("naa.4001405000000001", ("naa",)),
        ("naa.500140500000000x", ("naa",)),
        ("eui.012", ("eui",)),
        ("", ("naa",)),
        ("", ("free",)),
        ("a b", ("free",)),
        ("a/b", ("free",)),
        ("..", ("free",)),
        (".", ("free",)),
    ],
)
def test_what_is_no_wwn_is_refused_with_the_form(typed: str, kinds: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as caught:
        names.wwn(typed, kinds)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("0.0.0.0", "0.0.0.0"),
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1 ", "192.0.2.1"),
        ("::", "::0"),
        ("::0", "::0"),
        ("[::]", "::0"),
        ("[::0]", "::0"),
        ("0:0:0:0:0:0:0:0", "::0"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("::1", "::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
    ],
)
def test_addresses_have_one_form(typed: str, kept: str) -> None:
    assert names.address(typed) == kept
    assert names.address(names.bracketed(kept)) == kept


@pytest.mark.parametrize(
    "typed", ["", "a.b.c", "192.0.2", "192.0.2.256", "::g", "[::", "1.2.3.4:3260", "192.000.2.1"]
)
def test_what_is_no_address_is_refused(typed: str) -> None:
    with pytest.raises(UsageError, match="is not an IP address"):
        names.address(typed)


@pytest.mark.parametrize(
    ("name", "address", "port"),
    [
        ("0.0.0.0:3260", "0.0.0.0", 3260),
        ("[::0]:3260", "::0", 3260),
        ("::0:3260", "::0", 3260),
        (":::3260", "::0", 3260),
        ("[2001:db8::1]:65535", "2001:db8::1", 65535),
    ],
)
def test_portals_are_split_in_any_spelling(name: str, address: str, port: int) -> None:
    assert names.split_portal(name) == (address, port)


@pytest.mark.parametrize("name", ["", "0.0.0.0", "0.0.0.0:", "0.0.0.0:0", "0.0.0.0:x", ":3260"])
def test_what_is_no_portal_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        names.split_portal(name)


@pytest.mark.parametrize("text", ["0", "65536", "-1", "3260x", "", "٣٢٦٠", "1.5", " 1"])
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a TCP port"):
        names.port_number(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("1", 1),
        ("512", 512),
        ("1k", 1024),
        ("1K", 1024),
        ("1kB", 1024),
        ("1KiB", 1024),
        ("1M", 1 << 20),
        ("10mb", 10 << 20),
        ("1G", 1 << 30),
        ("20GiB", 20 << 30),
        ("2T", 2 << 40),
        ("1P", 1 << 50),
        ("64b", 64),
        (" 1 M ", 1 << 20),
    ],
)
def test_sizes_are_in_powers_of_1024(text: str, count: int) -> None:
    assert names.size(text) == count


@pytest.mark.parametrize("text", ["", "0", "0M", "M", "-1M", "1.5G", "1X", "1MM", "1 2", "one"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        names.size(text)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1.0KiB"),
        (1536, "1.5KiB"),
        (1 << 20, "1.0MiB"),
        (21474836480, "20.0GiB"),
        (1 << 40, "1.0TiB"),
        (5 << 50, "5.0PiB"),
        (5000 << 50, "5000.0PiB"),
    ],
)
def test_sizes_as_people_read_them(count: int, text: str) -> None:
    assert names.size_text(count) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        (" 90 sec ", 90),
        ("5min", 300),
        ("5 M", 300),
        ("1h30min", 5400),
        ("1h 1m 1s", 3661),
        ("0", 0),
    ],
)
def test_durations(text: str, seconds: int) -> None:
    assert names.duration(text) == seconds


@pytest.mark.parametrize("text", ["", "min", "-5", "1.5min", "5 days", "5s 1min", "1m1m", "٣"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        names.duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (90, "1 min 30 s"), (300, "5 min"), (7203, "2 h 3 s")]
)
def test_durations_as_people_read_them(seconds: int, text: str) -> None:
    assert names.duration_text(seconds) == text


@pytest.mark.parametrize("name", ["a", "lee_block", "disk#1", "a.b:c-d", "größe", "x" * 255])
def test_names_of_storage_objects(name: str) -> None:
    assert names.storage_object_name(name) == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a b", "a/b", "a\tb", "a\nb", "a\x00b", "x" * 256, "é" * 128]
)
def test_what_names_no_storage_object_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        names.storage_object_name(name)


@pytest.mark.parametrize("case", PORTALS, ids=lambda case: f"{case.first} {case.second}")
def test_finding_58_a_portal_is_in_the_way_where_the_real_kernel_says_so(case: PortalCase) -> None:
    def accepted(own: list[str], others: list[str], *, v6only: bool) -> bool:
        return names.portal_obstacle(case.second, own, others, v6only=v6only) is None

    assert accepted([case.first], [], v6only=False) == case.same
    assert accepted([], [case.first], v6only=False) == case.other
    if case.only_v6 is not None and "ffff" not in case.second:  # such are refused alone, too
        assert accepted([case.first], [], v6only=True) == case.only_v6[0]
        assert accepted([], [case.first], v6only=True) == case.only_v6[1]


@pytest.mark.parametrize("case", PORTALS, ids=lambda case: f"{case.first} {case.second}")
def test_finding_58_what_can_exist_together_is_created_in_an_order_that_works(
    case: PortalCase,
) -> None:
    for same_target in (True, False):
        if names.portals_exclude(case.first, case.second, same_target=same_target):
            continue
        first, second = sorted((case.first, case.second), key=names.portal_order)
        beside = ([first], []) if same_target else ([], [first])
        assert names.portal_obstacle(second, *beside) is None


@pytest.mark.parametrize(
    ("listening", "wanted", "reached"),
    [
        ("0.0.0.0", "192.0.2.1", True),
        ("0.0.0.0", "2001:db8::1", False),
        ("::0", "192.0.2.1", True),
        ("::0", "2001:db8::1", True),
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "0.0.0.0", False),
    ],
)
def test_a_wildcard_portal_covers_the_addresses_of_its_family(
    listening: str, wanted: str, reached: bool
) -> None:
    assert names.listens_on(listening, wanted) == reached


@pytest.mark.parametrize(
    ("wanted", "other", "served"),
    [
        ("::0", "192.0.2.1", "192.0.2.1"),
        ("0.0.0.0", "::1", "::1"),
        ("0.0.0.0", "::0", None),
        ("0.0.0.0", "0.0.0.0", None),
        ("::1", "0.0.0.0", None),
    ],
)
def test_the_kernel_serves_a_wildcard_at_another_targets_address_only(
    wanted: str, other: str, served: str | None
) -> None:
    assert names.portal_in_place_of(wanted, [other]) == served


# Finding 50: bidirectional, zero-width, C1 and invisible characters, and letters that look alike.
DECEIVING = ["\u202e", "\u2066", "\u200b", "\u200d", "\ufeff", "\x9b", "\u0430", "\u03bf",
             "\uff41", "\u3164", "\xad", "\u2010", "\u0131", "\u0301", "\u05d0"]  # fmt: skip


@pytest.mark.parametrize("character", DECEIVING, ids=ascii)
@pytest.mark.parametrize(
    ("line", "object_path"),
    [
        ("/backstores/ramdisk create a{}b 1M", "/backstores/ramdisk"),
        ("/iscsi create iqn.2020-07.com.example:a{}b", "/iscsi"),
        ("/iscsi create iqn.2020-07.com.ex{}ample:b", "/iscsi"),
        ("{tpg}/acls create iqn.2020-07.com.example:a{}b", "{tpg}/acls"),
        ("{tpg}/acls tag {client} a{}b", "{tpg}/acls"),
        ("/backstores/ramdisk/one/alua create a{}b 7", "/backstores/ramdisk/one/alua"),
        ("bookmarks add a{}b", "/"),
    ],
)
def test_new_names_do_not_deceive(
    target: Pyshell, line: str, object_path: str, character: str
) -> None:
    target.prepare("/backstores/ramdisk create one 1M", f"{TPG}/acls create {CLIENT}")
    before = target.tree()
    text = line.replace("{}", character).replace("{tpg}", TPG).replace("{client}", CLIENT)
    ran = target.line(text)
    assert (ran.status, ran.out) == (2, "")
    assert f"U+{ord(character):04X}" in ran.err
    assert len(ran.err.splitlines()) in (1, 3)
    assert target.tree() == before


@pytest.mark.parametrize(
    "name", ["gr\xf6\xdfe", "m\xfcnchen", "\u0434\u0438\u0441\u043a1", "\u78c1\u76d8", "a-\u03bb"]
)
def test_new_names_may_hold_letters_of_other_scripts(pyshell: Pyshell, name: str) -> None:
    pyshell.must(f"/backstores/ramdisk create {name} 1M")
    assert pyshell.line(f"/backstores/ramdisk/{name} info").done().out


@pytest.mark.parametrize(
    "name",
    ["\u0430", "\u0440\u0430\u0443", "d\u0456sk", "\u0434isk", "\u03bf\u03c1", "a\u0660"],
    ids=ascii,
)
def test_words_that_read_as_latin_ones_or_mix_scripts_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"the character U\+0"):
        names.plain(name, "a name")


@pytest.mark.parametrize("character", ["\u0430", "\xfc", "\u200b", "\u202e"], ids=ascii)
def test_objects_with_such_names_can_still_be_used(target: Pyshell, character: str) -> None:
    name = f"iqn.2020-07.com.example:a{character}b"
    target.simulator.mkdir(str(target.configfs / f"iscsi/{SERVER}/tpgt_1/acls/{name}"))
    assert target.line(f"{TPG}/acls/{name} ls").done().out
    target.must(f"{TPG}/acls delete {name}")


def test_a_file_with_such_a_name_is_checked_with_a_warning(target: Pyshell) -> None:
    target.must("/backstores/ramdisk create one 1M", "saveconfig")
    text = target.saved_file.read_text().replace('"one"', '"on\u0435"')
    target.saved_file.write_text(text)
    ran = target("check")
    assert ran.status == 0
    assert "U+0435 (CYRILLIC SMALL LETTER IE)" in ran.out


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("storage2", "storage2"),
        ("root@storage2.example.com", "root@storage2.example.com"),
        ("3com", "3com"),
        ("_svc.backup-1@st-2", "_svc.backup-1@st-2"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("root@[2001:db8::1]", "root@2001:db8::1"),
        ("a" * 63, "a" * 63),
    ],
)
def test_ssh_gets_hosts_and_users(text: str, host: str) -> None:
    assert names.ssh_destination(text) == host


@pytest.mark.parametrize(
    "text",
    ["-x", "root@-x", "[::1", "::1]", "[::1%lo]", "a..b", "a_b", "a b", "a.1", "u/v@a", "\n"],
)
def test_what_is_not_a_host_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a host"):
        names.ssh_destination(text)
