# SPDX-License-Identifier: Apache-2.0
"""The alert rules and the dashboard for the metrics, as tests read them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from driver import ROOT

FOLDER = ROOT / "packaging/monitoring"
RULES = FOLDER / "pyshell.rules.yml"
DASHBOARD = FOLDER / "grafana-dashboard.json"
_VARIABLES = {"$instance": ".*", "$target": ".*", "$__rate_interval": "10s"}


def alerts() -> list[str]:
    """Return the names of the alerts."""
    return re.findall(r"- alert: (\w+)", RULES.read_text(encoding="utf-8"))


def panels() -> list[Any]:
    """Return the panels of the dashboard that show something."""
    found = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return [panel for panel in found if panel["type"] != "row"]


def expressions() -> Iterator[tuple[str, str]]:
    """Yield title and expression of each query of the panels, its variables replaced."""
    for panel in panels():
        for query in panel["targets"]:
            text = query["expr"]
            for name, value in _VARIABLES.items():
                text = text.replace(name, value)
            yield panel["title"], text
