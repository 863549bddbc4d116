"""The Bayesian bootstrap: exponential weights on units, so that what was computed per unit is reweighted.

No unit ever vanishes from a draw (a rare class keeps its images), and nothing but a weighted sum is
recomputed (Rubin, Annals of Statistics 9, 1981). Pairing is kept by giving both contenders the same weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from math import ceil, sqrt
from os import cpu_count

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from netversus.errors import StatisticsError
from netversus.records import Effect
from netversus.statistics.distributions import norm, student
from netversus.statistics.pairing import fraction, vector

Array = NDArray[np.float64]

DRAWS = 2000
MOST_DRAWS = 50_000
_IN_THE_TAIL = 25  # draws that should lie beyond each end of an interval
_CHUNK = 1 << 21  # weights held at once: 16 MiB
_CACHED = 1 << 17  # weights held at once where only their sums count: 1 MiB, in a core's cache
_SHARES = 16


def draws_for(level: float) -> int:
    """How many draws a percentile interval of this level needs: 2000, more for levels above 0.975, 50,000 at most.

    Twenty contenders share an error rate among 190 pairs: beyond 0.999 the tails are taken to be normal instead.
    """
    return min(MOST_DRAWS, max(DRAWS, ceil(2 * _IN_THE_TAIL / (1 - fraction(level, "the level")))))


def weight_chunks(n: int, draws: int, seed: int) -> Iterator[Array]:
    """Exponential weights of mean 1, shape (at most draws, n), `draws` rows in all.

    The memory of a chunk is used again by the next: take what is needed before going on.
    """
    _check_sizes(n, draws)
    rng = np.random.default_rng(seed)
    rows = min(draws, max(1, _CHUNK // n))
    buffer = np.empty((rows, n))
    for start in range(0, draws, rows):
        part = buffer[: min(rows, draws - start)]
        rng.standard_exponential(out=part)
        yield part


@dataclass(frozen=True, slots=True)
class OfSums:
    """A statistic that sees the weights only through weighted sums: a bootstrap of it never holds its weights.

    `columns`: what is summed, float64, shape (n, k). `of`: sums, shape (draws, k) -> values, shape (draws,). `squared`,
    shape (n, m): what is summed under the squares of the weights; those sums stand behind the others, k + m in all.
    """

    columns: Array
    of: Callable[[Array], Array]
    squared: Array | None = None

    def __call__(self, weights: Array) -> Array:
        """The statistic under weights of shape (draws, n)."""
        return self.of(self.sums(weights))

    def sums(self, weights: Array) -> Array:
        """The sums under weights of shape (draws, n)."""
        linear = weights @ self.columns
        return linear if self.squared is None else np.hstack([linear, np.square(weights) @ self.squared])

    def clustered(self, clusters: NDArray[np.intp]) -> OfSums:
        """The same of clusters, whose units share their weight: their columns are added."""
        groups = int(clusters.max()) + 1

        def added(columns: Array) -> Array:
            of_groups = np.zeros((groups, columns.shape[1]))
            np.add.at(of_groups, clusters, columns)
            return of_groups

        return OfSums(added(self.columns), self.of, None if self.squared is None else added(self.squared))


def bootstrap(
    statistic: Callable[[Array], Array],
    n: int,
    *,
    draws: int = DRAWS,
    seed: int,
    clusters: NDArray[np.intp] | None = None,
) -> Array:
    """Draws of a statistic, shape (draws,).

    Args:
        statistic: weights (k, n) -> values (k,); it normalises by the sum of the weights where it needs to.
        n: number of units.
        draws: number of draws.
        seed: seed of the generator.
        clusters: index of each unit's cluster, shape (n,), from 0; units of a cluster share their weight.

    Raises:
        StatisticsError: shapes that do not fit.
    """
    if isinstance(statistic, OfSums):
        _check_clusters(clusters, n)
        if len(statistic.columns) != n:
            raise StatisticsError(f"the sums are over {len(statistic.columns)} units, not over {n}")
        grouped = statistic if clusters is None else statistic.clustered(clusters)
        return _called(grouped.of, _sums(grouped, draws, seed))
    if clusters is None:
        return np.concatenate([_called(statistic, w) for w in weight_chunks(n, draws, seed)])
    _check_clusters(clusters, n)
    groups = int(clusters.max()) + 1
    return np.concatenate([_called(statistic, w[:, clusters]) for w in weight_chunks(groups, draws, seed)])


def bootstrap_mean(values: Array, *, draws: int = DRAWS, seed: int) -> Array:
    """Draws of the weighted mean of `values`, shape (draws,)."""
    column = vector(values, "the values")
    mean = OfSums(np.column_stack([column, np.ones(len(column))]), lambda sums: sums[:, 0] / sums[:, 1])
    return bootstrap(mean, len(column), draws=draws, seed=seed)


def percentile_interval(estimate: float, draws: Array, n: int, level: float) -> Effect:
    """The percentile interval, widened for few units.

    The spread of the weighted mean's draws is sqrt((n - 1) / (n + 1)) times the standard error, and normal
    where Student's t is due; the tail is moved outwards by both (Hesterberg 2015, "expanded percentile"). A tail that
    too few draws lie in is taken to be normal, with the draws' own spread.

    Raises:
        StatisticsError: fewer than 2 units.
    """
    if n < 2:
        raise StatisticsError(f"an interval needs at least 2 units, got {n}")
    half = (1 - fraction(level, "the level")) / 2
    tail = float(norm.sf(sqrt((n + 1) / (n - 1)) * student.isf(half, n - 1)))
    if len(draws) >= MOST_DRAWS and tail * len(draws) < _IN_THE_TAIL / 2:
        reach = float(norm.isf(tail)) * float(draws.std(ddof=1))
        return Effect(estimate, estimate - reach, estimate + reach, level)
    low, high = np.quantile(draws, [tail, 1 - tail])
    return Effect(estimate, float(low), float(high), level)


def bounded_interval(estimate: float, lower: Array, upper: Array, level: float) -> Effect:
    """The interval of a mean whose values have bounds, from draws in which one unit more lies at the least value, and
    from draws in which it lies at the most: Gaffke's (Learned-Miller & Thomas 2020). Nothing is widened for few units,
    for the units unseen are in the draws: of zeros and ones it is Clopper and Pearson's interval."""
    half = (1 - fraction(level, "the level")) / 2
    return Effect(estimate, _quantile(lower, half), _quantile(upper, 1 - half), level)


