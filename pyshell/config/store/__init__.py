# SPDX-License-Identifier: Apache-2.0
"""The saved file, its revisions, undo, and what is recorded about the boot."""
