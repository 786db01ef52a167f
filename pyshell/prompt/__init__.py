# SPDX-License-Identifier: Apache-2.0
"""The interactive session: lines typed at a terminal, with editing, history and completion.

`session` is the entry point. No other package imports prompt_toolkit.
"""
