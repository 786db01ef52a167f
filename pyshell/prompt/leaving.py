# SPDX-License-Identifier: Apache-2.0
"""Leaving a session: what is changed and not saved is asked about."""

from __future__ import annotations

from pyshell.errors import PyshellError
from pyshell.prompt.reader import Reader
from pyshell.shell.shell import Shell

_SAVE, _LEAVE, _STAY = "save", "leave", "stay"


def leave(shell: Shell, reader: Reader) -> bool:
    """Save as the user answers; what would lose saved objects is done only after a yes.

    Returns whether to leave at all.
    """
    shell.settle_unsaved()
    wanted = _wanted(shell, reader)
    if wanted == _STAY:
        shell.left = False
        return False
    try:
        if wanted == _LEAVE:
            shell.leave(save=False)
        elif shell.preference("auto_save_on_exit"):
            shell.leave(save=True)
        else:
            shell.say(shell.save_what_changed())
    except PyshellError as error:
        shell.show_error(error)
        return _save_all_the_same(shell, reader)
    return True


def _wanted(shell: Shell, reader: Reader) -> str:
    """Return what to do; where nobody can be asked, or nobody answers, what preferences say."""
    preferred = _SAVE if shell.preference("auto_save_on_exit") else _LEAVE
    asked = shell.changed and reader.can_ask and not (shell.compat or shell.options.yes)
    if not asked:
        return preferred
    default = _SAVE if preferred == _SAVE else _STAY
    choices = "/".join(word.upper() if word == default else word for word in _WORDS)
    question = f"What runs is changed and not saved. Save it, leave it so, or stay? [{choices}]"
    while True:
        try:
            answer = reader.answer(f"{shell.laid_out(question)} ").strip().lower()
        except KeyboardInterrupt:
            return _STAY
        except EOFError:
            return preferred
        if not answer:
            return default
        meant = [word for word in _WORDS if word.startswith(answer)]
        if len(meant) == 1:
            return meant[0]


_WORDS = (_SAVE, _LEAVE, _STAY)


def _save_all_the_same(shell: Shell, reader: Reader) -> bool:
    """Save over objects that are not running after a yes; return whether to leave."""
    if not _would_lose(shell):
        return True
    if not shell.options.yes:
        try:
            answer = yes_or_no(reader, "Save anyway? [y/N] ")
        except KeyboardInterrupt:
            shell.left = False
            return False
        if not answer:
            shell.note("Not saved.")
            return True
    try:
        shell.run_line("/ saveconfig force=true")
    except PyshellError as error:
        shell.show_error(error)
    return True


def yes_or_no(reader: Reader, question: str) -> bool:
    """Ask until the answer is yes or no; no answer is a no. Raises KeyboardInterrupt."""
    while True:
        try:
            answer = reader.answer(question).strip().lower()
        except EOFError:
            return False
        if answer in ("y", "yes", "n", "no", ""):
            return answer.startswith("y")


def _would_lose(shell: Shell) -> bool:
    from pyshell.commands.save import lost_by_saving

    try:
        return bool(lost_by_saving(shell.root()))
    except PyshellError:
        return False  # the saved file cannot be read: that error has been shown
