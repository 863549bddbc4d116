"""Judgements as plain values, for JSON. What is not known is null, and no key is ever left out."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import Any

from netversus.claims.records import Binding, Evidence, Half, Judgement

SCHEMA_VERSION = 1


def as_document(judgements: Iterable[Judgement]) -> list[dict[str, Any]]:
    """An object a judgement, in their order."""
    return [_judgement(judgement) for judgement in judgements]


def _judgement(judgement: Judgement) -> dict[str, Any]:
    claim = judgement.claim
    return {
        "id": claim.id,
        "text": claim.text,
        "english": claim.english,
        "source": {"title": claim.source.title, "where": claim.source.where, "section": claim.section},
        "data": list(claim.data),
        "reading": claim.reading,
        "note": claim.note,
        "not_checkable": claim.not_checkable,
        "verdict": judgement.verdict.value,
        "measured": _half(judgement.measured),
        "published": _half(judgement.published),
    }


def _half(half: Half) -> dict[str, Any]:
    return {
        "verdict": half.verdict.value if half.verdict else None,
        "missing": list(half.missing),
        "evidence": [_evidence(each) for each in half.evidence],
    }


def _evidence(evidence: Evidence) -> dict[str, Any]:
    finding = evidence.finding
    return {
        "claimed": _binding(evidence.binding),
        "verdict": evidence.verdict.value,
        "decides": evidence.decides,
        "other_data": evidence.other_data,
        "subject": evidence.subject,
        "other": evidence.other,
        "data": evidence.data,
        "unit": evidence.unit,
        "scale": evidence.scale.value,
        "estimate": _number(evidence.estimate),
        "low": _number(evidence.low),
        "high": _number(evidence.high),
        "level": _number(evidence.level),
        "n": evidence.n,
        "reason": evidence.reason,
        "caveats": list(evidence.caveats),
        "finding": {"study": finding.study, "metric": finding.metric, "a": finding.a, "b": finding.b}
        if finding
        else None,
        "figures": [
            {
                "source": {"title": figure.source.title, "where": figure.source.where},
                "metric": figure.metric,
                "data": figure.data,
                "setting": figure.setting,
                "values": dict(figure.values),
                "note": figure.note,
            }
            for figure in evidence.figures
        ],
    }


def _binding(binding: Binding) -> dict[str, Any]:
    return {
        "kind": binding.comparison.kind.value,
        "low": _number(binding.region.low),
        "high": _number(binding.region.high),
        "open": binding.region.open,
        "tolerance": binding.tolerance,
        "rule": binding.rule.value,
        "shown_because": binding.shown_because,
    }


def _number(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None
