# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a saved configuration, theme by theme. None touches a target."""
