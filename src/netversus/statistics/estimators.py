"""Metrics of a whole set of units, as functions of what is kept for each unit and of weights on the units.

Every estimator is called `f(inputs, weights)`: `inputs` maps a metric's name to its values (float64, shape (n,)),
`weights` (non-negative, shape (n,) or (k, n)) says how much each unit counts; it gives a float or shape (k,).
Equal weights give the metric as published; a bootstrap only changes the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import pi, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from netversus.errors import StatisticsError, nearest

Array = NDArray[np.float64]
Estimator = Callable[[Mapping[str, Array], Array], Array]

BINS = 15


def expected_calibration_error(inputs: Mapping[str, Array], weights: Array) -> Array:
    """ECE in [0, 1] with 15 bins of equal width (Guo et al., ICML 2017).

    Inputs: `confidence`, the probability of the predicted class in [0, 1], and `top1`, 0 or 1. The weighted mean
    over bins of |accuracy - confidence|. A bin holds its right edge, as in the authors' code.
    """
    member, gap = _binned(inputs, weights)
    return np.asarray(np.abs(weights @ (member * gap[:, None])).sum(axis=-1) / weights.sum(axis=-1))


def debiased_calibration_error(inputs: Mapping[str, Array], weights: Array) -> Array:
    """ECE without most of its upward bias: noise alone makes |accuracy - confidence| positive in every bin.

    Inputs as for the ECE. Each bin's gap is taken as normal with its standard error, and the excess of the folded
    normal's mean over the gap is subtracted (the correction of Kumar, Liang & Ma, NeurIPS 2019, in closed form).
    The error follows the weights, so it grows with their spread and the correction holds under a bootstrap too.
    May be slightly below zero.
    """
    member, gap = _binned(inputs, weights)
    size = np.abs(weights @ (member * gap[:, None]))
    error = _bin_errors(member, gap, weights)
    safe = np.where(error > 0, error, 1.0)
    folded = safe * sqrt(2 / pi) * np.exp(-0.5 * (size / safe) ** 2) + size * (1 - 2 * ndtr(-size / safe))
    return np.asarray(np.where(error > 0, 2 * size - folded, size).sum(axis=-1) / weights.sum(axis=-1))


ESTIMATORS: Final[Mapping[str, Estimator]] = {
    "debiased_calibration_error": debiased_calibration_error,
    "expected_calibration_error": expected_calibration_error,
}


def estimator(name: str) -> Estimator:
    """The estimator of that name.

    Raises:
        StatisticsError: there is none.
    """
    if name not in ESTIMATORS:
        raise StatisticsError(
            f"there is no estimator {name!r}, only {', '.join(ESTIMATORS)}", hint=nearest(name, ESTIMATORS)
        )
    return ESTIMATORS[name]


def _binned(inputs: Mapping[str, Array], weights: Array) -> tuple[Array, Array]:
    """Which bin each unit lies in (one-hot, shape (n, bins)), and top1 - confidence (shape (n,))."""
    confidence, right = _input(inputs, "confidence"), _input(inputs, "top1")
    if confidence.shape != right.shape or weights.shape[-1:] != confidence.shape:
        raise StatisticsError(
            f"confidence, top1 and weights must cover the same units, got shapes {confidence.shape}, {right.shape} "
            f"and {weights.shape}"
        )
    if ((confidence < 0) | (confidence > 1)).any():
        raise StatisticsError("a confidence must lie in [0, 1]")
    index = np.clip(np.ceil(confidence * BINS).astype(np.intp) - 1, 0, BINS - 1)
    return np.eye(BINS)[index], right - confidence


def _bin_errors(member: Array, gap: Array, weights: Array) -> Array:
    """Standard error of each bin's weighted sum of gaps, shape (..., bins); 0 where one unit alone fills a bin."""
    share = weights @ member
    filled = np.where(share > 0, share, 1.0)
    mean = (weights @ (member * gap[:, None])) / filled
    spread = np.maximum((weights @ (member * (gap**2)[:, None])) / filled - mean**2, 0.0)
    power = (weights * weights) @ member
    effective = share**2 / np.where(power > 0, power, 1.0)  # Kish's effective number of units
    bessel = np.where(effective > 1, effective / np.where(effective > 1, effective - 1, 1.0), 0.0)
    return np.asarray(np.sqrt(spread * power * np.minimum(bessel, 2.0)))


def _input(inputs: Mapping[str, Array], name: str) -> Array:
    if name not in inputs:
        raise StatisticsError(f"the estimator needs the input {name!r}, got {', '.join(inputs) or 'none'}")
    return inputs[name]
