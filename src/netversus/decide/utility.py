"""How far ahead one contender is of another under given weights, how surely, and how probable each is the best.

The utility is linear: the sum over questions of the weight times the contender's place in steps (`axes`). The standard
deviation of a lead is

    sum over questions of weight * deviation

Questions of one study are measured on the same units, and those of several studies on the same images and weights, so
that they go together; how closely is not kept with the findings. They are taken to go together wholly, which is the
widest that it can be whatever the correlations are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import erf, sqrt

import numpy as np
from numpy.typing import NDArray

from netversus.decide.axes import Axis
from netversus.decide.draws import normal_draws

Array = NDArray[np.float64]

_NOTHING = 1e-12  # of a variance: what rounding leaves


@dataclass(frozen=True, slots=True)
class Lead:
    """By how many weighed steps one contender is ahead of another, and the standard deviation of that."""

    gap: float
    spread: float

    def surely(self, reach: float) -> bool:
        """Whether the interval of so many standard deviations lies above zero."""
        return self.gap > 0 and self.gap > reach * self.spread


def weighed(axes: Sequence[Axis], weights: Mapping[str, float]) -> tuple[Axis, ...]:
    """The axes that have a weight."""
    return tuple(axis for axis in axes if weights.get(axis.name, 0.0) > 0)


def utility(axes: Sequence[Axis], weights: Mapping[str, float], contender: str) -> float | None:
    """A contender's utility; None where it was not measured on all that is weighed. Only differences mean something."""
    used = weighed(axes, weights)
    if not used or any(contender not in axis.places for axis in used):
        return None
    return sum(weights[axis.name] * axis.places[contender] for axis in used)


def lead(axes: Sequence[Axis], weights: Mapping[str, float], ahead: str, behind: str) -> Lead:
    """How far `ahead` is ahead of `behind`; both were measured on all that is weighed."""
    gap = spread = 0.0
    for axis in weighed(axes, weights):
        gap += weights[axis.name] * (axis.places[ahead] - axis.places[behind])
        spread += weights[axis.name] * axis.gains[behind, ahead].spread
    return Lead(gap, spread)


def chances(axes: Sequence[Axis], weights: Mapping[str, float], names: Sequence[str]) -> dict[str, float]:
    """How probable each of these contenders is the one with the highest utility.

    Under the normal approximation of the leads. Of two it is the normal distribution itself, of more the share of 4000
    fixed draws (a standard error of at most 0.008). No prior is put on anything: read it as a confidence distribution.
    """
    if len(names) == 1:
        return {names[0]: 1.0}
    if len(names) == 2:
        first = _above_zero(lead(axes, weights, names[0], names[1]))
        return {names[0]: first, names[1]: 1 - first}
    leads = [[lead(axes, weights, j, i) if i != j else Lead(0.0, 0.0) for j in names] for i in names]
    gaps = np.array([one.gap for one in leads[0][1:]])
    factor = _factor(np.array([[one.spread**2 for one in row] for row in leads]))
    drawn = gaps + normal_draws()[:, : len(gaps)] @ factor.T
    best = np.argmax(np.hstack([np.zeros((len(drawn), 1)), drawn]), axis=1)
    return {name: float((best == i).mean()) for i, name in enumerate(names)}


def _above_zero(one: Lead) -> float:
    if one.spread == 0:
        return 0.5 if one.gap == 0 else float(one.gap > 0)
    return 0.5 * (1 + erf(one.gap / one.spread / sqrt(2)))


def _factor(variances: Array) -> Array:
    """The Cholesky factor, shape (k - 1, k - 1), of the leads over the first contender.

    Their covariance follows from the variances of all pairs: cov(i, j) = (V_0i + V_0j - V_ij) / 2. Variances that come
    from intervals need not fit together exactly; a pivot below zero is taken as zero.
    """
    k = len(variances) - 1
    covariance = (variances[0, 1:, None] + variances[0, None, 1:] - variances[1:, 1:]) / 2
    factor = np.zeros((k, k))
    for j in range(k):
        pivot = covariance[j, j] - float(factor[j, :j] @ factor[j, :j])
        if pivot <= _NOTHING * covariance[j, j]:
            continue
        factor[j, j] = sqrt(pivot)
        for i in range(j + 1, k):
            factor[i, j] = (covariance[i, j] - float(factor[i, :j] @ factor[j, :j])) / factor[j, j]
    return factor
