# SPDX-License-Identifier: Apache-2.0
"""The interactive side: lines typed at a terminal, with editing, history and completion.

`session` is the way in; nothing else loads prompt_toolkit.
"""
