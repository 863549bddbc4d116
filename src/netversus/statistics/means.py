"""Paired means: a real number on each unit, by two contenders."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import skew
from scipy.stats import t as student

from netversus.records import Effect
from netversus.statistics.bootstrap import bootstrap_mean, bootstrap_p, draws_for, percentile_interval
from netversus.statistics.pairing import fraction, vector


@dataclass(frozen=True, slots=True)
class MeanTest:
    """A mean difference with its interval and two-sided p."""

    effect: Effect
    p_value: float


def paired_t(differences: ArrayLike, level: float) -> MeanTest:
    """Student's t on the differences (shape (n,), n >= 2).

    Raises:
        StatisticsError: fewer than 2 differences, or one that is not finite.
    """
    values = vector(differences, "the differences", least=2)
    n = len(values)
    mean, error = float(values.mean()), float(values.std(ddof=1)) / sqrt(n)
    half = float(student.isf((1 - fraction(level, "the level")) / 2, n - 1)) * error
    size = abs(mean) / error if error else (inf if mean else 0.0)
    return MeanTest(Effect(mean, mean - half, mean + half, level), float(2 * student.sf(size, n - 1)))


def paired_bootstrap(differences: ArrayLike, level: float, *, seed: int) -> MeanTest:
    """Bayesian bootstrap of the mean of skewed differences, such as of the NLL (shape (n,), n >= 2).

    Raises:
        StatisticsError: fewer than 2 differences, or one that is not finite.
    """
    values = vector(differences, "the differences", least=2)
    draws = bootstrap_mean(values, draws=draws_for(level), seed=seed)
    return MeanTest(percentile_interval(float(values.mean()), draws, len(values), level), bootstrap_p(draws))


def t_is_safe(differences: NDArray[np.float64]) -> bool:
    """Cochran's rule for a mean's t interval: n > 25 * skewness^2."""
    return bool(len(differences) > 25 * float(skew(differences)) ** 2)


def rule_of_three(n: int, level: float) -> float:
    """The largest share of units that may differ when none of n did: 1 - (1 - level)^(1/n), about 3 / n."""
    return float(1 - (1 - level) ** (1 / n))
