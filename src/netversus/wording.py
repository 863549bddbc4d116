"""Each finding in two sentences: one for anyone, one for a statistician; and the run in one. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
    "layers": "as many layers as",
    "parameters": "as many parameters as",
    "MACs": "as many multiply-adds as",
    "bytes": "as many bytes as",
}
ONE_IN = {0.9: "10", 0.95: "20", 0.99: "100"}


def sentence(finding: Finding) -> str:
    """What was found, for somebody who knows no statistics."""
    if finding.scale is Scale.FACT or finding.verdict is Verdict.DESCRIBED:
        return _described(finding)
    if finding.verdict is Verdict.EQUIVALENT:
        return (
            f"Practically the same: the difference is smaller than {_margin(finding)}, "
            f"which was named beforehand as too small to matter.{_early(finding)}"
        )
    if finding.verdict is Verdict.UNDECIDED:
        return _undecided(finding)
    return _better(finding)


def winner(finding: Finding) -> str | None:
    """The better contender's name, where there is one."""
    return {Verdict.A_BETTER: finding.a, Verdict.B_BETTER: finding.b}.get(finding.verdict)


def _margin(finding: Finding) -> str:
    return margin_text(finding.margin, finding.scale, finding.unit)


def _values(finding: Finding) -> str:
    a, b = amount(finding.value_a, finding.unit), amount(finding.value_b, finding.unit)
    return f"{finding.a} {a}, {finding.b} {b}"


def _described(finding: Finding) -> str:
    a, b = finding.value_a, finding.value_b
    words = f"{_values(finding)}"
    if a and b and finding.scale in (Scale.FACT, Scale.RATIO) and a != b:
        more, less = (finding.b, finding.a) if b > a else (finding.a, finding.b)
        much = _MUCH.get(finding.unit, "as much as")
        words += f": {more} has {times(max(a, b) / min(a, b))} {much} {less}"
    return words + "."


def _better(finding: Finding) -> str:
    assert finding.effect is not None
    best = winner(finding)
    other = finding.b if best == finding.a else finding.a
    if finding.scale is Scale.RATIO:
        return _ratio(finding, str(best), other)
    interval = interval_text(finding.effect, finding.scale, finding.unit)
    return f"{best} is better than {other}: {_values(finding)}; the difference lies within {interval}.{_early(finding)}"


def _early(finding: Finding) -> str:
    """After how many of the units a verdict was certain, where the reading could stop early."""
    if finding.available is None or finding.e_value is None:
        return ""
    return (
        f" Decided after {finding.n:,} of {counted(finding.available, finding.paired_on)}; "
        "looking while they were read is accounted for."
    )


def _ratio(finding: Finding, best: str, other: str) -> str:
    """Ratios are said the way round that is above one."""
    assert finding.effect is not None
    effect = finding.effect
    ends = (effect.estimate, effect.low, effect.high)
    if effect.estimate < 1:
        ends = (1 / effect.estimate, 1 / effect.high, 1 / effect.low)
    estimate, low, high = (times(end) for end in ends)
    if finding.direction is Direction.LOWER and finding.unit != "s":
        return f"{other} needs {estimate} as much as {best} (between {low} and {high})."
    if finding.unit == "images/s":
        return f"{best} does {estimate} as many images a second as {other} (between {low} and {high})."
    word = "faster than" if finding.direction is Direction.LOWER else "as much as"
    return f"{best} is {estimate} {word} {other} (between {low} and {high})."


def _undecided(finding: Finding) -> str:
    if finding.effect is None or not finding.further_units:
        more = ""
    else:
        unit = plural(finding.further_units, finding.paired_on)
        more = f"; about {rough_count(finding.further_units):,} more {unit} would be needed"
    seen = "" if finding.value_a is None else f" ({_values(finding)} on {counted(finding.n, finding.paired_on)})"
    return f"Cannot tell yet{more}{seen}."


def expert_sentence(finding: Finding) -> str:
    """The same for a statistician: estimate, interval, level, test, margin, n."""
    if finding.scale is Scale.FACT:
        return f"Deterministic; {_values(finding)}; no interval. Method: {finding.method}."
    if finding.effect is None and finding.available is not None:
        return f"{_values(finding)} on {counted(finding.n, f'paired {finding.paired_on}')}. Method: {finding.method}."
    if finding.effect is None:
        units, verb = counted(finding.n, f"paired {finding.paired_on}"), "is" if finding.n == 1 else "are"
        return f"{units} {verb} too few for an interval at this level; {_values(finding)}. Method: {finding.method}."
    effect = finding.effect
    kind = "interval" if finding.available is None else "confidence sequence"
    parts = [
        "Ratio B / A" if finding.scale is Scale.RATIO else "Difference B − A",
        effect_text(effect, finding.scale, finding.unit),
        f"{100 * effect.level:.4g} % {kind} {interval_text(effect, finding.scale, finding.unit)}",
        f"margin {_margin(finding)}",
        f"n = {counted(finding.n, f'paired {finding.paired_on}')}",
    ]
    if finding.e_value is not None:
        parts.append(f"e = {finding.e_value:.3g}, valid at every look")
    if finding.p_raw is not None and finding.p_value is not None:
        parts.append(f"{p_text(finding.p_raw)}, after correction {p_text(finding.p_value)}")
    return f"{parts[0]} {'; '.join(parts[1:])}. Method: {finding.method}."


def primary_finding(findings: Iterable[Finding]) -> Sequence[Finding]:
    """The findings on the primary question of the run, without slices."""
    return [f for f in findings if f.role is Role.PRIMARY and not f.slice]


def plain_error_rate(level: float) -> str:
    """The error rate as people say it."""
    share = ONE_IN.get(round(level, 4), f"{1 / (1 - level):.0f}")
    return f"wrong at most 1 time in {share}"
