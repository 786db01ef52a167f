# SPDX-License-Identifier: Apache-2.0
"""The root's commands that compare configurations and bring the running one to another."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pyshell.errors import NotFoundError, PyshellError
from pyshell.tree.command import BOOL, FILE, PATH, TEXT, WWN, Param, choice, command
from pyshell.tree.results import Change, Lines, Result
from pyshell.tree.saving import SavingNode, missing_since_restored

if TYPE_CHECKING:
    from pyshell.saved.model import Items
    from pyshell.saved.plan import Plan

_RUNNING = "running"
_SAVED = "saved"
_MISSING_SHOWN = 20


class ApplyingNode(SavingNode):
    """What the root has of these commands."""

    @command("Show the summary of all, and whether what runs is saved.", examples=("status",))
    def ui_command_status(self) -> Result:
        """Show the summary of all, and whether what runs is saved."""
        shown = super().ui_command_status()
        if self.context.compat or not isinstance(shown, Lines):
            return shown
        saved = self._is_saved()
        word = "is" if saved else "is not"
        told = f"What runs {word} what {self.default_file} holds."
        hint = [] if saved else ["'diff' shows what differs, 'saveconfig' saves it."]
        missing = missing_since_restored(self.context)
        lines = [*shown.lines, told, *(list(_missing_lines(missing)) or hint)]
        return Lines(lines, {**shown.data, "saved": saved, "missing": missing})

    def _is_saved(self) -> bool:
        from pyshell.saved.compare import compare

        if not self.default_file.exists():
            return not self.items_of(_RUNNING)
        return not compare(self.items_of(_SAVED), self.items_of(_RUNNING))

    @command(
        "Show what differs between two configurations.",
        Param("first", FILE, "running, saved, or a file; saved unless given."),
        Param("second", FILE, "The same; running unless given."),
        Param("path", TEXT, "Compare only what is below this path of the tree."),
        Param("form", choice("tree", "commands"), "As a tree, or as commands from one to other."),
        details="Exit status: 0 they are the same, 1 they differ, 2 they cannot be compared.\n"
        "A setting that one side leaves open is no difference. Secrets are never shown.",
        examples=("diff", "diff saved running path=/iscsi"),
    )
    def ui_command_diff(
        self,
        first: str | None = None,
        second: str | None = None,
        path: str | None = None,
        form: str | None = None,
    ) -> Result:
        """Show what differs between two configurations."""
        from pyshell.saved.compare import compare
        from pyshell.tree import difftext

        try:
            before, after = self.items_of(first or _SAVED), self.items_of(second or _RUNNING)
        except PyshellError as error:
            error.status = 2  # 1 would say that they differ
            raise
        if path:
            before, after = _below(before, path), _below(after, path)
        found = compare(before, after)
        if form == "commands":
            from pyshell.tree.commandlines import command_lines

            return Lines(command_lines(before, after), status=int(bool(found)))
        lines = list(difftext.tree_lines(found))
        return Lines(lines, difftext.data(found), int(bool(found)))

    @command(
        "Bring the running configuration to that of a file, by the smallest change.",
        Param("file", FILE, "A saved configuration, whole or in part.", required=True),
        Param("prune", BOOL, "Remove what the file lacks, which otherwise stays.", default=False),
        Param("target", WWN, "Only the target of that WWN, with its storage objects."),
        changes=True,
        details="What is the same is not touched: its sessions live. All is done, or nothing.\n"
        "--dry-run shows the steps, and whose sessions they cut.",
        examples=("apply /etc/target/saveconfig.json", "apply /root/disks.json prune=true"),
    )
    def ui_command_apply(self, file: str, prune: bool = False, target: str | None = None) -> Result:
        """Bring the running configuration to that of a file."""
        from pyshell.saved.plan import plan

        wanted, running = self.items_of(file), self.items_of(_RUNNING)
        if target is not None:
            wanted = _with_storage(wanted, _of_target(wanted, target))
            running = {**_named(running, wanted), **_of_target_or_none(running, target)}
        found = plan(running, wanted, prune=prune)
        return self._applied(found, f"Applied {file}")

    @command(
        "Print the commands that would make the running configuration anew.",
        Param("path", PATH, "Only what is below this path, as a target; all unless given."),
        Param(
            "show_secrets", BOOL, "With the CHAP secrets; else they are asked for.", default=False
        ),
        details="The lines can be run by 'pyshell -f FILE', on this host or on another one.",
        examples=("export", "export /backstores"),
    )
    def ui_command_export(self, path: str | None = None, show_secrets: bool = False) -> Result:
        """Print the commands that would make the running configuration anew."""
        from pyshell.tree.commandlines import command_lines

        found = self.items_of(_RUNNING)
        if path:
            start = self.get_node(path).path
            found = _below(found, start) if start != "/" else found
        lines = command_lines({}, found, secrets=show_secrets)
        return Lines(lines, lines)

    def _applied(self, found: Plan, title: str) -> Change:
        from pyshell.target.impact import cut

        lines = list(_plan_lines(found))
        counts = [
            f"{len(found.told(found.created))} created",
            f"{len(found.changed)} changed",
            f"{len(found.told(found.replaced))} made anew",
            f"{len(found.told(found.deleted))} deleted",
            f"{found.unchanged} unchanged",
        ]
        if found.told(found.kept):
            counts.append(f"{len(found.told(found.kept))} not in the file and kept")
        summary = f"{title}: {', '.join(counts)}."
        cuts = cut(self.lio, found.operations)
        warning = [f"It cuts the sessions or disks of: {', '.join(cuts)}"] if cuts else []
        return Change(
            found.operations,
            after=lambda: [*lines, summary],
            would=[*lines, *warning, summary],
        )

    def items_of(self, word: str) -> Items:
        """Return the configuration that a word names: running, saved, or a file's."""
        from pyshell.saved import load
        from pyshell.saved.model import items
        from pyshell.saved.running import read_running

        if word == _RUNNING:
            return items(read_running(self.lio))
        path = self.default_file if word == _SAVED else Path(os.path.expanduser(word))
        if not os.path.exists(path):
            hint = "saveconfig writes it." if word == _SAVED else "Give running, saved or a file."
            raise NotFoundError(f"There is no file {path}.", hint)
        return items(load.load(path))


