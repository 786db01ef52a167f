# SPDX-License-Identifier: Apache-2.0
"""Runs `edit`: the user's editor, the check of the text, the question, and the change.

The text is in a file of its own until it is applied. The target's lock is not held while the
editor or a question waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager

from pyshell.config.document_file import DocumentError
from pyshell.config.store import local
from pyshell.errors import InterruptedStepsError, PyshellError, UsageError
from pyshell.host import editor
from pyshell.names import MASK
from pyshell.quoting import line as quoted
from pyshell.shell import kept_texts
from pyshell.shell.changes import Changes
from pyshell.shell.console import Console
from pyshell.shell.kept_texts import KeptText, body, with_comments, without_head
from pyshell.text import counted, one_line
from pyshell.tree.results import Edit, Edited

_THEM = {True: "it", False: "them"}
_CONTINUE, _DELETE, _LEAVE = "continue", "delete", "leave"


class NotEditedError(PyshellError):
    """The text was not applied: the user stopped, or refused the question."""


class Editing:
    """One run of `edit`. `lent` releases the target's lock for a while."""

    def __init__(
        self,
        edit: Edit,
        console: Console,
        changes: Changes,
        lent: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._edit = edit
        self._console = console
        self._changes = changes
        self._lent = lent

    def run(self, line: str, *, forced: bool) -> None:
        """Let the user edit, and apply the result. Raises PyshellError.

        An error names the file with the text, unless the user has written nothing.
        """
        console = self._console
        if not all(one.isatty() for one in (console.stdin, console.out, console.err)):
            raise UsageError(
                "edit needs a terminal.",
                "Without one, write the configuration with 'saveconfig FILE', change the file, and"
                " 'apply FILE'.",
            )
        editor.chosen()
        with self._text() as text, self._kept_if_it_fails(text):
            if self._finished(text, line, forced=forced):
                text.remove()

    @contextmanager
    def _text(self) -> Iterator[KeptText]:
        """Give a text that was kept and the user wants to continue with, else a new one."""
        run_dir = self._changes.lio.run_dir
        with ExitStack() as stack:
            for kept in kept_texts.left(run_dir):
                stack.callback(kept.release)
                if self._takes(kept):
                    yield kept
                    return
                kept.release()
            base = self._edit.read()
            text = with_comments(self._head(), base)
            yield stack.enter_context(kept_texts.new(run_dir, self._edit.path, base, text))

    def _takes(self, kept: KeptText) -> bool:
        about = kept.about
        what = f"A text for {about.path} by {about.user} ({local(about.time)}) was not applied"
        if about.path != self._edit.path:
            self._console.note(f"{what}: {quoted('edit', about.path)} offers it.")
            return False
        answer = self._console.chosen(
            f"{what}. Continue with it, delete it, or leave it?", (_CONTINUE, _DELETE, _LEAVE)
        )
        if answer == _DELETE:
            kept.remove()
        return answer == _CONTINUE

    def _head(self, errors: Sequence[str] = ()) -> list[str]:
        """Return the comments above the text."""
        head = [
            f"Configuration of {self._edit.path}. Leave the editor to apply your changes.",
            f"Lines that begin with // are ignored. {MASK} is a secret that stays the same.",
        ]
        if errors:
            count = "an error" if len(errors) == 1 else f"{len(errors)} errors"
            head += [f"The text has {count}; leave without a change to stop:"]
            head += [f"  {one_line(text)}" for text in errors]
        return head

    def _finished(self, text: KeptText, line: str, *, forced: bool) -> bool:
        """Edit until the text is applied; return whether nothing of it is left to be kept."""
        while True:
            before = text.read()
            with self._lent():
                status = editor.edit(text.file, keep=(text.lock,))
            after = text.read()
            if status != 0:
                how = f"failed with status {status}" if status > 0 else "was killed"
                raise NotEditedError(f"The editor {how}.", unchanged=True)
            if not text.is_written(after):
                self._console.say(["Nothing was changed."])
                return not text.has_more()
            try:
                return self._applied(text, after, line, forced=forced)
            except (NotEditedError, InterruptedStepsError):
                raise
            except PyshellError as error:
                if error.left:
                    raise
                self._reopen(text, before, after, error)

    def _applied(self, text: KeptText, written: str, line: str, *, forced: bool) -> bool:
        """Ask, and apply the text if the answer is yes. Raises PyshellError for its errors."""
        while True:
            self._note_difference(text)
            edited = self._edit.judge(body(written))
            if edited is None:
                self._console.say(["Nothing was changed: the text means the same."])
                return True
            if self._console.options.dry_run:
                self._changes.change(edited.change, line, forced=True)
                self._console.note(self._where(text))
                return False
            if not forced:
                self._ask(edited)
            if self._edit.read() == text.about.base:
                self._changes.change(edited.change, line, forced=True)
                return True

    def _note_difference(self, text: KeptText) -> None:
        """Show what was changed by others since the text was begun; only the user may go on."""
        now = self._edit.read()
        if now == text.about.base:
            return
        difference = self._edit.difference(text.about.base)
        text.rebase(now)
        if not difference:
            return
        what = f"The running configuration of {self._edit.path} was changed meanwhile"
        if self._console.options.yes:
            raise NotEditedError(f"{what}.", "Run 'edit' again to see the difference.")
        self._console.note(f"{what}; your text would undo this:")
        for one in difference:
            self._console.note(f"  {one}")

    def _ask(self, edited: Edited) -> None:
        for one in edited.difference:
            self._console.note(one)
        try:
            self._changes.confirm(edited.change)
        except PyshellError as error:
            raise NotEditedError(error.message, error.hint) from error

    def _reopen(self, text: KeptText, before: str, after: str, error: PyshellError) -> None:
        """Write errors above the text. Raises NotEditedError if the user left it with them."""
        errors = error.faults or [error.text()]
        if isinstance(error, DocumentError):
            above = len(self._head([""] * len(error.findings)))
            errors = [
                f"line {one.line + above}, column {one.column}: {one}" for one in error.findings
            ]
        count = counted(len(errors), "error")
        if after == before and after.startswith(with_comments(self._head(errors), "")):
            raise NotEditedError(f"The text has {count}:", faults=errors, unchanged=True)
        text.write(with_comments(self._head(errors), without_head(after)))
        self._console.note(f"The text has {count}: the editor shows {_THEM[len(errors) == 1]}.")

    @contextmanager
    def _kept_if_it_fails(self, text: KeptText) -> Iterator[None]:
        """Name the file with the text in an error, or remove it if the user wrote nothing."""
        try:
            yield
        except PyshellError as error:
            if self._is_written(text):
                error.hint = f"{error.hint} {self._where(text)}".strip()
            raise
        except KeyboardInterrupt:
            if self._is_written(text):
                self._console.note(self._where(text))
            raise

    def _is_written(self, text: KeptText) -> bool:
        try:
            written = text.has_more() or text.is_written(text.read())
        except PyshellError:
            return True
        if not written:
            text.remove()
        return written

    def _where(self, text: KeptText) -> str:
        again = quoted("edit", self._edit.path)
        return f"Your text is kept in {text.file}: '{again}' offers it."
