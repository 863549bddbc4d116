"""The Pareto front with uncertainty: which contenders no other is better than on everything that is asked."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from netversus.decide.axes import Axis


class Sure(StrEnum):
    """Whether something holds, as far as intervals tell. `UNKNOWN`: it was not measured."""

    YES = "surely"
    PERHAPS = "perhaps"
    NO = "no"
    UNKNOWN = "not measured"


def front(axes: Sequence[Axis], contender: str, others: Sequence[str]) -> Sure:
    """Whether a contender is on the Pareto front of these axes.

    It is off the front when some other surely dominates it: is surely better on one axis and, on every other, surely
    not worse by more than the margin. It is surely on it when, for each other one, there is an axis on which it is
    surely better. The intervals are the findings' own, which hold together.
    """
    if not axes or any(contender not in axis.places for axis in axes):
        return Sure.UNKNOWN
    rivals = [other for other in others if other != contender and all(other in axis.places for axis in axes)]
    if any(_dominates(axes, rival, contender) for rival in rivals):
        return Sure.NO
    safe = all(any(axis.gains[rival, contender].low > 0 for axis in axes) for rival in rivals)
    return Sure.YES if safe else Sure.PERHAPS


def _dominates(axes: Sequence[Axis], rival: str, contender: str) -> bool:
    gains = [(axis.gains[contender, rival], axis.slack) for axis in axes]
    better = any(gain.low > 0 for gain, _ in gains)
    return better and all(gain.low >= -slack for gain, slack in gains)
