# SPDX-License-Identifier: Apache-2.0
"""The tree that mirrors LIO's configfs: nodes, made when a path is walked and dropped afterwards.

A node's command turns its arguments into operations, or reads; it returns a result and prints
nothing.
"""
