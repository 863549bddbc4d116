"""Constants are no certainty: each end of their interval is missed at most half as often as the level allows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from netversus.records import Direction, Effect, Question, Scale, Verdict
from netversus.statistics.comparison import Comparison, compare, compare_across_seeds
from netversus.statistics.constant import bounds_of, constant_mean, of_differences, same, unseen_share, within
from netversus.statistics.pairing import Sample

SHARE = Question("m", "?", Scale.MEAN, Direction.LOWER, "%", "image", bounds=(0.0, 1.0))
FREE = Question("m", "?", Scale.MEAN, Direction.LOWER, "nats", "image")
AUROC = Question(
    *("m", "?", Scale.AGGREGATE, Direction.HIGHER, "%", "image"),
    estimator="area_under_roc",
    inputs=("score", "outlier"),
)


def sample(values: object) -> Sample:
    array = np.asarray(values, dtype=float)
    return Sample(tuple(f"unit-{i:05d}" for i in range(len(array))), array)


def judge(asked: Question, a: object, b: object, margin: float = 0.02) -> Comparison:
    return compare(asked, {"m": sample(a)}, {"m": sample(b)}, level=0.95, margin=margin, seed=0)


def ranked(outliers: int, belonging: int, wrong: int = 0) -> dict[str, Sample]:
    """Scores that tell all outliers but the first few."""
    kinds = np.repeat([1.0, 0.0], [outliers, belonging])
    scores = np.where(np.arange(len(kinds)) < wrong, -1.0, kinds)
    return {"score": sample(scores), "outlier": sample(kinds)}


def test_the_share_unseen_is_the_exact_one_of_a_peer() -> None:
    for n in (1, 6, 40, 5000):
        assert unseen_share(n, 0.95) == pytest.approx(binomtest(0, n).proportion_ci(0.95, "exact").high, rel=1e-9)


@pytest.mark.parametrize("n", [30, 400])
@pytest.mark.parametrize("beyond", [1.0, 1.3])
def test_units_that_are_just_too_rare_to_be_seen_are_covered(n: int, beyond: float) -> None:
    """A share of units differ as much as they can, just as many as the interval allows, or more: of samples of n that
    are all alike, and so have the interval, there are at most 2.5 %."""
    rng = np.random.default_rng(n)
    share = beyond * unseen_share(n, 0.95)
    missed, runs = 0, 4000
    for _ in range(runs):
        values = (rng.random(n) < share).astype(float)
        if same(values):
            missed += constant_mean(float(values[0]), n, 0.95, (0.0, 1.0)).high <= share
    assert missed / runs <= 0.025 + 3 * np.sqrt(0.025 * 0.975 / runs)


def test_no_end_lies_beyond_a_bound_and_both_hold_the_value() -> None:
    for value in (0.0, 0.3, 1.0):
        found = constant_mean(value, 20, 0.95, (0.0, 1.0))
        assert 0 <= found.low <= value <= found.high <= 1
    assert constant_mean(0.0, 20, 0.95, (0.0, 1.0)).low == 0
    assert within(Effect(0.9, 0.7, 1.2, 0.95), (0.0, 1.0)) == Effect(0.9, 0.7, 1.0, 0.95)
    assert within(Effect(-0.001, -0.01, 0.2, 0.95), (0.0, 1.0)).low == -0.001  # an estimate may lie below its bound


def test_what_is_the_same_but_for_rounding_is_the_same() -> None:
    assert same(np.array([0.1 + 0.2, 0.3]))
    assert not same(np.array([0.3, 0.3001]))
    assert same(np.array([1e-17, -1e-17]), 1.0)


def test_bounds_are_those_of_the_scale() -> None:
    proportion = Question("m", "?", Scale.PROPORTION, Direction.HIGHER, "%", "image")
    assert bounds_of(proportion) == bounds_of(AUROC) == (0.0, 1.0)
    assert bounds_of(FREE) is None
    assert of_differences((0.0, 2.0)) == (-2.0, 2.0)
    assert of_differences(None) is None


def test_an_attack_that_never_succeeds_leaves_both_practically_the_same() -> None:
    found = judge(SHARE, np.zeros(400), np.zeros(400))
    assert found.verdict is Verdict.EQUIVALENT
    assert found.effect is not None
    assert found.effect.high == -found.effect.low == pytest.approx(1 - 0.025 ** (1 / 400))
    assert judge(SHARE, np.zeros(150), np.zeros(150)).verdict is Verdict.UNDECIDED
    assert judge(SHARE, np.ones(400), np.ones(400)).verdict is Verdict.EQUIVALENT


def test_identical_answers_of_two_seeds_spend_half_of_the_error_on_each_side() -> None:
    """300 images: at 95 % the reach is 1.22 points, not the 0.99 of a one-sided rule."""
    answers = np.arange(300) % 2 * 0.5
    found = judge(SHARE, answers, answers)
    assert found.effect is not None
    assert found.effect.low == pytest.approx(-0.01222, abs=1e-5)


def test_a_constant_gain_reaches_to_where_an_unseen_unit_can_lie() -> None:
    """A is always wrong and B always right: a unit not seen can be the other way round, 2 below."""
    found = judge(SHARE, np.zeros(100), np.ones(100))
    assert found.effect is not None
    assert found.effect.low == pytest.approx(1 - 2 * unseen_share(100, 0.95))
    assert found.effect.high == 1
    assert found.verdict is Verdict.A_BETTER
    free = judge(FREE, np.zeros(100), np.ones(100))
    assert free.effect is not None
    assert free.effect.low == found.effect.low
    assert free.effect.high - 1 == pytest.approx(1 - free.effect.low)


def test_without_bounds_and_without_any_spread_there_is_no_interval() -> None:
    found = judge(FREE, np.zeros(100), np.zeros(100))
    assert (found.verdict, found.effect) == (Verdict.UNDECIDED, None)


def test_recipes_that_are_never_right_are_practically_the_same() -> None:
    """`robust_top1` of three seeds is 0 on every image."""
    asked = Question("m", "?", Scale.PROPORTION, Direction.HIGHER, "%", "image")
    never = {s: sample(np.zeros(400)) for s in range(3)}
    found = compare_across_seeds(asked, never, never, level=0.95, margin=0.01, seed=0)
    assert found.verdict is Verdict.EQUIVALENT


@pytest.mark.parametrize(("gains", "verdict"), [(1, Verdict.UNDECIDED), (5, Verdict.UNDECIDED), (6, Verdict.B_BETTER)])
@pytest.mark.parametrize("asked", [SHARE, FREE])
def test_a_gain_on_a_few_units_of_many_is_put_to_a_sign_test(asked: Question, gains: int, verdict: Verdict) -> None:
    """One unit of a hundred is no proof, though every draw of an ordinary bootstrap is above zero."""
    better = np.arange(100) >= gains
    found = judge(asked, np.ones(100), better.astype(float), margin=0.0)
    assert found.verdict is verdict
    assert found.p_value == 2.0 ** (1 - gains)
    assert "sign-flip" in found.method
    assert ("so few units" in " ".join(found.caveats)) == (gains < 6)


def test_a_perfect_ranking_is_as_sure_as_the_rarer_kind_is_many() -> None:
    perfect = ranked(30, 3000)
    found = compare(AUROC, perfect, perfect, level=0.95, margin=0.02, seed=0)
    assert found.effect is not None
    assert found.effect.high == pytest.approx(1 - 0.025 ** (1 / 30))
    assert found.verdict is Verdict.UNDECIDED
    many = ranked(300, 300)
    assert compare(AUROC, many, many, level=0.95, margin=0.02, seed=0).verdict is Verdict.EQUIVALENT


@pytest.mark.parametrize("kinds", [(12, 12), (12, 60)])
def test_a_true_area_just_at_the_end_is_seldom_seen_as_perfect(kinds: tuple[int, int]) -> None:
    """The worst case: a share of the rarer kind lies where it must not."""
    rng = np.random.default_rng(0)
    few = min(kinds)
    area, runs = 0.025 ** (1 / few), 20_000
    perfect = (rng.random((runs, few)) < area).all(axis=1).mean()
    assert perfect <= 0.025 + 3 * np.sqrt(0.025 / runs)


def test_an_estimator_that_single_units_can_turn_has_no_interval_when_it_is_constant() -> None:
    asked = Question(
        *("m", "?", Scale.AGGREGATE, Direction.LOWER, "%", "image"),
        estimator="false_positive_rate",
        inputs=("score", "outlier"),
    )
    perfect = ranked(30, 30)
    found = compare(asked, perfect, perfect, level=0.95, margin=0.02, seed=0)
    assert (found.effect, found.verdict) == (None, Verdict.UNDECIDED)
    assert found.method == "none: every value is the same"
