"""The run in one sentence: which contender should I use, and how sure are we? And what that rests on.

The sentence follows the findings on the run's first primary question. Only decided findings are said as facts;
what could not be told is said to be so, with what is known of speed and size beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from netversus.quantities import amount, difference, margin_text, rough_count, times
from netversus.records import ContenderCard, DataCard, Direction, Finding, Scale, Verdict
from netversus.report.scorecard import is_refused, units
from netversus.report.standing import Standing
from netversus.statistics.proportions import above_chance
from netversus.wording import plain_error_rate, primary_finding, winner

_MOST_REASONS = 3  # findings of other questions among the reasons
_BETTER = {"top1": "more accurate", "map": "the better detector"}
_EQUAL = {"top1": "equally accurate"}


@dataclass(frozen=True, slots=True)
class _Advantage:
    """What one contender has over another, beside the primary question."""

    who: str
    words: str


def headline(findings: Sequence[Finding], data: DataCard, level: float) -> str:
    """One sentence that answers "which should I use, and how sure are we?" `level` is the run's confidence level."""
    judged = [f for f in _first_primary(findings) if not is_refused(f)]
    if not judged:
        return _without_primary(findings)
    if _all_guess(judged, data):
        return (
            f"Cannot tell: on these images no contender is better than guessing ({_chance(data)} is right by chance)."
        )
    if len(judged) > 1:
        return _of_many(judged, findings, level)
    return _of_two(judged[0], findings, level)


def reasons(
    findings: Sequence[Finding], contenders: Sequence[ContenderCard], data: DataCard, unfinished: int
) -> tuple[str, ...]:
    """Short sentences that the headline rests on, and what must be known before believing it.

    `unfinished` counts the planned cells that were not measured whole.
    """
    primary = _first_primary(findings)
    said = [f"{_label(f)}: {f.sentence}" for f in primary[:_MOST_REASONS]]
    said += [f"{_label(f)}: {f.sentence}" for f in _telling(findings, primary)]
    said += _apart(primary, contenders, data)
    said += list(dict.fromkeys(caveat for f in primary if not is_refused(f) for caveat in f.caveats))[:2]
    if unfinished:
        one = unfinished == 1
        said.append(
            f"{unfinished:,} planned {'cell was' if one else 'cells were'} not measured whole: what "
            f"{'it' if one else 'they'} would have shown is missing here."
        )
    return tuple(said)


def _first_primary(findings: Iterable[Finding]) -> list[Finding]:
    """The findings on the first primary question, one a pair: a run of several studies may have several."""
    found = primary_finding(findings)
    return [f for f in found if (f.study, f.metric) == (found[0].study, found[0].metric)]


def _telling(findings: Iterable[Finding], primary: Sequence[Finding]) -> list[Finding]:
    """The most telling finding of each other study: a decided one, about the pair of the headline."""
    pair = [(f.a, f.b) for f in primary[:1]]
    best: dict[str, Finding] = {}
    for finding in findings:
        other = finding.study not in {f.study for f in primary}
        decided = winner(finding) is not None or finding.verdict is Verdict.EQUIVALENT
        if other and decided and not finding.slice and (not pair or (finding.a, finding.b) in pair):
            best.setdefault(finding.study, finding)
    return list(best.values())[:_MOST_REASONS]


def _without_primary(findings: Sequence[Finding]) -> str:
    """There is no finding that the verdict could rest on; what else was found is said."""
    refused = next((f for f in _first_primary(findings)), None)
    if refused is not None:
        return f"No verdict: {'; '.join(refused.caveats) or 'the contenders could not be compared'}."
    pairs = list(dict.fromkeys((f.a, f.b) for f in findings))
    known = _known(findings, *pairs[0]) if len(pairs) == 1 else []
    if known:
        return f"No verdict on which is better, for that was not measured; {_joined(_sentences(known))}."
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
    more = f"; {_joined(_sentences(known))}" if known else ""
    return f"Cannot tell yet which is {better_word(finding)}: {_values(finding)}{_needed(finding)}{more}."


def _won(finding: Finding, best: str, known: Sequence[_Advantage], level: float) -> str:
    other = finding.b if best == finding.a else finding.a
    against = [each for each in known if each.who == other]
    verdict = (
        f"it is {better_word(finding)} than {other}{_by_how_much(finding)}, "
        f"and a verdict like this is {plain_error_rate(level)}"
    )
    if against:
        return f"Take {best} if that decides: {verdict}; but {_joined(_sentences(against))}."
    return f"Take {best}: {verdict}."


def _tied(finding: Finding, known: Sequence[_Advantage], level: float) -> str:
    margin = margin_text(finding.margin, finding.scale, finding.unit)
    same = f"the two are {equal_word(finding)} within {margin}, and a verdict like this is {plain_error_rate(level)}"
    favoured = {each.who for each in known}
    if len(favoured) == 1:
        return f"Take {favoured.pop()}: {same}; it {_joined([each.words for each in known])}."
    more = f"; {_joined(_sentences(known))}" if known else ""
    return f"Either will do: {same}{more}."


