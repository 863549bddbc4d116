"""What a run stores in English, in the language of the report: questions, cuts, reasons, notes, findings.

A report is built from a plan and from findings that went through here first. In English they are what they were.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from netversus.messages import language, say, told
from netversus.plan import Plan
from netversus.records import Finding, Outcome, Skipped
from netversus.wording import expert_sentence, sentence


def plan_told(plan: Plan) -> Plan:
    """The plan with its questions, cuts and notes in the language in force."""
    if language() == "en":
        return plan
    return replace(
        plan,
        asks={study: say(asks) for study, asks in plan.asks.items()},
        questions={s: tuple(replace(q, asks=say(q.asks)) for q in asked) for s, asked in plan.questions.items()},
        contenders=tuple(replace(card, notes=_all_told(card.notes)) for card in plan.contenders),
        data=replace(plan.data, notes=_all_told(plan.data.notes)),
        cuts=_all_told(plan.cuts),
    )


def finding_told(finding: Finding) -> Finding:
    """The finding with its words in the language in force."""
    if language() == "en":
        return finding
    changed = replace(
        finding, caveats=_all_told(finding.caveats), method=told(finding.method), slice=told(finding.slice)
    )
    return replace(changed, sentence=sentence(finding), expert=expert_sentence(finding))


def outcome_told(outcome: Outcome | None) -> Outcome | None:
    """How a cell ended, with the reason of one that was skipped; an error stays as it was raised."""
    return replace(outcome, reason=told(outcome.reason)) if isinstance(outcome, Skipped) else outcome


def _all_told(lines: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(told, lines))
