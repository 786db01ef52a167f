# SPDX-License-Identifier: Apache-2.0
"""Tests of drawing and output."""
