# SPDX-License-Identifier: Apache-2.0
"""Names that users type: WWNs, portal addresses, storage object names, sizes.

Every name is checked here before it becomes part of a path. iSCSI names follow RFC 7143 section
4.2.7 and RFC 3722 (lower case, no blanks, slashes or underscores; at most 223 bytes).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from pyshell.errors import UsageError
from pyshell.expressions import expression

if TYPE_CHECKING:
    import ipaddress

IQN_MAX_BYTES = 223
LUN_MAX = 65535
TPG_TAG_MAX = 65535
ALUA_NAME_MAX = 255
ALUA_NUMBER_MAX = 65535
ACL_TAG_MAX = 63
WILDCARD_V4 = "0.0.0.0"  # noqa: S104 - the portal address that an administrator asks for
WILDCARD_V6 = "::0"
DEFAULT_PORT = 3260
SIZE_MAX = 2**63 - 1
"""The kernel counts bytes of a file in a signed 64-bit number."""
SECRET_NAMES = frozenset({"password", "mutual_password", "password_mutual"})
"""Names of settings that hold CHAP secrets: targetcli's and the kernel's."""
MASK = "********"
"""Shown instead of a secret."""

_IQN = expression(r"iqn\.([0-9]{4})-([0-9]{2})\.([^:]+)(?::(.+))?", re.DOTALL)
_LEADING_ZEROS = expression(r"\b0+(?=[0-9])")
_AUTHORITY = expression(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")
# RFC 3722 also allows letters of other scripts; `plain` limits them.
_BAD_IN_IQN = expression(r"[\x20-\x7e](?<![a-z0-9.:-])")
_WHOLE = expression(r"[0-9]{1,20}")
_DURATION = expression(
    r"(?:([0-9]{1,9})[ \t]*h)?[ \t]*(?:([0-9]{1,9})[ \t]*m(?:in)?)?[ \t]*"
    r"(?:([0-9]{1,9})[ \t]*(?:s|sec)?)?",
    re.IGNORECASE | re.ASCII,
)
_SIZE = expression(r"([0-9]{1,20})[ \t]*([kmgtp]?)(i?b)?", re.IGNORECASE | re.ASCII)
# Controls, ends of lines, and bidirectional controls.
_NOT_IN_A_VALUE = expression(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_SETTING = expression(r"(?:[a-z_]+/)?[A-Za-z][A-Za-z0-9_-]*")
# The kernel takes the zone of a link-local address: the name or number of an interface.
_ZONE = expression(r"[A-Za-z0-9_.:@-]{1,15}")
# RFC 952 and 1123: labels of letters, digits and inner hyphens, without a dot at the end.
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = expression(rf"{_LABEL}(?:\.{_LABEL})*")
_USER = expression(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}")
_NUMBER_AT_END = expression(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9A-Fa-f]*)")
HOST_MAX = 253
_UNIT_NAMES = ("KiB", "MiB", "GiB", "TiB", "PiB")
_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


class Normalised(NamedTuple):
    """A WWN in the form that pyshell shows, its type, and whether the given form differs."""

    wwn: str
    kind: str
    changed: bool


def path_part(text: str) -> str:
    """Return `text` if it can be one name in a path; no other rule is checked.

    Raises UsageError.
    """
    if not text or text in (".", "..") or "/" in text or "\0" in text:
        raise UsageError(f"'{text}' cannot be a name: it would lead elsewhere as part of a path.")
    return text


def setting_file(text: str) -> str:
    """Return `text` if it can be a setting's file below an object's folder (`attrib/alias`).

    Raises UsageError.
    """
    if _SETTING.fullmatch(text) is None:
        raise UsageError(
            f"'{text.partition('/')[2] or text}' cannot be the name of a setting.",
            "It is letters, digits and underscores.",
        )
    return text


def plain(text: str, what: str) -> str:
    """Return `text` if it can name a new object without being mistaken for another name.

    Allowed are printable ASCII and letters of the scripts in `_SCRIPTS` in their form of RFC 3722
    (NFKC). Invisible and bidirectional characters, words that mix scripts, and Greek and Cyrillic
    words that look like Latin ones are refused. Existing objects with such names can still be
    used. Raises UsageError.
    """
    if text.isascii() and text.isprintable():
        return text
    bad = next((c for c in text if not c.isascii() and not _script(c)), None)
    bad = next((c for c in text if c.isascii() and not c.isprintable()), bad)
    if bad is None:
        for word in _WORD.findall(text):
            bad = _deceiving(word)
            if bad is not None:
                break
    if bad is None:
        return text
    known = unicodedata.name(bad, "")
    told = f" ({known})" if known else ""
    raise UsageError(
        f"'{text}': the character U+{ord(bad):04X}{told} is not allowed in {what} here.",
        "It is not visible or can pass for another one. Use ASCII letters and digits.",
    )


_WORD = expression(r"[^\W\d_]+")
_SCRIPTS = {
    "LATIN": "Latin",
    "GREEK": "Greek",
    "CYRILLIC": "Cyrillic",
    "CJK": "East Asian",
    "HIRAGANA": "East Asian",
    "KATAKANA": "East Asian",
    "HANGUL": "Hangul",
}
# Cyrillic, then Greek letters.
_LIKE_LATIN = frozenset(
    "\u0405\u0406\u0408\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423"
    "\u0425\u0430\u0432\u0433\u0435\u043a\u043c\u043d\u043e\u043f\u0440\u0441\u0442\u0443"
    "\u0445\u0455\u0456\u0458\u04bb\u04cf\u0501\u050c\u051a\u051b\u051c\u051d"
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7"
    "\u03b1\u03b3\u03b5\u03b7\u03b9\u03ba\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7\u03c9"
)
_FILLERS = frozenset("\u115f\u1160")


def _script(character: str) -> str:
    """Return the script of a letter that is allowed in a new name, "" for other characters."""
    if (
        not unicodedata.category(character).startswith("L")
        or character in _FILLERS
        or unicodedata.normalize("NFKC", character) != character
    ):
        return ""
    script = _SCRIPTS.get(unicodedata.name(character, "").split(" ")[0], "")
    if script == "Latin":
        # Letters with marks and those of Western Europe. Others, as the dotless i, look like ASCII.
        has_mark = unicodedata.decomposition(character) != ""
        return script if has_mark or "\xdf" <= character.lower() <= "\xff" else ""
    return script


def _deceiving(word: str) -> str | None:
    """Return a letter of a word that looks like one of another script."""
    scripts = {c: "Latin" if c.isascii() else _script(c) for c in word}
    foreign = [c for c, script in scripts.items() if script != "Latin"]
    if len(set(scripts.values())) > 1 or (foreign and _LIKE_LATIN.issuperset(foreign)):
        return foreign[0]
    return None


def new(rule: Callable[[str], str], what: str) -> Callable[[str], str]:
    """Return a rule for the name of a new object: that of existing ones, and `plain`."""
    return lambda text: rule(plain(text, what))


def iqn(text: str) -> str:
    """Return an iSCSI qualified name in its normal form (lower case).

    Raises UsageError, which names the broken rule.
    """
    name = text.strip().lower()
    match = _IQN.fullmatch(name)
    if match is None:
        raise UsageError(
            f"'{text}' is not an iSCSI qualified name.",
            "The form is iqn.YYYY-MM.NAMING-AUTHORITY[:STRING], such as"
            " iqn.2020-07.com.example:disk1.",
        )
    _, month, authority, _ = match.groups()
    if not 1 <= int(month) <= 12:
        raise UsageError(f"'{text}': month {month} is not between 01 and 12.")
    plain(name, "an iSCSI name")
    bad = _BAD_IN_IQN.search(name)
    if bad:
        raise UsageError(
            f"'{text}': the character {bad.group()!r} is not allowed in an iSCSI name.",
            "Use letters, digits, '-', '.' and ':'.",
        )
    if _AUTHORITY.fullmatch(authority) is None:
        raise UsageError(
            f"'{text}': '{authority}' is not a reversed domain name.",
            "Use a domain that you own, such as com.example.",
        )
    if len(name.encode()) > IQN_MAX_BYTES:
        raise UsageError(f"'{text}' is longer than {IQN_MAX_BYTES} bytes.")
    return name


def wwn(text: str, kinds: tuple[str, ...]) -> Normalised:
    """Check `text` as a WWN of one of `kinds` (iqn, naa, eui, ib, free) and normalise it.

    Colons, dashes and `0x` in naa, eui and ib names are removed, missing prefixes added.
    Raises UsageError.
    """
    given = text.strip()
    for kind in kinds:
        found = _as_kind(given, kind, alone=len(kinds) == 1)
        if found is not None:
            return Normalised(found, kind, found != given)
    if "iqn" in kinds:
        iqn(given)  # says what is wrong with it
    forms = " or ".join(_FORMS[kind] for kind in kinds)
    raise UsageError(f"'{text}' is not a valid name here.", f"The form is {forms}.")


_FORMS = {
    "iqn": "iqn.YYYY-MM.NAMING-AUTHORITY[:STRING]",
    "naa": "naa. and 16 hexadecimal digits that begin with 1, 2, 3, 5, 6 or c to f",
    "eui": "eui. and 16 hexadecimal digits",
    "ib": "ib. and 32 hexadecimal digits",
    "free": "any name without blanks and slashes",
}
_HEX = {
    "naa": expression(r"[12356c-f][0-9a-f]{15}"),
    "eui": expression(r"[0-9a-f]{16}"),
    "ib": expression(r"[0-9a-f]{32}"),
}


def _as_kind(text: str, kind: str, *, alone: bool) -> str | None:
    if kind == "iqn":
        if not text.lower().startswith("iqn."):
            return None
        return iqn(text)
    if kind == "free":
        plain(text, "a WWN")
        return text if re.fullmatch(r"[^\s/]+", text) and text not in (".", "..") else None
    digits = text.lower()
    prefix = f"{kind}."
    if digits.startswith(prefix):
        digits = digits[len(prefix) :]
    elif not alone and not digits.startswith("0x") and ":" not in digits:
        return None
    digits = digits.removeprefix("0x").replace(":", "").replace("-", "")
    return prefix + digits if _HEX[kind].fullmatch(digits) else None


def possible_wwn(text: str, kinds: tuple[str, ...]) -> None:
    """Check whether the kernel can have a WWN that breaks the rules for new names.

    Raises UsageError, which states the rule for new names.
    """
    prefixes = tuple(f"{kind}." for kind in kinds if kind != "free")
    clean = text.isprintable() and not re.search(r"\s", text)
    known = "iqn" in kinds and text.lower().startswith(prefixes)
    if not (clean and known and len(text.encode()) <= IQN_MAX_BYTES):
        wwn(text, kinds)
    path_part(text)


def storage_object_name(text: str) -> str:
    """Return `text` if it can name a storage object. Raises UsageError."""
    _part_without_blanks(text, f"'{text}' cannot name a storage object.")
    if len(text.encode()) > 255:
        raise UsageError("A storage object's name has at most 255 bytes.")
    return text


def _part_without_blanks(text: str, refusal: str, also_bad: str = "") -> None:
    bad = re.search(rf"[\s/{also_bad}]", text)
    if not text or bad or text in (".", "..") or not text.isprintable():
        raise UsageError(refusal, "Remove blanks, slashes and control characters.")


def alua_group_name(text: str) -> str:
    """Return `text` if it can name an ALUA group. Raises UsageError."""
    _part_without_blanks(text, f"'{text}' cannot name an ALUA group.")
    if text == "NULL":
        raise UsageError("An ALUA group cannot be named NULL: to the kernel that means none.")
    if len(text.encode()) > ALUA_NAME_MAX:
        raise UsageError(f"An ALUA group's name has at most {ALUA_NAME_MAX} bytes.")
    return text


def value(text: str, what: str) -> str:
    """Return a text for the kernel if it is one line without controls. Raises UsageError.

    The kernel would cut it at a line feed, and return characters that a terminal obeys.
    """
    bad = _NOT_IN_A_VALUE.search(text)
    if bad:
        raise UsageError(
            f"The {what} holds the character U+{ord(bad.group()):04X}.",
            "It is one line without control characters.",
        )
    return text


def acl_tag(text: str) -> str:
    """Return `text` if it can tag node ACLs. Raises UsageError.

    A dot would make it look like a WWN.
    """
    if "." in text:
        raise UsageError("'.' not permitted in tag names.", "All WWNs have one.")
    _part_without_blanks(text, f"'{text}' cannot be a tag.", "@*=")
    return possible_tag(text)


def possible_tag(text: str) -> str:
    """Return `text` if a node ACL can have it as tag, as other programs may set it.

    Raises UsageError.
    """
    path_part(value(text, "tag"))
    if text.startswith("NULL"):
        raise UsageError("A tag that begins with 'NULL' means none to the kernel.")
    if len(text.encode()) > ACL_TAG_MAX:
        raise UsageError(f"A tag has at most {ACL_TAG_MAX} bytes.")
    return text


def address(text: str) -> str:
    """Return a portal's address in plain form: dotted IPv4, or IPv6 without brackets.

    The IPv6 wildcard is always `::0`, as targetcli writes it. Raises UsageError.
    """
    import ipaddress

    bare = text.strip()
    if bare.startswith("[") and bare.endswith("]"):
        bare = bare[1:-1]
    _, percent, zone = bare.partition("%")
    try:
        parsed = ipaddress.ip_address(bare)
        if percent and not _ZONE.fullmatch(zone):
            raise ValueError
    except ValueError:
        raise UsageError(
            f"'{text}' is not an IP address.",
            "Give one of this host's addresses, 0.0.0.0 for all IPv4 or ::0 for all.",
        ) from None
    if parsed.version == 6 and int(parsed) == 0:
        return WILDCARD_V6
    return str(parsed)


def initiator_address(text: str) -> str:
    """Return an initiator's address in plain form. Raises UsageError, also for a wildcard."""
    with suppress(UsageError):
        plain = address(text)
        if plain not in (WILDCARD_V4, WILDCARD_V6):
            return plain
    raise UsageError(
        f"'{text}' is not the IP address of an initiator.", "Give one such as 192.168.56.105."
    )


