"""Claims from outside, held against what a run measured and against what is published. Loads no torch.

A claim is a sentence with its source, bound to questions that studies measure, or to published figures, or to neither
with the reason. `docs/claims.md` says what the verdicts mean.

    read        a TOML file -> claims
    figures     TOML files -> published figures
    measured    findings -> what they say of one binding
    cited       published figures -> the same
    levels      stored observations -> one contender's level with its interval
    audit       all of it -> judgements
"""

from __future__ import annotations

from netversus.claims.audit import audit, refuse_unknown_questions
from netversus.claims.builtin import article, published_figures
from netversus.claims.figures import read_figures
from netversus.claims.levels import measured_by
from netversus.claims.measured import Measured
from netversus.claims.read import read_claims
from netversus.claims.records import (
    Binding,
    Claim,
    ClaimVerdict,
    Comparison,
    Evidence,
    Figure,
    FindingKey,
    Half,
    Judgement,
    Kind,
    Level,
    Region,
    Rule,
    Source,
)

__all__ = [
    "Binding",
    "Claim",
    "ClaimVerdict",
    "Comparison",
    "Evidence",
    "Figure",
    "FindingKey",
    "Half",
    "Judgement",
    "Kind",
    "Level",
    "Measured",
    "Region",
    "Rule",
    "Source",
    "article",
    "audit",
    "measured_by",
    "published_figures",
    "read_claims",
    "read_figures",
    "refuse_unknown_questions",
]
