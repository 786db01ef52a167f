# SPDX-License-Identifier: Apache-2.0
"""What programs that call `targetcli` rely on, as one list of calls in their order.

Each is an argument vector (and what stands on standard input) with the exit status, and patterns
that the whole of standard output and of standard error must match. DEV is a block device, HOME the
folder of preferences, FILE a file that may be written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WWN = "iqn.2003-01.org.linux-iscsi.host.x8664:sn.0123456789ab"
INITIATOR = "iqn.1994-05.com.redhat:client"
TPG = f"/iscsi/{WWN}/tpg1"
ACL = f"{TPG}/acls/{INITIATOR}"
TREE = (
    r"(?s)o- tpg1 \.+ \[.*\]\n  o- acls \.+ \[ACLs: 1\]\n"
    r".*o- luns \.+ \[LUNs: 1\]\n.*o- portals \.+ \[Portals: 1\]\n.*"
)
LINES = """# a comment

   \t
 /backstores/ramdisk  create ram4 1M
bogus
cd /iscsi
status
exit
never
"""
ANSWERS = (
    r"(?s)targetcli shell version .*\n\n(?:/> )+Created ramdisk ram4 with size 1M\.\n"
    r"/> /> /iscsi> Status for /iscsi: Targets: 1\n/iscsi> Global pref auto_save_on_exit=true\n"
    r"(?:Last \d+ configs saved in .*\n)?Configuration saved to .*\n"
)


@dataclass(frozen=True)
class Call:
    """One call of targetcli."""

    argv: Sequence[str]
    out: str = ""
    """A regular expression for all of standard output."""
    status: int = 0
    err: str = ""
    stdin: str = ""


def ok(line: str, out: str = "") -> Call:
    """Return a call whose arguments are the words of a line, and that says just `out`."""
    return Call(line.split(), out)


def fails(line: str, err: str = r".+\n") -> Call:
    """Return a call that fails with one line on standard error and nothing else."""
    return Call(line.split(), "", 1, err)


CALLS = [
    # argv, start node, options, streams
    Call(["--version"], "", 0, r".* 3\.0\.2\n"),
    Call(["-v"], "", 0, r".* 3\.0\.2\n"),
    Call(["version"], "", 0, r".* 3\.0\.2\n"),
    Call(["--help"], "", 255, r"(?s).*Usage:.*"),
    Call(["-h"], "", 255, r"(?s).*Usage:.*"),
    Call(["--disable-daemon"], r"(?s).*"),
    ok("clearconfig confirm=True", r"All configuration cleared\n"),
    ok(
        "set global auto_add_default_portal=true",
        r"Parameter auto_add_default_portal is now 'true'\.\n",
    ),
    ok("get global auto_add_default_portal", r"auto_add_default_portal=true \n"),
    ok("set global default_portal_address=0.0.0.0", r"Parameter .*\n"),
    # backstores
    Call(["/backstores/ramdisk create ram1 1M"], r"Created ramdisk ram1 with size 1M\.\n"),
    Call(
        ["backstores/ramdisk", "create name=ram2 size=1MB"],
        r"Created ramdisk ram2 with size 1MB\.\n",
    ),
    Call(["/backstores/ramdisk/", "create", "ram3", "1M", "wwn="], r"(?s).*", 0, r"(?s).*"),
    ok(
        "/backstores/block create dev=DEV name=disk1",
        r"(?s).*Created block storage object disk1 using DEV\.\n",
    ),
    ok(
        "/backstores/fileio create file1 FILE.img 1M",
        r"(?s).*Created fileio file1 with size 1048576\n",
    ),
    ok("/backstores/fileio delete file1", r"Deleted storage object file1\.\n"),
    fails("/backstores/ramdisk create ram1 1M"),
    fails("/backstores/ramdisk delete nothing"),
    fails("/backstores/block create x /nowhere"),
    # iSCSI
    ok(
        f"/iscsi create {WWN}",
        rf"Created target {WWN}\.\nCreated TPG 1\.\nGlobal pref auto_add_default_portal=true\n"
        r"Created default portal listening on all IPs \(0\.0\.0\.0\), port 3260\.\n",
    ),
    fails(f"/iscsi create {WWN}"),
    fails("/iscsi delete iqn.2003-01.org.nothing:x"),
    ok(
        f"iscsi/{WWN}/tpg1/portals/ delete 0.0.0.0 3260",
        r"Deleted network portal 0\.0\.0\.0:3260\n",
    ),
    ok(
        f"{TPG}/portals create 127.0.0.1",
        r"Using default IP port 3260\nCreated network portal 127\.0\.0\.1:3260\.\n",
    ),
    ok(f"{TPG}/acls create {INITIATOR}", rf"Created Node ACL for {INITIATOR}\n"),
    ok(
        f"{TPG}/luns create /backstores/ramdisk/ram1",
        rf"Created LUN 0\.\nCreated LUN 0->0 mapping in node ACL {INITIATOR}\n",
    ),
    ok(
        f"{TPG}/luns create lun=5 storage_object=/backstores/ramdisk/ram2 add_mapped_luns=false",
        r"Created LUN 5\.\n",
    ),
    ok(
        f"{ACL} create mapped_lun=5 tpg_lun_or_backstore=lun5 write_protect=1",
        r"Created Mapped LUN 5\.\n",
    ),
    ok(f"{ACL} delete 5", r"Deleted Mapped LUN 5\.\n"),
    ok(f"{TPG}/luns delete 5", r"Deleted LUN 5\.\n"),
    ok(
        f"{TPG} set attribute authentication=0 generate_node_acls=1",
        r"Parameter authentication is now '0'\.\nParameter generate_node_acls is now '1'\.\n",
    ),
    ok(
        f"{ACL} set auth userid=me password=secretsecret",
        r"Parameter userid is now 'me'\.\nParameter password is now 'secretsecret'\.\n",
    ),
    ok(f"{TPG} get attribute generate_node_acls", r"generate_node_acls=1 \n"),
    ok(f"{TPG} disable", r"The TPGT has been disabled\.\n"),
    ok(f"{TPG} enable", r"The TPGT has been enabled\.\n"),
    # looking
    ok("sessions", r"\(no open sessions\)\n"),
    ok("sessions detail", r"\(no open sessions\)\n"),
    ok("/iscsi status", r"Status for /iscsi: Targets: 1\n"),
    ok("/backstores/ramdisk status", r"Status for /backstores/ramdisk: Storage Objects: 3\n"),
    ok(TPG),
    fails("/nowhere", r"No such path /nowhere.*\n"),
    Call([f"{TPG} ls"], TREE),
    # lines on standard input
    Call([], ANSWERS, 0, r"(?s).+\n", LINES),
    # saving
    ok("saveconfig FILE", r"Configuration saved to FILE\n"),
    Call(
        ["/ saveconfig"],
        r"(?s)(?:Last \d+ configs saved in .*\n)?Configuration saved to .*saveconfig\.json\n",
    ),
    fails("restoreconfig FILE"),
    ok("clearconfig confirm=True", r"All configuration cleared\n"),
    ok("restoreconfig FILE", r"Configuration restored from FILE\n"),
    ok(f"{TPG}/acls delete {INITIATOR}", rf"Deleted Node ACL {INITIATOR}\.\n"),
    ok(f"/iscsi delete {WWN}", rf"Deleted Target {WWN}\.\n"),
    ok("/backstores/block delete disk1", r"Deleted storage object disk1\.\n"),
    ok("clearconfig confirm=True", r"All configuration cleared\n"),
]
