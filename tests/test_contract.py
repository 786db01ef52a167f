# SPDX-License-Identifier: Apache-2.0
"""What programs rely on that call `targetcli`, byte for byte in both manners."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from driver import CLIENT, ROOT, SERVER, TPG, Pyshell, run_here

ACL = f"{TPG}/acls/{CLIENT}"
SHARED = "Default portal not created, TPGs within a target cannot share ip:port."


@pytest.fixture
def targetcli(exported: Pyshell, monkeypatch: pytest.MonkeyPatch) -> Pyshell:
    """Return pyshell as called by targetcli's name; the simulator comes from the environment."""
    monkeypatch.setenv("PYSHELL_SIMULATE", str(exported.folder))
    exported.program = "/usr/bin/targetcli"
    return exported


@pytest.mark.parametrize(
    "arguments",
    [
        ["/backstores/ramdisk", "create", "disk1", "1M"],
        ["/backstores/ramdisk create disk1 1M"],
        ["/backstores/ramdisk", "create disk1 1M"],
        ["backstores/ramdisk", "create", "disk1", "1M"],
        ["backstores/ramdisk/ create name=disk1", "size=1M"],
        ["  /backstores/ramdisk  ", "create   disk1", " 1M "],
    ],
)
@pytest.mark.parametrize("program", ["pyshell", "targetcli"])
def test_arguments_are_joined_to_a_line(
    pyshell: Pyshell, arguments: list[str], program: str
) -> None:
    pyshell.program = program
    assert pyshell(*arguments).done().out == "Created ramdisk disk1 with size 1M.\n"


def test_an_argument_behind_the_command_is_one_value(pyshell: Pyshell) -> None:
    pyshell("/backstores/fileio", "create", "image", "/srv/my image.img", "1M").done()
    assert (pyshell.folder / "files/srv/my image.img").is_file()


def test_targetclis_arguments_are_split_at_their_blanks(targetcli: Pyshell) -> None:
    ran = targetcli("/backstores/ramdisk", "create", "x 1M")
    assert ran.done().out == "Created ramdisk x with size 1M.\n"


def test_what_targetcli_cleared_is_left_out_of_its_save(targetcli: Pyshell) -> None:
    targetcli("saveconfig").done()
    lines = ["clearconfig confirm=true", "/backstores/ramdisk create x 1M"]
    assert targetcli(stdin="\n".join(lines)).status == 0
    assert [so["name"] for so in targetcli.document()["storage_objects"]] == ["x"]


@pytest.mark.parametrize("option", ["--version", "-v", "version"])
def test_targetclis_version_compares_as_new_enough(targetcli: Pyshell, option: str) -> None:
    ran = run_here([option], program=targetcli.program)
    assert (ran.out, ran.status) == ("", 0)
    assert ran.err.count("\n") == 1
    version = tuple(int(part) for part in ran.err.split()[-1].split("."))
    assert version >= (2, 1, 51)


@pytest.mark.parametrize("option", ["--help", "-h", "help"])
def test_targetclis_help_ends_with_255(targetcli: Pyshell, option: str) -> None:
    ran = run_here([option], program=targetcli.program)
    assert (ran.out, ran.status) == ("", 255)
    assert "Usage:" in ran.err


@pytest.mark.parametrize("option", ["--disable-daemon", "disable-daemon"])
def test_targetcli_may_be_told_to_leave_its_daemon(targetcli: Pyshell, option: str) -> None:
    assert run_here([option], program=targetcli.program).status == 0


@pytest.mark.parametrize(
    "line",
    ["bogus", "/bogus ls", f"/iscsi create {SERVER}", "/iscsi delete iqn.2020-07.com.example:x",
     "/backstores/ramdisk create x 1Q", "ls 'not closed", "/bogus", "clearconfig"],
)  # fmt: skip
def test_targetclis_errors_are_one_line_and_status_1(targetcli: Pyshell, line: str) -> None:
    ran = targetcli(line)
    assert (ran.out, ran.status) == ("", 1)
    assert ran.err.count("\n") == 1


def test_targetclis_usage_errors_have_status_1_too(targetcli: Pyshell) -> None:
    assert run_here(["--bogus"], program=targetcli.program).status == 1
    assert run_here(["-f", "/nothing"], program=targetcli.program).status == 1


