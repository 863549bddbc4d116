"""Each finding in two sentences: one for anyone, one for a statistician; and the run in one. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from netversus.messages import clauses, say, sentences, template, told
from netversus.quantities import (
    amount,
    counted,
    effect_text,
    interval_text,
    margin_text,
    p_text,
    plural,
    rough_count,
    times,
)
from netversus.records import Direction, Finding, Role, Scale, Verdict

_MUCH = {
    "layers": template("{values}: {more} has {times} as many layers as {less}."),
    "parameters": template("{values}: {more} has {times} as many parameters as {less}."),
    "MACs": template("{values}: {more} has {times} as many multiply-adds as {less}."),
    "bytes": template("{values}: {more} has {times} as many bytes as {less}."),
}
ONE_IN = {0.9: "10", 0.95: "20", 0.99: "100"}


def sentence(finding: Finding) -> str:
    """What was found, for somebody who knows no statistics."""
    if finding.value_a is None or finding.value_b is None:
        return _refused(finding)
    if finding.scale is Scale.FACT or finding.verdict is Verdict.DESCRIBED:
        return _described(finding)
    if finding.verdict is Verdict.EQUIVALENT:
        return sentences(say(_same(finding), margin=_margin(finding)), _early(finding))
    if finding.verdict is Verdict.UNDECIDED:
        return _undecided(finding)
    return _better(finding)


def winner(finding: Finding) -> str | None:
    """The better contender's name, where there is one."""
    return {Verdict.A_BETTER: finding.a, Verdict.B_BETTER: finding.b}.get(finding.verdict)


def further(finding: Finding) -> tuple[str, str] | None:
    """About how many more units would decide an open finding, and what they are: training seeds of each contender where
    recipes are compared, else what is paired on. None where no number would, or nothing is open."""
    if finding.verdict is not Verdict.UNDECIDED or not finding.further_units:
        return None
    unit = "training seed" if finding.scope == "recipes" else finding.paired_on
    return f"{rough_count(finding.further_units):,}", plural(finding.further_units, unit)


def _margin(finding: Finding) -> str:
    return margin_text(finding.margin, finding.scale, finding.unit)


def _same(finding: Finding) -> str:
    """The template for equals; a margin that was changed later was not named beforehand."""
    if finding.margin != finding.margin_declared:
        return template("Practically the same: the difference is smaller than {margin}.")
    return template(
        "Practically the same: the difference is smaller than {margin}, "
        "which was named beforehand as too small to matter."
    )


def _values(finding: Finding) -> str:
    return say(
        "{a} {value_a}, {b} {value_b}",
        a=finding.a,
        value_a=amount(finding.value_a, finding.unit),
        b=finding.b,
        value_b=amount(finding.value_b, finding.unit),
    )


def _refused(finding: Finding) -> str:
    """Contenders that could not be paired: the reason in the place of a verdict."""
    return say("No comparison: {reason}.", reason=clauses(map(told, finding.caveats))) if finding.caveats else ""


def _described(finding: Finding) -> str:
    a, b, values = finding.value_a, finding.value_b, _values(finding)
    if not a or not b or finding.scale not in (Scale.FACT, Scale.RATIO) or a == b:
        return say("{values}.", values=values)
    more, less = (finding.b, finding.a) if b > a else (finding.a, finding.b)
    much = _MUCH.get(finding.unit, template("{values}: {more} has {times} as much as {less}."))
    return say(much, values=values, more=more, times=times(max(a, b) / min(a, b)), less=less)


def _better(finding: Finding) -> str:
    assert finding.effect is not None
    best = str(winner(finding))
    other = finding.b if best == finding.a else finding.a
    if finding.scale is Scale.RATIO:
        return _ratio(finding, best, other)
    better = say(
        "{best} is better than {other}: {values}; the difference lies within {interval}.",
        best=best,
        other=other,
        values=_values(finding),
        interval=interval_text(finding.effect, finding.scale, finding.unit),
    )
    return sentences(better, _early(finding))


def _early(finding: Finding) -> str:
    """After how many of the units a verdict was certain, where the reading could stop early."""
    if finding.available is None or finding.e_value is None:
        return ""
    return say(
        "Decided after {n} of {units}; looking while they were read is accounted for.",
        n=f"{finding.n:,}",
        units=counted(finding.available, finding.paired_on),
    )


