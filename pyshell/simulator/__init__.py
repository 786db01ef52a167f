# SPDX-License-Identifier: Apache-2.0
"""A simulated LIO kernel: /sys/kernel/config/target in a plain folder, with the kernel's rules.

Whoever has root on a machine with LIO needs none of this; it is for trying commands out, for
teaching, and for testing without either. What it shows and refuses was recorded from a real
kernel. `pyshell.simulator.under_rtslib` puts it under rtslib.
"""

from pyshell.simulator.hardware import SimulatedPort
from pyshell.simulator.machine import SimulatedDevice, SimulatedMachine
from pyshell.simulator.opening import open_simulator
from pyshell.simulator.recorded import recorded_kernel
from pyshell.simulator.sessions import Chap, LoginRefusedError
from pyshell.simulator.simulator import Simulator

__all__ = [
    "Chap",
    "LoginRefusedError",
    "SimulatedDevice",
    "SimulatedMachine",
    "SimulatedPort",
    "Simulator",
    "open_simulator",
    "recorded_kernel",
]
