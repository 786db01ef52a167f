#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: apply a document to a host's storage target, and save it."""

from __future__ import annotations

import json
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: pyshell_apply
short_description: Apply a saved configuration to a host's storage target (LIO)
description:
  - Runs C(pyshell apply), which changes the running configuration to the document with the fewest
    changes, all or nothing, and then C(pyshell saveconfig), so that it is restored at boot.
  - The document is passed to pyshell through a pipe, not a file. Check mode and diff mode report
    what pyshell would change.
options:
  document:
    description:
      - The document as JSON text, with the keys of saveconfig.json(5). Omitted keys have the
        kernel's defaults. Ansible never shows it.
    type: str
    required: true
  prune:
    description: Remove what the document lacks, which otherwise stays.
    type: bool
    default: false
  save:
    description: Save what runs, if it is not saved.
    type: bool
    default: true
  program:
    description: pyshell, by name or path.
    type: str
    default: pyshell
attributes:
  check_mode:
    support: full
    description: It tells the truth and touches nothing.
  diff_mode:
    support: full
    description: It shows the objects that are created, changed, made anew or deleted.
author: The authors of pyshell
"""

EXAMPLES = """
- name: Export one disk to one initiator
  pyshell_apply:
    document: "{{ {'storage_objects': disks, 'targets': targets} | to_json }}"
"""

RETURN = """
messages:
  description: pyshell's messages, one line per object.
  returned: success
  type: list
objects:
  description:
    - Each changed object, with path, change (created, changed, made anew, deleted),
      effect (online, disrupting, replacing), settings and sessions.
  returned: success
  type: list
"""

# /dev/stdin is a link that the smallest systems lack.
STDIN = "/proc/self/fd/0"
OPTIONS = {
    "document": {"type": "str", "required": True, "no_log": True},
    "prune": {"type": "bool", "default": False},
    "save": {"type": "bool", "default": True},
    "program": {"type": "str", "default": "pyshell"},
}


def run(module: Any, *words: str, stdin: str = "") -> dict[str, Any]:
    """Return pyshell's JSON result; fail with its error."""
    options = ["-o", "json", *(["--dry-run"] if module.check_mode else [])]
    command = [module.get_bin_path(module.params["program"], required=True), *options, *words]
    status, out, err = module.run_command(command, data=stdin, binary_data=True)
    if status:
        module.fail_json(msg=failure(err) or f"pyshell: exit status {status}", rc=status)
    found = json.loads(out)["result"]
    return found if isinstance(found, dict) else {"messages": found}


def failure(err: str) -> str:
    """Return pyshell's error as one line: what, where, what to do."""
    for line in err.splitlines():
        told = json.loads(line) if line.startswith("{") else {"error": line}
        if "error" in told:  # what has none is a note
            parts = [told["error"], *told.get("faults", ()), told.get("hint")]
            sentences = [part if part[-1] in ".:!?" else f"{part}." for part in parts if part]
            return " ".join(sentences).replace(STDIN, "the document")
    return err.strip()


def main() -> None:
    """Apply, save unsaved changes, and report whether anything changed."""
    module = AnsibleModule(OPTIONS, supports_check_mode=True)
    wanted = [STDIN, *(["prune=true"] if module.params["prune"] else [])]
    applied = run(module, "apply", *wanted, stdin=module.params["document"])
    told = [line.replace(STDIN, "the document") for line in applied["messages"]]
    # The last line sums up.
    shown = told[:-1]
    save = module.params["save"] and (applied["changed"] or not run(module, "status")["saved"])
    if save:
        shown += run(module, "saveconfig", "comment=Ansible")["messages"]
    module.exit_json(
        changed=applied["changed"] or save,
        messages=[*shown, told[-1]],
        objects=applied["objects"],
        diff={"prepared": "".join(f"{line}\n" for line in shown)},
    )


if __name__ == "__main__":
    main()
