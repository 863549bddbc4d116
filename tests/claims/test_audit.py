"""A claim is judged on the whole interval, on its own data, and never by published and measured evidence at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from claims.conftest import A, B, accuracy, depth, latency, measured
from netversus.claims import Claim, ClaimVerdict, Figure, Measured, Region, Source, audit, refuse_unknown_questions
from netversus.claims.records import Half, Judgement
from netversus.errors import OptionError
from netversus.records import Direction, Finding, Role, Scale, Verdict

SUPPORTED, CONTRADICTED, UNDECIDED, NOT_MEASURED, NOT_CHECKABLE = ClaimVerdict
BETTER = '[[claim.measured]]\nquestion = "accuracy.top1"\nbetter = "resnet101"\nthan = "resnet50"\n'
CITED = '[[claim.published]]\nmetric = "top1"\nbetter = "resnet101"\nthan = "resnet50"\ntolerance = "0.5 %"\n'
Read = Callable[..., tuple[Claim, ...]]


def figure(small: float, large: float, data: str = "imagenet-1k", **changes: object) -> Figure:
    values: dict[str, object] = {
        "metric": "top1",
        "data": data,
        "setting": "",
        "unit": "%",
        "direction": Direction.HIGHER,
        "values": {"resnet50": small, "resnet101": large},
        "source": Source("a table"),
    }
    return Figure(**(values | changes))  # type: ignore[arg-type]


def judged(claims: tuple[Claim, ...], seen: Measured, *figures: Figure) -> Judgement:
    (judgement,) = audit(claims, seen, figures)
    return judgement


@given(
    *(st.integers(-5, 5) for _ in range(4)),
    st.booleans(),
)
def test_an_interval_is_judged_as_all_its_points_are(first: int, second: int, third: int, fourth: int, is_open: bool):
    """Each point of the interval by itself, on a grid that holds all ends and the middles between them."""
    (low, high), (least, most) = sorted((first, second)), sorted((third, fourth))
    if is_open and low == high:
        return
    points = np.arange(2 * least, 2 * most + 1) / 2
    inside = (low < points) & (points < high) if is_open else (low <= points) & (points <= high)
    expected = SUPPORTED if inside.all() else UNDECIDED if inside.any() else CONTRADICTED
    assert Region(low, high, is_open).judge(least, most) is expected


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.001, 0.02, SUPPORTED), (-0.02, -0.001, CONTRADICTED), (-0.001, 0.02, UNDECIDED), (0.0, 0.02, UNDECIDED)],
)
def test_better_needs_the_whole_interval_on_one_side(claims: Read, low: float, high: float, verdict: ClaimVerdict):
    assert judged(claims(BETTER), measured(accuracy(low, high))).verdict is verdict


def test_a_finding_is_read_the_way_round_that_the_claim_has(claims: Read):
    turned = accuracy(-0.02, -0.01, a=B, b=A)
    judgement = judged(claims(BETTER), measured(turned))
    assert judgement.verdict is SUPPORTED
    (evidence,) = judgement.measured.evidence
    assert (evidence.subject, evidence.other) == (B, A)
    assert (evidence.low, evidence.high) == (0.01, 0.02)
    assert evidence.finding is not None
    assert (evidence.finding.a, evidence.finding.b) == (B, A)


def test_a_ratio_turned_round_is_one_over_it(claims: Read):
    body = '[[claim.measured]]\nquestion = "speed.latency"\nratio = ["resnet50", "resnet101"]\nat_most = 0.6\n'
    (evidence,) = judged(claims(body), measured(latency(2.0, 2.5))).measured.evidence
    assert (evidence.low, evidence.high) == (pytest.approx(0.4), pytest.approx(0.5))
    assert evidence.verdict is SUPPORTED


@pytest.mark.parametrize(("by", "verdict"), [(0.0, SUPPORTED), (0.9, SUPPORTED), (1.1, UNDECIDED), (2.0, CONTRADICTED)])
def test_faster_by_so_much_is_a_share_of_the_ratio(claims: Read, by: float, verdict: ClaimVerdict):
    """Resnet101 takes 2.0 to 2.5 times as long: resnet50 is better by 100 to 150 %."""
    body = f'[[claim.measured]]\nquestion = "speed.latency"\nbetter = "resnet50"\nthan = "resnet101"\nby = {by}\n'
    assert judged(claims(body), measured(latency(2.0, 2.5))).verdict is verdict


def test_an_interval_whose_test_does_not_reject_decides_nothing(claims: Read):
    few = accuracy(0.001, 0.02, verdict=Verdict.UNDECIDED)
    judgement = judged(claims(BETTER), measured(few))
    assert judgement.verdict is UNDECIDED
    assert "does not reject" in judgement.measured.evidence[0].reason


def test_too_few_units_for_an_interval_decide_nothing(claims: Read):
    judgement = judged(claims(BETTER), measured(accuracy(0.01, 0.02, effect=None, verdict=Verdict.UNDECIDED)))
    assert judgement.verdict is UNDECIDED
    assert judgement.measured.evidence[0].low is None


def test_contenders_that_could_not_be_compared_were_not_measured(claims: Read):
    refused = accuracy(0.0, 0.0, value_a=None, value_b=None, effect=None, caveats=("not the same units",))
    judgement = judged(claims(BETTER), measured(refused))
    assert judgement.verdict is NOT_MEASURED
    assert judgement.measured.evidence[0].reason == "not the same units"


def test_a_fact_is_exact_and_has_no_interval(claims: Read):
    body = '[[claim.measured]]\nquestion = "structure.depth"\ndifference = ["resnet101", "resnet50"]\nat_least = 51\n'
    judgement = judged(claims(body), measured(depth()))
    assert judgement.verdict is SUPPORTED
    (evidence,) = judgement.measured.evidence
    assert (evidence.estimate, evidence.low, evidence.level) == (51, None, None)
    assert judged(claims(body.replace("51", "52")), measured(depth())).verdict is CONTRADICTED


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(-0.02, 0.01, SUPPORTED), (-0.08, -0.05, CONTRADICTED), (0.05, 0.08, CONTRADICTED), (-0.08, 0.01, UNDECIDED)],
)
def test_a_gap_counts_whichever_way_it_goes(claims: Read, low: float, high: float, verdict: ClaimVerdict):
    body = '[[claim.measured]]\nquestion = "accuracy.top1"\ngap = ["resnet50", "resnet101"]\nat_most = "2.5 %"\n'
    assert judged(claims(body), measured(accuracy(low, high))).verdict is verdict


@pytest.mark.parametrize(("least", "verdict"), [("77 %", SUPPORTED), ("83 %", CONTRADICTED), ("80 %", UNDECIDED)])
def test_a_level_is_judged_on_its_interval(claims: Read, least: str, verdict: ClaimVerdict):
    """800 of 1,000: Clopper and Pearson's interval at 95 % is 77.4 % to 82.4 %."""
    body = f'[[claim.measured]]\nquestion = "accuracy.top1"\nvalue_of = "resnet50"\nat_least = "{least}"\n'
    judgement = judged(claims(body), measured(accuracy(-0.01, 0.02)))
    assert judgement.verdict is verdict
    (evidence,) = judgement.measured.evidence
    assert (evidence.low, evidence.high) == (pytest.approx(0.7738, abs=2e-4), pytest.approx(0.8244, abs=2e-4))


