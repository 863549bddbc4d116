"""Verdicts that may be looked at as often as one likes.

Everything here needs the units in a random order that was fixed before they were seen: on images sorted by
class the error rates do not hold. alpha = 1 - level is spent as alpha / 2 on each side.

The half-Beta(a, a) prior over the winner's share of the disagreements rules all of it: on p in (1/2, 1) its
density is proportional to (p (1 - p))^(a - 1). a = 50 is meant for gaps of about a point, 10 for gaps over
three points. It is fixed before the data are seen.
"""

from __future__ import annotations

from functools import lru_cache
from math import inf, log, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaln, logsumexp

from netversus.errors import StatisticsError
from netversus.records import Direction, Effect, Verdict
from netversus.statistics.equivalence import decide
from netversus.statistics.pairing import fraction, vector

Array = NDArray[np.float64]
Counts = NDArray[np.int64]

PRIOR = 50.0
_NODES = 128
_ROUNDING = 1e-9  # of a mean that is left for the last units of a population
_CHUNK = 1 << 12  # units whose wealth is worked out at once: 4 MiB


def log_sign_e(b: ArrayLike, c: ArrayLike, *, prior: float = PRIOR) -> Array:
    """Log of the sign-test e-value that B is better, from the units that only B (b) and only A (c) got right.

    A supermartingale of mean at most 1 in the order of the discordant units while B is not better (any shapes
    that broadcast): n ln 2 + lnB(a + b, a + c) - lnB(a, a) + ln 2 I_1/2(a + c, a + b), with n = b + c.
    Exchange b and c for A.

    Raises:
        StatisticsError: a negative count or a prior that is not positive.
    """
    wins, losses = np.asarray(b, dtype=np.float64), np.asarray(c, dtype=np.float64)
    if (wins < 0).any() or (losses < 0).any() or not prior > 0:
        raise StatisticsError("expected counts of at least 0 and a positive prior")
    with np.errstate(divide="ignore"):  # the tail of a hopeless loser is 0 in floats
        tail = np.log(betainc(prior + losses, prior + wins, 0.5))
    mixture = betaln(prior + wins, prior + losses) - betaln(prior, prior)
    return np.asarray((wins + losses + 1) * log(2) + mixture + tail)


def boundary(discordant: ArrayLike, *, level: float = 0.95, prior: float = PRIOR) -> Counts:
    """The fewest wins that decide after so many discordant units (shape (k,)); n + 1 where not even all do.

    It depends on counts only: B is better once b reaches it, A once c does.
    """
    n = np.asarray(discordant, dtype=np.int64)
    threshold = log(2 / (1 - fraction(level, "the level")))
    low, high = n // 2, n + 1  # never decided at low, decided or impossible at high
    while (high - low > 1).any():
        middle = (low + high) // 2
        reached = log_sign_e(middle, n - middle, prior=prior) >= threshold
        low, high = np.where(reached, low, middle), np.where(reached, middle, high)
    return np.asarray(high, dtype=np.int64)


def log_betting_e(values: ArrayLike, counts: ArrayLike, mean: float, *, prior: float = PRIOR) -> Array:
    """Log-wealth of betting that the mean exceeds `mean`, shape (k,): log of an e-value against "it does not".

    Bets s / (1 + mean) are mixed over the half-Beta prior of s = 2 p - 1 (Waudby-Smith & Ramdas, JRSS B 86,
    2024, with a fixed mixture in place of their predictable one). On values -1, 0 and 1 and mean 0 it is the
    sign test.

    Args:
        values: the distinct values in [-1, 1] that occur, shape (v,).
        counts: how often each occurred, shape (k, v).
        mean: the candidate mean, in (-1, 1).
        prior: a of the prior.
    """
    bets, weights = _mixture(prior)
    gains = np.log1p(np.multiply.outer(_per_stake(vector(values, "the values"), mean), bets))
    return np.asarray(logsumexp(np.asarray(counts, dtype=np.float64) @ gains + weights, axis=-1))


