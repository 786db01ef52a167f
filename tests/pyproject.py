# SPDX-License-Identifier: Apache-2.0
"""What pyproject.toml says, for what is to be in step with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.metadata.core import ProjectMetadata
from hatchling.plugin.manager import PluginManager
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]


def project() -> Any:
    """Return the table [project], as the package's builder reads it."""
    return ProjectMetadata(str(ROOT), PluginManager()).core


def requirements() -> list[Requirement]:
    """Return the libraries that pyshell needs."""
    return [Requirement(line) for line in project().dependencies]


def extra(name: str) -> list[Requirement]:
    """Return the libraries that one feature needs."""
    return [Requirement(line) for line in project().optional_dependencies[name]]


def bound(of: Requirement, operator: str) -> str | None:
    """Return the version that stands after `>=` or `<`."""
    found = [one.version for one in of.specifier if one.operator == operator]
    return found[0] if found else None
