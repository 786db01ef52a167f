# SPDX-License-Identifier: Apache-2.0
"""The saved file, its earlier revisions, undo, and what is known of the boot."""
