"""The threats that a security verdict speaks of, the study that asks about each, and what is asked of a contender.

A verdict speaks of these threats and of no other. What is asked (`Rule.condition`) is a condition of a gate on the
contender's own level; `docs/security.md` gives the reason of each threshold, and a gate's file can name another one, or
accept a threat untested.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from netversus.decide.conditions import Measured, parse_condition
from netversus.errors import OptionError, nearest
from netversus.plan import Plan
from netversus.studies import find_studies

ACCEPTED = "accepted"
"""What stands in the place of a condition where somebody takes a threat upon himself."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One threat: `condition` is what a contender keeps that stands up to it.

    `refutes`: what fails the condition fails the test; else it only says that something could not be looked into.
    `attacked`: what was measured is what an attacker found, so that a stronger one may find more: it can refute at any
    strength, and vouches only where the whole attack was run.
    """

    name: str
    study: str
    condition: str
    refutes: bool = True
    attacked: bool = False


RULES = (
    Rule("file", "artifact", "artifact.refused.value <= 0"),
    Rule("unscanned", "artifact", "artifact.unscanned.value <= 0", refutes=False),
    Rule("evasion", "adversarial", "adversarial.robust_top1.value >= 50%", attacked=True),
    Rule("corruption", "corruption", "corruption.corrupted_top1.value >= 50%"),
    Rule("poisoning", "poisoning", "poisoning.attack_success.value <= 10%", attacked=True),
    Rule("privacy", "privacy", "privacy.member_auroc.value <= 60%", attacked=True),
)
STUDIES = tuple(dict.fromkeys(rule.study for rule in RULES))
"""The studies that ask about security."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A rule as it is asked in a run: its own condition or the one that a gate's file names. `accepted`: not asked."""

    rule: Rule
    condition: Measured
    accepted: bool = False


def asked_of(plan: Plan, thresholds: Mapping[str, str]) -> tuple[Asked, ...]:
    """Every rule, in order. `thresholds` maps names of rules to conditions of their own, or to "accepted".

    Raises:
        OptionError: there is no such threat, or the condition is none on a level of the study that asks about it.
    """
    known = [rule.name for rule in RULES]
    for name in thresholds:
        if name not in known:
            hint = nearest(name, known) or f"known: {', '.join(known)}"
            raise OptionError(f"security names no threat {name!r}", hint=hint)
    declared = {name: study.questions for name, study in find_studies().items()}
    whole = replace(plan, questions={**declared, **plan.questions})
    return tuple(_asked(rule, thresholds.get(rule.name, rule.condition), whole) for rule in RULES)


def _asked(rule: Rule, text: str, plan: Plan) -> Asked:
    if text.strip() == ACCEPTED:
        return Asked(rule, _parsed(rule, rule.condition, plan), accepted=True)
    return Asked(rule, _parsed(rule, text, plan))


def _parsed(rule: Rule, text: str, plan: Plan) -> Measured:
    condition = parse_condition(text, plan)
    if not isinstance(condition, Measured) or condition.study != rule.study or condition.statistic != "value":
        raise OptionError(
            f"security.{rule.name} is asked of a contender's own level in the study {rule.study}, got {text!r}",
            hint=f'such as "{rule.condition}", or "{ACCEPTED}"',
        )
    return condition
