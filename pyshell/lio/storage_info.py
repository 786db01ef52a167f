# SPDX-License-Identifier: Apache-2.0
"""What the kernel reports about a storage object: device, size, cache mode, whether exported.

The kernel gives most of it in one text, `info`, whose fields are read here and nowhere else.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pyshell.errors import NotFoundError
from pyshell.expressions import expression
from pyshell.host import BY_ID, BlockDevice, file_text
from pyshell.lio import Lio, installed, listing, settings
from pyshell.lio.configfs import Kernel, is_on, page_size, text_or_none
from pyshell.lio.identifiers import StorageObject
from pyshell.text import listed

_ACTIVE = "Status: ACTIVATED"
_PAGES = expression(r"PAGES/PAGE_SIZE: (\d+)\*(\d+)")
_CONFIG = expression(r"\bConfig: (.*?) Size: \d")
_NOT_HEX = expression(r"[^0-9a-fA-F]")
_NAA_DIGITS = 25
_COMPANY = "0x001405"
_SCSI_ID_TYPES = {"naa": "3", "eui": "2"}
"""What stands before an id in udev's names: the type of the designator in SPC-4."""
_NOT_UDEV = expression(r"[^\w#+\-.:=@/]", re.ASCII)
SECTOR = 512
IDENTIFIED = frozenset({"block", "fileio", "ramdisk"})
"""Backstores whose INQUIRY data the kernel makes; the others leave it to the device or handler."""
MODEL_ALIAS = "attrib/emulate_model_alias"
_MODEL = 15
"""Characters of a storage object's name that emulate_model_alias=1 makes the product."""
_NAMED = 5
"""How many unused devices an error lists."""
_OWN_LIMITS = {"optimal_sectors": "hw_max_sectors", "queue_depth": "hw_queue_depth"}
"""Attributes that are at a limit of the device in a new object, and the limits."""
_ALUA_BY_KERNEL = frozenset({"pscsi", "user"})
"""Backstores whose support of ALUA rtslib reads from the kernel; the others always have it."""
_MAX_WRITE_SAME = 0xFFFF
"""Blocks, if the device has no limit of its own."""


@dataclass(frozen=True)
class Argument:
    """An argument for the creation of a storage object in rtslib."""

    needed: bool = False
    default: bool | None = None
    """The meaning of an omitted one, None if that depends on more."""
    in_place: bool = False
    """Whether it can be changed without creating the object again, so that a ramdisk keeps data."""


_NEEDED, _LIVE = Argument(needed=True), Argument(in_place=True)
_OFF, _ON = Argument(default=False), Argument(default=True)
ARGUMENTS: Mapping[str, Mapping[str, Argument]] = {
    "block": {"dev": _NEEDED, "wwn": _LIVE, "readonly": _OFF, "exclusive": _ON},
    "fileio": {"dev": _NEEDED, "size": _LIVE, "wwn": _LIVE, "write_back": _OFF, "aio": _OFF},
    "pscsi": {"dev": _NEEDED},
    "ramdisk": {"size": _NEEDED, "wwn": _LIVE, "nullio": _OFF},
    "user": {
        "config": _NEEDED,
        "size": _NEEDED,
        "wwn": _LIVE,
        "hw_max_sectors": Argument(),
        "control": Argument(),
    },
}
"""The arguments by backstore."""


@dataclass(frozen=True)
class StorageInfo:
    """A storage object as it is now. Sizes in bytes."""

    device: str
    """Path of the device or image file, "" if it has none."""
    size: int | None
    """None where the device is gone."""
    configured: bool
    exported: bool
    missing: str = ""
    """Why nothing can be read from it, "" if it can."""
    write_back: bool | None = None
    """emulate_write_cache, None for other backstores than block and fileio.

    It is whether fileio reports a volatile cache to initiators. For block, the kernel reports the
    device's own cache instead (iblock_get_write_cache), and the attribute is always 0.
    """
    buffered: bool = False
    """Whether the host's memory keeps writes for a while: a fileio created with write_back."""
    read_only: bool = False
    nullio: bool = False
    aio: bool = False
    config: str = ""
    exclusive: bool = True
    """Whether nothing else may use the block device: kernels before 6.17 know no other way."""


