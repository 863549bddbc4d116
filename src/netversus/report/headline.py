"""The run in one sentence: which contender should I use, and how sure are we? And the reasons that it rests on.

The sentence follows the findings on the run's first primary question. Only decided findings are said as facts;
what could not be told is said to be so, with what is known of speed and size beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from netversus.quantities import amount, counted, interval_text, margin_text, plural, rough_count, times
from netversus.records import DataCard, Direction, Finding, Scale, Verdict
from netversus.report.against_baseline import against_baseline
from netversus.report.guessing import all_guess, chance_text
from netversus.report.phrases import are, better_word, by_how_much, equal_word, joined
from netversus.report.scorecard import is_refused
from netversus.report.standing import Standing
from netversus.wording import plain_error_rate, primary_finding, winner

MOST_REASONS = 3


@dataclass(frozen=True, slots=True)
class _Advantage:
    """What one contender has over another, beside the primary question."""

    who: str
    words: str


def headline(findings: Sequence[Finding], data: DataCard, level: float, baseline: str = "") -> str:
    """One sentence that answers "which should I use, and how sure are we?"

    `level` is the run's confidence level, `baseline` the contender that the others were compared with, if one was.
    """
    judged = [f for f in deciding_findings(findings) if not is_refused(f)]
    if not judged:
        return _without_primary(findings)
    if all_guess(judged, data):
        return (
            "Cannot tell: on these images no contender is better than guessing "
            f"({chance_text(data)} is right by chance)."
        )
    if len(judged) > 1 and baseline:
        return against_baseline(judged, baseline, level)
    if len(judged) > 1:
        return _of_many(judged, findings, level)
    return _of_two(judged[0], findings, level)


def reasons(findings: Sequence[Finding], asks: Mapping[tuple[str, str], str]) -> tuple[str, ...]:
    """At most three questions with their answers that the headline rests on, the primary one first.

    `asks` gives the words of a question by study and metric.
    """
    deciding = deciding_findings(findings)
    chosen = _about_the_best(deciding)[:MOST_REASONS]
    chosen += _telling(findings, deciding)[: MOST_REASONS - len(chosen)]
    several = len(deciding) > 1
    return tuple(f"{asks.get((f.study, f.metric), f.metric)} {_answer(f, several=several)}" for f in chosen)


def _answer(finding: Finding, *, several: bool) -> str:
    """A finding's sentence, or, where it is undecided (which the headline says), what is known of the difference.

    Among several pairs an answer that names nobody says whom it is about.
    """
    said = finding.sentence
    if finding.verdict is Verdict.UNDECIDED and finding.effect is not None:
        what = "ratio" if finding.scale is Scale.RATIO else "difference"
        interval = interval_text(finding.effect, finding.scale, finding.unit)
        margin = margin_text(finding.margin, finding.scale, finding.unit)
        said = f"The {what} lies within {interval}; less than {margin} would not matter."
    named = finding.a in said and finding.b in said
    return said if named or not several else f"{finding.a} and {finding.b}: {said}"


def deciding_findings(findings: Iterable[Finding]) -> list[Finding]:
    """The findings on the first primary question, one a pair: a run of several studies may have several."""
    found = primary_finding(findings)
    return [f for f in found if (f.study, f.metric) == (found[0].study, found[0].metric)]


def _about_the_best(deciding: Sequence[Finding]) -> list[Finding]:
    """The pairs among those that the headline names first, then theirs with others; refused ones last."""
    standing = Standing(deciding)
    first = standing.beats_all()
    best = {first} if first is not None else {*standing.leaders()} or {*standing.unbeaten()}
    return sorted(deciding, key=lambda f: (is_refused(f), -len(best & {f.a, f.b})))


def _telling(findings: Iterable[Finding], deciding: Sequence[Finding]) -> list[Finding]:
    """The most telling finding of each other study: a decided one, about a pair that the headline speaks of.

    Speed comes first, what was measured before what is only counted.
    """
    pairs = {(f.a, f.b) for f in deciding}
    best: dict[str, Finding] = {}
    for finding in findings:
        other = finding.study not in {f.study for f in deciding}
        decided = winner(finding) is not None or finding.verdict is Verdict.EQUIVALENT
        if other and decided and not finding.slice and (not pairs or (finding.a, finding.b) in pairs):
            best.setdefault(finding.study, finding)
    return sorted(best.values(), key=lambda f: (f.study != "speed", f.scale is Scale.FACT))


def _without_primary(findings: Sequence[Finding]) -> str:
    """There is no finding that the verdict could rest on; what else was found is said."""
    refused = deciding_findings(findings)
    if refused:
        return f"No verdict: {'; '.join(refused[0].caveats) or 'the contenders could not be compared'}."
    pairs = list(dict.fromkeys((f.a, f.b) for f in findings))
    known = _known(findings, *pairs[0]) if len(pairs) == 1 else []
    if known:
        return f"No verdict on which is better, for that was not measured; {joined(_sentences(known))}."
    return "No verdict: the question that would decide was not measured."


def _of_two(finding: Finding, findings: Sequence[Finding], level: float) -> str:
    known = _known(findings, finding.a, finding.b)
    best = winner(finding)
    if best is not None:
        return _won(finding, best, known, level)
    if finding.verdict is Verdict.EQUIVALENT:
        return _tied(finding, known, level)
    if finding.verdict is Verdict.DESCRIBED:
        return f"{_values(finding)}: described, not judged."
    more = f"; {joined(_sentences(known))}" if known else ""
    return f"Cannot tell yet which is {better_word(finding)}: {_values(finding)}{_needed(finding)}{more}."


def _won(finding: Finding, best: str, known: Sequence[_Advantage], level: float) -> str:
    other = finding.b if best == finding.a else finding.a
    against = [each for each in known if each.who == other]
    verdict = (
        f"it is {better_word(finding)} than {other}{by_how_much(finding)}, "
        f"and a verdict like this is {plain_error_rate(level)}"
    )
    if against:
        return f"Take {best} if that decides: {verdict}; but {joined(_sentences(against))}."
    return f"Take {best}: {verdict}."


def _tied(finding: Finding, known: Sequence[_Advantage], level: float) -> str:
    same = f"the two are {equal_word(finding)}, and a verdict like this is {plain_error_rate(level)}"
    favoured = {each.who for each in known}
    if len(favoured) == 1:
        return f"Take {favoured.pop()}: {same}; it {joined([each.words for each in known])}."
    more = f"; {joined(_sentences(known))}" if known else ""
    return f"Either will do: {same}{more}."


def _of_many(judged: Sequence[Finding], findings: Sequence[Finding], level: float) -> str:
    standing = Standing(judged)
    sure = f"a verdict like this is {plain_error_rate(level)}"
    better, first = better_word(judged[0]), standing.beats_all()
    if first is not None:
        return f"Take {first}: it is {better} than each of the {len(standing.names) - 1} others, and {sure}."
    leaders = standing.leaders()
    if leaders:
        group = joined(leaders)
        rest = len(standing.names) - len(leaders)
        others = f" and {better} than the other {rest}" if rest > 1 else f" and {better} than the other" if rest else ""
        cheaper = _cheapest(leaders, findings)
        advice = f"Take {cheaper}, the fastest of {group}" if cheaper else f"Take any of {group}"
        return f"{advice}: they are {equal_word(judged[0])}{others}, and {sure}."
    return _undecided_many(standing, better, sure)


def _undecided_many(standing: Standing, better: str, sure: str) -> str:
    decided = f"{standing.decided} of {standing.pairs} pairs are decided"
    candidates = standing.unbeaten()
    beaten = [name for name in standing.names if name not in candidates]
    if len(candidates) == 1:
        return f"Cannot tell yet whether {candidates[0]} is {better} than each of the others: {decided}, and {sure}."
    if candidates and beaten:
        lost = f"{are(beaten)} out, and {sure}"
        return f"Cannot tell yet which is {better} among {joined(candidates)}: {decided}; {lost}."
    return f"Cannot tell yet which of the {len(standing.names)} is {better}: {decided}."


def _cheapest(leaders: Sequence[str], findings: Sequence[Finding]) -> str | None:
    """The one of equals that is faster than each of the others, where there is one."""
    for name in leaders:
        others = [other for other in leaders if other != name]
        if all(any(_is_faster(f, name, other) for f in findings) for other in others):
            return name
    return None


def _is_faster(finding: Finding, name: str, other: str) -> bool:
    timed = finding.study == "speed" and finding.scale is Scale.RATIO and not finding.slice
    return timed and {finding.a, finding.b} == {name, other} and winner(finding) == name


def _known(findings: Sequence[Finding], a: str, b: str) -> list[_Advantage]:
    """Speed and size of a pair: the first decided timing, and the parameters."""
    of_pair = [f for f in findings if (f.a, f.b) == (a, b) and not f.slice and winner(f)]
    timings = [f for f in of_pair if f.scale is Scale.RATIO and f.effect is not None]
    timings.sort(key=lambda f: f.study != "speed")
    known = [_timing(f) for f in timings[:1]]
    sizes = [f for f in of_pair if f.metric == "parameters" and f.scale is Scale.FACT]
    return known + [_size(f) for f in sizes[:1]]


def _timing(finding: Finding) -> _Advantage:
    assert finding.effect is not None
    ratio = finding.effect.estimate
    said = times(1 / ratio if 0 < ratio < 1 else ratio)
    best = str(winner(finding))
    if finding.direction is Direction.HIGHER:
        return _Advantage(best, f"does {said} as many {finding.unit}")
    verb = "trains" if finding.study == "training" else "is"
    return _Advantage(best, f"{verb} {said} {'faster' if finding.unit == 's' else 'thriftier'}")


def _size(finding: Finding) -> _Advantage:
    assert finding.value_a is not None
    assert finding.value_b is not None
    small, large = sorted((finding.value_a, finding.value_b))
    share = times(small / large) if large else "none of"
    return _Advantage(str(winner(finding)), f"has {share} the parameters")


def _sentences(known: Iterable[_Advantage]) -> list[str]:
    """One clause a contender: "A is 1.80x faster and has 0.57x the parameters"."""
    clauses: dict[str, list[str]] = {}
    for each in known:
        clauses.setdefault(each.who, []).append(each.words)
    return [f"{who} {joined(words)}" for who, words in clauses.items()]


def _needed(finding: Finding) -> str:
    if not finding.further_units:
        return ""
    count = finding.further_units
    return f", and about {rough_count(count):,} more {plural(count, finding.paired_on)} would be needed"


def _values(finding: Finding) -> str:
    a, b = amount(finding.value_a, finding.unit), amount(finding.value_b, finding.unit)
    return f"{finding.a} {a}, {finding.b} {b} on {counted(finding.n, finding.paired_on)}"
