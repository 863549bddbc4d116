"""A judged gate -> words, JSON, JUnit XML and a GitHub summary. Words are in the language in force; what machines read
(keys, states, JUnit's types, conditions) is the same in any.

JUnit has three ways to be not green: a condition that failed is a `failure`; one that is undecided or was not measured
is an `error`, because nothing says that the contender is at fault, and because a skipped test would look like a pass.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from netversus.decide.conditions import Condition, Measured
from netversus.decide.gate import Gate, Judged, State
from netversus.errors import RunFolderError
from netversus.files import write_atomic
from netversus.messages import clauses, in_a_row, say, template
from netversus.quantities import amount, difference, times
from netversus.report.escape import markdown_text, one_line

SCHEMA_VERSION = 1
_SIGNS = {State.MET: "✅", State.FAILED: "❌", State.UNDECIDED: "❔", State.MISSING: "⚠️"}
_SAID = {
    State.MET: template("Gate passed"),
    State.FAILED: template("Gate failed"),
    State.UNDECIDED: template("Gate undecided"),
    State.MISSING: template("Gate incomplete"),
}
_COUNTED = {
    State.MET: template("{conditions} met"),
    State.FAILED: template("{conditions} failed"),
    State.UNDECIDED: template("{conditions} undecided"),
    State.MISSING: template("{conditions} not measured"),
}


def sentence(gate: Gate) -> str:
    """The whole gate in one sentence."""
    counts = {state: sum(each.state is state for each in gate.judged) for state in State}
    counted = in_a_row(say(_COUNTED[state], conditions=count) for state, count in counts.items() if count)
    said, level, wider = say(_SAID[gate.state]), f"{100 * gate.level:.4g}", f"{100 * gate.failing_level:.4g}"
    if level == wider:
        return say("{gate}: {counted} (met at {level} % confidence).", gate=said, counted=counted, level=level)
    return say(
        "{gate}: {counted} (met at {level} % confidence, failed at {wider} %).",
        gate=said,
        counted=counted,
        level=level,
        wider=wider,
    )


def state_text(state: State) -> str:
    """What a condition came to, in a word."""
    return say(state.value)


def estimate_text(judged: Judged) -> str:
    """The number that the condition speaks of."""
    return "–" if judged.estimate is None else _shown(judged)(judged.estimate)


def interval(judged: Judged) -> str:
    """Its interval."""
    if judged.low is None or judged.high is None:
        return "–"
    show = _shown(judged)
    return f"[{show(judged.low)}, {show(judged.high)}]"


def _shown(judged: Judged) -> Callable[[float], str]:
    """How the condition's kind of number is written."""
    condition = judged.condition
    if not isinstance(condition, Measured):
        return str
    unit = condition.question.unit
    shows: dict[str, Callable[[float], str]] = {
        "ratio": times,
        "delta": lambda number: difference(number, unit),
        "value": lambda number: amount(number, unit),
    }
    return shows[condition.statistic]


