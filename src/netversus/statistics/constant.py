"""What is the same on every unit: how far the units that were not seen could still move it.

A t interval or a bootstrap of constants has no width, and would be certain of what a few units cannot know. But if a
share q of all units were different, n units that are all alike would be seen with a chance of (1 - q)^n. So the share
that may differ is below 1 - (alpha / 2)^(1 / n), about 3.7 / n at 95 % (the "rule of three" for one side), and what
it can do is bounded where the values are. Of n units at one bound this is Clopper and Pearson's interval, for of all
distributions with that mean the one on the two bounds alone shows n equal values most often. Each end spends half of
the error, as everywhere.

The one place that decides this, for comparisons and for levels.
"""

from __future__ import annotations

from math import floor, log, log1p
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netversus.records import Effect, Question, Scale
from netversus.statistics.estimators import range_of, vouched
from netversus.statistics.pairing import fraction

Bounds = tuple[float, float]

_ALL = 1 - 1e-12  # of the units
_ROUNDING = 1e-13  # what differs by no more, relative to the values, is the same


def same(values: NDArray[np.float64], size: float | None = None) -> bool:
    """Whether all values, shape (n,), are one value but for rounding. `size` is how large the numbers were that they
    were computed from; none: as large as they are."""
    return bool(np.ptp(values) <= _ROUNDING * (np.abs(values).max() if size is None else size))


def is_zero(value: float, size: float) -> bool:
    """Whether a number is zero but for rounding; `size` is how large the numbers were that it was computed from."""
    return abs(value) <= _ROUNDING * size


def apart(values: NDArray[np.float64], size: float) -> NDArray[np.float64]:
    """Those of the values that are not zero but for rounding; `size` as for `is_zero`."""
    return values[np.abs(values) > _ROUNDING * size]


def bounds_of(question: Question) -> Bounds | None:
    """The least and the largest value that a unit can have, or a function of the whole set; None where there is no
    such."""
    if question.scale is Scale.PROPORTION:
        return 0.0, 1.0
    return range_of(question.estimator) if question.scale is Scale.AGGREGATE else question.bounds


def of_differences(bounds: Bounds | None) -> Bounds | None:
    """The least and the largest difference of two values within `bounds`."""
    return bounds and (bounds[0] - bounds[1], bounds[1] - bounds[0])


def unseen_share(n: int, level: float) -> float:
    """The largest share of all units that may differ from n that are all the same: 1 - ((1 - level) / 2)^(1 / n)."""
    return float(1 - ((1 - fraction(level, "the level")) / 2) ** (1 / n))


def alike_for_share(share: float, level: float) -> int:
    """So many units that are all the same leave a smaller share than this, in (0, 1), to those that may differ: the
    first n whose `unseen_share` lies below."""
    return floor(log((1 - fraction(level, "the level")) / 2) / log1p(-min(share, _ALL))) + 1


def constant_mean(value: float, n: int, level: float, bounds: Bounds) -> Effect:
    """The interval of a mean whose n units all have one value within `bounds`: the units unseen lie at a bound."""
    share = unseen_share(n, level)
    least, most = bounds
    return Effect(value, value - share * (value - least), value + share * (most - value), level)


def constant_aggregate(question: Question, inputs: dict[str, Any], value: float, level: float) -> Effect | None:
    """The same of an estimator (or of its difference between two contenders, of whom `inputs` are one's) that is
    `value` whatever the weights on the units. None where it can be anything, though few units are unseen."""
    known = vouched(question.estimator, inputs)
    if known is None:
        return None
    reach = known.stretch * unseen_share(known.units, level)
    return Effect(value, value - reach, value + reach, level)


def within(effect: Effect, bounds: Bounds | None) -> Effect:
    """The same interval with no end beyond the bounds; it still holds its estimate."""
    if bounds is None:
        return effect
    low = min(max(effect.low, bounds[0]), effect.estimate)
    return Effect(effect.estimate, low, max(min(effect.high, bounds[1]), effect.estimate), effect.level)
