# SPDX-License-Identifier: Apache-2.0
"""The metrics: one declaration of each, the values of one reading, and Prometheus's text of them.

The alert rules and the dashboard in packaging/monitoring use these names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pyshell.text import visible

Labels = Mapping[str, str]


@dataclass(frozen=True)
class Metric:
    """The declaration of a metric; `name` is without the suffix that its kind adds."""

    name: str
    kind: Literal["gauge", "counter"]
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""

    @property
    def series(self) -> str:
        """Return the name that its values have in an exposition."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


@dataclass(frozen=True)
class Family:
    """A metric and its values."""

    metric: Metric
    values: list[tuple[Labels, float]] = field(default_factory=list)


def _flow(thing: str, those: str) -> tuple[Metric, ...]:
    labels, whole = ("name", "path"), "the kernel counts whole MiB."
    read, written = (f"Bytes {way} by commands {those}; {whole}" for way in ("read", "written"))
    return (
        Metric(f"pyshell_{thing}_commands", "counter", f"SCSI commands {those}.", labels),
        Metric(f"pyshell_{thing}_read_bytes", "counter", read, labels, "bytes"),
        Metric(f"pyshell_{thing}_written_bytes", "counter", written, labels, "bytes"),
    )


METRICS = (
    Metric("pyshell_target_up", "gauge", "Whether the kernel's storage target is loaded."),
    Metric(
        "pyshell_tpg_enabled",
        "gauge",
        "Whether a TPG is enabled; fabrics that cannot disable one have no value.",
        ("fabric", "target", "tpg"),
    ),
    Metric(
        "pyshell_portal_up",
        "gauge",
        "Whether the host has the address of a portal and its port is open.",
        ("target", "tpg", "portal"),
    ),
    Metric(
        "pyshell_sessions",
        "gauge",
        "Open sessions: through a node ACL (acl), in demo mode (dynamic), by nexus.",
        ("fabric", "target", "kind"),
    ),
    *_flow("storage_object", "that a storage object was sent"),
    *_flow("lun", "that a LUN was sent"),
    *_flow("initiator", "that the initiator of a node ACL sent"),
    Metric("pyshell_logins", "counter", "Logins that a target accepted.", ("target",)),
    Metric(
        "pyshell_login_failures",
        "counter",
        "Logins that a target refused: authenticate is CHAP, authorize is a missing ACL or a"
        " disabled TPG; the kernel counts both as negotiate, too.",
        ("target", "reason"),
    ),
    Metric(
        "pyshell_session_errors",
        "counter",
        "Sessions of a target that ended in an error.",
        ("target", "kind"),
    ),
    Metric(
        "pyshell_device_missing",
        "gauge",
        "Whether the device of a storage object is missing.",
        ("name",),
    ),
    Metric(
        "pyshell_storage_object_size_bytes",
        "gauge",
        "Size of a storage object as initiators see it.",
        ("name",),
        "bytes",
    ),
    Metric("pyshell_resets", "counter", "Resets of a storage object by initiators.", ("name",)),
    Metric(
        "pyshell_aborts",
        "counter",
        "Commands of a storage object that initiators aborted.",
        ("name",),
    ),
    Metric(
        "pyshell_reservation",
        "gauge",
        "1 for a reservation that an initiator holds.",
        ("name", "initiator", "type"),
    ),
    Metric(
        "pyshell_registrations",
        "gauge",
        "Initiators registered for persistent reservations.",
        ("name",),
    ),
    Metric(
        "pyshell_reservation_generation",
        "gauge",
        "PRGENERATION: counts changes of registrations.",
        ("name",),
    ),
    Metric("pyshell_aptpl", "gauge", "Whether registrations survive a restart.", ("name",)),
    Metric(
        "pyshell_unsaved",
        "gauge",
        "Whether the running configuration differs from the one restored at boot; no value if"
        " that one cannot be read.",
    ),
    Metric(
        "pyshell_restore_missing_objects",
        "gauge",
        "Objects that the last restore could not restore and that are still missing.",
    ),
    Metric(
        "pyshell_last_restore_timestamp_seconds",
        "gauge",
        "When the saved configuration was last restored.",
        unit="seconds",
    ),
)
"""All metrics, in the order of the exposition."""


class Reading:
    """The values of all metrics at one time; those that cannot be read have none."""

    def __init__(self) -> None:
        self._families = {metric.name: Family(metric) for metric in METRICS}

    def add(self, name: str, value: float, /, **labels: str) -> None:
        """Add a value of a declared metric."""
        family = self._families[name]
        assert family.metric.labels == tuple(labels), f"labels of {name}: {tuple(labels)}"
        # Invalid bytes in a name would make the whole exposition unreadable.
        safe = {label: visible(text, keep="\n") for label, text in labels.items()}
        family.values.append((safe, value))

    def __iter__(self) -> Iterator[Family]:
        return iter(self._families.values())

    def lines(self) -> Iterator[str]:
        """Yield the lines of Prometheus's text format 0.0.4."""
        for family in self:
            name = family.metric.series
            yield f"# HELP {name} {family.metric.help}"
            yield f"# TYPE {name} {family.metric.kind}"
            for labels, value in family.values:
                yield f"{name}{_labels(labels)} {_number(value)}"

    def data(self) -> dict[str, Any]:
        """Return the metrics as data."""
        return {
            family.metric.name: {
                "kind": family.metric.kind,
                "values": [{**labels, "value": value} for labels, value in family.values],
            }
            for family in self
        }


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items()) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
