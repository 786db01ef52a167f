# SPDX-License-Identifier: Apache-2.0
"""`--host` and `diff HOST:` reach other hosts over ssh, here a script that stands for it."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pexpect
import pytest

from driver import (
    CLIENT,
    ROOT,
    TIME_LIMIT,
    TPG,
    Pyshell,
    Ran,
    clean_environment,
    end,
    run_here,
    run_process,
)
from pyshell.files import reading
from pyshell.host import programs, remote
from pyshell.shell.completion.shells import answer

ACL = f"{TPG}/acls/{CLIENT}"
SECRET = "a long secret"
# Keeps its arguments, and gives the last one to a shell, as the login shell of a host would get it.
SSH = """\
#!/bin/sh
printf '%s\\n' "$@" >> {folder}/arguments
env > {folder}/environment
while [ $# -gt 2 ]; do [ "$1" = -E ] && log=$2; shift; done
case $1 in
  refused) echo "ssh: connect to host refused port 22: Connection refused" >> "$log"; exit 255 ;;
  broken) echo begun; echo "Timeout, server broken not responding." >> "$log"; exit 255 ;;
  killed) kill -9 $$ ;;
esac
PATH={folder}/hosts/${{1#*@}}:/usr/bin:/bin HOME={folder} exec sh -c "$2"
"""
START = (
    "import sys; from pyshell.host import programs; programs.SEARCH_PATH = sys.argv.pop(1);"
    "from pyshell import cli; sys.exit(cli.main())"
)


class Hosts:
    """Hosts that the fake ssh reaches: `one` and `two` have pyshell, `bare` has none."""

    def __init__(self, folder: Path, forked: Path) -> None:
        self.folder = folder
        self.one = Pyshell(folder / "simulators" / "one")
        self.two = Pyshell(folder / "simulators" / "two")
        self._write("ssh", SSH.format(folder=folder))
        for name in ("one", "two"):
            simulator = f"--simulate={folder}/simulators/{name}"
            self.install(name, f'exec {forked} {simulator} "$@"')

    def _write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    def install(self, host: str, script: str) -> None:
        """Give a host a program that it takes for pyshell."""
        self._write(f"hosts/{host}/pyshell", f"#!/bin/sh\n{script}\n")

    def arguments(self) -> list[str]:
        """Return the arguments that ssh got, of all its runs."""
        path = self.folder / "arguments"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def process(self, *arguments: str, stdin: str = "") -> Ran:
        """Run pyshell as a process, with a standard input of its own."""
        return run_process([*self.program, *arguments], stdin)

    @property
    def program(self) -> list[str]:
        """Return the words that start pyshell so that it finds this ssh."""
        return [sys.executable, "-c", START, f"{self.folder}:{programs.SEARCH_PATH}"]


@pytest.fixture
def hosts(memory: Path, forked: Path, monkeypatch: pytest.MonkeyPatch) -> Hosts:
    made = Hosts(memory / "ssh", forked)
    monkeypatch.setattr(programs, "SEARCH_PATH", f"{made.folder}:{programs.SEARCH_PATH}")
    return made


def share(on: Pyshell, name: str = "disk", secret: str = SECRET) -> None:
    """Export a ramdisk to the initiator, the same on each host but for its name and secret."""
    on.must(
        f"/iscsi create {TPG.split('/')[2]}",
        f"/backstores/ramdisk create {name} 1M wwn=same",
        f"{TPG}/acls create {CLIENT}",
        f"{TPG}/luns create /backstores/ramdisk/{name}",
        f"{ACL} set auth userid=me password='{secret}'",
    )


# What runs there


def test_output_errors_and_status_are_those_of_the_other_host(hosts: Hosts) -> None:
    for words in (
        ["version"],
        ["-o", "json", "version"],
        ["/iscsi", "lss"],
        ["-o", "json", "/iscsi/none", "ls"],
        ["--dry-run", "/backstores/ramdisk create one 1M"],
    ):
        assert run_here(["--host", "one", *words]) == hosts.one(*words)


def test_a_command_changes_that_host_and_no_other(hosts: Hosts) -> None:
    run_here(["--host=root@two", "--save", "/backstores/ramdisk", "create", "one", "1M"]).done()
    assert "one" in hosts.two.must("/backstores/ramdisk ls")[1]
    assert hosts.two.saved_file.exists()
    assert hosts.one.must("/backstores/ramdisk ls")[1:] == []


@pytest.mark.parametrize(
    "text", ["it's", "a  b", "$(touch $HOME/run)", "`id`", 'x"y', "a\\b", "#7", "*", "\u00e9;|&"]
)
def test_the_shell_of_the_other_host_reads_each_word_as_it_was_given(
    hosts: Hosts, text: str
) -> None:
    words = ["/", "saveconfig", f"comment={text}"]
    run_here(["--host", "one", *words]).done()
    (found,) = run_here(["--host", "one", "-o", "json", "revisions"]).done().json["result"]
    assert found["comment"] == text
    assert not (hosts.folder / "run").exists()


def test_lines_of_a_file_are_sent_on_standard_input(hosts: Hosts, memory: Path) -> None:
    file = memory / "lines"
    file.write_text(f"/iscsi create {TPG.split('/')[2]}\n{TPG} set auth password='{SECRET}'\nx\n")
    file.chmod(0o600)
    ran = run_here(["--host", "one", "-f", str(file)])
    assert (ran.status, "stdin:3: Command not found: x." in ran.err) == (2, True)
    assert hosts.one.must(f"{TPG} get auth show_secrets=true password") == [f"password={SECRET} "]
    assert SECRET not in "".join(hosts.arguments())
    piped = hosts.process("--host", "one", "--keep-going", stdin="x\npwd\n")
    assert (piped.status, piped.out) == (2, "/\n")


def test_standard_input_is_read_only_if_a_word_refers_to_it(hosts: Hosts) -> None:
    share(hosts.one)
    assert hosts.process("--host", "two", "pwd", stdin="anything\n").out == "/\n"
    saved = run_here(["--host", "one", "saveconfig", "-"]).done().out
    ran = hosts.process("--host", "two", "apply", "/dev/stdin", stdin=saved)
    assert ran.status == 0, ran
    assert hosts.two.must(f"{ACL} get auth show_secrets=true password") == [f"password={SECRET} "]
    hosts.process("--host", "two", ACL, "set", "auth", "password=-", stdin="another one\n").done()
    assert hosts.two.must(f"{ACL} get auth show_secrets=true password") == ["password=another one "]


def test_a_secret_is_typed_here_without_echo(hosts: Hosts) -> None:
    share(hosts.one)
    words = ["--host", "one", ACL, "set", "auth", "password=-", "mutual_password=-"]
    start, *program = hosts.program
    child = pexpect.spawn(
        start, [*program, *words], env=clean_environment(), timeout=TIME_LIMIT, encoding="utf-8"
    )
    try:
        for question in ("password", "password again", "mutual_password", "mutual_password again"):
            child.expect_exact(f"{question}: ")
            child.sendline(f"typed {question[:6]}")
        child.expect(pexpect.EOF)
        assert "typed" not in child.before
    finally:
        end(child)
    got = hosts.one.must(f"{ACL} get auth show_secrets=true password mutual_password")
    assert got == ["password=typed passwo ", "mutual_password=typed mutual "]
    assert "typed" not in "".join(hosts.arguments())


def test_ssh_gets_neither_terminal_nor_agent_nor_the_callers_environment(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/tmp")
    run_here(["--host", "one", "pwd"]).done()
    *_, bar, host, line = hosts.arguments()
    assert (bar, host, line) == ("--", "one", "pyshell pwd")
    assert {"-T", "-a", "-x", "BatchMode=yes", "ClearAllForwardings=yes"} <= {*hosts.arguments()}
    found = (hosts.folder / "environment").read_text().splitlines()
    names = {line.partition("=")[0] for line in found}
    assert names <= {"PATH", "LC_ALL", "HOME", "SSH_AUTH_SOCK", "PWD", "SHLVL", "_", "OLDPWD"}
    assert "SSH_AUTH_SOCK=/run/agent" in found


# What is refused before ssh starts


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["ls", "password=x"], "Other users of one could see the password in 'ps'."),
        (["set", "auth", "mutual_password=x"], "Other users of one could see the mutual_password"),
        (["/ set auth userid=me password='x y'"], "Other users of one could see the password"),
        (["set", "auth", "pasword=hidden"], "Other users of one could see in 'ps' what may be"),
        (["share", "/dev/sda", "to=x", "password='-'"], "Other users of one could see the passwo"),
        (["set auth 'password=hidden"], "This quote is not closed."),
    ],
)
def test_a_secret_is_not_an_argument_of_ssh(hosts: Hosts, words: list[str], told: str) -> None:
    ran = run_here(["--host", "one", *words])
    assert ran.status == 2
    assert ran.err.startswith(told)
    assert "hidden" not in ran.err
    assert hosts.arguments() == []


def test_secrets_that_a_pipe_would_get_are_not_shown_at_a_terminal(hosts: Hosts) -> None:
    share(hosts.one)
    words = ["--host", "one", "saveconfig", "-"]
    assert SECRET in run_here(words).done().out
    shown = run_here(words, terminal=True)
    assert (shown.status, shown.out) == (2, "")
    assert "Add omit_secrets=true" in shown.err
    assert "same" in run_here([*words, "omit_secrets=true"], terminal=True).done().out


@pytest.mark.parametrize(
    "host",
    ["-oProxyCommand=id", "a b", "a;id", "$(id)", "a\nb", "@one", "root@", "-l@one", "a@b@one",
     "one:22", "ssh://one", "", ".", "-one", "one-", "127.1", "0x7f.1", "300.1.1.1", "[one]",
     "[127.0.0.1]", "fe80::1%eth0", "\u00f6ne", "one\x1b[2J", "a" * 64],
)  # fmt: skip
def test_what_is_not_a_host_does_not_reach_ssh(hosts: Hosts, host: str) -> None:
    ran = run_here([f"--host={host}", "pwd"])
    assert (ran.status, ran.out) == (2, "")
    assert "\x1b" not in ran.err
    there = host if "/" not in host else "a b"
    assert run_here([f"--simulate={hosts.one.folder}", "diff", f"'{there}:'"]).status == 2
    assert hosts.arguments() == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--simulate"], "--simulate cannot be combined with --host."),
        (["--plain"], "--plain cannot"),
        (["--color=always"], "--color cannot"),
        (["--compat"], "There is no --host in targetcli-compatible mode."),
        (["--host=two"], "--host can be given only once."),
    ],
)
def test_options_without_a_meaning_there_are_refused(
    hosts: Hosts, words: list[str], told: str
) -> None:
    ran = run_here(["--host", "one", *words, "ls"])
    assert ran.status in (1, 2)
    assert ran.err.startswith(told)
    assert hosts.arguments() == []


def test_a_real_target_is_not_reached_while_simulating(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYSHELL_SIMULATE", str(hosts.two.folder))
    assert run_here(["--host", "one", "ls"]).err.startswith("PYSHELL_SIMULATE is set")


def test_there_is_no_prompt_for_another_host(hosts: Hosts) -> None:
    ran = run_here(["--host", "one"], keyboard=True, terminal=True)
    assert (ran.status, "'ssh -t one pyshell'" in ran.err) == (2, True)


def test_tab_offers_no_object_of_this_host(exported: Pyshell) -> None:
    environment = {"XDG_STATE_HOME": str(exported.folder)}
    assert list(answer(["zsh", "pyshell --host one /isc"], environment)) == []
    assert list(answer(["zsh", "pyshell --host "], environment)) == []
    assert any("--host" in line for line in answer(["zsh", "pyshell --ho"], environment))


# What fails


@pytest.mark.parametrize(
    ("host", "status", "told"),
    [
        ("refused", 1, "ssh to refused failed: connect to host refused port 22: Connection refused."
                       " 'ssh refused pyshell version' must work, and ask nothing.\n"),
        ("broken", 1, "ssh to broken failed: Timeout, server broken not responding."
                      " 'ssh broken pyshell version' must work, and ask nothing. The command may"
                      " have run, in part or completely.\n"),
        ("killed", 1, "ssh to killed failed: signal 9. "),
    ],
)  # fmt: skip
def test_a_failure_of_ssh_is_one_line(hosts: Hosts, host: str, status: int, told: str) -> None:
    ran = run_here(["--host", host, "pwd"])
    assert ran.status == status
    assert ran.err.startswith(told)
    as_json = run_here(["-o", "json", "--host", host, "pwd"])
    assert told.startswith(json.loads(as_json.err)["error"])
    diff = run_here(["diff", f"{host}:", "one:"])
    assert diff.status == 2
    assert diff.err.startswith(told.partition(". ")[0])


def test_ctrl_c_says_that_the_command_may_run_on(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(remote, "_copy", interrupted)
    ran = run_here(["--host", "one", "pwd"])
    assert (ran.status, ran.err) == (
        130, "Interrupted. The command may still be running on one.\n"
    )  # fmt: skip


def test_a_host_without_pyshell_is_named(hosts: Hosts) -> None:
    ran = run_here(["--host", "bare", "pwd"])
    assert ran.status == 3
    assert ran.err.splitlines()[-1].startswith("No pyshell in the PATH of bare. Install it.")
    assert run_here(["diff", "bare:", "one:"]).status == 2


def test_a_host_without_ssh_is_told_so(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "SEARCH_PATH", "/nowhere")
    ran = run_here(["--host", "one", "pwd"])
    assert (ran.status, ran.err) == (
        3, "Cannot reach one: this host has no ssh. Install the OpenSSH client.\n"
    )  # fmt: skip


# What a hostile host prints


def test_output_of_another_host_does_not_act_on_the_terminal(hosts: Hosts) -> None:
    hosts.install(
        "one", r"""printf 'a\033[2J\r\tb\377\r\n'; printf '\033]0;x\007\342' >&2; exit 3"""
    )
    ran = run_here(["--host", "one", "pwd"], terminal=True)
    assert (ran.out, ran.status) == ("a\\x1b[2J\\x0d\tb\\xff\n", 3)
    assert ran.err == "\\x1b]0;x\\x07\\xe2"


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo hello", "What pyshell printed on two is not JSON"),
        ("true", "What pyshell printed on two is empty"),
        ("echo '[]'", "What pyshell printed on two contains no saved configuration"),
        ("""echo '{"result": {"targets": 7}}'""", "What pyshell printed on two contains no saved"),
        ("""echo '{"result": {"storage_objects": [{"plugin": "block", "name": "../x"}]}}'""",
         "/backstores/block/../x: '../x' cannot be a name"),
        ("head -c 200000 /dev/zero | tr '\\0' '['", "What pyshell printed on two is not JSON"),
        ("printf '{\"result\": \"\\033[2J\"}'", "What pyshell printed on two is not JSON"),
        ("""echo '{"error": "no\\u001b[2J", "hint": 7}' >&2; exit 4""", "two: no\\x1b[2J. 7\n"),
        ("echo 'bad thing' >&2; exit 9", "pyshell failed on two: bad thing."),
        ("exit 9", "pyshell failed on two: exit status 9."),
    ],
)  # fmt: skip
def test_a_document_of_another_host_is_not_trusted(hosts: Hosts, script: str, told: str) -> None:
    hosts.install("two", script)
    ran = run_here(["diff", "one:", "two:"])
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(told)
    assert "\x1b" not in ran.err


def test_output_of_another_host_is_limited(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LARGE", 1 << 20)
    hosts.install("two", "cat /dev/zero")
    ran = run_here(["diff", "one:", "two:"])
    assert (ran.status, ran.err) == (2, "The other host printed more than 1 MiB.\n")


def test_a_document_of_another_host_reads_no_file_of_this_one(hosts: Hosts, memory: Path) -> None:
    share(hosts.one)
    file = memory / "secret"
    file.write_text(f"{SECRET}\n")
    file.chmod(0o600)
    answered = json.loads(hosts.one("-o", "json", "saveconfig", "-").out)
    (acl,) = answered["result"]["targets"][0]["tpgs"][0]["node_acls"]
    del acl["chap_password"]
    acl["chap_password_file"] = str(file)
    (memory / "answer").write_text(json.dumps(answered))
    hosts.install("two", f"cat {memory}/answer")
    ran = run_here(["diff", "one:", "two:"])
    assert (ran.status, ran.out) == (0, "")
    assert ran.err.startswith(f"Not compared: CHAP secrets of {ACL}")


# Two hosts compared


def test_two_hosts_are_compared_with_their_secrets(hosts: Hosts) -> None:
    share(hosts.one)
    share(hosts.two)
    assert run_here(["diff", "one:", "root@two:"]).done().out == ""
    hosts.two.must(f"{ACL} set auth password='another one'", "/backstores/ramdisk create more 1M")
    before = hosts.one.files(), hosts.two.files()
    ran = run_here(["diff", "one:", "two:"])
    assert ran.status == 1
    assert ran.lines[:2] == ["--- one:", "+++ two:"]
    assert re.search(r"password: differs", ran.out)
    assert "more" in ran.out
    commands = run_here(["diff", "one:", "two:", "form=commands"])
    assert [line.split(" ")[:2] for line in commands.lines] == [
        ["/backstores/ramdisk", "create"],
        ["/backstores/ramdisk/more", "set"],
        [ACL, "set"],
    ]
    as_json = run_here(["-o", "json", "diff", "one:", "two:", "path=/iscsi"])
    (found,) = as_json.json["result"]
    assert found["path"] == ACL
    for told in (ran, commands, as_json):
        assert SECRET not in told.out + told.err
        assert "another one" not in told.out + told.err
    assert before == (hosts.one.files(), hosts.two.files())


def test_this_host_is_compared_with_saved_ones(hosts: Hosts, target: Pyshell) -> None:
    share(hosts.two)
    hosts.two.must("saveconfig", "clearconfig confirm=true")
    assert target("diff", "running", "two:").status == 1
    assert "+++ two:saved" in target("diff", "running", "two:saved").lines
    hosts.two.must("restoreconfig")
    assert target("diff", "two:", "two:saved").done().out == ""
    target.must("apply " + str(hosts.two.saved_file), "saveconfig")
    assert target("diff", "saved", "two:saved").done().out == ""
    missing = target("diff", "running", "one:saved")
    assert (missing.status, missing.err) == (
        2, "one: No such revision: saved. Run 'revisions' to list them.\n"
    )  # fmt: skip
    drawn = target("graph", "of=two:", "since=one:", "format=dot").done()
    assert CLIENT in drawn.out


def test_secrets_in_files_of_another_host_are_read_there(hosts: Hosts, memory: Path) -> None:
    share(hosts.two)
    hosts.two.must(f"saveconfig secret_files={memory}/secrets")
    assert SECRET not in hosts.two.saved_file.read_text()
    assert run_here(["diff", "two:", "two:saved"]).done().out == ""


def test_a_file_with_a_colon_is_named_with_its_folder(
    hosts: Hosts, exported: Pyshell, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported.must("saveconfig")
    monkeypatch.chdir(hosts.folder)
    for name in ("one:", "two:saved", "x"):
        Path(name).write_bytes(exported.saved_file.read_bytes())
    assert exported("diff", "./one:").done().out == ""
    assert exported("diff", f"{hosts.folder}/two:saved").done().out == ""
    assert exported("diff", "one:").status == 1
    there = exported("diff", "one:/etc/passwd")
    assert (there.status, there.err) == (
        2, "No such file: one:/etc/passwd. Copy a file of another host to this one.\n"
    )  # fmt: skip


def test_the_lines_of_the_guide_run(
    hosts: Hosts, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    share(hosts.one)
    guide = (ROOT / "docs/guide.md").read_text(encoding="utf-8").replace("storage1", "one")
    (block,) = re.findall(r"^```shell\n(.*?)^```", guide.replace("storage2", "two"), re.M | re.S)
    monkeypatch.chdir(memory)
    for name, text in (
        ("disks.txt", "/backstores/ramdisk create first 1M\n"),
        ("disks.json", hosts.one("saveconfig", "-").out),
    ):
        Path(name).write_text(text)
        Path(name).chmod(0o600)
    for line in block.splitlines():
        before, _, words = line.rpartition("pyshell ")
        stdin = Path("disks.json").read_text() if before else ""
        ran = hosts.process(*words.split(), stdin=stdin)
        assert ran.status == (1 if words.startswith("diff") else 0), (line, ran)
    assert "first" in ran.out
    assert ACL not in ran.out


def test_notes_of_another_host_name_it(hosts: Hosts) -> None:
    note = """echo '{"note": "not read"}' >&2; echo '{"result": {}}'"""
    hosts.install("one", note)
    assert run_here(["diff", "one:", "one:"]).err.splitlines() == ["one: not read"] * 2


def test_targets_under_cluster_control_are_compared_on_request_only(hosts: Hosts) -> None:
    for host in (hosts.one, hosts.two):
        share(host, secret=SECRET)
    wwn = TPG.split("/")[2]
    told = f"/iscsi/{wwn} is under cluster control"
    folder = hosts.one.config_dir / "cluster"
    folder.mkdir(parents=True)
    hosts.one.must(f"saveconfig {folder}/disk.json target={wwn}")
    hosts.one.line("saveconfig").done(noting=told)
    alone = run_here(["diff", "one:", "one:saved"]).done(noting=told)
    assert alone.out == ""
    hosts.two.must(f"{ACL} set attribute dataout_timeout=9")
    assert run_here(["diff", "one:", "two:"]).done(noting=f"{told} (one:").out == ""
    assert run_here(["diff", "one:", "two:", f"target={wwn}"]).status == 1
