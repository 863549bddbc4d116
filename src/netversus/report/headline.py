"""The run in one sentence: which contender should I use, and how sure are we? And the reasons that it rests on.

The sentence follows the findings on the run's first primary question. Only decided findings are said as facts;
what could not be told is said to be so, with what is known of speed and size beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from netversus.messages import clauses, listed, predicates, say, template
from netversus.quantities import amount, counted, interval_text, margin_text, times, unit_text
from netversus.records import DataCard, Direction, Finding, Scale, Verdict
from netversus.report.against_baseline import against_baseline
from netversus.report.guessing import all_guess, chance_text
from netversus.report.phrases import better_word, by_how_much, equal_word
from netversus.report.scorecard import is_refused
from netversus.report.standing import Standing
from netversus.wording import further, plain_error_rate, primary_finding, winner

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
        return say(
            "Cannot tell: on these images no contender is better than guessing ({chance} is right by chance).",
            chance=chance_text(data),
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
    chosen = about_the_best(deciding)[:MOST_REASONS]
    chosen += telling(findings, deciding)[: MOST_REASONS - len(chosen)]
    several = len(deciding) > 1
    return tuple(
        say("{question} {answer}", question=asks.get((f.study, f.metric), f.metric), answer=answer(f, several=several))
        for f in chosen
    )


def answer(finding: Finding, *, several: bool) -> str:
    """A finding's sentence, or, where it is undecided (which the headline says), what is known of the difference.

    Among several pairs an answer that names nobody says whom it is about.
    """
    said = finding.sentence
    if finding.verdict is Verdict.UNDECIDED and finding.effect is not None:
        ratio = template("The ratio lies within {interval}; less than {margin} would not matter.")
        plain = template("The difference lies within {interval}; less than {margin} would not matter.")
        said = say(
            ratio if finding.scale is Scale.RATIO else plain,
            interval=interval_text(finding.effect, finding.scale, finding.unit),
            margin=margin_text(finding.margin, finding.scale, finding.unit),
        )
    named = finding.a in said and finding.b in said
    return said if named or not several else say("{a} and {b}: {said}", a=finding.a, b=finding.b, said=said)


def deciding_findings(findings: Iterable[Finding]) -> list[Finding]:
    """The findings on the first primary question, one a pair: a run of several studies may have several."""
    found = primary_finding(findings)
    return [f for f in found if (f.study, f.metric) == (found[0].study, found[0].metric)]


def about_the_best(deciding: Sequence[Finding]) -> list[Finding]:
    """The pairs among those that the headline names first, then theirs with others; refused ones last."""
    standing = Standing(deciding)
    first = standing.beats_all()
    best = {first} if first is not None else {*standing.leaders()} or {*standing.unbeaten()}
    return sorted(deciding, key=lambda f: (is_refused(f), -len(best & {f.a, f.b})))


def telling(findings: Iterable[Finding], deciding: Sequence[Finding]) -> list[Finding]:
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
        why = clauses(refused[0].caveats) or say("the contenders could not be compared")
        return say("No verdict: {why}.", why=why)
    pairs = list(dict.fromkeys((f.a, f.b) for f in findings))
    known = _known(findings, *pairs[0]) if len(pairs) == 1 else []
    if known:
        return say("No verdict on which is better, for that was not measured; {known}.", known=_told(known))
    return say("No verdict: the question that would decide was not measured.")


def _of_two(finding: Finding, findings: Sequence[Finding], level: float) -> str:
    known = _known(findings, finding.a, finding.b)
    best = winner(finding)
    if best is not None:
        return _won(finding, best, known, level)
    if finding.verdict is Verdict.EQUIVALENT:
        return _tied(finding, known, level)
    if finding.verdict is Verdict.DESCRIBED:
        return say("{values}: described, not judged.", values=_values(finding))
    return _open(finding, known)


def _open(finding: Finding, known: Sequence[_Advantage]) -> str:
    """Two of which it cannot be told, how many more units would tell, and what is known of them beside that."""
    said, more = _values(finding), further(finding)
    if more is not None:
        said = say("{values}, and about {n} more {units} would be needed", values=said, n=more[0], units=more[1])
    told = clauses([said, *([_told(known)] if known else [])])
    return say("Cannot tell yet which is {better}: {told}.", better=better_word(finding), told=told)


def _won(finding: Finding, best: str, known: Sequence[_Advantage], level: float) -> str:
    other = finding.b if best == finding.a else finding.a
    against = [each for each in known if each.who == other]
    verdict = say(
        "it is {better} than {other}{much}, and a verdict like this is {sure}",
        better=better_word(finding),
        other=other,
        much=by_how_much(finding),
        sure=plain_error_rate(level),
    )
    if against:
        return say(
            "Take {best} if that decides: {verdict}; but {against}.", best=best, verdict=verdict, against=_told(against)
        )
    return say("Take {best}: {verdict}.", best=best, verdict=verdict)


def _tied(finding: Finding, known: Sequence[_Advantage], level: float) -> str:
    same = say(
        "the two are {equal}, and a verdict like this is {sure}",
        equal=equal_word(finding),
        sure=plain_error_rate(level),
    )
    favoured = {each.who for each in known}
    if len(favoured) == 1:
        words = predicates([each.words for each in known])
        return say("Take {best}: {same}; it {words}.", best=favoured.pop(), same=same, words=words)
    return say("Either will do: {told}.", told=clauses([same, *([_told(known)] if known else [])]))


def _of_many(judged: Sequence[Finding], findings: Sequence[Finding], level: float) -> str:
    standing = Standing(judged)
    sure, better, first = plain_error_rate(level), better_word(judged[0]), standing.beats_all()
    if first is not None:
        return say(
            "Take {best}: it is {better} than each of the {n} others, and a verdict like this is {sure}.",
            best=first,
            better=better,
            n=len(standing.names) - 1,
            sure=sure,
        )
    leaders = standing.leaders()
    if not leaders:
        return _undecided_many(standing, better, sure)
    cheaper, group = _cheapest(leaders, findings), listed(leaders)
    advice = (
        say("Take {best}, the fastest of {group}", best=cheaper, group=group)
        if cheaper
        else say("Take any of {group}", group=group)
    )
    return say(
        _how_equals_stand(len(standing.names) - len(leaders)),
        advice=advice,
        equal=equal_word(judged[0]),
        better=better,
        n=len(standing.names) - len(leaders),
        sure=sure,
    )


def _how_equals_stand(rest: int) -> str:
    """The template for leaders that are practically the same, each better than `rest` others."""
    if rest == 0:
        return template("{advice}: they are {equal}, and a verdict like this is {sure}.")
    if rest == 1:
        return template("{advice}: they are {equal} and {better} than the other, and a verdict like this is {sure}.")
    return template("{advice}: they are {equal} and {better} than the other {n}, and a verdict like this is {sure}.")


def _undecided_many(standing: Standing, better: str, sure: str) -> str:
    counts = {"decided": standing.decided, "pairs": standing.pairs, "better": better, "sure": sure}
    candidates = standing.unbeaten()
    beaten = [name for name in standing.names if name not in candidates]
    if len(candidates) == 1:
        return say(
            "Cannot tell yet whether {name} is {better} than each of the others: {decided} of {pairs} pairs are "
            "decided, and a verdict like this is {sure}.",
            name=candidates[0],
            **counts,
        )
    if candidates and beaten:
        one = template(
            "Cannot tell yet which is {better} among {group}: {decided} of {pairs} pairs are decided; {out} is out, "
            "and a verdict like this is {sure}."
        )
        many = template(
            "Cannot tell yet which is {better} among {group}: {decided} of {pairs} pairs are decided; {out} are out, "
            "and a verdict like this is {sure}."
        )
        return say(one if len(beaten) == 1 else many, group=listed(candidates), out=listed(beaten), **counts)
    return say(
        "Cannot tell yet which of the {n} is {better}: {decided} of {pairs} pairs are decided.",
        n=len(standing.names),
        **counts,
    )


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
        return _Advantage(best, say("does {times} as many {unit}", times=said, unit=unit_text(finding.unit)))
    if finding.unit == "s":
        faster = template("trains {times} faster") if finding.study == "training" else template("is {times} faster")
        return _Advantage(best, say(faster, times=said))
    thrifty = template("trains {times} thriftier") if finding.study == "training" else template("is {times} thriftier")
    return _Advantage(best, say(thrifty, times=said))


def _size(finding: Finding) -> _Advantage:
    assert finding.value_a is not None
    assert finding.value_b is not None
    small, large = sorted((finding.value_a, finding.value_b))
    if not large:
        return _Advantage(str(winner(finding)), say("has none of the parameters"))
    return _Advantage(str(winner(finding)), say("has {times} the parameters", times=times(small / large)))


def _told(known: Iterable[_Advantage]) -> str:
    """One clause a contender: "A is 1.80x faster and has 0.57x the parameters"."""
    by_name: dict[str, list[str]] = {}
    for each in known:
        by_name.setdefault(each.who, []).append(each.words)
    return predicates([say("{who} {words}", who=who, words=predicates(words)) for who, words in by_name.items()])


def _values(finding: Finding) -> str:
    return say(
        "{a} {value_a}, {b} {value_b} on {seen}",
        a=finding.a,
        value_a=amount(finding.value_a, finding.unit),
        b=finding.b,
        value_b=amount(finding.value_b, finding.unit),
        seen=counted(finding.n, finding.paired_on),
    )
