# SPDX-License-Identifier: Apache-2.0
"""The bed itself, from the host: what comes back from a guest, also when it dies or hangs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from . import guestmachine, image, relay
from .commands import run, wait_for
from .guestmachine import BedError
from .relay import refuse_without_bed

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
IN_GUEST_TESTS = """
import os, pytest

def test_passes(): assert os.path.isdir("/sys/kernel/config/target")
def test_fails():
    print("said by the test")
    assert os.getpid() == "an assertion of the guest"
def test_skips(): pytest.skip("a reason of the guest")
@pytest.mark.xfail
def test_fails_as_expected(): assert False
@pytest.fixture
def broken(): raise ValueError("a fixture of the guest")
def test_has_no_fixture(broken): pass
def test_not_selected(): assert False
def test_kills_pytest(): os._exit(9)
def test_never_runs(): pass
"""
# The same in the other guest, which this one's end is nothing to.
IN_OTHER_GUEST_TESTS = """
import os
from pathlib import Path

def test_has_results_of_its_own(results):
    (results / "note").write_text("from the other guest")
    assert Path(os.environ["PYSHELL_BED_RESULTS"]).name == "guest1"
"""
ON_HOST_TESTS = """
from pathlib import Path
from .commands import wait_for

def test_runs_beside_the_guests():
    results = Path({results!r})
    wait_for("both", lambda: len(list(results.glob("guest?/.started"))) == 2, 240)
"""


@pytest.fixture
def _bed() -> None:
    refuse_without_bed()


@pytest.mark.usefixtures("_bed")
class TestGuest:
    def test_brings_back_status_output_and_files(self, tmp_path: Path) -> None:
        script = 'echo said; echo complained >&2; id -u > "$PYSHELL_BED_RESULTS/file"; exit 7'
        assert guestmachine.run(["sh", "-c", script], tmp_path, 60) == 7
        assert (tmp_path / "stdout").read_text() == "said\n"
        assert (tmp_path / "stderr").read_text() == "complained\n"
        assert (tmp_path / "file").read_text() == "0\n"

    def test_runs_what_contributing_tells_to_try(self, tmp_path: Path) -> None:
        text = (ROOT / "CONTRIBUTING.md").read_text()
        (block,) = re.findall(r"^cat > /tmp/try.sh.*?^```", text, re.MULTILINE | re.DOTALL)
        script = block.removesuffix("```").replace("/tmp/try.sh", str(tmp_path / "try.sh"))
        script = script.replace(".venv/bin/pyshell", ".venv/bin/python -m pyshell")
        script = script.replace(".venv/bin/python", sys.executable)
        done = run("sh", "-e", stdin=f"cd '{ROOT}'\n{script}", timeout=240)
        assert "lun-0 -> ../../sd" in done.stdout
        assert "mapped-lun: 0 backstore: block/" in done.stdout

    def test_tells_of_a_panic_with_the_console(self, tmp_path: Path) -> None:
        with pytest.raises(BedError, match=r"died before.*(?s:.)*sysrq triggered crash"):
            guestmachine.run(["sh", "-c", "echo c > /proc/sysrq-trigger"], tmp_path, 60)

    def test_is_ended_when_its_time_is_up(self, tmp_path: Path) -> None:
        with pytest.raises(BedError, match="did not finish within 1 seconds"):
            guestmachine.run(["sleep", "600"], tmp_path, 1)

    def test_does_not_outlive_a_killed_parent(self, tmp_path: Path) -> None:
        script = f"from {guestmachine.__name__} import run; from pathlib import Path; import sys"
        script += "; run(['sleep', '600'], Path(sys.argv[1]), 600)"
        path = os.pathsep.join(filter(None, sys.path))
        command = [sys.executable, "-c", script, str(tmp_path)]
        with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}) as parent:
            try:
                wait_for("the guest", lambda: _processes_with(str(tmp_path)) - {parent.pid})
            finally:
                parent.kill()
        wait_for("its end", lambda: not _processes_with(str(tmp_path)))

    def test_results_of_its_tests_are_the_hosts(self, tmp_path: Path) -> None:
        results = tmp_path / "results"
        kernel = _copy_with_tests(
            tmp_path,
            {
                "guest/test_other.py": IN_OTHER_GUEST_TESTS,
                "guest/test_sample.py": IN_GUEST_TESTS,
                "test_beside.py": ON_HOST_TESTS.format(results=str(results)),
            },
        )
        command = [sys.executable, "-m", "pytest", "-rA", "-k", "not selected", str(kernel)]
        environment = {
            **os.environ, "PYSHELL_REQUIRE_KERNEL": "1", "PYSHELL_BED_RESULTS": str(results),
        }  # fmt: skip
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert "4 failed, 3 passed, 1 skipped, 1 deselected, 1 xfailed" in done.stdout
        for shown in (
            "said by the test",
            "== 'an assertion of the guest'",
            "a reason of the guest",
            "ValueError: a fixture of the guest",
            "did not report this test: its pytest ended with status 9",
        ):
            assert shown in done.stdout
        assert re.search(r"guest 1: \d+ seconds: test_other\.py \d+", done.stdout)
        (note,) = results.glob("guest1/files/*/note")
        assert note.read_text() == "from the other guest"


def test_why_there_is_no_guest_is_told_by_each_test(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no room for a guest")

    monkeypatch.setattr(relay, "Guest", refuse)
    found = relay.Relay(request.config, [], tmp_path)
    found.begin()
    found.look()
    for name in ("test_a.py::test", "test_b.py::test"):
        with pytest.raises(BedError, match="no guest: no room for a guest"):
            found.reports(name)
    found.close()


def test_missing_programs_are_named_by_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(image.TOOLS, "no-such-program", "no-such-package")
    assert "no-such-package" in str(image.missing())


@pytest.mark.parametrize(
    ("require", "outcome"), [("0", pytest.skip.Exception), ("1", pytest.fail.Exception)]
)
def test_lack_of_the_bed_is_a_failure_only_where_asked(
    monkeypatch: pytest.MonkeyPatch, require: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setitem(image.TOOLS, "no-such-program", "no-such-package")
    monkeypatch.setenv("PYSHELL_REQUIRE_KERNEL", require)
    with pytest.raises(outcome, match="no-such-package"):
        refuse_without_bed()


def _processes_with(word: str) -> set[int]:
    listing = run("ps", "-ewwo", "pid,args")
    return {int(line.split()[0]) for line in listing.stdout.splitlines() if word in line}


def _copy_with_tests(folder: Path, tests: Mapping[str, str]) -> Path:
    kernel = folder / "kernel"
    (kernel / "guest").mkdir(parents=True)
    for path in [*HERE.glob("*.py"), *HERE.glob("*.sh"), *HERE.glob("guest/*.py")]:
        if not path.name.startswith("test_"):
            shutil.copy(path, kernel / path.relative_to(HERE))
    for name, text in tests.items():
        (kernel / name).write_text(text)
    return kernel
