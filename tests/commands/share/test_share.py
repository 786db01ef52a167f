# SPDX-License-Identifier: Apache-2.0
"""`share` makes all of the walk-through in one line, or nothing; `unshare` takes it back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from driver import CLIENT, DATA, SERVER, TPG, Pyshell
from pyshell.errors import PyshellError
from pyshell.lio.operations import base

OTHER = "iqn.2020-07.192.168.56.106:other"
LEE = "/dev/mapper/lee-lee.lv"
ONE_LINE = f"share {LEE} to={CLIENT} name=lee_block target={SERVER} portal=192.168.56.101 lun=0"
ACL = f"{TPG}/acls/{CLIENT}"


def tree(pyshell: Pyshell) -> dict[str, str]:
    """Return configfs with what is drawn at random masked: serial numbers, names of links."""
    return dict(sorted(map(_without_chance, pyshell.tree().items())))


def _without_chance(entry: tuple[str, str]) -> tuple[str, str]:
    name, text = entry
    if text.startswith("-> "):
        name = re.sub(r"[0-9a-f]{10}$", "LINK", name)
    return name, re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "SERIAL", text)


def data(pyshell: Pyshell, line: str) -> Any:
    """Return the result of a line as JSON has it."""
    return pyshell.line(line, "-o", "json").json["result"]


def test_one_line_makes_just_what_the_walk_through_does(memory: Path) -> None:
    scenario = (DATA / "scenario.txt").read_text(encoding="utf-8")
    by_hand, shared = Pyshell(memory / "by-hand"), Pyshell(memory / "shared")
    by_hand.must(*re.findall(r"^/> (/.*)", scenario, re.MULTILINE))
    shared.must(ONE_LINE)
    assert tree(shared) == tree(by_hand)
    assert shared.line("ls").out == by_hand.line("ls").out


def test_discard_is_enabled_where_the_device_can(pyshell: Pyshell, tmp_path: Path) -> None:
    said = "Enabled discard (UNMAP): {} can free blocks."
    assert said.format("/dev/sdb") in pyshell.must(f"share /dev/sdb to={CLIENT}")
    assert said.format("/srv/x.img") in pyshell.line(f"share /srv/x.img size=1M to={CLIENT}").lines
    assert "discard" not in pyshell.line(f"share /dev/sdd to={CLIENT}").out
    assert "discard" not in pyshell.line(f"share /dev/sdc to={CLIENT} discard=false").out
    attributes = {one["name"]: one["attributes"] for one in running(pyshell)}
    assert {name: own["emulate_tpu"] for name, own in attributes.items()} == {
        "sdb": 1, "sdc": 0, "sdd": 0, "x.img": 1,
    }  # fmt: skip
    twin = Pyshell(tmp_path / "twin")
    twin.prepare(*pyshell("export").done().lines)
    pyshell.must("saveconfig")
    assert twin("diff", str(pyshell.saved_file)).done().out == ""


def test_the_serial_number_of_a_new_disk_can_be_given(pyshell: Pyshell) -> None:
    serial = f"{'1a' * 12}b"
    pyshell.must(f"share /dev/sdb to={CLIENT} company_id=0x00a098 wwn={serial}")
    assert f"naa: naa.600a098{serial}" in pyshell.must("/backstores/block/sdb info")
    assert "nothing to do" in pyshell.must(f"share sdb to={CLIENT} wwn={serial}")[0]
    ran = pyshell.line(f"share sdb to={CLIENT} wwn=serial:naa.x")
    assert (ran.status, ran.out) == (5, "")
    assert f"already exists and has the wwn '{serial}'" in ran.err
    assert "set wwn vpd_unit_serial=serial:naa.x'" in ran.err


def test_a_name_that_is_changed_to_lower_case_is_reported(pyshell: Pyshell) -> None:
    ran = pyshell.line(f"share /dev/sdb to={CLIENT.upper()},{CLIENT}2 target={SERVER.upper()}")
    told = "The name was changed to {}.\n"
    assert ran.err == told.format(CLIENT) + told.format(SERVER)
    assert f"Created Node ACL for {CLIENT}" in ran.lines


def test_the_preference_decides_whether_share_enables_discard(pyshell: Pyshell) -> None:
    pyshell.must("set global enable_discard=false", f"share /dev/sdb to={CLIENT}")
    assert running(pyshell)[0]["attributes"]["emulate_tpu"] == 0
    pyshell.must(f"share /dev/sdc to={CLIENT} discard=true")
    assert running(pyshell)[1]["attributes"]["emulate_tpu"] == 1


def test_without_discard_neither_command_is_offered(pyshell: Pyshell) -> None:
    pyshell.must(f"share /dev/sdb to={CLIENT}")
    for name in ("emulate_tpu", "emulate_tpws"):
        pyshell.must(f"/backstores/block/sdb set attribute {name}=1")
    pyshell.must(f"share sdb to={CLIENT} discard=false")
    own = running(pyshell)[0]["attributes"]
    assert (own["emulate_tpu"], own["emulate_tpws"]) == (0, 0)
    assert "nothing to do" in pyshell.must(f"share sdb to={CLIENT} discard=false")[0]


def test_discard_of_a_ramdisk_is_refused(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/ramdisk create disk 1M")
    ran = pyshell.line(f"share /backstores/ramdisk/disk to={CLIENT} discard=true")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("discard= has no effect on /backstores/ramdisk/disk.")


def test_discard_of_an_existing_object_changes_only_on_request(pyshell: Pyshell) -> None:
    pyshell.must("/backstores/block create sdb /dev/sdb discard=false", f"share sdb to={CLIENT}")
    again = f"share sdb to={CLIENT} discard="
    assert running(pyshell)[0]["attributes"]["emulate_tpu"] == 0
    assert "Would enable" not in pyshell.must(f"{again}true --dry-run")[0]
    assert pyshell.must(f"{again}true")[0] == "Enabled discard of sdb."
    assert "nothing to do" in pyshell.must(f"{again}true")[0]
    assert pyshell.must(f"{again}false")[0] == "Disabled discard of sdb."
    pyshell.must("undo")
    assert running(pyshell)[0]["attributes"]["emulate_tpu"] == 1
    pyshell.must(f"share /dev/sdd to={CLIENT}")
    ran = pyshell.line(f"share /dev/sdd to={CLIENT} discard=true")
    assert (ran.status, ran.out) == (2, "")
    assert "/dev/sdd cannot discard" in ran.err


def running(pyshell: Pyshell) -> Any:
    """Return the running storage objects, by name."""
    found = pyshell("saveconfig", "-").json["storage_objects"]
    return sorted(found, key=lambda one: one["name"])


def test_running_it_again_changes_nothing(pyshell: Pyshell) -> None:
    pyshell.must(ONE_LINE)
    before = pyshell.tree()
    for line in (ONE_LINE, f"share {LEE} to={CLIENT}", f"share /dev/lee/lee.lv to={CLIENT}"):
        assert pyshell.line(line).done().out.endswith("(LUN 0): nothing to do.\n")
    assert pyshell.tree() == before


def test_a_dry_run_tells_each_step_and_does_nothing(pyshell: Pyshell) -> None:
    pyshell.must("ls")
    before = pyshell.tree()
    told = pyshell.line(ONE_LINE, "--dry-run").done().lines
    assert pyshell.tree() == before
    assert all(line.startswith("Would ") and line.endswith(". (dry run)") for line in told)
    for made in ("storage object block/", f"target {SERVER}", "LUN 0", "portal "):
        assert any(line.startswith(f"Would create {made}") for line in told), made


def _fault_at(step: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make the step of that number fail, and return the steps that were begun."""
    begun: list[str] = []
    do = base._do

    def failing(lio: Any, operation: base.Operation, **how: Any) -> Any:
        begun.append(operation.step())
        if len(begun) == step:
            raise PyshellError("The kernel refuses")
        return do(lio, operation, **how)

    monkeypatch.setattr(base, "_do", failing)
    return begun


