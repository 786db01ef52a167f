# SPDX-License-Identifier: Apache-2.0
"""The declared metrics, and how their values are written."""

from __future__ import annotations

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from driver import CLIENT, Pyshell
from pyshell.commands import metrics
from pyshell.commands.metric_families import METRICS, Reading


def sample(reading: Reading) -> dict[str, str]:
    """Return the labels of the only value."""
    text = "".join(f"{line}\n" for line in reading.lines())
    (found,) = [one for family in text_string_to_metric_families(text) for one in family.samples]
    return dict(found.labels)


def test_names_are_as_prometheus_wants_them() -> None:
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    for metric in METRICS:
        assert re.fullmatch(r"pyshell_[a-z_]+", metric.name)
        assert metric.name.endswith(metric.unit)
        assert not metric.name.endswith("_total")
        assert metric.help.endswith(".")


def test_every_metric_can_have_a_value(exported: Pyshell) -> None:
    exported.give_addresses("192.168.56.101")
    exported.must("saveconfig", "clearconfig confirm=true", "restoreconfig")
    exported.must(f"login {CLIENT}", f"reserve {CLIENT} type=write_exclusive")
    reading = metrics.collect(exported.open())
    assert [family.metric.name for family in reading if not family.values] == []
    assert [family.metric for family in reading] == list(METRICS)


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ('a"b\\c\nd é', 'a"b\\c\nd é'),
        ("bell \a, byte \udcff", "bell \\x07, byte \\udcff"),
    ],
)
def test_odd_names_are_read_as_they_are_shown(name: str, read: str) -> None:
    reading = Reading()
    reading.add("pyshell_device_missing", 1.5, name=name)
    assert sample(reading) == {"name": read}


def test_labels_that_are_not_declared_are_a_mistake() -> None:
    with pytest.raises(AssertionError, match="labels of pyshell_unsaved"):
        Reading().add("pyshell_unsaved", 1, name="x")


def test_without_a_target_only_that_is_shown(pyshell: Pyshell) -> None:
    lines = [line for line in pyshell("metrics").done().lines if not line.startswith("#")]
    assert len(lines) > 1  # the simulated one is always loaded
    lio = pyshell.open()
    pyshell.configfs.rename(pyshell.configfs.with_name("gone"))
    lines = [line for line in metrics.collect(lio).lines() if not line.startswith("#")]
    assert lines == ["pyshell_target_up 0"]
