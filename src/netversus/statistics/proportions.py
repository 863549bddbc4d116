"""Paired proportions: what is right or wrong on each unit, by two contenders.

Throughout, `b` counts the units that only B got right, `c` those that only A got right, and n all units.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, binom, chi2, norm

from netversus.errors import StatisticsError
from netversus.records import Effect
from netversus.statistics.pairing import fraction


@dataclass(frozen=True, slots=True)
class Table:
    """The 2 x 2 table of paired outcomes."""

    both: int
    only_b: int
    only_a: int
    neither: int

    @property
    def n(self) -> int:
        """The number of units."""
        return self.both + self.only_b + self.only_a + self.neither


@dataclass(frozen=True, slots=True)
class AboveChance:
    """Whether a proportion exceeds chance: one-sided exact p, two-sided Clopper-Pearson interval."""

    proportion: Effect
    chance: float
    p_value: float


def tabulate(a: NDArray[np.float64], b: NDArray[np.float64]) -> Table:
    """The table of two series of 0 and 1, shape (n,) each, already paired.

    Raises:
        StatisticsError: the shapes differ, or a value is neither 0 nor 1.
    """
    if a.shape != b.shape or a.ndim != 1:
        raise StatisticsError(f"a proportion needs two series of one shape (n,), got {a.shape} and {b.shape}")
    other = ((a != 0) & (a != 1)) | ((b != 0) & (b != 1))
    if other.any():
        raise StatisticsError(
            f"a proportion needs 0 or 1 on each unit, {int(other.sum())} of {len(a)} units have other values",
            hint="declare the metric's scale as a mean",
        )
    right_a, right_b = a == 1, b == 1
    both = int((right_a & right_b).sum())
    return Table(both, int(right_b.sum()) - both, int(right_a.sum()) - both, int((~right_a & ~right_b).sum()))


def mcnemar_exact(b: int, c: int) -> float:
    """Two-sided p of the exact conditional McNemar test: b is Binomial(b + c, 1/2) under equality."""
    return min(1.0, 2 * float(binom.cdf(min(b, c), b + c, 0.5))) if b + c else 1.0


def mcnemar_mid_p(b: int, c: int) -> float:
    """Two-sided mid-p of McNemar's test, where the observed point counts half (Fagerland et al. 2013)."""
    if b + c == 0:
        return 1.0
    least = min(b, c)
    return min(1.0, float(2 * binom.cdf(least, b + c, 0.5) - binom.pmf(least, b + c, 0.5)))


def mcnemar_chi2(b: int, c: int, *, corrected: bool = False) -> tuple[float, float]:
    """Statistic and p of McNemar's chi-squared test, with Edwards' continuity correction on request."""
    if b + c == 0:
        return 0.0, 1.0
    statistic = max(0.0, abs(b - c) - (1.0 if corrected else 0.0)) ** 2 / (b + c)
    return statistic, float(chi2.sf(statistic, 1))


def tango(b: int, c: int, n: int, level: float) -> Effect:
    """The difference of paired proportions (B - A) with Tango's score interval.

    Statistics in Medicine 17 (1998) 891. It keeps its width when there are no discordant pairs: then the ends
    are +- z^2 / (n + z^2).
    """
    _check(b, c, n)
    z = float(norm.isf((1 - fraction(level, "the level")) / 2))
    return Effect((b - c) / n, -_tango_upper(c, b, n, z), _tango_upper(b, c, n, z), level)


def newcombe(table: Table, level: float) -> Effect:
    """The difference of paired proportions (B - A) with Newcombe's hybrid score interval.

    Method 10 of Newcombe, Statistics in Medicine 17 (1998) 2635: Wilson intervals of the two proportions,
    joined through their correlation with a continuity correction.
    """
    n = table.n
    _check(table.only_b, table.only_a, n)
    z = float(norm.isf((1 - fraction(level, "the level")) / 2))
    right_b, right_a = table.both + table.only_b, table.both + table.only_a
    low_b, high_b = _wilson(right_b, n, z)
    low_a, high_a = _wilson(right_a, n, z)
    p_b, p_a = right_b / n, right_a / n
    spread = sqrt(right_b * (n - right_b) * right_a * (n - right_a))
    product = float(table.both * table.neither - table.only_b * table.only_a)
    if product > 0:
        product = max(product - n / 2, 0.0)
    phi = product / spread if spread else 0.0

    def reach(down: float, up: float) -> float:
        return sqrt(max(0.0, down**2 - 2 * phi * down * up + up**2))

    difference = p_b - p_a
    low = difference - reach(p_b - low_b, high_a - p_a)
    high = difference + reach(high_b - p_b, p_a - low_a)
    return Effect(difference, max(-1.0, low), min(1.0, high), level)


def above_chance(correct: int, n: int, chance: float, *, level: float = 0.95) -> AboveChance:
    """Exact binomial test that a proportion is above `chance` (one divided by the number of classes).

    Raises:
        StatisticsError: `correct` is not in 0..n, n is 0, or `chance` or `level` is not a fraction.
    """
    if n < 1 or not 0 <= correct <= n:
        raise StatisticsError(f"expected 0 <= correct <= n with n >= 1, got correct={correct}, n={n}")
    fraction(chance, "chance")
    tail = (1 - fraction(level, "the level")) / 2
    low = float(beta.ppf(tail, correct, n - correct + 1)) if correct else 0.0
    high = float(beta.isf(tail, correct + 1, n - correct)) if correct < n else 1.0
    return AboveChance(Effect(correct / n, low, high, level), chance, float(binom.sf(correct - 1, n, chance)))


def _check(b: int, c: int, n: int) -> None:
    if n < 1 or b < 0 or c < 0 or b + c > n:
        raise StatisticsError(f"expected counts b, c >= 0 with b + c <= n and n >= 1, got b={b}, c={c}, n={n}")


def _tango_upper(b: int, c: int, n: int, z: float) -> float:
    """The largest difference that the score test does not reject, by bisection."""

    def rejected(delta: float) -> bool:
        # The constrained maximum-likelihood estimate of P(only A right) solves 2n q^2 + k q + m = 0.
        k = (2 * n - b + c) * delta - b - c
        m = -c * delta * (1 - delta)
        q = (sqrt(max(0.0, k * k - 8 * n * m)) - k) / (4 * n)
        return (b - c - n * delta) ** 2 > z * z * n * max(0.0, 2 * q + delta * (1 - delta))

    inside, outside = (b - c) / n, 1.0
    if not rejected(outside):
        return outside
    while outside - inside > 1e-13:
        middle = (inside + outside) / 2
        if rejected(middle):
            outside = middle
        else:
            inside = middle
    return (inside + outside) / 2


def _wilson(k: int, n: int, z: float) -> tuple[float, float]:
    middle, half = k + z * z / 2, z * sqrt(k * (n - k) / n + z * z / 4)
    return max(0.0, (middle - half) / (n + z * z)), min(1.0, (middle + half) / (n + z * z))
