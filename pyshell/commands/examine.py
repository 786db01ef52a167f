# SPDX-License-Identifier: Apache-2.0
"""The root's commands that look for what is wrong, and that tell a monitoring system.

What they need is imported where it is used, as in `root`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

from pyshell.commands.metrics import collect
from pyshell.doctor.examination import examine
from pyshell.names import bracketed
from pyshell.tree.command import PATH, command
from pyshell.tree.node import Node
from pyshell.tree.results import Lines, Result, Work

if TYPE_CHECKING:
    from pyshell.doctor.findings import Finding


@command(examples=("doctor", "doctor /iscsi"))
def doctor(
    node: Node,
    path: Annotated[
        str | None,
        PATH,
        "Check only objects at or below this path. Default: all objects and the host.",
    ] = None,
) -> Result:
    """Diagnose problems and suggest fixes.

    Checks the kernel's target, restore at boot, saved file, addresses, ports, firewall, targets,
    CHAP, refused logins, disks and devices. Changes nothing.

    A suggested command can be run as it is; it deletes nothing. Commands that disturb initiators,
    grant access or contain a placeholder are listed below 'Decide for yourself'.

    Exit status: 0 no problems, 1 warnings, 2 errors.
    """
    below = node.get_node(path).path if path else "/"
    found = list(examine(node.lio, below))
    data = [
        {
            "check": check,
            "level": one.level,
            "path": one.path,
            "message": one.message,
            "commands": list(one.commands),
            "choices": list(one.choices),
        }
        for check, one in found
    ]
    findings = [one for _, one in found]
    return Lines(_lines(findings), data, _status(findings))


@command(examples=("metrics", "metrics serve=9814"))
def metrics(
    node: Node,
    *,
    serve: Annotated[
        str | None,
        "Serve them under /metrics at this ADDRESS, ADDRESS:PORT, or PORT (of 127.0.0.1).",
    ] = None,
) -> Result:
    """Print metrics as OpenMetrics text, or serve them over HTTP.

    For node_exporter's textfile collector: pyshell metrics > FILE.new && mv FILE.new FILE.prom.
    serve= runs until Ctrl-C. Anyone who reaches the address can read the metrics: names of
    targets, initiators and disks, but no secrets.
    """
    from pyshell.commands import metrics

    if serve is None:
        families = collect(node.lio)
        return Lines(list(metrics.lines(families)), metrics.data(families))
    return _serve(node, serve)


def _serve(node: Node, text: str) -> Work:
    from pyshell.commands import metrics, metrics_server

    address, port = metrics_server.place(text)
    url = f"http://{bracketed(address)}:{port}{metrics_server.PATH}"

    def exposition() -> str:
        return "\n".join([*metrics.lines(collect(node.lio)), ""])

    def run() -> Lines:
        found = metrics_server.server(address, port, exposition, metrics.CONTENT_TYPE)
        with found, suppress(KeyboardInterrupt):
            node.context.note(f"Serving {url} until Ctrl-C.")
            if not metrics_server.is_loopback(address):
                node.context.note("Anyone who reaches this address can read it.")
            found.serve_forever()
        return Lines([], {"served": url})

    return Work([f"Metrics would be served at {url}"], run)


def _lines(findings: Sequence[Finding]) -> list[str]:
    lines = []
    for one in findings:
        word = {"unseen": "skipped"}.get(one.level, one.level)
        lines.append(f"{word}: {one.path}: {one.message}")
        lines += [f"    {command}" for command in one.commands]
        if one.choices:
            lines.append("    Decide for yourself:")
            lines += [f"        {command}" for command in one.choices]
    errors = sum(one.level == "error" for one in findings)
    warnings = sum(one.level == "warning" for one in findings)
    if not (errors or warnings):
        unseen = any(one.level == "unseen" for one in findings)
        return [*lines, f"No problems found{' by the checks that ran' * unseen}."]
    told = [
        f"{number} {word}{'s' * (number > 1)}"
        for number, word in ((errors, "error"), (warnings, "warning"))
        if number
    ]
    fixes = "Suggested fixes are shown below each." if _suggested(findings) else ""
    return [*lines, f"{' and '.join(told)}. {fixes}".rstrip()]


def _suggested(findings: Sequence[Finding]) -> bool:
    return any(one.commands or one.choices for one in findings)


def _status(findings: Sequence[Finding]) -> int:
    levels = {one.level for one in findings}
    return 2 if "error" in levels else int("warning" in levels)
