# SPDX-License-Identifier: Apache-2.0
"""A candidate: a copy of the running configuration that commands change before it is committed.

It is a simulated kernel in a private folder, seeded from the running configuration. A commit
applies what was changed in it since then to the configuration that is running by then.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from pyshell.config.compare import Difference, compare, shown
from pyshell.config.document import Document
from pyshell.config.model import Item, Items, items
from pyshell.config.object_operations import Fresh, SetKnown
from pyshell.config.plan import Plan, PlanStep, plan
from pyshell.config.running import read_running
from pyshell.config.three_way import merged
from pyshell.errors import PyshellError, os_errors
from pyshell.files import writing
from pyshell.lio import Lio, fabrics, identifiers, listing, open_candidate
from pyshell.lio.configfs import changing
from pyshell.lio.operations.base import Operation, do_unchecked, flat
from pyshell.lio.operations.setters import Set, SetEnabled
from pyshell.lio.operations.storage import CreateImageFile, CreateStorageObject
from pyshell.lio.storage_info import MODEL_ALIAS, describe
from pyshell.simulator import SimulatedDevice, SimulatedPort, Simulator
from pyshell.simulator.candidate_host import CandidateHardware

_FOLDER = "candidates"


class Candidate:
    """An open candidate of a target."""

    def __init__(self, running: Lio) -> None:
        """Copy the running configuration. Raises PyshellError."""
        self.running = running
        self._images: dict[str, CreateImageFile] = {}
        """The image files that were created, by path."""
        self._changes = 0
        """Counts what may have changed it."""
        self._differences: tuple[int, list[Difference]] | None = None
        """What was changed in it, after so many changes."""
        self.named: set[str] = set()
        """Paths of the objects that command lines named for removal."""
        self.advice: list[str] = []
        """What commands say about what to do after the commit."""
        self._lock, self._folder = _new_folder(running.run_dir / _FOLDER)
        try:
            document = read_running(running)
            self.begun: Items = items(document, running.root)
            """What was running when it was opened."""
            _require_room(self._folder, self.begun)
            self.lio = _empty(running, self._folder / "copy", document)
            _seed(self.lio, document)
            self.base: Items = self._fitted(self.items())
            """The copy as it was at first."""
        except BaseException:
            self.close()
            raise

    def _fitted(self, copy: Items) -> Items:
        """Remove the settings that the simulated kernel has and the running one lacks."""
        found = dict(copy)
        known = _settings_by_kind(self.begun)
        with changing():
            for path, item in copy.items():
                own = known.get(_kind(item), item.settings.keys())
                more = [f for f in item.settings if f not in own and _group(f) in _PLAIN]
                if more:
                    folder = self._folder_of(item)
                    for file in more:
                        _simulator_of(self.lio).lack(f"{folder}/{file}")
                    kept = {f: v for f, v in item.settings.items() if f not in more}
                    found[path] = replace(item, settings=kept)
        return found

    def _folder_of(self, item: Item) -> str:
        """Return the folder of one of its objects."""
        place = item.place
        if isinstance(place, identifiers.StorageObject):
            own = listing.storage_object(self.lio, place.plugin, place.name)
            return own.folder if own is not None else ""
        return f"{self.lio.root}{place.folder.removeprefix(self.running.root)}"

    def close(self) -> None:
        """Remove the copy."""
        from pyshell.lio.rtslib import working_on  # only changes need it

        with working_on(self.running):  # rtslib forgets the folder
            pass
        shutil.rmtree(self._folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.close(self._lock)

    def note(self, operations: Iterable[Operation]) -> None:
        """Record what changed the copy."""
        self.changed()
        for operation in flat(operations):
            if isinstance(operation, CreateImageFile):
                self._images[operation.path] = operation

    def changed(self) -> None:
        """Forget what was known of its changes."""
        self._changes += 1

    def items(self) -> Items:
        """Return its objects, as objects of the running target."""
        return items(read_running(self.lio), self.running.root)

    def document(self) -> Document:
        """Return its configuration, to put it back later."""
        return read_running(self.lio)

    def point_outside(self, error: PyshellError) -> None:
        """Let an error name objects of the running target instead of files of the copy."""
        error.message, error.hint = (self._outside(text) for text in (error.message, error.hint))
        error.faults = [self._outside(text) for text in error.faults]
        error.step = error.step and self._outside(error.step)
        error.path = error.path and self._outside(error.path)

    def _outside(self, text: str) -> str:
        """Return a text with the files of the copy as those of the running target.

        The number of a storage object's HBA can differ; a new one is named by its path in the tree.
        """
        prefixes = "|".join(identifiers.PLUGIN_OF_HBA)
        inside = rf"{re.escape(self.lio.root)}\b(?:/core/({prefixes})_\d+/([^/\s]+))?"
        return re.sub(inside, self._outer, text)

    def _outer(self, found: re.Match[str]) -> str:
        prefix, name = found.groups()
        if prefix is None:
            return self.running.root
        plugin = identifiers.plugin_name(prefix)
        place = listing.storage_object(self.running, plugin, name)
        return identifiers.storage_object_path(plugin, name) if place is None else place.folder

    def put_back(self, document: Document) -> None:
        """Change it back to an earlier configuration of its own."""
        now, before = (items(one, self.lio.root) for one in (self.document(), document))
        with _hardware_of(self.lio).seeding({}):
            for operation in plan(self.lio, now, before, prune=True).operations:
                _seed_one(self.lio, operation)
        self.changed()

    def differences(self) -> list[Difference]:
        """Return what was changed in it, as users see it."""
        now = self._changes  # it can change while another thread reads it
        if self._differences is None or self._differences[0] != now:
            self._differences = now, list(shown(compare(self.base, self.items())))
        return self._differences[1]

    @property
    def known_changes(self) -> int | None:
        """Return how many objects were changed in it, None if that was not read yet."""
        known = self._differences
        return len(known[1]) if known is not None and known[0] == self._changes else None

    def moved(self, running: Items) -> list[Difference]:
        """Return what others changed in the running configuration since it was opened."""
        return list(shown(compare(self.begun, running)))

    def plan(self, running: Items) -> Plan:
        """Return the smallest change of the running configuration that has its changes."""
        wanted = merged(self.base, self._to_commit(), running)
        found = plan(self.running, running, wanted, prune=True)
        found.steps = list(self._with_images(found.steps))
        return found

    def _with_images(self, steps: Iterable[PlanStep]) -> Iterator[PlanStep]:
        """Yield steps, with the image files before the storage objects that need them."""
        for step in steps:
            operation = step.operation
            if isinstance(operation, CreateStorageObject) and operation.place.plugin == "fileio":
                path = str(operation.arguments.get("dev", ""))
                made = self._images.get(path)
                if made is not None and not self.running.machine.host_file(path).exists():
                    size = self.lio.machine.image_file(path).stat().st_size
                    yield PlanStep(step.path, CreateImageFile(path, size, made.sparse))
            yield step

    def _to_commit(self) -> Items:
        """Return its objects; new links get the names that the running target generates."""
        found = self.items()
        for path, item in found.items():
            if item.alias is not None and path not in self.base and self._is_generated(item):
                found[path] = replace(item, alias=None)
        return found

    def _is_generated(self, item: Item) -> bool:
        """Return whether the name of an object's link is the one that pyshell generates."""
        folder = self._folder_of(item)
        link = listing.link_of(folder)
        return link is not None and item.alias == identifiers.link_name(folder, link[1])


