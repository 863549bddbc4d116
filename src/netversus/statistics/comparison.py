"""The door to the statistics: one question, two contenders, one verdict.

The question's scale chooses the method; `netversus.statistics.equivalence` tells how an interval becomes a
verdict. Two guards stand before `A better` and `B better`: the test that goes with the interval must reject
at the same level (an interval alone is too sure of itself with few units), and so few units that no test
could reject decide nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import exp, inf, log1p, sqrt

import numpy as np
from numpy.typing import NDArray

from netversus.errors import PairingError, StatisticsError
from netversus.messages import noted, template
from netversus.records import Direction, Effect, Question, Scale, Verdict
from netversus.statistics.bootstrap import bootstrap, bootstrap_p, draws_for, percentile_interval, two_way_bootstrap
from netversus.statistics.constant import (
    Bounds,
    alike_for_share,
    apart,
    bounds_of,
    constant_aggregate,
    constant_mean,
    is_zero,
    of_differences,
    same,
    unseen_share,
    within,
)
from netversus.statistics.distributions import student
from netversus.statistics.equivalence import decide
from netversus.statistics.estimators import WITHOUT_INTERVAL, Estimator, difference_of, estimator
from netversus.statistics.means import mean_test
from netversus.statistics.pairing import Paired, Sample, fraction, pair
from netversus.statistics.permutation import FEW, SignFlip, exchange_test, sign_flip, smallest_p, units_needed
from netversus.statistics.power import further_seeds, further_units
from netversus.statistics.proportions import alike_for_tango, mcnemar_mid_p, tabulate, tango
from netversus.statistics.ratios import (
    blocks_of,
    hodges_lehmann,
    log_ratios,
    order_effects,
    percentile,
    signed_rank_p,
)

Array = NDArray[np.float64]

LEAST_SEEDS = 3
_CORRELATED = 0.2  # lag-1 autocorrelation of timing blocks that is worth a word

TOO_FEW = template("none: too few units")
NO_SPREAD = template("none: every value is the same")
ONLY_DESCRIBED = template("none: its bias depends on the number of units, so that no interval holds the truth")


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two contenders' observations say on one question.

    `value_a` and `value_b` are their levels: means; medians for a ratio; the estimator's value where one is named.
    `effect` is None where no interval can be stated (a fact, too few units). `p_value` is
    two-sided, uncorrected; None for a fact. `further_units` goes with `undecided`: about how many more units
    (seeds, when compared across seeds) decide with 80 % probability if the truth is as estimated; None where
    no number would. `discordant` counts, for a proportion, the units that only B and that only A got right.
    `e_value` stands in the place of `p_value` where the reading could stop early.
    """

    n: int
    value_a: float
    value_b: float
    effect: Effect | None
    p_value: float | None
    verdict: Verdict
    further_units: int | None
    method: str
    discordant: tuple[int, int] | None = None
    caveats: tuple[str, ...] = ()
    e_value: float | None = None


@dataclass(frozen=True, slots=True)
class _Measured:
    """A comparison before its verdict. `effect` is on the scale of differences: logarithms for a ratio. `alike`: no
    unit differed, so that the interval is about units unseen alone."""

    n: int
    value_a: float
    value_b: float
    effect: Effect | None
    p_value: float
    method: str
    discordant: tuple[int, int] | None = None
    caveats: tuple[str, ...] = ()
    alike: bool = False


@dataclass(frozen=True, slots=True)
class _Spread:
    """Standard error over seeds and units, and the seeds' part of its square; degrees of freedom of both."""

    error: float
    over_seeds: float
    freedom: float
    seeds_freedom: float


