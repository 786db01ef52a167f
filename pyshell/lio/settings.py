# SPDX-License-Identifier: Apache-2.0
"""Settings of objects: reading and writing their files, and what `attributes.json` says of them.

A setting is named by its file below the object's folder, as `attrib/emulate_caw`.

The table has a row for each attribute and parameter, by kind of object. A setting of a newer kernel
has no row, but can be read and written. The keys of a row:

text     what it means
type     boolean, number, yesno, choice (one of `values`), list (several of `values`), text,
         inquiry (printable ASCII), oui (an IEEE company id)
unit     what a number counts
default  of a new object, by backstore or fabric if they differ; omitted if the device decides
range    pairs of lowest and highest number; the name of another setting stands for its value
values   what a choice or list is made of, with the meaning of each
only     by backstore, the one value that the kernel accepts
longest  most bytes of a text or inquiry
write    when it can be written: `always` (the default), `unexported` (only while no LUN exports the
         storage object), `fixed` (the kernel accepts only the current value), `ignored` (the kernel
         accepts any value and keeps the current one), `never`
tried    false if it was not tried on a real kernel: the kernel judges the value
source   where this is known from
"""

from __future__ import annotations

import contextlib
import functools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyshell import names
from pyshell.errors import PyshellError, UsageError
from pyshell.expressions import expression
from pyshell.lio.configfs import Kernel, files, text_or_none
from pyshell.lio.identifiers import (
    AluaGroup,
    Identifier,
    NodeAcl,
    StorageObject,
    Tpg,
)

# rtslib's and targetcli's names of the CHAP settings, and the files that hold them.
AUTH_FILES = {
    "userid": "userid",
    "password": "password",
    "mutual_userid": "userid_mutual",
    "mutual_password": "password_mutual",
}
AUTH_NAMES = {file: name for name, file in AUTH_FILES.items()}
AUTH_MAX = 255
SERIAL, PRODUCT, COMPANY = "wwn/vpd_unit_serial", "wwn/product_id", "wwn/company_id"
IDENTITY = ("wwn/vendor_id", PRODUCT, "wwn/revision", COMPANY)
"""The files of what initiators read of a disk, besides its serial number."""
SECRET_LEAST = 12
"""Bytes of a CHAP secret that RFC 7143 requires if nothing else protects the connection."""
_SHORT_SECRET = (
    f"is shorter than {SECRET_LEAST} bytes: it can be guessed, and initiators such as Windows take"
    f" {SECRET_LEAST} to 16 only."
)
SECRET_MOST = 16
"""Bytes of a CHAP secret that all initiators accept; the kernel keeps 255."""
_LONG_SECRET = f"is longer than {SECRET_MOST} bytes: initiators such as Windows refuse it."
ALUA_FILES = AluaGroup.kind.files
_ALUA_TYPES = ("None", "Implicit", "Explicit", "Implicit and Explicit")
_ALUA_STATUSES = ("None", "Altered by Explicit STPG", "Altered by Implicit ALUA")
ALUA_STATES = {
    0: "Active/optimized",
    1: "Active/non-optimized",
    2: "Standby",
    3: "Unavailable",
    4: "LBA Dependent",
    14: "Offline",
    15: "Transitioning",
}
_UNSET = "NULL"  # what the kernel's CHAP files and ACL tags hold when they hold nothing

TABLE = Path(__file__).with_name("attributes.json")
UNEXPORTED = "unexported"
_TRUE = frozenset({"1", "true", "yes", "on", "enable", "enabled"})
_FALSE = frozenset({"0", "false", "no", "off", "disable", "disabled"})
_U32_MAX = 2**32 - 1
_WHOLE = expression(r"[+-]?[0-9]+")
_OUI = expression(r"0x([0-9a-f]{1,6})|([0-9a-f]{2})([:-]?)([0-9a-f]{2})\3([0-9a-f]{2})", re.I)
_AS_CREATED: Mapping[str, tuple[str, ...]] = {
    "emulate_model_alias": ("block", "fileio", "ramdisk", "user"),
    "emulate_tpu": ("block", "fileio"),
    "product_id": ("block", "fileio", "ramdisk", "user"),
}
"""What `create` gives by a preference, with the backstores: no table knows it."""
_DISCARD_LIMIT = "attrib/max_unmap_block_desc_count"
DISCARDING = frozenset({"emulate_tpu", "emulate_tpws", "unmap_zeroes_data"})
"""Attributes that the kernel only sets to 1 if the device can discard."""


