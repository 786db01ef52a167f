# SPDX-License-Identifier: Apache-2.0
"""Files that hold an object's settings: which there are, how they are read and written.

A setting is named by its file below the object's folder, as `attrib/emulate_caw`.
"""

from __future__ import annotations

from pyshell import names
from pyshell.errors import PyshellError, UsageError
from pyshell.lio import rtslib
from pyshell.lio.configfs import Kernel, files
from pyshell.lio.identifiers import AluaGroup, Identifier

# rtslib's and targetcli's names of the CHAP settings, and the files that hold them.
AUTH_FILES = {
    "userid": "userid",
    "password": "password",
    "mutual_userid": "userid_mutual",
    "mutual_password": "password_mutual",
}
AUTH_MAX = 255
SECRET_LEAST = 12
"""Bytes of a CHAP secret that RFC 7143 requires if nothing else protects the connection."""
SHORT_SECRET = (
    f"is shorter than {SECRET_LEAST} bytes: it can be guessed, and initiators such as Windows take"
    f" {SECRET_LEAST} to 16 only."
)
SECRET_MOST = 16
"""Bytes of a CHAP secret that all initiators accept; the kernel keeps 255."""
LONG_SECRET = f"is longer than {SECRET_MOST} bytes: initiators such as Windows refuse it."
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


def is_short(secret: str) -> bool:
    """Return whether a CHAP secret is shorter than initiators accept; an empty one is not."""
    return 0 < len(secret.encode(errors="surrogatepass")) < SECRET_LEAST


def is_long(secret: str) -> bool:
    """Return whether a CHAP secret is longer than some initiators accept."""
    return len(secret.encode(errors="surrogatepass")) > SECRET_MOST


def secret_caution(secret: str) -> str:
    """Return why some initiators refuse a CHAP secret, as the end of a sentence; "" if none do."""
    if is_short(secret):
        return SHORT_SECRET
    return LONG_SECRET if is_long(secret) else ""


def refuse_equal_secrets(one: str, other: str) -> None:
    """Raise UsageError if the secrets of both directions are the same."""
    if one and one == other:
        raise UsageError(
            "password and mutual_password must differ.",
            "RFC 7143 forbids the same secret for both directions, and initiators refuse it.",
        )


def path_of(folder: str, file: str) -> str:
    """Return the path of a setting's file. Raises UsageError for what cannot be one."""
    return f"{folder}/{names.setting_file(file)}"


def names_in(folder: str, group: str) -> tuple[list[str], list[str]]:
    """Return the names of a group's readable settings (`attrib`, `param`): all, the writable."""
    path = f"{folder}/{group}"
    return files(path, readable=True), files(path, readable=True, writable=True)


def read(kernel: Kernel, folder: str, file: str) -> str:
    """Return one setting in the form in which it is written and saved. Raises OSError."""
    return as_written(file, kernel.read(path_of(folder, file)))


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
    return text


def write(kernel: Kernel, folder: str, file: str, value: str) -> None:
    """Write one setting and read CHAP settings back. Raises OSError, rtslib's errors, PyshellError.

    Attributes and parameters go through rtslib. Its setters for the rest swallow the kernel's
    errors (field failure 65), so those are written here.
    """
    path_of(folder, file)
    group, _, name = file.rpartition("/")
    if group in ("attrib", "param"):
        rtslib.write_setting(folder, group, name, value)
    elif group in ("auth", "discovery_auth") and name in AUTH_FILES.values():
        kernel.write(f"{folder}/{file}", value or _UNSET)
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
    return names_in(place.folder, group)[1]
