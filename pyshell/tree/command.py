# SPDX-License-Identifier: Apache-2.0
"""The declaration of a command, from which parsing, help and completion derive."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar, get_args

from pyshell import names
from pyshell.errors import NotFoundError, UsageError
from pyshell.expressions import expression
from pyshell.lio.settings import boolean, row
from pyshell.text import did_you_mean

if TYPE_CHECKING:
    from pyshell.tree.node import Node

_NAA = expression(r"(?:naa\.|0x|wwn-0x)6([0-9a-f]{6})([0-9a-f]{25})")
"""A NAA id of the form that the kernel makes: 6, the company's id, and 25 digits."""
_COMPANY = "001405"
_WWN_OF_INITIATOR = expression(r"naa\.|eui\.|iqn\.|0x|wwn-0x", re.IGNORECASE)
_AS_IT_IS = "serial:"


class Aliases:
    """Marks a parameter that has more names: targetcli's."""

    def __init__(self, *names: str) -> None:
        self.names = names


@dataclass(frozen=True)
class Rest:
    """Marks the parameter that gets all further words; `name` stands for them in help."""

    name: str
    help: str


@dataclass(frozen=True)
class Named:
    """Marks the parameter that gets all further NAME=VALUE pairs."""

    name: str
    help: str


InCandidate = Literal["copy", "running", "refused"]
"""What a command acts on while a candidate is open: the candidate, or the running target."""
SECRET = object()
"""Marks a secret: it can be read from elsewhere, and is never shown."""
Method = TypeVar("Method", bound=Callable[..., Any])


@dataclass(frozen=True)
class ValueType:
    """A kind of value: how it is written, read and completed.

    `parse` takes the text without its quotes and raises UsageError. `source` names what completion
    offers if `choices` is empty.
    """

    name: str
    parse: Callable[[str], Any]
    choices: tuple[str, ...] = ()
    source: str = ""
    at: Callable[[Node, Any], Any] | None = None
    """Returns what a parsed value means at a node: for a relative path, the absolute one."""


@dataclass(frozen=True)
class Param:
    """A parameter of a command. `default` is its value if it is omitted."""

    name: str
    kind: ValueType
    help: str
    required: bool = False
    default: Any = None
    secret: bool = False
    aliases: tuple[str, ...] = ()
    named_only: bool = False
    """Whether it must be given as NAME=VALUE."""


@dataclass(frozen=True)
class Command:
    """A command: `rest` takes further words, `named_rest` further name=value pairs."""

    name: str
    summary: str
    params: tuple[Param, ...] = ()
    changes: bool = False
    """Whether it may change the target: it then runs under the lock and needs root."""
    details: str = ""
    examples: tuple[str, ...] = ()
    """Lines. A command of several kinds of nodes begins with `.`, the node's path."""
    rest: Param | None = None
    named_rest: Param | None = None
    prepare: Callable[[Node, dict[str, Any]], dict[str, Any]] | None = None
    rows: bool = False
    """Whether its result is rows of values, which have more output formats than text and JSON."""
    in_candidate: InCandidate = "copy"

    def prepared(self, node: Node, values: dict[str, Any]) -> dict[str, Any]:
        """Return the values of a call, completed and checked by the node. Raises PyshellError.

        It runs before secrets are asked for.
        """
        return self.prepare(node, values) if self.prepare is not None else values

    def param(self, name: str) -> Param | None:
        """Return the parameter of that name or alias."""
        for param in self.params:
            if name == param.name or name in param.aliases:
                return param
        return None

    @property
    def takes_secrets(self) -> bool:
        """Whether arguments may be secrets."""
        return self.named_rest is not None or any(param.secret for param in self.params)

    @property
    def signature(self) -> str:
        """The syntax: `create name dev [readonly] [wwn]`."""
        return " ".join([self.name, *(word for _, word in self.slots())])

    def examples_at(self, path: str) -> list[str]:
        """Return the examples for the node at a path."""
        return [
            f"{path}{example[1:]}" if example.startswith(". ") else example
            for example in self.examples
        ]

    def slots(self) -> list[tuple[Param, str]]:
        """Return everything that may follow the name, each with how the syntax shows it."""
        found = [(param, _shown(param)) for param in self.params]
        if self.rest:
            found.append((self.rest, f"[{self.rest.name}...]"))
        if self.named_rest:
            found.append((self.named_rest, f"[{self.named_rest.name}=value...]"))
        return found


