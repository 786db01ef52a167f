# SPDX-License-Identifier: Apache-2.0
"""Checks of the running target and its host, one module per topic. They change nothing."""
