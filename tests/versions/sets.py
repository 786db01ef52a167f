# SPDX-License-Identifier: Apache-2.0
"""The sets of libraries that pyshell is tried with: those of distributions, the newest, the oldest.

The versions are those of each distribution's release, without its later updates, as listed by
Debian's archive, packages.ubuntu.com and packages.fedoraproject.org in November 2026. jeepney's of
Ubuntu were not looked up, but taken from the Debian release of the same time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from packaging.requirements import Requirement

from pyproject import bound, extra, requirements

NAMES = (
    "rtslib-fb",
    "configshell-fb",
    "prompt-toolkit",
    "rich",
    "voluptuous",
    "typing-extensions",
    "jeepney",
    "prometheus-client",
)


@dataclass(frozen=True)
class Set:
    """A release of Python, and the versions of libraries; those not named are the newest."""

    python: str
    versions: Mapping[str, str]

    def constraints(self) -> list[str]:
        """Return the versions as pip takes them."""
        return [f"{name}=={version}" for name, version in self.versions.items()]


def libraries() -> list[Requirement]:
    """Return the libraries whose versions differ: those of optional features, too."""
    return [*requirements(), *extra("tcmu"), *extra("metrics")]


def _of(python: str, *versions: str) -> Set:
    return Set(python, dict(zip(NAMES, versions)))  # noqa: B905 - that of `metrics` may be missing


DISTRIBUTIONS: Mapping[str, Set] = {
    "debian12": _of(
        "3.11", "2.1.75", "1.1.28", "3.0.36", "13.3.1", "0.12.2", "4.4.0", "0.8.0", "0.16.0"
    ),
    "debian13": _of(
        "3.13", "2.1.76", "2.0.0", "3.0.51", "13.9.4", "0.14.2", "4.13.2", "0.9.0", "0.21.1"
    ),
    "ubuntu24.04": _of("3.12", "2.1.74", "1.1.28", "3.0.43", "13.7.1", "0.14.2", "4.10.0", "0.8.0"),
    "ubuntu26.04": _of("3.14", "2.1.74", "2.0.0", "3.0.52", "13.9.4", "0.16.0", "4.15.0", "0.9.0"),
    "fedora43": _of("3.14", "2.2.3", "2.0.2", "3.0.41", "14.1.0", "0.15.2", "4.15.0", "0.9.0"),
    "fedora44": _of("3.14", "2.2.3", "2.0.2", "3.0.52", "14.3.2", "0.16.0", "4.15.0", "0.9.0"),
}


def newest(python: str) -> Set:
    """Return the newest libraries with a release of Python."""
    return Set(python, {})


def oldest(python: str) -> Set:
    """Return the lower bounds of pyproject.toml with a release of Python."""
    bounds = {one.name: bound(one, ">=") for one in libraries()}
    return Set(python, {name: version for name, version in bounds.items() if version})


def choose(wanted: list[str], own: str) -> dict[str, Set]:
    """Return the sets to be tried, by name, where all tests ran with the newest and one Python."""
    covered = {own, *(one.python for one in DISTRIBUTIONS.values())}
    others = [release for release in wanted if release not in covered]
    return {**DISTRIBUTIONS, **{f"newest-{release}": newest(release) for release in others}}