def betting_interval(
    differences: ArrayLike, *, level: float = 0.95, prior: float = PRIOR, population: int | None = None
) -> Effect:
    """The confidence sequence's interval for the mean of differences in [-1, 1], at this moment.

    Valid at every moment at once. With `population` the differences are a sample without replacement from so
    many and the mean is that of the whole benchmark; the interval shrinks to a point when all are read.

    Args:
        differences: B - A on each unit, shape (n,), in the order in which they were read.
        level: of the sequence as a whole.
        prior: a of the half-Beta prior.
        population: size of the benchmark when its mean is asked for, None for that of what it was drawn from.

    Raises:
        StatisticsError: values outside [-1, 1], or more of them than the population has.
    """
    read = _bounded(differences, population)
    threshold = log(2 / (1 - fraction(level, "the level")))
    low = _lower_end(read, threshold, prior, population)
    high = -_lower_end(-read, threshold, prior, population)
    estimate = float(read.mean())
    if population is not None:
        unread = population - len(read)
        low = max(low, (float(read.sum()) - unread) / population)
        high = min(high, (float(read.sum()) + unread) / population)
    return Effect(estimate, min(low, estimate), max(high, estimate), level)


class SequentialComparison:
    """Reads differences B - A in [-1, 1] as they come and decides as soon as the evidence does.

    The first verdict stands. Look after any number of units: only the looks taken can decide, no look costs
    anything. The probability of a wrong verdict at any time is at most 1 - level.
    """

    def __init__(
        self,
        *,
        margin: float,
        direction: Direction = Direction.HIGHER,
        level: float = 0.95,
        prior: float = PRIOR,
        population: int | None = None,
    ) -> None:
        if not 0 <= margin < 1:
            raise StatisticsError(f"a margin of differences in [-1, 1] must lie in [0, 1), got {margin}")
        if direction is Direction.NEITHER:
            raise StatisticsError("a metric that is better neither way has nothing to decide")
        self.margin = margin
        self.direction = direction
        self.level = fraction(level, "the level")
        self.prior = prior
        self.population = population
        self.verdict = Verdict.UNDECIDED
        self.decided_at: int | None = None
        self._read = np.empty(0)
        self._above_zero = _Wealth(0.0, prior, population)
        self._below_zero = _Wealth(0.0, prior, population)
        self._above_low = _Wealth(-margin, prior, population)
        self._below_high = _Wealth(-margin, prior, population)  # of the mirrored differences

    @property
    def n(self) -> int:
        """Units read so far."""
        return len(self._read)

    @property
    def e_value(self) -> float:
        """Two-sided evidence against equality at this moment; of mean at most 1 under it."""
        return float(np.exp(min(700.0, np.logaddexp(self._above_zero.log, self._below_zero.log) - log(2))))

    def observe(self, differences: ArrayLike) -> Verdict:
        """Read some more units, in the order of the shuffle, and look.

        Raises:
            StatisticsError: values outside [-1, 1], or more of them than the population has.
        """
        more = np.asarray(differences, dtype=np.float64)
        if more.ndim == 1 and len(more) == 0:
            return self.verdict
        read = _bounded(np.concatenate([self._read, vector(more, "the differences")]), self.population)
        before = float(self._read.sum()), len(self._read)
        self._read = read
        for wealth, sign in self._bets():
            wealth.grow(sign * more, sign * before[0], before[1])
        if self.verdict is Verdict.UNDECIDED:
            self.verdict = self._look()
            self.decided_at = None if self.verdict is Verdict.UNDECIDED else len(read)
        return self.verdict

    def interval(self) -> Effect:
        """The confidence sequence's interval at this moment.

        Raises:
            StatisticsError: nothing was read.
        """
        return betting_interval(self._read, level=self.level, prior=self.prior, population=self.population)

    def _bets(self) -> tuple[tuple[_Wealth, int], ...]:
        return (
            (self._above_zero, 1),
            (self._below_zero, -1),
            (self._above_low, 1),
            (self._below_high, -1),
        )

    def _look(self) -> Verdict:
        if self.n == self.population:
            gap = float(self._read.mean())
            return decide(gap, gap, self.margin, self.direction)
        threshold = log(2 / (1 - self.level))
        if self._above_low.log >= threshold and self._below_high.log >= threshold:
            return Verdict.EQUIVALENT
        if self._above_zero.log >= threshold:
            return Verdict.B_BETTER if self.direction is Direction.HIGHER else Verdict.A_BETTER
        if self._below_zero.log >= threshold:
            return Verdict.A_BETTER if self.direction is Direction.HIGHER else Verdict.B_BETTER
        return Verdict.UNDECIDED


def normal_mixture_rho(time: float, alpha: float) -> float:
    """The mixture's rho that makes its bound nearly tightest at this intrinsic time (Howard et al. 2021)."""
    if not time > 0:
        raise StatisticsError(f"the intrinsic time must be positive, got {time}")
    evidence = 2 * log(1 / fraction(alpha, "alpha"))
    return time / (evidence + log(1 + evidence))


