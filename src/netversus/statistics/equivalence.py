"""From an interval and a practical margin to a verdict.

The order of precedence, for an interval of the difference B - A and a margin m named before the data:

1. the whole interval lies within [-m, m]: `equivalent`. A difference that is certain but of no
   practical size is equivalent, whatever its p-value;
2. the interval lies on one side of zero: the better contender, by the metric's direction;
3. anything else: `undecided`. It is never read as "equal".

A metric that is better neither way is `described`. An interval of level 1 - alpha makes each of the two
one-sided equivalence tests one of size alpha / 2, stricter than the usual TOST, so that one interval serves
all verdicts.
"""

from __future__ import annotations

from math import isnan

from netversus.errors import StatisticsError
from netversus.records import Direction, Verdict


def decide(low: float, high: float, margin: float, direction: Direction) -> Verdict:
    """The verdict on contenders A and B from the interval [low, high] of B - A.

    For a ratio B / A pass the logarithms: log(low), log(high) and log(1 + margin).

    Raises:
        StatisticsError: the ends are out of order or not numbers, or the margin is negative.
    """
    _check(low, high, margin)
    if direction is Direction.NEITHER:
        return Verdict.DESCRIBED
    if -margin <= low and high <= margin:
        return Verdict.EQUIVALENT
    if low <= 0 <= high:
        return Verdict.UNDECIDED
    return Verdict.B_BETTER if (low > 0) == (direction is Direction.HIGHER) else Verdict.A_BETTER


def _check(low: float, high: float, margin: float) -> None:
    if isnan(low) or isnan(high) or low > high:
        raise StatisticsError(f"an interval must be ordered, got [{low}, {high}]")
    if not margin >= 0:
        raise StatisticsError(f"a margin must not be negative, got {margin}")
