# SPDX-License-Identifier: Apache-2.0
"""Makes the simulator's `recorded.json` of what the recorder brought back from several boots.

    python -m tests.kernel.recorder_merge [--add] RAW...

With --add, all that these boots did not record stays as it was recorded before.

A text that is the same in all instances is the kernel's; one that the instance's own names and
numbers account for gets places for these; any other depends on time or chance, and is marked.
The values tried on a file become a rule, found by trying the simulator's own readings on them.
Files whose tries follow no rule are left to the simulator's code; their tries are kept as the
evidence that the quick tests hold it against (`tests/simulator/tries.json`).
"""

from __future__ import annotations

import itertools
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pyshell.simulator.recorded import FILE, fill

from .recorder_recording import VALUES
from .recorder_rules import Rows, rule_of

TRIES = Path(__file__).parents[1] / "simulator" / "tries.json"

# Recorded on their own, kept as a state of what they are of.
SESSIONS = {
    "session of an acl": "acl/iscsi",
    "session of a target": "target/iscsi",
    "session without acl": "tpg/iscsi",
}

# Texts that tell of the machine, in which all instances agree.
OF_THE_MACHINE = {"cpus_allowed_list": "{cpus}\n"}

Instance = Mapping[str, Any]


# Texts


def template_of(texts: list[str], tokens: list[Mapping[str, str]]) -> str | None:
    """Return the one text that, filled with each instance's tokens, gives all texts."""
    if len(set(texts)) == 1:
        return texts[0]
    names = [name for name in tokens[0] if _word(tokens[0][name]).search(texts[0])]
    for count in range(1, len(names) + 1):
        for chosen in itertools.combinations(names, count):
            candidate = texts[0]
            for name in sorted(chosen, key=lambda n: -len(tokens[0][n])):
                candidate = _word(tokens[0][name]).sub(f"{{{name}}}", candidate)
            filled = [fill(candidate, dict(one)) for one in tokens]
            if filled == texts:
                return candidate
    return None


def filled_in(text: str, tokens: Mapping[str, str]) -> str:
    """Make places for all tokens in a text of which the rest is chance."""
    for name in sorted(tokens, key=lambda name: -len(tokens[name])):
        text = _word(tokens[name]).sub(f"{{{name}}}", text)
    return text


def _word(value: str) -> re.Pattern[str]:
    edge = "[0-9]" if value.isdigit() else "[0-9A-Za-z]"
    return re.compile(rf"(?<!{edge}){re.escape(value)}(?!{edge})")


def merge_kind(instances: list[Instance]) -> dict[str, Any]:
    """Return the recorded group that several instances agree on."""
    tokens = [instance["tokens"] for instance in instances]
    made = [instance["states"]["new"] for instance in instances]
    files: dict[str, dict[str, Any]] = {}
    groups = [inner for inner, entry in made[0].items() if "group" in entry]
    for inner in sorted(set(made[0]) - set(groups)):
        assert all(inner in snapshot for snapshot in made), inner
        entries = [snapshot[inner] for snapshot in made]
        files[inner] = merge_file(entries, tokens)
        if inner in OF_THE_MACHINE:
            files[inner]["text"] = OF_THE_MACHINE[inner]
    merged: dict[str, Any] = {"groups": sorted(groups), "files": files}
    states = {name: merge_state(name, instances, files) for name in made_states(instances[0])}
    if states:
        merged["states"] = states
    return merged


def merge_file(entries: list[Mapping[str, Any]], tokens: list[Mapping[str, str]]) -> dict[str, Any]:
    """Return one attribute that several instances agree on."""
    modes, errors = {e["mode"] for e in entries}, {e.get("errno") for e in entries}
    assert len(modes) == len(errors) == 1, entries
    text = template_of([entry["text"] for entry in entries], tokens)
    merged = {"mode": entries[0]["mode"], "text": entries[0]["text"] if text is None else text}
    if errors not in ({None}, {"EACCES"}):
        merged["errno"] = entries[0]["errno"]
    if text is None:
        merged["varies"] = True
    return merged


def made_states(instance: Instance) -> Iterator[str]:
    """Yield the states that are kept: all but those that only lead to another."""
    return (name for name in instance["states"] if name not in ("new", "numbered"))


def _before(state: str, instance: Instance) -> str:
    return "numbered" if state == "exported" and "numbered" in instance["states"] else "new"