def json_text(gate: Gate) -> str:
    """The gate as JSON; numbers are in the metrics' stored units."""
    return json.dumps(document(gate), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def document(gate: Gate) -> dict[str, Any]:
    """The gate as plain values."""
    return {
        "schema": SCHEMA_VERSION,
        "run": one_line(gate.run),
        "candidate": one_line(gate.candidate),
        "baseline": one_line(gate.baseline),
        "state": gate.state.value,
        "exit_code": gate.exit_code,
        "level": gate.level,
        "failing_level": gate.failing_level,
        "conditions": [row(each) for each in gate.judged],
    }


def row(judged: Judged) -> dict[str, Any]:
    """A judged condition as plain values."""
    return {
        "condition": judged.condition.text,
        "study": judged.condition.study,
        **_asked(judged.condition),
        "state": judged.state.value,
        "estimate": _finite(judged.estimate),
        "low": _finite(judged.low),
        "high": _finite(judged.high),
        "n": judged.n,
        "method": judged.method,
        "reason": one_line(judged.reason),
    }


def _asked(condition: Condition) -> dict[str, Any]:
    """What a condition asks."""
    if not isinstance(condition, Measured):
        return {"metric": None, "statistic": "verdict", "unit": None, "relation": "==", "threshold": condition.word}
    return {
        "metric": condition.question.metric,
        "statistic": condition.statistic,
        "unit": condition.question.unit,
        "relation": condition.relation,
        "threshold": condition.threshold,
    }


def _finite(number: float | None) -> float | None:
    return number if number is not None and isfinite(number) else None


@dataclass(frozen=True, slots=True)
class _Ending:
    """How JUnit says that a test is not green."""

    tag: str
    kind: str


_ENDINGS = {
    State.FAILED: _Ending("failure", State.FAILED.value),
    State.UNDECIDED: _Ending("error", State.UNDECIDED.value),
    State.MISSING: _Ending("error", State.MISSING.value),
}


def junit(*gates: Gate, now: datetime | None = None) -> bytes:
    """Gates as JUnit XML in UTF-8: a suite a gate, a test case a condition. `now` is when they were judged."""
    stamp = (now or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    root = ET.Element("testsuites")
    for place, gate in enumerate(gates):
        _suite(root, place, gate, stamp)
    ET.indent(root, " ")
    text: str = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()


def _suite(root: ET.Element, place: int, gate: Gate, stamp: str) -> None:
    tags = [_ENDINGS[each.state].tag for each in gate.judged if each.state in _ENDINGS]
    suite = ET.SubElement(
        root,
        "testsuite",
        {
            "name": one_line(gate.title),
            "package": "netversus.gate",
            "id": str(place),
            "timestamp": stamp,
            "hostname": "localhost",
            "tests": str(len(gate.judged)),
            "failures": str(tags.count("failure")),
            "errors": str(tags.count("error")),
            "time": f"{sum(each.seconds for each in gate.judged):.3f}",
        },
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in (("run", gate.run), ("level", f"{gate.level:g}"), ("failing_level", f"{gate.failing_level:g}")):
        ET.SubElement(properties, "property", {"name": name, "value": one_line(value)})
    for each in gate.judged:
        _test_case(suite, each)
    ET.SubElement(suite, "system-out").text = sentence(gate)
    ET.SubElement(suite, "system-err")


def _test_case(suite: ET.Element, judged: Judged) -> None:
    names = {"name": one_line(judged.condition.text), "classname": f"netversus.gate.{judged.condition.study}"}
    case = ET.SubElement(suite, "testcase", {**names, "time": f"{judged.seconds:.3f}"})
    if judged.state in _ENDINGS:
        ending = _ENDINGS[judged.state]
        said = one_line(_why(judged))
        ET.SubElement(case, ending.tag, {"message": said, "type": ending.kind}).text = said


def _why(judged: Judged) -> str:
    """What was measured, and why that is not enough."""
    seen = ""
    if judged.estimate is not None:
        seen = say("measured {estimate} {interval}", estimate=estimate_text(judged), interval=interval(judged))
    why = clauses(part for part in (seen, judged.reason) if part)
    return say("{state}: {why}", state=state_text(judged.state), why=why)


def summary(gate: Gate) -> str:
    """The gate in GitHub-flavoured Markdown."""
    lines = [
        f"### {_SIGNS[gate.state]} {markdown_text(gate.title)}",
        "",
        markdown_text(sentence(gate)),
        "",
        f"| | {say('condition')} | {say('measured')} | {say('interval')} | |",
        "| --- | --- | --- | --- | --- |",
    ]
    for each in gate.judged:
        cells = (each.condition.text, estimate_text(each), interval(each), each.reason or state_text(each.state))
        lines.append(f"| {_SIGNS[each.state]} | {' | '.join(map(markdown_text, cells))} |")
    return "\n".join([*lines, "", ""])


def write_junit(path: Path, *gates: Gate) -> None:
    """Write the JUnit XML, whole or not at all.

    Raises:
        RunFolderError: the file cannot be written.
    """
    try:
        write_atomic(path, junit(*gates))
    except OSError as error:
        raise RunFolderError(f"cannot write {path}: {error.strerror or error}", hint="name another place") from None


def append_summary(path: Path, *gates: Gate) -> None:
    """Append the Markdown: a job's steps share one file.

    Raises:
        RunFolderError: the file cannot be written.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write("".join(map(summary, gates)))
    except OSError as error:
        raise RunFolderError(f"cannot write {path}: {error.strerror or error}", hint="name another place") from None
