# SPDX-License-Identifier: Apache-2.0
"""Makes the simulator's `recorded.json` of what the recorder brought back from two boots.

    python -m tests.kernel.recorder_merge RAW RAW

A text that is the same in all instances is the kernel's; one that the instance's own names and
numbers account for gets places for these; any other depends on time or chance, and is marked.
The values tried on a file become a rule, found by trying the simulator's own readings on them.
Files whose tries follow no rule are left to the simulator's code; their tries are kept as the
evidence that the quick tests hold it against (`tests/simulator/tries.json`).
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pyshell.simulator.recorded import fill
from pyshell.simulator.refusal import RefusalError
from pyshell.simulator.values import accept, boolean, cast, lenient, number

from .recorder import VALUES

ROOT = Path(__file__).parents[2]
RECORDED = ROOT / "pyshell/simulator/recorded.json"
TRIES = ROOT / "tests/simulator/tries.json"
_WORDS = ("Yes", "No", "None", "CHAP", "CRC32C", "SRP")

Instance = Mapping[str, Any]
Rows = list[list[str]]


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
    """Return a state's texts that differ from those of the state before; marks the unsteady."""
    tokens = [
        instance["tokens"] | instance.get("more", {}).get(state, {}) for instance in instances
    ]
    changed: dict[str, str] = {}
    for inner, file in files.items():
        if inner == "udev_path":
            continue  # written by the recorder
        texts = [instance["states"][state][inner]["text"] for instance in instances]
        olds = [i["states"][_before(state, i)][inner]["text"] for i in instances]
        if texts == olds:
            continue
        text = template_of(texts, tokens)
        changed[inner] = texts[0] if text is None else text
        if text is None:
            file["varies"] = True
    return changed


# Rules


def rule_of(rows: Rows) -> dict[str, Any] | None:
    """Return the rule that explains every try; None where none of the simulator's readings does."""
    candidates = itertools.chain(_flat(rows), _booleans(rows), _numbers(rows), _kept(rows))
    return next((rule for rule in candidates if explains(rule, rows)), None)


def explains(rule: Mapping[str, Any], rows: Rows) -> bool:
    """Tell whether the simulator with this rule does at every try what the kernel did."""
    before: str | None = None
    for value, outcome, after in rows:
        try:
            shown = accept(rule, value) if value else None
            judged = "ok"
        except RefusalError as refusal:
            shown, judged = None, _name(refusal)
        if judged != outcome or (shown if shown is not None else before or after) != after:
            return False
        before = after
    return True


def _name(refusal: RefusalError) -> str:
    import errno

    return errno.errorcode[refusal.number]


def _flat(rows: Rows) -> Iterator[dict[str, Any]]:
    yield {"ignore": True}
    yield from ({"refuse": name} for name in sorted({outcome for _, outcome, _ in rows} - {"ok"}))


def _booleans(rows: Rows) -> Iterator[dict[str, Any]]:
    read = _read(rows, lambda text: int(boolean(text)))
    yield {"parse": "boolean", **_judgement(read)}


def _numbers(rows: Rows) -> Iterator[dict[str, Any]]:
    kinds = ("u32", "u16", "u8", "u64", "s32", "s64", "s16")
    for kind, overflow in itertools.product(kinds, ("ERANGE", "EINVAL")):
        base = {"parse": "number", "type": kind}
        if overflow != "ERANGE":
            base["overflow"] = overflow

        def value_of(text: str, kind: str = kind) -> int:
            return number(text, kind)

        for narrow in (None, "s32", "u32", "u16") if kind == "u64" else (None,):

            def narrowed(text: str, narrow: str | None = narrow) -> int:
                return cast(value_of(text), narrow) if narrow else value_of(text)

            more = {"cast": narrow} if narrow else {}
            yield {**base, **more, **_judgement(_read(rows, narrowed))}


