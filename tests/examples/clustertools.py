# SPDX-License-Identifier: Apache-2.0
"""pcs and crm, run from unpacked packages on a configuration in a file instead of a cluster's.

They know the programs and agents of an installed cluster by fixed paths: each is given a launcher
that names the unpacked ones. crm_resource finds agents only where it was built to, so its answers
about agents are given by the agents themselves.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from driver import ROOT, Ran, clean_environment
from kernel.unpacked import environment

NODES = ("node1", "node2")
TIME_LIMIT = 120
# pcs takes longer to start than to work: it starts once, and each call is a process forked from it.
_PCS = """\
import os
import sys
from pcs import settings
for name, value in list(vars(settings).items()):
    if isinstance(value, str) and value.startswith("/usr/sbin"):
        setattr(settings, name, {sbin!r} + value[len("/usr/sbin"):])
settings.pcs_data_dir = {data!r}
from pcs import app, cluster, constraint, resource
while True:
    with open("calls") as calls:
        folder, *words = calls.read().splitlines()
    child = os.fork()
    if not child:
        os.chdir(folder)
        sys.exit(app.main(words))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with open("statuses", "w") as statuses:
        statuses.write(f"{{status}}\\n")
"""
_CALL_PCS = """\
#!/bin/sh
{{ pwd; printf '%s\\n' "$@"; }} >{folder}/calls
read -r status <{folder}/statuses
exit "$status"
"""
_CRM = """\
import sys
from crmsh import log
log.CRMSH_LOG_FILE = log.LOGGING_CFG["handlers"]["file"]["filename"] = {log!r}
log.shutil.chown = lambda *given, **named: None  # there is no group of the cluster's
log.setup_logging()
from crmsh import main
sys.exit(main.run())
"""
_CRM_CONF = """\
[path]
crm_daemon_dir = {root}/usr/lib/pacemaker
crm_dtd_dir = {root}/usr/share/pacemaker
ocf_root = {ocf}
sharedir = {root}/usr/share/crmsh
"""
_CRM_RESOURCE = """\
#!/bin/sh
export OCF_ROOT={ocf} OCF_FUNCTIONS_DIR={ocf}/lib/heartbeat
case "$1" in
--list-ocf-providers) exec ls "$OCF_ROOT/resource.d" ;;
--show-metadata)
    agent=$(echo "${{2#ocf:}}" | tr : /)
    exec bash "$OCF_ROOT/resource.d/$agent" meta-data
    ;;
esac
exit 1
"""
_PROGRAMS = ("cibadmin", "crm_diff", "crm_mon", "crm_rule", "crm_simulate", "crm_verify")


@dataclass(frozen=True)
class Packages:
    """The unpacked packages."""

    pcs: Path
    crmsh: Path
    """With the cluster's own programs and agents, which it depends on."""
    drbd: Path