def known_address(text: str) -> str:
    """Return an address as `address` does; one that is not valid stays as it is."""
    try:
        return address(text)
    except UsageError:
        return text


def ssh_destination(text: str) -> str:
    """Return `[USER@]HOST` as ssh takes it, an IPv6 address without brackets.

    HOST is a host name, an alias in ssh's configuration of the same characters, or an IP address.
    ssh would read a word that begins with '-' as an option, and its configuration can pass user and
    host to a shell. Raises UsageError.
    """
    user, at, host = text.rpartition("@")
    if (not at or _USER.fullmatch(user)) and (plain := _host(host)):
        return f"{user}{at}{plain}"
    raise UsageError(
        f"'{text}' is not a host.",
        "Give HOST or USER@HOST. HOST is a name of letters, digits, '-' and '.', or an IP address.",
    )


def _host(text: str) -> str:
    """Return a host's name, or its address without brackets; "" if it is neither."""
    import ipaddress

    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    with suppress(ValueError):
        parsed = ipaddress.ip_address(bare)
        zone = "%" in bare
        return "" if zone or (bare != text and parsed.version == 4) else bare
    # Other numbers are old spellings of IPv4 addresses: 127.1 is 127.0.0.1.
    if len(text) > HOST_MAX or not _HOST.fullmatch(text) or _NUMBER_AT_END.fullmatch(text):
        return ""
    return text


