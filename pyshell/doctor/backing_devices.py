# SPDX-License-Identifier: Apache-2.0
"""Whether the devices and image files under the storage objects are there, whole and nobody else's.

A device that something else of this host writes to, too, is ruined sooner or later.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from pyshell.doctor.disks import applied
from pyshell.doctor.findings import Finding, error, pyshell, unseen, warning
from pyshell.host import inquiry
from pyshell.lio import listing, storage
from pyshell.lio.attach import Lio
from pyshell.lio.identifiers import StorageObject
from pyshell.lio.storage import Described
from pyshell.names import size_text


def check(lio: Lio) -> Iterator[Finding]:
    """Yield what is wrong under the storage objects."""
    for place in listing.storage_objects():
        found = storage.describe(lio, place)
        if not found.configured:
            told = (
                "it was never configured: its creation was interrupted. A restore or apply of its"
                f" configuration completes it, '/backstores/{place.plugin} delete' removes it"
            )
            yield error(place.path, told)
        elif found.missing:
            yield _gone(lio, place, found)
        else:
            yield from _held(lio, place, found)
            yield from _renamed(lio, place, found)
            if place.plugin == "fileio":
                yield from _resized(lio, place, found)


def _gone(lio: Lio, place: StorageObject, found: Described) -> Finding:
    """Return the finding of a device that is gone, with the way to one that is there."""
    told = f"{found.missing}: initiators get errors"
    if storage.is_back(lio, place, found):
        there = f"{told}. There is a device at that path again: this creates the object on it"
        return error(place.path, there, applied(lio, place, dev=found.device))
    if place.plugin not in ("block", "fileio", "pscsi"):
        return error(place.path, told)
    new = "/NEW/PATH" if place.plugin == "fileio" else "/dev/disk/by-id/NEW-DEVICE"
    return error(
        place.path,
        f"{told}. To move the object to another device that holds its data, write the new path"
        " below; its LUNs and mappings are kept. Then save it",
        choices=[applied(lio, place, dev=new), pyshell(lio, "saveconfig")],
    )


def _held(lio: Lio, place: StorageObject, found: Described) -> Iterator[Finding]:
    device = lio.machine.block_device(found.device) if found.device else None
    if device is None or not device.holder:
        return
    mounted = re.fullmatch(r"mounted on (.+)", device.holder)
    held = re.fullmatch(r"held by (.+)", device.holder)
    commands: list[str] = []
    if mounted:
        commands = [f"umount {shlex.quote(mounted.group(1))}"]
    elif device.holder == "used as swap":
        commands = [f"swapoff {shlex.quote(device.path)}"]
    elif held:
        commands = [_release(lio, name) for name in held.group(1).split(", ")]
    yield error(
        place.path,
        f"this host itself uses {found.device} ({device.holder}): with an initiator writing, too,"
        " its content is ruined",
        choices=commands,
    )


def _release(lio: Lio, name: str) -> str:
    """Return the command that gives up a device which lies on another one."""
    if name.startswith("md"):
        return f"mdadm --stop /dev/{name}"
    folder = lio.machine.host_file(f"/sys/class/block/{name}/dm")
    try:
        mapped = (folder / "name").read_text(encoding="utf-8").strip()
        uuid = (folder / "uuid").read_text(encoding="utf-8").strip()
    except OSError:
        return f"dmsetup remove /dev/{name}"
    if uuid.startswith("LVM-"):
        return f"lvchange -an /dev/mapper/{shlex.quote(mapped)}"
    return f"dmsetup remove {shlex.quote(mapped)}"


def _renamed(lio: Lio, place: StorageObject, found: Described) -> Iterator[Finding]:
    """Yield a device whose name is given anew at each boot, where it has a lasting one."""
    if not inquiry.moves_between_boots(found.device):
        return
    lasting = lio.machine.lasting_name(found.device)
    if lasting is None:
        return  # there is nothing better
    if place.plugin != "block":
        told = f"{found.device} may name another disk after the next boot; {lasting} never does"
        yield warning(place.path, told)
        return
    yield warning(
        place.path,
        f"{found.device} may name another disk after the next boot; {lasting} never does. Save it"
        " afterwards",
        f"printf %s {shlex.quote(lasting)} > {shlex.quote(f'{place.folder}/udev_path')}",
    )


def _resized(lio: Lio, place: StorageObject, found: Described) -> Iterator[Finding]:
    """Yield an image file that something else made longer or shorter."""
    if lio.machine.block_device(found.device) is not None or found.size is None:
        return
    image = lio.machine.image_file(found.device)
    try:
        there = image.stat().st_size
    except OSError as fault:
        yield unseen(place.path, f"cannot look at {found.device}: {fault.strerror}")
        return
    told = f"{found.device} has {size_text(there)}, initiators are told {size_text(found.size)}"
    if there < found.size:
        yield error(
            place.path,
            f"{told}: what lay behind is lost, and is read as zeros or not at all",
            f"truncate -s {found.size} {shlex.quote(str(image))}",
        )
    elif there > found.size:
        yield warning(
            place.path,
            f"{told}: the rest is not used",
            pyshell(lio, place.path, "resize", size=there),
        )
