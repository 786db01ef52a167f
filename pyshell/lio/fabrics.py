# SPDX-License-Identifier: Apache-2.0
"""The fabrics that rtslib knows: their features, WWN forms and whether this kernel offers them.

A table describes them, so that commands that only read do not import rtslib.
"""

from __future__ import annotations

import errno
import functools
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from pyshell import names
from pyshell.errors import NotFoundError, PyshellError, UsageError
from pyshell.lio import adapters

if TYPE_CHECKING:
    from pyshell.host import Machine
    from pyshell.lio import Lio


def _with_colons(digits: str) -> str:
    return ":".join(digits[i : i + 2] for i in range(0, len(digits), 2))


class _Spelling(NamedTuple):
    """How the kernel spells the WWNs of a fabric."""

    to_folder: Callable[[str], str] = str
    from_folder: Callable[[str], str] = str


_FIBRE_CHANNEL = _Spelling(
    lambda wwn: _with_colons(wwn[len("naa.") :]), lambda name: f"naa.{name.replace(':', '')}"
)


class _Row(NamedTuple):
    """A fabric as rtslib's object describes it."""

    module: str
    """The kernel module that rtslib loads for it."""
    features: tuple[str, ...] = ("acls",)
    wwn_kinds: tuple[str, ...] = ("naa",)
    spelling: _Spelling = _Spelling()
    folder: str = ""
    """The name of its folder in configfs, if it is not that of the fabric."""


_ISCSI = ("discovery_auth", "acls", "auth", "nps", "tpgts", "cpus_allowed_list")
_TABLE = {
    "efct": _Row("efct", spelling=_FIBRE_CHANNEL),
    "ibmvscsis": _Row("ibmvscsis", (), ("free",)),
    "iscsi": _Row("iscsi_target_mod", _ISCSI, ("iqn", "naa", "eui")),
    "loopback": _Row("tcm_loop", ("nexus",)),
    "qla2xxx": _Row("tcm_qla2xxx", spelling=_FIBRE_CHANNEL),
    "sbp": _Row(
        "sbp_target",
        (),
        ("eui",),
        _Spelling(lambda wwn: wwn[len("eui.") :], lambda name: f"eui.{name}"),
    ),
    "srpt": _Row(
        "ib_srpt",
        wwn_kinds=("ib",),
        spelling=_Spelling(lambda wwn: f"0x{wwn[len('ib.') :]}", lambda name: f"ib.{name[2:]}"),
    ),
    "tcm_fc": _Row("tcm_fc", spelling=_FIBRE_CHANNEL, folder="fc"),
    "usb_gadget": _Row("usb_f_tcm", ("nexus",)),
    "vhost": _Row("tcm_vhost", ("nexus", "acls", "tpgts")),
    "xen-pvscsi": _Row("xen-scsiback", ("nexus", "tpgts")),
}
NOT_TARGETS = frozenset({"lio_version", "version", "discovery_auth", "cpus_allowed_list"})
"""Folders and files in a fabric's folder that are not targets."""
# Where the module that provides a fabric has another name today than rtslib loads it by.
_MODULE_FILES = {"vhost": "vhost_scsi", "xen-pvscsi": "xen_scsiback"}
# Fabrics whose TPGs have nothing to enable or disable.
_ALWAYS_ENABLED = frozenset({"loopback", "vhost", "xen-pvscsi", "tcm_fc"})
# Fabrics whose driver takes fewer TPG tags than the rest: one per port, those of one SCSI host
# (TL_TPGS_PER_HBA), those that fit into a byte (VHOST_SCSI_MAX_TARGET).
_TAGS = {
    "qla2xxx": range(1, 2),
    "tcm_fc": range(1, 2),
    "loopback": range(32),
    "vhost": range(256),
}
# Fabrics whose driver refuses a target that is not named after a port of this host.
_NAMED_BY_PORT = frozenset({"qla2xxx", "efct", "srpt", "ibmvscsis"})
# Settings that a fabric shows but, as administrators report, does not mind (field failure 66).
_WITHOUT_EFFECT = {
    (name, "generate_node_acls"): f"{name} gives initiators without a node ACL no LUNs whatever"
    " generate_node_acls says: create a node ACL for each."
    for name in ("qla2xxx", "efct")
}
# Why a fabric refuses the name of a target or to enable it: its driver tells EINVAL or ENODEV, the
# reason only the kernel's log (field failure 37).
_REFUSALS = {
    "qla2xxx": "Is it one of this host's ports ('info' lists them), and not in initiator mode?"
    " 'options qla2xxx qlini_mode=disabled' in /etc/modprobe.d makes them targets once the driver"
    " is loaded again.",
    "efct": "Is it one of this host's ports ('info' lists them), and not in initiator mode?",
    "srpt": "The name is that of an InfiniBand port, its GID: 'info' lists them.",
    "tcm_fc": "'info' lists the names of this host's FCoE ports.",
    "ibmvscsis": "'info' lists this host's virtual adapters.",
    "usb_gadget": "A TPG needs a USB gadget with a tcm function: create it first, below"
    " /sys/kernel/config/usb_gadget.",
    "xen-pvscsi": "It works only in a Xen domain.",
    "sbp": "A FireWire target must have a LUN before it is enabled.",
}


