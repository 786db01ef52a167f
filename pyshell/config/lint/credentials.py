# SPDX-License-Identifier: Apache-2.0
"""CHAP names and secrets: what is cut, too short, half set, or keeps initiators out.

No message holds a secret.
"""

from __future__ import annotations

from collections.abc import Iterator

from pyshell.config.lint.faults import Entry, Fault, error, refused, warning
from pyshell.config.references import SUFFIX, read_secret
from pyshell.errors import PyshellError, UsageError
from pyshell.lio.settings import SECRET_LEAST, SECRET_MOST, check_auth, is_long, is_short


def tpg_faults(tpg: Entry) -> Iterator[Fault]:
    """Yield what is wrong with the credentials of a TPG."""
    yield from _pairs(tpg, "chap_")


def acl_faults(acl: Entry, tpg: Entry) -> Iterator[Fault]:
    """Yield what is wrong with the credentials of a node ACL."""
    yield from _pairs(acl, "chap_")
    wanted = tpg.below("attributes").number("authentication")
    own = acl.below("attributes").number("authentication")
    enforced = wanted == 1 if own in (None, -1) else own == 1
    keys = ("chap_userid", "chap_password", f"chap_password{SUFFIX}")
    if enforced and not any(acl.data.get(key) for key in keys):
        yield warning(
            acl.place,
            "authentication is on, but there is no chap_userid and chap_password",
            "The initiator cannot log in.",
        )


def discovery_faults(entry: Entry) -> Iterator[Fault]:
    """Yield what is wrong with the credentials of discovery."""
    yield from _pairs(entry, "discovery_")
    if entry.flag("discovery_enable_auth") and not entry.data.get("discovery_userid"):
        place = entry.at("discovery_enable_auth")
        yield warning(place, "is true, but there is no discovery_userid")


def _pairs(entry: Entry, prefix: str) -> Iterator[Fault]:
    for key in (f"{prefix}password", f"{prefix}mutual_password"):
        yield from _reference(entry, key)
    yield from _pair(entry, f"{prefix}userid", f"{prefix}password")
    yield from _pair(entry, f"{prefix}mutual_userid", f"{prefix}mutual_password")
    there, back = entry.text(f"{prefix}password"), entry.text(f"{prefix}mutual_password")
    if back and not (there or entry.data.get(f"{prefix}password{SUFFIX}")):
        message = f"has no effect without {prefix}password"
        yield warning(entry.at(f"{prefix}mutual_password"), message)
    elif back and there == back:
        yield warning(
            entry.at(f"{prefix}mutual_password"),
            f"is the same as {prefix}password",
            "RFC 7143 forbids that, and initiators refuse it.",
        )


def _reference(entry: Entry, key: str) -> Iterator[Fault]:
    file = entry.text(f"{key}{SUFFIX}")
    if file is None:
        return
    place = entry.at(f"{key}{SUFFIX}")
    if entry.data.get(key):
        yield error(place, f"excludes {key}, which is there, too")
        return
    try:
        check_auth(key, read_secret(file))
    except PyshellError as found:
        yield refused(place, found)


def _pair(entry: Entry, userid: str, password: str) -> Iterator[Fault]:
    for key, other in ((userid, password), (password, userid)):
        value = entry.text(key)
        if not value:
            continue
        if not (entry.data.get(other) or entry.data.get(f"{other}{SUFFIX}")):
            yield warning(entry.at(key), f"there is no {other} with it")
        try:
            check_auth(key, value)
        except UsageError as found:
            yield refused(entry.at(key), found)
    secret = entry.text(password)
    if is_long(secret or ""):
        yield warning(
            entry.at(password),
            f"the secret is longer than {SECRET_MOST} bytes",
            "Initiators such as Windows refuse it.",
        )
    if is_short(secret or ""):
        yield warning(
            entry.at(password),
            f"the secret is shorter than {SECRET_LEAST} bytes",
            "RFC 7143 asks for that many, and some initiators refuse fewer.",
        )
