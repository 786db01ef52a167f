# SPDX-License-Identifier: Apache-2.0
"""The commands that every node has: looking around, settings, help."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any

from pyshell.commands import explain, help_text, topics
from pyshell.errors import NotFoundError, UsageError, from_os_error
from pyshell.names import MASK, plain
from pyshell.suggestions import did_you_mean
from pyshell.tree.command import CD_PATH, COMMAND, GROUP, PATH, Named, Rest, choice, command
from pyshell.tree.groups import Entry, Group, entry_of, require_writable
from pyshell.tree.node import Node
from pyshell.tree.preferences import PREFERENCES, text
from pyshell.tree.results import (
    Change,
    Columns,
    Go,
    Leave,
    Lines,
    Nothing,
    Pick,
    Preference,
    Result,
    Several,
    Tree,
)

_BOOKMARK = re.compile(r"[\w.:-]+")
"""A name that `@NAME` can hold: no slash, blank or `*`."""


def status_of(node: Node) -> Lines:
    """Return a node's summary."""
    branch = node.branch()
    data = {"path": node.path, "summary": branch.label, "healthy": branch.healthy}
    return Lines([f"Status for {node.path}: {branch.summary}"], data)


class CommonNode(Node):
    """A node with the commands that all have."""

    @command(examples=("ls", "ls /backstores", "/iscsi ls depth=1"))
    def ui_command_ls(
        self,
        path: Annotated[str | None, PATH, "Node to start at. Default: the current one."] = None,
        depth: Annotated[int | None, "Number of levels to show; 0 for all."] = None,
    ) -> Result:
        """Show the tree below a node."""
        start = self.get_node(path) if path else self
        levels = depth if depth is not None else self.context.preference("tree_max_depth")
        return Tree(start.branch(), levels or None)

    @command(examples=("cd /iscsi", "cd .."))
    def ui_command_cd(
        self,
        path: Annotated[
            str | None,
            CD_PATH,
            "The new path; '-' or '<' for the previous one. Default: select from the"
            " tree, if the terminal supports that; otherwise '/'.",
        ] = None,
    ) -> Result:
        """Change the current path."""
        if path in ("<", "-"):
            return Go("<")
        return Go(self.get_node(path).path) if path else Pick()

    @command()
    def ui_command_pwd(self) -> Result:
        """Show the current path."""
        return Lines([self.path], self.path)

    @command(examples=("/iscsi status",))
    def ui_command_status(self) -> Result:
        """Show the summary of a node."""
        return status_of(self)

    @command()
    def ui_command_refresh(self) -> Result:
        """Do nothing. pyshell always shows the kernel's state; targetcli has this command."""
        return Nothing()

    @command()
    def ui_command_exit(self) -> Result:
        """Leave the shell."""
        return Leave()

    @command(
        examples=(
            "help",
            "help set",
            "help chap",
            "help block_size",
            "help /iscsi create",
            "/backstores/block/disk1 help attribute block_size",
        )
    )
    def ui_command_help(
        self,
        topic: Annotated[
            str | None,
            COMMAND,
            "A command or group of this node, a topic such as chap, or the path of a"
            " node. Any other word is searched in all commands, settings and topics.",
        ] = None,
        *,
        rest: Annotated[
            Sequence[str],
            Rest("parameter", "Names of parameters of the group. Default: all."),
        ] = (),
    ) -> Result:
        """Show help on a command, setting or topic, or list the commands."""
        commands = self.commands()
        if not topic:
            lines = help_text.overview(self.path, commands)
            if not self.context.compat:
                lines += ["", f"Topics: {', '.join(topics.names())}."]
            return Lines(lines, sorted(commands), form="help")
        if topic in commands:
            lines = help_text.of_command(commands[topic])
            return Lines(lines, commands[topic].signature, form="help")
        groups = self.groups()
        about = topics.known(topic) if topic not in groups else None
        if about is not None:
            return Lines(topics.text(about).splitlines(), topics.text(about), form="markdown")
        if topic not in groups:
            return self._found_elsewhere(topic, rest)
        return self._explained(groups[topic], topic, rest, secrets=False)

    def _found_elsewhere(self, word: str, rest: Sequence[str]) -> Result:
        """Return help on another node, or on a word that is none of this node's."""
        if self.context.compat:
            known = ", ".join([*self.commands(), *sorted(self.groups()), *topics.names()])
            raise NotFoundError(f"Cannot find help topic {word}.", f"Known here: {known}.")
        if "/" in word or word.startswith("@") or word in (".", ".."):
            return self.get_node(word).run("help", topic=(*rest, None)[0], rest=rest[1:])
        from pyshell.commands import help_search

        found = help_search.search(word, rest)
        if not found:
            raise NotFoundError(
                f"Cannot find help topic {word}.",
                did_you_mean(word, help_search.names(), "'help' lists commands and topics."),
            )
        return Lines(help_search.lines(found), found.data)

    @command(
        examples=(
            "get global",
            "get global auto_add_mapped_luns",
            "/backstores/block/disk1 get attribute block_size verbose=true",
        )
    )
    def ui_command_get(
        self,
        group: Annotated[
            str | None, GROUP, "A group, such as attribute, parameter, auth or global."
        ] = None,
        *,
        show_secrets: Annotated[bool, "Show CHAP secrets."] = False,
        verbose: Annotated[
            bool, "Also show unit, default, valid values and whether it can be changed now."
        ] = False,
        rest: Annotated[
            Sequence[str], Rest("parameter", "Names of parameters. Default: all.")
        ] = (),
    ) -> Result:
        """Show the parameters of a group, or list the groups."""
        show = show_secrets or self.context.compat
        if group is None:
            return self._group_names()
        if group == "global":
            return self._get_preferences(rest)
        found = self._group(group)
        if verbose:
            return self._explained(found, group, rest, secrets=show)
        entries = found.entries()
        if not rest:
            values = {name: _word(found, name) for name in entries}
            shown = {n: _shown(entries[n], v, secrets=show) for n, v in values.items()}
            described = [
                (f"{n}={v}", entries[n].writable, entries[n].help) for n, v in shown.items()
            ]
            return Lines(help_text.group(group, described), shown, table=_table(described))
        lines, data = [], {}
        for name in rest:
            entry = entry_of(found, group, name)
            data[name] = _shown(entry, _word(found, name), secrets=show)
            lines.append(f"{name}={data[name]} {'' if entry.writable else '[ro]'}")
        return Lines(lines, data)

    def _explained(self, found: Group, group: str, names: Sequence[str], *, secrets: bool) -> Lines:
        """Return all that is known of parameters of a group."""
        wanted = [entry_of(found, group, name) for name in names] or found.entries().values()
        told = {}
        for entry in wanted:
            value = _shown(entry, _word(found, entry.name), secrets=secrets)
            told[entry.name] = explain.facts(found, entry, value)
        return Lines(explain.lines(told), told)

    @command(changes=True, examples=("set global auto_add_mapped_luns=false",))
    def ui_command_set(
        self,
        group: Annotated[
            str | None, GROUP, "A group, such as attribute, parameter, auth or global."
        ] = None,
        *,
        named: Annotated[dict[str, str], Named("parameter", "Parameters and their values.")],
    ) -> Result:
        """Set parameters of a group.

        A secret may be given as password=- (read from standard input) or password=@FILE.
        """
        if group is None:
            return self._group_names()
        if group == "global":
            return self._set_preferences(named)
        found = self._group(group)
        if not named:
            entries = found.entries()
            described = [
                (f"{e.name}={e.type}", True, e.help) for e in entries.values() if e.writable
            ]
            return Lines(help_text.group(group, described), [e.name for e in entries.values()])
        if not self.context.compat:  # targetcli says nothing of secrets
            found.check(named)
        changes = [self._set_one(found, group, name, value) for name, value in named.items()]
        for remark in found.remarks(named) if not self.context.compat else ():
            self.context.note(remark)
        return Change(
            [operation for change in changes for operation in change.operations],
            after=lambda: [sentence for change in changes for sentence in change.after()],
        )

    def _set_one(self, group: Group, group_name: str, name: str, value: str) -> Change:
        entry = entry_of(group, group_name, name)
        require_writable(entry)
        operations = list(group.change(name, value))
        hide = entry.secret and not self.context.compat
        caution = group.caution(name, value)
        if caution and (hide or not entry.secret):  # targetcli says nothing of secrets
            self.context.note(caution)

        def said() -> list[str]:
            kept = _read(group, name)
            if any(getattr(made, "value", kept) != kept for made in operations):
                self.context.note(f"The kernel did not take {name} as it was given.")
            shown = MASK if hide and value else group.word(name, kept)
            return [f"Parameter {name} is now '{shown}'."]

        return Change(operations, after=said)

    def _set_preferences(self, named: dict[str, str]) -> Result:
        if not named:
            described = [(f"{p.name}={p.type}", True, p.help) for p in PREFERENCES.values()]
            return Lines(help_text.group("global", described), sorted(PREFERENCES))
        results = []
        for name, value in named.items():
            described_one = PREFERENCES.get(name)
            if described_one is None:
                raise NotFoundError(
                    f"Unknown parameter {name} in group 'global'.",
                    did_you_mean(name, PREFERENCES, "'get global' shows them."),
                    targetcli=f"Unknown parameter {name} in group 'global'.",
                )
            parsed = described_one.kind.parse(value)
            said = [f"Parameter {name} is now '{text(parsed)}'."]
            would = [f"Would set the preference {name} to '{text(parsed)}'."]
            results.append(Preference(name, parsed, said, would))
        return Several(results)

    def _get_preferences(self, rest: Sequence[str]) -> Result:
        unknown = [name for name in rest if name not in PREFERENCES]
        if unknown:
            raise NotFoundError(
                f"No parameter '{unknown[0]}' in group 'global'.",
                did_you_mean(unknown[0], PREFERENCES, "'get global' shows them."),
                targetcli=f"No parameter '{unknown[0]}' in group 'global'.",
            )
        values: dict[str, Any] = {n: self.context.preference(n) for n in rest or PREFERENCES}
        if rest:
            return Lines([f"{name}={text(value)} " for name, value in values.items()], values)
        described = [(f"{n}={text(v)}", True, PREFERENCES[n].help) for n, v in values.items()]
        return Lines(help_text.group("global", described), values, table=_table(described))

    def _group_names(self) -> Lines:
        names = ["global", *self.groups()]
        return Lines(help_text.group_names(names), names)

    def require(self, name: str, values: Mapping[str, Any]) -> None:
        """See that `set` names a group of this node, and parameters of that."""
        if name != "set":
            return
        group, named = values["group"], values["named"]
        if group is None and named and not self.context.compat:
            given = " ".join(f"{n}=…" for n in named)
            fitting = self._groups_with(named)
            here = ", ".join(sorted(["global", *self.groups()]))
            raise UsageError(
                f"In which group? Write set GROUP {given}",
                f"{' and '.join(fitting)} have it."
                if fitting
                else self._near_parameter(named, f"Here: {here}."),
            )
        if group not in (None, "global"):
            found = self._group(group)
            for parameter in named:
                require_writable(entry_of(found, group, parameter, sets=True))

    def settled(self, name: str, values: dict[str, Any]) -> dict[str, Any]:
        """Let `set NAME=VALUE` mean the only group that has these parameters."""
        if name == "set" and values["group"] is None and values["named"]:
            fitting = [] if self.context.compat else self._groups_with(values["named"])
            if len(fitting) == 1:
                return {**values, "group": fitting[0]}
        return values

    def _near_parameter(self, named: Iterable[str], then: str) -> str:
        """Return `then`, preceded by a suggestion for the first name that no group has."""
        known = {*PREFERENCES, *(n for group in self.groups().values() for n in group.entries())}
        unknown = [name for name in named if name not in known]
        return did_you_mean(unknown[0], known, then) if unknown else then

    def _groups_with(self, named: Iterable[str]) -> list[str]:
        """Return the names of the groups that have all of some parameters."""
        wanted = set(named)
        known = {"global": set(PREFERENCES)}
        known |= {name: set(group.entries()) for name, group in self.groups().items()}
        return [name for name, parameters in known.items() if wanted <= parameters]

    def _group(self, name: str) -> Group:
        groups = self.groups()
        if name not in groups:
            known = sorted(["global", *groups])
            raise NotFoundError(
                f"Unknown configuration group: {name}.",
                did_you_mean(name, known, f"Here: {', '.join(known)}."),
                targetcli=f"Unknown configuration group: {name}",
            )
        return groups[name]

    @command(examples=("bookmarks show",))
    def ui_command_bookmarks(
        self,
        action: Annotated[str, choice("add", "del", "go", "show"), "The action."],
        bookmark: Annotated[str | None, "Name of the bookmark, used in paths as @NAME."] = None,
    ) -> Result:
        """Add, list, use or delete short names for paths."""
        known = self.context.bookmarks
        if action == "show":
            return Lines(help_text.bookmarks(known), dict(known))
        if not bookmark:
            raise UsageError(f"'bookmarks {action}' needs the name of a bookmark.")
        if action == "add":
            plain(bookmark, "a bookmark's name")
            if not _BOOKMARK.fullmatch(bookmark):
                raise UsageError(
                    f"'{bookmark}' is not a valid bookmark name.",
                    "It consists of letters, digits, '_', '-', '.' and ':'.",
                )
            said = f"Bookmarked {self.path} as {bookmark}."
            would = f"Would bookmark {self.path} as {bookmark}."
            add = partial(_bookmarked, bookmark, self.path)
            add(known)
            return Preference("bookmarks", add, [said], [would])
        if bookmark not in known:
            raise NotFoundError(
                f"No such bookmark {bookmark}.",
                "'bookmarks show' lists them.",
                targetcli=f"No such bookmark {bookmark}.",
            )
        if action == "go":
            return Go(self.get_node(known[bookmark]).path)
        remove = partial(_without, bookmark)
        said, would = f"Deleted bookmark {bookmark}.", f"Would delete bookmark {bookmark}."
        return Preference("bookmarks", remove, [said], [would])


def _bookmarked(name: str, path: str, known: dict[str, str] | None) -> dict[str, str]:
    """Return bookmarks with one more. Raises UsageError."""
    if known and name in known:
        raise UsageError(f"Bookmark {name} already exists.", "Delete it first.")
    return {**(known or {}), name: path}


def _without(name: str, known: dict[str, str] | None) -> dict[str, str]:
    return {one: path for one, path in (known or {}).items() if one != name}


def _table(described: Iterable[tuple[str, bool, str]]) -> Columns:
    """Return the parameters of a group, (name=value, writable, help) each, as a table."""
    rows = []
    for shown, writable, meaning in described:
        name, _, value = shown.partition("=")
        rows.append((name, value, "" if writable else "read-only", meaning))
    return Columns(("Name", "Value", "", "Meaning"), rows)


def _shown(entry: Entry, value: str, *, secrets: bool) -> str:
    return value if secrets or not entry.secret or not value else MASK


def _word(group: Group, name: str) -> str:
    return group.word(name, _read(group, name))


def _read(group: Group, name: str) -> str:
    try:
        return group.read(name)
    except OSError as error:
        raise from_os_error(error, f"read {name}") from error