def test_targetclis_batch_goes_on_and_ends_with_0(targetcli: Pyshell) -> None:
    ran = targetcli.batch(["pwd", "bogus", "/backstores/ramdisk create x 1M", "exit", "pwd"])
    assert ran.status == 0
    assert ran.lines[2:4] == ["", "/> /"]
    assert ran.lines[4] == "/> /> Created ramdisk x with size 1M."
    assert ran.lines[-1] == f"Configuration saved to {targetcli.saved_file}"
    assert ran.err.count("\n") == 1


def test_targetcli_shows_secrets(targetcli: Pyshell) -> None:
    assert targetcli(TPG, "set", "auth", "password=S").done().out == (
        "Parameter password is now 'S'.\n"
    )
    assert targetcli(TPG, "get", "auth", "password").done().out == "password=S \n"
    assert "chap_password: S" in targetcli(TPG, "info").done().lines


def test_the_option_gives_the_same_manner(exported: Pyshell) -> None:
    ran = exported("--compat", "bogus")
    assert (ran.err.count("\n"), ran.status) == (1, 1)
    assert exported("--compat", "--help").status == 255


@pytest.mark.parametrize("program", ["pyshell", "targetcli"])
@pytest.mark.parametrize(
    ("line", "sentences"),
    [
        (f"/iscsi/{SERVER} create 2", ["Created TPG 2.", SHARED]),
        (f"{TPG}/acls create iqn.2020-07.com.example:i",
         ["Created Node ACL for iqn.2020-07.com.example:i", "Created mapped LUN 0."]),
        (f"{ACL} create 3 0",
         ["Warning: TPG LUN 0 already mapped to this NodeACL", "Created Mapped LUN 3."]),
        (f"{ACL} delete 0", ["Deleted Mapped LUN 0."]),
        (f"{TPG}/luns create /dev/sdb",
         ["Created storage object sdb.", "Created LUN 1.",
          f"Created LUN 1->1 mapping in node ACL {CLIENT}"]),
        (f"{TPG}/luns delete lun0", ["Deleted LUN 0."]),
        (f"{TPG}/acls delete {CLIENT}", [f"Deleted Node ACL {CLIENT}."]),
        (f"{TPG}/portals delete 0.0.0.0 3260", ["Deleted network portal 0.0.0.0:3260"]),
        (f"{TPG}/portals create 192.0.2.1 3261", ["Created network portal 192.0.2.1:3261."]),
        (f"{TPG} disable", ["The TPGT has been disabled."]),
        (f"{TPG} enable", ["The TPGT is already enabled."]),
        (f"{TPG} set attribute authentication=1", ["Parameter authentication is now '1'."]),
        ("set global auto_add_mapped_luns=no", ["Parameter auto_add_mapped_luns is now 'false'."]),
        ("/backstores/ramdisk create r 16MiB", ["Created ramdisk r with size 16MiB."]),
        ("/backstores/fileio create f /srv/f.img 1k", ["Created fileio f with size 1024"]),
        ("/backstores/block create b /dev/sdb",
         ["Created block storage object b using /dev/sdb."]),
        ("/backstores/pscsi create p /dev/sdc",
         ["Note: block backstore recommended for SCSI block devices",
          "Created pscsi storage object p using /dev/sdc"]),
        ("/backstores/block delete lee_block", ["Deleted storage object lee_block."]),
        (f"/iscsi delete {SERVER}", [f"Deleted Target {SERVER}."]),
        (f"/iscsi/{SERVER} delete 1", ["Deleted TPGT 1."]),
        ("saveconfig", ["Configuration saved to FILE"]),
        ("clearconfig confirm=true", ["All configuration cleared"]),
        ("sessions", ["(no open sessions)"]),
        ("sessions detail", ["(no open sessions)"]),
        ("/iscsi status", ["Status for /iscsi: Targets: 1"]),
    ],
)  # fmt: skip
def test_sentences_are_kept_byte_for_byte(
    exported: Pyshell, program: str, line: str, sentences: list[str]
) -> None:
    exported.program = program
    ran = exported.line(line)
    wanted = [said.replace("FILE", str(exported.saved_file)) for said in sentences]
    assert (ran.lines, ran.status) == (wanted, 0)


def test_the_restore_says_from_where(exported: Pyshell) -> None:
    exported.must("saveconfig", "clearconfig confirm=true")
    assert exported.must("restoreconfig") == [f"Configuration restored from {exported.saved_file}"]


def test_the_saved_file_is_as_rtslib_writes_it(exported: Pyshell) -> None:
    exported.must("saveconfig")
    text = exported.saved_file.read_text()
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"
    lun = exported.document()["targets"][0]["tpgs"][0]["luns"][0]
    assert lun["storage_object"] == "/backstores/block/lee_block"
    assert lun["index"] == 0


