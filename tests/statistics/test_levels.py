"""A contender's own level: beside peers and slow computations, and never surer than its units allow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import binomtest
from scipy.stats import bootstrap as scipy_bootstrap

from netversus.errors import StatisticsError
from netversus.records import Direction, Question, Scale
from netversus.statistics.constant import unseen_share
from netversus.statistics.levels import Early, OwnLevel, median_interval, own_level
from netversus.statistics.pairing import Sample


def question(scale: Scale, **more: object) -> Question:
    return Question("m", "?", scale, Direction.HIGHER, "", "image", **more)  # type: ignore[arg-type]


PROPORTION, MEAN = question(Scale.PROPORTION), question(Scale.MEAN)
SHARE = question(Scale.MEAN, bounds=(0.0, 1.0))


def sample(values: object) -> Sample:
    array = np.asarray(values, dtype=float)
    return Sample([f"u{i:05d}" for i in range(len(array))], array)


def of(asked: Question, *seeds: object, early: Early | None = None, level: float = 0.95) -> OwnLevel:
    samples = {seed: {"m": sample(values)} for seed, values in enumerate(seeds)}
    return own_level(asked, samples, level=level, seed=0, early=early)


def aggregate(estimator: str, **inputs: Sequence[float]) -> OwnLevel:
    asked = question(Scale.AGGREGATE, estimator=estimator, inputs=tuple(inputs))
    return own_level(asked, {0: {name: sample(values) for name, values in inputs.items()}}, level=0.95, seed=0)


def ends(found: OwnLevel) -> tuple[float, float]:
    assert found.effect is not None
    assert found.effect.low <= found.value <= found.effect.high
    return found.effect.low, found.effect.high


def test_the_median_s_interval_covers_as_often_as_it_says_and_hardly_more() -> None:
    generator = np.random.default_rng(0)
    found = [median_interval(np.exp(generator.normal(size=24)), 0.95) for _ in range(4000)]
    assert 0.95 <= np.mean([each is not None and each.low <= 1 <= each.high for each in found]) <= 0.99


def test_five_blocks_have_no_interval_of_a_median() -> None:
    """The median of five can lie outside all of them: 1 in 16."""
    five, six = (of(question(Scale.RATIO), np.arange(1.0, n + 1)) for n in (5, 6))
    assert (five.effect, five.method) == (None, "none: too few units")
    assert ends(six) == (1.0, 6.0)


def test_a_mean_s_interval_is_near_scipy_s_bootstrap() -> None:
    values = np.random.default_rng(2).exponential(size=400)
    peer = scipy_bootstrap((values,), np.mean, method="percentile", random_state=3).confidence_interval
    assert ends(of(MEAN, values)) == pytest.approx((peer.low, peer.high), abs=0.02)


def test_several_seeds_widen_the_interval_by_their_own_scatter() -> None:
    one = (np.random.default_rng(4).random(500) < 0.8).astype(float)
    narrow = ends(of(PROPORTION, *[one] * 5))
    wide = ends(of(MEAN, *(one + shift for shift in (-0.1, -0.05, 0.0, 0.05, 0.1))))
    assert wide[1] - wide[0] > 2 * (narrow[1] - narrow[0])


def test_seeds_read_in_another_order_give_the_same_level() -> None:
    rng = np.random.default_rng(5)
    first = sample(rng.pareto(1.5, 50))
    order = rng.permutation(50)
    again = Sample([first.units[i] for i in order], first.values[order])
    plain, mixed = ({0: {"m": first}, 1: {"m": other}} for other in (first, again))
    assert own_level(MEAN, plain, level=0.95, seed=0) == own_level(MEAN, mixed, level=0.95, seed=0)
    turned = {0: {"m": again}, 1: {"m": first}}
    assert own_level(MEAN, turned, level=0.95, seed=0) == own_level(MEAN, plain, level=0.95, seed=0)


@pytest.mark.parametrize("end", [0.0, 1.0])
@pytest.mark.parametrize("seeds", [1, 2, 3])
@pytest.mark.parametrize("asked", [PROPORTION, SHARE])
def test_where_every_unit_lies_at_one_bound_the_interval_is_the_exact_one(
    asked: Question, seeds: int, end: float
) -> None:
    peer = binomtest(int(40 * end), 40).proportion_ci(0.95, "exact")
    assert ends(of(asked, *[np.full(40, end)] * seeds)) == pytest.approx((peer.low, peer.high), abs=1e-9)


def test_six_units_that_never_succeed_leave_almost_half_open() -> None:
    assert ends(of(SHARE, np.zeros(6))) == (0.0, pytest.approx(0.459, abs=1e-3))


def test_a_constant_between_its_bounds_reaches_to_both() -> None:
    found = ends(of(SHARE, np.zeros(40), np.ones(40)))  # two seeds: half of each unit
    assert found == pytest.approx((0.5 - 0.5 * unseen_share(40, 0.95), 0.5 + 0.5 * unseen_share(40, 0.95)))


def test_a_constant_without_bounds_has_no_interval() -> None:
    found = of(MEAN, np.full(40, 2.3))
    assert (found.value, found.effect, found.method) == (2.3, None, "none: every value is the same")


def test_a_mean_is_bounded_as_its_values_are() -> None:
    low, high = ends(of(SHARE, [1.0] * 39 + [0.9]))
    assert 0.9 < low < 0.9975 <= high <= 1.0
    three = [np.r_[np.ones(395), np.zeros(5 * s)][:400] for s in (0, 1, 0)]
    assert ends(of(PROPORTION, *(np.resize(one, 400) for one in three)))[1] <= 1.0


@pytest.mark.parametrize("wrong", [0, 1, 3])
def test_images_that_are_seldom_wrong_get_about_the_exact_interval(wrong: int) -> None:
    """The zeros and ones of a mean that is declared as such."""
    peer = binomtest(wrong, 200).proportion_ci(0.95, "exact")
    assert ends(of(SHARE, np.arange(200) < wrong)) == pytest.approx((peer.low, peer.high), abs=2e-3)


@pytest.mark.parametrize(("outliers", "belonging"), [(30, 30), (30, 3000)])
def test_a_perfect_ranking_of_thirty_is_not_certain(outliers: int, belonging: int) -> None:
    kinds = np.repeat([1.0, 0.0], [outliers, belonging])
    assert ends(aggregate("area_under_roc", score=kinds, outlier=kinds)) == (
        pytest.approx(0.025 ** (1 / 30)),
        pytest.approx(1.0),
    )


def test_where_every_draw_is_the_same_for_want_of_units_there_is_no_interval() -> None:
    kinds = np.repeat([1.0, 0.0], 30)
    found = aggregate("false_positive_rate", score=kinds, outlier=kinds)
    assert (found.value, found.effect, found.method) == (0.0, None, "none: every value is the same")


def test_the_ece_is_described_without_an_interval() -> None:
    rng = np.random.default_rng(0)
    found = aggregate("expected_calibration_error", confidence=rng.random(500), top1=rng.random(500) < 0.5)
    assert found.value > 0.1
    assert found.effect is None
    assert "bias" in found.method


@pytest.mark.parametrize("shift", [0.0, 0.1])
def test_the_interval_of_the_calibration_error_covers_the_truth(shift: float) -> None:
    """Of 300 images the ECE of a contender that is right as often as it says is 5 points, and its bootstrap's lower end
    is above the truth in every run."""
    rng = np.random.default_rng(7)
    runs, covered = 150, 0
    for _ in range(runs):
        confidence = rng.uniform(0.15, 1.0, 300)
        right = rng.random(300) < confidence - shift
        low, high = ends(aggregate("debiased_squared_calibration_error", confidence=confidence, top1=right))
        covered += low <= shift**2 <= high
    assert covered / runs >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / runs)


def test_so_many_units_that_few_draws_are_made_give_the_interval_that_many_draws_give(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(3)
    inputs = {"confidence": rng.random(400), "top1": rng.random(400) < 0.5}
    whole = ends(aggregate("debiased_squared_calibration_error", **inputs))
    monkeypatch.setattr("netversus.statistics.levels._WORK", 0)
    short = ends(aggregate("debiased_squared_calibration_error", **inputs))
    assert short[1] - short[0] == pytest.approx(whole[1] - whole[0], rel=0.2)


def test_an_early_reading_gets_a_sequence_within_its_bounds() -> None:
    early = Early(prior=50.0, population=None)
    answers = np.random.default_rng(0).random(400) < 0.97
    for asked in (PROPORTION, SHARE):
        found = of(asked, answers, early=early)
        fixed = binomtest(int(answers.sum()), 400).proportion_ci(0.95, "exact")
        assert found.method == "betting confidence sequence"
        assert ends(found)[0] < fixed.low
        assert fixed.high < ends(found)[1] <= 1
    assert of(MEAN, answers, early=early).method == "asymptotic confidence sequence"


def test_an_estimator_that_does_not_exist_is_refused() -> None:
    with pytest.raises(StatisticsError, match="no estimator 'gone'"):
        aggregate("gone", m=np.arange(20.0))
