"""One question about two contenders whose units were still being read: the same door as `comparison`, for studies
that stop as soon as they know.

A verdict reached early may be looked for as often as one likes. What is shown is the confidence sequence, never an
interval for a fixed sample: an estimate at the moment of stopping is exaggerated (Waudby-Smith & Ramdas, JRSS B 86,
2024). Methods by scale: proportions by the sign test and the betting sequence; bounded means by the betting sequence;
other means by the asymptotic sequence; a function of the whole set has none.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from netversus.errors import PairingError, StatisticsError
from netversus.messages import noted
from netversus.records import Direction, Effect, Question, Scale, Verdict
from netversus.statistics.comparison import Comparison
from netversus.statistics.equivalence import decide
from netversus.statistics.estimators import estimator
from netversus.statistics.pairing import Paired, Sample, pair
from netversus.statistics.power import further_units
from netversus.statistics.sequential import PRIOR, SequentialComparison, asymptotic_interval, betting_interval

Array = NDArray[np.float64]


def read_so_far(a: Sample, b: Sample) -> tuple[Sample, Sample]:
    """The units that both have read, from the first on: a contender may be a batch ahead of the other."""
    n = min(len(a.units), len(b.units))
    return tuple(Sample(tuple(s.units[:n]), np.asarray(s.values[:n])) for s in (a, b))  # type: ignore[return-value]


def replay(
    differences: Array,
    look: int,
    *,
    margin: float,
    direction: Direction,
    level: float,
    prior: float,
    population: int | None,
) -> SequentialComparison:
    """The sequential comparison after looking once in every `look` differences B - A, in the order of reading."""
    sequential = SequentialComparison(
        margin=margin, direction=direction, level=level, prior=prior, population=population
    )
    for start in range(0, len(differences), look):
        sequential.observe(differences[start : start + look])
        if sequential.decided_at is not None:
            break
    return sequential


def compare_anytime(
    question: Question,
    a: Mapping[str, Sample],
    b: Mapping[str, Sample],
    *,
    level: float,
    margin: float,
    look: int,
    prior: float = PRIOR,
    population: int | None = None,
) -> Comparison:
    """Compare contenders A and B on units that were read in the recorded shuffle, perhaps not to the end.

    Args:
        question: its scale chooses the method, its direction the better side.
        a: A's observations by metric, in the order of reading.
        b: B's observations; where one of the two read further than the other, the rest is not used.
        level: of the confidence sequence as a whole.
        margin: practical margin, named before the data were seen.
        look: units between two looks.
        prior: a of the half-Beta prior, fixed before the data were seen.
        population: size of the benchmark when the verdict is to be about exactly it; None: about images like these.

    Raises:
        PairingError: a metric is missing, or the contenders did not read the same units.
        StatisticsError: ratios and facts are not read unit by unit; values outside the question's bounds.
    """
    if question.scale is Scale.AGGREGATE:
        return _aggregate(question, a, b)
    if question.scale not in (Scale.PROPORTION, Scale.MEAN):
        raise StatisticsError(f"{question.metric} is a {question.scale}: it is not read unit by unit")
    paired = pair(*read_so_far(_sample(a, question.metric), _sample(b, question.metric)))
    if question.scale is Scale.PROPORTION:
        return _proportion(question, paired, level, margin, look, prior, population)
    return _mean(question, paired, level, margin, prior, population)


def _proportion(
    question: Question, paired: Paired, level: float, margin: float, look: int, prior: float, population: int | None
) -> Comparison:
    """The first verdict stands, on the units that led to it."""
    sequential = replay(
        paired.differences,
        look,
        margin=margin,
        direction=_direction(question),
        level=level,
        prior=prior,
        population=population,
    )
    n = sequential.n
    verdict = Verdict.DESCRIBED if question.direction is Direction.NEITHER else sequential.verdict
    gains, losses = (int((sign * paired.differences[:n] > 0).sum()) for sign in (1, -1))
    return _comparison(
        paired,
        n,
        sequential.interval(),
        margin,
        verdict,
        noted("sign-test martingale, betting confidence sequence"),
        e_value=sequential.e_value,
        discordant=(gains, losses),
    )


def _mean(
    question: Question, paired: Paired, level: float, margin: float, prior: float, population: int | None
) -> Comparison:
    effect: Effect | None
    if question.bounds is None:
        effect = asymptotic_interval(paired.differences, level=level) if len(paired) > 1 else None
        method = noted("asymptotic confidence sequence")
    else:
        width = question.bounds[1] - question.bounds[0]
        scaled = betting_interval(paired.differences / width, level=level, prior=prior, population=population)
        effect = Effect(width * scaled.estimate, width * scaled.low, width * scaled.high, level)
        method = noted("betting confidence sequence")
    verdict = Verdict.UNDECIDED
    if effect is not None:
        verdict = decide(effect.low, effect.high, margin, question.direction)
    return _comparison(paired, len(paired), effect, margin, verdict, method)


def _aggregate(question: Question, a: Mapping[str, Sample], b: Mapping[str, Sample]) -> Comparison:
    """A function of the whole set: its value, and no verdict."""
    function = estimator(question.estimator)
    sides: tuple[dict[str, Array], dict[str, Array]] = ({}, {})
    n = 0
    for metric in question.inputs:
        paired = pair(*read_so_far(_sample(a, metric), _sample(b, metric)))
        sides[0][metric], sides[1][metric], n = paired.a, paired.b, len(paired)
    value_a, value_b = (float(function(side, np.ones((1, n)))[0]) for side in sides)
    return Comparison(
        n=n,
        value_a=value_a,
        value_b=value_b,
        effect=None,
        p_value=None,
        verdict=Verdict.UNDECIDED if question.direction is not Direction.NEITHER else Verdict.DESCRIBED,
        further_units=None,
        method=noted("none: no interval for it holds when the reading may stop early"),
    )


def _comparison(
    paired: Paired,
    n: int,
    effect: Effect | None,
    margin: float,
    verdict: Verdict,
    method: str,
    e_value: float | None = None,
    discordant: tuple[int, int] | None = None,
) -> Comparison:
    further = None
    if verdict is Verdict.UNDECIDED and effect is not None:
        half = (effect.high - effect.low) / 2
        further = further_units(n, effect.estimate, half, margin, level=effect.level)
    return Comparison(
        n=n,
        value_a=float(paired.a[:n].mean()),
        value_b=float(paired.b[:n].mean()),
        effect=effect,
        p_value=None,
        verdict=verdict,
        further_units=further,
        method=method,
        discordant=discordant,
        e_value=e_value,
    )


def _direction(question: Question) -> Direction:
    return Direction.HIGHER if question.direction is Direction.NEITHER else question.direction


def _sample(samples: Mapping[str, Sample], metric: str) -> Sample:
    if metric not in samples:
        raise PairingError(f"the observations of {metric} are missing")
    return samples[metric]