def test_lines_of_the_tree_are_as_scripts_read_them(exported: Pyshell) -> None:
    exported.must(*(f"/backstores/ramdisk create disk{n} 1M" for n in (10, 9, 1)))
    exported.must(*(f"{TPG}/luns create /backstores/ramdisk/disk{n}" for n in (1, 9, 10)))
    lines = exported("ls").done().lines
    assert all(re.fullmatch(r"[ |]*o- \S+ \.+ \[.*\]", line) for line in lines)
    names = [line.split("o- ")[1].split(" ")[0] for line in lines]
    assert names.index("acls") < names.index("luns") < names.index("portals")
    assert [name for name in names if name.startswith("disk")] == ["disk1", "disk9", "disk10"]


def test_the_groups_of_a_node_acl_are_targetclis(exported: Pyshell) -> None:
    ours, theirs = (exported(*option, ACL, "get").out.split() for option in ((), ("--compat",)))
    assert (set(ours) - set(theirs), set(theirs) - set(ours)) == ({"queue"}, set())


@pytest.mark.parametrize("program", ["pyshell", "targetcli"])
def test_what_was_begun_is_told_in_targetclis_manner_where_it_fails(
    target: Pyshell, program: str
) -> None:
    target.prepare(f"{TPG}/portals delete 0.0.0.0 3260", f"{TPG}/portals create 192.168.56.101")
    target.program = program
    ran = target.line(f"{TPG}/portals create 192.168.56.101")
    begun = "Using default IP port 3260\n" if program == "targetcli" else ""
    assert ran.out == begun
    assert ran.status != 0


def test_a_missing_folder_of_the_saved_file_is_made_in_targetclis_manner(target: Pyshell) -> None:
    file = target.saved_file.parent / "kept" / "saved.json"
    assert target.line(f"saveconfig {file}").status != 0
    target.program = "targetcli"
    assert target.line(f"saveconfig {file}").out == f"Configuration saved to {file}\n"
    assert file.parent.stat().st_mode & 0o777 == 0o700


# Finding 28: what published programs look for in what targetcli says. Each row: the program, the
# line that it runs, and the pattern (or the begin or end of the line) that it looks for.
MATCHED = [
    ("openshift/verification-tests", f"{TPG}/portals create 0.0.0.0",
     "This NetworkPortal already exists in configFS"),
    ("Kairon", f"/iscsi create {SERVER}", "already exists in configFS"),
    ("Kairon", f"{TPG}/portals create 0.0.0.0 3260", "already exists in configFS"),
    ("Kairon", f"{TPG}/luns create /backstores/block/lee_block", "already exists"),
    ("Kairon", "/iscsi delete iqn.2020-07.com.example:none", "No such Target in configfs"),
    ("bard-plugin", "/backstores/block create lee_block /dev/sdb",
     r"^Storage object block/lee_block exists$"),
    ("bard-plugin", "/backstores/block delete none", "No storage object named"),
    ("stornas", f"{TPG}/luns create /backstores/block/lee_block",
     "^(?!.*not exist).*exists"),
    ("stornas", "ls /iscsi/iqn.2020-07.com.example:none 1",
     "^No such path /iscsi/iqn.2020-07.com.example:none$"),
    ("createISCSITargetReplacingExisting (Go)", f"/iscsi create {SERVER}", "(?i)already exists"),
    ("deleteISCSITarget (Go, Kubernetes)", "iscsi/ delete iqn.2020-07.com.example:none",
     "^No such Target in configfs"),
    ("deleteISCSITarget (Go, Kubernetes)", "backstores/block delete name=none",
     "^No storage object named"),
    ("swapDevManager.py", "backstores/ramdisk create name=there size=1M", "exists"),
    ("swapDevManager.py", "iscsi/ delete iqn.2020-07.com.example:none", "No such"),
    ("vtladm-iscsi", f"{ACL} create 0 0", "already mapped to this NodeACL|This MappedLUN already"),
    ("vtladm-iscsi", f"{TPG}/acls create {CLIENT}", "This NodeACL already"),
    ("vtladm-iscsi", f"/iscsi create {SERVER}", "This Target already"),
    ("vtladm-iscsi", "/backstores/block create lee_block /dev/sdb",
     "(?m)^Storage object .* exists$"),
    ("menu.sh of quorum disks (bats)", f"{TPG}/acls create {CLIENT}",
     "This NodeACL already exists in configFS"),
    ("menu.sh of quorum disks (bats)", f"{TPG}/acls delete iqn.2020-07.com.example:none",
     "No such NodeACL in configfs"),
    ("menu.sh of quorum disks (bats)", f"{TPG}/acls create iq.1994-04.jp.co:x",
     "WWN not valid as: iqn, naa, eui"),
    ("vtladm-iscsi", "/backstores/block create x /dev/mapper/lee-lee.lv",
     "Cannot configure.* already in use"),
    ("vtladm-iscsi", f"{TPG} get nothing x", "Unknown configuration"),
    ("yast-iscsi-lio-server", "/iscsi create nonsense", "^WWN not valid as: iqn, naa, eui$"),
    ("holo-vtl", "/backstores/user:holo ls", "No such path /backstores/user:holo"),
    ("Targetcli (Ruby)", "ls /backstores/block/none", "^No such path /backstores/block/none$"),
    ("isCHAPTargetPathMissing (Go)", "/iscsi/iqn.2020-07.com.example:none/tpg1 get auth userid",
     "(?i)no such path /iscsi/"),
]  # fmt: skip