def compare(
    question: Question,
    a: Mapping[str, Sample],
    b: Mapping[str, Sample],
    *,
    level: float,
    margin: float,
    seed: int,
) -> Comparison:
    """Compare contenders A and B on one question.

    Args:
        question: its scale chooses the method, its direction the better side.
        a: A's observations by metric; only `question.metric` is read, or `question.inputs` where an estimator is
            named: for an aggregate, or for a ratio's percentile of single repetitions.
        b: B's observations.
        level: confidence level of the interval; 1 - level is the error rate of the verdict.
        margin: practical margin, as `Question.margin` explains it; named before the data were seen.
        seed: of the bootstrap, where there is one. The order of the units does not matter.

    Raises:
        PairingError: a metric is missing, or the contenders were not measured on the same units.
        StatisticsError: values that do not fit the scale, an unknown estimator, a level or margin out of
        range.
    """
    fraction(level, "the level")
    if not margin >= 0:
        raise StatisticsError(f"a margin must not be negative, got {margin}")
    if question.scale is Scale.AGGREGATE or (question.scale is Scale.RATIO and question.estimator):
        return _judged(question, _aggregate(question, a, b, level, seed), level, margin)
    paired = pair(_sample(a, question.metric, "A"), _sample(b, question.metric, "B"))
    if question.scale is Scale.FACT:
        return _fact(question, paired, margin)
    if question.scale is Scale.PROPORTION:
        measured = _proportion(paired, level)
    elif question.scale is Scale.RATIO:
        measured = _ratio(paired, level)
    else:
        measured = _mean(paired.by_unit(), of_differences(bounds_of(question)), level, seed)
    return _judged(question, measured, level, margin)


def compare_across_seeds(
    question: Question,
    a: Mapping[int, Sample],
    b: Mapping[int, Sample],
    *,
    level: float,
    margin: float,
    seed: int,
) -> Comparison:
    """Compare two recipes, each trained from several seeds: the claim reaches beyond the checkpoints at hand.

    The variance comes from a bootstrap over seeds and units at once, the interval from Student's t with
    Satterthwaite's degrees of freedom; Welch's test on the seeds' means is the cross-check. The seeds of A
    and of B need not be the same, the units must be. `further_units` counts seeds of each contender.

    Raises:
        PairingError: the seeds were not measured on the same units.
        StatisticsError: fewer than 3 seeds of a contender, or a question that is not of means or proportions.
    """
    if question.scale not in (Scale.PROPORTION, Scale.MEAN):
        raise StatisticsError(f"recipes are compared on means and proportions, {question.metric} is {question.scale}")
    if min(len(a), len(b)) < LEAST_SEEDS:
        raise StatisticsError(
            f"a claim about recipes needs at least {LEAST_SEEDS} seeds of each, got {len(a)} and {len(b)}",
            hint="train more seeds, or compare the checkpoints",
        )
    fraction(level, "the level")
    values_a, values_b = _by_seed(a, b)
    spread = _spread(values_a, values_b, draws_for(level), seed)
    bounds = of_differences(bounds_of(question))
    judged = _judged(question, _recipes(values_a, values_b, spread, bounds, level), level, margin)
    if judged.verdict is not Verdict.UNDECIDED:
        return judged
    difference = judged.value_b - judged.value_a
    seeds = min(len(a), len(b))
    further = further_seeds(seeds, difference, spread.error, spread.over_seeds, margin, level=level)
    return replace(judged, further_units=further)


def _judged(question: Question, measured: _Measured, level: float, margin: float) -> Comparison:
    """The verdict, and what it would still take to reach one."""
    ratio = question.scale is Scale.RATIO
    reach = log1p(margin) if ratio else margin
    least = units_needed(1 - level)
    effect = measured.effect
    further = None
    if question.direction is Direction.NEITHER:
        verdict = Verdict.DESCRIBED
    elif effect is None:
        verdict, further = Verdict.UNDECIDED, least - measured.n if measured.n < least else None
    else:
        verdict = decide(effect.low, effect.high, reach, question.direction)
        unproven = verdict is not Verdict.EQUIVALENT and measured.p_value > 1 - level
        if unproven or measured.n < least:
            verdict = Verdict.UNDECIDED
        if verdict is Verdict.UNDECIDED:
            further = _further(question, measured, effect, reach, level)
            further = further and max(further, least - measured.n)
    return Comparison(
        n=measured.n,
        value_a=measured.value_a,
        value_b=measured.value_b,
        effect=_exponential(effect) if ratio and effect else effect,
        p_value=measured.p_value,
        verdict=verdict,
        further_units=further,
        method=measured.method,
        discordant=measured.discordant,
        caveats=measured.caveats,
    )


def _further(question: Question, measured: _Measured, effect: Effect, margin: float, level: float) -> int | None:
    """About how many more units decide; where no unit differed, how many more such units do."""
    half = (effect.high - effect.low) / 2
    if not measured.alike or margin <= 0:
        return further_units(measured.n, effect.estimate, half, margin, level=level)
    if question.scale is Scale.PROPORTION:
        return alike_for_tango(margin, level) - measured.n
    return alike_for_share(unseen_share(measured.n, level) * margin / half, level) - measured.n