def _ratio(finding: Finding, best: str, other: str) -> str:
    """Ratios are said the way round that is above one."""
    assert finding.effect is not None
    effect = finding.effect
    ends = (effect.estimate, effect.low, effect.high)
    if effect.estimate < 1:
        ends = (1 / effect.estimate, 1 / effect.high, 1 / effect.low)
    how = _how_many_times(finding)
    ratio, low, high = map(times, ends)
    return say(how, best=best, other=other, times=ratio, low=low, high=high)


def _how_many_times(finding: Finding) -> str:
    if finding.direction is Direction.LOWER and finding.unit != "s":
        return template("{other} needs {times} as much as {best} (between {low} and {high}).")
    if finding.unit == "images/s":
        return template("{best} does {times} as many images a second as {other} (between {low} and {high}).")
    if finding.direction is Direction.LOWER:
        return template("{best} is {times} faster than {other} (between {low} and {high}).")
    return template("{best} is {times} as much as {other} (between {low} and {high}).")


def _undecided(finding: Finding) -> str:
    values, seen, more = _values(finding), counted(finding.n, finding.paired_on), further(finding)
    if finding.effect is None or more is None:
        return say("Cannot tell yet ({values} on {seen}).", values=values, seen=seen)
    return say(
        "Cannot tell yet; about {count} more {units} would be needed ({values} on {seen}).",
        count=more[0],
        units=more[1],
        values=values,
        seen=seen,
    )


def expert_sentence(finding: Finding) -> str:
    """The same for a statistician: estimate, interval, level, test, margin, n."""
    if finding.value_a is None or finding.value_b is None:
        return _refused(finding)
    values, method = _values(finding), told(finding.method)
    if finding.scale is Scale.FACT:
        return say("Deterministic; {values}; no interval. Method: {method}.", values=values, method=method)
    if finding.effect is not None:
        return say("{estimate}. Method: {method}.", estimate=clauses(_estimate(finding)), method=method)
    n, units = f"{finding.n:,}", plural(finding.n, finding.paired_on)
    if finding.available is not None or finding.method.startswith("none: "):  # the method says why there is none
        return say("{values} on {n} paired {units}. Method: {method}.", values=values, n=n, units=units, method=method)
    if finding.n == 1:
        few = template("{n} paired {units} is too few for an interval at this level; {values}. Method: {method}.")
    else:
        few = template("{n} paired {units} are too few for an interval at this level; {values}. Method: {method}.")
    return say(few, n=n, units=units, values=values, method=method)


def _estimate(finding: Finding) -> Iterator[str]:
    """What belongs to an estimate, clause by clause."""
    assert finding.effect is not None
    effect = finding.effect
    said = effect_text(effect, finding.scale, finding.unit)
    if finding.scale is Scale.RATIO:
        yield say("Ratio B / A {estimate}", estimate=said)
    else:
        yield say("Difference B − A {estimate}", estimate=said)
    level, interval = f"{100 * effect.level:.4g}", interval_text(effect, finding.scale, finding.unit)
    if finding.available is None:
        yield say("{level} % interval {interval}", level=level, interval=interval)
    else:
        yield say("{level} % confidence sequence {interval}", level=level, interval=interval)
    yield say("margin {margin}", margin=_margin(finding))
    yield say("n = {n} paired {units}", n=f"{finding.n:,}", units=plural(finding.n, finding.paired_on))
    if finding.e_value is not None:
        yield say("e = {e}, valid at every look", e=f"{finding.e_value:.3g}")
    if finding.p_raw is not None and finding.p_value is not None:
        yield say("{p}, after correction {corrected}", p=p_text(finding.p_raw), corrected=p_text(finding.p_value))


def primary_finding(findings: Iterable[Finding]) -> Sequence[Finding]:
    """The findings on the primary question of the run, without slices."""
    return [f for f in findings if f.role is Role.PRIMARY and not f.slice]


def plain_error_rate(level: float) -> str:
    """The error rate as people say it."""
    share = ONE_IN.get(round(level, 4), f"{1 / (1 - level):.0f}")
    return say("wrong at most 1 time in {share}", share=share)
