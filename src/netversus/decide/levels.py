"""One contender's own level on one question, with its interval: "accuracy.top1 is 0.832, between 0.805 and 0.857".

A finding compares two contenders; a limit ("at most 20 ms") speaks of one. The method follows the question's scale, as
it does for findings: proportions by Clopper and Pearson's exact interval; means by Student's t or, where they are too
skewed for it, the Bayesian bootstrap; the median of timing blocks by the order statistics that a sign test does not
reject; percentiles and functions of the whole set by the Bayesian bootstrap. A mean that has bounds gets no interval
beyond them, and where every unit lies at the same bound the exact interval. Over three training seeds or more the
spread is that of seeds and units together. Units that were read until the verdict was certain get the interval of a
confidence sequence. A fact is its own interval.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import exp, log, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom
from scipy.stats import t as student

from netversus.analyse import FEWEST_SEEDS, Samples, samples_of
from netversus.errors import PairingError
from netversus.evidence import StudyEvidence
from netversus.plan import Plan, Reading, reading_of
from netversus.records import Effect, Question, Scale
from netversus.statistics.bootstrap import bootstrap, draws_for, percentile_interval
from netversus.statistics.comparison import compare, compare_across_seeds
from netversus.statistics.estimators import Estimator, estimator
from netversus.statistics.pairing import Sample, pair
from netversus.statistics.permutation import units_needed
from netversus.statistics.proportions import above_chance
from netversus.statistics.ratios import blocks_of, percentile
from netversus.statistics.sequential import asymptotic_interval, betting_interval

Array = NDArray[np.float64]

_WORK = 10_000_000  # weights that a bootstrap may draw: 0.1 s or so
_FEWEST_DRAWS = 200  # the spread of so many draws is known to 5 %


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
    samples = samples_of(evidence, contender, question)
    if not samples:
        return None
    early = reading_of(evidence.plan, evidence.study) if question.paired_on == "image" else None
    value, effect, n, method = _measured(question, samples, level, evidence.plan.request.seed, early)
    low, high = (None, None) if effect is None else _inside(effect, question)
    return Level(evidence.study, question.metric, contender, value, low, high, level, n, method)


def _inside(effect: Effect, question: Question) -> tuple[float, float]:
    """The ends of an interval, no further than a mean can lie."""
    if question.bounds is None or question.scale is not Scale.MEAN:
        return effect.low, effect.high
    least, most = question.bounds
    return max(least, effect.low), min(most, effect.high)


_Measured = tuple[float, Effect | None, int, str]


def _measured(question: Question, samples: Samples, level: float, seed: int, early: Reading | None) -> _Measured:
    """The value, its interval, the number of units and the method, by the question's scale."""
    first = samples[min(samples)]
    if question.scale is Scale.FACT:
        return _fact(float(first[question.metric].values.mean()), level)
    if question.scale is Scale.AGGREGATE or question.estimator:
        return _estimated(question, first, level, seed, early)
    sample = first[question.metric]
    if question.scale is Scale.RATIO:
        found = median_interval(sample.values, level)
        return float(np.median(sample.values)), found, len(sample.units), "order statistics"
    if early is not None:
        return _read_early(question, sample.values, level, early)
    return _averaged(question, samples, level, seed)


def _fact(value: float, level: float) -> _Measured:
    return value, Effect(value, value, value, level), 1, "counted"


def _proportion(sample: Sample, level: float) -> _Measured:
    right, n = int(sample.values.sum()), len(sample.units)
    effect = above_chance(right, n, 0.5, level=level).proportion  # the interval does not depend on chance
    return effect.estimate, effect, n, "Clopper-Pearson interval"


def median_interval(values: Array, level: float) -> Effect | None:
    """The median of `values` (shape (n,)) between two order statistics: the medians that a sign test does not reject
    (David & Nagaraja, Order Statistics, 7.1). None where n is too small for the level (fewer than 6 for 0.95)."""
    ordered, n = np.sort(values), len(values)
    rank = int(binom.ppf((1 - level) / 2, n, 0.5))  # the first k at which P(below <= k) reaches the tail
    if rank < 1:
        return None
    return Effect(float(np.median(ordered)), float(ordered[rank - 1]), float(ordered[n - rank]), level)


def _averaged(question: Question, samples: Samples, level: float, seed: int) -> _Measured:
    """A proportion or a mean over all units, of one seed or of several."""
    sample = samples[min(samples)][question.metric]
    if (end := _one_end(question, samples)) is not None:
        return _at_the_end(question, end, len(sample.units), level)
    if len(samples) > 1:
        return _over_seeds(question, samples, level, seed)
    return _proportion(sample, level) if question.scale is Scale.PROPORTION else _mean(question, sample, level, seed)


def _one_end(question: Question, samples: Samples) -> float | None:
    """The bound at which every value of every seed lies; None where there is none."""
    if question.bounds is None or question.scale is not Scale.MEAN:
        return None
    seen = np.concatenate([parts[question.metric].values for parts in samples.values()])
    return next((end for end in question.bounds if bool((seen == end).all())), None)