def test_a_level_read_until_it_was_certain_has_no_interval(claims: Read):
    body = '[[claim.measured]]\nquestion = "accuracy.top1"\nvalue_of = "resnet50"\nat_least = "10 %"\n'
    stopped = accuracy(-0.01, 0.02, available=5000)
    judgement = judged(claims(body), measured(stopped))
    assert judgement.verdict is UNDECIDED
    assert "exaggerated" in judgement.measured.evidence[0].reason


def test_a_contender_of_several_pairs_has_its_level_shown_once(claims: Read):
    body = '[[claim.measured]]\nquestion = "accuracy.top1"\nvalue_of = "resnet50"\nat_least = "10 %"\n'
    seen = measured(accuracy(-0.01, 0.02), accuracy(-0.01, 0.02, b="resnet18@scratch"))
    assert len(judged(claims(body), seen).measured.evidence) == 1


def test_a_claim_about_other_data_is_shown_and_not_decided(claims: Read):
    named = claims('data = ["imagenet-1k"]\n' + BETTER)
    judgement = judged(named, measured(accuracy(0.01, 0.02)))
    assert judgement.verdict is NOT_MEASURED
    (evidence,) = judgement.measured.evidence
    assert evidence.other_data
    assert not evidence.decides
    assert evidence.verdict is SUPPORTED


@pytest.mark.parametrize(
    ("name", "called"), [("imagenet-1k", ()), ("ImageNet-1k", ()), ("val", ("imagenet-1k",)), ("digest of x", ())]
)
def test_a_claim_about_these_data_is_decided(claims: Read, name: str, called: tuple[str, ...]):
    named = claims('data = ["imagenet-1k", "digest of x"]\n' + BETTER)
    seen = measured(accuracy(0.01, 0.02), name="x" if name.startswith("digest") else name, called=called)
    assert judged(named, seen).verdict is SUPPORTED


