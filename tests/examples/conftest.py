# SPDX-License-Identifier: Apache-2.0
"""What the tests of examples need of the machine, which is kept for all of them.

Where it cannot be had they skip; PYSHELL_REQUIRE_KERNEL=1 makes that a failure, as elsewhere.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from examples.clustertools import Packages
from kernel.unpacked import AGENTS, unpacked


@pytest.fixture(scope="session")
def agents_package() -> Path:
    """Return the cluster's resource agents, unpacked."""
    return _debian(AGENTS, alone=True)


@pytest.fixture(scope="session")
def cluster_package() -> Path:
    """Return the cluster's command line tools with their libraries, unpacked."""
    return _debian("pacemaker-cli-utils")


@pytest.fixture(scope="session")
def cluster_packages() -> Packages:
    """Return pcs and crmsh with what they work with, unpacked."""
    drbd = _debian("drbd-utils", alone=True)
    return Packages(pcs=_debian("pcs"), crmsh=_debian("crmsh"), drbd=drbd)


@pytest.fixture(scope="session")
def cloud_init_package() -> Path:
    """Return cloud-init with its libraries, unpacked."""
    return _debian("cloud-init")


@pytest.fixture(scope="session")
def ansible() -> Path:
    """Return the folder that holds Ansible's programs."""
    folder = Path(sys.executable).parent
    if shutil.which("ansible-playbook", path=str(folder)) is None:
        reason = "no ansible-playbook here: pip install '.[examples]' brings it"
        if os.environ.get("PYSHELL_REQUIRE_KERNEL", "") not in ("", "0"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return folder


def _debian(package: str, *, alone: bool = False) -> Path:
    if os.environ.get("PYSHELL_REQUIRE_KERNEL", "") in ("", "0"):
        pytest.skip("it takes packages from Debian: PYSHELL_REQUIRE_KERNEL=1 has it run")
    try:
        return unpacked(package, alone=alone)
    except (OSError, subprocess.SubprocessError) as error:
        pytest.fail(f"apt-get cannot get {package} here: {error}", pytrace=False)
