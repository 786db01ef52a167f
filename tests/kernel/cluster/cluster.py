# SPDX-License-Identifier: Apache-2.0
"""Two nodes with Pacemaker, DRBD and sbd, and an initiator: set up, watched, asked."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..guestmachine import BOOT_SECONDS, BedError
from . import layout
from .machine import Card, Drive, Hardware, Machine, blank
from .switch import Switch
from .wire import Exporters

HERE = Path(__file__).parent
AGENT = "/usr/lib/ocf/resource.d/pyshell/Target"
# Limits of what the cluster does in emulation, on a machine that does other work, too.
CLUSTER_SECONDS = 600.0
TAKEOVER_SECONDS = 600.0
REJOIN_SECONDS = 900.0
ASK_SECONDS = 1.0
NODES_CARD, SERVICE_CARD = "cluster", "service"
# What crm_mon says of a resource that is not yet what it is to be.
PENDING = re.compile(r"pending|(start|stopp|promot|demot|migrat|monitor)ing\b", re.IGNORECASE)
CONNECTED = "cs:Connected ro:{} ds:UpToDate/UpToDate"


@dataclass(frozen=True)
class Setup:
    """What a cluster is made of."""

    folder: Path
    disk: Path
    times: layout.Times
    # A resource agent to test in place of the package's.
    agent: Path | None = None
    log: Callable[[str], None] = print


class Cluster:
    """The three guests. `machines` are by name, nodes first."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.exporters = Exporters(
            {bytes.fromhex(_address(node).replace(":", "")): node for node in layout.NODES},
            layout.SERVICE_ADDRESS,
        )
        # The resource that is the export.
        self.resource = "target1"
        self._switches = {NODES_CARD: Switch(), SERVICE_CARD: Switch(self.exporters.see)}
        self.machines: dict[str, Machine] = {}

    def __enter__(self) -> Cluster:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all guests and delete their disks; logs are kept."""
        for machine in self.machines.values():
            machine.kill()
            machine.discard()
        for switch in self._switches.values():
            switch.close()
        for disk in self.setup.folder.glob("*.img"):
            disk.unlink()

    @property
    def nodes(self) -> list[Machine]:
        """Return the cluster's nodes."""
        return [self.machines[name] for name in layout.NODES]

    @property
    def initiator(self) -> Machine:
        """Return the initiator."""
        return self.machines[layout.INITIATOR]

    def other(self, node: Machine) -> Machine:
        """Return the other node."""
        return next(one for one in self.nodes if one is not node)

    # Set-up

    def _start(self) -> None:
        folder = self.setup.folder
        folder.mkdir(parents=True, exist_ok=True)
        sbd = Drive("sbd", blank(folder / "sbd.img", 4), shared=True)
        for name in (*layout.NODES, layout.INITIATOR):
            is_node = name in layout.NODES
            cards = [self._card(name, SERVICE_CARD)]
            drives: list[Drive] = []
            if is_node:
                cards.insert(0, self._card(name, NODES_CARD))
                data = blank(folder / f"{name}-data.img", layout.DATA_MEGABYTES)
                state = blank(folder / f"{name}-state.img", layout.STATE_MEGABYTES)
                drives = [Drive("data", data), Drive("state", state), sbd]
            hardware = Hardware(cards, drives, watchdog=is_node)
            self.machines[name] = Machine(name, folder / name, self.setup.disk, hardware)
        for switch in self._switches.values():
            switch.start()
        with self.step("boot"):
            for machine in self.machines.values():
                machine.booted(2 * BOOT_SECONDS)
        with self.step("configuration of the hosts"):
            for machine in self.machines.values():
                self._configure(machine)
        with self.step("DRBD"):
            self._replicate()
        with self.step("document"):
            self._write_document()
        with self.step("cluster"):
            self._start_cluster()

    def _card(self, guest: str, name: str) -> Card:
        number = [NODES_CARD, SERVICE_CARD].index(name)
        address = layout.hardware_address(guest, number)
        return Card(name, self._switches[name], address)

    @contextlib.contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Log what is done and how long it took."""
        begin = time.monotonic()
        yield
        self.setup.log(f"{what}: {time.monotonic() - begin:.0f} s")

    def _configure(self, machine: Machine) -> None:
        shutil.copy(HERE / "writer.py", machine.bed)
        shutil.copy(HERE / "sampler.py", machine.bed)
        for file in layout.FILES.iterdir():
            (machine.bed / file.name).write_text(layout.filled(file.name, self.setup.times))
        is_node = machine.name in layout.NODES
        service = f"eth{int(is_node)} {layout.ADDRESSES[machine.name]}/24"
        nodes = f"eth0 {layout.CLUSTER_ADDRESSES[machine.name]}/24 " if is_node else ""
        peers = " ".join(f"{address} {name}" for name, address in layout.CLUSTER_ADDRESSES.items())
        variables = {
            "NAME": machine.name,
            "ADDRESSES": nodes + service,
            "PEERS": peers,
            "SERVICE_ADDRESS": layout.SERVICE_ADDRESS,
            "INITIATOR": layout.INITIATOR_NAME,
            "REPLACEMENT_TIMEOUT": str(self.setup.times.replacement),
        }
        text = "; ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
        script = "node.sh" if is_node else "initiator.sh"
        machine.run(f"{text}; . /bed/common.sh; . /bed/{script}")
        if is_node and self.setup.agent:
            shutil.copy(self.setup.agent, machine.bed / "Target")
            machine.run(f"install -D -m 755 /bed/Target {AGENT}")

    def _replicate(self) -> None:
        first, second = self.nodes
        first.run(f"sbd -d /dev/disk/by-id/virtio-sbd {self._sbd_times()} create")
        for node in self.nodes:
            node.run("drbdadm up disk1")
        self.wait("DRBD's connection", lambda: "cs:Connected" in second.run("cat /proc/drbd"))
        first.run("drbdadm -- --clear-bitmap new-current-uuid disk1/0")
        first.run("drbdadm -- --clear-bitmap new-current-uuid disk1/1")
        text = CONNECTED.format("Secondary/Secondary")
        self.wait("DRBD's disks", lambda: first.run("cat /proc/drbd").count(text) == 2)
        first.run("drbdadm primary disk1 && mkfs.ext4 -q /dev/drbd1")

    def _sbd_times(self) -> str:
        return f"-1 {self.setup.times.watchdog} -4 {self.setup.times.message}"

    def _write_document(self) -> None:
        """Export the disk by hand, save that as the document, and end the export."""
        first, second = self.nodes
        first.run(f"ip address add {layout.SERVICE_ADDRESS}/32 dev eth1")
        first.run(
            f"pyshell share /dev/drbd/by-res/disk1/0 to={layout.INITIATOR_NAME} "
            f"target={layout.TARGET} portal={layout.SERVICE_ADDRESS} wwn={layout.SERIAL} "
            "name=disk1 lun=0"
        )
        first.run(f"install -d -m 700 {Path(layout.DOCUMENT).parent}")
        first.run(f"pyshell saveconfig {layout.DOCUMENT} target={layout.TARGET}")
        first.run("pyshell clearconfig confirm=true")
        first.run(f"ip address del {layout.SERVICE_ADDRESS}/32 dev eth1")
        self.copy_document(first, second)
        for node in self.nodes:
            node.run(f"mkdir -p {layout.STATE} && drbdadm down disk1")

    def copy_document(self, source: Machine, destination: Machine) -> None:
        """Copy the document, as an administrator does."""
        source.run(f"install -m 600 {layout.DOCUMENT} /bed/document.json")
        shutil.copy(source.bed / "document.json", destination.bed)
        folder = Path(layout.DOCUMENT).parent
        destination.run(f"install -d -m 700 {folder}")
        destination.run(f"install -m 600 /bed/document.json {layout.DOCUMENT}")

    def _start_cluster(self) -> None:
        for node in self.nodes:
            node.run(
                "systemctl enable -q sbd corosync pacemaker; systemctl start --no-block pacemaker"
            )
        first = self.nodes[0]
        self.wait("both nodes in the cluster", lambda: len(self.members(first)) == 2)
        for scope, name in (
            ("crm_config", "options"),
            ("resources", "resources"),
            ("constraints", "constraints"),
        ):
            first.run(f"cibadmin --replace --scope {scope} --xml-file /bed/cib-{name}.xml")
        self.wait("the target's start", self.active)
        self.wait_healthy()

    def export_by(self, resources: str, resource: str) -> None:
        """Replace what exports the disk by the resources of a file; `resource` is the last."""
        first = self.nodes[0]
        # A probe of the new resource must not find what the old one has.
        first.run(
            "crm_resource -r export1 --meta --set-parameter target-role --parameter-value Stopped"
        )
        self.wait("the target's stop", lambda: not self.active())
        text = layout.filled("cib-resources.xml", self.setup.times, resources)
        (first.bed / "cib-resources.xml").write_text(text)
        self.resource = resource
        first.run("cibadmin --replace --scope resources --xml-file /bed/cib-resources.xml")
        self.wait("the target's start", self.active)
        self.wait_healthy()

    # What the cluster says

    def wait(
        self, what: str, probe: Callable[[], object], seconds: float = CLUSTER_SECONDS
    ) -> None:
        """Wait until an answer is true, or raise BedError. A command that fails is asked again."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                if probe():
                    return
                reason = ""
            except AssertionError as error:
                reason = f"\n{error}"
            if time.monotonic() > deadline:
                raise BedError(f"waited {seconds:.0f} seconds for {what}{reason}")
            time.sleep(ASK_SECONDS)

    def members(self, node: Machine) -> list[str]:
        """Return the nodes that are members of a node's partition."""
        return node.run("crm_node -p 2>/dev/null || :").split()

    def active(self, ask: Machine | None = None) -> Machine | None:
        """Return the node on which the target runs, as a node sees it."""
        for node in (ask,) if ask else self.nodes:
            said = node.run(f"crm_resource --locate -r {self.resource} 2>&1 || :")
            for name in layout.NODES:
                if f"is running on: {name}" in said:
                    return self.machines[name]
        return None

    def wait_healthy(self, seconds: float = REJOIN_SECONDS) -> None:
        """Wait until both nodes are members, DRBD is in step and no constraint of it is left."""
        self.wait("a cluster of two nodes in step", self._is_healthy, seconds)

    def _is_healthy(self) -> bool:
        active = self.active()
        if active is None or len(self.members(active)) != 2:
            return False
        drbd = active.run("cat /proc/drbd")
        if drbd.count(CONNECTED.format("Primary/Secondary")) != 2:
            return False
        shown = active.run("crm_mon --one-shot --output-as=text --inactive")
        if PENDING.search(shown):
            return False
        return "drbd-fence-by-handler" not in active.run("cibadmin --query --scope constraints")

    def login(self) -> None:
        """Log the initiator in to the target."""
        initiator, target = self.initiator, layout.TARGET
        initiator.run(f"iscsiadm -m discovery -t st -p {layout.SERVICE_ADDRESS}")
        initiator.run(f"iscsiadm -m node -T {target} -l && udevadm settle")
        self.wait("the disk", lambda: initiator.run(f"ls {layout.DISK}"), 60)

    def logout(self) -> None:
        """End the initiator's session."""
        self.initiator.run("iscsiadm -m node -u; iscsiadm -m node -o delete || :")

    def samples(self) -> dict[str, list[dict[str, object]]]:
        """Return what each node noted about its exports."""
        found: dict[str, list[dict[str, object]]] = {}
        for node in self.nodes:
            path = node.bed / "samples.jsonl"
            lines = path.read_text().splitlines() if path.exists() else []
            found[node.name] = [json.loads(line) for line in lines if line.endswith("}")]
        return found

    def keep_logs(self) -> None:
        """Bring the nodes' journals and their cluster's state to the folder of the results."""
        for machine in self.machines.values():
            with contextlib.suppress(BedError, AssertionError):
                machine.run("journalctl -o short-precise --no-pager > /bed/journal.txt")
        for node in self.nodes:
            with contextlib.suppress(BedError, AssertionError):
                node.run(
                    "crm_mon -1 -r -f -t > /bed/crm_mon.txt; cat /proc/drbd >> /bed/crm_mon.txt"
                )


def _address(node: str) -> str:
    return layout.hardware_address(node, 1)
