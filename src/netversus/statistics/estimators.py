"""Metrics of a whole set of units, as functions of what is kept for each unit and of weights on the units.

Every estimator is called `f(inputs, weights)`: `inputs` maps a metric's name to its values (float64, shape
(n,)), `weights` (non-negative, shape (n,) or (k, n)) says how much each unit counts; it gives a float or
shape (k,). Equal weights give the metric as published; a bootstrap only changes the weights.

An average precision takes more of a picture than a number, and a score of tracks more of a sequence: their input holds
a record for each unit (`with_records`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from math import inf
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from netversus.errors import PairingError, StatisticsError, nearest
from netversus.statistics.average_precision import AveragePrecision
from netversus.statistics.bootstrap import OfSums
from netversus.statistics.detections import Seen, class_matches, loaded
from netversus.statistics.pairing import Sample
from netversus.statistics.ranking import OUTLIER, area_under_roc, false_positive_rate
from netversus.statistics.tracks import SCORES, Counts
from netversus.statistics.tracks import loaded as loaded_counts
from netversus.statistics.tracks import score as score_of_tracks

Array = NDArray[np.float64]
Estimator = Callable[[Mapping[str, Any], Array], Array]

BINS = 15
_ONE_UNIT = 1e-9


def expected_calibration_error(inputs: Mapping[str, Any], weights: Array) -> Array:
    """ECE in [0, 1] with 15 bins of equal width (Guo et al., ICML 2017).

    Inputs: `confidence`, the probability of the predicted class in [0, 1], and `top1`, 0 or 1. The weighted
    mean over bins of |accuracy - confidence|. A bin holds its right edge, as in the authors' code.
    """
    index, gap = _binned(inputs, weights)
    return np.asarray(np.abs(weights @ _spread_out(index, gap)).sum(axis=-1) / weights.sum(axis=-1))


def difference_of(function: Estimator, a: Mapping[str, Any], b: Mapping[str, Any]) -> Callable[[Array], Array]:
    """`f(b, weights) - f(a, weights)` as a function of weights of shape (k, n), for a bootstrap that asks it again and
    again.

    The calibration error is a function of weighted sums: the bins are laid out once, and the sums of both contenders
    are one product. Every other estimator is asked twice.
    """
    if function is not debiased_squared_calibration_error:
        return lambda weights: function(b, weights) - function(a, weights)
    (of_b, squared_b), (of_a, squared_a) = _bins_of(b), _bins_of(a)
    columns, squared = np.hstack([of_b, of_a]), np.hstack([squared_b, squared_a])
    ends = np.cumsum([of_b.shape[1], of_a.shape[1], squared_b.shape[1]])

    def difference(sums: Array) -> Array:
        sums_b, sums_a, power_b, power_a = np.split(sums, ends, axis=1)
        return np.asarray(_debiased(sums_b, power_b) - _debiased(sums_a, power_a))

    return OfSums(columns, difference, squared)


def of_one(function: Estimator, inputs: Mapping[str, Any]) -> Callable[[Array], Array]:
    """`f(inputs, weights)` as a function of weights of shape (k, n), for a bootstrap: see `difference_of`."""
    if function is not debiased_squared_calibration_error:
        return lambda weights: function(inputs, weights)
    columns, squared = _bins_of(inputs)
    return OfSums(columns, lambda sums: _debiased(*np.split(sums, [columns.shape[1]], axis=1)), squared)


def debiased_squared_calibration_error(inputs: Mapping[str, Any], weights: Array) -> Array:
    """Mean squared calibration error, in the Brier score's unit, without its upward bias.

    Noise alone makes every bin's gap differ from zero. Of the absolute gap (the ECE) that bias cannot be removed, of
    the squared gap it can: its sampling variance is subtracted (Kumar, Liang & Ma, NeurIPS 2019; Broecker 2012).
    Inputs as for the ECE. The variance follows the weights, so that the correction holds under a bootstrap too. May
    be slightly below zero. Of a bin of a single unit nothing is known but noise: it adds nothing.
    """
    columns, squared = _bins_of(inputs, weights)
    return _debiased(weights @ columns, (weights * weights) @ squared)


@dataclass(frozen=True, slots=True)
class Detected:
    """COCO's average precision in [0, 1], of objects of a size (`netversus.statistics.detections`), at one threshold of
    IoU or averaged over ten. Its one input holds records of pictures."""

    size: str = "all"
    threshold: float | None = None

    def __call__(self, inputs: Mapping[str, Any], weights: Array) -> Array:
        """The average precision under weights of shape (n,) or (k, n).

        Raises:
            StatisticsError: the input holds no records.
        """
        (records,) = inputs.values()
        if not all(isinstance(one, Seen) for one in records):
            raise StatisticsError("an average precision needs the matched detections of each picture, not numbers")
        return _average_precision(tuple(records), self.size, self.threshold)(weights)

    def recorded(self, content: bytes) -> dict[str, Seen] | None:
        """The records that a file keeps, by unit; None where they hold no objects of the size."""
        matches = loaded(content)
        return dict(zip(matches.units, matches.records, strict=True)) if matches.holds(self.size) else None


@lru_cache(maxsize=4)  # a bootstrap asks again and again
def _average_precision(records: tuple[Seen, ...], size: str, threshold: float | None) -> AveragePrecision:
    return AveragePrecision(class_matches(records, size, threshold))


@dataclass(frozen=True, slots=True)
class Tracked:
    """A score of tracks (`netversus.statistics.tracks`). Its one input holds the counts of sequences."""

    score: str

    def __call__(self, inputs: Mapping[str, Any], weights: Array) -> Array:
        """The score under weights of shape (n,) or (k, n).

        Raises:
            StatisticsError: the input holds no counts.
        """
        (records,) = inputs.values()
        if not all(isinstance(one, Counts) for one in records):
            raise StatisticsError("a score of tracks needs the counts of each sequence, not numbers")
        return score_of_tracks(self.score, records, weights)

    def recorded(self, content: bytes) -> dict[str, Counts] | None:
        """The records that a file keeps, by unit; None where no sequence holds an object."""
        counts = loaded_counts(content)
        return {one.unit: one for one in counts} if any(one.objects for one in counts) else None


def with_records(name: str, sample: Sample, content: bytes) -> Sample | None:
    """A sample with a record for each of its units, read from the file that keeps them; None where the units hold
    nothing that the estimator is about (objects of its size): what is absent is not 0.

    Raises:
        PairingError: a unit has no record.
        StatisticsError: the file cannot be read, or the estimator takes no records.
    """
    function = estimator(name)
    if not isinstance(function, Detected | Tracked):
        raise StatisticsError(f"the estimator {name!r} takes numbers, not records")
    kept = function.recorded(content)
    if kept is None:
        return None
    lacking = [unit for unit in sample.units if unit not in kept]
    if lacking:
        raise PairingError(f"{len(lacking)} units have no record, first {lacking[0]}")
    records = np.empty(len(sample.units), dtype=np.object_)
    records[:] = [kept[unit] for unit in sample.units]
    return replace(sample, records=records)


ESTIMATORS: Final[Mapping[str, Estimator]] = {
    "area_under_roc": area_under_roc,
    "average_precision": Detected(),
    "average_precision_50": Detected(threshold=0.5),
    "average_precision_75": Detected(threshold=0.75),
    "average_precision_small": Detected("small"),
    "average_precision_medium": Detected("medium"),
    "average_precision_large": Detected("large"),
    "debiased_squared_calibration_error": debiased_squared_calibration_error,
    "expected_calibration_error": expected_calibration_error,
    "false_positive_rate": false_positive_rate,
    **{f"tracks_{name}": Tracked(name) for name in SCORES},
}


WITHOUT_INTERVAL: Final = frozenset({"expected_calibration_error"})
"""Estimators whose bias no resampling knows: they describe, and no interval around them holds the truth."""

_RANGES: Final[Mapping[str, tuple[float, float]]] = {"tracks_mota": (-inf, 1.0), "tracks_idsw": (0.0, inf)}


def range_of(name: str) -> tuple[float, float]:
    """The least and the largest value that what an estimator estimates can have."""
    return _RANGES.get(name, (0.0, 1.0))


@dataclass(frozen=True, slots=True)
class Vouched:
    """What an estimator that comes to one number whatever the weights leaves open: units that were not seen, a share q
    of all, move it (or its difference between two contenders) by at most `stretch` times q. `units` is how many of the
    units of their kind were seen."""

    units: int
    stretch: float


def vouched(name: str, inputs: Mapping[str, Any]) -> Vouched | None:
    """What is left open by such an estimator; None where few units can count for any share of it: a picture full of
    boxes, one of the 5 % that set a threshold.

    The area under the ROC curve: of m pairs of an outlier and a unit that belongs, no unit in two of them, all are
    ranked rightly with a chance of (area)^m, and m can be as large as the smaller kind. The calibration error: a share
    q of units moves a bin's gap by twice its share of the bin, and the square of the gap by twice that.
    """
    if name == "area_under_roc":
        kinds = np.bincount(_input(inputs, OUTLIER).astype(np.intp), minlength=2)
        return Vouched(int(kinds.min()), 1.0) if kinds.min() else None
    if name == "debiased_squared_calibration_error":
        return Vouched(len(_input(inputs, "top1")), 4.0)
    return None


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


def _bins_of(inputs: Mapping[str, Any], weights: Array | None = None) -> tuple[Array, Array]:
    """What is summed in each bin that holds a unit: under the weights gaps, their squares and ones, shape (n, 3 bins),
    under the squares of the weights ones, shape (n, bins)."""
    index, gap = _binned(inputs, np.ones(len(_input(inputs, "top1"))) if weights is None else weights)
    _, index = np.unique(index, return_inverse=True)
    gaps, squares, members = (_spread_out(index, values) for values in (gap, gap**2, np.ones_like(gap)))
    return np.hstack([gaps, squares, members]), members


def _debiased(sums: Array, power: Array) -> Array:
    """The calibration error from the sums of `_bins_of`, shapes (..., 3 bins) and (..., bins)."""
    gaps, squares, share = np.split(sums, 3, axis=-1)
    filled = np.where(share > 0, share, 1.0)
    spread = np.maximum(squares / filled - (gaps / filled) ** 2, 0.0)
    lost = 1 - power / filled**2  # Bessel's correction for weighted units; 0 for one unit
    variance = np.where(lost > _ONE_UNIT, spread * power / np.where(lost > _ONE_UNIT, lost, 1.0), gaps**2)
    return np.asarray(((gaps**2 - variance) / filled).sum(axis=-1) / share.sum(axis=-1))


def _binned(inputs: Mapping[str, Any], weights: Array) -> tuple[NDArray[np.intp], Array]:
    """Which bin each unit lies in, and top1 - confidence, shapes (n,)."""
    confidence, right = _input(inputs, "confidence"), _input(inputs, "top1")
    if confidence.shape != right.shape or weights.shape[-1:] != confidence.shape:
        raise StatisticsError(
            f"confidence, top1 and weights must cover the same units, got shapes "
            f"{confidence.shape}, {right.shape} and {weights.shape}"
        )
    if ((confidence < 0) | (confidence > 1)).any():
        raise StatisticsError("a confidence must lie in [0, 1]")
    index = np.clip(np.ceil(confidence * BINS).astype(np.intp) - 1, 0, BINS - 1)
    return index, right - confidence


def _spread_out(index: NDArray[np.intp], values: Array) -> Array:
    """Each unit's value in the column of its bin, zeros elsewhere, shape (n, bins)."""
    table = np.zeros((len(values), int(index.max()) + 1))
    table[np.arange(len(values)), index] = values
    return table


def _input(inputs: Mapping[str, Any], name: str) -> Array:
    if name not in inputs:
        raise StatisticsError(f"the estimator needs the input {name!r}, got {', '.join(inputs) or 'none'}")
    return np.asarray(inputs[name], dtype=np.float64)