@pytest.mark.parametrize(
    "line",
    [
        f"{ONE_LINE} chap=mutual".replace("portal=", "portal=192.168.56.102,"),
        f"share /srv/new.img size=1M to={CLIENT},{OTHER} chap=oneway",
    ],
)
def test_a_fault_at_any_step_leaves_nothing_behind(
    pyshell: Pyshell, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    pyshell.prepare(f"/iscsi create {SERVER}", f"/iscsi delete {SERVER}")  # the fabric stays loaded
    before = _left(pyshell)
    step, failed = 1, True
    while failed:
        with monkeypatch.context() as patch:
            begun = _fault_at(step, patch)
            ran = pyshell.line(line)
        failed = ran.status != 0
        if failed:
            assert f"Step '{begun[step - 1]}' failed: The kernel refuses" in ran.err
            assert _left(pyshell) == before, begun[step - 1]
        step += 1
    assert step > 14  # so many steps there are, each of which failed once
    assert len(begun) == step - 2


def _left(pyshell: Pyshell) -> dict[str, str]:
    """Return what can be left behind: objects of the kernel, image files."""
    images = {str(path): "" for path in pyshell.folder.glob("files/**/*.img")}
    return pyshell.tree() | images


def test_undo_takes_it_back_as_a_whole(pyshell: Pyshell) -> None:
    pyshell.must(f"/iscsi create {SERVER}", f"/iscsi delete {SERVER}")
    before = pyshell.tree()
    pyshell.must(ONE_LINE, "undo")
    assert pyshell.tree() == before


def test_a_second_disk_joins_the_only_target_and_is_seen_by_whom_it_is_for(
    pyshell: Pyshell,
) -> None:
    pyshell.must(ONE_LINE, f"share /dev/sdb to={OTHER}")
    shown = pyshell.line(f"ls {TPG}").out
    assert "lun1 block/sdb" in shown
    assert pyshell.line(f"{ACL} status").out.endswith("Mapped LUNs: 1\n")
    assert data(pyshell, f"share /dev/sdb to={OTHER}")["initiators"] == [{"wwn": OTHER, "lun": 1}]


def test_a_target_is_made_by_a_name_that_can_be_foretold(pyshell: Pyshell) -> None:
    told = pyshell.line(f"share {LEE} to={CLIENT}", "--dry-run").out
    found = data(pyshell, f"share {LEE} to={CLIENT}")
    assert found["target"].endswith(":lee-lee.lv")
    assert f"Would create target {found['target']}. (dry run)" in told
    assert pyshell.line(f"ls /iscsi/{found['target']}/tpg1/portals").out.count("0.0.0.0:3260") == 1


def test_a_new_target_listens_where_the_others_do(pyshell: Pyshell) -> None:
    pyshell.must(ONE_LINE, f"share /dev/sdb to={OTHER} target={SERVER}2")
    portals = pyshell.line(f"ls /iscsi/{SERVER}2/tpg1/portals").out
    assert "192.168.56.101:3260" in portals
    assert "0.0.0.0" not in portals


def test_which_of_several_targets_is_asked(pyshell: Pyshell) -> None:
    pyshell.must(f"/iscsi create {SERVER}", f"/iscsi create {SERVER}2")
    ran = pyshell.line(f"share {LEE} to={CLIENT}")
    assert ran.status == 2
    assert f"{SERVER}, {SERVER}2" in ran.err
    assert pyshell.line(f"share {LEE} to={CLIENT} target={SERVER}2").status == 0


def test_a_disk_is_not_put_where_everybody_may_come_in(pyshell: Pyshell) -> None:
    pyshell.must(f"/iscsi create {SERVER}", f"{TPG} set attribute generate_node_acls=1")
    ran = pyshell.line(f"share {LEE} to={CLIENT}")
    assert ran.status == 5
    assert "allows every initiator to log in" in ran.err
    named = pyshell.line(f"share {LEE} to={CLIENT} target={SERVER}")
    assert named.done(noting=f"TPG 1 of target {SERVER} allows every initiator").status == 0


def test_an_image_file_is_made_where_a_size_is_given(pyshell: Pyshell) -> None:
    assert pyshell.line(f"share /srv/new.img to={CLIENT}").status == 3
    pyshell.must(f"share /srv/new.img to={CLIENT} size=1M")
    assert pyshell.line("/backstores/fileio/new.img status").status == 0
    assert pyshell.line(f"share /dev/sdb to={CLIENT} size=1M").status == 2
    assert pyshell.line(f"share /dev/sda1 to={CLIENT}").status == 5  # mounted


@pytest.mark.parametrize(
    "line",
    [
        f"share /dev/sdz to={CLIENT}",
        f"share /dev/sdz to={CLIENT} size=10G",
        "/backstores/fileio create disk /dev/sdz 10G",
        "/backstores/fileio create disk /dev/sdz",
    ],
)
def test_a_mistyped_device_becomes_no_file_among_the_devices(pyshell: Pyshell, line: str) -> None:
    ran = pyshell.line(line)
    assert ran.status == 3
    assert "There is no block device /dev/sdz. Free are " in ran.err
    assert "/dev/sdb" in ran.err
    assert "/dev/sda1" not in ran.err  # mounted
    assert "size=" not in ran.err
    assert not list(pyshell.folder.glob("files/**/sdz"))


def test_a_file_in_the_memory_that_is_mounted_among_the_devices_is_one(pyshell: Pyshell) -> None:
    pyshell.must(f"share /dev/shm/scratch.img to={CLIENT} size=1M")


def test_a_storage_object_is_named_without_its_folder_too(pyshell: Pyshell) -> None:
    pyshell.must(ONE_LINE, f"share lee_block to={OTHER}")
    assert "Did you mean /backstores/block/lee_block?" in pyshell.line("unshare lee_blok").err
    ran = pyshell.line(f"share nonsense to={CLIENT}")
    assert ran.status == 3
    assert "size=" not in ran.err
    pyshell.must("/backstores/ramdisk create lee_block 16M")
    ran = pyshell.line("unshare lee_block")
    assert ran.status == 2
    assert "/backstores/block/lee_block, /backstores/ramdisk/lee_block" in ran.err
    pyshell.must("/backstores/ramdisk delete lee_block", "unshare lee_block")
    assert "Targets: 0" in pyshell.line("/iscsi status").out


def test_another_size_than_an_image_has_is_a_conflict(pyshell: Pyshell) -> None:
    line = f"share /srv/new.img to={CLIENT} size="
    pyshell.must(f"{line}1M", f"{line}1M")
    ran = pyshell.line(f"{line}2M")
    assert ran.status == 5
    assert "has 1.0MiB" in ran.err
    grow = "/backstores/fileio/new.img resize size=2M"
    assert f"'{grow}' grows it." in ran.err
    pyshell.must(grow, f"{line}2M")
    assert "Omit size=" in pyshell.line(f"{line}1M").err


def test_where_an_image_file_was_made_is_told_from_the_root(pyshell: Pyshell) -> None:
    told = pyshell.must(f"share disk3.img to={CLIENT} size=1M")
    assert f"Its image file is {Path.cwd() / 'disk3.img'}." in told


def test_chap_is_made_up_told_only_when_asked_and_kept(pyshell: Pyshell) -> None:
    ran = pyshell.line(f"{ONE_LINE} chap=mutual").done(noting="CHAP secrets were generated")
    auth = pyshell.must(f"{ACL} get auth show_secrets=true userid password mutual_password")
    assert auth[0] == f"userid={CLIENT} "
    secrets = [line.partition("=")[2].strip() for line in auth[1:]]
    assert [len(secret) for secret in secrets] == [16, 16]
    assert secrets[0] != secrets[1]
    assert not any(secret in ran.out + ran.err for secret in secrets)
    assert "auth per-acl" in pyshell.line(f"{TPG} status").out
    assert pyshell.line(f"{ONE_LINE} chap=mutual").done().out.endswith("nothing to do.\n")


def test_a_chap_secret_is_read_from_standard_input(pyshell: Pyshell) -> None:
    ran = pyshell(*f"{ONE_LINE} userid=me password=-".split(), stdin="a long secret\n").done()
    assert "a long secret" not in ran.out
    shown = pyshell.must(f"{ACL} get auth show_secrets=true userid password")
    assert shown == ["userid=me ", "password=a long secret "]


def test_a_secret_that_takes_the_place_of_another_is_told_and_not_shown(pyshell: Pyshell) -> None:
    line = f"share {LEE} to={CLIENT} password"
    assert "replaced" not in pyshell.line(f"{line}=first-long-secret").done().out
    told = pyshell.line(f"{line}=second-long-secret").done()
    assert f"CHAP secret of {CLIENT} replaced: it must log in with the new one" in told.out
    assert "long-secret" not in told.out
    assert pyshell.line(f"{line}=second-long-secret").done().out.endswith("nothing to do.\n")
    short = pyshell.line(f"{line}=hello")
    assert short.status == 0
    assert f"The CHAP secret for {CLIENT} is shorter than 12 bytes" in short.err
    assert "hello" not in short.out + short.err


def test_chap_of_another_kind_than_is_there_is_told(pyshell: Pyshell) -> None:
    line = f"share {LEE} to={CLIENT} chap"
    pyshell.line(f"{line}=oneway")
    became = f"CHAP of {CLIENT} becomes mutual: it needs the target's secret as well."
    assert became in pyshell.line(f"{line}=mutual").err
    pyshell.line(f"{line}=mutual").done()
    ran = pyshell.line(f"{line}=oneway").done(noting=f"CHAP of {CLIENT} stays mutual")
    command = re.search("'(.*)'", ran.err)
    assert command
    pyshell.must(command[1])
    pyshell.line(f"{line}=oneway").done()
    assert (
        "1-way auth" in pyshell.line(f"ls /iscsi/{data(pyshell, line + '=oneway')['target']}").out
    )


def test_chap_for_one_disk_is_told_to_be_needed_for_those_before(pyshell: Pyshell) -> None:
    pyshell.must(ONE_LINE, f"share /dev/sdb to={CLIENT}")
    ran = pyshell.line(f"share /dev/nvme0n1 to={CLIENT} chap=oneway")
    assert f"requires CHAP now: {CLIENT} needs it for LUN 0 and 1 as well." in ran.err


def test_a_portal_that_another_covers_is_told(exported: Pyshell) -> None:
    line = f"share {LEE} to={CLIENT} portal=10.0.0.1"
    ran = exported.line(line).done(noting="0.0.0.0:3260 covers 10.0.0.1 already")
    exported.must(f"{TPG}/portals delete 0.0.0.0 3260")
    assert f"'{TPG}/portals delete 0.0.0.0 3260'" in ran.err
    exported.must(line)
    assert "10.0.0.1:3260" in exported.line(f"ls {TPG}/portals").out
    exported.must(f"share {LEE} to={CLIENT} portal=10.0.0.1")


@pytest.mark.parametrize(
    "more",
    ["userid=me", "mutual_password=x password=x", f"password=x to={CLIENT},{OTHER}"],
)
def test_chap_that_cannot_be_meant_is_refused(pyshell: Pyshell, more: str) -> None:
    to = "" if "to=" in more else f"to={CLIENT}"
    assert pyshell.line(f"share {LEE} {to} {more}").status == 2


def test_chap_does_not_keep_out_those_that_are_there(pyshell: Pyshell) -> None:
    pyshell.must(ONE_LINE)
    ran = pyshell.line(f"share /dev/sdb to={OTHER} chap=oneway")
    assert ran.status == 5
    assert f"keep out {CLIENT}, which has no secret." in ran.err
    pyshell.line(f"share {LEE} to={CLIENT} chap=oneway").done(noting="CHAP")
    ran = pyshell.line(f"share /dev/sdb to={OTHER}")
    assert ran.status == 2
    assert f"{OTHER} has no secret" in ran.err


def test_unshare_takes_all_back(pyshell: Pyshell) -> None:
    pyshell.must(f"/iscsi create {SERVER}", f"/iscsi delete {SERVER}")
    before = pyshell.tree()
    pyshell.must(ONE_LINE, f"unshare {LEE}")
    assert pyshell.tree() == before
    assert pyshell.line(f"unshare {LEE}").status == 3
    pyshell.line(f"unshare {LEE} missing_ok=true").done(noting=f"{LEE} is not shared")
    pyshell.must("undo")
    assert pyshell.line(f"ls {TPG}").out.count("lee_block") == 2


def test_unshare_says_that_chap_stays_where_it_does(pyshell: Pyshell) -> None:
    pyshell.must(ONE_LINE)
    pyshell.line(f"share /dev/sdb to={CLIENT} chap=oneway")
    assert pyshell.line("unshare sdb --dry-run").done().err == ""  # lee_block needs it
    pyshell.must(f"{ACL} delete 0")
    ran = pyshell.line("unshare sdb").done(noting=f"TPG 1 of target {SERVER} still requires CHAP")
    assert f"'{TPG} set attribute authentication=0' ends that." in ran.err
    pyshell.must(f"unshare {LEE}")  # with its target


def test_unshare_leaves_alone_what_is_of_use_to_others(pyshell: Pyshell) -> None:
    pyshell.must(ONE_LINE, f"{TPG}/acls create {OTHER} add_mapped_luns=false")
    before = tree(pyshell)
    pyshell.must(f"share /dev/sdb to={CLIENT}", "unshare /dev/sdb")
    assert tree(pyshell) == before
    # An initiator that sees no disk, and the target that lets it in, were there before.
    pyshell.must(f"unshare {LEE}")
    shown = pyshell.line("ls").out
    assert OTHER in shown
    assert CLIENT not in shown


def test_a_storage_object_that_another_fabric_exports_stays(pyshell: Pyshell) -> None:
    loop = "naa.50014055c1b5d6ed"
    pyshell.must(ONE_LINE, f"/loopback create {loop}")
    pyshell.must(f"/loopback/{loop}/luns create /backstores/block/lee_block")
    ran = pyshell.line(f"unshare {LEE}").done(noting="/backstores/block/lee_block stays")
    assert f"Deleted Target {SERVER}." in ran.lines
    assert pyshell.line("/backstores/block/lee_block status").status == 0


def test_unshare_from_one_initiator_keeps_the_disk_for_the_other(pyshell: Pyshell) -> None:
    pyshell.must(ONE_LINE, f"share {LEE} to={OTHER}", f"unshare {LEE} to={CLIENT}")
    shown = pyshell.line("ls").out
    assert CLIENT not in shown
    assert "lun0 block/lee_block" in shown
    pyshell.must(f"unshare {LEE} to={OTHER}")
    assert "Targets: 0" in pyshell.line("/iscsi status").out


def test_the_guide_that_is_told_names_the_initiator_where_others_have_disks(
    pyshell: Pyshell,
) -> None:
    assert f"'guide {SERVER}' shows" in pyshell.must(ONE_LINE)[-1]
    told = pyshell.must(f"share /dev/sdb to={OTHER} target={SERVER}")[-1]
    assert f"'guide {SERVER} {OTHER}' shows" in told
    assert pyshell.line(f"guide {SERVER} {OTHER}").status == 0


def test_the_command_that_shows_generated_secrets_works_where_others_have_disks(
    pyshell: Pyshell,
) -> None:
    second = "iqn.2020-07.com.example:second"
    pyshell.must(ONE_LINE, f"share /dev/sdd to={OTHER} target={second}")
    err = pyshell.line(f"share /dev/sdb to={OTHER},{CLIENT} target={second} chap=oneway").err
    (shows,) = re.findall("generated: '(.*?)'", err)
    assert "node.session.auth.password -v" in pyshell.line(shows).out


def test_unshare_says_whom_it_cuts_off_and_asks_at_a_terminal(pyshell: Pyshell) -> None:
    pyshell.must(ONE_LINE)
    pyshell.simulator.login(SERVER, 1, CLIENT, "192.168.56.105")
    told = pyshell.line(f"unshare {LEE}", "--dry-run").done()
    assert f"Would terminate the session of {CLIENT} at" in told.out
    refused = pyshell("unshare", LEE, stdin="n\n", keyboard=True)
    assert refused.status == 1
    assert f"This terminates the session of {CLIENT} and removes 1 target" in refused.err
    assert pyshell.line(f"ls {TPG}").status == 0


def test_only_a_shared_device_is_suggested(pyshell: Pyshell) -> None:
    assert "'ls /iscsi' shows what is." in pyshell.line("unshare sdb").err
    pyshell.must(f"share /dev/sdb to={CLIENT} name=data")
    assert "Did you mean /dev/sdb?" in pyshell.line("unshare sdb").err
