# SPDX-License-Identifier: Apache-2.0
"""One run: the core of the tests in a virtual environment with one set of libraries."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pyproject import ROOT

from .sets import Set, libraries

# What touches every library and every package, in less than a minute.
CORE = (
    *(
        "test_scenario.py",
        "test_contract.py",
        "test_tolerance.py",
        "simulator/test_under_rtslib.py",
    ),
    *("lio/test_rtslib.py", "lio/test_rtslib_older.py", "lio/test_without_rtslib.py"),
    "host/test_handlers.py",
    *("config/test_validate.py", "config/test_document_types.py", "config/test_schema.py"),
    *("config/test_restoration.py", "config/test_running.py", "tree/test_user_backstores.py"),
    *("shell/completion/test_completion.py", "render/test_render.py", "render/test_tables.py"),
    *("prompt/test_completer.py", "prompt/test_session.py", "commands/test_metrics.py"),
    *("commands/test_metrics_application.py", "commands/test_metrics_server.py"),
)
RUN_SECONDS = 900
_TIMED_OUT = 124  # the status of timeout(1)
PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
_ASKED = "import importlib.metadata as m, sys; print(*map(m.version, sys.argv[1:]))"


class RunError(Exception):
    """The environment could not be made, so nothing was tried."""


@dataclass(frozen=True)
class Run:
    """A set of libraries, and the Python that is to be used, of the release that is there."""

    name: str
    libraries: Set
    release: str
    python: Path


@dataclass(frozen=True)
class Outcome:
    """What came of a run: the libraries' versions as installed, and what pytest said in the end."""

    run: Run
    versions: list[str]
    passed: bool
    told: str
    output: str = ""


@dataclass(frozen=True)
class Told:
    """What pytest said: its last line, and its whole output if a test failed or it was ended."""

    passed: bool
    last: str
    output: str

    @staticmethod
    def by(command: list[str], environment: dict[str, str]) -> Told:
        """Run pytest with some variables more in its environment; it is ended if it hangs."""
        environment = {**os.environ, **environment}
        limited = ["timeout", "--kill-after=30", str(RUN_SECONDS), *command]
        done = subprocess.run(
            limited, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        passed = done.returncode == 0
        (*_, last) = done.stdout.splitlines() or [f"status {done.returncode}"]
        if done.returncode == _TIMED_OUT:
            last = f"ended after {RUN_SECONDS} seconds"
        return Told(passed, last, "" if passed else done.stdout + done.stderr)


def carry_out(run: Run) -> Outcome:
    """Install the libraries and run the core of the tests."""
    try:
        python = environment(run)
    except RunError as error:
        return Outcome(run, ["?"] * len(libraries()), False, "not installed", str(error))
    names = [one.name for one in libraries()]
    versions = _output([str(python), "-c", _ASKED, *names]).split()
    tests = [str(ROOT / "tests" / name) for name in CORE]
    told = Told.by([str(python), *PYTEST, *tests], {})
    return Outcome(run, versions, told.passed, told.last, told.output)


def environment(run: Run) -> Path:
    """Return the Python of a virtual environment with the libraries, kept for the next time.

    Raises RunError.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pyshell-versions"
    constraints = run.libraries.constraints()
    key = "\n".join((str(run.python), run.release, str(ROOT), *constraints))
    folder = cache / f"{run.name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    python = folder / "bin/python"
    pinned = folder / "constraints.txt"
    if not pinned.exists():  # it stands there once all before it does
        _output([str(run.python), "-m", "venv", "--clear", str(folder)])
    pinned.write_text("".join(f"{line}\n" for line in constraints))
    options = ["-q", "--disable-pip-version-check", "--upgrade", "--upgrade-strategy", "eager"]
    pip = [str(python), "-m", "pip", "install", *options, "-c", str(pinned)]
    _output([*pip, "-e", f"{ROOT}[test]"])
    # As distributions do, and pip not always: configshell-fb 1.1 gives warnings when compiled.
    libraries = str(next(folder.glob("lib/python*/site-packages")))
    _output([str(python), "-W", "ignore", "-m", "compileall", "-q", libraries], check=False)
    return python


def _output(command: list[str], *, check: bool = True) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if check and done.returncode:
        said = re.sub(r"(?m)^WARNING: .*\n", "", done.stderr)
        raise RunError(f"{' '.join(command)}: status {done.returncode}\n{said}")
    return done.stdout