def test_a_name_that_only_holds_the_data_s_name_is_other_data(claims: Read):
    named = claims('data = ["imagenet"]\n' + BETTER)
    assert judged(named, measured(accuracy(0.01, 0.02), name="imagenette")).verdict is NOT_MEASURED


@pytest.mark.parametrize(
    ("small", "large"),
    [
        ("resnet50@IMAGENET1K_V1", "resnet101@IMAGENET1K_V1"),
        ("timm:resnet50.a1_in1k", "timm:resnet101.a1_in1k"),
        ("hf:microsoft/resnet-50", "hf:microsoft/resnet-101"),
        ("file:w.safetensors?arch=resnet50", "file:resnet50.safetensors?arch=resnet101"),
        ("resnet50?engine=fused", "resnet101?engine=fused"),
    ],
)
def test_a_name_means_the_architecture_from_every_source(claims: Read, small: str, large: str):
    assert judged(claims(BETTER), measured(accuracy(0.01, 0.02, a=small, b=large))).verdict is SUPPORTED


@pytest.mark.parametrize(
    "other",
    ["timm:wide_resnet50_2", "timm:resnet50d", "resnet18", "py:resnet50.mine:resnet50", "resnet50?stages=3@scratch"],
)
def test_a_name_does_not_mean_a_network_that_is_called_alike(claims: Read, other: str):
    judgement = judged(claims(BETTER), measured(accuracy(0.01, 0.02, a=other)))
    assert judgement.verdict is NOT_MEASURED
    assert judgement.measured.missing == ("accuracy.top1",)


def test_a_whole_spec_means_itself(claims: Read):
    body = BETTER.replace("resnet101", "py:mine:net@scratch")
    assert judged(claims(body), measured(accuracy(0.01, 0.02, b="py:mine:net@scratch"))).verdict is SUPPORTED


def test_pairs_that_a_claim_means_have_to_agree(claims: Read):
    """Two sets of weights of one architecture: the claim does not say which."""
    better, worse = accuracy(0.01, 0.02), accuracy(-0.02, -0.01, a="resnet50@V2")
    assert judged(claims(BETTER), measured(better, worse)).verdict is UNDECIDED
    assert judged(claims(BETTER), measured(better, accuracy(0.02, 0.03, a="resnet50@V2"))).verdict is SUPPORTED


def test_slices_are_no_evidence(claims: Read):
    assert judged(claims(BETTER), measured(accuracy(0.01, 0.02, slice="class: 3"))).verdict is NOT_MEASURED


def test_every_part_of_a_claim_has_to_hold(claims: Read):
    both = BETTER + '[[claim.measured]]\nquestion = "speed.latency"\nbetter = "resnet101"\nthan = "resnet50"\n'
    right = accuracy(0.01, 0.02)
    assert judged(claims(both), measured(right, latency(0.4, 0.5))).verdict is SUPPORTED
    assert judged(claims(both), measured(right, latency(2.0, 2.5))).verdict is CONTRADICTED
    assert judged(claims(both), measured(right, latency(0.9, 1.1))).verdict is UNDECIDED
    part = judged(claims(both), measured(right))
    assert part.verdict is NOT_MEASURED
    assert part.measured.missing == ("speed.latency",)


def test_what_is_only_shown_decides_nothing(claims: Read):
    shown = BETTER + 'shown_because = "It is about something else."\n'
    judgement = judged(claims(shown), measured(accuracy(0.01, 0.02)))
    assert judgement.verdict is NOT_MEASURED
    assert judgement.measured.evidence[0].verdict is SUPPORTED


def test_what_cannot_be_checked_rests_on_nothing(claims: Read):
    judgement = judged(claims('not_checkable = "Nice names no measure."'), measured(accuracy(0.01, 0.02)))
    assert judgement.verdict is NOT_CHECKABLE
    assert judgement.measured == judgement.published == Half(None)


