# SPDX-License-Identifier: Apache-2.0
"""Random configurations that a kernel can have, for the tests that bring one to another."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Document = dict[str, Any]

DISKS = {"lee": "/dev/mapper/lee-lee.lv", "sdb": "/dev/sdb", "sdc": "/dev/sdc"}
TARGETS = ("iqn.2020-07.com.example:one", "iqn.2020-07.com.example:two")
INITIATORS = ("iqn.2020-07.com.example:a", "iqn.2020-07.com.example:b")
ADDRESSES = ("192.0.2.1", "192.0.2.2", "[2001:db8::1]")
_SERIAL = "{:08d}-3a52-4e55-9b0a-3f6f1f6b7a01"


def _some(draw: st.DrawFn, among: tuple[Any, ...] | list[Any]) -> list[Any]:
    """Draw some of `among`, in its order."""
    return [one for one in among if draw(st.booleans())]


def _chap(draw: st.DrawFn) -> Document:
    return draw(
        st.sampled_from(
            [
                {},
                {"chap_userid": "me", "chap_password": "a first secret"},
                {
                    "chap_userid": "me",
                    "chap_password": "another secret",
                    "chap_mutual_userid": "you",
                    "chap_mutual_password": "a third secret",
                },
            ]
        )
    )


def _storage_object(draw: st.DrawFn, number: int, name: str) -> Document:
    own: Document = {
        "name": name,
        "wwn": _SERIAL.format(draw(st.sampled_from([number, number + 50]))),
    }
    if name in DISKS:
        own |= {"plugin": "block", "dev": DISKS[name], "readonly": draw(st.booleans())}
    else:
        size = draw(st.sampled_from([1 << 20, 2 << 20]))
        own |= {"plugin": "ramdisk", "size": size}
    own["attributes"] = {
        "emulate_tas": draw(st.integers(0, 1)),
        "emulate_caw": draw(st.integers(0, 1)),
        "block_size": draw(st.sampled_from([512, 4096])) if name not in DISKS else 512,
    }
    own["alua_tpgs"] = [
        {"name": "default_tg_pt_gp", "tg_pt_gp_id": 0, "preferred": draw(st.integers(0, 1))}
    ]
    if draw(st.booleans()):
        delay = draw(st.sampled_from([100, 200]))
        group = {"name": "slow", "tg_pt_gp_id": 7, "nonop_delay_msecs": delay}
        own["alua_tpgs"].append(group)
    return own


def _tpg(draw: st.DrawFn, tag: int, storage: list[Document], addresses: list[str]) -> Document:
    luns = []
    for index, so in enumerate(_some(draw, storage)):
        groups = [group["name"] for group in so["alua_tpgs"]]
        luns.append(
            {
                "index": index + draw(st.sampled_from([0, 10])),
                "storage_object": f"/backstores/{so['plugin']}/{so['name']}",
                "alua_tg_pt_gp_name": draw(st.sampled_from(groups)),
            }
        )
    acls = []
    for wwn in _some(draw, INITIATORS):
        mapped = [
            {"index": lun["index"], "tpg_lun": lun["index"], "write_protect": draw(st.booleans())}
            for lun in _some(draw, luns)
        ]
        acl = {"node_wwn": wwn, "mapped_luns": mapped, **_chap(draw)}
        acl["attributes"] = {"nopin_timeout": draw(st.sampled_from([15, 20]))}
        acls.append(acl)
    return {
        "tag": tag,
        "enable": draw(st.booleans()),
        "attributes": {"login_timeout": draw(st.sampled_from([15, 20]))},
        "parameters": {"MaxConnections": draw(st.sampled_from(["1", "2"]))},
        "luns": luns,
        "portals": [
            {"ip_address": address, "port": 3260, "iser": False, "offload": False}
            for address in _some(draw, addresses)
        ],
        "node_acls": acls,
        **_chap(draw),
    }


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Draw a configuration: block devices and ramdisks, two targets of up to two TPGs."""
    names = _some(draw, [*DISKS, "ram1", "ram2"])
    storage = [_storage_object(draw, number, name) for number, name in enumerate(names)]
    targets = []
    for wwn in _some(draw, TARGETS):
        # Two TPGs of a target cannot share a portal.
        tpgs = [_tpg(draw, 1, storage, list(ADDRESSES[:2]))]
        if draw(st.booleans()):
            tpgs.append(_tpg(draw, 2, storage, list(ADDRESSES[2:])))
        targets.append({"fabric": "iscsi", "wwn": wwn, "tpgs": tpgs})
    discovery = _chap(draw)
    fabric = {"name": "iscsi", "discovery_enable_auth": draw(st.booleans())}
    fabric |= {f"discovery_{name.removeprefix('chap_')}": v for name, v in discovery.items()}
    return {"storage_objects": storage, "targets": targets, "fabric_modules": [fabric]}
