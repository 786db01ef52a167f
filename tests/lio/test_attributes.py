# SPDX-License-Identifier: Apache-2.0
"""The table of settings: whole, true to what was recorded of the kernel, held against values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import pyshell.simulator
from pyshell.errors import UsageError
from pyshell.lio import settings
from pyshell.lio.settings import Attribute

RECORDED = json.loads(
    Path(pyshell.simulator.__file__).with_name("recorded.json").read_text(encoding="utf-8")
)["groups"]
KINDS = json.loads(settings.TABLE.read_text(encoding="utf-8"))
PLUGINS = {"block": "iblock", "fileio": "fileio", "ramdisk": "rd_mcp", "pscsi": "pscsi"}
OF_GROUP = {
    "tpg/iscsi": {"attrib/": "tpg", "param/": "tpg_parameter"},
    "tpg/loopback": {"attrib/": "tpg"},
    "tpg/vhost": {"attrib/": "tpg"},
    "target/iscsi": {"param/": "target_parameter"},
    "acl/iscsi": {"attrib/": "node_acl", "param/": "tpg_parameter"},
    "tg_pt_gp": {"": "alua_group"},
    **{f"device/{prefix}": {"attrib/": "storage_object"} for prefix in PLUGINS.values()},
}
EVERY = [
    pytest.param(group, row.name, file, told, id=f"{group} {row.name}")
    for group, folders in OF_GROUP.items()
    for folder, kind in folders.items()
    for file, told in RECORDED[group]["files"].items()
    if file.startswith(folder) and "/" not in file.removeprefix(folder)
    for row in [settings.row(kind, file.removeprefix(folder))]
]


def kind_of(group: str, file: str) -> str:
    return next(kind for folder, kind in OF_GROUP[group].items() if file.startswith(folder))


def refuses_all(rule: dict[str, Any]) -> bool:
    return ("refuse" in rule and isinstance(rule["refuse"], str)) or rule.get("accept") == []


@pytest.mark.parametrize(("group", "name", "file", "told"), EVERY)
def test_every_setting_of_the_kernel_is_described_as_it_is(
    group: str, name: str, file: str, told: dict[str, Any]
) -> None:
    row = settings.row(kind_of(group, file), name)
    assert row.source, "the table has no row"
    read_only = told["mode"] == "0444" or name in ("tg_pt_gp_id", "alua_support_lba_dependent")
    if group != "acl/iscsi" or kind_of(group, file) == "node_acl":
        assert (row.write == "never") == read_only
    if "rules" in told and "exported" in told["rules"]:
        fixed = refuses_all(told["rules"]["exported"])
        assert fixed == (row.write == "unexported") or name == "pi_prot_format"


@pytest.mark.parametrize("kind", KINDS)
def test_every_row_tells_what_it_must(kind: str) -> None:
    for name, row in settings.of_kind(kind).items():
        assert row.text.endswith("."), name
        assert row.source, name
        kinds = ("boolean", "number", "yesno", "choice", "list", "text", "inquiry", "oui")
        assert row.type in kinds, name
        assert (row.type == "inquiry") <= bool(row.longest), name
        assert row.write in ("always", "unexported", "fixed", "ignored", "never"), name
        assert bool(row.values) == (row.type in ("choice", "list")), name
        if row.type == "number" and row.write != "never" and row.tried:
            assert row.range or name == "cmd_completion_affinity", name
        for default in row.default.values() if isinstance(row.default, dict) else [row.default]:
            if default and row.tried and row.write != "never":
                assert row.check(str(default), lambda limit: "128") == default, name


@pytest.mark.parametrize(
    ("kind", "name", "typed", "written"),
    [
        *[("storage_object", "emulate_caw", t, "1") for t in ("1", "true", "YES", "On", "enable")],
        *[("storage_object", "emulate_caw", t, "0") for t in ("0", "False", "no", "OFF")],
        *[("tpg_parameter", "ImmediateData", t, "Yes") for t in ("Yes", "yes", "YES", "1", "true")],
        *[("tpg_parameter", "InitialR2T", t, "No") for t in ("No", "no", "false", "0")],
        ("tpg_parameter", "HeaderDigest", "none", "None"),
        ("tpg_parameter", "HeaderDigest", "NONE, crc32c", "None,CRC32C"),
        ("tpg_parameter", "MaxBurstLength", "+512", "512"),
        ("tpg_parameter", "MaxBurstLength", "0600", "600"),  # octal to the kernel
        ("node_acl", "nopin_timeout", "0", "0"),
        ("node_acl", "authentication", "-1", "-1"),
        ("alua_group", "alua_access_state", "Standby", "2"),
        ("alua_group", "alua_access_state", "02", "2"),
        ("alua_group", "alua_access_type", "implicit", "1"),
        ("storage_object", "block_size", "4096", "4096"),
        ("storage_object", "queue_depth", "128", "128"),
        ("tpg_parameter", "TargetAlias", "A disk", "A disk"),
        ("storage_object", "of_a_newer_kernel", "any thing", "any thing"),
    ],
)
def test_values_are_written_as_the_kernel_reads_them(
    kind: str, name: str, typed: str, written: str
) -> None:
    assert settings.row(kind, name).check(typed, lambda limit: "128") == written


@pytest.mark.parametrize(
    ("kind", "name", "typed", "hint"),
    [
        ("storage_object", "emulate_caw", "foo", "1 or 0"),  # false to the kernel
        ("storage_object", "emulate_caw", "2", "1 or 0"),
        ("storage_object", "block_size", "513", "512, 1024, 2048, 4096"),
        ("storage_object", "queue_depth", "129", "1 to 128"),
        ("storage_object", "max_unmap_lba_count", "4294967296", "0 to 4294967295 blocks"),
        ("storage_object", "max_unmap_lba_count", "-1", "0 to 4294967295 blocks"),
        ("tpg_parameter", "ImmediateData", "maybe", "Yes or No"),
        ("tpg_parameter", "MaxConnections", "2x", "is a number"),  # 2 to the kernel
        ("tpg_parameter", "MaxConnections", "0x2", "is a number"),
        ("tpg_parameter", "AuthMethod", "CHAP,PAP", "CHAP, KRB5, None"),
        ("node_acl", "nopin_timeout", "2", "0 or 3 to 60 seconds"),
        ("alua_group", "alua_access_state", "5", "0 (active/optimized)"),
        ("tpg_parameter", "TargetAlias", "x" * 256, "longer than 255"),
        ("tpg", "srp_sq_size", "many", "is a number"),
        ("storage_object", "emulate_caw", "", "needs a value"),
        ("storage_object", "of_a_newer_kernel", "", "needs a value"),
    ],
)
def test_what_the_kernel_would_refuse_or_misread_is_refused(
    kind: str, name: str, typed: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        settings.row(kind, name).check(typed, lambda limit: "128")
    assert hint in str(caught.value)
    assert name in str(caught.value)


def test_a_limit_that_cannot_be_read_limits_nothing() -> None:
    row = Attribute("x", "X.", "number", range=((1, "hw_x"),))
    assert row.check("5000", lambda limit: "") == "5000"
    assert row.allowed() == "1 to hw_x"


def test_a_row_without_default_by_backstore_has_none() -> None:
    row = settings.row("storage_object", "hw_block_size")
    assert (row.default_of("fileio"), row.default_of("user")) == ("512", None)


def test_a_limit_that_another_setting_gives_is_32_bits_where_that_is_unknown() -> None:
    row = settings.row("storage_object", "optimal_sectors")
    assert row.check("4294967295", lambda name: "") == "4294967295"
    with pytest.raises(UsageError, match="out of the range of optimal_sectors"):
        row.check("4294967296", lambda name: "")