@pytest.mark.parametrize(
    ("here", "large", "verdict"),
    [
        (accuracy(0.01, 0.02), 0.82, SUPPORTED),
        (accuracy(-0.01, 0.02), 0.82, SUPPORTED),
        (accuracy(0.01, 0.02), 0.802, SUPPORTED),
        (accuracy(-0.01, 0.02), 0.802, UNDECIDED),
        (accuracy(-0.02, -0.01), 0.82, UNDECIDED),
        (accuracy(0.01, 0.02), 0.78, UNDECIDED),
        (accuracy(-0.02, -0.01), 0.802, CONTRADICTED),
    ],
)
def test_neither_kind_of_evidence_outweighs_the_other(claims: Read, here: Finding, large: float, verdict: ClaimVerdict):
    judgement = judged(claims(BETTER + CITED), measured(here), figure(0.8, large))
    assert judgement.verdict is verdict
    assert all(each.finding and not each.figures for each in judgement.measured.evidence)
    assert all(each.figures and not each.finding for each in judgement.published.evidence)
    assert judgement.disagree == (
        {judgement.measured.verdict, judgement.published.verdict} == {SUPPORTED, CONTRADICTED}
    )


@pytest.mark.parametrize(
    ("rule", "gaps", "verdict"),
    [
        ("all", (0.01, 0.02), SUPPORTED),
        ("all", (0.01, 0.004), UNDECIDED),
        ("all", (0.01, 0.02, -0.01), CONTRADICTED),
        ("most", (0.01, 0.02, -0.01), SUPPORTED),
        ("most", (0.01, -0.01), UNDECIDED),
        ("most", (0.01, 0.004, 0.004), UNDECIDED),
        ("most", (-0.01, -0.02, 0.02), CONTRADICTED),
    ],
)
def test_figures_are_taken_together_by_the_rule(claims: Read, rule: str, gaps: tuple[float], verdict: ClaimVerdict):
    figures = [figure(0.8, 0.8 + gap) for gap in gaps]
    assert judged(claims(f'{CITED}rule = "{rule}"\n'), measured(), *figures).verdict is verdict


@pytest.mark.parametrize(
    ("cited", "verdict"),
    [
        ((0.76, 0.79), SUPPORTED),
        ((0.76, 0.81), UNDECIDED),  # a recipe between the two could reach it
        ((0.75, 0.76), CONTRADICTED),
        ((0.81, 0.82), CONTRADICTED),
    ],
)
def test_a_level_is_reached_by_one_figure_or_lies_beyond_all(claims: Read, cited: tuple[float], verdict: ClaimVerdict):
    body = (
        '[[claim.published]]\nmetric = "top1"\nvalue_of = "resnet50"\nabout = 0.791\nwithin = 0.005\nrule = "reached"\n'
    )
    assert judged(claims(body), measured(), *(figure(value, 0.9) for value in cited)).verdict is verdict


def test_a_figure_that_is_better_lower_is_read_so(claims: Read):
    worse = figure(0.765, 0.708, direction=Direction.LOWER)
    assert judged(claims(CITED), measured(), worse).verdict is SUPPORTED


def test_figures_of_other_data_are_not_taken(claims: Read):
    named = claims('data = ["imagenet-1k"]\n' + CITED)
    judgement = judged(named, measured(), figure(0.8, 0.82), figure(0.8, 0.7, data="cifar-10"))
    assert judgement.verdict is SUPPORTED
    assert len(judgement.published.evidence) == 1


def test_a_claim_without_a_figure_to_hold_it_against_is_refused(claims: Read):
    with pytest.raises(OptionError, match="claim 'c0': no published figure of top1 for resnet101 and resnet50"):
        judged(claims(CITED), measured(), figure(0.8, 0.8, values={"resnet50": 0.8}))


def test_a_spread_names_both_of_its_figures(claims: Read):
    body = '[[claim.published]]\nmetric = "top1"\nspread_of = "resnet50"\nat_least = "4 %"\n'
    judgement = judged(claims(body), measured(), figure(0.8, 0.9), figure(0.76, 0.9), figure(0.81, 0.9))
    (evidence,) = judgement.published.evidence
    assert judgement.verdict is SUPPORTED
    assert evidence.estimate == pytest.approx(0.05)
    assert [each.values["resnet50"] for each in evidence.figures] == [0.76, 0.81]


@pytest.mark.parametrize(
    ("body", "finding", "said"),
    [
        ('better = "resnet50"\nthan = "resnet101"', depth(study="accuracy", metric="top1"), "neither side"),
        ('ratio = ["resnet50", "resnet101"]\nat_most = 1', accuracy(0.0, 0.1), "by its difference, not by its ratio"),
        (
            'difference = ["resnet50", "resnet101"]\nat_most = 1',
            accuracy(0.5, 0.6, scale=Scale.RATIO),
            "by its ratio, not by its difference",
        ),
    ],
)
def test_a_comparison_that_its_question_does_not_allow_is_refused(claims: Read, body: str, finding: Finding, said: str):
    with pytest.raises(OptionError, match=f"claim 'c0': .*{said}"):
        judged(claims(f'[[claim.measured]]\nquestion = "accuracy.top1"\n{body}\n'), measured(finding))


