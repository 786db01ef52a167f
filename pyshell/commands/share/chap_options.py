# SPDX-License-Identifier: Apache-2.0
"""CHAP for the initiators of `share`: as given, generated, or existing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pyshell.errors import ConflictError, UsageError
from pyshell.lio import Lio, listing
from pyshell.lio.configfs import is_on
from pyshell.lio.identifiers import NodeAcl, Tpg
from pyshell.lio.operations.base import Operation
from pyshell.lio.operations.setters import Set
from pyshell.lio.settings import has_credentials, read, refuse_equal_secrets, secret_caution
from pyshell.text import joined

_ENFORCED = "attrib/authentication"
_RANDOM_BYTES = 12
"""96 bits, as RFC 7143 asks for: 16 characters, which is the most that Windows takes."""


@dataclass(frozen=True)
class Chap:
    """The requested CHAP. `kind` is what to generate: "oneway", "mutual" or nothing."""

    kind: str = ""
    userid: str = ""
    password: str = ""
    mutual_userid: str = ""
    mutual_password: str = ""

    @property
    def wanted(self) -> bool:
        """Whether CHAP of the initiators is requested."""
        return bool(self.kind or self.userid or self.password or self.mutual)

    @property
    def mutual(self) -> bool:
        """Whether CHAP of the target is requested."""
        return self.kind == "mutual" or bool(self.mutual_userid or self.mutual_password)

    def check(self, initiators: Sequence[str]) -> None:
        """Raise UsageError for arguments that contradict each other."""
        if not self.kind and self.wanted and not self.password:
            raise UsageError(
                "CHAP needs a secret.", "password=- asks for it, chap=oneway generates one."
            )
        if not self.kind and self.mutual and not self.mutual_password:
            raise UsageError(
                "CHAP of the target needs mutual_password=.", "chap=mutual generates it."
            )
        if self.password and len(initiators) > 1:
            raise UsageError(
                "Initiators must not share one CHAP secret.",
                "Name one initiator, or omit password=: chap=oneway generates one for each.",
            )
        refuse_equal_secrets(self.password, self.mutual_password)


def of_tpg(tpg: Tpg) -> list[Operation]:
    """Return the operation that makes a TPG require CHAP."""
    return [Set(tpg, _ENFORCED, "1")]


def of_acl(lio: Lio, acl: NodeAcl, chap: Chap) -> tuple[list[Operation], bool]:
    """Return the operations that set CHAP names and secrets, and whether a secret is generated."""
    if not chap.wanted:
        return [], False
    wanted = [("userid", chap.userid, acl.wwn), ("password", chap.password, None)]
    if chap.mutual:
        wanted += [
            ("userid_mutual", chap.mutual_userid, acl.tpg.target.wwn),
            ("password_mutual", chap.mutual_password, None),
        ]
    made: list[Operation] = []
    invented = False
    for file, given, default in wanted:
        present = _present(lio, acl, file)
        if given and given != present:
            made.append(Set(acl, f"auth/{file}", given, said=_replaced(acl, file, present)))
        elif not given and not present:
            invented = invented or default is None
            made.append(Set(acl, f"auth/{file}", default or _secret()))
    return made, invented


def _replaced(acl: NodeAcl, file: str, before: str) -> list[str]:
    """Return the sentence about a replaced name or secret, with which logins fail from now on."""
    if not before:
        return []
    if file == "userid":
        return [f"CHAP name of {acl.wwn} replaced: it must log in with the new one from now on."]
    if file == "password":
        return [f"CHAP secret of {acl.wwn} replaced: it must log in with the new one from now on."]
    return [f"CHAP of the target towards {acl.wwn} replaced."]


def notes_of_acl(lio: Lio, acl: NodeAcl, chap: Chap) -> list[str]:
    """Return notes on an initiator's CHAP."""
    notes = []
    for whose, secret in (("", chap.password), ("target's ", chap.mutual_password)):
        if told := secret_caution(secret):
            notes.append(f"The {whose}CHAP secret for {acl.wwn} {told}")
    if not chap.wanted or not _has_credentials(lio, acl):
        return notes
    mutual = bool(_present(lio, acl, "userid_mutual"))
    if mutual and chap.kind == "oneway" and not chap.mutual:
        notes.append(
            f"CHAP of {acl.wwn} stays mutual:"
            f" '{acl.path} set auth mutual_userid= mutual_password=' makes it one-way."
        )
    if chap.mutual and not mutual:
        notes.append(f"CHAP of {acl.wwn} becomes mutual: it needs the target's secret as well.")
    return notes


def notes_of_tpg(tpg: Tpg) -> list[str]:
    """Return notes on disks shared before, for which initiators need CHAP now."""
    notes = []
    for acl in listing.node_acls(tpg) if listing.existing(tpg) else []:
        numbers = [str(mapped.index) for mapped in listing.mapped_luns(acl)]
        if numbers:
            luns = joined(numbers)
            notes.append(f"{tpg} requires CHAP now: {acl.wwn} needs it for LUN {luns} as well.")
    return notes


def refuse_lock_out(lio: Lio, tpg: Tpg, acls: Iterable[NodeAcl], chap: Chap) -> None:
    """Raise if one of `acls`, or another initiator of an existing TPG, could not log in."""
    mine = list(acls)
    enforced = is_enforced(lio, tpg)
    if enforced and not chap.wanted:
        for acl in mine:
            if not _has_credentials(lio, acl):
                raise UsageError(
                    f"{tpg} requires CHAP, and {acl.wwn} has no secret there.",
                    "chap=oneway generates one, password=- asks for it.",
                )
    if chap.wanted and not enforced:
        others = [a for a in listing.node_acls(tpg) if a not in mine]
        without = [acl.wwn for acl in others if not _has_credentials(lio, acl)]
        if without:
            have = "have" if len(without) > 1 else "has"
            raise ConflictError(
                f"CHAP for {tpg} would keep out {', '.join(without)}, which {have} no secret.",
                "Give one first, or share it by a target of its own: target=NAME.",
            )


def is_enforced(lio: Lio, tpg: Tpg) -> bool:
    """Return whether a TPG requires CHAP."""
    return is_on(lio.kernel, f"{tpg.folder}/{_ENFORCED}")


def _has_credentials(lio: Lio, acl: NodeAcl) -> bool:
    return listing.existing(acl) and has_credentials(lio.kernel, acl.folder)


def _present(lio: Lio, acl: NodeAcl, file: str) -> str:
    return read(lio.kernel, acl.folder, f"auth/{file}") if listing.existing(acl) else ""


def _secret() -> str:
    from secrets import token_urlsafe  # it loads OpenSSL

    while True:
        made = token_urlsafe(_RANDOM_BYTES)
        if made[0].isalnum():  # what begins with '-' would look like an option to iscsiadm
            return made
