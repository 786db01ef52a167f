# SPDX-License-Identifier: Apache-2.0
"""Configurations and differences as command lines that can be run."""

from __future__ import annotations

import json
import re
import shlex
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from driver import CLIENT, LONG, SERVER, TPG, Pyshell
from pyshell import quoting
from pyshell.shell import grammar, secrets

ACL = f"{TPG}/acls/{CLIENT}"


@pytest.fixture
def example(pyshell: Pyshell) -> Pyshell:
    """Return a target that runs the example."""
    pyshell.prepare(f"restoreconfig {pyshell.example}")
    return pyshell


def other(folder: Path) -> Pyshell:
    """Return pyshell on another fresh simulated target."""
    return Pyshell(folder / "other")


def test_exported_lines_make_the_same_on_another_host(example: Pyshell, memory: Path) -> None:
    example.must(
        "/backstores/ramdisk/scratch set attribute emulate_caw=0",
        f"{TPG} set parameter MaxBurstLength=8192",
        f"{TPG} disable",
        "saveconfig",
    )
    twin = other(memory)
    lines = example("export", "show_secrets=true").done().lines
    twin.must(*lines)
    assert twin("diff", str(example.saved_file)).done().out == ""


def test_an_exported_target_takes_its_storage_objects_along(example: Pyshell, memory: Path) -> None:
    twin = other(memory)
    lines = example("export", f"/iscsi/{SERVER}", "show_secrets=true").done().lines
    twin.must(*lines)
    example.must("saveconfig")
    assert twin("diff", str(example.saved_file), f"path=/iscsi/{SERVER}").done().out == ""
    assert twin("-o", "json", "/backstores/ramdisk", "ls").out.count('"scratch"') == 1
    assert '"local"' not in twin("-o", "json", "/backstores/ramdisk", "ls").out


def test_an_exported_target_can_be_made_anew_where_its_disks_still_are(example: Pyshell) -> None:
    lines = example("export", f"/iscsi/{SERVER}", "show_secrets=true").done().lines
    example.must("saveconfig", f"/iscsi delete {SERVER}")
    for line in lines:
        assert example.line(line).status == 0, line
    assert example("diff").done().out == ""


def test_what_a_new_object_has_by_itself_is_not_exported(example: Pyshell) -> None:
    shown = example("export", "show_secrets=true").done().out
    assert "login_timeout" not in shown
    assert "alua_support" not in shown
    assert "default_tg_pt_gp set" not in shown
    example.must(f"{TPG} set attribute login_timeout=20")
    assert f"{TPG} set attribute authentication=1 login_timeout=20" in example("export").out


def test_left_out_secrets_are_told(example: Pyshell) -> None:
    ran = example("export", f"/iscsi/{SERVER}")
    assert "password=- " in ran.out
    assert ran.err.startswith("2 CHAP secrets are omitted")


def test_unwanted_default_portals_cost_no_line(example: Pyshell) -> None:
    lines = example("export").lines
    assert f"/iscsi create wwn={SERVER} default_portal=false exist_ok=true" in lines
    assert not [line for line in lines if "portals delete" in line]


def test_credentials_that_go_away_have_a_line(example: Pyshell) -> None:
    example.must(
        f"{ACL} set auth userid='' password='' mutual_userid='' mutual_password=''",
        "saveconfig",
        f"{TPG} set auth userid=all password='a secret for all'",
    )
    lines = example("diff", "running", "saved", "form=commands").lines
    assert f"{TPG} set auth userid='' password=''" in lines
    example.must(*lines)
    assert example("diff").done().out == ""


def test_the_depth_of_an_acl_is_exported(example: Pyshell, memory: Path) -> None:
    example.must(f"{TPG} set attribute default_cmdsn_depth=128")
    lines = example("export", "show_secrets=true").lines
    assert f"{ACL} set queue cmdsn_depth=64" in lines
    twin = other(memory)
    assert twin.batch(lines, "-f", "-").status == 0
    assert saved(twin) == saved(example)
    example.must(f"{ACL} set queue cmdsn_depth=128")
    assert not any("set queue" in line for line in example("export").lines)
    changes = example("diff", str(twin.saved_file), "form=commands").out
    assert f"{ACL} set queue cmdsn_depth=128" in changes