def bootstrap_p(draws: Array) -> float:
    """Two-sided p that the statistic is zero: twice the smaller share of draws on one side of it.

    The observed value counts as a draw, so that p is never below 2 / (B + 1); but where not one of the most draws
    that are made lies beyond, the tail is taken to be normal.
    """
    return bounded_p(draws, draws)


def bounded_p(lower: Array, upper: Array) -> float:
    """The same, by the draws of `bounded_interval`: those that make little of a gain, and those that make little of a
    loss."""
    return min(1.0, 2 * min(_share_below(lower), _share_below(-upper)))


def two_way_bootstrap(a: Array, b: Array, *, draws: int = DRAWS, seed: int) -> Array:
    """Draws of mean(B) - mean(A) over seeds and units at once, shape (draws,).

    `a` and `b` have shapes (seeds of A, n) and (seeds of B, n). The seeds of A and of B are weighted
    independently, for they are different trainings; the units are weighted together, for they are the same
    images (Owen & Eckles, Annals of Applied Statistics 6, 2012). Deviations of a seed from its contender's
    mean are stretched by sqrt((S + 1) / (S - 1)), which makes the draws' variance over seeds unbiased.

    Raises:
        StatisticsError: fewer than 2 seeds, or different units.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise StatisticsError(f"expected shapes (seeds, n) over the same n units, got {a.shape} and {b.shape}")
    if min(len(a), len(b)) < 2:
        raise StatisticsError(f"a bootstrap over seeds needs at least 2 of each, got {len(a)} and {len(b)}")
    stretched_a, stretched_b = _stretched(a), _stretched(b)
    rng = np.random.default_rng([seed, 1])  # apart from the stream of the units' weights
    parts = []
    for weights in weight_chunks(a.shape[1], draws, seed):
        total = weights.sum(axis=1)
        parts.append((_over_seeds(weights @ stretched_b.T, rng) - _over_seeds(weights @ stretched_a.T, rng)) / total)
    return np.concatenate(parts)


def _sums(statistic: OfSums, draws: int, seed: int) -> Array:
    """Draws of the weighted sums, shape (draws, k). Units are shared out among threads, each share with a stream of its
    own, so that the same is drawn however many threads there are."""
    n = len(statistic.columns)
    _check_sizes(n, draws)
    shares = min(_SHARES, ceil(n * draws / _CHUNK))
    ends = [n * k // shares for k in range(shares + 1)]
    # Products of so few units: the library's own threads would take longer to meet than to multiply.
    with _libraries().limit(limits=1, user_api="blas"), ThreadPoolExecutor(min(shares, cpu_count() or 1)) as pool:
        found = list(
            pool.map(lambda k: _sums_of_share(statistic, ends[k], ends[k + 1], draws, [seed, k]), range(shares))
        )
    return np.asarray(sum(found[1:], start=found[0]))


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


def _sums_of_share(statistic: OfSums, first: int, end: int, draws: int, seed: list[int]) -> Array:
    """A few units at a time: their weights fit a core's cache."""
    rng = np.random.default_rng(seed)
    linear = np.zeros((draws, statistic.columns.shape[1]))
    squares = np.zeros((draws, 0 if statistic.squared is None else statistic.squared.shape[1]))
    few = max(1, _CACHED // draws)
    buffer = np.empty((few, draws))
    for start in range(first, end, few):
        units = slice(start, min(start + few, end))
        weights = buffer[: units.stop - units.start]
        rng.standard_exponential(out=weights)
        linear += weights.T @ statistic.columns[units]
        if statistic.squared is not None:
            squares += np.square(weights, out=weights).T @ statistic.squared[units]
    return np.hstack([linear, squares])


def _share_below(draws: Array) -> float:
    """The share of draws at or below zero, the observed value among them."""
    below, least = int(np.count_nonzero(draws <= 0)), 1 / (len(draws) + 1)
    if below == 0 and len(draws) >= MOST_DRAWS and (spread := float(draws.std(ddof=1))) > 0:
        return min(least, float(norm.sf(float(draws.mean()) / spread)))
    return (below + 1) * least


def _quantile(draws: Array, share: float) -> float:
    """A quantile of the draws; far out, where too few of the most draws lie, that of a normal of their spread."""
    if len(draws) >= MOST_DRAWS and min(share, 1 - share) * len(draws) < _IN_THE_TAIL / 2:
        return float(draws.mean()) + float(norm.ppf(share)) * float(draws.std(ddof=1))
    return float(np.quantile(draws, share))


def _check_sizes(n: int, draws: int) -> None:
    if n < 1 or draws < 1:
        raise StatisticsError(f"a bootstrap needs at least one unit and one draw, got {n} and {draws}")


def _check_clusters(clusters: NDArray[np.intp] | None, n: int) -> None:
    if clusters is not None and (clusters.shape != (n,) or n == 0 or clusters.min() < 0):
        raise StatisticsError(f"clusters must be {n} indices from 0, got shape {clusters.shape}")


def _called(statistic: Callable[[Array], Array], weights: Array) -> Array:
    values = np.asarray(statistic(weights), dtype=np.float64)
    if values.shape != (len(weights),):
        raise StatisticsError(f"a statistic must give one value a draw, expected {(len(weights),)}, got {values.shape}")
    return values


def _stretched(values: Array) -> Array:
    seeds = len(values)
    mean = values.mean(axis=0)
    return np.asarray(mean + sqrt((seeds + 1) / (seeds - 1)) * (values - mean))


def _over_seeds(sums: Array, rng: np.random.Generator) -> Array:
    """Each draw's sums, shape (k, seeds), averaged over the seeds with exponential weights."""
    weights = rng.standard_exponential(sums.shape)
    return np.asarray((sums * weights).sum(axis=1) / weights.sum(axis=1))
