"""Every sentence that the sources say, read from the sources; run as a program it lists what a catalogue lacks.

PYTHONPATH=tests python -m messages.collected            the missing keys, as lines to fill in
"""

from __future__ import annotations

import ast
import json
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, nodes

import netversus
from netversus.browse import live, shelf
from netversus.cli.study_options import described
from netversus.decide import gate, security
from netversus.lab.data import list_data
from netversus.lab.engines import find_engines
from netversus.lab.inspect.looked import Check
from netversus.messages import catalogue
from netversus.quantities import plural
from netversus.records import Direction, Verdict
from netversus.studies import find_studies
from netversus.study import Need

SOURCES = Path(netversus.__file__).parent
MARKS = ("say", "noted", "template")
SAME_EVERYWHERE = {"", "%", "s", "bytes", "parameters", "MACs", "px"}
"""Units that are shortened, or are no words."""
COSTS = {"s", "bytes", "parameters", "J"}
KINDS_OF_UNITS = (
    *("image", "class", "seed", "training seed", "timing block", "sequence"),
    *("tensor", "element", "byte"),
)
"""What the sources count beside what the studies pair on."""


CLAIM_WORDS = ("reading", "not_checkable", "note", "shown_because")


@dataclass(frozen=True)
class Said:
    """One place where a sentence is said: `mark` is the function, `key` None where the first argument is no literal."""

    file: str
    line: int
    mark: str
    key: str | None
    source: str = ""

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"


@cache
def said_in_sources() -> list[Said]:
    """Every call of `say`, `noted` and `template` in the modules and in the report's templates."""
    found: list[Said] = []
    for path in sorted(SOURCES.rglob("*.py")):
        found += _in_python(path.read_text(encoding="utf-8"), path.relative_to(SOURCES).as_posix())
    for path in sorted(SOURCES.rglob("*.jinja")):
        found += _in_jinja(path.read_text(encoding="utf-8"), path.relative_to(SOURCES).as_posix())
    return found


def _in_python(text: str, file: str) -> Iterator[Said]:
    tree = ast.parse(text)
    ours = {mark for mark in MARKS if mark in _imported(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ours and node.args:
            first = node.args[0]
            key = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
            yield Said(file, node.lineno, node.func.id, key, ast.unparse(first))


def _imported(tree: ast.AST) -> set[str]:
    """What a module takes from the messages: a function of the same name may be another."""
    froms = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    return {alias.name for node in froms if str(node.module).startswith("netversus.messages") for alias in node.names}


def _in_jinja(text: str, file: str) -> Iterator[Said]:
    for call in Environment(autoescape=True).parse(text).find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == "say" and call.args:
            first = call.args[0]
            key = first.value if isinstance(first, nodes.Const) else None
            yield Said(file, call.lineno, "say", key, _written(first))


def _written(node: nodes.Expr) -> str:
    """An expression of a template as it is written, where it is a name or the field of one."""
    if isinstance(node, nodes.Name):
        return node.name
    plain = isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name)
    return f"{node.node.name}.{node.attr}" if plain else repr(node)  # type: ignore[attr-defined]


def declared() -> dict[str, str]:
    """What is said and is no literal: the studies' questions and units, verdicts, needs; key -> where it is from."""
    found: dict[str, str] = {}
    counted = dict.fromkeys(KINDS_OF_UNITS, "quantities")
    for study in find_studies().values():
        if not study.module.startswith("netversus."):
            continue
        found[study.question] = found[study.name] = study.name
        found |= {text: f"{study.name}: --{name}" for name, _, text in described(study.options) if text}
        for question in study.questions:
            where = f"{study.name}.{question.metric}"
            found[question.asks] = where
            counted[question.paired_on] = where
            if question.unit not in SAME_EVERYWHERE:
                found[f"{{number}} {question.unit}"] = where
            if question.unit in COSTS and question.direction is Direction.LOWER and question.metric != "macs":
                found[question.metric.replace("_", " ")] = where  # an axis of the trade-offs
    found |= {f"{{number}} {plural(2, name)}": where for name, where in counted.items()}
    found |= {"{number} %": "quantities", "{number} points": "quantities"}
    found |= {verdict.value: "records.Verdict" for verdict in Verdict}
    found |= {need.value: "study.Need" for need in (Need.BOXES, Need.SEQUENCES)}
    found |= {engine.summary: f"engine {engine.name}" for engine in find_engines().values()}
    found |= {kind.summary: f"data {kind.name}" for kind in list_data()}
    found |= {check.value: "lab.inspect.looked.Check" for check in Check}
    for states in (gate.State, security.Standing, security.Cause, live.State, live.Phase, shelf.Standing):
        found |= {state.value: f"{states.__module__}.{states.__name__}" for state in states if state.value}
    return found | dict(_of_claims())


def _of_claims() -> Iterator[tuple[str, str]]:
    """What the built-in claims and the published figures say in words of their own."""
    for path in sorted((SOURCES / "claims").rglob("*.toml")):
        waiting: list[object] = [tomllib.loads(path.read_text(encoding="utf-8"))]
        while waiting:
            part = waiting.pop()
            fields = part.items() if isinstance(part, dict) else ()
            yield from ((value, path.name) for name, value in fields if name in CLAIM_WORDS and isinstance(value, str))
            waiting += part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()


def wanted() -> dict[str, str]:
    """Every key that a catalogue should hold, and where it comes from."""
    keys = {said.key: said.where for said in reversed(said_in_sources()) if said.key is not None}
    return declared() | keys


def missing(language: str) -> dict[str, str]:
    """The keys that a catalogue lacks, and where they are said."""
    known = catalogue(language)
    return {key: where for key, where in wanted().items() if key not in known}


def _lines(keys: Iterable[tuple[str, str]]) -> Iterator[str]:
    before = ""
    for key, where in sorted(keys, key=lambda pair: pair[1].rpartition(":")[0]):
        file = where.rpartition(":")[0] or where
        if file != before:
            yield f"\n# {file}"
            before = file
        yield f'{json.dumps(key, ensure_ascii=False)} = ""'


if __name__ == "__main__":
    lacking = missing("zh")
    sys.stdout.write("\n".join(_lines(lacking.items())) + f"\n# {len(lacking)} are missing\n")
