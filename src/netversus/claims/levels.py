"""Stored observations -> one contender's own level with its interval: what a finding, which compares two, lacks.

These intervals are at the run's own level and share no error rate among them: each claim about a level stands alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netversus.claims.measured import Measured, why_none
from netversus.claims.records import Claim, FindingKey, Kind, Level, key_of
from netversus.errors import StatisticsError
from netversus.evidence import StudyEvidence
from netversus.records import Finding, Question, Scale
from netversus.store import RunStore


def measured_by(
    store: RunStore, findings: Sequence[Finding], claims: Sequence[Claim], called: Sequence[str] = ()
) -> Measured:
    """What a run measured, with the levels that the claims ask for."""
    plan = store.plan()
    level = plan.request.level
    return Measured(tuple(findings), plan.data, tuple(called), level, dict(_levels(store, findings, claims, level)))


def _levels(
    store: RunStore, findings: Sequence[Finding], claims: Sequence[Claim], level: float
) -> Iterator[tuple[FindingKey, Level]]:
    """The levels that the claims ask for: all but facts, which are exact."""
    plan = store.plan()
    wanted = {(b.study, b.metric) for c in claims for b in c.bindings if b.measured and b.comparison.kind is Kind.VALUE}
    for finding in findings:
        if (finding.study, finding.metric) not in wanted or finding.slice or finding.scale is Scale.FACT:
            continue
        question = next(q for q in plan.questions[finding.study] if q.metric == finding.metric)
        evidence = StudyEvidence(store, plan, finding.study)
        for name in (finding.a, finding.b):
            found = _level(evidence, name, question, level)
            if found is not None:
                yield key_of(finding, about=name), found


def _level(evidence: StudyEvidence, name: str, question: Question, level: float) -> Level | None:
    """A contender's level by the method of gates and recommendations; None where it was not measured."""
    try:
        found = evidence.own_level(name, question, level)
    except StatisticsError as error:
        return Level(float("nan"), None, "", str(error))
    if found is None:
        return None
    return Level(found.value, found.effect, found.method, "" if found.effect else why_none(found.method))
