# SPDX-License-Identifier: Apache-2.0
"""The command `simulate` of a simulated target's root: all that an initiator does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated

from pyshell.commands.simulated_initiator import (
    Aptpl,
    AtPortal,
    FromAddress,
    ItsLun,
    Key,
    Mistake,
    MutualPassword,
    MutualUserid,
    OneTarget,
    Password,
    Read,
    Seconds,
    Type,
    Userid,
    Written,
    login,
    logout,
    refuse,
    reserve,
    traffic,
)
from pyshell.errors import UsageError
from pyshell.text import joined
from pyshell.tree.command import ANY_INITIATOR, choice, command
from pyshell.tree.node import Node
from pyshell.tree.results import Result

_ACTIONS: Mapping[str, tuple[Callable[..., Result], tuple[str, ...]]] = {
    "login": (
        login,
        (
            "portal",
            "address",
            "userid",
            "password",
            "mutual_userid",
            "mutual_password",
        ),
    ),
    "logout": (logout, ()),
    "refuse": (refuse, ("portal", "address", "reason")),
    "traffic": (traffic, ("lun", "read", "written", "seconds")),
    "reserve": (reserve, ("lun", "key", "type", "aptpl")),
}
"""What a simulated initiator can do, and the parameters of each."""


@command(
    examples=(
        "simulate login iqn.2020-07.192.168.56.105:client",
        "simulate traffic iqn.2020-07.192.168.56.105:client read=20M written=5M",
        "simulate refuse iqn.2020-07.192.168.56.105:client",
        "simulate logout iqn.2020-07.192.168.56.105:client",
    ),
    in_candidate="running",
)
def simulate(
    node: Node,
    action: Annotated[str, choice(*_ACTIONS), "What the initiator does."],
    initiator: Annotated[str, ANY_INITIATOR, "Name of the initiator."],
    target: OneTarget = None,
    *,
    portal: AtPortal = None,
    address: FromAddress = None,
    userid: Userid = None,
    password: Password = None,
    mutual_userid: MutualUserid = None,
    mutual_password: MutualPassword = None,
    reason: Mistake = None,
    lun: ItsLun = None,
    read: Read = None,
    written: Written = None,
    seconds: Seconds = None,
    key: Key = None,
    type: Type = None,
    aptpl: Aptpl = None,
) -> Result:
    """Act as an initiator: log in and out, be refused, read, write, reserve.

    Only with --simulate: sessions, 'top', 'trace', 'doctor' and questions before sessions end can
    be tried without a kernel and without another host. Each action is a command of its own, too,
    which explains its parameters: 'help login', 'help refuse' and so on.
    """
    given = {
        "portal": portal, "address": address, "userid": userid, "password": password,
        "mutual_userid": mutual_userid, "mutual_password": mutual_password, "reason": reason,
        "lun": lun, "read": read, "written": written, "seconds": seconds, "key": key,
        "type": type, "aptpl": aptpl,
    }  # fmt: skip
    given = {name: value for name, value in given.items() if value is not None}
    act, known = _ACTIONS[action]
    wrong = [name for name in given if name not in known]
    if wrong:
        takes = f"It takes {joined(known)}." if known else f"Write 'simulate {action} INITIATOR'."
        raise UsageError(f"simulate {action} has no parameter '{wrong[0]}'.", takes)
    return act(node, initiator, target, **given)