def is_short(secret: str) -> bool:
    """Return whether a CHAP secret is shorter than initiators accept; an empty one is not."""
    return 0 < len(secret.encode(errors="surrogatepass")) < SECRET_LEAST


def is_long(secret: str) -> bool:
    """Return whether a CHAP secret is longer than some initiators accept."""
    return len(secret.encode(errors="surrogatepass")) > SECRET_MOST


def secret_caution(secret: str) -> str:
    """Return why some initiators refuse a CHAP secret, as the end of a sentence; "" if none do."""
    if is_short(secret):
        return _SHORT_SECRET
    return _LONG_SECRET if is_long(secret) else ""


def refuse_equal_secrets(one: str, other: str) -> None:
    """Raise UsageError if the secrets of both directions are the same."""
    if one and one == other:
        raise UsageError(
            "password and mutual_password must differ.",
            "RFC 7143 forbids the same secret for both directions, and initiators refuse it.",
        )


def _path_of(folder: str, file: str) -> str:
    """Return the path of a setting's file. Raises UsageError for what cannot be one."""
    return f"{folder}/{names.setting_file(file)}"


def names_in(folder: str, group: str) -> tuple[list[str], list[str]]:
    """Return the names of a group's readable settings (`attrib`, `param`): all, the writable."""
    path = f"{folder}/{group}"
    return files(path, readable=True), files(path, readable=True, writable=True)


def read(kernel: Kernel, folder: str, file: str) -> str:
    """Return one setting in the form in which it is written and saved. Raises OSError."""
    return as_written(file, kernel.read(_path_of(folder, file)))


def as_written(file: str, text: str) -> str:
    """Return the text of a setting's file in the form in which it is written and saved."""
    text = text.rstrip("\n")
    name = file.rpartition("/")[2]
    if file.startswith(("auth/", "discovery_auth/")) and name in AUTH_FILES.values():
        return "" if text.strip() == _UNSET else text
    text = text.strip()
    if name == "alua_access_type" and text in _ALUA_TYPES:
        return str(_ALUA_TYPES.index(text))
    if name == "alua_access_status" and text in _ALUA_STATUSES:
        return str(_ALUA_STATUSES.index(text))
    if name == "alua_tg_pt_gp":
        return text.partition("\n")[0].partition(":")[2].strip()
    if file == SERIAL:
        return text.partition(":")[2].strip()
    if file == COMPANY:
        with contextlib.suppress(ValueError):
            return f"0x{int(text, 16):06x}"
    return text


def write(kernel: Kernel, folder: str, file: str, value: str) -> None:
    """Write one setting; read CHAP settings and identities back.

    Raises OSError, rtslib's errors, PyshellError.

    Attributes and parameters go through rtslib. Its setters for the rest swallow the kernel's
    errors (field failure 65), so those are written here.
    """
    _path_of(folder, file)
    group, _, name = file.rpartition("/")
    if group in ("attrib", "param"):
        from pyshell.lio import rtslib  # only changes need it

        rtslib.write_setting(folder, group, name, value)
    elif group in ("auth", "discovery_auth") and name in AUTH_FILES.values():
        kernel.write(f"{folder}/{file}", value or _UNSET)
        if read(kernel, folder, file) != value:
            raise PyshellError(f"The kernel did not set the {name} as requested")
    elif group == "wwn":
        kernel.write(f"{folder}/{file}", value or "\n")  # nothing is written of an empty text
        if read(kernel, folder, file) != value:
            raise PyshellError(f"The kernel did not set the {name} as requested")
    elif file == "tag":
        kernel.write(f"{folder}/{file}", value or _UNSET)
    else:
        kernel.write(f"{folder}/{file}", value)


def has_credentials(kernel: Kernel, folder: str, group: str = "auth") -> bool:
    """Return whether CHAP name and secret of the initiator are set."""
    return all(read(kernel, folder, f"{group}/{file}") for file in ("userid", "password"))


