"""What would turn the verdict: the margin from which on it reads otherwise, and what speaks for the other contender.

Everything here is computed from the findings. Whether two are practically the same follows from the interval and the
margin alone (`statistics.equivalence.decide`), so the margin at which that changes is the end of the interval that lies
further from "no difference": at or above it they are, below it they are not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, expm1, floor, isfinite, log, log10

from netversus.messages import say
from netversus.quantities import margin_text
from netversus.records import Finding, Scale, Verdict
from netversus.report.headline import about_the_best, answer, deciding_findings, telling
from netversus.report.scorecard import is_refused
from netversus.statistics.permutation import units_needed
from netversus.wording import further, winner

MOST_FLIPS = 3


def flips(findings: Sequence[Finding]) -> tuple[str, ...]:
    """At most three sentences, the margin of the closest pair first; none where there is no verdict to turn."""
    deciding = [f for f in deciding_findings(findings) if not is_refused(f)]
    if not deciding:
        return ()
    first = about_the_best(deciding)[0]
    several = len(deciding) > 1
    said = [*_by_margin(first, several=several), *_by_more_units(first, several=several)]
    return tuple([*said, *_by_another_question(findings, deciding, several=several)][:MOST_FLIPS])


def turning_margin(finding: Finding) -> float | None:
    """The margin from which on two contenders are practically the same, as `Question.margin` has it; None where no
    finite one is, or so few units decide nothing."""
    effect = finding.effect
    if effect is None or (finding.e_value is None and finding.n < units_needed(1 - effect.level)):
        return None
    ends = (effect.low, effect.high)
    if finding.scale is Scale.RATIO:
        return expm1(max(abs(log(end)) for end in ends)) if min(ends) > 0 and isfinite(max(ends)) else None
    return max(map(abs, ends)) if all(map(isfinite, ends)) else None


def _by_margin(finding: Finding, *, several: bool) -> Iterator[str]:
    turn = turning_margin(finding)
    if not turn or finding.verdict is Verdict.DESCRIBED:
        return
    margin = margin_text(finding.margin, finding.scale, finding.unit)
    if finding.verdict is not Verdict.EQUIVALENT:
        turned = margin_text(_rounded(turn, up=True), finding.scale, finding.unit)
        said = say(
            "With a margin of {turned} or more, in the place of {margin}, the two would be practically the same.",
            turned=turned,
            margin=margin,
        )
    else:
        turned = margin_text(_rounded(turn, up=False), finding.scale, finding.unit)
        said = say(
            "With a margin below {turned}, in the place of {margin}, the two would not be practically the same: "
            "{otherwise}.",
            turned=turned,
            margin=margin,
            otherwise=_otherwise(finding),
        )
    yield _of_pair(finding, said, several=several)


def _otherwise(finding: Finding) -> str:
    """What an equivalent finding would say under a smaller margin: interval and test leave out "no difference", or
    not."""
    assert finding.effect is not None
    low, high, zero = finding.effect.low, finding.effect.high, 1.0 if finding.scale is Scale.RATIO else 0.0
    if low <= zero <= high or (finding.p_raw is not None and finding.p_raw > 1 - finding.effect.level):
        return say("it could not be told which is better")
    b_better = (low > zero) == (finding.direction == "higher")
    return say("{name} would be better", name=finding.b if b_better else finding.a)


def _by_more_units(finding: Finding, *, several: bool) -> Iterator[str]:
    more = further(finding)
    if more is not None:
        said = say(
            "About {n} more {units} would decide it, if the difference stays as it is.", n=more[0], units=more[1]
        )
        yield _of_pair(finding, said, several=several)


def _by_another_question(findings: Sequence[Finding], deciding: Sequence[Finding], *, several: bool) -> Iterator[str]:
    """Questions of other studies that speak for a contender that the primary question does not speak for."""
    best = {name for f in deciding if (name := winner(f))}
    for finding in telling(findings, deciding):
        other = winner(finding)
        if other is not None and other not in best:
            yield say(
                "Were it {study} that decides, {name}: {answer}",
                study=say(finding.study),
                name=other,
                answer=answer(finding, several=several),
            )


def _of_pair(finding: Finding, said: str, *, several: bool) -> str:
    return say("{a} and {b}: {said}", a=finding.a, b=finding.b, said=said) if several else said


def _rounded(margin: float, *, up: bool) -> float:
    """The margin in two digits, away from the side on which the verdict would not turn."""
    if not margin:
        return margin
    step = 10.0 ** (floor(log10(margin)) - 1)
    steps = round(margin / step, 6)  # 0.0087 is 87 steps of 0.0001, not 86.99999999999999
    turned = ceil(steps) if up else floor(steps)
    return float(f"{turned * step:.2g}") if turned else margin