def test_a_second_lun_of_a_storage_object_is_exported_as_a_remark(
    example: Pyshell, tmp_path: Path
) -> None:
    wanted = tmp_path / "wanted.json"
    document = json.loads(Path(example.example).read_text())
    tpg = document["targets"][0]["tpgs"][0]
    tpg["luns"].append({**tpg["luns"][0], "index": 77, "alias": "0123456789"})
    mapped = tpg["node_acls"][0]["mapped_luns"]
    mapped.append({**mapped[0], "index": 78, "tpg_lun": 77, "alias": "9876543210"})
    wanted.write_text(json.dumps(document))
    wanted.chmod(0o600)
    example("apply", str(wanted)).done()

    lines = example("export").out.splitlines()

    remarks = [line.split()[1] for line in lines if "cannot be created by a command" in line]
    assert remarks == [f"{TPG}/luns/lun77", f"{ACL}/mapped_lun78"]
    assert not [
        line for line in lines if re.search("lun=?7[78]", line) and not line.startswith("#")
    ]


def test_a_target_without_its_tpg_is_exported_as_a_remark(pyshell: Pyshell, tmp_path: Path) -> None:
    wanted = tmp_path / "wanted.json"
    target = {"fabric": "loopback", "wwn": "naa.5001405000000001", "tpgs": []}
    wanted.write_text(json.dumps({"storage_objects": [], "targets": [target]}))
    pyshell("apply", str(wanted)).done()
    assert "cannot be created without its TPG: apply a saved file instead" in pyshell("export").out


# Finding 6

# ASCII: `create` accepts no other names (finding 50).
_NAME = st.text("ab'\"\\#$&;|<>*?!~[]{}()=@-+%:,", min_size=1, max_size=6)
# `apply` refuses secrets with a blank at an end.
_WORD = st.text("ab'\"\\#$*@-=~é", min_size=1, max_size=6)
_SECRET = st.lists(_WORD, min_size=1, max_size=2).map(" ".join)
_HANDLED = st.text("ab '\"\\#$*@-=.", min_size=1, max_size=8)


@st.composite
def hostile(draw: st.DrawFn) -> Any:
    """Draw a configuration whose names, secrets and paths need care to be written in a line."""
    names = draw(st.lists(_NAME, min_size=1, max_size=3, unique=True))
    secrets = draw(st.lists(_SECRET, min_size=4, max_size=4, unique=True))
    storage: list[Any] = [
        {
            "plugin": "ramdisk",
            "name": name,
            "size": 1 << 20,
            "alua_tpgs": [{"name": draw(_NAME), "tg_pt_gp_id": 7}],
        }
        for name in names
    ]
    storage.append({"plugin": "block", "name": draw(_NAME), "dev": "/dev/sdb"})
    handled = {"plugin": "user", "name": draw(_NAME), "size": 1 << 20}
    storage.append({**handled, "config": f"zbc/{draw(_HANDLED)}"})
    acl: Any = {
        "node_wwn": CLIENT,
        "chap_userid": secrets[0],
        "chap_password": secrets[1],
        "chap_mutual_userid": secrets[2],
        "chap_mutual_password": secrets[3],
        "mapped_luns": [{"index": 4, "tpg_lun": 0, "write_protect": draw(st.booleans())}],
    }
    luns = [
        {"index": number, "storage_object": f"/backstores/{one['plugin']}/{one['name']}"}
        for number, one in enumerate(storage)
    ]
    tpg = {"tag": draw(st.integers(1, 2)), "luns": luns, "node_acls": [acl]}
    tpg["portals"] = draw(st.sampled_from([[], [{"ip_address": "0.0.0.0", "port": 3260}]]))
    tpg["enable"] = draw(st.booleans())
    tpgs = [tpg, {"tag": 3, "enable": False}] if draw(st.booleans()) else [tpg]
    return {
        "storage_objects": storage,
        "targets": [{"fabric": "iscsi", "wwn": SERVER, "tpgs": tpgs}],
    }