def _shown(param: Param) -> str:
    if param.required:
        return param.name
    return f"[{param.name}=]" if param.named_only else f"[{param.name}]"


def command(
    *,
    changes: bool = False,
    examples: tuple[str, ...] = (),
    prepare: Callable[[Node, dict[str, Any]], dict[str, Any]] | None = None,
    rows: bool = False,
    in_candidate: InCandidate = "copy",
) -> Callable[[Method], Method]:
    """Declare a command: a method `ui_command_NAME` of a node, or a function that is given one.

    The first paragraph of the docstring is the summary, the rest the details. Each parameter of
    the signature is `Annotated[type, …]` with its help, a `ValueType` unless it is a bool,
    int or str, `SECRET` and `Aliases`. One without a default is required, a keyword-only one must
    be given as NAME=VALUE. If its name is a keyword of Python, it ends in `_` there. `Rest` and
    `Named` get the rest. A command that `changes` the target runs under the lock and needs root.
    `prepare` is `Command.prepared`. One of `rows` returns `Rows`. While a candidate is open, a
    command acts on it, unless `in_candidate` says otherwise.
    """

    def declare(method: Method) -> Method:
        method.declared = (changes, examples, prepare, rows, in_candidate)  # type: ignore[attr-defined]
        return method

    return declare


def is_declared(method: object) -> bool:
    """Return whether a method or function is declared as a command."""
    return hasattr(method, "declared")


@cache
def declaration(method: Callable[..., Any]) -> Command:
    """Return the declaration of a command."""
    changes, examples, prepare, rows, in_candidate = method.declared  # type: ignore[attr-defined]
    name = method.__name__.removeprefix("ui_command_").rstrip("_")
    summary, _, details = (method.__doc__ or "").strip().partition("\n\n")
    params, rest, named_rest = [], None, None
    for parameter in _parameters(method):
        given, *marks = get_args(parameter.annotation) or (parameter.annotation,)
        for mark in marks:
            if isinstance(mark, Rest):
                rest = Param(mark.name, TEXT, mark.help)
            elif isinstance(mark, Named):
                named_rest = Param(mark.name, TEXT, mark.help)
        if not any(isinstance(mark, Rest | Named) for mark in marks):
            params.append(_param(parameter, given, marks))
    if changes:
        params += TOLERANCES.get(name, ())
    return Command(
        name,
        " ".join(summary.split()),
        tuple(params),
        changes,
        _joined_lines(details),
        examples,
        rest,
        named_rest,
        prepare,
        rows,
        in_candidate,
    )


def _joined_lines(text: str) -> str:
    return "\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


class _Parameter(NamedTuple):
    """A parameter of a function."""

    name: str
    annotation: Any
    default: Any
    named_only: bool


_NO_DEFAULT = object()


def _parameters(method: Callable[..., Any]) -> Iterator[_Parameter]:
    """Yield the parameters after the node; `inspect`, which does this, is slow to import."""
    code, annotations = method.__code__, method.__annotations__
    defaults = method.__defaults__ or ()
    first_default = code.co_argcount - len(defaults)
    for number, name in enumerate(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]):
        if number == 0:
            continue
        named_only = number >= code.co_argcount
        if named_only:
            default = (method.__kwdefaults__ or {}).get(name, _NO_DEFAULT)
        else:
            default = _NO_DEFAULT if number < first_default else defaults[number - first_default]
        # Not get_type_hints: Python 3.10's wraps a parameter whose default is None once more.
        annotation = annotations.get(name)
        if isinstance(annotation, str):
            annotation = eval(annotation, method.__globals__)  # noqa: S307 - of our own source
        yield _Parameter(name, annotation, default, named_only)


