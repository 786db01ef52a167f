# SPDX-License-Identifier: Apache-2.0
"""The same lines through targetcli and through pyshell, each on an empty kernel."""
