# SPDX-License-Identifier: Apache-2.0
"""The example's container image: built from its Containerfile, on a Debian made by mmdebstrap.

It takes the place of the image that the file names, as nothing is asked of a registry. What is in
the image is run in a chroot, on the simulated target; the command line by which podman runs it is
held against podman, which makes the container and does not start it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from driver import ROOT, tool
from examples.readmes import EXAMPLES, lines_to_type
from pyshell import __version__

from . import debianroot, image

FOLDER = EXAMPLES / "container"
BASE = "docker.io/library/debian:bookworm-slim"
SECONDS = 900


class Store:
    """A place for images of the test's own, and the programs that work on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # Which driver it is to be (overlay, or vfs where that cannot be) is left to them.
        (folder / "storage.conf").write_text(
            f'[storage]\ndriver = ""\ngraphroot = "{folder}/graph"\nrunroot = "{folder}/run"\n'
        )
        # Nothing is pulled, so that nothing needs a signature.
        policy = folder / "home/.config/containers/policy.json"
        policy.parent.mkdir(parents=True)
        policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
        self._environment = {
            "PATH": image.SEARCH_PATH,
            "HOME": str(folder / "home"),
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
            "BUILDAH_ISOLATION": "chroot",
        }

    def __call__(self, program: str, *words: str, cwd: Path | None = None) -> str:
        """Run podman or buildah, which must do what it is told, and return its output."""
        done = subprocess.run(
            [tool(program, program), *words], cwd=cwd or self.folder, env=self._environment,
            capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{program} {' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout.strip()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Return a store that holds the image on which the Containerfile builds."""
    tool("buildah", "buildah")
    tool("podman", "podman")
    reason = debianroot.missing()
    if reason:
        if os.environ.get("PYSHELL_REQUIRE_KERNEL", "") not in ("", "0"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    made = Store(tmp_path)
    (tmp_path / "Base").write_text("FROM scratch\nADD base.tar /\n")
    shutil.copy(debianroot.minimal(), tmp_path / "base.tar")
    made("buildah", "bud", "-q", "-t", BASE, "-f", "Base", ".")
    yield made
    made("buildah", "rm", "--all")
    made("podman", "rm", "--all", "--force")
    shutil.rmtree(tmp_path, ignore_errors=True)


def test_the_image_is_built_as_readme_says_and_holds_pyshell(
    package: Path, store: Store, tmp_path: Path
) -> None:
    deb, build, run = lines_to_type(FOLDER)
    program, into = deb.split()
    assert (ROOT / program).is_file()  # the fixture `package` has run it
    context = tmp_path / "tree" / into
    shutil.copytree(FOLDER, context)
    shutil.copy(package, context)

    store(*build.split(), "--pull=never", cwd=tmp_path / "tree")
    container = store("buildah", "from", "--pull-never", "localhost/pyshell")
    inside = ("buildah", "run", container, "--")
    entry = json.loads(store("podman", "inspect", "localhost/pyshell"))[0]["Config"]["Entrypoint"]
    assert __version__ in store(*inside, *entry, "--version")
    assert "o- backstores" in store(*inside, *entry, "--simulate=/tmp/simulated", "ls")
    assert store(*inside, "find", "/run", "/var/lib/apt/lists", "-name", "*.deb") == ""
    assert_podman_takes(store, run, tmp_path)


def assert_podman_takes(store: Store, line: str, scratch: Path) -> None:
    """Have podman make the container as README's line says, and look at what it would get."""
    program, verb, *words = line.split()
    assert (program, verb) == ("podman", "run")
    volumes = [word for word in words if ":" in word]
    for volume in volumes:
        if not Path(volume.split(":")[0]).exists():  # what the host's kernel lacks
            stand_in = scratch / volume.split(":")[0].replace("/", "-")
            stand_in.mkdir()
            words[words.index(volume)] = f"{stand_in}:{volume.partition(':')[2]}"
    made = store("podman", "create", "--pull=never", *words)
    (facts,) = json.loads(store("podman", "inspect", made))
    mounts = {mount["Destination"]: mount["RW"] for mount in facts["Mounts"]}
    assert mounts == {
        "/sys/kernel/config": True, "/lib/modules": False, "/dev": True, "/run": True,
        "/etc/target": True,
    }  # fmt: skip
    assert facts["HostConfig"]["Privileged"]
    assert facts["HostConfig"]["NetworkMode"] == "host"