def bracketed(plain: str) -> str:
    """Return a plain address as configfs and portal names write it."""
    return f"[{plain}]" if ":" in plain else plain


def split_portal(name: str) -> tuple[str, int]:
    """Split a portal's name (`192.0.2.1:3260`, `[::0]:3260`) into plain address and port.

    Raises UsageError.
    """
    host, colon, port = name.rpartition(":")
    if not colon:
        raise UsageError(
            f"'{name}' is not a portal.", "The form is ADDRESS:PORT, such as 0.0.0.0:3260."
        )
    return address(host), port_number(port)


def portal(text: str) -> tuple[str, int]:
    """Return plain address and port of a portal that is given with or without a port.

    Raises UsageError.
    """
    try:
        return address(text), DEFAULT_PORT
    except UsageError:
        if ":" not in text:
            raise
    return split_portal(text)


def portal_obstacle(
    wanted: str, own: Iterable[str], others: Iterable[str], *, v6only: bool = False
) -> str | None:
    """Return the address that prevents the kernel from adding a portal, None if it can be added.

    All addresses are of one port: `own` those of the same target, `others` those of all other
    targets. `v6only` is the host's net.ipv6.bindv6only. Tried on Linux 6.1; the order counts:
    `::1` can be added after `0.0.0.0`, but not before it.
    """
    own, others = list(own), list(others)
    taken = next((address for address in own if _is_taken_for(wanted, address)), None)
    if taken is not None:
        return taken
    if any(_is_taken_for(wanted, address) for address in others):
        return None  # the targets share the listener
    beside = (*own, *others)
    return next((a for a in beside if _cannot_be_bound(wanted, a, v6only=v6only)), None)


