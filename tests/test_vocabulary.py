# SPDX-License-Identifier: Apache-2.0
"""The documentation, help and messages use plain English and one term per concept.

Each rule is a pattern of words that readers stumble over, and what to write instead. The rules
apply to the documentation, the manual, the tables of settings and of the saved file, to all string
literals in `pyshell/`, and to the docstrings of commands, which are their help.
"""

from __future__ import annotations

import ast
import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from driver import ROOT

RULES = {
    r"\b[Bb]r(ing|ings|inging|ought)\b(?: \S+){0,6} back\b": "restore",
    r"\b(comes?|coming|came) back\b": "is restored, returns",
    r"\b[Tt](ake|akes|aking|ook|aken)(?: \S+){0,3} back\b": "undo, roll back",
    r"\bmend(s|ed|ing)?\b": "fix",
    r"\b[Tt]ells?\b|\b[Tt]old\b|\b[Tt]elling\b": "report, show, print",
    r"\b[Ff]aults?\b|\btroubles?\b|\bwhat is wrong\b": "error, problem, finding",
    r"\bma(de|kes?|king)(?: \S+){0,4} up\b|\bdrawn (if|unless|where)\b": "generate",
    r"\b(is|are|what was|as) wanted\b": "requested, expected",
    r"\b[Ll]eft out\b|\b[Ll]eav(e|es|ing)(?: \S+){0,3} out\b": "omit",
    r"\bcut(s|ting)?\b": "terminate (a session), disconnect, truncate",
    r"\b[Ll]ets?(?: \S+){0,3} in\b": "allow to log in, grant access",
    r"\b[Ww]hoever\b|\b[Ss]omebody\b": "anyone, someone; or the passive",
    r"\b[Ww]hat runs\b|\bwhat is saved\b": "running configuration, saved configuration",
    r"\bmanners?\b": "mode",
    r"(?<![Tt]here )\b(is|are) no (?!longer\b|more\b)": "is not a valid, no such",
    r"\bcontent (if|with|where)\b": "succeed if",
    r"\babsent\b|\b(is|are) not there\b": "missing, does not exist",
    r"\b(bytes|commands|MiB|once|times) an? \w+\b": "per second, per session",
    r"\bshort forms?\b": "instructions",
    r"\b[Ww]here (it|they|none|that|this|nothing|there|no) (is|are|was|has|have|can)\b": "if, when",
    r"\banew\b": "again, recreate",
    r"\bgo(es)? on\b": "continue",
    r"\b[Bb]eside\b": "next to, with, in addition to",
    r"\bhad best\b|\b(to|can) be had\b|\bthere is to know\b": "a plain verb",
    r"\b(hold|holds|held) against\b": "compare with, check against",
    r"\ba look\b|\b[Ll]ook(s|ed|ing)? at\b": "probe, read, scan, check",
    r"\bhardly meant\b|\bfor \S+'s sake\b": "plain words",
}
ALLOWED = {
    "made anew": "the value of the field `change` in apply's JSON",
    ".fault{": "a CSS class of the drawn topology",
    "-k beside": "a test's name in CONTRIBUTING",
}
"""Texts that stay as they are, each with the reason."""


def documents() -> Iterator[Path]:
    """Yield the text files that users and contributors read."""
    yield from sorted(ROOT.glob("*.md"))
    for folder, pattern in (
        ("docs", "*.md"),
        ("pyshell/commands/topics", "*.md"),
        ("packaging/examples", "**/README.md"),
        ("packaging/man", "*.in"),
        ("packaging/systemd", "*"),
        ("packaging/debian", "*README*"),
        ("completions", "*"),
    ):
        yield from sorted((ROOT / folder).glob(pattern))


def texts(value: object) -> Iterator[str]:
    """Yield the strings of a JSON document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from texts(one)


@functools.cache
def modules() -> dict[Path, ast.Module]:
    """Return the package's modules by path."""
    paths = sorted((ROOT / "pyshell").rglob("*.py"))
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def literals(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the string literals of a module and the docstrings of commands, with their lines."""
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.Expr)]
    docstrings = {id(node.value) for node in statements}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) not in docstrings and " " in node.value:
                yield node.lineno, node.value
        elif isinstance(node, ast.FunctionDef) and is_command(node):
            yield node.lineno, ast.get_docstring(node) or ""


def is_command(node: ast.FunctionDef) -> bool:
    """Return whether a function is declared as a command."""
    return any(ast.unparse(one).startswith("command(") for one in node.decorator_list)


def complaints(text: str) -> list[str]:
    """Return what the rules say of a text."""
    plain = " ".join(text.split())
    for allowed in ALLOWED:
        plain = plain.replace(allowed, "")
    return [
        f"{match.group()!r} ({instead}): {plain[max(0, match.start() - 40) : match.end() + 40]}"
        for rule, instead in RULES.items()
        for match in re.finditer(rule, plain)
    ]


def named(path: Path) -> str:
    """Return a file's name for a test."""
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", [*documents()], ids=named)
def test_documents(path: Path) -> None:
    assert complaints(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("table", ["lio/attributes.json", "config/saveconfig.schema.json"])
def test_tables(table: str) -> None:
    document = json.loads((ROOT / "pyshell" / table).read_text(encoding="utf-8"))
    assert [complaint for text in texts(document) for complaint in complaints(text)] == []


def test_messages_and_help() -> None:
    found = [
        f"{named(path)}:{line}: {complaint}"
        for path, tree in modules().items()
        for line, text in literals(tree)
        for complaint in complaints(text)
    ]
    assert found == []


def test_summaries_of_commands_are_short_and_imperative() -> None:
    summaries = [
        (ast.get_docstring(node) or "").partition("\n\n")[0]
        for tree in modules().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and is_command(node)
    ]
    assert len(summaries) > 50
    assert [one for one in summaries if len(" ".join(one.split())) > 70] == []
    assert [one for one in summaries if not re.match(r"[A-Z][a-z]*[a-rt-z]\b", one)] == []


def test_each_exception_is_needed() -> None:
    everything = "".join(text for tree in modules().values() for _, text in literals(tree))
    everything += "".join(p.read_text(encoding="utf-8") for p in documents())
    assert [text for text in ALLOWED if text not in everything] == []


@pytest.mark.parametrize(
    "text",
    [
        "'undo' takes the last change back.",
        "Devices that are absent are waited for.",
        "foo is no command.",
        "Name of the target; made up where it is not given.",
    ],
)
def test_the_rules_find_what_they_name(text: str) -> None:
    assert complaints(text)
    assert list(literals(ast.parse(f"raise UsageError({text!r})"))) == [(1, text)]
