"""The distributions that tests and intervals rest on, from `scipy.special`.

`scipy.stats` has them too and builds them from the same functions, but loads in half a second: longer than all else
that a report needs. What only it has (noncentral distributions, Wilcoxon's exact test) is imported where it is called.

Names are those of `scipy.stats`: `cdf` is P(X <= x), `sf` P(X > x), `ppf` the quantile, `isf` that of the upper tail.
Arguments are numbers or arrays that broadcast; so is what comes back, as float64.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from scipy import special


class _Normal:
    """The standard normal."""

    def cdf(self, x: Any) -> Any:
        return special.ndtr(x)

    def sf(self, x: Any) -> Any:
        return special.ndtr(np.negative(x))

    def ppf(self, q: Any) -> Any:
        return special.ndtri(q)

    def isf(self, q: Any) -> Any:
        return -special.ndtri(q)


class _Student:
    """Student's t with `df` degrees of freedom."""

    def sf(self, x: Any, df: Any) -> Any:
        return special.stdtr(df, np.negative(x))

    def isf(self, q: Any, df: Any) -> Any:
        return -special.stdtrit(df, q)


class _Beta:
    """Beta on [0, 1] with shapes `a` and `b`."""

    def ppf(self, q: Any, a: Any, b: Any) -> Any:
        return special.betaincinv(a, b, q)

    def isf(self, q: Any, a: Any, b: Any) -> Any:
        return special.betainccinv(a, b, q)


class _Binomial:
    """How many of `n` independent trials succeed, each with chance `p`; `k` may lie outside 0..n."""

    def cdf(self, k: Any, n: Any, p: Any) -> Any:
        inside = special.bdtr(np.clip(k, 0, n), n, p)
        return np.where(np.less(k, 0), 0.0, np.where(np.greater_equal(k, n), 1.0, inside))

    def sf(self, k: Any, n: Any, p: Any) -> Any:
        inside = special.bdtrc(np.clip(k, 0, n), n, p)
        return np.where(np.less(k, 0), 1.0, np.where(np.greater_equal(k, n), 0.0, inside))

    def ppf(self, q: Any, n: Any, p: Any) -> Any:
        """The fewest successes that are not exceeded with a chance of at least `q`."""
        found = np.nan_to_num(special.bdtrik(q, n, p))  # a real number, and rounded; none of no trials
        above = np.clip(np.ceil(found), 0, n)
        below = np.maximum(above - 1, 0)
        return np.where(self.cdf(below, n, p) >= q, below, above)


norm: Final = _Normal()
student: Final = _Student()
beta: Final = _Beta()
binom: Final = _Binomial()
