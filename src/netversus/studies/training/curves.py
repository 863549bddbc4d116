"""The stored curves, read seed by seed. Loads no torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from netversus.statistics.pairing import Sample
from netversus.study import Evidence

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Images shown and values, round by round, both float64 of one shape (rounds,)."""


def curve(evidence: Evidence, contender: str, metric: str, seed: int, less: str = "") -> Curve | None:
    """One seed's images shown and values, round by round, less those of another metric."""
    sample = evidence.series(contender, metric, seed)
    other = evidence.series(contender, less, seed) if less else None
    if sample is None or (less and other is None):
        return None
    order = np.argsort(_images(sample), kind="stable")
    values = np.asarray(sample.values)[order]
    if other is not None:
        known = dict(zip(other.units, other.values, strict=True))
        if not all(unit in known for unit in sample.units):
            return None
        values = values - np.array([known[sample.units[i]] for i in order])
    return _images(sample)[order], values


def last(evidence: Evidence, contender: str, metric: str, seed: int) -> float | None:
    """The value of the last round."""
    found = curve(evidence, contender, metric, seed)
    return None if found is None else float(found[1][-1])


def by_round(evidence: Evidence, contender: str, metric: str, seed: int) -> NDArray[np.float64] | None:
    """What was observed in each round, in order: float64, shape (rounds,)."""
    sample = evidence.series(contender, metric, seed)
    if sample is None:
        return None
    return np.array([value for _, value in sorted(zip(sample.units, sample.values, strict=True))])


def _images(sample: Sample) -> NDArray[np.float64]:
    return np.array([float(unit.removeprefix("samples-")) for unit in sample.units])