def _fact(question: Question, paired: Paired, margin: float) -> Comparison:
    value_a, value_b = float(paired.a.mean()), float(paired.b.mean())
    difference = value_b - value_a
    verdict = decide(difference, difference, margin, question.direction)
    return Comparison(len(paired), value_a, value_b, None, None, verdict, None, noted("compared directly"))


def _proportion(paired: Paired, level: float) -> _Measured:
    table = tabulate(paired.a, paired.b)
    return _Measured(
        n=table.n,
        value_a=(table.both + table.only_a) / table.n,
        value_b=(table.both + table.only_b) / table.n,
        effect=tango(table.only_b, table.only_a, table.n, level),
        p_value=mcnemar_mid_p(table.only_b, table.only_a),
        method=noted("McNemar mid-p, Tango score interval"),
        discordant=(table.only_b, table.only_a),
        alike=table.only_b == table.only_a == 0,
    )


def _mean(paired: Paired, bounds: Bounds | None, level: float, seed: int) -> _Measured:
    """`bounds` are those of a difference."""
    differences = paired.differences
    measured = _Measured(len(paired), float(paired.a.mean()), float(paired.b.mean()), None, 1.0, noted("paired t"))
    if len(paired) < 2:
        return replace(measured, method=noted("none: one unit has no spread"))
    largest = float(max(np.abs(paired.a).max(), np.abs(paired.b).max()))
    if same(differences, largest):
        difference = 0.0 if is_zero(float(differences[0]), largest) else float(differences[0])
        return _constant(measured, difference, bounds or _seen_bounds(difference, paired.a, paired.b), level)
    found = mean_test(differences, level, bounds=bounds, seed=seed)
    measured = replace(measured, effect=found.effect, p_value=found.p_value, method=found.method)
    differing = apart(differences, largest)
    return measured if len(differing) >= FEW else _of_few(measured, differing, level, seed)


def _of_few(measured: _Measured, differing: Array, level: float, seed: int) -> _Measured:
    """Where few units differ, few decide, however many there are: they are put to a sign-flip test."""
    flips = sign_flip(differing, seed=seed)
    if measured.n < FEW:
        method = noted("paired t interval, {test}", test=_flips(flips))
        return replace(measured, p_value=flips.p_value, method=method, caveats=_few(flips, level))
    method = noted("{method}, {test}", method=measured.method, test=_flips(flips))
    said = template("the two differ on so few units ({n}) that neither could be called better")
    caveats = (noted(said, n=len(differing)),) if flips.smallest > 1 - level else ()
    return replace(measured, p_value=flips.p_value, method=method, caveats=caveats)


def _ratio(paired: Paired, level: float) -> _Measured:
    logs = log_ratios(paired.a, paired.b)
    caveats = []
    if len(paired) >= 3:
        order = order_effects(logs)
        if order.autocorrelation > max(_CORRELATED, 2 / sqrt(len(paired))):
            caveats.append(
                noted(
                    "neighbouring blocks resemble each other (autocorrelation {n}): the interval is too narrow",
                    n=f"{order.autocorrelation:.2f}",
                )
            )
        if order.trend_p < 1 - level:
            caveats.append(noted("the ratio drifts with time (rank correlation {n})", n=f"{order.trend:+.2f}"))
    return _Measured(
        n=len(paired),
        value_a=float(np.median(paired.a)),
        value_b=float(np.median(paired.b)),
        effect=hodges_lehmann(logs, level),
        p_value=signed_rank_p(logs),
        method=noted("Hodges-Lehmann of log-ratios, Wilcoxon signed-rank interval"),
        caveats=tuple(caveats),
    )


