# SPDX-License-Identifier: Apache-2.0
"""Identifiers that tests write down before they know the target."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import pytest

ROOT = "/nowhere"
"""The `root` of such identifiers."""


def rooted(value: Any, root: str) -> Any:
    """Return an identifier or operation with `root` in all identifiers in it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {
            field.name: root if field.name == "root" else rooted(getattr(value, field.name), root)
            for field in dataclasses.fields(value)
            if field.init
        }
        return dataclasses.replace(value, **fields)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [rooted(one, root) for one in value]
    return value


def root_all(patch: pytest.MonkeyPatch, module: ModuleType, root: str) -> None:
    """Give `root` to all identifiers among the globals of a test module, and to its ROOT."""
    patch.setattr(module, "ROOT", root)
    for name, value in vars(module).copy().items():
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            patch.setattr(module, name, rooted(value, root))
