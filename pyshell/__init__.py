# SPDX-License-Identifier: Apache-2.0
"""pyshell: an administration shell for LIO, the Linux kernel's storage target."""

__version__ = "0.1.0"
