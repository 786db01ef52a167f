# SPDX-License-Identifier: Apache-2.0
"""`edit`: change the configuration below a path in the user's text editor."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pyshell import quoting
from pyshell.commands import change_text
from pyshell.commands.apply import brought
from pyshell.commands.undo import refuse_clustered
from pyshell.config import document, document_file, part_editing, references, validate
from pyshell.config.compare import compare
from pyshell.config.document import Document, located
from pyshell.config.document_file import DocumentError
from pyshell.config.model import Items, items, tree_path
from pyshell.config.parts import Owners
from pyshell.config.plan import Plan, plan
from pyshell.config.positions import Place, Positions, Problem, placed
from pyshell.config.running import read_running
from pyshell.errors import ConflictError, UsageError
from pyshell.expressions import expression
from pyshell.lio import Lio
from pyshell.lio.configfs import is_below
from pyshell.lio.identifiers import StorageObject, normal_path
from pyshell.lio.operations.base import check
from pyshell.text import counted, did_you_mean
from pyshell.tree.command import DEADLINE, DEADLINE_HELP, PATH, command
from pyshell.tree.node import Node
from pyshell.tree.results import Edit, Edited, Result

_INDEX = expression(r"\[\d+\]")
_TEXT = "The text"
"""What errors call the edited text."""


@command(
    changes=True,
    examples=("edit", "edit /iscsi", "edit /iscsi confirm=5min", "edit / show_secrets=true"),
)
def edit(
    node: Node,
    path: Annotated[str | None, PATH, "Edit the objects at and below this path."] = None,
    *,
    show_secrets: Annotated[
        bool, "Write the CHAP secrets into the text. Default: ******** for each."
    ] = False,
    confirm: Annotated[int | None, DEADLINE, DEADLINE_HELP] = None,
) -> Result:
    """Edit the configuration in your text editor, and apply the result.

    The running configuration at and below the path opens as JSON in $VISUAL or $EDITOR, as in a
    saved configuration. When you leave the editor, the text is checked. If it has errors, the
    editor opens again with the errors above the text; leave it without a change to stop.

    Then the difference and the sessions that it disturbs are shown, and a question is asked. All
    changes are made, or none. Objects that you remove from the text are deleted; objects elsewhere
    are not changed, except LUNs and mapped LUNs of a storage object that must be recreated.

    ******** stands for a CHAP secret that stays the same: enter another one in its place.

    A text that was not applied is kept until reboot, also if the editor or the terminal ends: the
    next edit of this path offers it. --dry-run only shows what would be changed.
    """
    if confirm is not None and node.lio.is_candidate:
        raise UsageError(
            "A change of the candidate cannot have a deadline.", "Give confirm= to 'commit'."
        )
    start = node.get_node(path).path if path else node.path
    part = _Part(node, normal_path(start), show_secrets=show_secrets, confirm=confirm)
    return Edit(start, part.read, part.judge, part.difference)


@dataclass
class _Part:
    """The configuration at a path, as text and back."""

    node: Node
    path: str
    show_secrets: bool
    confirm: int | None

    @property
    def _lio(self) -> Lio:
        return self.node.lio

    def read(self) -> str:
        found = part_editing.part(read_running(self._lio), self.path)
        return json.dumps({**self._schema(), **self._shown(found)}, indent=2) + "\n"

    def _shown(self, found: Document) -> Document:
        return found if self.show_secrets else part_editing.masked(found)

    def _schema(self) -> dict[str, str]:
        """Return the reference to the schema, {} if that is no file, as in an archive."""
        file = Path(document.__file__).with_name("saveconfig.schema.json")
        return {"$schema": file.as_uri()} if file.is_file() else {}

    def difference(self, before: str) -> Sequence[str]:
        running = read_running(self._lio)
        known, _ = part_editing.unmasked(document_file.parse(before, _TEXT), running)
        old = part_editing.merged(known, running, self.path)
        return list(change_text.tree_lines(compare(self._items(old), self._items(running))))

    def judge(self, text: str) -> Edited | None:
        running = read_running(self._lio)
        wanted = self._document(text, running)
        before, after = self._items(running), self._items(wanted)
        deleted = [o.place for p, o in before.items() if p not in after]
        self._require_links(after)
        storage = [place for place in deleted if isinstance(place, StorageObject)]
        problems = list(self._new_problems(text, running, wanted, storage))
        if problems:
            raise DocumentError(_TEXT, placed(Positions(text), problems))
        differences = compare(before, after)
        found = plan(self._lio, before, after, prune=True)
        self._require_inside(found)
        if not found.operations:
            return None
        refuse_clustered(self.node, found.operations, "")
        check(self._lio, found.operations)
        titles = f"Edited {self.path}", f"Would edit {self.path}"
        change = brought(self.node, found, titles, "edit", running)
        change.confirm = self.confirm
        change.asks = f"changes {counted(len(change.data['objects']), 'object')}"
        lines = [*change_text.tree_lines(differences), *self._effects(found)]
        return Edited(change, [*lines, *filter(None, [change.note])])

    def _items(self, found: Document) -> Items:
        return items(found, self._lio.root)

    def _document(self, text: str, running: Document) -> Document:
        """Return the whole configuration with the edited part. Raises DocumentError."""
        edited = document_file.parse(text, _TEXT)
        problems = validate.keys_there_twice(text)
        problems += document_file.unknown_keys(edited)
        problems += part_editing.outside(edited, self.path)
        edited, masks = part_editing.unmasked(edited, running)
        problems += [*masks, *_unknown_settings(edited, running)]
        if problems:
            raise DocumentError(_TEXT, placed(Positions(text), problems))
        return part_editing.merged(references.resolved(edited), running, self.path)

    def _new_problems(
        self, text: str, running: Document, wanted: Document, deleted: Sequence[StorageObject]
    ) -> Iterator[Problem]:
        """Yield the errors that the running configuration does not have already.

        Those at an object outside the part have no position.
        """
        same = part_editing.merged(part_editing.part(running, self.path), running, self.path)
        old = Owners(same)
        known = {_key(one, old) for one in validate.errors_of(same, self._lio)}
        new = Owners(wanted)
        in_text = {one.place for one in located(document_file.parse(text, _TEXT))}
        for one in validate.errors_of(wanted, self._lio, deleted=deleted):
            if _key(one, new) in known:
                continue
            if any(one.place[: len(place)] == place for place in in_text):
                yield one
            else:
                yield Problem(one.level, (), f"{new.path(one.place)}: {one.with_key}", one.hint)

    def _require_links(self, after: Items) -> None:
        """Refuse to remove what an object outside the part needs. Raises ConflictError."""
        for path, item in after.items():
            gone = [link for link in item.links if link not in after]
            if gone and not is_below(path, self.path):
                raise ConflictError(
                    f"{gone[0]} is missing in the text, and {tree_path(item)} needs it.",
                    self._both(tree_path(item)),
                )

    def _require_inside(self, found: Plan) -> None:
        for path in found.deleted:
            if not is_below(normal_path(path), self.path):
                raise ConflictError(
                    f"This would delete {path}, which is not below {self.path}.",
                    self._both(path),
                )

    def _both(self, path: str) -> str:
        common = os.path.commonpath([self.path, path])
        return f"'{quoting.line('edit', common)}' shows both. Or delete {path} first."

    def _effects(self, found: Plan) -> Iterator[str]:
        """Yield the objects that are recreated, or whose initiators are disturbed."""
        for one in change_text.touched(self._lio, found):
            if one.effect != "online":
                yield one.would


def _unknown_settings(edited: Document, running: Document) -> Iterator[Problem]:
    """Yield an error for each setting that a running object does not have.

    `apply` ignores those, as a file can be of another kernel.
    """
    known = {(one.kind, one.path): one.entry for one in located(running)}
    for one in located(edited):
        before = known.get((one.kind, one.path), {})
        for key in ("attributes", "parameters"):
            names = before.get(key, {})
            for name in one.entry.get(key, {}) if names else ():
                if name not in names and name not in document.IDENTITY:
                    message = f"this kernel has no such setting of {one.path}"
                    hint = did_you_mean(name, names)
                    yield Problem("error", (*one.place, key, name), message, hint, at_key=True)


def _key(problem: Problem, owners: Owners) -> tuple[str, Place, str]:
    """Return what identifies a problem, whatever the order of entries in the document."""
    path = owners.path(problem.place)
    last = max((n for n, part in enumerate(problem.place) if isinstance(part, int)), default=-1)
    return path, problem.place[last + 1 :], _INDEX.sub("", problem.message)