def merge_state(
    state: str, instances: list[Instance], files: dict[str, dict[str, Any]]
) -> dict[str, str]:
    """Return the texts of a state that differ from those before it; marks unsteady files."""
    tokens = [
        instance["tokens"] | instance.get("more", {}).get(state, {}) for instance in instances
    ]
    changed: dict[str, str] = {}
    for inner, file in files.items():
        if inner == "udev_path":
            continue  # written by the recorder
        entries = [instance["states"][state][inner] for instance in instances]
        texts = [entry["text"] for entry in entries]
        if all("errno" in entry for entry in entries) and "errno" in file:
            file.setdefault("errno_in", []).append(state)
        olds = [i["states"][_before(state, i)][inner]["text"] for i in instances]
        if texts == olds:
            continue
        text = template_of(texts, tokens)
        changed[inner] = filled_in(texts[0], tokens[0]) if text is None else text
        if text is None:
            file["varies"] = True
    return changed


# Rules


def add_rules(kind: str, group: dict[str, Any], tries: Mapping[str, Any]) -> dict[str, Any]:
    """Put rules into a recorded group's files; return the tries that no rule explains."""
    states = {name.partition(" ")[2]: t for name, t in tries.items() if name.split(" ")[0] == kind}
    unexplained: dict[str, Any] = {}
    for inner, file in group["files"].items():
        rows = {state: tried[inner] for state, tried in states.items() if inner in tried}
        rules = {state: rule_of(tried) for state, tried in rows.items()}
        if None in rules.values():
            unexplained[inner] = {state: shortened(tried) for state, tried in rows.items()}
        elif len({json.dumps(rule) for rule in rules.values()}) == 1:
            file["rule"] = next(iter(rules.values()))
        elif rules:
            file["rules"] = rules
    return unexplained


def shortened(rows: Rows) -> Rows:
    """Return the tries up to those that only sought a bound, long texts written short."""
    runs = re.compile(r"x{30,}")
    values = set(VALUES)
    kept = []
    for row in rows:
        if row[0] not in values:
            break
        values.discard(row[0])
        kept.append([runs.sub(lambda run: f"<{len(run[0])} x>", text) for text in row])
    return kept


def steady(boots: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the tries of all boots; complain of those that two boots do not agree on."""
    agreed: dict[str, Any] = {}
    for name, tried in ((name, t) for boot in boots for name, t in boot["tries"].items()):
        for inner, rows in tried.items():
            known = agreed.setdefault(name, {}).setdefault(inner, rows)
            if known != rows:
                sys.stderr.write(f"boots differ on the tries of {name} {inner}\n")
    return agreed


def shared(tries: Mapping[str, Any]) -> dict[str, Any]:
    """Return tries with each list of rows given once: files that were tried alike name it."""
    rows: dict[str, Rows] = {}
    files: dict[str, str] = {}
    for kind, left in tries.items():
        for inner, states in left.items():
            for state, tried in states.items():
                known = next((name for name, others in rows.items() if others == tried), None)
                name = known or str(len(rows) + 1)
                rows[name] = tried
                files[f"{kind} {state} {inner}"] = name
    return {"files": files, "rows": rows}


def compact(value: Any, depth: int = 0) -> str:
    """Return JSON with one line for each file, so that a change of one shows as one line."""
    is_leaf = not isinstance(value, dict) or depth >= 4 or "mode" in value
    if is_leaf or not value:
        return json.dumps(value)
    pad = " " * (depth + 1)
    lines = [f"{pad}{json.dumps(key)}: {compact(item, depth + 1)}" for key, item in value.items()]
    return "{\n" + ",\n".join(lines) + "\n" + " " * depth + "}"


def apart(tries: Mapping[str, Any]) -> dict[str, Any]:
    """Undo `shared`."""
    found: dict[str, Any] = {}
    for name, rows in tries["files"].items():
        kind, state, inner = name.split(" ")
        found.setdefault(kind, {}).setdefault(inner, {})[state] = tries["rows"][rows]
    return found


def main(arguments: Iterable[str]) -> None:
    """Merge what the boots brought and write both files."""
    paths = list(arguments)
    groups: dict[str, Any] = {}
    unexplained: dict[str, Any] = {}
    if "--add" in paths:
        paths.remove("--add")
        groups = json.loads(FILE.read_text())["groups"]
        unexplained = apart(json.loads(TRIES.read_text()))
    boots = [json.loads(Path(path).read_text()) for path in paths]
    tries = steady(boots)
    for kind in dict.fromkeys(kind for boot in boots for kind in boot["kinds"]):
        groups[kind] = merge_kind([one for boot in boots for one in boot["kinds"].get(kind, [])])
        left = add_rules(kind, groups[kind], tries)
        unexplained.update({kind: left} if left else {})
    for name, kind in SESSIONS.items():
        if name not in groups:
            continue
        groups[kind].setdefault("states", {})["session"] = groups.pop(name)["states"]["session"]
    FILE.write_text(compact({"kernel": boots[0]["kernel"], "groups": groups}) + "\n")
    TRIES.write_text(compact(shared(unexplained)) + "\n")
    for kind, left in unexplained.items():
        sys.stdout.write(f"left to code: {kind}: {', '.join(left)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