class Tools:
    """The programs, which work on the configuration in `cib` if no other file is named."""

    def __init__(self, packages: Packages, folder: Path) -> None:
        self.packages = packages
        self._folder = folder
        self.cib = folder / "cluster.xml"
        self.cib.write_text(_empty_cluster())
        self._ocf = folder / "ocf"
        (self._ocf / "resource.d").mkdir(parents=True)
        ocf = packages.crmsh / "usr/lib/ocf"
        (self._ocf / "lib").symlink_to(ocf / "lib")
        for provider, agents in {
            "heartbeat": ocf / "resource.d/heartbeat",
            "linbit": packages.drbd / "usr/lib/ocf/resource.d/linbit",
            "pacemaker": ocf / "resource.d/pacemaker",
            "pyshell": ROOT / "packaging/ocf",
        }.items():
            (self._ocf / "resource.d" / provider).symlink_to(agents)
        self._write_programs()

    def _write_programs(self) -> None:
        sbin, packages = self._folder / "sbin", self.packages
        sbin.mkdir()
        for name in _PROGRAMS:
            found = f"exec {packages.crmsh}/usr/sbin/{name}"
            _script(sbin / name, self._settings(packages.crmsh), f'{found} "$@"')
        program = sbin / "crm_resource"
        program.write_text(_CRM_RESOURCE.format(ocf=self._ocf))
        program.chmod(0o755)
        launcher = self._folder / "run_crm.py"
        launcher.write_text(_CRM.format(log=str(self._folder / "crmsh.log")))
        run = f'exec /usr/bin/python3 {launcher} "$@"'
        _script(sbin / "crm", self._settings(packages.crmsh), run)
        program = sbin / "pcs"
        program.write_text(_CALL_PCS.format(folder=self._folder))
        program.chmod(0o755)
        conf = self._folder / "crm.conf"
        conf.write_text(_CRM_CONF.format(root=packages.crmsh, ocf=self._ocf))

    @contextmanager
    def pcs(self) -> Iterator[None]:
        """Return a context in which `run` can run pcs."""
        for name in ("calls", "statuses"):
            os.mkfifo(self._folder / name)
        data = f"{self.packages.pcs}/usr/share/pcs/data/"
        launcher = self._folder / "run_pcs.py"
        launcher.write_text(_PCS.format(sbin=str(self._folder / "sbin"), data=data))
        server = self._folder / "pcs_server"
        _script(server, self._settings(self.packages.pcs), f"exec /usr/bin/python3 {launcher}")
        with (self._folder / "pcs.log").open("w") as log:
            running = subprocess.Popen(
                [server], cwd=self._folder, env=self._environment(), stdout=log, stderr=log
            )
        try:
            yield
        finally:
            running.kill()
            running.wait()

    def _settings(self, package: Path) -> Mapping[str, str]:
        found = {k: v for k, v in environment(package).items() if k != "PATH"}
        schema = self.packages.crmsh / "usr/share/pacemaker"
        return {
            **found,
            "CIB_file": f"${{CIB_file:-{self.cib}}}",
            "CIB_shadow_dir": str(self._folder),
            "CRM_CONFIG_FILE": str(self._folder / "crm.conf"),
            "PCMK_schema_directory": str(schema),
        }

    def run(self, text: str) -> Ran:
        """Run lines in a shell, as root would paste them, and stop at the first that fails."""
        done = subprocess.run(
            ["/bin/sh", "-e"], input=text, env=self._environment(), cwd=self._folder,
            capture_output=True, text=True, check=False, timeout=TIME_LIMIT,
        )  # fmt: skip
        log = self._folder / "pcs.log"
        said = log.read_text() if log.exists() else ""
        return Ran(done.stdout, done.stderr + said, done.returncode)

    def _environment(self) -> dict[str, str]:
        folders = (str(self._folder / "sbin"), os.environ["PATH"], "/usr/sbin", "/sbin")
        home = {"HOME": str(self._folder), "PATH": os.pathsep.join(folders)}
        kept = {k: v for k, v in clean_environment().items() if not k.startswith("PYTHON")}
        return {**kept, **home}


def _script(file: Path, settings: Mapping[str, str], run: str) -> None:
    exports = "".join(f'export {name}="{value}"\n' for name, value in settings.items())
    file.write_text(f"#!/bin/sh\n{exports}{run}\n")
    file.chmod(0o755)


def _empty_cluster() -> str:
    """Return the configuration of a cluster of two nodes that has fence devices alone."""
    nodes = "".join(f'<node id="{n}" uname="{name}"/>' for n, name in enumerate(NODES, 1))
    fences = "".join(
        f'<primitive id="fence_{name}" class="stonith" type="fence_ipmilan">'
        f'<instance_attributes id="fence_{name}-params">'
        f'<nvpair id="fence_{name}-hosts" name="pcmk_host_list" value="{name}"/>'
        "</instance_attributes></primitive>"
        for name in NODES
    )
    return (
        '<cib crm_feature_set="3.16.1" validate-with="pacemaker-3.8" epoch="1" num_updates="0"'
        f' admin_epoch="0" have-quorum="1"><configuration><crm_config/><nodes>{nodes}</nodes>'
        f"<resources>{fences}</resources><constraints/></configuration><status/></cib>"
    )


def described(cib: Path) -> dict[str, tuple[str, dict[str, str], list[dict[str, str]]]]:
    """Return the agent, parameters and operations of each resource of a cluster but the fences."""
    found = {}
    for primitive in ElementTree.parse(cib).iter("primitive"):
        if primitive.get("class") != "ocf":
            continue
        agent = f"ocf:{primitive.get('provider')}:{primitive.get('type')}"
        parameters = _pairs(primitive, "instance_attributes/nvpair")
        operations = [
            {key: value for key, value in one.attrib.items() if key != "id"}
            | _pairs(one, "instance_attributes/nvpair")
            for one in primitive.iterfind("operations/op")
        ]
        found[primitive.attrib["id"]] = agent, parameters, operations
    return found


def _pairs(element: ElementTree.Element, path: str) -> dict[str, str]:
    return {one.attrib["name"]: one.attrib["value"] for one in element.iterfind(path)}


_CONSTRAINT = {
    "rsc_colocation": ("rsc", "rsc-role", "with-rsc", "with-rsc-role"),
    "rsc_order": ("first", "first-action", "then", "then-action"),
}


def constraints(cib: Path) -> dict[str, tuple[str, ...]]:
    """Return what each constraint is about, without a role that is the default."""
    found = {}
    for kind, names in _CONSTRAINT.items():
        for one in ElementTree.parse(cib).iter(kind):
            values = (one.get(name, "").replace("Started", "") for name in names)
            found[one.attrib["id"]] = tuple(values)
    return found
