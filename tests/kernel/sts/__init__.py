# SPDX-License-Identifier: Apache-2.0
"""Red Hat's storage test suite against pyshell by the name targetcli, and a golden list."""
