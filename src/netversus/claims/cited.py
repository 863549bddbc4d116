"""Published figures -> what they say of one published binding.

A figure has no interval of its own. It is read as itself plus or minus the tolerance that the binding states, such as
by how much the same recipe differs from one training to the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netversus.claims.records import Binding, Claim, ClaimVerdict, Evidence, Figure, Kind, Rule
from netversus.claims.subjects import stands_for
from netversus.errors import OptionError
from netversus.records import Direction, Scale


def cited_evidence(claim: Claim, binding: Binding, figures: Sequence[Figure]) -> tuple[Evidence, ...]:
    """What each matching figure says of a binding, in the order of the files.

    Raises:
        OptionError: no figure is cited that the binding could be held against.
    """
    chosen = list(_chosen(claim, binding, figures))
    if not chosen:
        of = " and ".join(name for name in (binding.comparison.subject, binding.comparison.other) if name)
        where = " or ".join(binding.data or claim.data) or "any data"
        raise OptionError(
            f"claim {claim.id!r}: no published figure of {binding.metric} for {of} on {where} is known",
            hint="name a file of figures, or bind the claim to another",
        )
    if binding.comparison.kind is Kind.SPREAD:
        return (_spread(binding, chosen),)
    return tuple(_evidence(binding, figure, *values) for figure, values in chosen)


def taken_together(binding: Binding, evidence: Sequence[Evidence]) -> ClaimVerdict:
    """What several figures say by the binding's rule."""
    verdicts = [each.verdict for each in evidence]
    if binding.rule is Rule.REACHED:
        return _reached(binding, evidence)
    if binding.rule is Rule.MOST:
        for verdict in (ClaimVerdict.SUPPORTED, ClaimVerdict.CONTRADICTED):
            if 2 * verdicts.count(verdict) > len(verdicts):
                return verdict
        return ClaimVerdict.UNDECIDED
    if ClaimVerdict.CONTRADICTED in verdicts:
        return ClaimVerdict.CONTRADICTED
    return ClaimVerdict.UNDECIDED if ClaimVerdict.UNDECIDED in verdicts else ClaimVerdict.SUPPORTED


def _reached(binding: Binding, evidence: Sequence[Evidence]) -> ClaimVerdict:
    """One figure is enough; between figures that lie above and below, nothing can be told."""
    if any(each.verdict is ClaimVerdict.SUPPORTED for each in evidence):
        return ClaimVerdict.SUPPORTED
    above = all(each.low is not None and each.low > binding.region.high for each in evidence)
    below = all(each.high is not None and each.high < binding.region.low for each in evidence)
    return ClaimVerdict.CONTRADICTED if above or below else ClaimVerdict.UNDECIDED


def _chosen(
    claim: Claim, binding: Binding, figures: Sequence[Figure]
) -> Iterator[tuple[Figure, tuple[float, float | None]]]:
    """The figures of the binding's metric and data that give all the values that it compares."""
    data = {name.casefold() for name in binding.data or claim.data}
    for figure in figures:
        if figure.metric not in (binding.metric, *binding.also) or (data and figure.data.casefold() not in data):
            continue
        subject = _value(claim, binding.comparison.subject, figure)
        other = _value(claim, binding.comparison.other, figure) if binding.comparison.other else None
        if subject is not None and (other is not None or not binding.comparison.other):
            yield figure, (subject, other)


def _value(claim: Claim, name: str, figure: Figure) -> float | None:
    """A contender's value in a figure; None where the figure has none."""
    return next((value for known, value in figure.values.items() if stands_for(claim, name, known)), None)


def _evidence(binding: Binding, figure: Figure, subject: float, other: float | None) -> Evidence:
    kind, scale = binding.comparison.kind, Scale.MEAN
    number = subject
    if other is not None:
        number = subject - other
        if kind is Kind.RATIO:
            number, scale = (subject / other if other else float("nan")), Scale.RATIO
        if kind is Kind.GAP:
            number = abs(number)
    judged = -number if kind is Kind.BETTER and figure.direction is Direction.LOWER else number
    return Evidence(
        binding=binding,
        verdict=binding.region.judge(judged - binding.tolerance, judged + binding.tolerance),
        subject=binding.comparison.subject,
        other=binding.comparison.other,
        unit=figure.unit,
        scale=scale,
        estimate=number,
        low=number - binding.tolerance,
        high=number + binding.tolerance,
        data=figure.data,
        figures=(figure,),
    )


def _spread(binding: Binding, chosen: Sequence[tuple[Figure, tuple[float, float | None]]]) -> Evidence:
    """How far the figures of one contender lie apart."""
    least, most = (end(chosen, key=lambda each: each[1][0]) for end in (min, max))
    spread = most[1][0] - least[1][0]
    return Evidence(
        binding=binding,
        verdict=binding.region.judge(spread - binding.tolerance, spread + binding.tolerance),
        subject=binding.comparison.subject,
        other="",
        unit=most[0].unit,
        scale=Scale.MEAN,
        estimate=spread,
        low=spread - binding.tolerance,
        high=spread + binding.tolerance,
        data=most[0].data,
        figures=(least[0], most[0]),
    )
