"""The Bayesian bootstrap: exponential weights on units, so that what was computed per unit is reweighted.

No unit ever vanishes from a draw (a rare class keeps its images), and nothing but a weighted sum is
recomputed (Rubin, Annals of Statistics 9, 1981). Pairing is kept by giving both contenders the same weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from scipy.stats import t as student

from netversus.errors import StatisticsError
from netversus.records import Effect
from netversus.statistics.pairing import fraction, vector

Array = NDArray[np.float64]

DRAWS = 2000
MOST_DRAWS = 50_000
_IN_THE_TAIL = 25  # draws that should lie beyond each end of an interval
_CHUNK = 1 << 21  # weights held at once: 16 MiB


def draws_for(level: float) -> int:
    """How many draws a percentile interval of this level needs: 2000, more for levels above 0.975, 50,000 at most.

    Twenty contenders share an error rate among 190 pairs: beyond 0.999 the tails are taken to be normal instead.
    """
    return min(MOST_DRAWS, max(DRAWS, ceil(2 * _IN_THE_TAIL / (1 - fraction(level, "the level")))))


def weight_chunks(n: int, draws: int, seed: int) -> Iterator[Array]:
    """Exponential weights of mean 1, shape (at most draws, n), `draws` rows in all.

    The memory of a chunk is used again by the next: take what is needed before going on.
    """
    if n < 1 or draws < 1:
        raise StatisticsError(f"a bootstrap needs at least one unit and one draw, got {n} and {draws}")
    rng = np.random.default_rng(seed)
    rows = min(draws, max(1, _CHUNK // n))
    buffer = np.empty((rows, n))
    for start in range(0, draws, rows):
        part = buffer[: min(rows, draws - start)]
        rng.standard_exponential(out=part)
        yield part


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
    if clusters is None:
        return np.concatenate([_called(statistic, w) for w in weight_chunks(n, draws, seed)])
    if clusters.shape != (n,) or n == 0 or clusters.min() < 0:
        raise StatisticsError(f"clusters must be {n} indices from 0, got shape {clusters.shape}")
    groups = int(clusters.max()) + 1
    return np.concatenate([_called(statistic, w[:, clusters]) for w in weight_chunks(groups, draws, seed)])


def bootstrap_mean(values: Array, *, draws: int = DRAWS, seed: int) -> Array:
    """Draws of the weighted mean of `values`, shape (draws,)."""
    column = vector(values, "the values")
    return bootstrap(lambda w: (w @ column) / w.sum(axis=1), len(column), draws=draws, seed=seed)


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


def bootstrap_p(draws: Array) -> float:
    """Two-sided p that the statistic is zero: twice the smaller share of draws on one side of it.

    The observed value counts as a draw, so that p is never below 2 / (B + 1); but where not one of the most draws
    that are made lies beyond, the tail is taken to be normal.
    """
    beyond = int(min(np.count_nonzero(draws <= 0), np.count_nonzero(draws >= 0)))
    if beyond == 0 and len(draws) >= MOST_DRAWS and (spread := float(draws.std(ddof=1))) > 0:
        return min(2 / (len(draws) + 1), 2 * float(norm.sf(abs(float(draws.mean())) / spread)))
    return min(1.0, 2 * (beyond + 1) / (len(draws) + 1))


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
