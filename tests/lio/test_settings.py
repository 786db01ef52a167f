# SPDX-License-Identifier: Apache-2.0
"""Settings as they are read, checked and written."""

from __future__ import annotations

import sys

import pytest

from driver import CLIENT, SERVER, TPG, Pyshell
from identified import ROOT, root_all
from pyshell.errors import UsageError
from pyshell.lio import settings
from pyshell.lio.configfs import changing
from pyshell.lio.identifiers import AluaGroup, NodeAcl, Portal, StorageObject, Target, Tpg

FIRST = Tpg(Target("iscsi", SERVER, ROOT), 1)
DISK = StorageObject("block", "lee_block", 0, ROOT)


@pytest.fixture(autouse=True)
def _identifiers_of_the_target(pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch) -> None:
    root_all(monkeypatch, sys.modules[__name__], str(pyshell.configfs))


@pytest.mark.parametrize("value", ["", "abc", "a b", "é" * 127, "x" * 255, "null", "@!#"])
def test_what_the_kernel_keeps_as_a_secret(value: str) -> None:
    settings.check_auth("password", value)
    assert len(value.encode()) <= settings.AUTH_MAX


@pytest.mark.parametrize(
    "value", ["NULL", "NULLx", " a", "a ", "a\nb", "a\x00b", "\x7f", "x" * 256, "é" * 128]
)
def test_what_the_kernel_would_not_keep_as_a_secret(value: str) -> None:
    with pytest.raises(UsageError):
        settings.check_auth("password", value)


def test_an_unset_secret_reads_as_none(exported: Pyshell) -> None:
    lio = exported.open()
    with changing():
        lio.kernel.write(f"{FIRST.folder}/auth/userid", "NULL")
    assert settings.read(lio.kernel, FIRST.folder, "auth/userid") == ""


@pytest.mark.parametrize(
    ("file", "shown", "number"),
    [
        ("alua_access_type", "None", "0"),
        ("alua_access_type", "Implicit and Explicit", "3"),
        ("alua_access_status", "Altered by Implicit ALUA", "2"),
        ("alua_access_state", "0", "0"),
    ],
)
def test_words_of_alua_are_read_as_the_numbers_that_are_written(
    exported: Pyshell, file: str, shown: str, number: str
) -> None:
    lio = exported.open()
    group = AluaGroup(DISK, "default_tg_pt_gp")
    with changing():
        lio.kernel.write(f"{group.folder}/{file}", number)
    assert lio.kernel.read(f"{group.folder}/{file}").strip() == shown
    assert settings.read(lio.kernel, group.folder, file) == number


def test_every_kind_of_object_has_its_own_settings(exported: Pyshell) -> None:
    exported.open()
    disk = settings.own_files(DISK)
    assert "attrib/emulate_caw" in disk
    assert "attrib/hw_block_size" not in disk  # the kernel lets nobody write it
    tpg = settings.own_files(FIRST)
    assert {"attrib/login_timeout", "param/MaxConnections", "auth/password"} <= set(tpg)
    assert "enable" not in tpg
    acl = settings.own_files(NodeAcl(FIRST, CLIENT))
    assert {"attrib/nopin_timeout", "auth/userid_mutual", "tag"} <= set(acl)
    group = settings.own_files(AluaGroup(DISK, "default_tg_pt_gp"))
    assert group.index("alua_access_state") < group.index("alua_support_standby")
    assert "iser" in settings.own_files(Portal(FIRST, "0.0.0.0", 3260))


def test_a_write_only_setting_is_shown_by_no_reader(exported: Pyshell) -> None:
    folder = exported.configfs / "core/iblock_0/lee_block/attrib"
    (folder / "pi_prot_format").chmod(0o200)  # as in some releases of the kernel
    shown = exported.line("/backstores/block/lee_block get attribute").done().out
    assert "pi_prot_format" not in shown
    exported.must("saveconfig")
    assert "pi_prot_format" not in exported.document()["storage_objects"][0]["attributes"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("/backstores/block/lee_block set attribute hw_block_size=1", "hw_block_size is read-only"),
        ("/backstores/block/lee_block set attribute bogus=1", "No parameter 'bogus'"),
        (f"{TPG} set attribute emulate_tpu=1", "Only other kinds of objects or newer kernels"),
        (f"{TPG} set parameter bogus=1", "No parameter 'bogus'"),
        (f"{TPG} set auth bogus=1", "No parameter 'bogus'"),
        (f"{TPG} set bogus x=1", "Unknown configuration group: bogus"),
        ("/backstores set attribute x=1", "Unknown configuration group: attribute"),
    ],
)
def test_what_cannot_be_set_is_told(exported: Pyshell, line: str, told: str) -> None:
    before = exported.tree()
    ran = exported.line(line)
    assert ran.status in (2, 3)
    assert told in ran.err
    assert exported.tree() == before


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (f"{TPG} set attribute login_timeout=3000", "login_timeout"),
        (f"{TPG} set attribute authentication=2", "authentication"),
        (f"{TPG} set attribute authentication=banana", "authentication"),
        (f"{TPG} set parameter MaxConnections=lots", "MaxConnections"),
        ("/backstores/block/lee_block set attribute emulate_caw=7", "emulate_caw"),
        ("/backstores/block/lee_block set attribute emulate_rest_reord=1", "emulate_rest_reord"),
    ],
)
def test_what_the_kernel_would_refuse_is_refused_before(
    exported: Pyshell, line: str, value: str
) -> None:
    before = exported.tree()
    ran = exported.line(line)
    assert (ran.out, ran.status) == ("", 2)
    assert value in ran.err
    assert exported.tree() == before


def test_what_the_kernel_alone_refuses_stays_as_it_was(exported: Pyshell) -> None:
    exported.must("/backstores/ramdisk create memory 1M")
    before = exported.tree()
    ran = exported.line("/backstores/ramdisk/memory set attribute emulate_tpu=1")
    assert (ran.out, ran.status) == ("", 1)
    assert "Its backstore or device cannot do that" in ran.err
    assert exported.tree() == before


def test_what_a_lun_keeps_fixed_is_told_with_the_lun(exported: Pyshell) -> None:
    before = exported.tree()
    line = "/backstores/block/lee_block set attribute"
    ran = exported.line(f"{line} emulate_caw=0 block_size=4096")
    assert (ran.out, ran.status) == ("", 5)
    assert f"cannot change while a LUN exports it ({TPG}/luns/lun0)" in ran.err
    assert exported.tree() == before
    assert exported.must(f"{line} block_size=512") == ["Parameter block_size is now '512'."]


def test_what_the_kernel_takes_and_forgets_is_told(exported: Pyshell) -> None:
    ran = exported.line("/backstores/block/lee_block set attribute emulate_dpo=0")
    assert ran.out == "Parameter emulate_dpo is now '1'.\n"
    assert ran.err == "The kernel did not set emulate_dpo as requested.\n"


def test_settings_of_a_newer_kernel_are_shown_and_set_all_the_same(
    exported: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "of_kind", lambda kind: {})
    for path, name in (
        (TPG, "login_timeout"),
        ("/backstores/block/lee_block", "unmap_granularity"),
    ):
        told = exported.must(f"{path} set attribute {name}=9", f"{path} get attribute {name}")
        assert told == [f"Parameter {name} is now '9'.", f"{name}=9 "]
        assert "does not know it" in exported.line(f"{path} help attribute {name}").out
