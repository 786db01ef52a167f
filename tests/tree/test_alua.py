# SPDX-License-Identifier: Apache-2.0
"""ALUA groups: made, set, given to LUNs, saved, deleted."""

from __future__ import annotations

import pytest

from driver import SERVER, TPG, Pyshell

DISK = "/backstores/block/lee_block"
ALUA = f"{DISK}/alua"
LUN = f"{TPG}/luns/lun0"
FOLDER = "core/iblock_0/lee_block/alua"


@pytest.fixture
def grouped(exported: Pyshell) -> Pyshell:
    exported.prepare(f"{ALUA} create standby 16")
    return exported


def test_a_group_is_created_with_its_number(exported: Pyshell) -> None:
    assert exported.must(f"{ALUA} create name=standby tag=16") == ["Created ALUA TPG standby."]
    assert exported.read(f"{FOLDER}/standby/tg_pt_gp_id") == "16\n"
    assert exported("-o", "json", ALUA, "status").json["result"]["summary"] == "ALUA Groups: 2"


@pytest.mark.parametrize(
    ("line", "status", "told"),
    [
        (f"{ALUA} create standby 17", 5, "already exists"),
        (f"{ALUA} create default_tg_pt_gp 17", 5, "already exists"),
        (f"{ALUA} create other 0", 2, "1 to 65535"),
        (f"{ALUA} create other 65536", 2, "1 to 65535"),
        (f"{ALUA} create other x", 2, "not a number"),
        (f"{ALUA} create other", 2, "tag"),
        (f"{ALUA} create a/b 5", 2, "cannot name an ALUA group"),
        (f"{ALUA} create .. 5", 2, "cannot name an ALUA group"),
        (f"{ALUA} create 'a b' 5", 2, "cannot name an ALUA group"),
        (f"{ALUA} create {'x' * 256} 5", 2, "at most 255 bytes"),
        (f"{ALUA} create other 16", 5, "16 already"),
        (f"{ALUA} delete nothing", 3, "No such ALUA group: nothing"),
        (f"{ALUA} delete default_tg_pt_gp", 2, "the kernel's"),
        (f"{LUN} set alua alua_tg_pt_gp_name=nothing", 3, "no ALUA group nothing"),
        (f"{LUN} set alua alua_tg_pt_gp_name=", 2, "needs a value"),
        (f"{ALUA}/standby set alua tg_pt_gp_id=17", 2, "read-only"),
        (f"{ALUA}/standby set alua members=x", 2, "read-only"),
        (f"{ALUA}/standby set alua alua_support_lba_dependent=1", 2, "read-only"),
        (f"{ALUA}/standby set alua implicit_trans_secs=256", 2, "0 to 255 seconds"),
        (f"{ALUA}/standby set alua preferred=maybe", 2, "is not a valid value of preferred"),
    ],
)
def test_what_cannot_be_is_told_and_changes_nothing(
    grouped: Pyshell, line: str, status: int, told: str
) -> None:
    before = grouped.tree()
    ran = grouped.line(line)
    assert (ran.out, ran.status) == ("", status), ran.err
    assert told in ran.err
    assert grouped.tree() == before


def test_every_setting_of_a_group_can_be_given(grouped: Pyshell) -> None:
    values = {
        "alua_access_type": "1",
        "alua_access_state": "2",
        "alua_support_offline": "0",
        "alua_write_metadata": "1",
        "implicit_trans_secs": "7",
        "nonop_delay_msecs": "50",
        "preferred": "1",
        "trans_delay_msecs": "1",
    }
    pairs = " ".join(f"{name}={value}" for name, value in values.items())
    told = grouped.must(f"{ALUA}/standby set alua {pairs}")
    assert told == [f"Parameter {name} is now '{value}'." for name, value in values.items()]
    shown = grouped("-o", "json", f"{ALUA}/standby", "get", "alua").json["result"]
    assert {name: shown[name] for name in values} == values


def test_a_lun_is_put_into_a_group_and_goes_back_when_it_is_deleted(grouped: Pyshell) -> None:
    told = grouped.must(f"{LUN} set alua alua_tg_pt_gp_name=standby")
    assert told == ["Parameter alua_tg_pt_gp_name is now 'standby'."]
    assert "lun_0" in grouped.read(f"{FOLDER}/standby/members")
    assert grouped.must(f"{ALUA} delete standby") == []
    assert grouped.must(f"{LUN} get alua alua_tg_pt_gp_name") == [
        "alua_tg_pt_gp_name=default_tg_pt_gp "
    ]


def test_groups_and_the_luns_in_them_come_back(grouped: Pyshell) -> None:
    grouped.must(
        f"{ALUA}/standby set alua alua_access_state=2 preferred=1",
        f"{LUN} set alua alua_tg_pt_gp_name=standby",
        "saveconfig",
    )
    shown = grouped("ls").out
    grouped.must("clearconfig confirm=true", "restoreconfig")
    assert grouped("ls").out == shown
    assert "(standby)" in shown
    assert "ALUA state: Standby" in shown


def test_field_failure_9_a_backstore_that_leaves_alua_to_the_device_is_left_alone(
    exported: Pyshell,
) -> None:
    exported.must(
        "/backstores/pscsi create tape /dev/st0", f"{TPG}/luns create /backstores/pscsi/tape"
    )
    before = exported.tree()
    made = exported.line("/backstores/pscsi/tape/alua create group 5")
    put = exported.line(f"{TPG}/luns/lun1 set alua alua_tg_pt_gp_name=default_tg_pt_gp")
    assert "cannot have ALUA groups" in made.err
    assert "does not support them" in put.err
    assert (made.status, put.status) == (2, 1)
    assert exported.tree() == before
    assert exported.must("/backstores/pscsi/tape/alua status")[0].endswith("ALUA Groups: 0")


def test_the_members_of_a_group_are_listed_as_targetcli_lists_them(exported: Pyshell) -> None:
    group = "/backstores/block/lee_block/alua/default_tg_pt_gp"
    shown = exported(group, "get", "alua", "members").done().out
    lun = {"driver": "iSCSI", "target": SERVER, "tpgt": 1, "lun": 0}
    assert shown == f"members={[lun]} [ro]\n"


def test_a_group_tells_what_is_saved_of_it(exported: Pyshell) -> None:
    lines = exported("/backstores/block/lee_block/alua/default_tg_pt_gp", "info").done().lines
    assert lines[0] == "alua_access_state: 0"
    assert "name: default_tg_pt_gp" in lines
    assert "tg_pt_gp_id: 0" in lines
