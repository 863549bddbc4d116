"""Limits and priorities in, a contender out, with how sure that is and what would change it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netversus.analyse import analyse
from netversus.decide.axes import make_axes
from netversus.decide.choice import Field, certain, choice, fits
from netversus.decide.flips import Flip, find_flips
from netversus.decide.front import Sure, front
from netversus.decide.levels import levels_of, simultaneous_level
from netversus.decide.priorities import Priorities
from netversus.decide.utility import chances, lead, utility, weighed
from netversus.errors import EXIT_GATE_FAILED, EXIT_INCOMPLETE, EXIT_OK, EXIT_UNDECIDED
from netversus.evidence import StudyEvidence
from netversus.plan import Plan
from netversus.records import Finding
from netversus.store import RunStore


@dataclass(frozen=True, slots=True)
class Option:
    """One contender under the priorities.

    `behind` is by how many weighed steps the choice is ahead of it, with the ends of the interval that decides; None
    where it was not measured, or there is no choice. `chance` is how probable it is the best of those that fit or
    perhaps do; None where it does not fit. `fit` says whether it keeps the limits, `on_front` whether it is on the
    Pareto front of what is weighed.
    """

    contender: str
    fit: Sure
    on_front: Sure
    utility: float | None
    behind: tuple[float, float, float] | None
    chance: float | None


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The choice, None where nothing fits; whether it is certain; every contender; and what would flip it."""

    choice: str | None
    certain: bool
    options: tuple[Option, ...]
    flips: tuple[Flip, ...]

    @property
    def unmeasured(self) -> tuple[str, ...]:
        """The contenders that could not be judged."""
        return tuple(option.contender for option in self.options if option.fit is Sure.UNKNOWN)

    @property
    def exit_code(self) -> int:
        """0 certain, 4 undecided, 3 no contender keeps the limits, 5 one could not be judged."""
        if self.unmeasured:
            return EXIT_INCOMPLETE
        if self.choice is None:
            return EXIT_GATE_FAILED
        return EXIT_OK if self.certain else EXIT_UNDECIDED


def field_of(store: RunStore, plan: Plan, findings: Sequence[Finding] | None = None) -> Field:
    """What a stored run lets one choose from; the findings are derived anew where they are not given."""
    level = simultaneous_level(plan)
    levels = [each for study in plan.questions for each in levels_of(StudyEvidence(store, plan, study), level)]
    names = tuple(card.name for card in plan.contenders)
    axes = make_axes(plan.questions, analyse(store) if findings is None else findings, levels, names)
    return Field(names, axes, plan.request.level)


def recommend(field: Field, priorities: Priorities) -> Recommendation:
    """The contender that fits limits and weights best."""
    fit = {name: fits(field, priorities, name) for name in field.contenders}
    chosen = choice(field, priorities)
    possible = [name for name in field.contenders if fit[name] in (Sure.YES, Sure.PERHAPS)]
    probable = chances(field.axes, priorities.weights, possible) if possible else {}
    used = weighed(field.axes, priorities.weights)
    options = tuple(
        Option(
            contender=name,
            fit=fit[name],
            on_front=front(used, name, field.contenders),
            utility=utility(field.axes, priorities.weights, name),
            behind=_behind(field, priorities, chosen, name),
            chance=probable.get(name),
        )
        for name in field.contenders
    )
    sure = chosen is not None and certain(field, priorities, chosen)
    return Recommendation(chosen, sure, options, find_flips(field, priorities))


def _behind(field: Field, priorities: Priorities, chosen: str | None, name: str) -> tuple[float, float, float] | None:
    """The choice's lead over a contender: estimate and ends."""
    if chosen is None or chosen == name or utility(field.axes, priorities.weights, name) is None:
        return None
    ahead = lead(field.axes, priorities.weights, chosen, name)
    reach = field.reach * ahead.spread
    return ahead.gap, ahead.gap - reach, ahead.gap + reach
