# SPDX-License-Identifier: Apache-2.0
"""Changes of the target: small values that can describe, check, do and undo themselves.

Commands and plans are lists of operations; `carry_out` in `base` runs them, all or none.
"""
