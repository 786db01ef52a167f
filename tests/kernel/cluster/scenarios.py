# SPDX-License-Identifier: Apache-2.0
"""What is done to the cluster while the initiator writes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ..guestmachine import BedError
from . import layout, record
from .cluster import NODES_CARD, TAKEOVER_SECONDS, Cluster
from .machine import Machine
from .record import Round
from .wire import as_data, claims
from .writing import Writing

# The moment of an act is a random one within so many seconds.
RANDOM_SECONDS = 20.0
WRITING_SECONDS = 120.0
KEY = "0x123abc"
# Writes wait for the disk by then.
HANG_SECONDS = 10.0


@dataclass
class Stage:
    """A round on its way: the cluster, the writer, and what is noted."""

    cluster: Cluster
    round: Round
    writing: Writing
    active: Machine
    standby: Machine
    record: dict[str, Any] = field(default_factory=dict)

    def act(self, what: str) -> float:
        """Note an act, and return its time."""
        now = time.time()
        self.round.acts.append((now, what))
        self.cluster.setup.log(f"  {what}")
        return now

    def ended(self, node: Machine, when: float) -> None:
        """Note the end of a node's kernel."""
        self.round.ends.setdefault(node.name, []).append(when)

    def at_random(self) -> None:
        """Let a random time pass, in which blocks are written."""
        self.writing.wait_for_more(WRITING_SECONDS)
        time.sleep(random.uniform(0.0, RANDOM_SECONDS))

    def taken_over(self) -> None:
        """Wait until the standby serves the writer."""
        self.writing.wait_for_more(TAKEOVER_SECONDS)
        serves = self.cluster.exporters.spans[-1].node
        self.act(f"writes are acknowledged again, by {serves}")
        self.round.found["served_by"] = serves

    def wait_for_reset(self, node: Machine, since: float, seconds: float) -> float | None:
        """Wait until a node was reset, note that as its kernel's end, and return when."""
        with contextlib.suppress(BedError):
            self.cluster.wait(f"a reset of {node.name}", lambda: node.resets(since), seconds)
        resets = node.resets(since)
        self.round.expect(resets, f"{node.name} was not reset in {seconds:.0f} seconds")
        for event in resets:
            self.round.acts.append((event.time, f"{node.name}: {event.name} {event.data}"))
            after = event.time - since
            self.cluster.setup.log(f"  {node.name}: {event.name} after {after:.1f} s")
        if not resets:
            return None
        self.ended(node, resets[0].time)
        return resets[0].time


@contextlib.contextmanager
def staged(cluster: Cluster, scenario: str, number: int, takeovers: int) -> Iterator[Stage]:
    """Begin a round with a session that writes; at its end, judge it."""
    cluster.wait_healthy()
    active = cluster.active()
    assert active is not None
    cluster.exporters.clear()
    began = time.time()
    done = Round(scenario, number, began, found={"takeovers_expected": takeovers})
    stage = Stage(cluster, done, Writing(cluster), active, cluster.other(active))
    try:
        yield stage
    except (BedError, AssertionError) as error:
        done.problems.append(str(error))
    written = _finished(stage)
    done.found["address_claims"] = claims(cluster.exporters.claims)
    spans = list(cluster.exporters.spans)
    samples = {
        node: [line for line in lines if float(str(line["time"])) >= began]
        for node, lines in cluster.samples().items()
    }
    if written:
        record.judge(done, written, spans, samples)
    stage.record = record.as_record(done, written, spans, samples)


def _finished(stage: Stage) -> dict[str, Any]:
    try:
        return stage.writing.finish()
    except (BedError, AssertionError) as error:
        stage.round.problems.append(str(error))
        return {}


def kill(cluster: Cluster, number: int) -> dict[str, Any]:
    """(a) The active node dies at a random moment."""
    with staged(cluster, "a", number, takeovers=1) as stage:
        stage.at_random()
        stage.ended(stage.active, stage.act(f"kill -9 of {stage.active.name}"))
        stage.active.kill()
        stage.taken_over()
        stage.active.start()
        stage.act(f"{stage.active.name} is started")
        stage.active.booted()
        cluster.wait_healthy()
        stage.act("both nodes are in step")
    return stage.record


def freeze(cluster: Cluster, number: int) -> dict[str, Any]:
    """(b) The active node stands still, and wakes up after the takeover."""
    with staged(cluster, "b", number, takeovers=1) as stage:
        stage.at_random()
        stage.ended(stage.active, stage.act(f"SIGSTOP of {stage.active.name}"))
        stage.active.freeze()
        try:
            stage.taken_over()
        finally:
            thawed = stage.act(f"SIGCONT of {stage.active.name}")
            stage.active.thaw()
        reset = stage.wait_for_reset(stage.active, thawed, 120.0)
        stage.round.found["seconds_to_reset"] = reset and round(reset - thawed, 3)
        _judge_thawed(stage, thawed)
        stage.active.catch_up()
        cluster.wait_healthy()
        stage.act("both nodes are in step")
    return stage.record


