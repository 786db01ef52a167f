# SPDX-License-Identifier: Apache-2.0
"""`metrics`: what can be counted and measured of the target, for a monitoring system."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pyshell.config import store
from pyshell.config.store.boot_file import is_unsaved
from pyshell.errors import PyshellError
from pyshell.lio import Lio, listing, sessions, statistics, storage_info
from pyshell.lio.operations import reservations
from pyshell.names import bracketed
from pyshell.text import visible
from pyshell.tree.command import command
from pyshell.tree.node import Node
from pyshell.tree.results import Lines, Result, Work

Labels = Mapping[str, str]

_COUNTED = {
    statistics.OBJECT: ("storage_object", "that a storage object was sent"),
    statistics.LUN: ("lun", "that a LUN was sent"),
    statistics.INITIATOR: ("initiator", "that the initiator of a node ACL sent"),
}
CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@dataclass
class Family:
    """One metric; `name` is without the suffix that its kind adds."""

    name: str
    kind: Literal["gauge", "counter"]
    help: str
    unit: str = ""
    values: list[tuple[Labels, float]] = field(default_factory=list)

    def add(self, value: float, **labels: str) -> None:
        """Add a value."""
        self.values.append((labels, value))


def collect(lio: Lio) -> list[Family]:
    """Return all metrics; those that cannot be read are empty."""
    up = Family("pyshell_target_up", "gauge", "Whether the kernel's storage target is loaded.")
    up.add(int(os.path.isdir(lio.kernel.root)))
    if not up.values[0][1]:
        return [up]
    return [up, *_sessions(lio), *_flows(lio), *_logins(lio), *_disks(lio), *_saved(lio)]


def _sessions(lio: Lio) -> Iterator[Family]:
    counted = Family(
        "pyshell_sessions",
        "gauge",
        "Open sessions: through a node ACL (acl), in demo mode (dynamic), by nexus.",
    )
    by_target: Counter[tuple[str, str, str]] = Counter()
    for target in listing.all_targets(lio):
        for kind in ("acl", "dynamic"):
            by_target[target.fabric_name, target.wwn, kind] = 0
    for session in (*sessions.sessions(lio), *sessions.nexuses(lio)):
        kind = "dynamic" if session.dynamic else "acl" if session.acl else "nexus"
        by_target[session.tpg.target.fabric_name, session.tpg.target.wwn, kind] += 1
    for (name, target_wwn, kind), number in by_target.items():
        counted.add(number, fabric=name, target=target_wwn, kind=kind)
    yield counted


def _flows(lio: Lio) -> Iterator[Family]:
    families = {
        kind: (
            Family(f"pyshell_{word}_commands", "counter", f"SCSI commands {told}."),
            Family(f"pyshell_{word}_read_bytes", "counter", f"Bytes read by commands {told}; the"
                   " kernel counts whole MiB.", "bytes"),
            Family(f"pyshell_{word}_written_bytes", "counter", f"Bytes written by commands {told};"
                   " the kernel counts whole MiB.", "bytes"),
        )
        for kind, (word, told) in _COUNTED.items()
    }  # fmt: skip
    for thing, flow in statistics.counters(lio).items():
        commands, read, written = families[thing.kind]
        # The label of an initiator does not change when another target gets an ACL for it.
        own = thing.path.rpartition("/")[2] if thing.kind == statistics.INITIATOR else thing.name
        labels = {"name": own, "path": thing.path}
        for family, value in (
            (commands, flow.commands),
            (read, flow.read),
            (written, flow.written),
        ):
            family.add(value, **labels)
    for group in families.values():
        yield from group


def _logins(lio: Lio) -> Iterator[Family]:
    accepted = Family("pyshell_logins", "counter", "Logins that a target accepted.")
    failed = Family(
        "pyshell_login_failures",
        "counter",
        "Logins that a target refused: authenticate is CHAP, authorize is a missing ACL;"
        " the kernel counts both as negotiate, too.",
    )
    errors = Family("pyshell_session_errors", "counter", "Sessions of a target that broke off.")
    for target in listing.all_targets(lio):
        counted = statistics.logins(lio, target)
        if counted is None:
            continue
        accepted.add(counted.accepted, target=target.wwn)
        for reason, number in counted.failed.items():
            failed.add(number, target=target.wwn, reason=reason)
        for kind, number in counted.errors.items():
            errors.add(number, target=target.wwn, kind=kind)
    yield from (accepted, failed, errors)


def _disks(lio: Lio) -> Iterator[Family]:
    missing = Family(
        "pyshell_device_missing", "gauge", "Whether the device of a storage object is missing."
    )
    size = Family("pyshell_storage_object_size_bytes", "gauge", "What initiators see.", "bytes")
    resets = Family("pyshell_resets", "counter", "Resets of a storage object by initiators.")
    aborts = Family("pyshell_aborts", "counter", "Commands aborted by initiators.")
    held = Family("pyshell_reservation", "gauge", "1 for a reservation that an initiator holds.")
    registered = Family(
        "pyshell_registrations", "gauge", "Initiators registered for persistent reservations."
    )
    generation = Family(
        "pyshell_reservation_generation", "gauge", "PRGENERATION: counts changes of registrations."
    )
    aptpl = Family("pyshell_aptpl", "gauge", "Whether registrations survive a restart.")
    for place in listing.storage_objects(lio):
        found = storage_info.describe(lio, place)
        label = f"{place.plugin}/{place.name}"
        missing.add(int(bool(found.missing)), name=label)
        if found.size is not None:
            size.add(found.size, name=label)
        resets.add(statistics.resets(lio, place), name=label)
        aborts.add(statistics.aborts(lio, place), name=label)
        reserved = reservations.read(lio, place)
        if reserved is None:
            continue
        for initiator in reserved.names:
            held.add(1, name=label, initiator=initiator, type=reserved.type)
        registered.add(len(reserved.registrations), name=label)
        generation.add(reserved.generation, name=label)
        aptpl.add(int(reserved.aptpl), name=label)
    yield from (missing, size, resets, aborts, held, registered, generation, aptpl)


def _saved(lio: Lio) -> Iterator[Family]:
    unsaved = Family(
        "pyshell_unsaved",
        "gauge",
        "Whether the running configuration differs from the one restored at boot.",
    )
    missing = Family(
        "pyshell_restore_missing_objects",
        "gauge",
        "Objects that the last restore could not restore and that are still missing.",
    )
    restored = Family(
        "pyshell_last_restore_timestamp_seconds",
        "gauge",
        "When the saved configuration was last restored.",
        "seconds",
    )
    try:
        unsaved.add(int(is_unsaved(lio)))
        remembered = store.read(lio.config_dir, lambda _: None)
    except PyshellError:
        remembered = None  # not root, or a file that is damaged: doctor tells
    if remembered is not None:
        missing.add(len(remembered.missing) if lio.mark_file.exists() else 0)
        moment = store.moment(remembered.restored)
        if moment is not None:
            restored.add(moment.timestamp())
    yield from (unsaved, missing, restored)


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
    # Invalid bytes in a name would make the whole exposition unreadable.
    return visible(text, keep="\n").replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


@command(examples=("metrics", "metrics serve=9814"))
def metrics(
    node: Node,
    *,
    serve: Annotated[
        str | None,
        "Serve them under /metrics at this ADDRESS, ADDRESS:PORT, or PORT (of 127.0.0.1). The"
        " default port is 9814.",
    ] = None,
) -> Result:
    """Print metrics as OpenMetrics text, or serve them over HTTP.

    For node_exporter's textfile collector: pyshell metrics > FILE.new && mv FILE.new FILE.prom.
    serve= runs until Ctrl-C. Anyone who reaches the address can read the metrics: names of
    targets, initiators and disks, but no secrets.
    """
    if serve is None:
        families = collect(node.lio)
        return Lines(list(lines(families)), data(families))
    return _serve(node, serve)


def _serve(node: Node, text: str) -> Work:
    from pyshell.commands import metrics_server  # http.server takes long to import

    address, port = metrics_server.place(text)
    url = f"http://{bracketed(address)}:{port}{metrics_server.PATH}"

    def exposition() -> str:
        return "\n".join([*lines(collect(node.lio)), ""])

    def run() -> Lines:
        found = metrics_server.server(address, port, exposition, CONTENT_TYPE)
        with found, suppress(KeyboardInterrupt):
            node.context.note(f"Serving {url} until Ctrl-C.")
            if not metrics_server.is_loopback(address):
                node.context.note("Anyone who reaches this address can read it.")
            found.serve_forever()
        return Lines([], {"served": url})

    return Work([f"Metrics would be served at {url}"], run)
