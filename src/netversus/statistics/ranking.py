"""How well a score tells outliers from what belongs: exact under weights, so that a bootstrap can reweight units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netversus.errors import StatisticsError

Array = NDArray[np.float64]

OUTLIER = "outlier"
"""The input that tells outliers (1) from what belongs (0)."""

ACCEPTED = 0.95
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class _Ranked:
    """Weights of those that belong and of the outliers at each distinct score, ascending; each shape (k, scores)."""

    belonging: Array
    outliers: Array


def area_under_roc(inputs: Mapping[str, Any], weights: Array) -> Array:
    """The chance that an outlier's score is higher than that of a unit which belongs; ties count half (Fawcett 2006).

    Inputs: `outlier`, 0 or 1, and one other: a score that is the higher the more outlying. NaN where the weights leave
    none of either kind.
    """
    ranked = _ranked(inputs, weights)
    below = ranked.belonging.cumsum(axis=1) - ranked.belonging / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        area = (ranked.outliers * below).sum(axis=1) / ranked.outliers.sum(axis=1) / ranked.belonging.sum(axis=1)
    return area if weights.ndim > 1 else np.asarray(area[0])


def false_positive_rate(inputs: Mapping[str, Any], weights: Array) -> Array:
    """The share of the outliers that pass where 95 % of what belongs passes: FPR95 (Liang, Li & Srikant 2018).

    Inputs as for `area_under_roc`. The threshold is the lowest score that lets 95 % pass; what has that score passes.
    """
    ranked = _ranked(inputs, weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        passing = ranked.belonging.cumsum(axis=1) / ranked.belonging.sum(axis=1, keepdims=True)
        passed = ranked.outliers.cumsum(axis=1) / ranked.outliers.sum(axis=1, keepdims=True)
    first = np.argmax(passing >= ACCEPTED - _ROUNDING, axis=1)
    rate = passed[np.arange(len(first)), first]
    return rate if weights.ndim > 1 else np.asarray(rate[0])


def _ranked(inputs: Mapping[str, Any], weights: Array) -> _Ranked:
    """Raises:
    StatisticsError: the inputs are not a score and `outlier`, or do not cover the same units.
    """
    others = [name for name in inputs if name != OUTLIER]
    if OUTLIER not in inputs or len(others) != 1:
        raise StatisticsError(f"expected a score and {OUTLIER!r}, got {', '.join(inputs) or 'nothing'}")
    score, outlier = np.asarray(inputs[others[0]], float), np.asarray(inputs[OUTLIER], float)
    if score.shape != outlier.shape or weights.shape[-1:] != score.shape:
        raise StatisticsError(
            f"score, {OUTLIER!r} and weights must cover the same units, got shapes "
            f"{score.shape}, {outlier.shape} and {weights.shape}"
        )
    if not np.isin(outlier, (0.0, 1.0)).all():
        raise StatisticsError(f"{OUTLIER!r} must be 0 or 1")
    if np.isnan(score).any():
        raise StatisticsError("a score must be a number, got NaN")
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(score[order]) > 0]) if len(order) else np.zeros(0, np.intp)
    table = np.atleast_2d(weights)[:, order]
    kinds = (table * (1 - outlier[order]), table * outlier[order])
    return _Ranked(*(np.add.reduceat(kind, starts, axis=1) if len(order) else kind for kind in kinds))