def _judge_thawed(stage: Stage, thawed: float) -> None:
    """Note what the old node answered after it was thawed."""
    answers = [
        span
        for span in stage.cluster.exporters.spans
        if span.node == stage.active.name and span.last > thawed
    ]
    stage.round.found["answers_after_thaw"] = as_data(answers)
    used = [span for span in answers if span.serves and not span.stale]
    stage.round.expect(not used, f"{stage.active.name} served after it was thawed: {used}")


def unplug(cluster: Cluster, number: int) -> dict[str, Any]:
    """(c) The link between the nodes is lost: one of them must be reset, the other must serve."""
    with staged(cluster, "c", number, takeovers=1) as stage:
        stage.at_random()
        at = random.choice(cluster.nodes)
        cut = stage.act(f"link of {at.name} to the other node is unplugged")
        at.link(NODES_CARD, up=False)
        try:
            cluster.wait("a reset", lambda: any(n.resets(cut) for n in cluster.nodes), 300)
            stage.taken_over()
        finally:
            at.link(NODES_CARD, up=True)
            stage.act("the link is plugged in again")
        for node in cluster.nodes:
            if node.resets(cut):
                stage.wait_for_reset(node, cut, 1.0)
                stage.act(f"{node.name} was the one to be reset")
        stage.round.expect(
            sum(bool(node.resets(cut)) for node in cluster.nodes) == 1,
            "both nodes were reset",
        )
        for node in cluster.nodes:
            node.catch_up()
        cluster.wait_healthy()
        stage.act("both nodes are in step")
    return stage.record


def register(cluster: Cluster, number: int) -> dict[str, Any]:
    """(f) A registration that is to survive (APTPL) survives a kill of the active node."""
    initiator, disk = cluster.initiator, layout.DISK
    with staged(cluster, "f", number, takeovers=1) as stage:
        stage.writing.wait_for_more(WRITING_SECONDS)
        initiator.run(f"sg_persist --out --register --param-sark={KEY} --param-aptpl {disk}")
        initiator.run(f"sg_persist --out --reserve --param-rk={KEY} --prout-type=5 {disk}")
        before = _registrations(cluster)
        stage.ended(stage.active, stage.act(f"kill -9 of {stage.active.name}, which has the key"))
        stage.active.kill()
        stage.taken_over()
        after = _registrations(cluster)
        stage.round.found |= {"before": before, "after": after}
        stage.round.expect(f"Key={KEY}" in after, f"the registration is lost: {after}")
        stage.round.expect("registrants only" in after, f"the reservation is lost: {after}")
        initiator.run(f"sg_persist --out --clear --param-rk={KEY} {disk}")
        stage.active.start()
        stage.active.booted()
        cluster.wait_healthy()
        stage.act("both nodes are in step")
    return stage.record


def _registrations(cluster: Cluster) -> str:
    return cluster.initiator.run(f"sg_persist --in --read-full-status {layout.DISK}")


def reload(cluster: Cluster, number: int) -> dict[str, Any]:
    """(d) The document gets a node ACL and the disk grows: the session must not notice."""
    with staged(cluster, "d", number, takeovers=0) as stage:
        stage.writing.wait_for_more(WRITING_SECONDS)
        other = f"{layout.OTHER_INITIATOR_NAME}{number}"
        digest = _add_acl(cluster, other)
        begin = stage.act(
            f"the documents have an ACL for {other}; the resource gets their checksum"
        )
        stage.active.run(
            f"crm_resource -r target1 --set-parameter checksum --parameter-value {digest}"
        )
        acl = f"/sys/kernel/config/target/iscsi/{layout.TARGET}/tpgt_1/acls/{other}"
        cluster.wait("the ACL", lambda: stage.active.run(f"ls -d {acl}"), 300)
        stage.round.found["seconds_to_acl"] = round(time.time() - begin, 1)
        stage.act("the kernel has the ACL")
        _grow(stage)
        stage.writing.wait_for_more(WRITING_SECONDS)
        connections = {span.connection for span in cluster.exporters.spans if not span.stale}
        stage.round.found["connections"] = len(connections)
        stage.round.expect(len(connections) == 1, "the initiator connected again")
        actions = "grep -c 'target1_\\(start\\|stop\\)'"
        since = f"journalctl -u pacemaker --since @{int(begin)} -o cat"
        stage.round.found["starts_and_stops"] = stage.active.run(
            f"{since} | {actions} || :"
        ).strip()
    return stage.record


