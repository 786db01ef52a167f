# SPDX-License-Identifier: Apache-2.0
"""Changes of the target, each a small value that can tell, check, do and undo itself.

Commands and plans are lists of operations; `carry_out` in `base` runs them, all or none.
"""
