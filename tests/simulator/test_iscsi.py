# SPDX-License-Identifier: Apache-2.0
"""iSCSI: secrets, parameters, what node ACLs inherit, processors."""

from __future__ import annotations

import pytest

from simulator.acts import ACL, IQN, TPG, Acts, outcome


@pytest.mark.parametrize("text", ["1", "0", "yes", "off"])
def test_enabling_needs_nothing_in_the_tpg(kernel: Acts, text: str) -> None:
    kernel.write(f"{kernel.tpg()}/enable", text)
    assert kernel.read(f"{TPG}/enable") == ("1\n" if text in ("1", "yes") else "0\n")


@pytest.mark.parametrize("folder", [f"{TPG}/auth", f"{ACL}/auth", "iscsi/discovery_auth"])
def test_mutual_secrets_authenticate_the_target(kernel: Acts, folder: str) -> None:
    kernel.tpg()
    kernel.mkdir(ACL)
    kernel.write(f"{folder}/userid_mutual", "me")
    assert kernel.read(f"{folder}/authenticate_target") == "0\n"
    kernel.write(f"{folder}/password_mutual", "secret")
    assert kernel.read(f"{folder}/authenticate_target") == "1\n"
    kernel.write(f"{folder}/userid_mutual", "NULL")
    assert kernel.read(f"{folder}/authenticate_target") == "0\n"


@pytest.mark.parametrize(
    ("text", "shown"), [("name", "name\n"), ("a\n", "a\n\n"), ("NULL", "NULL\n")]
)
def test_secrets_are_kept_as_written(kernel: Acts, text: str, shown: str) -> None:
    kernel.write(f"{kernel.tpg()}/auth/userid", text)
    assert kernel.read(f"{TPG}/auth/userid") == shown


def test_a_secret_that_is_too_long_is_truncated_or_refused(kernel: Acts) -> None:
    kernel.tpg()
    kernel.mkdir(ACL)
    kernel.write(f"{TPG}/auth/password", "x" * 300)
    assert kernel.read(f"{TPG}/auth/password") == "x" * 255 + "\n"
    assert outcome(kernel.write, f"{ACL}/auth/password", "x" * 256) == "EINVAL"


@pytest.mark.parametrize(("text", "methods"), [("0", "CHAP,None\n"), ("1", "CHAP\n")])
def test_the_method_follows_authentication(kernel: Acts, text: str, methods: str) -> None:
    kernel.write(f"{kernel.tpg()}/attrib/authentication", text)
    assert kernel.read(f"{TPG}/param/AuthMethod") == methods


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("MaxBurstLength", "511", "EINVAL"),
        ("MaxBurstLength", "4096x", "ok"),
        ("MaxConnections", "0", "EINVAL"),
        ("ImmediateData", "yes", "EINVAL"),
        ("ImmediateData", "No", "ok"),
        ("HeaderDigest", "CRC32C,None", "ok"),
        ("HeaderDigest", "crc32c", "EINVAL"),
        ("TargetAlias", "a,b", "EINVAL"),
        ("ErrorRecoveryLevel", "3", "EINVAL"),
    ],
)
def test_parameters(kernel: Acts, name: str, text: str, why: str) -> None:
    assert outcome(kernel.write, f"{kernel.tpg()}/param/{name}", text) == why


def test_an_acl_inherits_from_its_tpg(kernel: Acts) -> None:
    kernel.write(f"{kernel.tpg()}/attrib/default_cmdsn_depth", "48")
    kernel.write(f"{TPG}/attrib/default_erl", "2")
    kernel.mkdir(ACL)
    assert kernel.read(f"{ACL}/cmdsn_depth") == "48\n"
    assert kernel.read(f"{ACL}/attrib/default_erl") == "2\n"


@pytest.mark.parametrize(("text", "shown"), [("group", "group"), ("a\n", "a\n"), ("NULL", "")])
def test_tags(kernel: Acts, text: str, shown: str) -> None:
    kernel.tpg()
    kernel.mkdir(ACL)
    kernel.write(f"{ACL}/tag", text)
    assert kernel.read(f"{ACL}/tag") == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [("0", "0\n"), ("0,1", "0-1\n"), ("1-1\n", "1\n"), ("N", "1\n"), ("\n", "\n")],
)
def test_lists_of_processors(kernel: Acts, text: str, shown: str) -> None:
    kernel.mkdir("iscsi")
    kernel.write("iscsi/cpus_allowed_list", text)
    assert kernel.read("iscsi/cpus_allowed_list") == shown


@pytest.mark.parametrize(
    ("text", "why"), [("2", "ERANGE"), ("x", "EINVAL"), ("1-0", "EINVAL"), ("9" * 12, "EOVERFLOW")]
)
def test_missing_processors(kernel: Acts, text: str, why: str) -> None:
    kernel.mkdir("iscsi")
    assert outcome(kernel.write, "iscsi/cpus_allowed_list", text) == why


@pytest.mark.parametrize(
    ("text", "why"), [("1", "ok"), ("-2", "ok"), ("2", "EINVAL"), ("-3", "EINVAL")]
)
def test_the_processor_that_completes_commands(kernel: Acts, text: str, why: str) -> None:
    kernel.tpg()
    assert outcome(kernel.write, f"iscsi/{IQN}/param/cmd_completion_affinity", text) == why
