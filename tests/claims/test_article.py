"""The built-in claims and figures: whole, cited, and judged as the figures demand."""

from __future__ import annotations

import pytest

from claims.conftest import measured
from netversus.claims import ClaimVerdict, Judgement, article, audit, published_figures
from netversus.decide.threats import RULES
from netversus.studies import find_studies

COMING = {
    "adversarial.robust_top1",
    "corruption.corrupted_top1",
    "detection.ap",
    "poisoning.attack_success",
    "recognition.recall_at_1",
    "tracking.hota",
}
"""Questions of studies that are being written; a claim bound to one is not measured until it is there."""


@pytest.fixture(scope="module")
def judgements() -> dict[str, Judgement]:
    return {judgement.claim.id: judgement for judgement in audit(article(), measured(), published_figures())}


def test_every_bound_question_is_asked_by_a_study_or_will_be():
    asked = {f"{name}.{q.metric}" for name, study in find_studies().items() for q in study.questions}
    bound = {binding.question for claim in article() for binding in claim.bindings if binding.measured}
    assert bound - asked <= COMING


def test_a_study_that_is_there_asks_what_the_claims_expect_of_it():
    asked = {f"{name}.{q.metric}" for name, study in find_studies().items() for q in study.questions}
    late = {question for question in COMING if question.partition(".")[0] in find_studies()}
    assert late <= asked, "bind the article's claims to what these studies do ask"


def test_every_claim_is_quoted_and_said_in_english():
    for claim in article():
        assert any("\u4e00" <= character <= "\u9fff" for character in claim.text), claim.id
        assert claim.english.isascii(), claim.id
        assert claim.source.title
        assert claim.section


def test_every_figure_has_its_source():
    for figure in published_figures():
        assert figure.source.title
        assert figure.source.where or figure.setting, figure


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        ("r50-imagenet-accuracy", ClaimVerdict.UNDECIDED),  # cited figures lie from 73.8 to 81.2
        ("r101-imagenet-accuracy", ClaimVerdict.CONTRADICTED),  # none is above 82.3; top-5 none above 95.8
        ("imagenet-gap-size", ClaimVerdict.CONTRADICTED),
        ("imagenet-gap-small", ClaimVerdict.SUPPORTED),
        ("r50-coco-accuracy", ClaimVerdict.CONTRADICTED),
        ("r101-coco-accuracy", ClaimVerdict.CONTRADICTED),
        ("coco-gap-size", ClaimVerdict.CONTRADICTED),
        ("coco-gap-large", ClaimVerdict.CONTRADICTED),
        ("r50-detection", ClaimVerdict.CONTRADICTED),
        ("r50-tracking", ClaimVerdict.UNDECIDED),  # two benchmarks for, one against, two within half a point
        ("r101-usually-better", ClaimVerdict.SUPPORTED),
        ("r101-security", ClaimVerdict.UNDECIDED),  # ahead under l-infinity, level under l2
        ("r50-highly-secure", ClaimVerdict.CONTRADICTED),
        ("r101-highly-secure", ClaimVerdict.CONTRADICTED),
        ("r50-features", ClaimVerdict.NOT_MEASURED),
        ("limit-depth", ClaimVerdict.NOT_MEASURED),
        ("r50-injection", ClaimVerdict.NOT_CHECKABLE),
    ],
)
def test_the_article_s_claims_beside_the_cited_figures(judgements, claim: str, verdict: ClaimVerdict):
    assert judgements[claim].verdict is verdict


@pytest.mark.parametrize("limit", [0.023, 0.03, 0.1])
def test_small_is_small_for_any_limit_that_its_reading_names(judgements, limit: float):
    evidence = [each for each in judgements["imagenet-gap-small"].published.evidence if each.high is not None]
    assert evidence
    assert all(each.high <= limit for each in evidence)


@pytest.mark.parametrize("limit", [0.033, 0.05, 0.118])
def test_large_is_not_reached_for_any_limit_that_its_reading_names(judgements, limit: float):
    assert all(each.high < limit for each in judgements["coco-gap-large"].published.evidence)


def test_no_figure_of_a_hundred_percent_or_more_slipped_in_by_a_wrong_unit():
    shares = [value for figure in published_figures() if figure.unit == "%" for value in figure.values.values()]
    assert all(0 <= value < 1 for value in shares)
    assert max(shares) > 0.9


@pytest.mark.parametrize("claim", ["r50-highly-secure", "r101-highly-secure"])
def test_security_is_claimed_with_the_limits_of_the_security_test(claim: str):
    """What the gate asks by default is what the claims are held against, threat by threat."""
    bindings = {b.question: b for each in article() if each.id == claim for b in each.bindings if b.measured}
    asked = [rule.condition.split() for rule in RULES if rule.refutes]
    assert set(bindings) == {name.removesuffix(".value") for name, *_ in asked}
    for name, relation, amount in asked:
        limit = float(amount.removesuffix("%")) / (100 if amount.endswith("%") else 1)
        region = bindings[name.removesuffix(".value")].region
        assert (region.low if relation == ">=" else region.high) == pytest.approx(limit)
