# SPDX-License-Identifier: Apache-2.0
"""The grey rest of a line: which line of the history it is taken from."""

from __future__ import annotations

import pytest
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document

from pyshell.prompt.keys import PathSuggest, suggested

LATEST_FIRST = [("ls depth=1", "/iscsi"), ("ls depth=2", "/"), ("/iscsi ls", "/backstores")]


@pytest.mark.parametrize(
    ("typed", "path", "found"),
    [
        ("ls", "/", "ls depth=2"),
        ("ls", "/iscsi", "ls depth=1"),
        ("ls", "/loopback", None),
        ("/is", "/loopback", "/iscsi ls"),
        ("ls depth=2", "/", None),
    ],
)
def test_a_line_of_this_path_or_one_that_means_the_same_here(
    typed: str, path: str, found: str | None
) -> None:
    assert suggested(typed, LATEST_FIRST, path) == found


@pytest.mark.parametrize("line", ["luns delete 0", "clearconfig confirm=true", "unshare /dev/sdb"])
def test_what_takes_away_is_never_completed_by_a_slip(line: str) -> None:
    suggest = PathSuggest(lambda: [(line, "/")], lambda: "/")
    first, _, rest = line.rpartition(" ")
    assert suggest.get_suggestion(Buffer(), Document(f"{first} ")) is None
    begun = suggest.get_suggestion(Buffer(), Document(line[:3]))
    assert begun is not None
    assert begun.text.endswith(rest)
