# SPDX-License-Identifier: Apache-2.0
"""The preferences (`get global`, `set global`): targetcli's by their names, and pyshell's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyshell import names
from pyshell.errors import UsageError
from pyshell.text import columns, unsafe_in
from pyshell.tree.command import BOOL, TEXT, ValueType, choice, number

GLOBAL = "global"
"""The name of the group of preferences, which every node has."""
LEVELS = ("critical", "error", "warning", "info", "verbose", "debug")
_COLOURS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white", "default")


_COUNT_MAX = 10**9
DAYS_MAX = 36500


def _backups(text: str) -> int:
    found = names.whole(text)
    if found is None or found > _COUNT_MAX:
        raise UsageError(f"'{text}' is not a number of files.")
    return found


_LABEL_MAX = 20


def _label(text: str) -> str:
    if unsafe_in(text) or text != text.strip() or columns(text) > _LABEL_MAX:
        raise UsageError(
            f"'{text}' is not a valid label.",
            f"Give up to {_LABEL_MAX} printable characters without blanks at the ends.",
        )
    return text


def _up_to(maximum: int) -> ValueType:
    """Return the kind of a whole number from 0 to `maximum`."""

    def parse(text: str) -> int:
        found = number(text)
        if found > maximum:
            raise UsageError(f"'{text}' is too large.", f"Give a number from 0 to {maximum}.")
        return found

    return ValueType("number", parse)


@dataclass(frozen=True)
class Described:
    """One preference."""

    name: str
    kind: ValueType
    default: Any
    help: str

    def takes(self, value: Any) -> bool:
        """Return whether a file may hold this value."""
        if type(value) is not type(self.default):
            return False
        try:
            parsed: Any = self.kind.parse(text(value))
        except UsageError:
            parsed = self.default
        return bool(parsed == value)

    @property
    def type(self) -> str:
        """Return targetcli's name of the kind of its values."""
        return _TYPES.get(self.kind, "string")


_COLOUR = choice(*_COLOURS)
_COUNT = _up_to(_COUNT_MAX)
_DAYS = _up_to(DAYS_MAX)
_LEVEL = choice(*LEVELS)
_COLOUR_OR_NONE = choice(*_COLOURS[:-1], "none")
_TYPES = {
    BOOL: "bool",
    _COUNT: "number",
    _DAYS: "number",
    _COLOUR: "color",
    _COLOUR_OR_NONE: "colordefault",
    _LEVEL: "loglevel",
}
_TABLE = (
    Described("auto_add_default_portal", BOOL, True, "Add the default portal to new TPGs."),
    Described(
        "auto_add_mapped_luns", BOOL, True, "Map new LUNs in all ACLs, and all LUNs in new ACLs."
    ),
    Described("auto_cd_after_create", BOOL, False, "Change to the path of a created object."),
    Described("auto_enable_tpgt", BOOL, True, "Enable new TPGs."),
    Described(
        "auto_save_on_exit",
        BOOL,
        True,
        "On exit, offer to save if this session changed something; a script saves without asking.",
    ),
    Described("auto_use_daemon", BOOL, False, "Ignored; a preference of targetcli's daemon."),
    Described("color_command", _COLOUR, "cyan", "Colour of commands."),
    Described("color_default", _COLOUR_OR_NONE, "none", "Colour of text."),
    Described("color_keyword", _COLOUR, "cyan", "Colour of keywords."),
    Described("color_mode", BOOL, True, "Use colours at a terminal."),
    Described("color_parameter", _COLOUR, "magenta", "Colour of parameters."),
    Described("color_path", _COLOUR, "magenta", "Colour of paths."),
    Described("daemon_use_batch_mode", BOOL, False, "Ignored; a preference of targetcli's daemon."),
    Described(
        "default_portal_address",
        ValueType("address", names.address),
        names.WILDCARD_V4,
        "Address of the default portal: 0.0.0.0 (IPv4) or ::0 (IPv4 and IPv6).",
    ),
    Described("editing", choice("emacs", "vi"), "emacs", "Keys at the prompt: emacs or vi."),
    Described(
        "enable_discard",
        BOOL,
        True,
        "Enable discard (UNMAP) for new storage objects whose device can free blocks; ignored in"
        " targetcli-compatible mode.",
    ),
    Described(
        "export_backstore_name_as_model",
        BOOL,
        True,
        "Report a storage object's name to initiators as its SCSI model.",
    ),
    Described(
        "label",
        ValueType("text", _label),
        "",
        "Name of this host, such as PRODUCTION, shown in the prompt and in questions.",
    ),
    Described(
        "logfile",
        TEXT,
        "",
        "Log file for commands in targetcli-compatible mode; secrets are masked. Empty: no log.",
    ),
    Described("loglevel_console", _LEVEL, "info", "Level of messages shown."),
    Described("loglevel_file", _LEVEL, "debug", "Level of messages logged to logfile."),
    Described(
        "max_backup_files",
        ValueType("number", _backups),
        10,
        "Number of backups of the saved file; 0 for none.",
    ),
    Described(
        "max_revision_days",
        _DAYS,
        0,
        "Days to keep revisions of the saved configuration; 0 for ever.",
    ),
    Described("max_revisions", _COUNT, 50, "Number of revisions of the saved configuration."),
    Described("paging", BOOL, True, "Show long results one screen at a time at the prompt."),
    Described("prompt_length", _COUNT, 30, "Characters of the path in the prompt; 0 for all."),
    Described("prompt_toolbar", BOOL, True, "Show status, hints and errors below the prompt."),
    Described(
        "tree_max_children",
        _COUNT,
        200,
        "Nodes of one branch drawn at a terminal; 0 for all.",
    ),
    Described("tree_max_depth", _COUNT, 0, "Levels that ls shows; 0 for all."),
    Described("tree_round_nodes", BOOL, True, "Draw nodes as o- instead of +-."),
    Described("tree_show_root", BOOL, True, "Show the root of a drawn tree."),
    Described("tree_status_mode", BOOL, True, "Show summaries in a drawn tree."),
)
PREFERENCES = {described.name: described for described in _TABLE}


def text(value: Any) -> str:
    """Return a preference's value as `get` shows it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
