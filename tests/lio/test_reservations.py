# SPDX-License-Identifier: Apache-2.0
"""What the kernel's files show of reservations, as seen with sg_persist on kernel 6.1."""

from __future__ import annotations

import pytest

from driver import Pyshell
from pyshell.lio.identifiers import StorageObject, Target, Tpg
from pyshell.lio.operations import reservations
from pyshell.lio.operations.reservations import InitiatorPort, Registration, Reservations
from pyshell.lio.sessions import Session

CLIENT, OTHER = "iqn.2020-07.192.168.56.105:client", "iqn.2020-07.192.168.56.105:other"
TARGET = "iqn.2020-07.192.168.56.101:pr"
RESERVED = {
    "res_aptpl_active": "APTPL Bit Status: Activated\n",
    "res_holder": f"SPC-3 Reservation: iSCSI Initiator: {CLIENT},i,0x00023d000002\n",
    "res_pr_generation": "0x00000004\n",
    "res_pr_holder_tg_port": f"SPC-3 Reservation: iSCSI Target Node Endpoint: {TARGET}\n"
    "SPC-3 Reservation: Relative Port Identifier Tag: 1 iSCSI Portal Group Tag: 1 iSCSI Logical"
    " Unit: 0\n",
    "res_pr_registered_i_pts": "SPC-3 PR Registrations:\n"
    f"iSCSI Node: {CLIENT},i,0x00023d000002 Key: 0x000000000000abc1 PRgen: 0x00000002\n"
    f"iSCSI Node: {OTHER},i,0x00023d000001 Key: 0x000000000000abc2 PRgen: 0x00000003\n",
    "res_pr_type": "SPC-3 Reservation Type: Write Exclusive Access, Registrants Only\n",
}


def read(pyshell: Pyshell, plugin: str = "ramdisk", **texts: str) -> Reservations | None:
    """Return what is read from a storage object with these texts in `pr/`."""
    lio = pyshell.open()
    place = StorageObject(plugin, "one", 0, lio.root)
    for name, text in texts.items():
        (pyshell.configfs / f"core/rd_mcp_0/one/pr/{name}").write_text(text, encoding="ascii")
    return reservations.read(lio, place)


def test_nobody_is_registered(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/ramdisk create name=one size=1M")
    assert read(pyshell) == Reservations()


def test_one_initiator_holds_a_reservation_and_two_are_registered(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/ramdisk create name=one size=1M")
    found = read(pyshell, **RESERVED)
    assert found == Reservations(
        holder=InitiatorPort(CLIENT, "00023d000002"),
        type="Write Exclusive Access, Registrants Only",
        target=TARGET,
        tpg=1,
        lun=0,
        generation=4,
        aptpl=True,
        registrations=(
            Registration(CLIENT, "00023d000002", "0x000000000000abc1"),
            Registration(OTHER, "00023d000001", "0x000000000000abc2"),
        ),
    )
    assert found.names == [CLIENT]


def test_all_registrants_hold_a_reservation(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/ramdisk create name=one size=1M")
    kind = "SPC-3 Reservation Type: Write Exclusive Access, All Registrants\n"
    found = read(pyshell, **{**RESERVED, "res_pr_type": kind})
    assert found is not None
    assert found.names == [CLIENT, OTHER]


def test_an_initiator_port_without_a_session_id(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/ramdisk create name=one size=1M")
    found = read(pyshell, res_holder="SPC-3 Reservation: srpt Initiator: 0x0002c9,i,0x\n")
    assert found is not None
    assert found.holder == InitiatorPort("0x0002c9")


def test_an_initiator_that_logged_in_anew_is_not_registered(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/ramdisk create name=one size=1M")
    found = read(pyshell, **RESERVED)
    assert found is not None
    tpg = Tpg(Target("iscsi", TARGET, pyshell.open().root), 1)
    for isid, held in (("00023d000002", True), ("00023d000003", False), ("", True)):
        session = Session(tpg, CLIENT, isid=isid)
        assert found.is_holder(session) is held
        assert bool(found.key_of(session)) is held


def test_a_reservation_of_spc_2(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/ramdisk create name=one size=1M")
    found = read(pyshell, res_holder=f"SPC-2 Reservation: iSCSI Initiator: {CLIENT}\n")
    assert found is not None
    assert (found.type, found.names, found.target) == ("SPC-2", [CLIENT], "")


def test_the_device_manages_them(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/pscsi create name=one dev=/dev/sdb")
    lio = pyshell.open()
    assert reservations.read(lio, StorageObject("pscsi", "one", 0, lio.root)) is None
    assert "reservation" not in pyshell.line("/backstores/pscsi/one info").out


RECORD = (
    "PR_REG_START: {0}\ninitiator_fabric=iSCSI\ninitiator_node=iqn.{0}\nsa_res_key=1\n"
    "res_holder=0\nres_all_tg_pt=0\nmapped_lun=0\ntarget_fabric=iSCSI\ntarget_node=iqn.T{0}\n"
    "tpgt=1\nport_rtpi=1\ntarget_lun=5\nPR_REG_END: {0}\n"
)
TWO = f"{RECORD.format(0)}{RECORD.format(1)}\0"
NONE = "No Registrations or Reservations\n\0"


@pytest.mark.parametrize(
    ("text", "count"), [("", 0), ("\0", 0), (NONE, 0), (NONE.replace("\n", ""), 0), (TWO, 2)]
)
def test_registrations_are_read_as_the_kernel_stores_them(text: str, count: int) -> None:
    assert len(reservations.stored(text)) == count


def test_each_has_its_initiator_and_port() -> None:
    (_, second) = reservations.stored(TWO)
    assert (second.initiator, second.port) == ("iqn.1", ("iqn.t1", 1, 5))


def test_an_initiators_name_cannot_end_its_registration() -> None:
    text = RECORD.format(0).replace("iqn.0", "iqn.0\nPR_REG_END: 0\nx")
    (one,) = reservations.stored(text)
    assert one.initiator == "iqn.0\npr_reg_end: 0\nx"


@pytest.mark.parametrize("text", [TWO[:-4], TWO[:20], TWO[30:], f"{TWO[:-1]}x", "something else"])
def test_damaged_registrations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not complete"):
        reservations.stored(text)


def test_registrations_of_some_or_all_initiators_are_removed() -> None:
    def without(text: str, *names: str) -> str:
        return reservations.stored_without(text, lambda one: one.initiator in names)

    assert without(TWO, "iqn.0") == f"{RECORD.format(1)}\0"
    assert without(TWO, "iqn.0", "iqn.1") == NONE
    assert without(TWO, "iqn.2") == TWO
    assert without("", "iqn.0") == ""
