# SPDX-License-Identifier: Apache-2.0
"""Completion, at the prompt and in bash, zsh and fish."""