def secret_path(path: str, file: str) -> str:
    """Return the path by which a secret is reported as missing, "" for other settings.

    It is the object's path with the key of a saved configuration: `…/chap_mutual_password`.
    """
    group, _, name = file.rpartition("/")
    prefix = {"auth": "chap_", "discovery_auth": "discovery_"}.get(group)
    key = {"password": "password", "password_mutual": "mutual_password"}.get(name)
    return f"{path}/{prefix}{key}" if prefix and key else ""


def check_auth(name: str, value: str) -> None:
    """Refuse a CHAP name or secret that the kernel would cut or take for none.

    The kernel reads what begins with NULL as "none" and keeps 255 bytes. Raises UsageError.
    """
    if value.startswith(_UNSET):
        raise UsageError(
            f"A {name} that begins with 'NULL' means none to the kernel.", "Choose another."
        )
    if value != value.strip() or not value.isprintable():
        raise UsageError(
            f"The {name} begins or ends with a blank or holds control characters.",
            "The kernel would not keep it as it is.",
        )
    if len(value.encode()) > AUTH_MAX:
        raise UsageError(f"The {name} is longer than {AUTH_MAX} bytes.")


def asks_for_chap(kernel: Kernel, place: Tpg | NodeAcl) -> bool | None:
    """Return whether an initiator must authenticate by CHAP, None if that is not set.

    A node ACL that does not set it follows its TPG.
    """
    text = text_or_none(kernel, f"{place.folder}/attrib/authentication")
    if text not in (None, "", "-1"):
        return text == "1"
    return asks_for_chap(kernel, place.tpg) if isinstance(place, NodeAcl) else None


def own_files(place: Identifier) -> list[str]:
    """Return the files of all settings that `place` can be given, in the order to write them.

    What other objects are made of (links, LUNs) and whether a TPG is enabled is not among them.
    """
    found = [f"{group}/{name}" for group in place.kind.groups for name in _writable(place, group)]
    if place.kind.files:
        present = files(place.folder, writable=True)
        found += [name for name in place.kind.files if name in present]
    return found


def _writable(place: Identifier, group: str) -> list[str]:
    if group == "auth":
        present = names_in(place.folder, group)[1]
        return [name for name in AUTH_FILES.values() if name in present]
    if group == "wwn":  # not what belongs to the device of a pscsi object
        rows, present = of_kind("storage_object_wwn"), names_in(place.folder, group)[1]
        return [n for n in rows if n in present and rows[n].default_of(place.owner) is not None]
    return names_in(place.folder, group)[1]


