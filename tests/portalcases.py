# SPDX-License-Identifier: Apache-2.0
"""Which portals Linux 6.1 accepts beside each other, as tried on the real kernel.

The port is the same; the host has 192.168.56.101, 192.168.56.105, 127.0.0.1 and ::1.
"""

from __future__ import annotations

from typing import NamedTuple


class PortalCase(NamedTuple):
    """Whether the kernel accepts `second` after `first`, in the same target and in another.

    A second TPG of the same target counts as the same target. `only_v6` are the answers if
    net.ipv6.bindv6only is 1, None if it refuses `first` then.
    """

    first: str
    second: str
    same: bool
    other: bool
    only_v6: tuple[bool, bool] | None


PORTALS = [
    PortalCase("0.0.0.0", "::1", True, True, (True, True)),
    PortalCase("::1", "0.0.0.0", False, True, (False, True)),
    PortalCase("0.0.0.0", "::", False, True, (False, True)),
    PortalCase("::", "0.0.0.0", False, True, (False, True)),
    PortalCase("::", "192.168.56.101", False, False, (True, True)),
    PortalCase("192.168.56.101", "::", False, True, (False, True)),
    PortalCase("0.0.0.0", "192.168.56.101", False, False, (False, False)),
    PortalCase("192.168.56.101", "0.0.0.0", False, False, (False, False)),
    PortalCase("::", "::1", False, False, (False, False)),
    PortalCase("::1", "::", False, False, (False, False)),
    PortalCase("0.0.0.0", "0.0.0.0", False, True, (False, True)),
    PortalCase("::", "::", False, True, (False, True)),
    PortalCase("::", "::0", False, True, (False, True)),
    PortalCase("192.168.56.101", "192.168.56.101", False, True, (False, True)),
    PortalCase("192.168.56.101", "192.168.56.105", True, True, (True, True)),
    PortalCase("192.168.56.101", "::ffff:192.168.56.101", False, False, (False, False)),
    PortalCase("0.0.0.0", "::ffff:192.168.56.101", False, False, (False, False)),
    PortalCase("::ffff:192.168.56.101", "192.168.56.101", False, False, None),
    PortalCase("::ffff:192.168.56.101", "0.0.0.0", False, True, None),
    PortalCase("::", "::ffff:192.168.56.101", False, False, (False, False)),
    PortalCase("::1", "192.168.56.101", True, True, (True, True)),
    PortalCase("::ffff:192.168.56.101", "::1", True, True, None),
    PortalCase("2001:db8::1", "0.0.0.0", False, True, (False, True)),
    PortalCase("0.0.0.0", "2001:db8::1", True, True, (True, True)),
]