def _at_the_end(question: Question, end: float, n: int, level: float) -> _Measured:
    """All n units lie at one bound. Of all distributions with the same mean the one on the two bounds alone shows that
    most often, so that Clopper and Pearson's bound for n of n, 1 - ((1 - level) / 2)^(1/n), holds for any."""
    assert question.bounds is not None
    least, most = question.bounds
    reach = (most - least) * (1 - ((1 - level) / 2) ** (1 / n))
    low, high = (end, end + reach) if end == least else (end - reach, end)
    return end, Effect(end, low, high, level), n, "exact, every unit at one bound"


def _mean(question: Question, sample: Sample, level: float, seed: int) -> _Measured:
    """A mean is what it is above nothing: the paired comparison with zeros gives its interval."""
    as_mean = replace(question, scale=Scale.MEAN)
    nothing = {question.metric: _nothing(sample)}
    found = compare(as_mean, nothing, {question.metric: sample}, level=level, margin=0.0, seed=seed)
    effect = found.effect if found.n >= units_needed(1 - level) else None
    return found.value_b, effect, found.n, found.method.partition(",")[0].removeprefix("paired ")


def _over_seeds(question: Question, samples: Samples, level: float, seed: int) -> _Measured:
    """Seeds and units together; the mean of two seeds on each unit, where there are no more."""
    by_seed = {s: parts[question.metric] for s, parts in samples.items()}
    first = by_seed[min(by_seed)]
    if len(by_seed) >= FEWEST_SEEDS:
        nothing = {s: _nothing(first) for s in range(FEWEST_SEEDS)}
        found = compare_across_seeds(question, nothing, by_seed, level=level, margin=0.0, seed=seed)
        return found.value_b, found.effect, found.n, "two-way bootstrap over seeds and units"
    rows = [pair(first, sample).b for sample in by_seed.values()]
    return _mean(question, Sample(first.units, np.mean(rows, axis=0)), level, seed)


def _nothing(sample: Sample) -> Sample:
    return Sample(sample.units, np.zeros(len(sample.units)))


def _read_early(question: Question, values: Array, level: float, early: Reading) -> _Measured:
    """The reading stopped when a verdict was certain: only a confidence sequence holds at such a moment."""
    bounds = (0.0, 1.0) if question.scale is Scale.PROPORTION else question.bounds
    mean, n = float(values.mean()), len(values)
    if bounds is None:
        effect = asymptotic_interval(values, level=level) if n > 1 else None
        return mean, effect, n, "asymptotic confidence sequence"
    width = bounds[1] - bounds[0]
    scaled = betting_interval((values - bounds[0]) / width, level=level, prior=early.prior, population=early.population)
    low, high = (bounds[0] + width * min(max(end, 0.0), 1.0) for end in (scaled.low, scaled.high))
    return mean, Effect(mean, low, high, level), n, "betting confidence sequence"


def _estimated(
    question: Question, samples: Mapping[str, Sample], level: float, seed: int, early: Reading | None
) -> _Measured:
    """A function of the whole set of units; a percentile of single calls, whose timing blocks stay whole."""
    ratio = question.scale is Scale.RATIO
    function = percentile(question.estimator) if ratio else estimator(question.estimator)
    lead = samples[question.inputs[0]]
    inputs = {metric: pair(lead, samples[metric]).by_unit().b for metric in question.inputs}
    clusters = blocks_of(sorted(lead.units)) if ratio else None
    n = len(lead.units) if clusters is None else int(clusters.max()) + 1
    value = float(function(inputs, np.ones((1, len(lead.units))))[0])
    if early is not None:
        return value, None, n, "none: no interval for it holds when the reading may stop early"
    if n < units_needed(1 - level):
        return value, None, n, "none: too few units"
    effect = _bootstrapped(function, inputs, value, clusters, n, level, seed, ratio=ratio)
    return value, effect, n, "Bayesian bootstrap"


def _bootstrapped(
    function: Estimator,
    inputs: Mapping[str, Array],
    value: float,
    clusters: NDArray[np.intp] | None,
    n: int,
    level: float,
    seed: int,
    *,
    ratio: bool,
) -> Effect:
    """The percentile interval; where so many draws of so many units would take too long, the draws' own spread."""
    wanted = draws_for(level)
    draws = min(wanted, max(_FEWEST_DRAWS, _WORK // n))
    units = len(next(iter(inputs.values())))
    seen = bootstrap(lambda w: function(inputs, w), units, draws=draws, seed=seed, clusters=clusters)
    centre = value
    if ratio:
        seen, centre = np.log(seen), log(value)
    if draws == wanted:
        effect = percentile_interval(centre, seen, n, level)
    else:
        quantile = float(student.isf((1 - level) / 2, min(n, draws) - 1))  # few draws know the spread no better
        reach = sqrt((n + 1) / (n - 1)) * quantile * float(seen.std(ddof=1))
        effect = Effect(centre, centre - reach, centre + reach, level)
    low, high = min(effect.low, centre), max(effect.high, centre)
    return Effect(value, exp(low), exp(high), level) if ratio else Effect(value, low, high, level)
