# SPDX-License-Identifier: Apache-2.0
"""The write cache that initiators are told of, which must not contradict the one there is."""

from __future__ import annotations

from dataclasses import dataclass

from pyshell.errors import UsageError
from pyshell.lio import storage
from pyshell.lio.attach import Lio
from pyshell.lio.identifiers import StorageObject
from pyshell.lio.operations.base import Foreseen
from pyshell.lio.operations.settings import Set


@dataclass
class SetWriteCache(Set):
    """Set emulate_write_cache, but never hide a cache that is there (field failure 68).

    A fileio storage object made with write_back keeps writes in memory for its whole life. An
    initiator that is told otherwise does not flush, and a crash loses what was acknowledged.
    """

    buffered: bool = False
    """Whether the object will be made with write_back."""

    def check(self, lio: Lio, foreseen: Foreseen) -> None:
        """See that the object is there and does not keep writes in memory."""
        super().check(lio, foreseen)
        assert isinstance(self.place, StorageObject)
        if self.value != "0":
            return
        # One that is made anew is not what is there now.
        is_new = foreseen.makes(self.place.folder)
        if self.buffered or (not is_new and storage.describe(lio, self.place).buffered):
            raise UsageError(
                f"emulate_write_cache=0 contradicts write_back=true of {self.place}: a crash"
                " would lose acknowledged writes",
                "Delete it and create it again with write_back=false.",
            )
