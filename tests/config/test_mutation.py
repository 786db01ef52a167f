# SPDX-License-Identifier: Apache-2.0
"""Findings 7 and 62: check, apply, its dry run, restore and save judge a document alike."""

from __future__ import annotations

from pathlib import Path

from driver import LONG

from .mutation import run


def test_check_apply_dry_run_restore_and_save_agree_about_mutated_documents(memory: Path) -> None:
    assert run(8 if LONG else 4, 17, memory) == []
