"""Means: a real number on each unit, by one contender or the difference of two."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netversus.messages import noted
from netversus.records import Effect
from netversus.statistics.bootstrap import (
    bootstrap_mean,
    bootstrap_p,
    bounded_interval,
    bounded_p,
    draws_for,
    percentile_interval,
)
from netversus.statistics.distributions import student
from netversus.statistics.pairing import fraction, vector
from netversus.statistics.permutation import FEW


@dataclass(frozen=True, slots=True)
class MeanTest:
    """A mean with its interval and the two-sided p that it is zero."""

    effect: Effect
    p_value: float
    method: str = noted("paired t")


def mean_test(values: ArrayLike, level: float, *, bounds: tuple[float, float] | None, seed: int) -> MeanTest:
    """The method that fits the values (shape (n,), n >= 2, not all the same): Student's t where there are few, or where
    it is safe; else the Bayesian bootstrap, which takes in the units unseen where a value has `bounds`.

    Raises:
        StatisticsError: fewer than 2 values, or one that is not finite.
    """
    array = vector(values, "the values", least=2)
    if len(array) < FEW or t_is_safe(array):
        return paired_t(array, level)
    if bounds is None:
        return paired_bootstrap(array, level, seed=seed)
    return bounded_bootstrap(array, level, bounds=bounds, seed=seed)


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
    effect = percentile_interval(float(values.mean()), draws, len(values), level)
    return MeanTest(effect, bootstrap_p(draws), noted("paired Bayesian bootstrap, {n} draws", n=len(draws)))


def bounded_bootstrap(values: ArrayLike, level: float, *, bounds: tuple[float, float], seed: int) -> MeanTest:
    """The same of values that have bounds and of which a few decide, such as of an attack that seldom succeeds: for
    either end one unit more lies at a bound (`bounded_interval`).

    Raises:
        StatisticsError: no value, or one that is not finite.
    """
    array = vector(values, "the values")
    lower, upper = (bootstrap_mean(np.append(array, end), draws=draws_for(level), seed=seed) for end in bounds)
    effect = bounded_interval(float(array.mean()), lower, upper, level)
    method = noted("paired Bayesian bootstrap with a unit at either bound, {n} draws", n=len(lower))
    return MeanTest(effect, bounded_p(lower, upper), method)


def t_is_safe(differences: NDArray[np.float64]) -> bool:
    """Cochran's rule for a mean's t interval: n > 25 * skewness^2."""
    centred = differences - differences.mean()
    skewness = float(np.mean(centred**3)) / float(np.mean(centred**2)) ** 1.5
    return bool(len(differences) > 25 * skewness**2)
