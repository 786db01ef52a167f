# SPDX-License-Identifier: Apache-2.0
"""Stock resource agents, run as a cluster's executor would: by environment, one action each."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from driver import Ran
from examples.readmes import EXAMPLES

FOLDER = EXAMPLES / "pacemaker"
CIB = FOLDER / "cib-heartbeat.xml"
CONFIGFS = "/sys/kernel/config/target"
RUNNING, GENERIC_ERROR, NOT_RUNNING = 0, 1, 7
# Of Debian, as the cluster's executor has it; what is to be found first comes before it.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Resource:
    """A primitive of the configuration."""

    name: str
    agent: str
    parameters: Mapping[str, str]


def resources(provider: str = "heartbeat") -> dict[str, Resource]:
    """Return the example's resources whose agents are of one provider."""
    found = {}
    for primitive in ElementTree.parse(CIB).iter("primitive"):
        if primitive.get("provider") == provider:
            pairs = primitive.iterfind("instance_attributes/nvpair")
            parameters = {pair.attrib["name"]: pair.attrib["value"] for pair in pairs}
            name = primitive.attrib["id"]
            found[name] = Resource(name, primitive.attrib["type"], parameters)
    return found


class Executor:
    """Runs agents of an unpacked package, with `programs` ahead in their PATH.

    They look at `configfs` instead of the kernel's where that is a simulated one.
    """

    def __init__(
        self,
        package: Path,
        programs: Path,
        scratch: Path,
        environment: Mapping[str, str],
        configfs: str = CONFIGFS,
    ) -> None:
        self._ocf = package / "usr/lib/ocf"
        self._configfs = configfs
        self._scratch = scratch
        self._environment = {
            "PATH": f"{programs}:{PATH}",
            "OCF_ROOT": str(self._ocf),
            "OCF_FUNCTIONS_DIR": str(self._ocf / "lib/heartbeat"),
            "HA_RSCTMP": str(scratch),
            **environment,
        }

    def __call__(self, resource: Resource, action: str, **more: str) -> Ran:
        """Run an action; `more` are parameters beside, or instead of, the resource's own."""
        parameters = {**resource.parameters, **more}
        environment = {
            **self._environment,
            "OCF_RESOURCE_INSTANCE": resource.name,
            "OCF_RESOURCE_TYPE": resource.agent,
            **{f"OCF_RESKEY_{name}": value for name, value in parameters.items()},
        }
        done = subprocess.run(
            ["/bin/bash", self._script(resource.agent), action],
            env=environment, capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        return Ran(done.stdout, done.stderr, done.returncode)

    def _script(self, agent: str) -> Path:
        made = self._scratch / agent
        text = (self._ocf / "resource.d/heartbeat" / agent).read_text(encoding="utf-8")
        made.write_text(text.replace(CONFIGFS, self._configfs), encoding="utf-8")
        return made
