# SPDX-License-Identifier: Apache-2.0
"""The saved configuration: rtslib's saveconfig.json, read, checked, written and restored."""