@settings(
    max_examples=8 if LONG else 4,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(document=hostile())
def test_finding_6_export_replays_twice(memory: Path, document: Any) -> None:
    with tempfile.TemporaryDirectory(dir=memory) as made:
        folder = Path(made)
        first, twin = (with_handler(Pyshell(folder / name)) for name in ("one", "two"))
        file = folder / "file.json"
        file.touch(0o600)
        file.write_text(json.dumps(document))
        applied = first("apply", str(file))
        assert applied.status == 0, (applied.err, document)
        lines = first("export", "show_secrets=true").lines
        for _ in range(2):
            ran = twin.batch(lines, "-f", "-")
            assert ran.status == 0, (ran.err, lines)
            assert saved(twin) == saved(first), lines


def with_handler(pyshell: Pyshell) -> Pyshell:
    """Return a target whose host runs a handler of user-backed storage objects."""
    pyshell.simulator.machine.edit(handlers={"zbc": ""})
    return pyshell


def saved(pyshell: Pyshell) -> Any:
    """Return the running configuration as a save writes it, without the names of links."""
    assert pyshell("saveconfig", "force=true").status == 0
    text = pyshell.saved_file.read_text(encoding="utf-8")
    return json.loads(re.sub(r'"alias": "[0-9a-f]+"', '"alias": ""', text))


def test_finding_6_a_script_without_a_terminal_says_what_it_needs(
    example: Pyshell, tmp_path: Path, memory: Path
) -> None:
    lines = example("export").lines
    script = tmp_path / "script"
    script.write_text("\n".join(lines))
    ran = other(memory)("-f", str(script))
    assert ran.status == 2
    assert "Use password=@FILE" in ran.err
    assert "removes the secret" not in ran.err


def test_finding_6_a_secret_that_looks_like_a_reference_can_be_typed(
    example: Pyshell, tmp_path: Path
) -> None:
    for typed, kept in (
        ("'@a literal secret'", "@a literal secret"),
        ('"-"', "-"),
        ("\\@twelve bytes", "@twelve"),
    ):
        line = f"{ACL} set auth password={typed}".replace(" bytes", "")
        assert example.line(line).status == 0
        assert example.read(f"iscsi/{SERVER}/tpgt_1/acls/{CLIENT}/auth/password").strip() == kept
    ran = example(ACL, "set", "auth", "password='@typed in a shell'")
    assert ran.status == 0
    text = example.read(f"iscsi/{SERVER}/tpgt_1/acls/{CLIENT}/auth/password")
    assert text.strip() == "@typed in a shell"


def test_finding_6_the_file_of_a_secret_may_have_blanks_in_its_path(
    example: Pyshell, tmp_path: Path
) -> None:
    file = tmp_path / "my secret"
    file.touch(0o600)
    file.write_text("read from a file\n")
    for words in (
        [f"{ACL} set auth password=@'{file}'"],
        [ACL, "set", "auth", f"password=@{file}"],
    ):
        assert example(ACL, "set", "auth", "password=another-one-1").status == 0
        assert example(*words).status == 0
        text = example.read(f"iscsi/{SERVER}/tpgt_1/acls/{CLIENT}/auth/password")
        assert text.strip() == "read from a file"


def test_finding_6_one_liners_reach_every_name_that_can_be_given(pyshell: Pyshell) -> None:
    for name in ("a'b", 'a"b', "a\\b", "a#b", "'a'", "*", "a*"):
        pyshell("/backstores/ramdisk", "create", quoting.argument("name", name), "size=1M").done()
        shown = pyshell("-o", "json", *argv(f"/backstores/ramdisk/{name}", "info")).done()
        assert shown.json["result"]["name"] == name
    ran = pyshell("/backstores/ramdisk/a'b", "info")
    assert ran.status == 0, ran.err


def argv(*words: str) -> list[str]:
    """Return the arguments that root's shell makes of a command that pyshell suggests."""
    return shlex.split(quoting.for_shell(*words))


@settings(max_examples=300 if LONG else 100, deadline=None)
@given(
    words=st.lists(st.text("ab '\"\\#$&;*@=-", min_size=1), max_size=3),
    values=st.dictionaries(
        st.sampled_from(["name", "password", "size"]), st.text("ab '\"\\#$&;*@=-,")
    ),
)
def test_finding_6_a_suggested_command_means_the_same_in_a_shell(
    words: list[str], values: dict[str, str]
) -> None:
    for found in (
        grammar.parse(quoting.line("/a'b", "create", *words, **values)),
        grammar.parse_arguments(shlex.split(quoting.for_shell("/a'b", "create", *words, **values))),
    ):
        assert found.path is not None
        assert found.path.text == "/a'b"
        plain = [word.text for word in found.arguments if word.name is None]
        assert plain == words
        named = {word.name: word for word in found.arguments if word.name}
        assert {name: word.text for name, word in named.items()} == values
        assert not any(secrets._is_indirect(w) for n, w in named.items() if n == "password")


@pytest.mark.parametrize(
    "serial",
    [
        "naa.6001405abcdef0123456789abcdef012",
        "NAA.5001405abcdef012",
        "0x12",
        "iqn.2020-07.com.example:x",
        "serial:x",
        "@x",
        "-",
    ],
)
def test_finding_6_a_serial_number_is_replayed_as_it_is(
    pyshell: Pyshell, tmp_path: Path, serial: str
) -> None:
    """A file can hold a serial number that `create` would read as a NAA id."""
    one = {"name": "a", "plugin": "ramdisk", "size": 1 << 20, "wwn": serial}
    file = tmp_path / "serial.json"
    file.write_text(json.dumps({"storage_objects": [one]}))
    pyshell("apply", str(file)).done()
    lines = pyshell("export").done().lines
    pyshell.must("/backstores/ramdisk delete a", *lines)
    assert saved(pyshell)["storage_objects"][0]["wwn"] == serial
    assert [pyshell.line(line).status for line in lines] == [0] * len(lines)


@pytest.mark.parametrize("serial", ["", " ", " x", "x "])
def test_a_serial_number_that_the_kernel_trims_comes_to_rest(
    pyshell: Pyshell, tmp_path: Path, serial: str
) -> None:
    """Finding 63: the kernel leaves out blanks around it, and an empty one is generated."""
    one = {"name": "a", "plugin": "ramdisk", "size": 1 << 20, "wwn": serial}
    file = tmp_path / "serial.json"
    file.write_text(json.dumps({"storage_objects": [one]}))
    pyshell("apply", str(file)).done()
    assert pyshell("-o", "json", "apply", str(file)).done().json["result"]["changed"] is False


def test_finding_50_an_export_says_which_names_create_refuses(
    pyshell: Pyshell, tmp_path: Path
) -> None:
    group = {"name": "\u00e9", "tg_pt_gp_id": 7}
    one = {"name": "a\u00e9", "plugin": "ramdisk", "size": 1 << 20, "alua_tpgs": [group]}
    file = tmp_path / "names.json"
    file.write_text(json.dumps({"storage_objects": [one]}))
    pyshell("apply", str(file)).done()
    notes = [line for line in pyshell("export").done().lines if line.startswith("#")]
    assert notes == [
        f"# 'create' does not accept the name {name}: apply a saved file instead."
        for name in ("a\u00e9", "\u00e9")
    ]


@pytest.mark.parametrize(
    "text", ["a\n/backstores/ramdisk create injected 1M\n#", "a\x1b[2J", "a\x85b"]
)
def test_export_comments_out_what_cannot_be_written_on_one_line(
    exported: Pyshell, text: str
) -> None:
    """Another program gave the kernel such a text: no line of it becomes one of the export."""
    file = exported.configfs / f"iscsi/{SERVER}/tpgt_1/acls/{CLIENT}/tag"
    file.unlink()
    file.write_text(f"{text}\n")
    lines = exported("export").done().lines
    (told,) = [line for line in lines if line.startswith("# cannot be run")]
    assert f"U+{ord(text[1]):04X}" in told
    assert f"{TPG}/acls tag {CLIENT}" in told
    assert not [line for line in lines if line.startswith(("/backstores/ramdisk create inj", "#'"))]
    result = exported("-o", "json", "export").json["result"]
    assert all("\n" not in line for line in result)


def test_export_keeps_the_block_size_of_a_disk(pyshell: Pyshell, memory: Path) -> None:
    device = pyshell.simulator.machine.device("/dev/sdb")
    assert device is not None
    twin = other(memory)
    for one in (pyshell, twin):
        one.simulator.machine.add(replace(device, sector_size=4096))
    pyshell.must("/backstores/block create own /dev/sdb")
    assert "block_size" not in pyshell("export").out
    pyshell.must("/backstores/block/own set attribute block_size=512", "saveconfig")
    lines = pyshell("export").done().lines
    assert "block_size=512" in "\n".join(lines)
    twin.must(*lines)
    assert twin("diff", str(pyshell.saved_file)).done().out == ""
