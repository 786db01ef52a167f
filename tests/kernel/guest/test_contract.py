# SPDX-License-Identifier: Apache-2.0
"""The contract of `targetcli`, call by call, on the real kernel."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contractcases import CALLS
from driver import run_here


def test_every_call_of_the_contract_in_its_order(
    lee: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TARGETCLI_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PYSHELL_SIMULATE", raising=False)
    places = {"DEV": str(lee), "FILE": str(tmp_path / "saved.json")}
    for number, call in enumerate(CALLS):
        argv, out = list(call.argv), call.out
        for word, path in places.items():
            argv = [text.replace(word, path) for text in argv]
            out = out.replace(word, re.escape(path))
        ran = run_here(argv, call.stdin, "/usr/bin/targetcli")
        told = f"{number}: {argv}: {ran}"
        assert ran.status == call.status, told
        assert re.fullmatch(out, ran.out), told
        if call.err:
            assert re.fullmatch(call.err, ran.err), told