def _of_many(judged: Sequence[Finding], findings: Sequence[Finding], level: float) -> str:
    standing = Standing(judged)
    sure = f"a verdict like this is {plain_error_rate(level)}"
    better, first = better_word(judged[0]), standing.beats_all()
    if first is not None:
        return f"Take {first}: it is {better} than each of the {len(standing.names) - 1} others, and {sure}."
    leaders = standing.leaders()
    if leaders:
        group, margin = _joined(leaders), margin_text(judged[0].margin, judged[0].scale, judged[0].unit)
        rest = len(standing.names) - len(leaders)
        others = f" and {better} than the other {rest}" if rest > 1 else f" and {better} than the other" if rest else ""
        cheaper = _cheapest(leaders, findings)
        advice = f"Take {cheaper}, the fastest of {group}" if cheaper else f"Take any of {group}"
        return f"{advice}: they are {equal_word(judged[0])} within {margin}{others}, and {sure}."
    return _undecided_many(standing, better, sure)


def _undecided_many(standing: Standing, better: str, sure: str) -> str:
    decided = f"{standing.decided} of {standing.pairs} pairs are decided"
    candidates = standing.unbeaten()
    beaten = [name for name in standing.names if name not in candidates]
    if len(candidates) == 1:
        return f"Cannot tell yet whether {candidates[0]} is {better} than each of the others: {decided}, and {sure}."
    if candidates and beaten:
        lost = f"{_joined(beaten)} {'is' if len(beaten) == 1 else 'are'} out, and {sure}"
        return f"Cannot tell yet which is {better} among {_joined(candidates)}: {decided}; {lost}."
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


def better_word(finding: Finding) -> str:
    """How the better of two on a primary question is called."""
    return _BETTER.get(finding.metric, f"better on {finding.study} ({finding.metric})")


def equal_word(finding: Finding) -> str:
    """How two that are practically the same on a primary question are called."""
    return _EQUAL.get(finding.metric, f"practically the same on {finding.study} ({finding.metric})")


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
    return [f"{who} {_joined(words)}" for who, words in clauses.items()]


def _joined(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _by_how_much(finding: Finding) -> str:
    if finding.effect is None:
        return ""
    if finding.scale is Scale.RATIO:
        ratio = finding.effect.estimate
        return f", {times(1 / ratio if 0 < ratio < 1 else ratio)}"
    return f" by {difference(abs(finding.effect.estimate), finding.unit).removeprefix('+')}"


def _needed(finding: Finding) -> str:
    if not finding.further_units:
        return ""
    count = finding.further_units
    return f", and about {rough_count(count):,} more {units(count, finding.paired_on)} would be needed"


def _values(finding: Finding) -> str:
    a, b = amount(finding.value_a, finding.unit), amount(finding.value_b, finding.unit)
    return f"{finding.a} {a}, {finding.b} {b} on {finding.n:,} {units(finding.n, finding.paired_on)}"


def _label(finding: Finding) -> str:
    words = finding.metric.replace("_", " ")
    label = f"{words[:1].upper()}{words[1:]}"
    return f"{label}, {finding.a} and {finding.b}" if is_refused(finding) else label


def _chance(data: DataCard) -> str:
    return amount(1 / len(data.classes), "%")


def _guess(finding: Finding, data: DataCard) -> list[str]:
    """Those of a pair whose first answers are not shown to be better than guessing evenly (exact, p <= 0.01)."""
    plain = finding.scale is Scale.PROPORTION and finding.metric == "top1" and finding.scope == "checkpoints"
    if not plain or not finding.n or len(data.classes) < 2:
        return []
    sides = ((finding.a, finding.value_a), (finding.b, finding.value_b))
    chance = 1 / len(data.classes)
    return [
        name
        for name, value in sides
        if value is not None and above_chance(round(value * finding.n), finding.n, chance).p_value > 0.01
    ]


def _all_guess(judged: Sequence[Finding], data: DataCard) -> bool:
    names = {name for f in judged for name in (f.a, f.b)}
    return names == {name for f in judged for name in _guess(f, data)}


def _apart(primary: Sequence[Finding], contenders: Sequence[ContenderCard], data: DataCard) -> Iterator[str]:
    """Contenders that the verdict leaves out, or that have learned nothing that it could be about."""
    guess = {name for f in primary for name in _guess(f, data)}
    judged = {name for f in primary if not is_refused(f) for name in (f.a, f.b)}
    for card in contenders:
        if judged and card.name not in judged:
            yield f"{card.name} has no finding on the primary question: it is left out of the verdict."
        if card.name in guess and not _all_guess(primary, data):
            yield f"{card.name} is not better than guessing ({_chance(data)}) on these images: it has not learned them."
