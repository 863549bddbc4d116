"""The headline where several contenders were compared with a baseline, and not with each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netversus.messages import clauses, listed, say
from netversus.records import Finding, Verdict
from netversus.report.phrases import better_word, equal_word
from netversus.wording import plain_error_rate, winner


def against_baseline(judged: Sequence[Finding], baseline: str, level: float) -> str:
    """One sentence: whether to leave the baseline, for whom, and how each of the others stands to it."""
    better = [_other(f, baseline) for f in judged if winner(f) not in (None, baseline)]
    undecided = [_other(f, baseline) for f in judged if f.verdict is Verdict.UNDECIDED]
    told = clauses(_clauses(judged, baseline, better, undecided))
    advice = _advice(better, undecided, baseline)
    if len(undecided) == len(judged):
        return say("{advice}: {clauses}.", advice=advice, clauses=told)
    sure = plain_error_rate(level)
    return say("{advice}: {clauses}, and a verdict like this is {sure}.", advice=advice, clauses=told, sure=sure)


def _advice(better: Sequence[str], undecided: Sequence[str], baseline: str) -> str:
    if len(better) == 1:
        return say("Take {best}", best=better[0])
    if better:
        return say("Take one of {group}", group=listed(better))
    if undecided:
        return say("Cannot tell yet whether to leave {baseline}", baseline=baseline)
    return say("Stay with {baseline}", baseline=baseline)


def _clauses(
    judged: Sequence[Finding], baseline: str, better: Sequence[str], undecided: Sequence[str]
) -> Iterator[str]:
    same = [_other(f, baseline) for f in judged if f.verdict is Verdict.EQUIVALENT]
    worse = [_other(f, baseline) for f in judged if winner(f) == baseline]
    word = better_word(judged[0])
    if len(better) == 1:
        yield say("it is {better} than {other}", better=word, other=baseline)
    elif better:
        yield say("they are {better} than {other} (and were not compared with each other)", better=word, other=baseline)
    if same:
        yield say("{group} are {equal}", group=listed([baseline, *same]), equal=equal_word(judged[0]))
    if worse:
        yield say("{best} is {better} than {other}", best=baseline, better=word, other=listed(worse))
    if undecided:
        yield say("of {group} it cannot be told yet", group=listed(undecided))


def _other(finding: Finding, baseline: str) -> str:
    return finding.b if finding.a == baseline else finding.a
