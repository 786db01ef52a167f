# SPDX-License-Identifier: Apache-2.0
"""The running configuration as a document, whole or without settings."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from rtslib_fb import RTSRoot

from driver import CLIENT, SERVER, TPG, Pyshell
from pyshell.config.running import read_running
from pyshell.config.store.losses import running_paths, tree_paths
from pyshell.lio import attach
from pyshell.lio.configfs import changing

ACL = f"{TPG}/acls/{CLIENT}"


@pytest.fixture
def rich(exported: Pyshell) -> Pyshell:
    """Return pyshell with objects of every kind."""
    exported.prepare(
        "/backstores/fileio create image /srv/image.img 1M",
        "/backstores/fileio create direct /srv/direct.img 1M write_back=false aio=true",
        "/backstores/ramdisk create memory 1M",
        "/backstores/ramdisk create nothing 1M nullio=true",
        f"{TPG}/luns create /backstores/fileio/image 7",
        f"{TPG}/luns create /backstores/ramdisk/memory",
        f"{TPG}/portals delete 0.0.0.0 3260",
        f"{TPG}/portals create 2001:db8::1",
        f"{TPG}/portals create 192.0.2.1 3261",
        f"{TPG}/acls create iqn.2020-07.com.example:reader add_mapped_luns=false",
        f"{TPG}/acls/iqn.2020-07.com.example:reader create 3 7 write_protect=true",
        f"{ACL} set auth userid=me password=secret1 mutual_userid=you mutual_password=secret2",
        f"{TPG} set auth userid=all password=secret3",
        f"{TPG} set attribute authentication=1 login_timeout=7",
        f"/iscsi/{SERVER} create 2",
        f"/iscsi/{SERVER}/tpg2 disable",
        "/loopback create naa.5001405000000001",
        "/loopback/naa.5001405000000001/luns create /backstores/ramdisk/nothing",
    )
    exported("/backstores/pscsi", "create", "raw", "/dev/sdc")
    return exported


def test_the_document_is_what_rtslib_dumps(rich: Pyshell) -> None:
    assert ordered(read_running(rich.open())) == ordered(dumped(rich))


@pytest.mark.usefixtures("changes_allowed")
def test_an_empty_configuration_is_what_rtslib_dumps(pyshell: Pyshell) -> None:
    assert ordered(read_running(pyshell.open())) == ordered(dumped(pyshell))


def test_discovery_credentials_are_what_rtslib_dumps(target: Pyshell) -> None:
    target.must("/iscsi set discovery_auth userid=me password=secret enable=true")
    assert ordered(read_running(target.open())) == ordered(dumped(target))


def test_discovery_credentials_that_are_not_enforced_are_kept(
    target: Pyshell,
) -> None:
    target.must("/iscsi set discovery_auth userid=me password=secret")
    assert dumped(target)["fabric_modules"] == []
    assert read_running(target.open()).get("fabric_modules") == [
        {
            "name": "iscsi",
            "discovery_userid": "me",
            "discovery_password": "secret",
            "discovery_enable_auth": False,
        }
    ]


@pytest.mark.usefixtures("changes_allowed")
def test_rtslib_restores_what_pyshell_saved(rich: Pyshell) -> None:
    rich.must("saveconfig")
    before = ordered(read_running(rich.open()))
    with unwarned():
        root = RTSRoot()
        errors = root.restore(json.loads(rich.saved_file.read_text()), clear_existing=True)
    assert errors == []
    assert ordered(read_running(rich.open())) == before


def test_pyshell_restores_what_rtslib_saved(rich: Pyshell) -> None:
    document = dumped(rich)
    saved = rich.folder / "rtslib.json"
    saved.write_text(json.dumps(document))
    saved.chmod(0o600)
    rich.must("clearconfig confirm=true", f"restoreconfig {saved}")
    assert ordered(dumped(rich)) == ordered(document)


def test_half_made_objects_are_omitted(pyshell: Pyshell) -> None:
    lio = pyshell.open()
    with changing():
        lio.kernel.mkdir(f"{lio.kernel.root}/core/rd_mcp_0")
    with changing():
        lio.kernel.mkdir(f"{lio.kernel.root}/core/rd_mcp_0/half")
    assert read_running(lio).get("storage_objects") == []


@contextmanager
def unwarned() -> Iterator[None]:
    """Leave out rtslib's warning that dbroot is fixed while devices exist."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def dumped(pyshell: Pyshell) -> Any:
    """Return what rtslib itself dumps of the same kernel."""
    pyshell.open()
    with unwarned():
        return RTSRoot().dump()


def ordered(value: Any) -> Any:
    """Return a document with its lists in one order."""
    if isinstance(value, dict):
        return {name: ordered(below) for name, below in value.items()}
    if isinstance(value, list):
        return sorted(
            (ordered(one) for one in value), key=lambda one: json.dumps(one, sort_keys=True)
        )
    return value


def test_the_outline_has_the_same_objects(pyshell: Pyshell) -> None:
    pyshell.must(f"restoreconfig {pyshell.example}")
    lio = attach(pyshell.folder)
    whole = tree_paths(read_running(lio))
    secrets = {path for path in whole if path.rpartition("/")[2].startswith("chap_")}
    assert len(secrets) == 2
    assert running_paths(lio) == whole - secrets


def test_a_half_made_storage_object_is_in_neither(pyshell: Pyshell) -> None:
    lio = attach(pyshell.folder)
    for folder in ("rd_mcp_0", "rd_mcp_0/half"):
        with changing():
            lio.kernel.mkdir(f"{lio.kernel.root}/core/{folder}")
    assert running_paths(lio) == tree_paths(read_running(lio)) == set()