@pytest.mark.parametrize(("program", "line", "pattern"), MATCHED)
def test_what_published_programs_match(
    targetcli: Pyshell, program: str, line: str, pattern: str
) -> None:
    """Finding 28: they take the error for what it is, and one line is all there is of it."""
    targetcli("/backstores/ramdisk create there 1M").done()
    ran = targetcli(line)
    said = ran.err.rstrip("\n")
    assert ran.status == 1
    assert "\n" not in said.removeprefix("Warning: TPG LUN 0 already mapped to this NodeACL\n")
    assert re.search(pattern, said), said
    assert f"| {program} |" in (ROOT / "docs/targetcli.md").read_text(encoding="utf-8")


def test_a_missing_device_or_size_is_told_as_targetcli_does(targetcli: Pyshell) -> None:
    for line, said in (
        ("/backstores/block create x /dev/none", "Could not open /dev/none"),
        ("/backstores/block create x /dev/mapper/lee-lee.lv",
         "Cannot configure StorageObject because device /dev/mapper/lee-lee.lv is already in use"),
        ("/backstores/fileio create x /srv/x.img",
         "Attempting to create file for new fileio backstore, need a size"),
        (f"{TPG}/portals create 192.168.56.101",
         r"Could not create NetworkPortal in configFS: \[Errno 22\] .*/np/192.168.56.101:3260'"),
        (f"{TPG}/luns delete 9", "Invalid LUN"),
        (f"{ACL} create 5 9", "LUN 9 does not exist in this TPG"),
        ("clearconfig", "As a precaution, confirm=True needs to be set"),
        ("restoreconfig /none.json", "Restore file /none.json not found"),
        ("nonsense", "Command not found nonsense"),
        ("/iscsi delete", "Missing required parameter wwn"),
        ("/iscsi create x=y", "Unexpected keyword parameter 'x'."),
        (f"{TPG} set attribute x=1", "Unknown parameter x in group 'attribute'."),
        (f"{TPG} get attribute x", "No parameter 'x' in group 'attribute'."),
        (f"{TPG} get nothing x", "Unknown configuration group: nothing"),
    ):  # fmt: skip
        ran = targetcli(line)
        assert (ran.status, bool(re.fullmatch(f"{said}\n", ran.err))) == (1, True), (line, ran.err)


def test_pyshell_itself_tells_what_exists_with_a_hint(exported: Pyshell) -> None:
    ran = exported("/iscsi", "create", SERVER)
    assert (ran.status, ran.err) == (5, f"Target {SERVER} already exists.\n")


@pytest.mark.parametrize(
    "line",
    [
        "restoreconfig {0} clear_existing",
        "restoreconfig {0} True",
        "restoreconfig {0} clear_existing target={1} storage_object=/backstores/block/lee_block",
        "restoreconfig savefile={0} clear_existing=please",
    ],
)
def test_any_word_sets_a_flag_that_targetcli_does_not_read(
    targetcli: Pyshell, line: str, tmp_path: Path
) -> None:
    """Finding 29."""
    file = str(tmp_path / "saved.json")
    targetcli(f"saveconfig {file}").done()
    targetcli("/backstores/ramdisk create extra 1M").done()
    ran = targetcli(line.format(file, SERVER)).done()
    assert ran.out == f"Configuration restored from {file}\n"
    assert targetcli("ls /backstores/ramdisk/extra").status == 1


