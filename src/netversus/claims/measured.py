"""Findings of a run -> what they say of one measured binding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import inf, isfinite

from netversus.claims.records import (
    Binding,
    Claim,
    ClaimVerdict,
    Evidence,
    FindingKey,
    FindingLevels,
    Kind,
    Level,
    key_of,
)
from netversus.claims.subjects import means
from netversus.errors import OptionError
from netversus.messages import noted, template
from netversus.records import DataCard, Direction, Effect, Finding, Scale, Verdict
from netversus.statistics import comparison
from netversus.statistics.permutation import units_needed
from netversus.statistics.proportions import clopper_pearson

TOO_FEW = template("too few units for an interval at this level")


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run measured: its findings, on which data. `called` are further names that the user vouches the data have
    ("imagenet-1k"). `levels` hold single contenders' levels that no finding has an interval of
    (`netversus.claims.levels`); `level` is the confidence level of those that are derived here."""

    findings: tuple[Finding, ...]
    data: DataCard
    called: tuple[str, ...] = ()
    level: float = 0.95
    levels: FindingLevels = field(default_factory=dict)

    def is_about(self, claim: Claim) -> bool:
        """Whether the run's data are those that the claim is about: any, where it names none."""
        known = {name.casefold() for name in (self.data.name, self.data.digest, *self.called)}
        return not claim.data or any(name.casefold() in known for name in claim.data)


@dataclass(frozen=True, slots=True)
class _Number:
    """An interval as it is shown, and as it is judged: a gain is judged as how much better, and shown as measured."""

    shown: Effect | None
    judged: Effect | None
    exact: bool = False
    reason: str = ""


def why_none(method: str) -> str:
    """Why there is no interval, by the method that gave none: it says so, else the units were too few for it."""
    said = method.startswith("none: ") and method != comparison.TOO_FEW
    return method if said else TOO_FEW


def measured_evidence(claim: Claim, binding: Binding, measured: Measured) -> Iterator[Evidence]:
    """What each matching finding says of a binding; nothing where the run has none.

    Raises:
        OptionError: the question cannot be compared as the claim asks.
    """
    found = [
        finding
        for finding in measured.findings
        if (finding.study, finding.metric) == (binding.study, binding.metric) and not finding.slice
    ]
    if binding.comparison.kind is Kind.VALUE:
        yield from _levels(claim, binding, measured, found)
        return
    for finding in found:
        for subject, other in ((finding.a, finding.b), (finding.b, finding.a)):
            if means(claim, binding.comparison.subject, subject) and means(claim, binding.comparison.other, other):
                number = _compared(claim, binding, finding, forward=subject == finding.b)
                yield _evidence(claim, binding, measured, finding, subject, other, number, key_of(finding))


def _levels(claim: Claim, binding: Binding, measured: Measured, found: list[Finding]) -> Iterator[Evidence]:
    """Each matching contender's own level, once."""
    seen: set[str] = set()
    for finding in found:
        for name in (finding.a, finding.b):
            if name not in seen and means(claim, binding.comparison.subject, name):
                seen.add(name)
                key = key_of(finding, about=name)
                number = _own_level(finding, key, measured)
                yield _evidence(claim, binding, measured, finding, name, "", number, key)


def _evidence(
    claim: Claim,
    binding: Binding,
    measured: Measured,
    finding: Finding,
    subject: str,
    other: str,
    number: _Number,
    key: FindingKey,
) -> Evidence:
    verdict, reason = _verdict(binding, finding, number)
    shown = number.shown
    interval = None if number.exact else shown
    return Evidence(
        binding=binding,
        verdict=verdict,
        subject=subject,
        other=other,
        unit=finding.unit,
        scale=_scale_of(binding, finding),
        estimate=shown.estimate if shown else None,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        level=interval.level if interval else None,
        data=measured.data.name,
        other_data=not measured.is_about(claim),
        finding=key,
        n=finding.n,
        paired_on=finding.paired_on,
        reason=reason,
        caveats=finding.caveats,
    )


def _scale_of(binding: Binding, finding: Finding) -> Scale:
    """How the number is said: a ratio as such, a fact as a difference or a ratio."""
    if binding.comparison.kind is Kind.RATIO:
        return Scale.RATIO
    return finding.scale


def _verdict(binding: Binding, finding: Finding, number: _Number) -> tuple[ClaimVerdict, str]:
    """The verdict, and why the interval alone is not believed or is not there."""
    if finding.value_a is None or finding.value_b is None:
        return ClaimVerdict.NOT_MEASURED, number.reason
    if number.judged is None:
        return ClaimVerdict.UNDECIDED, number.reason
    verdict = binding.region.judge(number.judged.low, number.judged.high)
    if verdict is ClaimVerdict.UNDECIDED or number.exact or binding.comparison.kind is Kind.VALUE:
        return verdict, number.reason
    doubt = _doubt(binding, finding, number.judged, verdict)
    return (ClaimVerdict.UNDECIDED, doubt) if doubt else (verdict, number.reason)


def _doubt(binding: Binding, finding: Finding, judged: Effect, verdict: ClaimVerdict) -> str:
    """Why an interval that would decide is not believed: with few units it alone is too sure of itself, and to be
    practically the same is not to be better. Empty where it is."""
    if finding.e_value is None and finding.n < units_needed(1 - judged.level):
        return TOO_FEW
    if binding.comparison.kind is Kind.BETTER and not binding.region.low and _practically_the_same(finding):
        return noted("they are practically the same, and the claim does not say by how much")
    unproven = finding.p_raw is not None and finding.p_raw > 1 - judged.level
    if (unproven or finding.verdict is Verdict.UNDECIDED) and _rests_on_a_difference(binding, judged, verdict):
        return noted("the test that goes with the interval does not reject at its level")
    return ""


