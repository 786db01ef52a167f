# SPDX-License-Identifier: Apache-2.0
"""Tests of packaging/examples: each example is run as far as a host without its kernel allows."""