@pytest.mark.parametrize("word", ["false", "0", "no"])
def test_a_word_for_no_clears_nothing_even_so(
    targetcli: Pyshell, word: str, tmp_path: Path
) -> None:
    file = str(tmp_path / "saved.json")
    targetcli(f"saveconfig {file}").done()
    assert targetcli(f"restoreconfig {file} clear_existing={word}").status == 1, "it exists"


def test_pyshell_itself_refuses_a_word_that_is_no_boolean(exported: Pyshell) -> None:
    exported.must("saveconfig")
    ran = exported("restoreconfig", str(exported.saved_file), "clear_existing")
    assert ran.status == 2
    assert "neither true nor false" in ran.err


# Finding 30: the log that `logfile` and `loglevel_file` ask for.

LOGGED = re.compile(r"\[(\w+)\] \d{4}-\d\d-\d\d \d\d:\d\d:\d\d (.*)")


def logged(ran: Pyshell, name: str = "/var/log/targetcli.log") -> list[tuple[str, str]]:
    """Return the levels and texts of a log of the simulated host."""
    text = (ran.folder / f"files{name}").read_text(encoding="utf-8")
    lines = [LOGGED.fullmatch(line) for line in text.splitlines()]
    assert all(lines), text
    return [(line[1], line[2]) for line in lines if line]


@pytest.fixture
def logging(targetcli: Pyshell) -> Pyshell:
    """Return pyshell in targetcli mode with a log."""
    targetcli("set global logfile=/var/log/targetcli.log loglevel_file=info").done()
    return targetcli


def test_a_log_holds_the_commands_and_what_they_said(logging: Pyshell) -> None:
    logging("/backstores/ramdisk create x 1M").done()
    assert logging("/backstores/ramdisk create x 1M").status == 1
    logging("saveconfig").done()
    found = logged(logging)
    assert ("VERBOSE", "Running command line '/backstores/ramdisk create x 1M'.") in found
    assert ("INFO", "Created ramdisk x with size 1M.") in found
    assert ("ERROR", "Storage object ramdisk/x exists") in found
    assert ("INFO", f"Configuration saved to {logging.saved_file}") in found
    mode = (logging.folder / "files/var/log/targetcli.log").stat().st_mode
    assert mode & 0o777 == 0o600


def test_a_log_holds_no_secret(logging: Pyshell, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter3-hunter3\n")
    secret.chmod(0o600)
    lines = [
        f"{ACL} set auth userid=u password=hunter2-hunter2",
        f"{ACL} set auth password=@{secret}",
        f"{ACL} set auth password 'hunter2",
        f"{ACL} get auth",
        f"{ACL} info",
    ]
    for line in lines:
        logging(line)
    logging(stdin="\n".join(lines))
    found = logged(logging)
    assert ("INFO", "Parameter password is now '********'.") in found
    assert not [text for _, text in found if "hunter" in text]


@pytest.mark.parametrize(
    ("level", "kept"),
    [
        ("critical", set()),
        ("error", {"ERROR"}),
        ("warning", {"ERROR"}),
        ("info", {"VERBOSE", "INFO", "ERROR"}),
        ("debug", {"VERBOSE", "INFO", "ERROR"}),
    ],
)
def test_the_level_of_the_log(logging: Pyshell, level: str, kept: set[str]) -> None:
    logging(f"set global loglevel_file={level}").done()
    file = logging.folder / "files/var/log/targetcli.log"
    file.write_text("")
    logging("/backstores/ramdisk create x 1M").done()
    assert logging("nonsense").status == 1
    assert {name for name, _ in logged(logging)} == kept


def test_a_log_that_cannot_be_written_is_reported_once(targetcli: Pyshell) -> None:
    (targetcli.folder / "files/var/log/file").mkdir(parents=True)
    targetcli("set global logfile=/var/log/file")
    ran = targetcli(stdin="pwd\npwd\n")
    assert ran.status == 0
    assert ran.err.count("Log not written: ") == 1


def test_a_log_is_not_written_through_a_link(logging: Pyshell, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("kept\n")
    file = logging.folder / "files/var/log/targetcli.log"
    file.unlink(missing_ok=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.symlink_to(victim)
    logging("pwd")
    if os.geteuid() == 0:
        os.lchown(file, 65534, 65534)
        victim.write_text("kept\n")
        ran = logging("pwd")
        assert victim.read_text() == "kept\n"
        assert "Log not written: " in ran.err


def test_pyshell_itself_writes_no_log(exported: Pyshell) -> None:
    exported.must("set global logfile=/var/log/targetcli.log", "pwd")
    assert not (exported.folder / "files/var/log/targetcli.log").exists()