def _missing_lines(missing: Mapping[str, str]) -> Iterator[str]:
    """Yield what to tell of objects that the last restore could not bring back."""
    if not missing:
        return
    yield f"{len(missing)} of its objects could not be restored:"
    yield from (f"  {path}: {why}" for path, why in list(missing.items())[:_MISSING_SHOWN])
    if len(missing) > _MISSING_SHOWN:
        yield f"  and {len(missing) - _MISSING_SHOWN} more"
    yield "'restoreconfig missing_only=true' adds them once they can be had."


def _named(running: Items, wanted: Items) -> Items:
    """Return what runs of the objects that are wanted."""
    return {path: item for path, item in running.items() if path in wanted}


def _below(found: Items, path: str) -> Items:
    start = path.rstrip("/")
    return {p: item for p, item in found.items() if p == start or p.startswith(f"{start}/")}


def _of_target(found: Items, wwn: str) -> Items:
    part = _of_target_or_none(found, wwn)
    if not part:
        raise NotFoundError(f"The file holds no target {wwn}.", "Nothing was changed.")
    return part


def _of_target_or_none(found: Items, wwn: str) -> Items:
    from pyshell.target.places import Target

    roots = [
        path
        for path, item in found.items()
        if isinstance(item.place, Target) and item.place.wwn == wwn
    ]
    return {path: item for root in roots for path, item in _below(found, root).items()}


def _with_storage(found: Items, part: Items) -> Items:
    """Return a part with the storage objects that its LUNs export."""
    links = {link for item in part.values() for link in item.links if link not in part}
    storage = {path: item for link in links for path, item in _below(found, link).items()}
    whole = {**storage, **part}
    return {path: item for path, item in found.items() if path in whole}


def _plan_lines(found: Plan) -> Iterator[str]:
    """Yield one line for each object that a plan touches."""
    yield from (f"created {path}" for path in found.told(found.created))
    for difference in found.changed:
        yield f"changed {difference.path}: {'; '.join(c.text for c in difference.changes)}"
    yield from (f"made anew {path}" for path in found.told(found.replaced))
    yield from (f"deleted {path}" for path in found.told(found.deleted))