def _kept(rows: Rows) -> Iterator[dict[str, Any]]:
    taken = [value for value, outcome, _ in rows if outcome == "ok" and value]
    longest = max((len(value) for value in taken if set(value) == {"x"}), default=255)
    yield {"parse": "text", "longest": longest}
    judged = _judgement(
        _read([r for r in rows if "," not in r[0] and len(r[0]) <= longest], lenient)
    )
    judged.pop("show", None)
    yield {"parse": "lenient", "longest": longest, **judged}
    words = sorted({word for value in taken for word in value.strip().split(",")})
    yield {"parse": "words", "accept": words}
    yield {"parse": "words", "accept": words, "several": True}


def _read(rows: Rows, reading: Any) -> dict[int, tuple[str, str]]:
    """Return what came of each number that a reading finds in the tries."""
    found: dict[int, tuple[str, str]] = {}
    for value, outcome, after in rows:
        with contextlib.suppress(RefusalError):
            found[reading(value)] = (outcome, after)
    return found


def _judgement(found: Mapping[int, tuple[str, str]]) -> dict[str, Any]:
    """Return accept, refuse, else, show and format for what came of the numbers tried."""
    judgement: dict[str, Any] = {"accept": _ranges(found, "ok")}
    outcomes = Counter(outcome for outcome, _ in found.values() if outcome != "ok")
    if not outcomes and len(found) > 1:
        del judgement["accept"]
    usual = outcomes.most_common(1)[0][0] if outcomes else "EINVAL"
    if usual != "EINVAL":
        judgement["else"] = usual
    rest = [name for name in outcomes if name != usual]
    if rest:
        judgement["refuse"] = {name: _ranges(found, name) for name in rest}
    return {**judgement, **_showing(found)}


def _ranges(found: Mapping[int, tuple[str, str]], wanted: str) -> list[list[int]]:
    """Return the runs of numbers with one outcome, as far as the tries tell."""
    ranges: list[list[int]] = []
    running = False
    for value in sorted(found):
        if found[value][0] != wanted:
            running = False
        elif running:
            ranges[-1][1] = value
        else:
            ranges.append([value, value])
            running = True
    return ranges


def _showing(found: Mapping[int, tuple[str, str]]) -> dict[str, Any]:
    shown = {value: after for value, (outcome, after) in found.items() if outcome == "ok"}
    for form in ("{}\n", "0x{:06x}\n"):
        others = {str(value): text for value, text in shown.items() if form.format(value) != text}
        if len(others) <= len(shown) // 2 or (form == "{}\n" and len(shown) <= 4):
            more = {"format": form} if form != "{}\n" else {}
            return {**more, **({"show": others} if others else {})}
    return {}


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
    """Return the tries without those that only sought a bound, long texts written short."""
    runs = re.compile(r"x{30,}")
    rows = [row for row in rows if not row[0].isdigit() or len(row[0]) < 6 or row[0] in VALUES]
    return [[runs.sub(lambda run: f"<{len(run[0])} x>", text) for text in row] for row in rows]


def steady(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tries that two boots agree on; complain of others."""
    for name, tried in one.items():
        for inner, rows in tried.items():
            if other.get(name, {}).get(inner) != rows:
                print(f"boots differ on the tries of {name} {inner}", file=sys.stderr)
    return dict(one)


def main(paths: Iterable[str]) -> None:
    """Merge the boots and write both files."""
    boots = [json.loads(Path(path).read_text()) for path in paths]
    tries = steady(boots[0]["tries"], boots[-1]["tries"])
    groups, unexplained = {}, {}
    for kind in boots[0]["kinds"]:
        groups[kind] = merge_kind([one for boot in boots for one in boot["kinds"][kind]])
        left = add_rules(kind, groups[kind], tries)
        unexplained.update({kind: left} if left else {})
    recorded = {"kernel": boots[0]["kernel"], "groups": groups}
    RECORDED.write_text(compact(recorded) + "\n")
    TRIES.write_text(compact(shared(unexplained)) + "\n")
    for kind, left in unexplained.items():
        print(f"left to code: {kind}: {', '.join(left)}")


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


if __name__ == "__main__":
    main(sys.argv[1:])