def _kind(item: Item) -> tuple[type, str]:
    """Return what objects with the same settings have in common."""
    return type(item.place), item.place.owner


def _settings_by_kind(found: Items) -> dict[tuple[type, str], set[str]]:
    """Return the settings that objects of each kind have."""
    known: dict[tuple[type, str], set[str]] = {}
    for item in found.values():
        # It is omitted beside a product; the kernel has it.
        known.setdefault(_kind(item), {MODEL_ALIAS}).update(item.settings)
    return known


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of the folder of all candidates, which new ones are created in."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _new_folder(above: Path) -> tuple[int, Path]:
    """Create a private folder, and return a descriptor that marks it as in use.

    Removes the folders of processes that have ended without doing so.
    """
    writing.make_folder(above)
    with os_errors(f"create a candidate in {above}"), _locked(above):
        for name in os.listdir(above):
            _sweep(above / name)
        made = Path(tempfile.mkdtemp(dir=above))
        descriptor = os.open(made, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor, made


_FILES = {identifiers.StorageObject: 110, identifiers.Lun: 12, identifiers.MappedLun: 8}
"""About how many files a copy has for an object of a kind."""
_FILES_OF_OTHERS = 60
_BYTES = 1024
"""About how much a file takes: most are further names of others."""


def _require_room(folder: Path, found: Items) -> None:
    """Raise if a copy of a configuration would not fit into a folder, as on a small /run."""
    wanted = sum(_FILES.get(type(item.place), _FILES_OF_OTHERS) for item in found.values())
    room = os.statvfs(folder)
    there = min(room.f_favail if room.f_files else wanted, room.f_bavail * room.f_frsize // _BYTES)
    if there < wanted:
        raise PyshellError(
            f"A candidate needs about {wanted} files, and {folder.parent} has room for {there}.",
            "Enlarge its file system, such as by 'mount -o remount,nr_inodes=4M,size=4G /run', or"
            " use apply.",
        )


def _sweep(folder: Path) -> None:
    """Remove the folder of a candidate unless its process still runs."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        return  # it is in use
    finally:
        os.close(descriptor)


def _empty(running: Lio, folder: Path, document: Document) -> Lio:
    """Return an empty candidate over the host of a target."""
    held = {name for place in listing.storage_objects(running) if (name := _held(running, place))}
    return open_candidate(running, folder, _ports(running, document), held)


def _held(running: Lio, place: identifiers.StorageObject) -> str:
    """Return the kernel's name of the device that a storage object is made of, "" if none."""
    path = describe(running, place).device
    device = running.machine.block_device(path) if path else None
    return device.name if device is not None else os.path.basename(path)


def _ports(running: Lio, document: Document) -> list[SimulatedPort]:
    """Return the adapters of the host, and those whose targets run."""
    if isinstance(running.simulator, Simulator):
        return list(running.simulator.machine.table().ports)
    wanted = {
        (name, wwn) for name in fabrics.known() for wwn in _hardware(running, fabrics.fabric(name))
    }
    wanted |= {(target["fabric"], target["wwn"]) for target in document.get("targets", ())}
    found = []
    for name, wwn in sorted(wanted):
        with contextlib.suppress(ValueError):  # a fabric whose targets have any names
            found.append(SimulatedPort(name, wwn.rpartition(".")[2]))
    return found


def _hardware(running: Lio, of: fabrics.Fabric) -> list[str]:
    return of.hardware_wwns(running) or []


def _seed(copy: Lio, document: Document) -> None:
    """Create all objects of a document in an empty candidate.

    Preconditions are not checked: what is running may be in use, or its device gone.
    """
    wanted = items(document, copy.root)
    steps = plan(copy, {}, wanted).operations
    fresh = Fresh(copy)
    with _hardware_of(copy).seeding(_devices(copy, wanted)):
        for number, operation in enumerate(steps, 1):
            if not fresh.has(operation):
                _seed_one(copy, operation)
                fresh.made(operation)
            copy.progress(number, len(steps))


def _simulator_of(copy: Lio) -> Simulator:
    assert copy.simulator is not None
    return copy.simulator


def _hardware_of(copy: Lio) -> CandidateHardware:
    machine = _simulator_of(copy).machine
    assert isinstance(machine, CandidateHardware)
    return machine


def _devices(copy: Lio, wanted: Items) -> Mapping[str, SimulatedDevice]:
    """Return what stands for devices of storage objects that are gone."""
    found = {}
    for item in wanted.values():
        place, path = item.place, str(item.facts.get("dev", ""))
        if not isinstance(place, identifiers.StorageObject) or place.plugin == "fileio" or not path:
            continue
        machine = copy.machine
        if machine.block_device(path) is None and machine.scsi_device(path) is None:
            name = f"{place.plugin}-{place.name}"
            hctl = path if place.plugin == "pscsi" else None
            found[path] = SimulatedDevice(path, name, 0, hctl=hctl)
    return found


def _seed_one(copy: Lio, operation: Operation) -> None:
    """Do an operation; a setting that the simulated kernel refuses is put into its file."""
    try:
        do_unchecked(copy, operation)
    except PyshellError:
        if isinstance(operation, SetEnabled):
            _put(copy, operation.tpg, "enable", "1" if operation.enabled else "0")
        elif isinstance(operation, Set):
            _put(copy, operation.place, operation.file, operation.value)
        else:
            raise
    else:
        if isinstance(operation, SetKnown) and operation.unknown:
            _put(copy, operation.place, operation.file, operation.value)


_PLAIN = ("attrib", "param", "auth")
"""Groups of settings whose files have nothing but the value."""


def _put(copy: Lio, place: identifiers.Identifier, file: str, value: str) -> None:
    """Put a setting where the running kernel has it, whatever the simulated one accepts."""
    if file == "enable" or _group(file) in _PLAIN:
        with changing():
            _simulator_of(copy).put(f"{place.folder}/{file}", f"{value}\n")


def _group(file: str) -> str:
    return file.partition("/")[0]
