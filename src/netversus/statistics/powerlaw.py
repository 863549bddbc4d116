"""Power laws y = c x^k: how fast a cost grows or an error shrinks, the slope of a straight line through logarithms."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netversus.errors import StatisticsError
from netversus.records import Effect
from netversus.statistics.means import paired_t
from netversus.statistics.pairing import vector

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """y = `coefficient` * x ** `exponent`.

    `interval` is the exponent's, None of fewer than two blocks. `misfit` is how far the farthest point lies off the
    curve, as a factor of at least 1: the interval tells what chance did, the misfit whether it is a power law at all.
    """

    exponent: float
    coefficient: float
    misfit: float
    interval: Effect | None


def exponents(x: ArrayLike, y: ArrayLike) -> Array:
    """The least-squares slope of log y on log x in each block, shape (blocks,).

    Args:
        x: shape (points,), positive, at least two of them different.
        y: shape (blocks, points), positive: every block holds every point.

    Raises:
        StatisticsError: shapes that do not fit, or a value that is not positive.
    """
    log_x, log_y = _logarithms(x, y)
    centred = log_x - log_x.mean()
    return np.asarray(log_y @ centred / (centred @ centred))


def fit_blocks(x: ArrayLike, y: ArrayLike, level: float) -> PowerLaw:
    """The power law through blocks of measurements, each of which holds every point.

    The points of a block share its luck, so the block is the unit: the exponent is the mean of the blocks' own slopes
    (which is the slope through all points, as every block has the same x), its interval Student's t over blocks.

    Args:
        x: shape (points,), positive, at least two of them different.
        y: shape (blocks, points), positive.
        level: confidence level of the interval.

    Raises:
        StatisticsError: shapes that do not fit, or a value that is not positive.
    """
    log_x, log_y = _logarithms(x, y)
    slopes = exponents(x, y)
    slope, middle = float(slopes.mean()), log_y.mean(axis=0)
    intercept = float(middle.mean()) - slope * float(log_x.mean())
    off = np.abs(middle - intercept - slope * log_x).max()
    interval = paired_t(slopes, level).effect if len(slopes) > 1 else None
    return PowerLaw(slope, exp(intercept), exp(float(off)), interval)


def _logarithms(x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    points = vector(x, "x", least=2)
    blocks = np.asarray(y, dtype=np.float64)
    if blocks.ndim != 2 or blocks.shape[1] != len(points) or not len(blocks):
        raise StatisticsError(f"y must have shape (blocks, {len(points)}), got {blocks.shape}")
    if not (np.isfinite(blocks).all() and (blocks > 0).all() and (points > 0).all()):
        raise StatisticsError("a power law needs positive finite values of x and y")
    if np.ptp(points) == 0:
        raise StatisticsError(f"a power law needs at least two different x, all are {points[0]:g}")
    return np.log(points), np.log(blocks)