def portal_in_place_of(wanted: str, others: Iterable[str], *, v6only: bool = False) -> str | None:
    """Return the only address at which the kernel would serve a portal, None if at its own.

    The kernel confuses some addresses with that of another target's listener.
    """
    taken = next((address for address in others if _is_taken_for(wanted, address)), None)
    if taken is None or listens_on(taken, wanted, v6only=v6only):
        return None
    return taken


def portals_exclude(one: str, other: str, *, same_target: bool) -> bool:
    """Return whether two portals of one port cannot exist together, in any order."""

    def refused(first: str, second: str) -> bool:
        beside: tuple[list[str], list[str]] = ([first], []) if same_target else ([], [first])
        return portal_obstacle(second, *beside) is not None

    return refused(one, other) and refused(other, one)


def portal_order(plain: str, *, v6only: bool = False) -> int:
    """Return a sort key: in this order the kernel accepts all portals that can exist together."""
    parsed = _parsed(plain)
    if parsed.version == 6 and parsed.is_unspecified:
        return 0 if v6only else 2
    if parsed.version == 4:
        return 3 if parsed.is_unspecified else 1
    return 1 if parsed.ipv4_mapped else 4


def listens_on(listening: str, wanted: str, *, v6only: bool = False) -> bool:
    """Return whether a portal at one address, perhaps a wildcard, is reached at another."""
    one, other = _bound(listening), _bound(wanted)
    if one == other:
        return True
    if not one.is_unspecified:
        return False
    return one.version == other.version or (one.version == 6 and not v6only)


