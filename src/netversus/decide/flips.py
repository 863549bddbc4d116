"""What would change the choice: the weight or the limit at which it flips, one at a time, exactly.

The utility is linear in each weight, so that with the others unchanged the choice c and a rival j are level at

    w* = w - lead(c, j) / (place_c - place_j)        places on that question, in steps

and the first such weight on either side is where the choice flips. A limit changes who fits only where it passes an end
of a contender's interval, so that it is enough to choose anew just beyond each of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from netversus.decide.axes import Axis
from netversus.decide.choice import Field, candidates, choice
from netversus.decide.priorities import Limit, Priorities
from netversus.decide.utility import lead

_BEYOND = 1e-12  # relative
_WEIGHT = 1e-9  # less is what rounding leaves of a weight of nothing


@dataclass(frozen=True, slots=True)
class Flip:
    """Beyond `at` ("above" or "below"), the choice is `to`, None where nothing fits any more.

    `kind` is "weight" (a weight of the question) or "limit" (its threshold, in the metric's stored unit).
    """

    kind: str
    axis: str
    side: str
    at: float
    to: str | None


def find_flips(field: Field, priorities: Priorities) -> tuple[Flip, ...]:
    """Every way in which one weight or one limit changes the choice; none where there is no choice."""
    chosen = choice(field, priorities)
    if chosen is None:
        return ()
    weights = [flip for axis in field.axes for flip in _of_weight(field, priorities, chosen, axis)]
    limits = [flip for i in range(len(priorities.limits)) for flip in _of_limit(field, priorities, chosen, i)]
    return (*weights, *limits)


def _of_weight(field: Field, priorities: Priorities, chosen: str, axis: Axis) -> Iterator[Flip]:
    rivals = [name for name in candidates(field, priorities) if name != chosen]
    if not axis.step or any(name not in axis.places for name in (chosen, *rivals)):
        return
    now = priorities.weights.get(axis.name, 0.0)
    below: dict[str, float] = {}
    above: dict[str, float] = {}
    for rival in rivals:
        slope = axis.places[chosen] - axis.places[rival]
        if slope == 0:
            continue
        at = now - lead(field.axes, priorities.weights, chosen, rival).gap / slope
        if slope > 0 and at > _WEIGHT:
            below[rival] = at
        if slope < 0:
            above[rival] = at
    if below:
        first = max(below, key=lambda name: below[name])
        yield Flip("weight", axis.name, "below", below[first], first)
    if above:
        first = min(above, key=lambda name: above[name])
        yield Flip("weight", axis.name, "above", above[first], first)


def _of_limit(field: Field, priorities: Priorities, chosen: str, number: int) -> Iterator[Flip]:
    """The nearest ends of intervals, on either side, beyond which the choice is another."""
    limit = priorities.limits[number]
    levels = field.by_name[limit.axis].levels.values()
    ends = sorted({end for level in levels for end in (level.low, level.high) if end is not None})
    for side, passed in (
        ("below", [e for e in reversed(ends) if e <= limit.threshold]),
        ("above", [e for e in ends if e >= limit.threshold]),
    ):
        for end in passed:
            to = choice(field, _with_limit(priorities, number, _just(end, side)))
            if to != chosen:
                yield Flip("limit", limit.axis, side, end, to)
                break


def _just(end: float, side: str) -> float:
    """A number just beyond an end."""
    reach = abs(end) * _BEYOND + 1e-300
    return end - reach if side == "below" else end + reach


def _with_limit(priorities: Priorities, number: int, threshold: float) -> Priorities:
    limits: list[Limit] = list(priorities.limits)
    limits[number] = replace(limits[number], threshold=threshold)
    return replace(priorities, limits=tuple(limits))