def _aggregate(
    question: Question, a: Mapping[str, Sample], b: Mapping[str, Sample], level: float, seed: int
) -> _Measured:
    function = _on_the_scale_of_differences(question)
    inputs_a, inputs_b, units = _inputs(question, a, b)
    clusters = blocks_of(units) if question.scale is Scale.RATIO else None
    n = len(units) if clusters is None else int(clusters.max()) + 1
    once = np.ones((1, len(units)))
    value_a, value_b = float(function(inputs_a, once)[0]), float(function(inputs_b, once)[0])
    levels = (exp(value_a), exp(value_b)) if question.scale is Scale.RATIO else (value_a, value_b)
    measured = _Measured(n, *levels, None, 1.0, TOO_FEW)
    if question.estimator in WITHOUT_INTERVAL:
        return replace(measured, method=ONLY_DESCRIBED)
    if n < units_needed(1 - level):
        return measured
    draws = bootstrap(
        difference_of(function, inputs_a, inputs_b),
        len(units),
        draws=draws_for(level),
        seed=seed,
        clusters=clusters,
    )
    if same(draws, max(1.0, abs(value_a), abs(value_b))):
        return _constant_aggregate(question, measured, inputs_a, value_b - value_a, level)
    effect = percentile_interval(value_b - value_a, draws, n, level)
    if n < len(units):
        method = noted("paired Bayesian bootstrap over blocks, {n} draws", n=len(draws))
    else:
        method = noted("paired Bayesian bootstrap, {n} draws", n=len(draws))
    if n >= FEW:
        return replace(measured, effect=effect, p_value=bootstrap_p(draws), method=method)
    flips = _exchanged(function, inputs_a, inputs_b, np.arange(n) if clusters is None else clusters, seed)
    method = noted("{method}, {test}", method=method, test=_flips(flips))
    return replace(measured, effect=effect, p_value=flips.p_value, method=method, caveats=_few(flips, level))


def _on_the_scale_of_differences(question: Question) -> Estimator:
    """A question's estimator; of a ratio its logarithm."""
    if question.scale is not Scale.RATIO:
        return estimator(question.estimator)
    function = percentile(question.estimator)
    return lambda inputs, weights: np.asarray(np.log(function(inputs, weights)))


def _constant(measured: _Measured, difference: float, bounds: Bounds | None, level: float) -> _Measured:
    """Every unit says the same: the interval covers what units not yet seen could still do."""
    if bounds is None:
        return replace(measured, method=NO_SPREAD)
    effect = constant_mean(difference, measured.n, level, bounds)
    # All differences equal and not zero: a sign-flip test rejects as surely as it can.
    p = smallest_p(measured.n) if difference else 1.0
    method = noted("all differences equal, rule-of-three interval")
    return replace(measured, effect=effect, p_value=p, method=method, alike=not difference)


def _seen_bounds(difference: float, a: Array, b: Array) -> Bounds | None:
    """What a unit's difference may be where nothing bounds it: as far off as the values seen lie apart, and on the
    other side of zero. None where they do not lie apart."""
    scale = float(np.ptp(np.concatenate([a, b])))
    reach = scale + abs(difference)
    return (difference - reach, difference + reach) if scale else None


def _constant_aggregate(
    question: Question, measured: _Measured, inputs: dict[str, Array], difference: float, level: float
) -> _Measured:
    """The same where all weights on the units give one difference."""
    found = None if question.scale is Scale.RATIO else constant_aggregate(question, inputs, difference, level)
    if found is None:
        return replace(measured, method=NO_SPREAD)
    p = 1.0 if is_zero(difference, 1.0) else smallest_p(measured.n)
    effect = within(found, of_differences(bounds_of(question)))
    method = noted("all differences equal, rule-of-three interval")
    return replace(measured, effect=effect, p_value=p, method=method, alike=p == 1.0)


def _exchanged(
    function: Estimator,
    inputs_a: Mapping[str, Array],
    inputs_b: Mapping[str, Array],
    clusters: NDArray[np.intp],
    seed: int,
) -> SignFlip:
    """The exchange test of an aggregate: both contenders' units side by side, weights of 0 and 1 choose. The units of
    a cluster are exchanged together."""
    joined = {name: np.concatenate([inputs_a[name], inputs_b[name]]) for name in inputs_a}

    def statistic(exchanged: Array) -> Array:
        swapped = exchanged[:, clusters]
        kept = 1 - swapped
        as_a, as_b = np.hstack([kept, swapped]), np.hstack([swapped, kept])
        return np.asarray(function(joined, as_b) - function(joined, as_a))

    return exchange_test(statistic, int(clusters.max()) + 1, seed=seed)


def _inputs(
    question: Question, a: Mapping[str, Sample], b: Mapping[str, Sample]
) -> tuple[dict[str, Array], dict[str, Array], tuple[str, ...]]:
    """The estimator's inputs of A and of B, all in the order of the unit ids, and these."""
    if not question.inputs:
        raise StatisticsError(f"the {question.scale} {question.metric} names no inputs")
    paired = {m: pair(_sample(a, m, "A"), _sample(b, m, "B")).by_unit() for m in question.inputs}
    first = paired[question.inputs[0]]
    for metric, one in paired.items():
        if one.units != first.units:
            raise PairingError(
                f"{metric} and {question.inputs[0]} were not measured on the same units: "
                f"{len(one)} and {len(first)} units"
            )
    return {m: p.a for m, p in paired.items()}, {m: p.b for m, p in paired.items()}, first.units


