# SPDX-License-Identifier: Apache-2.0
"""`metrics`: what can be counted and measured of the target, for a monitoring system."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

from pyshell.commands.metric_families import Reading
from pyshell.config import store
from pyshell.config.store.boot_file import is_unsaved
from pyshell.doctor.network import Sockets, not_listening, without_address
from pyshell.errors import NotFoundError, PyshellError
from pyshell.lio import Lio, listing, sessions, statistics, storage_info
from pyshell.lio.configfs import is_on
from pyshell.lio.identifiers import Tpg
from pyshell.lio.operations import reservations
from pyshell.names import bracketed
from pyshell.tree.command import command
from pyshell.tree.node import Node
from pyshell.tree.results import Lines, Result, Work

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_COUNTED = {
    statistics.OBJECT: "storage_object",
    statistics.LUN: "lun",
    statistics.INITIATOR: "initiator",
}


def collect(lio: Lio) -> Reading:
    """Read all metrics; those that cannot be read have no values."""
    found = Reading()
    is_loaded = os.path.isdir(lio.kernel.root)
    found.add("pyshell_target_up", int(is_loaded))
    if is_loaded:
        for part in (_tpgs, _sessions, _flows, _logins, _disks, _saved):
            part(lio, found)
    return found


def _tpgs(lio: Lio, found: Reading) -> None:
    sockets = Sockets.of(lio)
    for tpg in listing.all_tpgs(lio):
        target, tag = tpg.target, str(tpg.tag)
        if target.fabric.can_be_enabled:
            enabled = is_on(lio.kernel, f"{tpg.folder}/enable")
            found.add(
                "pyshell_tpg_enabled",
                int(enabled),
                fabric=target.fabric_name,
                target=target.wwn,
                tpg=tag,
            )
        _portals(lio, tpg, sockets, found)


def _portals(lio: Lio, tpg: Tpg, sockets: Sockets, found: Reading) -> None:
    if sockets.addresses is None and sockets.listening is None:
        return
    for portal in listing.portals(tpg):
        problem = without_address(lio, portal, sockets) or not_listening(lio, portal, sockets)
        found.add(
            "pyshell_portal_up",
            int(problem is None),
            target=tpg.target.wwn,
            tpg=str(tpg.tag),
            portal=portal.name,
        )


def _sessions(lio: Lio, found: Reading) -> None:
    by_target: Counter[tuple[str, str, str]] = Counter()
    for target in listing.all_targets(lio):
        for kind in ("acl", "dynamic"):
            by_target[target.fabric_name, target.wwn, kind] = 0
    for session in (*sessions.sessions(lio), *sessions.nexuses(lio)):
        kind = "dynamic" if session.dynamic else "acl" if session.acl else "nexus"
        by_target[session.tpg.target.fabric_name, session.tpg.target.wwn, kind] += 1
    for (name, target_wwn, kind), number in by_target.items():
        found.add("pyshell_sessions", number, fabric=name, target=target_wwn, kind=kind)


def _flows(lio: Lio, found: Reading) -> None:
    for thing, flow in statistics.counters(lio).items():
        # The label of an initiator does not change when another target gets an ACL for it.
        own = thing.path.rpartition("/")[2] if thing.kind == statistics.INITIATOR else thing.name
        for what, value in (
            ("commands", flow.commands),
            ("read_bytes", flow.read),
            ("written_bytes", flow.written),
        ):
            found.add(f"pyshell_{_COUNTED[thing.kind]}_{what}", value, name=own, path=thing.path)


def _logins(lio: Lio, found: Reading) -> None:
    for target in listing.all_targets(lio):
        counted = statistics.logins(lio, target)
        if counted is None:
            continue
        found.add("pyshell_logins", counted.accepted, target=target.wwn)
        for reason, number in counted.failed.items():
            found.add("pyshell_login_failures", number, target=target.wwn, reason=reason)
        for kind, number in counted.errors.items():
            found.add("pyshell_session_errors", number, target=target.wwn, kind=kind)


def _disks(lio: Lio, found: Reading) -> None:
    for place in listing.storage_objects(lio):
        described = storage_info.describe(lio, place)
        name = f"{place.plugin}/{place.name}"
        found.add("pyshell_device_missing", int(bool(described.missing)), name=name)
        if described.size is not None:
            found.add("pyshell_storage_object_size_bytes", described.size, name=name)
        found.add("pyshell_resets", statistics.resets(lio, place), name=name)
        found.add("pyshell_aborts", statistics.aborts(lio, place), name=name)
        reserved = reservations.read(lio, place)
        if reserved is None:
            continue
        for holder in reserved.names:
            found.add("pyshell_reservation", 1, name=name, initiator=holder, type=reserved.type)
        found.add("pyshell_registrations", len(reserved.registrations), name=name)
        found.add("pyshell_reservation_generation", reserved.generation, name=name)
        found.add("pyshell_aptpl", int(reserved.aptpl), name=name)


def _saved(lio: Lio, found: Reading) -> None:
    # What cannot be read is damaged, or this user is not root: doctor reports it.
    with suppress(PyshellError):
        found.add("pyshell_unsaved", int(is_unsaved(lio)))
    with suppress(PyshellError):
        _restored(lio, found)


def _restored(lio: Lio, found: Reading) -> None:
    remembered = store.read(lio.config_dir, lambda _: None)
    missing = len(remembered.missing) if lio.mark_file.exists() else 0
    found.add("pyshell_restore_missing_objects", missing)
    moment = store.moment(remembered.restored)
    if moment is not None:
        found.add("pyshell_last_restore_timestamp_seconds", moment.timestamp())


@command(examples=("metrics", "metrics serve=9814"), in_candidate="running")
def metrics(
    node: Node,
    *,
    serve: Annotated[
        str | None,
        "Serve them under /metrics at this ADDRESS, ADDRESS:PORT, or PORT (of 127.0.0.1). The"
        " default port is 9814. Needs the Python library prometheus_client.",
    ] = None,
) -> Result:
    """Print metrics in Prometheus's text format, or serve them over HTTP.

    For node_exporter's textfile collector: pyshell metrics > FILE.new && mv FILE.new FILE.prom.
    serve= runs until Ctrl-C. Anyone who reaches the address can read the metrics: names of
    targets, initiators and disks, but no secrets.
    """
    if serve is None:
        reading = collect(node.lio)
        return Lines(list(reading.lines()), reading.data())
    return _serve(node, serve)


def _serve(node: Node, text: str) -> Work:
    from pyshell.commands import metrics_server  # http.server takes long to import

    address, port = metrics_server.place(text)
    url = f"http://{bracketed(address)}:{port}{metrics_server.PATH}"
    application = _application(node.lio, address)

    def run() -> Lines:
        found = metrics_server.server(address, port, application)
        with found, suppress(KeyboardInterrupt):
            node.context.note(f"Serving {url} until Ctrl-C.")
            if not metrics_server.is_loopback(address):
                node.context.note("Anyone who reaches this address can read it.")
            found.serve_forever()
        return Lines([], {"served": url})

    return Work([f"Metrics would be served at {url}"], run)


def _application(lio: Lio, address: str) -> WSGIApplication:
    """Return what answers requests. Raises NotFoundError without the library."""
    try:
        from pyshell.commands.metrics_application import Application
    except ModuleNotFoundError as error:
        raise NotFoundError(
            "Cannot serve metrics: the Python library prometheus_client is not installed.",
            "Install python3-prometheus-client (Debian), python3-prometheus_client (Fedora) or"
            " prometheus_client (pip). 'metrics' without serve= does not need it.",
        ) from error
    return Application(lambda: collect(lio), address)
