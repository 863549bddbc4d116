"""One contender's own level with its interval: the one that a gate judges."""

from __future__ import annotations

from pathlib import Path

import pytest

from netversus.analyse import analyse
from netversus.claims import ClaimVerdict, audit, measured_by, read_claims
from netversus.decide.levels import level_of
from netversus.evidence import StudyEvidence
from netversus.store import RunStore

GOLDEN = Path(__file__).parents[1] / "golden" / "run"
WIDE = "py:tiny_nets:wide@scratch"


@pytest.mark.parametrize("metric", ["top1", "nll", "brier"])
def test_levels_of_a_stored_run_lie_around_what_the_findings_say(tmp_path: Path, metric: str):
    store = RunStore.open(GOLDEN)
    findings = analyse(store)
    found = next(f for f in findings if f.metric == metric and not f.slice)
    assert found.value_b is not None
    for factor, verdict in (
        (0.5, ClaimVerdict.SUPPORTED),
        (1.0, ClaimVerdict.UNDECIDED),
        (2.0, ClaimVerdict.CONTRADICTED),
    ):
        path = tmp_path / "claims.toml"
        path.write_text(
            f'[source]\ntitle = "t"\n[[claim]]\nid = "c"\ntext = "T."\n[[claim.measured]]\nquestion = "accuracy.{metric}"\n'
            f'value_of = "{WIDE}"\nat_least = {factor * found.value_b}\n'
        )
        claims = read_claims(path)
        (judgement,) = audit(claims, measured_by(store, findings, claims), ())
        assert judgement.verdict is verdict
        (evidence,) = judgement.measured.evidence
        assert evidence.estimate == pytest.approx(found.value_b)
        assert evidence.low is not None
        assert evidence.high is not None
        assert evidence.low < found.value_b < evidence.high
        assert evidence.level == 0.95


def claimed(tmp_path: Path, question: str):
    path = tmp_path / "claims.toml"
    path.write_text(
        '[source]\ntitle = "t"\n[[claim]]\nid = "c"\ntext = "T."\n[[claim.measured]]\n'
        f'question = "{question}"\nvalue_of = "{WIDE}"\nat_least = 0\n'
    )
    store = RunStore.open(GOLDEN)
    claims = read_claims(path)
    findings = analyse(store)
    (judgement,) = audit(claims, measured_by(store, findings, claims), ())
    (evidence,) = judgement.measured.evidence
    return store, evidence


@pytest.mark.parametrize("metric", ["top1", "nll", "brier"])
def test_a_claim_a_gate_and_a_limit_judge_one_interval(tmp_path: Path, metric: str):
    store, evidence = claimed(tmp_path, f"accuracy.{metric}")
    stored = StudyEvidence(store, store.plan(), "accuracy")
    question = next(q for q in store.plan().questions["accuracy"] if q.metric == metric)
    gate = level_of(stored, question, WIDE, 0.95)
    assert gate is not None
    assert (evidence.estimate, evidence.low, evidence.high) == (gate.value, gate.low, gate.high)


def test_a_level_that_has_no_interval_decides_nothing_and_says_why(tmp_path: Path):
    """The run is older than the question that judges calibration: it asks for the ECE alone."""
    _, evidence = claimed(tmp_path, "accuracy.ece")
    assert evidence.verdict is ClaimVerdict.UNDECIDED
    assert (evidence.low, evidence.high) == (None, None)
    assert "bias" in evidence.reason
