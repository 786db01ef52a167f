# SPDX-License-Identifier: Apache-2.0
"""What is asked of rtslib, and what rtslib is kept from asking."""

from __future__ import annotations

import pytest

from driver import CLIENT, SERVER, Pyshell
from pyshell.lio import rtslib_objects, storage_info
from pyshell.lio.configfs import changing
from pyshell.lio.identifiers import StorageObject
from pyshell.lio.operations.storage import CreateStorageObject

SERIAL = "6f4dd1c4-6f4d-4d1c-8f4d-d1c46f4dd1c4"
CREATE = f"/backstores/ramdisk create name=one size=1M wwn={SERIAL}"


RECORD = f"""\
PR_REG_START: 0
initiator_fabric=iSCSI
initiator_node={CLIENT}
initiator_sid=00023d000001
sa_res_key=2748
res_holder=0
res_all_tg_pt=0
mapped_lun=0
target_fabric=iSCSI
target_node={SERVER}
tpgt=1
port_rtpi=1
target_lun=0
PR_REG_END: 0
\0"""


@pytest.mark.parametrize(("kept", "count"), [(SERIAL, 1), ("another", 0)])
def test_kept_reservations_are_brought_back_to_their_storage_object(
    pyshell: Pyshell, kept: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lio = pyshell.open()
    (pyshell.configfs / "dbroot").write_text("/srv/kept\n", encoding="ascii")
    folder = lio.machine.host_file("/srv/kept/pr")
    folder.mkdir(parents=True)
    (folder / f"aptpl_{kept}").write_text(RECORD, encoding="ascii")
    written: dict[str, str] = {}
    write = lio.kernel.write
    monkeypatch.setattr(
        type(lio.kernel), "write",
        lambda kernel, path, text: (written.update({path: text}), write(path, text)),
    )  # fmt: skip
    place = StorageObject("ramdisk", "one", 0, lio.root)
    with changing():
        CreateStorageObject(place, {"size": 1 << 20, "wwn": SERIAL}).do(lio)
    records = [text for path, text in written.items() if path.endswith("res_aptpl_metadata")]
    assert records == [",".join(RECORD.split("\n")[1:-2])] * count


def keep(pyshell: Pyshell, text: str) -> str:
    """Write the file with the registrations of the storage object that `CREATE` creates."""
    folder = pyshell.open().machine.host_file("/etc/target/pr")
    folder.mkdir(exist_ok=True)
    file = folder / f"aptpl_{SERIAL}"
    file.write_text(text, encoding="ascii")
    return str(file)


def test_an_empty_file_of_reservations_has_none(pyshell: Pyshell) -> None:
    keep(pyshell, "")
    pyshell.must(CREATE)


def test_a_storage_object_is_not_created_without_its_damaged_reservations(
    pyshell: Pyshell,
) -> None:
    file = keep(pyshell, "PR_REG_START: 0\ninitiator_node=iqn")
    ran = pyshell.line(CREATE)
    assert ran.status == 1
    assert (
        f"Cannot restore the persistent reservations of storage object ramdisk/one from {file}"
        in ran.err
    )
    assert "Move that file away" in ran.err
    assert "Storage Objects: 0" in pyshell.line("/backstores/ramdisk ls").out


def test_where_none_are_kept_rtslib_makes_no_root_object(
    pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rtslib_fb.root.RTSRoot.__init__", pytest.fail)
    pyshell.must(CREATE)


def test_what_is_gone_is_told_by_the_file_that_is_opened(pyshell: Pyshell) -> None:
    pyshell.must(CREATE)
    place = StorageObject("ramdisk", "one", 0, pyshell.open().root)
    found = rtslib_objects.found(place)
    assert found.exists
    pyshell.must("/backstores/ramdisk delete one")
    assert not found.exists
    with pytest.raises(FileNotFoundError) as raised:
        assert found.wwn
    assert raised.value.filename.endswith("one/wwn/vpd_unit_serial")


@pytest.mark.parametrize("plugin", ["ramdisk", "pscsi", "user"])
def test_finding_55_a_look_at_an_object_that_is_being_created_deletes_nothing(
    pyshell: Pyshell, plugin: str
) -> None:
    lio = pyshell.open()
    place = StorageObject(plugin, "one", 0, lio.root)
    with changing():
        lio.kernel.mkdir(place.hba_folder)
    storage_info.supports_alua(lio, place)
    assert not rtslib_objects.found(place).exists
    assert pyshell.configfs.joinpath("core").joinpath(place.hba_folder).is_dir()
