# SPDX-License-Identifier: Apache-2.0
"""The example for Ansible: changed, unchanged, check mode and failures are told as they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from driver import CLIENT, LONG, SERVER, TPG, Pyshell, clean_environment
from examples.playbook import Play
from examples.readmes import EXAMPLES, lines_to_type

SECRET = "change-this-to-1"
FOLDER = EXAMPLES / "ansible"
LIBRARY = FOLDER / "roles/pyshell_target/library"


@pytest.fixture
def play(ansible: Path, pyshell: Pyshell, tmp_path: Path) -> Play:
    """Return the example's playbook, for a simulated target."""
    return Play(tmp_path, {"PYSHELL_SIMULATE": str(pyshell.folder)})


def test_the_lines_of_readme_encrypt_tell_and_do(
    play: Play, pyshell: Pyshell, forked: Path
) -> None:
    """In the short form, only the line that changes the target starts pyshell; others fork it."""
    installed, quick = play.program, play.program if LONG else forked
    password = Path(os.environ["HOME"]) / ".vault-password"
    password.parent.mkdir(parents=True, exist_ok=True)
    password.write_text("correct horse\n")
    pyshell.must("pwd")
    before = pyshell.files()
    encrypt, check, apply = lines_to_type(FOLDER)
    assert play.type(*encrypt.split()).status == 0
    assert "$ANSIBLE_VAULT" in (play.folder / "group_vars/storage/vault.yml").read_text()

    play.program = quick
    told = play.type(*check.split())
    assert told.changed == 2
    assert f"Would create {TPG}/luns/lun0 [online] (dry run)" in told.out
    assert pyshell.files() == before

    play.program = installed
    told = play.type(*apply.split(), "-vvvv")
    assert told.changed == 2
    assert SECRET not in told.out
    assert SECRET in pyshell.saved_file.read_text()
    assert f"o- {CLIENT} " in pyshell.line(f"ls {TPG}/acls").out
    assert "1-way auth" in pyshell.line(f"ls {TPG}/acls").out
    assert pyshell("-o", "json", "status").json["result"]["saved"] is True
    assert pyshell("takeover").done().out == "pyshell already restores the target at boot.\n"

    after = pyshell.files()
    play.program = quick
    assert play.type(*apply.split()).changed == 0
    assert pyshell.files() == after


def test_a_failure_of_a_play_is_pyshells_sentence(play: Play, pyshell: Pyshell) -> None:
    pyshell.line("/backstores/ramdisk delete none")  # the first change makes folders of the kernel
    before = pyshell.files()
    bad = {"pyshell_target_targets": [{"fabric": "iscsi", "wwn": "disk1"}]}
    told = play("-e", json.dumps(bad))
    assert told.status == 2
    said = "the document:1:184: $.targets[0].wwn: 'disk1' is not an iSCSI qualified name."
    assert said in told.out, told.out
    assert pyshell.files() == before


@dataclass
class Module:
    """The role's module, called as Ansible calls it on the host."""

    pyshell: Pyshell
    document: Any
    program: Path

    def __call__(self, *, check: bool = False, **options: Any) -> Any:
        """Return what the module answers."""
        document = json.dumps(options.pop("document", self.document))
        told = {"document": document, "program": str(self.program), **options}
        given = {**told, "_ansible_check_mode": check}
        given["_ansible_remote_tmp"] = str(self.pyshell.folder.parent / "tmp")
        environment = {**clean_environment(), "PYSHELL_SIMULATE": str(self.pyshell.folder)}
        environment["PYTHONWARNINGS"] = "ignore"
        done = subprocess.run(
            [sys.executable, LIBRARY / "pyshell_apply.py"],
            input=json.dumps({"ANSIBLE_MODULE_ARGS": given}), env=environment,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert SECRET not in done.stdout + done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def module(ansible: Path, pyshell: Pyshell, forked: Path) -> Module:
    """Return the role's module with the project's example as document, which runs and is saved."""
    found = Module(pyshell, json.loads(pyshell.example.read_text()), forked)
    pyshell.prepare(f"apply {pyshell.example}", "saveconfig")
    return found


def test_what_runs_and_is_saved_is_no_change(module: Module, pyshell: Pyshell) -> None:
    before = pyshell.files()
    for check in (True, False):
        told = module(check=check)
        assert (told["changed"], told["objects"], told["diff"]["prepared"]) == (False, [], "")
    assert pyshell.files() == before


def test_what_others_changed_is_put_back(module: Module, pyshell: Pyshell) -> None:
    pyshell.must(f"{TPG} set attribute authentication=0")
    told = module(check=True)
    assert told["changed"]
    assert told["messages"][0] == f"Would change {TPG}: authentication: 0 -> 1 [online] (dry run)"
    assert pyshell.must(f"{TPG} get attribute authentication") == ["authentication=0 "]
    assert module()["changed"]
    assert pyshell.must(f"{TPG} get attribute authentication") == ["authentication=1 "]


def test_what_others_made_stays_unless_it_is_to_go(module: Module, pyshell: Pyshell) -> None:
    pyshell.must("/backstores/ramdisk create more 1M", "saveconfig")
    assert not module()["changed"]
    told = module(prune=True)
    assert told["changed"]
    assert told["diff"]["prepared"].startswith("deleted /backstores/ramdisk/more [online]\n")
    assert pyshell("/backstores/ramdisk/more").status == 3


def test_what_runs_and_is_not_saved_is_saved(module: Module, pyshell: Pyshell) -> None:
    pyshell.saved_file.unlink()
    assert module(check=True)["changed"]
    assert not pyshell.saved_file.exists()
    assert module()["changed"]
    assert "Ansible" in pyshell.line("revisions").out
    assert not module(save=False)["changed"]


def test_all_faults_of_a_document_are_told_in_one_line(module: Module) -> None:
    told = module(document={"targets": [{"fabric": 1, "wwn": 2}]})
    assert told["failed"]
    assert told["msg"].startswith("the document is not a saved configuration: line 1, column ")
    assert "$.targets[0].fabric: must be text. line 1" in told["msg"]
    assert "$.targets[0].wwn: must be text. " in told["msg"]
    assert "\n" not in told["msg"]
    storage = [{"plugin": "block", "name": "disk1", "dev": "/dev/absent"}]
    told = module(
        document={"storage_objects": storage, "targets": [{"fabric": "iscsi", "wwn": "x"}]}
    )
    assert told["msg"].startswith("the document has 2 errors: the document:1:")
    assert "there is no block device /dev/absent" in told["msg"]


def test_without_pyshell_the_module_says_so(module: Module) -> None:
    assert "pyshell-that-is-not-there" in module(program="pyshell-that-is-not-there")["msg"]


def test_the_module_describes_itself(ansible: Path, tmp_path: Path) -> None:
    command = [
        str(ansible / "ansible-doc"),
        "-j",
        "-t",
        "module",
        "-M",
        str(LIBRARY),
        "pyshell_apply",
    ]
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    described = json.loads(done.stdout)["pyshell_apply"]["doc"]
    assert described["options"].keys() == {"document", "prune", "save", "program"}


def test_the_variables_name_the_readmes_target() -> None:
    assert f"wwn: {SERVER}" in (FOLDER / "group_vars/storage/target.yml").read_text()
