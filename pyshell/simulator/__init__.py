# SPDX-License-Identifier: Apache-2.0
"""A simulated LIO kernel: /sys/kernel/config/target in an ordinary folder, with the kernel's rules.

It needs neither root nor LIO: for trying commands out, for teaching and for tests. What it shows
and refuses was recorded from a real kernel. `pyshell.simulator.under_rtslib` puts it under rtslib.
"""

from pyshell.simulator.hardware import Hardware, SimulatedDevice, SimulatedPort
from pyshell.simulator.login_sessions import ChapCredentials, LoginRefusedError
from pyshell.simulator.simulated_machine import SimulatedMachine
from pyshell.simulator.simulator import Simulator, open_simulator

__all__ = [
    "ChapCredentials",
    "Hardware",
    "LoginRefusedError",
    "SimulatedDevice",
    "SimulatedMachine",
    "SimulatedPort",
    "Simulator",
    "open_simulator",
]