def _param(parameter: _Parameter, given: Any, marks: Sequence[Any]) -> Param:
    """Return the declaration of a parameter. Raises TypeError if its annotation is incomplete."""
    kinds = [mark for mark in marks if isinstance(mark, ValueType)]
    types = [one for one in get_args(given) if one is not NoneType] or [given]
    told = [mark for mark in marks if isinstance(mark, str)]
    kind = kinds[0] if kinds else _KINDS.get(types[0])
    if kind is None or not told:
        raise TypeError(
            f"parameter {parameter.name}: write Annotated[TYPE, 'Its help.'], with a ValueType"
            " such as SIZE if TYPE is not bool, int or str"
        )
    required = parameter.default is _NO_DEFAULT
    return Param(
        parameter.name.rstrip("_"),
        kind,
        told[0],
        required,
        None if required else parameter.default,
        SECRET in marks,
        next((mark.names for mark in marks if isinstance(mark, Aliases)), ()),
        parameter.named_only,
    )


def number(text: str) -> int:
    """Read a whole number from 0. Raises UsageError."""
    found = names.whole(text)
    if found is None:
        raise UsageError(f"'{text}' is not a number.")
    return found


def _whole_after(prefix: str, text: str) -> int | None:
    """Return the whole number that follows an optional prefix, None for other texts."""
    match = re.fullmatch(rf"(?:{prefix})?(.+)", text, re.IGNORECASE | re.ASCII)
    return names.whole(match.group(1)) if match else None


def lun_number(text: str) -> int:
    """Read `3` or `lun3`. Raises UsageError."""
    found = _whole_after(r"mapped_lun|lun", text)
    if found is None or found > names.LUN_MAX:
        raise UsageError(f"'{text}' is not a LUN.", f"Give a number from 0 to {names.LUN_MAX}.")
    return found


def tag_number(text: str) -> int:
    """Read `1` or `tpg1`. Raises UsageError."""
    found = _whole_after("tpg", text)
    if found is None or not 0 < found <= 65535:
        raise UsageError(f"'{text}' is not a TPG tag.", "Give a number from 1 to 65535.")
    return found


def node_path(text: str) -> str:
    """Return the path of a node. Raises UsageError if it is empty."""
    if not text:
        raise UsageError(
            "The path is empty.", "Omit it, or give one such as /backstores/block/disk1."
        )
    return text


def paths(text: str) -> tuple[str, ...]:
    """Read paths separated by commas."""
    return tuple(path for path in text.split(",") if path)


def _where_to(node: Node, path: str) -> str:
    """Return a path as `cd` takes it: `<` and `-` are the previous one."""
    return path if path in ("<", "-") else node.absolute(path)


def _is_pathlike(text: str) -> bool:
    return "/" in text or text.startswith("@") or text in (".", "..")


def _storage_object(node: Node, text: str) -> str:
    """Return the path of an object in the tree; anything else (device, file, name) unchanged."""
    # Messages name a storage object as block/disk1, too.
    for path in (text, f"/backstores/{text}") if _is_pathlike(text) else ():
        with suppress(NotFoundError):
            return node.get_node(path).path
    return text


def _saved_object(node: Node, text: str) -> str:
    """Return a storage object of a saved file as PLUGIN/NAME, if it is given as a path."""
    if not _is_pathlike(text):
        return text
    short = text.count("/") == 1 and text[0] not in "/.@"
    path = node.absolute(f"/backstores/{text}" if short else text)
    if not path.startswith("/backstores/") or path.count("/") != 3:
        raise UsageError(f"{text} is not the path of a storage object.")
    return path.removeprefix("/backstores/")


def _target(node: Node, text: str) -> str:
    """Return the WWN of a target that is given as a path."""
    if _WWN_OF_INITIATOR.match(text) or not _is_pathlike(text):
        return text
    parts = node.absolute(text).split("/")
    if len(parts) < 3 or parts[1] == "backstores":
        raise UsageError(f"{text} is not the path of a target.", "Give its WWN, or /iscsi/WWN.")
    return parts[2]