class Fabric:
    """One fabric: `iscsi`, `loopback`, `vhost` …, of the target with that configfs folder.

    Without a `root` it only describes the fabric: it has no `folder`.
    """

    def __init__(self, name: str, root: str | None = None) -> None:
        self.name = name
        self._root = root
        self._row = _TABLE[name]
        self.wwn_kinds = self._row.wwn_kinds

    @functools.cached_property
    def module(self) -> Any:
        """rtslib's object for it. Creating this loads no kernel module."""
        from pyshell.lio import rtslib  # only changes need it

        found = rtslib.fabric_module(self.name, self._root)
        if self.name == "usb_gadget":
            found.kernel_module = self.kernel_module  # rtslib asks for the one before it
        return found

    @property
    def kernel_module(self) -> str:
        """Return the name of the kernel module that rtslib loads for it."""
        return self._row.module

    @property
    def features(self) -> tuple[str, ...]:
        """Return its features, as `has` takes them."""
        return self._row.features

    @property
    def root(self) -> str:
        """Return the configfs folder of the target that the fabric belongs to."""
        if self._root is None:
            raise ValueError(f"the fabric {self.name} does not belong to a target")
        return self._root

    @property
    def folder(self) -> str:
        """Return the fabric's folder in configfs, which exists once the fabric is in use."""
        return f"{self.root}/{self._row.folder or self.name}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fabric) and (self.name, self._root) == (other.name, other._root)

    def __hash__(self) -> int:
        return hash((self.name, self._root))

    def has(self, feature: str) -> bool:
        """Return whether the fabric has `acls`, `auth`, `nps`, `tpgts`, `nexus` …"""
        return feature in self._row.features

    @property
    def can_be_enabled(self) -> bool:
        """Return whether its TPGs can be enabled and disabled; others are always enabled."""
        return self.name not in _ALWAYS_ENABLED

    @property
    def tags(self) -> range:
        """Return the TPG tags that its driver takes."""
        return _TAGS.get(self.name, range(names.TPG_TAG_MAX + 1))

    @property
    def needs_lun(self) -> bool:
        """Return whether a TPG can be enabled only once it has a LUN, as with FireWire."""
        return self.name == "sbp"

    @property
    def enabled_when_new(self) -> bool:
        """Return whether a new target, which has no LUN, may be enabled at once."""
        return self.can_be_enabled and not self.needs_lun

    def load(self) -> None:
        """Create the folder of the fabric; rtslib loads the kernel module if needed.

        Raises PyshellError with what modprobe said, rtslib's error if the kernel refused.
        """
        if os.path.isdir(self.folder):
            return
        from pyshell.lio import rtslib  # only changes need it

        try:
            self.module._check_self()
        except rtslib.RTSLibError as error:
            beneath = rtslib.kernels_error(error)
            if beneath is not None and beneath.errno != errno.EINVAL:
                raise  # not for want of the module, of which EINVAL tells
            reason = str(error).replace("\n", " ").rstrip(".")
            hint = _REFUSALS["xen-pvscsi"] if self.name == "xen-pvscsi" else ""
            hint = hint or f"'modprobe {self.kernel_module}' and 'dmesg | tail' may say more."
            raise PyshellError(f"Cannot load the fabric {self.name}: {reason}", hint) from error

    def caution(self, setting: str) -> str:
        """Return what to know of a setting that has no effect on this fabric, else ""."""
        return _WITHOUT_EFFECT.get((self.name, setting), "")

    def refusal(self, number: int) -> str:
        """Return what the driver may have had against a target or TPG, "" if that is unknown."""
        if number not in (errno.EINVAL, errno.ENODEV):
            return ""
        return _REFUSALS.get(self.name, "")

    def is_offered(self, lio: Lio) -> bool:
        """Return whether it is in use or available: its module, and the hardware it needs.

        Loads nothing.
        """
        if os.path.isdir(self.folder):
            return True
        return self.name in loadable(lio.machine) and self._has_hardware(lio)

    def _has_hardware(self, lio: Lio) -> bool:
        if self.name == "usb_gadget":
            return bool(lio.machine.usb_controllers())
        found = self.hardware_wwns(lio)
        return found is None or bool(found)

    def hardware_wwns(self, lio: Lio) -> list[str] | None:
        """Return the sorted WWNs of the host's hardware, None if the fabric needs none."""
        return adapters.wwns(lio, self.name)

    def check_port(self, lio: Lio, wwn: str) -> None:
        """Raise NotFoundError if the driver would refuse a target of that name.

        Without any port of it the kernel decides: its driver may not be loaded yet.
        """
        if self.name not in _NAMED_BY_PORT:
            return
        ports = self.hardware_wwns(lio)
        if ports and wwn not in ports:
            raise NotFoundError(f"{wwn} is not a port of this host", _REFUSALS[self.name])

    def normalise(self, wwn: str) -> names.Normalised:
        """Check a WWN of this fabric. Raises UsageError."""
        try:
            return names.wwn(wwn, self.wwn_kinds)
        except UsageError as error:
            error.targetcli = f"WWN not valid as: {', '.join(self.wwn_kinds)}"
            raise

    def known_wwn(self, wwn: str) -> str:
        """Return the normal form of a WWN that the kernel or a saved file has already.

        One that breaks the rules for new names stays as it is. Raises UsageError for what cannot
        be part of a path.
        """
        try:
            return self.normalise(wwn).wwn
        except UsageError:
            return names.path_part(wwn)

    def spellings(self, name: str) -> list[str]:
        """Return how the kernel may spell a name given for a WWN: as it is, or normalised.

        Empty for what cannot be part of a path.
        """
        try:
            return list(dict.fromkeys((name, self.known_wwn(name))))
        except UsageError:
            return []

    def new_wwn(self) -> str:
        """Return a WWN generated by rtslib, with `localhost` if the host name is not valid."""
        from pyshell.lio import rtslib  # only changes need it

        kind = self.wwn_kinds[0]
        drawn = rtslib.generated_wwn(kind)
        try:
            return self.normalise(drawn).wwn
        except UsageError:
            return f"iqn.2003-01.org.linux-iscsi.localhost:{drawn.rpartition(':')[2]}"

    def to_folder(self, wwn: str) -> str:
        """Return the name by which configfs knows a (normalised) WWN."""
        return self._row.spelling.to_folder(wwn)

    def from_folder(self, name: str) -> str:
        """Return the WWN that a folder's name stands for."""
        return self._row.spelling.from_folder(name)


@functools.lru_cache(maxsize=64)
def fabric(name: str, root: str | None = None) -> Fabric:
    """Return the fabric `name` of the target with the configfs folder `root`.

    Without `root` it only describes the fabric. Raises NotFoundError.
    """
    if name not in _TABLE:
        raise NotFoundError(f"There is no fabric '{name}'.", "Known: " + ", ".join(known()) + ".")
    return Fabric(name, root)


def known() -> list[str]:
    """Return the names of all fabrics that rtslib knows, sorted."""
    return sorted(_TABLE)


def loadable(machine: Machine) -> frozenset[str]:
    """Return the names of fabrics that the host's kernel can provide, loaded or not."""
    return machine.loadable_fabrics(module_files())


@functools.cache
def module_files() -> dict[str, str]:
    """Return the name of each fabric's module, with underscores only, as the kernel takes it."""
    return {
        name: _MODULE_FILES.get(name, row.module).replace("-", "_") for name, row in _TABLE.items()
    }
