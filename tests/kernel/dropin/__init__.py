# SPDX-License-Identifier: Apache-2.0
"""Published programs that call targetcli, unmodified, on a Debian with pyshell-targetcli."""