def _is_taken_for(wanted: str, present: str) -> bool:
    """Return whether the kernel regards an address as that of an existing listener.

    iscsit_check_np_match() ignores the family: an IPv4 listener has zeros where an IPv6 address
    would be, an IPv6 one has its flow label, 0, where an IPv4 address would be.
    """
    one, other = _parsed(wanted), _parsed(present)
    if one.version == other.version:
        return one == other
    return one.is_unspecified


def _cannot_be_bound(wanted: str, present: str, *, v6only: bool) -> bool:
    """Return whether a socket at an address is refused while there is one at another."""
    return listens_on(wanted, present, v6only=v6only) or listens_on(present, wanted, v6only=v6only)


@lru_cache(maxsize=256)
def _parsed(plain: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    import ipaddress

    bare = plain.strip().strip("[]")
    # The kernel accepts zeros before the numbers of an IPv4 address and shows them.
    return ipaddress.ip_address(bare if ":" in bare else _LEADING_ZEROS.sub("", bare))


def _bound(plain: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the address of the kernel's socket: for a mapped one, the IPv4 address."""
    parsed = _parsed(plain)
    mapped = parsed.ipv4_mapped if parsed.version == 6 else None
    return mapped if mapped is not None else parsed


def port_number(text: str) -> int:
    """Return a TCP port. Raises UsageError."""
    found = whole(text)
    if found is None or not 1 <= found <= 65535:
        raise UsageError(f"'{text}' is not a TCP port.", "Give a number from 1 to 65535.")
    return found


def lun(number: int) -> int:
    """Return `number` if it can be a LUN or mapped LUN. Raises UsageError."""
    return _within(number, 0, LUN_MAX, "a LUN")


def tpg_tag(number: int, tags: range = range(1, TPG_TAG_MAX + 1)) -> int:
    """Return `number` if a TPG can have it as tag; by default a new one. Raises UsageError."""
    return _within(number, tags[0], tags[-1], "a TPG tag")


def alua_group_number(number: int) -> int:
    """Return `number` if it can be that of a new ALUA group. Raises UsageError."""
    return _within(number, 1, ALUA_NUMBER_MAX, "the number of an ALUA group")


def _within(number: int, lowest: int, highest: int, what: str) -> int:
    if not lowest <= number <= highest:
        allowed = f"{lowest} to {highest}" if lowest < highest else f"{lowest}"
        raise UsageError(f"{number} is not {what}", f"It is {allowed}.")
    return number


def whole(text: str) -> int | None:
    """Return the number of a text of up to 20 ASCII digits, None for other texts."""
    return int(text) if _WHOLE.fullmatch(text) else None


def size(text: str) -> int:
    """Return a size in bytes. `10M`, `1GiB`, `512` and `2tb` are read in powers of 1024.

    Raises UsageError.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            f"'{text}' is not a size.", "Give bytes, or a whole number with k, M, G or T."
        )
    number, unit, _ = match.groups()
    found: int = int(number) * 1024 ** _UNITS[unit.lower()]
    if found == 0:
        raise UsageError("A size must be greater than 0.")
    if found > SIZE_MAX:
        raise UsageError(f"'{text}' is more than the kernel can count.", "The maximum is 8191P.")
    return found


def size_text(number: int) -> str:
    """Return a size in bytes for people: `20.0GiB`, `512 bytes`."""
    if number < 1024:
        return f"{number} bytes"
    value = number / 1024
    unit = 0
    while value >= 1024 and unit < len(_UNIT_NAMES) - 1:
        value /= 1024
        unit += 1
    return f"{value:3.1f}{_UNIT_NAMES[unit]}"


def duration(text: str) -> int:
    """Return a duration in seconds: `90`, `90s`, `5min`, `1h30min`. Raises UsageError."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        raise UsageError(f"'{text}' is not a duration.", "Give seconds, or as 90s, 5min or 1h.")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


def duration_text(seconds: int) -> str:
    """Return a duration for people: `5 min`, `1 min 30 s`, `2 h`."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"
