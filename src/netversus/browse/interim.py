"""What is known of a primary question while its units are still being read. It is not a verdict.

An interval for a fixed number of units that is looked at again and again leaves out the truth far more often than its
level says (Armitage, McPherson & Rowe, JRSS A 132, 1969). So a difference has an interval here only where the plan
reads its units for a confidence sequence, which holds at every look.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from netversus.errors import StatisticsError
from netversus.messages import clauses, say, template
from netversus.plan import Plan, reading_of
from netversus.quantities import amount, counted, difference, interval_text, times
from netversus.records import Effect, Question, Role, Scale
from netversus.statistics.anytime import compare_anytime
from netversus.statistics.estimators import estimator
from netversus.statistics.pairing import Paired, Sample, only, pair
from netversus.statistics.ratios import log_ratios, percentile

NO_SEQUENCE = template(
    "no interval: this plan reads all its units whatever they say, and an interval that is looked at on the way is "
    "wrong more often than it says; --stop-when-decided makes one that holds at every look"
)
NOT_THIS_ONE = template("no interval: no interval for this question holds at every look")

Stored = Mapping[tuple[str, int, str, str], Sample]
"""(study, seed, contender, metric) -> what is stored of it."""


@dataclass
class Values:
    """A growing series: each unit as it was seen first."""

    units: dict[str, float] = field(default_factory=dict)

    def add(self, sample: Sample) -> None:
        """Take in one more part."""
        for unit, value in zip(sample.units, sample.values.tolist(), strict=True):
            self.units.setdefault(unit, value)

    def sample(self) -> Sample:
        """All of it, in stored order."""
        return Sample(tuple(self.units), np.array(list(self.units.values()), dtype=np.float64))


@dataclass(frozen=True, slots=True)
class Interim:
    """B against A on a primary question, on the `n` units that both have read.

    `change` is B - A, or B / A for a RATIO; None where it cannot be told yet, and `why` says the reason. `effect` is
    the confidence sequence of a plan that may stop early, None elsewhere, and `why` says the reason, in the language in
    force.
    """

    study: str
    question: Question
    a: str
    b: str
    n: int
    value_a: float | None = None
    value_b: float | None = None
    change: float | None = None
    effect: Effect | None = None
    why: str = ""

    @property
    def name(self) -> str:
        """Question and pair."""
        question = f"{self.study}.{self.question.metric}"
        return say("{question}, {b} against {a}", question=question, a=self.a, b=self.b)

    @property
    def words(self) -> str:
        """The numbers in words, without the mark."""
        if self.change is None:
            return self.why
        unit, scale = self.question.unit, self.question.scale
        said = times(self.change) if scale is Scale.RATIO else difference(self.change, unit)
        levels = {
            "a": self.a,
            "value_a": amount(self.value_a, unit),
            "b": self.b,
            "value_b": amount(self.value_b, unit),
        }
        seen = say(
            "{change} ({a} {value_a}, {b} {value_b}) on {units}",
            change=said,
            units=counted(self.n, self.question.paired_on),
            **levels,
        )
        if self.effect is None:
            return clauses((seen, self.why))
        sequence = say(
            "{level} % confidence sequence {interval}",
            level=f"{100 * self.effect.level:.4g}",
            interval=interval_text(self.effect, scale, unit),
        )
        return clauses((seen, sequence))


def mark() -> str:
    """What stands before such numbers wherever they are shown."""
    return say("so far, not a verdict yet")


def interim(plan: Plan, stored: Stored) -> Iterator[Interim]:
    """Every pair on every primary question, in the order of the plan; the first seed that both have."""
    for study, questions in plan.questions.items():
        for question in (q for q in questions if q.role is Role.PRIMARY and q.judged):
            for a, b in plan.pairs(study):
                yield _of_pair(plan, study, question, (a.name, b.name), stored)


def _of_pair(plan: Plan, study: str, question: Question, pair_: tuple[str, str], stored: Stored) -> Interim:
    nothing = Interim(study, question, *pair_, n=0, why=say("nothing that both have read is stored yet"))
    metrics = question.inputs or (question.metric,)
    for seed in sorted({seed for name, seed, _, _ in stored if name == study}):
        sides = [{m: s for m in metrics if (s := stored.get((study, seed, who, m))) is not None} for who in pair_]
        if all(len(side) == len(metrics) for side in sides):
            try:
                return _compared(plan, nothing, sides[0], sides[1])
            except StatisticsError as error:
                return replace(nothing, why=error.message)
    return nothing


def _compared(plan: Plan, empty: Interim, a: Mapping[str, Sample], b: Mapping[str, Sample]) -> Interim:
    question, reading = empty.question, reading_of(plan, empty.study)
    if reading is not None and question.paired_on == "image" and question.scale is not Scale.AGGREGATE:
        found = compare_anytime(
            question,
            a,
            b,
            level=plan.level(question),
            margin=question.margin,
            look=reading.look,
            prior=reading.prior,
            population=reading.population,
        )
        levels = (found.value_a, found.value_b)
        return _with(empty, found.n, levels, levels[1] - levels[0], found.effect, NOT_THIS_ONE)
    pairs = {metric: both for metric in a if (both := _common(a[metric], b[metric])) is not None}
    if len(pairs) < len(a):
        return empty
    levels, change = _point(question, pairs)
    n = min(len(both) for both in pairs.values())
    return _with(empty, n, levels, change, None, NO_SEQUENCE if reading is None else NOT_THIS_ONE)


def _with(
    empty: Interim, n: int, levels: tuple[float, float], change: float, effect: Effect | None, why: str
) -> Interim:
    why = "" if effect is not None else say(why)
    return replace(empty, n=n, value_a=levels[0], value_b=levels[1], change=change, effect=effect, why=why)


def _common(a: Sample, b: Sample) -> Paired | None:
    """What both have read: one may be a flush ahead of the other."""
    units = set(a.units) & set(b.units)
    return pair(only(a, units), only(b, units)) if units else None


def _point(question: Question, pairs: Mapping[str, Paired]) -> tuple[tuple[float, float], float]:
    """A's and B's levels and B against A, as points: B - A, or for a RATIO B / A."""
    if question.estimator:
        function = (percentile if question.scale is Scale.RATIO else estimator)(question.estimator)
        sides = [{m: p.a for m, p in pairs.items()}, {m: p.b for m, p in pairs.items()}]
        a, b = (float(function(side, np.ones((1, len(next(iter(side.values()))))))[0]) for side in sides)
        return (a, b), b / a if question.scale is Scale.RATIO else b - a
    paired = pairs[question.metric]
    if question.scale is Scale.RATIO:
        change = float(np.exp(np.median(log_ratios(paired.a, paired.b))))
        return (float(np.median(paired.a)), float(np.median(paired.b))), change
    return (float(paired.a.mean()), float(paired.b.mean())), float(paired.differences.mean())