def _spread(values_a: Array, values_b: Array, draws: int, seed: int) -> _Spread:
    """Of the difference between shapes (seeds of A, n) and (seeds of B, n), by a bootstrap over both."""
    error = float(two_way_bootstrap(values_a, values_b, draws=draws, seed=seed).std(ddof=1))
    parts = [float(v.mean(axis=1).var(ddof=1)) / len(v) for v in (values_a, values_b)]
    over_units = max(0.0, error**2 - sum(parts))
    of_seeds = sum(p**2 / (len(v) - 1) for p, v in zip(parts, (values_a, values_b), strict=True))
    of_units = over_units**2 / max(1, values_a.shape[1] - 1)
    return _Spread(
        error=error,
        over_seeds=sum(parts),
        freedom=error**4 / (of_seeds + of_units) if of_seeds + of_units else inf,
        seeds_freedom=sum(parts) ** 2 / of_seeds if of_seeds else inf,
    )


def _recipes(values_a: Array, values_b: Array, spread: _Spread, bounds: Bounds | None, level: float) -> _Measured:
    """`bounds` are those of a difference."""
    means_a, means_b = values_a.mean(axis=1), values_b.mean(axis=1)
    n = values_a.shape[1]
    method = noted(
        "two-way bootstrap over {a} and {b} seeds and {n} units, t interval", a=len(means_a), b=len(means_b), n=n
    )
    measured = _Measured(n, float(means_a.mean()), float(means_b.mean()), None, 1.0, method)
    difference = measured.value_b - measured.value_a
    size = float(max(np.abs(values_a).max(), np.abs(values_b).max()))
    if is_zero(spread.error, size):
        difference = 0.0 if is_zero(difference, size) else difference
        return _constant(measured, difference, bounds or _seen_bounds(difference, values_a, values_b), level)
    half = float(student.isf((1 - level) / 2, spread.freedom)) * spread.error
    p = float(2 * student.sf(abs(difference) / spread.error, spread.freedom))
    effect = Effect(difference, difference - half, difference + half, level)
    return replace(measured, effect=effect, p_value=p, caveats=_welch_caveat(difference, spread, p, level))


def _welch_caveat(difference: float, spread: _Spread, p: float, level: float) -> tuple[str, ...]:
    """A word where Welch's t test on the seeds' means, which takes the units as given, comes to another end."""
    if spread.over_seeds == 0:
        return ()
    welch = float(2 * student.sf(abs(difference) / sqrt(spread.over_seeds), spread.seeds_freedom))
    if (welch <= 1 - level) == (p <= 1 - level):
        return ()
    said = template("Welch's test on the seeds' means alone says otherwise (p = {welch}, here p = {p})")
    return (noted(said, welch=f"{welch:.2g}", p=f"{p:.2g}"),)


def _by_seed(a: Mapping[int, Sample], b: Mapping[int, Sample]) -> tuple[Array, Array]:
    """Both contenders' values, shapes (seeds, n), seeds in order, units ordered by their ids."""
    first = next(iter(a.values()))
    pairs_a = [pair(first, a[s]).by_unit() for s in sorted(a)]
    pairs_b = [pair(first, b[s]).by_unit() for s in sorted(b)]
    return np.array([p.b for p in pairs_a]), np.array([p.b for p in pairs_b])


def _sample(samples: Mapping[str, Sample], metric: str, who: str) -> Sample:
    if metric not in samples:
        raise PairingError(f"{who} was not measured on {metric}, only on {', '.join(samples) or 'nothing'}")
    return samples[metric]


def _exponential(effect: Effect) -> Effect:
    low, centre, high = np.exp([effect.low, effect.estimate, effect.high])
    return Effect(float(centre), float(low), float(high), effect.level)


def _flips(flips: SignFlip) -> str:
    return noted("exact sign-flip test") if flips.exact else noted("sign-flip test")


def _few(flips: SignFlip, level: float) -> tuple[str, ...]:
    if flips.smallest <= (1 - level) / 5:
        return ()
    return (noted("so few units cannot give a two-sided p below {n}", n=f"{flips.smallest:.3g}"),)
