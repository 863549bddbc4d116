"""Corrections for asking several questions at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netversus.errors import StatisticsError
from netversus.statistics.pairing import fraction, vector

Array = NDArray[np.float64]


def holm(p_values: ArrayLike) -> Array:
    """Holm's adjusted p-values (1979), shape (m,): below alpha for a family-wise error of at most alpha.

    Valid under any dependence. For few questions.
    """
    p = _probabilities(p_values)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return _restored(np.minimum(stepped, 1.0), order)


def benjamini_hochberg(p_values: ArrayLike) -> Array:
    """Benjamini and Hochberg's adjusted p-values (1995), shape (m,).

    Below q for a false discovery rate of at most q. For many questions, independent or positively dependent.
    """
    p = _probabilities(p_values)
    order = np.argsort(p, kind="stable")
    stepped = p[order] * len(p) / np.arange(1, len(p) + 1)
    return _restored(np.minimum(np.minimum.accumulate(stepped[::-1])[::-1], 1.0), order)


def e_benjamini_hochberg(e_values: ArrayLike, rate: float) -> NDArray[np.bool_]:
    """Which e-values are discoveries at this false discovery rate, shape (m,).

    Wang & Ramdas, JRSS B 84 (2022). Valid under any dependence and at any stopping time: for sequential
    results.

    Raises:
        StatisticsError: an e-value is negative.
    """
    e = vector(e_values, "the e-values")
    if (e < 0).any():
        raise StatisticsError("an e-value must not be negative")
    ranked = np.sort(e)[::-1]
    passing = np.nonzero(np.arange(1, len(e) + 1) * ranked >= len(e) / fraction(rate, "the rate"))[0]
    return e >= ranked[passing[-1]] if len(passing) else np.zeros(len(e), dtype=bool)


def _probabilities(p_values: ArrayLike) -> Array:
    p = vector(p_values, "the p-values")
    if ((p < 0) | (p > 1)).any():
        raise StatisticsError("a p-value must lie in [0, 1]")
    return p


def _restored(adjusted: Array, order: NDArray[np.intp]) -> Array:
    back = np.empty_like(adjusted)
    back[order] = adjusted
    return back
