# SPDX-License-Identifier: Apache-2.0
"""What to do on the other host to get at a target's disks, for several systems."""
