# SPDX-License-Identifier: Apache-2.0
"""/backstores/user:HANDLER: storage objects served by a program such as tcmu-runner.

The tree shows handlers that are running or have a storage object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pyshell.errors import NotFoundError
from pyshell.host import UserHandler
from pyshell.lio import listing, operations, storage_info
from pyshell.lio.identifiers import StorageObject
from pyshell.names import size_text
from pyshell.tree.backstores import BackstoreNode
from pyshell.tree.command import CHILD, SERIAL, SIZE, SO_NAME, command
from pyshell.tree.node import MoreHelp, Node
from pyshell.tree.results import Change, Lines, Result, Work
from pyshell.tree.storage_object import StorageObjectNode

if TYPE_CHECKING:
    from pyshell.lio.operations.base import Operation

PLUGIN = "user"
_PREFIX = "user:"
_CFGSTRING = "What the handler opens, in the handler's syntax: 'help create' shows it."


def user_backstores(parent: Node) -> list[Node]:
    """Return a backstore for each handler that is running or has a storage object."""
    running = {handler.name: handler for handler in parent.lio.machine.user_handlers()}
    names = sorted({*running, *_used(parent)})
    return [UserBackstoreNode(name, parent, running.get(name)) for name in names]


def user_backstore(parent: Node, name: str) -> Node | None:
    """Return the backstore `user:HANDLER`; `user`, as in saved files, is that of all handlers.

    Raises NotFoundError if there is no such handler.
    """
    if name == PLUGIN:
        return _AllUserNode(name, parent) if listing.storage_objects(parent.lio, PLUGIN) else None
    if not name.startswith(_PREFIX):
        return None
    handler = name.removeprefix(_PREFIX)
    if handler in _used(parent):
        return UserBackstoreNode(handler, parent)
    running = _look_for(parent, handler)
    if running is None:
        raise NotFoundError(
            f"No such path {parent.path}/{name}",
            "tcmu-runner offers the handlers: 'systemctl status tcmu-runner'.",
        )
    return UserBackstoreNode(handler, parent, running)


def _used(node: Node) -> set[str]:
    """Return the handlers that have a storage object."""
    return {_handler_of(node, place) for place in listing.storage_objects(node.lio, PLUGIN)}


def _look_for(node: Node, name: str) -> UserHandler | None:
    for handler in node.lio.machine.user_handlers(patiently=True):
        if handler.name == name:
            return handler
    return None


def _handler_of(node: Node, place: StorageObject) -> str:
    """Return the name of the handler that a storage object is for."""
    return storage_info.describe(node.lio, place).config.partition("/")[0]


class _AllUserNode(BackstoreNode):
    """The storage objects of all handlers, whose names are unique."""


class UserBackstoreNode(BackstoreNode):
    """The storage objects of one handler."""

    def __init__(self, handler: str, parent: Node, running: UserHandler | None = None) -> None:
        super().__init__(f"{_PREFIX}{handler}", parent)
        self.handler = handler
        self._running = running

    def _look(self) -> UserHandler | None:
        """Return the running handler, if any, found when it is first needed."""
        if self._running is None:
            self._running = _look_for(self, self.handler)
        return self._running

    @property
    def plugin(self) -> str:
        return PLUGIN

    def places(self) -> list[StorageObject]:
        found = listing.storage_objects(self.lio, PLUGIN)
        return [place for place in found if _handler_of(self, place) == self.handler]

    def find(self, name: str) -> Node | None:
        found = super().find(name)
        if not isinstance(found, StorageObjectNode):
            return None
        return found if _handler_of(self, found.place) == self.handler else None

    @command(
        changes=True,
        examples=("/backstores/user:qcow create name=disk1 size=10G cfgstring=/srv/disk1.qcow2",),
    )
    def ui_command_create(
        self,
        name: Annotated[str, SO_NAME, "Name of the new storage object."],
        size: Annotated[int, SIZE, "Size, such as 10G."],
        cfgstring: Annotated[str, _CFGSTRING],
        wwn: Annotated[str | None, SERIAL, "Unit serial number; generated if omitted."] = None,
        hw_max_sectors: Annotated[
            int | None, "Maximum number of 512-byte sectors in one command."
        ] = None,
        control: Annotated[
            str | None, "Settings for the kernel, such as max_data_area_mb=64,hw_block_size=512."
        ] = None,
    ) -> Result:
        """Create a storage object provided by the handler."""
        self._require_running()
        config = f"{self.handler}/{cfgstring}"
        self.lio.machine.check_config(self.handler, config)
        arguments = {"config": config, "size": size, "wwn": wwn}
        arguments |= {"hw_max_sectors": hw_max_sectors, "control": control}
        place = self._new(name)
        said = f"Created user-backed storage object {name} size {size}."
        made: list[Operation] = [
            operations.storage.CreateStorageObject(place, arguments, said=[said])
        ]
        # targetcli leaves export_backstore_name_as_model alone here: the handler names the model.
        return Change(made, place.path)

    @command(
        changes=True,
        examples=("/backstores/user:fbo changemedium disc1 700M /srv/other.iso",),
        in_candidate="refused",
    )
    def ui_command_changemedium(
        self,
        name: Annotated[str, CHILD, "Name of the storage object."],
        size: Annotated[int, SIZE, "Size of the new medium, such as 700M."],
        cfgstring: Annotated[str, _CFGSTRING],
    ) -> Result:
        """Change the medium of a storage object, if its handler supports it."""
        self._require_running()
        if self.find(name) is None:
            raise NotFoundError(f"No storage object named {name}.", f"'ls {self.path}' shows them.")
        config = f"{self.handler}/{cfgstring}"

        def run() -> Lines:
            self.lio.machine.change_medium(self.handler, name, size, config)
            return Lines(["Medium Changed."])

        would = f"{name} would get the medium {cfgstring} ({size_text(size)})"
        return Work([would], run, "other")

    def more_help(self, name: str) -> MoreHelp | None:
        if name != "create":
            return None
        running = self._look()
        text = running.description.strip("\n") if running else ""
        return MoreHelp("CFGSTRING FORMAT", "cfgstring", text or "No description.")

    def _require_running(self) -> None:
        if self._look() is None:
            raise NotFoundError(
                f"No handler {self.handler} is running.",
                "Start the program that offers it: 'systemctl start tcmu-runner'.",
            )
