# SPDX-License-Identifier: Apache-2.0
"""From a typed line to a command: grammar, binding, lock, preferences, batch."""
