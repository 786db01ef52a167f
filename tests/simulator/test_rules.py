# SPDX-License-Identifier: Apache-2.0
"""A path tells by its names which object it lies in."""

from __future__ import annotations

import pytest

from pyshell.simulator.rules import locate
from simulator.acts import ACL, LUN, TPG


@pytest.mark.parametrize(
    ("rel", "kind", "variant", "inner"),
    [
        ("", "root", "", ""),
        ("version", "root", "", "version"),
        ("core/alua/lu_gps", "root", "", "core/alua/lu_gps"),
        ("core/alua/lu_gps/x/members", "lu_gp", "", "members"),
        ("core/rd_mcp_3", "hba", "rd_mcp", ""),
        ("core/rd_mcp_3/hba_info", "hba", "rd_mcp", "hba_info"),
        ("core/iblock_0/disk/attrib/block_size", "device", "iblock", "attrib/block_size"),
        ("core/iblock_0/disk/alua", "device", "iblock", "alua"),
        ("core/iblock_0/disk/alua/default_tg_pt_gp/members", "tg_pt_gp", "iblock", "members"),
        ("iscsi/discovery_auth/userid", "fabric", "iscsi", "discovery_auth/userid"),
        ("iscsi/name", "target", "iscsi", ""),
        ("iscsi/name/param/x", "target", "iscsi", "param/x"),
        (f"{TPG}/lun", "tpg", "iscsi", "lun"),
        (f"{LUN}/statistics/scsi_port", "lun", "iscsi", "statistics/scsi_port"),
        (f"{TPG}/np/[::1]:3260", "portal", "iscsi", ""),
        (f"{ACL}/auth/userid", "acl", "iscsi", "auth/userid"),
        (f"{ACL}/lun_7/write_protect", "mapped", "iscsi", "write_protect"),
        ("loopback/naa.5/tpgt_1/nexus", "tpg", "loopback", "nexus"),
    ],
)
def test_the_object_of_a_path(rel: str, kind: str, variant: str, inner: str) -> None:
    place = locate(rel)
    assert (place.kind, place.variant, place.inner) == (kind, variant, inner)


@pytest.mark.parametrize(
    ("rel", "made"),
    [
        ("", "fabric"),
        ("core", "hba"),
        ("core/rd_mcp_3", "device"),
        ("core/rd_mcp_3/disk/alua", "tg_pt_gp"),
        ("core/rd_mcp_3/disk/attrib", None),
        ("iscsi", "target"),
        (f"{TPG}/np", "portal"),
        (f"{TPG}/auth", None),
        (ACL, "mapped"),
    ],
)
def test_what_mkdir_creates(rel: str, made: str | None) -> None:
    assert locate(rel).makes == made
