"""The example of a user's own claims, run as its first lines say, on findings that are known."""

from __future__ import annotations

from pathlib import Path

from claims.conftest import accuracy, latency, measured
from netversus.claims import ClaimVerdict, FindingKey, Level, audit, published_figures, read_claims
from netversus.claims import refuse_unknown_questions as refuse
from netversus.records import Effect
from netversus.studies import find_studies

EXAMPLE = Path(__file__).parents[2] / "examples" / "acceptance.toml"


def test_the_example_asks_what_studies_measure():
    refuse(read_claims(EXAMPLE), {f"{n}.{q.metric}" for n, study in find_studies().items() for q in study.questions})


def test_the_example_is_judged_claim_by_claim():
    found = (accuracy(-0.004, 0.01, n=10_000, value_b=0.96), latency(1.1, 1.15))
    seen = measured(*found)
    key = FindingKey("speed", "latency", found[1].a, found[1].b, found[1].b)
    levels = {key: Level(0.02, Effect(0.02, 0.019, 0.021, 0.95), "order statistics")}
    seen = type(seen)(seen.findings, seen.data, levels=levels)
    judgements = {j.claim.id: j.verdict for j in audit(read_claims(EXAMPLE), seen, published_figures())}
    assert judgements == {
        "not-less-accurate": ClaimVerdict.SUPPORTED,
        "accurate-enough": ClaimVerdict.SUPPORTED,
        "fast-enough": ClaimVerdict.SUPPORTED,
        "vendor-figure": ClaimVerdict.SUPPORTED,  # by the cited figure of recipe A1, 82.326; digits decide nothing
        "easy-to-maintain": ClaimVerdict.NOT_CHECKABLE,
    }
