"""What is not the same in two runs: what was asked, what was planned, who measured, and what was found."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from netversus.messages import clauses, in_a_row, say, told
from netversus.plan import Plan, settled_options
from netversus.quantities import duration
from netversus.records import Finding
from netversus.report import ReportView
from netversus.report.scorecard import difference_text, finding_interval, level_texts, sample_text, verdict_text
from netversus.report.trust import Attribute, contender_rows, data_rows, environment_rows
from netversus.store import RunStore

ABSENT = "–"


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that both runs have or could have, and what it is in each."""

    what: str
    one: str
    two: str

    @property
    def real(self) -> bool:
        """Whether the two differ."""
        return self.one != self.two


@dataclass(frozen=True, slots=True)
class Differences:
    """What differs, under a heading; `same` counts what was compared and is the same."""

    title: str
    rows: tuple[Difference, ...]
    same: int


def differences(one: tuple[RunStore, ReportView], two: tuple[RunStore, ReportView]) -> tuple[Differences, ...]:
    """Everything in which two runs differ.

    Raises:
        RunFolderError: one of them holds no plan, or is damaged.
    """
    plans = one[0].plan(), two[0].plan()
    views = one[1], two[1]
    return (
        _differences(say("What was found"), *(_found(view) for view in views)),
        _differences(say("What was asked"), *(_asked(plan) for plan in plans)),
        _differences(say("What was planned"), *(_planned(plan) for plan in plans)),
        _differences(say("The contenders"), *(_contenders(view) for view in views)),
        _differences(say("The data"), *(dict(data_rows(view.data)) for view in views)),
        _differences(say("Who measured, with what, on what"), *(_measured(view) for view in views)),
    )


def _differences(title: str, one: Mapping[str, str], two: Mapping[str, str]) -> Differences:
    names = dict.fromkeys([*one, *two])
    rows = [Difference(name, one.get(name, ABSENT), two.get(name, ABSENT)) for name in names]
    real = tuple(row for row in rows if row.real)
    return Differences(title, real, len(rows) - len(real))


def _found(view: ReportView) -> dict[str, str]:
    """Each finding as it is said: two runs never agree in the last digit."""
    return {_question(finding): _said(finding) for finding in view.findings if not finding.slice}


def _question(finding: Finding) -> str:
    question = f"{finding.study}.{finding.metric}"
    return say("{question}: {a} against {b}", question=question, a=finding.a, b=finding.b)


def _said(finding: Finding) -> str:
    a, b = level_texts(finding)
    interval = finding_interval(finding)
    change = difference_text(finding)
    said = say(
        "{verdict}: {value_a} and {value_b}, {change}",
        verdict=verdict_text(finding),
        value_a=a,
        value_b=b,
        change=change if interval == ABSENT else f"{change} {interval}",
    )
    return clauses((said, sample_text(finding)))


def _asked(plan: Plan) -> dict[str, str]:
    return dict(_flat(plan.request.model_dump(mode="json")))


def _planned(plan: Plan) -> dict[str, str]:
    """The options that the plan settled on, the questions as they are judged, the cells and their estimate."""
    return {
        **dict(_flat(settled_options(plan))),
        **dict(_flat({study: {q.metric: _judged(asdict(q)) for q in qs} for study, qs in plan.questions.items()})),
        say("cells"): in_a_row(say("{n} of {study}", n=n, study=study) for study, n in _cells(plan)),
        say("estimate"): duration(plan.cost.seconds),
        say("cuts"): clauses(map(told, plan.cuts)) or ABSENT,
        say("device"): plan.device,
    }


def _judged(question: Mapping[str, Any]) -> dict[str, Any]:
    return {name: question[name] for name in ("margin", "role", "direction", "unit")}


def _cells(plan: Plan) -> Iterator[tuple[str, int]]:
    for study in plan.questions:
        yield study, sum(cell.study == study for cell in plan.cells)


def _contenders(view: ReportView) -> dict[str, str]:
    rows = list(contender_rows(view.contenders))
    names = [card.name for card in view.contenders]
    return {f"{name}: {row.label}": row.values[i] for i, name in enumerate(names) for row in rows}


def _measured(view: ReportView) -> dict[str, str]:
    commands = _in_turn([session.command for session in view.sessions])
    return {say("command"): commands, **_changes(list(environment_rows(view.sessions)))}


def _changes(rows: Sequence[Attribute]) -> dict[str, str]:
    return {row.label: _in_turn(row.values) for row in rows}


def _in_turn(values: Sequence[str]) -> str:
    """One session after another."""
    return say("{first}, then {second}", first="", second="").join(values)


def _flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """A nested record as dotted names and texts."""
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
