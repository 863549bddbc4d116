"""Ratios of positive numbers, such as the times of interleaved blocks, as differences of logarithms."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, floor, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netversus.errors import StatisticsError
from netversus.records import Effect
from netversus.statistics.distributions import norm
from netversus.statistics.estimators import Estimator
from netversus.statistics.pairing import fraction, vector

Array = NDArray[np.float64]

_EXACT = 60  # up to here the signed-rank distribution is computed, beyond it is as good as normal
_PERCENTILE = re.compile(r"percentile_(\d+(?:\.\d+)?)")
_LISTED = 4  # pair means listed for each value, once bisection has left so few


@dataclass(frozen=True, slots=True)
class OrderEffects:
    """What the order of measurement did: lag-1 autocorrelation, Spearman's correlation with time and its p."""

    autocorrelation: float
    trend: float
    trend_p: float


def log_ratios(a: ArrayLike, b: ArrayLike) -> Array:
    """log(B / A) on each unit, shape (n,).

    Raises:
        StatisticsError: the shapes differ, or a value is not positive.
    """
    values_a, values_b = vector(a, "the values of A"), vector(b, "the values of B")
    if values_a.shape != values_b.shape:
        raise StatisticsError(f"a ratio needs paired values, got {len(values_a)} and {len(values_b)}")
    bad = int(((values_a <= 0) | (values_b <= 0)).sum())
    if bad:
        raise StatisticsError(f"a ratio needs positive values, {bad} of {len(values_a)} units have others")
    return np.log(values_b) - np.log(values_a)


def hodges_lehmann(values: ArrayLike, level: float) -> Effect | None:
    """The Hodges-Lehmann centre of `values` (shape (n,)) with the interval of Wilcoxon's signed-rank test.

    The centre is the median of the n (n + 1) / 2 means of two values; the ends are their k-th smallest and k-th
    largest. The table of them is never made: each is found by counting, O(n log n) a step. None when n is too
    small for the level (fewer than 6 for 0.95).
    """
    ordered = np.sort(vector(values, "the values"))
    n = len(ordered)
    pairs = n * (n + 1) // 2
    k = _critical_rank(n, (1 - fraction(level, "the level")) / 2)
    if k < 1:
        return None
    centre = (_pair_mean(ordered, (pairs + 1) // 2) + _pair_mean(ordered, pairs // 2 + 1)) / 2
    return Effect(centre, _pair_mean(ordered, k), _pair_mean(ordered, pairs + 1 - k), level)


def ratio(a: ArrayLike, b: ArrayLike, level: float) -> Effect | None:
    """The ratio B / A: Hodges-Lehmann of the log-ratios, with its interval; None when n is too small."""
    effect = hodges_lehmann(log_ratios(a, b), level)
    return effect and Effect(exp(effect.estimate), exp(effect.low), exp(effect.high), level)


def signed_rank_p(values: ArrayLike) -> float:
    """Two-sided p of Wilcoxon's signed-rank test; zeros are split between the signs."""
    array = vector(values, "the values")
    if not array.any():
        return 1.0
    from scipy.stats import wilcoxon  # slow to load, and only ratios need it

    return float(wilcoxon(array, zero_method="zsplit").pvalue)


def percentile(name: str) -> Estimator:
    """The estimator of "percentile_95" and its like: the smallest of its one input's values (positive, shape (n,))
    below or at which that share of the weight lies.

    Raises:
        StatisticsError: another name, a percentile outside (0, 100), more inputs than one, values not positive.
    """
    match = _PERCENTILE.fullmatch(name)
    if not match:
        raise StatisticsError(f"a ratio is estimated by percentile_50, percentile_95 or the like, got {name!r}")
    share = fraction(float(match[1]) / 100, "the percentile / 100")

    def estimate(inputs: Mapping[str, Array], weights: Array) -> Array:
        if len(inputs) != 1:
            raise StatisticsError(f"{name} takes one input, got {len(inputs)}")
        (values,) = inputs.values()
        if (values <= 0).any():
            bad = int((values <= 0).sum())
            raise StatisticsError(f"a ratio needs positive values, {bad} of {len(values)} units have others")
        order = np.argsort(values, kind="stable")
        return _weighted_percentile(values[order], np.atleast_2d(weights)[:, order], share)

    return estimate


def blocks_of(units: Sequence[str]) -> NDArray[np.intp]:
    """The index of each unit's timing block, from 0 in order of first sight: a repetition "block/repetition" belongs
    to what stands before its last slash, a unit without one is a block of its own."""
    place: dict[str, int] = {}
    return np.array([place.setdefault(unit.rpartition("/")[0] or unit, len(place)) for unit in units], dtype=np.intp)


def order_effects(values: ArrayLike) -> OrderEffects:
    """Autocorrelation and trend of values in the order measured, shape (n,), n >= 3; zeros if constant."""
    array = vector(values, "the values", least=3)
    centred = array - array.mean()
    power = float(centred @ centred)
    if np.ptp(array) == 0 or power == 0:
        return OrderEffects(0.0, 0.0, 1.0)
    from scipy.stats import spearmanr  # slow to load, and only ratios need it

    trend = spearmanr(np.arange(len(array)), array)
    return OrderEffects(float(centred[1:] @ centred[:-1]) / power, float(trend.statistic), float(trend.pvalue))


def _critical_rank(n: int, tail: float) -> int:
    """The largest k with P(W < k) <= tail for the signed-rank statistic W under symmetry, or 0."""
    if n > _EXACT:
        mean, spread = n * (n + 1) / 4, sqrt(n * (n + 1) * (2 * n + 1) / 24)
        return floor(mean - float(norm.isf(tail)) * spread + 0.5)
    chances = np.ones(1)
    for rank in range(1, n + 1):
        grown = np.zeros(len(chances) + rank)
        grown[: len(chances)] += chances / 2
        grown[rank:] += chances / 2
        chances = grown
    return int(np.searchsorted(np.cumsum(chances), tail * (1 + 1e-12), side="right"))


def _pair_mean(ordered: Array, rank: int) -> float:
    """The `rank`-th smallest (from 1) of the means (x_i + x_j) / 2 with i <= j.

    Bisection narrows them down to a few for each i, which are then listed.
    """
    first = np.arange(len(ordered))

    def ends(mean: float) -> NDArray[np.intp]:
        """For each i, the end of the j >= i whose mean with i is at most `mean`."""
        return np.maximum(np.searchsorted(ordered, 2 * mean - ordered, side="right"), first)

    low, high = 2 * float(ordered[0]) - float(ordered[-1]) - 1, float(ordered[-1])
    start, end = first, np.full_like(first, len(ordered))
    while (end - start).sum() > _LISTED * len(ordered):
        middle = (low + high) / 2
        if not low < middle < high:
            return high  # that many means are equal
        reached = ends(middle)
        if (reached - first).sum() >= rank:
            high, end = middle, reached
        else:
            low, start = middle, reached
    sizes = end - start
    i = np.repeat(first, sizes)
    j = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes - start, sizes)
    place = rank - 1 - int((start - first).sum())
    return float(np.partition((ordered[i] + ordered[j]) / 2, place)[place])


def _weighted_percentile(ordered: Array, weights: Array, share: float) -> Array:
    """The smallest value whose cumulative weight reaches the share, for each row of weights (k, n)."""
    cumulative = np.cumsum(weights, axis=1)
    reached = cumulative >= share * cumulative[:, -1:] * (1 - 1e-12)  # a rounding error must not skip a value
    return np.asarray(ordered[reached.argmax(axis=1)])
