"""The headline where several contenders were compared with a baseline, and not with each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netversus.records import Finding, Verdict
from netversus.report.phrases import are, better_word, equal_word, joined
from netversus.wording import plain_error_rate, winner


def against_baseline(judged: Sequence[Finding], baseline: str, level: float) -> str:
    """One sentence: whether to leave the baseline, for whom, and how each of the others stands to it."""
    better = [_other(f, baseline) for f in judged if winner(f) not in (None, baseline)]
    undecided = [_other(f, baseline) for f in judged if f.verdict is Verdict.UNDECIDED]
    if better:
        advice = f"Take {better[0]}" if len(better) == 1 else f"Take one of {joined(better)}"
    else:
        advice = f"Cannot tell yet whether to leave {baseline}" if undecided else f"Stay with {baseline}"
    sure = f", and a verdict like this is {plain_error_rate(level)}" if len(undecided) < len(judged) else ""
    return f"{advice}: {'; '.join(_clauses(judged, baseline, better, undecided))}{sure}."


def _clauses(
    judged: Sequence[Finding], baseline: str, better: Sequence[str], undecided: Sequence[str]
) -> Iterator[str]:
    same = [_other(f, baseline) for f in judged if f.verdict is Verdict.EQUIVALENT]
    worse = [_other(f, baseline) for f in judged if winner(f) == baseline]
    if len(better) == 1:
        yield f"it is {better_word(judged[0])} than {baseline}"
    elif better:
        yield f"they are {better_word(judged[0])} than {baseline} (and were not compared with each other)"
    if same:
        yield f"{are([baseline, *same])} {equal_word(judged[0])}"
    if worse:
        yield f"{baseline} is {better_word(judged[0])} than {joined(worse)}"
    if undecided:
        yield f"of {joined(undecided)} it cannot be told yet"


def _other(finding: Finding, baseline: str) -> str:
    return finding.b if finding.a == baseline else finding.a
