# SPDX-License-Identifier: Apache-2.0
"""Runs one program many times: its modules imported once, a fork for each command line.

A start of Python takes seconds in the guest. Run as a script by the program's own Python:

    python forking.py MODULE:FUNCTION [MODULE...]

with more modules to import beforehand. Each line of standard input is a run, as JSON; the answer
is the exit status. In the child the program's entry is called as its console script would.
"""

from __future__ import annotations

import functools
import gc
import importlib
import inspect
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn


def _run(entry: Callable[[], Any], asked: dict[str, Any]) -> NoReturn:
    """Be the program. Never returns."""
    for descriptor, name, flags in (
        (0, "stdin", os.O_RDONLY),
        (1, "stdout", os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, "stderr", os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        opened = os.open(asked[name], flags, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    # The parent's has read ahead.
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.argv = asked["argv"]
    signal.alarm(asked["seconds"])
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    status = 1
    try:
        status = _status(entry())
    except SystemExit as leaving:
        status = _status(leaving.code)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _status(code: Any) -> int:
    """Return the exit status that Python makes of what `sys.exit` was given."""
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    sys.stderr.write(f"{code}\n")
    return 1


def main() -> None:
    name, function = sys.argv[1].split(":")
    for module in sys.argv[2:]:
        importlib.import_module(module)
    entry = getattr(importlib.import_module(name), function)
    # configshell asks for the whole stack with each line of its log, of which it takes the caller's
    # name and number: without the sources' text that is half of the time of a line of targetcli's.
    inspect.stack = functools.partial(inspect.stack, 0)
    # A child that collects would copy what it looks at.
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _run(entry, json.loads(line))
        _, ended = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(ended)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
