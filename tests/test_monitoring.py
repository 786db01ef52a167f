# SPDX-License-Identifier: Apache-2.0
"""Alert rules and dashboard: they name declared metrics, are documented, and promtool agrees."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from driver import DATA, ROOT, TIME_LIMIT, tool
from monitoring import DASHBOARD, RULES, alerts, expressions, panels
from pyshell.commands.metric_families import METRICS

SERIES = {metric.series for metric in METRICS}
PAGE = (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")
TESTS = DATA / "pyshell.rules.test.yml"


def promtool(*arguments: str | Path) -> str:
    """Run promtool, which must succeed, and return what it prints."""
    done = subprocess.run(
        [tool("promtool", "prometheus"), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("file", [RULES, TESTS, DASHBOARD], ids=lambda file: file.name)
def test_only_declared_metrics_are_named(file: Path) -> None:
    named = set(re.findall(r"\bpyshell_\w+", file.read_text(encoding="utf-8")))
    assert named
    assert named <= SERIES


def test_the_dashboard_shows_every_metric_but_those_of_details() -> None:
    named = set(re.findall(r"\bpyshell_\w+", DASHBOARD.read_text(encoding="utf-8")))
    assert SERIES - named == {"pyshell_aptpl", "pyshell_reservation_generation"}


def test_the_documentation_lists_every_metric_with_its_labels() -> None:
    rows = dict(re.findall(r"^\| `(pyshell_\w+)` \| ([^|]*) \|", PAGE, re.MULTILINE))
    assert rows == {
        metric.series: ", ".join(f"`{label}`" for label in metric.labels) for metric in METRICS
    }


def test_every_alert_has_a_runbook_and_a_test() -> None:
    rules = RULES.read_text(encoding="utf-8")
    found = re.findall(r'runbook: "docs/monitoring.md#(\w+)"', rules)
    assert found == [name.lower() for name in alerts()]
    assert re.findall(r"^### (Pyshell\w+)$", PAGE, re.MULTILINE) == alerts()
    tested = set(re.findall(r"#(pyshell\w+)$", TESTS.read_text(encoding="utf-8"), re.MULTILINE))
    assert tested == set(found)


def test_promtool_accepts_the_rules_and_their_tests() -> None:
    assert f"SUCCESS: {len(alerts())} rules found" in promtool("check", "rules", RULES)
    assert "SUCCESS" in promtool("test", "rules", TESTS)


def test_promtool_accepts_the_expressions_of_the_dashboard(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": text}
        for number, (_, text) in enumerate(expressions())
    ]
    file = tmp_path / "panels.yml"  # JSON is YAML
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"SUCCESS: {len(rules)} rules found" in promtool("check", "rules", file)


def test_the_dashboard_has_variables_and_no_data_source_of_its_own() -> None:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    names = [variable["name"] for variable in dashboard["templating"]["list"]]
    assert names == ["datasource", "instance", "target"]
    assert dashboard["id"] is None
    for panel in panels():
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        for query in panel["targets"]:
            assert query["datasource"] == panel["datasource"]
            assert 'instance=~"$instance"' in query["expr"]
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