def describe(lio: Lio, place: StorageObject) -> StorageInfo:
    """Read everything about a storage object; a missing device is reported, not raised."""
    kernel, folder = lio.kernel, place.folder
    info = text_or_none(kernel, f"{folder}/info") or ""
    device = text_or_none(kernel, f"{folder}/udev_path") or _field(info, "File") or ""
    configured = text_or_none(kernel, f"{folder}/enable") != "0"
    caches = place.plugin in ("block", "fileio")
    cache = caches and is_on(kernel, f"{folder}/attrib/emulate_write_cache")
    size, missing = _size(lio, place, info, device) if configured else (None, "not configured")
    return StorageInfo(
        device=device,
        size=size,
        configured=configured,
        exported=_ACTIVE in info,
        missing=missing,
        write_back=cache if caches else None,
        buffered=_field(info, "Mode") == "Buffered-WCE",
        read_only=_field(info, "readonly") == "1",
        nullio=_field(info, "nullio") == "1",
        aio=_field(info, "Async") == "1",
        config=_config(info),
        exclusive=_field(info, "exclusive") != "0",
    )


def can_share_devices(lio: Lio) -> bool:
    """Return whether the kernel knows `exclusive=0` of block objects, as far as can be known."""
    blocks = (place for place in listing.storage_objects(lio) if place.plugin == "block")
    shown = (text_or_none(lio.kernel, f"{place.folder}/info") for place in blocks)
    info = next(filter(None, shown), None)
    if info is None:
        return lio.machine.can_share_devices()
    return _field(info, "exclusive") is not None


def _config(info: str) -> str:
    """Return the configuration of a user-space storage object, which may hold blanks."""
    match = _CONFIG.search(info)
    return match.group(1) if match and match.group(1) != "NULL" else ""


def _size(lio: Lio, place: StorageObject, info: str, device: str) -> tuple[int | None, str]:
    if place.plugin == "ramdisk":
        pages = _PAGES.search(info)
        return (int(pages.group(1)) * int(pages.group(2)), "") if pages else (None, "unknown size")
    if place.plugin == "block":
        name = _field(info, "device")
        size = lio.machine.device_size(name) if name else None
        return size, "" if size is not None else f"{device or name} is gone"
    if place.plugin == "fileio":
        block = lio.machine.block_device(device)
        if block is not None:
            return block.size, ""
        told = _field(info, "Size")
        if not lio.machine.host_file(device).exists():
            return int(told) if told else None, f"{device} is gone"
        return (int(told), "") if told else (None, "unknown size")
    if place.plugin == "pscsi":
        gone = lio.simulated is None and device and not os.path.exists(device)
        return None, f"{device} is gone" if gone else ""
    told = _field(info, "Size")
    return (int(told), "") if told else (None, "")


def _field(info: str, name: str) -> str | None:
    if name not in info:
        return None
    match = re.search(rf"\b{re.escape(name)}: (\S+)", info)
    return match.group(1) if match else None


def ramdisk_size(size: int) -> int:
    """Return the bytes that a ramdisk of `size` has: rtslib rounds to pages, at least one."""
    page = page_size()
    return max(1, round(size / page)) * page


