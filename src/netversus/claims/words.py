"""Claims and what was found of them, in words, in the language in force."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import isinf

from netversus.claims.records import Binding, Claim, ClaimVerdict, Evidence, Judgement, Kind, Rule
from netversus.messages import clauses, in_a_row, language, say, sentences, told
from netversus.quantities import amount, counted, difference, effect_text, interval_text, margin_text, times
from netversus.records import Effect, Scale

NOTHING = "–"


def claim_text(claim: Claim) -> str:
    """What the claim says: its plain rendering, or the sentence itself where there is none, or in Chinese."""
    return claim.text if language() == "zh" or not claim.english else claim.english


def verdict_text(verdict: ClaimVerdict | None) -> str:
    """A verdict in words; a dash where a claim is not bound to such evidence."""
    words = {
        ClaimVerdict.SUPPORTED: say("supported"),
        ClaimVerdict.CONTRADICTED: say("contradicted"),
        ClaimVerdict.UNDECIDED: say("undecided"),
        ClaimVerdict.NOT_MEASURED: say("not measured here"),
        ClaimVerdict.NOT_CHECKABLE: say("not checkable"),
    }
    return words[verdict] if verdict is not None else NOTHING


def why(judgement: Judgement) -> str:
    """Why there is no verdict, or whose the verdict is."""
    claim, here, cited = judgement.claim, judgement.measured, judgement.published
    if claim.not_checkable:
        return say(claim.not_checkable)
    if judgement.disagree:
        return say("The run and the published figures disagree.")
    parts = []
    if not cited.evidence and here.verdict is ClaimVerdict.NOT_MEASURED:
        parts.append(say("No figure is cited."))
    if cited.verdict is ClaimVerdict.UNDECIDED and any(_lie_around(each) for each in by_binding(cited.evidence)):
        parts.append(say("No cited figure is as claimed; some lie above and some below."))
    if here.missing:
        parts.append(say("This run has no answer to {questions}.", questions=", ".join(here.missing)))
    if any(each.other_data for each in here.evidence):
        data = next(each.data for each in here.evidence if each.other_data)
        about = ", ".join(claim.data)
        parts.append(say("The run measured {data}; the claim is about {about}.", data=data, about=about))
    return sentences(*parts)


def compared_text(evidence: Evidence) -> str:
    """Which number it is: "resnet101 − resnet50"."""
    subject, other = evidence.subject, evidence.other
    if not other:
        spread = evidence.binding.comparison.kind is Kind.SPREAD
        return say("{subject}, largest less smallest", subject=subject) if spread else subject
    if evidence.binding.comparison.kind is Kind.GAP:
        return f"|{subject} − {other}|"
    return f"{subject} / {other}" if evidence.scale is Scale.RATIO else f"{subject} − {other}"


def estimate_text(evidence: Evidence) -> str:
    """The number itself."""
    if evidence.estimate is None:
        return NOTHING
    if _is_a_level(evidence):
        return amount(evidence.estimate, evidence.unit)
    if evidence.scale is Scale.RATIO:
        return times(evidence.estimate)
    said = difference(evidence.estimate, evidence.unit)
    return said if evidence.other and evidence.binding.comparison.kind is not Kind.GAP else said.removeprefix("+")


def range_text(evidence: Evidence) -> str:
    """Its interval with the level, the tolerance of a published figure, or that it is exact."""
    if evidence.estimate is None:
        return NOTHING
    if evidence.figures:
        tolerance = evidence.binding.tolerance
        scale = evidence.scale
        return f"± {margin_text(tolerance, scale, evidence.unit)}" if tolerance else say("as printed")
    if evidence.low is None or evidence.high is None:
        return say("exact") if evidence.scale is Scale.FACT else say("no interval")
    ends = Effect(evidence.estimate, evidence.low, evidence.high, evidence.level or 1.0)
    interval = (
        f"[{amount(ends.low, evidence.unit)}, {amount(ends.high, evidence.unit)}]"
        if _is_a_level(evidence)
        else interval_text(ends, evidence.scale, evidence.unit)
    )
    return say("{interval} at {level} %", interval=interval, level=f"{100 * ends.level:.4g}")


def claimed_text(evidence: Evidence) -> str:
    """What the claim needs the number to be."""
    binding, region = evidence.binding, evidence.binding.region
    if binding.comparison.kind is Kind.BETTER:
        by = margin_text(region.low, evidence.scale, evidence.unit)
        if not region.low:
            return say("{subject} is better", subject=evidence.subject)
        return say("{subject} is better by {by} at least", subject=evidence.subject, by=by)
    low, high = _end(evidence, region.low), _end(evidence, region.high)
    if isinf(region.high):
        return say("at least {low}", low=low)
    if isinf(region.low):
        return say("at most {high}", high=high)
    return say("between {low} and {high}", low=low, high=high)


def weight_text(evidence: Evidence) -> str:
    """What the evidence says of the claim, and why it decides nothing where it does not."""
    if evidence.binding.shown_because:
        return say("shown only: {reason}", reason=say(evidence.binding.shown_because).rstrip(".。"))
    if evidence.other_data:
        return say("shown only: other data than the claim is about")
    words = {ClaimVerdict.SUPPORTED: say("for it"), ClaimVerdict.CONTRADICTED: say("against it")}
    said = words.get(evidence.verdict, say("neither way"))
    return f"{said} ({told(evidence.reason)})" if evidence.reason else said


def rests_on_text(evidence: Evidence) -> str:
    """On how many units of which data a measured number rests."""
    if evidence.scale is Scale.FACT or not evidence.n:
        return evidence.data
    return say("{units} of {data}", units=counted(evidence.n, evidence.paired_on), data=evidence.data)


def citation_text(evidence: Evidence) -> str:
    """Where the figures stand."""
    said = []
    for figure in evidence.figures:
        where = ", ".join(part for part in (figure.source.title, figure.source.where, figure.setting) if part)
        said.append(f"{where} ({say(figure.note)})" if figure.note else where)
    return "; ".join(said)


def printed_text(evidence: Evidence) -> str:
    """The figures as they are cited: what each of the contenders has."""
    values = [
        f"{name} {_printed(value, figure.unit)}" for figure in evidence.figures for name, value in figure.values.items()
    ]
    return ", ".join(values)


def rule_text(binding: Binding) -> str:
    """How several figures are taken together, where it is not that all have to agree."""
    return {
        Rule.ALL: say("all of them"),
        Rule.MOST: say("more than half of them"),
        Rule.REACHED: say("one of them"),
    }[binding.rule]


def figures_text(evidence: Sequence[Evidence]) -> str:
    """Several figures that one binding is held against, on one line, for the terminal."""
    if len(evidence) == 1:
        return evidence_text(evidence[0])
    ordered = sorted(evidence, key=lambda each: each.estimate or 0.0)
    counts = Counter(weight_text(each) for each in evidence)
    sources = dict.fromkeys(figure.source.title for each in evidence for figure in each.figures)
    return say(
        "{n} figures of {number}, {least} to {most}, {range}: {each}; needed: {rule}; {sources}",
        n=len(evidence),
        number=compared_text(evidence[0]),
        least=estimate_text(ordered[0]),
        most=estimate_text(ordered[-1]),
        range=range_text(evidence[0]),
        each=in_a_row(say("{n} {verdict}", n=count, verdict=words) for words, count in counts.items()),
        rule=rule_text(evidence[0].binding),
        sources=clauses(sources),
    )


def by_binding(evidence: Iterable[Evidence]) -> list[list[Evidence]]:
    """Evidence in groups that one binding and one unit have in common."""
    groups: list[list[Evidence]] = []
    for each in evidence:
        if groups and groups[-1][0].binding is each.binding and groups[-1][0].unit == each.unit:
            groups[-1].append(each)
        else:
            groups.append([each])
    return groups


def _lie_around(evidence: Sequence[Evidence]) -> bool:
    """Whether one figure as claimed would do, and none is."""
    binding = evidence[0].binding
    return binding.rule is Rule.REACHED and all(each.verdict is not ClaimVerdict.SUPPORTED for each in evidence)


def evidence_text(evidence: Evidence) -> str:
    """One item of evidence on one line, for the terminal."""
    if evidence.estimate is None:
        return f"{evidence.binding.question}: {weight_text(evidence)}"
    number = f"{compared_text(evidence)} = {estimate_text(evidence)}, {range_text(evidence)}"
    if evidence.figures:
        return f"{number}: {weight_text(evidence)}; {evidence.data}, {citation_text(evidence)}"
    return f"{evidence.binding.question}: {number}, {rests_on_text(evidence)}: {weight_text(evidence)}"


def _is_a_level(evidence: Evidence) -> bool:
    return evidence.binding.comparison.kind is Kind.VALUE


def _end(evidence: Evidence, value: float) -> str:
    if _is_a_level(evidence):
        return amount(value, evidence.unit)
    if evidence.scale is Scale.RATIO:
        return times(value)
    return effect_text(Effect(value, value, value, 1.0), evidence.scale, evidence.unit)


def _printed(value: float, unit: str) -> str:
    """A published figure with all its digits."""
    return f"{100 * value:.10g} %" if unit == "%" else f"{value:,.10g} {unit}".rstrip()
