# SPDX-License-Identifier: Apache-2.0
"""Checks of what runs and of the host around it, one file a family; none changes anything."""
