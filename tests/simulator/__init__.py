# SPDX-License-Identifier: Apache-2.0
"""Quick tests of the simulated kernel; `tests/kernel/guest` holds it against a real one."""
