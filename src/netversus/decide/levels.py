"""One contender's own level on one question, as it is stored in a run (`netversus.statistics.levels` has the methods).

A finding compares two contenders; a limit ("at most 20 ms") speaks of one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from netversus.errors import PairingError
from netversus.evidence import StudyEvidence
from netversus.plan import Plan
from netversus.records import Question, Scale


@dataclass(frozen=True, slots=True)
class Level:
    """A contender's level on a question, in the metric's own unit. `low` and `high` are None where no interval can be
    stated; `level` is the interval's confidence level, `n` the number of units."""

    study: str
    metric: str
    contender: str
    value: float
    low: float | None
    high: float | None
    level: float
    n: int
    method: str


def simultaneous_level(plan: Plan) -> float:
    """The confidence level at which the levels of all contenders on all questions hold together (Bonferroni)."""
    asked = sum(q.scale is not Scale.FACT for questions in plan.questions.values() for q in questions)
    return 1 - (1 - plan.request.level) / max(1, asked * len(plan.contenders))


def levels_of(evidence: StudyEvidence, level: float) -> Iterator[Level]:
    """Every contender's level on every question of a study, as far as it was measured."""
    for question in evidence.plan.questions[evidence.study]:
        for card in evidence.plan.contenders:
            try:
                found = level_of(evidence, question, card.name, level)
            except PairingError:
                continue  # its findings are refused for the same reason, and say so
            if found is not None:
                yield found


def level_of(evidence: StudyEvidence, question: Question, contender: str, level: float) -> Level | None:
    """One contender's level on a question, at a confidence level; None where it was not measured.

    Raises:
        PairingError: what a function of the whole set takes was not measured on the same units.
    """
    found = evidence.own_level(contender, question, level)
    if found is None:
        return None
    low, high = (None, None) if found.effect is None else (found.effect.low, found.effect.high)
    study, metric = evidence.study, question.metric
    return Level(study, metric, contender, found.value, low, high, level, found.n, found.method)