@dataclass(frozen=True)
class Attribute:
    """A row of the table."""

    name: str
    text: str
    type: str = "text"
    unit: str = ""
    default: str | Mapping[str, str] | None = None
    range: tuple[tuple[int, int | str], ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    only: Mapping[str, str] = field(default_factory=dict)
    longest: int | None = None
    write: str = "always"
    tried: bool = True
    source: str = ""

    @property
    def can_be_set(self) -> bool:
        """Return whether the kernel accepts another value than the current one."""
        return self.write not in ("fixed", "ignored", "never")

    @property
    def default_text(self) -> str:
        """The value in a new object, or those by backstore or fabric, "" if unknown."""
        if isinstance(self.default, Mapping):
            return ", ".join(f"{value} ({owner})" for owner, value in self.default.items())
        return self.default or ""

    def default_of(self, owner: str) -> str | None:
        """Return what a new object has, by its backstore or fabric; None for the device's own."""
        if isinstance(self.default, Mapping):
            return self.default.get(owner)
        return self.default

    def check(self, value: str, read: Callable[[str], str]) -> str:
        """Return `value` as the kernel takes it; `read` reads another setting of the object.

        The kernel reads some values as something else, as `foo` as false: those are refused.
        Raises UsageError.
        """
        if not value and not (self.type == "text" and self.default == ""):
            raise UsageError(f"{self.name} needs a value.")
        return _CHECKS.get(self.type, _as_text)(self, value, read)

    def check_for(self, owner: str, value: str) -> None:
        """Refuse a value, as `check` returns it, that the kernel takes on other backstores only.

        Raises UsageError.
        """
        if self.only.get(owner, value) != value:
            raise UsageError(
                f"{self.name} can only be {self.only[owner]} on a {owner} storage object.",
                "Its backstore or device cannot do that.",
            )

    def allowed(self, read: Callable[[str], str] | None = None) -> str:
        """Return the accepted values as text, with the values of limits if `read` is given."""
        if self.type == "boolean":
            return "0 or 1"
        if self.type == "yesno":
            return "Yes or No"
        if self.type == "inquiry":
            return f"1 to {self.longest} characters of printable ASCII"
        if self.type == "oui":
            return "0x000000 to 0xffffff"
        if self.values:
            words = [f"{value} ({text})" if text else value for value, text in self.values.items()]
            return ", ".join(words)
        pairs = [(low, _limit(high, read)) for low, high in self.range]
        return " or ".join(str(lo) if lo == hi else f"{lo} to {hi}" for lo, hi in pairs)


def _limit(limit: int | str, read: Callable[[str], str] | None) -> int | str:
    if isinstance(limit, int) or read is None:
        return limit
    found = read(limit)
    return int(found) if found.isdigit() else limit


def boolean(text: str) -> bool:
    """Read a truth value in any usual spelling (field failure 72). Raises UsageError."""
    word = text.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise UsageError(f"'{text}' is neither true nor false.")


_TRUTH = {
    "boolean": (("0", "1"), "Give 1 or 0, true or false, yes or no."),
    "yesno": (("No", "Yes"), "Give Yes or No."),
}
"""How the kernel spells false and true, and what to enter, by type."""


def _as_truth(row: Attribute, value: str, read: Callable[[str], str]) -> str:
    words, hint = _TRUTH[row.type]
    try:
        return words[boolean(value)]
    except UsageError:
        raise UsageError(f"'{value}' is not a valid value of {row.name}.", hint) from None


def _as_number(row: Attribute, value: str, read: Callable[[str], str]) -> str:
    if not _WHOLE.fullmatch(value.strip()):
        raise UsageError(f"'{value}' is not a valid value of {row.name}: it is a number.")
    number = int(value)  # a leading 0 would mean octal to the kernel
    if row.range:
        pairs = [(low, _limit(high, read)) for low, high in row.range]
        # Where the other setting's value is not known, the kernel's 32 bits are the limit.
        if not any(lo <= number <= (_U32_MAX if isinstance(hi, str) else hi) for lo, hi in pairs):
            unit = f" {row.unit}" if row.unit else ""
            raise UsageError(
                f"{number} is out of the range of {row.name}.",
                f"It takes {row.allowed(read)}{unit}.",
            )
    return str(number)


def _as_choice(row: Attribute, value: str, read: Callable[[str], str]) -> str:
    word = value.strip()
    if _WHOLE.fullmatch(word):
        word = str(int(word))
    for found, text in row.values.items():
        if word == found or (text and word.lower() == text.partition(":")[0].lower()):
            return found
    if not row.tried:
        return word
    raise UsageError(f"'{value}' is not a valid value of {row.name}.", f"It takes {row.allowed()}.")


def _as_list(row: Attribute, value: str, read: Callable[[str], str]) -> str:
    known = {word.lower(): word for word in row.values}
    words = [word.strip().lower() for word in value.split(",")]
    unknown = [word for word in words if word not in known]
    if unknown:
        raise UsageError(
            f"'{value}' is not a valid value of {row.name}.",
            f"It takes {row.allowed()}, or several of them, separated by commas.",
        )
    return ",".join(known[word] for word in words)


def _as_text(row: Attribute, value: str, read: Callable[[str], str]) -> str:
    if row.longest is not None and len(value.encode(errors="surrogateescape")) > row.longest:
        raise UsageError(f"The {row.name} is longer than {row.longest} bytes.")
    return names.value(value, row.name)


def _as_inquiry(row: Attribute, value: str, read: Callable[[str], str]) -> str:
    """Return a text that the kernel keeps as it is: it strips outer blanks."""
    assert row.longest is not None
    if not (value.isascii() and value.isprintable()) or value != value.strip(" "):
        raise UsageError(
            f"'{value}' is not a valid value of {row.name}.",
            "It is printable ASCII, without a blank at its beginning or end.",
        )
    if len(value) > row.longest:
        raise UsageError(f"The {row.name} '{value}' is longer than {row.longest} characters.")
    return value


def _as_oui(row: Attribute, value: str, read: Callable[[str], str]) -> str:
    found = _OUI.fullmatch(value)
    if found is None:
        raise UsageError(
            f"'{value}' is not a valid value of {row.name}.",
            "It is six hexadecimal digits, such as 0x001405 or 00:14:05.",
        )
    digits = found[1] or f"{found[2]}{found[4]}{found[5]}"
    return f"0x{digits.lower():0>6}"


_CHECKS: Mapping[str, Callable[[Attribute, str, Callable[[str], str]], str]] = {
    "inquiry": _as_inquiry,
    "oui": _as_oui,
    "boolean": _as_truth,
    "yesno": _as_truth,
    "number": _as_number,
    "choice": _as_choice,
    "list": _as_list,
}


@functools.cache
def of_kind(kind: str) -> Mapping[str, Attribute]:
    """Return the rows of a kind of object: storage_object, tpg, tpg_parameter, node_acl …"""
    return {name: _row(name, row) for name, row in _table()[kind].items()}


def is_known(name: str) -> bool:
    """Return whether a setting of any kind has that name."""
    return any(name in rows for rows in _table().values())


def row(kind: str, name: str) -> Attribute:
    """Return the row of a setting, a row without rules if the table has none."""
    known = of_kind(kind).get(name)
    return known or Attribute(name, "The kernel has it; this release of pyshell does not know it.")


@functools.cache
def _table() -> dict[str, dict[str, dict[str, Any]]]:
    found: dict[str, dict[str, dict[str, Any]]] = json.loads(TABLE.read_text(encoding="utf-8"))
    return found


def _row(name: str, told: Mapping[str, Any]) -> Attribute:
    pairs = tuple((low, high) for low, high in told.get("range", ()))
    return Attribute(name, **{**told, "range": pairs})


def _row_of(place: Identifier, file: str) -> Attribute | None:
    """Return the row of a setting (`attrib/emulate_caw`), None if the table has none."""
    folder, _, name = file.rpartition("/")
    kind = place.kind.rows.get(folder)
    return of_kind(kind).get(name) if kind else None


def discard_limit_in_order(own: dict[str, str]) -> dict[str, str]:
    """Return settings with the discard limit before those that the kernel checks against it.

    With a limit, the kernel does not ask the device whether it can discard; without one, it reads
    the device's limit again when discard is enabled. So 0 is written last.
    """
    limit = own.pop(_DISCARD_LIMIT, None)
    if limit is None:
        return own
    return own | {_DISCARD_LIMIT: limit} if limit == "0" else {_DISCARD_LIMIT: limit} | own


def comes_by_itself(place: Identifier, file: str, value: str) -> bool:
    """Return whether a new object has that value, or takes no other."""
    found = _row_of(place, file)
    if found is None or place.owner in _AS_CREATED.get(found.name, ()):
        return False
    if not found.can_be_set:
        return True
    return found.tried and found.default_of(place.owner) == value


def is_fixed_while_exported(place: Identifier, file: str) -> bool:
    """Return whether the kernel refuses a change of the setting while a LUN exports the object."""
    found = _row_of(place, file)
    return found is not None and found.write == UNEXPORTED


def depends_on_device(place: Identifier, file: str) -> bool:
    """Whether a storage object's setting may not fit another device: limits, sizes of blocks."""
    folder, _, name = file.rpartition("/")
    if not isinstance(place, StorageObject) or folder != "attrib" or name in _AS_CREATED:
        return False
    found = _row_of(place, file)
    if found is None or name == "block_size":
        return True
    if any(isinstance(high, str) for _, high in found.range):
        return True
    return not name.startswith("emulate_") and found.default_of(place.owner) is None


def refuse_misread(place: Identifier, file: str, value: str) -> None:
    """Raise UsageError for a value that the kernel would misread or refuse.

    It takes what is neither true nor false for false: `authentication=maybe` would let everybody
    in. Of the rest it is known which values only other backstores take.
    """
    found = _row_of(place, file)
    if found is not None and found.type == "boolean":
        found.check(value, str)
    if found is not None:
        found.check_for(place.owner, value)
