# SPDX-License-Identifier: Apache-2.0
"""Tests of the prompt: through a pipe instead of a terminal, and at a real pseudo-terminal."""