def normal_mixture_bound(time: ArrayLike, alpha: float, rho: float) -> Array:
    """Two-sided bound on a sum whose variance is `time`, at all times at once (Robbins' normal mixture)."""
    moment = np.asarray(time, dtype=np.float64)
    evidence = 2 * log(1 / fraction(alpha, "alpha"))
    return np.asarray(np.sqrt((moment + rho) * (np.log((moment + rho) / rho) + evidence)))


def asymptotic_interval(values: ArrayLike, *, level: float = 0.95, tightest_at: int = 1000) -> Effect:
    """Asymptotic confidence sequence for a mean of unbounded values (differences of the NLL), shape (n,).

    Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (Annals of Statistics 52, 2024). The level holds in the
    limit, not for the first few units; `tightest_at` is the number of units at which the interval is to be
    narrowest.

    Raises:
        StatisticsError: fewer than 2 values, or one that is not finite.
    """
    array = vector(values, "the values", least=2)
    alpha = 1 - fraction(level, "the level")
    n = len(array)
    bound = float(normal_mixture_bound(n, alpha, normal_mixture_rho(tightest_at, alpha)))
    half = float(array.std(ddof=1)) * bound / n
    mean = float(array.mean())
    return Effect(mean, mean - half, mean + half, level)


class _Wealth:
    """The log-wealth of betting that the mean exceeds `mean`, kept as units come."""

    def __init__(self, mean: float, prior: float, population: int | None) -> None:
        self.mean = mean
        self.population = population
        self._bets, self._logs = _mixture(prior)
        self._impossible = False

    @property
    def log(self) -> float:
        """The log of the wealth; infinite once the mean has become impossible."""
        return inf if self._impossible else float(logsumexp(self._logs))

    def grow(self, differences: Array, total: float, n: int) -> None:
        """Take in more units, after `n` of them with sum `total`."""
        means = _means_left(differences, self.mean, total, n, self.population)
        if (means < -1 - _ROUNDING).any():
            self._impossible = True
            return
        for start in range(0, len(differences), _CHUNK):
            part = slice(start, start + _CHUNK)
            stake = _per_stake(differences[part], means[part])
            self._logs = self._logs + np.log1p(np.multiply.outer(stake, self._bets)).sum(axis=0)


@lru_cache(maxsize=16)
def _mixture(prior: float) -> tuple[Array, Array]:
    """Bets s in (0, 1) and the logs of their weights, which sum to 1: any such mixture is a valid bet.

    Gauss-Legendre nodes over all of the half-Beta prior that matters, for then it is the sign test's mixture.
    """
    if not prior > 0:
        raise StatisticsError(f"the prior must be positive, got {prior}")
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    bets = (nodes + 1) / 2 * min(1.0, 8 / sqrt(2 * prior + 1))
    logs = np.log(weights) + (prior - 1) * np.log1p(-(bets**2))
    return bets, np.asarray(logs - logsumexp(logs))


def _per_stake(values: Array, means: Array | float) -> Array:
    """What a full stake gains on each value: (x - mean) / (1 + mean), at least -1; infinite at mean -1."""
    room = np.maximum(1 + np.asarray(means), 0.0)
    gain = np.asarray(values) - np.asarray(means)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(np.abs(gain) < _ROUNDING, 0.0, np.maximum(gain / room, -1.0)))


def _means_left(differences: Array, mean: float, total: float, n: int, population: int | None) -> Array:
    """The mean that each next unit has if the candidate is true, given what was read before it."""
    if population is None:
        return np.full(len(differences), mean)
    before = total + np.concatenate([[0.0], np.cumsum(differences)[:-1]])
    return np.asarray((population * mean - before) / (population - n - np.arange(len(differences))))


def _lower_end(read: Array, threshold: float, prior: float, population: int | None) -> float:
    """The largest mean rejected from below, or -1: by bisection, for the wealth falls as the mean rises."""
    values, counts = np.unique(read, return_counts=True)

    def rejected(mean: float) -> bool:
        if population is None:
            return bool(log_betting_e(values, counts, mean, prior=prior) >= threshold)
        wealth = _Wealth(mean, prior, population)
        wealth.grow(read, 0.0, 0)
        return wealth.log >= threshold

    low, high = -1.0, 1.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        if rejected(middle):
            low = middle
        else:
            high = middle
    return low


def _bounded(differences: ArrayLike, population: int | None) -> Array:
    array = vector(differences, "the differences")
    if (np.abs(array) > 1).any():
        raise StatisticsError(f"differences must lie in [-1, 1], got {float(np.abs(array).max())}")
    if population is not None and len(array) > population:
        raise StatisticsError(f"read {len(array)} units of a population of {population}")
    return array
