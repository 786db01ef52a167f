# SPDX-License-Identifier: Apache-2.0
"""The fabrics that there are, and those that this kernel can provide."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyshell.errors import NotFoundError, PyshellError, UsageError
from pyshell.host.real_machine import loadable_modules
from pyshell.lio import Lio, fabrics


def test_an_unknown_fabric_is_told_with_those_that_are_known() -> None:
    with pytest.raises(NotFoundError, match=r"no fabric 'carrier-pigeon'.* iscsi, "):
        fabrics.fabric("carrier-pigeon")


def test_a_fabric_has_its_features_and_names(lio: Lio) -> None:
    iscsi, loopback = fabrics.fabric("iscsi"), fabrics.fabric("loopback")
    assert iscsi.wwn_kinds == ("iqn", "naa", "eui")
    assert all(iscsi.has(feature) for feature in ("acls", "auth", "nps", "tpgts"))
    assert loopback.wwn_kinds == ("naa",)
    assert loopback.has("nexus")
    assert not loopback.has("tpgts")


def test_a_fabrics_folder_is_that_of_the_kernel_in_use(lio: Lio) -> None:
    assert fabrics.fabric("iscsi", lio.root).folder == f"{lio.kernel.root}/iscsi"


def test_a_fabric_of_no_target_has_no_folder() -> None:
    with pytest.raises(ValueError, match="does not belong to a target"):
        _ = fabrics.fabric("iscsi").folder


def test_names_are_checked_by_the_fabrics_rules(lio: Lio) -> None:
    assert fabrics.fabric("loopback").normalise("5001405000000001").wwn == "naa.5001405000000001"
    with pytest.raises(UsageError):
        fabrics.fabric("loopback").normalise("iqn.2020-07.com.example")


def loadable(*arguments: str) -> set[str]:
    """Return the fabrics whose module a kernel's lists or loaded modules name."""
    modules = fabrics.module_files()
    present = loadable_modules(modules.values(), *arguments)
    return {fabric for fabric, module in modules.items() if module in present}


@pytest.mark.parametrize(
    ("index", "text", "found"),
    [
        (
            "modules.dep",
            "kernel/drivers/target/iscsi/iscsi_target_mod.ko.xz: kernel/x.ko",
            {"iscsi"},
        ),
        ("modules.builtin", "kernel/drivers/target/loopback/tcm_loop.ko", {"loopback"}),
        ("modules.dep", "kernel/drivers/vhost/vhost_scsi.ko:", {"vhost"}),
        ("modules.dep", "kernel/drivers/xen/xen-scsiback.ko:", {"xen-pvscsi"}),
        ("modules.dep", "kernel/drivers/scsi/qla2xxx/tcm_qla2xxx.ko.zst:", {"qla2xxx"}),
        ("modules.dep", "kernel/drivers/usb/storage/uas.ko:", set()),
    ],
)
def test_a_fabric_can_be_had_where_the_kernel_has_its_module(
    tmp_path: Path, index: str, text: str, found: set[str]
) -> None:
    folder = tmp_path / "6.1.0"
    folder.mkdir()
    (folder / index).write_text(f"{text}\n")
    assert loadable("6.1.0", str(tmp_path), str(tmp_path / "none")) == found


def test_field_failure_41_a_kernel_without_modules_may_have_all_built_in(tmp_path: Path) -> None:
    assert loadable("6.1.0", str(tmp_path)) == set(fabrics.known())


def test_a_loaded_module_need_not_be_among_the_kernels_own(tmp_path: Path) -> None:
    (tmp_path / "6.1.0").mkdir()
    (tmp_path / "6.1.0" / "modules.dep").write_text("kernel/drivers/usb/storage/uas.ko:\n")
    (tmp_path / "loaded" / "efct").mkdir(parents=True)
    found = loadable("6.1.0", str(tmp_path), str(tmp_path / "loaded"))
    assert found == {"efct"}


@pytest.mark.usefixtures("changes_allowed")
def test_a_fabric_that_cannot_be_loaded_is_told_with_the_reason(lio: Lio) -> None:
    with pytest.raises(PyshellError, match=r"Cannot load the fabric vhost: .* no module") as told:
        fabrics.fabric("vhost", lio.root).load()
    assert "'modprobe tcm_vhost' and 'dmesg | tail' may say more." in str(told.value)