def _initiator(node: Node, text: str) -> str:
    """Return the name of an initiator that is given as the path of its ACL."""
    if _WWN_OF_INITIATOR.match(text) or not _is_pathlike(text):
        return text
    parts = node.absolute(text).split("/")
    if "acls" not in parts[:-1]:
        raise UsageError(f"{text} is not the path of an ACL.", "Give the initiator's name.")
    return parts[parts.index("acls") + 1]


def _child(node: Node, text: str) -> str:
    """Return the name of a child that is given as a path."""
    if not _is_pathlike(text):
        return text
    folder, _, name = node.absolute(text).rpartition("/")
    if folder != node.path.rstrip("/") or not name:
        raise UsageError(f"{text} is not directly below {node.path}.", "Give only the name.")
    return name


def plain_text(text: str) -> str:
    """Return the text unchanged."""
    return text


def file_name(text: str) -> str:
    """Return a file's name. Raises UsageError if it is empty."""
    if not text:
        raise UsageError("The file name is empty.", "Omit it, or give a path.")
    return text


def _address_and_port(text: str) -> tuple[str, int | None]:
    """Read an address that a port may follow: `0.0.0.0:3260`, `[::1]:3260`. Raises UsageError."""
    try:
        return names.address(text), None
    except UsageError:
        host, colon, port = text.rpartition(":")
        if not colon or not port.isdigit() or (":" in host and not host.startswith("[")):
            raise
        return names.address(host), names.port_number(port)


def _serial(node: Node, text: str) -> str:
    return text if node.context.compat else serial_number(text, "wwn")


def serial_number(text: str, name: str) -> str:
    """Return a unit serial number; for a NAA id, the digits from which the kernel derives it.

    The text after `serial:` is not changed. `name` is the parameter or setting, for hints.
    """
    if text.startswith(_AS_IT_IS):
        return text.removeprefix(_AS_IT_IS)
    found = _NAA.fullmatch(text.strip().lower())
    if found is not None and found.group(1) == _COMPANY:
        return found.group(2)
    if found is not None:
        raise UsageError(
            f"'{text}' is the NAA ID of another company.",
            f"For this ID: company_id=0x{found.group(1)} {name}={found.group(2)}.",
        )
    if _WWN_OF_INITIATOR.match(text.strip()):
        raise UsageError(
            f"'{text}' is not a unit serial number.",
            "Give a serial number, or a NAA id as the kernel makes it: naa.6001405 and 25 more"
            f" hexadecimal digits. {_AS_IT_IS}{text} makes this text the serial number.",
        )
    return text


def serial_argument(serial: str) -> str:
    """Return how a unit serial number is typed: with `serial:` if it would be misread."""
    misread = serial.startswith(_AS_IT_IS) or _WWN_OF_INITIATOR.match(serial)
    return f"{_AS_IT_IS}{serial}" if misread else serial


def _identity(name: str) -> ValueType:
    """Return the kind of value of a setting in the group wwn."""
    return ValueType(
        "text", lambda text: row("storage_object_wwn", name).check(plain_text(text), str)
    )


def choice(*words: str) -> ValueType:
    """Return the kind of value that is one of `words`."""

    def parse(text: str) -> str:
        if text not in words:
            raise UsageError(
                f"'{text}' is not one of {', '.join(words)}.", did_you_mean(text, words)
            )
        return text

    return ValueType("|".join(words), parse, words)


def _flag(node: Node, text: str) -> bool:
    """Read a flag. In targetcli mode any word that does not mean no sets it."""
    try:
        return boolean(text)
    except UsageError:
        if node.context.compat and text:
            return True
        raise


TEXT = ValueType("text", plain_text)
FLAG = ValueType("true|false", plain_text, ("true", "false"), at=_flag)
BOOL = ValueType("true|false", boolean, ("true", "false"))
NUMBER = ValueType("number", number)
DEADLINE_MAX = 24 * 3600


