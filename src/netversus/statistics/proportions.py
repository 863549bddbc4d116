"""Paired proportions: what is right or wrong on each unit, by two contenders.

Throughout, `b` counts the units that only B got right, `c` those that only A got right, and n all units.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, sqrt

import numpy as np
from numpy.typing import NDArray

from netversus.errors import StatisticsError
from netversus.records import Effect
from netversus.statistics.distributions import beta, binom, norm
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
    return min(1.0, float(binom.cdf(least, b + c, 0.5) + binom.cdf(least - 1, b + c, 0.5)))


def tango(b: int, c: int, n: int, level: float) -> Effect:
    """The difference of paired proportions (B - A) with Tango's score interval.

    Statistics in Medicine 17 (1998) 891. It keeps its width when there are no discordant pairs: then the ends
    are +- z^2 / (n + z^2).
    """
    _check(b, c, n)
    z = float(norm.isf((1 - fraction(level, "the level")) / 2))
    return Effect((b - c) / n, -_tango_upper(c, b, n, z), _tango_upper(b, c, n, z), level)


def alike_for_tango(margin: float, level: float) -> int:
    """So many units without any disagreement give an interval of `tango` within +-margin (above 0): its half width is
    z^2 / (n + z^2)."""
    z = float(norm.isf((1 - fraction(level, "the level")) / 2))
    return floor(z * z * (1 - margin) / margin) + 1


def above_chance(correct: int, n: int, chance: float, *, level: float = 0.95) -> AboveChance:
    """Exact binomial test that a proportion is above `chance` (one divided by the number of classes).

    Raises:
        StatisticsError: `correct` is not in 0..n, n is 0, or `chance` or `level` is not a fraction.
    """
    fraction(chance, "chance")
    proportion = clopper_pearson(correct, n, level)
    return AboveChance(proportion, chance, float(binom.sf(correct - 1, n, chance)))


def clopper_pearson(k: int, n: int, level: float) -> Effect:
    """The exact interval of a proportion k / n (Biometrika 26, 1934): it covers at least as often as it says.

    Raises:
        StatisticsError: `k` is not in 0..n, n is 0, or `level` is not a fraction.
    """
    _check_count(k, n)
    tail = (1 - fraction(level, "the level")) / 2
    low = float(beta.ppf(tail, k, n - k + 1)) if k else 0.0
    high = float(beta.isf(tail, k + 1, n - k)) if k < n else 1.0
    return Effect(k / n, low, high, level)


def wilson(k: int, n: int, level: float) -> Effect:
    """Wilson's score interval of a proportion k / n (JASA 22, 1927).

    Raises:
        StatisticsError: `k` is not in 0..n, n is 0, or `level` is not a fraction.
    """
    _check_count(k, n)
    low, high = _wilson(k, n, float(norm.isf((1 - fraction(level, "the level")) / 2)))
    return Effect(k / n, low, high, level)


def _check_count(k: int, n: int) -> None:
    if n < 1 or not 0 <= k <= n:
        raise StatisticsError(f"expected a count in 0..n with n >= 1, got {k} of {n}")


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