def test_a_question_that_nobody_asks_is_refused_with_the_nearest(claims: Read):
    with pytest.raises(OptionError, match=r"claim 'c0': no study asks 'accuracy.top_1'.*did you mean accuracy.top1"):
        refuse_unknown_questions(claims(BETTER.replace("top1", "top_1")), {"accuracy.top1", "speed.latency"})


def test_practically_the_same_is_not_better_unless_the_claim_says_by_how_much(claims: Read):
    same = accuracy(0.001, 0.006, verdict=Verdict.EQUIVALENT)
    judgement = judged(claims(BETTER), measured(same))
    assert judgement.verdict is UNDECIDED
    assert "practically the same" in judgement.measured.evidence[0].reason
    assert judged(claims(BETTER + 'by = "1 %"\n'), measured(same)).verdict is CONTRADICTED
    described = accuracy(0.001, 0.006, verdict=Verdict.DESCRIBED, role=Role.DESCRIPTIVE)
    assert judged(claims(BETTER), measured(described)).verdict is UNDECIDED
    assert judged(claims(BETTER), measured(accuracy(0.02, 0.03, verdict=Verdict.DESCRIBED))).verdict is SUPPORTED


LIMIT = '[[claim.measured]]\nquestion = "accuracy.top1"\n{}\n'
DIFFERENCE = LIMIT.format('difference = ["resnet101", "resnet50"]\nat_least = 0.01')
NO_WORSE = LIMIT.format('difference = ["resnet101", "resnet50"]\nat_least = -0.05')
GAP = LIMIT.format('gap = ["resnet101", "resnet50"]\nat_least = 0.01')
SMALL = LIMIT.format('gap = ["resnet101", "resnet50"]\nat_most = "0.5 %"')


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        (BETTER, UNDECIDED),
        (BETTER.replace("resnet101", "x").replace("resnet50", "resnet101").replace("x", "resnet50"), UNDECIDED),
        (DIFFERENCE, UNDECIDED),
        (GAP, UNDECIDED),
        (SMALL, UNDECIDED),  # contradicted only by a difference
        (NO_WORSE, SUPPORTED),  # that both are alike would support it too
    ],
)
def test_what_rests_on_a_difference_needs_the_test_to_reject(claims: Read, body: str, verdict: ClaimVerdict):
    """Also of what is only described, which has no verdict of its own."""
    few = accuracy(0.02, 0.05, p_raw=0.25, verdict=Verdict.DESCRIBED)
    assert judged(claims(body), measured(few)).verdict is verdict
    many = accuracy(0.02, 0.05, p_raw=0.001, verdict=Verdict.DESCRIBED)
    assert judged(claims(body), measured(many)).verdict is not UNDECIDED


@pytest.mark.parametrize("body", [BETTER, DIFFERENCE, GAP, NO_WORSE])
def test_three_units_decide_nothing_as_at_a_gate(claims: Read, body: str):
    judgement = judged(claims(body), measured(accuracy(0.02, 0.05, n=3, verdict=Verdict.DESCRIBED)))
    assert judgement.verdict is UNDECIDED
    assert "too few units" in judgement.measured.evidence[0].reason


def test_a_ratio_that_may_be_one_is_no_ratio_beyond_one(claims: Read):
    body = '[[claim.measured]]\nquestion = "speed.latency"\nratio = ["resnet101", "resnet50"]\nat_least = 1.05\n'
    slow = {"verdict": Verdict.UNDECIDED, "p_raw": 0.2}
    assert judged(claims(body), measured(latency(1.1, 1.3, **slow))).verdict is UNDECIDED
    assert judged(claims(body), measured(latency(1.1, 1.3, p_raw=1e-4))).verdict is SUPPORTED
    assert judged(claims(body.replace("1.05", "0.9")), measured(latency(1.1, 1.3, **slow))).verdict is SUPPORTED


def test_why_there_is_no_interval_is_said(claims: Read):
    described = accuracy(0.02, 0.05, effect=None, method="none: every value is the same", verdict=Verdict.UNDECIDED)
    judgement = judged(claims(BETTER), measured(described))
    assert judgement.measured.evidence[0].reason == "none: every value is the same"