def aligned_sectors(sectors: int, block_size: int) -> int:
    """Return how many blocks of a request remain: the kernel rounds down to whole pages.

    se_dev_align_max_sectors() of the kernel's target_core_device.c does so.
    """
    step = max(1, page_size() // block_size)
    return sectors // step * step


def is_device_path(path: str) -> bool:
    """Return whether a path names a device and not an image file, also if the device is missing."""
    in_memory = ("/dev/shm/", "/dev/hugepages/")  # noqa: S108 - file systems, not written here
    return path.startswith("/dev/") and not path.startswith(in_memory)


def unused_devices(lio: Lio, folder: str = "/dev/") -> Iterator[BlockDevice]:
    """Yield the block devices that neither this host nor a storage object uses."""
    taken = _exported_devices(lio)
    for path in lio.machine.block_devices(folder):
        found = lio.machine.block_device(path)
        if found is not None and found.size and not found.holder and found.name not in taken:
            yield found


def refuse_image_among(lio: Lio, path: str) -> None:
    """Raise NotFoundError if `path` can only be meant as a device, and there is none.

    A file there would fill the host's memory and be lost at reboot.
    """
    if not path.startswith("/dev/") or path.startswith("/dev/shm/"):  # noqa: S108 - not written
        return
    raise NotFoundError(f"There is no block device {path}.", free_devices(lio))


def free_devices(lio: Lio) -> str:
    """Return a hint that names unused block devices."""
    found: dict[str, str] = {}
    for device in unused_devices(lio):
        found.setdefault(device.name, device.path)  # a volume has several paths
    return f"Free are {listed(list(found.values()), _NAMED)}." if found else "No device is free."


def _exported_devices(lio: Lio) -> set[str]:
    """Return the kernel's names of the devices that block storage objects use."""
    found = set()
    for place in listing.storage_objects(lio, "block"):
        path = text_or_none(lio.kernel, f"{place.folder}/udev_path")
        device = lio.machine.block_device(path) if path else None
        if device is not None:
            found.add(device.name)
    return found


def serial(kernel: Kernel, place: StorageObject) -> str:
    """Return the unit serial number, which rtslib calls the storage object's `wwn`."""
    text = text_or_none(kernel, f"{place.folder}/{settings.SERIAL}") or ""
    return text.partition(":")[2].strip()


def identity_default(place: StorageObject, file: str, model_alias: str | None) -> str:
    """Return the value in a new object, by its emulate_model_alias."""
    if file == settings.PRODUCT and model_alias == "1":
        return os.fsdecode(os.fsencode(place.name)[:_MODEL])
    name = file.rpartition("/")[2]
    return settings.row("storage_object_wwn", name).default_of(place.plugin) or ""


def own_identity(kernel: Kernel, place: StorageObject, alias: str | None = None) -> dict[str, str]:
    """Return what was set of vendor, product, revision and company id, by file.

    A kernel can lack some of them: vendor_id came first, company_id last. `alias` is the value of
    emulate_model_alias if it was read already.
    """
    found: dict[str, str] = {}
    if place.plugin not in IDENTIFIED:
        return found
    alias = alias or text_or_none(kernel, f"{place.folder}/{MODEL_ALIAS}")
    for file in settings.IDENTITY:
        with contextlib.suppress(OSError):
            value = settings.read(kernel, place.folder, file)
            default = identity_default(place, file, alias)
            # Some kernels take one more character of the name.
            named = (
                file == settings.PRODUCT and value == f"{default}{place.name[_MODEL : _MODEL + 1]}"
            )
            if value not in ("", default) and not (named and alias == "1"):
                found[file] = value
    return found


def other_identity(
    kernel: Kernel, place: StorageObject, wanted: Mapping[str, str]
) -> dict[str, str | None]:
    """Return the parts of an identity that differ from `wanted`, by file; None if missing."""
    found: dict[str, str | None] = {}
    for file in wanted:
        found[file] = None
        with contextlib.suppress(OSError):
            found[file] = settings.read(kernel, place.folder, file)
    return {file: value for file, value in found.items() if value != wanted[file]}


def naa(kernel: Kernel, place: StorageObject) -> str | None:
    """Return the NAA id by which initiators know the disk, None if the device has its own.

    As the kernel makes it (spc_gen_naa_6h_vendor_specific): 6, the company's number, and of the
    serial number the first 25 hexadecimal digits; other characters are skipped.
    """
    if place.plugin == "pscsi":
        return None
    company = text_or_none(kernel, f"{place.folder}/{settings.COMPANY}")
    return naa_of(serial(kernel, place), company)


def at_initiator(lio: Lio, place: StorageObject) -> dict[str, str | None]:
    """Return by what initiators know the disk: INQUIRY data, identifiers, names of udev."""
    found: dict[str, str | None] = {}
    if place.plugin != "user":  # tcmu-runner's handlers have INQUIRY data of their own
        names = {"vendor": "vendor_id", "product": "product_id", "revision": "revision"}
        for fact, name in names.items():
            found[fact] = text_or_none(lio.kernel, f"{place.folder}/wwn/{name}")
    found["serial"] = serial(lio.kernel, place)
    kind, _, digits = (naa(lio.kernel, place) or _own_id(lio, place)).partition(".")
    if digits:
        found[kind] = f"{kind}.{digits}"
        found["by_id"] = f"{BY_ID}wwn-0x{digits}"
        found["by_id_scsi"] = f"{BY_ID}scsi-{_SCSI_ID_TYPES[kind]}{digits}"
    if found.get("vendor") and found["serial"]:
        # As scsi-S… of the rules of sg3_utils and SUSE's udev.
        words = (found["vendor"], found["product"], found["serial"])
        found["by_id_vendor"] = f"{BY_ID}scsi-S{'_'.join(_for_udev(word or '') for word in words)}"
    return found


def _own_id(lio: Lio, place: StorageObject) -> str:
    """Return the id of a passed through SCSI device: naa.… or eui.…, "" if it has no such id."""
    device = lio.machine.scsi_device(describe(lio, place).device)
    if device is None:
        return ""
    wwid = file_text(lio.machine.host_file(f"/sys/class/scsi_device/{device.hctl}/device/wwid"))
    return wwid if wwid.startswith(tuple(f"{kind}." for kind in _SCSI_ID_TYPES)) else ""


def _for_udev(text: str) -> str:
    """Return a text as a part of a name in /dev/disk: as udev writes it."""
    return _NOT_UDEV.sub("_", re.sub(r"\s+", "_", text.strip()))


def padding_note(serial_number: str) -> list[str]:
    """Return a note if a serial number is too short for a NAA id, else nothing."""
    found = len(_naa_digits(serial_number))
    if found == _NAA_DIGITS:
        return []
    return [
        f"The NAA ID is padded with zeros: the serial number has {found} of its {_NAA_DIGITS}"
        " hexadecimal digits."
    ]


def _naa_digits(serial_number: str) -> str:
    return _NOT_HEX.sub("", serial_number)[:_NAA_DIGITS].lower()


def naa_of(serial_number: str, company: str | None) -> str:
    """Return the NAA id that the kernel makes of a unit serial number and a company id."""
    digits = _naa_digits(serial_number)
    oui = (company or _COMPANY).removeprefix("0x")[-6:].lower()
    return f"naa.6{oui:0>6}{digits:0<{_NAA_DIGITS}}"


class Explained(NamedTuple):
    """A fact for programs, and for people."""

    value: bool | str
    text: str


def cache(lio: Lio, place: StorageObject, found: StorageInfo) -> Explained | None:
    """Return what a crash of the host does to writes that initiators take for done, if known."""
    if found.write_back is None:
        return None
    if place.plugin == "block":
        return _DEVICE_CACHES[_device_cache(lio, place)]
    if is_volatile(lio, found):
        return _FILE_CACHES[found.write_back]
    if found.write_back:
        return Explained(
            "write-thru",
            "write-thru, but write-back is reported to initiators: they flush without need",
        )
    return _DEVICE_CACHES[False]


_DEVICE_CACHES = {
    True: Explained(
        "write-back",
        "write-back, the device's own: a crash loses what initiators have not flushed",
    ),
    False: Explained("write-thru", "write-thru: a write is on the device when it is acknowledged"),
    None: Explained("unknown", "unknown: the device does not say whether it has a volatile cache"),
}
_FILE_CACHES = {
    True: Explained("write-back", "write-back: a crash loses what initiators have not flushed"),
    False: Explained(
        "write-back", "write-back, but write-thru is reported to initiators: a crash loses writes"
    ),
}


def _device_cache(lio: Lio, place: StorageObject) -> bool | None:
    """Return whether a block object's device has a volatile cache, None if it does not say."""
    name = _field(text_or_none(lio.kernel, f"{place.folder}/info") or "", "device")
    queue = lio.machine.queue(name) if name else None
    return queue.write_cache if queue is not None else None


def is_volatile(lio: Lio, found: StorageInfo) -> bool:
    """Return whether a cache keeps writes of a fileio object that initiators take for done.

    With write_back, that is this host's memory; without it, the file is opened with O_DSYNC.
    """
    return keeps_direct_writes(lio, found.device) if found.aio else found.buffered


def keeps_direct_writes(lio: Lio, path: str) -> bool:
    """Return whether a cache keeps the writes of a fileio object with aio.

    fd_execute_rw_aio() of the kernel's target_core_file.c writes with O_DIRECT, and without the
    file's O_DSYNC unless the initiator requests it (FUA). The device's cache and, for an image
    file, the file system's metadata are not flushed.
    """
    device = lio.machine.block_device(path)
    queue = lio.machine.queue(device.name) if device is not None else None
    return queue is None or queue.write_cache is not False


def frees_space(lio: Lio, plugin: str, path: str) -> bool:
    """Return whether a device or image file can free blocks that an initiator discards.

    A device must have a limit for discards: only then the kernel accepts emulate_tpu=1
    (target_configure_unmap_from_queue). For image files it always does; they need a file system
    that can punch holes.
    """
    return _frees_space(lio, plugin, path, lio.machine.block_device(path))


def _frees_space(lio: Lio, plugin: str, path: str, device: BlockDevice | None) -> bool:
    if device is not None:
        queue = lio.machine.queue(device.name)
        return plugin in ("block", "fileio") and queue is not None and queue.discard_sectors > 0
    return plugin == "fileio" and lio.machine.frees_space(path)


def discards_by_default(lio: Lio, plugin: str, path: str) -> bool:
    """Return whether a new storage object should offer discard.

    An image file whose space is fully allocated keeps it: it was reserved. An initiator cannot
    discard on a read-only device.
    """
    device = lio.machine.block_device(path)
    if device is not None and device.read_only:
        return False
    if device is None:
        with contextlib.suppress(OSError):  # a new file is sparse
            status = os.stat(lio.machine.host_file(path))
            if status.st_blocks * SECTOR >= status.st_size:
                return False
    return _frees_space(lio, plugin, path, device)


def discard_attributes(lio: Lio, place: StorageObject) -> list[str]:
    """Return the attributes that are set and offer discard to initiators."""
    return [n for n in DISCARD_COMMANDS if is_on(lio.kernel, f"{place.folder}/attrib/{n}")]


def discards_as(lio: Lio, place: StorageObject, wanted: bool) -> bool:
    """Return whether an object offers discard as requested: UNMAP, or nothing at all."""
    enabled = discard_attributes(lio, place)
    return "emulate_tpu" in enabled if wanted else not enabled


DISCARD_COMMANDS = {"emulate_tpu": "UNMAP", "emulate_tpws": "WRITE SAME"}
"""The attributes that enable discard, and the SCSI commands that initiators then use."""


def discards_in_vain(lio: Lio, place: StorageObject, found: StorageInfo) -> bool:
    """Return whether a block device cannot discard, if that is known.

    With a limit, as restores write it, the kernel enables discard without asking the device
    (emulate_tpu_store), and blkdev_issue_discard() then fails.
    """
    device = lio.machine.block_device(found.device)
    return device is not None and not _frees_space(lio, place.plugin, found.device, device)


def discard(lio: Lio, place: StorageObject, found: StorageInfo) -> Explained | None:
    """Return whether initiators can free unused blocks, None if pyshell cannot know."""
    if place.plugin not in ("block", "fileio") or found.missing:
        return None
    enabled = discard_attributes(lio, place)
    return Explained(bool(enabled), _discard_text(lio, place, found, enabled))


def _discard_text(
    lio: Lio, place: StorageObject, found: StorageInfo, enabled: Sequence[str]
) -> str:
    if enabled and discards_in_vain(lio, place, found):
        return "on, but the device cannot discard: UNMAP of initiators fails"
    if enabled:
        return f"on: initiators can free unused blocks ({DISCARD_COMMANDS[enabled[0]]})"
    if frees_space(lio, place.plugin, found.device):
        return "off: 'set attribute emulate_tpu=1' lets initiators free unused blocks"
    return "off: the device cannot discard"


def creation_arguments(
    lio: Lio, place: StorageObject, described: StorageInfo | None = None
) -> dict[str, Any] | None:
    """Return rtslib's arguments that would create the object again, None for an incomplete one."""
    found = described or describe(lio, place)
    if not found.configured:
        return None
    made: dict[str, Any] = {"wwn": serial(lio.kernel, place)}
    if place.plugin == "block":
        made |= {"dev": found.device, "readonly": found.read_only}
        if installed.knows_exclusive() or not found.exclusive:  # older ones do not restore the key
            made["exclusive"] = found.exclusive
    elif place.plugin == "fileio":
        made |= {
            "dev": found.device,
            "size": found.size,
            # One that only reports a cache must not get one when it is restored.
            "write_back": bool(found.write_back) and found.buffered,
            "aio": found.aio,
        }
    elif place.plugin == "ramdisk":
        made["size"] = found.size
        if found.nullio:
            made["nullio"] = True
    elif place.plugin == "pscsi":
        made = {"dev": found.device}
    else:
        made |= {"size": found.size, "config": found.config, **_user_settings(lio, place)}
    return made


def is_back(lio: Lio, place: StorageObject, found: StorageInfo) -> bool:
    """Whether the device of a storage object is gone, and another one is at its path now.

    The kernel keeps the old device, also if the new one is the same disk.
    """
    if not found.missing or not found.configured or place.plugin != "block":
        return False
    return lio.machine.block_device(found.device) is not None


def device_attributes(
    lio: Lio, plugin: str, place: StorageObject | None, device: str
) -> dict[str, str]:
    """Return the attributes that a storage object takes from its device; `place` is a running one.

    As target_configure_unmap_from_queue() and the backstores' configure functions set them.
    """
    found: dict[str, str] = {}
    if place is not None:
        for own, limit in _OWN_LIMITS.items():
            most = text_or_none(lio.kernel, f"{place.folder}/attrib/{limit}")
            found |= {own: most} if most else {}
    block = lio.machine.block_device(device) if plugin in ("block", "fileio") and device else None
    queue = lio.machine.queue(block.name) if block is not None else None
    if queue is None:
        return found
    discards = queue.discard_sectors > 0
    zeroed = queue.write_zeroes_sectors if plugin == "block" else 0
    numbers = {
        "block_size": queue.block_size,
        "max_unmap_lba_count": queue.discard_sectors * SECTOR // queue.block_size,
        "max_unmap_block_desc_count": int(discards),
        "unmap_granularity": queue.discard_granularity // queue.block_size if discards else 0,
        "unmap_zeroes_data": 0,
        "max_write_same_len": zeroed or _MAX_WRITE_SAME,
        "is_nonrot": int(not queue.rotational),
    }
    if not discards:
        numbers["emulate_tpu"] = 0
    return found | {name: str(number) for name, number in numbers.items()}


def _user_settings(lio: Lio, place: StorageObject) -> dict[str, Any]:
    """Return the settings of a user-space storage object in the form that rtslib saves."""
    info = text_or_none(lio.kernel, f"{place.folder}/info") or ""
    made: dict[str, Any] = {}
    sectors = _field(info, "HwMaxSectors")
    if sectors and int(sectors):  # a restore of 0 fails
        made["hw_max_sectors"] = int(sectors)
    control = []
    for key, value in (
        ("max_data_area_mb", _field(info, "MaxDataAreaMB")),
        ("hw_block_size", text_or_none(lio.kernel, f"{place.folder}/attrib/hw_block_size")),
        ("data_pages_per_blk", _field(info, "DataPagesPerBlk")),
    ):
        if value and value != "NULL":
            control.append(f"{key}={value}")
    if control:
        made["control"] = ",".join(control)
    return made


def supports_alua(lio: Lio, place: StorageObject) -> bool:
    """Return whether the backend accepts ALUA settings. Some kernels hang on others (row 9)."""
    if place.plugin not in _ALUA_BY_KERNEL:
        return True
    # Older kernels, which do not have the file, hang.
    return is_on(lio.kernel, f"{place.folder}/attrib/alua_support")
