# SPDX-License-Identifier: Apache-2.0
"""The root's command `list`: objects of one kind as rows, with chosen columns.

It reads only what the columns, conditions and the order need.
"""

from __future__ import annotations

from typing import Annotated, Any

from pyshell.commands.tables.facts import Facts
from pyshell.commands.tables.kinds import KINDS, described
from pyshell.commands.tables.selection import column_names, conditions, ordered, sorting
from pyshell.tree.command import ValueType, choice, command, plain_text
from pyshell.tree.node import Node
from pyshell.tree.results import Result, Row, Rows

COLUMNS = ValueType("column,...", plain_text, source="columns")
WHERE = ValueType("conditions", plain_text, source="conditions")
SORT = ValueType("[-]column,...", plain_text, source="order")


@command(
    rows=True,
    examples=(
        "list luns",
        "list storage_objects columns=name,size,luns where='size>=1G,luns=0' sort=-size",
        "list acls where=logged_in=false -o tsv headings=false",
        "list sessions columns=initiator,address | match 192.168.56",
    ),
)
def list_(
    node: Node,
    kind: Annotated[str, choice(*KINDS), "Kind of objects."],
    *,
    columns: Annotated[
        str | None, COLUMNS, "Columns to show, in this order. Default: the usual ones."
    ] = None,
    where: Annotated[
        str | None,
        WHERE,
        "Show only objects that fit all these comparisons. Default: all objects.",
    ] = None,
    sort: Annotated[
        str | None,
        SORT,
        "Columns to sort by; after -, the highest is first. Default: the order of the tree.",
    ] = None,
    headings: Annotated[bool, "Print headings (table and tsv)."] = True,
) -> Result:
    r"""List objects of one kind as rows, for reading or for scripts.

    A comparison is COLUMN=VALUE, COLUMN!=VALUE, COLUMN~RE or COLUMN!~RE (a regular expression in
    any case), or <, <=, > and >= with a number or a size such as 10G. Several are separated by
    commas; a comma in a value is written as \,. An empty value means that there is none.

    The output format is given with -o, before the path or at the end of the line. table is for
    people. json is one document, jsonl a document on each line, tsv has values separated by tabs
    (\t, \n, \r and \\ stand for these characters in a value). name is only the path of each
    object, of sessions the initiator, of disks the device. In json, jsonl and tsv, sizes are
    numbers of bytes.

    Only what the columns, comparisons and the order need is read.
    """
    of = KINDS[kind]
    shown = column_names(of.columns, columns)
    tests = conditions(of.columns, where)
    order = sorting(of.columns, sort)
    facts = Facts(node.lio)

    def read(one: Any, name: str) -> Any:
        return of.columns[name].read(facts, one)

    every = (one for one in of.objects(facts) if all(t.fits(read(one, t.column)) for t in tests))
    found = ordered(list(every), order, read)
    rows = [
        Row(read(one, of.name), lambda one=one: [read(one, name) for name in shown])  # type: ignore[misc]
        for one in found
    ]
    kinds = [(name, of.columns[name].kind) for name in shown]
    return Rows(kinds, rows, headings, optional=shown if columns is None else ())


list_.__doc__ = f"{list_.__doc__}\n\n    {described()}"