def deadline(text: str) -> int:
    """Return the seconds after which an unconfirmed change is reverted. Raises UsageError."""
    seconds = names.duration(text)
    if not 0 < seconds <= DEADLINE_MAX:
        raise UsageError(f"'{text}' is not from 1 second to 24 hours.")
    return seconds


SIZE = ValueType("size", names.size)
DEADLINE = ValueType("duration", deadline)
DEADLINE_HELP = (
    "Revert the change after this time, as 90s or 5min, unless 'confirm' is run before. Until then"
    " nothing is saved."
)
"""The help of a command's parameter `confirm`, which sets `Change.confirm`."""
SIZE_TEXT = ValueType("size", lambda text: (names.size(text), text))
SERIAL = ValueType("serial number", plain_text, at=_serial)
INQUIRY = {name: _identity(name) for name in ("vendor_id", "product_id", "revision", "company_id")}
"""The kinds of values of a storage object's identity, by the name of the setting."""
SO_NAME = ValueType("name", names.new(names.storage_object_name, "a storage object's name"))
ALUA_NAME = ValueType("name", names.new(names.alua_group_name, "an ALUA group's name"))
ACL_TAG = ValueType("tag", names.new(names.acl_tag, "a tag"))
DEVICE = ValueType("device", plain_text, source="device")
DISK = ValueType("device", plain_text, source="disk", at=_storage_object)
FILE = ValueType("file", file_name, source="file")
PATH = ValueType("path", node_path, source="path", at=lambda node, path: node.absolute(path))
CD_PATH = ValueType("path", node_path, source="path", at=_where_to)
PATHS = ValueType("path,...", paths, at=lambda node, found: tuple(map(node.absolute, found)))
CONFIGURATION = ValueType("configuration", file_name, source="configuration")
CHANGE = ValueType("number", number, source="change")
UNDONE_CHANGE = ValueType("number", number, source="undone")
REVISION = ValueType("revision", plain_text, source="revision")
STORAGE_OBJECT = ValueType("storage object", node_path, source="storage_object", at=_storage_object)
SAVED_OBJECT = ValueType("storage object", plain_text, at=_saved_object)
CHILD = ValueType("name", plain_text, source="child", at=_child)
LUN = ValueType("lun", lun_number, source="lun")
TAG = ValueType("tag", tag_number, source="tag")
WWN = ValueType("wwn", plain_text, source="wwn")
TARGET = ValueType("wwn", plain_text, source="target", at=_target)
INITIATOR = ValueType("wwn", plain_text, source="initiator", at=_initiator)
# Any name that an initiator may have, even one that looks like a path.
ANY_INITIATOR = ValueType("wwn", plain_text, source="initiator")
ADDRESS = ValueType("address", names.address, source="address")
INITIATOR_ADDRESS = ValueType("address", names.initiator_address)
LISTEN = ValueType("address[:port]", _address_and_port, source="address")
PORT = ValueType("port", names.port_number)
_KINDS: dict[Any, ValueType] = {bool: BOOL, int: NUMBER, str: TEXT}
"""The kinds of parameters for which the type says enough."""
GROUP = ValueType("group", plain_text, source="group")
COMMAND = ValueType("command", plain_text, source="command")

_EXIST_OK = Param(
    "exist_ok",
    BOOL,
    "Succeed if an identical object already exists.",
    default=False,
    named_only=True,
)
_MISSING_OK = Param(
    "missing_ok", BOOL, "Succeed if it does not exist.", default=False, named_only=True
)
_FORCE = Param(
    "force",
    BOOL,
    "Do not ask before terminating sessions or removing other objects ('help questions').",
    default=False,
    named_only=True,
)
TOLERANCES = {
    "create": (_EXIST_OK,),
    "delete": (_MISSING_OK, _FORCE),
    "disable": (_FORCE,),
}
TOLERANCES["unshare"] = TOLERANCES["delete"]
"""Parameters of every such command, handled by the shell (field failures 24 and 45)."""
