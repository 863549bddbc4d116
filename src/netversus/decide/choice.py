"""Which contenders keep the limits, which of them is best, and whether that is certain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from netversus.decide.axes import Axis
from netversus.decide.front import Sure
from netversus.decide.priorities import Limit, Priorities
from netversus.decide.utility import lead, utility
from netversus.statistics.distributions import norm


@dataclass(frozen=True)
class Field:
    """All that a choice is made from. `level` is the run's confidence level."""

    contenders: tuple[str, ...]
    axes: tuple[Axis, ...]
    level: float

    @property
    def by_name(self) -> Mapping[str, Axis]:
        """The axes by "study.metric"."""
        return {axis.name: axis for axis in self.axes}

    @property
    def reach(self) -> float:
        """Standard deviations that a sure lead must be long: the error rate's half, shared by all rivals (Bonferroni),
        so that a contender is called the best wrongly only at that rate, whichever is the best (Hsu, Annals of
        Statistics 12, 1984)."""
        rivals = max(1, len(self.contenders) - 1)
        return float(norm.isf((1 - self.level) / (2 * rivals)))


def keeps(axis: Axis, limit: Limit, contender: str) -> Sure:
    """Whether a contender keeps a limit, by the interval of its own level."""
    level = axis.levels.get(contender)
    if level is None or level.low is None or level.high is None:
        return Sure.UNKNOWN
    ends = [end >= limit.threshold if limit.at_least else end <= limit.threshold for end in (level.low, level.high)]
    return Sure.YES if all(ends) else Sure.PERHAPS if any(ends) else Sure.NO


def fits(field: Field, priorities: Priorities, contender: str) -> Sure:
    """Whether a contender keeps every limit and was measured on all that is weighed."""
    axes = field.by_name
    kept = {keeps(axes[limit.axis], limit, contender) for limit in priorities.limits}
    if Sure.NO in kept:
        return Sure.NO
    if Sure.UNKNOWN in kept or utility(field.axes, priorities.weights, contender) is None:
        return Sure.UNKNOWN
    return Sure.PERHAPS if Sure.PERHAPS in kept else Sure.YES


def candidates(field: Field, priorities: Priorities) -> tuple[str, ...]:
    """Those that the choice is among: all that surely fit; where none does, those that perhaps do."""
    found = {name: fits(field, priorities, name) for name in field.contenders}
    sure = tuple(name for name, fit in found.items() if fit is Sure.YES)
    return sure or tuple(name for name, fit in found.items() if fit is Sure.PERHAPS)


def best(field: Field, priorities: Priorities, among: Sequence[str]) -> str | None:
    """The one with the highest utility, the first of equals; None of none."""
    utilities = {name: utility(field.axes, priorities.weights, name) or 0.0 for name in among}
    return max(among, key=lambda name: utilities[name], default=None)


def choice(field: Field, priorities: Priorities) -> str | None:
    """The contender that fits best."""
    return best(field, priorities, candidates(field, priorities))


def certain(field: Field, priorities: Priorities, chosen: str) -> bool:
    """Whether the choice surely fits, and is surely ahead of every other that fits or perhaps does."""
    if fits(field, priorities, chosen) is not Sure.YES:
        return False
    rivals = [n for n in field.contenders if n != chosen and fits(field, priorities, n) in (Sure.YES, Sure.PERHAPS)]
    return all(lead(field.axes, priorities.weights, chosen, rival).surely(field.reach) for rival in rivals)
