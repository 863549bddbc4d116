"""Sign-flip tests: under equality the names A and B could be exchanged on any unit.

For few units (sequences, clusters, seeds) every exchange is tried, and the test says the smallest p that it
could have given: seven units cannot give a two-sided p below 1/64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil, log2

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netversus.statistics.pairing import fraction, vector

Array = NDArray[np.float64]

FEW = 20  # below this many units a permutation test is asked
_EXACT = 16  # up to 2^16 exchanges are enumerated
_RANDOM = (1 << 16) - 1  # beyond, this many are drawn
_ROWS = 1 << 12


@dataclass(frozen=True, slots=True)
class SignFlip:
    """A two-sided p, and the smallest that so many units could have given. `exact`: every exchange was tried."""

    p_value: float
    smallest: float
    exact: bool


def smallest_p(n: int) -> float:
    """The smallest two-sided p of a sign-flip test on n units: 2 / 2^n."""
    return min(1.0, 2.0 ** (1 - n))


def units_needed(alpha: float) -> int:
    """The fewest units with which a sign-flip test can reach p <= alpha at all."""
    return ceil(1 + log2(1 / fraction(alpha, "alpha")))


def sign_flip(differences: ArrayLike, *, seed: int) -> SignFlip:
    """Test that the mean of `differences` (B - A on each unit, shape (n,)) is zero."""
    values = vector(differences, "the differences")
    return exchange_test(lambda swapped: (1 - 2 * swapped) @ values, len(values), seed=seed)


def exchange_test(statistic: Callable[[Array], Array], n: int, *, seed: int) -> SignFlip:
    """Test by exchanging A and B on units.

    Args:
        statistic: swapped (k, n) of 0 and 1 -> the difference B - A (k,) after exchanging where 1.
        n: number of units.
        seed: seed of the exchanges that are drawn when there are too many to enumerate.
    """
    observed = abs(float(statistic(np.zeros((1, n)))[0]))
    tied = observed * (1 - 1e-9) - 1e-300  # a rounding error must not break a tie
    exact = n <= _EXACT
    extreme = total = 0
    for swapped in _enumerated(n) if exact else _drawn(n, seed):
        extreme += int(np.count_nonzero(np.abs(statistic(swapped)) >= tied))
        total += len(swapped)
    p = extreme / total if exact else (extreme + 1) / (total + 1)
    return SignFlip(p, smallest_p(n), exact)


def _enumerated(n: int) -> Iterator[Array]:
    """All exchanges, but for the mirror images that give the same absolute difference: unit 0 stays."""
    codes = np.arange(1 << (n - 1))
    for start in range(0, len(codes), _ROWS):
        part = codes[start : start + _ROWS, None]
        yield ((part << 1 >> np.arange(n)) & 1).astype(np.float64)


def _drawn(n: int, seed: int) -> Iterator[Array]:
    rng = np.random.default_rng(seed)
    for start in range(0, _RANDOM, _ROWS):
        yield rng.integers(0, 2, size=(min(_ROWS, _RANDOM - start), n)).astype(np.float64)
