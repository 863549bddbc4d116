"""One contender's own level on one question, with its interval: "accuracy.top1 is 0.832, between 0.805 and 0.857".

`netversus.statistics.comparison` compares two contenders; a limit ("at most 20 ms") speaks of one. The method follows
the question's scale, as it does there: proportions by Clopper and Pearson's exact interval; means by Student's t or,
where they are too skewed for it, the Bayesian bootstrap; the median of timing blocks by the order statistics that a
sign test does not reject; percentiles and functions of the whole set by the Bayesian bootstrap. What has bounds gets no
interval beyond them, and what is the same on every unit the interval of `netversus.statistics.constant`. Over three
training seeds or more the spread is that of seeds and units together. Units that were read until the verdict was
certain get the interval of a confidence sequence. A fact is its own interval.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log, sqrt

import numpy as np
from numpy.typing import NDArray

from netversus.messages import noted
from netversus.records import Effect, Question, Scale
from netversus.statistics.bootstrap import bootstrap, draws_for, percentile_interval
from netversus.statistics.comparison import LEAST_SEEDS, NO_SPREAD, ONLY_DESCRIBED, TOO_FEW, compare_across_seeds
from netversus.statistics.constant import bounds_of, constant_aggregate, constant_mean, same, within
from netversus.statistics.distributions import binom, student
from netversus.statistics.estimators import WITHOUT_INTERVAL, estimator, of_one
from netversus.statistics.means import mean_test
from netversus.statistics.pairing import Sample, pair
from netversus.statistics.permutation import units_needed
from netversus.statistics.proportions import clopper_pearson
from netversus.statistics.ratios import blocks_of, percentile
from netversus.statistics.sequential import asymptotic_interval, betting_interval

Array = NDArray[np.float64]

_WORK = 10_000_000  # weights that a bootstrap may draw: 0.1 s or so
_FEWEST_DRAWS = 200  # the spread of so many draws is known to 5 %


@dataclass(frozen=True, slots=True)
class OwnLevel:
    """A level in the metric's own unit. `effect` is None where no interval can be stated, and `method` says why; `n` is
    the number of units."""

    value: float
    effect: Effect | None
    n: int
    method: str


@dataclass(frozen=True, slots=True)
class Early:
    """The reading could stop as soon as a verdict was certain: the prior that was fixed before, and the size of the
    benchmark where the level is about exactly it."""

    prior: float
    population: int | None


def own_level(
    question: Question,
    samples: Mapping[int, Mapping[str, Sample]],
    *,
    level: float,
    seed: int,
    early: Early | None = None,
) -> OwnLevel:
    """The level by the method that fits.

    Args:
        question: its scale chooses the method.
        samples: one contender's observations by training seed and metric, at least one seed. What is no mean over units
            is that of the first seed.
        level: confidence level of the interval.
        seed: of the bootstrap, where there is one. The order of the units does not matter.
        early: how the units were read, where the reading could stop.

    Raises:
        PairingError: seeds, or what a function of the whole set takes, were not measured on the same units.
        StatisticsError: values that do not fit the scale, an unknown estimator, a level out of range.
    """
    first = samples[min(samples)]
    if question.scale is Scale.AGGREGATE or (question.scale is Scale.RATIO and question.estimator):
        return _estimated(question, first, level, seed, early)
    values = first[question.metric].values
    if question.scale is Scale.FACT:
        value = float(values.mean())
        return OwnLevel(value, Effect(value, value, value, level), 1, "counted")
    if question.scale is Scale.RATIO:
        found = median_interval(values, level)
        return OwnLevel(float(np.median(values)), found, len(values), "order statistics" if found else TOO_FEW)
    if early is not None:
        return _read_early(question, values, level, early)
    return _averaged(question, {s: parts[question.metric] for s, parts in samples.items()}, level, seed)


def median_interval(values: Array, level: float) -> Effect | None:
    """The median of `values` (shape (n,)) between two order statistics: the medians that a sign test does not reject
    (David & Nagaraja, Order Statistics, 7.1). None where n is too small for the level (fewer than 6 for 0.95)."""
    ordered, n = np.sort(values), len(values)
    rank = int(binom.ppf((1 - level) / 2, n, 0.5))  # the first k at which P(below <= k) reaches the tail
    if rank < 1:
        return None
    return Effect(float(np.median(ordered)), float(ordered[rank - 1]), float(ordered[n - rank]), level)


def _averaged(question: Question, by_seed: Mapping[int, Sample], level: float, seed: int) -> OwnLevel:
    """A proportion or a mean over all units, of one seed or of several."""
    lead = by_seed[min(by_seed)]
    rows = np.array([pair(lead, by_seed[s]).by_unit().b for s in sorted(by_seed)])
    if question.scale is Scale.PROPORTION and len(rows) == 1:
        effect = clopper_pearson(int(rows.sum()), rows.size, level)
        return OwnLevel(effect.estimate, effect, rows.size, "Clopper-Pearson interval")
    if len(rows) < LEAST_SEEDS or same(rows.ravel()):
        return _mean(question, rows.mean(axis=0), level, seed)
    nothing = dict.fromkeys(range(LEAST_SEEDS), Sample(lead.units, np.zeros(len(lead.units))))
    found = compare_across_seeds(question, nothing, by_seed, level=level, margin=0.0, seed=seed)
    above_nothing = found.effect and within(found.effect, bounds_of(question))
    return OwnLevel(found.value_b, above_nothing, found.n, "two-way bootstrap over seeds and units")


def _mean(question: Question, values: Array, level: float, seed: int) -> OwnLevel:
    """The mean of what is known of each unit, shape (n,)."""
    bounds, n = bounds_of(question), len(values)
    value = float(values.mean())
    if same(values):
        if bounds is None:
            return OwnLevel(value, None, n, NO_SPREAD if n > 1 else TOO_FEW)
        return OwnLevel(value, constant_mean(value, n, level, bounds), n, "exact, every unit alike")
    if n < units_needed(1 - level):
        return OwnLevel(value, None, n, TOO_FEW)
    found = mean_test(values, level, bounds=bounds, seed=seed)
    method = found.method.partition(",")[0].removeprefix("paired ")
    return OwnLevel(value, within(found.effect, bounds), n, method)


def _read_early(question: Question, values: Array, level: float, early: Early) -> OwnLevel:
    """The reading stopped when a verdict was certain: only a confidence sequence holds at such a moment."""
    bounds = bounds_of(question)
    mean, n = float(values.mean()), len(values)
    if bounds is None:
        effect = asymptotic_interval(values, level=level) if n > 1 else None
        return OwnLevel(mean, effect, n, "asymptotic confidence sequence" if effect else TOO_FEW)
    width = bounds[1] - bounds[0]
    scaled = betting_interval((values - bounds[0]) / width, level=level, prior=early.prior, population=early.population)
    low, high = (bounds[0] + width * min(max(end, 0.0), 1.0) for end in (scaled.low, scaled.high))
    return OwnLevel(mean, Effect(mean, low, high, level), n, "betting confidence sequence")


def _estimated(
    question: Question, samples: Mapping[str, Sample], level: float, seed: int, early: Early | None
) -> OwnLevel:
    """A function of the whole set of units; a percentile of single calls, whose timing blocks stay whole."""
    ratio = question.scale is Scale.RATIO
    function = percentile(question.estimator) if ratio else estimator(question.estimator)
    lead = samples[question.inputs[0]]
    inputs = {metric: pair(lead, samples[metric]).by_unit().b for metric in question.inputs}
    clusters = blocks_of(sorted(lead.units)) if ratio else None
    n = len(lead.units) if clusters is None else int(clusters.max()) + 1
    value = float(function(inputs, np.ones((1, len(lead.units))))[0])
    if question.estimator in WITHOUT_INTERVAL:
        return OwnLevel(value, None, n, ONLY_DESCRIBED)
    if early is not None:
        return OwnLevel(value, None, n, noted("none: no interval for it holds when the reading may stop early"))
    if n < units_needed(1 - level):
        return OwnLevel(value, None, n, TOO_FEW)
    draws = min(draws_for(level), max(_FEWEST_DRAWS, _WORK // n))
    seen = bootstrap(of_one(function, inputs), len(lead.units), draws=draws, seed=seed, clusters=clusters)
    if same(seen, max(1.0, abs(value))):
        effect = None if ratio else constant_aggregate(question, inputs, value, level)
    else:
        effect = _bootstrapped(value, seen, n, level, ratio=ratio)
    bounded = effect and within(effect, None if ratio else bounds_of(question))
    return OwnLevel(value, bounded, n, "Bayesian bootstrap" if effect else NO_SPREAD)


def _bootstrapped(value: float, seen: Array, n: int, level: float, *, ratio: bool) -> Effect:
    """The percentile interval; where so many draws of so many units would take too long, the draws' own spread."""
    centre = value
    if ratio:
        seen, centre = np.log(seen), log(value)
    if len(seen) == draws_for(level):
        effect = percentile_interval(centre, seen, n, level)
    else:
        quantile = float(student.isf((1 - level) / 2, min(n, len(seen)) - 1))  # few draws know the spread no better
        reach = sqrt((n + 1) / (n - 1)) * quantile * float(seen.std(ddof=1))
        effect = Effect(centre, centre - reach, centre + reach, level)
    low, high = min(effect.low, centre), max(effect.high, centre)
    return Effect(value, exp(low), exp(high), level) if ratio else Effect(value, low, high, level)