def _add_acl(cluster: Cluster, initiator: str) -> str:
    """Add an ACL to the documents of both nodes, and return their SHA-256."""
    first, second = cluster.nodes
    cluster.copy_document(first, second)
    document = json.loads((first.bed / "document.json").read_text())
    acls = document["targets"][0]["tpgs"][0]["node_acls"]
    acls.append({**acls[0], "node_wwn": initiator})
    text = json.dumps(document, indent=2)
    for node in cluster.nodes:
        (node.bed / "document.json").write_text(text)
        node.run(f"install -m 600 /bed/document.json {layout.DOCUMENT}")
    return hashlib.sha256(text.encode()).hexdigest()


def _grow(stage: Stage) -> None:
    """Grow the disk under DRBD on both nodes, DRBD, and what the initiator knows of it."""
    size = f"blockdev --getsize64 {layout.DISK}"
    initiator = stage.cluster.initiator
    before = int(initiator.run(size))
    for node in stage.cluster.nodes:
        node.grow("data", before + (2 * layout.GROWTH_MEGABYTES << 20))
    stage.active.run("drbdadm -- --assume-clean resize disk1/0")
    stage.act("DRBD has grown")
    initiator.run("iscsiadm -m session -R")
    after = int(initiator.run(size))
    stage.round.found |= {"bytes_before": before, "bytes_after": after}
    stage.round.expect(after > before, "the disk has not grown for the initiator")
    stage.act("the initiator has the new size")


def hang(cluster: Cluster, number: int) -> dict[str, Any]:
    """(e) The disk below the export hangs, and the cluster is asked to move it: that is a fence."""
    with staged(cluster, "e", number, takeovers=1) as stage:
        stage.at_random()
        stage.act(f"writes to the disk of {stage.active.name} hang")
        stage.active.hang("data", hung=True)
        time.sleep(HANG_SECONDS)
        asked = stage.act("the cluster is to move the export")
        stage.standby.run(f"crm_resource --ban -r export1 --node {stage.active.name}")
        reset = stage.wait_for_reset(stage.active, asked, 600.0)
        stage.round.found["seconds_to_reset"] = reset and round(reset - asked, 1)
        stage.active.hang("data", hung=False)
        stage.taken_over()
        stage.standby.run("crm_resource --clear -r export1")
        stage.active.catch_up()
        cluster.wait_healthy()
        stage.act("both nodes are in step")
    return stage.record


def stock(cluster: Cluster, number: int) -> dict[str, Any]:
    """(stock) The resource agents of Debian add an ACL, for comparison with (d)."""
    cluster.logout()
    with cluster.step("change to the stock agents"):
        cluster.export_by(layout.STOCK, "stock1-lun")
    cluster.login()
    with staged(cluster, "stock", number, takeovers=0) as stage:
        stage.writing.wait_for_more(WRITING_SECONDS)
        names = f"{layout.INITIATOR_NAME} {layout.OTHER_INITIATOR_NAME}"
        begin = stage.act("the target gets another allowed initiator")
        stage.active.run(
            f"crm_resource -r stock1 --set-parameter allowed_initiators --parameter-value '{names}'"
        )
        acl = f"/sys/kernel/config/target/iscsi/{layout.TARGET}/tpgt_1/acls/{names.split()[1]}"
        cluster.wait("the ACL", lambda: stage.active.run(f"ls -d {acl}"), 600)
        stage.round.found["seconds_to_acl"] = round(time.time() - begin, 1)
        stage.act("the kernel has the ACL")
        stage.writing.wait_for_more(TAKEOVER_SECONDS)
        connections = {span.connection for span in cluster.exporters.spans if not span.stale}
        stage.round.found["connections"] = len(connections)
    with contextlib.suppress(BedError, AssertionError):
        cluster.logout()
    with cluster.step("change to pyshell's agent"):
        cluster.export_by(layout.PYSHELL, "target1")
    cluster.login()
    return stage.record


Scenario = Callable[[Cluster, int], dict[str, Any]]
SCENARIOS: dict[str, Scenario] = {
    "a": kill,
    "b": freeze,
    "c": unplug,
    "d": reload,
    "e": hang,
    "f": register,
    "stock": stock,
}
# How often each is run, if nothing else is asked for.
ROUNDS = {"a": 20, "b": 5, "c": 5, "d": 1, "e": 1, "f": 1, "stock": 1}
