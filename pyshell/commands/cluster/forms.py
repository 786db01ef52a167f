# SPDX-License-Identifier: Apache-2.0
"""A cluster's configuration as lines for root's shell that run pcs or crm.

They prepare a file. What activates it is a comment, to be run after a look at the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from pyshell.commands.cluster.model import LOCKS, Cluster, Colocation, Operation, Order, Resource
from pyshell.expressions import expression
from pyshell.quoting import shell_word
from pyshell.text import one_line

_CLONE = {"clone-max": "2", "notify": "true", "promoted-max": "1"}
_STICKINESS = {"resource-stickiness": "100"}
"""A move interrupts the initiators: the target stays if the first node returns."""
_PLAIN = expression(r"[A-Za-z0-9_@%+=:,./-]+")
EDIT = "EDIT"
"""Begins each comment about what is to be changed before use."""


def lines_of(cluster: Cluster, form: str) -> list[str]:
    """Return the lines, each of them one line of text."""
    return [*_head(cluster), *FORMS[form](cluster)]


def _head(cluster: Cluster) -> Iterator[str]:
    """Yield what to know before, as comments."""
    yield f"# Cluster configuration of the target {shell_word(cluster.target)}."
    yield "# Fencing: configure and test a fence device for each node first. Without it, two nodes"
    yield "# may write to one disk."
    yield f"# Document: the same {shell_word(cluster.document)} on every node, mode 600."
    yield "# 'pyshell check FILE cluster=true' checks it. The target must not be restored at boot."
    yield from (f"# {line}" for line in cluster.about)
    for device, what in cluster.visible.items():
        yield f"# {_shown(device)}: {what}."
    for device, why in cluster.unknown.items():
        yield f"# {EDIT}: {_shown(device)}: {why}."


def _shown(device: str) -> str:
    """Return a device's name for a comment, harmless also in a shell without comments."""
    return shell_word(one_line(device))


def _comments(resource: Resource, name: str = "") -> Iterator[str]:
    yield from (f"# {name}{line}" for line in resource.about)
    if resource.edit:
        yield f"# {EDIT}: {resource.edit}."


def _continued(parts: Sequence[str]) -> Iterator[str]:
    """Yield one line of a shell as several."""
    for number, part in enumerate(parts, 1):
        indent = "    " if number > 1 else ""
        yield f"{indent}{part}" if number == len(parts) else f"{indent}{part} \\"


def _pairs(values: Mapping[str, str], write: Callable[[str, str], str]) -> str:
    return " ".join(write(name, value) for name, value in values.items())


# pcs


def _pcs_pair(name: str, value: str) -> str:
    return shell_word(f"{name}={value}")


def _pcs(cluster: Cluster) -> Iterator[str]:
    file, before = f"{cluster.group}.xml", f"{cluster.group}-before.xml"
    run = f"pcs -f {file}"
    yield "(set -e"  # in a subshell: a failure does not close the shell that they are pasted into
    yield f"pcs cluster cib {before}"
    yield f"cp {before} {file}"
    for one in cluster.locks:
        yield from _pcs_resource(run, one, f"--group {LOCKS}")
    if cluster.locks:
        yield f"{run} resource clone {LOCKS} interleave=true"
    for one in cluster.storage:
        yield from _pcs_resource(run, one, f"promotable {one.whole}" if one.promotable else "")
        if one.promotable:
            yield f"{run} resource meta {one.whole} {_pairs(_CLONE, _pcs_pair)}"
    for one in cluster.members:
        yield from _pcs_resource(run, one, f"--group {cluster.group}")
    yield f"{run} resource meta {cluster.group} {_pairs(_STICKINESS, _pcs_pair)}"
    yield from (_pcs_colocation(run, one) for one in cluster.colocations)
    yield from (_pcs_order(run, one) for one in cluster.orders)
    yield ")"
    yield "# Nothing is active yet. Show what the cluster would do, then activate it:"
    yield f"#   crm_simulate -S -x {file}"
    yield f"#   pcs cluster cib-push {file} diff-against={before}"


def _pcs_resource(run: str, resource: Resource, more: str) -> Iterator[str]:
    yield from _comments(resource)
    parts = [f"{run} resource create {resource.id} {resource.agent}"]
    if resource.parameters:
        parts.append(_pairs(resource.parameters, _pcs_pair))
    parts.append(f"op {' '.join(_pcs_operation(one) for one in resource.operations)}")
    yield from _continued([*parts, *filter(None, [more])])


def _pcs_operation(operation: Operation) -> str:
    return f"{operation.name} {_pairs(operation.settings, _pcs_pair)}"


def _pcs_colocation(run: str, one: Colocation) -> str:
    resource, other = f"{one.role} {one.resource}".strip(), f"{one.other_role} {one.other}".strip()
    return f"{run} constraint colocation add {resource} with {other} INFINITY id={one.id}"


def _pcs_order(run: str, one: Order) -> str:
    return (
        f"{run} constraint order {one.action} {one.first} then {one.then_action} {one.then}"
        f" id={one.id}"
    )


# crmsh


def _crm_pair(name: str, value: str) -> str:
    # Paths with a quote or backslash are refused before; a crm shell quotes by double quotes.
    return f"{name}={value}" if _PLAIN.fullmatch(value) else f'{name}="{value}"'


def _crm(cluster: Cluster) -> Iterator[str]:
    file = f"{cluster.group}.crm"
    # Not in the file: crm makes them comments of XML, which have no two hyphens.
    for one in (*cluster.locks, *cluster.storage, *cluster.members):
        yield from _comments(one, f"{one.id}: ")
    yield f"cat > {file} <<'END'"
    for one in cluster.locks:
        yield from _crm_resource(one)
    if cluster.locks:
        yield f"group {LOCKS} {' '.join(one.id for one in cluster.locks)}"
        yield f"clone {LOCKS}-clone {LOCKS} meta interleave=true"
    for one in cluster.storage:
        yield from _crm_resource(one)
        if one.promotable:
            meta = {"promotable": "true", **_CLONE}
            yield f"clone {one.whole} {one.id} meta {_pairs(meta, _crm_pair)}"
    for one in cluster.members:
        yield from _crm_resource(one)
    members = " ".join(one.id for one in cluster.members)
    yield from _continued(
        [f"group {cluster.group} {members}", f"meta {_pairs(_STICKINESS, _crm_pair)}"]
    )
    yield from (_crm_colocation(one) for one in cluster.colocations)
    yield from (_crm_order(one) for one in cluster.orders)
    yield "END"
    yield "# Nothing is active yet. This activates it:"
    yield f"#   crm configure load update {file}"


def _crm_resource(resource: Resource) -> Iterator[str]:
    parts = [f"primitive {resource.id} {resource.agent}"]
    if resource.parameters:
        parts.append(f"params {_pairs(resource.parameters, _crm_pair)}")
    for one in resource.operations:
        parts.append(f"op {one.name} {_pairs(one.settings, _crm_pair)}")
    yield from _continued(parts)


def _crm_colocation(one: Colocation) -> str:
    resource = f"{one.resource}:{one.role}" if one.role else one.resource
    other = f"{one.other}:{one.other_role}" if one.other_role else one.other
    return f"colocation {one.id} inf: {resource} {other}"


def _crm_order(one: Order) -> str:
    return f"order {one.id} Mandatory: {one.first}:{one.action} {one.then}:{one.then_action}"


FORMS: Mapping[str, Callable[[Cluster], Iterator[str]]] = {"pcs": _pcs, "crmsh": _crm}
"""Writes the configuration, by the name of the program."""