def _practically_the_same(finding: Finding) -> bool:
    """Whether the whole interval lies within the margin, of what is only described too."""
    if finding.verdict is not Verdict.DESCRIBED or finding.effect is None:
        return finding.verdict is Verdict.EQUIVALENT
    low, high, margin = finding.effect.low, finding.effect.high, finding.margin
    if finding.scale is Scale.RATIO:
        return 1 / (1 + margin) <= low and high <= 1 + margin
    return -margin <= low and high <= margin


def _rests_on_a_difference(binding: Binding, judged: Effect, verdict: ClaimVerdict) -> bool:
    """Whether the verdict would be another one if the two might also be alike."""
    alike = 1.0 if binding.comparison.kind is Kind.RATIO else 0.0
    believed = binding.region.judge(min(judged.low, alike), max(judged.high, alike))
    return believed is not verdict or binding.region.open


def _compared(claim: Claim, binding: Binding, finding: Finding, *, forward: bool) -> _Number:
    """The number that a binding compares two contenders by; `forward`: its subject is the finding's B."""
    kind = binding.comparison.kind
    _refuse_other_scale(claim, binding, finding)
    if finding.value_a is None or finding.value_b is None:
        return _Number(None, None, reason="; ".join(finding.caveats) or finding.sentence)
    as_ratio = finding.scale is Scale.RATIO or kind is Kind.RATIO
    exact = finding.scale is Scale.FACT
    if exact:
        of, against = (finding.value_b, finding.value_a) if forward else (finding.value_a, finding.value_b)
        if as_ratio and not against:
            return _Number(None, None, reason=noted("there is no ratio to a value of 0"))
        value = of / against if as_ratio else of - against
        shown = Effect(value, value, value, 1.0)
    elif finding.effect is None:
        return _Number(None, None, reason=why_none(finding.method))
    else:
        shown = finding.effect if forward else _turned(finding.effect, as_ratio=as_ratio)
    judged = _gain(shown, finding, as_ratio=as_ratio) if kind is Kind.BETTER else shown
    return _Number(_gap(shown), _gap(shown), exact) if kind is Kind.GAP else _Number(shown, judged, exact)


def _refuse_other_scale(claim: Claim, binding: Binding, finding: Finding) -> None:
    kind, ratio = binding.comparison.kind, finding.scale is Scale.RATIO
    if kind is Kind.BETTER and finding.direction is Direction.NEITHER:
        raise OptionError(
            f"claim {claim.id!r}: neither side of {binding.question} is better", hint="claim a difference or a ratio"
        )
    if (kind is Kind.RATIO and not ratio and finding.scale is not Scale.FACT) or (
        kind in (Kind.DIFFERENCE, Kind.GAP) and ratio
    ):
        way = "ratio" if ratio else "difference"
        raise OptionError(f"claim {claim.id!r}: {binding.question} is compared by its {way}, not by its {kind}")


def _turned(effect: Effect, *, as_ratio: bool) -> Effect:
    """The same with the two contenders exchanged."""

    def turned(end: float) -> float:
        return -end if not as_ratio else 1 / end if end else inf

    return Effect(turned(effect.estimate), turned(effect.high), turned(effect.low), effect.level)


def _gain(effect: Effect, finding: Finding, *, as_ratio: bool) -> Effect:
    """By how much the subject is better: a share (0.05: 5 %) of a ratio, else a difference; below 0 it is worse."""
    higher = finding.direction is Direction.HIGHER
    if as_ratio:
        turned = effect if higher else _turned(effect, as_ratio=True)
        return Effect(turned.estimate - 1, turned.low - 1, turned.high - 1, effect.level)
    return effect if higher else _turned(effect, as_ratio=False)


def _gap(effect: Effect) -> Effect:
    """The size of a difference, whichever way it goes."""
    ends = abs(effect.low), abs(effect.high)
    low = 0.0 if effect.low <= 0 <= effect.high else min(ends)
    return Effect(abs(effect.estimate), low, max(ends), effect.level)


def _own_level(finding: Finding, key: FindingKey, measured: Measured) -> _Number:
    """A contender's own level: exact for a fact, else with its interval where there is one."""
    value = finding.value_a if key.about == finding.a else finding.value_b
    if value is None:
        return _Number(None, None, reason="; ".join(finding.caveats) or finding.sentence)
    if finding.scale is Scale.FACT:
        exact = Effect(value, value, value, 1.0)
        return _Number(exact, exact, exact=True)
    level = measured.levels.get(key) or _proportion(finding, value, measured.level)
    if level.interval is None:
        return _Number(Effect(value, value, value, 1.0), None, exact=True, reason=level.reason)
    return _Number(level.interval, level.interval)


def _proportion(finding: Finding, value: float, level: float) -> Level:
    """Clopper and Pearson's interval of a proportion, of which the finding keeps all that it needs."""
    if finding.available is not None:
        reason = noted("the reading stopped early, so that a single level is exaggerated and has no interval")
        return Level(value, None, "", reason)
    if finding.scale is not Scale.PROPORTION or finding.scope != "checkpoints" or not isfinite(value):
        return Level(value, None, "", noted("the findings alone hold no interval of a single level"))
    interval = clopper_pearson(round(value * finding.n), finding.n, level)
    return Level(value, replace(interval, estimate=value), "Clopper-Pearson")
