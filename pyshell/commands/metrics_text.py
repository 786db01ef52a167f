# SPDX-License-Identifier: Apache-2.0
"""Metrics as OpenMetrics text, and as data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pyshell.characters import visible
from pyshell.commands.metrics import Family, Labels

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def lines(families: Sequence[Family]) -> Iterator[str]:
    """Yield the lines of an exposition, `# EOF` the last."""
    for family in families:
        yield f"# TYPE {family.name} {family.kind}"
        if family.unit:
            yield f"# UNIT {family.name} {family.unit}"
        yield f"# HELP {family.name} {_escaped(family.help)}"
        name = f"{family.name}_total" if family.kind == "counter" else family.name
        for labels, value in family.values:
            yield f"{name}{_labels(labels)} {_number(value)}"
    yield "# EOF"


def data(families: Sequence[Family]) -> dict[str, Any]:
    """Return the metrics as data."""
    return {
        family.name: {
            "kind": family.kind,
            "values": [{**labels, "value": value} for labels, value in family.values],
        }
        for family in families
    }


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items()) + "}"


def _escaped(text: str) -> str:
    # Bytes of a name that are no text would make the whole exposition unreadable.
    return visible(text, keep="\n").replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
